"""What every provider of charts must do, against the Spotify stand-in over loopback HTTP.

A provider joins by a factory in `SOURCES`. Each test gives the situation by the stand-in's own faults, so it holds for
whatever a provider asks Spotify for.
"""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

import pytest

from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.playlist import PlaylistSource
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
from lambdas.core.playlist import PlaylistDocument, read_playlist
from lambdas.core.reading import Reading
from lambdas.core.sources import Budget, ChartSource, PolledChart
from local.spotify.api import CLIENT_ID, CLIENT_SECRET
from local.spotify.faults import Fault, FaultKind
from local.spotify.server import SpotifyStandIn
from tests.polls import DAILY, WEEKLY, Clock

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


SOURCES: dict[str, SourceFactory] = {"playlist": playlist_source}


@dataclass
class Situation:
    """A source before a stand-in, and a run's budget."""

    spotify: SpotifyStandIn
    open_source: SourceFactory
    clock: Clock = field(default_factory=Clock)
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(max_calls=40, seconds_left=lambda: self.clock.left)

    def fetch(self, chart: PolledChart = DAILY, *, secret: str = CLIENT_SECRET) -> RawDocument:
        return self.open_source(self.spotify, self.clock, secret).fetch(chart, now=NOW, budget=self.budget)


@pytest.fixture(params=SOURCES)
def given(request: pytest.FixtureRequest) -> Iterator[Situation]:
    with SpotifyStandIn() as spotify:
        spotify.set(today=TODAY)
        yield Situation(spotify, SOURCES[request.param])


def read_rows(document: RawDocument) -> Reading:
    """The document as the transform reads it, once it has been stored."""
    stored = decode(encode(document), key=document.key, model=PlaylistDocument)
    return read_playlist(stored, stored.pages)


def answers_of(document: RawDocument) -> list[Any]:
    return [json.loads(bytes(answer)) for answer in document.answers]


# What a source gives


@pytest.mark.parametrize(
    ("chart", "chart_date"), [(DAILY, date(2026, 3, 5)), (WEEKLY, date(2026, 3, 5))], ids=["daily", "weekly"]
)
def test_a_document_is_whole_and_of_the_chart_date_the_provider_means(
    given: Situation, chart: PolledChart, chart_date: date
) -> None:
    document = given.fetch(chart)

    assert (document.chart, document.period, document.chart_date) == (chart.chart, chart.period, chart_date)
    assert document.provider == chart.provider
    assert document.format_version == FORMAT_VERSION
    assert not document.partial
    assert document.observed_at == document.received_at == NOW
    assert decode(encode(document), key=document.key, model=RawDocument) == document


def test_a_weekly_chart_keeps_its_thursday_all_week(given: Situation) -> None:
    given.spotify.set(today=date(2026, 3, 11))

    assert given.fetch(WEEKLY).chart_date == date(2026, 3, 5)


@pytest.mark.parametrize("era", ["classic", "both", "2026"])
@pytest.mark.parametrize("size", [1, 50, 120])
def test_every_place_of_the_chart_is_there_in_each_era_of_the_api(given: Situation, era: str, size: int) -> None:
    given.spotify.set(era=era, chart_size=size)

    reading = read_rows(given.fetch())

    assert [row[2] for row in reading.entries] == list(range(1, size + 1))


def test_the_answers_are_spotifys_own_words(given: Situation) -> None:
    given.spotify.set(era="both", chart_size=70)

    document = given.fetch()

    assert answers_of(document) == [_as_sent(given.spotify, page["href"]) for page in answers_of(document)]


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


@pytest.mark.parametrize("kind", [FaultKind.NULL_TRACK, FaultKind.LOCAL_FILE, FaultKind.EPISODE])
def test_a_place_that_holds_no_song_is_kept_for_the_transform_to_count(given: Situation, kind: FaultKind) -> None:
    given.spotify.fail(Fault(kind, index=3))

    reading = read_rows(given.fetch())

    assert (reading.depth, reading.gaps, len(reading.entries)) == (50, 1, 49)
    assert 3 not in [row[2] for row in reading.entries]


# Walls


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(Fault(FaultKind.FORBIDDEN, times=None), AccessForbidden, id="403"),
        pytest.param(Fault(FaultKind.NOT_FOUND, times=None), ChartNotFound, id="404"),
        pytest.param(Fault(FaultKind.METADATA_ONLY, times=None), AccessForbidden, id="someone else's playlist"),
        pytest.param(Fault(FaultKind.UNAUTHORIZED, times=None), CredentialsRejected, id="401 for ever"),
        pytest.param(Fault(FaultKind.EMPTY, times=None), EmptyChart, id="no entries"),
        pytest.param(Fault(FaultKind.SHORT_PAGE, times=None), InconsistentChart, id="short page"),
        pytest.param(Fault(FaultKind.WRONG_TOTAL, times=None), InconsistentChart, id="wrong total"),
        pytest.param(Fault(FaultKind.REPEATED_PAGE, times=None), InconsistentChart, id="repeated page"),
        pytest.param(Fault(FaultKind.RATE_LIMITED, retry_after=21_600), RateLimited, id="429 of hours"),
        pytest.param(Fault(FaultKind.QUOTA_EXCEEDED, retry_after=48_925), RateLimited, id="quota"),
        pytest.param(Fault(FaultKind.SERVER_ERROR, status=503, times=None), SourceUnavailable, id="503 for ever"),
        pytest.param(Fault(FaultKind.CUT_OFF, times=None), SourceUnavailable, id="cut off for ever"),
        pytest.param(Fault(FaultKind.MALFORMED_JSON, times=None), SourceUnavailable, id="malformed for ever"),
    ],
)
def test_each_wall_has_its_own_error_of_one_line_naming_the_chart(
    given: Situation, fault: Fault, error: type[PipelineError]
) -> None:
    given.spotify.set(chart_size=100)
    given.spotify.fail(fault)

    with pytest.raises(SourceError) as caught:
        given.fetch()

    assert type(caught.value) is error
    assert DAILY.chart in str(caught.value)
    assert "\n" not in str(caught.value)
    assert given.spotify.requests("/v1/"), "the wall was never reached"


def test_a_playlist_that_does_not_exist_is_not_found(given: Situation) -> None:
    unknown = PolledChart(
        chart="road-trip", period="daily", provider="playlist", playlist_id="0" * 22, dated_by="observation"
    )
    with pytest.raises(ChartNotFound, match="road-trip"):
        given.fetch(unknown)


def test_a_wrong_secret_is_rejected_with_the_command_that_sets_it(given: Situation) -> None:
    with pytest.raises(CredentialsRejected, match=r"invalid_client.*etl credentials --stage dev"):
        given.fetch(secret="of-another-app")

    assert given.spotify.requests("/v1/") == ()


# Faults that pass


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.UNAUTHORIZED),
        Fault(FaultKind.RATE_LIMITED, retry_after=2),
        Fault(FaultKind.SERVER_ERROR, status=500),
        Fault(FaultKind.SERVER_ERROR, status=504, times=2),
        Fault(FaultKind.CUT_OFF),
        Fault(FaultKind.MALFORMED_JSON),
        Fault(FaultKind.SERVER_ERROR, path="^/api/token"),
        Fault(FaultKind.CUT_OFF, path="^/api/token"),
        Fault(FaultKind.MALFORMED_JSON, path="^/api/token"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.path}",
)
def test_a_fault_that_passes_leaves_no_trace_in_the_document(given: Situation, fault: Fault) -> None:
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
    assert len(given.spotify.requests("/v1/")) == 1


# The budget


def test_every_request_is_counted(given: Situation) -> None:
    given.spotify.set(chart_size=120)
    given.spotify.fail(Fault(FaultKind.SERVER_ERROR), Fault(FaultKind.UNAUTHORIZED))

    given.fetch()

    assert given.budget.calls == len(given.spotify.requests())


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_no_more_calls_are_made_than_the_run_may(given: Situation, calls: int) -> None:
    given.spotify.set(chart_size=120)
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
    given.spotify.fail(Fault(FaultKind.UNAUTHORIZED), Fault(FaultKind.SERVER_ERROR))

    given.fetch()

    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "asking again" in logged
    for secret in ("Bearer", "Basic", CLIENT_SECRET, "access_token"):
        assert secret not in logged
