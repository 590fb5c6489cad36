"""Files that come with a plain form, and the pages' addresses of them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from chat.documents import Attachment, Message
from config import mongo
from tests.chat.files import GOOD, HOSTILE
from tests.pages.test_pages import NOBODYS, address, cast, consultation, olive, signed_in

__all__ = ["cast", "consultation", "olive"]


@pytest.fixture(autouse=True)
def _a_storage_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def files(*names: str) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name, GOOD[name]) for name in names]


def send(client, conversation, *names: str, client_id: str = "one", **more):
    return client.post(address(conversation, "send/"), {"text": "And?", "client_id": client_id, "files": files(*names), **more})


def questions(conversation) -> list[list[str]]:
    """The names of the files of each question."""
    wanted = {"organizationId": conversation.organization_id, "conversationId": conversation.id, "role": "user"}
    return [[file["fileName"] for file in raw.get("attachments", ())] for raw in mongo.collection(Message).find(wanted, sort=[("seq", 1)])]


def stored(conversation) -> list[dict]:
    return list(mongo.collection(Attachment).find({"organizationId": conversation.organization_id}))


def test_a_question_comes_with_its_files_and_the_same_form_sent_twice_asks_once(olive, consultation):
    for _ in range(2):
        assert send(olive, consultation, "note.txt", "red.png").status_code == 302
    assert questions(consultation) == [["note.txt", "red.png"]]
    assert len(stored(consultation)) == 2
    page = olive.get(address(consultation)).content.decode()
    for raw in stored(consultation):
        assert address(consultation, f"attachments/{raw['attachmentId']}/") in page


def test_a_new_consultation_begins_with_files(cast, olive, consultation):
    employee = cast.employees["Erik Ek"].pk
    asked = {"type": "employee_specific", "employees": employee, "text": "How is he?", "client_id": "new", "files": files("note.txt")}
    response = olive.post("/o/acme/chat/new/", asked)
    assert response.status_code == 302
    [raw] = stored(consultation)
    assert raw["isSent"]
    assert raw["conversationId"] in response["Location"]


def test_a_file_that_is_refused_gives_the_question_back(olive, consultation):
    name, data = HOSTILE["a page called text"]
    response = send(olive, consultation, files=[SimpleUploadedFile(name, data)])
    page = response.content.decode()
    assert response.status_code == 400
    assert "This is a web page or a drawing, not a plain text." in page
    assert ">And?</textarea>" in page
    assert questions(consultation) == []
    response = send(olive, consultation, files=[SimpleUploadedFile("empty.txt", b"")])
    assert (response.status_code, "This file is empty." in response.content.decode()) == (400, True)
    response = send(olive, consultation, files=[SimpleUploadedFile(f"{n}.txt", b"x") for n in range(6)])
    assert (response.status_code, "A message takes 5 files at most." in response.content.decode()) == (400, True)
    assert stored(consultation) == []


def test_what_django_makes_of_a_hostile_name_is_no_path(olive, consultation):
    body = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nAnd?\r\n--x\r\nContent-Disposition: form-data; name="client_id"'
    body += b'\r\n\r\none\r\n--x\r\nContent-Disposition: form-data; name="files"; filename="../../a.txt"\r\n\r\nHi\r\n--x--\r\n'
    response = olive.generic("POST", address(consultation, "send/"), body, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 302
    assert questions(consultation) == [["a.txt"]]


def test_a_file_is_a_download_and_its_picture_is_ours(olive, consultation):
    send(olive, consultation, "red.png", "note.txt")
    by_name = {raw["fileName"]: address(consultation, f"attachments/{raw['attachmentId']}/") for raw in stored(consultation)}
    response = olive.get(by_name["note.txt"])
    assert b"".join(response.streaming_content) == GOOD["note.txt"]
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in response.headers["Content-Security-Policy"]
    response = olive.get(by_name["red.png"] + "picture/")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "image/webp")
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert olive.get(by_name["note.txt"] + "picture/").status_code == 404
    assert olive.post(by_name["note.txt"]).status_code == 405


def test_nobody_else_has_them(cast, olive, consultation):
    send(olive, consultation, "red.png")
    [raw] = stored(consultation)
    for wish in (f"attachments/{raw['attachmentId']}/", f"attachments/{raw['attachmentId']}/picture/"):
        for person in (cast.liam, cast.ada, cast.greta):
            assert signed_in(person).get(address(consultation, wish)).status_code == 404
        assert signed_in(cast.greta).get(address(consultation, wish).replace("acme", "globex")).status_code == 404
    assert olive.get(address(consultation, f"attachments/{NOBODYS}/")).status_code == 404
