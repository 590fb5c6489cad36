"""What the benchmark concludes from frames: a lost, doubled or swapped token must show."""

import pytest

from benchmarks.tokens import Heard, question, tally, token
from benchmarks.upstream import SHAPE

NOW = 12_345.678901


def frames(*places, late=0.02):
    """One delta for each place, written at NOW and heard a little later."""
    return [(NOW + late, b'{"conversation":"c","n":1,"event":"delta","text":"%b"}' % token(place, NOW)) for place in places]


def test_every_token_with_its_delay():
    found = tally(frames(0, 1, 2))
    assert (found.tokens, found.in_order, found.frames) == (3, True, 3)
    assert list(found.delays) == pytest.approx([0.02] * 3, abs=1e-5)


@pytest.mark.parametrize("places", [(0, 2), (0, 1, 1), (1, 0), (1,)], ids=["lost", "doubled", "swapped", "begins late"])
def test_what_is_not_in_order(places):
    assert not tally(frames(*places)).in_order


def test_several_tokens_of_a_frame():
    found = tally([(NOW, b'{"event":"delta","text":"%b%b"}' % (token(0, NOW), token(1, NOW)))])
    assert (found.tokens, found.frames) == (2, 1)


def test_places_go_on_after_a_thousand():
    assert tally(frames(*range(2_500))).in_order


def test_the_clock_wraps():
    found = tally([(1_000.01, token(0, 999.99))])
    assert list(found.delays) == pytest.approx([0.02], abs=1e-5)


def test_the_saved_message_says_nothing_new():
    whole = b'{"conversation":"c","n":3,"event":"message","message":{"status":"sent","text":"%b%b"}}' % (token(0, NOW), token(1, NOW))
    assert tally([*frames(0, 1), (NOW, whole)]).tokens == 2


def test_a_whole_message_stands_for_lost_deltas():
    text = token(0, NOW) + token(1, NOW) + token(2, NOW)
    whole = b'{"conversation":"c","n":2,"event":"message","message":{"status":"streaming","text":"%b"}}' % text
    found = tally([*frames(0), (NOW, whole), *frames(3)])
    assert (found.tokens, found.in_order) == (4, True)


def test_a_frame_that_repeats_all_before():
    heard = Heard(cumulative=True)
    heard.frames += [(NOW, token(0, NOW)), (NOW, token(1, NOW)), (NOW, token(0, NOW) + token(1, NOW) + token(2, NOW))]
    assert heard.tally().tokens == 3


def test_the_mock_understands_the_question():
    found = SHAPE.search(question(tokens=400, every=0.02, first=0.5))
    assert found is not None
    assert found.groups() == ("400", "20", "500")
