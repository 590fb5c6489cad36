"""Which test process runs which file, and when. A pytest plugin.

Tests that kill servers wait for most of their time, and so do those of `manage.py up` and those in a browser. So of four processes one
begins with the first and one with the others, while two compute and step aside whenever those want a core, because what they test are time
limits, too. Who has done with its own kind helps with what is left, and steps aside as well. To the first all others come last:
connections that their tests still hold, in whatever thread, would die with the servers. A test of these three kinds that fails is tried
once more, and named at the end: what it looks at, in real processes and by the real clock, may come late on a busy machine. All others
fail at once.
"""

import os

import pytest
from xdist.scheduler import LoadFileScheduling

# Of each kind the files that take longest come first, so that all processes end at about the same time.
LONGEST = (
    *("test_stores_away", "test_kills", "test_two_of_each", "test_promises", "test_hostile_output"),
    *("test_matrix", "test_schemathesis_sending", "test_schemathesis", "test_fill"),
)
NICENESS = 5


def kind(path: str) -> str:
    """What a file's tests are, which says who begins with them."""
    if "tests/faults/" in path:
        return "faults"
    return "up" if path.partition("::")[0].endswith("tests/config/test_up.py") else "browser" if "tests/e2e/" in path else ""


def begins_with(worker: str) -> tuple[str, ...]:
    """The kinds that the test process of this name ("gw2") takes before all others."""
    return ((), (), ("faults",), ("up", "browser"))[int(worker.removeprefix("gw")) % 4]


class Interleaved(LoadFileScheduling):
    """A file to each process that has none, as they are sorted; those of its kind first, as long as there are any."""

    def _assign_work_unit(self, node) -> None:
        for wanted in begins_with(node.gateway.id):
            if first := next((file for file in self.workqueue if kind(file) == wanted), None):
                self.workqueue.move_to_end(first, last=False)
                break
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log):
    return Interleaved(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of `manage.py up` share one that is killed and started again, so they keep their order. Those in a browser stand together, so
    that they can share one site."""
    items.sort(key=_place)
    for item in items:
        if kind(item.nodeid):
            item.add_marker(pytest.mark.flaky(reruns=1))


def _place(item: pytest.Item) -> tuple[int, int]:
    its, longest = kind(item.path.as_posix()), LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST)
    return ("", "browser", "up", "faults").index(its), (item.location[1] or 0) if its == "up" else longest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Who helps steps aside as those do who compute from the first."""
    if "PYTEST_XDIST_WORKER" in os.environ and not kind(item.nodeid) and not os.nice(0):
        os.nice(NICENESS)


if "PYTEST_XDIST_WORKER" in os.environ and not begins_with(os.environ["PYTEST_XDIST_WORKER"]):
    os.nice(NICENESS)  # before the servers of this process are started, which are as nice
