"""Songs asked of Spotify's Web API, one id a call: https://developer.spotify.com/documentation/web-api/reference/get-track.

Of what tells more of a song it is the only address that an app in Development Mode may still ask
(https://developer.spotify.com/documentation/web-api/tutorials/february-2026-migration-guide).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import msgspec

from lambdas.core.adapters.calls import Refused
from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.spotify import SPOTIFY, SpotifyAddress, WebApi
from lambdas.core.documents import raw_answer
from lambdas.core.enrichment import Gone
from lambdas.core.errors import AccessForbidden, SourceError, SourceUnavailable
from lambdas.core.sources import Budget


class WebApiSongs:
    """`SongSource` over the Web API, within a run's budget."""

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
        self._stage = stage
        self._api = WebApi(credentials, budget, stage=stage, address=address, sleep=sleep, jitter=jitter)

    def song(self, song_id: str) -> msgspec.Raw | Gone:
        """Spotify's answer about a song, verbatim; Gone for a 404, and for a 400 that says so of the id.

        Raises CredentialsRejected, AccessForbidden, RateLimited, SourceUnavailable, or SourceError for any other
        refusal.
        """
        what = f"song {song_id}"
        try:
            answer = self._api.song(song_id, what=what)
        except Refused as refusal:
            if refusal.status == 404 or (refusal.status == 400 and "id" in refusal.message.lower().split()):
                return Gone(str(refusal))
            raise self._wall(refusal, what) from None
        try:
            return raw_answer(answer)
        except UnicodeEncodeError as error:
            raise SourceUnavailable(
                f"{what}: Spotify's answer holds half a character (a lone surrogate), which is no text: the next run "
                "asks again"
            ) from error

    def _wall(self, refusal: Refused, what: str) -> SourceError:
        if refusal.status == 403:
            return AccessForbidden(
                f"{what}: Spotify forbids it: {refusal}: the owner of an app in Development Mode needs an active "
                f"Premium subscription; or store another app's credentials: `etl credentials --stage {self._stage}`"
            )
        return SourceError(
            f"{what}: Spotify answers {refusal}, which no retry mends: see that nothing between here and Spotify "
            "answers in its place"
        )
