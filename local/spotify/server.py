"""The Spotify stand-in over HTTP, on loopback only.

with SpotifyStandIn() as spotify:
    spotify.fail(Fault(FaultKind.RATE_LIMITED, retry_after=30))
    ... requests to spotify.url ...
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

from local.spotify.api import Api, Call, Reply, Request
from local.spotify.faults import Fault
from local.spotify.payloads import Json
from local.spotify.settings import Settings, settings_from_json

HOST = "127.0.0.1"
_MAX_BODY_BYTES = 1_000_000


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    api: Api

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection, and remember it."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """End a connection that is served."""
        if isinstance(request, socket.socket):
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open, and the waiting of slow answers."""
        self.closing.set()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):  # the client was quicker
                connection.shutdown(socket.SHUT_RD)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: unbuffered, Nagle and delayed ACK together cost 50 ms a call (measured).
    wbufsize = -1
    server: _Server

    def handle_one_request(self) -> None:
        """Serve one request, or find that the client has hung up, as a client may."""
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _serve(self) -> None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= _MAX_BODY_BYTES:
            self.close_connection = True
            self._send(Reply(400, b'{"error":{"status":400,"message":"Bad Content-Length"}}'))
            return
        request = Request(
            self.command,
            self.path,
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
        )
        self._send(self.server.api.answer(request))

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815  # names that http.server looks for

    def _send(self, reply: Reply) -> None:
        if reply.delay:
            self.server.closing.wait(reply.delay)
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.cut:
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the calls are kept in the log of `GET /_control/requests`."""


class SpotifyStandIn:
    """A stand-in in a thread of this process, from construction to `close` (or the end of its `with`).

    `port` 0 takes any free port. Raises OSError if the port is taken.
    """

    def __init__(self, *, settings: Settings | None = None, port: int = 0) -> None:
        self._server = _Server(port)
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        """The address before /v1 and /api/token."""
        self._api = self._server.api = Api(self.url, settings or Settings())
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="spotify-stand-in",
            daemon=True,
        )
        self._thread.start()

    def __enter__(self) -> SpotifyStandIn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering, free the port and end open connections. Late answers of slow faults are sent at once."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join(timeout=5)

    def fail(self, *faults: Fault) -> None:
        """Have the requests to come meet these faults, one each, behind those already scripted."""
        self._api.add_faults(list(faults))

    def recover(self) -> None:
        """Forget the faults that no request has met."""
        self._api.clear_faults()

    def set(self, **settings: date | str | int | bool | None) -> None:
        """Change some of the settings: today, era, chart_size, non_owner, public_filled.

        Raises InvalidControl.
        """
        given = {name: value.isoformat() if isinstance(value, date) else value for name, value in settings.items()}
        self._api.change(settings_from_json(given, self._api.settings))

    def replay(self, path: str, answer: bytes) -> None:
        """Answer a path (such as /v1/tracks/{id}) with what was saved of Spotify's, byte for byte."""
        self._api.replays.add_answer(path, answer)

    def replay_playlist(self, playlist_id: str, entries: Sequence[Json]) -> None:
        """Give a playlist entries that were saved from Spotify, in pages, under the names of the era in force."""
        self._api.replays.add_playlist(playlist_id, entries)

    def requests(self, path_prefix: str = "/") -> tuple[Call, ...]:
        """The calls made, oldest first, of those whose path begins with `path_prefix`."""
        return tuple(call for call in self._api.calls() if call.path.startswith(path_prefix))

    def forget_requests(self) -> None:
        """Begin the log of calls anew."""
        self._api.clear_calls()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return urlsplit(self.url).port or 0
