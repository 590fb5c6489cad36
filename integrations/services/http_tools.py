"""HTTP tools of an organization's own (D15, `ApiCall`): a model names one and its arguments, we call it, on the only way out.

Where a call goes is the tool's address; arguments fill its path and query, or the body, and never its host. Secret headers are unsealed
for this one call, and only while the tool is still at the server that they were given for.
"""

import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
from django.conf import settings

from config import loop
from integrations import crypto, drafts, egress, schemas, wire
from integrations.models import ApiCall
from integrations.providers.base import ToolUse
from integrations.services.configurations import LiveBridge
from tenants import scoping

log = logging.getLogger(__name__)

LIMITS = wire.Limits(connect=5, first=15, idle=15, total=20)
BODY_LIMIT = 256 * 1024  # bytes of what a tool says
CONTENT_LIMIT = 24_000  # characters of it that a model is told
ARGUMENTS_LIMIT = 32 * 1024  # characters
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One call of a tool. `content` is what the model is told; `status` is HTTP's, None where nothing came; `error` a word where it went
    wrong: bad_arguments, refused, unreachable, timeout, broken, gone, no_such_tool, or a word of Parley's own tools. `parts` are for the
    person, as `integrations.tools.ToolResult` has them."""

    name: str
    arguments: str
    content: str
    status: int | None = None
    error: str = ""
    latency_ms: int = 0
    parts: tuple[Mapping[str, Any], ...] = ()


class _Failed(Exception):
    def __init__(self, error: str, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.error = error
        self.status = status


async def run(live: LiveBridge, tool: Mapping[str, Any], use: ToolUse) -> ToolRun:
    """Calls a tool of this bridge as its model wants it called. Raises nothing: what went wrong is told to the model."""
    began = time.monotonic()
    status, error = None, ""
    try:
        status, content = await _call(live, tool, _arguments(tool, use.arguments))
    except _Failed as problem:
        status, error, content = problem.status, problem.error, str(problem)
    return ToolRun(use.name, use.arguments[:ARGUMENTS_LIMIT], content, status, error, round((time.monotonic() - began) * 1_000))


def _arguments(tool: Mapping[str, Any], written: str) -> dict[str, Any]:
    if len(written) > ARGUMENTS_LIMIT:
        raise _Failed("bad_arguments", f"The arguments are longer than {ARGUMENTS_LIMIT:,} characters.")
    try:
        arguments = orjson.loads(written or "{}")
    except orjson.JSONDecodeError:
        raise _Failed("bad_arguments", "The arguments are no JSON.") from None
    if not isinstance(arguments, dict):
        raise _Failed("bad_arguments", "The arguments must be an object.")
    if wrong := schemas.problem(arguments, tool["parameters"] or {"type": "object"}):
        raise _Failed("bad_arguments", f"The arguments do not fit: {wrong}")
    return arguments


async def _call(live: LiveBridge, tool: Mapping[str, Any], arguments: dict[str, Any]) -> tuple[int, str]:
    address, rest = address_of(tool["url"], arguments)
    parts = urlsplit(address)
    try:
        to = egress.destination(f"{parts.scheme}://{parts.netloc}", own=settings.TOOL_SERVERS)
    except egress.Refused as problem:
        raise _Failed("refused", str(problem)) from problem
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {**tool["headers"], **await loop.in_thread(_secret_headers, live.organization_id, tool["id"], tool["url"])}
    headers |= {"Accept": "application/json, text/*;q=0.9", "Accept-Encoding": "identity", "User-Agent": "parley"}
    body = b""
    if tool["method"] in WITH_BODY:
        body, headers["Content-Type"] = orjson.dumps(rest), "application/json"
    elif rest:
        target += ("&" if "?" in target else "?") + urlencode({name: _plain(value) for name, value in rest.items()})
    if not all("!" <= character <= "~" for character in target):
        raise _Failed("refused", "The tool's address has characters that no address has.")
    client = wire.Client(to, limits=LIMITS)
    try:
        response = await client.request(tool["method"], target, headers=headers, body=body)
        try:
            said = await response.whole(at_most=BODY_LIMIT)
        finally:
            response.close()
    except egress.Refused as problem:
        raise _Failed("refused", str(problem)) from problem
    except egress.Unreachable as problem:
        raise _Failed("unreachable", str(problem)) from problem
    except wire.TimedOut as problem:
        raise _Failed("timeout", f"It took longer than {problem.seconds:g} seconds.") from problem
    except (wire.WireError, ValueError) as problem:
        raise _Failed("broken", "The answer could not be read, or is too large.") from problem
    finally:
        client.close()
    if 300 <= response.status < 400:
        raise _Failed("refused", "It answered with a redirect, which is not followed.", status=response.status)
    return response.status, _told(response.status, response.headers.get("content-type", ""), said)


def address_of(template: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The address with its arguments, each as one segment or value, and the arguments that are not in it. Pure."""
    used = set()

    def written(found: Any) -> str:
        used.add(found[1])
        value = quote(_plain(arguments.get(found[1], "")), safe="")
        return value.replace(".", "%2E") if set(value) <= {"."} else value  # `..` would climb

    address = drafts.ARGUMENT.sub(written, template)
    return address, {name: value for name, value in arguments.items() if name not in used}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _secret_headers(organization_id: str, tool_id: str, url: str) -> dict[str, str]:
    with scoping.tenant(organization_id):
        row = ApiCall.objects.for_tenant(organization_id).filter(pk=uuid.UUID(tool_id), is_active=True).first()
    if row is None:
        raise _Failed("gone", "This tool was taken away.")
    if not row.secret_headers or urlsplit(row.url)[:2] != urlsplit(url)[:2]:
        return {}
    return orjson.loads(crypto.take(row, "secret_headers"))


def _told(status: int, kind: str, body: bytes) -> str:
    """What a model is told of an answer: as text, marked as somebody else's words."""
    kind = kind.partition(";")[0].strip().lower()
    if body and not (kind.startswith("text/") or kind.endswith(("json", "xml")) or not kind):
        return f"HTTP {status}: {len(body):,} bytes of {kind}, which cannot be read here."
    text = body.decode("utf-8", errors="replace")
    if len(text) > CONTENT_LIMIT:
        text = text[:CONTENT_LIMIT] + " … (cut)"
    return text if 200 <= status < 300 else f"HTTP {status}: {text}"
