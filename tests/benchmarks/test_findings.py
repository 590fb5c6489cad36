"""Targets and ratios: what was not measured is never met."""

import json
import math
from datetime import UTC, datetime

from benchmarks import report
from benchmarks.findings import Findings, System, Target
from benchmarks.references import CHAINLIT, LITELLM, OPEN_WEBUI
from benchmarks.scenarios.sessions import PARLEY


def test_goals_in_both_directions():
    assert Target("most", goal=2, measured=2).met
    assert not Target("most", goal=2, measured=2.1).met
    assert Target("least", goal=3, measured=3, at_least=True).met
    assert not Target("least", goal=3, measured=2.9, at_least=True).met
    assert not Target("unknown", goal=3, measured=math.nan).met


def test_what_is_found_of_a_system_comes_together():
    first = Findings(systems=[System(PARLEY, held=225, cost={40: 90.0})])
    second = Findings(systems=[System(PARLEY, first_token_ms=8.0), System(CHAINLIT, held=50, cost={40: 400.0})])
    ours, chainlit, *others = report.systems_of([first, second])
    assert (ours.held, ours.first_token_ms, ours.cost) == (225, 8.0, {40: 90.0})
    assert (chainlit.held, chainlit.said) == (50, "")
    assert {(system.name, system.said) for system in others} == {
        (OPEN_WEBUI, "measured beforehand"),
        (LITELLM, "measured beforehand"),
    }


def test_ratios_to_peers():
    systems = report.systems_of(
        [Findings(systems=[System(PARLEY, held=225, cost={40: 90.0}), System(CHAINLIT, held=50, cost={40: 400.0})])]
    )
    found = {target.name: target for target in report.targets_against(systems)}
    assert found["sessions held over Open WebUI's"].measured == 3.0
    assert found["sessions held over Chainlit's"].measured == 4.5
    assert not found["sessions held over Chainlit's"].met
    assert found["CPU a token over Chainlit's"].measured == 0.225
    assert not found["CPU a token over Open WebUI's"].met, "It was not measured."


def test_the_record(tmp_path):
    target = Target("most", goal=2, measured=math.inf)
    began = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    made = [
        report.record({"x": Findings(figures={"p95": math.inf})}, systems=[], targets=[target], began=began, arguments={}, folder=tmp_path)
        for _ in range(2)
    ]
    assert [path.name for path in made] == ["2026-01-02.json", "2026-01-02-030405.json"]
    value = json.loads(made[0].read_text(), parse_constant=lambda text: f"not JSON: {text}")
    assert value["targets"][0]["met"] is False
    assert value["targets"][0]["measured"] is None
    assert value["figures"] == {"x": {"p95": None}}
