"""The documentation: a schema without warnings that says what is enforced, and a page that needs nothing from elsewhere."""

import io
import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from playwright.sync_api import sync_playwright

from config import json
from tests import chromium

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema() -> dict:
    return json.loads(Client().get("/api/schema/").content)


def test_the_schema_is_valid_and_complete():
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=io.StringIO())


def test_the_schema_comes_as_json_and_as_yaml(schema):
    assert schema["openapi"].startswith("3.0")
    as_yaml = Client().get("/api/schema/", headers={"Accept": "application/yaml"})
    assert yaml.load(as_yaml.content, Loader=yaml.CSafeLoader) == schema  # the one in Python takes a second


def shapes_of(found, schema):
    """The objects that a body's schema names: itself, one of several, or those of a list."""
    if "items" in found:
        return shapes_of(found["items"], schema)
    if "oneOf" in found:
        return [shape for one in found["oneOf"] for shape in shapes_of(one, schema)]
    if "$ref" in found:
        return shapes_of(schema["components"]["schemas"][found["$ref"].rpartition("/")[2]], schema)
    return [found]


def test_every_operation_says_how_it_refuses_and_takes_no_unknown_names(schema):
    operations = [(path, method, each) for path, methods in schema["paths"].items() for method, each in methods.items()]
    assert len(operations) > 15
    for path, method, each in operations:
        assert each["summary"], path
        assert {"400", "401", "403", "404", "405", "503"} <= set(each["responses"]), (path, method)
        for status, response in each["responses"].items():
            if int(status) >= 400:
                assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
        if "requestBody" in each:
            content = each["requestBody"]["content"]
            [media_type] = content
            assert media_type == ("multipart/form-data" if path.endswith("/attachments") else "application/json")
            shapes = shapes_of(content[media_type]["schema"], schema)
            assert shapes, path
            assert all(shape["additionalProperties"] is False for shape in shapes), path
    assert len({each["operationId"] for _, _, each in operations}) == len(operations)


class Assets(HTMLParser):
    """What a page loads, and whether it carries script or style of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self._open = ""

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in {"script", "img", "iframe"} and given.get("src"):
            self.loads.append(given["src"])
        if tag == "link":
            self.loads.append(given["href"])
        self.inline += [f"{name} of {tag}" for name in given if name.startswith("on") or name == "style"]
        self._open = tag if tag in {"script", "style"} else ""

    def handle_data(self, data):
        if self._open and data.strip():
            self.inline.append(f"{self._open}: {data.strip()[:50]}")

    def handle_endtag(self, tag):
        self._open = ""


def test_the_page_loads_local_files_only_and_has_no_inline_script_or_style():
    response = Client().get("/api/docs/")
    assert response.status_code == 200
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    page = Assets()
    page.feed(response.content.decode())
    assert page.inline == []
    assert len(page.loads) == 5
    for address in page.loads:
        assert address.startswith("/")
        assert not address.startswith("//")
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address
    [script] = [address for address in page.loads if address.startswith("/api/docs/")]
    loaded = Client().get(script)
    assert loaded.headers["Content-Type"].startswith("application/javascript")
    assert re.search(r'url: "/api/schema/"', loaded.content.decode().replace("\\u002D", "-"))


def test_a_browser_shows_every_operation_and_the_policy_stops_nothing(cast, server, schema):
    problems, hosts = [], set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.goto(f"http://127.0.0.1:{server}/api/docs/")
        page.wait_for_selector(".opblock", timeout=60_000)
        shown = page.locator(".opblock").count()
        browser.close()
    assert problems == []
    assert hosts <= {f"127.0.0.1:{server}", ""}  # an image in the stylesheet has no host
    assert shown == sum(len(methods) for methods in schema["paths"].values())


def test_the_parser_of_the_page_sees_inline_code():
    page = Assets()
    page.feed('<p onclick="x()" style="color: red">a</p><script>alert(1)</script><style>p {}</style><script src="/x.js"></script>')
    assert page.inline == ["onclick of p", "style of p", "script: alert(1)", "style: p {}"]
    assert page.loads == ["/x.js"]
