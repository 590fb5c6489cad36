"""The days that a list of conversations is grouped by. The page's script says the same in the reader's own zone (`inbox.js`)."""

from datetime import UTC, date, datetime, time, timedelta

PINNED = "Pinned"


def group_of(moment: datetime, *, pinned: bool, now: datetime) -> str:
    """What a conversation that was last spoken in at this moment stands under: days are those of UTC."""
    if pinned:
        return PINNED
    day, today = moment.astimezone(UTC).date(), now.astimezone(UTC).date()
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    if day >= today - timedelta(days=7):
        return "Previous 7 days"
    return f"{day:%B %Y}"


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
