"""What is remembered about a service's rate limit, so that nothing calls it before the time that it asked for.

Calling on while blocked lengthens the wait, and the functions and commands that call a service share one quota. So the
memory is one small JSON object for each service in the raw bucket (`keys.state_key`), written conditionally: until
when nothing may be asked, and how many calls were made in each of the past hours. Whoever calls a service asks `check`
before the first call, tells `remember` each RateLimited that it meets, and `count` at the end, also after a failure.

A Development Mode app's quota rolls over about 24 hours, and is the developer's, not the app's
(https://developer.spotify.com/blog/2026-07-23-web-api-quota-updates).

The memory can only hold calls back, so where it is damaged, written by newer code or says what cannot be, the calls are
made: the first one that is refused puts the memory right.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from lambdas.core.documents import UNREADABLE_JSON
from lambdas.core.errors import InvalidDocument, RateLimited, WriteConflict
from lambdas.core.keys import state_key
from lambdas.core.store import ObjectStore, StoredObject

_log = logging.getLogger("limits")

Service: TypeAlias = Literal["web_api", "public_charts"]
SERVICE_NAMES: Final[dict[Service, str]] = {
    "web_api": "Spotify's Web API",
    "public_charts": "Spotify's public charts service",
}

WINDOW: Final = timedelta(seconds=30)
"""How long nothing is asked where the service did not say: the rate limit's rolling window
(https://developer.spotify.com/documentation/web-api/concepts/rate-limits)."""
LONGEST_BLOCK: Final = timedelta(hours=48)
"""No block is kept longer, whatever was asked or is stored: the quota rolls over 24 hours, and one call in two days
does no harm, while a mistaken date would stop the calls for ever."""
LEDGER: Final = timedelta(hours=24)

_BELIEVED: Final = LONGEST_BLOCK + timedelta(hours=1)
"""What lies further ahead is a mistake: an hour more than is ever written, for clocks that differ."""
_FORMAT_VERSION: Final = 1
_HOUR: Final = timedelta(hours=1)
_MAX_BYTES: Final = 64 * 1024
_MAX_REASON: Final = 500
_ATTEMPTS: Final = 6
_FIRST_WAIT_SECONDS: Final = 0.02
_LONGEST_WAIT_SECONDS: Final = 0.2

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Calls = Annotated[int, msgspec.Meta(ge=0)]


class LimitState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered about one service. All times are UTC."""

    format_version: int
    until: _Moment | None = None
    """Nothing may be asked before; None or past if nothing holds the calls back."""
    recorded_at: _Moment | None = None
    """When the limit was met."""
    quota_exceeded: bool = False
    """Whether it is the quota of a day, and not the short window."""
    reason: str = ""
    """The message of the error that met it."""
    calls: dict[_Moment, _Calls] = {}
    """Calls by the hour (its beginning) that they were counted in: of the past 24 hours, no others."""

    def seconds_left(self, *, now: datetime) -> float:
        """Seconds during which nothing may be asked; 0 if nothing holds the calls back."""
        if self.until is None or self.until - now > _BELIEVED:
            return 0.0
        return max(0.0, (self.until - now).total_seconds())

    def block_in_words(self, *, now: datetime) -> str | None:
        """`not asked before <when> (<how long> from now): <which limit> (429)`; None if nothing holds calls back."""
        left = self.seconds_left(now=now)
        if self.until is None or not left:
            return None
        return (
            f"not asked before {moment_in_words(self.until)} ({duration_in_words(left)} from now): "
            f"{limit_in_words(quota_exceeded=self.quota_exceeded)} (429)"
        )

    def calls_of_past_day(self, *, now: datetime) -> int:
        """Calls of the past 24 hours, the hour that they began in counted whole: rather too many than too few."""
        return sum(_recent(self.calls, now).values())


_EMPTY: Final = LimitState(format_version=_FORMAT_VERSION)


class StillRateLimited(RateLimited):
    """A remembered limit still holds: no call was made. `retry_after` is the time left."""


class RateLimitMemory:
    """The memory of one service's rate limit, over the raw bucket. Times are aware datetimes.

    `sleep` and `jitter` (0 to 1) are given by tests.
    """

    def __init__(
        self,
        store: ObjectStore,
        service: Service,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._service = service
        self._key = state_key(service)
        self._sleep = sleep
        self._jitter = jitter

    def state(self) -> LimitState:
        """What is remembered now; nothing if there is nothing that this code can read (then the log says so)."""
        return self._read()[0]

    def check(self, *, now: datetime) -> None:
        """Return if the service may be called; else raise StillRateLimited, a RateLimited that says until when."""
        state = self.state()
        if state.until is not None and state.until - now > _BELIEVED:
            fault = f"it says {state.until}, but no block is kept for over {LONGEST_BLOCK.days} days"
            _log.warning("a rate limit is not believed", extra={"key": self._key, "fault": fault})
        if block := state.block_in_words(now=now):
            raise StillRateLimited(
                f"{SERVICE_NAMES[self._service]} is {block}: nothing is lost, a run after that time goes on; call less "
                "often meanwhile",
                retry_after=state.seconds_left(now=now),
                quota_exceeded=state.quota_exceeded,
            )

    def remember(self, limit: RateLimited, *, now: datetime) -> None:
        """Keep until when the service asked not to be called. Of two such times the later one stays.

        A limit that `check` raised is no news and changes nothing. Never raises: what cannot be kept is logged, and
        the next call is told again.
        """
        if isinstance(limit, StillRateLimited):
            return
        asked = limit.retry_after
        if asked is None or not asked >= 0:  # also where it is no number
            asked = WINDOW.total_seconds()
        # Whole seconds, rounded up: a call is never made too early for a fraction's sake.
        until = _whole_second(now + timedelta(seconds=min(asked, LONGEST_BLOCK.total_seconds())))

        def merged(held: LimitState) -> LimitState:
            if held.until is not None and until <= held.until <= now + _BELIEVED:
                return held
            return msgspec.structs.replace(
                held,
                until=until,
                recorded_at=_whole_second(now),
                quota_exceeded=limit.quota_exceeded,
                reason=str(limit)[:_MAX_REASON],
            )

        self._update(merged, "a rate limit could not be remembered")

    def count(self, calls: int, *, now: datetime) -> int:
        """Add calls that were made to the hour's; the calls of the past 24 hours, as far as they are known.

        Never raises: what cannot be counted is logged.
        """
        if calls <= 0:
            return self._known(now)
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

        def added(held: LimitState) -> LimitState:
            recent = _recent(held.calls, now)
            return msgspec.structs.replace(held, calls=recent | {hour: recent.get(hour, 0) + calls})

        state = self._update(added, "calls could not be counted")
        return calls if state is None else state.calls_of_past_day(now=now)

    def forget(self, *, now: datetime) -> bool:
        """Lift the block, as for another app's credentials; whether there was one. The calls counted stay.

        Raises WriteConflict if other writers win more often than the retries allow.
        """
        lifted = False

        def without(held: LimitState) -> LimitState:
            nonlocal lifted
            lifted = held.seconds_left(now=now) > 0
            return LimitState(format_version=_FORMAT_VERSION, calls=held.calls)

        self._write(without)
        return lifted

    def _known(self, now: datetime) -> int:
        try:
            return self.state().calls_of_past_day(now=now)
        except Exception:  # noqa: BLE001 - the work is done, and nothing was to be counted
            _log.exception("the calls counted cannot be read", extra={"key": self._key})
            return 0

    def _update(self, change: Callable[[LimitState], LimitState], fault: str) -> LimitState | None:
        """The new state; None, with an error in the log, if it could not be written."""
        try:
            return self._write(change)
        except Exception:  # noqa: BLE001 - the work that met the limit is over, and has its own outcome to tell
            _log.exception(fault, extra={"key": self._key})
            return None

    def _write(self, change: Callable[[LimitState], LimitState]) -> LimitState:
        """Change what is stored, on condition that nobody changed it since it was read. Raises WriteConflict."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(self._jitter() * min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**attempt))
            held, stored = self._read(to_replace=True)
            state = change(held)
            if state == held:
                return state
            body = msgspec.json.encode(state)
            if stored is None:
                written = self._store.put_new(self._key, body)
            else:
                written = self._store.replace(self._key, body, etag=stored.etag)
            if written:
                return state
        raise WriteConflict(f"{self._key}: {_ATTEMPTS} attempts lost to other writers: run the same command again")

    def _read(self, *, to_replace: bool = False) -> tuple[LimitState, StoredObject | None]:
        """What is remembered, and the object that holds it; the empty state where that cannot be read.

        Raises InvalidDocument for an object of absurd size, which cannot be replaced, if that is what it is read for.
        """
        try:
            stored = self._store.get(self._key, max_bytes=_MAX_BYTES)
        except InvalidDocument as error:
            fault = f"{error}: it is none of ours, and nothing is remembered until it is deleted"
            if to_replace:
                raise InvalidDocument(fault) from error
            _log.warning("the memory of rate limits is not readable", extra={"key": self._key, "fault": fault})
            return _EMPTY, None
        if stored is None:
            return _EMPTY, None
        try:
            state = _decode(stored.body)
        except UNREADABLE_JSON as error:
            fault = str(error)
        else:
            if state.format_version == _FORMAT_VERSION:
                return state, stored
            fault = f"format version {state.format_version}, but this code reads {_FORMAT_VERSION}: deploy a newer one"
        _log.warning("the memory of rate limits is not readable", extra={"key": self._key, "fault": fault})
        return _EMPTY, stored


_decode = msgspec.json.Decoder(LimitState).decode


def limit_in_words(*, quota_exceeded: bool) -> str:
    """Which of the two limits was met."""
    return "the app's quota for a day is used up" if quota_exceeded else "too many calls in a short time"


def duration_in_words(seconds: float) -> str:
    """`6 h 0 min`, `5 min 3 s`, `42 s`."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment_in_words(moment: datetime) -> str:
    """`2026-03-06 15:30:00 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _recent(calls: dict[datetime, int], now: datetime) -> dict[datetime, int]:
    """The hours that touch the past 24, in order. The next hour is for a writer whose clock is a little ahead."""
    return {hour: calls[hour] for hour in sorted(calls) if now - LEDGER - _HOUR < hour <= now + _HOUR}


def _whole_second(moment: datetime) -> datetime:
    """The moment in UTC, rounded up to the second."""
    rounded = moment.astimezone(UTC)
    return rounded.replace(microsecond=0) + timedelta(seconds=1) if rounded.microsecond else rounded
