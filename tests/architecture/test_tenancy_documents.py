"""Queries on tenants' documents fail closed: every way of asking mongoengine says whose documents it wants, or raises."""

import inspect
import uuid

import mongoengine
import pytest
from bson import json_util
from hypothesis import given
from hypothesis import strategies as st
from mongoengine import IntField, ListField, StringField
from mongoengine.queryset.base import BaseQuerySet

from config import mongo
from tenants.acting import tenant_key
from tenants.errors import BadTenant
from tenants.scoping import TenantDocument, TenantDocumentQuerySet, UnscopedQuery, refuse_foreign_stages, tenant_of
from tests import tenancy
from tests.mongo_commands import watcher

ACME = "01900000-0000-7000-8000-00000000acee"
GLOBEX = "01900000-0000-7000-8000-0000000061be"


class Paper(TenantDocument):
    """A tenants' document of the tests."""

    title = StringField(db_field="paperTitle")
    pages = IntField()
    words = ListField(StringField())

    meta = {"collection": "test_papers"}


@pytest.fixture
def papers():
    tenancy.ALLOWED_ACROSS["the tests count papers"] = "this module's own"
    collection = mongo.database()["test_papers"]
    collection.drop()
    for organization, title, pages in ((ACME, "one", 1), (ACME, "two", 2), (GLOBEX, "secret", 4)):
        Paper(organization_id=organization, title=title, pages=pages, words=[title, "word"]).save()
    watcher.take()
    yield
    collection.drop()
    del tenancy.ALLOWED_ACROSS["the tests count papers"]


def titles(queryset):
    return sorted(paper.title for paper in queryset)


# Each takes an unscoped queryset and asks it something.
DOORS = {
    "__getitem__": lambda papers: papers[0],
    "__iter__": list,
    "__len__": len,
    "__next__": next,
    "__repr__": repr,
    "__bool__": bool,
    "aggregate": lambda papers: list(papers.aggregate([{"$count": "n"}])),
    "as_pymongo": lambda papers: list(papers.as_pymongo()),
    "average": lambda papers: papers.average("pages"),
    "batch_size": lambda papers: list(papers.batch_size(2)),
    "comment": lambda papers: papers.comment("just looking"),
    "count": lambda papers: papers.count(),
    "create": lambda papers: papers.create(title="new", organization_id=ACME),
    "delete": lambda papers: papers.delete(),
    "distinct": lambda papers: papers.distinct("title"),
    "exec_js": lambda papers: papers.exec_js("return 1"),
    "explain": lambda papers: papers.explain(),
    "first": lambda papers: papers.first(),
    "from_json": lambda papers: papers.from_json("[]"),
    "get": lambda papers: papers.get(title="one"),
    "in_bulk": lambda papers: papers.in_bulk(["0" * 24]),
    "insert": lambda papers: papers.insert(Paper(organization_id=ACME, title="new")),
    "item_frequencies": lambda papers: papers.item_frequencies("words"),
    "map_reduce": lambda papers: papers.map_reduce("", "", "inline"),
    "max_time_ms": lambda papers: list(papers.max_time_ms(100)),
    "modify": lambda papers: papers.modify(title="new"),
    "no_cache": lambda papers: papers.no_cache(),
    "rewind": lambda papers: papers.rewind(),
    "scalar": lambda papers: list(papers.scalar("title")),
    "select_related": lambda papers: papers.select_related(),
    "sum": lambda papers: papers.sum("pages"),
    "to_json": lambda papers: papers.to_json(json_options=json_util.DEFAULT_JSON_OPTIONS),
    "update": lambda papers: papers.update(title="new"),
    "update_one": lambda papers: papers.update_one(title="new"),
    "upsert_one": lambda papers: papers.upsert_one(title="new"),
    "where": lambda papers: papers.where("true"),
    "with_id": lambda papers: papers.with_id("000000000000000000000000"),
    "values_list": lambda papers: list(papers.values_list("title")),
    "using": lambda papers: list(papers.using("default")),
    "clone": lambda papers: list(papers.clone()),
    "__deepcopy__": lambda papers: list(papers.__deepcopy__({})),
}
# These only describe the query that a door above then asks.
DESCRIBES = {
    "__call__", "__getstate__", "__init__", "__setstate__", "all", "all_fields", "allow_disk_use", "clear_cls_query", "collation",
    "exclude", "fields", "filter", "hint", "limit", "no_dereference", "no_sub_classes", "none", "only", "order_by", "read_concern",
    "read_preference", "search_text", "skip", "snapshot", "timeout",
}  # fmt: skip
OURS = {"for_tenant", "across_tenants"}


@pytest.mark.parametrize("door", DOORS)
def test_an_unscoped_query_raises(papers, door):
    with pytest.raises(UnscopedQuery):
        DOORS[door](Paper.objects)


def test_every_method_of_mongoengine_is_known():
    """A new method of mongoengine's querysets has to be judged before it is used, and a gone one leaves the list."""
    methods = {
        name
        for cls in (BaseQuerySet, mongoengine.QuerySet, TenantDocumentQuerySet)
        for name, value in vars(cls).items()
        if inspect.isfunction(value) and (not name.startswith("_") or name.startswith("__"))
    }
    assert methods == set(DOORS) | DESCRIBES | OURS


def test_a_scoped_query_sees_its_organization_only(papers):
    mine = Paper.objects.for_tenant(ACME)
    assert titles(mine) == ["one", "two"]
    assert mine.count() == 2
    assert mine.sum("pages") == 3
    assert mine.average("pages") == 1.5
    assert sorted(mine.distinct("title")) == ["one", "two"]
    assert list(mine.aggregate([{"$group": {"_id": None, "pages": {"$sum": "$pages"}}}])) == [{"_id": None, "pages": 3}]
    assert mine.filter(title="secret").first() is None
    everybody = [paper.pk for paper in Paper.across_tenants("the tests count papers")]
    assert len(everybody) == 3
    assert titles(mine.in_bulk(everybody).values()) == ["one", "two"]
    assert mine.with_id(Paper.objects.for_tenant(GLOBEX).first().pk) is None


def test_writing_stays_within_the_organization(papers):
    mine = Paper.objects.for_tenant(ACME)
    assert mine.update(pages=9) == 2
    assert mine.modify(new=True, title="renamed").organization_id == ACME
    assert mine.filter(title="third").upsert_one(pages=3).organization_id == ACME
    assert mine.create(title="fourth").organization_id == ACME
    mine.insert([Paper(organization_id=ACME, title="fifth")])
    assert mine.delete() == 5
    assert titles(Paper.objects.for_tenant(GLOBEX)) == ["secret"]
    for write in (
        lambda: mine.insert(Paper(organization_id=GLOBEX, title="x")),
        lambda: mine.create(organization_id=GLOBEX, title="x"),
        lambda: mine.update(organization_id=GLOBEX),
        lambda: mine.update(__raw__={"$set": {"organizationId": GLOBEX}}),
        lambda: mine.modify(set__organization_id=GLOBEX),
    ):
        with pytest.raises(UnscopedQuery):
            write()


def test_documents_save_reload_update_and_delete_with_their_organization(papers):
    paper = Paper.objects.for_tenant(ACME).get(title="one")
    paper.title = "changed"
    paper.save()
    paper.reload()
    paper.update(pages=7)
    assert paper.modify(pages=8)
    with pytest.raises(mongoengine.errors.OperationError):
        paper.organization_id = GLOBEX
    paper.delete()
    assert titles(Paper.objects.for_tenant(ACME)) == ["two"]
    assert watcher.take() == []


def test_the_same_id_under_another_organization_is_not_touched(papers):
    """Somebody who guesses an id and sets their own organization on it reaches nothing."""
    stolen = Paper.objects.for_tenant(GLOBEX).get(title="secret")
    forged = Paper._from_son({"_id": stolen.pk, "organizationId": ACME, "paperTitle": "mine now"})
    forged.delete()
    forged.update(title="mine now")
    assert titles(Paper.objects.for_tenant(GLOBEX)) == ["secret"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Paper.objects(organization_id={"$ne": None}),
        lambda: Paper.objects(organization_id__ne=ACME),
        lambda: Paper.objects(organization_id__in=[ACME, GLOBEX]),
        lambda: Paper.objects(organization_id__exists=True),
        lambda: Paper.objects(organization_id__not__in=[GLOBEX]),
        lambda: Paper.objects(__raw__={"organizationId": {"$ne": None}}),
        lambda: Paper.objects(__raw__={"$or": [{"organizationId": ACME}, {"organizationId": GLOBEX}]}),
        lambda: Paper.objects(mongoengine.Q(organization_id=ACME) | mongoengine.Q(title="secret")),
        lambda: Paper.objects.for_tenant(ACME).filter(__raw__={"organizationId": GLOBEX}),
        lambda: Paper.objects.for_tenant({"$ne": None}),
        lambda: Paper.objects.for_tenant(None),
        lambda: Paper.objects.for_tenant(ACME).for_tenant(GLOBEX),
        lambda: Paper.across_tenants(""),
    ],
)
def test_conditions_on_the_organization_find_nothing(papers, ask):
    try:
        found = titles(ask())
    except (UnscopedQuery, BadTenant):
        return
    assert found == []


def test_an_alternative_inside_a_scoped_query_stays_inside(papers):
    either = mongoengine.Q(title="one") | mongoengine.Q(title="secret")
    assert titles(Paper.objects.for_tenant(ACME)(either)) == ["one"]


@pytest.mark.parametrize(
    "pipeline",
    [
        [{"$lookup": {"from": "test_papers", "pipeline": [], "as": "all"}}],
        [{"$facet": {"a": [{"$unionWith": "test_papers"}]}}],
        [{"$match": {}}, {"$graphLookup": {}}],
        [{"$out": "elsewhere"}],
        [{"$merge": {"into": "elsewhere"}}],
        [{"$lookup": {"from": "x", "pipeline": [{"$unionWith": "y"}], "as": "z"}}],
    ],
)
def test_an_aggregation_that_leaves_its_collection_raises(papers, pipeline):
    with pytest.raises(UnscopedQuery):
        Paper.objects.for_tenant(ACME).aggregate(pipeline)


def test_refusing_foreign_stages_lets_ordinary_ones_pass():
    refuse_foreign_stages([{"$match": {"a": 1}}, {"$facet": {"x": [{"$count": "n"}]}}, {"$group": {"_id": "$lookup"}}])


def test_across_is_for_reading_and_says_why(papers):
    everything = Paper.across_tenants("the tests count papers")
    assert everything.count() == 3
    assert sorted(everything.distinct("title")) == ["one", "secret", "two"]
    assert list(everything.aggregate([{"$count": "n"}])) == [{"n": 3}]
    for write in (
        lambda: everything.delete(),
        lambda: everything.update(pages=0),
        lambda: everything.modify(pages=0),
        lambda: everything.update_one(pages=0),
        lambda: everything.sum("pages"),
        lambda: everything.insert(Paper(organization_id=ACME)),
        lambda: everything.create(organization_id=ACME),
    ):
        with pytest.raises(UnscopedQuery):
            write()
    assert watcher.take() == []


def test_a_subclass_of_the_queryset_cannot_be_swapped_out():
    found = tenancy.tenant_collections().values()
    assert {"chat_conversations", "chat_messages"} <= {document._get_collection_name() for document in found}
    for document in found:
        assert issubclass(document._meta["queryset_class"], TenantDocumentQuerySet), document
        assert "organization_id" in document._meta["shard_key"], document
        assert document._fields["organization_id"].db_field == "organizationId"
        references = [
            name
            for name, field in document._fields.items()
            if isinstance(getattr(field, "field", field), mongoengine.ReferenceField | mongoengine.GenericReferenceField)
        ]
        assert references == [], f"{document.__name__} follows references past the organization"


# The watcher itself -----------------------------------------------------------------------------------------------------


def test_the_watcher_sees_a_command_without_an_organization(papers):
    collection = mongo.database()["test_papers"]
    list(collection.find({"paperTitle": "one"}))
    collection.count_documents({})
    collection.update_one({"paperTitle": "one"}, {"$set": {"pages": 1}})
    collection.delete_one({"paperTitle": "none"})
    collection.insert_one({"paperTitle": "nobody's"})
    collection.find_one_and_update({"organizationId": {"$ne": None}}, {"$set": {"pages": 1}})
    collection.distinct("paperTitle")
    list(collection.aggregate([{"$match": {"organizationId": ACME}}, {"$lookup": {"from": "x", "pipeline": [], "as": "y"}}]))
    list(collection.find({}, comment="across-tenants: because I can"))
    assert len(watcher.take()) == 9


def test_the_watcher_lets_scoped_commands_pass(papers):
    collection = mongo.database()["test_papers"]
    list(collection.find({"organizationId": ACME}))
    list(collection.find({"$and": [{"organizationId": ACME}, {"pages": 1}]}))
    collection.insert_one({"organizationId": ACME})
    collection.update_many({"organizationId": ACME}, {"$set": {"pages": 1}})
    list(collection.aggregate([{"$match": {"organizationId": ACME}}, {"$count": "n"}]))
    list(mongo.database()["migrations"].find({}))
    assert watcher.take() == []


async def test_the_watcher_sees_async_commands_too(papers):
    await mongo.async_collection(Paper).find_one({"paperTitle": "one"})
    assert len(watcher.take()) == 1


# Tenant keys ------------------------------------------------------------------------------------------------------------


@given(st.uuids(allow_nil=False))
def test_a_uuid_is_its_canonical_string_in_every_form(value):
    assert tenant_key(value) == tenant_key(str(value)) == tenant_key(str(value).upper()) == str(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(uuid.UUID(int=0)),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["$ne", "$gt", "$in", "$regex", "$where"]) | st.text(), inner),
)


@given(anything)
def test_nothing_else_is_a_tenant_key(value):
    with pytest.raises(BadTenant):
        tenant_key(value)


@given(st.uuids(allow_nil=False))
def test_unusual_spellings_of_a_uuid_are_refused(value):
    for spelling in (value.hex, f"{{{value}}}", f"urn:uuid:{value}", f" {value}", f"{value}\n", f"{value.hex}----", f"----{value.hex}"):
        with pytest.raises(BadTenant):
            tenant_key(spelling)


@given(anything)
def test_no_condition_passes_for_one_organization(condition):
    assert tenant_of({"organizationId": condition}) in (None, condition)
    if not isinstance(condition, str):
        assert tenant_of({"organizationId": condition}) is None
        assert tenant_of({"$or": [{"organizationId": condition}]}) is None
