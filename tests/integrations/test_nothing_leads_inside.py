"""Five hundred ways to write an address that lies inside, through every place where somebody may name one: a listener that waits there
hears of none of them. The check of ports is out of the way, so that the check of addresses has to hold by itself."""

import base64
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import httpx2
import orjson
import pytest
from django.conf import settings as django_settings

from integrations import drafts, egress, openai_requests, transport
from integrations.choices import Service
from integrations.providers import registry
from integrations.providers.base import ChatMessage, CompletionRequest, ProviderError, Target, ToolUse
from integrations.services import http_tools
from integrations.services.configurations import LiveBridge
from tests.integrations.forbidden import addresses

KEY = "sk-must-not-leave"
NOT_SENT = (egress.Refused, egress.Unreachable, ValueError, httpx2.HTTPError, httpx2.InvalidURL)
REQUEST = CompletionRequest(organization_id="none", messages=(ChatMessage("user", "Hello"),))
LIVE = LiveBridge(id="b", organization_id="o", slug="s", version_id="v", number=1, content={}, targets=())


class Canary:
    """Listens on this machine, in both families, and counts who comes."""

    def __init__(self, with_four="127.0.0.1", six="::1"):
        self._heard = []
        self.sockets = [socket.create_server((with_four, 0))]
        self.port = self.sockets[0].getsockname()[1]
        if socket.has_ipv6:
            with_six = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            with_six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                with_six.bind((six, self.port))
                with_six.listen()
                self.sockets.append(with_six)
            except OSError:
                with_six.close()  # this machine has no IPv6
        self.threads = [threading.Thread(target=self._listen, args=(each,), daemon=True) for each in self.sockets]
        for thread in self.threads:
            thread.start()

    def _listen(self, listener):
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            connection.close()
            self._heard.append(address)

    @property
    def heard(self):
        """Who came. Whoever came before somebody that is heard is heard by then: so it goes there itself first."""
        for listener in self.sockets:
            with socket.create_connection(listener.getsockname()[:2]) as own:
                address, until = own.getsockname(), time.monotonic() + 10
                while address not in self._heard:
                    assert time.monotonic() < until, "The listener hears nobody."
                    time.sleep(0.001)
            self._heard.remove(address)
        return list(self._heard)

    def take(self):
        """Who came, and was not taken before."""
        found, self._heard = self.heard, []
        return found

    def close(self):
        while self.sockets:
            listener = self.sockets.pop()
            listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for somebody
            listener.close()
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def canary(settings, monkeypatch):
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY, settings.TOOL_SERVERS = "", "", []
    listening = Canary()
    monkeypatch.setattr(egress, "PORTS", frozenset({443, 8443, listening.port}))
    yield listening
    listening.close()


def test_there_are_more_than_five_hundred():
    assert len(set(addresses(9999))) >= 500


def test_the_canary_hears_who_comes(canary):
    assert canary.heard == []
    socket.create_connection(("127.0.0.1", canary.port)).close()
    assert len(canary.heard) == 1


async def test_no_models_address_leads_inside(canary):
    await no_model(canary)
    assert canary.heard == []


async def no_model(canary):
    for url in addresses(canary.port):
        with pytest.raises(ProviderError) as refused:
            route = registry._route(Target(service=Service.OPENAI, model="m", base_url=url, key=KEY))
            await route.provider.complete(REQUEST, model=route.model)
        assert KEY not in str(refused.value) + refused.value.detail


async def test_no_organizations_model_is_the_operators_server(canary, settings):
    """The operator's server may be private, and is reached with the operator's key alone."""
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{canary.port}/v1"
    registry._route(Target(service=Service.OPENAI, model="m"))  # whose client is kept, and is nobody else's
    for url in (settings.OPENAI_BASE_URL, f"https://127.0.0.1:{canary.port}/v1", f"HTTP://127.0.0.1:{canary.port}/v1/"):
        assert drafts._address(url), "it is not saved"
        with pytest.raises(ProviderError):
            route = registry._route(Target(service=Service.OPENAI, model="m", base_url=url, key=KEY))
            await route.provider.complete(REQUEST, model=route.model)
    assert canary.heard == []


async def test_no_address_of_a_platform_leads_inside(canary):
    """The clients of OAuth: tokens, revocation, figures."""
    await no_platform(canary)
    assert canary.heard == []


async def no_platform(canary):
    for url in addresses(canary.port):
        async with transport.oauth_client(client_id="parley", client_secret=KEY) as client:
            with pytest.raises(NOT_SENT):
                await client.fetch_token(url, grant_type="refresh_token", refresh_token=KEY)
            with pytest.raises(NOT_SENT):
                await client.revoke_token(url, token=KEY)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_leads_inside(status, canary, settings, httpserver, monkeypatch):
    """Of a server that may be reached, through whatever asks it."""
    inside = f"http://127.0.0.1:{canary.port}/v1"
    httpserver.expect_request(re.compile("/.*")).respond_with_data("", status, headers={"Location": inside})
    here = httpserver.url_for("/v1")
    settings.OPENAI_BASE_URL, settings.TOOL_SERVERS = here, [here]
    route = registry._route(Target(service=Service.OPENAI, model="m"))
    with pytest.raises(ProviderError):
        await route.provider.complete(REQUEST, model="m")
    with pytest.raises(ProviderError):
        async for _ in route.provider.stream(REQUEST, model="m"):
            pass
    monkeypatch.setattr(http_tools, "_secret_headers", lambda *where: {"X-Secret": KEY})
    tool = {"id": "t", "name": "find", "parameters": {}, "method": "GET", "url": here, "headers": {}}
    assert (await http_tools.run(LIVE, tool, ToolUse("1", "find", "{}"))).error == "refused"
    async with transport.oauth_client(client_id="parley", client_secret=KEY) as client:
        with pytest.raises((ValueError, transport.OAuthError, transport.HTTPError)):
            await client.fetch_token(here, grant_type="refresh_token", refresh_token=KEY)
        assert (await client.revoke_token(here, token=KEY)).status_code == status
    assert len(httpserver.log) == 5
    assert canary.heard == []


async def test_no_tools_address_leads_inside(canary, monkeypatch):
    monkeypatch.setattr(http_tools, "_secret_headers", lambda *where: {"X-Secret": KEY})
    await no_tool(canary)
    assert canary.heard == []


async def no_tool(canary):
    for url in addresses(canary.port):
        tool = {"id": "t", "name": "find", "parameters": {}, "method": "GET", "url": url, "headers": {}}
        run = await http_tools.run(LIVE, tool, ToolUse("1", "find", "{}"))
        assert run.error in ("refused", "unreachable"), (url, run)
        assert KEY not in run.content


def test_in_a_network_where_every_inner_address_answers_none_is_reached():
    """A network namespace in which private, link-local, shared and translated addresses are all this machine's."""
    if None in (shutil.which("unshare"), shutil.which("ip")):
        pytest.fail("This needs unshare and ip. Install them: apt-get install util-linux iproute2", pytrace=False)
    ways = (["unshare", "--net"], ["unshare", "--net", "--map-root-user"])  # as root, and as anybody else
    alone = next((way for way in ways if subprocess.run([*way, "true"], capture_output=True, check=False).returncode == 0), None)
    if alone is None:
        pytest.skip("Here nobody may make a network namespace (in a container: --cap-add SYS_ADMIN).")
    command = [*alone, sys.executable, "-m", "tests.integrations.everywhere"]
    done = subprocess.run(command, cwd=django_settings.BASE_DIR, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"reached": 7, "of": 7, "heard": []}


async def test_no_arguments_choose_a_tools_server(canary):
    """What a model fills in stays where the tool's author left room for it."""
    for url in addresses(canary.port):
        for written in (url, url.removeprefix("https:"), f"@{url}", f"../{url}", f"..\\{url}", f".{url}"):
            address, _ = http_tools.address_of("https://shop.example.com/orders/{id}/lines?of={id}", {"id": written})
            parts = urlsplit(address)
            assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "shop.example.com", ""), written
            assert parts.path.count("/") == 3, address
    assert canary.heard == []


async def test_no_image_is_fetched_from_anywhere(canary):
    for url in [*addresses(canary.port), "https://example.com/cat.png", f"data:image/svg+xml;base64,{_svg(canary.port)}"]:
        part = {"type": "image_url", "image_url": {"url": url}}
        body = {"model": "brief", "messages": [{"role": "user", "content": [part]}]}
        with pytest.raises(openai_requests.BadRequest):
            await openai_requests.read(orjson.dumps(body))
    assert canary.heard == []


def _svg(port):
    """An image that would have itself completed from elsewhere."""
    said = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:{port}/x.png"/></svg>'
    return base64.b64encode(said.encode()).decode()
