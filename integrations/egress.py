"""The only way out: whom we connect to, and at which address.

A destination is checked twice. `destination()` reads the URL: https on a known port, no credentials in it, unless the operator
named this very host and port. `connect()` resolves the host, refuses it if any of its addresses is not a public one, in whatever
form it is written, and connects to an address it has just checked, so that a second look-up cannot lead elsewhere. Nothing here
follows a redirect or reads a proxy from the environment.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar
from urllib.parse import urlsplit

from aiohappyeyeballs import AddrInfoType, start_connection
from django.conf import settings

PORTS = frozenset({443, 8443})
NEXT_ADDRESS_SECONDS = 0.25  # until another address of a host is tried beside the first (RFC 8305)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

# Python's `is_global` is true for these, and they lead inside all the same: the wire server of one large cloud.
_INSIDE_V4 = tuple(map(ipaddress.IPv4Network, ("168.63.129.16/32", "192.88.99.0/24")))
# Only these are handed out as public addresses of IPv6, less the special blocks within.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "3ffe::/16")))
# Forms of IPv6 that carry an address of IPv4 in their last 32 bits: mapped, compatible, translated (SIIT), NAT64.
_TAIL_V4 = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_ISATAP = (0x00005EFE, 0x02005EFE)


class Refused(Exception):
    """We do not connect there. The sentence says why, without telling what the name resolved to."""


class Unreachable(Exception):
    """Nobody answers there: the name does not resolve, or no address accepts a connection in time."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a client may connect to. `operators` says that the operator's own configuration names this host and port."""

    scheme: str
    host: str
    port: int
    path: str
    operators: bool

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def destination(url: str, *, own: Iterable[str] | None = None) -> Destination:
    """Reads a URL that somebody wrote. Raises Refused with a sentence that says what to change.

    `own` are the addresses of servers that may be private for this purpose, instead of those that are for models.
    """
    if any(character <= " " or character == "\\" for character in url):
        raise Refused("The address contains a space, a control character or a backslash. Remove it.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"The address cannot be read: {error}.") from error
    if parts.scheme not in ("https", "http"):
        raise Refused("The address must begin with https://.")
    if parts.username is not None or parts.password is not None:
        raise Refused("The address contains a user name or a password. Store a key instead.")
    if parts.fragment or parts.query:
        raise Refused("The address must not have a query or a fragment.")
    host = _host(parts.hostname or "")
    port = port or (443 if parts.scheme == "https" else 80)
    operators = (parts.scheme, host, port) in (_operators_own() if own is None else _servers(own))
    if not operators and parts.scheme != "https":
        raise Refused("The address must begin with https://; http is for hosts that the operator has configured.")
    if not operators and port not in PORTS:
        allowed = " or ".join(map(str, sorted(PORTS)))
        raise Refused(f"The address names port {port}. Use {allowed}, or let the operator configure this host.")
    return Destination(parts.scheme, host, port, parts.path.rstrip("/"), operators)


def vet(address: str) -> None:
    """Raises Refused unless this is a public address, also when it is written as another kind of address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError as error:
        raise Refused("The address is not one of the internet.") from error
    carried: list[IPAddress] = list(unwrap(ip))
    if not all(map(_is_public, carried or [ip])):
        raise Refused("The address leads into a private network. Use one that is reachable from the internet.")


def unwrap(ip: IPAddress) -> Iterable[ipaddress.IPv4Address]:
    """The addresses of IPv4 that an address of IPv6 carries within: each is where a packet might go."""
    if isinstance(ip, ipaddress.IPv4Address):
        return
    number = int(ip)
    if any(ip in network for network in _TAIL_V4) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if ip in _SIX_TO_FOUR:
        yield ipaddress.IPv4Address((number >> 80) & 0xFFFFFFFF)
    if ip in _TEREDO:
        yield ipaddress.IPv4Address((number >> 64) & 0xFFFFFFFF)
        yield ipaddress.IPv4Address(~number & 0xFFFFFFFF)


async def addresses(to: Destination) -> list[AddrInfoType]:
    """Resolves a destination and vets what comes out. Raises Refused or Unreachable."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except OSError as error:
        raise Unreachable(f"The host {to.host} cannot be found.") from error
    if not found:
        raise Unreachable(f"The host {to.host} has no address.")
    if not to.operators:
        # One bad address among good ones refuses the host: which of them is used is not the asker's to choose.
        for *_, address in found:
            vet(str(address[0]))
    return [(family, kind, protocol, name, tuple(address)) for family, kind, protocol, name, address in found]


async def connect(to: Destination, factory: Callable[[], ProtocolT], *, timeout: float) -> ProtocolT:
    """Connects to a vetted address of the destination within `timeout` seconds. Raises Refused or Unreachable.

    Where one address is slow to answer, the next is tried beside it: half of a host's addresses may lead nowhere from here.
    """
    loop = asyncio.get_running_loop()
    security = _security() if to.scheme == "https" else None
    try:
        async with asyncio.timeout(timeout):
            connected = await start_connection(await addresses(to), happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1)
            _, protocol = await loop.create_connection(factory, sock=connected, ssl=security, server_hostname=to.host if security else None)
            return protocol
    except TimeoutError as error:
        raise Unreachable(f"{to.host} did not accept a connection within {timeout:g} seconds.") from error
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"The certificate of {to.host} is not valid: {error.verify_message}.") from error
    except OSError as error:
        raise Unreachable(f"{to.host} does not accept connections on port {to.port}.") from error


def _host(name: str) -> str:
    """A host's one spelling: lower case, no final dot, international names in their ASCII form."""
    name = name.rstrip(".").lower()
    if not name:
        raise Refused("The address names no host.")
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise Refused("The host's name is not a valid one.") from error


def _operators_own() -> frozenset[tuple[str, str, int]]:
    """(scheme, host, port) of what the operator configured, which may be private: a model server in the same network, a platform's double
    in tests. The vendors' own addresses are nobody's configuration."""
    named = {address for name, address in settings.PLATFORM_ADDRESSES.items() if address != settings.VENDOR_ADDRESSES[name]}
    return frozenset(_place(address) for address in {settings.OPENAI_BASE_URL, *named} - {""})


def _servers(urls: Iterable[str]) -> frozenset[tuple[str, str, int]]:
    return frozenset(map(_place, urls))


def _place(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, _host(parts.hostname or ""), parts.port or (443 if parts.scheme == "https" else 80)


def _is_public(ip: IPAddress) -> bool:
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast and not any(ip in network for network in _INSIDE_V4)
    return ip in _PUBLIC_V6 and not any(ip in network for network in _SPECIAL_V6)


@cache
def _security() -> ssl.SSLContext:
    return ssl.create_default_context()
