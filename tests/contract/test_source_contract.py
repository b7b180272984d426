"""What every provider of charts must do, against the Spotify stand-in over loopback HTTP.

A provider joins by a line in `SOURCES`, and by what it calls each of `WALLS`. Each test gives the situation by the
stand-in's own faults, so it holds for whatever a provider asks Spotify for.
"""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

import pytest

from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.playlist import PlaylistSource
from lambdas.core.adapters.public_charts import PublicChartsSource, address_at
from lambdas.core.adapters.spotify import SpotifyAddress
from lambdas.core.documents import FORMAT_VERSION, RawDocument, decode, encode
from lambdas.core.errors import (
    AccessForbidden,
    ChartNotFound,
    CredentialsRejected,
    EmptyChart,
    InconsistentChart,
    PipelineError,
    RateLimited,
    SourceError,
    SourceUnavailable,
)
from lambdas.core.providers import read_document
from lambdas.core.reading import Reading
from lambdas.core.schema import CHART_ENTRIES
from lambdas.core.sources import Budget, ChartSource, PolledChart, PolledProvider
from local.spotify.api import CLIENT_ID, CLIENT_SECRET
from local.spotify.faults import Fault, FaultKind
from local.spotify.model import chart as model_chart
from local.spotify.server import SpotifyStandIn
from tests.polls import DAILY, PUBLIC, WEEKLY, Clock

TODAY = date(2026, 3, 6)  # a Friday
NOW = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)


SourceFactory: TypeAlias = Callable[[SpotifyStandIn, Clock, str], ChartSource]


def playlist_source(spotify: SpotifyStandIn, clock: Clock, secret: str) -> ChartSource:
    return PlaylistSource(
        Credentials(client_id=CLIENT_ID, client_secret=secret),
        stage="dev",
        address=SpotifyAddress.at(spotify.url),
        sleep=clock.sleep,
        jitter=lambda: 1.0,
    )


def public_charts_source(spotify: SpotifyStandIn, clock: Clock, _: str) -> ChartSource:
    return PublicChartsSource(address=address_at(spotify.url), sleep=clock.sleep, jitter=lambda: 1.0)


@dataclass(frozen=True)
class Source:
    """How a provider's source is opened, a chart that it serves, and where it asks for it."""

    open: SourceFactory
    chart: PolledChart
    path: str


SOURCES: dict[PolledProvider, Source] = {
    "playlist": Source(playlist_source, DAILY, "/v1/"),
    "public_charts": Source(public_charts_source, PUBLIC, "/public/"),
}


@dataclass
class Situation:
    """A source before a stand-in, and a run's budget."""

    spotify: SpotifyStandIn
    source: Source
    clock: Clock = field(default_factory=Clock)
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(max_calls=40, seconds_left=lambda: self.clock.left)

    def fetch(self, chart: PolledChart | None = None, *, secret: str = CLIENT_SECRET) -> RawDocument:
        source = self.source.open(self.spotify, self.clock, secret)
        return source.fetch(chart or self.source.chart, now=NOW, budget=self.budget)


@contextmanager
def situation(provider: PolledProvider) -> Iterator[Situation]:
    with SpotifyStandIn() as spotify:
        spotify.set(today=TODAY)
        yield Situation(spotify, SOURCES[provider])


@pytest.fixture(params=SOURCES)
def given(request: pytest.FixtureRequest) -> Iterator[Situation]:
    """Each of the sources."""
    with situation(request.param) as one:
        yield one


@pytest.fixture
def playlist() -> Iterator[Situation]:
    with situation("playlist") as one:
        yield one


@pytest.fixture
def public_charts() -> Iterator[Situation]:
    with situation("public_charts") as one:
        yield one


def read_rows(document: RawDocument) -> Reading:
    """The document as the transform reads it, once it has been stored."""
    return read_document(encode(document), key=document.key)[1]


def answers_of(document: RawDocument) -> list[Any]:
    return [json.loads(bytes(answer)) for answer in document.answers]


# What a source gives


@pytest.mark.parametrize(
    ("provider", "chart"),
    [("playlist", DAILY), ("playlist", WEEKLY), ("public_charts", PUBLIC)],
    ids=["playlist-daily", "playlist-weekly", "public_charts-weekly"],
)
def test_a_document_is_whole_and_of_the_chart_date_the_provider_means(
    provider: PolledProvider, chart: PolledChart
) -> None:
    with situation(provider) as given:
        document = given.fetch(chart)

    assert (document.chart, document.period, document.chart_date) == (chart.chart, chart.period, date(2026, 3, 5))
    assert document.provider == provider
    assert document.format_version == FORMAT_VERSION
    assert not document.partial
    assert document.observed_at == document.received_at == NOW
    assert decode(encode(document), key=document.key, model=RawDocument) == document


@pytest.mark.parametrize(("provider", "chart"), [("playlist", WEEKLY), ("public_charts", PUBLIC)])
def test_a_weekly_chart_keeps_its_thursday_all_week(provider: PolledProvider, chart: PolledChart) -> None:
    with situation(provider) as given:
        given.spotify.set(today=date(2026, 3, 11))

        assert given.fetch(chart).chart_date == date(2026, 3, 5)


def test_every_place_holds_the_song_that_the_chart_has_there(given: Situation) -> None:
    reading = read_rows(given.fetch())

    expected = model_chart(given.source.chart.chart, date(2026, 3, 5))
    assert [(row[2], row[4]) for row in reading.entries] == [(entry.position, entry.song.id) for entry in expected]


def test_every_song_has_its_name_and_its_artists_in_the_order_of_the_credit(given: Situation) -> None:
    reading = read_rows(given.fetch())

    for entry in model_chart(given.source.chart.chart, date(2026, 3, 5)):
        song = entry.song
        ((_, name, credit, *_),) = reading.songs[song.id]
        assert (name, credit) == (song.name, ", ".join(artist.name for artist in song.artists))
        assert [row[2] for row in reading.song_artists[song.id]] == [artist.id for artist in song.artists]


@pytest.mark.parametrize("era", ["classic", "both", "2026"])
@pytest.mark.parametrize("size", [1, 50, 120])
def test_every_place_of_the_playlist_is_there_in_each_era_of_the_api(playlist: Situation, era: str, size: int) -> None:
    playlist.spotify.set(era=era, chart_size=size)

    reading = read_rows(playlist.fetch())

    assert [row[2] for row in reading.entries] == list(range(1, size + 1))


@pytest.mark.parametrize("filled", [False, True])
def test_the_public_charts_figures_are_told_where_they_are_filled(public_charts: Situation, filled: bool) -> None:
    public_charts.spotify.set(public_filled=filled)

    reading = read_rows(public_charts.fetch())

    expected = model_chart(PUBLIC.chart, date(2026, 3, 5))
    for row, entry in zip(reading.entries, expected, strict=True):
        told = dict(zip(CHART_ENTRIES.column_names, row, strict=True))
        assert told["streams"] == (entry.streams if filled else None)
        assert told["label"] == (entry.song.album.label if filled else None)
        assert (told["official_peak_position"] is not None) is filled
        assert (told["official_periods_on_chart"] is not None) is filled


def test_the_public_charts_date_is_that_of_the_chart_of_songs(public_charts: Situation) -> None:
    public_charts.spotify.fail(Fault(FaultKind.DATES_DIFFER))

    document = public_charts.fetch()

    assert document.chart_date == date(2026, 3, 5)
    (answer,) = answers_of(document)
    dates = [one["displayChart"]["date"] for one in answer["chartEntryViewResponses"]]
    assert dates == ["2026-03-05", "2026-02-26", "2026-02-26"]


def test_the_answers_are_spotifys_own_words(given: Situation) -> None:
    given.spotify.set(era="both", chart_size=70)

    document = given.fetch()

    addresses = [answer.get("href", f"{given.spotify.url}/public/v0/charts") for answer in answers_of(document)]
    assert answers_of(document) == [_as_sent(given.spotify, address) for address in addresses]


def _as_sent(spotify: SpotifyStandIn, address: str) -> Any:
    """What the stand-in sends for an address, read without the code under test."""
    form = f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}".encode()
    with urllib.request.urlopen(f"{spotify.url}/api/token", data=form, timeout=10) as reply:
        token = json.load(reply)["access_token"]
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def test_the_same_chart_fetched_twice_has_the_same_key(given: Situation) -> None:
    assert given.fetch().key == given.fetch().key


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("playlist", FaultKind.NULL_TRACK),
        ("playlist", FaultKind.LOCAL_FILE),
        ("playlist", FaultKind.EPISODE),
        ("public_charts", FaultKind.NULL_TRACK),
    ],
)
def test_a_place_that_holds_no_song_is_kept_for_the_transform_to_count(
    provider: PolledProvider, kind: FaultKind
) -> None:
    with situation(provider) as given:
        given.spotify.fail(Fault(kind, index=3))

        reading = read_rows(given.fetch())

    assert (reading.depth, reading.gaps, len(reading.entries)) == (50, 1, 49)
    assert 3 not in [row[2] for row in reading.entries]


# Walls


@dataclass(frozen=True)
class Wall:
    """A fault that stays, and the error that each source calls it by. Sources that cannot meet it are left out."""

    fault: Fault
    errors: dict[PolledProvider, type[PipelineError]]


def everywhere(fault: Fault, error: type[PipelineError]) -> Wall:
    return Wall(fault, dict.fromkeys(SOURCES, error))


WALLS: dict[str, Wall] = {
    "403": everywhere(Fault(FaultKind.FORBIDDEN, times=None), AccessForbidden),
    "404": everywhere(Fault(FaultKind.NOT_FOUND, times=None), ChartNotFound),
    "someone else's playlist": Wall(Fault(FaultKind.METADATA_ONLY, times=None), {"playlist": AccessForbidden}),
    "401 for ever": Wall(
        Fault(FaultKind.UNAUTHORIZED, times=None), {"playlist": CredentialsRejected, "public_charts": AccessForbidden}
    ),
    "no entries": everywhere(Fault(FaultKind.EMPTY, times=None), EmptyChart),
    "short page": everywhere(Fault(FaultKind.SHORT_PAGE, times=None), InconsistentChart),
    "wrong total": Wall(Fault(FaultKind.WRONG_TOTAL, times=None), {"playlist": InconsistentChart}),
    "repeated page": Wall(Fault(FaultKind.REPEATED_PAGE, times=None), {"playlist": InconsistentChart}),
    "chart not in the answer": Wall(Fault(FaultKind.MISSING_CHART, times=None), {"public_charts": ChartNotFound}),
    "429 of hours": everywhere(Fault(FaultKind.RATE_LIMITED, retry_after=21_600), RateLimited),
    "quota": everywhere(Fault(FaultKind.QUOTA_EXCEEDED, retry_after=48_925), RateLimited),
    "503 for ever": everywhere(Fault(FaultKind.SERVER_ERROR, status=503, times=None), SourceUnavailable),
    "cut off for ever": everywhere(Fault(FaultKind.CUT_OFF, times=None), SourceUnavailable),
    "malformed for ever": everywhere(Fault(FaultKind.MALFORMED_JSON, times=None), SourceUnavailable),
}


@pytest.mark.parametrize(
    ("provider", "wall"), [(provider, name) for name, wall in WALLS.items() for provider in wall.errors]
)
def test_each_wall_has_its_own_error_of_one_line_naming_the_chart(provider: PolledProvider, wall: str) -> None:
    with situation(provider) as given:
        given.spotify.set(chart_size=100)
        given.spotify.fail(WALLS[wall].fault)

        with pytest.raises(SourceError) as caught:
            given.fetch()

        assert given.spotify.requests(given.source.path), "the wall was never reached"
    assert type(caught.value) is WALLS[wall].errors[provider]
    assert given.source.chart.chart in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_playlist_that_does_not_exist_is_not_found(playlist: Situation) -> None:
    unknown = PolledChart(
        chart="road-trip", period="daily", providers=("playlist",), playlist_id="0" * 22, dated_by="observation"
    )
    with pytest.raises(ChartNotFound, match="road-trip"):
        playlist.fetch(unknown)


def test_a_chart_that_the_answer_does_not_hold_is_told_with_those_it_holds(public_charts: Situation) -> None:
    public_charts.spotify.fail(Fault(FaultKind.MISSING_CHART))

    with pytest.raises(ChartNotFound, match="not hold regional-global-weekly but album-global-weekly, artist-global-"):
        public_charts.fetch()


def test_a_wrong_secret_is_rejected_with_the_command_that_sets_it(playlist: Situation) -> None:
    with pytest.raises(CredentialsRejected, match=r"invalid_client.*etl credentials --stage dev"):
        playlist.fetch(secret="of-another-app")

    assert playlist.spotify.requests("/v1/") == ()


# Faults that pass


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.RATE_LIMITED, retry_after=2),
        Fault(FaultKind.SERVER_ERROR, status=500),
        Fault(FaultKind.SERVER_ERROR, status=504, times=2),
        Fault(FaultKind.CUT_OFF),
        Fault(FaultKind.MALFORMED_JSON),
        Fault(FaultKind.SLOW, seconds=0.2),
    ],
    ids=lambda fault: str(fault.kind),
)
def test_a_fault_that_passes_leaves_no_trace_in_the_document(given: Situation, fault: Fault) -> None:
    _passes(given, fault)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.UNAUTHORIZED),
        Fault(FaultKind.SERVER_ERROR, path="^/api/token"),
        Fault(FaultKind.CUT_OFF, path="^/api/token"),
        Fault(FaultKind.MALFORMED_JSON, path="^/api/token"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.path}",
)
def test_a_fault_of_the_token_that_passes_leaves_no_trace_in_the_document(playlist: Situation, fault: Fault) -> None:
    _passes(playlist, fault)


def _passes(given: Situation, fault: Fault) -> None:
    untroubled = given.fetch()
    given.spotify.fail(fault)

    assert given.fetch() == untroubled
    assert [call.fault for call in given.spotify.requests() if call.fault], "the fault was never met"


def test_six_hours_of_retry_after_cost_no_wait_and_one_call(given: Situation) -> None:
    given.spotify.fail(Fault(FaultKind.RATE_LIMITED, retry_after=21_600))

    with pytest.raises(RateLimited) as caught:
        given.fetch()

    assert caught.value.retry_after == 21_600
    assert given.clock.waits == []
    assert len(given.spotify.requests(given.source.path)) == 1


# The budget


def test_every_request_is_counted(given: Situation) -> None:
    given.spotify.set(chart_size=120)
    given.spotify.fail(Fault(FaultKind.SERVER_ERROR), Fault(FaultKind.UNAUTHORIZED, path="^/v1/"))

    given.fetch()

    assert given.budget.calls == len(given.spotify.requests())


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_no_more_calls_are_made_than_the_run_may(given: Situation, calls: int) -> None:
    given.spotify.set(chart_size=120)
    given.spotify.fail(Fault(FaultKind.SERVER_ERROR, times=None))
    given.budget.max_calls = calls

    with pytest.raises(SourceUnavailable, match=f"all {calls} calls"):
        given.fetch()

    assert len(given.spotify.requests()) == calls


def test_waits_never_outlast_the_runs_time(given: Situation) -> None:
    given.clock.left = 6.0
    given.spotify.fail(Fault(FaultKind.SERVER_ERROR, times=None))

    with pytest.raises(SourceUnavailable):
        given.fetch()

    assert 0 < given.clock.left < 6.0


# Secrets


def test_no_log_line_holds_a_token_or_the_secret_at_any_level(
    given: Situation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("spotipy").setLevel(logging.NOTSET)
    given.spotify.fail(Fault(FaultKind.UNAUTHORIZED, path="^/v1/"), Fault(FaultKind.SERVER_ERROR))

    given.fetch()

    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "asking again" in logged
    for secret in ("Bearer", "Basic", CLIENT_SECRET, "access_token"):
        assert secret not in logged
