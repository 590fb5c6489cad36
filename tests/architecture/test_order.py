"""Which test process runs what: see `tests/order.py`."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings

from tests import order

FILES = sorted(str(path.relative_to(settings.BASE_DIR)) for path in Path(settings.BASE_DIR, "tests").rglob("test_*.py"))


class Node:
    """A test process, as the one that hands out files sees it."""

    def __init__(self, name, *, files):
        self.gateway = type("Gateway", (), {"id": name})()
        self.collected = files
        self.given = []
        self.shutting_down = False

    def send_runtest_some(self, numbers):
        self.given += [self.collected[number] for number in numbers]

    def shutdown(self):
        self.shutting_down = True


def handed_out(config, *, processes, files=FILES):
    """What each of so many test processes is given where all take equally long for a test."""
    tests = sorted((f"{path}::test_{number}" for path in files for number in range(3)), key=lambda test: "tests/faults/" in test)
    nodes = [Node(f"gw{number}", files=tests) for number in range(processes)]
    config.option.tx = ["popen"] * processes
    scheduler = order.Interleaved(config)
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, tests)
    scheduler.schedule()
    done = dict.fromkeys(nodes, 0)
    while any(done[node] < len(node.given) for node in nodes):
        for node in nodes:
            if done[node] < len(node.given):
                scheduler.mark_test_complete(node, tests.index(node.given[done[node]]))
                done[node] += 1
    assert scheduler.tests_finished
    return [node.given for node in nodes], tests


@pytest.fixture
def config(pytestconfig):
    before = dict(vars(pytestconfig.option))
    pytestconfig.option.loadscopereorder = False
    yield pytestconfig
    vars(pytestconfig.option).clear()
    vars(pytestconfig.option).update(before)


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 6])
def test_every_test_is_run_once_and_no_servers_are_killed_among_others(config, processes):
    given, tests = handed_out(config, processes=processes)
    assert sorted(test for its in given for test in its) == sorted(tests)
    for number, its in enumerate(given):
        last = ["tests/faults/" in test for test in its]
        assert last == sorted(last, reverse="faults" in order.begins_with(f"gw{number}")), "servers were killed while others held them"


def test_what_waits_is_begun_at_once_while_two_compute(config):
    given, _ = handed_out(config, processes=4)
    assert [order.kind(its[0]) for its in given] == ["", "", "faults", "up"]
    assert not any(order.kind(test) == "faults" for its in (given[0], given[1], given[3]) for test in its)
    after_faults = next(test for test in given[2] if order.kind(test) != "faults")
    assert order.kind(after_faults) == "", "it helps with what is left"
    after_up = next(test for test in given[3] if order.kind(test) != "up")
    assert order.kind(after_up) == "browser"


@pytest.mark.parametrize("missing", [("faults",), ("faults", "up", "browser")])
def test_where_a_kind_is_missing_all_work(config, missing):
    given, tests = handed_out(config, processes=4, files=[path for path in FILES if order.kind(path) not in missing])
    assert sorted(test for its in given for test in its) == sorted(tests)
    assert all(given)


def test_the_longest_files_are_there():
    assert set(order.LONGEST) <= {Path(path).stem for path in FILES}
    assert {order.kind(path) for path in FILES} == {"", "browser", "up", "faults"}


def test_the_longest_of_each_kind_come_first():
    items = sorted((SimpleNamespace(path=Path(path), nodeid=path, location=(path, 0, "")) for path in FILES), key=order._place)
    for kind in ("", "browser", "faults"):
        stems = [item.path.stem for item in items if order.kind(item.nodeid) == kind]
        long = [stem for stem in order.LONGEST if stem in stems]
        assert long, kind
        assert stems[: len(long)] == long
