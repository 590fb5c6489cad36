"""A conversation as a PDF: a program of its own, so that a hostile or an endless text takes down nothing but its own file.

    python -I typesetting.py <folder>

1. It limits its own memory, processor time and what it may write, then reads `<folder>/messages.jsonl`: first one object with `title`
   and `facts` (lines), then one for each message with `who`, `at`, `text` (Markdown, if `is_markdown`), `below` (Markdown) and `foot`.
2. Markdown becomes a tree of blocks and runs, which `typesetting.typ` sets as data: no word of a message is ever read as markup of its
   own, and nothing in it can name a file or an address to be loaded.
3. So many messages at a time are set, with page numbers that go on, and joined to `<folder>/out.pdf`.

It imports nothing of ours and is started with an empty environment.
"""

import json
import re
import resource
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import manimgx_fonts
import manimgx_fonts_cjk
import typst
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pypdf import PdfReader, PdfWriter

MEMORY_LIMIT = 4 * 1024**3  # bytes of address space; a third of it is the setter's own before it has read a word
PROCESSOR_SECONDS = 120
WRITTEN_LIMIT = 256 * 1024**2
AT_ONCE = 400  # messages
CHARACTERS_AT_ONCE = 200_000
DEEPEST = 6  # lists and quotes in each other; what is deeper is set as plain words
COLUMNS_LIMIT = 10  # of a table; a wider one is set as plain words
WORD, CODE_WORD, TITLE_WORD = 50, 80, 30  # letters without a place to break: in words, in code, in the title
DIRECTIONS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
BREAK = "\u200b"

Node = dict[str, Any]


def clean(text: str) -> str:
    """Without what is not seen, and what would turn the words around it."""
    return "".join(letter for letter in text if letter == "\n" or (letter not in DIRECTIONS and unicodedata.category(letter)[0] != "C"))


def _breakable(text: str, most: int) -> str:
    return re.sub(rf"\S{{{most}}}(?=\S)", lambda found: found[0] + BREAK, text)


def _runs_rightwards(text: str) -> bool:
    """Whether the first letter that says so is of a script that runs from right to left."""
    found = next((kind for letter in text if (kind := unicodedata.bidirectional(letter)) in ("L", "R", "AL")), "L")
    return found != "L"


# Markdown to blocks ----------------------------------------------------------------------------------------------------


PARSER = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable(["table", "strikethrough"])


def blocks(text: str, *, is_markdown: bool) -> list[Node]:
    if not is_markdown:
        return [_paragraph([_run(clean(text).strip("\n"))])]
    return list(_blocks(PARSER.parse(clean(text)), depth=0))


def _paragraph(runs: list[Node]) -> Node:
    return {"kind": "paragraph", "runs": runs, "rtl": _runs_rightwards("".join(run["text"] for run in runs))}


def _run(text: str, **marks: bool) -> Node:
    most = CODE_WORD if marks.get("code") else WORD
    return {"text": _breakable(text, most), **{mark: marks.get(mark, False) for mark in ("strong", "emph", "strike", "code")}}


def _blocks(tokens: Sequence[Token], *, depth: int) -> Iterator[Node]:
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _end_of(tokens, at)
        inner = tokens[at + 1 : end]
        if token.nesting == 1 and depth >= DEEPEST and token.type not in ("paragraph_open", "heading_open"):
            yield _paragraph([_run(" ".join(part.content for part in inner if part.content))])
        elif token.type == "paragraph_open":
            yield _paragraph(_inline(inner))
        elif token.type == "heading_open":
            yield {**_paragraph(_inline(inner)), "kind": "heading", "level": int(token.tag[1])}
        elif token.type in ("fence", "code_block"):
            yield {"kind": "code", "text": _breakable(token.content.rstrip("\n"), CODE_WORD)}
        elif token.type == "hr":
            yield {"kind": "rule"}
        elif token.type == "blockquote_open":
            yield {"kind": "quote", "blocks": list(_blocks(inner, depth=depth + 1))}
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            items = [list(_blocks(item, depth=depth + 1)) for item in _children(inner, "list_item_open")]
            start = int(token.attrs.get("start", 1)) if token.type == "ordered_list_open" else None
            yield {"kind": "list", "items": items, "start": start}
        elif token.type == "table_open":
            yield _table(inner)
        at = end + 1


def _end_of(tokens: Sequence[Token], at: int) -> int:
    """Where what opens here closes; here, if nothing opens."""
    level = 0
    for place in range(at, len(tokens)):
        level += tokens[place].nesting
        if level <= 0:
            return place
    return len(tokens) - 1


def _children(tokens: Sequence[Token], type: str) -> Iterator[Sequence[Token]]:
    at = 0
    while at < len(tokens):
        end = _end_of(tokens, at)
        if tokens[at].type == type:
            yield tokens[at + 1 : end]
        at = end + 1


def _table(tokens: Sequence[Token]) -> Node:
    rows = [
        [_inline(cell) for type in ("th_open", "td_open") for cell in _children(row, type)]
        for part in ("thead_open", "tbody_open")
        for body in _children(tokens, part)
        for row in _children(body, "tr_open")
    ]
    if len(rows[0]) > COLUMNS_LIMIT:
        said = "\n".join(" | ".join("".join(run["text"] for run in cell) for cell in row) for row in rows)
        return {"kind": "code", "text": _breakable(said, CODE_WORD)}
    return {"kind": "table", "columns": len(rows[0]), "rows": rows}


def _inline(tokens: Iterable[Token]) -> list[Node]:
    runs = list[Node]()
    for token in tokens:
        runs += _runs(token.children or [])
    return runs


def _runs(tokens: Iterable[Token]) -> Iterator[Node]:
    marks = {"strong": 0, "em": 0, "s": 0}
    leads = list[str]()
    for token in tokens:
        shown = {"strong": marks["strong"] > 0, "emph": marks["em"] > 0, "strike": marks["s"] > 0}
        name = token.type.removesuffix("_open").removesuffix("_close")
        if name in marks and token.nesting:
            marks[name] += token.nesting
        elif token.type == "code_inline":
            yield _run(token.content, code=True, **shown)
        elif token.type in ("softbreak", "hardbreak"):
            yield _run("\n" if token.type == "hardbreak" else " ")
        elif token.type == "image":
            yield _run(f"[image: {token.content}]", **shown)
        elif token.type == "link_open":
            leads.append("" if token.markup == "autolink" else str(token.attrs.get("href", "")))
        elif token.type == "link_close":
            if leads and (address := leads.pop()):
                yield _run(f" ({address})", **shown)
        elif token.content:
            yield _run(token.content, **shown)


# The program -----------------------------------------------------------------------------------------------------------


def portions(lines: Iterable[str]) -> Iterator[list[Node]]:
    """Messages, so many at once as are set together."""
    size = number = portion = 0

    def place(line: str) -> int:
        nonlocal size, number, portion
        if number == AT_ONCE or (number and size + len(line) > CHARACTERS_AT_ONCE):
            size, number, portion = 0, 0, portion + 1
        size, number = size + len(line), number + 1
        return portion

    for _, some in groupby(lines, key=place):
        yield [_shown(json.loads(line)) for line in some]


def _shown(message: Node) -> Node:
    return {
        "who": _breakable(clean(message["who"]), WORD),
        "at": message["at"],
        "blocks": [*blocks(message["text"], is_markdown=message["is_markdown"]), *blocks(message["below"], is_markdown=True)],
        "foot": _breakable(clean(message["foot"]), WORD),
    }


def typeset(folder: Path) -> None:
    shutil.copy(Path(__file__).with_suffix(".typ"), folder / "document.typ")
    fonts = [str(Path(package.__file__).parent) for package in (manimgx_fonts, manimgx_fonts_cjk)]
    compiler = typst.Compiler(
        str(folder / "document.typ"), root=str(folder), font_paths=typst.Fonts(include_system_fonts=False, font_paths=fonts)
    )
    made, pages = list[Path](), 0
    with (folder / "messages.jsonl").open(encoding="utf-8") as lines:
        head = json.loads(next(lines))
        head = {"title": _breakable(clean(head["title"]), TITLE_WORD), "facts": [_breakable(clean(fact), WORD) for fact in head["facts"]]}
        for messages in _at_least_one(portions(lines)):
            data = {**head, "is_first": not made, "pages": pages, "messages": messages}
            (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
            made.append(folder / f"{len(made)}.pdf")
            compiler.compile(output=str(made[-1]), format="pdf")
            pages += len(PdfReader(made[-1]).pages)
    if len(made) == 1:
        made[0].rename(folder / "out.pdf")
        return
    with PdfWriter() as joined:
        for one in made:
            joined.append(one, import_outline=False)
        joined.add_metadata({"/Title": head["title"]})
        joined.write(folder / "out.pdf")


def _at_least_one(found: Iterator[list[Node]]) -> Iterator[list[Node]]:
    yield next(found, [])
    yield from found


def main() -> None:
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_LIMIT),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_FSIZE, WRITTEN_LIMIT),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    typeset(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
