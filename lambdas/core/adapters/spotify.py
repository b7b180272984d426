"""Spotify's Web API through spotipy, within a run's budget of calls and time.

spotipy's own retries are off: they sleep through a Retry-After of hours inside the call, and lose the header and the
reason of the answer. So it is handed a session that sees the answer before spotipy does, and the waiting is ours
(`lambdas.core.adapters.calls`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import requests
import spotipy  # type: ignore[import-untyped]
from spotipy.cache_handler import MemoryCacheHandler  # type: ignore[import-untyped]
from spotipy.oauth2 import SpotifyClientCredentials  # type: ignore[import-untyped]

from lambdas.core.adapters.calls import Patience, Refused, Session, base_address
from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.logs import keep_secrets_out_of_logs
from lambdas.core.errors import CredentialsRejected
from lambdas.core.sources import Budget


@dataclass(frozen=True)
class SpotifyAddress:
    """Where the Web API and the token endpoint are."""

    api: str
    token: str

    @classmethod
    def at(cls, endpoint: str) -> SpotifyAddress:
        """Both at one address, as the stand-in has them.

        Raises ConfigurationError for an address to which a secret would travel in clear over a network.
        """
        base = base_address(endpoint)
        return cls(api=f"{base}/v1/", token=f"{base}/api/token")


SPOTIFY: Final = SpotifyAddress(api="https://api.spotify.com/v1/", token="https://accounts.spotify.com/api/token")


class WebApi:
    """Asks Spotify until it answers, the fault lasts, or the budget does not hold another call.

    `sleep` and `jitter` (0 to 1) are given by tests. Token requests count as calls.
    """

    def __init__(
        self,
        credentials: Credentials,
        budget: Budget,
        *,
        stage: str,
        address: SpotifyAddress = SPOTIFY,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        keep_secrets_out_of_logs()
        self._stage = stage
        self._patience = Patience(budget, sleep=sleep, jitter=jitter)
        self._session = Session(budget, address.token)
        self._tokens = MemoryCacheHandler()
        authorization = SpotifyClientCredentials(
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            requests_session=self._session,
            cache_handler=self._tokens,
        )
        authorization.OAUTH_TOKEN_URL = address.token
        self._spotify = spotipy.Spotify(auth_manager=authorization, requests_session=self._session)
        self._spotify.prefix = address.api

    def playlist_page(self, playlist_id: str, *, limit: int, offset: int, what: str) -> dict[str, object]:
        """One page of a playlist's entries, as Spotify sends it. `what` names it in messages.

        Raises Refused for a lasting refusal that depends on what was asked (403, 404 and other 4xx),
        CredentialsRejected, RateLimited, or SourceUnavailable.
        """
        # Only `/items` is asked: apps of both kinds answer it, and an app refused there is refused at `/tracks` too.
        return self._ask(lambda: self._spotify.playlist_items(playlist_id, limit=limit, offset=offset), what)

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
        return CredentialsRejected(
            f"{what}: Spotify rejects the credentials: {refusal}: copy the client id and secret from your app at "
            f"https://developer.spotify.com/dashboard into `etl credentials --stage {self._stage}`"
        )


def _object(answer: object) -> dict[str, object] | None:
    """The JSON object in an answer; spotipy gives None for a body that is not JSON."""
    return answer if isinstance(answer, dict) else None
