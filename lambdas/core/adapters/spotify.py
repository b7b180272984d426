"""Spotify's Web API through spotipy, within a run's budget of calls and time.

spotipy's own retries are off: they sleep through a Retry-After of hours inside the call, and lose the header and the
reason of the answer. So it is handed a session that sees the answer before spotipy does, and the waiting is ours
(`lambdas.core.adapters.calls`).

With a refresh token in the credentials every call is made as that user, else as the app itself. Spotify need not send
a new refresh token with an access token; the old one goes on being used
(https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens). Where it sends a new one, this run
uses it and nobody keeps it: a function has no right to write the credentials, only a person who signs in does.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import requests
import spotipy  # type: ignore[import-untyped]
from spotipy.cache_handler import MemoryCacheHandler  # type: ignore[import-untyped]
from spotipy.oauth2 import SpotifyClientCredentials, SpotifyOAuth  # type: ignore[import-untyped]

from lambdas.core.adapters.calls import Patience, Refused, Session, Token, base_address
from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.logs import keep_secrets_out_of_logs
from lambdas.core.authorization import SCOPES
from lambdas.core.errors import AuthorizationExpired, CredentialsRejected
from lambdas.core.sources import Budget

_log = logging.getLogger("spotify")

_INVALID_GRANT: Final = "invalid_grant"
"""The token endpoint's word for a refresh token, or a sign-in's code, that is used up, over or taken back."""
_SIGN_IN: Final = "the sign-in"


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
        base = base_address(endpoint)
        return cls(api=f"{base}/v1/", token=f"{base}/api/token", authorize=f"{base}/authorize")


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
        self._patience = Patience(budget, then=then, sleep=sleep, jitter=jitter)
        self._session = Session(budget, address.token)
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

        token = msgspec.convert(self._ask(exchange, _SIGN_IN), Token)
        if not token.refresh_token:
            raise self._patience.unavailable(_SIGN_IN, "it answers without a refresh token")
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
        token_renewed = False

        def attempt() -> dict[str, object] | None:
            nonlocal token_renewed
            try:
                return _object(call())
            except Refused as refusal:
                if refusal.at_token or refusal.status != requests.codes.unauthorized or token_renewed:
                    raise
            # A token lives an hour and can be withdrawn earlier: ask once more with a fresh one.
            token_renewed = True
            self._tokens.save_token_to_cache(None)
            return _object(call())

        try:
            return self._patience.ask(attempt, what)
        except Refused as refusal:
            if refusal.at_token or refusal.status == requests.codes.unauthorized:
                raise self._rejected(refusal, what) from None
            raise

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


def _object(answer: object) -> dict[str, object] | None:
    """The JSON object in an answer; spotipy gives None for a body that is not JSON."""
    return answer if isinstance(answer, dict) else None
