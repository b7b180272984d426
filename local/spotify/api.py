"""The stand-in's answers, free of sockets: a request in, a reply out.

`/authorize`, `/api/token` (see `accounts`) and `/v1/...` speak as Spotify does
(developer.spotify.com/documentation/web-api), `/public/v0/charts` as the public charts service does, without a token,
and `/_control/...` is for whoever scripts the stand-in. Differences from Spotify: `fields` is refused, `market` changes
nothing, and Spotify's own charts are served in every era, though a Development Mode app gets 404 for them (`non_owner`
shows what it gets for other people's playlists). Answers that were saved from Spotify can be given in place of made-up
ones (`replays`).
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from local.spotify import catalogue, public_charts
from local.spotify.accounts import CLIENT_ID as CLIENT_ID
from local.spotify.accounts import CLIENT_SECRET as CLIENT_SECRET
from local.spotify.accounts import REFRESH_TOKEN as REFRESH_TOKEN
from local.spotify.accounts import TOKEN_SECONDS as TOKEN_SECONDS
from local.spotify.accounts import Accounts
from local.spotify.errors import Refusal
from local.spotify.faults import OF_ITEMS, Fault, FaultKind, InvalidControl, fault_from_json
from local.spotify.payloads import Era, Json, Renderer
from local.spotify.playlists import PLAYLISTS, playlist_answer
from local.spotify.replays import Replays
from local.spotify.settings import Settings, settings_from_json

_ID = re.compile(r"[0-9A-Za-z]{22}")
_MEDIA = re.compile(r"/v1/(tracks|albums|artists)/([^/]+)")
_PLAYLIST = re.compile(r"/v1/playlists/([^/]+)(?:/(items|tracks))?")


@dataclass(frozen=True)
class Request:
    """What came over the wire. `headers` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last."""
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass(frozen=True)
class Reply:
    """What goes back. `delay` is waited for first; `cut` sends half of the body and closes the connection."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Call:
    """One request that was made of the API, as the log keeps it (no header, so no token)."""

    method: str
    path: str
    query: Mapping[str, str]
    status: int
    fault: str | None


def _json(status: int, body: object, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), headers or {})


def _utc_today() -> date:
    return datetime.now(UTC).date()


class Api:
    """The state of one stand-in: settings, tokens given out, faults to come, calls made. Safe between threads."""

    def __init__(
        self,
        base: str,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], date] = _utc_today,
    ) -> None:
        self._base = base
        self._today = today
        self._lock = threading.Lock()
        self._settings = settings
        self._accounts = Accounts(clock)
        self.replays = Replays()
        """Saved answers, given in place of made-up ones."""
        self._faults: list[Fault] = []
        self._calls: list[Call] = []

    # What scripts it.

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    def change(self, settings: Settings) -> None:
        """Answer by other settings from now on."""
        with self._lock:
            self._settings = settings

    def add_faults(self, faults: list[Fault]) -> None:
        """Add faults behind those still to come."""
        with self._lock:
            self._faults.extend(faults)

    def clear_faults(self) -> None:
        """Forget the faults still to come."""
        with self._lock:
            self._faults.clear()

    def faults(self) -> tuple[Fault, ...]:
        """The faults still to come."""
        with self._lock:
            return tuple(self._faults)

    def calls(self) -> tuple[Call, ...]:
        """The calls made of the API and the token endpoint, oldest first."""
        with self._lock:
            return tuple(self._calls)

    def clear_calls(self) -> None:
        """Forget the calls made."""
        with self._lock:
            self._calls.clear()

    # What it answers.

    def answer(self, request: Request) -> Reply:
        """The reply to a request, faults included."""
        if request.path.startswith("/_control/"):
            return self._control(request)
        fault = self._next_fault(request)
        try:
            reply = self._reply(request, fault)
        except Refusal as refusal:
            reply = _json(refusal.status, refusal.body, refusal.headers)
        if fault is not None:
            reply = _disturbed(reply, fault)
        with self._lock:
            kind = fault.kind.value if fault else None
            self._calls.append(Call(request.method, request.path, request.query, reply.status, kind))
        return reply

    def _next_fault(self, request: Request) -> Fault | None:
        offset = request.query.get("offset", "0")
        with self._lock:
            for place, fault in enumerate(self._faults):
                if fault.meets(request.path, int(offset) if offset.isdecimal() else 0):
                    if fault.times == 1:
                        del self._faults[place]
                    elif fault.times is not None:
                        self._faults[place] = replace(fault, times=fault.times - 1)
                    return fault
        return None

    def _reply(self, request: Request, fault: Fault | None) -> Reply:
        if fault is not None:
            _refuse_for(fault)
        if request.path == "/authorize":
            return self._consent(request, fault)
        if request.path == "/api/token":
            return self._token(request, fault)
        as_user = False
        if request.path != public_charts.PATH:
            if not request.path.startswith("/v1/"):
                raise Refusal(HTTPStatus.NOT_FOUND, "Service not found")
            as_user = self._accounts.is_user(request.headers.get("authorization", ""))
        if request.method != "GET":
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed")
        saved = self.replays.find(request.path, request.query, base=self._base, era=self._settings.era)
        if saved is not None:
            return Reply(HTTPStatus.OK, saved)
        of_items = fault if fault and fault.kind in OF_ITEMS else None
        return _json(HTTPStatus.OK, self._resource(request, of_items, as_user=as_user))

    def _consent(self, request: Request, fault: Fault | None) -> Reply:
        if request.method != "GET":
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed")
        denied = fault is not None and fault.kind is FaultKind.ACCESS_DENIED
        return Reply(HTTPStatus.FOUND, b"", {"Location": self._accounts.consent(request.query, denied=denied)})

    def _token(self, request: Request, fault: Fault | None) -> Reply:
        if request.method != "POST":
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed")
        form = {key: values[-1] for key, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        expired = fault is not None and fault.kind is FaultKind.INVALID_GRANT
        authorization = request.headers.get("authorization", "")
        return _json(HTTPStatus.OK, self._accounts.token(form, authorization=authorization, expired=expired))

    def _resource(self, request: Request, fault: Fault | None, *, as_user: bool) -> Json:
        settings = self._settings
        today = settings.today or self._today()
        renderer = Renderer(self._base, settings.era, today)
        if request.path == public_charts.PATH:
            return public_charts.public_answer(renderer, settings, fault)
        if found := _MEDIA.fullmatch(request.path):
            return _media(renderer, found[1], found[2])
        if found := _PLAYLIST.fullmatch(request.path):
            identity, endpoint = found[1], found[2]
            if not _ID.fullmatch(identity):
                raise Refusal(HTTPStatus.BAD_REQUEST, "Invalid base62 id")
            if endpoint == "tracks" and settings.era is Era.DEVELOPMENT:
                raise Refusal(HTTPStatus.FORBIDDEN, "Forbidden")
            if identity not in PLAYLISTS:
                raise Refusal(HTTPStatus.NOT_FOUND, "Resource not found")
            if "fields" in request.query:
                raise Refusal(HTTPStatus.BAD_REQUEST, "The stand-in does not support the parameter fields")
            playlist = PLAYLISTS[identity]
            return playlist_answer(renderer, settings, playlist, endpoint, request.query, fault, as_user=as_user)
        raise Refusal(HTTPStatus.NOT_FOUND, "Service not found")

    def _control(self, request: Request) -> Reply:
        action = (request.method, request.path.removeprefix("/_control/"))
        try:
            if action == ("POST", "faults"):
                given = _read_json(request.body)
                if not isinstance(given, list):
                    raise InvalidControl("POST /_control/faults takes a JSON list of faults")
                self.add_faults([fault_from_json(each) for each in given])
            elif action == ("DELETE", "faults"):
                self.clear_faults()
            elif action == ("PUT", "settings"):
                self.change(settings_from_json(_read_json(request.body), self._settings))
            elif action == ("DELETE", "requests"):
                self.clear_calls()
            elif request.method != "GET" or action[1] not in ("faults", "settings", "requests", "playlists"):
                return _json(
                    HTTPStatus.NOT_FOUND,
                    {
                        "error": "no such control: use GET, POST or DELETE /_control/faults, GET or PUT "
                        "/_control/settings, GET or DELETE /_control/requests, GET /_control/playlists"
                    },
                )
        except InvalidControl as error:
            return _json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        state: dict[str, Callable[[], object]] = {
            "faults": lambda: [fault.as_json() for fault in self.faults()],
            "settings": lambda: self._settings.as_json(),
            "requests": lambda: [asdict(call) for call in self.calls()],
            "playlists": lambda: {identity: playlist.chart for identity, playlist in PLAYLISTS.items()},
        }
        return _json(HTTPStatus.OK, state[action[1]]())


def _read_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        raise InvalidControl("the body is not JSON") from None


def _refuse_for(fault: Fault) -> None:
    """Raise the error answer that a fault stands for, if it stands for one."""
    match fault.kind:
        case FaultKind.RATE_LIMITED:
            raise Refusal(429, "API rate limit exceeded", retry_after=fault.retry_after)
        case FaultKind.QUOTA_EXCEEDED:
            raise Refusal(429, "Too many requests", reason="QUOTA_EXCEEDED", retry_after=fault.retry_after)
        case FaultKind.SERVER_ERROR:
            status = fault.status or 503
            raise Refusal(status, HTTPStatus(status).phrase, retry_after=fault.retry_after)
        case FaultKind.UNAUTHORIZED:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "The access token expired")
        case FaultKind.FORBIDDEN:
            raise Refusal(HTTPStatus.FORBIDDEN, "Forbidden")
        case FaultKind.NOT_FOUND:
            raise Refusal(HTTPStatus.NOT_FOUND, "Resource not found")


def _disturbed(reply: Reply, fault: Fault) -> Reply:
    """The reply as it gets through, if the fault is one of the way to Spotify."""
    match fault.kind:
        case FaultKind.SLOW:
            return replace(reply, delay=fault.seconds or 0.0)
        case FaultKind.CUT_OFF:
            return replace(reply, cut=True)
        case FaultKind.MALFORMED_JSON:
            return replace(reply, body=reply.body[: len(reply.body) // 2])
    return reply


def _media(renderer: Renderer, kind: str, identity: str) -> Json:
    if not _ID.fullmatch(identity):
        raise Refusal(HTTPStatus.BAD_REQUEST, "Invalid base62 id")
    if kind == "tracks" and (song := catalogue.find_song(renderer.seed, identity)):
        return renderer.track(song)
    if kind == "albums" and (release := catalogue.find_release(renderer.seed, identity)):
        return renderer.album(release)
    if kind == "artists" and (artist := catalogue.find_artist(renderer.seed, identity)):
        return renderer.artist(artist)
    raise Refusal(HTTPStatus.NOT_FOUND, "Resource not found")
