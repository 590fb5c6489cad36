"""Conversations set as pages, by a program of its own: everything can be read, and nothing that is said does anything."""

import io
import json
import subprocess
import sys

import pytest
from pypdf import PdfReader

from chat.services.exports import TYPESETTING

MARKDOWN = """\
# The plan

Erik **listens** well, and `works` hard.[^1]

1. first
2. second
   - nested

> said before

| who | goals |
|-----|-------|
| Erik | 92 |

```python
if x < 1:
    return
```
"""
HOSTILE = [
    '#import "@preview/cetz:0.3.0": *',
    '#read("/etc/passwd") #image("secret.png") $x^2$ <label> @cite',
    "![p](https://evil.example/p.png) [a](javascript:alert(1)) <img src=//evil.example>",
    "\\u{41} #set page(width: 1pt) */ // /* ``` ` = - + / ~ _ *",
    "[link](file:///etc/passwd)",
]


def lines(*messages: dict, title: str = "Erik in spring") -> str:
    shape = {"who": "Parley", "at": "2026-03-04 05:06 UTC", "is_markdown": True, "below": "", "foot": ""}
    head = {"title": title, "facts": ["About one employee: Erik Ek"]}
    return "".join(json.dumps(each) + "\n" for each in (head, *({**shape, **message} for message in messages)))


def pages(folder, said: str) -> PdfReader:
    (folder / "messages.jsonl").write_text(said)
    done = subprocess.run([sys.executable, "-I", str(TYPESETTING), str(folder)], env={}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return PdfReader(io.BytesIO((folder / "out.pdf").read_bytes()))


def words(read: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in read.pages).replace("\u200b", "").split())


def test_who_said_what_and_when_with_headings_lists_tables_and_code(tmp_path):
    question = {"who": "Olive Olsen", "text": "How is *he*?", "is_markdown": False}
    said = words(pages(tmp_path, lines(question, {"text": MARKDOWN, "foot": "m-1 · 33 tokens"})))
    for part in (
        *("Erik in spring", "About one employee: Erik Ek", "Olive Olsen 2026-03-04 05:06 UTC", "How is *he*?", "The plan"),
        *("Erik listens well, and works hard.", "1. first 2. second", "nested", "said before", "who goals Erik 92", "if x < 1: return"),
        "m-1 · 33 tokens",
    ):
        assert part in said, part


def test_every_script_is_set_with_a_letter_of_its_own(tmp_path):
    text = "Ünïcödé Ελληνικά Кириллица 你好世界 日本語 한국어 हिन्दी ไทย 👋🏽 👩🏽‍💻 שלום مرحبا بالعالم"
    read = pages(tmp_path, lines({"text": text, "who": "Алиса"}))
    said = words(read)
    for part in ("Ünïcödé", "Ελληνικά", "Кириллица", "你好世界", "日本語", "한국어", "Алиса"):
        assert part in said, part
    fonts = {str(font.get_object()["/BaseFont"]) for page in read.pages for font in page["/Resources"]["/Font"].values()}
    for name in ("NotoSans", "NotoSansArabic", "NotoSansHebrew", "NotoSansDevanagari", "NotoSansThai", "NotoEmoji", "NotoSansCJK"):
        assert any(name in font for font in fonts), name


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_said_is_set_as_words_and_does_nothing(tmp_path, text):
    everywhere = dict.fromkeys(("text", "who", "foot", "below"), text)
    read = pages(tmp_path, lines(everywhere, {"text": text, "is_markdown": False}, title=text))
    assert "root:" not in words(read)
    assert not any(page.get("/Annots") for page in read.pages), "no link leads out of it"
    assert set(tmp_path.iterdir()) <= {tmp_path / name for name in ("messages.jsonl", "data.json", "document.typ", "out.pdf")}


def test_nothing_is_wider_than_the_page_and_depth_has_an_end(tmp_path):
    deep = "".join("  " * depth + f"- level {depth}\n" for depth in range(15)) + ">" * 15 + " quoted"
    wide = "|" + "a|" * 30 + "\n|" + "-|" * 30 + "\n|" + "b|" * 30
    texts = (deep, wide, "x" * 20_000, f"```\n{'y' * 5_000}\n```", "")
    said = words(pages(tmp_path, lines(*({"text": text} for text in texts))))
    assert "level 0" in said and "level 14" in said and "quoted" in said
    assert said.replace(" ", "").count("x" * 100) >= 100, "a word without end is broken, not cut off"


def test_many_messages_are_set_a_part_at_a_time_and_their_pages_go_on(tmp_path):
    said = lines(*({"who": f"Person {number}", "text": "A few words. " * 12} for number in range(900)))
    read = pages(tmp_path, said)
    assert (tmp_path / "2.pdf").exists(), "three parts"
    assert f"Person {899}" in read.pages[-1].extract_text()
    assert read.pages[-1].extract_text().split()[-1] == str(len(read.pages))


def test_nothing_said_is_a_page_too(tmp_path):
    assert "Erik in spring" in words(pages(tmp_path, lines()))
