"""Writing an answer, in a worker.

1. `produce` claims the pending answer with a lease, by compare-and-swap. If nothing was modified, somebody else has it.
2. What the asker may see becomes facts and history, these become a prompt, the provider's text streams in.
3. Text waits in the answer's buffer for its tick of the `Outbox`, which sends the deltas of many answers in one go, keeps leases and
   partial texts durable, and reads who was stopped.
4. The finished answer is saved, then announced; then its figures go into its conversation (`totals.py`). The lease stays until then:
   where this process dies before, the sweeper does it.

A lost lease ends the work silently: whoever took the lease over has the word.
"""

import asyncio
import itertools
import logging
import time
import weakref
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import uuid_utils.compat as uuid
from bson.decimal128 import Decimal128
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from pymongo import ReturnDocument, UpdateOne
from redis.asyncio.client import Pipeline

from chat import asides, events, prompts
from chat.choices import MessageStatus
from chat.documents import Message
from chat.parts import Part, PartType
from chat.realtime import calls, keys, progress, stream
from chat.realtime.calls import Call
from chat.records import MessageRecord
from chat.services import analyses, contexts, earlier, memories, platforms, queues, titles, totals
from chat.services.contexts import AnswerContext
from chat.services.earlier import Earlier
from config import loop, mongo, redis
from config.failpoints import failpoint
from integrations.providers.base import Attempt, Code, CompletionRequest, Finished, ProviderError
from integrations.services import completions, ledger
from integrations.services.http_tools import ToolRun
from tenants import changes
from tenants.scoping import ACROSS_COMMENT

log = logging.getLogger(__name__)

M = mongo.names(Message)

SAVE_AGAIN_SECONDS = (0.2, 2.0)
CALL_SECONDS = 1.0
KEEP_SECONDS = 1.0  # at most, between two looks for answers whose checkpoint is due
STOPS_SECONDS = 0.2
SHARE = 75  # answers that a tick serves, about
RIGHTS_SECONDS = 2.0
BUSY = 30  # answers at once from which on deltas are sent as rarely as they may be
CROWD = 100  # and from which on they are on their way for longer

WHY_ACROSS = ACROSS_COMMENT + "a worker renews all its leases at once"


class LeaseLost(Exception):
    """Somebody else has this answer now."""


class Writing:
    """One answer that is being written: its text so far, and what of it is out."""

    __slots__ = (
        "announce_whole",
        "announced",
        "checkpoint_at",
        "closing",
        "fresh",
        "last",
        "length",
        "n",
        "number",
        "out",
        "pieces",
        "record",
        "request",
        "reused",
        "runs",
        "sending",
        "sent",
        "started",
        "stopped",
        "task",
        "token",
        "turn",
    )

    def __init__(self, record: MessageRecord, token: str) -> None:
        self.record = record
        self.token = token
        self.request: CompletionRequest | None = None  # what the provider is asked
        self.reused: Earlier | None = None  # the earlier answer that is given again
        self.runs: list[ToolRun] = []  # tools that the model had called
        self.pieces: list[str] = []
        self.length = 0  # code points received
        self.fresh: list[str] = []  # pieces that are not out yet
        self.sent = 0  # code points that are out
        self.n = 0  # the number of the event that took the last of them out
        self.task: asyncio.Task | None = None
        self.stopped = False
        self.closing = False
        self.number = 0  # by which it is one tick's or another's
        self.sending = False  # events of it are on their way to Redis
        self.announce_whole = False
        self.last: MessageRecord | None = None  # the saved end, to be announced after the last delta
        self.turn = asyncio.Event()  # set at its tick
        self.out = asyncio.Event()  # set when the end is announced, or was given up because Redis is away
        self.announced = False
        self.started = time.monotonic()
        self.checkpoint_at = self.started + settings.CHECKPOINT_SECONDS

    @property
    def text(self) -> str:
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""

    def add(self, text: str) -> None:
        self.pieces.append(text)
        self.fresh.append(text)
        self.length += len(text)

    def take(self) -> str:
        """What is not out yet. `sent` moves on only when it is out."""
        text, self.fresh = "".join(self.fresh), []
        return text

    def give_back(self, text: str) -> None:
        self.fresh.insert(0, text)

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            if self.task is not None:
                self.task.cancel()

    @property
    def mine(self) -> dict[str, Any]:
        return {
            M.organization_id: self.record.organization_id,
            M.message_id: self.record.id,
            M.status: MessageStatus.STREAMING.value,
            "lease.token": self.token,
        }


def _delta(writing: Writing, text: str) -> events.Draft:
    return events.delta(
        conversation_id=writing.record.conversation_id,
        message_id=writing.record.id,
        attempt=writing.record.attempt,
        offset=writing.sent,
        text=text,
        follows=writing.n,
    )


class Outbox:
    """What all answers of this process have in common: ticks that send, renew, save partial texts and read stops.

    Where there are many answers each tick serves a share of them, so that what leaves at once does not pile up on its way.
    """

    def __init__(self) -> None:
        self.writings: dict[str, Writing] = {}
        self._sending: set[asyncio.Task] = set()
        self._busy = asyncio.Event()
        self._entered = 0
        self._task: asyncio.Task | None = None
        self._keeper: asyncio.Task | None = None
        self._keeping: asyncio.Task | None = None
        self._stops_at = 0.0
        self._begun: list[tuple[Writing, datetime]] = []  # of which nobody was told yet that they are being written
        self.producing: set[asyncio.Task] = set()  # calls that were taken, until their answer has ended
        self.draining = asyncio.Event()

    def enter(self, writing: Writing) -> None:
        self.writings[writing.record.id] = writing
        self._begun.append((writing, timezone.now()))
        self._entered += 1
        writing.number = self._entered
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tick_forever())
            self._keeper = asyncio.create_task(self._keep_forever())
        self._busy.set()

    def leave(self, writing: Writing) -> None:
        if self.writings.get(writing.record.id) is writing:  # the next attempt may be here already
            del self.writings[writing.record.id]
        if not self.writings:
            self._busy.clear()

    def hurry(self, writing: Writing) -> None:
        """The first text of an answer does not wait for the tick."""
        task = asyncio.create_task(self._send([writing]))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def end(self, writing: Writing) -> None:
        """Its end is saved. Where there are many answers it goes out with its tick, like all text."""
        if len(self.writings) < BUSY:
            self.hurry(writing)

    async def _tick_forever(self) -> None:
        for number in itertools.count():
            await self._busy.wait()
            began = time.monotonic()
            shares = 1 + len(self.writings) // SHARE
            try:
                await self._tick([writing for writing in self.writings.values() if (writing.number + number) % shares == 0])
            except Exception:
                log.exception("A tick failed; the next goes on.")
            await asyncio.sleep(max(0.001, self.interval / shares - (time.monotonic() - began)))

    async def _tick(self, due: list[Writing]) -> None:
        for writing in due:
            writing.turn.set()
        for _ in range(4):  # every reader asks, hears from the kernel, and takes what has arrived since its last tick
            await asyncio.sleep(0)
        await self._send(due, beside=self._ask_beside() if time.monotonic() >= self._stops_at else None)

    @property
    def interval(self) -> float:
        """Seconds between two ticks of an answer: the more answers, the rarer and the fuller, up to a bound."""
        least, most, crowded = settings.FLUSH_SECONDS
        if len(self.writings) >= CROWD:
            return crowded
        return least + (most - least) * min(1.0, len(self.writings) / BUSY)

    async def _send(self, writings: Iterable[Writing], *, beside: stream.Beside | None = None) -> None:
        """Sends what these answers have, in order for each; an answer that has ended is followed by its saved end."""
        out: list[tuple[Writing, str]] = []
        drafts: list[events.Draft] = []
        ended: list[Writing] = []  # as of now: more may end while this is on its way
        for writing in writings:
            if writing.sending or writing.announced or (writing.closing and writing.last is None):
                continue  # what is left goes out once that is, or together with its end
            text = writing.take()
            if writing.announce_whole and writing.last is None:
                drafts.append(events.message(self.so_far(writing).as_json()))
                out.append((writing, text))
            elif text and not writing.announce_whole:
                drafts.append(_delta(writing, text))
                out.append((writing, text))
            if writing.last is not None:
                drafts.append(events.message(writing.last.as_json()))
                out.append((writing, ""))
                ended.append(writing)
        if not drafts and beside is None:
            return
        for writing, _ in out:
            writing.sending = True
        try:
            placed = await stream.publish(
                redis.async_client(), drafts, ended=[writing.last for writing in ended if writing.last], beside=beside
            )
        except redis.AWAY as error:
            log.warning("Redis is away, %d events wait: %s", len(drafts), error)
            for writing, text in out:
                writing.give_back(text)
                writing.announce_whole = True
        else:
            for (writing, text), place in zip(out, placed, strict=True):
                if place.n:
                    writing.n = place.n
                    writing.sent += len(text)
                    writing.announce_whole = False
                else:  # Redis has forgotten what came before this delta: it is nowhere but here
                    writing.give_back(text)
                    writing.announce_whole = True
            for writing in ended:
                writing.announced = True
            failpoint("answer.flushed")
        finally:
            for writing, _ in out:
                writing.sending = False
        for writing in ended:
            writing.out.set()
        for writing in {writing for writing, _ in out}.difference(ended):
            if writing.last is not None:
                self.hurry(writing)

    def _ask_beside(self) -> stream.Beside:
        """What is asked in the round trip of a tick, now and then: who is to be stopped; and it is said what was begun. The durable wish
        to stop is read with the checkpoints, too."""
        self._stops_at = time.monotonic() + STOPS_SECONDS
        begun, self._begun = [one for one in self._begun if not one[0].closing], []

        def ask(pipeline: Pipeline) -> Callable[[list[Any]], None]:
            pipeline.smembers(keys.STOPS)
            for writing, since in begun:
                progress.process(pipeline, writing.record, now=since)
            return lambda answers: self._stop(answers[0])

        return ask

    def _stop(self, stops: set[bytes]) -> None:
        for writing in self.writings.values() if stops else ():
            if keys.stop(writing.record.id, attempt=writing.record.attempt).encode() in stops:
                writing.stop()

    @staticmethod
    def so_far(writing: Writing) -> MessageRecord:
        return replace(writing.record, text=writing.text)

    async def _keep_forever(self) -> None:
        """Apart from the ticks, which wait where Redis is slow: a lease must not run out for that."""
        while True:
            await self._busy.wait()
            self._keep(time.monotonic())
            await asyncio.sleep(min(KEEP_SECONDS, settings.CHECKPOINT_SECONDS / 2))

    def _keep(self, now: float) -> None:
        """Starts a checkpoint of the answers that are due, unless the last one is still under way."""
        due = [writing for writing in self.writings.values() if now >= writing.checkpoint_at and not writing.closing]
        if not due or not (self._keeping is None or self._keeping.done()):
            return
        for writing in due:
            writing.checkpoint_at = now + settings.CHECKPOINT_SECONDS
        self._keeping = asyncio.create_task(self._checkpoint(due))

    async def _checkpoint(self, due: list[Writing]) -> None:
        """Makes the texts so far durable and renews the leases, in one write; learns of durable wishes to stop and of lost leases.

        The write is not waited for by the journal: what a crash of MongoDB could take back is the last two seconds of a text that
        is still being written, and a renewal that the next one repeats.
        """
        messages = mongo.async_collection(Message, journaled=False)
        now = timezone.now()
        fields = {M.updated_at: now, "lease.expiresAt": now + timedelta(seconds=settings.LEASE_SECONDS)}
        updates = [UpdateOne({**writing.mine, M.stop_requested_at: None}, {"$set": {M.content: writing.text, **fields}}) for writing in due]
        try:
            kept = await messages.bulk_write(updates, ordered=False)
            failpoint("answer.checkpointed")
            if kept.matched_count == len(due):
                return
            cursor = messages.find(
                {M.message_id: {"$in": [writing.record.id for writing in due]}},
                {M.message_id: 1, "lease.token": 1, M.stop_requested_at: 1},
                comment=WHY_ACROSS,
            )
            found = {raw[M.message_id]: raw for raw in await cursor.to_list()}
        except mongo.AWAY as error:
            log.warning("MongoDB is away, %d partial texts wait: %s", len(due), error)
            return
        for writing in due:
            raw = found.get(writing.record.id, {})
            if raw.get(M.stop_requested_at):
                writing.stop()
            elif (raw.get(M.lease) or {}).get("token") != writing.token and not writing.closing and writing.task is not None:
                writing.task.cancel()


_outboxes: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox]" = weakref.WeakKeyDictionary()


def outbox() -> Outbox:
    """The running event loop's outbox. A worker has one loop for all its answers (config/loop.py)."""
    running = asyncio.get_running_loop()
    found = _outboxes.get(running)
    if found is None:
        found = _outboxes[running] = Outbox()
    return found


async def serve() -> None:
    """Takes calls and writes answers until the process ends; takes none while it has no room, so that others get them."""
    box = outbox()
    changes.listening().start()
    producing = box.producing
    while not box.draining.is_set():
        if len(producing) >= settings.ANSWERS_PER_WORKER:
            await asyncio.wait(producing, return_when=asyncio.FIRST_COMPLETED)
            continue
        try:
            taken = await calls.wait(redis.async_client(), seconds=CALL_SECONDS)
        except redis.AWAY as error:
            log.warning("Redis is away; the sweeper calls meanwhile: %s", error)
            await asyncio.sleep(CALL_SECONDS)
            continue
        if box.draining.is_set():
            break  # the sweeper of another worker calls again
        for call in taken:
            task = asyncio.create_task(_produce(call))
            producing.add(task)
            task.add_done_callback(producing.discard)
        await asyncio.sleep(0)  # these begin before the next call is waited for


async def _produce(call: Call) -> None:
    try:
        await produce(call)
    except mongo.AWAY as error:
        log.warning("MongoDB is away, answer %s waits for the sweeper: %s", call.message_id, error)
    except Exception:
        log.exception("Answer %s could not be taken up; the sweeper comes back to it.", call.message_id)


async def produce(call: Call) -> None:
    """Writes the answer if it is pending; returns when it has ended, or at once where there is nothing to do.

    The context is read, and an earlier answer looked for, while the lease is being claimed; nothing is asked of a provider before the
    claim stands.
    """
    box = outbox()
    failpoint("answer.received")
    async with loop.gate():
        context = asyncio.create_task(contexts.for_answer(call))
        before = asyncio.create_task(earlier.find(call))
        try:
            writing = await _claim(call)
        except BaseException:
            context.cancel()
            before.cancel()
            raise
        if writing is None:
            context.cancel()
            before.cancel()
            return
        failpoint("answer.claimed")
        if not _is_believable(call, writing.record):
            context.cancel()
            before.cancel()
            call = replace(call, rights=None)
            context, before = asyncio.create_task(contexts.for_answer(call)), asyncio.create_task(earlier.find(call))
    writing.task = asyncio.create_task(_write(box, writing, call, context, before))
    box.enter(writing)
    try:
        answer = await _finish(box, writing, await _ended(writing, context))
        if is_told := writing.announced and answer.status == MessageStatus.SENT:
            await _keep(call, writing, answer, context.result(), writing.task.result())
        if writing.announced:
            await totals.note_end(answer, now=timezone.now())
    except LeaseLost:
        log.info("The lease of answer %s was lost.", call.message_id)
        return
    finally:
        box.leave(writing)
    if is_told:
        await titles.give(call, context.result(), answer)
        is_repeated = writing.reused is not None and await analyses.repeat(answer, of=writing.reused.message_id)
        if not is_repeated and not writing.runs:  # figures of a platform are no findings on people
            await analyses.give(call, context.result(), answer)
        await memories.keep(call, context.result(), answer)


async def _keep(call: Call, writing: Writing, answer: MessageRecord, context: AnswerContext, finished: Finished) -> None:
    """Keeps what others may use of it, in one round trip, unless Redis is away."""
    pipeline = redis.async_client().pipeline(transaction=False)
    contexts.keep(pipeline, call, context)
    if writing.reused is not None:
        earlier.note_hit(pipeline, writing.reused)
    elif writing.request is not None:
        earlier.keep(pipeline, call, context, writing.request, answer, finished)
    try:
        await pipeline.execute()
    except redis.AWAY:
        pass


async def drain() -> None:
    """Takes no more calls and lets the answers of this process end; interrupts, with their text kept, those that take longer."""
    box = outbox()
    box.draining.set()
    if await _all_ended(box.producing, within=settings.SHUTDOWN_SECONDS):
        return
    for writing in list(box.writings.values()):
        if writing.task is not None:
            writing.task.cancel()
    await _all_ended(box.producing, within=settings.SHUTDOWN_SECONDS / 2)


async def _all_ended(tasks: set[asyncio.Task], *, within: float) -> bool:
    return not tasks or not (await asyncio.wait(set(tasks), timeout=within))[1]


def _is_believable(call: Call, claimed: MessageRecord) -> bool:
    """True if the call's rights are those that the question was taken with, a moment ago. Redis only hints; MongoDB says."""
    if call.rights is None:
        return True
    asked_at = claimed.queued_at or claimed.created_at
    return call.rights == calls.rights_of(claimed) and timezone.now() - asked_at < timedelta(seconds=RIGHTS_SECONDS)


async def _claim(call: Call) -> Writing | None:
    """Takes the answer, or None where somebody else has it or it is not pending. The journal is not waited for: where MongoDB loses a
    claim, the answer is pending again and whoever has it finds out when it saves."""
    now = timezone.now()
    token = str(uuid.uuid7())
    messages = mongo.async_collection(Message, journaled=False)
    raw = await messages.find_one_and_update(
        {
            M.organization_id: call.organization_id,
            M.message_id: call.message_id,
            M.attempt: call.attempt,
            M.status: MessageStatus.PENDING.value,
        },
        {
            "$set": {
                M.status: MessageStatus.STREAMING.value,
                M.started_at: now,
                M.updated_at: now,
                M.lease: {"token": token, "expiresAt": now + timedelta(seconds=settings.LEASE_SECONDS)},
            }
        },
        return_document=ReturnDocument.AFTER,
    )
    if raw is None:
        return None
    writing = Writing(MessageRecord.read(raw), token)
    writing.announce_whole = call.unheard_of
    return writing


async def _write(
    box: Outbox, writing: Writing, call: Call, context: "asyncio.Task[AnswerContext]", before: "asyncio.Task[Earlier | None]"
) -> Finished:
    """Reads the provider's text into the buffer, or an earlier answer to the very same prompt."""
    if writing.record.stop_requested_at is not None:
        context.cancel()
        raise asyncio.CancelledError
    request = writing.request = prompts.request(writing.record, await context)
    same = await before
    if same is not None and same.is_for(request):
        writing.reused = same
        writing.add(same.text)
        box.hurry(writing)
        return same.as_finished()
    finished: Finished | None = None
    source: AsyncIterable[str | Finished] = completions.stream(request)
    if request.tools:
        source = platforms.stream(request, await contexts.asker(call), writing.runs)
    async for piece in source:
        if isinstance(piece, Finished):
            finished = piece
            continue
        writing.add(piece)
        if writing.length == len(piece):
            failpoint("answer.first_text")
            box.hurry(writing)
        # What a provider sends until the tick is read then at once, which costs a fraction of reading it piece by piece and delays
        # nothing, since nothing leaves between two ticks.
        await writing.turn.wait()
        writing.turn.clear()
    if finished is None:
        raise ProviderError(Code.INCOMPLETE, "The answer ended before it was complete. Try again.")
    return finished


async def _ended(writing: Writing, context: "asyncio.Task[AnswerContext]") -> dict[str, Any]:
    """Waits for the end of writing and says what is to be saved of it."""
    assert writing.task is not None
    try:
        finished = await writing.task
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        if writing.stopped or writing.record.stop_requested_at is not None:
            return {M.status: MessageStatus.CANCELLED.value, M.finish_reason: "stopped"}
        return _failure(MessageStatus.INTERRUPTED, "interrupted", "The answer was interrupted. Try again to have it written anew.")
    except ProviderError as error:
        return _failure(MessageStatus.ERROR, error.code, error.sentence, attempts=error.attempts)
    except (*mongo.AWAY, DatabaseError):
        return _failure(MessageStatus.INTERRUPTED, "store_away", "Parley's store was away while this was written. Try again.")
    except Exception:
        log.exception("Answer %s failed.", writing.record.id)
        return _failure(MessageStatus.ERROR, "internal_error", "Something went wrong on our side. Try again; we have been told.")
    return _success(writing, finished, context.result())


def _failure(status: MessageStatus, code: str, sentence: str, *, attempts: Iterable[Attempt] = ()) -> dict[str, Any]:
    return {
        M.status: status.value,
        M.error_details: {"errorCode": code, "errorMessage": sentence},
        M.calls: [ledger.as_document(attempt) for attempt in attempts],
    }


def _success(writing: Writing, finished: Finished, context: AnswerContext) -> dict[str, Any]:
    asked = writing.record.queued_at or writing.record.created_at
    usage = finished.usage
    metadata = {
        "tokensUsed": usage.input_tokens + usage.output_tokens,
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cost": None if finished.cost is None else Decimal128(finished.cost),
        "responseTime": (timezone.now() - asked).total_seconds() * 1_000,
        "firstTokenTime": finished.first_token_ms,
        "confidenceScore": finished.confidence,
        "sources": list(finished.sources) or [f"employee:{subject.id}" for subject in context.subjects],
        "provider": finished.provider,
        "generatedAt": writing.reused and writing.reused.generated_at,
    }
    return {
        M.status: MessageStatus.SENT.value,
        M.finish_reason: finished.finish_reason,
        M.ai_model: finished.model,
        M.calls: [ledger.as_document(attempt) for attempt in finished.attempts],
        M.ai_response_metadata: {name: value for name, value in metadata.items() if value is not None},
        M.referenced_employees: analyses.references(writing.text, context),
        M.parts: _beside(writing, finished, context),
        M.tools_call_data: platforms.as_stored(writing.runs),
    }


def _beside(writing: Writing, finished: Finished, context: AnswerContext) -> list[Part]:
    """Figures first, then what Parley says itself; a button that both have stands once."""
    shown, ours = platforms.beside(writing.runs), asides.beside(context, unseen=finished.unseen)
    buttons = [part for part in shown if part["type"] == PartType.BUTTON]
    return [*(part for part in shown if part not in buttons), *ours, *(part for part in buttons if part not in ours)]


async def _finish(box: Outbox, writing: Writing, outcome: dict[str, Any]) -> MessageRecord:
    """Saves the end of the answer and announces it. Waits for MongoDB if need be."""
    writing.closing = True
    failpoint("answer.before_save")
    pause, raw = SAVE_AGAIN_SECONDS[0], None
    while raw is None:
        try:
            raw = await _save(writing, outcome) or await _saved_already(writing)
        except mongo.AWAY as error:
            log.warning("MongoDB is away, the end of answer %s waits: %s", writing.record.id, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, SAVE_AGAIN_SECONDS[1])
    failpoint("answer.saved")
    writing.last = MessageRecord.read(raw)
    box.end(writing)
    await writing.out.wait()
    failpoint("answer.announced")
    if writing.last.lets_next_be_asked:
        await queues.ago_on(writing.last.organization_id, writing.last.conversation_id, strand=writing.last.strand)
    return writing.last


async def _save(writing: Writing, outcome: dict[str, Any]) -> dict[str, Any] | None:
    """The message's end, durable. Its lease stays, for the sweeper to tell of it if we cannot. None where it is not ours any more."""
    now = timezone.now()
    lease = {"token": writing.token, "expiresAt": now + timedelta(seconds=settings.PICKUP_AGAIN_SECONDS)}
    end = {name: value for name, value in outcome.items() if name != M.calls}  # those of earlier attempts stay
    async with loop.gate():
        return await mongo.async_collection(Message).find_one_and_update(
            writing.mine,
            {
                "$set": {**end, M.content: writing.text, M.updated_at: now, M.finished_by: writing.token, M.lease: lease},
                "$push": {M.calls: {"$each": outcome.get(M.calls, [])}},
            },
            return_document=ReturnDocument.AFTER,
        )


async def _saved_already(writing: Writing) -> dict[str, Any]:
    """The end that an earlier try saved without our hearing of it; raises `LeaseLost` where somebody else has the word."""
    raw = await mongo.async_collection(Message).find_one(
        {M.organization_id: writing.record.organization_id, M.message_id: writing.record.id, M.finished_by: writing.token}
    )
    if raw is None:
        raise LeaseLost
    return raw
