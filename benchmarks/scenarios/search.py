"""How long a search takes among a million messages, and whether it is slower where other organizations' messages grow ten times.

One reader with 10,000 conversations asks; every search is another one. Words are as frequent as in a language (the n-th a n-th as often
as the first), so that some are in most messages and most are in few.
"""

import asyncio
import http.client
import itertools
import random
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pymongo

from benchmarks.findings import Findings, Target, Tell
from benchmarks.meters import percentile
from benchmarks.world import NotReady, World

MESSAGES = 1_000_000
GROWTH = 10  # times that the other organizations' messages grow
OTHERS = 9  # organizations
REQUESTS, WARM = 100, 10
WITHIN = 0.500  # seconds
NO_SLOWER = 1.25  # times, so that chance is not taken for growth
AT_ONCE = 5_000  # documents of one insert
VOCABULARY, WORDS = 20_000, 40  # words that there are; words of a message
RARE = (50, 5_000)  # ranks of the words that are looked for, by frequency
FIRST_SEQ = 1_000_000  # behind whatever the conversations hold already
SEED = 7


async def run(world: World, *, messages: int, tell: Tell) -> Findings:
    assert world.reader is not None
    chance = random.Random(SEED)
    share = messages // (GROWTH + 1)
    with pymongo.MongoClient(world.environment["MONGODB_URI"], w=1) as client:
        stored = client.get_default_database()["chat_messages"]
        own = stored.database["chat_conversations"].find_one({"conversationId": world.long})["organizationId"]
        tell(f"search: {share:,} messages of the reader's organization, as many of others")
        await asyncio.to_thread(_fill, stored, chance, {own: list(world.reader.conversations)}, share, FIRST_SEQ)
        strangers = {_id(chance): [_id(chance) for _ in range(1_000)] for _ in range(OTHERS)}
        await asyncio.to_thread(_fill, stored, chance, strangers, share, FIRST_SEQ)
        headers = {"Authorization": f"Bearer {world.reader.key}"}
        before = await asyncio.to_thread(_ask, world.web, headers, random.Random(SEED))
        tell(f"search: {messages - 2 * share:,} more messages of other organizations")
        await asyncio.to_thread(_fill, stored, chance, strangers, messages - 2 * share, FIRST_SEQ + share)
        tell("search")
        after = await asyncio.to_thread(_ask, world.web, headers, random.Random(SEED))
    few, many = (percentile(times, 0.95) for times in (before, after))
    name = f"a search among {messages:,} messages, p95"
    grown = f"the same, over that with a {GROWTH}th of other organizations' messages"
    found = Findings(targets=[Target(name, WITHIN * 1e3, many * 1e3, unit="ms"), Target(grown, NO_SLOWER, many / few)])
    for label, times in (("few of others", before), ("many of others", after)):
        found.figures[f"search, {label}"] = {
            "p50_ms": round(percentile(times, 0.5) * 1e3, 1),
            "p95_ms": round(percentile(times, 0.95) * 1e3, 1),
            "max_ms": round(max(times) * 1e3, 1),
        }
    return found


def _word(rank: int) -> str:
    """The word of this rank, the longer the rarer."""
    letters = ""
    while rank or not letters:
        rank, letter = divmod(rank, 20)
        letters += "bcdfghjklmnpqrstvwxz"[letter] + "aeiou"[letter % 5]
    return letters


def _fill(stored: Any, chance: random.Random, conversations: dict[str, list[str]], count: int, first: int) -> None:
    """Inserts so many messages without the collection's indexes, which are then built at once: ten times as quick as adding to them."""
    indexes = [dict(index) for index in stored.list_indexes() if index["name"] != "_id_"]
    stored.drop_indexes()
    documents = _documents(chance, conversations, count, first)
    while batch := list(itertools.islice(documents, AT_ONCE)):
        stored.insert_many(batch, ordered=False)
    stored.database.command("createIndexes", stored.name, indexes=indexes)


def _documents(chance: random.Random, conversations: dict[str, list[str]], count: int, first: int) -> Iterator[dict[str, Any]]:
    """So many messages by turns in these organizations' conversations, over the last 90 days."""
    words = [_word(rank) for rank in range(VOCABULARY)]
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(VOCABULARY)))
    organizations = list(conversations)
    now = datetime.now(UTC)
    for number in range(count):
        organization = organizations[number % len(organizations)]
        at = now - timedelta(seconds=chance.randrange(90 * 86_400))
        yield {
            "organizationId": organization,
            "conversationId": chance.choice(conversations[organization]),
            "messageId": _id(chance),
            "seq": first + number,
            "role": "user" if number % 2 else "assistant",
            "content": " ".join(chance.choices(words, cum_weights=weights, k=WORDS)),
            "contentType": "text",
            "status": "sent",
            "createdAt": at,
            "updatedAt": at,
        }


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128)))


def _ask(address: tuple[str, int], headers: dict[str, str], chance: random.Random) -> list[float]:
    """Seconds of each search, one after another on one connection."""
    connection = http.client.HTTPConnection(*address, timeout=10)
    times = []
    for number in range(WARM + REQUESTS):
        path = f"/api/v1/search?{urlencode({'q': _query(chance, number)})}"
        began = time.monotonic()
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        if number >= WARM:
            times.append(time.monotonic() - began)
        if response.status != 200:
            raise NotReady(f"GET {path} answered {response.status}: {body[:300]!r}")
    connection.close()
    return times


def _query(chance: random.Random, number: int) -> str:
    """One to three words, the first of them not among the most frequent; every fifth with an operator."""
    words = [_word(chance.randrange(*RARE)), *(_word(chance.randrange(500)) for _ in range(number % 3))]
    operator = ("", "", "", "", f"after:{datetime.now(UTC) - timedelta(days=45):%Y-%m-%d}")[number % 5]
    return " ".join(filter(None, (*words, operator)))
