"""A proxy between the browser and everything: the origin is reached, what is asked of anybody else is written down and refused."""

import socket
import socketserver
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

HEAD_LIMIT = 64 * 1024
# Asked by Chromium itself, of its maker: about forms, the time, components. No payload names them.
BROWSERS_OWN = (".google.com", ".googleapis.com", ".gstatic.com", ".gvt1.com")


class Proxy:
    """`strangers` has what was asked of others: `CONNECT host:port`, or the method and the whole address."""

    def __init__(self) -> None:
        self.origin = ""  # host:port
        self.strangers: list[str] = []
        self.passed = 0
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy.serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, browser: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if len(head) > HEAD_LIMIT or not (more := browser.recv(16_384)):
                return
            head += more
        line, _, rest = head.partition(b"\r\n")
        method, target, version = line.decode("latin-1").split(" ", 2)
        tunnel = method == "CONNECT"
        parts = urlsplit(f"//{target}" if tunnel else target)
        if parts.netloc != self.origin:
            if not (parts.hostname or "").endswith(BROWSERS_OWN):
                self.strangers.append(f"{method} {target}")
            browser.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        self.passed += 1
        host, _, port = self.origin.partition(":")
        with socket.create_connection((host, int(port))) as site:
            if tunnel:
                browser.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                # One request a connection: the next one is looked at, too.
                path = parts._replace(scheme="", netloc="").geturl() or "/"
                site.sendall(f"{method} {path} {version}\r\nConnection: close\r\n".encode("latin-1") + rest)
            forth = threading.Thread(target=_pour, args=(browser, site), daemon=True)
            forth.start()
            _pour(site, browser)
            forth.join(timeout=5)

    @contextmanager
    def serving(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def _pour(source: socket.socket, drain: socket.socket) -> None:
    """Until one of the two has hung up."""
    try:
        while data := source.recv(65_536):
            drain.sendall(data)
        drain.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, drain):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
