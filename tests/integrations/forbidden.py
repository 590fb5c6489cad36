"""Addresses of this machine and of what else lies inside, in the spellings that have led servers there: five hundred and more."""

from collections.abc import Iterator
from itertools import product

LOOPBACK = [
    "127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "2130706433", "0x7f000001", "0X7F000001", "0x7f.0.0.1", "0x7f.1", "0x7F.0x0.0x0.0x1",
    "0177.0.0.1", "0177.1", "017700000001", "0177.0.0.01", "00000177.0.0.1", "127.000.000.001", "127.0.0.0x1", "127.0.0.01",
    "127.127.127.127", "127.255.255.254", "127.0.0.2", "0.0.0.0", "0", "0x0", "00.0.0.0", "0.0", "localhost", "LOCALHOST", "LocalHost.",
    "localhost.", "ⓛocalhost", "ｌｏｃａｌｈｏｓｔ", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1",
    "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "127.0.0.1%00.example.com", "127.0.0.1%23.example.com", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:0001]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:1::1]",
    "[2001:0:7f00:1::]", "[2606:4700::5efe:127.0.0.1]", "[::1%25lo]", "[::ffff:127.0.0.1%25lo]",
]  # fmt: skip
ELSEWHERE = [
    "169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]", "[fd00:ec2::254]", "168.63.129.16", "10.0.0.1", "10.1", "167772161", "0xa.1", "012.0.0.1", "172.16.0.1",
    "172.31.255.255", "192.168.0.1", "192.168.1", "3232235521", "100.64.0.1", "192.0.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
    "[fc00::1]", "[fe80::1]", "[fe80::1%25eth0]", "[ff02::1]", "[fec0::1]", "[2001:db8::1]", "[2002:a00:1::]", "[64:ff9b:1::a00:1]",
]  # fmt: skip
DISGUISES = [
    "https://api.openai.com@{host}{port}/v1",
    "https://api.openai.com:443@{host}{port}/v1",
    "https://key:secret@{host}{port}/v1",
    "https://{host}{port}\\@api.openai.com/v1",
    "https://{host}{port}#@api.openai.com/v1",
    "https://{host}{port}?@api.openai.com/v1",
    "https://{host}{port}/v1?x=1",
    "https:///{host}{port}/v1",
    "https:\\\\{host}{port}/v1",
    "https://{host}{port}\t/v1",
    "https://{host}{port}\r\nX-Injected: 1",
    " https://{host}{port}/v1",
    "http://{host}{port}/v1",
    "HTTP://{host}{port}/v1",
    "hTTps://{host}{port}/v1",
    "ftp://{host}{port}/v1",
    "gopher://{host}{port}/_GET",
    "file://{host}/etc/passwd",
    "//{host}{port}/v1",
    "ws://{host}{port}/v1",
]

DISGUISED = (
    "127.0.0.1",
    "127.1",
    "localhost",
    "0",
    "[::1]",
    "2130706433",
    "0x7f000001",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "10.0.0.1",
)


def addresses(port: int) -> Iterator[str]:
    """All of them; those of this machine at this port, too."""
    for host, at in product(LOOPBACK, ("", f":{port}", f":0{port}", ":8443")):
        yield f"https://{host}{at}/v1"
    for host in ELSEWHERE:
        yield f"https://{host}/v1"
        yield f"https://{host}:{port}/v1"
    for disguise, host in product(DISGUISES, DISGUISED):
        yield disguise.format(host=host, port=f":{port}")
