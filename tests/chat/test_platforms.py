"""Figures of the asker's own accounts in a chat's answer (S1-28, S1-34): rounds of tools, their parts, and whose accounts they are."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from chat import access, parts, prompts
from chat.documents import Message
from chat.realtime.calls import Call
from chat.services import answers, contexts, platforms, turns
from config import loop, mongo
from integrations import tools
from integrations.models import ModelCall
from integrations.providers.base import ChatMessage, CompletionRequest, Finished, ToolUse, Usage
from integrations.services import completions, connections, ledger, rounds
from integrations.tools import ToolResult
from tenants import scoping

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TITLE = "Google Analytics: Sample data"


def ask(consultation, text):
    membership, conversation = consultation
    taken = turns.submit(membership, conversation, text=text, client_id=text)
    call = Call.to(taken.answer, access.conversation_for(membership, conversation.id))
    loop.run(answers.produce(call))
    return access.message_for(membership, taken.answer.id), call


def with_sample_data(cast, person, platform="google_analytics"):
    with scoping.tenant(cast.acme):
        return connections.connect_demo(person.membership, platform, now=NOW)


def kinds(answer):
    return [part["type"] for part in answer.parts]


def test_an_answer_reads_the_asker_s_figures_and_shows_table_and_chart(cast, consultation):
    with_sample_data(cast, cast.olive)
    answer, _ = ask(consultation, "How many sessions did our website have?")
    assert answer.status == "sent" and TITLE in answer.text and "sample data" in answer.text
    assert kinds(answer)[:2] == ["table", "chart"] and "button" in kinds(answer), "sample data come with the way to one's own"
    table, chart = (part["value"] for part in answer.parts[:2])
    assert "(not real)" in table["title"] and len(table["rows"][0]) == len(table["columns"])
    assert chart["kind"] == "line" and len(chart["series"][0]["values"]) == len(chart["labels"]) == 28
    assert parts.checked(list(answer.parts)) == list(answer.parts)
    [called] = answer.as_json()["tools"]
    assert called["name"] == "run_analytics_report" and called["error"] == "" and TITLE in called["content"]


def test_an_answer_about_figures_has_no_findings_on_people(cast, consultation, monkeypatch):
    given = []

    async def give(call, context, answer):
        given.append(answer.text)

    monkeypatch.setattr(answers.analyses, "give", give)
    ask(consultation, "How many sessions did our website have?")
    answer, _ = ask(consultation, "How is he?")
    assert given == [answer.text]


def test_every_round_is_in_the_ledger_and_the_message_has_their_sum(cast, consultation):
    with_sample_data(cast, cast.olive)
    answer, _ = ask(consultation, "How many sessions did our website have?")
    ledger.flush(timeout=10)
    with scoping.tenant(cast.acme):
        rows = list(ModelCall.objects.for_tenant(cast.acme).filter(message_id=answer.id, purpose="answer").order_by("created_at"))
    assert len(rows) == 2
    assert sum(row.input_tokens for row in rows) == answer.input_tokens
    assert sum(row.output_tokens for row in rows) == answer.output_tokens


def test_what_is_not_connected_is_said_with_the_button_that_connects_it(consultation):
    answer, _ = ask(consultation, "How many sessions did our website have?")
    assert "not connected" in answer.text
    [button] = [part["value"] for part in answer.parts if part["type"] == "button" and part["value"]["action"] == "oauth_google"]
    assert button == {"label": "Connect Google Analytics", "action": "oauth_google", "argument": "google_analytics"}


def test_the_button_stands_once_where_question_and_tool_want_it(consultation):
    answer, _ = ask(consultation, "Connect Google Analytics")
    assert [part["value"]["label"] for part in answer.parts if part["type"] == "button"].count("Connect Google Analytics") == 1


def test_a_question_of_people_tells_a_model_of_no_tools(consultation):
    answer, call = ask(consultation, "How is he doing?")
    assert answer.tools == () and prompts.request(answer, loop.run(contexts.for_answer(call))).tools == ()


def test_a_question_after_it_may_still_read_figures():
    assert not platforms.offered(["And last month?", "How is he?"])
    assert set(platforms.offered(["And last month?", "How did our campaign do?"])) == set(platforms.NAMES)
    assert not platforms.offered(["a", "b", "c", "How did our campaign do?"]), "that was long ago"


def test_anothers_connection_is_not_read(cast, consultation):
    """Liam has connected something; Olive asks, and whatever the model wants, it is for her."""
    with_sample_data(cast, cast.liam)
    answer, _ = ask(consultation, "How many sessions did our website have?")
    assert "not connected" in answer.text and "table" not in kinds(answer)


def test_figures_written_anew_take_the_place_of_the_old_ones(cast, consultation):
    membership, conversation = consultation
    answer, _ = ask(consultation, "How many sessions did our website have?")
    with_sample_data(cast, cast.olive)
    again = turns.regenerate(membership, answer)
    loop.run(answers.produce(Call.to(again, access.conversation_for(membership, conversation.id))))
    answer = access.message_for(membership, answer.id)
    assert answer.status == "sent" and kinds(answer)[0] == "table" and len(answer.tools) == 1


def test_nothing_of_a_tool_that_is_no_part_is_kept(monkeypatch, caplog):
    run = platforms.ToolRun(
        "t", "{}", "said", parts=({"type": "table", "value": {"title": "", "columns": [], "rows": []}}, {"type": "script"})
    )
    assert platforms.beside([run]) == []


def test_what_is_too_long_for_a_part_is_cut():
    long = {"title": "t" * 900, "columns": ["a", "b"], "rows": [["x" * 900, 1.5]] * 500}
    [part] = platforms.beside([platforms.ToolRun("t", "{}", "said", parts=({"type": "table", "value": long},))])
    assert len(part["value"]["rows"]) == parts.ROWS_LIMIT and len(part["value"]["rows"][0][0]) == parts.WORDS_LIMIT


# Rounds ----------------------------------------------------------------------------------------------------------------


class Model:
    """A model that wants tools called until it has had enough, or must answer."""

    def __init__(self, monkeypatch, wants):
        self.wants = list(wants)
        self.requests = []
        monkeypatch.setattr(completions, "stream", self.stream)

    async def stream(self, request):
        self.requests.append(request)
        use = self.wants.pop(0) if self.wants and request.tool_choice != "none" else None
        yield "Let me look." if use else "Done."
        yield Finished(
            finish_reason="tool_calls" if use else "stop",
            usage=Usage(10, 2),
            model="m",
            provider="p",
            cost=Decimal("0.001"),
            cost_known=True,
            latency_ms=5,
            first_token_ms=1,
            confidence=None,
            sources=(),
            tool_uses=(use,) if use else (),
        )


def request() -> CompletionRequest:
    offered = {"run_analytics_report": tools.OFFERED["run_analytics_report"]}
    return CompletionRequest(organization_id="o", messages=(ChatMessage("user", "?"),), tools=platforms.functions(offered))


def heard(consultation, monkeypatch, wants):
    model, runs = Model(monkeypatch, wants), []

    async def all_of_it():
        return [piece async for piece in platforms.stream(request(), consultation[0], runs)]

    *texts, finished = loop.run(all_of_it())
    return model, runs, "".join(texts), finished


def test_a_model_that_never_has_enough_must_answer_after_eight_rounds(consultation, monkeypatch):
    model, runs, text, finished = heard(consultation, monkeypatch, [ToolUse("1", "no_such_tool", "{}")] * 99)
    assert len(runs) == 8 and len(model.requests) == 9 and model.requests[-1].tool_choice == "none"
    assert text == "\n\n".join(["Let me look."] * 8 + ["Done."])
    assert (finished.usage, finished.cost) == (Usage(90, 18), Decimal("0.009"))


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("rm", "{}", "no_such_tool"),
        ("ads_performance", "{}", "no_such_tool"),  # there is one, but this model was not told of it
        ("run_analytics_report", "{", "bad_arguments"),
        ("run_analytics_report", '{"metrics": ["sessions"], "user": "liam"}', "bad_arguments"),
    ],
)
def test_what_a_model_gets_wrong_is_told_to_it(consultation, monkeypatch, name, arguments, error):
    model, [run], text, _ = heard(consultation, monkeypatch, [ToolUse("1", name, arguments)])
    assert run.error == error and text.endswith("Done.")
    assert model.requests[1].messages[-1] == ChatMessage("tool", run.content, tool_use_id="1")


def test_what_a_tool_says_is_shortened_where_it_is_kept(cast, consultation, monkeypatch):
    async def much(call):
        return ToolResult("x" * 20_000)

    known = tools.OFFERED["run_analytics_report"]
    monkeypatch.setitem(tools.OFFERED, known.name, replace(known, run=much))
    answer, _ = ask(consultation, "How many sessions?")
    stored = mongo.collection(Message).find_one({"organizationId": str(cast.acme.pk), "messageId": answer.id})
    assert len(stored["toolsCallData"][0]["result"]) == rounds.SHOWN
