"""The way out leads to public addresses and to what the operator named, and nowhere else."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from integrations import egress
from integrations.egress import Refused, Unreachable


@pytest.fixture(autouse=True)
def _nothing_configured(settings):
    settings.OPENAI_BASE_URL = ""


INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "168.63.129.16",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2001:2::1", "100::1", "fec0::1",
    "3fff::1", "64:ff9b:1::a00:1", "5f00::1",
    # The same inner addresses in other clothes: mapped, compatible, translated (SIIT), NAT64, 6to4, Teredo, ISATAP.
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:a00:1::", "2002:7f00:1::1", "2001:0:808:808:0:0:f5ff:fffe",
    "2001:0:a00:1:0:0:f7f7:f7f7", "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:192.168.0.1",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_leads_inside_is_refused(address):
    with pytest.raises(Refused):
        egress.vet(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_not(address):
    egress.vet(address)


def test_python_alone_would_let_some_of_them_pass():
    """Why there is a list of ours."""
    passing = [a for a in INSIDE if ipaddress.ip_address(a.partition("%")[0]).is_global]
    assert {"64:ff9b::10.0.0.1", "168.63.129.16"} <= set(passing)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://api.example.com/v1", "https"),
        ("ftp://api.example.com", "https"),
        ("file:///etc/passwd", "https"),
        ("api.example.com/v1", "https"),
        ("https:///v1", "names no host"),
        ("https://api.example.com:8080/v1", "8080"),
        ("https://api.example.com:port/v1", "cannot be read"),
        ("https://user:secret@api.example.com/v1", "password"),
        ("https://user@api.example.com/v1", "password"),
        ("https://api.example.com/v1?x=1", "query"),
        ("https://api.example.com/v1#x", "fragment"),
        ("https://api.example.com\\@evil.example/v1", "backslash"),
        ("https://api.example.com/v1\r\nHost: evil", "control"),
        ("https://api example.com/v1", "space"),
        ("https://[::1/v1", "cannot be read"),
        ("https://" + "ü" * 80 + ".example/v1", "not a valid"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_with_a_reason(url, why):
    with pytest.raises(Refused, match=why) as caught:
        egress.destination(url)
    assert str(caught.value).endswith(".")
    assert "secret" not in str(caught.value)


def test_a_destination_has_one_spelling():
    to = egress.destination("https://API.Example.COM./v1/")
    assert (to.host, to.port, to.path, to.authority, to.operators) == ("api.example.com", 443, "/v1", "api.example.com", False)
    assert egress.destination("https://bücher.example:8443").authority == "xn--bcher-kva.example:8443"
    assert egress.destination("https://[2606:4700::1111]").authority == "[2606:4700::1111]"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1",
        "https://localhost",
        "https://0x7f.1",
        "https://2130706433",
        "https://127.1",
        "https://[::ffff:127.0.0.1]",
        "https://[::1]",
    ],
)
async def test_this_machine_is_refused_however_it_is_written(url):
    with pytest.raises(Refused):
        await egress.addresses(egress.destination(url))


def resolves_to(monkeypatch, *answers: list[tuple[str, int]]) -> list:
    """Look-ups give these addresses, one answer after the other; the list that is returned holds those not given yet."""
    left = list(answers)

    async def resolve(*args, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in left.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    return left


async def test_one_inner_address_among_public_ones_refuses_the_host(monkeypatch):
    resolves_to(monkeypatch, [("1.1.1.1", 443), ("10.0.0.1", 443)])
    with pytest.raises(Refused):
        await egress.addresses(egress.destination("https://both.example"))


async def test_the_vetted_address_is_the_one_that_is_connected_to(monkeypatch):
    """A name that resolves otherwise the second time (DNS rebinding) is not resolved a second time."""
    left = resolves_to(monkeypatch, [("1.1.1.1", 443)], [("127.0.0.1", 443)])
    tried = []

    async def connect(sock, address):
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", connect)
    with pytest.raises(Unreachable):
        await egress.connect(egress.destination("https://rebound.example"), asyncio.Protocol, timeout=1)
    assert tried == [("1.1.1.1", 443)]
    assert left == [[("127.0.0.1", 443)]]


async def test_an_address_that_does_not_answer_does_not_hold_up_the_others(settings, monkeypatch):
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings.OPENAI_BASE_URL = f"http://two.example:{port}"
    with deaf() as address:
        resolves_to(monkeypatch, [address, ("127.0.0.1", port)])
        await asyncio.wait_for(egress.connect(egress.destination(settings.OPENAI_BASE_URL), asyncio.Protocol, timeout=5), 1.5)
    server.close()


@contextlib.contextmanager
def deaf():
    """The address of a listener whose backlog is full: connecting to it waits."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        stack.enter_context(socket.create_connection(listener.getsockname()))
        yield listener.getsockname()


async def test_what_the_operator_configured_may_be_inside_and_nothing_beside_it(settings):
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    own = egress.destination("http://127.0.0.1:9/v1")
    assert own.operators
    assert [address for *_, address in await egress.addresses(own)] == [("127.0.0.1", 9)]
    for other in ("http://127.0.0.1:10/v1", "http://localhost:9/v1", "https://127.0.0.1:9/v1"):
        with pytest.raises(Refused):
            await egress.addresses(egress.destination(other))


async def test_a_server_that_does_not_accept_is_unreachable_in_time(settings):
    with deaf() as (host, port):
        settings.OPENAI_BASE_URL = f"http://{host}:{port}"
        with pytest.raises(Unreachable, match=r"within 0\.2 seconds"):
            await egress.connect(egress.destination(settings.OPENAI_BASE_URL), asyncio.Protocol, timeout=0.2)


async def test_a_certificate_that_is_not_trusted_is_said_to_be_so(settings, tmp_path):
    certificate, key = self_signed(tmp_path)
    security = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    security.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=security)
    port = server.sockets[0].getsockname()[1]
    settings.OPENAI_BASE_URL = f"https://127.0.0.1:{port}"
    with pytest.raises(Unreachable, match="certificate"):
        await egress.connect(egress.destination(settings.OPENAI_BASE_URL), asyncio.Protocol, timeout=2)
    server.close()


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"
