"""Forms of the settings: they turn what a page sends into what `integrations.services.settings` takes, which checks it.

JSON is written as JSON, lists one entry a line; variables and traits come in rows, of which empty ones are left out.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from django import forms
from django.core.exceptions import ValidationError

from integrations.choices import BridgeType, HttpMethod, Service
from integrations.drafts import TRAITS
from integrations.models import ApiCall, Bridge, Chatbot, ModelConfiguration, Template, Trial
from integrations.services import settings
from integrations.tools import OFFERED
from integrations.variables import VariableType
from tenants.models import Membership
from tenants.scoping import TenantModel

SPARE_ROWS = 2


class Json(forms.CharField):
    """A JSON object; nothing written is `empty`."""

    def __init__(self, *, empty: Any = None, rows: int = 6, **kwargs: Any) -> None:
        self.empty = empty
        super().__init__(
            required=False, strip=True, widget=forms.Textarea({"rows": rows, "class": "mono", "spellcheck": "false"}), **kwargs
        )

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if value not in (None, {}) else ""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return self.empty
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValidationError(f"This is not JSON: line {error.lineno}, column {error.colno}.") from error
        if not isinstance(found, dict):
            raise ValidationError("Write a JSON object, in braces.")
        return found


class Lines(forms.CharField):
    """A list, one entry a line."""

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea({"rows": rows}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or ())

    def clean(self, value: Any) -> Any:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]


class Number(forms.FloatField):
    """A number that may be left out; whole ones stay whole."""

    def __init__(self, *, step: str = "any", **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.NumberInput({"step": step}), **kwargs)

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return int(found) if found is not None and found.is_integer() else found


class SettingForm(forms.Form):
    """A form of one row. `save` gives the row, or None with the errors beside their fields."""

    model: type[TenantModel]
    template = "settings/_form.html"

    def __init__(self, data: Any, *, membership: Membership, row: Any = None) -> None:
        self.membership = membership
        self.row = row
        super().__init__(data, initial=self.initial_of(row) if row is not None else None)

    def initial_of(self, row: Any) -> dict[str, Any]:
        return settings.values_of(row)

    def values(self) -> dict[str, Any]:
        return dict(self.cleaned_data)

    def save(self, **also: Any) -> Any:
        if not self.is_valid():
            return None
        try:
            if self.row is None:
                return settings.create(self.model, self.membership, **self.values(), **also)
            return settings.change(self.row, self.membership, **self.values())
        except ValidationError as error:
            if self.row is not None:
                self.row.refresh_from_db()
            for name, sentences in error.message_dict.items():
                place = PLACES.get(name, name)
                for sentence in sentences:
                    self.add_error(place if place in self.fields else None, sentence)
        return None

    def rows_of(self, prefix: str, columns: Sequence[str], kept: Any) -> list[dict[str, Any]]:
        """Rows of a table in the form: what was sent, or what is kept, and some empty ones."""
        if self.is_bound:
            numbers = sorted(
                {int(part[1]) for name in self.data if (part := name.split("-"))[0] == prefix and part[1:2] and part[1].isdigit()}
            )[:60]
            return [{column: self.data.get(f"{prefix}-{number}-{column}", "") for column in columns} for number in numbers]
        return [{column: each.get(column, "") for column in columns} for each in kept or ()] + [
            dict.fromkeys(columns, "") for _ in range(SPARE_ROWS)
        ]


# Where a field is shown under another name than it has.
PLACES = {
    "configuration": "temperature",
    "config": "themeColor",
    "model": "model_name",
    "template": "template_id",
    "values": "values_json",
}
VARIABLE_COLUMNS = ("name", "type", "required", "default", "description")


class WithVariables(SettingForm):
    """A form with a table of variables."""

    types = VariableType.choices

    def variables(self) -> list[dict[str, Any]]:
        kept = settings.values_of(self.row)["variables"] if self.row is not None else ()
        found = self.rows_of("variable", VARIABLE_COLUMNS, kept)
        for row in found:
            row["optional"] = row["required"] in ("false", False)
            if not self.is_bound and row["default"] not in ("", None):
                row["default"] = _written(row["default"])
            row["default"] = row["default"] or ""
        return found

    def values(self) -> dict[str, Any]:
        return {**super().values(), "variables": [self._variable(row) for row in self.variables() if row["name"].strip()]}

    @staticmethod
    def _variable(row: dict[str, Any]) -> dict[str, Any]:
        kind = row["type"] or VariableType.TEXT.value
        found: dict[str, Any] = {"name": row["name"].strip(), "type": kind, "required": not row["optional"]}
        if row["default"]:
            found["default"] = _read(kind, row["default"])
        if row["description"]:
            found["description"] = row["description"]
        return found


class ParameterFields(forms.Form):
    """temperature, max_tokens and top_p as fields; other parameters stay as they are."""

    temperature = Number(label="Temperature", help_text="0 is steady, 2 is wild. Empty: the model's own.")
    max_tokens = Number(label="Longest answer", step="1", help_text="In tokens.")
    top_p = Number(label="Top p")


PARAMETERS = ("temperature", "max_tokens", "top_p")


class ModelForm(ParameterFields, SettingForm):
    model = ModelConfiguration
    name = forms.CharField(max_length=200, help_text="What people choose it by.")
    service = forms.ChoiceField(choices=Service.choices)
    model_name = forms.CharField(max_length=200, label="Model", help_text="Its name at the provider: gpt-4o-mini.")
    base_url = forms.CharField(
        max_length=500, required=False, label="Server", help_text="https://api.openai.com/v1. Empty: the platform's server and key."
    )
    key = forms.CharField(
        max_length=4_000,
        required=False,
        strip=True,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="It is never shown again, and goes to this server only: with another address it is dropped.",
    )
    drop_key = forms.BooleanField(required=False, label="Take the key away")
    takes_pictures = forms.BooleanField(required=False, label="It takes pictures")
    is_active = forms.BooleanField(required=False, initial=True, label="Active")
    field_order = ["name", "service", "model_name", "base_url", "key", "drop_key", *PARAMETERS, "takes_pictures", "is_active"]

    def initial_of(self, row: ModelConfiguration) -> dict[str, Any]:
        found = super().initial_of(row)
        return {**found, "model_name": row.model, **{name: row.configuration.get(name) for name in PARAMETERS}}

    def values(self) -> dict[str, Any]:
        found = super().values()
        found["model"] = found.pop("model_name")
        found["configuration"] = _parameters(found, self.row)
        key, drops = found.pop("key"), found.pop("drop_key")
        return {**found, "key": "" if drops else key or None}


class TemplateForm(WithVariables):
    model = Template
    template = "settings/_template_form.html"
    name = forms.CharField(max_length=200)
    text = forms.CharField(
        widget=forms.Textarea({"rows": 8}), strip=False, help_text="{{ name }} is replaced by the variable of that name."
    )


class ToolForm(SettingForm):
    model = ApiCall
    name = forms.CharField(max_length=64, help_text="What the model calls it by: find_order.")
    description = forms.CharField(widget=forms.Textarea({"rows": 3}), help_text="When to use it and what it gives. The model reads this.")
    method = forms.ChoiceField(choices=HttpMethod.choices)
    url = forms.CharField(
        max_length=2_000, label="Address", help_text="https://api.example.com/orders/{order_id}. Names in braces are arguments."
    )
    parameters = Json(empty={"type": "object"}, label="Arguments", help_text="A JSON schema of an object.", rows=8)
    headers = Json(empty={}, help_text='{"Accept": "application/json"}. Everybody who sees this tool sees these.', rows=3)
    secret_headers = Json(
        empty=None, help_text='{"Authorization": "Bearer …"}. Never shown again; with another server they are dropped.', rows=3
    )
    drop_secrets = forms.BooleanField(required=False, label="Take the secret headers away")
    is_active = forms.BooleanField(required=False, initial=True, label="Active")

    def initial_of(self, row: ApiCall) -> dict[str, Any]:
        return {name: value for name, value in super().initial_of(row).items() if name != "secret_headers"}

    def values(self) -> dict[str, Any]:
        found = super().values()
        return {**found, "secret_headers": {} if found.pop("drop_secrets") else found["secret_headers"]}


class BridgeForm(ParameterFields, WithVariables):
    model = Bridge
    template = "settings/_bridge_form.html"
    name = forms.CharField(max_length=200)
    slug = forms.CharField(max_length=63, help_text="What programs call it by. Lower-case letters, digits and hyphens.")
    bridge_type = forms.ChoiceField(choices=BridgeType.choices, label="For")
    system_prompt = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea({"rows": 10}),
        help_text="What the model is told first. {{ name }} is a variable.",
    )
    template_id = forms.ChoiceField(required=False, label="Template", help_text="What a question's variables are put into.")
    model_configuration = forms.ChoiceField(required=False, label="Model")
    fallbacks = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, help_text="Asked in turn where the model fails."
    )
    response_schema = Json(label="Schema of answers", help_text="A JSON schema. Empty: free text.")
    is_api_call = forms.BooleanField(required=False, label="The model may call tools")
    api_endpoints = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple, label="Tools")
    default_questions = Lines(label="Questions to begin with", help_text="One a line.")
    actions = Json(empty={}, help_text='Buttons that answers may name: {"open_order": {"label": "Open the order"}}.', rows=3)
    cache_seconds = forms.IntegerField(
        min_value=0,
        max_value=86_400,
        initial=3_600,
        label="Remember answers",
        help_text="Seconds for which the same question is answered from memory. 0: never.",
    )
    is_active = forms.BooleanField(required=False, initial=True, label="Active")

    def __init__(self, data: Any, *, membership: Membership, row: Any = None) -> None:
        super().__init__(data, membership=membership, row=row)
        organization = membership.organization_id
        kept = [(str(each.pk), each.name) for each in ModelConfiguration.objects.for_tenant(organization).filter(is_active=True)]
        choices: Any = self.fields
        choices["model_configuration"].choices = [("", "The platform's model"), *kept]
        choices["fallbacks"].choices = kept
        choices["template_id"].choices = [("", "None"), *((str(each.pk), each.name) for each in Template.objects.for_tenant(organization))]
        tools = [each.name for each in ApiCall.objects.for_tenant(organization).filter(is_active=True)]
        choices["api_endpoints"].choices = [(name, name) for name in dict.fromkeys([*tools, *OFFERED])]

    def initial_of(self, row: Bridge) -> dict[str, Any]:
        found = super().initial_of(row)
        return {**found, "template_id": found["template"], **{name: row.configuration.get(name) for name in PARAMETERS}}

    def values(self) -> dict[str, Any]:
        found = super().values()
        found["template"] = found.pop("template_id") or None
        found["model_configuration"] = found["model_configuration"] or None
        return {**found, "configuration": _parameters(found, self.row)}


class ChatbotForm(SettingForm):
    model = Chatbot
    template = "settings/_chatbot_form.html"
    title = forms.CharField(max_length=200)
    buttonName = forms.CharField(max_length=40, initial="Ask us", label="Words on the button")
    themeColor = forms.CharField(max_length=7, initial="#0c685f", label="Colour", widget=forms.TextInput({"type": "color"}))
    type = forms.ChoiceField(choices=[("popup", "Opens from a button"), ("embedded", "Stands in the page")], label="Place")
    width = Number(initial=380, step="1")
    widthUnit = forms.ChoiceField(choices=[("px", "px"), ("%", "%")], label="Unit of the width")
    height = Number(initial=560, step="1")
    heightUnit = forms.ChoiceField(choices=[("px", "px"), ("%", "%")], label="Unit of the height")
    bridge = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label="Bridges", help_text="The first one answers."
    )
    allowed_origins = Lines(label="Where it may stand", help_text="One origin a line: https://www.example.com.")
    is_active = forms.BooleanField(required=False, initial=True, label="Active")
    APPEARANCE = ("buttonName", "themeColor", "type", "width", "widthUnit", "height", "heightUnit")

    def __init__(self, data: Any, *, membership: Membership, row: Any = None) -> None:
        super().__init__(data, membership=membership, row=row)
        bridges: Any = self.fields["bridge"]
        bridges.choices = [(str(each.pk), each.name) for each in Bridge.objects.for_tenant(membership.organization_id).order_by("name")]

    def initial_of(self, row: Chatbot) -> dict[str, Any]:
        return {**super().initial_of(row), "type": "popup", **row.config}

    def values(self) -> dict[str, Any]:
        found = super().values()
        config = {name: found.pop(name) for name in self.APPEARANCE}
        return {**found, "config": {name: value for name, value in config.items() if value not in (None, "")}}


class TrialForm(SettingForm):
    model = Trial
    template = "settings/_trial_form.html"
    name = forms.CharField(max_length=200)
    text = forms.CharField(required=False, strip=False, label="Question", widget=forms.Textarea({"rows": 3}))
    values_json = Json(empty={}, label="Variables", help_text='{"team": "Sales"}', rows=2)
    trait_types = [(name, name.replace("_", " ")) for name in TRAITS]

    def initial_of(self, row: Trial) -> dict[str, Any]:
        return {**super().initial_of(row), "values_json": row.values}

    def traits(self) -> list[dict[str, Any]]:
        found = self.rows_of("trait", ("type", "value"), self.row.traits if self.row is not None else ())
        return [{**row, "value": _written(row["value"])} for row in found]

    def values(self) -> dict[str, Any]:
        found = super().values()
        traits = [{"type": row["type"], "value": _trait_value(row["type"], row["value"])} for row in self.traits() if row["value"].strip()]
        return {**found, "values": found.pop("values_json"), "traits": traits}


class PlayForm(forms.Form):
    """A question to one or two of: the draft, versions, other models."""

    text = forms.CharField(required=False, strip=False, label="Question", max_length=50_000, widget=forms.Textarea({"rows": 3}))
    left = forms.ChoiceField(label="Ask")
    right = forms.ChoiceField(required=False, label="Beside it")

    def __init__(self, data: Any, *, choices: Sequence[tuple[str, str]], variables: Sequence[dict[str, Any]]) -> None:
        super().__init__(data)
        asked: Any = self.fields
        asked["left"].choices = choices
        asked["right"].choices = [("", "Nothing"), *choices]
        self.variables = variables
        for variable in variables:
            name = f"value-{variable['name']}"
            default = variable.get("default")
            self.fields[name] = forms.CharField(
                required=False,
                label=variable["name"],
                help_text=variable.get("description", ""),
                initial="" if default is None else _written(default),
            )

    def asked_values(self) -> dict[str, Any]:
        """The variables in their types; what cannot be read stays a text, which is refused by name."""
        given = {variable["name"]: (variable, self.cleaned_data.get(f"value-{variable['name']}", "")) for variable in self.variables}
        return {name: _read(variable.get("type", "text"), text) for name, (variable, text) in given.items() if text}

    def value_fields(self) -> list[Any]:
        return [self[f"value-{variable['name']}"] for variable in self.variables]


def _parameters(found: dict[str, Any], row: Any) -> dict[str, Any]:
    """Takes the parameters' fields out of a form's values."""
    kept = {name: value for name, value in (row.configuration if row is not None else {}).items() if name not in PARAMETERS}
    return kept | {name: value for name in PARAMETERS if (value := found.pop(name)) is not None}


def _written(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _read(kind: str, text: str) -> Any:
    """What a person wrote for a variable of this type."""
    if kind == VariableType.LIST:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind == VariableType.BOOLEAN:
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.strip().lower(), text)
    if kind in (VariableType.NUMBER, VariableType.INTEGER):
        return _number(text)
    return text


def _number(text: str) -> Any:
    try:
        return int(text) if text.strip().lstrip("-").isdecimal() else float(text)
    except ValueError:
        return text


def _trait_value(kind: str, text: str) -> Any:
    if kind in ("max_length", "max_cost"):
        return _number(text)
    if kind == "follows_schema":
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text


FORMS: dict[str, type[SettingForm]] = {"models": ModelForm, "templates": TemplateForm, "tools": ToolForm, "chatbots": ChatbotForm}
