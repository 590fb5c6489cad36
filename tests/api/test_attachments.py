"""Files by REST: uploaded, sent, downloaded and removed; whose they are, and what is refused."""

import io

import pytest
from PIL import Image

from chat.documents import Attachment
from chat.services import attachments
from config import json, mongo
from tests.api.conftest import errors_of, signed_in, with_key
from tests.api.test_conversations import MISSING, start
from tests.api.test_export import share_with
from tests.chat.files import GOOD, HOSTILE, image

pytestmark = pytest.mark.django_db

BOUNDARY = "a-boundary-of-the-tests"


@pytest.fixture(autouse=True)
def _a_storage_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def conversation(cast, olive) -> dict:
    return start(olive, cast)


def part(name: str, data: bytes, *, filename: str | None = None) -> bytes:
    """A part of a form; the file's name is sent as it is, whatever is in it."""
    named = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def post(caller, conversation, *parts: bytes):
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    return caller.send("POST", f"conversations/{conversation['id']}/attachments", body, content_type=content_type)


def upload(caller, conversation, name: str = "note.txt", data: bytes | None = None, **fields: str):
    more = [part(field, value.encode()) for field, value in fields.items()]
    return post(caller, conversation, part("file", GOOD[name] if data is None else data, filename=name), *more)


def uploaded(caller, conversation, name: str = "note.txt", data: bytes | None = None) -> dict:
    response = upload(caller, conversation, name, data)
    assert response.status_code == 201, response.content
    return response.json()


def say(caller, conversation, *ids: str, client_id: str = "one", text: str = "What does it say?"):
    body = {"text": text, "client_id": client_id, "attachment_ids": list(ids)}
    return caller.post(f"conversations/{conversation['id']}/messages", body)


def content(response) -> bytes:
    return b"".join(response.streaming_content)


def test_a_file_is_uploaded_sent_shown_and_downloaded(cast, olive, conversation):
    kept = uploaded(olive, conversation, "Bericht für Erik.pdf", GOOD["report.pdf"])
    assert kept == {
        "id": kept["id"],
        "name": "Bericht für Erik.pdf",
        "type": "application/pdf",
        "size": len(GOOD["report.pdf"]),
        "url": f"/api/v1/attachments/{kept['id']}",
        "thumbnail_url": None,
        "width": None,
        "height": None,
    }
    said = say(olive, conversation, kept["id"])
    assert said.status_code == 201, said.content
    assert said.json()["message"]["attachments"] == [kept]
    assert said.json()["answer"]["attachments"] == []
    [question, _] = olive.get(f"conversations/{conversation['id']}/messages").json()["results"]
    assert question["attachments"] == [kept]
    response = olive.get(kept["url"])
    assert response.status_code == 200
    assert content(response) == GOOD["report.pdf"]


def test_a_file_is_never_shown_as_a_page(olive, conversation):
    response = olive.get(uploaded(olive, conversation, "read me.md", GOOD["read me.md"])["url"])
    content(response)
    assert response.headers["Content-Disposition"] == 'attachment; filename="read me.md"'
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert response.headers["Cache-Control"] == "private, no-store"


def test_an_image_has_a_thumbnail_that_we_made(olive, conversation):
    kept = uploaded(olive, conversation, "big.png", image(size=(1200, 600)))
    assert (kept["width"], kept["height"]) == (1200, 600)
    response = olive.get(kept["thumbnail_url"])
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    with Image.open(io.BytesIO(response.content)) as opened:
        assert opened.size == (480, 240)
    note = uploaded(olive, conversation)
    assert olive.get(f"{note['url']}/thumbnail").status_code == 404


@pytest.mark.parametrize("why", [why for why in HOSTILE if why not in ("a zero", "a header", "no name", "nothing", "a path of windows")])
def test_a_hostile_file_is_a_sentence(olive, conversation, why):
    name, data = HOSTILE[why]
    [error] = errors_of(upload(olive, conversation, name, data), 400)
    assert (error["code"], error["attr"]) == ("file_refused", "file")


@pytest.mark.parametrize(
    ("filename", "data"),
    [("..\\\\..\\\\boot.txt", b"x"), ("..", b"x"), ("empty.txt", b""), ("", b"x"), ("&#x2e;&#x2e;/a.txt", b"x")],
)
def test_so_is_what_a_form_can_only_say_in_other_words(olive, conversation, filename, data):
    errors_of(post(olive, conversation, part("file", data, filename=filename)), 400)


@pytest.mark.parametrize("encoded", ["note%0D%0ASet-Cookie:a.txt", "note%00.txt", "..%2Fnote.txt", "%E2%80%AEtxt.exe.txt"])
def test_a_name_that_hides_behind_an_encoding_is_seen(olive, conversation, encoded):
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''{encoded}\r\n\r\n"
    [error] = errors_of(post(olive, conversation, head.encode() + b"Hello\r\n"), 400)
    assert error["code"] == "file_refused"


def test_whoever_is_signed_in_is_refused_the_same_names(cast, olive, conversation):
    """The check against forgery reads the form before we do."""
    page = signed_in(cast.olive.user)
    assert upload(page, conversation).status_code == 201
    [error] = errors_of(upload(page, conversation, "../../etc/passwd.txt", b"x"), 400)
    assert error["code"] == "file_refused"
    page.headers["X-CSRFToken"] = "b" * 32
    errors_of(upload(page, conversation), 403)


def test_a_form_that_is_none_is_refused(olive, conversation):
    file = part("file", b"Hello", filename="a.txt")
    errors_of(post(olive, conversation), 400)
    errors_of(post(olive, conversation, part("file", b"Hello")), 400)
    errors_of(post(olive, conversation, file, file), 400)
    errors_of(post(olive, conversation, file, part("client_id", b"a"), part("client_id", b"b")), 400)
    errors_of(post(olive, conversation, file, part("client_id", b"")), 400)
    errors_of(post(olive, conversation, file, part("$where", b"1")), 400)
    errors_of(post(olive, conversation, file, part("other", b"Hello", filename="b.txt")), 400)
    errors_of(olive.post(f"conversations/{conversation['id']}/attachments", {"file": "Hello"}), 415)
    address = f"conversations/{conversation['id']}/attachments"
    for content_type in ("multipart/form-data", f"multipart/form-data; boundary={BOUNDARY}", "multipart/form-data; boundary=\xff"):
        errors_of(olive.send("POST", address, b"nothing of the kind", content_type=content_type), 400)


def test_a_file_that_is_too_large_is_refused(olive, conversation, monkeypatch):
    monkeypatch.setattr("chat.uploads.FILE_LIMIT", 100)
    [error] = errors_of(upload(olive, conversation, data=b"x" * 20_000), 413)
    assert error["code"] == "too_large"
    monkeypatch.setattr(attachments, "FILE_LIMIT", 100)
    errors_of(upload(olive, conversation, data=b"x" * 101), 413)


def test_the_same_client_id_gives_the_same_file(olive, conversation):
    first, again = (upload(olive, conversation, client_id="mine").json() for _ in range(2))
    assert first == again


def test_the_same_question_with_the_same_files_gives_the_same_answer(olive, conversation):
    one, other = uploaded(olive, conversation), uploaded(olive, conversation)
    first, again = (say(olive, conversation, one["id"]) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    [error] = errors_of(say(olive, conversation, one["id"], other["id"]), 422)
    assert error["code"] == "client_id_reused"


def test_files_that_cannot_be_sent(cast, olive, conversation):
    elsewhere = start(olive, cast)
    foreign = uploaded(olive, elsewhere)
    for ids, code in (([foreign["id"]], "unknown_file"), ([MISSING], "unknown_file"), ([MISSING] * 6, "max_length"), (["x"], "invalid")):
        [error] = errors_of(say(olive, conversation, *ids), 400)
        assert (error["code"], error["attr"].partition(".")[0]) == (code, "attachment_ids")
    for wrong in ("x", {"$ne": None}, [{"$ne": None}], [1], None):
        body = {"text": "Hello.", "attachment_ids": wrong}
        errors_of(olive.post(f"conversations/{conversation['id']}/messages", body), 400)


def test_whoever_may_read_the_conversation_may_read_its_files_and_nobody_else(cast, olive, greta, conversation):
    liam, mona = with_key(cast.liam), with_key(cast.mona)
    sent, waiting = uploaded(olive, conversation, "red.png"), uploaded(olive, conversation, "red.png")
    say(olive, conversation, sent["id"])
    share_with(cast, conversation, "leader")
    for address in (sent["url"], sent["thumbnail_url"]):
        assert liam.get(address).status_code == 200
        for caller in (mona, greta):
            errors_of(caller.get(address), 404)
    for caller in (liam, mona, greta):  # what was not sent is its uploader's alone
        for address in (waiting["url"], waiting["thumbnail_url"]):
            errors_of(caller.get(address), 404)
        errors_of(caller.delete(waiting["url"]), 404)
    errors_of(upload(greta, conversation), 404)
    errors_of(say(liam, conversation, waiting["id"]), 400)
    assert upload(liam, conversation).status_code == 201


def test_another_organization_has_the_same_and_neither_sees_the_other_s(cast, olive, greta, conversation):
    hers = start(greta, cast, "Hank Scorpio")
    mine, foreign = uploaded(olive, conversation), uploaded(greta, hers)
    errors_of(olive.get(foreign["url"]), 404)
    errors_of(greta.get(mine["url"]), 404)
    errors_of(say(olive, conversation, foreign["id"]), 400)
    errors_of(say(greta, hers, mine["id"]), 400)
    stored = {raw["attachmentId"]: raw for raw in mongo.collection(Attachment).find({"organizationId": str(cast.globex.pk)})}
    assert set(stored) == {foreign["id"]}
    assert stored[foreign["id"]]["storedAs"].startswith(f"attachments/{cast.globex.pk}/")


def test_a_file_is_taken_back_until_it_is_sent(olive, conversation):
    waiting, sent = uploaded(olive, conversation), uploaded(olive, conversation)
    say(olive, conversation, sent["id"])
    assert olive.delete(waiting["url"]).status_code == 204
    errors_of(olive.get(waiting["url"]), 404)
    errors_of(olive.delete(waiting["url"]), 404)
    [error] = errors_of(olive.delete(sent["url"]), 409)
    assert error["code"] == "file_sent"


def test_a_deleted_conversation_s_files_are_gone_with_it(olive, conversation):
    kept = uploaded(olive, conversation)
    say(olive, conversation, kept["id"])
    olive.delete(f"conversations/{conversation['id']}")
    errors_of(olive.get(kept["url"]), 404)
    errors_of(upload(olive, conversation), 404)


def test_a_file_whose_bytes_are_gone_is_a_404(olive, conversation, settings, tmp_path):
    kept = uploaded(olive, conversation)
    settings.MEDIA_ROOT = tmp_path / "elsewhere"
    errors_of(olive.get(kept["url"]), 404)


def test_a_file_of_a_conversation_names_what_came_with_it_and_an_import_leaves_it_out(olive, conversation):
    kept = uploaded(olive, conversation, "red_1.png", GOOD["red.png"])
    say(olive, conversation, kept["id"])
    exported = olive.get(f"conversations/{conversation['id']}/export")
    file = b"".join(exported.streaming_content)
    [question, answer] = json.loads(file)["messages"]
    assert question["attachments"] == [{"name": "red_1.png", "type": "image/png", "size": kept["size"]}]
    assert answer["attachments"] == []
    shown = b"".join(olive.get(f"conversations/{conversation['id']}/export", {"format": "markdown"}).streaming_content).decode()
    assert f"*Attached: red\\_1\\.png (image\\/png, {kept['size']} bytes)*" in shown
    taken = olive.send("POST", "conversations/import", file)
    assert taken.status_code == 201, taken.content
    messages = olive.get(f"conversations/{taken.json()['id']}/messages").json()["results"]
    assert [message["attachments"] for message in messages] == [[], []]
