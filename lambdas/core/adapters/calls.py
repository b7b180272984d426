"""Calls to Spotify's services within a run's budget of calls and time: what all sources of charts share.

Everything that decides (how long to wait, how often to ask, which error it is) is here and in the adapter that asks.
No library between here and the network retries by itself: they sleep through a Retry-After of hours inside the call.

Facts about limits: a rolling window of 30 seconds (https://developer.spotify.com/documentation/web-api/concepts/rate-limits),
and for apps in Development Mode a quota, told by `"reason": "QUOTA_EXCEEDED"`
(https://developer.spotify.com/blog/2026-07-23-web-api-quota-updates). Calling on while blocked lengthens the wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests

from lambdas.core.errors import ConfigurationError, RateLimited, SourceUnavailable
from lambdas.core.limits import duration_in_words, limit_in_words, moment_in_words
from lambdas.core.sources import Budget

_log = logging.getLogger("spotify")

T = TypeVar("T")

CALL_TIMEOUT: Final = 10.0
"""Seconds to connect, and seconds without a byte, before a call is given up: the token request's too."""
ATTEMPTS: Final = 5
"""How often one question is asked before the fault is taken as lasting."""
_FIRST_BACKOFF: Final = 0.5
_LONGEST_BACKOFF: Final = 8.0
_SHORTEST_CALL: Final = 1.0
"""A call is not begun with fewer seconds left."""
_WINDOW: Final = 30.0
"""The rate limit's rolling window: what to wait where a 429 does not say."""
_LONGEST_ASKED: Final = 366 * 86_400.0
"""Seconds: a Retry-After beyond is a mistake, and may be no date that can be written."""
_QUOTA_EXCEEDED: Final = "QUOTA_EXCEEDED"
_PASSING: Final = (requests.codes.request_timeout, requests.codes.too_many_requests)
_CLEAR: Final = tuple(("http", host) for host in ("127.0.0.1", "::1", "localhost"))
_SHOWN: Final = 200


def base_address(endpoint: str) -> str:
    """An address that stands in for Spotify's own, without a slash at its end.

    Raises ConfigurationError for an address to which a secret would travel in clear over a network.
    """
    parts = urlsplit(endpoint)
    if not parts.hostname or (parts.scheme != "https" and (parts.scheme, parts.hostname) not in _CLEAR):
        raise ConfigurationError(
            f"SPOTIFY_ENDPOINT is {endpoint!r}: use an https:// address, or http:// on the loopback address"
        )
    return endpoint.rstrip("/")


class Refused(Exception):
    """An answer that is not a 200. The caller knows what it asked for, so it gives a lasting one its name."""

    def __init__(self, response: requests.Response, *, at_token: bool) -> None:
        self.status = response.status_code
        self.at_token = at_token
        self.message, self.reason = _said(response)
        asked = response.headers.get("Retry-After", "")
        self.retry_after = min(float(asked), _LONGEST_ASKED) if asked.isascii() and asked.isdecimal() else None
        super().__init__(f"{self.status} ({self.message})")


class Token(msgspec.Struct):
    """What the token endpoint gives."""

    access_token: str
    expires_in: int
    refresh_token: str | None = None


class Session(requests.Session):
    """Spends the budget before each call, bounds its time, and stops every answer that is not a 200.

    requests follows no redirect here: Spotify's services send none, and a token belongs to no other host.
    `token_address` is where tokens come from, if the service takes any.
    """

    def __init__(self, budget: Budget, token_address: str | None = None) -> None:
        super().__init__()
        self._budget = budget
        self._token_address = token_address
        # Without an `auth` of its own requests would let an entry of ~/.netrc replace the Authorization header.
        self.auth = _as_given

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        left = self._budget.seconds_left()
        if left < _SHORTEST_CALL:
            raise _BudgetSpent("the time of this run is used up")
        if not self._budget.spend_call():
            raise _BudgetSpent(f"all {self._budget.max_calls} calls of this run are used up")
        response = super().send(request, **kwargs | {"timeout": min(CALL_TIMEOUT, left), "allow_redirects": False})
        at_token = request.url == self._token_address
        if response.status_code != requests.codes.ok:
            raise Refused(response, at_token=at_token)
        if at_token:
            try:
                msgspec.json.decode(response.content, type=Token)
            except msgspec.DecodeError:
                raise _Malformed("without a token in it") from None
        return response


class Patience:
    """Asks until there is an answer, the fault lasts, or the budget does not hold another call.

    `then` is what messages say of a fault that may pass. `jitter` gives 0 to 1.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        then: str = "the next poll tries again",
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
    ) -> None:
        self._budget = budget
        self._then = then
        self._sleep = sleep
        self._jitter = jitter

    def ask(self, call: Callable[[], T | None], what: str) -> T:
        """What `call` answers; None from it stands for broken JSON. `what` names in messages what is asked for.

        Raises Refused for a lasting refusal, RateLimited, or SourceUnavailable.
        """
        attempt = 1
        fault: _Passing | None = None
        while True:
            try:
                answer = _answer(call)
            except _BudgetSpent as spent:
                raise self.unavailable(what, f"{spent}{f', and last {fault.text}' if fault else ''}") from None
            if not isinstance(answer, _Passing):
                return answer
            fault = answer
            self._wait(attempt, fault, what)
            attempt += 1

    def _wait(self, attempt: int, fault: _Passing, what: str) -> None:
        """Wait before the next attempt, or raise what the caller is to see if there is to be none."""
        asked = None if fault.refusal is None else fault.refusal.retry_after
        if fault.refusal is not None and fault.refusal.status == requests.codes.too_many_requests:
            wait = _WINDOW if asked is None else max(asked, _FIRST_BACKOFF)
            if attempt == ATTEMPTS or fault.refusal.reason == _QUOTA_EXCEEDED or not self._holds(wait):
                raise self._rate_limited(fault.refusal, what)
        else:
            backoff = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** (attempt - 1)) * (0.5 + self._jitter() / 2)
            wait = max(backoff, asked or 0.0)
            if attempt == ATTEMPTS:
                raise self.unavailable(what, f"{fault.text}, at each of {ATTEMPTS} attempts")
            if not self._holds(wait):
                raise self.unavailable(what, f"{fault.text}, and the time of this run holds no further attempt")
        _log.warning(
            "asking again", extra={"what": what, "fault": fault.text, "attempt": attempt, "wait_seconds": wait}
        )
        self._sleep(wait)

    def _holds(self, wait: float) -> bool:
        return wait + _SHORTEST_CALL <= self._budget.seconds_left()

    def unavailable(self, what: str, why: str) -> SourceUnavailable:
        """The error of a service that gives no usable answer, and why."""
        return SourceUnavailable(f"{what}: no answer from Spotify: {why}: {self._then}")

    def _rate_limited(self, refusal: Refused, what: str) -> RateLimited:
        quota = refusal.reason == _QUOTA_EXCEEDED
        asks = ""
        if (asked := refusal.retry_after) is not None:
            until = datetime.now(UTC) + timedelta(seconds=asked)
            asks = f", and Spotify asks to wait {duration_in_words(asked)}, until {moment_in_words(until)}"
        return RateLimited(
            f"{what}: {limit_in_words(quota_exceeded=quota)} (429){asks}: nothing is lost, {self._then}; call less "
            "often meanwhile",
            retry_after=asked,
            quota_exceeded=quota,
        )


class _BudgetSpent(Exception):
    """Raised in place of a call that the run's budget no longer holds; says what is spent."""


class _Malformed(Exception):
    """An answer with status 200 that is not what the service sends."""


@dataclass(frozen=True)
class _Passing:
    """A fault that may be over at the next attempt."""

    text: str
    refusal: Refused | None = None


def _as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _answer(call: Callable[[], T | None]) -> T | _Passing:
    """What one call is answered with, or the fault that may pass. Raises Refused for a lasting one."""
    try:
        answer = call()
    except Refused as refusal:
        if refusal.status in _PASSING or refusal.status >= requests.codes.server_error:
            return _Passing(f"it answers {refusal}", refusal)
        raise
    except _Malformed as malformed:
        return _Passing(f"it answers {malformed}")
    except requests.RequestException as error:
        return _Passing(_network_fault(error))
    return _Passing("it answers with broken JSON") if answer is None else answer


def _network_fault(error: requests.RequestException) -> str:
    """A short name of what went wrong: requests' own words run over several lines' worth of internals."""
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS connection failed"
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "its answer was cut off"
    if isinstance(error, requests.ConnectionError):
        return "the connection failed or was dropped"
    return f"the call failed ({type(error).__name__})"


def _said(response: requests.Response) -> tuple[str, str | None]:
    """Message and reason in an answer that is not a 200: the Web API's shape, the token endpoint's, or any text.

    The reason of the token endpoint is its error code (https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
    """
    reason: object = None
    message: object = None
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = response.text
    else:
        error = body.get("error") if isinstance(body, dict) else None
        if isinstance(error, dict):
            message, reason = error.get("message"), error.get("reason")
        elif isinstance(error, str):
            message = ": ".join(part for part in (error, body.get("error_description")) if isinstance(part, str))
            reason = error
    text = " ".join(message.split())[:_SHOWN] if isinstance(message, str) else ""
    return text or "no reason given", reason if isinstance(reason, str) else None
