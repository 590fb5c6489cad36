"""`manage.py fill_analytics`, and its day in admin."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from analytics import tasks
from analytics.models import FillState
from tests.analytics.test_fill import A_HISTORY, NIGHT, entries, write

ADDRESS = "/admin/analytics/fillstate/"


def run(**options) -> list[str]:
    out = StringIO()
    call_command("fill_analytics", stdout=out, **options)
    return out.getvalue().splitlines()


def test_a_line_for_each_rollup_and_day_and_nothing_the_second_time(ground, time_machine):
    write(ground, entries(ground, A_HISTORY))
    time_machine.move_to(NIGHT.replace(hour=12), tick=False)
    lines = run()
    assert any(line.startswith("2028-02-29 engagement: ") for line in lines)
    assert len({line.partition(":")[0] for line in lines}) == len(lines)
    tables = ground.tables()
    assert run() == ["Nothing to count: every day up to yesterday is counted."]
    again = run(rollup="features", first="2028-02-29", last="2028-02-29")
    assert [line.partition(":")[0] for line in again] == ["2028-02-29 features"]
    assert ground.tables() == tables


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rollup": "nonsense"}, "There is no rollup 'nonsense'"),
        ({"first": "yesterday"}, "'yesterday' is not a day"),
        ({"last": "2026-01-01"}, "Say with --from"),
        ({"first": "2026-02-02", "last": "2026-02-01"}, "--from is later"),
        ({"first": "2999-01-01", "last": "2999-01-02"}, "is not over"),
        ({"first": "2020-01-01"}, "not whole any more"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(stores, options, sentence):
    with pytest.raises(CommandError, match=sentence) as refused:
        run(**{"rollup": None, "first": None, "last": None, **options})
    assert refused.value.returncode == 2


def test_staff_see_ages_and_fill_a_day_again(ground, client, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks.refill_day, "apply_async", lambda kwargs, retry: sent.append(kwargs))
    FillState.objects.create(rollup="features", seen_until=datetime(2026, 1, 1, tzinfo=UTC))
    client.force_login(ground.cast.sam)
    assert "broken" in client.get(ADDRESS).content.decode()
    asked = {"action": "fill_again", "_selected_action": ["features"], "day": "2026-01-05"}
    assert "A worker fills 2026-01-05 again" in client.post(ADDRESS, asked, follow=True).content.decode()
    assert sent == [{"rollup": "features", "day": "2026-01-05"}]
    assert "is not over" in client.post(ADDRESS, {**asked, "day": "2999-01-01"}, follow=True).content.decode()
    assert "Say which day" in client.post(ADDRESS, {**asked, "day": ""}, follow=True).content.decode()
    assert len(sent) == 1
