"""Rating an answer, having it written anew and reading what it said, by plain forms and pages."""

import re

import pytest

from chat import access
from chat.documents import Message
from chat.services import turns
from config import mongo
from tenants import scoping
from tests.pages.test_pages import NOBODYS, address, cast, consultation, olive, signed_in

__all__ = ["cast", "consultation", "olive"]


@pytest.fixture
def answer(cast, consultation):
    """An answer that has ended; there is no worker here."""
    with scoping.tenant(cast.acme):
        taken = turns.submit(cast.olive.membership, consultation, text="How is he?", client_id="one")
    let(taken.answer, status="sent", content="Well, **fine**.")
    return taken.answer


def let(answer, **fields):
    one = {"organizationId": answer.organization_id, "messageId": answer.id}
    mongo.collection(Message).update_one(one, {"$set": fields, "$unset": {"lease": ""}})


def kept(cast, answer):
    with scoping.tenant(cast.acme):
        return access.message_for(cast.olive.membership, answer.id)


def post(client, conversation, answer, verb, **fields):
    return client.post(address(conversation, f"messages/{answer.id}/{verb}/"), fields)


def problem(client, response):
    return " ".join(re.findall(r'class="notice[^"]*"[^>]*>(.*?)</', client.get(response["Location"]).content.decode(), re.DOTALL))


def test_a_form_says_what_it_has_and_leaves_the_rest(olive, cast, consultation, answer):
    response = post(olive, consultation, answer, "feedback", helpful="true")
    assert (response.status_code, response["Location"]) == (302, address(consultation) + f"#m-{answer.id}")
    post(olive, consultation, answer, "feedback", rating="4", comment="One\r\ntwo")
    given = kept(cast, answer).feedback
    assert (given["isHelpful"], given["rating"], given["comment"]) == (True, 4, "One\ntwo")
    post(olive, consultation, answer, "feedback", helpful="", rating="", comment="")
    given = kept(cast, answer).feedback
    assert (given["isHelpful"], given["rating"], given["comment"]) == (None, None, None)


@pytest.mark.parametrize(
    "fields", [{}, {"rating": "6"}, {"rating": "0"}, {"rating": "many"}, {"helpful": "perhaps"}, {"comment": "x" * 2_001}]
)
def test_what_is_no_feedback_is_told_and_changes_nothing(olive, cast, consultation, answer, fields):
    response = post(olive, consultation, answer, "feedback", **fields)
    assert response.status_code == 302
    assert problem(olive, response)
    assert kept(cast, answer).feedback is None


def test_an_answer_is_written_anew_and_its_versions_have_a_page(olive, cast, consultation, answer):
    assert post(olive, consultation, answer, "regenerate").status_code == 302
    assert (kept(cast, answer).attempt, kept(cast, answer).versions) == (2, 2)
    assert "Only a finished answer can be written again." in problem(olive, post(olive, consultation, answer, "regenerate"))
    let(answer, status="sent", content="<script>alert(1)</script>Second.")
    body = olive.get(address(consultation, f"messages/{answer.id}/versions/")).content.decode()
    assert body.index("Version 1 of 2") < body.index("<strong>fine</strong>") < body.index("Version 2 of 2, the present one")
    assert "<script>alert" not in body
    assert ">2 versions<" in olive.get(address(consultation)).content.decode()


def test_nobody_else_finds_an_answer_or_its_versions(cast, consultation, answer):
    for person in (cast.greta, cast.liam, cast.mona, cast.ada, cast.vera, cast.sam):
        client = signed_in(person)
        assert client.get(address(consultation, f"messages/{answer.id}/versions/")).status_code == 404
        for verb in ("feedback", "regenerate"):
            assert post(client, consultation, answer, verb, rating="5").status_code == 404
            assert post(client, consultation, answer, verb, rating="many").status_code == 404
    assert (kept(cast, answer).feedback, kept(cast, answer).attempt) == (None, 1)


def test_what_is_missing_and_the_wrong_method(olive, consultation, answer):
    for verb, method, wrong in (("feedback", "post", "get"), ("regenerate", "post", "get"), ("versions", "get", "post")):
        assert getattr(olive, method)(address(consultation, f"messages/{NOBODYS}/{verb}/"), {"rating": "4"}).status_code == 404
        assert getattr(olive, wrong)(address(consultation, f"messages/{answer.id}/{verb}/")).status_code == 405
