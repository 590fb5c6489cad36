"""A provider's export beside the ledger, on the terminal."""

import io
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from integrations.models import ModelCall
from integrations.services import reconciliation
from tenants import scoping
from tests.cast import make_cast

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 10, 5, tzinfo=UTC)
START = int(DAY.timestamp())
USAGE = (
    "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,input_tokens,"
    "output_tokens,input_cached_tokens\n"
    f"{START},{START + 86400},2026-10-05T00:00:00+00:00,2026-10-06T00:00:00+00:00,,2,,,gpt-4o-mini,,2000,100,500\n"
    f"{START + 86400},{START + 172800},2026-10-06T00:00:00+00:00,2026-10-07T00:00:00+00:00,,,,,,,,,\n"
)
COSTS = (
    "start_time\tend_time\tstart_time_iso\tend_time_iso\tamount_value\tamount_currency\tline_item\tproject_id\n"
    f"{START}\t{START + 86400}\t2026-10-05\t2026-10-06\t0.0400000000000000\tusd\tgpt-4o-mini, input\t\n"
    f"{START}\t{START + 86400}\t2026-10-05\t2026-10-06\t0.01\tusd\tgpt-4o-mini, output\t\n"
)


@pytest.fixture
def cast():
    return make_cast()


def call(organization, **fields) -> None:
    fields = {"model": "gpt-4o-mini", "outcome": "answered", "status": True, "service": "openai"} | fields
    fields = {"input_tokens": 1000, "cached_input_tokens": 250, "output_tokens": 50, "expected_cost": Decimal("0.025")} | fields
    with scoping.tenant(organization):
        ModelCall.objects.for_tenant(organization).create(
            id=uuid.uuid4(), latency=1, purpose="answer", created_at=fields.pop("at", DAY), **fields
        )


@pytest.fixture
def export(tmp_path):
    def write(content: str, name: str = "usage.csv"):
        file = tmp_path / name
        file.write_text(content)
        return file

    return write


def run(file, *arguments: str) -> str:
    out = io.StringIO()
    call_command("reconcile_costs", str(file), *arguments, stdout=out)
    return out.getvalue()


def refused(file, *arguments: str) -> tuple[int, str]:
    with pytest.raises(CommandError) as error:
        run(file, *arguments)
    return error.value.returncode, str(error.value)


def test_an_export_that_agrees_is_said_to(cast, export):
    call(cast.acme)
    call(cast.globex)
    call(cast.acme, service="offline", model="offline")
    call(cast.acme, outcome="failed", status=False, input_tokens=None, cached_input_tokens=None, output_tokens=None, expected_cost=None)
    call(cast.acme, at=datetime(2026, 10, 4, 23, 59, tzinfo=UTC))
    assert run(export(USAGE)) == "All 1 rows agree within 1.00 %.\n"
    assert run(export(COSTS)) == "All 1 rows agree within 1.00 %.\n"
    assert "gpt-4o-mini" in run(export(COSTS), "--all")


def test_what_differs_is_shown_with_both_figures_and_exit_code_1(cast, export, capsys):
    call(cast.acme)
    out = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command("reconcile_costs", str(export(USAGE)), stdout=out)
    assert (error.value.returncode, str(error.value)) == (1, "1 of 1 rows differ by more than 1.00 %.")
    for cell in ("2026-10-05", "2 → 1", "2,000 → 1,000", "500 → 250", "100 → 50"):
        assert cell in out.getvalue()


def test_a_model_that_only_one_of_them_has_is_a_difference(cast, export):
    call(cast.acme)
    call(cast.acme)
    call(cast.acme, model="gpt-4o")
    assert refused(export(USAGE)) == (1, "1 of 2 rows differ by more than 1.00 %.")


def test_a_small_difference_is_tolerated_as_far_as_one_says(cast, export):
    call(cast.acme, expected_cost=Decimal("0.0499"))
    assert run(export(COSTS)).startswith("All 1 rows")
    assert refused(export(COSTS), "--tolerance", "0.001")[0] == 1


def test_json_of_the_endpoints_is_read_too(cast, export):
    call(cast.acme)
    call(cast.acme, expected_cost=None)
    result = {"object": "organization.usage.completions.result", "input_tokens": 2000, "output_tokens": 100, "input_cached_tokens": 500}
    page = {"object": "page", "data": [{"object": "bucket", "start_time": START, "end_time": START + 86400}], "has_more": False}
    page["data"][0]["results"] = [result | {"num_model_requests": 2, "model": "gpt-4o-mini"}]
    said = run(export(json.dumps(page), "usage.json"))
    assert said.endswith("All 1 rows agree within 1.00 %.\n")
    assert "The cost of 1 of our calls is unknown" in said
    page["data"][0]["results"] = [{"object": "organization.costs.result", "amount": {"value": 0.025, "currency": "usd"}, "line_item": None}]
    assert run(export(json.dumps([page]), "costs.json")).endswith("All 1 rows agree within 1.00 %.\n")


def test_only_the_days_and_the_organization_that_are_asked_for(cast, export):
    call(cast.acme)
    call(cast.acme)
    call(cast.globex)
    assert run(export(USAGE), "--organization", "acme").startswith("All 1 rows")
    assert refused(export(USAGE), "--from", "2026-10-04", "--until", "2026-10-06")[0] == 1
    assert refused(export(USAGE), "--organization", "nobody")[0] == 2
    assert refused(export(USAGE), "--from", "soon")[0] == 2
    assert refused(export(USAGE), "--tolerance", "NaN")[0] == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a,b\n1,2\n",
        "{}",
        "[1]",
        '{"data": [{"start_time": 1}]}',
        "{broken",
        "start_time,num_model_requests,model,input_tokens,output_tokens\nyesterday,1,m,1,1\n",
        "start_time,num_model_requests,model,input_tokens,output_tokens\n1759622400,-1,m,1,1\n",
        "start_time,amount_value,amount_currency\n1759622400,1,eur\n",
        "start_time,amount_value,amount_currency\n99999999999999999999,NaN,usd\n",
    ],
)
def test_a_file_of_another_shape_is_refused_with_a_sentence(export, content):
    code, sentence = refused(export(content))
    assert code == 2
    assert sentence.endswith(".")


def test_a_file_that_is_not_there(tmp_path):
    assert refused(tmp_path / "nothing.csv")[0] == 2


def test_days_without_anything_are_no_rows():
    assert [*reconciliation.read(USAGE.encode())] == [(DAY.date(), "gpt-4o-mini")]
