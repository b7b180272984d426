"""The loopback address to which Spotify sends a user's browser back: one request is answered, and it is closed.

https://developer.spotify.com/documentation/web-api/concepts/redirect_uri: http is for loopback addresses only, and
`localhost` is refused. The request's address holds the sign-in's code, so it is neither printed nor logged.
"""

from __future__ import annotations

import errno
import html
import queue
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from lambdas.core.errors import PipelineError

HOST: Final = "127.0.0.1"
PATH: Final = "/callback"
_SILENT_SECONDS: Final = 10.0
"""Browsers open connections that they may never use: these are left after so long without a word."""
_ANSWER_SECONDS: Final = 60.0
_SENT_SECONDS: Final = 5.0


class PortTaken(PipelineError):
    """Nobody can listen there."""


class NoCallback(PipelineError):
    """No browser came back in time."""


class _Visit:
    """One request for the callback: what it says, and the page that it waits for."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.query = query
        self.pages: queue.Queue[tuple[HTTPStatus, str]] = queue.Queue(maxsize=1)
        self.sent = threading.Event()


class Callback:
    """Listens on loopback from construction to the end of its `with`; `port` 0 takes a free one.

    Raises PortTaken, which says what is wrong and leaves the remedy to the caller.
    """

    def __init__(self, port: int) -> None:
        try:
            self._server = _Server(port)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            why = "another program listens there" if taken else why.lower()
            raise PortTaken(f"cannot listen on {HOST}:{port}: {why}") from None
        self.redirect_uri = f"http://{HOST}:{self._server.server_address[1]}{PATH}"
        self._visit: _Visit | None = None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> Mapping[str, str]:
        """What the first browser that comes back says: its query, each parameter that is given once.

        Raises NoCallback, which says what is wrong and leaves the remedy to the caller.
        """
        try:
            self._visit = self._server.visits.get(timeout=seconds)
        except queue.Empty:
            raise NoCallback(f"nobody came back from Spotify's page within {seconds:g} s") from None
        return self._visit.query

    def answer(self, title: str, text: str, *, good: bool) -> None:
        """Show that browser a page, and wait until it has it."""
        if self._visit is None:
            return
        self._visit.pages.put((HTTPStatus.OK if good else HTTPStatus.BAD_REQUEST, page(title, text, good=good)))
        self._visit.sent.wait(_SENT_SECONDS)
        self._visit = None

    def __enter__(self) -> Callback:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answer("Not signed in", "The command has stopped. Its terminal says why.", good=False)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """A thread for each connection, so that one which a browser opens and leaves unused holds up no other."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_port = False

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.visits: queue.Queue[_Visit] = queue.Queue()
        self.first = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that hangs up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENT_SECONDS
    server_version, sys_version = "spotify_etl", ""
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != PATH:  # browsers ask for an icon too
            self._send(HTTPStatus.NOT_FOUND, page("Nothing here", "This address only ends a sign-in.", good=False))
            return
        if not self.server.first.acquire(blocking=False):
            text = "This sign-in is over. To begin another, run the command again."
            self._send(HTTPStatus.CONFLICT, page("Too late", text, good=False))
            return
        query = parse_qs(parts.query, keep_blank_values=True)
        visit = _Visit({name: values[0] for name, values in query.items() if len(values) == 1})
        self.server.visits.put(visit)
        try:
            status, text = visit.pages.get(timeout=_ANSWER_SECONDS)
            self._send(status, text)
        except queue.Empty:
            self.close_connection = True
        finally:
            visit.sent.set()

    def _send(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "Referrer-Policy": "no-referrer",
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the request line holds the code."""


def page(title: str, text: str, *, good: bool) -> str:
    """A small page; nothing in the text is taken for HTML."""
    mark, colour = ("&#10003;", "#1a7f37") if good else ("&#10007;", "#b42318")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{html.escape(title)} - spotify_etl</title>
<style>
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f6f7f9; color: #1c1e21;
  font: 1rem/1.5 system-ui, sans-serif; }}
main {{ max-width: 34rem; margin: 1rem; padding: 2rem 2.5rem; background: #fff; border-radius: .75rem;
  border-top: .3rem solid {colour}; box-shadow: 0 1px 6px #0002; overflow-wrap: anywhere; }}
h1 {{ margin: 0 0 .5rem; font-size: 1.4rem; }}
h1 span {{ color: {colour}; }}
p {{ margin: 0; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #16181c; color: #e6e8eb; }}
  main {{ background: #22252a; }}
}}
</style>
</head>
<body><main><h1><span>{mark}</span> {html.escape(title)}</h1><p>{html.escape(text)}</p></main></body>
</html>
"""
