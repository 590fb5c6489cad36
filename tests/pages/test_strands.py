"""Where a conversation went several ways: links, copies and searches are of the way that was meant."""

import html
import re

import pytest

from chat import access
from chat.choices import Audience
from chat.services import shares, turns
from tenants import scoping
from tests.pages.test_pages import address, cast, consultation, olive

__all__ = ["cast", "consultation", "olive"]


@pytest.fixture
def ways(cast, consultation):
    """Olive asked of Paris, then in other words of Lisbon, and looks at that."""
    with scoping.tenant(cast.acme):
        asked = turns.submit(cast.olive.membership, consultation, text="What of Paris?", client_id="one")
        edited = turns.edit(cast.olive.membership, consultation, asked.message, text="What of Lisbon?", client_id="two")
    return asked.message, edited.message


def test_a_search_leads_to_the_way_on_which_it_was_said(olive, cast, consultation, ways):
    assert b"What of Lisbon?" in olive.get(address(consultation)).content
    for question in ways:
        city = question.text.split()[-1].strip("?")
        found = olive.get(f"/o/acme/chat/search/?q={city}").content.decode()
        [link] = {html.unescape(each) for each in re.findall(r'class="result" href="([^"]+)"', found)}
        page = olive.get(link).content.decode()
        assert question.text in page
        assert not any(other.text in page for other in ways if other is not question)


def test_a_copy_is_of_the_way_that_its_maker_looked_at(olive, cast, consultation, ways):
    with scoping.tenant(cast.acme):
        current = access.conversation_for(cast.olive.membership, consultation.id)
        made = shares.create(cast.olive.membership, current, audience=Audience.ORGANIZATION, days=7)
    body = olive.get(f"/s/{made.token}/").content
    assert b"What of Lisbon?" in body
    assert b"What of Paris?" not in body
