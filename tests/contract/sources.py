"""Whoever asks Spotify for something, each before a stand-in, so that one test can be put to all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, TypeAlias

from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.playlist import PlaylistSource
from lambdas.core.adapters.public_charts import PublicChartsSource, address_at
from lambdas.core.adapters.songs import WebApiSongs
from lambdas.core.adapters.spotify import SpotifyAddress
from lambdas.core.cached_answers import read_answer, told
from lambdas.core.documents import RawDocument, encode, raw_answer
from lambdas.core.enrichment import Gone
from lambdas.core.providers import read_document
from lambdas.core.reading import Reading
from lambdas.core.sources import Budget, ChartSource, PolledChart
from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from local.spotify.model import Entry
from local.spotify.model import chart as model_chart
from local.spotify.playlists import OWN_PLAYLIST
from local.spotify.server import SpotifyStandIn
from tests.polls import DAILY, PUBLIC, Clock

TODAY: Final = date(2026, 3, 6)  # a Friday
NOW: Final = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
CHART_DATE: Final = date(2026, 3, 5)
ROAD_TRIP: Final = PolledChart(
    chart="road-trip", period="daily", providers=("playlist",), playlist_id=OWN_PLAYLIST.id, dated_by="observation"
)
SONG_ID: Final = model_chart(DAILY.chart, CHART_DATE)[0].song.id

SourceName: TypeAlias = Literal["playlist_of_app", "playlist_of_user", "public_charts", "songs"]
Answer: TypeAlias = RawDocument | bytes | Gone
"""A chart's document, or what Spotify tells of a song."""


@dataclass(frozen=True)
class Source:
    """What is asked of Spotify, how, and what the made-up music has in answer."""

    title: str
    """What it is called in the documentation."""
    ask: Callable[[Situation], Answer]
    path: str
    """Where it asks, after it has its token."""
    about: str
    """What its messages must name."""
    expected: Callable[[int], tuple[Entry, ...]]
    """What the answer is to tell of, for charts of so many songs."""
    has_positions: bool = True
    takes_a_token: bool = True
    chart: PolledChart | None = None


@dataclass
class Situation:
    """A source before a stand-in, with a run's budget."""

    spotify: SpotifyStandIn
    source: Source
    secret: str = CLIENT_SECRET
    is_signed_in: bool = False
    """Whether somebody has signed in, for sources that ask as the user then and as the app else."""
    clock: Clock = field(default_factory=Clock)
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(max_calls=40, seconds_left=lambda: self.clock.left)

    @property
    def app(self) -> Credentials:
        return Credentials(client_id=CLIENT_ID, client_secret=self.secret)

    @property
    def user(self) -> Credentials:
        return Credentials(
            client_id=CLIENT_ID,
            client_secret=self.secret,
            refresh_token=REFRESH_TOKEN,
            authorized_at=NOW - timedelta(days=9),
        )

    @property
    def address(self) -> SpotifyAddress:
        return SpotifyAddress.at(self.spotify.url)

    def ask(self) -> Answer:
        return self.source.ask(self)

    def reading(self) -> Reading:
        """What the transform reads in the answer, once it has been kept."""
        answer = self.ask()
        if isinstance(answer, RawDocument):
            return read_document(encode(answer), key=answer.key)[1]
        assert isinstance(answer, bytes)
        return read_answer(told(SONG_ID, raw_answer(answer), now=NOW))

    def playlist(self, credentials: Credentials) -> PlaylistSource:
        return PlaylistSource(
            credentials, stage="dev", address=self.address, sleep=self.clock.sleep, jitter=lambda: 1.0
        )

    def fetch(self, source: ChartSource, chart: PolledChart) -> RawDocument:
        return source.fetch(chart, now=NOW, budget=self.budget)


def _public_charts(given: Situation) -> Answer:
    address = address_at(given.spotify.url)
    return given.fetch(PublicChartsSource(address=address, sleep=given.clock.sleep, jitter=lambda: 1.0), PUBLIC)


def _song(given: Situation) -> Answer:
    songs = WebApiSongs(
        given.user if given.is_signed_in else given.app,
        given.budget,
        stage="dev",
        address=given.address,
        sleep=given.clock.sleep,
        jitter=lambda: 1.0,
    )
    answer = songs.song(SONG_ID)
    return answer if isinstance(answer, Gone) else bytes(answer)


SOURCES: Final[Mapping[SourceName, Source]] = {
    "playlist_of_app": Source(
        title="`playlist`, as the app",
        ask=lambda given: given.fetch(given.playlist(given.app), DAILY),
        path="/v1/",
        about=DAILY.chart,
        expected=lambda size: model_chart(DAILY.chart, CHART_DATE, size=size),
        chart=DAILY,
    ),
    "playlist_of_user": Source(
        title="`playlist`, as the user",
        ask=lambda given: given.fetch(given.playlist(given.user), ROAD_TRIP),
        path="/v1/",
        about=ROAD_TRIP.chart,
        expected=lambda size: model_chart(OWN_PLAYLIST.chart, CHART_DATE, size=size),
        chart=ROAD_TRIP,
    ),
    "public_charts": Source(
        title="`public_charts`",
        ask=_public_charts,
        path="/public/",
        about=PUBLIC.chart,
        expected=lambda _: model_chart(PUBLIC.chart, CHART_DATE),
        takes_a_token=False,
        chart=PUBLIC,
    ),
    "songs": Source(
        title="songs (`etl enrich`)",
        ask=_song,
        path="/v1/",
        about=SONG_ID,
        expected=lambda _: model_chart(DAILY.chart, CHART_DATE)[:1],
        has_positions=False,
    ),
}


@contextmanager
def situation(name: SourceName) -> Iterator[Situation]:
    """A source before a stand-in of its own."""
    with SpotifyStandIn() as spotify:
        spotify.set(today=TODAY)
        yield Situation(spotify, SOURCES[name])
