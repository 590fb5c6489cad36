"""Runs in a network of its own (`unshare --net`), in which every address that lies inside is this machine's and a canary listens on all of
them. Does there what `test_nothing_leads_inside` does, and prints who was heard, as JSON."""

import asyncio
import json
import socket
import subprocess

import django

django.setup()

from django.conf import settings

from integrations import egress
from integrations.services import http_tools
from tests.integrations import test_nothing_leads_inside as inside

NETWORKS = (
    *(
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "198.18.0.0/15",
        "192.0.0.0/24",
        "168.63.129.16/32",
    ),
    *("fc00::/7", "fec0::/10", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001:db8::/32"),
)
WITHIN_REACH = ("127.0.0.1", "10.0.0.1", "192.168.0.1", "169.254.169.254", "168.63.129.16", "fd00:ec2::254", "64:ff9b::a9fe:a9fe")


def main() -> dict:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for network in NETWORKS:
        subprocess.run(["ip", "route", "add", "local", network, "dev", "lo"], check=True)
    canary = inside.Canary("0.0.0.0", "::")
    for address in WITHIN_REACH:
        socket.create_connection((address, canary.port), 5).close()
    reached = len(canary.take())
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY, settings.TOOL_SERVERS = "", "", []
    egress.PORTS = frozenset({443, 8443, canary.port})
    http_tools._secret_headers = lambda *where: {"X-Secret": inside.KEY}
    for sink in (inside.no_model, inside.no_platform, inside.no_tool):
        asyncio.run(sink(canary))
    return {"reached": reached, "of": len(WITHIN_REACH), "heard": canary.heard}


if __name__ == "__main__":
    print(json.dumps(main()))
