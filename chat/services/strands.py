"""Which strand of a conversation a person looks at, and strands that a crash left unknown."""

from pymongo import ReturnDocument

from chat import strands
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


async def reserve(conversation: ConversationRecord) -> bool:
    """Takes one of the strands that a conversation may still have; False where there is none left. Of many at once, no more than these get
    one. One that a crash left unused is lost."""
    left = {**_one(conversation), f"{C.strands}.{strands.MOST - 1}": {"$exists": False}, C.edit_count: {"$not": {"$gte": strands.MOST}}}
    counted = {"$ifNull": [f"${C.edit_count}", {"$size": {"$ifNull": [f"${C.strands}", []]}}]}
    taken = await mongo.async_collection(Conversation, journaled=False).update_one(left, [{"$set": {C.edit_count: {"$add": [counted, 1]}}}])
    return bool(taken.matched_count)


async def give_back(conversation: ConversationRecord) -> None:
    """It was not needed after all."""
    await mongo.async_collection(Conversation, journaled=False).update_one(_one(conversation), {"$inc": {C.edit_count: -1}})


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
