"""What the stand-in can be told to do wrong, one fault to one request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum


class InvalidControl(ValueError):
    """The control endpoint was asked for something it cannot do; the message says what it can."""


class FaultKind(StrEnum):
    """The ways in which Spotify, or the way to it, fails."""

    RATE_LIMITED = "rate_limited"
    """429; `retry_after` seconds in the header, none without it."""
    QUOTA_EXCEEDED = "quota_exceeded"
    """429 of the day's quota of a Development Mode app: as above, with `"reason":"QUOTA_EXCEEDED"`."""
    SERVER_ERROR = "server_error"
    """`status` 500, 502, 503 or 504 (default 503); `retry_after` if given."""
    SLOW = "slow"
    """The right answer, `seconds` late."""
    CUT_OFF = "cut_off"
    """The connection closes after half of the body."""
    MALFORMED_JSON = "malformed_json"
    """200 with a body that breaks off, though its length is announced right."""
    UNAUTHORIZED = "unauthorized"
    """401 "The access token expired"."""
    FORBIDDEN = "forbidden"
    """403."""
    NOT_FOUND = "not_found"
    """404."""
    INVALID_GRANT = "invalid_grant"
    """400 from the token endpoint for a refresh token or a code: it has expired. Only the token endpoint meets this."""
    ACCESS_DENIED = "access_denied"
    """The user does not consent: the browser comes back with an error. Only /authorize meets this."""
    METADATA_ONLY = "metadata_only"
    """A playlist object without its items; 403 from its items endpoint: what someone else's playlist gives."""
    EMPTY = "empty"
    """A playlist of no items; public charts without entries."""
    SHORT_PAGE = "short_page"
    """A page lacks its last `count` items (default 1); its total stays."""
    REPEATED_PAGE = "repeated_page"
    """A page after the first holds the items of the page before it."""
    WRONG_TOTAL = "wrong_total"
    """The total is `count` too high (default 1)."""
    NULL_TRACK = "null_track"
    """The `index`-th item of the page, from 1 (default 1), is null: a song withdrawn."""
    LOCAL_FILE = "local_file"
    """The `index`-th item is a local file."""
    EPISODE = "episode"
    """The `index`-th item is a podcast's episode."""
    MISSING_CHART = "missing_chart"
    """The public charts service answers without its chart of songs."""
    DATES_DIFFER = "dates_differ"
    """The public charts of albums and of artists are a week behind that of songs."""


# Kinds that change a chart's items, so only a request for items meets them: a playlist's, or the public charts'.
OF_ITEMS = frozenset(
    {
        FaultKind.METADATA_ONLY,
        FaultKind.EMPTY,
        FaultKind.SHORT_PAGE,
        FaultKind.REPEATED_PAGE,
        FaultKind.WRONG_TOTAL,
        FaultKind.NULL_TRACK,
        FaultKind.LOCAL_FILE,
        FaultKind.EPISODE,
        FaultKind.MISSING_CHART,
        FaultKind.DATES_DIFFER,
    }
)
_OF_PUBLIC_CHARTS_ALONE = frozenset({FaultKind.MISSING_CHART, FaultKind.DATES_DIFFER})
_OF_PUBLIC_CHARTS = _OF_PUBLIC_CHARTS_ALONE | {FaultKind.EMPTY, FaultKind.SHORT_PAGE, FaultKind.NULL_TRACK}
_SERVER_ERRORS = (500, 502, 503, 504)
_OPTIONS: Mapping[FaultKind, frozenset[str]] = {
    FaultKind.RATE_LIMITED: frozenset({"retry_after"}),
    FaultKind.QUOTA_EXCEEDED: frozenset({"retry_after"}),
    FaultKind.SERVER_ERROR: frozenset({"status", "retry_after"}),
    FaultKind.SLOW: frozenset({"seconds"}),
    FaultKind.SHORT_PAGE: frozenset({"count"}),
    FaultKind.WRONG_TOTAL: frozenset({"count"}),
    FaultKind.NULL_TRACK: frozenset({"index"}),
    FaultKind.LOCAL_FILE: frozenset({"index"}),
    FaultKind.EPISODE: frozenset({"index"}),
}
_COMMON = frozenset({"kind", "path", "times"})
_ONLY_AT: Mapping[FaultKind, str] = {
    FaultKind.INVALID_GRANT: "/api/token",
    FaultKind.ACCESS_DENIED: "/authorize",
}
"""Kinds that only one address meets, whatever the fault's `path`."""
_PLAYLIST_PATH = re.compile(r"/v1/playlists/")
_PUBLIC_PATH = re.compile(r"/public/")


@dataclass(frozen=True)
class Fault:
    """One scripted fault. Raises InvalidControl if an option does not fit the kind."""

    kind: FaultKind
    path: str = "^/(v1|public)/"
    """A regular expression searched in the request's path; the default spares the token endpoint."""

    times: int | None = 1
    """How many matching requests it meets; None: all until it is cleared."""

    retry_after: int | None = None
    status: int | None = None
    seconds: float | None = None
    count: int | None = None
    index: int | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.path)
        except re.error as error:
            raise InvalidControl(f"path {self.path!r} of fault {self.kind} is no regular expression: {error}") from None
        allowed = _OPTIONS.get(self.kind, frozenset())
        for option in ("retry_after", "status", "seconds", "count", "index"):
            if getattr(self, option) is not None and option not in allowed:
                takes = ", ".join(sorted(allowed | {"path", "times"}))
                raise InvalidControl(f"fault {self.kind} takes no {option!r}: it takes {takes}")
        for option in ("times", "count", "index"):
            value = getattr(self, option)
            if value is not None and value < 1:
                raise InvalidControl(f"{option} of fault {self.kind} is {value}: use 1 or more")
        if self.retry_after is not None and self.retry_after < 0:
            raise InvalidControl(f"retry_after of fault {self.kind} is {self.retry_after}: use 0 or more seconds")
        if self.status is not None and self.status not in _SERVER_ERRORS:
            raise InvalidControl(f"status of fault {self.kind} is {self.status}: use one of {_SERVER_ERRORS}")
        if self.kind is FaultKind.SLOW and not 0 < (self.seconds or 0) <= 600:
            raise InvalidControl(f"fault {self.kind} needs 'seconds' above 0 and up to 600")

    def meets(self, path: str, offset: int) -> bool:
        """Whether a request (its path, and its offset if it has one) meets this fault."""
        if self.kind in _ONLY_AT:
            return path == _ONLY_AT[self.kind]
        if self.kind in OF_ITEMS:
            of_playlist = self.kind not in _OF_PUBLIC_CHARTS_ALONE and _PLAYLIST_PATH.match(path)
            of_public_charts = self.kind in _OF_PUBLIC_CHARTS and _PUBLIC_PATH.match(path)
            if not of_playlist and not of_public_charts:
                return False
        if self.kind is FaultKind.REPEATED_PAGE and offset == 0:
            return False
        return re.search(self.path, path) is not None

    def as_json(self) -> dict[str, object]:
        """The fault as the control endpoint takes it."""
        return {key: value for key, value in asdict(self).items() if value is not None or key == "times"}


def fault_from_json(given: object) -> Fault:
    """The fault that a JSON object describes, e.g. {"kind": "rate_limited", "retry_after": 30, "times": 2}.

    Raises InvalidControl.
    """
    if not isinstance(given, dict):
        raise InvalidControl(f"a fault is a JSON object with a 'kind', not {type(given).__name__}")
    kinds = [kind.value for kind in FaultKind]
    if given.get("kind") not in kinds:
        raise InvalidControl(f"unknown fault {given.get('kind')!r}: use one of {', '.join(kinds)}")
    kind = FaultKind(given["kind"])
    known = _COMMON | {"retry_after", "status", "seconds", "count", "index"}
    for key, value in given.items():
        if key not in known:
            raise InvalidControl(f"fault {kind} takes no {key!r}: it takes {', '.join(sorted(known - {'kind'}))}")
        fits = (int, float) if key == "seconds" else (str,) if key in ("kind", "path") else (int,)
        if isinstance(value, bool) or not (isinstance(value, fits) or (value is None and key == "times")):
            raise InvalidControl(f"{key} of fault {kind} is {value!r}: it must be {_TYPE_NAMES[fits[0]]}")
    return Fault(**{**given, "kind": kind})


_TYPE_NAMES: Mapping[type, str] = {int: "a whole number", str: "a text"}
