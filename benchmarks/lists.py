"""`python -m benchmarks.lists`: what every list and the export cost beside the same work by other means. Prints one line of JSON.

Cost is CPU time of this process and of mongod together, the median of many runs that take turns, so that whatever else the machine
does changes little. The same work is: the same queries straight through PyMongo, a dict for each document with what our JSON has of
it, and the same writer of JSON. What is not in the documents (the HTML of a text) is made by the same function.
"""

import argparse
import json as plain
import statistics
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

import pymongo
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer

from benchmarks import seed
from benchmarks.meters import cpu
from chat import access, markdown, parts, selectors
from chat.choices import Audience, ExportFormat
from chat.documents import Conversation, Message, ReadMark, Share
from chat.records import as_time
from chat.services import exports, shares
from config import json, mongo
from tenants import scoping
from tenants.models import Membership, Organization

READER = "reader@bench.example"
ROUNDS = 40
EXPORTED, EXPORTS = 10_000, 5  # messages, and times that they are exported by each way
PAGE = 50
DEEP = 1_000  # messages above the place where a page begins

Work = Callable[[], Any]


def compare(organization: Organization, mongod: int) -> dict[str, dict[str, float]]:
    """The CPU milliseconds of each way, by what is asked for."""
    reader = Membership.objects.for_tenant(organization).select_related("user", "organization").get(user__email=READER)
    lists = ways_to_list(reader)
    found = {}
    for name, (ours, theirs) in lists.items():
        for one, other in zip(json.loads(ours()), json.loads(theirs()), strict=True):
            apart = {field for field in one.keys() | other.keys() if one.get(field) != other.get(field)}
            assert not apart, f"Both ways to list {name} give the same; {', '.join(sorted(apart))} is not."
        found[name] = beside({"ours": ours, "pymongo": theirs}, mongod, rounds=ROUNDS)
    found["export"] = beside(ways_to_export(reader), mongod, rounds=EXPORTS)
    return found


def beside(ways: dict[str, Work], mongod: int, *, rounds: int) -> dict[str, float]:
    """The CPU milliseconds of each way, once each in turn, so many times."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            before = time.process_time() + cpu([mongod])
            work()
            spent[name].append(time.process_time() + cpu([mongod]) - before)
    return {name: round(statistics.median(times) * 1e3, 3) for name, times in spent.items()}


# Lists -----------------------------------------------------------------------------------------------------------------


def ways_to_list(membership: Membership) -> dict[str, tuple[Work, Work]]:
    """Each list, by us and straight through PyMongo; both from the door to the bytes."""
    mine = str(membership.organization_id), str(membership.user_id)
    page = selectors.inbox(membership, limit=PAGE)
    long = str(page.results[0].id)
    many = access.conversation_for(membership, long)
    for _ in range(shares.LIVE_LIMIT):
        shares.create(membership, many, audience=Audience.ORGANIZATION, days=1)
    place = page.next
    assert place is not None
    middle = many.message_count - DEEP

    def inbox(cursor: selectors.InboxCursor | None) -> bytes:
        found = selectors.inbox(membership, limit=PAGE, cursor=cursor)
        unread = selectors.unread(membership, found.results)
        return json.dumps([row.as_json() | {"unread": unread[row.id]} for row in found.results])

    def messages(before: int | None) -> bytes:
        conversation = access.conversation_for(membership, long)
        return json.dumps([row.as_json() for row in selectors.messages(conversation, before=before, limit=PAGE).results])

    def links() -> bytes:
        conversation = access.owned_conversation_for(membership, long)
        return json.dumps([share.as_json() for share in selectors.shares(conversation)])

    return {
        "conversations": (lambda: inbox(None), lambda: plain_inbox(mine, None)),
        "conversations, a later page": (lambda: inbox(place), lambda: plain_inbox(mine, place)),
        "messages, the newest": (lambda: messages(None), lambda: plain_messages(mine, long, None)),
        "messages, deep": (lambda: messages(middle), lambda: plain_messages(mine, long, middle)),
        "shares": (links, lambda: plain_shares(mine, long)),
    }


def plain_inbox(mine: tuple[str, str], place: selectors.InboxCursor | None) -> bytes:
    organization, user = mine
    wanted: dict[str, Any] = {
        "organizationId": organization,
        "status": "active",
        "$or": [
            {"userId": user},
            {"accessScope.allowedRoles": "owner", "accessScope.isPrivate": False},
            {"accessScope.allowedUserIds": user, "accessScope.isPrivate": False},
        ],
    }
    if place is not None:
        wanted["lastMessageAt"] = {"$lte": place.last_message_at}
        wanted["$and"] = [selectors.beyond(place)]
    order = [("lastMessageAt", -1), ("conversationId", -1)]
    rows = list(mongo.collection(Conversation).find(wanted, {"strands": 0}, sort=order, limit=PAGE + 1))[:PAGE]
    marks = {"organizationId": organization, "conversationId": {"$in": [row["conversationId"] for row in rows]}, "userId": user}
    read = {mark["conversationId"]: mark["seq"] for mark in mongo.collection(ReadMark).find(marks)}
    return json.dumps(
        [
            {
                "id": row["conversationId"],
                "kind": row["kind"],
                "type": row.get("type"),
                "title": row["title"],
                "status": row["status"],
                "pinned": row.get("isPinned", False),
                "subject_employee_ids": row.get("subjectEmployeeIds", []),
                "subject_type": row.get("subjectType"),
                "owner": {"id": row["userId"], "role": row.get("userRole")},
                "access": {
                    "private": row["accessScope"]["isPrivate"],
                    "roles": row["accessScope"]["allowedRoles"],
                    "users": row["accessScope"]["allowedUserIds"],
                },
                "context": {"opened_from": row.get("context", {}).get("currentPage"), "intent": row.get("context", {}).get("userIntent")},
                "message_count": row["messageCount"],
                "tokens_used": row.get("totalTokensUsed", 0),
                "satisfaction_rating": row.get("userSatisfactionRating"),
                "last_message_at": as_time(row["lastMessageAt"]),
                "created_at": as_time(row["createdAt"]),
                "updated_at": as_time(row["updatedAt"]),
                "archived_at": as_time(row.get("archivedAt")),
                "deleted_at": as_time(row.get("deletedAt")),
                "unread": max(0, row["messageCount"] - read.get(row["conversationId"], row["messageCount"])),
            }
            for row in rows
        ]
    )


def plain_messages(mine: tuple[str, str], conversation: str, before: int | None) -> bytes:
    organization, user = mine
    one = {"organizationId": organization, "conversationId": conversation, "status": {"$ne": "deleted"}}
    found = mongo.collection(Conversation).find_one(one)
    assert found is not None
    assert found["userId"] == user
    wanted: dict[str, Any] = {"organizationId": organization, "conversationId": conversation, "deletedAt": None}
    if before is not None:
        wanted["seq"] = {"$lt": before}
    rows = list(mongo.collection(Message).find(wanted, sort=[("seq", -1)], limit=PAGE + 1))[:PAGE][::-1]
    return json.dumps([plain_message(row) for row in rows])


def plain_message(row: dict[str, Any]) -> dict[str, Any]:
    took = row.get("aiResponseMetadata") or {}
    person = row["role"] == "user"
    return {
        "id": row["messageId"],
        "conversation": row["conversationId"],
        "seq": row["seq"],
        "strand": row.get("strand", 0),
        "edits": row.get("edits"),
        "role": row["role"],
        "author": {"id": row["userId"], "name": row["userName"], "role": row["userRole"]} if person else None,
        "text": row["content"],
        "parts": parts.as_shown(row.get("parts", [])),
        "html": markdown.render(row["content"]),
        "status": row["status"],
        "model": row.get("aiModel"),
        "version": row.get("version"),
        "usage": None
        if person
        else {"input_tokens": took["inputTokens"], "output_tokens": took["outputTokens"], "cost": took.get("cost") and str(took["cost"])},
        "finish_reason": row.get("finishReason"),
        "confidence": took.get("confidenceScore"),
        "reused_from": None,
        "sources": took.get("sources", []),
        "structured_data": None,
        "referenced_employees": [
            {"id": one["employeeId"], "name": one.get("employeeName"), "relevance": one.get("relevance")}
            for one in row.get("referencedEmployees", [])
        ],
        "follow_ups": row.get("followUps", []),
        "attachments": row.get("attachments", []),
        "tools": [],
        "feedback": None,
        "error": None,
        "attempt": row["attempt"],
        "versions": row.get("versions", 1),
        "answer_to": row.get("answerTo"),
        "reply_to": None,
        "client_id": row.get("clientId"),
        "created_at": as_time(row["createdAt"]),
        "edited_at": as_time(row.get("editedAt")),
    }


def plain_shares(mine: tuple[str, str], conversation: str) -> bytes:
    organization, user = mine
    one = {"organizationId": organization, "conversationId": conversation, "status": {"$ne": "deleted"}}
    found = mongo.collection(Conversation).find_one(one)
    assert found is not None
    assert found["userId"] == user
    wanted = {"organizationId": organization, "conversationId": conversation}
    return json.dumps(
        [
            {
                "id": row["shareId"],
                "audience": row["audience"],
                "views": row["views"],
                "created_at": as_time(row["createdAt"]),
                "expires_at": as_time(row["expiresAt"]),
                "revoked_at": as_time(row.get("revokedAt")),
            }
            for row in mongo.collection(Share).find(wanted, {"messages": 0, "tokenHash": 0}, sort=[("createdAt", -1)])
        ]
    )


# The export ------------------------------------------------------------------------------------------------------------


def ways_to_export(membership: Membership) -> dict[str, Work]:
    """The bytes of a conversation of 10,000 messages: by us, as BSON that nobody reads, and by objects and their serializer."""
    long, conversation = selectors.inbox(membership, limit=2).results
    first = {"organizationId": long.organization_id, "conversationId": long.id, "seq": {"$lte": 2}}
    pair = list(mongo.collection(Message).find(first, {"_id": 0}, sort=[("seq", 1)]))
    for message in pair:
        message["conversationId"] = conversation.id
    seed.insert(Message, seed.turns_like(pair, EXPORTED + 2))  # it has none for this pair itself
    wanted = {"organizationId": conversation.organization_id, "conversationId": conversation.id, "deletedAt": None}

    def ours() -> int:
        return sum(map(len, exports.export(membership, conversation, format=ExportFormat.JSON).parts))

    def raw() -> int:
        return sum(map(len, mongo.collection(Message).find_raw_batches(wanted, sort=[("seq", 1)], batch_size=exports.AT_ONCE)))

    def objects() -> int:
        with pymongo.timeout(60):
            found = Message.objects.for_tenant(membership.organization).filter(conversation_id=conversation.id).order_by("seq")
            return len(JSONRenderer().render(MessageObject(found, many=True).data))

    return {"ours": ours, "raw_bson": raw, "objects": objects}


class AuthorObject(serializers.Serializer):
    id = serializers.CharField(source="user_id")
    name = serializers.CharField(source="user_name")
    role = serializers.CharField(source="user_role")


class UsageObject(serializers.Serializer):
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.CharField()


class FileObject(serializers.Serializer):
    name = serializers.CharField(source="file_name")
    type = serializers.CharField(source="file_type")
    size = serializers.IntegerField(source="file_size")


class StructureObject(serializers.Serializer):
    analysis_type = serializers.CharField()
    scores = serializers.DictField()
    recommendations = serializers.ListField()
    insights = serializers.ListField()
    data_points = serializers.DictField()


class ErrorObject(serializers.Serializer):
    code = serializers.CharField(source="error_code")
    detail = serializers.CharField(source="error_message")


class MessageObject(serializers.Serializer):
    """What an export says of a message, as one would write it without a second thought."""

    id = serializers.CharField(source="message_id")
    seq = serializers.IntegerField()
    strand = serializers.IntegerField()
    edits = serializers.IntegerField()
    role = serializers.CharField()
    author = AuthorObject(source="*")
    text = serializers.CharField(source="content")
    status = serializers.CharField()
    model = serializers.CharField(source="ai_model")
    version = serializers.CharField()
    usage = UsageObject(source="ai_response_metadata")
    finish_reason = serializers.CharField()
    confidence = serializers.FloatField(source="ai_response_metadata.confidence_score", default=None)
    sources = serializers.ListField(source="ai_response_metadata.sources", default=())
    attachments = FileObject(many=True)
    structured_data = StructureObject()
    error = ErrorObject(source="error_details")
    attempt = serializers.IntegerField()
    answer_to = serializers.CharField()
    reply_to = serializers.CharField(source="reply_to.message_id", default=None)
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("mongod", type=int, help="its process")
    given = parser.parse_args()
    organization = Organization.objects.get(slug="bench")
    with scoping.tenant(organization):
        print(plain.dumps(compare(organization, given.mongod)))
