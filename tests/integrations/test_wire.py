"""The HTTP client below the providers: reuse of connections, and servers that do not keep to the rules."""

import asyncio
import gc
import socket
import struct
from dataclasses import replace

import pytest

from integrations import egress, wire
from integrations.wire import Cut, Garbled, Limits, TimedOut
from tests.integrations.upstream import Exchange, upstream

LIMITS = Limits(connect=20, first=30, idle=30, total=60)


@pytest.fixture
def client_of(settings):
    made = []

    def make(server, limits: Limits = LIMITS) -> wire.Client:
        settings.OPENAI_BASE_URL = server.url
        made.append(wire.Client(egress.destination(server.url), limits=limits))
        return made[-1]

    yield make
    for client in made:
        client.close()


async def get(client: wire.Client) -> tuple[int, bytes]:
    response = await client.request("GET", "/models", headers={})
    try:
        return response.status, await response.whole(at_most=10_000_000)
    finally:
        response.close()


def sends(*pieces: bytes, pause: float = 0.01, close: bool = False):
    async def play(exchange: Exchange) -> None:
        for piece in pieces:
            await exchange.send(piece)
            await asyncio.sleep(pause)
        if close:
            exchange.writer.close()

    return play


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def test_a_connection_serves_one_request_after_the_other(client_of):
    async with upstream(sends(OK)) as server:
        client = client_of(server)
        for _ in range(3):
            assert await get(client) == (200, b"ok")
        assert (server.connections, len(server.exchanges)) == (1, 3)


async def test_requests_at_once_have_a_connection_each(client_of):
    async with upstream(sends(OK, pause=0.05)) as server:
        client = client_of(server)
        assert await asyncio.gather(*(get(client) for _ in range(5))) == [(200, b"ok")] * 5
        assert server.connections == 5


async def test_an_answer_that_was_not_read_to_its_end_does_not_leave_its_rest_to_the_next(client_of):
    async with upstream(sends(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok"), sends(OK)) as server:
        client = client_of(server)
        response = await client.request("GET", "/models", headers={})
        assert await response.read() == b"ok"
        response.close()
        assert await get(client) == (200, b"ok")
        assert server.connections == 2


async def test_a_server_that_closed_a_kept_connection_is_asked_again(client_of):
    async with upstream(sends(OK, close=True), sends(OK)) as server:
        client = client_of(server)
        assert await get(client) == (200, b"ok")
        # The close may be known by now, or only when the request is written.
        assert await get(client) == (200, b"ok")
        await asyncio.sleep(0.05)
        assert await get(client) == (200, b"ok")


async def test_a_connection_that_dies_under_a_repeated_request_is_replaced_once(client_of):
    async def dies(exchange: Exchange) -> None:
        exchange.writer.close()

    async with upstream(sends(OK), dies, sends(OK)) as server:
        client = client_of(server)
        await get(client)
        assert await get(client) == (200, b"ok")
        assert server.connections == 2


async def test_a_fresh_connection_that_dies_is_not_tried_again_here(client_of):
    async def dies(exchange: Exchange) -> None:
        exchange.writer.close()

    async with upstream(dies) as server:
        with pytest.raises(Cut):
            await get(client_of(server))
        assert len(server.exchanges) == 1


async def test_two_answers_to_one_request_are_not_taken_for_the_next(client_of):
    async with upstream(sends(OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"), sends(OK)) as server:
        client = client_of(server)
        assert await get(client) == (200, b"ok")
        assert await get(client) == (200, b"ok")
        assert server.connections == 2


async def test_what_comes_unasked_on_a_kept_connection_closes_it(client_of):
    async def play(exchange: Exchange) -> None:
        await exchange.send(OK)
        await asyncio.sleep(0.05)
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")

    async with upstream(play, sends(OK)) as server:
        client = client_of(server)
        assert await get(client) == (200, b"ok")
        await asyncio.sleep(0.15)
        assert await get(client) == (200, b"ok")
        assert server.connections == 2


async def test_an_end_mark_that_comes_late_is_waited_for_beside_the_caller(client_of):
    async def play(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
        await asyncio.sleep(0.05)
        await exchange.send(b"0\r\n\r\n")

    async with upstream(play) as server:
        client = client_of(server)
        for _ in range(2):
            response = await client.request("GET", "/models", headers={})
            assert await response.read() == b"ok"
            response.close(over=True)
            await asyncio.sleep(0.1)
        assert (server.connections, len(client._idle)) == (1, 1)


async def test_an_end_mark_that_does_not_come_is_not_waited_for_long(client_of, monkeypatch):
    monkeypatch.setattr(wire, "END_MARK_SECONDS", 0.1)

    async def play(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
        await exchange.until_gone()

    async with upstream(play) as server:
        response = await client_of(server).request("GET", "/models", headers={})
        assert await response.read() == b"ok"
        response.close(over=True)
        await asyncio.wait_for(server.exchanges[0].gone.wait(), 2)


async def test_connection_close_is_respected(client_of):
    closing = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
    async with upstream(sends(closing)) as server:
        client = client_of(server)
        await get(client)
        await get(client)
        assert server.connections == 2


async def test_an_interim_answer_is_passed_over(client_of):
    async with upstream(sends(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", OK)) as server:
        client = client_of(server)
        response = await client.request("GET", "/models", headers={})
        assert (response.status, "link" in response.headers) == (200, False)
        assert await response.whole(at_most=10) == b"ok"
        response.close()


async def test_a_body_may_end_with_the_connection(client_of):
    async with upstream(sends(b"HTTP/1.1 200 OK\r\n\r\nto the ", b"end", close=True)) as server:
        assert await get(client_of(server)) == (200, b"to the end")


@pytest.mark.parametrize(
    "cut_short", [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n"]
)
async def test_a_body_that_is_cut_short_is_not_a_body(cut_short, client_of):
    async with upstream(sends(cut_short, close=True)) as server:
        with pytest.raises(Cut):
            await get(client_of(server))


async def test_headers_without_end_are_refused(client_of):
    async def play(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n")
        while not exchange.writer.is_closing():
            await exchange.send(b"x-header: " + b"y" * 4000 + b"\r\n")
            await asyncio.sleep(0)

    async with upstream(play) as server:
        with pytest.raises(Garbled):
            await get(client_of(server))


async def test_limits_are_kept(client_of):
    async def silent(exchange: Exchange) -> None:
        await exchange.until_gone()

    async def head_only(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
        await exchange.until_gone()

    async def falls_silent(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n\r\nok")
        await exchange.until_gone()

    for play, which in ((silent, "first"), (head_only, "first"), (falls_silent, "idle")):
        async with upstream(play) as server:
            with pytest.raises(TimedOut) as caught:
                await get(client_of(server, replace(LIMITS, **{which: 0.3})))
            assert (caught.value.which, caught.value.seconds) == (which, 0.3)
            await asyncio.wait_for(server.exchanges[0].gone.wait(), 2)


async def test_a_slow_reader_is_not_the_servers_fault(client_of):
    async with upstream(sends(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsl", b"ow", pause=0.01)) as server:
        response = await client_of(server, replace(LIMITS, first=0.5, idle=0.5)).request("GET", "/models", headers={})
        await asyncio.sleep(1.2)
        assert await response.read() == b"slow"
        assert await response.read() == b""
        response.close()


async def test_a_slow_reader_makes_the_server_wait(client_of):
    size, sent = 20_000_000, 0

    async def play(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.head(content_length=str(size))
        while sent < size:
            await exchange.send(b"x" * 100_000)
            sent += 100_000

    async with upstream(play) as server:
        response = await client_of(server, LIMITS).request("GET", "/models", headers={})
        first = await response.read()
        await asyncio.sleep(0.3)
        assert sent < size / 2, "the server was made to wait"
        assert len(first) + len(await response.whole(at_most=size)) == size
        response.close()


def at_once(coroutine) -> bytes:
    """What it returns, if it waits for nothing."""
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    return done.value.value


async def test_who_comes_back_after_a_while_is_given_what_waits_at_once(client_of):
    async with upstream(sends(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none", b"two", b"six")) as server:
        response = await client_of(server).request("GET", "/models", headers={})
        first = await response.read()
        await asyncio.sleep(0.2)
        assert first + at_once(response.read()) == b"onetwosix"
        assert await response.read() == b""
        response.close()


async def test_who_comes_back_before_anything_has_arrived_waits_for_it(client_of):
    async with upstream(sends(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none", b"two", pause=0.3)) as server:
        response = await client_of(server).request("GET", "/models", headers={})
        assert await response.read() == b"one"
        await asyncio.sleep(0.05)
        assert await response.read() == b"two"
        response.close()


@pytest.mark.parametrize("head", [b"content-length: 9\r\n", b""])
async def test_who_comes_back_to_a_connection_that_was_reset_is_told(head, client_of):
    """Also where the body ends with the connection: a reset is no end."""

    async def play(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\none")
        await asyncio.sleep(0.1)
        exchange.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        exchange.writer.transport.abort()

    async with upstream(play) as server:
        response = await client_of(server).request("GET", "/models", headers={})
        assert await response.read() == b"one"
        await asyncio.sleep(0.3)
        with pytest.raises(Cut):
            await response.read()
        response.close()


async def test_who_comes_back_to_a_connection_that_was_closed_has_the_end(client_of):
    async with upstream(sends(b"HTTP/1.1 200 OK\r\n\r\none", b"two", close=True)) as server:
        response = await client_of(server).request("GET", "/models", headers={})
        first = await response.read()
        await asyncio.sleep(0.2)
        assert first + await response.whole(at_most=100) == b"onetwo"
        response.close()


async def test_a_header_of_several_lines_is_not_sent(client_of):
    async with upstream(sends(OK)) as server:
        with pytest.raises(ValueError, match="one line"):
            await client_of(server).request("GET", "/models", headers={"Authorization": "a\r\nHost: evil"})


async def test_kept_connections_are_closed_in_time(client_of, monkeypatch):
    monkeypatch.setattr(wire, "KEPT_ALIVE", 0.1)

    async def play(exchange: Exchange) -> None:
        await exchange.send(OK)
        await exchange.until_gone()

    async with upstream(play) as server:
        client = client_of(server)
        await get(client)
        await asyncio.wait_for(server.exchanges[0].gone.wait(), 2)
        assert client._idle == []


async def test_nothing_is_left_behind(client_of):
    """No timer, no connection: two hundred answers later a client is as it was."""
    async with upstream(sends(OK, pause=0)) as server:
        client = client_of(server)
        for _ in range(200):
            await get(client)
        gc.collect()
        # `type`, not `isinstance`: that would wake other tests' lazy objects.
        assert sum(type(thing) is wire.Connection for thing in gc.get_objects()) <= 2
        assert len(client._idle) == 1
