"""Pictures given to the model: over the wire to a server that takes them, within a budget; whoever is not shown one says so."""

import base64
import io

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from chat import access, pictures
from chat.documents import Attachment, Message
from chat.realtime.calls import Call
from chat.records import AttachmentRecord
from chat.services import answers, contexts, turns
from config import loop, mongo
from integrations.providers.base import ChatMessage, CompletionRequest, Picture, Usage
from integrations.services import completions
from tenants import scoping
from tests.chat.files import image
from tests.chat.test_attachments import organization, send, stored, upload
from tests.integrations.upstream import fails, says, upstream

__all__ = ["organization"]


@pytest.fixture(autouse=True)
def _a_storage_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def asked_of(settings, organization):
    """Writes an answer with a provider that plays these, and gives the answer and what the provider was sent."""

    def ask(consultation, taken, *plays, model="sees", takes=("sees",), again=None):
        async def run():
            async with upstream(*(plays or (says("A red wall."),))) as server:
                settings.OPENAI_BASE_URL, settings.OPENAI_MODEL, settings.OPENAI_API_KEY = server.url, model, "sk-test"
                settings.OPENAI_PICTURE_MODELS = frozenset(takes)
                await answers.produce(Call.to(again or taken.answer, conversation))
                return [exchange.body for exchange in server.exchanges]

        conversation = access.conversation_for(consultation[0], consultation[1].id)
        bodies = loop.run(run())
        return access.message_for(consultation[0], taken.answer.id), bodies

    return ask


def shown_in(body: dict) -> list[Image.Image]:
    """The pictures in a request, as they were sent."""
    found = []
    for message in body["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if part["type"] == "image_url":
                head, _, data = part["image_url"]["url"].partition(",")
                assert head == "data:image/jpeg;base64"
                found.append(Image.open(io.BytesIO(base64.b64decode(data))))
    return found


def text_of(body: dict) -> str:
    said = [message["content"] for message in body["messages"]]
    return "\n".join(each if isinstance(each, str) else each[0]["text"] for each in said)


def test_a_picture_is_given_to_a_model_that_takes_them_no_larger_than_it_looks_at(consultation, asked_of):
    large = upload(consultation, "wall.png", image(size=(3000, 1500)))
    answer, [body] = asked_of(consultation, send(consultation, large.id))
    [shown] = shown_in(body)
    assert (shown.format, shown.size) == ("JPEG", (1024, 512))
    assert shown.getpixel((5, 5))[0] > 240 > 20 > shown.getpixel((5, 5))[1]
    at = next(place for place, message in enumerate(body["messages"]) if isinstance(message["content"], list))
    assert [message["role"] for message in body["messages"][at:]] == ["user", "user"]
    assert '<file name="wall.png">\n[An image of 3000 × 1500 pixels.]' in text_of(body)
    assert answer.parts[0] == {"type": "image", "value": {"name": "wall.png", "attachment_id": large.id}}
    assert "Not seen" not in repr(answer.parts)


def test_what_is_see_through_is_white(consultation, asked_of):
    answer, [body] = asked_of(consultation, send(consultation, upload(consultation, "logo.png", image(mode="RGBA")).id))
    assert min(shown_in(body)[0].getpixel((5, 5))) > 250


def test_a_model_that_takes_none_is_told_what_it_cannot_see_and_so_is_the_person(consultation, asked_of):
    answer, [body] = asked_of(consultation, send(consultation, upload(consultation, "red.png").id), model="blind")
    assert shown_in(body) == [] and "You cannot see it." in text_of(body)
    card = answer.parts[0]["value"]
    assert (card["title"], card["facts"]) == ("Not seen", [{"name": "Image", "value": "red.png"}])


def test_the_model_that_is_asked_instead_is_told_too(consultation, asked_of, settings):
    settings.OPENAI_FALLBACK_MODEL = "blind"
    taken = send(consultation, upload(consultation, "red.png").id)
    answer, bodies = asked_of(consultation, taken, fails("404 Not Found", message="no such model"), says("I see none."))
    assert [body["model"] for body in bodies] == ["sees", "blind"]
    assert [len(shown_in(body)) for body in bodies] == [1, 0]
    assert "[You are not shown these images and cannot see what is on them.]" in text_of(bodies[1])
    assert answer.parts[0]["value"]["title"] == "Not seen"


def test_the_offline_consultant_says_that_it_sees_none(consultation, organization):
    taken = send(consultation, upload(consultation, "red.png").id)
    loop.run(answers.produce(Call.to(taken.answer, consultation[1])))
    answer = access.message_for(consultation[0], taken.answer.id)
    assert "I cannot see pictures, so this rests on nothing that is on red.png." in answer.text
    assert answer.parts[0]["value"]["title"] == "Not seen"


def test_tried_again_written_anew_asked_further_and_in_other_words_the_same_is_sent(consultation, asked_of):
    membership, conversation = consultation
    taken = send(consultation, upload(consultation, "red.png").id)
    refused = fails("400 Bad Request", message="no")
    failed, [first] = asked_of(consultation, taken, refused)
    again = turns.retry(membership, failed)
    answer, [second] = asked_of(consultation, taken, again=again)
    assert second["messages"] == first["messages"]
    _, [third] = asked_of(consultation, taken, again=turns.regenerate(membership, answer))
    assert third["messages"] == first["messages"]
    further = turns.submit(membership, conversation, text="And the corner?", client_id="two")
    _, [fourth] = asked_of(consultation, further)
    assert len(shown_in(fourth)) == 1 and fourth["messages"][: len(first["messages"])] == first["messages"]
    edited = turns.edit(membership, conversation, taken.message, text="What does it say?!", client_id="three")
    _, [fifth] = asked_of(consultation, edited)
    assert fifth["messages"][:-1] == first["messages"][:-1]


def test_another_tenant_s_picture_never_gets_in(cast, consultation, asked_of):
    mine = upload(consultation, "red.png")
    taken = send(consultation, mine.id)
    foreign = {**stored(consultation)[0], "attachmentId": "01890a5d-ac96-774b-bcce-b302099a8057", "organizationId": str(cast.globex.pk)}
    foreign.pop("_id")
    foreign.pop("clientId", None)
    mongo.collection(Attachment).insert_one(foreign)
    one = {"organizationId": str(cast.acme.pk), "messageId": taken.message.id}
    mongo.collection(Message).update_one(one, {"$set": {"attachments.0.attachmentId": foreign["attachmentId"]}})
    _, [body] = asked_of(consultation, taken)
    assert shown_in(body) == [] and "You cannot see it." in text_of(body)


def test_of_many_the_newest_are_shown_within_the_budget(consultation, asked_of):
    files = [upload(consultation, f"{n}.png", image(size=(1200, 1200))).id for n in range(5)]
    taken = send(consultation, *files)
    answer, [body] = asked_of(consultation, taken)
    tokens = [pictures.tokens(file) for file in taken.message.attachments]
    assert len(shown_in(body)) == sum(1 for n in range(5) if sum(tokens[: n + 1]) <= pictures.BUDGET) == 3
    assert text_of(body).count("pixels.]") == 3 and text_of(body).count("You cannot see it.") == 2
    assert answer.parts[0]["value"]["title"] == "Not seen"


@pytest.mark.parametrize(("size", "tokens"), [((60, 40), 255), ((1024, 1024), 765), ((4000, 1000), 425), ((513, 10), 425)])
def test_what_a_picture_costs(size, tokens):
    assert pictures.tokens(AttachmentRecord(id="", url="", name="", type="", size=0, width=size[0], height=size[1])) == tokens


def test_a_call_whose_tokens_nobody_said_counts_its_pictures():
    picture = Picture(name="red.png", type="image/jpeg", data=b"", tokens=255)
    request = CompletionRequest(organization_id="o", messages=(ChatMessage("user", "What?", (picture,)),))
    assert completions._estimated(request, 8) == Usage(2 + 255, 2, estimated=True)


def test_a_file_that_is_gone_is_named_alone(consultation, asked_of):
    red = upload(consultation, "red.png")
    taken = send(consultation, red.id)
    default_storage.delete(stored(consultation)[0]["shownAs"])
    answer, [body] = asked_of(consultation, taken)
    assert shown_in(body) == [] and answer.parts[0]["value"]["title"] == "Not seen"


def test_a_turn_without_pictures_asks_no_store_for_any(consultation, organization, settings, monkeypatch):
    settings.OPENAI_BASE_URL, settings.OPENAI_MODEL, settings.OPENAI_PICTURE_MODELS = "http://127.0.0.1:9/v1", "sees", {"sees"}
    monkeypatch.setattr(contexts.attachments, "_read", None)
    taken = turns.submit(*consultation, text="How is he?", client_id="one")
    with scoping.tenant(organization):
        context = loop.run(contexts.for_answer(Call.to(taken.answer, consultation[1])))
    assert context.pictures == {}
