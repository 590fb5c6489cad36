"""Who besides its starter may read a conversation, and that they did."""

import pytest

from chat import access, selectors
from chat.realtime import keys
from chat.services import conversations, errors
from config import redis
from tenants import access as people
from tenants import scoping
from tenants.models import AccessRecord
from tests.chat.test_conversations import start


@pytest.fixture
def acme(cast):
    with scoping.tenant(cast.acme):
        yield cast


def may_read(person, conversation) -> bool:
    """At the door, and in the list: they must say the same."""
    listed = conversation.id in [row.id for row in selectors.inbox(person.membership).results]
    try:
        access.conversation_for(person.membership, conversation.id)
    except people.NotFound:
        assert not listed
        return False
    assert listed
    return True


def readers(cast, conversation) -> set[str]:
    return {name for name in ("olive", "liam", "mona") if may_read(getattr(cast, name), conversation)}


def test_a_conversation_is_opened_to_roles_and_people_and_closed_again(acme):
    conversation = start(acme)
    assert readers(acme, conversation) == {"olive"}
    to_leaders = conversations.open_to(acme.olive.membership, conversation, to_roles=["leader"], user_ids=[])
    assert readers(acme, conversation) == {"olive", "liam"}
    assert to_leaders.as_json()["access"] == {"private": False, "roles": ["leader"], "users": []}
    conversations.open_to(acme.olive.membership, conversation, to_roles=[], user_ids=[acme.mona.user.pk, acme.olive.user.pk])
    assert readers(acme, conversation) == {"olive", "mona"}
    closed = conversations.open_to(acme.olive.membership, conversation, to_roles=[], user_ids=[])
    assert closed.is_private
    assert readers(acme, conversation) == {"olive"}


def test_only_people_of_the_organization_can_be_named(acme):
    conversation = start(acme)
    for stranger in (acme.greta.user.pk, "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(errors.UnknownPeople):
            conversations.open_to(acme.olive.membership, conversation, to_roles=[], user_ids=[stranger])
    with pytest.raises(people.NotFound):
        conversations.open_to(acme.olive.membership, conversation, to_roles=[], user_ids=[{"$ne": None}])
    assert readers(acme, conversation) == {"olive"}


def test_only_its_starter_says_who_may_read_it(acme):
    conversation = conversations.open_to(acme.olive.membership, start(acme), to_roles=["leader"], user_ids=[])
    with pytest.raises(people.Forbidden):
        conversations.open_to(acme.liam.membership, conversation, to_roles=["manager"], user_ids=[])
    assert readers(acme, conversation) == {"olive", "liam"}


def test_that_somebody_reads_anothers_conversation_is_recorded_once_an_hour(acme):
    conversation = conversations.open_to(acme.olive.membership, start(acme), to_roles=["leader"], user_ids=[])
    for _ in range(3):
        access.conversation_for(acme.olive.membership, conversation.id)
        access.conversation_for(acme.liam.membership, conversation.id)
    recorded = AccessRecord.objects.for_tenant(acme.acme).values_list("user_id", "owner_id", "conversation_id")
    assert [tuple(map(str, row)) for row in recorded] == [(str(acme.liam.user.pk), str(acme.olive.user.pk), conversation.id)]
    redis.client().delete(keys.reading(conversation.id, user_id=str(acme.liam.user.pk)))
    access.conversation_for(acme.liam.membership, conversation.id)
    assert recorded.all().count() == 2


def test_who_may_not_read_leaves_no_record(acme):
    conversation = start(acme)
    with pytest.raises(people.NotFound):
        access.conversation_for(acme.liam.membership, conversation.id)
    assert not AccessRecord.objects.for_tenant(acme.acme).exists()
