"""`/healthz`, `/readyz` and `/metrics`: for load balancers, for people who are woken up, and for Prometheus."""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pymongo
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import Gauge
from psycopg import sql
from redis.asyncio import Redis

from config import mongo, redis
from tenants.database import roles

# How old the newest figures may be: a night is missing, two are. Seconds.
LATE, BROKEN = 26 * 3600, 50 * 3600
# Up to when every rollup has seen what was written; NULL before the first night.
LAST_FILL = "SELECT min(seen_until) FROM analytics_fill_state"
FILL_AGE = Gauge("parley_fill_age_seconds", "Since the night last counted everything, in seconds.", multiprocess_mode="mostrecent")

# A store that needs longer than this to say hello is as good as away. Seconds.
PATIENCE = 1.5


@dataclass(frozen=True)
class Finding:
    """What one store said. `problem` is a sentence, empty if all is well; it names no address and no password."""

    store: str
    milliseconds: int
    problem: str = ""


class Unfit(Exception):
    """A store answers, but must not be used as it is. The message is a sentence that says why."""


@require_safe
@never_cache
async def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. Says nothing of the stores: restarting it would not bring them back."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
async def readyz(request: HttpRequest) -> HttpResponse:
    """Every store answers, or 503 and which one does not; and how old the newest figures are."""
    found: dict[str, datetime | None] = {}

    async def postgresql() -> None:
        found["fill"] = await ask_postgresql()

    findings = await asyncio.gather(
        ask("postgresql", postgresql), ask("mongodb", ask_mongodb), ask("redis", ask_redis), ask("broker", ask_broker)
    )
    ready = not any(finding.problem for finding in findings)
    last_fill = found.get("fill")
    status = 200 if ready else 503
    headers = {} if ready else {"Retry-After": "5"}
    if wants_text(request):
        lines = [f"{finding.store}: {finding.problem or 'ok'} ({finding.milliseconds} ms)" for finding in findings]
        lines.append(f"last fill: {f'{age(last_fill)} s ago, {judge_fill(last_fill)}' if last_fill else 'never'}")
        lines.append("ready" if ready else "not ready")
        return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8", status=status, headers=headers)
    body = {
        "ready": ready,
        "stores": {
            finding.store: {"ok": not finding.problem, "ms": finding.milliseconds}
            | ({"problem": finding.problem} if finding.problem else {})
            for finding in findings
        },
        "last_fill": {"at": last_fill.isoformat(), "age_seconds": age(last_fill), "state": judge_fill(last_fill)} if last_fill else "never",
    }
    return JsonResponse(body, status=status, headers=headers)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' figures, for the networks in METRICS_NETWORKS alone. What came through a proxy came from outside."""
    if any(name in request.META for name in ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")):
        raise Http404
    if not is_inside(request.META.get("REMOTE_ADDR", "")):
        raise Http404
    try:
        with connection.cursor() as cursor:
            cursor.execute(LAST_FILL)
            (last_fill,) = cursor.fetchone()
        FILL_AGE.set(age(last_fill) if last_fill else 0)
    except DatabaseError:  # the page answers when PostgreSQL does not, with what it knew last
        pass
    return ExportToDjangoView(request)


def is_inside(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in settings.METRICS_NETWORKS)


def wants_text(request: HttpRequest) -> bool:
    return request.GET.get("format") == "text" or request.get_preferred_type(["application/json", "text/plain"]) == "text/plain"


def judge_fill(moment: datetime) -> str:
    """ "on time", "late" or "broken". An installation stays in service with old figures: it says so, and no more."""
    seconds = age(moment)
    return "broken" if seconds >= BROKEN else "late" if seconds >= LATE else "on time"


def age(moment: datetime) -> int:
    return max(0, round((timezone.now() - moment).total_seconds()))


async def ask(store: str, question: Callable[[], Awaitable[None]]) -> Finding:
    """Asks one store; whatever goes wrong becomes a sentence, because this page must answer when nothing else does."""
    began = time.perf_counter()
    problem = ""
    try:
        async with asyncio.timeout(PATIENCE):
            await question()
    except TimeoutError:
        problem = f"did not answer within {PATIENCE} s"
    except Unfit as error:
        problem = str(error)
    except Exception as error:  # a driver's own errors, a refused password, a missing table: all mean "not ready"
        problem = f"cannot be used ({type(error).__name__})"
    return Finding(store=store, milliseconds=round((time.perf_counter() - began) * 1000), problem=problem)


async def ask_postgresql() -> datetime | None:
    """Connects anew, past the pool: a full pool is no reason to take this process out of service. Gives the time of the last fill.

    `Unfit` where row-level security would not hold for the role that Parley acts as: then one wall between tenants is missing.
    """
    params = connection.get_connection_params()
    for name in ("cursor_factory", "context", "server_side_binding", "pool", "isolation_level", "assume_role"):
        params.pop(name, None)
    async with await psycopg.AsyncConnection.connect(**{**params, "autocommit": True}) as fresh:
        if settings.DATABASE_ROLE:
            await fresh.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(settings.DATABASE_ROLE)))
        for row in await (await fresh.execute(roles.ACTING)).fetchall():
            if problems := roles.judge(*row):
                raise Unfit(" ".join(problems))
        cursor = await fresh.execute(LAST_FILL)
        row = await cursor.fetchone()
    return row[0] if row else None


async def ask_mongodb() -> None:
    with pymongo.timeout(PATIENCE):
        hello = await mongo.async_client().admin.command("hello")
    if not hello.get("isWritablePrimary"):
        raise pymongo.errors.NotPrimaryError("no writable primary")


async def ask_redis() -> None:
    await redis.async_client().ping()


async def ask_broker() -> None:
    """Celery's spelling of a unix socket is not the client's."""
    url = settings.CELERY_BROKER_URL.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
    broker = Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
    try:
        await broker.ping()
    finally:
        await broker.aclose()
