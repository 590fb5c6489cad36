"""`python -m benchmarks.seed`: people with API keys, and their conversations. Prints where everything is as one line of JSON.

The first of each kind is made by the services that everybody uses; the many are copies of what these wrote, with identifiers of their own.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import django

django.setup()

import pymongo
import uuid_utils.compat as uuid
from django.utils import timezone

from chat.choices import ConsultationType, MessageStatus
from chat.documents import Conversation, Message
from chat.realtime.calls import Call
from chat.services import answers, conversations, turns
from config import loop, mongo
from tenants import scoping
from tenants.choices import Role
from tenants.models import Employee, Membership, Organization
from tenants.services import accounts, organizations

C, M = mongo.names(Conversation), mongo.names(Message)
AT_ONCE, INSERT_SECONDS = 1_000, 60  # documents of one insert
ACROSS_DAYS = 90  # over which a full inbox is spread


@dataclass
class Person:
    """A member, the key that they show, and their conversations."""

    key: str
    conversations: list[str]


@dataclass
class Seeded:
    """`people` have a few empty conversations each; `reader` has a full inbox, and in it one conversation that is long."""

    organization: str
    people: list[Person]
    reader: Person | None
    long: str


def seed(*, people: int, each: int, inbox: int, messages: int) -> Seeded:
    organization = organizations.create("Bench", slug="bench", seats=people + 1)
    branch = organizations.add_branch(organization, name="Main")
    department = organizations.add_department(branch, name="Sales")
    with scoping.tenant(organization):
        employee = Employee.objects.for_tenant(organization).create(
            first_name="Erik",
            last_name="Ek",
            email="erik.ek@bench.example",
            job_title="Account manager",
            branch=branch,
            department=department,
            personality_traits=["curious", "calm"],
            strengths=["listening"],
            compatibility_job_role="82.50",
        )
        made = []
        for number in range(people):
            membership = member(organization, f"person-{number}")
            made.append(Person(key=key_of(membership), conversations=several(membership, employee, each)))
        seeded = Seeded(organization=organization.slug, people=made, reader=None, long="")
        if inbox:
            reader = member(organization, "reader")
            seeded.reader = Person(key=key_of(reader), conversations=several(reader, employee, inbox))
            seeded.long = seeded.reader.conversations[0]
            lengthen(reader, seeded.long, messages)
    return seeded


def member(organization: Organization, name: str) -> Membership:
    user = accounts.create(f"{name}@bench.example", first_name=name.title(), last_name="Bench", verified=True)
    return accounts.add_member(organization, user=user, role=Role.OWNER)


def key_of(membership: Membership) -> str:
    return accounts.create_api_key(membership, name="bench")[1]


def several(membership: Membership, employee: Employee, count: int) -> list[str]:
    """So many conversations of this member: one by the service, copies of it for the rest, each older than the one before."""
    if not count:
        return []
    first = conversations.start(membership, type=ConsultationType.EMPLOYEE_SPECIFIC, subject_employee_ids=[str(employee.pk)])
    mine = {C.organization_id: first.organization_id}
    raw = mongo.collection(Conversation).find_one({**mine, C.conversation_id: first.id}, {"_id": 0})
    now, step = timezone.now(), timedelta(days=ACROSS_DAYS) / count
    copies = [{**raw, C.conversation_id: str(uuid.uuid7()), **moments(now - place * step)} for place in range(1, count)]
    insert(Conversation, copies)
    return [first.id, *(copy[C.conversation_id] for copy in copies)]


def moments(at: datetime) -> dict[str, datetime]:
    return {C.last_message_at: at, C.created_at: at, C.updated_at: at}


def lengthen(membership: Membership, conversation_id: str, count: int) -> None:
    """One turn by the services, then copies of its question and its answer until the conversation has `count` messages."""
    mine = {C.organization_id: str(membership.organization_id), C.conversation_id: conversation_id}
    conversation = conversations.ConversationRecord.read(mongo.collection(Conversation).find_one(mine))
    loop.run(turn(membership, conversation), timeout=60)
    of_it = {M.organization_id: mine[C.organization_id], M.conversation_id: conversation_id}
    pair = list(mongo.collection(Message).find(of_it, {"_id": 0}).sort(M.seq))
    if len(pair) != 2 or pair[1][M.status] != MessageStatus.SENT:
        sys.exit("The first turn of the long conversation has no answer.")
    insert(Message, turns_like(pair, count))
    mongo.collection(Conversation).update_one(mine, {"$set": {C.message_count: count}})


async def turn(membership: Membership, conversation: conversations.ConversationRecord) -> None:
    submitted = await turns.asubmit(membership, conversation, text="How is Erik doing in his job?", client_id="seed")
    assert submitted.answer is not None
    await answers.produce(Call.to(submitted.answer, conversation))


def turns_like(pair: list[dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    question, answer = pair
    for seq in range(3, count + 1, 2):
        asked = str(uuid.uuid7())
        yield {**question, M.message_id: asked, M.seq: seq, M.client_id: f"seed-{seq}"}
        # Each has a text of its own, as in life: HTML that was made once is kept.
        yield {**answer, M.message_id: str(uuid.uuid7()), M.seq: seq + 1, M.answer_to: asked, M.content: f"{answer[M.content]} {seq}"}


def insert(document: type, raws: Any) -> None:
    raws = iter(raws)
    while batch := list(islice(raws, AT_ONCE)):
        with pymongo.timeout(INSERT_SECONDS):
            mongo.collection(document).insert_many(batch, ordered=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seed", description=__doc__)
    parser.add_argument("--people", type=int, default=1, help="members with an API key")
    parser.add_argument("--each", type=int, default=1, help="conversations of each of them")
    parser.add_argument("--inbox", type=int, default=0, help="conversations of one more member, the reader")
    parser.add_argument("--messages", type=int, default=0, help="messages in the reader's first conversation")
    print(json.dumps(asdict(seed(**vars(parser.parse_args())))))
