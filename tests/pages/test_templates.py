"""What templates name has to exist: pictures in the sprite, files among the static ones, and nothing that the policy would refuse."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from chat.choices import ConsultationType
from chat.templatetags import pages

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
SOURCES = {str(path.relative_to(settings.BASE_DIR)): path.read_text() for path in TEMPLATES}


def test_the_scan_sees_something():
    assert len(SOURCES) > 40
    assert len(icons_named()) > 15


def icons_named() -> set[str]:
    named = {name for source in SOURCES.values() for name in re.findall(r'_icon\.html" with name="([a-z_]+)"', source)}
    return named | set(ConsultationType.values)


def test_every_icon_is_drawn_and_none_is_left_over():
    drawn = set(re.findall(r'<symbol id="([a-z_]+)"', Path(finders.find("tenants/icons.svg")).read_text()))
    assert icons_named() - drawn == set(), "These are named in a template and not in icons.svg."
    assert drawn - icons_named() == set(), "These are in icons.svg and nobody names them."


@pytest.mark.parametrize("name", SOURCES)
def test_every_static_file_is_there(name):
    for path in re.findall(r"""{% static ['"]([^'"]+)['"] %}""", SOURCES[name]):
        assert finders.find(path), f"{name} names {path}."


@pytest.mark.parametrize("name", SOURCES)
def test_no_template_has_a_script_or_style_of_its_own(name):
    """The content security policy refuses both; data belongs in data-* attributes."""
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=\"", SOURCES[name]) == []


def test_every_module_that_is_imported_is_there():
    imports = 0
    for app in ("tenants", "chat", "analytics", "dashboards"):
        root = settings.BASE_DIR / app / "static"
        for script in root.rglob("*.js"):
            for path in re.findall(r"""(?:from|import\()\s*"(\.[^"]+)"|^import "(\.[^"]+)";""", script.read_text(), re.MULTILINE):
                wanted = "/static/" + str(script.relative_to(root).parent / (path[0] or path[1]))
                parts: list[str] = []
                for part in wanted.removeprefix("/static/").split("/"):
                    if part == "..":
                        parts.pop()
                    elif part != ".":
                        parts.append(part)
                assert finders.find("/".join(parts)), f"{script.name} imports {'/'.join(parts)}."
                imports += 1
    assert imports > 15


def test_an_answer_that_was_given_before_says_how_long_before():
    said = {"model": "m-1", "usage": None, "created_at": "2026-03-10T08:03:10.000Z"}
    assert pages.facts({**said, "reused_from": None}) == "m-1"
    assert pages.facts({**said, "reused_from": "2026-03-10T08:00:00.000Z"}) == "From an earlier answer, 3 minutes before · m-1"
    assert pages.facts({**said, "reused_from": "2026-03-10T08:03:05.000Z"}) == "From an earlier answer, 1 minute before · m-1"
