"""A conversation as a file: names that no file system stumbles over, and Markdown that no text can break."""

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from chat import transcripts
from chat.choices import ExportFormat
from chat.records import ConversationRecord

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def conversation(title: str = "A title") -> ConversationRecord:
    return ConversationRecord.read(
        {
            "conversationId": "c",
            "organizationId": "o",
            "userId": "u",
            "kind": "assistant",
            "type": "employee_specific",
            "title": title,
            "status": "active",
            **dict.fromkeys(("lastMessageAt", "createdAt", "updatedAt"), NOW),
        }
    )


def message(text: str, *, role: str = "user", name: str | None = "Olive Olsen", **fields) -> dict:
    author = None if role == "assistant" else {"id": None, "name": name, "role": None}
    nothing = {"status": "sent", "model": None, "usage": None, "attachments": []}
    return {"role": role, "author": author, "text": text, "created_at": NOW, **nothing, **fields}


def markdown(*messages: dict, title: str = "A title", subjects: tuple[str, ...] = ()) -> str:
    return b"".join(transcripts.as_markdown(conversation(title), [messages], subjects=subjects, now=NOW)).decode()


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("About one employee: Erik Ek", "About one employee Erik Ek.md"),
        ("../../etc/passwd", "etc passwd.md"),
        ("a\r\nSet-Cookie: x", "a Set-Cookie x.md"),
        ('"; filename="evil.exe', "; filename= evil.exe.md"),
        ("invoice\u202egpj.exe", "invoice gpj.exe.md"),
        ("…  Über 🌱 Алиса", "… Über 🌱 Алиса.md"),
        (". .hidden", "hidden.md"),
        ("/\\:*?", "conversation.md"),
        ("x" * 200, "x" * 60 + ".md"),
    ],
)
def test_a_title_becomes_a_safe_file_name(title, name):
    assert transcripts.file_name(title, ExportFormat.MARKDOWN) == name


@given(st.text(max_size=200))
def test_no_title_makes_an_unsafe_file_name(title):
    name = transcripts.file_name(title, ExportFormat.JSON)
    assert name.endswith(".json")
    assert not name.startswith((".", " "))
    assert not set(name) & set('\\/:*?"<>|')
    assert len(name.encode()) <= 255
    assert not any(unicodedata.category(letter).startswith("C") for letter in name)


def test_a_transcript_says_who_said_what_when_and_what_it_took():
    usage = {"input_tokens": 1_000, "output_tokens": 234, "cost": None}
    answer = message("Calm.\n\nAnd kind.", role="assistant", model="gpt_4", usage=usage)
    stopped = message("", role="assistant", status="interrupted")
    assert markdown(message("How is he?"), answer, stopped, subjects=("Erik Ek",)) == (
        "# A title\n\n- About one employee: Erik Ek\n- Started 2026-03-04 05:06 UTC, last message 2026-03-04 05:06 UTC\n"
        "- Exported 2026-03-04 05:06 UTC\n"
        "\n## Olive Olsen, 2026-03-04 05:06 UTC\n\n> How is he?\n"
        "\n## Parley, 2026-03-04 05:06 UTC\n\n> Calm.\n> \n> And kind.\n\n*gpt\\_4 · 1,234 tokens*\n"
        "\n## Parley, 2026-03-04 05:06 UTC\n\n*Interrupted*\n"
    )


def test_an_analysis_follows_its_answer_as_lists():
    structure = {
        "analysis_type": "one_to_one",
        "scores": {"Erik_Ek": 82.5},
        "recommendations": ["# Ask\nhim."],
        "insights": [],
        "data_points": {"goals": 92.0, "mood": "*fine*"},
    }
    assert markdown(message("Calm.", role="assistant", structured_data=structure)).partition("> Calm.")[2] == (
        "\n\n**Scores**\n\n- Erik\\_Ek: 82.5 of 100\n"
        "\n**Recommendations**\n\n- \\# Ask him\\.\n"
        "\n**Data**\n\n- goals: 92\n- mood: \\*fine\\*\n"
    )


HOSTILE = st.text(alphabet=st.sampled_from("#>-=`~*_[](){}<>!|+&\\\r\n\t 1.ab:\"'"), max_size=80) | st.sampled_from(
    ["# Title", "```\nopen", "<!-- ", "<script>", "Under\n===", "- a\n\n      code", "> quote\nlazy", "[a]: /b", "<div>\n\n# x"]
)


@given(st.lists(HOSTILE, min_size=1, max_size=4), HOSTILE, HOSTILE)
def test_no_text_title_or_name_breaks_the_structure(texts, title, name):
    shown = markdown(*[message(text, name=name) for text in texts], title=title)
    tokens = MarkdownIt("commonmark").parse(shown)
    levels = [token.tag for token in tokens if token.type == "heading_open" and token.level == 0]
    assert levels == ["h1"] + ["h2"] * len(texts)
    assert [token.type for token in tokens if token.level == 0 and token.type.startswith(("html", "fence", "code"))] == []


@given(st.text(min_size=1, max_size=80) | HOSTILE.filter(bool))
def test_a_text_stands_there_word_for_word(text):
    quoted = markdown(message(text)).partition(" UTC\n\n> ")[2].removesuffix("\n")
    assert quoted.replace("\r\n> ", "\r\n").replace("\n> ", "\n").replace("\r> ", "\r") == text
