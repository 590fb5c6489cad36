"""Makes the ledger whole: the calls that answers took are kept with them, and those the ledger lacks are written into it again.

The ledger is written beside the answers, without their waiting for it (integrations/services/ledger.py): a worker that dies with calls
unwritten leaves them to this.
"""

from datetime import datetime
from typing import Any

from chat.choices import MessageStatus
from chat.documents import Message
from config import mongo
from integrations.services import ledger
from tenants.scoping import ACROSS_COMMENT

M = mongo.names(Message)

AT_ONCE = 1_000
ENDS = (MessageStatus.SENT, MessageStatus.ERROR, MessageStatus.CANCELLED, MessageStatus.INTERRUPTED)
WHY_ACROSS = ACROSS_COMMENT + "the ledger of all organizations is compared with their answers"


def restore_ledger(*, since: datetime) -> int:
    """Writes the calls of all answers asked for since then, those that are there already staying as they are. Returns how many it saw."""
    found = mongo.collection(Message).find(
        {M.status: {"$in": [status.value for status in ENDS]}, M.created_at: {"$gte": since}, M.calls: {"$exists": True, "$ne": []}},
        {M.calls: 1},
        comment=WHY_ACROSS,
        batch_size=AT_ONCE,
    )
    seen, waiting = 0, list[dict[str, Any]]()
    for raw in found:
        waiting += raw[M.calls]
        if len(waiting) >= AT_ONCE:
            ledger.restore(waiting)
            seen, waiting = seen + len(waiting), []
    ledger.restore(waiting)
    return seen + len(waiting)
