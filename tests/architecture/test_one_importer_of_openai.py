"""Style rule 7: one vocabulary file for each boundary. The one for `openai` is integrations/providers/openai.py.

The SDK costs more than everything else we do with a token; whoever imports it elsewhere builds an object for every chunk.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("config", "tenants", "integrations", "chat", "analytics", "dashboards")
ALLOWED = {Path("integrations/providers/openai.py")}


def importers(*, root: Path) -> set[Path]:
    """Files that import the package `openai`, in whatever form, below the rooms."""
    return {path.relative_to(root) for room in ROOMS for path in (root / room).rglob("*.py") if imports_openai(path.read_text("utf-8"))}


def imports_openai(source: str) -> bool:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if any(name.name.split(".")[0] == "openai" for name in names):
                return True
            case ast.ImportFrom(module=str(module), level=0) if module.split(".")[0] == "openai":
                return True
            case ast.Call(func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"), args=[first, *_]):
                if isinstance(first, ast.Constant) and str(first.value).split(".")[0] == "openai":
                    return True
    return False


def test_only_the_provider_imports_the_sdk():
    found = importers(root=ROOT)
    assert found - ALLOWED == set(), "Ask through integrations.services.completions instead."
    assert ALLOWED - found == set(), "These do not import it any more: take them off the list."


def test_the_scan_sees_every_form_of_import(tmp_path):
    forms = (
        "import openai",
        "import os, openai.types",
        "from openai import AsyncOpenAI",
        "from openai.types import Model",
        "def f():\n    import openai as o",
        "import_module('openai')",
        "importlib.import_module('openai.types')",
    )
    for number, form in enumerate(forms):
        (tmp_path / "chat" / f"{number}").mkdir(parents=True)
        (tmp_path / "chat" / f"{number}" / "x.py").write_text(form)
    (tmp_path / "chat" / "innocent.py").write_text("from integrations.providers.openai import OpenAI\nfrom . import openai")
    assert importers(root=tmp_path) == {Path("chat") / str(number) / "x.py" for number in range(len(forms))}
