"""Files of a question: what may be attached and what is made of it; sent, shown to the model, and removed."""

import io
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image

from chat import access, prompts
from chat.documents import Attachment, Message
from chat.realtime.calls import Call
from chat.services import attachments, contexts, errors, turns
from chat.tasks import remove_unsent_files
from config import loop, mongo
from tenants import access as people
from tenants import scoping
from tests.chat.files import GOOD, HOSTILE, image, photo


def upload(consultation, name: str = "note.txt", data: bytes | None = None, **more):
    membership, conversation = consultation
    data = GOOD[name] if data is None else data
    return attachments.upload(membership, conversation, name=name, file=io.BytesIO(data), size=len(data), **more)


def stored(consultation, **wanted) -> list[dict]:
    one = {"organizationId": consultation[1].organization_id}
    return list(mongo.collection(Attachment).find({**one, **wanted}, sort=[("_id", 1)]))


def in_storage() -> set[str]:
    """The names of all files that are kept."""
    try:
        organizations = default_storage.listdir("attachments")[0]
    except FileNotFoundError:
        return set()
    return {f"attachments/{each}/{name}" for each in organizations for name in default_storage.listdir(f"attachments/{each}")[1]}


@pytest.fixture(autouse=True)
def _a_storage_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def organization(cast):
    with scoping.tenant(cast.acme):
        yield cast.acme


# What may be attached


TEXTS = {
    "report.pdf": "Sales rose by 12 percent",
    "letter.docx": "Dear Erik,\nthank you.",
    "table.xlsx": "Sheet 1\nName\tGoals\nErik\t92",
    "talk.pptx": "Slide 1\nThe plan\n\nSlide 2\nThe end",
    "note.txt": "Grüße 👋",
    "from windows.txt": "Grüße",
    "read me.md": "# Title\n\n<b>bold</b>",
    "people.csv": "name,goals\nErik,92",
    "data.json": '{"goals": [92]}',
}


@pytest.mark.parametrize("name", GOOD)
def test_what_a_person_may_attach_is_kept_with_its_text(consultation, organization, name):
    kept = upload(consultation, name)
    [raw] = stored(consultation)
    assert (kept.name, kept.type) == (name, attachments.TYPES[name.rpartition(".")[2].lower()])
    assert raw["text"] == TEXTS.get(name, "")
    assert kept.is_image is (name not in TEXTS)
    with default_storage.open(raw["storedAs"]) as opened:
        data = opened.read()
    assert kept.size == len(data)
    if not kept.is_image:
        assert data == GOOD[name]
    assert name not in raw["storedAs"]
    assert raw["storedAs"].startswith(f"attachments/{organization.pk}/")


@pytest.mark.parametrize("why", HOSTILE)
def test_a_hostile_file_is_refused_with_a_sentence_and_nothing_is_kept(consultation, organization, why):
    name, data = HOSTILE[why]
    with pytest.raises(errors.FileRefused) as refused:
        upload(consultation, name, data)
    assert refused.value.sentence.endswith(".")
    assert stored(consultation) == []
    assert in_storage() == set()


def test_an_image_is_written_anew_as_it_is_seen_and_without_what_the_camera_noted(consultation, organization):
    kept = upload(consultation, "photo.jpg", photo())
    [raw] = stored(consultation)
    data = default_storage.open(raw["storedAs"]).read()
    assert (kept.width, kept.height) == (40, 60)
    assert b"10.7522" in photo()
    assert b"10.7522" not in data
    assert b"Olive" not in data
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.size, dict(opened.getexif())) == ("JPEG", (40, 60), {})


def test_a_thumbnail_is_small_and_webp(consultation, organization):
    kept = upload(consultation, "big.png", image(size=(1200, 600)))
    with Image.open(io.BytesIO(attachments.thumbnail(access.attachment_for(consultation[0], kept.id)))) as opened:
        assert (opened.format, opened.size) == ("WEBP", (480, 240))
    note = upload(consultation, "note.txt")
    with pytest.raises(people.NotFound):
        attachments.thumbnail(access.attachment_for(consultation[0], note.id))


def test_a_file_that_is_too_large_is_refused_whatever_was_said_of_its_size(consultation, organization, monkeypatch):
    monkeypatch.setattr(attachments, "FILE_LIMIT", 100)
    membership, conversation = consultation
    for said in (101, 5):
        with pytest.raises(errors.FileTooLarge):
            attachments.upload(membership, conversation, name="a.txt", file=io.BytesIO(b"x" * 101), size=said)
    assert stored(consultation) == []


def test_a_file_that_takes_too_long_is_given_up(consultation, organization, monkeypatch):
    monkeypatch.setattr(attachments, "INSPECTION_SECONDS", 0.001)
    with pytest.raises(errors.FileRefused, match="too long"):
        upload(consultation)


def test_more_than_may_be_looked_at_at_once_is_put_off(consultation, organization, monkeypatch):
    monkeypatch.setattr(attachments, "WAIT_SECONDS", 0.01)
    for _ in range(attachments.AT_ONCE):
        assert attachments._turns.acquire()
    try:
        with pytest.raises(errors.Busy):
            upload(consultation)
    finally:
        attachments._turns.release(attachments.AT_ONCE)
    upload(consultation)


def test_of_a_long_text_the_beginning_is_kept(consultation, organization):
    upload(consultation, "long.txt", b"word " * 40_000)
    [raw] = stored(consultation)
    assert (len(raw["text"]), raw["isWhole"]) == (99_999, False)


def test_an_organization_has_so_much_room_for_its_files(consultation, organization, settings):
    settings.ATTACHMENTS_LIMIT_MIB = 1
    upload(consultation, "half.txt", b"a word or two in a line of text\n" * 20_000)
    with pytest.raises(errors.StorageFull, match=r"take up 1 MiB, which is the most\. Delete what nobody needs"):
        upload(consultation, "half.txt", b"a word or two in a line of text\n" * 20_000)
    upload(consultation, "small.txt", b"a word\n")
    settings.ATTACHMENTS_LIMIT_MIB = 0
    upload(consultation, "half.txt", b"a word or two in a line of text\n" * 20_000)
    assert len(stored(consultation)) == 3


def test_a_person_has_so_many_files_that_were_not_sent(consultation, organization, monkeypatch):
    monkeypatch.setattr(attachments, "WAITING_LIMIT", 2)
    first = upload(consultation)
    upload(consultation)
    with pytest.raises(errors.TooManyWaiting):
        upload(consultation)
    attachments.take_back(consultation[0], access.attachment_for(consultation[0], first.id))
    upload(consultation)


def test_the_same_client_id_gives_the_same_file(consultation, organization):
    kept = upload(consultation, client_id="one")
    assert upload(consultation, client_id="one") == kept
    assert upload(consultation, client_id="two") != kept
    assert len(in_storage()) == 2


def test_a_closed_conversation_takes_no_files(consultation, organization):
    membership, conversation = consultation
    closed = (membership, type(conversation).read(archived(conversation)))
    with pytest.raises(errors.ConversationClosed):
        upload(closed)


def archived(conversation) -> dict:
    raw = {"conversationId": conversation.id, "organizationId": conversation.organization_id, "userId": conversation.user_id}
    now = timezone.now()
    times = {"lastMessageAt": now, "createdAt": now, "updatedAt": now}
    return {**raw, **times, "kind": "assistant", "title": "x", "status": "archived"}


# Sending


def send(consultation, *ids: str, client_id: str = "one", text: str = "What does it say?"):
    membership, conversation = consultation
    return turns.submit(membership, conversation, text=text, client_id=client_id, attachment_ids=ids)


def test_files_go_with_a_question_in_their_order(consultation, organization):
    note, red = upload(consultation), upload(consultation, "red.png")
    submitted = send(consultation, red.id, note.id)
    assert submitted.message.attachments == (red, note)
    assert all(raw["isSent"] for raw in stored(consultation))
    assert submitted.message.as_json()["attachments"] == [red.as_json(), note.as_json()]


def test_a_question_that_is_asked_in_other_words_keeps_its_files(consultation, organization):
    membership, conversation = consultation
    note = upload(consultation)
    first = send(consultation, note.id)
    for _ in range(2):
        edited = turns.edit(membership, conversation, first.message, text="And now?", client_id="two")
        assert edited.message.attachments == (note,)


def test_the_same_question_with_the_same_files_is_one_and_with_others_is_refused(consultation, organization):
    note, red = upload(consultation), upload(consultation, "red.png")
    first = send(consultation, note.id)
    again = send(consultation, note.id)
    assert (again.created, again.message.id, again.message.attachments) == (False, first.message.id, (note,))
    for others in ((), (red.id,), (note.id, red.id)):
        with pytest.raises(errors.ClientIdReused):
            send(consultation, *others)


def test_files_that_are_anothers_elsewhere_unknown_or_too_many_are_refused(cast, consultation, organization):
    note = upload(consultation)
    membership, conversation = consultation
    other = (cast.liam.membership, conversation)
    for wanted in ([note.id, "0" * 36], ["$ne"], [{"$ne": None}], ["00000000-0000-0000-0000-000000000000"]):
        with pytest.raises(errors.UnknownFile):
            send(consultation, *wanted)
    with pytest.raises(errors.UnknownFile):
        loop.run(attachments.claim(*other, [note.id]))
    with pytest.raises(errors.TooManyFiles):
        send(consultation, *[note.id] * (attachments.FILES_LIMIT + 1))
    assert not stored(consultation)[0]["isSent"]


# Removing


def test_only_what_was_not_sent_can_be_taken_back(consultation, organization):
    membership, _ = consultation
    note, red = upload(consultation), upload(consultation, "red.png")
    send(consultation, note.id)
    attachments.take_back(membership, access.attachment_for(membership, red.id))
    with pytest.raises(errors.FileSent):
        attachments.take_back(membership, access.attachment_for(membership, note.id))
    assert in_storage() == {raw["storedAs"] for raw in stored(consultation)}, "neither thumbnail nor what models are shown"
    assert [raw["attachmentId"] for raw in stored(consultation)] == [note.id]
    with pytest.raises(errors.UnknownFile):
        send(consultation, red.id, client_id="two")


def test_what_nobody_sent_within_a_day_is_removed(consultation, organization):
    long_ago = timezone.now() - timedelta(hours=25)
    sent, _, fresh = upload(consultation, now=long_ago), upload(consultation, "red.png", now=long_ago), upload(consultation)
    send(consultation, sent.id)
    for _ in range(2):
        remove_unsent_files()
        assert {raw["attachmentId"] for raw in stored(consultation)} == {sent.id, fresh.id}
        assert in_storage() == {raw["storedAs"] for raw in stored(consultation)}


def test_what_a_crash_left_half_removed_is_found_by_nobody_and_removed(consultation, organization):
    membership, _ = consultation
    long_ago = timezone.now() - timedelta(hours=25)
    note = upload(consultation, now=long_ago)
    one = {"organizationId": str(organization.pk), "attachmentId": note.id}
    mongo.collection(Attachment).update_one(one, {"$set": {"removedAt": long_ago}})
    default_storage.delete(stored(consultation)[0]["storedAs"])
    with pytest.raises(people.NotFound):
        access.attachment_for(membership, note.id)
    with pytest.raises(errors.UnknownFile):
        send(consultation, note.id)
    remove_unsent_files()
    assert stored(consultation) == []


def test_with_a_conversation_all_its_files_go(consultation, organization):
    send(consultation, upload(consultation).id)
    upload(consultation, "red.png")
    attachments.remove_all_of(str(organization.pk), consultation[1].id)
    assert stored(consultation) == []
    assert in_storage() == set()


# The model


def test_what_files_say_reaches_the_prompt_with_the_questions_that_follow_too(consultation, organization):
    note = upload(consultation)
    table = upload(consultation, "table.xlsx")
    send(consultation, note.id)
    follows = send(consultation, table.id, client_id="two", text="And this?")
    call = Call.to(follows.answer, consultation[1])
    context = loop.run(contexts.for_answer(call))
    assert {key: found.text for key, found in context.files.items()} == {note.id: TEXTS["note.txt"], table.id: TEXTS["table.xlsx"]}
    asked = [part.text for part in prompts.request(follows.answer, context).messages[1:]]
    assert asked == [
        f'<file name="note.txt">\n{TEXTS["note.txt"]}\n</file>',
        "What does it say?",
        f'<file name="table.xlsx">\n{TEXTS["table.xlsx"]}\n</file>',
        "And this?",
    ]


def test_a_turn_without_files_asks_no_store_for_any(consultation, organization, monkeypatch):
    asked = []
    monkeypatch.setattr(attachments, "claim", lambda *arguments: asked.append(arguments))
    taken = send(consultation)
    assert "attachments" not in mongo.collection(Message).find_one({"organizationId": str(organization.pk), "messageId": taken.message.id})
    collection = mongo.async_collection
    monkeypatch.setattr(mongo, "async_collection", lambda document, **more: asked.append(document) or collection(document, **more))
    loop.run(contexts.for_answer(Call.to(taken.answer, consultation[1])))
    assert asked == [Message]
