"""A provider that speaks OpenAI's protocol and does what a test says: what it answers, how fast, and where it stops to wait."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HELD_FOR_SECONDS = 60.0


class Upstream:
    """Answers with `answer`, `size` characters at a time (a long one in some eighty pieces), and after `hold_after` characters only when
    `go` is set."""

    def __init__(self) -> None:
        self.behave()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                question = json.loads(self.rfile.read(length))
                if question.get("stream"):
                    upstream.questions.append(question)
                    upstream.answer_to(self)
                else:
                    upstream.structure_for(self)

            def log_message(self, *args) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def behave(
        self, answer: str = "It depends.", *, size: int | None = None, pause: float = 0.01, hold_after: int | None = None, status: int = 200
    ) -> None:
        """What the next answers are like. Whoever was held goes on."""
        if hasattr(self, "go"):
            self.go.set()
        self.answer, self.size, self.pause = answer, size or max(12, len(answer) // 80), pause
        self.hold_after, self.status = hold_after, status
        self.go = threading.Event()
        self.hung_up = threading.Event()
        self.questions: list[dict] = []
        self.call: tuple[str, dict] | None = None  # a tool that is wanted before the answer, and its arguments
        self.structure: dict | None = None  # what a question that wants no stream is given

    def answer_to(self, handler: BaseHTTPRequestHandler) -> None:
        go, hung_up, pause = self.go, self.hung_up, threading.Event()
        if self.status != 200:
            body = json.dumps({"error": {"message": "No.", "type": "test"}}).encode()
            handler.send_response(self.status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        held = self.hold_after
        text = self.answer
        try:
            if self.call and self.questions[-1]["messages"][-1]["role"] != "tool":
                name, arguments = self.call
                wanted = {"index": 0, "id": "call-1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                self._say(handler, {"delta": {"tool_calls": [wanted]}, "finish_reason": None})
                self._say(handler, {"delta": {}, "finish_reason": "tool_calls"})
                self._write(handler, {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}})
                handler.wfile.write(b"data: [DONE]\n\n")
                handler.close_connection = True
                return
            for start in range(0, len(text), self.size):
                if held is not None and start >= held:
                    held = None
                    self._wait(handler, go)
                self._say(handler, {"delta": {"content": text[start : start + self.size]}, "finish_reason": None})
                pause.wait(self.pause)
            self._say(handler, {"delta": {}, "finish_reason": "stop"})
            usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}
            self._write(handler, {"choices": [], "usage": usage})
            handler.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            hung_up.set()
        handler.close_connection = True

    def structure_for(self, handler: BaseHTTPRequestHandler) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": json.dumps(self.structure)}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
        body = json.dumps({"id": "c2", "object": "chat.completion", "model": "test-model", "choices": [choice], "usage": usage}).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _wait(self, handler: BaseHTTPRequestHandler, go: threading.Event) -> None:
        """Keeps the line alive with comments, as providers do, so that a caller that hangs up is noticed."""
        for _ in range(int(HELD_FOR_SECONDS * 10)):
            if go.wait(0.1):
                return
            handler.wfile.write(b": still here\n\n")
            handler.wfile.flush()

    def _say(self, handler: BaseHTTPRequestHandler, choice: dict) -> None:
        self._write(handler, {"choices": [{"index": 0, **choice}]})

    def _write(self, handler: BaseHTTPRequestHandler, chunk: dict) -> None:
        full = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "test-model", **chunk}
        handler.wfile.write(b"data: " + json.dumps(full).encode() + b"\n\n")
        handler.wfile.flush()

    @contextmanager
    def serving(self):
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.go.set()
            self._server.shutdown()
            self._server.server_close()
