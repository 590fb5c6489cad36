"""What must be true of what people configure, told by field: for services, forms and admin alike. Reads rows, writes none."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError

from integrations import egress, schemas, tools, variables
from integrations.models import ApiCall, Bridge, Chatbot, ModelConfiguration, Template, Trial
from tenants.scoping import TenantModel

PROMPT_LIMIT = 50_000  # characters
TEXT_LIMIT = 4_000
JSON_BYTES = 50_000
FALLBACKS_LIMIT = 5
TOOLS_LIMIT = 20
ROUNDS_LIMIT = 8
QUESTIONS_LIMIT = 20
QUESTION_LIMIT = 200
ACTIONS_LIMIT = 20
HEADERS_LIMIT = 20
ORIGINS_LIMIT = 50
BRIDGES_LIMIT = 20
TRAITS_LIMIT = 20

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
# They are the connection's own, or ours.
HEADERS_REFUSED = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "proxy-authorization", "expect"}
ARGUMENT = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)\}")
ACTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?\Z")

Problems = dict[str, list[str]]


def check(row: TenantModel) -> None:
    """Raises `ValidationError` by field where a row cannot be kept as it is. Causes queries."""
    problems: Problems = {
        field.name: ["Remove the zero character (U+0000); it cannot be stored."]
        for field in row._meta.concrete_fields
        if _has_zero(getattr(row, field.attname))
    }
    if problems:
        raise ValidationError(problems)
    try:
        row.full_clean(validate_constraints=False, exclude=["organization"])
    except ValidationError as error:
        problems = error.message_dict
    else:
        for name, sentences in _RULES[type(row)](row):
            if sentences:
                problems.setdefault(name, []).extend(sentences)
    if problems:
        raise ValidationError(problems)


def headers_problems(headers: Any) -> list[str]:
    """What is wrong with {name: value} of an HTTP request's headers."""
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        return ["Send an object of header names and texts."]
    if len(headers) > HEADERS_LIMIT:
        return [f"There are {len(headers)} headers; {HEADERS_LIMIT} are the most."]
    for name, value in headers.items():
        if not HEADER_NAME.match(name) or name.lower() in HEADERS_REFUSED:
            return [f"The header {name[:60]!r} cannot be sent. Take it out."]
        if len(value) > TEXT_LIMIT or not value.isascii() or not value.isprintable():
            return [f"The value of the header {name} has to be printable ASCII of {TEXT_LIMIT:,} characters at most."]
    return []


def server_of(url: str, *, own: Iterable[str] = ()) -> tuple[str, str, int] | None:
    """The server that a key is for: scheme, host and port. Names in braces are arguments, which never are part of it. None for the
    platform's own. `own`, as `egress.destination` has it, are the only ones that may be private. Raises `egress.Refused`."""
    if not url:
        return None
    to = egress.destination(ARGUMENT.sub("x", url).partition("?")[0], own=own)
    if not to.operators and _is_number(to.host):
        egress.vet(to.host)
    return to.scheme, to.host, to.port


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


# Rules -----------------------------------------------------------------------------------------------------------------

Rules = Iterable[tuple[str, list[str]]]


def _model_configuration(row: ModelConfiguration) -> Rules:
    yield "configuration", parameters_problems(row.configuration)
    yield "base_url", _address(row.base_url) or ["The address must not have a query."] * ("?" in row.base_url)
    yield "name", _taken(row, name=row.name)


def _template(row: Template) -> Rules:
    yield "text", _length(row.text, PROMPT_LIMIT)
    yield from _variables(row.text, row.variables)
    yield "name", _taken(row, name=row.name)


def _variables(text: str, declared: Any) -> Rules:
    for sentence in variables.check(text, declared):
        of_text = sentence.startswith(("The text", "“"))
        yield ("text" if of_text else "variables"), [sentence]


def _api_call(row: ApiCall) -> Rules:
    yield "name", _taken(row, name=row.name)
    yield "description", _length(row.description, TEXT_LIMIT)
    yield "parameters", schemas.check(row.parameters, of_object=True)
    yield "headers", headers_problems(row.headers)
    yield "url", _address(row.url, own=settings.TOOL_SERVERS) or _arguments(row)


def _arguments(row: ApiCall) -> list[str]:
    if not row.url.startswith("https://"):
        return ["The address must begin with https://."]
    host = row.url.split("/", 3)[2]
    if "{" in host.partition("?")[0] or "}" in host.partition("?")[0]:
        return ["The host must not come from an argument. Write it out."]
    known = row.parameters.get("properties", {}) if isinstance(row.parameters, dict) else {}
    strange = [name for name in ARGUMENT.findall(row.url) if name not in known]
    if strange:
        return [f"The address uses {{{strange[0]}}}, which is no argument of the tool. Add it to the parameters."]
    if set(ARGUMENT.sub("", row.url)) & {"{", "}"}:
        return ["The address has a brace that names no argument. Write {name}."]
    return []


def _bridge(row: Bridge) -> Rules:
    yield "slug", _slug(row)
    yield "configuration", parameters_problems(row.configuration)
    yield "system_prompt", _length(row.system_prompt, PROMPT_LIMIT)
    for name, sentences in _variables(row.system_prompt, row.variables):
        yield ("system_prompt" if name == "text" else name), sentences
    if row.response_schema is not None:
        yield "response_schema", schemas.check(row.response_schema)
    yield "fallbacks", _fallbacks(row)
    yield "api_endpoints", _tools(row)
    yield "api_call", _rounds(row.api_call)
    yield "response_ids", _texts(row.response_ids, most=50, length=100)
    yield "default_questions", _texts(row.default_questions, most=QUESTIONS_LIMIT, length=QUESTION_LIMIT)
    yield "actions", _actions(row.actions)


def _slug(row: Bridge) -> list[str]:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", row.slug):
        return ["Use lower-case letters, digits and hyphens, none at the ends."]
    if row.slug == "new":
        return ["This is the address of the form for new bridges. Choose another."]
    return _taken(row, slug=row.slug)


def _fallbacks(row: Bridge) -> list[str]:
    wanted = [str(each) for each in row.fallbacks]
    if len(wanted) > FALLBACKS_LIMIT:
        return [f"There are {len(wanted)} fallbacks; {FALLBACKS_LIMIT} are the most."]
    if len(set(wanted)) != len(wanted) or str(row.model_configuration_id) in wanted:
        return ["A model is named twice. Name each once."]
    if wanted and row.model_configuration_id is None:
        return ["Fallbacks stand in for a model of your own. Choose that first."]
    there = ModelConfiguration.objects.for_tenant(row.organization_id).filter(id__in=wanted).count()
    return [] if there == len(wanted) else ["One of the fallbacks does not exist. Choose models of your organization."]


def _tools(row: Bridge) -> list[str]:
    problems = _texts(row.api_endpoints, most=TOOLS_LIMIT, length=64)
    if problems or not row.api_endpoints:
        return problems
    there = set(ApiCall.objects.for_tenant(row.organization_id).filter(name__in=row.api_endpoints).values_list("name", flat=True))
    missing = [name for name in row.api_endpoints if name not in there and name not in tools.OFFERED]
    return [f"There is no tool {missing[0]!r}. Make it first, or take it out."] if missing else []


def _rounds(value: Any) -> list[str]:
    if not isinstance(value, dict) or set(value) - {"max_rounds"}:
        return ["Send {max_rounds}, and nothing else."]
    rounds = value.get("max_rounds", ROUNDS_LIMIT)
    if not isinstance(rounds, int) or isinstance(rounds, bool) or not 1 <= rounds <= ROUNDS_LIMIT:
        return [f"max_rounds is a whole number from 1 to {ROUNDS_LIMIT}."]
    return []


def _actions(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return ["Send an object of actions by name."]
    if len(value) > ACTIONS_LIMIT or _size(value) > JSON_BYTES:
        return [f"There are too many actions; {ACTIONS_LIMIT} are the most."]
    for name, action in value.items():
        if not ACTION_NAME.match(name) or not isinstance(action, dict) or not isinstance(action.get("label"), str):
            return [f"The action {name[:60]!r} needs a name of lower-case letters, digits and _, and a label."]
    return []


def _chatbot(row: Chatbot) -> Rules:
    yield "title", _taken(row, title=row.title)
    yield "config", _appearance(row.config)
    yield "bridge", _bridges(row)
    yield "allowed_origins", _origins(row.allowed_origins)


def _appearance(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return ["Send an object."]
    if strange := sorted(set(value) - set(_APPEARANCE)):
        return [f"{strange[0][:60]!r} is not known. Known: {', '.join(_APPEARANCE)}."]
    return [f"{name} is {wanted}." for name, (fits, wanted) in _APPEARANCE.items() if name in value and not fits(value[name])]


def _bridges(row: Chatbot) -> list[str]:
    wanted = {str(each) for each in row.bridge}
    if len(wanted) != len(row.bridge) or len(wanted) > BRIDGES_LIMIT:
        return [f"Name each bridge once, {BRIDGES_LIMIT} at most."]
    there = Bridge.objects.for_tenant(row.organization_id).filter(id__in=wanted).count()
    return [] if there == len(wanted) else ["One of the bridges does not exist. Choose bridges of your organization."]


def _origins(value: list[str]) -> list[str]:
    if len(value) > ORIGINS_LIMIT:
        return [f"There are {len(value)} origins; {ORIGINS_LIMIT} are the most."]
    for origin in value:
        if not ORIGIN.match(origin):
            return [f"{origin[:100]!r} is no origin. Write scheme and host only: https://www.example.com."]
        scheme, _, host = origin.partition("://")
        if scheme == "http" and host.split(":")[0] not in ("localhost", "127.0.0.1"):
            return [f"{origin[:100]!r} begins with http://. Use https://; http is for localhost only."]
    return []


def _trial(row: Trial) -> Rules:
    yield "text", _length(row.text, PROMPT_LIMIT)
    yield "values", [] if isinstance(row.values, dict) and _size(row.values) <= JSON_BYTES else ["Send an object of values by name."]
    yield "traits", traits_problems(row.traits)
    others = Trial.objects.for_tenant(row.organization_id).filter(bridge_id=row.bridge_id, name=row.name).exclude(pk=row.pk)
    yield "name", ["This bridge has a trial of this name. Choose another."] if others.exists() else []


TRAITS = ("contains", "lacks", "matches", "follows_schema", "max_length", "max_cost")


def traits_problems(traits: Any) -> list[str]:
    """What is wrong with the traits of a trial."""
    if not isinstance(traits, list) or len(traits) > TRAITS_LIMIT:
        return [f"Send a list of {TRAITS_LIMIT} traits at most."]
    for trait in traits:
        if not isinstance(trait, dict) or set(trait) != {"type", "value"} or trait["type"] not in TRAITS:
            return [f"Each trait has a type ({', '.join(TRAITS)}) and a value."]
        if wrong := _trait_problem(trait["type"], trait["value"]):
            return [wrong]
    return []


def _trait_problem(kind: str, value: Any) -> str:
    if kind in ("contains", "lacks"):
        return "" if isinstance(value, str) and 0 < len(value) <= TEXT_LIMIT else f"The value of {kind} is a text."
    if kind == "matches":
        try:
            schemas.pattern(value if isinstance(value, str) and value else "(")
        except schemas.BadPattern as error:
            return str(error)
        return ""
    if kind == "follows_schema":
        return "".join(schemas.check(value)[:1])
    if kind == "max_length":
        return "" if _between(1, 1_000_000, whole=True)(value) else "The value of max_length is a number of characters."
    return "" if _between(0, 1_000)(value) else "The value of max_cost is an amount in US dollars."


# Parts -----------------------------------------------------------------------------------------------------------------


def _between(least: float, most: float, *, whole: bool = False) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        is_number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        return is_number and least <= value <= most

    return fits


def _stops(value: Any) -> bool:
    entries = [value] if isinstance(value, str) else value
    return isinstance(entries, list) and 0 < len(entries) <= 4 and all(isinstance(each, str) and 0 < len(each) <= 100 for each in entries)


# What may be asked for with every call, and what it has to be.
PARAMETERS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "temperature": (_between(0, 2), "a number from 0 to 2"),
    "max_tokens": (_between(1, 1_000_000, whole=True), "a whole number from 1"),
    "top_p": (_between(0, 1), "a number from 0 to 1"),
    "frequency_penalty": (_between(-2, 2), "a number from -2 to 2"),
    "presence_penalty": (_between(-2, 2), "a number from -2 to 2"),
    "seed": (_between(-(2**53), 2**53, whole=True), "a whole number"),
    "stop": (_stops, "a text or a list of at most four"),
    "reasoning_effort": (
        lambda value: value in ("none", "minimal", "low", "medium", "high", "xhigh"),
        "none, minimal, low, medium, high or xhigh",
    ),
}

_APPEARANCE: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "buttonName": (lambda value: isinstance(value, str) and 0 < len(value.strip()) <= 40, "a text of 40 characters at most"),
    "height": (_between(1, 2_000), "a number from 1 to 2000"),
    "heightUnit": (lambda value: value in ("px", "%"), "px or %"),
    "width": (_between(1, 2_000), "a number from 1 to 2000"),
    "widthUnit": (lambda value: value in ("px", "%"), "px or %"),
    "type": (lambda value: value in ("popup", "embedded"), "popup or embedded"),
    "themeColor": (lambda value: isinstance(value, str) and bool(COLOUR.match(value)), "a colour, written #1a2b3c"),
}


def parameters_problems(value: Any) -> list[str]:
    """What is wrong with temperature and the like."""
    if not isinstance(value, dict):
        return ["Send an object."]
    if strange := sorted(set(value) - set(PARAMETERS)):
        return [f"{strange[0][:60]!r} is not known. Known: {', '.join(PARAMETERS)}."]
    return [f"{name} is {wanted}." for name, (fits, wanted) in PARAMETERS.items() if name in value and not fits(value[name])]


def _address(url: str, *, own: Iterable[str] = ()) -> list[str]:
    try:
        server_of(url, own=own)
    except egress.Refused as refused:
        return [str(refused)]
    return []


def _taken(row: TenantModel, **where: Any) -> list[str]:
    others = type(row).objects.for_tenant(row.organization_id).filter(**where).exclude(pk=row.pk)
    [name] = where
    return [f"Your organization has another {row._meta.verbose_name} with this {name}. Choose another."] if others.exists() else []


def _length(text: str, most: int) -> list[str]:
    return [f"This has {len(text):,} characters; {most:,} are the most."] if len(text) > most else []


def _texts(value: Any, *, most: int, length: int) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and 0 < len(each.strip()) <= length for each in value):
        return [f"Send a list of texts of {length} characters at most."]
    if len(value) > most or len(set(value)) != len(value):
        return [f"Name each once, {most} at most."]
    return []


def _has_zero(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_zero(name) or _has_zero(each) for name, each in value.items())
    if isinstance(value, list):
        return any(map(_has_zero, value))
    return isinstance(value, str) and "\x00" in value


def _size(value: Any) -> int:
    try:
        return len(orjson.dumps(value))
    except TypeError:
        return JSON_BYTES + 1


_RULES: Mapping[type[TenantModel], Callable[[Any], Rules]] = {
    ModelConfiguration: _model_configuration,
    Template: _template,
    ApiCall: _api_call,
    Bridge: _bridge,
    Chatbot: _chatbot,
    Trial: _trial,
}
