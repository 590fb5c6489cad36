"""The socket of a tab, `ws/o/<organization>/`: it admits, joins and forwards. It never calls a provider and never waits for one."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any

import orjson
import uuid_utils.compat as uuid
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from chat import access, events, frames, selectors
from chat.choices import ConversationStatus, PresenceStatus
from chat.events import Close, Do, Watched
from chat.realtime import watches
from chat.realtime.doorkeeper import doorkeeper
from chat.realtime.hub import Listener, hub
from chat.realtime.presence import Session, presence
from chat.records import ConversationRecord
from chat.services import errors, feedback, queues, reading, sessions, strands, turns
from config import loop, mongo
from tenants import access as people
from tenants import origins, roles
from tenants.authentication import Credential, Principal

log = logging.getLogger(__name__)

BACKLOG_LIMIT = 4 * 1024 * 1024  # bytes waiting for a client that does not keep up
JOINED_MOST = 50  # conversations of one tab
RESET_AGAIN_SECONDS = 1.0


class ChatConsumer(AsyncWebsocketConsumer):
    """One tab of one person in one organization."""

    credential: Credential
    principal: Principal
    organization: str
    heard_at: float
    session: Session

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As Channels has it, but it first sends a thread to close old database connections, for every frame: a third of a socket's
        cost. No query of ours runs in that thread."""
        await getattr(self, get_handler_name(message))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        await self.disconnect(message["code"])
        raise StopConsumer

    async def connect(self) -> None:
        self.organization = self.scope["url_route"]["kwargs"]["organization"]
        self._listeners: dict[str, Listener] = {}
        self._strands: dict[str, int] = {}  # which strand of a conversation this tab joined
        self._own: dict[str, tuple[ConversationRecord | None, float]] = {}  # this person's, as read then; None: it has changed since
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._sending: asyncio.Task | None = None
        self._held: tuple[str, list[bytes]] | None = None
        self._tasks: set[asyncio.Task] = set()
        self._gone = False
        try:
            admitted = await doorkeeper().admit(self.scope, organization=self.organization)
        except DatabaseError:
            await self.accept()
            await self.close(Close.RESTART)
            return
        await self.accept()
        if admitted is None:
            # Accepted first: a browser hears the close code of a socket only if it was open.
            await self.close(Close.SIGNED_OUT)
            return
        self.credential, self.principal = admitted
        origins.enter_socket(self.scope, self.principal)
        self.heard_at = time.monotonic()
        doorkeeper().enter(self)
        self.session = sessions.enter(self.scope, self.principal.membership, tell=self._queue)

    async def disconnect(self, code: int) -> None:
        self._gone = True
        for listener in self._listeners.values():
            hub().leave(listener)
        for task in self._tasks:
            task.cancel()
        if hasattr(self, "session"):
            doorkeeper().leave(self)
            reading.board().leave(self.session)
            watches.board().leave(self.session)
            await sessions.leave(self.session)

    async def turn_away(self, code: int) -> None:
        """Closes the socket: the person may no longer be here, was silent, or reads too slowly."""
        self._gone = True
        await self.close(code)

    # What the client asks for -----------------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._gone or not hasattr(self, "principal"):
            return
        self.heard_at = time.monotonic()
        ref = None
        try:
            if text_data is None:
                raise frames.BadFrame("malformed", "A frame is text, not binary.")
            frame = frames.read(text_data)
            ref = frame.ref
            async with loop.gate():
                await self._do(frame)
        except frames.BadFrame as error:
            await self._refuse(error.ref, error.code, error.sentence)
        except errors.ChatError as error:
            await self._refuse(ref, error.code, error.sentence, retry_after=error.retry_after)
        except people.NotFound:
            await self._refuse(ref, "not_found", "That does not exist, or is not yours to see.")
        except people.Forbidden as error:
            await self._refuse(ref, "forbidden", str(error))
        except (*mongo.AWAY, DatabaseError):
            away = errors.StoreAway()
            await self._refuse(ref, away.code, away.sentence, retry_after=away.retry_after)
        except Exception:
            log.exception("A frame failed.")
            await self._refuse(ref, "internal_error", "Something went wrong on our side. Try again; we have been told.")

    async def _do(self, frame: frames.Frame) -> None:
        given, membership = frame.fields, self.principal.membership
        key = None if self.principal.api_key is None else str(self.principal.api_key.pk)
        if frame.do != Do.LEAVE:  # which pages send to hear whether the socket lives
            self.session.note_activity()
        match frame.do:
            case Do.JOIN:
                await self._join(given["conversation"], after=given.get("after"), strand=given.get("strand"), ref=frame.ref)
            case Do.LEAVE:
                self._part(access.key(given["conversation"]))
                await self._say({"ack": frame.ref})
            case Do.SEND:
                conversation = await self._asked_in(given["conversation"], strand=given.get("strand"))
                said: dict[str, Any] = {name: given.get(name) for name in ("text", "client_id", "strand", "reply_to")} | {"api_key_id": key}
                with self._holding(conversation.id):
                    self.session.note_message(conversation.id)
                    taken = await turns.asubmit(membership, conversation, **said, attachment_ids=given.get("attachment_ids") or ())
                    self._note_places(conversation, taken)
                    await self._accept(frame, taken)
            case Do.QUEUE:
                conversation = await access.aconversation_for(membership, given["conversation"])
                said = {name: given.get(name) for name in ("text", "client_id", "strand", "reply_to")} | {"api_key_id": key}
                with self._holding(conversation.id):
                    self.session.note_message(conversation.id)
                    queued = await queues.aadd(membership, conversation, **said, attachment_ids=given.get("attachment_ids") or ())
                    left = queued.left and queued.left.as_json()
                    await self._say({"ack": frame.ref, **queued.as_json(), "limit": left})
            case Do.UNQUEUE:
                conversation = await access.aconversation_for(membership, given["conversation"])
                queue, taken_back = await queues.aremove(membership, conversation, given["question"])
                await self._say({"ack": frame.ref, "queue": queue.as_json(), "question": taken_back.as_json()})
            case Do.NEXT:
                conversation = await access.aconversation_for(membership, given["conversation"])
                with self._holding(conversation.id):
                    queued = await queues.anext(membership, conversation, strand=given.get("strand"))
                    await self._say({"ack": frame.ref, **queued.as_json()})
            case Do.EDIT:
                question = await access.amessage_for(membership, given["message"])
                conversation = await access.aconversation_for(membership, question.conversation_id)
                said = {"text": given["text"], "client_id": given.get("client_id") or str(uuid.uuid7()), "api_key_id": key}
                with self._holding(conversation.id):
                    self.session.note_message(conversation.id)
                    await self._accept(frame, await turns.aedit(membership, conversation, question, **said))
            case Do.STOP:
                answer = await turns.astop(membership, await access.amessage_for(membership, given["message"]))
                await self._say({"ack": frame.ref, "message": answer.as_json()})
            case Do.RETRY:
                answer = await turns.aretry(membership, await access.amessage_for(membership, given["message"]), api_key_id=key)
                await self._say({"ack": frame.ref, "message": answer.as_json()})
            case Do.REGENERATE:
                answer = await turns.aregenerate(membership, await access.amessage_for(membership, given["message"]), api_key_id=key)
                await self._say({"ack": frame.ref, "message": answer.as_json()})
            case Do.FEEDBACK:
                said = {name: value for name, value in given.items() if name != "message"}
                answer = await feedback.agive(membership, await access.amessage_for(membership, given["message"]), **said)
                await self._say({"ack": frame.ref, "message": answer.as_json()})

            case Do.TYPING:
                roles.require(membership, "chat:message:send")
                presence().type(self.session, await self._readable(given["conversation"]), on=given["on"])
                await self._say({"ack": frame.ref})
            case Do.PRESENCE:
                reading.board().enter(self.session)
                presence().set_status(self.session, PresenceStatus(given["status"]))
                await self._say({"ack": frame.ref})
            case Do.WATCH:
                what = Watched(given["what"])
                offered = await watches.admit(membership, what)
                watches.board().enter(self.session, what)
                now = await offered.read(self.session.organization_id)
                await self._say({"ack": frame.ref})
                self._queue(now)
            case Do.UNWATCH:
                watches.board().part(self.session, Watched(given["what"]))
                await self._say({"ack": frame.ref})
            case Do.READ:
                conversation = await access.aconversation_for(membership, given["conversation"])
                unread = await reading.amark(membership, conversation, seq=given["seq"])
                await self._say({"ack": frame.ref, "conversation": conversation.id, "unread": unread})

    async def _readable(self, conversation_id: str) -> str:
        """The conversation's id, if this person may read it. Whoever has joined it may: they are put out where that changes."""
        if (key := access.key(conversation_id)) not in self._listeners:
            await access.aconversation_for(self.principal.membership, key)
        return key

    async def _asked_in(self, conversation_id: str, *, strand: int | None) -> ConversationRecord:
        """The conversation that a question goes to. A person's own, which this tab has joined, is not read for each question: whatever
        changes it is announced, and as long as every announcement was heard it is as it was."""
        membership = self.principal.membership
        listener = self._listeners.get(key := access.key(conversation_id))
        if listener is None or not listener.is_live:
            return await access.aconversation_for(membership, key)
        kept, read_at = self._own.get(key, (None, 0.0))
        if kept is not None and read_at > hub().connected_at and strand is not None and kept.has_strand(strand):
            return kept
        began = time.monotonic()
        conversation = await access.aconversation_for(membership, key)
        self._keep(conversation, read_at=began)
        return conversation

    def _keep(self, conversation: ConversationRecord, *, read_at: float) -> None:
        """For this person's next question, unless it is another's, on its way out, or was announced to have changed since."""
        mine = conversation.user_id == str(self.principal.membership.user_id) and conversation.status != ConversationStatus.DELETED
        if mine and self._own.get(conversation.id, (None, 0.0))[1] < read_at:
            self._own[conversation.id] = (conversation, read_at)

    def _note_places(self, conversation: ConversationRecord, taken: turns.Submitted) -> None:
        """Where the next question finds its places, as long as nobody else asks here."""
        record, read_at = self._own.get(conversation.id, (None, 0.0))
        if record is not None:
            last = (taken.answer or taken.message).seq
            self._own[conversation.id] = (replace(record, message_count=max(last, record.message_count)), read_at)

    async def _accept(self, frame: frames.Frame, taken: turns.Submitted) -> None:
        answer = taken.answer.as_json() if taken.answer else None
        left = taken.left.as_json() if taken.left else None
        await self._say({"ack": frame.ref, "message": taken.message.as_json(), "answer": answer, "limit": left})

    async def _join(self, conversation_id: str, *, after: int | None, strand: int | None, ref: Any) -> None:
        """From `after` on if the stream has all of it; with a snapshot, or a reset, otherwise. Events are those of all strands; a
        snapshot is of the one that was asked for, which the person is now looking at, or that they looked at last."""
        conversation = await access.aconversation_for(self.principal.membership, conversation_id)
        if len(self._listeners) >= JOINED_MOST and conversation.id not in self._listeners:
            raise frames.BadFrame("too_many_joined", f"A tab joins at most {JOINED_MOST} conversations.", ref=ref)
        if strand is None:
            strand = conversation.shown_to(self.principal.membership.user_id)
        await strands.ashow(self.principal.membership, conversation, strand=strand)
        self._strands[conversation.id] = strand
        self._own.pop(conversation.id, None)
        if (before := self._listeners.pop(conversation.id, None)) is not None:
            hub().leave(before)
        listener = self._listeners[conversation.id] = await hub().listen(conversation.id, self)
        presence().join(self.session, conversation.id)
        if after:
            missed = await listener.missed(after=after)
            if missed is not None:
                await self._say({"joined": conversation.id, "n": after, "snapshot": None, "ref": ref})
                listener.go_on(missed)
                return
        began = time.monotonic()
        snapshot = await selectors.snapshot(conversation, strand=strand)
        self._keep(snapshot.conversation, read_at=began)
        name = "reset" if after else "joined"
        await self._say({name: conversation.id, "n": snapshot.n, "snapshot": snapshot.as_json(), "ref": ref})
        listener.resume(after=snapshot.n)

    def _part(self, conversation_id: str) -> bool:
        """Leaves a conversation; false where it was not joined."""
        self._own.pop(conversation_id, None)
        if (listener := self._listeners.pop(conversation_id, None)) is None:
            return False
        hub().leave(listener)
        presence().part(self.session, conversation_id)
        return True

    # What the client is told ------------------------------------------------------------------------------------------

    async def _say(self, frame: dict[str, Any]) -> None:
        """Answers take their place behind the events that were handed over before."""
        self._queue(orjson.dumps(frame))

    async def _refuse(self, ref: Any, code: str, sentence: str, *, retry_after: float | None = None) -> None:
        error: dict[str, Any] = {"code": code, "detail": sentence}
        if retry_after is not None:
            error["retry_after"] = retry_after
        await self._say({"error": error, "ref": ref})

    def deliver(self, conversation_id: str, event: bytes) -> None:
        if events.is_about_conversation(event) or events.begins_strand(event):
            self._own[conversation_id] = (None, time.monotonic())
        if events.is_about_conversation(event):
            self._spawn(self._may_still_read(conversation_id))
        if self._held is not None and self._held[0] == conversation_id:
            self._held[1].append(event)
        else:
            self._queue(event)

    @contextlib.contextmanager
    def _holding(self, conversation_id: str) -> Iterator[None]:
        """Whoever asks hears that the question is safe before they hear anything that came of it."""
        self._held = (conversation_id, [])
        try:
            yield
        finally:
            held, self._held = self._held[1], None
            for event in held:
                self._queue(event)

    def _queue(self, frame: bytes) -> None:
        if self._gone:
            return
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        if self._sending is None:
            self._sending = loop.begin(self._send_all())
        elif self._waiting_bytes > BACKLOG_LIMIT:
            self._waiting.clear()
            self._spawn(self.turn_away(Close.TOO_SLOW))
            self._gone = True

    async def _send_all(self) -> None:
        try:
            while self._waiting and not self._gone:
                frame = self._waiting.popleft()
                self._waiting_bytes -= len(frame)
                await self.base_send({"type": "websocket.send", "text": frame.decode()})
        except Exception:
            self._gone = True  # the client hung up between two frames; `disconnect` follows
        finally:
            self._sending = None

    async def _may_still_read(self, conversation_id: str) -> None:
        """Leaves a conversation that this person may read no longer. Where nobody can say, the next frame or look asks again."""
        try:
            await access.aconversation_for(self.principal.membership, conversation_id)
        except people.NotFound:
            await self._lose(conversation_id)
        except (*mongo.AWAY, DatabaseError):
            self.reset(conversation_id)

    async def _lose(self, conversation_id: str) -> None:
        if self._part(conversation_id):
            await self._refuse(None, "not_found", "This conversation is no longer there.")

    def reset(self, conversation_id: str) -> None:
        self._own[conversation_id] = (None, time.monotonic())
        self._spawn(self._reset(conversation_id))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reset(self, conversation_id: str) -> None:
        """Starts a conversation again from a snapshot; asks until both stores are there."""
        while not self._gone and (listener := self._listeners.get(conversation_id)) is not None:
            try:
                conversation = await access.aconversation_for(self.principal.membership, conversation_id)
                snapshot = await selectors.snapshot(conversation, strand=self._strands[conversation_id])
            except people.NotFound:
                await self._lose(conversation_id)
                return
            except (*mongo.AWAY, DatabaseError):
                snapshot = None
            if snapshot is not None and snapshot.n:
                if self._held is not None and self._held[0] == conversation_id:
                    self._held[1].clear()
                await self._say({"reset": conversation_id, "n": snapshot.n, "snapshot": snapshot.as_json()})
                listener.resume(after=snapshot.n)
                return
            await asyncio.sleep(RESET_AGAIN_SECONDS)
