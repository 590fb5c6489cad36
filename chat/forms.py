"""What the pages' forms take. They only parse: whether a thing may be done is the services' to say."""

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core import signing
from django.core.files.uploadedfile import UploadedFile
from rest_framework.exceptions import ParseError

from chat.choices import Audience, ConsultationType, ConversationStatus, ExportFormat
from chat.parts import VALUE_LIMIT
from chat.search import QUERY_LIMIT
from chat.selectors import InboxCursor
from chat.serializers import PAGE_PATH, PAGE_PATH_LIMIT, ConversationFile
from chat.services.attachments import FILES_LIMIT
from chat.services.conversations import SUBJECT_RULES, TITLE_LIMIT
from chat.services.errors import TooManyFiles, UnknownReply
from chat.services.feedback import COMMENT_LIMIT
from chat.services.search import SearchCursor, cursor_from
from config import json
from tenants.choices import Role

CLIENT_ID_LIMIT = 100
READERS_LIMIT = 100

_LINES = {
    ConsultationType.EMPLOYEE_SPECIFIC: "Strengths, needs and what moves somebody.",
    ConsultationType.TEAM_COMPATIBILITY: "How several people fit together, and where they rub.",
    ConsultationType.ONE_TO_ONE: "What to raise in your next talk with someone, and how.",
    ConsultationType.PROMOTION_READINESS: "Whether someone is ready for more, and what is missing.",
    ConsultationType.TEAM_FORMATION: "Who should work on it together, and in which parts.",
    ConsultationType.CONFLICT_RESOLUTION: "What lies behind a dispute, and a way out of it.",
    ConsultationType.PERFORMANCE_OPTIMIZATION: "What holds results back, and what to change first.",
    ConsultationType.TRAINING_GUIDANCE: "Which skills to build next, and in which order.",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A type of consultation as the form offers it."""

    value: str
    label: str
    line: str
    least: int
    most: int

    @property
    def count(self) -> str:
        """How many people it is about, in words."""
        if self.least == self.most:
            return "one person" if self.most == 1 else f"{self.most} people"
        return f"{self.least} to {self.most} people"


CHOICES = tuple(
    Choice(
        value=type.value,
        label=type.label,
        line=_LINES[type],
        least=SUBJECT_RULES[type].least,
        most=SUBJECT_RULES[type].most,
    )
    for type in ConsultationType
)


def write_cursor(cursor: InboxCursor) -> str:
    return f"{round(cursor.last_message_at.timestamp() * 1000)}.{cursor.conversation_id}"


_SEARCH_CURSOR = signing.Signer(salt="cursor of the search page")


def write_search_cursor(cursor: SearchCursor) -> str:
    return _SEARCH_CURSOR.sign_object(cursor.spelled(), compress=True)


def new_client_id() -> str:
    """What makes a form that is sent twice count once."""
    return str(uuid.uuid4())


class QuestionForm(forms.Form):
    """A question in a conversation."""

    text = forms.CharField(
        max_length=settings.TEXT_LIMIT,
        strip=False,
        error_messages={
            "required": "The message is empty. Write something first.",
            "max_length": "The message is too long. %(limit_value)d characters are the most.",
        },
    )
    client_id = forms.CharField(max_length=CLIENT_ID_LIMIT)

    def clean_text(self) -> str:
        """Forms send CRLF, sockets LF: the same text under the same `client_id` must be the same."""
        text: str = self.cleaned_data["text"].replace("\r\n", "\n")
        if not text.strip():
            raise forms.ValidationError(self.fields["text"].error_messages["required"])
        return text


class ManyFiles(forms.FileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files of one field; Django's own takes the last of them."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        return [super(FilesField, self).clean(file) for file in data or ()]


class AskForm(QuestionForm):
    """A question in a conversation with the files that a browser sends along. What is wrong with a file is the service's to say."""

    files = FilesField(required=False, allow_empty_file=True)  # type: ignore[assignment]  # the class gives its fields away

    def clean_files(self) -> list[UploadedFile]:
        files: list[UploadedFile] = self.cleaned_data["files"]
        if len(files) > FILES_LIMIT:
            raise forms.ValidationError(TooManyFiles(limit=FILES_LIMIT).sentence)
        return files


class NextForm(AskForm):
    """A question in a conversation, at the end of a strand."""

    strand = forms.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    reply_to = forms.UUIDField(required=False, error_messages={"invalid": UnknownReply.sentence})


class StrandForm(forms.Form):
    strand = forms.IntegerField(min_value=0, max_value=2**31 - 1)


class StartForm(AskForm):
    """A new consultation with its first question."""

    type = forms.ChoiceField(choices=ConsultationType.choices, error_messages={"required": "Choose what the consultation is about."})
    employees = forms.TypedMultipleChoiceField(coerce=str, required=False)
    title = forms.CharField(max_length=TITLE_LIMIT, required=False)
    opened_from = forms.CharField(required=False)

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        # Whom this member may choose says the service; the form would have to load them all to know.
        self.fields["employees"].valid_value = lambda value: True  # type: ignore[attr-defined]

    @property
    def chosen(self) -> list[str]:
        """The employees chosen so far, whether or not the form is complete."""
        return list(self["employees"].value() or [])

    def clean_opened_from(self) -> str:
        """Nobody wrote it, so nobody is told that it is wrong."""
        path = self.cleaned_data["opened_from"]
        return path if len(path) <= PAGE_PATH_LIMIT and re.match(PAGE_PATH, path) else ""


class FeedbackForm(forms.Form):
    """What somebody says of an answer: a thumb, or the panel's stars and comment. An empty value takes it away."""

    helpful = forms.TypedChoiceField(
        choices=[("true", "Helpful"), ("false", "Not helpful")], coerce=lambda value: value == "true", empty_value=None, required=False
    )
    rating = forms.IntegerField(min_value=1, max_value=5, required=False)
    comment = forms.CharField(max_length=COMMENT_LIMIT, required=False)

    @property
    def given(self) -> dict[str, Any]:
        """What was posted, of a form that is valid: what it did not have stays as it is."""
        return {name: value for name, value in self.cleaned_data.items() if name in self.data}

    def clean_comment(self) -> str | None:
        return self.cleaned_data["comment"].replace("\r\n", "\n") or None


class TitleForm(forms.Form):
    title = forms.CharField(max_length=TITLE_LIMIT, error_messages={"required": "A title cannot be empty."})


class ReadersForm(forms.Form):
    """Who besides its starter may read a conversation."""

    roles = forms.MultipleChoiceField(
        choices=[(role.value, role.label) for role in Role if role != Role.GUEST], required=False, widget=forms.CheckboxSelectMultiple
    )
    emails = forms.CharField(max_length=READERS_LIMIT * 255, required=False, widget=forms.Textarea)

    def clean_emails(self) -> list[str]:
        """Addresses, between commas, semicolons or lines."""
        found = [email for email in re.split(r"[\s,;]+", self.cleaned_data["emails"].lower()) if email]
        if len(found) > READERS_LIMIT:
            raise forms.ValidationError(f"Name {READERS_LIMIT} people at most, or choose a role.")
        return found


class PinForm(forms.Form):
    on = forms.BooleanField(required=False)


class ImportForm(forms.Form):
    """An exported file. Cleaned, it is what the file says, and `client_id` names this file from this form."""

    file = forms.FileField(error_messages={"required": "Choose a file first.", "empty": "This file is empty. Choose another one."})
    client_id = forms.CharField(max_length=CLIENT_ID_LIMIT)

    def clean(self) -> dict[str, Any]:
        file, client_id = self.cleaned_data.get("file"), self.cleaned_data.get("client_id", "")
        if file is None:
            return self.cleaned_data
        if file.size > json.FILE_LIMIT:
            raise forms.ValidationError(f"This file is larger than {json.FILE_LIMIT:,} bytes. Choose a smaller one.")
        body = file.read()
        try:
            found = ConversationFile(data=json.loads(body))
        except ParseError as error:
            raise forms.ValidationError("This is no exported JSON file. Download one from a consultation's menu.") from error
        if not found.is_valid():
            raise forms.ValidationError(f"This file was not imported, since a field of it is wrong. {_first(found.errors)}")
        digest = hashlib.sha256(body).hexdigest()
        return {**found.validated_data, "client_id": f"{client_id}:{digest}"}


def _first(problems: Any) -> str:
    """The first of a file's problems, with the path of the field it is about."""
    path = []
    while isinstance(problems, dict | list):
        name, problems = next(iter(problems.items())) if isinstance(problems, dict) else ("", problems[0])
        path.append(str(name))
    return f"{'.'.join(filter(None, path))}: {problems}"


class ShareForm(forms.Form):
    """A new link to a copy of a conversation."""

    audience = forms.ChoiceField(choices=Audience.choices)
    days = forms.TypedChoiceField(choices=[(1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days")], coerce=int, initial=7)


class ExportForm(forms.Form):
    format = forms.ChoiceField(choices=ExportFormat.choices)


class FilterForm(forms.Form):
    """Which consultations the list shows."""

    q = forms.CharField(max_length=200, required=False)
    status = forms.ChoiceField(
        choices=ConversationStatus.choices,
        required=False,
    )
    type = forms.ChoiceField(choices=[("", "Every type"), *ConsultationType.choices], required=False)
    pinned = forms.BooleanField(required=False)
    about = forms.CharField(max_length=100, required=False)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    cursor = forms.CharField(max_length=60, required=False)

    def clean_cursor(self) -> InboxCursor | None:
        """A place in the list, as `write_cursor` wrote it."""
        value = self.cleaned_data["cursor"]
        if not value:
            return None
        milliseconds, _, conversation_id = value.partition(".")
        try:
            moment = datetime.fromtimestamp(int(milliseconds) / 1000, tz=UTC)
            return InboxCursor(moment, str(uuid.UUID(conversation_id)))
        except (ValueError, OverflowError, OSError):
            raise forms.ValidationError("This place is not one of the list's. Start again from its top.") from None


class PlaceForm(forms.Form):
    """Which messages of a conversation are shown: those before a place, or those around one; of which strand. A button's
    `ask` is put into the field for the next question, which replies to `reply_to`."""

    before = forms.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    around = forms.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    strand = forms.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    ask = forms.CharField(max_length=VALUE_LIMIT, required=False)
    reply_to = forms.UUIDField(required=False)


class SearchForm(forms.Form):
    q = forms.CharField(
        max_length=QUERY_LIMIT,
        required=False,
        error_messages={"max_length": "The search is too long. %(limit_value)d characters are the most."},
    )
    cursor = forms.CharField(max_length=1_000, required=False)
    # The list's filters, where the search goes on from it.
    type = forms.ChoiceField(choices=ConsultationType.choices, required=False)
    status = forms.ChoiceField(choices=[(status.value, status.label) for status in ConversationStatus], required=False)
    pinned = forms.BooleanField(required=False)
    about = forms.CharField(max_length=100, required=False)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)

    @property
    def query(self) -> str:
        """The words, and the list's filters as operators, as far as they are understood and the words do not say them themselves."""
        asked, words = self.cleaned_data, self.cleaned_data.get("q", "")
        about = " ".join(asked.get("about", "").replace('"', " ").split())
        last = asked.get("until")
        operators = {
            "type": asked.get("type"),
            "status": asked.get("status", "").removeprefix(ConversationStatus.ACTIVE),
            "pinned": "yes" if asked.get("pinned") else "",
            "about": about and f'"{about}"',
            "after": asked.get("since"),
            "before": last and last + timedelta(days=1),
        }
        return " ".join([words, *(f"{name}:{value}" for name, value in operators.items() if value and f"{name}:" not in words)]).strip()

    def clean_cursor(self) -> SearchCursor | None:
        """A place among the results, as `write_search_cursor` wrote it."""
        value = self.cleaned_data["cursor"]
        if not value:
            return None
        try:
            return cursor_from(_SEARCH_CURSOR.unsign_object(value))
        except (signing.BadSignature, ValueError):
            raise forms.ValidationError("This place is not one of the results’. Search again.") from None


class FindForm(forms.Form):
    find = forms.CharField(max_length=100, required=False)


WORDS_LIMIT, WORD_LIMIT = 50, 200
SCORE_LIMIT = 100
FIGURE_NAME_LIMIT, FIGURE_LIMIT = 100, 1e15


class LinesField(forms.CharField):
    """A short list of short texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def __init__(self, **kwargs) -> None:
        super().__init__(required=False, max_length=WORDS_LIMIT * WORD_LIMIT, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, (list, tuple)) else value

    def clean(self, value: Any) -> list[str]:
        lines = [line for line in (" ".join(line.split()) for line in super().clean(value).splitlines()) if line]
        if len(lines) > WORDS_LIMIT or any(len(line) > WORD_LIMIT for line in lines):
            raise forms.ValidationError(f"Write at most {WORDS_LIMIT} lines of up to {WORD_LIMIT} characters.")
        return lines


class FiguresField(forms.CharField):
    """Names and figures, one a line: `goals reached: 92`."""

    widget = forms.Textarea(attrs={"rows": 3})

    def __init__(self, **kwargs) -> None:
        super().__init__(required=False, max_length=WORDS_LIMIT * WORD_LIMIT, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{name}: {figure}" for name, figure in value.items()) if isinstance(value, dict) else value

    def clean(self, value: Any) -> dict[str, float]:
        found = dict[str, float]()
        for line in filter(str.strip, super().clean(value).splitlines()):
            name, _, figure = (part.strip() for part in line.rpartition(":"))
            try:
                number = float(figure)
            except ValueError:
                number = FIGURE_LIMIT
            if not 0 < len(name) <= FIGURE_NAME_LIMIT or not abs(number) < FIGURE_LIMIT:
                raise forms.ValidationError(
                    f"Write a name, a colon and a figure on each line: goals reached: 92. This is none: {line[:100]}"
                )
            found[name] = int(number) if number.is_integer() else number
        if len(found) > WORDS_LIMIT:
            raise forms.ValidationError(f"Write at most {WORDS_LIMIT} lines.")
        return found


def _score(label: str) -> forms.DecimalField:
    return forms.DecimalField(label=label, required=False, min_value=0, max_value=SCORE_LIMIT, max_digits=5, decimal_places=2)


class CorrectForm(forms.Form):
    """What a model is told of an employee, to be corrected in the employee's record; the names are the record's."""

    job_title = forms.CharField(max_length=200, required=False)
    personality_traits = LinesField(label="Personality")
    behavioral_patterns = LinesField(label="Behavior")
    strengths = LinesField()
    development_areas = LinesField(label="To develop")
    training_needs = LinesField()
    performance_indicators = FiguresField(label="Performance")
    compatibility_job_role = _score("Compatibility with the job role, 0 to 100")
    compatibility_department = _score("Compatibility with the department, 0 to 100")
    compatibility_company = _score("Compatibility with the company, 0 to 100")
    compatibility_industry = _score("Compatibility with the industry, 0 to 100")
