"""Reads the project's own source for the guards in this folder."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("tenants", "integrations", "chat", "analytics", "dashboards")  # calls go left
ROOMS = ("config", *APPS)


@dataclass(frozen=True)
class Module:
    """One file of ours: `path` relative to the project, and its syntax tree."""

    path: str
    tree: ast.Module

    @property
    def app(self) -> str:
        return self.path.split("/")[0]

    @property
    def name(self) -> str:
        return self.path.removesuffix(".py").replace("/", ".")


@cache
def modules(*, migrations: bool = False) -> tuple[Module, ...]:
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            relative = path.relative_to(ROOT).as_posix()
            if ("migrations/" in relative) == migrations:
                found.append(Module(relative, ast.parse(path.read_text(encoding="utf-8"))))
    return tuple(found)


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted names that are imported, `from a import b` as `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def strings(tree: ast.AST) -> Iterator[str]:
    """Every text in the code that is not a docstring."""
    documentation = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Expr):
            body = node.body if hasattr(node, "body") else [node]
            for statement in body if isinstance(body, list) else []:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    documentation.add(id(statement.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Calls of `name(…)` or `something.name(…)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == name:
                yield node


def assert_exactly(found: set[str], allowed: dict[str, str]) -> None:
    """Nothing but what is allowed, each with its reason; an entry that nothing needs any more fails, too."""
    assert found - allowed.keys() == set(), "not allowed"
    assert allowed.keys() - found == set(), "no longer needed in the allow-list"
