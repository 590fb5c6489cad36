"""What leaves the gateway, byte by byte."""

import orjson
import pytest

from tests.integrations.test_gateway import ASK, PIECES, TOOL, port, site, use

__all__ = ["port", "site"]


def frames(body, *, id, created):
    """The frames of a stream, with what differs each time told apart."""
    assert body.endswith(b"\n\n")
    return [
        frame.replace(id.encode(), b"ID").replace(b'"created":%d' % created, b'"created":NOW')
        for frame in body.removesuffix(b"\n\n").split(b"\n\n")
    ]


def streamed(site, **more):
    status, headers, body = site.raw({"model": "brief", "messages": ASK, "stream": True, **more})
    assert status == 200, body
    first = orjson.loads(body.split(b"\n\n")[0].removeprefix(b"data: "))
    return headers, frames(body, id=first["id"], created=first["created"])


HEAD = b'data: {"id":"ID","object":"chat.completion.chunk","created":NOW,"model":"brief"'


def joined(found):
    """The pieces of text, as often as the network cut them, as one frame each would be."""
    return "".join(orjson.loads(frame[6:].replace(b"NOW", b"1"))["choices"][0]["delta"]["content"] for frame in found)


def test_every_frame_of_an_answer(site):
    headers, (role, *texts, end, done) = streamed(site)
    assert (
        role
        == HEAD + b',"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}'
    )
    for text in texts:
        assert text.startswith(HEAD + b',"choices":[{"index":0,"delta":{"content":"')
        assert text.endswith(b'"},"logprobs":null,"finish_reason":null}]}')
    assert joined(texts) == "".join(PIECES)
    assert end == HEAD + b',"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}'
    assert done == b"data: [DONE]"
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_every_frame_with_usage(site):
    _, (*before, usage, done) = streamed(site, stream_options={"include_usage": True})
    assert all(frame.startswith(HEAD + b',"usage":null,"choices":[') for frame in before)
    assert usage == (
        HEAD + b',"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":6,"total_tokens":26,'
        b'"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":2}}}'
    )
    assert done == b"data: [DONE]"


def test_every_frame_of_a_call(site):
    site.answers = [{"uses": [use()]}]
    _, (role, call, end, _) = streamed(site, tools=[TOOL])
    assert call == (
        HEAD + b',"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function",'
        b'"function":{"name":"find","arguments":"{\\"id\\": \\"7/../8\\"}"}}]},"logprobs":null,"finish_reason":null}]}'
    )
    assert end == HEAD + b',"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}]}'


@pytest.mark.parametrize("text", ['"\\\n\r\u2028\u2029', "\x00\x7f", "👩‍👩‍👧‍👦", "data: [DONE]\n\n", "a\n\ndata: x"])
def test_no_text_breaks_out_of_its_frame(site, text):
    site.answers = [{"pieces": (text,)}]
    _, (_, *texts, _, done) = streamed(site)
    assert joined(texts) == text
    assert done == b"data: [DONE]"
