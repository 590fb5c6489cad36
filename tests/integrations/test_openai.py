"""The OpenAI-compatible provider against real servers: what each of their faults becomes, and that a right answer is read right."""

import asyncio
import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import openai
import pytest
import uvloop

from integrations.providers.base import Code, Ending, ProviderError, Usage
from integrations.providers.openai import OpenAI
from tests.integrations.conftest import AMPLE, read
from tests.integrations.upstream import USAGE, Exchange, answer, chunk, event, fails, says, upstream, whole

# Letters of one to four bytes, an emoji of several code points, right-to-left text.
TEXTS = ("Erik ", "Ek är ", "👩🏽‍💻 ", "مستعد ", "– yes.")
TEXT = "".join(TEXTS)
AT_ONCE = 2.0  # seconds, on a machine that does much else; without closing it would take AMPLE's
READ = Usage(input_tokens=12, output_tokens=5, cached_input_tokens=4, reasoning_tokens=2)


def streams(*pieces: bytes, pause: float = 0.0):
    """Sends these bytes, one write each, and closes the connection."""

    async def play(exchange: Exchange) -> None:
        await exchange.stream_head()
        for piece in pieces:
            await exchange.send(piece)
            if pause or len(pieces) > 1:
                await asyncio.sleep(pause)
        exchange.writer.close()

    return play


async def failure(provider: OpenAI, request, *, streamed: bool = True) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        if streamed:
            await read(provider, request)
        else:
            await provider.complete(request, model="m")
    error = caught.value
    assert error.sentence.endswith(".") and error.sentence[0].isupper(), "a sentence"
    assert any(word in error.sentence for word in ("Try again", "Ask", "Put", "Choose", "Change", "Start")), "says what to do"
    return error


async def test_an_answer_is_read_as_it_was_written(ask, openai_at):
    async with upstream(says(*TEXTS)) as server:
        provider = openai_at(server.url)
        assert await read(provider, ask()) == (TEXT, Ending(finish_reason="stop", usage=READ, model="m-1"))
        sent = server.exchanges[0]
        assert sent.headers["authorization"] == "Bearer sk-test"
        assert sent.headers["host"] == f"127.0.0.1:{server.port}"
        assert sent.body == {
            "model": "m",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How is Erik?"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }


async def test_streamed_is_equal_to_not_streamed(ask, openai_at):
    async with upstream(says(*TEXTS)) as server:
        provider = openai_at(server.url)
        assert await read(provider, ask()) == await provider.complete(ask(), model="m")
        assert "stream" not in server.exchanges[1].body


async def test_the_request_carries_what_was_asked_for(ask, openai_at):
    async with upstream(says("ok")) as server:
        schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        await read(openai_at(server.url, api_key=""), ask(temperature=0.2, max_tokens=9, purpose="analysis", schema=schema))
        body = server.exchanges[0].body
        assert (body["temperature"], body["max_tokens"]) == (0.2, 9)
        assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "analysis", "strict": True, "schema": schema}}
        assert "authorization" not in server.exchanges[0].headers


async def test_cut_at_every_byte_the_answer_is_the_same(ask, openai_at):
    data = answer(*TEXTS)
    plays = [streams(data[:at], data[at:]) for at in range(1, len(data))]
    async with upstream(*plays) as server:
        provider = openai_at(server.url)
        expected = (TEXT, Ending(finish_reason="stop", usage=READ, model="m-1"))
        for at in range(1, len(data)):
            assert await read(provider, ask()) == expected, f"cut at {at}"


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
async def test_other_line_ends_are_read_too(end, ask, openai_at):
    data = answer(*TEXTS).replace(b"\n", end)
    async with upstream(streams(*(data[i : i + 7] for i in range(0, len(data), 7)))) as server:
        assert (await read(openai_at(server.url), ask()))[0] == TEXT


async def test_comments_and_other_fields_are_passed_over(ask, openai_at):
    data = b": OPENROUTER PROCESSING\n\nevent: message\nid: 1\n" + answer(*TEXTS)
    async with upstream(streams(data)) as server:
        assert (await read(openai_at(server.url), ask()))[0] == TEXT


async def test_a_read_with_many_tokens_is_one_piece(ask, openai_at):
    async with upstream(streams(answer(*TEXTS))) as server:
        pieces = [piece async for piece in openai_at(server.url).stream(ask(), model="m")]
        assert pieces[:-1] == [TEXT]


async def test_text_is_given_out_when_it_arrives(ask, openai_at):
    go_on = asyncio.Event()

    async def play(exchange: Exchange) -> None:
        await exchange.stream_head()
        await exchange.send(event(chunk("first")))
        await go_on.wait()
        await exchange.send(answer(" second"))
        exchange.writer.close()

    async with upstream(play) as server:
        stream = openai_at(server.url).stream(ask(), model="m")
        assert await anext(stream) == "first"
        go_on.set()
        assert await anext(stream) == " second"


async def test_usage_that_is_not_reported_is_unknown(ask, openai_at):
    async with upstream(says("ok", usage=None)) as server:
        provider = openai_at(server.url)
        assert (await read(provider, ask()))[1].usage is None
        assert (await provider.complete(ask(), model="m"))[1].usage is None


@pytest.mark.parametrize("usage", [{"prompt_tokens": -1}, {"prompt_tokens": 1.5}, {"total_tokens": 3}, [1], "many"])
async def test_usage_that_makes_no_sense_is_unknown_and_the_answer_stands(usage, ask, openai_at):
    async with upstream(says("ok", usage=usage)) as server:
        provider = openai_at(server.url)
        text, ending = await read(provider, ask())
        assert (text, ending.usage) == ("ok", None)
        assert await provider.complete(ask(), model="m") == (text, ending)


async def test_usage_may_come_without_choices(ask, openai_at):
    data = event(chunk("ok", finish="stop")) + event({"usage": USAGE}) + b"data: [DONE]\n\n"
    async with upstream(streams(data)) as server:
        assert (await read(openai_at(server.url), ask()))[1].usage == READ


async def test_a_refusal_of_the_model_is_its_text(ask, openai_at):
    refusal = event({**chunk(), "choices": [{"index": 0, "delta": {"refusal": "I will not."}, "finish_reason": None}]})
    async with upstream(streams(refusal + answer())) as server:
        assert (await read(openai_at(server.url), ask()))[0] == "I will not."


async def test_a_server_that_stays_silent_after_the_finish_reason_has_answered(ask, openai_at, monkeypatch):
    monkeypatch.setattr("integrations.providers.openai.AFTER_THE_END", 0.1)

    async def play(exchange: Exchange) -> None:
        await exchange.stream_head()
        await exchange.send(event(chunk("done")) + event(chunk(finish="stop")))
        await exchange.until_gone()

    async with upstream(play) as server:
        text, ending = await read(openai_at(server.url), ask())
        assert (text, ending.finish_reason, ending.usage) == ("done", "stop", None)


# Faults ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "expected", "permanent"),
    [
        ("400 Bad Request", "", Code.REFUSED, True),
        ("400 Bad Request", "context_length_exceeded", Code.TOO_LONG, True),
        ("400 Bad Request", "content_filter", Code.CONTENT_FILTERED, True),
        ("401 Unauthorized", "invalid_api_key", Code.UNAUTHORIZED, True),
        ("402 Payment Required", "", Code.RATE_LIMITED, True),
        ("403 Forbidden", "", Code.UNAUTHORIZED, True),
        ("404 Not Found", "model_not_found", Code.NO_MODEL, True),
        ("404 Not Found", "", Code.REFUSED, True),
        ("408 Request Timeout", "", Code.TIMEOUT, False),
        ("422 Unprocessable", "", Code.REFUSED, True),
        ("429 Too Many Requests", "rate_limit_exceeded", Code.RATE_LIMITED, False),
        ("429 Too Many Requests", "insufficient_quota", Code.RATE_LIMITED, True),
        ("500 Internal Server Error", "", Code.UNAVAILABLE, False),
        ("503 Service Unavailable", "", Code.UNAVAILABLE, False),
        ("504 Gateway Timeout", "", Code.TIMEOUT, False),
    ],
)
async def test_a_status_becomes_an_error_with_a_sentence(status, code, expected, permanent, streamed, ask, openai_at):
    async with upstream(fails(status, code=code, message="their words")) as server:
        error = await failure(openai_at(server.url), ask(), streamed=streamed)
    assert (error.code, error.permanent, error.http_status) == (expected, permanent, int(status[:3]))
    assert error.detail == f"HTTP {status[:3]}: their words"


async def test_a_redirect_is_not_followed(ask, openai_at):
    async with upstream(says("stolen")) as other:

        async def play(exchange: Exchange) -> None:
            await exchange.head("307 Temporary Redirect", location=other.url + "/chat/completions", content_length="0")

        async with upstream(play) as server:
            error = await failure(openai_at(server.url), ask())
        assert (error.code, error.permanent, other.connections) == (Code.REFUSED, True, 0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "9", "retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-3"}, None),
        ({}, None),
    ],
)
async def test_the_wait_that_a_provider_asks_for_is_passed_on(headers, seconds, ask, openai_at):
    async with upstream(fails("429 Too Many Requests", **headers)) as server:
        assert (await failure(openai_at(server.url), ask())).retry_after == seconds


async def test_a_wait_until_a_date_is_passed_on_in_seconds(ask, openai_at):
    at = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    async with upstream(fails("503 Service Unavailable", retry_after=at)) as server:
        assert 25 < (await failure(openai_at(server.url), ask())).retry_after <= 30


async def test_an_error_in_the_middle_of_a_stream_keeps_the_text_before_it(ask, openai_at):
    overloaded = event({"error": {"message": "too busy", "type": "server_error", "code": 503}})
    async with upstream(streams(event(chunk("half ")) + overloaded)) as server:
        stream = openai_at(server.url).stream(ask(), model="m")
        assert await anext(stream) == "half "
        with pytest.raises(ProviderError) as caught:
            await anext(stream)
        assert (caught.value.code, caught.value.detail) == (Code.UNAVAILABLE, "HTTP 503: too busy")


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (b'data: {"choices": [{"delta"\n\n', "not JSON"),
        (b"data: [1, 2]\n\n", "another shape"),
        (b'data: {"id": "c"}\n\n', "another shape"),
        (b'data: {"choices": {"a": 1}}\n\n', "another shape"),
        (b'data: {"choices": [{"delta": {"content": 5}}]}\n\n', "another shape"),
        (b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n', "not JSON"),
        (b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n', "not JSON"),
    ],
)
async def test_a_chunk_that_cannot_be_read_is_malformed_and_the_text_before_it_is_kept(broken, what, ask, openai_at):
    async with upstream(streams(event(chunk("half ")) + broken + answer("never"))) as server:
        stream = openai_at(server.url).stream(ask(), model="m")
        assert await anext(stream) == "half "
        with pytest.raises(ProviderError) as caught:
            await anext(stream)
        assert caught.value.code == Code.MALFORMED
        assert what in caught.value.detail


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": 1}}]}', b""])
async def test_a_whole_answer_that_cannot_be_read_is_malformed(body, ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.json("200 OK", body)

    async with upstream(play) as server:
        assert (await failure(openai_at(server.url), ask(), streamed=False)).code == Code.MALFORMED


async def test_a_page_instead_of_an_answer_is_malformed(ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.head(content_type="text/html", content_length="4")
        await exchange.send(b"<hi>")

    async with upstream(play) as server:
        assert (await failure(openai_at(server.url), ask())).code == Code.MALFORMED


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 banana\r\n\r\n"])
async def test_a_server_that_does_not_speak_http_is_malformed(reply, ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.send(reply)
        await exchange.until_gone()

    async with upstream(play) as server:
        assert (await failure(openai_at(server.url), ask())).code == Code.MALFORMED


@pytest.mark.parametrize("finish", [b"", b"data: [DONE]\n\n"])
async def test_an_answer_without_a_finish_reason_is_incomplete(finish, ask, openai_at):
    async with upstream(streams(event(chunk("half ")), finish)) as server:
        error = await failure(openai_at(server.url), ask())
    assert (error.code, error.permanent) == (Code.INCOMPLETE, False)


async def test_a_whole_answer_without_a_finish_reason_is_incomplete(ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.json("200 OK", whole("half", finish=""))

    async with upstream(play) as server:
        assert (await failure(openai_at(server.url), ask(), streamed=False)).code == Code.INCOMPLETE


async def test_a_connection_cut_within_the_stream_is_incomplete(ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream", transfer_encoding="chunked")
        await exchange.chunks(event(chunk("half ")), event(chunk("of"))[:20], last=False)
        exchange.writer.close()

    async with upstream(play) as server:
        stream = openai_at(server.url).stream(ask(), model="m")
        assert await anext(stream) == "half "
        with pytest.raises(ProviderError) as caught:
            await anext(stream)
    assert caught.value.code == Code.INCOMPLETE


async def test_a_connection_cut_before_any_text_may_be_tried_again(ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream", transfer_encoding="chunked")
        exchange.writer.close()

    async with upstream(play) as server:
        error = await failure(openai_at(server.url), ask())
    assert (error.code, error.permanent) == (Code.UNAVAILABLE, False)


async def test_a_stream_that_the_content_filter_stopped_is_no_answer(ask, openai_at):
    async with upstream(says("half", finish="content_filter")) as server:
        error = await failure(openai_at(server.url), ask())
    assert (error.code, error.permanent) == (Code.CONTENT_FILTERED, True)


async def test_nobody_listening_is_unavailable(ask, openai_at):
    async with upstream(says("ok")) as server:
        url = server.url
    error = await failure(openai_at(url), ask())
    assert (error.code, error.permanent) == (Code.UNAVAILABLE, False)


async def test_a_name_that_nobody_has_is_unavailable(ask, openai_at):
    assert (await failure(openai_at("http://nobody.invalid/v1"), ask())).code == Code.UNAVAILABLE


async def test_a_first_byte_that_does_not_come_times_out(ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.stream_head()
        await exchange.until_gone()

    async with upstream(play) as server:
        error = await failure(openai_at(server.url, limits=replace(AMPLE, first=0.3)), ask())
        assert (error.code, error.permanent) == (Code.TIMEOUT, False)
        assert "did not begin to answer within 0.3 seconds" in error.sentence
        await asyncio.wait_for(server.exchanges[0].gone.wait(), AT_ONCE)


async def test_silence_in_the_middle_times_out(ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.stream_head()
        await exchange.send(event(chunk("half ")))
        await exchange.until_gone()

    async with upstream(play) as server:
        error = await failure(openai_at(server.url, limits=replace(AMPLE, idle=0.3)), ask())
        assert error.code == Code.TIMEOUT
        assert "fell silent for 0.3 seconds" in error.sentence


@pytest.mark.parametrize("piece", [event(chunk("more ")), b": still here\n\n"])
async def test_an_answer_without_end_times_out(piece, ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.stream_head()
        with contextlib.suppress(ConnectionError):
            while not exchange.writer.is_closing():
                await exchange.send(piece)
                await asyncio.sleep(0.01)

    async with upstream(play) as server:
        error = await failure(openai_at(server.url, limits=replace(AMPLE, total=0.7)), ask())
        assert error.code == Code.TIMEOUT
        assert "not complete after 0.7 seconds" in error.sentence


async def test_an_answer_that_is_written_at_once_may_take_its_time(ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await asyncio.sleep(0.6)
        await exchange.json("200 OK", whole("slow"))

    async with upstream(play) as server:
        provider = openai_at(server.url, limits=replace(AMPLE, first=0.2))
        assert (await provider.complete(ask(), model="m"))[0] == "slow"


async def test_an_answer_larger_than_allowed_is_refused(ask, openai_at):
    limits = replace(AMPLE, body=10_000)
    async with upstream(streams(answer(*["word " * 100] * 100))) as server:
        with pytest.raises(ProviderError) as caught:
            await read(openai_at(server.url, limits=limits), ask())
    assert caught.value.code == Code.MALFORMED


# Stopping --------------------------------------------------------------------------------------------------------------


async def endless(exchange: Exchange) -> None:
    await exchange.stream_head()
    await exchange.send(event(chunk("first ")))
    await exchange.until_gone()


async def test_closing_the_stream_closes_the_connection_at_once(ask, openai_at):
    async with upstream(endless) as server:
        stream = openai_at(server.url).stream(ask(), model="m")
        assert await anext(stream) == "first "
        await stream.aclose()
        await asyncio.wait_for(server.exchanges[0].gone.wait(), AT_ONCE)


async def test_cancelling_the_reader_closes_the_connection_at_once(ask, openai_at):
    async with upstream(endless) as server:
        began = asyncio.Event()

        async def reader() -> None:
            async for _ in openai_at(server.url).stream(ask(), model="m"):
                began.set()

        task = asyncio.create_task(reader())
        await began.wait()
        task.cancel()
        await asyncio.wait_for(server.exchanges[0].gone.wait(), AT_ONCE)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_cancelling_a_whole_answer_closes_the_connection_at_once(ask, openai_at):
    async def play(exchange: Exchange) -> None:
        await exchange.until_gone()

    async with upstream(play) as server:
        task = asyncio.create_task(openai_at(server.url).complete(ask(), model="m"))
        await server.asked.wait()
        task.cancel()
        await asyncio.wait_for(server.exchanges[0].gone.wait(), AT_ONCE)


# Other readers, other servers, another event loop -------------------------------------------------------------------------


async def as_the_sdk_reads(url: str, request) -> tuple[str, str, int, int]:
    client = openai.AsyncOpenAI(base_url=url, api_key="sk-test", max_retries=0)
    messages = [{"role": message.role, "content": message.text} for message in request.messages]
    stream = await client.chat.completions.create(model="m", messages=messages, stream=True, stream_options={"include_usage": True})
    text, finish, usage = "", "", None
    async for piece in stream:
        usage = piece.usage or usage
        for choice in piece.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    await client.close()
    return text, finish, usage.prompt_tokens, usage.completion_tokens


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_the_openai_sdk_reads_the_same(end, ask, openai_at):
    data = answer(*TEXTS, *map(chr, range(0x20, 0x2FF)), '\\ " \n \t').replace(b"\n", end)
    async with upstream(streams(*(data[i : i + 1000] for i in range(0, len(data), 1000)))) as server:
        text, ending = await read(openai_at(server.url), ask())
        theirs = await as_the_sdk_reads(server.url, ask())
    assert (text, ending.finish_reason, ending.usage.input_tokens, ending.usage.output_tokens) == theirs


async def test_llmock_is_read_as_the_sdk_reads_it(ask, openai_at, llmock):
    llmock.reply(TEXT, times=None)
    provider = openai_at(llmock.base_url())
    text, ending = await read(provider, ask())
    assert (text, ending.finish_reason, ending.usage.input_tokens, ending.usage.output_tokens) == await as_the_sdk_reads(
        llmock.base_url(), ask()
    )
    assert await provider.complete(ask(), model="m") == (text, ending)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda llmock: llmock.fail(401), Code.UNAUTHORIZED),
        (lambda llmock: llmock.rate_limit(retry_after=2.0), Code.RATE_LIMITED),
        (lambda llmock: llmock.fail(500), Code.UNAVAILABLE),
        (lambda llmock: llmock.outage(), Code.UNAVAILABLE),
        (lambda llmock: llmock.context_overflow(), Code.TOO_LONG),
        (lambda llmock: llmock.disconnect(after_chunks=0), Code.UNAVAILABLE),
        (lambda llmock: llmock.disconnect(after_chunks=3), Code.INCOMPLETE),
        (lambda llmock: llmock.truncate(after_chunks=3), Code.INCOMPLETE),
        (lambda llmock: llmock.corrupt(after_chunks=3), Code.MALFORMED),
        (lambda llmock: llmock.stall(after_chunks=3, seconds=4), Code.TIMEOUT),
        (lambda llmock: llmock.slow_first_token(4), Code.TIMEOUT),
        (lambda llmock: llmock.delay(4), Code.TIMEOUT),
    ],
)
async def test_every_fault_of_llmock_is_an_error_with_a_sentence(fault, code, ask, openai_at, llmock):
    llmock.reply("one two three four five", times=None)
    fault(llmock)
    limits = replace(AMPLE, first=2, idle=2) if code == Code.TIMEOUT else AMPLE
    error = await failure(openai_at(llmock.base_url(), limits=limits), ask())
    assert error.code == code
    if code == Code.RATE_LIMITED:
        assert error.retry_after == 2.0


def test_uvloop_reads_the_same(ask, openai_at):
    """Production's event loop is not the tests'."""

    async def everything() -> None:
        async with upstream(says(*TEXTS), endless) as server:
            provider = openai_at(server.url)
            assert (await read(provider, ask()))[0] == TEXT
            stream = provider.stream(ask(), model="m")
            assert await anext(stream) == "first "
            await stream.aclose()
            await asyncio.wait_for(server.exchanges[1].gone.wait(), AT_ONCE)

    uvloop.run(everything())


async def test_what_we_send_is_json_that_anybody_reads(ask, openai_at):
    async with upstream(says("ok")) as server:
        await read(openai_at(server.url), ask('"Erik" \\ \n 👩🏽‍💻'))
        assert server.exchanges[0].body["messages"][1]["content"] == '"Erik" \\ \n 👩🏽‍💻'
        assert json.dumps(server.exchanges[0].body)
