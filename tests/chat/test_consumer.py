"""The socket's own promises, in one process, on real stores."""

import asyncio
import io
import math

import orjson
import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator

from chat import access
from chat.consumers import ChatConsumer
from chat.realtime.hub import hub
from chat.services import attachments, conversations, totals, turns
from tenants import scoping
from tenants.services import accounts


def key_of(membership):
    with scoping.tenant(membership.organization_id):
        return accounts.create_api_key(membership, name="tests")[1]


@pytest.fixture
def key(consultation):
    membership, _ = consultation
    return key_of(membership)


@pytest.fixture
def liams_key(cast):
    return key_of(cast.liam.membership)


async def socket_with(key, *, organization="acme"):
    headers = [(b"authorization", f"Bearer {key}".encode())]
    scope = {"type": "websocket", "headers": headers, "url_route": {"kwargs": {"organization": organization}}}
    socket = ApplicationCommunicator(ChatConsumer.as_asgi(), scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(timeout=5))["type"] == "websocket.accept"
    return socket


async def say(socket, **frame):
    await socket.send_input({"type": "websocket.receive", "text": orjson.dumps(frame).decode()})


async def heard(socket, *, until):
    """Frames as they come, up to and with the first of which `until` is true."""
    frames = []
    while not frames or not until(frames[-1]):
        frames.append(orjson.loads((await socket.receive_output(timeout=5))["text"]))
    return frames


async def test_who_asks_hears_that_the_question_is_safe_before_anything_that_came_of_it(consultation, key, monkeypatch):
    _, conversation = consultation
    note_place = totals.note_place

    async def slowly(message, **more):
        await asyncio.sleep(0.2)  # the journal takes its time, the events are out long since
        await note_place(message, **more)

    monkeypatch.setattr(totals, "note_place", slowly)
    asking, reading = await socket_with(key), await socket_with(key)
    for socket in (asking, reading):
        await say(socket, do="join", conversation=conversation.id, ref=1)
        await heard(socket, until=lambda frame: "joined" in frame)
    await say(asking, do="send", conversation=conversation.id, text="Safe?", client_id="one", ref=2)
    told = await heard(reading, until=lambda frame: frame.get("message", {}).get("role") == "assistant")
    frames = await heard(asking, until=lambda frame: frame.get("message", {}).get("role") == "assistant")
    assert frames[0]["ack"] == 2
    assert frames[1:] == told, "The events that were held back come behind it, all of them."
    for socket in (asking, reading):
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(timeout=5)


@pytest.fixture
def looked_up(monkeypatch):
    """The conversations that were read at the door, in order."""
    found = []
    conversation_for = access.aconversation_for

    async def noted(membership, conversation_id):
        found.append(conversation_id)
        return await conversation_for(membership, conversation_id)

    monkeypatch.setattr(access, "aconversation_for", noted)
    return found


async def asked(socket, conversation, *, name, strand=0):
    """What a question is answered with: its acknowledgement or a refusal."""
    await say(socket, do="send", conversation=conversation.id, text=f"Question {name}", client_id=name, strand=strand, ref=name)
    return (await heard(socket, until=lambda frame: frame.get("ack") == name or frame.get("ref") == name))[-1]


async def joined(key, conversation):
    socket = await socket_with(key)
    await say(socket, do="join", conversation=conversation.id, ref=1)
    await heard(socket, until=lambda frame: "joined" in frame)
    return socket


async def part(*sockets):
    for socket in sockets:
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(timeout=5)


async def test_a_joined_conversation_is_not_read_for_each_question(consultation, key, looked_up):
    _, conversation = consultation
    socket = await joined(key, conversation)
    places = [(await asked(socket, conversation, name="one"))["answer"]["seq"]]
    looked_up.clear()
    places += [(await asked(socket, conversation, name=name))["answer"]["seq"] for name in ("two", "three")]
    assert (looked_up, places) == ([], [2, 4, 6])
    await part(socket)


async def test_what_changed_elsewhere_is_known_to_the_next_question(consultation, key):
    membership, conversation = consultation
    socket = await joined(key, conversation)
    await asked(socket, conversation, name="one")
    await sync_to_async(conversations.archive)(membership, conversation)
    await heard(socket, until=lambda frame: frame.get("event") == "conversation")
    assert (await asked(socket, conversation, name="two"))["error"]["code"] == "conversation_closed"
    await part(socket)


async def test_a_strand_begun_in_another_tab_is_known_to_the_next_question(consultation, key, looked_up):
    membership, conversation = consultation
    socket = await joined(key, conversation)
    question = await access.amessage_for(membership, (await asked(socket, conversation, name="one"))["message"]["id"])
    edited = await turns.aedit(membership, conversation, question, text="In other words?", client_id="edited")
    await heard(socket, until=lambda frame: frame.get("message", {}).get("id") == edited.message.id)
    looked_up.clear()
    await asked(socket, conversation, name="two")
    assert looked_up == [conversation.id], "What is said on one strand now is not told to the other."
    taken = await asked(socket, conversation, name="three", strand=edited.message.strand)
    kept = await access.aconversation_for(membership, conversation.id)
    assert taken["message"]["strand"] == kept.shown_to(membership.user_id) == edited.message.strand
    await part(socket)


async def test_where_something_may_not_have_been_heard_the_conversation_is_read_again(consultation, key, looked_up):
    _, conversation = consultation
    socket = await joined(key, conversation)
    await asked(socket, conversation, name="one")
    looked_up.clear()
    hub().connected_at = math.inf  # as while Redis is away
    await asked(socket, conversation, name="two")
    assert looked_up == [conversation.id]
    await part(socket)


async def test_who_may_read_a_conversation_no_longer_hears_nothing_more_of_it(consultation, key, liams_key):
    membership, conversation = consultation

    async def open_to(*to_roles):
        with scoping.tenant(membership.organization_id):
            await sync_to_async(conversations.open_to)(membership, conversation, to_roles=to_roles, user_ids=[])

    await open_to("leader")
    olive, liam = await socket_with(key), await socket_with(liams_key)
    for socket in (olive, liam):
        await say(socket, do="join", conversation=conversation.id, ref=1)
        await heard(socket, until=lambda frame: "joined" in frame)
    await open_to()
    refused = await heard(liam, until=lambda frame: "error" in frame)
    assert refused[-1]["error"]["code"] == "not_found"
    await say(olive, do="send", conversation=conversation.id, text="Only mine?", client_id="one", ref=2)
    await heard(olive, until=lambda frame: frame.get("message", {}).get("role") == "assistant")
    assert await liam.receive_nothing(timeout=0.2)
    await say(liam, do="send", conversation=conversation.id, text="Mine too?", client_id="two", ref=3)
    assert (await heard(liam, until=lambda frame: frame.get("ref") == 3))[-1]["error"]["code"] == "not_found"
    for socket in (olive, liam):
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(timeout=5)


async def test_files_are_sent_by_socket_and_what_is_none_is_refused(consultation, key):
    membership, conversation = consultation

    def upload():
        with scoping.tenant(membership.organization_id):
            return attachments.upload(membership, conversation, name="note.txt", file=io.BytesIO(b"Hello"), size=5)

    note = await sync_to_async(upload)()
    socket = await socket_with(key)

    async def answer(ids):
        said = {"conversation": conversation.id, "text": "And?", "client_id": "one", "attachment_ids": ids}
        await say(socket, do="send", ref=1, **said)
        return (await heard(socket, until=lambda frame: frame.get("ack") == 1 or frame.get("ref") == 1))[-1]

    for wrong, code in (
        ("x", "wrong_type"),
        ([1], "wrong_type"),
        ([{"$ne": None}], "wrong_type"),
        (["x"] * 6, "too_many"),
        (["x"], "unknown_file"),
        (["00000000-0000-0000-0000-000000000000"], "unknown_file"),
    ):
        assert (await answer(wrong))["error"]["code"] == code
    first, again = await answer([note.id]), await answer([note.id])
    assert first["message"]["attachments"] == [note.as_json()]
    assert first["message"] == again["message"]
    assert (await answer([]))["error"]["code"] == "client_id_reused"
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})


async def test_a_question_replies_by_socket_and_what_is_of_elsewhere_is_refused(consultation, key):
    _, conversation = consultation
    socket = await socket_with(key)

    async def answer(**said):
        await say(socket, do="send", ref=1, conversation=conversation.id, **said)
        return (await heard(socket, until=lambda frame: frame.get("ack") == 1 or frame.get("ref") == 1))[-1]

    first = (await answer(text="How is he?", client_id="first"))["message"]
    for wrong, code in ((1, "wrong_type"), ([first["id"]], "wrong_type"), ("x", "unknown_message"), (conversation.id, "unknown_message")):
        assert (await answer(text="And?", client_id="second", reply_to=wrong))["error"]["code"] == code
    second = (await answer(text="And?", client_id="second", reply_to=first["id"]))["message"]
    assert (second["reply_to"]["id"], second["reply_to"]["text"], second["seq"]) == (first["id"], "How is he?", 3)
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})


async def test_a_question_is_edited_by_socket_and_a_tab_joins_the_strand_that_it_wants(consultation, key):
    _, conversation = consultation
    one, two = await socket_with(key), await socket_with(key)
    for socket in (one, two):
        await say(socket, do="join", conversation=conversation.id, ref=1)
        await heard(socket, until=lambda frame: "joined" in frame)
    await say(one, do="send", conversation=conversation.id, text="First?", client_id="one", ref=2)
    [asked] = [frame for frame in await heard(one, until=lambda frame: frame.get("ack") == 2) if frame.get("ack") == 2]
    await say(one, do="edit", message=asked["message"]["id"], text="Again?", ref=3)
    edited = (await heard(one, until=lambda frame: frame.get("ack") == 3))[-1]
    assert (edited["message"]["edits"], edited["answer"]["strand"]) == (1, 3)
    told = await heard(two, until=lambda frame: frame.get("message", {}).get("id") == edited["answer"]["id"])
    assert [frame["message"]["strand"] for frame in told if frame.get("event") == "message"] == [0, 0, 3, 3]
    await say(two, do="join", conversation=conversation.id, ref=4)
    snapshot = (await heard(two, until=lambda frame: "joined" in frame))[-1]["snapshot"]
    assert (snapshot["strand"], snapshot["strands"]) == (3, [{"strand": 3, "parent": 0, "edits": 1}])
    assert [message["seq"] for message in snapshot["messages"]] == [3, 4]
    await say(two, do="join", conversation=conversation.id, strand=0, ref=5)
    snapshot = (await heard(two, until=lambda frame: "joined" in frame))[-1]["snapshot"]
    assert [message["seq"] for message in snapshot["messages"]] == [1, 2]
    for frame in (
        {"do": "join", "conversation": conversation.id, "strand": 9},
        {"do": "send", "conversation": conversation.id, "text": "There?", "client_id": "nine", "strand": 9},
    ):
        await say(two, **frame, ref=6)
        assert (await heard(two, until=lambda frame: frame.get("ref") == 6))[-1]["error"]["code"] == "unknown_strand"
    for socket in (one, two):
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(timeout=5)
