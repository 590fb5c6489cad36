"""docs/coverage.md names tests that exist."""

import ast
import re
from functools import cache

from tests.architecture.source import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def named() -> list[tuple[str, str]]:
    return NAMED.findall((ROOT / "docs/coverage.md").read_text(encoding="utf-8"))


@cache
def functions(path: str) -> set[str]:
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8")) if file.exists() else ast.Module([], [])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_named_test_exists():
    missing = []
    for path, name in named():
        if name not in functions(path):
            missing.append(f"{path}::{name}")
    assert missing == []


def test_the_document_names_some():
    assert len(named()) > 50


def test_every_row_names_a_test():
    """But for those that compare us with others."""
    ours = (ROOT / "docs/coverage.md").read_text(encoding="utf-8").partition("## The chat beside")[0]
    rows = [line for line in ours.splitlines() if line.startswith("| ")]
    assert [row for row in rows if not NAMED.search(row) and not row.startswith(("| requirement", "| line"))] == []
