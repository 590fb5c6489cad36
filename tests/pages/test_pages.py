"""The pages by the book: works · wrong role · other tenant is 404 · missing · bad input · wrong method."""

import re
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse
from pymongo.errors import ServerSelectionTimeoutError

from chat import access, selectors
from chat.services import conversations, errors, search, turns
from chat.templatetags.pages import browser
from tenants import scoping
from tests.cast import make_cast

QUESTION = "How do they fit?"
NOBODYS = "01a201c6-0000-7000-8000-000000000000"


@pytest.fixture
def cast(stores):
    return make_cast()


@pytest.fixture
def olive(cast):
    client = Client()
    client.force_login(cast.olive.user)
    return client


def signed_in(person) -> Client:
    client = Client()
    client.force_login(getattr(person, "user", person))
    return client


@pytest.fixture
def consultation(cast):
    with scoping.tenant(cast.acme):
        return conversations.start(cast.olive.membership, type="employee_specific", subject_employee_ids=[cast.employees["Erik Ek"].pk])


def address(conversation, wish=""):
    return f"/o/acme/chat/{conversation.id}/{wish}"


def said(cast, conversation):
    with scoping.tenant(cast.acme):
        return [(message.role, message.text) for message in selectors.messages(conversation).results]


# The way in ------------------------------------------------------------------------------------------------------------


def test_one_who_is_not_signed_in_is_sent_to_sign_in(stores, cast):
    response = Client().get("/o/acme/chat/")
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/o/acme/chat/")


def test_the_front_leads_to_the_one_organization(olive):
    response = olive.get("/")
    assert (response.status_code, response["Location"]) == (302, "/o/acme/")


def test_one_who_belongs_nowhere_is_told_so(cast):
    response = signed_in(cast.sam).get("/")
    assert response.status_code == 200
    assert "You belong to no organization yet" in response.content.decode()


@pytest.mark.parametrize("path", ["", "chat/", "chat/new/", "chat/new/people/"])
def test_another_organizations_pages_are_not_there(cast, path):
    assert signed_in(cast.greta).get(f"/o/acme/{path}").status_code == 404
    assert signed_in(cast.greta).get(f"/o/nowhere/{path}").status_code == 404


@pytest.mark.parametrize("path", ["/o/nowhere/", "/o/acme/", f"/o/acme/chat/{NOBODYS}/"])
def test_in_development_too_what_is_not_there_says_so_and_nothing_else(cast, settings, path):
    settings.DEBUG = True
    for person in (cast.olive, cast.greta):
        response = signed_in(person).get(path)
        if response.status_code == 200:
            assert (person, path) == (cast.olive, "/o/acme/")
            continue
        assert response.status_code == 404
        body = response.content.decode()
        assert "There is nothing here" in body
        assert "URLconf" not in body


def test_every_page_forbids_inline_scripts(olive, consultation):
    for path in ("/o/acme/", "/o/acme/chat/", "/o/acme/chat/new/", address(consultation)):
        response = olive.get(path)
        assert "script-src 'self';" in f"{response['Content-Security-Policy']};"
        body = response.content.decode()
        assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", body) == []
        assert re.findall(r"<[^>]*\s(?:on\w+|style)=", body) == []


def test_the_icon_that_browsers_ask_for_unasked_is_there(client):
    response = client.get("/favicon.ico")
    assert (response.status_code, response["Location"]) == (302, "/static/tenants/favicon.ico")
    icon = Path(finders.find("tenants/favicon.ico")).read_bytes()
    assert icon[:4] == b"\0\0\1\0"


# The list --------------------------------------------------------------------------------------------------------------


def titles(response):
    return re.findall(r'data-slot="title">([^<]*)<', response.content.decode())


def test_the_list_filters_by_title_type_pin_and_status(olive, cast):
    with scoping.tenant(cast.acme):
        erik, dina = (
            conversations.start(cast.olive.membership, type=kind, subject_employee_ids=[cast.employees[name].pk], title=title)
            for kind, name, title in (("employee_specific", "Erik Ek", "First"), ("one_to_one", "Dina Dahl", "Second"))
        )
        conversations.pin(cast.olive.membership, dina)
    assert titles(olive.get("/o/acme/chat/")) == ["Second", "First"]
    assert titles(olive.get("/o/acme/chat/?q=irs")) == ["First"]
    assert titles(olive.get("/o/acme/chat/?type=one_to_one")) == ["Second"]
    assert titles(olive.get("/o/acme/chat/?pinned=true")) == ["Second"]
    assert titles(olive.get("/o/acme/chat/?status=archived")) == []
    with scoping.tenant(cast.acme):
        conversations.archive(cast.olive.membership, erik)
    assert titles(olive.get("/o/acme/chat/?status=archived")) == ["First"]


def test_load_more_goes_on_where_the_list_ended(olive, cast):
    with scoping.tenant(cast.acme):
        for number in range(35):
            conversations.start(
                cast.olive.membership,
                type="employee_specific",
                subject_employee_ids=[cast.employees["Erik Ek"].pk],
                title=f"Number {number:02}",
            )
    first = olive.get("/o/acme/chat/")
    more = re.search(r'href="([^"]*)" data-more', first.content.decode())[1].replace("&amp;", "&")
    second = olive.get(more)
    assert titles(first) + titles(second) == [f"Number {number:02}" for number in reversed(range(35))]
    assert b"data-more" not in second.content


@pytest.mark.parametrize("query", ["cursor=nonsense", "cursor=9999999999999999999.x", "status=gone", "type[$ne]=x", "q[$ne]=x"])
def test_a_filter_that_cannot_be_read_is_left_out(olive, consultation, query):
    response = olive.get(f"/o/acme/chat/?{query}")
    assert (response.status_code, titles(response)) == (200, ["Erik Ek"])


def test_the_list_shows_nobody_elses(cast, consultation):
    assert titles(signed_in(cast.liam).get("/o/acme/chat/")) == []


# Starting --------------------------------------------------------------------------------------------------------------


def wanted(cast, **changes):
    return {
        "type": "team_compatibility",
        "employees": [str(cast.employees[name].pk) for name in ("Erik Ek", "Dina Dahl")],
        "text": QUESTION,
        "title": "",
        "client_id": "one",
        **changes,
    }


def test_a_consultation_is_started_with_its_question(olive, cast):
    response = olive.post("/o/acme/chat/new/", wanted(cast))
    assert response.status_code == 302
    found = re.fullmatch(r"/o/acme/chat/([0-9a-f-]{36})/#m-[0-9a-f-]{36}", response["Location"])
    with scoping.tenant(cast.acme):
        conversation = access.conversation_for(cast.olive.membership, found[1])
    assert conversation.type == "team_compatibility"
    assert said(cast, conversation) == [("user", QUESTION), ("assistant", "")]


@pytest.mark.parametrize(
    ("referer", "path"), [("http://testserver/o/acme/people/?q=x", "/o/acme/people/"), ("https://elsewhere.example/x", ""), (None, "")]
)
def test_the_form_knows_from_which_page_of_ours_it_was_opened(olive, referer, path):
    page = olive.get("/o/acme/chat/new/", headers={"referer": referer} if referer else {})
    assert f'name="opened_from" value="{path}"' in page.content.decode()


@pytest.mark.parametrize(("sent", "kept"), [("/o/acme/people/", "/o/acme/people/"), ("javascript:alert(1)", None), ("/a" * 200, None)])
def test_the_page_that_a_consultation_was_started_from_goes_with_it(olive, cast, sent, kept):
    response = olive.post("/o/acme/chat/new/", wanted(cast, opened_from=sent))
    with scoping.tenant(cast.acme):
        conversation = access.conversation_for(cast.olive.membership, response["Location"].split("/")[4])
    assert conversation.opened_from == kept


def test_started_twice_with_the_same_form_it_is_one(olive, cast):
    first, second = (olive.post("/o/acme/chat/new/", wanted(cast)) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert len(titles(olive.get("/o/acme/chat/"))) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"type": ""}, "Choose what the consultation is about."),
        ({"type": "astrology"}, "astrology"),
        ({"text": "  "}, "The message is empty. Write something first."),
        ({"employees": []}, "0 were chosen"),
        ({"employees": ["nobody", "nobody else"]}, ""),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_is_kept(olive, cast, changes, sentence):
    response = olive.post("/o/acme/chat/new/", wanted(cast, title="My title", **changes))
    body = response.content.decode()
    assert response.status_code in (400, 404)
    if response.status_code == 400:
        assert sentence in body
        assert 'value="My title"' in body
    assert titles(olive.get("/o/acme/chat/")) == []


def test_what_is_wrong_stands_at_the_top_too_and_leads_to_its_field(olive, cast):
    response = olive.post("/o/acme/chat/new/", {"client_id": "c-1", "type": "one_to_one", "text": ""})
    assert response.status_code == 400
    body = response.content.decode()
    assert '<a href="#id_text_error">The message is empty. Write something first.</a>' in body
    assert 'id="id_text_error"' in body


def test_people_of_others_cannot_be_chosen(cast):
    stranger = str(cast.strangers["Hank Scorpio"].pk)
    response = signed_in(cast.olive).post("/o/acme/chat/new/", wanted(cast, employees=[stranger, str(cast.employees["Erik Ek"].pk)]))
    assert response.status_code == 400
    assert "does not exist or is not yours to see" in response.content.decode()


def test_each_finds_only_the_people_they_may_see(cast):
    def names(person):
        found = signed_in(person).get("/o/acme/chat/new/people/?find=")
        return re.findall(r'data-slot="name">([^<]*)<', found.content.decode())

    assert sorted(names(cast.olive)) == ["Dina Dahl", "Erik Ek", "Wim Wolf"]
    assert sorted(names(cast.liam)) == ["Dina Dahl", "Erik Ek"]
    assert names(cast.mona) == ["Erik Ek"]


@pytest.mark.parametrize("name", ["ada", "vera"])
def test_a_role_that_may_not_start_is_refused_and_sees_no_way_to(cast, name):
    client = signed_in(getattr(cast, name))
    assert client.get("/o/acme/chat/new/").status_code == 403
    assert client.post("/o/acme/chat/new/", wanted(cast)).status_code == 403
    assert "/chat/new/" not in client.get("/o/acme/").content.decode()


# A conversation --------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_was_said(olive, cast, consultation):
    olive.post(address(consultation, "send/"), {"text": "<b>Is</b> he ready?", "client_id": "one"})
    body = olive.get(address(consultation)).content.decode()
    assert "&lt;b&gt;Is&lt;/b&gt; he ready?" in body
    assert "<b>Is" not in body
    assert 'role="log"' in body


def test_a_conversation_of_another_person_or_organization_is_not_there(cast, consultation):
    for person in (cast.liam, cast.greta, cast.vera):
        client = signed_in(person)
        assert client.get(address(consultation)).status_code == 404
        for wish in ("send/", "rename/", "pin/", "archive/", "restore/", f"messages/{NOBODYS}/stop/"):
            assert client.post(address(consultation, wish), {"text": "x", "client_id": "1", "title": "x"}).status_code == 404
    assert said(cast, consultation) == []


def test_what_does_not_exist_is_not_there(olive):
    assert olive.get(f"/o/acme/chat/{NOBODYS}/").status_code == 404
    assert olive.post(f"/o/acme/chat/{NOBODYS}/messages/{NOBODYS}/retry/").status_code == 404


@pytest.mark.parametrize(
    "wish", ["send/", "rename/", "pin/", "archive/", "restore/", f"messages/{NOBODYS}/stop/", f"messages/{NOBODYS}/retry/"]
)
def test_wishes_are_posted(olive, consultation, wish):
    assert olive.get(address(consultation, wish)).status_code == 405


@pytest.mark.parametrize("path", ["", "chat/"])
def test_pages_are_read_only(olive, path):
    assert olive.post(f"/o/acme/{path}").status_code == 405


def test_a_form_from_elsewhere_is_refused(cast, consultation):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.olive.user)
    assert client.post(address(consultation, "send/"), {"text": "x", "client_id": "1"}).status_code == 403


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"text": "", "client_id": "1"}, "The message is empty. Write something first."),
        ({"text": "x" * 32_001, "client_id": "1"}, "The message is too long."),
        ({"text": "x"}, "This field is required."),
    ],
)
def test_a_question_that_cannot_be_taken_comes_back_with_the_reason(olive, cast, consultation, form, sentence):
    response = olive.post(address(consultation, "send/"), form)
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert said(cast, consultation) == []


def test_the_same_text_from_a_form_and_a_socket_is_the_same(olive, cast, consultation):
    """Forms send CRLF: under the same `client_id` that must not look like another message."""
    olive.post(address(consultation, "send/"), {"text": "one\r\ntwo", "client_id": "same"})
    with scoping.tenant(cast.acme):
        again = turns.submit(cast.olive.membership, consultation, text="one\ntwo", client_id="same")
    assert not again.created


def test_an_archived_one_takes_no_question_and_can_be_restored(olive, cast, consultation):
    olive.post(address(consultation, "archive/"))
    response = olive.post(address(consultation, "send/"), {"text": QUESTION, "client_id": "1"})
    assert response.status_code == 409
    assert "This conversation is archived." in response.content.decode()
    olive.post(address(consultation, "restore/"))
    assert olive.post(address(consultation, "send/"), {"text": QUESTION, "client_id": "1"}).status_code == 302


def test_a_deleted_one_is_in_its_own_list_and_restored_from_there(olive, consultation):
    said = olive.post(address(consultation, "delete/"), follow=True).content.decode()
    assert "For 30 days you can restore it" in said
    assert consultation.id not in said
    listed = olive.get("/o/acme/chat/?status=deleted").content.decode()
    assert f'action="{address(consultation, "restore/")}"' in listed
    assert "Goes for good on" in listed
    assert olive.post(address(consultation, "restore/"), follow=True).status_code == 200


def test_a_title_of_nothing_is_refused(olive, consultation):
    response = olive.post(address(consultation, "rename/"), {"title": " "}, follow=True)
    assert "A title cannot be empty." in response.content.decode()


def test_a_page_of_history_that_cannot_be_read_is_the_newest(olive, consultation):
    for place in ("x", "-1", "0", "9" * 30):
        assert olive.get(address(consultation, f"?before={place}")).status_code == 200


def test_with_the_store_away_the_page_gives_the_text_back_to_send_again(olive, consultation, monkeypatch):
    def away(*args, **kwargs):
        raise ServerSelectionTimeoutError("nobody")

    monkeypatch.setattr(access, "conversation_for", away)
    response = olive.post(address(consultation, "send/"), {"text": "<What> I wrote", "client_id": "one"})
    body = response.content.decode()
    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert "&lt;What&gt; I wrote</textarea>" in body
    assert '<input type="hidden" name="client_id" value="one">' in body


# What a browser calls itself -------------------------------------------------------------------------------------------

LIKE_GECKO = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "shown"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {LIKE_GECKO} Chrome/140.0.0.0 Safari/537.36", "Chrome on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {LIKE_GECKO} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15.5; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on macOS"),
        (
            f"Mozilla/5.0 (iPhone; CPU OS 18_5 like Mac OS X) {LIKE_GECKO} Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari on iOS",
        ),
        (f"Mozilla/5.0 (Linux; Android 16) {LIKE_GECKO} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("", "A browser"),
    ],
)
def test_a_browser_is_shown_by_its_name(user_agent, shown):
    assert browser(user_agent) == shown


@pytest.mark.parametrize(
    ("query", "refusal", "status"),
    [("budget", None, 200), ("type:nonsense", None, 400), ("budget", errors.SearchAway, 503)],
    ids=["found", "not understood", "away"],
)
def test_a_search_says_what_is_the_matter_in_words_and_as_a_status(olive, cast, monkeypatch, query, refusal, status):
    if refusal:
        monkeypatch.setattr(search, "find", Mock(side_effect=refusal))
    response = olive.get(reverse("chat:search", args=[cast.acme.slug]), {"q": query})
    assert response.status_code == status
    if refusal:
        assert refusal.sentence in response.content.decode()
