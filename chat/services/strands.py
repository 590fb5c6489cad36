"""Which strand of a conversation a person looks at, and strands that a crash left unknown."""

from pymongo import ReturnDocument

from chat.documents import Conversation, Message
from chat.records import ConversationRecord
from chat.services import errors
from chat.strands import FIRST, Strand
from config import loop, mongo
from tenants.models import Membership

C, M = mongo.names(Conversation), mongo.names(Message)


async def ashow(membership: Membership, conversation: ConversationRecord, *, strand: int) -> None:
    """Remembers the strand that this person looks at. The conversation came through the door. Raises `UnknownStrand`."""
    if not conversation.has_strand(strand):
        raise errors.UnknownStrand
    if conversation.shown_to(membership.user_id) != strand:
        await mongo.async_collection(Conversation, journaled=False).update_one(
            _one(conversation), {"$set": {f"{C.shown}.{membership.user_id}": strand}}
        )


def show(membership: Membership, conversation: ConversationRecord, *, strand: int) -> None:
    loop.run(ashow(membership, conversation, strand=strand))


async def mend(conversation: ConversationRecord, number: int) -> ConversationRecord:
    """Makes a strand known of which only the messages were saved. Returns the conversation as it is then."""
    messages = mongo.async_collection(Message)
    here = {M.organization_id: conversation.organization_id, M.conversation_id: conversation.id}
    question = await messages.find_one({**here, M.seq: number}, {M.edits: 1})
    assert question is not None  # written before anything else of its strand
    edited = await messages.find_one({**here, M.seq: question[M.edits]}, {M.strand: 1})
    assert edited is not None
    begun = Strand(number=number, parent=edited.get(M.strand, FIRST), edits=question[M.edits])
    raw = await mongo.async_collection(Conversation).find_one_and_update(
        _one(conversation), {"$addToSet": {C.strands: begun.as_json()}}, return_document=ReturnDocument.AFTER
    )
    return ConversationRecord.read(raw)


def _one(conversation: ConversationRecord) -> dict[str, str]:
    return {C.organization_id: conversation.organization_id, C.conversation_id: conversation.id}
