"""Spotify's Web API through spotipy, within a run's budget of calls and time.

spotipy's own retries are off: they sleep through a Retry-After of hours inside the call, and lose the header and the
reason of the answer. Everything that decides (how long to wait, how often to ask, which error it is) is here, where the
session sees the answer before spotipy does.

With a refresh token in the credentials every call is made as that user, else as the app itself. Spotify need not send
a new refresh token with an access token; the old one goes on being used
(https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens). Where it sends a new one, this run
uses it and nobody keeps it: a function has no right to write the credentials, only a person who signs in does.

Facts about limits: a rolling window of 30 seconds (https://developer.spotify.com/documentation/web-api/concepts/rate-limits),
and for apps in Development Mode a quota, told by `"reason": "QUOTA_EXCEEDED"`
(https://developer.spotify.com/blog/2026-07-23-web-api-quota-updates). Calling on while blocked lengthens the wait.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
import requests
import spotipy  # type: ignore[import-untyped]
from spotipy.cache_handler import MemoryCacheHandler  # type: ignore[import-untyped]
from spotipy.oauth2 import SpotifyClientCredentials, SpotifyOAuth  # type: ignore[import-untyped]

from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.logs import keep_secrets_out_of_logs
from lambdas.core.authorization import SCOPES
from lambdas.core.errors import (
    AuthorizationExpired,
    ConfigurationError,
    CredentialsRejected,
    RateLimited,
    SourceUnavailable,
)
from lambdas.core.limits import duration_in_words, limit_in_words, moment_in_words
from lambdas.core.sources import Budget

_log = logging.getLogger("spotify")

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
_INVALID_GRANT: Final = "invalid_grant"
"""The token endpoint's word for a refresh token, or a sign-in's code, that is used up, over or taken back."""
_SIGN_IN: Final = "the sign-in"
_PASSING: Final = (requests.codes.request_timeout, requests.codes.too_many_requests)
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_SHOWN: Final = 200


@dataclass(frozen=True)
class SpotifyAddress:
    """Where the Web API, the token endpoint and the page on which a user consents are."""

    api: str
    token: str
    authorize: str

    @classmethod
    def at(cls, endpoint: str) -> SpotifyAddress:
        """All at one address, as the stand-in has them.

        Raises ConfigurationError for an address to which a secret would travel in clear over a network.
        """
        parts = urlsplit(endpoint)
        if not parts.hostname or (parts.scheme != "https" and (parts.scheme, parts.hostname) not in _CLEAR):
            raise ConfigurationError(
                f"SPOTIFY_ENDPOINT is {endpoint!r}: use an https:// address, or http:// on the loopback address"
            )
        base = endpoint.rstrip("/")
        return cls(api=f"{base}/v1/", token=f"{base}/api/token", authorize=f"{base}/authorize")


_CLEAR: Final = tuple(("http", host) for host in _LOOPBACK)
SPOTIFY: Final = SpotifyAddress(
    api="https://api.spotify.com/v1/",
    token="https://accounts.spotify.com/api/token",
    authorize="https://accounts.spotify.com/authorize",
)


def consent_link(credentials: Credentials, *, redirect_uri: str, state: str, address: SpotifyAddress = SPOTIFY) -> str:
    """The page on which a user consents; it then sends the browser to `redirect_uri` with a code, and `state` as given.

    Consent is asked for each time, so that the user sees which account it is and six new months begin
    (https://developer.spotify.com/documentation/web-api/tutorials/code-flow).
    """
    query = {
        "response_type": "code",
        "client_id": credentials.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(SCOPES),
        "state": state,
        "show_dialog": "true",
    }
    return f"{address.authorize}?{urlencode(query)}"


class Refused(Exception):
    """An answer that is not a 200. The caller knows what it asked for, so it gives a lasting one its name."""

    def __init__(self, response: requests.Response, *, at_token: bool) -> None:
        self.status = response.status_code
        self.at_token = at_token
        self.message, self.reason = _said(response)
        asked = response.headers.get("Retry-After", "")
        self.retry_after = min(float(asked), _LONGEST_ASKED) if asked.isascii() and asked.isdecimal() else None
        super().__init__(f"{self.status} ({self.message})")


class _BudgetSpent(Exception):
    """Raised in place of a call that the run's budget no longer holds; says what is spent."""


class _Malformed(Exception):
    """An answer with status 200 that is not what the Web API sends."""


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int
    refresh_token: str | None = None


class _UserTokens:
    """Access tokens of a user who has signed in, as spotipy asks an `auth_manager` for them.

    spotipy's own `SpotifyOAuth.get_access_token` opens a browser when it has no token; this refreshes instead.
    """

    def __init__(self, authorization: Any, refresh_token: str) -> None:
        self._authorization = authorization
        self._refresh_token = refresh_token

    def get_access_token(self, as_dict: bool = False) -> str:  # noqa: ARG002 - as spotipy calls it
        held = self._authorization.cache_handler.get_cached_token()
        if held is None or self._authorization.is_token_expired(held):
            held = self._authorization.refresh_access_token(self._refresh_token)
            if (new := held["refresh_token"]) and new != self._refresh_token:
                self._refresh_token = new
                _log.warning("Spotify gave a new refresh token, which this run uses and nobody keeps")
        return str(held["access_token"])


class _Session(requests.Session):
    """Spends the budget before each call, bounds its time, and stops every answer that is not a 200.

    requests follows no redirect here: the Web API sends none, and a token belongs to no other host.
    """

    def __init__(self, budget: Budget, token_address: str) -> None:
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
                msgspec.json.decode(response.content, type=_Token)
            except msgspec.DecodeError:
                raise _Malformed("without a token in it") from None
        return response


def _as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class WebApi:
    """Asks Spotify until it answers, the fault lasts, or the budget does not hold another call.

    It asks as the user whose refresh token the credentials hold, else as the app. `then` is what messages say of a
    fault that may pass. `sleep` and `jitter` (0 to 1) are given by tests. Token requests count as calls.
    """

    def __init__(
        self,
        credentials: Credentials,
        budget: Budget,
        *,
        stage: str,
        address: SpotifyAddress = SPOTIFY,
        then: str = "the next poll tries again",
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        keep_secrets_out_of_logs()
        self._credentials = credentials
        self._address = address
        self._stage = stage
        self._then = then
        self._budget = budget
        self._sleep = sleep
        self._jitter = jitter
        self._session = _Session(budget, address.token)
        self._tokens = MemoryCacheHandler()
        manager = (
            # Refreshing names no redirect URI, but the class asks for one.
            _UserTokens(self._flow(SpotifyOAuth, redirect_uri="http://127.0.0.1"), credentials.refresh_token)
            if credentials.refresh_token
            else self._flow(SpotifyClientCredentials)
        )
        self._spotify = spotipy.Spotify(auth_manager=manager, requests_session=self._session)
        self._spotify.prefix = address.api

    def _flow(self, flow: Any, **settings: str) -> Any:
        """One of spotipy's flows, over this session and without a file of tokens."""
        made = flow(
            client_id=self._credentials.client_id,
            client_secret=self._credentials.client_secret,
            requests_session=self._session,
            cache_handler=self._tokens,
            **settings,
        )
        made.OAUTH_TOKEN_URL = self._address.token
        return made

    def sign_in(self, code: str, *, redirect_uri: str) -> str:
        """The refresh token that Spotify gives for the code with which it sent a user's browser to `redirect_uri`.

        Raises AuthorizationExpired for a code that is used or has run out, CredentialsRejected, RateLimited, or
        SourceUnavailable.
        """
        flow = self._flow(SpotifyOAuth, redirect_uri=redirect_uri)

        def exchange() -> object:
            flow.get_access_token(code, as_dict=False, check_cache=False)
            return self._tokens.get_cached_token()

        token = msgspec.convert(self._ask(exchange, _SIGN_IN), _Token)
        if not token.refresh_token:
            raise self._unavailable(_SIGN_IN, "it answers without a refresh token")
        return token.refresh_token

    def playlist_page(self, playlist_id: str, *, limit: int, offset: int, what: str) -> dict[str, object]:
        """One page of a playlist's entries, as Spotify sends it. `what` names it in messages.

        Raises Refused for a lasting refusal that depends on what was asked (403, 404 and other 4xx),
        CredentialsRejected, RateLimited, or SourceUnavailable.
        """
        # Only `/items` is asked: apps of both kinds answer it, and an app refused there is refused at `/tracks` too.
        return self._ask(lambda: self._spotify.playlist_items(playlist_id, limit=limit, offset=offset), what)

    def song(self, song_id: str, *, what: str) -> dict[str, object]:
        """One song (Spotify's track), with its album and artists, as Spotify sends it. `what` names it in messages.

        Raises as `playlist_page`.
        """
        return self._ask(lambda: self._spotify.track(song_id), what)

    def _ask(self, call: Callable[[], object], what: str) -> dict[str, object]:
        attempt = 1
        token_renewed = False
        fault: _Passing | None = None
        while True:
            try:
                answer = _answer(call)
            except Refused as refusal:
                if not refusal.at_token and refusal.status != requests.codes.unauthorized:
                    raise
                if refusal.at_token or token_renewed:
                    raise self._rejected(refusal, what) from None
                # A token lives an hour and can be withdrawn earlier: ask once more with a fresh one.
                token_renewed = True
                self._tokens.save_token_to_cache(None)
                continue
            except _BudgetSpent as spent:
                raise self._unavailable(what, f"{spent}{f', and last {fault.text}' if fault else ''}") from None
            if isinstance(answer, dict):
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
                raise self._unavailable(what, f"{fault.text}, at each of {ATTEMPTS} attempts")
            if not self._holds(wait):
                raise self._unavailable(what, f"{fault.text}, and the time of this run holds no further attempt")
        _log.warning(
            "asking again", extra={"what": what, "fault": fault.text, "attempt": attempt, "wait_seconds": wait}
        )
        self._sleep(wait)

    def _holds(self, wait: float) -> bool:
        return wait + _SHORTEST_CALL <= self._budget.seconds_left()

    def _rejected(self, refusal: Refused, what: str) -> CredentialsRejected:
        if refusal.reason == _INVALID_GRANT:
            return AuthorizationExpired(
                f"{what}: Spotify no longer takes the user's sign-in ({refusal.message}), which lasts six months, or "
                f"until the user takes it back: sign in again with `etl login --stage {self._stage}`"
            )
        return CredentialsRejected(
            f"{what}: Spotify rejects the credentials: {refusal}: copy the client id and secret from your app at "
            f"https://developer.spotify.com/dashboard into `etl credentials --stage {self._stage}`"
            + (f", then `etl login --stage {self._stage}`" if self._credentials.refresh_token else "")
        )

    def _unavailable(self, what: str, why: str) -> SourceUnavailable:
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


@dataclass(frozen=True)
class _Passing:
    """A fault that may be over at the next attempt."""

    text: str
    refusal: Refused | None = None


def _answer(call: Callable[[], object]) -> dict[str, object] | _Passing:
    """The JSON object that one call is answered with, or the fault that may pass. Raises Refused for a lasting one."""
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
    # spotipy gives None for a body that is not JSON.
    return answer if isinstance(answer, dict) else _Passing("it answers with broken JSON")


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
