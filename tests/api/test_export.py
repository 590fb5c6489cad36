"""A conversation as a file: what is in it, for whom, and that nothing is made of a message on the way but its bytes."""

import copy
import io
from datetime import UTC, datetime

import pytest
import uuid_utils.compat as uuid
from bson.decimal128 import Decimal128
from pypdf import PdfReader

from chat.documents import Conversation, Message
from chat.downloads import Download
from chat.services import exports
from chat.services.exports import File
from config import json, mongo
from tenants import scoping
from tenants.choices import AccessKind
from tenants.models import AccessRecord
from tests.api.conftest import errors_of, refused_field, signed_in, with_key
from tests.api.test_conversations import start
from tests.api.test_messages import let, say

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
TOOK = {"inputTokens": 20, "outputTokens": 13, "cost": Decimal128("1E-7"), "confidenceScore": 0.75, "sources": ["employee:x"]}

ANALYSIS = {
    "analysisType": "employee_specific",
    "scores": {"role fit": 82.5},
    "recommendations": ["Ask him."],
    "dataPoints": {"goals": 92},
}


def export(caller, conversation: dict, format: str = "json"):
    response = caller.get(f"conversations/{conversation['id']}/export", {"format": format})
    assert response.status_code == 200, response.content
    return response


def file_of(caller, conversation: dict) -> dict:
    return json.loads(export(caller, conversation).getvalue())


def answered(caller, cast, conversation: dict, text: str = "How is Erik?") -> dict:
    said = say(caller, f"conversations/{conversation['id']}/messages", text)
    let(said["answer"], cast, status="sent", content="*Well.*", aiModel="m-1", finishReason="stop", aiResponseMetadata=TOOK)
    return said


def share_with(cast, conversation: dict, *roles: str) -> None:
    one = {"organizationId": str(cast.acme.id), "conversationId": conversation["id"]}
    scope = {"allowedRoles": list(roles), "allowedUserIds": [], "isPrivate": False}
    assert mongo.collection(Conversation).update_one(one, {"$set": {"accessScope": scope}}).matched_count == 1


def exports_recorded(cast, conversation: dict) -> list:
    with scoping.tenant(cast.acme):
        rows = AccessRecord.objects.for_tenant(cast.acme).filter(conversation_id=conversation["id"], kind=AccessKind.EXPORT)
        return [(row.user_id, row.owner_id, row.kind) for row in rows]


def test_the_json_has_the_documented_shape_and_everything_in_it(cast, olive):
    conversation = start(olive, cast, title="Erik in spring")
    said = answered(olive, cast, conversation)
    let(said["message"], cast, createdAt=MOMENT)
    let(said["answer"], cast, createdAt=MOMENT, structuredData=ANALYSIS)
    whole = file_of(olive, conversation)
    assert whole.pop("exported_at").endswith("Z")
    assert whole["conversation"].pop("last_message_at").endswith("Z")
    assert whole["conversation"].pop("created_at").endswith("Z")
    assert whole == {
        "format": "parley-conversation",
        "version": 1,
        "conversation": {
            "id": conversation["id"],
            "kind": "assistant",
            "type": "employee_specific",
            "title": "Erik in spring",
            "subject_employee_ids": [str(cast.employees["Erik Ek"].id)],
            "subject_type": "single_employee",
        },
        "messages": [
            {
                "id": said["message"]["id"],
                "seq": 1,
                "strand": 0,
                "edits": None,
                "role": "user",
                "author": {"id": str(cast.olive.user.id), "name": "Olive Olsen", "role": "owner"},
                "text": "How is Erik?",
                "status": "sent",
                "attempt": 1,
                "sources": [],
                "parts": [],
                "attachments": [],
                "created_at": "2026-01-02T03:04:05.678000Z",
                **dict.fromkeys(
                    (
                        "model",
                        "version",
                        "usage",
                        "finish_reason",
                        "confidence",
                        "structured_data",
                        "error",
                        "answer_to",
                        "reply_to",
                        "edited_at",
                    ),
                ),
            },
            {
                "id": said["answer"]["id"],
                "seq": 2,
                "strand": 0,
                "edits": None,
                "role": "assistant",
                "author": None,
                "text": "*Well.*",
                "status": "sent",
                "model": "m-1",
                "version": None,
                "usage": {"input_tokens": 20, "output_tokens": 13, "cost": "0.0000001"},
                "finish_reason": "stop",
                "confidence": 0.75,
                "sources": ["employee:x"],
                "parts": [],
                "attachments": [],
                "structured_data": {
                    "analysis_type": "employee_specific",
                    "scores": {"role fit": 82.5},
                    "recommendations": ["Ask him."],
                    "insights": [],
                    "data_points": {"goals": 92},
                },
                "error": None,
                "attempt": 1,
                "answer_to": said["message"]["id"],
                "reply_to": None,
                "created_at": "2026-01-02T03:04:05.678000Z",
                "edited_at": None,
            },
        ],
    }


def test_an_empty_conversation_is_a_file_too(cast, olive):
    conversation = start(olive, cast)
    assert file_of(olive, conversation)["messages"] == []
    assert export(olive, conversation, "markdown").getvalue().decode().startswith("# About one employee\\: Erik Ek\n")


def test_what_was_deleted_is_in_neither_file(cast, olive):
    conversation = start(olive, cast)
    said = answered(olive, cast, conversation, "Forget this.")
    let(said["message"], cast, deletedAt=MOMENT)
    assert [message["seq"] for message in file_of(olive, conversation)["messages"]] == [2]
    assert b"Forget this." not in export(olive, conversation, "markdown").getvalue()


def test_it_comes_as_an_attachment_that_nobody_keeps_on_the_way(cast, olive):
    conversation = start(olive, cast, title="Über/../Erik")
    response = export(olive, conversation, "markdown")
    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert response.headers["Content-Disposition"] == "attachment; filename*=utf-8''%C3%9Cber%20..%20Erik.md"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert "About one employee: Erik Ek" in response.getvalue().decode()


def test_many_messages_leave_in_parts_and_none_becomes_an_object(cast, olive, monkeypatch):
    conversation = start(olive, cast)
    answered(olive, cast, conversation)
    where = {"organizationId": str(cast.acme.id), "conversationId": conversation["id"]}
    question = mongo.collection(Message).find_one({**where, "seq": 1})
    rows = []
    for seq in range(3, 1_201):
        row = copy.deepcopy(question)
        row.pop("_id")
        rows.append(row | {"messageId": str(uuid.uuid7()), "seq": seq, "clientId": str(uuid.uuid7())})
    mongo.collection(Message).insert_many(rows)

    def made(*_, **__):
        raise AssertionError("an object was made of a message")

    monkeypatch.setattr(exports, "AT_ONCE", 500)
    monkeypatch.setattr(Message, "_from_son", made)
    monkeypatch.setattr("chat.records.MessageRecord.read", made)
    response = export(olive, conversation)
    parts = list(response.streaming_content)
    assert [message["seq"] for message in json.loads(b"".join(parts))["messages"]] == list(range(1, 1_201))
    assert len(parts) == 5  # head, three batches, end
    assert len(list(export(olive, conversation, "markdown").streaming_content)) == 4


async def test_a_server_on_an_event_loop_gets_the_same_bytes(cast):
    parts = [part async for part in Download(File("a.md", "text/markdown", iter([b"one", b"two"])))]
    assert parts == [b"one", b"two"]


def test_an_export_of_anothers_conversation_is_recorded_and_ones_own_is_not(cast, olive):
    conversation = start(olive, cast)
    share_with(cast, conversation, "leader")
    export(olive, conversation)
    assert exports_recorded(cast, conversation) == []
    export(with_key(cast.liam), conversation, "markdown")
    assert exports_recorded(cast, conversation) == [(cast.liam.user.pk, cast.olive.user.pk, AccessKind.EXPORT)]


def test_who_may_read_but_not_export_is_refused_and_strangers_see_nothing(cast, olive, greta):
    conversation = start(olive, cast)
    share_with(cast, conversation, "guest")
    address = f"conversations/{conversation['id']}/export"
    errors_of(with_key(cast.vera).get(address), 403)
    for caller in (with_key(cast.mona), greta):
        errors_of(caller.get(address), 404)
    assert exports_recorded(cast, conversation) == []


def test_another_format_is_named(cast, olive):
    address = f"conversations/{start(olive, cast)['id']}/export"
    for value in ("docx", "", '{"$ne": null}'):
        assert refused_field(olive.get(address, {"format": value})) == "format"


def test_the_page_offers_all_and_gives_them(cast, olive, monkeypatch):
    conversation, browser = start(olive, cast), signed_in(cast.olive.user).client
    answered(olive, cast, conversation)
    page = f"/o/acme/chat/{conversation['id']}/"
    shown = browser.get(page).content.decode()
    for format, label in (("markdown", "Markdown"), ("json", "JSON"), ("pdf", "PDF")):
        assert f'href="{page}export/?format={format}"' in shown
        assert f"Download as {label}" in shown
        assert browser.get(f"{page}export/?format={format}").headers["Content-Disposition"].startswith("attachment")
    monkeypatch.setattr(exports, "TYPESETTING_SECONDS", 0.01)
    refused = browser.get(f"{page}export/?format=pdf")
    assert refused.status_code == 409 and "Download it as Markdown or JSON" in refused.content.decode()
    for query in ("", "?format=docx"):
        assert browser.get(f"{page}export/{query}").status_code == 400
    assert signed_in(cast.olive.user).send("POST", f"{page}export/").status_code == 405
    assert signed_in(cast.liam.user).client.get(f"{page}export/?format=json").status_code == 404


def test_a_pdf_is_made_of_the_strand_and_what_stands_beside_its_answers(cast, olive):
    conversation = start(olive, cast, title="Erik in spring")
    said = answered(olive, cast, conversation, "How is *Erik*?")
    let(said["answer"], cast, structuredData={**ANALYSIS, "insights": []})
    response = export(olive, conversation, "pdf")
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Content-Disposition"] == 'attachment; filename="Erik in spring.pdf"'
    read = PdfReader(io.BytesIO(response.getvalue()))
    words = " ".join(" ".join(page.extract_text() for page in read.pages).split())
    for part in (
        "Erik in spring",
        "Olive Olsen",
        "How is *Erik*?",
        "Parley",
        "Well.",
        "role fit: 82.5 of 100",
        "Ask him.",
        "m-1 · 33 tokens",
    ):
        assert part in words, part


@pytest.mark.parametrize("limit", ["time", "memory"])
def test_what_cannot_be_made_a_pdf_is_said_before_the_first_byte(cast, olive, monkeypatch, tmp_path, limit):
    conversation = start(olive, cast)
    if limit == "time":
        monkeypatch.setattr(exports, "TYPESETTING_SECONDS", 0.01)
    else:
        fails = tmp_path / "fails.py"
        fails.write_text("raise MemoryError")
        monkeypatch.setattr(exports, "TYPESETTING", fails)
    [problem] = errors_of(olive.get(f"conversations/{conversation['id']}/export", {"format": "pdf"}), 409)
    assert problem["code"] == "too_long_to_print" and "Markdown" in problem["detail"]


def test_one_pdf_is_made_after_the_other(cast, olive, monkeypatch):
    conversation = start(olive, cast)
    monkeypatch.setattr(exports, "WAIT_SECONDS", 0.01)
    with exports._turns:
        [problem] = errors_of(olive.get(f"conversations/{conversation['id']}/export", {"format": "pdf"}), 503)
    assert problem["code"] == "busy"
