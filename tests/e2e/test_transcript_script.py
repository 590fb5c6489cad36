"""`chat/static/chat/transcript.js`: events in any order and any number of times end in the one transcript."""

import json
import random

TEXT = "Hello 🙂 שלום, e\u0301toile 👩‍👩‍👧 — fin."
MESSAGE = {"id": "a", "seq": 2, "role": "assistant", "attempt": 1, "status": "pending", "text": "", "html": ""}


async def replay(page, steps, *, n=0, messages=(MESSAGE,)):
    """Applies events (or `{"reset": n, "messages": [...]}`) and returns what each said, the text, the status and the number."""
    return await page.evaluate(
        """async ({steps, n, messages}) => {
          const {Transcript} = await import("/static/chat/transcript.js");
          const transcript = new Transcript(n);
          transcript.add(messages);
          const said = steps.map((step) => {
            if (!("reset" in step)) return transcript.apply(step).kind;
            transcript.reset(step.reset, step.messages);
            return "reset";
          });
          const message = transcript.get("a");
          return {said, text: message.text, status: message.status, n: transcript.n};
        }""",
        {"steps": list(steps), "n": n, "messages": list(messages)},
    )


def delta(n, offset, text, *, attempt=1, message="a"):
    return {"conversation": "c", "n": n, "event": "delta", "message": message, "attempt": attempt, "offset": offset, "text": text}


def in_pieces(text, *, first=1):
    return [delta(first + index, index, character) for index, character in enumerate(text)]


async def test_deltas_make_the_text(scripts):
    result = await replay(scripts, in_pieces(TEXT))
    assert result == {"said": ["delta"] * len(TEXT), "text": TEXT, "status": "streaming", "n": len(TEXT)}


async def test_every_event_twice_changes_nothing(scripts):
    steps = [step for step in in_pieces(TEXT) for _ in range(2)]
    assert (await replay(scripts, steps))["text"] == TEXT


async def test_a_stream_cut_anywhere_and_read_again_from_there_is_the_same(scripts):
    pieces = in_pieces(TEXT)
    for cut in range(len(pieces)):
        again_from = random.Random(cut).randrange(cut + 1)
        result = await replay(scripts, [*pieces[:cut], *pieces[again_from:]])
        assert result["text"] == TEXT, (cut, again_from)


async def test_text_that_is_known_from_the_page_is_not_added_again(scripts):
    """A checkpoint may be ahead of the events: offsets count code points, so an emoji is one."""
    known = {**MESSAGE, "status": "streaming", "text": TEXT[:9]}
    steps = [delta(5, 4, TEXT[4:20]), delta(6, 20, TEXT[20:])]
    result = await replay(scripts, steps, n=4, messages=[known])
    assert result["said"] == ["delta", "delta"]
    assert result["text"] == TEXT


async def test_a_missing_event_is_a_gap_and_is_not_passed(scripts):
    result = await replay(scripts, [delta(1, 0, "a"), delta(3, 2, "c")])
    assert (result["said"], result["text"], result["n"]) == (["delta", "gap"], "a", 1)


async def test_missing_text_is_a_hole_once_and_a_snapshot_fills_it(scripts):
    full = {**MESSAGE, "status": "streaming", "text": "abc"}
    steps = [delta(1, 2, "c"), {"reset": 7, "messages": [full]}, delta(8, 3, "d")]
    result = await replay(scripts, steps)
    assert (result["said"], result["text"], result["n"]) == (["hole", "reset", "delta"], "abcd", 8)


async def test_a_hole_that_a_snapshot_does_not_fill_is_not_asked_for_again_and_the_whole_message_ends_it(scripts):
    end = {"conversation": "c", "n": 3, "event": "message", "message": {**MESSAGE, "status": "sent", "text": "abcd"}}
    result = await replay(scripts, [delta(1, 2, "c"), delta(1, 2, "c"), delta(2, 3, "d"), end])
    assert (result["said"], result["text"]) == (["hole", "nothing", "nothing", "message"], "abcd")


async def test_another_attempt_and_a_message_that_ended_take_no_text(scripts):
    ended = {**MESSAGE, "status": "sent", "text": "done"}
    assert (await replay(scripts, [delta(1, 4, "!")], messages=[ended]))["text"] == "done"
    assert (await replay(scripts, [delta(1, 0, "old", attempt=2)]))["text"] == ""
    assert (await replay(scripts, [delta(1, 0, "x", message="unknown")]))["said"] == ["nothing"]


async def test_a_retry_begins_again(scripts):
    again = {"conversation": "c", "n": 2, "event": "message", "message": {**MESSAGE, "attempt": 2}}
    result = await replay(scripts, [delta(1, 0, "first"), again, delta(3, 0, "second", attempt=2)])
    assert result["text"] == "second"


async def test_fetched_messages_never_take_back_what_is_known(scripts):
    result = await scripts.evaluate(
        """async (message) => {
          const {Transcript} = await import("/static/chat/transcript.js");
          const transcript = new Transcript(0);
          transcript.add([{...message, status: "streaming", text: "abc"}]);
          const changed = [
            transcript.add([{...message, status: "streaming", text: "ab"}]).length,
            transcript.add([{...message, status: "streaming", text: "abcd"}]).length,
            transcript.add([{...message, status: "sent", text: "abcde"}]).length,
            transcript.add([{...message, status: "streaming", text: "abcdefgh"}]).length,
            transcript.add([{...message, status: "pending", attempt: 2}]).length,
            transcript.add([{...message, status: "sent", text: "late"}]).length,
          ];
          return {changed, status: transcript.get("a").status, attempt: transcript.get("a").attempt};
        }""",
        MESSAGE,
    )
    assert result == {"changed": [0, 1, 1, 0, 1, 0], "status": "pending", "attempt": 2}


async def test_a_snapshot_keeps_older_messages_and_removes_what_is_gone(scripts):
    result = await scripts.evaluate(
        """async () => {
          const {Transcript} = await import("/static/chat/transcript.js");
          const transcript = new Transcript(3);
          const say = (id, seq) => ({id, seq, role: "user", status: "sent", attempt: 1, text: id});
          transcript.add([say("old", 1), say("kept", 5), say("gone", 6)]);
          const gone = transcript.reset(9, [say("kept", 5), say("new", 7)]);
          return {gone, all: transcript.all().map(({id}) => id), oldest: transcript.oldest()};
        }"""
    )
    assert result == {"gone": ["gone"], "all": ["old", "kept", "new"], "oldest": 1}


async def test_lengths_are_code_points(scripts):
    count = await scripts.evaluate(
        """async (text) => {
          const {codePoints, skipCodePoints} = await import("/static/chat/transcript.js");
          return [codePoints(text), skipCodePoints(text, 7), codePoints("\\ud83d"), codePoints("")];
        }""",
        TEXT,
    )
    assert count == [len(TEXT), TEXT[7:], 1, 0], json.dumps(count)


async def test_an_attempt_that_is_announced_behind_the_next_one_is_not_shown_again(scripts):
    def whole(n, attempt, status):
        return {"conversation": "c", "n": n, "event": "message", "message": {**MESSAGE, "attempt": attempt, "status": status}}

    steps = [whole(1, 2, "pending"), whole(2, 1, "sent"), delta(3, 0, TEXT, attempt=2)]
    result = await replay(scripts, steps)
    assert result == {"said": ["message", "nothing", "delta"], "text": TEXT, "status": "streaming", "n": 3}
