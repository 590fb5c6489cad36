"""What a command on a tenants' collection has to look like (`tests.mongo_commands` watches them all)."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.module_loading import autodiscover_modules

from tenants.acting import tenant_key
from tenants.errors import BadTenant
from tenants.scoping import ACROSS_COMMENT, FOREIGN_STAGES, TENANT_FIELD, TenantDocument, tenant_of
from tests.mongo_commands import watcher

# Commands that go across organizations on purpose, by the reason in their comment, and why that is right. An entry that no source
# line gives as its reason fails a test.
ALLOWED_ACROSS = {
    "a test empties the store": "tests start from nothing",
    "the night counts a day of every organization": "reads everybody's logs; each row that comes of it names its organization",
    "a worker renews all its leases at once": "one look at what it writes, by ids of its own; each is written by its organization",
    "the sweeper looks for answers that nobody works on": "whatever organization they are of; each is then moved on by its own",
    "the sweeper looks for sessions whose process is gone": "whatever organization they are of; each is then closed by its own",
    "where a person who is erased wrote, in every organization": "reads where that was; each is then changed by its organization",
    "whose shared copy does this link open?": "asked by a random token before anybody's organization is known; reads one copy",
    "the ledger of all organizations is compared with their answers": "reads the calls of answers; each names its organization",
    "what nobody sent within a day is removed, of every organization": "reads where it is kept; each is removed by its organization",
    "which organizations have something in the buffer; each is then folded by its own": "counts by organization; each is folded by its own",
    "what the validator of an older version refuses is taken away, of everybody": "a migration is undone for the whole collection",
}

# Commands about collections, not documents.
ABOUT_COLLECTIONS = frozenset(
    {"create", "createIndexes", "collMod", "drop", "dropIndexes", "listIndexes", "getMore", "killCursors", "collStats", "explain"}
)


def tenant_collections() -> dict[str, type[TenantDocument]]:
    """Collection names of every tenant document there is."""
    found: dict[str, type[TenantDocument]] = {}

    def visit(documents: Iterable[type[TenantDocument]]) -> None:
        for document in documents:
            if not document._meta.get("abstract"):
                found[document._get_collection_name()] = document
            visit(document.__subclasses__())

    visit(TenantDocument.__subclasses__())
    return found


_known: set[str] = set()


def is_tenants(collection: str) -> bool:
    """Whether tenants' documents are kept there. A test may declare some of its own at any time."""
    if collection not in _known:
        _known.update(tenant_collections())
    return collection in _known


def check(database: str, name: str, command: Mapping[str, Any]) -> str | None:
    """A sentence if this command touches a tenants' collection without saying whose documents it means."""
    collection = command.get(name)
    if not isinstance(collection, str) or name in ABOUT_COLLECTIONS or not is_tenants(collection):
        return None
    comment = command.get("comment")
    if isinstance(comment, str) and comment.startswith(ACROSS_COMMENT):
        reason = comment.removeprefix(ACROSS_COMMENT)
        if reason in ALLOWED_ACROSS:
            return None
        return f"{name} on {collection} goes across organizations for a reason that tests/tenancy.py does not allow: {reason!r}."
    for query in queries_of(name, command):
        if not is_scoped(query):
            return f"{name} on {collection} does not name one organization: {shown(query)}."
    return None


def queries_of(name: str, command: Mapping[str, Any]) -> list[Any]:
    """Every filter (or inserted document) of a command; None for one that cannot be judged."""
    if name in ("find", "count", "distinct", "findAndModify", "mapReduce"):
        return [command.get("filter", command.get("query"))]
    if name == "update":
        return [part.get("q") for part in command.get("updates", ())] or [None]
    if name == "delete":
        return [part.get("q") for part in command.get("deletes", ())] or [None]
    if name == "insert":
        return list(command.get("documents", ())) or [None]
    if name == "aggregate":
        stages = list(command.get("pipeline", ()))
        if any(stage in FOREIGN_STAGES for part in stages for stage in part):
            return [None]
        return [stages[0].get("$match")] if stages else [None]
    return [None]


def is_scoped(query: Any) -> bool:
    if not isinstance(query, Mapping):
        return False
    try:
        return tenant_of(query) == tenant_key(tenant_of(query))
    except BadTenant:
        return False


def shown(query: Any) -> str:
    return "(nothing)" if query is None else f"{TENANT_FIELD} is {query.get(TENANT_FIELD)!r} among {sorted(query)}"


autodiscover_modules("documents")  # so that every tenant document there is has been declared
watcher.check = check
