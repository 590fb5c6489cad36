"""Messages with parts come with a file or are sent; they are read, found, shown, exported again and shared."""

import pytest
from django.test import Client
from pymongo.errors import WriteError

from chat.documents import Message
from config import mongo
from tests.api.conftest import errors_of
from tests.api.test_attachments import uploaded
from tests.api.test_conversations import start
from tests.api.test_export import file_of
from tests.api.test_import import a_file, take
from tests.api.test_shares import make
from tests.chat.test_parts import BUTTON, CARD, CODE, EACH, IMAGE, TABLE, TEXT

pytestmark = pytest.mark.django_db

ASK = {"type": "button", "value": {"label": "Ask that", "action": "ask", "argument": 'Is he "ready"?'}}


def imported(caller, *parts: dict, text: str = "") -> tuple[dict, list[dict]]:
    file = a_file()
    file["messages"][1] |= {"text": text, "status": "sent", "error": None, "parts": list(parts)}
    made = take(caller, file)
    return made, caller.get(f"conversations/{made['id']}/messages").json()["results"]


def test_parts_that_are_whole_are_the_message_and_its_text_says_them(olive):
    _, (_, message) = imported(olive, *EACH, text="what another program made of it")
    assert message["text"].startswith("To connect it, **click**:\n\n````python") and "another program" not in message["text"]
    assert [part["type"] for part in message["parts"]] == ["text", "code", "image", "button", "card", "table", "chart"]
    assert message["parts"][0]["html"] == "<p>To connect it, <strong>click</strong>:</p>"
    assert message["parts"][2]["value"] == {"name": "plan.png"}, "an id of elsewhere is nobody's file here"


def test_parts_without_a_text_stand_below_it(olive):
    _, (_, message) = imported(olive, CARD, text="Well.")
    assert (message["text"], message["parts"]) == ("Well.", [CARD])


def test_what_parts_say_is_found(olive):
    made, _ = imported(olive, TEXT, {"type": "card", "value": {"title": "Quarterly zebras"}})
    [found] = olive.get("search?q=zebras").json()["results"]
    assert found["conversation"]["id"] == made["id"]


def test_they_are_exported_as_they_came_and_imported_again(olive):
    made, _ = imported(olive, *EACH)
    file = file_of(olive, made)
    again = file_of(olive, take(olive, file))
    assert [part["type"] for part in again["messages"][1]["parts"]] == ["text", "code", "image", "button", "card", "table", "chart"]
    assert again["messages"][1]["parts"] == file["messages"][1]["parts"]
    markdown = b"".join(olive.get(f"conversations/{made['id']}/export?format=markdown").streaming_content).decode()
    assert "> ````python" in markdown and "> **Goals**" in markdown


def test_what_stands_below_a_text_is_in_the_markdown_too(olive):
    made, _ = imported(olive, CARD, text="Well.")
    markdown = b"".join(olive.get(f"conversations/{made['id']}/export?format=markdown").streaming_content).decode()
    assert "> Well." in markdown and "> - Erik: 92" in markdown


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([{"type": "video", "value": "x"}], "messages.1.parts.0.type"),
        ([TEXT, {"type": "button", "value": {"label": "x", "action": "ask", "href": "https://evil.example"}}], "messages.1.parts.1.value"),
        ("text", "messages.1.parts"),
        ([{"type": "text", "value": {"$gt": ""}}], "messages.1.parts.0.value"),
    ],
)
def test_what_is_wrong_is_refused_with_the_way_to_it(olive, parts, field):
    file = a_file()
    file["messages"][1]["parts"] = parts
    [problem] = errors_of(olive.post("conversations/import", file), 400)
    assert problem["attr"] == field and problem["detail"].endswith(".")


def test_the_page_links_known_actions_and_says_unknown_ones(olive, cast):
    made, _ = imported(olive, TEXT, ASK, BUTTON, CARD, IMAGE, TABLE)
    client = Client()
    client.force_login(cast.olive.user)
    page = client.get(f"/o/acme/chat/{made['id']}/").content.decode()
    link = f'href="/o/acme/chat/{made["id"]}/?ask=Is%20he%20%22ready%22%3F" data-ask="Is he &quot;ready&quot;?">Ask that</a>'
    assert link in page
    assert '<span class="part-words" data-part-type="button">Connect</span>' in page
    assert '<div class="message-body prose" data-slot="body" dir="auto" hidden>' in page
    assert "[image: plan.png]" in page and 'aria-label="Goals"' in page
    assert (
        '<figcaption class="part-title">Sessions</figcaption>' in page
        and '<td>&lt;b&gt;1&lt;/b&gt;\nMay</td><td class="align-right">3</td>' in page
    )
    asked = client.get(f"/o/acme/chat/{made['id']}/?ask=Is%20he%20%22ready%22%3F").content.decode()
    assert "data-text>Is he &quot;ready&quot;?</textarea>" in asked


def test_a_shared_copy_shows_them_and_leads_nowhere(olive, cast):
    made, _ = imported(olive, TEXT, ASK, CARD)
    link = make(olive, made, audience="anyone")
    page = Client().get(link["url"].removeprefix("http://testserver")).content.decode()
    assert "<strong>click</strong>" in page and '<span class="part-words" data-part-type="button">Ask that</span>' in page
    assert "ready" not in page and "part-button" not in page


def test_a_shared_copy_leaves_out_what_stands_below_a_text(olive):
    made, _ = imported(olive, CARD, text="Well.")
    link = make(olive, made, audience="anyone")
    assert "Goals" not in Client().get(link["url"].removeprefix("http://testserver")).content.decode()


def test_mongodb_refuses_a_type_that_is_none(olive, cast):
    made, _ = imported(olive, TEXT)
    one = {"organizationId": str(cast.acme.id), "conversationId": made["id"]}
    with pytest.raises(WriteError):
        mongo.collection(Message).update_one(one, {"$set": {"parts": [{"type": "video", "value": 1}]}})


def test_a_question_is_sent_in_parts_and_its_text_says_them(olive, cast):
    conversation = start(olive, cast)
    file = uploaded(olive, conversation)
    picture = {"type": "image", "value": {"name": "plan.txt", "attachment_id": file["id"]}}
    sent = {"parts": [TEXT, CODE, picture], "attachment_ids": [file["id"]], "client_id": "in parts"}
    address = f"conversations/{conversation['id']}/messages"
    said = olive.post(address, sent)
    assert said.status_code == 201, said.content
    message = said.json()["message"]
    assert message["text"] == "To connect it, **click**:\n\n````python\n```\nx = 1 < 2\n````\n\n[image: plan.txt]"
    assert [part["type"] for part in message["parts"]] == ["text", "code", "image"]
    assert olive.post(address, sent).json() == said.json()
    errors_of(olive.post(address, sent | {"parts": [TEXT], "attachment_ids": []}), 422)
    as_text = {"text": message["text"], "attachment_ids": [file["id"]], "client_id": "in parts"}
    errors_of(olive.post(address, as_text), 422)  # the same words, but not in parts
    assert olive.get(address).json()["results"][0]["parts"] == message["parts"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "text"),
        ({"text": "Hello", "parts": [TEXT]}, "text"),
        ({"parts": [CODE]}, "parts"),
        ({"parts": [TEXT, BUTTON]}, "parts.1.type"),
        ({"parts": [TEXT, CARD]}, "parts.1.type"),
        ({"parts": {"$ne": None}}, "parts"),
        ({"parts": [{"type": "text", "value": {"$gt": ""}}]}, "parts.0.value"),
    ],
)
def test_parts_that_a_person_may_not_send_are_refused_by_name(olive, cast, sent, field):
    address = f"conversations/{start(olive, cast)['id']}/messages"
    (error,) = errors_of(olive.post(address, sent), 400)
    assert error["attr"] == field


def test_a_picture_in_parts_is_one_of_the_files_that_come_along(olive, cast):
    conversation = start(olive, cast)
    foreign = uploaded(olive, start(olive, cast))["id"]
    picture = {"type": "image", "value": {"name": "plan.png", "attachment_id": foreign}}
    (error,) = errors_of(olive.post(f"conversations/{conversation['id']}/messages", {"parts": [TEXT, picture]}), 400)
    assert error["code"] == "unknown_file"
