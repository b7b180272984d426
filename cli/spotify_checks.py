"""The checks of `etl doctor` that call Spotify: under the memory of rate limits, within one budget, storing nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from cli.diagnosis import Finding, call_finding, quota_mode_finding
from cli.output import count
from lambdas.core.adapters.calls import Refused
from lambdas.core.adapters.spotify import WebApi
from lambdas.core.documents import RawDocument, encode
from lambdas.core.errors import SourceError
from lambdas.core.limited import LimitedSource, within_limit
from lambdas.core.limits import RateLimitMemory, Service
from lambdas.core.providers import read_document
from lambdas.core.sources import SERVICES, Budget, ChartSource, PolledChart, PolledProvider

ACCEPTED: Final = "Spotify"
_EXAMPLE_SONG: Final = "11dFghVXANMlKmJXsNCbNl"
"""The song of Spotify's own documentation (https://developer.spotify.com/documentation/web-api/reference/get-track).
Any app may ask about a song, so what is refused here is the app, and not the question."""
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404


class _Song(msgspec.Struct):
    popularity: object | UnsetType = UNSET


class _Entry(msgspec.Struct):
    item: _Song | UnsetType | None = UNSET
    track: _Song | UnsetType | None = UNSET


class _Page(msgspec.Struct):
    items: list[_Entry | None]


@dataclass
class SpotifyChecks:
    """One stage's questions to Spotify's services. `budget` holds for all of them together.

    Without credentials there is no `api`, and of the `openers` of sources only those that need none.
    """

    api: WebApi | None
    openers: Mapping[PolledProvider, Callable[[], ChartSource]]
    memory_of: Callable[[Service], RateLimitMemory]
    budget: Budget
    _holds_popularity: list[bool] = field(default_factory=list)

    def accepted(self, api: WebApi) -> Finding:
        """Whether Spotify takes the credentials: a token is asked for, and one song with it."""
        try:
            with within_limit(self.memory_of("web_api"), self.budget):
                song = api.song(_EXAMPLE_SONG, what=ACCEPTED)
        except SourceError as error:
            return call_finding(ACCEPTED, error, what=ACCEPTED)
        except Refused as refusal:
            # The token was given, or this would be another error; that a song is gone says nothing about the app.
            if refusal.status != _NOT_FOUND:
                return Finding("FAILED", ACCEPTED, f"it takes the credentials, but {_refused(refusal)}")
        else:
            self._holds_popularity.append("popularity" in song)
        return Finding("ok", ACCEPTED, "it takes the credentials")

    def chart(self, chart: PolledChart, provider: PolledProvider) -> Finding:
        """Whether a provider gives the chart, all of it, as to a poll."""
        check = chart_check(chart, provider)
        if self.budget.calls >= self.budget.max_calls or self.budget.seconds_left() <= 1:
            spent = count(self.budget.calls, "call")
            return Finding(
                "skipped", check, f"not asked for: {spent} and the time that one examination takes are spent"
            )
        source = LimitedSource(self.openers[provider], self.memory_of(SERVICES[provider]))
        try:
            document = source.fetch(chart, now=datetime.now(UTC), budget=self.budget)
        except SourceError as error:
            what = f"{chart.chart} (playlist {chart.playlist_id})" if provider == "playlist" else chart.chart
            return call_finding(check, error, what=what)
        if provider == "playlist":
            self._holds_popularity += [
                song.popularity is not UNSET
                for entry in _entries(document)
                if entry is not None and isinstance(song := entry.track if entry.item is UNSET else entry.item, _Song)
            ]
        _, reading = read_document(encode(document), key=document.key)
        return Finding("ok", check, f"readable: {count(len(reading.entries), 'position')} of {document.chart_date}")

    def quota_mode(self) -> Finding:
        """The app's quota mode, from the answers so far."""
        return quota_mode_finding(self._holds_popularity)


def chart_check(chart: PolledChart, provider: PolledProvider) -> str:
    """What the check of a chart is called: by its provider, too, where there are several."""
    return f"chart {chart.chart}" + (f" from {provider}" if len(chart.providers) > 1 else "")


def _entries(document: RawDocument) -> Sequence[_Entry | None]:
    return [entry for answer in document.answers for entry in msgspec.json.decode(answer, type=_Page).items]


def _refused(refusal: Refused) -> str:
    """What an app is told that may not even ask about a song."""
    message = refusal.message.lower()
    if refusal.status == _FORBIDDEN and "premium" in message:
        remedy = "the owner of the app needs an active Premium subscription, or Spotify stops the app: renew it"
    elif refusal.status == _FORBIDDEN and "regist" in message:
        remedy = "add the user to the app at https://developer.spotify.com/dashboard, under User Management"
    else:
        remedy = "see at https://developer.spotify.com/dashboard whether the app is still allowed to call the Web API"
    return f"answers {refusal} to a question about a song: {remedy}"
