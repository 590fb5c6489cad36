"""What a search is understood as, its patterns and its snippets. Pure: no store is asked."""

import re
import unicodedata
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import search
from chat.choices import ConsultationType
from chat.search import Piece, Query
from chat.services.errors import SearchNotUnderstood

FAMILY = "👩‍👩‍👧‍👦"


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("career plan", Query(words=("career", "plan"))),
        ('"career  plan" -salary -"last year"', Query(words=("career plan",), excluded=("salary", "last year"))),
        ("“career plan” Erik", Query(words=("career plan", "Erik"))),
        ('one-to-one 10:30 "half open', Query(words=("one-to-one", "10:30", "half open"))),
        ("x from:me", Query(words=("x",), author="me")),
        ('FROM:"Olive Olsen" x', Query(words=("x",), author="Olive Olsen")),
        ("x type:one_to_one", Query(words=("x",), types=("one_to_one",))),
        ('x type:"forming team"', Query(words=("x",), types=("team_formation",))),
        ("x type:team", Query(words=("x",), types=("team_compatibility", "team_formation"))),
        ('x about:"erik ek"', Query(words=("x",), about="erik ek")),
        ("x before:2026-03-01", Query(words=("x",), before=datetime(2026, 3, 1, tzinfo=UTC))),
        ("x after:2026-02-28", Query(words=("x",), after=datetime(2026, 2, 28, tzinfo=UTC))),
        ("x pinned:YES status:archived", Query(words=("x",), pinned=True, status="archived")),
        ("x pinned:no", Query(words=("x",), pinned=False)),
        ('"from:me"', Query(words=("from:me",))),
        ("a\x00b - !", Query(words=("a", "b", "!"))),
    ],
)
def test_words_phrases_and_operators_are_understood(text, understood):
    assert search.parse(text) == understood


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "at least one word"),
        ("   ", "at least one word"),
        ("-salary", "at least one word"),
        ("pinned:yes", "at least one word"),
        ('!!! "-" &', "at least one word"),
        ("x colour:red", "colour:"),
        ("http://example.org", "http:"),
        ("x from:", "from:"),
        ('x about:""', "about:"),
        ("x -from:me", "from:"),
        ("x from:me from:parley", "from:"),
        ("x type:gossip", "gossip"),
        ("x before:yesterday", "yesterday"),
        ("x after:2026-02-30", "2026-02-30"),
        ("x pinned:maybe", "maybe"),
        ("x status:deleted", "deleted"),
        ("x" * 201, "200 characters"),
    ],
)
def test_what_is_not_understood_is_named_in_a_sentence(text, named):
    with pytest.raises(SearchNotUnderstood, match=re.escape(named)) as caught:
        search.parse(text)
    assert caught.value.sentence.endswith(".")


SIGNS = ("from:", "type:", "about:", "before:", "after:", "pinned:", "status:", "x:", '"', "-", " ", "me", "2026-03-01", "é", "$ne")
PARTS = st.sampled_from(SIGNS)


@given(st.one_of(st.text(max_size=220), st.lists(PARTS, max_size=20).map("".join)))
def test_no_text_raises_anything_but_a_sentence(text):
    try:
        query = search.parse(text)
    except SearchNotUnderstood as error:
        assert error.sentence.endswith(".")
        return
    assert query.lead in " ".join(query.words).split()
    for word in (*query.words, *query.excluded):
        re.compile(search.pattern(word))
    pieces = search.snippet(text, query.words)
    assert all(piece.text for piece in pieces)


WORDS = st.from_regex(r"[a-zé0-9$(*.]{0,5}[a-z][a-z0-9)]{0,5}", fullmatch=True)
DAYS = st.dates(min_value=date(1970, 1, 1)).map(lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC))
QUERIES = st.builds(
    Query,
    words=st.lists(WORDS | st.lists(WORDS, min_size=2, max_size=3).map(" ".join), min_size=1, max_size=3).map(tuple),
    excluded=st.lists(WORDS, max_size=2).map(tuple),
    author=st.just("") | WORDS,
    types=st.just(()) | st.sampled_from([(type.value,) for type in ConsultationType]),
    about=st.just("") | WORDS,
    before=st.none() | DAYS,
    after=st.none() | DAYS,
    pinned=st.none() | st.booleans(),
    status=st.sampled_from([None, "active", "archived"]),
)


def written(query: Query) -> str:
    """A query as a person would write it, all values quoted."""
    parts = [f'"{word}"' for word in query.words] + [f'-"{word}"' for word in query.excluded]
    parts += [f'{name}:"{value}"' for name, value in (("from", query.author), ("about", query.about)) if value]
    parts += [f"type:{value}" for value in query.types]
    parts += [f"{name}:{at:%Y-%m-%d}" for name, at in (("before", query.before), ("after", query.after)) if at is not None]
    if query.pinned is not None:
        parts.append(f"pinned:{'yes' if query.pinned else 'no'}")
    if query.status is not None:
        parts.append(f"status:{query.status}")
    return " ".join(parts)


@given(QUERIES.filter(lambda query: len(written(query)) <= search.QUERY_LIMIT))
def test_what_is_written_down_is_understood_as_the_same(query):
    assert search.parse(written(query)) == query


def test_the_longest_word_leads():
    assert search.parse('is "erik ready" for promotion?').lead == "promotion?"
    assert search.parse("R&D -------- plan").lead == "plan"


# Patterns


@pytest.mark.parametrize(
    ("word", "text", "hit"),
    [
        ("jose", "Ask JOSÉ now", "JOSÉ"),
        ("José", "ask jose now", "jose"),
        ("elan", "with e\u0301lan.", "e\u0301lan"),
        ("plan", "planning, plan", "plan"),
        ("career plan", "a Career\n plan", "Career\n plan"),
        (".*", "anything", None),
        ("c++", "in C++, too", "C++"),
        ("(a|b)", "a (a|b) b", "(a|b)"),
        ("हिन्दी", "भाषा हिन्दी है", "हिन्दी"),
        ("$ne", "a $ne b", "$ne"),
    ],
)
def test_signs_are_only_text_and_marks_and_case_do_not_matter(word, text, hit):
    found = re.search(search.pattern(word), text, re.IGNORECASE)
    assert (found and found[0]) == hit


# Snippets


def shown(pieces) -> str:
    return "".join(f"[{piece.text}]" if piece.hit else piece.text for piece in pieces)


def test_a_short_text_is_shown_whole_with_its_hits_marked():
    assert search.snippet("Erik is ready. Is\n\nerik?", ("erik",)) == (
        Piece("Erik", True),
        Piece(" is ready. Is ", False),
        Piece("erik", True),
        Piece("?", False),
    )


def test_a_long_text_is_shown_around_its_first_hit():
    text = "before " * 100 + "the needle " + "behind " * 100
    pieces = search.snippet(text, ("needle",))
    whole = shown(pieces)
    assert whole.startswith("…before ")
    assert "the [needle] behind" in whole
    assert whole.endswith("…")
    assert 150 <= len(whole) <= 170


def test_nothing_that_looks_like_markup_is_made_of_a_text():
    assert search.snippet("<b>bold</b>", ("bold",)) == (Piece("<b>", False), Piece("bold", True), Piece("</b>", False))
    assert search.plain("## Plan\n- **bold** `code`\n> snake_case") == "Plan\nbold code\nsnake_case"
    assert search.plain("* one\n*From 2 * 3.* Next") == "one\nFrom 2 * 3. Next"


@pytest.mark.parametrize("sign", [FAMILY, "e\u0301\u0323", "🇳🇴", "👍🏽", "❤️", "नि"])
def test_no_sign_is_cut(sign):
    for shift in range(len(sign) * 2):
        pieces = search.snippet("x" * shift + " " + sign * 100 + " needle " + sign * 200, ("needle",))
        for piece in pieces:
            kept = piece.text.strip(" x…")
            if not piece.hit and kept:
                assert kept == sign * (len(kept) // len(sign))


@given(st.text(max_size=600), st.integers(0, 600))
def test_a_cut_never_separates_a_mark_from_its_letter(text, place):
    edge = search._sign_edge(text, min(place, len(text)))
    assert edge == 0 or edge == len(text) or not unicodedata.category(text[edge]).startswith("M")
