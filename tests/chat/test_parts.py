"""The parts of a message: what is taken, what they say in words, and what a reader gets."""

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat import actions, markdown, parts
from chat.parts import PartWrong

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
TEXT = {"type": "text", "value": "To connect it, **click**:"}
CODE = {"type": "code", "value": {"text": "```\nx = 1 < 2", "language": "python"}}
IMAGE = {"type": "image", "value": {"name": "plan.png", "attachment_id": ID}}
BUTTON = {"type": "button", "value": {"label": "Connect", "action": "open_the_vault", "argument": "now"}}
CARD = {"type": "card", "value": {"title": "Goals", "text": "This year.", "facts": [{"name": "Erik", "value": "92"}]}}
TABLE = {"type": "table", "value": {"title": "Sessions", "columns": ["day", "a|b"], "rows": [["<b>1</b>\nMay", 3], ["2 May", 0.5]]}}
CHART = {
    "type": "chart",
    "value": {"title": "Sessions", "kind": "line", "labels": ["1 May", "2 May"], "series": [{"name": "sessions", "values": [3, 0.5]}]},
}
EACH = [TEXT, CODE, IMAGE, BUTTON, CARD, TABLE, CHART]


def _chart(**changes: object) -> list[dict]:
    return [{"type": "chart", "value": CHART["value"] | changes}]


def _table(**changes: object) -> list[dict]:
    return [{"type": "table", "value": TABLE["value"] | changes}]


def test_each_type_is_taken_as_it_is():
    assert parts.checked(EACH) == EACH


@pytest.mark.parametrize(
    ("wrong", "path", "words"),
    [
        ("no list", "", "a list"),
        ([TEXT] * 31, "", "at most 30"),
        (["x"], "0", "an object"),
        ([{"value": "x"}], "0.type", "missing"),
        ([{"type": "video", "value": "x"}], "0.type", "text, image, button, card, code, table, chart"),
        ([{"type": ["text"], "value": "x"}], "0.type", "one of"),
        ([TEXT, {**TEXT, "style": "x"}], "1", "not known"),
        ([{"type": "text", "value": " "}], "0.value", "a text"),
        ([{"type": "text", "value": "a\0b"}], "0.value", "a text"),
        ([{"type": "text", "value": "x" * 50_001}], "0.value", "50000"),
        ([{"type": "image", "value": {"name": "a.png", "url": "https://evil.example/a.png"}}], "0.value", "not known"),
        ([{"type": "image", "value": {"name": "a.png", "attachment_id": "../../x"}}], "0.value.attachment_id", "attachment"),
        ([{"type": "button", "value": {"label": "Go", "action": "javascript:alert(1)"}}], "0.value.action", "action"),
        ([{"type": "button", "value": {"label": "Go", "action": "ask", "href": "https://evil.example"}}], "0.value", "not known"),
        ([{"type": "card", "value": {"title": "T", "facts": [{"name": "a", "value": {"$gt": 1}}]}}], "0.value.facts.0.value", "a text"),
        ([{"type": "code", "value": {"text": "x", "language": '"><script>'}}], "0.value.language", "language"),
        (_chart(kind="pie"), "0.value.kind", "line, bar"),
        (_chart(labels=["1 May"]), "0.value.series.0.values", "as many values"),
        (_chart(series=[]), "0.value.series", "1 to 8"),
        (_chart(series=[{"name": "s", "values": ["3", 1]}]), "0.value.series.0.values.0", "a number"),
        (_table(columns=[]), "0.value.columns", "1 to 12"),
        (_table(columns=["x"] * 13), "0.value.columns", "1 to 12"),
        (_table(rows=[["x", "y"]] * 101), "0.value.rows", "1 to 100"),
        (_table(rows=["xy"]), "0.value.rows.0", "a list"),
        (_table(rows=[["x"]]), "0.value.rows.0", "as many cells"),
        (_table(rows=[["x"] * 13]), "0.value.rows.0", "1 to 12"),
        (_table(rows=[["x", True]]), "0.value.rows.0.1", "a number"),
        (_table(rows=[["x", 10**16]]), "0.value.rows.0.1", "a number"),
        (_table(rows=[["x", float("nan")]]), "0.value.rows.0.1", "a number"),
        (_table(rows=[["x", {"$gt": 1}]]), "0.value.rows.0.1", "a number"),
    ],
)
def test_what_is_wrong_is_refused_with_its_path_and_a_sentence(wrong, path, words):
    with pytest.raises(PartWrong) as refused:
        parts.checked(wrong)
    assert refused.value.path == path and words in refused.value.sentence and refused.value.sentence.endswith(".")


_names = st.sampled_from(["type", "value", "label", "action", "x"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_values)
def test_whatever_is_sent_is_taken_or_refused(given_parts):
    try:
        taken = parts.checked(given_parts)
    except PartWrong:
        return
    assert isinstance(parts.words(taken), str) and orjson.dumps(parts.as_shown(taken))


def test_all_that_parts_say_is_in_their_words():
    assert parts.words(EACH) == (
        "To connect it, **click**:\n\n````python\n```\nx = 1 < 2\n````\n\n[image: plan.png]\n\n[Connect]\n\n"
        "**Goals**\n\nThis year.\n\n- Erik: 92\n\n**Sessions**\n\n| day | a\\|b |\n| --- | --- |\n| \\<b\\>1\\</b\\> May | 3 |\n"
        "| 2 May | 0.5 |"
        "\n\n[chart: Sessions]"
    )
    assert "x = 1 &lt; 2" in markdown.render(parts.words([CODE])), "no code ends its own fence"


def test_parts_with_a_text_are_all_of_their_message():
    assert parts.are_whole(EACH)
    assert not parts.are_whole([CARD, BUTTON])


def test_a_reader_gets_html_that_passed_the_allow_list():
    hostile = {"type": "text", "value": "<script>x</script> ![p](https://evil.example/p.png) [a](javascript:b)"}
    shown, code, image, *_ = parts.as_shown([hostile, CODE, IMAGE])
    assert "<script" not in shown["html"] and "<img" not in shown["html"] and "href" not in shown["html"]
    assert '<code class="language-python">```\nx = 1 &lt; 2</code>' in code["html"]
    assert "html" not in image


def test_a_copy_points_at_nothing():
    _, _, image, button, *_ = parts.as_copied(EACH)
    assert (image["value"], button) == ({"name": "plan.png"}, BUTTON)
    _, _, image, button, card, table, chart = parts.as_copied(EACH, for_strangers=True)
    assert image["value"] == {"name": "plan.png"}
    assert button["value"] == {"label": "Connect", "action": "open_the_vault"}
    assert (card, table, chart) == (CARD, TABLE, CHART)


def test_an_action_leads_to_a_page_of_ours_or_nowhere():
    known = actions.addresses("acme", ID)
    assert set(known) == set(actions.Action.values)
    assert all(address.startswith(("/o/acme/chat/", "/o/acme/connections/")) for address in known.values())
    ask = {"label": "x", "action": "ask", "argument": "https://evil.example/?a=b&c#{}"}
    assert actions.address(ask, known) == f"/o/acme/chat/{ID}/?ask=https%3A%2F%2Fevil.example%2F%3Fa%3Db%26c%23%7B%7D"
    assert actions.address({"label": "x", "action": "open_context", "argument": ID}, known) == f"/o/acme/chat/{ID}/context/#e-{ID}"
    assert actions.address(BUTTON["value"], known) is None
