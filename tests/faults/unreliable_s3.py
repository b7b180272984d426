"""S3 as it is on a bad day: a server before the emulator that holds up, refuses, loses and cuts what passes through it.

Clients speak to it over a socket, so that what they do about it is what they do about S3.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from local.emulator.lifecycle import Endpoint

Fault: TypeAlias = Literal[
    "400 KeyTooLongError",
    "412 PreconditionFailed",
    "500 InternalError",
    "503 SlowDown",
    "dropped",
    "silent",
    "done, then dropped",
    "done, then silent",
    "cut off",
]
"""`dropped`: the connection ends without an answer; `silent`: there is none, and it stays open. After `done`, S3 has
carried the request out. `cut off`: the answer ends in the middle."""

_SECONDS = 30


@dataclass(frozen=True)
class Request:
    """A request to S3."""

    method: str
    path: str
    """Bucket and key, as they are."""

    @property
    def is_write(self) -> bool:
        return self.method == "PUT"


Plan: TypeAlias = Callable[[Request], Fault | None]


@dataclass
class UnreliableS3:
    """Where it is, what has passed through it, and what it does to a request (`plan`)."""

    endpoint: Endpoint
    plan: Plan = lambda _: None
    requests: list[Request] = field(default_factory=list)
    """All requests so far, those that were refused included."""

    @property
    def writes(self) -> int:
        """The number of writes so far."""
        return sum(request.is_write for request in self.requests)

    def fault(self, request: Request) -> Fault | None:
        """Take note of a request; what is done to it."""
        self.requests.append(request)
        return self.plan(request)


def well(_: Request) -> None:
    """Nothing is wrong."""


def at_write(number: int, fault: Fault) -> Plan:
    """Does it to the write of that number, counted from 1, and to no other."""
    writes = iter(range(1, 1_000_000))
    return lambda request: fault if request.is_write and next(writes) == number else None


def always(fault: Fault) -> Plan:
    """Does it to every request."""
    return lambda _: fault


def first(times: int, fault: Fault) -> Plan:
    """Does it to the first so many requests."""
    left = iter(range(times))
    return lambda _: None if next(left, None) is None else fault


@contextlib.contextmanager
def unreliable(emulator: Endpoint) -> Iterator[UnreliableS3]:
    """Serve on a port of its own; at the end nobody is left waiting for an answer."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _SECONDS
        # Headers and content go out one after the other: else the second waits for the first to be acknowledged.
        disable_nagle_algorithm = True

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = s3.fault(Request(self.command, unquote(urlsplit(self.path).path)))
            if fault is None or fault.startswith("done") or fault == "cut off":
                upstream = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=_SECONDS)
                try:
                    upstream.request(self.command, self.path, body=body, headers=dict(self.headers))
                    answer = upstream.getresponse()
                    content = answer.read()
                finally:
                    upstream.close()
                if fault is None or fault == "cut off":
                    self._answer(answer.status, answer.getheaders(), content, cut=fault == "cut off")
                    return
            if fault is not None and fault[0] in "45":
                status, code = fault.split()
                error = f"<Error><Code>{code}</Code><Message>a bad day</Message></Error>".encode()
                self._answer(int(status), [("Content-Type", "application/xml")], error)
                return
            if fault is not None and fault.endswith("silent"):
                released.wait(_SECONDS)
            self.close_connection = True

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, *, cut: bool = False) -> None:
            self.send_response_only(status)
            length = str(len(content))
            for name, value in headers:
                if name.lower() == "content-length":
                    length = value  # of an answer to HEAD, which has no content
                elif name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
            self.close_connection = cut

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass  # noqa: N815 - as http.server calls them

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that is killed or gives up is what the tests are about

    server = Server(("127.0.0.1", 0), Handler)
    port = server.server_address[1]
    s3 = UnreliableS3(replace(emulator, url=f"http://127.0.0.1:{port}", port=port))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield s3
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()
