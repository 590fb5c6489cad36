"""`migrate`, acting as the login role, which owns the tables; everything else acts as `settings.DATABASE_ROLE`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db.migrations.state import ProjectState

from tenants.database import roles


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> str | None:
        """Around the checks too, which ask the database before there is anybody else to act as."""
        with roles.as_owner(using=options["database"]):
            return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> str | None:
        with _models_made_one_at_a_time():
            result = super().handle(*args, **options)
        roles.grant(using=options["database"], missing_ok=bool(options["app_label"]))
        return result


@contextmanager
def _models_made_one_at_a_time() -> Iterator[None]:
    """A constraint, an index, a trigger or a plain field concerns its own model. Django makes anew all models that point where it points,
    too, and every table here points at the organizations: eleven of eighteen seconds of a first start. The tables are the same. What
    needs all models (a function that is given `apps`) has them made whole, as Django does after a delay."""
    whole = ProjectState.reload_model

    def reload_model(state: Any, app_label: str, model_name: str, delay: bool = False) -> None:
        if delay and "apps" in state.__dict__:
            state.is_delayed = True
            state._reload({(app_label, model_name)})
        else:
            whole(state, app_label, model_name, delay)

    ProjectState.reload_model = reload_model  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ProjectState.reload_model = whole  # type: ignore[method-assign]
