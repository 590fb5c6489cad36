"""The rules of the house that a program can check. Each scan is shown to see something."""

import ast
import re
from collections.abc import Iterator

import pytest
from celery import current_app
from django.db.migrations.loader import MigrationLoader

from chat import events
from chat.choices import MessageStatus
from config import failpoints, mongo_schema
from config.schedule import SCHEDULE
from tests import forks
from tests.architecture.source import APPS, ROOT, assert_exactly, calls, imports, modules, strings


def test_calls_go_left():
    found = set()
    for module in modules():
        if module.app not in APPS:
            continue
        right = APPS[APPS.index(module.app) + 1 :]
        found |= {f"{module.path} imports {name}" for name in imports(module.tree) if name.split(".")[0] in right}
    assert found == set()
    assert any(name.startswith("tenants.") for module in modules() if module.app == "chat" for name in imports(module.tree))


def test_config_knows_no_domain_but_where_the_process_is_put_together():
    found = {module.path for module in modules() if module.app == "config" for name in imports(module.tree) if name.split(".")[0] in APPS}
    assert_exactly(
        found,
        {
            "config/api.py": "turns the apps' own errors into the one shape",
            "config/api_urls.py": "the list of addresses",
            "config/asgi.py": "the list of sockets",
            "config/health.py": "asks the role's own module whether row-level security holds for it",
            "config/partitions.py": "acts as the owner of the tables, which the role's own module knows how to",
            "config/urls.py": "the list of addresses",
            "config/activity.py": "makes up what the demo's people did",
            "config/seeding.py": "makes the demo through the apps' services",
        },
    )


def test_nobody_asks_the_registry_for_a_table_of_ours():
    """Modules that know each other in a circle do; the module that both need is cut out of one of them."""
    asked = {
        (module.path, call.args[0].value)
        for module in modules()
        for call in calls(module.tree, "get_model")
        if call.args and isinstance(call.args[0], ast.Constant)
    }
    assert {path for path, app in asked if app.split(".")[0] in APPS} == set()
    assert ("tenants/models.py", "account") in asked


def test_no_room_for_odds_and_ends():
    names = {part for module in modules() for part in module.name.split(".")}
    assert names & {"utils", "util", "common", "core", "helpers", "misc", "base_utils"} == set()
    assert "selectors" in names


def test_signals_are_defined_and_received_in_their_files():
    defined = {m.path for m in modules() if any(True for _ in calls(m.tree, "Signal"))}
    received = {m.path for m in modules() if any(True for _ in calls(m.tree, "receiver"))}
    assert {path.split("/")[-1] for path in defined} == {"signals.py"}
    assert {path.split("/")[-1] for path in received} == {"receivers.py"}


def test_redis_keys_are_written_in_one_file_of_each_boundary():
    key = re.compile(r"^(chat|ai_response|rate_limit|session|config_cache):")
    permission = re.compile(r"^[a-z_]+:[a-z_]+:[a-z_]+$")  # looks alike
    found = {
        module.path
        for module in modules()
        for text in strings(module.tree)
        if key.match(text) and " " not in text and not permission.match(text)
    }
    assert_exactly(
        found,
        {
            "chat/realtime/keys.py": "the chat's keys",
            "integrations/cache.py": "integrations' keys",
            "integrations/keys.py": "the integrations' keys",
            "chat/api.py": "the name of a link's address looks alike",
            "chat/views.py": "names of addresses look alike",
            "chat/connections.py": "the name of a page's address looks alike",
            "chat/actions.py": "names of addresses look alike",
            "analytics/middleware.py": "names of addresses look alike",
        },
    )


def test_a_status_is_typed_once():
    words = {MessageStatus.PENDING.value, MessageStatus.STREAMING.value, MessageStatus.INTERRUPTED.value, MessageStatus.CANCELLED.value}
    found = {m.path for m in modules() if m.app == "chat" for text in strings(m.tree) if text in words}
    assert_exactly(
        found,
        {
            "chat/choices.py": "where they are",
            "chat/services/answers.py": "the error code `interrupted`",
            "chat/services/sweeper.py": "the error code `interrupted`",
        },
    )


def test_consumers_never_reach_a_provider():
    consumers = [module for module in modules() if module.path.endswith(("consumers.py", "sse.py"))]
    assert consumers
    assert not [name for module in consumers for name in imports(module.tree) if name.startswith("integrations")]


def test_migrations_import_nothing_of_ours():
    found = {
        f"{module.path}: {name}"
        for module in modules(migrations=True)
        for name in imports(module.tree)
        if name.split(".")[0] in (*APPS, "config")
    }
    assert_exactly(found, {})
    assert modules(migrations=True)


def test_every_migration_of_tables_can_be_undone():
    ours = {key: made for key, made in MigrationLoader(None).disk_migrations.items() if key[0] in APPS}
    assert [key for key, made in ours.items() for operation in made.operations if not operation.reversible] == []
    assert len(ours) > 20


def test_every_failpoint_is_declared_and_every_declared_one_is_in_the_code():
    used = {
        call.args[0].value for module in modules() for call in calls(module.tree, "failpoint") if isinstance(call.args[0], ast.Constant)
    }
    assert used == set(failpoints.DECLARED)


def test_every_scheduled_task_exists_and_says_what_it_does():
    current_app.loader.import_default_modules()
    assert {scheduled.task for scheduled in SCHEDULE} <= set(current_app.tasks)
    assert SCHEDULE
    for scheduled in SCHEDULE:
        assert scheduled.sentence.endswith("."), scheduled.name


@pytest.mark.parametrize("document", mongo_schema.documents(), ids=lambda document: document.__name__)
def test_every_index_names_its_query_in_a_comment(document):
    path = ROOT / (document.__module__.replace(".", "/") + ".py")
    lines = path.read_text(encoding="utf-8").splitlines()
    named = [number for number, line in enumerate(lines) if re.search(r'"name": "', line)]
    assert named
    for number in named:
        above = next(line for line in reversed(lines[:number]) if line.strip() not in ("{",))
        assert above.strip().startswith("#"), f"{path.name}:{number + 1} has no comment above it"


def test_every_event_fits_the_fixed_place_of_its_number():
    draft = events.delta(conversation_id="0" * 36, message_id="1" * 36, attempt=1, offset=3, text="x")
    whole = b'{"conversation":"%b","n":4711,' % draft.conversation_id.encode() + draft.body
    assert events.number_of(whole) == 4711


def test_nobody_waits_with_wait_for():
    """In Python 3.11 it takes no notice of being cancelled at the moment at which it has what it waits for. `asyncio.timeout` does."""
    waits = re.compile(r"asyncio\.wait_for\(")
    assert waits.search("await asyncio.wait_for(x, 1)")
    apps = ("config", "tenants", "integrations", "chat", "analytics", "dashboards")
    found = [
        str(path.relative_to(ROOT)) for app in apps for path in (ROOT / app).rglob("*.py") if waits.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def read_while_imported(tree: ast.AST) -> Iterator[str]:
    """Names of settings that are read outside of functions, or for their arguments."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "settings":
            yield node.attr
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for early in (node.args, *node.decorator_list):
                yield from read_while_imported(early)
        elif not isinstance(node, ast.Lambda):
            yield from read_while_imported(node)


def test_settings_that_a_fork_of_the_tests_takes_over_are_read_when_they_are_needed():
    found = {name for module in modules() for name in read_while_imported(module.tree)}
    assert found & {*forks.OF_EACH_START, "PLATFORM_ADDRESSES"} == set()
    assert {"TEXT_LIMIT", "DELETED_KEPT_DAYS"} <= found
    assert [*read_while_imported(ast.parse("@a(settings.A)\ndef f(b=settings.B):\n    settings.C\nclass D:\n    e = settings.E"))] == [
        "B",
        "A",
        "E",
    ]
