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
    """A new model, a new field, a constraint, an index or a trigger concerns its own model. Django makes anew all models that point where
    it points, too, and every table here points at the organizations: four fifths of a first start. The tables are the same. What needs all
    models (a function that is given `apps`) has them made whole, as Django does after a delay."""
    whole = ProjectState.reload_model

    def reload_model(state: Any, app_label: str, model_name: str, delay: bool = False) -> None:
        if "apps" in state.__dict__ and (delay or _only_adds(state, app_label, model_name)):
            state.is_delayed = True
            state._reload({(app_label, model_name)})
        else:
            whole(state, app_label, model_name, delay)

    ProjectState.reload_model = reload_model  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ProjectState.reload_model = whole  # type: ignore[method-assign]


def _only_adds(state: Any, app_label: str, model_name: str) -> bool:
    """Whether the model is new, or has all the fields that it had and a new one."""
    known = state.apps.all_models[app_label].get(model_name)
    if known is None:
        return True
    had = {field.name for field in (*known._meta.local_fields, *known._meta.local_many_to_many)}
    return bool(state.models[app_label, model_name].fields.keys() > had)
