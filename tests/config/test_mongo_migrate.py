"""`mongo_migrate`: up, down, planned, recorded, resumed; and what is live is what the classes declare."""

from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from chat.services import turns
from config import mongo, mongo_runner, mongo_schema
from tests.chat.conftest import cast, consultation

__all__ = ["cast", "consultation"]

pytestmark = pytest.mark.usefixtures("stores")


@pytest.fixture(autouse=True)
def _up_again():
    yield
    call_command("mongo_migrate", verbosity=0)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("mongo_migrate", *arguments, stdout=out)
    return out.getvalue()


def records() -> dict[str, str]:
    return {row["version"]: row["status"] for row in mongo.database()[mongo_runner.COLLECTION].find()}


# What MongoDB adds to an index by itself.
NOT_DECLARED = ("v", "ns", "weights", "language_override", "textIndexVersion")


def key_of(spec) -> list[list]:
    """The key of a live index as it was asked for: MongoDB keeps the fields of a text index apart, in `weights`."""
    plain = [[field, int(way)] for field, way in spec["key"].items() if not field.startswith("_fts")]
    return plain + [[field, "text"] for field in spec.get("weights", ())]


@pytest.mark.parametrize("document", mongo_schema.documents(), ids=lambda document: document.__name__)
def test_live_indexes_and_validators_are_the_declared_ones(document):
    collection = mongo.collection(document)
    live = {}
    for spec in collection.list_indexes():
        options = {name: value for name, value in spec.items() if name not in (*NOT_DECLARED, "key", "name")}
        live[spec["name"]] = {"key": key_of(spec), **options}
    live.pop("_id_")
    assert live == mongo_schema.indexes_of(document)
    options = next(mongo.database().list_collections(filter={"name": collection.name}))["options"]
    assert options["validator"] == mongo_schema.validator_of(document)


def test_down_and_up_again_are_recorded_with_what_they_changed():
    assert "dropped collection chat_messages" in run("--to", "0000")
    assert set(records().values()) == {mongo_runner.ROLLED_BACK}
    assert "chat_messages" not in mongo.database().list_collection_names()
    assert "created collection chat_messages with its validator" in run()
    assert set(records().values()) == {mongo_runner.COMPLETED}
    row = mongo.database()[mongo_runner.COLLECTION].find_one({"version": "0001"})
    assert row["name"] == "conversations_and_messages"
    assert row["executionTime"] >= 0
    assert "created index place on chat_messages" in row["changes"]


def test_a_second_run_has_nothing_to_do_and_a_plan_does_nothing():
    assert "0 migrations run" in run()
    assert "Nothing to do." in run("--plan")
    run("--to", "0000")
    assert "up   0001 conversations_and_messages" in run("--plan")
    assert "chat_messages" not in mongo.database().list_collection_names()


def test_a_run_that_failed_half_way_is_recorded_and_finished_by_the_next():
    run("--to", "0000")
    [migration] = [known for known in mongo_runner.known() if known.version == "0001"]

    def breaks(database):
        steps = migration.module.up(database)
        yield next(steps)
        raise RuntimeError("the machine died")

    broken = mongo_runner.Migration("0001", migration.name, SimpleNamespace(up=breaks, down=migration.module.down))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(mongo_runner, "known", lambda: [broken])
        list(mongo_runner.run(mongo.database()))
    assert records()["0001"] == mongo_runner.FAILED
    run()
    assert records()["0001"] == mongo_runner.COMPLETED


def test_an_unknown_version_is_a_sentence():
    with pytest.raises(CommandError, match="There is no migration 9999"):
        run("--to", "9999")


def test_a_document_that_does_not_fit_is_refused_by_mongodb():
    with pytest.raises(Exception, match="failed validation"):
        mongo.database()["chat_messages"].insert_one({"organizationId": "01a201d0-d4a2-70aa-b5ba-9167c919e8af", "role": "boss"})


def test_a_version_back_what_was_rated_and_written_again_can_still_be_written(consultation):
    membership, conversation = consultation
    one = {"organizationId": conversation.organization_id, "conversationId": conversation.id}
    database = mongo.database()
    said = turns.submit(membership, conversation, text="Twice?", client_id="one")
    database["chat_messages"].update_one({**one, "messageId": said.answer.id}, {"$set": {"versions": 2}})
    database["chat_conversations"].update_one(one, {"$set": {"userSatisfactionRating": 3.5}})
    run("--to", "0001")
    assert database["chat_messages"].update_one({**one, "messageId": said.answer.id}, {"$set": {"content": "Yes."}}).modified_count
    assert database["chat_conversations"].update_one(one, {"$set": {"title": "Older"}}).modified_count
    assert database["chat_conversations"].find_one(one)["userSatisfactionRating"] == 4
    assert "message_revisions" not in database.list_collection_names()
