"""What analytics keeps of a person who was erased says nothing of them any more (D9): it counts, for the empty shell that their account is.

Numbers stay, and the shell's id, without which people could not be told apart in a day that is counted again. Devices, addresses, names
and words go, in the logs, in the tables and in archived months. Done twice it is the same.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pymongo
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from analytics.documents import AiChatSession, DashboardInteraction, NotificationInteracted, ReportAccessed, UserActivity
from analytics.models import AiChatAnalytics, ArchivedMonth
from config import mongo
from tenants import scoping
from tenants.choices import FORMER_MEMBER
from tenants.scoping import TenantDocument
from tenants.services import erasure

SECONDS = 60  # that a look over all that a person did may take
LOOKS_BACK = timedelta(days=2)  # to people whose erasing a broken run may not have finished

A, S, R = mongo.names(UserActivity), mongo.names(AiChatSession), mongo.names(ReportAccessed)
W, N = mongo.names(DashboardInteraction), mongo.names(NotificationInteracted)

# Of each log: whose it is, and what is taken away.
_TAKEN: tuple[tuple[type[TenantDocument], str, tuple[str, ...]], ...] = (
    (
        UserActivity,
        A.user_id,
        (A.device_info, A.geolocation, f"{A.event_metadata}.customData", f"{A.event_metadata}.errorMessage", A.client_id),
    ),
    (DashboardInteraction, W.user_id, (f"{W.interaction_data}.previousState", f"{W.interaction_data}.newState", W.client_id)),
    (ReportAccessed, f"{R.accessed_by}.userId", (R.device_info, R.geolocation)),
    (AiChatSession, S.user_id, (f"{S.satisfaction_feedback}.feedbackText",)),
    (NotificationInteracted, N.user_id, (N.notification_content, N.client_id)),
)


def erase_recent(*, now: datetime) -> int:
    """Does so with everybody who was erased within `LOOKS_BACK`; how many those are. Raises what the stores raise when they are away."""
    found = erasure.erased_since(now - LOOKS_BACK)
    for user_id in found:
        erase(user_id)
    return len(found)


def erase(user_id: str) -> None:
    for organization_id in erasure.organizations_of(user_id):
        with pymongo.timeout(SECONDS):
            for document, whose, taken in _TAKEN:
                mine = {"organizationId": organization_id, whose: user_id}
                mongo.collection(document).update_many(mine, {"$unset": dict.fromkeys(taken, "")})
            named = {"organizationId": organization_id, f"{R.accessed_by}.userId": user_id}
            mongo.collection(ReportAccessed).update_many(named, {"$set": {f"{R.accessed_by}.userName": FORMER_MEMBER}})
        with scoping.tenant(organization_id):
            AiChatAnalytics.objects.for_tenant(organization_id).filter(user_id=user_id).update(feedback_text=None)
            for archived in ArchivedMonth.objects.for_tenant(organization_id).filter(table=AiChatAnalytics._meta.db_table):
                _empty_file(archived, user_id)


def _empty_file(archived: ArchivedMonth, user_id: str) -> None:
    """Writes the file anew without what the person said, points to that, and removes the old one."""
    with default_storage.open(archived.path, "rb") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in gzip.decompress(file.read()).splitlines()]
    if not any(row["user_id"] == user_id and row["feedback_text"] for row in rows):
        return
    content = gzip.compress(b"\n".join(_lines(rows, user_id)), mtime=0)
    old, archived.path = archived.path, default_storage.save(archived.path, ContentFile(content))
    archived.sha256, archived.bytes = hashlib.sha256(content).hexdigest(), len(content)
    archived.save(update_fields=["path", "sha256", "bytes"])
    default_storage.delete(old)


def _lines(rows: Iterable[dict[str, Any]], user_id: str) -> Iterable[bytes]:
    for row in rows:
        yield json.dumps(row | ({"feedback_text": None} if row["user_id"] == user_id else {})).encode()
