"""What templates need to show a thing and Django does not bring: moments from JSON, initials, dressed form fields."""

import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms, template
from django.forms import BoundField
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString, mark_safe

from chat import actions, devices, parts
from chat import markdown as rendering
from chat.choices import ConsultationType, Kind, MessageRole, MessageStatus
from integrations.choices import ChangeType
from tenants.models import Membership

register = template.Library()

_CHECKS = (forms.CheckboxInput,)
_PLAIN = (forms.CheckboxInput, forms.CheckboxSelectMultiple, forms.RadioSelect)


@register.filter
def moment(value: str | datetime | None) -> datetime | None:
    """The aware datetime that an ISO 8601 text of a JSON view means; None where there is none."""
    if value is None or isinstance(value, datetime):
        return value
    return parse_datetime(value)


@register.filter
def initials(name: str) -> str:
    """Up to two letters that stand for a person's or an organization's name."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper() or "·"


@register.filter
def is_check(field: BoundField) -> bool:
    return isinstance(field.field.widget, _CHECKS)


@register.filter
def dressed(field: BoundField) -> SafeString:
    """The field's widget with the stylesheet's class; Django itself adds aria-invalid and aria-describedby."""
    widget = field.field.widget
    attributes: dict[str, Any] = {}
    if isinstance(widget, forms.CheckboxInput):
        attributes["class"] = "check"
    elif isinstance(widget, forms.Select):
        attributes["class"] = "select"
    elif not isinstance(widget, _PLAIN):
        attributes["class"] = "input"
    attributes["placeholder"] = ""
    return field.as_widget(attrs=attributes)


@register.filter
def markdown(text: str) -> SafeString:
    """A message's text as HTML that passed the allow-list."""
    return mark_safe(rendering.render(text))


@register.filter
def author(message: dict[str, Any], membership: Membership) -> str:
    """Who wrote it, as this member reads it. The page's script says the same (`thread.js`)."""
    if message["role"] != MessageRole.USER:
        return "Parley"
    writer = message["author"] or {}
    return "You" if writer.get("id") == str(membership.user_id) else writer.get("name") or "Someone"


@register.filter
def replied_author(replied: dict[str, Any] | None) -> str:
    """Who said what a question replies to. The page's script says the same (`replies.js`)."""
    if not replied:
        return ""
    return "Parley" if replied["role"] != MessageRole.USER else replied["author"] or "Someone"


@register.filter
def state(message: dict[str, Any]) -> str:
    """What there is to say about a message that did not end well. The page's script says the same (`thread.js`)."""
    problem = (message["error"] or {}).get("detail")
    if message["status"] == MessageStatus.ERROR:
        return problem or "The answer failed. Try again."
    if message["status"] == MessageStatus.INTERRUPTED:
        return problem or "The answer was interrupted. What was written is kept; try again for a whole one."
    if message["status"] == MessageStatus.CANCELLED:
        return "Stopped."
    return ""


@register.filter
def facts(message: dict[str, Any]) -> str:
    """Model, tokens and cost of an answer, as far as they are known, and whether it was given before. The page's script says the same
    (`thread.js`)."""
    said = [message["model"]] if message["model"] else []
    if message["reused_from"]:
        ago = datetime.fromisoformat(message["created_at"]) - datetime.fromisoformat(message["reused_from"])
        minutes = max(1, round(ago.total_seconds() / 60))
        said.insert(0, f"From an earlier answer, {minutes} {'minute' if minutes == 1 else 'minutes'} before")
    if message["usage"]:
        tokens = (message["usage"]["input_tokens"] or 0) + (message["usage"]["output_tokens"] or 0)
        cost = message["usage"]["cost"]
        said.append(f"{tokens:,} tokens")
        said.append("cost unknown" if cost is None else _dollars(Decimal(cost)))
    return " · ".join(said)


@register.filter
def said_left(limit: dict[str, Any]) -> str:
    """How many messages somebody may still send. The page's script says the same (`composer.js`)."""
    when = "today" if limit["window"] == "day" else f"this {limit['window']}"
    return f"{limit['left']} of {limit['of']:,} messages left {when}"


@register.filter
def rating(feedback: dict[str, Any] | None) -> str:
    """What opens the stars: how many were given, if any. The page's script says the same (`feedback.js`)."""
    stars = (feedback or {}).get("rating")
    return f"Rated {stars} of 5" if stars else "Rate"


@register.filter
def average(rating: float | None) -> str:
    """How a conversation's answers were rated. The page's script says the same (`conversation.js`)."""
    return "" if rating is None else f"Rated {rating:.1f} of 5"


@register.filter
def source_name(source: str, names: dict[str, str]) -> str:
    """What an answer rests on, by name where it is a record of somebody the reader may see. `thread.js` says the same."""
    kind, _, key = source.partition(":")
    if kind != "employee":
        return source
    return f"{names[key]}’s record" if key in names else "The record of an employee"


@register.filter
def browser(user_agent: str) -> str:
    """Firefox on Linux, as far as a browser's own words say."""
    return devices.device_of(user_agent).words


@register.filter
def people_named(message: dict[str, Any], names: dict[str, str]) -> list[dict[str, Any]]:
    """Whom an answer names, as far as the reader may see them; under the name they have now. `analysis.js` does the same."""
    return [{**one, "name": names[one["id"]]} for one in message.get("referenced_employees") or () if one["id"] in names]


@register.filter
def figure(value: Any) -> str:
    """A number as short as it is, and text as it is. `analysis.js` says the same."""
    return f"{round(value, 2):,}".removesuffix(".0") if isinstance(value, int | float) else str(value)


@register.filter
def told(employee: dict[str, Any]) -> list[tuple[str, str]]:
    """What a model is told of an employee, in lines."""

    def figures(values: dict[str, Any]) -> str:
        return ", ".join(f"{name} {figure(value)}" for name, value in values.items())

    return [
        ("Position", ", ".join(filter(None, (employee["job_title"], employee["department"])))),
        ("Personality", ", ".join(employee["traits"])),
        ("Behavior", ", ".join(employee["patterns"])),
        ("Strengths", ", ".join(employee["strengths"])),
        ("To develop", ", ".join(employee["development_areas"])),
        ("Training needs", ", ".join(employee["training_needs"])),
        ("Compatibility", figures(employee["compatibility"])),
        ("Performance", figures(employee["performance"])),
        ("Astrology", figures(employee["signs"])),
    ]


@register.filter
def notes(memory: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The lists of a memory that hold something."""
    lists = (
        ("Key points", memory["key_points"]),
        ("Decisions", memory["decisions"]),
        ("To follow up", memory["follow_up_items"]),
        ("Asked before", memory["previous_queries"]),
    )
    return [(label, list(texts)) for label, texts in lists if texts]


@register.filter
def file_facts(file: dict[str, Any]) -> str:
    """What sort of file it is, and its size. The page's script says the same (`files.js`)."""
    return f"{file['name'].rpartition('.')[2].upper()}, {_size(file['size'])}"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size > 999_000 else f"{math.ceil(size / 1000)} KB"


@register.filter
def are_whole(held: list[parts.Part]) -> bool:
    """Whether a message's parts stand in the place of its text. The page's script says the same (`parts.js`)."""
    return parts.are_whole(held)


@register.filter
def leads_to(button: dict[str, str], known: dict[str, str]) -> str | None:
    """Where a part's button leads; None where it is to be plain words: in a shared copy, and for an action that is not known."""
    return actions.address(button, known) if known else None


@register.filter
def is_number(cell: Any) -> bool:
    return isinstance(cell, int | float)


@register.filter
def cell_text(cell: Any) -> str:
    """A number with its thousands apart and two places at most; `parts.js` writes the same."""
    return f"{round(cell, 2):,}".removesuffix(".0") if is_number(cell) else cell


@register.filter
def as_json(value: Any) -> str:
    """JSON for a data attribute; the template escapes it."""
    return json.dumps(value, ensure_ascii=False)


def _dollars(amount: Decimal) -> str:
    return f"${amount:.4f}" if amount else "no cost"


@register.filter
def short_title(conversation: dict[str, Any]) -> str:
    """The title, without the sort of conversation that made titles begin with and that stands beside it anyway."""
    return str(conversation["title"]).removeprefix(f"{sort(conversation)}: ")


@register.filter
def sort(conversation: dict[str, Any]) -> str:
    """What sort of conversation it is: the consultation's type, or else its kind."""
    if conversation["type"]:
        return str(ConsultationType(conversation["type"]).label)
    return str(Kind(conversation["kind"]).label)


@register.filter
def words(name: str) -> str:
    """A field's name as people read it."""
    return name.replace("_", " ").capitalize()


@register.filter
def as_shown(value: Any) -> str:
    """A value as a diff shows it: texts as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def plain(amount: Decimal) -> str:
    """An amount to its last digit, without an exponent."""
    return f"{amount.normalize():f}"


@register.filter
def change_words(what: str) -> str:
    """What somebody did to a bridge, as the end of a sentence."""
    return ChangeType(what).label.lower()
