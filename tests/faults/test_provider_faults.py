"""A provider that misbehaves: every turn ends, with a sentence a person can act on, with the text that was there; and a retry works."""

import asyncio
import json
import socket

import pytest
from llmock.scenarios import Fail, StreamFault

from integrations.services import completions
from tests.faults.desk import Desk, run
from tests.faults.provider import PIECES, TEXT, refuses, writes
from tests.integrations.upstream import Exchange, answer, chunk, event

BEGUN = "".join(PIECES[:6])
TO_DO = ("Try again", "Ask", "Put", "Choose", "Change", "Start")


@pytest.fixture(autouse=True)
def _impatient(settings, monkeypatch):
    settings.PROVIDER_CONNECT_TIMEOUT = 1.0
    settings.PROVIDER_FIRST_BYTE_TIMEOUT = settings.PROVIDER_IDLE_TIMEOUT = 0.4
    settings.PROVIDER_TOTAL_TIMEOUT = 1.5
    monkeypatch.setattr(completions, "PAUSES", (0.01, 0.02))


async def never(exchange: Exchange) -> None:
    await asyncio.sleep(60)


async def for_ever(exchange: Exchange) -> None:
    while True:
        await exchange.chunks(event(chunk("and on ")), last=False)
        await asyncio.sleep(0.05)


async def hang_up(exchange: Exchange) -> None:
    exchange.writer.transport.abort()


def says(data: bytes):
    async def say(exchange: Exchange) -> None:
        await exchange.chunks(data, last=False)

    return say


def begun(*, then=None, finish: str | None = None):
    """Six pieces of text, then trouble."""
    return writes(*PIECES[:6], pause=0.005, then=then, finish=finish)


FAULTS = {
    # name: what the server does, the code, the text that is kept, how often it is called (retries before the first text only)
    "does not answer": (never, "provider_timeout", "", 1),
    "says 401": (refuses("401 Unauthorized"), "provider_unauthorized", "", 1),
    "says 404 for the model": (refuses("404 Not Found", message="no such model"), "no_model", "", 1),
    "says 429": (refuses("429 Too Many Requests"), "provider_rate_limited", "", 3),
    "says 429 and come back in a minute": (refuses("429 Too Many Requests", retry_after="60"), "provider_rate_limited", "", 1),
    "says 500": (refuses("500 Internal Server Error"), "provider_unavailable", "", 3),
    "begins with nonsense": (writes(then=says(b"data: {nonsense\n\n"), finish=None), "provider_malformed", "", 3),
    "goes on with nonsense": (begun(then=says(b"data: {nonsense\n\n")), "provider_malformed", BEGUN, 1),
    "goes on with another shape": (begun(then=says(b"data: [1, 2]\n\n")), "provider_malformed", BEGUN, 1),
    "falls silent": (begun(then=never), "provider_timeout", BEGUN, 1),
    "never ends": (begun(then=for_ever), "provider_timeout", BEGUN, 1),
    "gives no reason for its end": (begun(then=says(b"data: [DONE]\n\n")), "provider_incomplete", BEGUN, 1),
    "hangs up": (begun(then=hang_up), "provider_incomplete", BEGUN, 1),
    "hangs up at once": (hang_up, "provider_unavailable", "", 3),
    "is stopped by its filter": (begun(finish="content_filter"), "content_filtered", BEGUN, 1),
    "says nothing at all": (writes(), "provider_incomplete", "", 3),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_provider_that(fault: str, desk: Desk, provider):
    script, code, text, calls = FAULTS[fault]
    question = f"What if it {fault}? 🤖"
    provider.scripts[question] = script
    failed, events = run(desk.turn(question))
    ends_well_enough(failed, code=code)
    assert failed.text.startswith(text) if fault == "never ends" else failed.text == text
    assert provider.calls[question] == calls
    assert [said["message"]["status"] for said in events if said["event"] == "message"] == ["sent", "pending", "error"]

    del provider.scripts[question]
    again = run(desk.again(failed))
    assert (again.status, again.text, again.attempt, again.error_code) == ("sent", TEXT, 2, None)


def ends_well_enough(failed, *, code: str) -> None:
    assert (failed.status, failed.error_code) == ("error", code)
    assert failed.error_sentence.endswith(".")
    assert any(what in failed.error_sentence for what in TO_DO), failed.error_sentence


def test_nobody_listens_where_the_provider_should_be(desk: Desk, provider, settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.OPENAI_BASE_URL = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        failed, _ = run(desk.turn("Is anybody there?"))
    ends_well_enough(failed, code="provider_unavailable")
    settings.OPENAI_BASE_URL = provider.url
    assert run(desk.again(failed)).text == TEXT


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_letters_and_events_cut_in_pieces_arrive_whole(size: int, desk: Desk, provider):
    question = f"Cut every {size} bytes?"
    whole = answer(*PIECES)

    async def bit_by_bit(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream", connection="close")
        for start in range(0, len(whole), size):
            exchange.writer.write(whole[start : start + size])
            await exchange.writer.drain()
            await asyncio.sleep(0)

    provider.scripts[question] = bit_by_bit
    written, _ = run(desk.turn(question))
    assert (written.status, written.text) == ("sent", TEXT)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fail(401, times=None), "provider_unauthorized"),
        (Fail(429, times=None), "provider_rate_limited"),
        (Fail(500, times=None), "provider_unavailable"),
        (Fail(503, times=None), "provider_unavailable"),
        (StreamFault("disconnect", after_chunks=2, times=None), "provider_incomplete"),
        (StreamFault("truncate", after_chunks=2, times=None), "provider_incomplete"),
        (StreamFault("stall", after_chunks=2, stall_seconds=5, times=None), "provider_timeout"),
        (StreamFault("malformed", after_chunks=2, times=None), "provider_malformed"),
    ],
    ids=lambda value: getattr(value, "kind", None) or str(getattr(value, "status", value)),
)
def test_a_fault_that_llmock_plays(fault, code: str, desk: Desk, llmock, settings):
    settings.OPENAI_BASE_URL = llmock.base_url()
    llmock.add(fault)
    failed, _ = run(desk.turn("How is Erik?"))
    ends_well_enough(failed, code=code)
    llmock.reset()
    llmock.reply(TEXT, times=None)
    again = run(desk.again(failed))
    assert (again.status, again.text, again.attempt) == ("sent", TEXT, 2)


def test_what_fails_before_the_first_text_is_tried_again_unseen(desk: Desk, provider):
    question = "Twice unlucky? 🎲"
    unlucky = iter([refuses("500 Internal Server Error"), hang_up])

    async def third_time_lucky(exchange: Exchange) -> None:
        await next(unlucky, writes(*PIECES, pause=0))(exchange)

    provider.scripts[question] = third_time_lucky
    written, events = run(desk.turn(question))
    assert (written.status, written.text, written.attempt) == ("sent", TEXT, 1)
    assert provider.calls[question] == 3
    assert json.dumps(events).count('"error": null') == len([said for said in events if said["event"] == "message"])
