"""REST: what calls may cost, how much of it is spent, and on what."""

from typing import Any
from uuid import UUID

from rest_framework.response import Response

from config.api import Call, Endpoint, PageQuery, operation, page, page_of, unseal
from integrations import access, models
from integrations.budgets_serializers import BudgetAnswer, BudgetFields, NewBudget, SpendingAnswer, SpendingQuery
from integrations.services import budgets, spending
from tenants.models import ApiKey

SHAPE: dict[str, Any] = {"tags": ["budgets"]}


class Budgets(Endpoint):
    @operation(summary="Budgets, newest first, and how they stand", answer=page_of(BudgetAnswer), query=PageQuery, **SHAPE)
    def get(self, call: Call) -> Any:
        rows = access.listed(models.Budget, call.membership).order_by("-id")
        if after := unseal(call.query.get("cursor"), name="budgets"):
            rows = rows.filter(pk__lt=after)
        limit = call.query["limit"]
        found = list(rows[: limit + 1])
        results = [state.as_json() for state in spending.states(call.membership, found[:limit])]
        return page(call.request, results, name="budgets", next=str(found[limit - 1].pk) if len(found) > limit else None)

    @operation(summary="Set a budget", answer=BudgetAnswer, status_code=201, body=NewBudget, **SHAPE)
    def post(self, call: Call) -> Any:
        return _said(call, spending.create(call.membership, **call.body), status=201)


class Budget(Endpoint):
    @operation(summary="A budget, and how it stands", answer=BudgetAnswer, **SHAPE)
    def get(self, call: Call, budget_id: UUID) -> Any:
        """Asked with an API key, the header `X-Parley-Budget` says the same in a line."""
        return _said(call, _budget(call, budget_id))

    @operation(summary="Change a budget", answer=BudgetAnswer, body=BudgetFields, **SHAPE)
    def patch(self, call: Call, budget_id: UUID) -> Any:
        return _said(call, spending.change(call.membership, _budget(call, budget_id), **call.body))

    @operation(summary="Remove a budget; what was spent stays in the ledger", answer=None, status_code=204, **SHAPE)
    def delete(self, call: Call, budget_id: UUID) -> Any:
        spending.delete(call.membership, _budget(call, budget_id))


class BudgetSpending(Endpoint):
    @operation(
        summary="What a budget was spent on; by model, bridge, person, key, day", answer=SpendingAnswer, query=SpendingQuery, **SHAPE
    )
    def get(self, call: Call, budget_id: UUID) -> Any:
        """From the ledger, where calls stand within seconds. What was broken off has no known cost there; the budget itself counts an
        estimate of it."""
        budget = _budget(call, budget_id)
        asked = {"by": call.query["by"], "first": call.query.get("from"), "until": call.query.get("until")}
        found = spending.spending(call.membership, budget, **asked)
        rows = [line.as_json() for line in found.lines]
        return {"from": found.first, "until": found.until, "by": found.by, "total": found.total.as_json(), "rows": rows}


def _budget(call: Call, budget_id: UUID) -> models.Budget:
    return access.found(models.Budget, call.membership, pk=budget_id)


def _said(call: Call, budget: models.Budget, *, status: int = 200) -> Response:
    (state,) = spending.states(call.membership, [budget])
    response = Response(state.as_json(), status=status)
    if isinstance(call.request.auth, ApiKey):
        response.headers[budgets.HEADER] = state.standing.as_header()
    return response
