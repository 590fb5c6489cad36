"""Whatever comes over the socket is answered with an error frame or done: it never ends the socket, never matches a thing it does not name,
and never breaks anything on our side."""

import json
import uuid

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings as django_settings
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chat import frames
from chat.events import Do
from config import mongo
from config.asgi import application
from config.management.commands.up import web_command
from tenants.services import accounts
from tests.faults.desk import Desk, run

OPERATORS = ({"$ne": None}, {"$gt": ""}, {"$regex": ".*"}, {"$where": "1"}, {"$in": []}, ["$ne"], {"$exists": True})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(OPERATORS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted(
    {
        "do",
        "ref",
        "conversation",
        "message",
        "text",
        "client_id",
        "after",
        "helpful",
        "rating",
        "comment",
        "status",
        "on",
        "seq",
        "strand",
        "attachment_ids",
        "reply_to",
        "what",
        "$where",
        "organizationId",
    }
)
FRAMES = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6) | st.fixed_dictionaries(
    {"do": st.sampled_from([*Do, "presences", "", "join ", "JOIN"])}, optional={name: JSON for name in NAMES if name != "do"}
)


@given(st.text(max_size=200) | FRAMES.map(json.dumps))
@example("")
@example("null")
@example('"join"')
@example("[" * 100_000)
@example('{"do":"join"' + ',"a":{"b":1}' * 9 + "}")
@example('{"do":"join","conversation":"\\ud800"}')
@example('{"do":"send","conversation":"x","client_id":"y","text":"\\u0000"}')
@example('{"do":{"$ne":null},"ref":{"$ne":null}}')
@example('{"do":"join","conversation":true}')
@example('{"do":"join","conversation":"x","after":true}')
@example('{"do":"join","conversation":"x","after":1e3}')
@example('{"do":"join","conversation":"x","after":-1}')
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_frame_of_the_table_or_refused_with_a_sentence(text: str):
    try:
        frame = frames.read(text)
    except frames.BadFrame as refusal:
        assert refusal.code
        assert refusal.sentence.endswith(".")
        return
    fields = frames.TABLE[frame.do]
    assert frame.fields.keys() <= fields.keys()
    for name, value in frame.fields.items():
        assert value is None or type(value) is fields[name].kind


class Tab:
    """An open socket of this process's application."""

    def __init__(self, key: str, *, organization: str = "acme") -> None:
        headers = [(b"authorization", f"Bearer {key}".encode()), (b"host", b"localhost")]
        scope = {"type": "websocket", "path": f"/ws/o/{organization}/", "query_string": b"", "headers": headers, "subprotocols": []}
        self.socket = ApplicationCommunicator(application, scope)

    async def __aenter__(self) -> "Tab":
        await self.socket.send_input({"type": "websocket.connect"})
        assert (await self.socket.receive_output(timeout=10))["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.socket.wait(timeout=10)

    async def answer(self, *, text: str | None = None, binary: bytes | None = None) -> dict:
        await self.socket.send_input({"type": "websocket.receive", "text": text, "bytes": binary})
        said = await self.socket.receive_output(timeout=10)
        assert said["type"] == "websocket.send", said
        return json.loads(said["text"])

    async def ask(self, frame: object) -> dict:
        return await self.answer(text=json.dumps(frame))

    async def lives(self, conversation_id: str) -> None:
        """The socket still does what it is for."""
        assert await self.ask({"do": "leave", "conversation": conversation_id, "ref": "alive"}) == {"ack": "alive"}


@pytest.fixture
def key(cast, django_db_blocker) -> str:
    return accounts.create_api_key(cast.olive.membership, name="tab")[1]


def everything() -> list:
    """All messages and conversations there are."""
    database = mongo.database()
    comment = "across-tenants: a test empties the store"
    return [list(database[name].find({}, comment=comment).sort("_id", 1)) for name in ("chat_messages", "chat_conversations")]


def over_a_socket(key: str, scenario) -> None:
    async def through() -> None:
        async with Tab(key) as tab:
            await scenario(tab)

    run(through())


NOBODYS = str(uuid.UUID(int=7))
BAD = {
    "not JSON": ("{", "malformed"),
    "nothing": ("", "malformed"),
    "a list": ("[]", "malformed"),
    "a number": ("7", "malformed"),
    "nested without end": ("[" * 60_000, "malformed"),
    "no word": ("{}", "unknown_frame"),
    "an unknown word": ('{"do": "drop"}', "unknown_frame"),
    "an operator for a word": ('{"do": {"$ne": null}}', "unknown_frame"),
    "an unknown field": ('{"do": "leave", "conversation": "x", "organization": "globex"}', "unknown_field"),
    "a field that begins with a dollar": ('{"do": "leave", "conversation": "x", "$where": "1"}', "unknown_field"),
    "a field missing": ('{"do": "join"}', "missing_field"),
    "a number for a text": ('{"do": "join", "conversation": 7}', "wrong_type"),
    "a text for a number": ('{"do": "join", "conversation": "x", "after": "7"}', "wrong_type"),
    "true for a number": ('{"do": "join", "conversation": "x", "after": true}', "wrong_type"),
    "a negative number": ('{"do": "join", "conversation": "x", "after": -1}', "out_of_range"),
    "a number too great": (
        '{"do": "join", "conversation": "x", "after": 99999999999999999999}',
        ("out_of_range", "wrong_type", "malformed"),
    ),
    "an operator for a ref": ('{"do": "leave", "conversation": "x", "ref": {"$ne": null}}', "wrong_type"),
    "a text too long": (json.dumps({"do": "join", "conversation": "x" * 65}), "wrong_length"),
    "an empty text": ('{"do": "join", "conversation": ""}', "wrong_length"),
    "too large": (json.dumps({"do": "leave", "conversation": "x", "ref": "y" * 70_000}), "frame_too_big"),
    "too large in bytes alone": (json.dumps({"do": "leave", "ref": "🙂" * 20_000}, ensure_ascii=False), "frame_too_big"),
    "half a letter": ('{"do": "leave", "conversation": "\\ud800"}', ("malformed", "not_found")),
    "no feedback at all": ('{"do": "feedback", "message": "%(message)s"}', "feedback_missing"),
    "a number for a thumb": ('{"do": "feedback", "message": "x", "helpful": 1}', "wrong_type"),
    "true for stars": ('{"do": "feedback", "message": "x", "rating": true}', "wrong_type"),
    "six stars": ('{"do": "feedback", "message": "x", "rating": 6}', "out_of_range"),
    "no star, which is said by null": ('{"do": "feedback", "message": "%(message)s", "rating": 0}', "rating_wrong"),
    "a comment too long": (json.dumps({"do": "feedback", "message": "x", "comment": "x" * 2_001}), "wrong_length"),
    "a path for an id": ('{"do": "join", "conversation": "../../etc/passwd"}', "not_found"),
    "nobody's id": (json.dumps({"do": "join", "conversation": str(uuid.uuid4())}), "not_found"),
    "blanks for a question": ('{"do": "send", "conversation": "%(conversation)s", "client_id": "c", "text": "  "}', "text_missing"),
    "a question too long": (
        '{"do": "send", "conversation": "%(conversation)s", "client_id": "c", "text": "' + "x" * 40_000 + '"}',
        "text_too_long",
    ),
}


def test_every_bad_frame_is_told_what_is_wrong_and_the_socket_lives_on(desk: Desk, key: str):
    written, _ = run(desk.turn("A message"))
    before = everything()

    async def scenario(tab: Tab) -> None:
        for name, (text, code) in BAD.items():
            said = await tab.answer(text=text.replace("%(conversation)s", desk.conversation.id).replace("%(message)s", written.id))
            assert "error" in said, (name, said)
            assert said["error"]["code"] in ((code,) if isinstance(code, str) else code), (name, said)
            assert said["error"]["detail"].endswith("."), (name, said)
            await tab.lives(desk.conversation.id)
        assert (await tab.answer(binary=b"\x00\xff"))["error"]["code"] == "malformed"
        await tab.lives(desk.conversation.id)

    over_a_socket(key, scenario)
    assert everything() == before


@pytest.mark.parametrize("do", list(frames.TABLE))
def test_an_operator_in_any_field_matches_nothing(do: Do, desk: Desk, key: str):
    written, _ = run(desk.turn("A message that could be matched"))
    before = everything()
    given = {"conversation": desk.conversation.id, "message": written.id, "text": "text", "client_id": "id", "after": 1}
    given |= {
        "helpful": True,
        "rating": 4,
        "comment": "Clear.",
        "strand": 0,
        "attachment_ids": [],
        "reply_to": written.id,
        "on": True,
        "status": "busy",
        "seq": 1,
        "question": NOBODYS,
        "what": "metrics",
    }

    async def scenario(tab: Tab) -> None:
        for field in frames.TABLE[do]:
            for operator in OPERATORS:
                right = {name: given[name] for name in frames.TABLE[do]}
                said = await tab.ask({"do": do, **right, field: operator, "ref": "r"})
                is_list_of_texts = (
                    field == "attachment_ids" and isinstance(operator, list) and all(isinstance(each, str) for each in operator)
                )
                expected = "unknown_file" if is_list_of_texts else "wrong_type"
                assert said["error"]["code"] == expected, (field, operator, said)
                assert said["ref"] == "r"
                if frames.TABLE[do][field].kind is str and field != "text":
                    # The same, smuggled in as a text: an id is compared, never interpreted.
                    said = await tab.ask({"do": do, **right, field: json.dumps(operator)[:60], "ref": "r"})
                    assert "error" in said or field in ("client_id", "comment"), (field, operator, said)
        await tab.lives(desk.conversation.id)

    over_a_socket(key, scenario)
    if do not in (Do.SEND, Do.QUEUE, Do.FEEDBACK):  # as a client_id and as a comment any text will do
        assert everything() == before


def test_another_organizations_messages_do_not_exist(desk: Desk, cast, key: str):
    written, _ = run(desk.turn("Acme's own"))
    theirs = accounts.create_api_key(cast.greta.membership, name="tab")[1]
    before = everything()

    async def scenario() -> None:
        async with Tab(theirs, organization="globex") as tab:
            for frame in (
                {"do": "join", "conversation": desk.conversation.id},
                {"do": "join", "conversation": desk.conversation.id, "after": 1},
                {"do": "send", "conversation": desk.conversation.id, "client_id": "x", "text": "x"},
                {"do": "stop", "message": written.id},
                {"do": "retry", "message": written.id},
                {"do": "regenerate", "message": written.id},
                {"do": "feedback", "message": written.id, "helpful": True},
            ):
                said = await tab.ask({**frame, "ref": 7})
                assert (said["error"]["code"], said["ref"]) == ("not_found", 7)

    run(scenario())
    assert everything() == before


@given(frame=FRAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_object_is_answered_over_a_living_socket(frame: dict, desk: Desk, key: str):
    before = everything()

    async def scenario(tab: Tab) -> None:
        said = await tab.ask(frame)
        assert "error" in said or "ack" in said, said
        if "error" in said:
            assert said["error"]["code"] != "internal_error"
        await tab.lives(desk.conversation.id)

    over_a_socket(key, scenario)
    assert everything() == before


def test_the_servers_own_limit_is_above_ours_so_that_our_sentence_is_heard():
    command = web_command(0)
    assert int(command[command.index("--ws-max-size") + 1]) > django_settings.SOCKET_FRAME_LIMIT
