"""The wall between organizations: whose rows and documents a query may touch. Everything here fails closed.

- `tenant(organization)` and `across_tenants(reason)` say for whom this thread or task acts; PostgreSQL's row-level security
  follows it (`tenants.database`).
- `TenantModel.objects` and `TenantDocument.objects` raise `UnscopedQuery` unless the query says `.for_tenant(organization)`.
- `tenant_key` turns whatever comes from outside into a UUID in canonical form, so that no operator reaches a query.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, Self, TypeVar

import mongoengine
from django.db import models
from django.db.models import sql
from django_rls_tenants.rls.constraints import RLSConstraint

from tenants.acting import Scope, across_tenants, act_for, also_because, because, current, nobody, tenant, tenant_key
from tenants.errors import BadTenant, UnscopedQuery

__all__ = [
    "BadTenant",
    "Scope",
    "TenantDocument",
    "TenantModel",
    "UnscopedQuery",
    "across_tenants",
    "act_for",
    "also_because",
    "because",
    "current",
    "nobody",
    "one",
    "row_level_security",
    "tenant",
    "tenant_key",
]

M = TypeVar("M", bound=models.Model)

# PostgreSQL ------------------------------------------------------------------------------------------------------------


class TenantQuery(sql.Query):
    """SQL that cannot be compiled before it says whose rows it wants."""

    tenant_scope: str | None = None

    def get_compiler(self, using: str | None = None, connection: Any = None, elide_empty: bool = True) -> Any:
        require_scope(self)
        return super().get_compiler(using, connection, elide_empty)

    def combine(self, rhs: sql.Query, connector: str) -> None:
        if getattr(rhs, "tenant_scope", None) != self.tenant_scope:
            raise UnscopedQuery("Both sides of `|`, `&` and `^` must be scoped to the same organization.")
        super().combine(rhs, connector)


def require_scope(query: sql.Query) -> None:
    """Raises `UnscopedQuery` unless the query names an organization, and the one that row-level security acts for."""
    wanted = getattr(query, "tenant_scope", None)
    name = getattr(query.model, "__name__", "these rows")
    if wanted is None:
        raise UnscopedQuery(
            f"This query on {name} does not say whose rows it wants. Write {name}.objects.for_tenant(organization), or "
            f"{name}.across_tenants with a comment that says why."
        )
    scope = current()
    if scope.across or scope.tenant == wanted:
        return
    raise UnscopedQuery(
        f"This query on {name} is for organization {wanted}, but we act for {scope.tenant or 'nobody'}. "
        "Put it inside `with scoping.tenant(organization):`."
    )


def one(rows: models.QuerySet[M]) -> M | None:
    """The row of a look-up by something unique, or None. `first()` would sort, and join what the model is sorted by."""
    return next(iter(rows.order_by()[:1]), None)


class TenantQuerySet(models.QuerySet):
    """Fails closed: reading, counting, updating and deleting raise `UnscopedQuery` before `for_tenant`."""

    query: TenantQuery

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        super().__init__(model, query or TenantQuery(model), using, hints)

    def for_tenant(self, organization: Any) -> Self:
        """This organization's rows. Takes an Organization or its id; what is created here belongs to it."""
        key = tenant_key(organization)
        scoped = self.filter(organization_id=uuid.UUID(key))
        if scoped.query.tenant_scope not in (None, key):
            raise UnscopedQuery("This query is already scoped to another organization.")
        scoped.query.tenant_scope = key
        return scoped

    def create(self, **kwargs: Any) -> Any:
        return super().create(**self._with_tenant(kwargs))

    def get_or_create(self, defaults: Any = None, **kwargs: Any) -> Any:
        require_scope(self.query)
        return super().get_or_create(self._with_tenant(defaults or {}), **kwargs)

    def update_or_create(self, defaults: Any = None, create_defaults: Any = None, **kwargs: Any) -> Any:
        require_scope(self.query)
        made_with = create_defaults if create_defaults is not None else (defaults or {})
        return super().update_or_create(defaults, self._with_tenant(made_with), **kwargs)

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        require_scope(self.query)
        objs = list(objs)
        for obj in objs:
            self._with_tenant({"organization_id": obj.organization_id})
        return super().bulk_create(objs, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        require_scope(self.query)
        return super().update(**kwargs)

    def _update(self, values: Any) -> int:
        require_scope(self.query)
        return super()._update(values)  # type: ignore[misc]  # the stubs do not know it

    def delete(self) -> Any:
        require_scope(self.query)
        return super().delete()

    def _raw_delete(self, using: str | None) -> int:
        require_scope(self.query)
        return super()._raw_delete(using)

    def raw(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UnscopedQuery("Raw SQL cannot be scoped. Use the ORM, or a cursor inside `with scoping.tenant(organization):`.")

    def _with_tenant(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a new row with its organization; raises where they name another one."""
        require_scope(self.query)
        given = values.get("organization_id", values.get("organization"))
        if given is not None and tenant_key(given) != self.query.tenant_scope:
            raise UnscopedQuery("A row for one organization cannot be created through another's query.")
        rest = {name: value for name, value in values.items() if name not in ("organization", "organization_id")}
        return {**rest, "organization_id": uuid.UUID(self.query.tenant_scope)}


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    """`objects` of every tenant model."""

    use_in_migrations = False


def row_level_security(name: str = "%(app_label)s_%(class)s_rls") -> RLSConstraint:
    """The constraint that every tenant table carries: a forced policy on `organization_id`."""
    return RLSConstraint(field="organization", name=name, tenant_pk_type="uuid")


class TenantModel(models.Model):
    """A row that belongs to one organization.

    A model with constraints of its own keeps these: `class Meta(TenantModel.Meta): constraints = [*TenantModel.Meta.constraints, …]`.
    """

    organization = models.ForeignKey("tenants.Organization", on_delete=models.CASCADE, related_name="+")

    objects = TenantManager()
    # Unscoped, for admin, forms and look-ups before the organization is known; row-level security still holds for it.
    across_tenants = models.Manager()

    class Meta:
        abstract = True
        default_manager_name = "across_tenants"
        base_manager_name = "across_tenants"
        constraints = [row_level_security()]


# MongoDB ---------------------------------------------------------------------------------------------------------------

TENANT_FIELD = "organizationId"
# Stages that read or write another collection, past the tenant's equality.
FOREIGN_STAGES = frozenset({"$lookup", "$graphLookup", "$unionWith", "$out", "$merge"})
# A `comment` that starts so marks a command that is meant to see every organization.
ACROSS_COMMENT = "across-tenants: "


class TenantKeyField(mongoengine.StringField):
    """The organization's UUID in canonical form. Nothing else is stored, and nothing else reaches a query."""

    def to_python(self, value: Any) -> Any:
        return value if value is None else str(value)

    def to_mongo(self, value: Any) -> str:
        return tenant_key(value)

    def validate(self, value: Any) -> None:
        try:
            tenant_key(value)
        except BadTenant as error:
            self.error(str(error))

    def prepare_query_value(self, op: str | None, value: Any) -> str:
        if op is not None:
            raise BadTenant("Documents are asked for by organization, never by a condition on it.")
        return tenant_key(value)


def tenant_of(query: Mapping[str, Any]) -> str | None:
    """The organization that a MongoDB filter is limited to: its `organizationId` equality, at the top or in a top `$and`."""
    found = query.get(TENANT_FIELD)
    if found is not None:
        return found if isinstance(found, str) else None
    for part in query.get("$and", ()):
        if isinstance(part, Mapping) and (inner := tenant_of(part)) is not None:
            return inner
    return None


def refuse_foreign_stages(pipeline: Any) -> None:
    """Raises `UnscopedQuery` for an aggregation that leaves its collection, however deep the stage is."""
    if isinstance(pipeline, Mapping):
        if stages := sorted(FOREIGN_STAGES.intersection(pipeline)):
            raise UnscopedQuery(f"{stages[0]} reaches past the organization. Ask each collection for itself.")
        pipeline = list(pipeline.values())
    if isinstance(pipeline, Sequence) and not isinstance(pipeline, str | bytes):
        for part in pipeline:
            refuse_foreign_stages(part)


class TenantDocumentQuerySet(mongoengine.QuerySet):
    """Fails closed: no command leaves before the filter names one organization, or the query says it goes across."""

    _tenant: str | None = None
    _across: str = ""

    def for_tenant(self, organization: Any) -> Self:
        """This organization's documents. Takes an Organization or its id."""
        key = tenant_key(organization)
        if self._tenant not in (None, key):
            raise UnscopedQuery("This query is already scoped to another organization.")
        scoped = self.filter(organization_id=key)
        scoped._tenant = key
        return scoped

    def across_tenants(self, reason: str) -> Self:
        """Every organization's documents, read only. MongoDB's log and the tests' listener see the reason."""
        if not reason:
            raise UnscopedQuery("Acting across organizations needs a reason. Pass it: across_tenants('nightly counts').")
        queryset = self.clone()
        queryset._across = reason
        queryset._comment = ACROSS_COMMENT + reason
        return queryset

    def _clone_into(self, new_qs: Any) -> Any:
        clone = super()._clone_into(new_qs)
        if not isinstance(clone, TenantDocumentQuerySet):
            raise UnscopedQuery("A query on tenants' documents cannot be turned into an unguarded one.")
        clone._tenant, clone._across = self._tenant, self._across
        return clone

    @property
    def _query(self) -> dict[str, Any]:
        query = super()._query
        if self._across:
            return query
        named = tenant_of(query)
        if named is None:
            name = self._document.__name__
            raise UnscopedQuery(
                f"This query on {name} does not say whose documents it wants. Write {name}.objects.for_tenant(organization)."
            )
        if self._tenant is not None and named != self._tenant:
            raise UnscopedQuery("This query names another organization than the one it is scoped to.")
        if query.get(TENANT_FIELD) == named:
            return query
        return {**query, TENANT_FIELD: named}

    # Reading: mongoengine's own ways around `_query`.

    def count(self, with_limit_and_skip: bool = False) -> int:
        if not self._across:
            return super().count(with_limit_and_skip)
        if self._none or self._empty:
            return 0
        return self._collection.count_documents(self._query, comment=self._comment)

    def aggregate(self, pipeline: Any, *suppl_pipeline: Any, **kwargs: Any) -> Any:
        refuse_foreign_stages([pipeline, *suppl_pipeline])
        if self._across:
            kwargs["comment"] = self._comment
        return super().aggregate(pipeline, *suppl_pipeline, **kwargs)

    def in_bulk(self, object_ids: Iterable[Any]) -> dict[Any, Any]:
        found = self.filter(pk__in=list(object_ids))
        if self._as_pymongo:
            return {doc["_id"]: doc for doc in found}
        return {doc.pk: doc for doc in found}

    def with_id(self, object_id: Any) -> Any:
        return self.filter(pk=object_id).first()

    def sum(self, field: str) -> Any:
        self._refuse_across("sum")
        return super().sum(field)

    def average(self, field: str) -> Any:
        self._refuse_across("average")
        return super().average(field)

    # Writing.

    def insert(self, doc_or_docs: Any, load_bulk: bool = True, write_concern: Any = None, signal_kwargs: Any = None) -> Any:
        if self._tenant is None:
            raise UnscopedQuery("Insert through objects.for_tenant(organization).insert(…).")
        for document in doc_or_docs if isinstance(doc_or_docs, list | tuple) else [doc_or_docs]:
            if tenant_key(document.organization_id) != self._tenant:
                raise UnscopedQuery("A document for one organization cannot be inserted through another's query.")
        return super().insert(doc_or_docs, load_bulk, write_concern, signal_kwargs)

    def create(self, **kwargs: Any) -> Any:
        if self._tenant is None:
            raise UnscopedQuery("Create through objects.for_tenant(organization).create(…).")
        if tenant_key(kwargs.setdefault("organization_id", self._tenant)) != self._tenant:
            raise UnscopedQuery("A document for one organization cannot be created through another's query.")
        return super().create(**kwargs)

    def update(self, *args: Any, **kwargs: Any) -> Any:
        self._refuse_across("update")
        self._refuse_tenant_change(kwargs)
        return super().update(*args, **kwargs)

    def modify(self, *args: Any, **kwargs: Any) -> Any:
        self._refuse_across("modify")
        self._refuse_tenant_change(kwargs)
        return super().modify(*args, **kwargs)

    def upsert_one(self, write_concern: Any = None, read_concern: Any = None, **update: Any) -> Any:
        return self.modify(upsert=True, new=True, **update)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        self._refuse_across("delete")
        return super().delete(*args, **kwargs)

    def _refuse_across(self, verb: str) -> None:
        if self._across:
            raise UnscopedQuery(f"Across organizations is for reading. To {verb}, go organization by organization.")

    def _refuse_tenant_change(self, update: Mapping[str, Any]) -> None:
        if any("organization_id" in name.split("__") for name in update) or _mentions(update.get("__raw__"), TENANT_FIELD):
            raise UnscopedQuery("A document stays with its organization.")

    # Closed: these run JavaScript, follow references or leave the guarded class.

    def _closed(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UnscopedQuery("This way of asking cannot be kept to one organization. Use filter, aggregate or distinct.")

    map_reduce = exec_js = item_frequencies = where = no_cache = from_json = _closed


def _mentions(value: Any, field: str) -> bool:
    if isinstance(value, Mapping):
        return any(name == field or _mentions(inner, field) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return any(_mentions(inner, field) for inner in value)
    return False


class TenantDocument(mongoengine.Document):
    """A document that belongs to one organization. Its key is in every save and delete too (`shard_key`)."""

    organization_id = TenantKeyField(db_field=TENANT_FIELD, required=True)

    meta = {
        "abstract": True,
        "queryset_class": TenantDocumentQuerySet,
        "shard_key": ("organization_id",),
        "auto_create_index": False,
    }

    @classmethod
    def for_tenant(cls, organization: Any) -> TenantDocumentQuerySet:
        """This organization's documents."""
        return cls.objects.for_tenant(organization)

    @classmethod
    def across_tenants(cls, reason: str) -> TenantDocumentQuerySet:
        """Every organization's documents, read only; say why."""
        return cls.objects.across_tenants(reason)
