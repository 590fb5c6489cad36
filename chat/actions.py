"""What a button of a message may do: a closed list. Each leads to a page of ours; none leads outside, and none does anything by itself.

The page shows a button whose action is here as a link, and any other as plain words.
"""

from urllib.parse import quote

from django.db.models import TextChoices
from django.urls import reverse

PLACE = "{}"  # where a button's argument goes in an address


class Action(TextChoices):
    OPEN_CONTEXT = "open_context", "What the AI is told; `argument` is the id of an employee, to begin there"
    ASK = "ask", "The question in `argument`, put into the field to be sent or changed"
    SEARCH = "search", "The search, for `argument`"
    NEW_CONSULTATION = "new_consultation", "The page where a consultation starts"
    OAUTH_GOOGLE = "oauth_google", "The page where Google is connected; `argument` is `google_analytics` or `google_ads`"
    OAUTH_META = "oauth_meta", "The page where Meta is connected; `argument` is `meta_ads`"


def addresses(slug: str, conversation_id: object) -> dict[str, str]:
    """Where each action leads from this conversation, by its name; `{}` stands for the argument, percent-encoded."""
    one = (slug, conversation_id)
    connections = f"{reverse('chat:connections', args=[slug])}?platform={PLACE}"
    return {
        Action.OPEN_CONTEXT.value: f"{reverse('chat:context', args=one)}#e-{PLACE}",
        Action.ASK.value: f"{reverse('chat:conversation', args=one)}?ask={PLACE}",
        Action.SEARCH.value: f"{reverse('chat:search', args=[slug])}?q={PLACE}",
        Action.NEW_CONSULTATION.value: reverse("chat:start", args=[slug]),
        Action.OAUTH_GOOGLE.value: connections,
        Action.OAUTH_META.value: connections,
    }


def address(button: dict[str, str], known: dict[str, str]) -> str | None:
    """Where a button leads; None for an action that is not known. The page's script says the same (`parts.js`)."""
    pattern = known.get(button["action"])
    return pattern and pattern.replace(PLACE, quote(button.get("argument", ""), safe=""))
