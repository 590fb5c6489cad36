"""Everything that user or staff can name an address for leaves by integrations/egress.py, which vets whom it connects to."""

import ast

from tests.architecture import source

CLIENTS = (
    "aiohappyeyeballs",
    "aiohttp",
    "authlib.integrations",
    "ftplib",
    "http.client",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "pycurl",
    "requests",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "websockets",
)
METHODS = ("create_connection", "open_connection", "open_unix_connection", "sock_connect")

ALLOWED = {
    "integrations/egress.py": "it is the way out",
    "integrations/transport.py": "has httpx2, and Authlib on it, connect by the wire and so by the way out",
    "config/probe.py": "a container's health check asks its own web process",
    "config/management/commands/up.py": "waits for its own web process",
}


def leaves(tree: ast.AST) -> bool:
    """Whether this code may open a connection by itself."""
    if any(name == client or name.startswith(f"{client}.") for name in source.imports(tree) for client in CLIENTS):
        return True
    return any(next(source.calls(tree, method), None) is not None for method in METHODS)


def test_only_egress_opens_connections_to_the_outside():
    source.assert_exactly({module.path for module in source.modules() if leaves(module.tree)}, ALLOWED)


def test_the_scan_sees_every_way():
    ways = ("import aiohttp", "from urllib import request", "import http.client", "from httpx2 import AsyncClient", "import requests as r")
    for code in (*ways, *(f"loop.{method}(factory, host, 1)" for method in METHODS), "socket.create_connection(('h', 1))"):
        assert leaves(ast.parse(code)), code
    assert not leaves(ast.parse("from urllib.parse import urlsplit\nimport socket\nfrom integrations import egress"))
