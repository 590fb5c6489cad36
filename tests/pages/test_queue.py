"""Questions that wait, by plain form posts."""

import pytest

from chat import access
from chat.documents import Message
from chat.services import turns
from config import mongo
from tenants import scoping
from tests.pages.test_pages import address, cast, consultation, olive

__all__ = ["cast", "consultation", "olive"]


@pytest.fixture
def asked(cast, consultation):
    with scoping.tenant(cast.acme):
        return turns.submit(cast.olive.membership, consultation, text="First?", client_id="one")


def post(olive, consultation, path, **fields):
    return olive.post(f"{address(consultation)}{path}", fields)


def waiting(cast, consultation):
    with scoping.tenant(cast.acme):
        return [*access.conversation_for(cast.olive.membership, consultation.id).queue.questions]


def test_while_an_answer_is_on_its_way_the_form_queues_and_the_page_shows_what_waits(olive, cast, consultation, asked):
    assert f'action="{address(consultation)}queue/"' in olive.get(address(consultation)).content.decode()
    response = post(olive, consultation, "queue/", text="Second, <b>bold</b>?", client_id="two")
    assert (response.status_code, response["Location"]) == (302, f"{address(consultation)}#queue")
    page = olive.get(address(consultation)).content.decode()
    assert "Second, &lt;b&gt;bold&lt;/b&gt;?" in page
    assert "What you send now waits until this answer is complete" in page
    response = post(olive, consultation, "queue/", text=" ", client_id="three")
    assert response.status_code == 400
    response = post(olive, consultation, "queue/", text="Other?", client_id="two")
    assert response.status_code == 422
    assert "Other?" in response.content.decode()
    assert [question.text for question in waiting(cast, consultation)] == ["Second, <b>bold</b>?"]


def test_it_is_edited_back_removed_and_asked(olive, cast, consultation, asked):
    for text in ("Second?", "Third?", "Fourth?"):
        post(olive, consultation, "queue/", text=text, client_id=text)
    second, third, _ = waiting(cast, consultation)
    page = post(olive, consultation, f"queue/{second.id}/take-back/", edit="true")
    assert page.status_code == 200
    assert ">Second?</textarea>" in page.content.decode()
    response = post(olive, consultation, f"queue/{third.id}/take-back/")
    assert response.status_code == 302
    assert "Removed. It is not asked." in olive.get(address(consultation)).content.decode()
    assert post(olive, consultation, f"queue/{third.id}/take-back/").status_code == 404
    one = {"organizationId": str(cast.acme.pk), "messageId": asked.answer.id}
    mongo.collection(Message).update_one(one, {"$set": {"status": "error"}, "$unset": {"lease": ""}})
    assert "Ask now" in olive.get(address(consultation)).content.decode()
    assert post(olive, consultation, "queue/next/", strand="0").status_code == 302
    assert waiting(cast, consultation) == []
    assert "Fourth?" in olive.get(address(consultation)).content.decode()
