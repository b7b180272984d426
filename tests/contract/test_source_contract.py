"""What everyone who asks Spotify must do, against the Spotify stand-in over loopback HTTP.

A source joins by a line in `tests.contract.sources.SOURCES`, and is then played every case of `tests.contract.cases`.
Each test gives the case by the stand-in's own faults, so it holds for whatever a source asks Spotify for.
"""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from lambdas.core.documents import FORMAT_VERSION, RawDocument, decode, encode
from lambdas.core.enrichment import Gone
from lambdas.core.errors import (
    AccessForbidden,
    AuthorizationExpired,
    ChartNotFound,
    CredentialsRejected,
    EmptyChart,
    InconsistentChart,
    MetadataOnly,
    RateLimited,
    SourceError,
    SourceUnavailable,
)
from lambdas.core.schema import CHART_ENTRIES
from lambdas.core.sources import PolledChart
from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from local.spotify.faults import Fault, FaultKind
from local.spotify.model import chart as model_chart
from tests.contract.cases import CASES, OUTCOMES, THROUGH, CannotBe, Ends, GoesThrough, IsGone, Outcome, case
from tests.contract.sources import CHART_DATE, NOW, SOURCES, Situation, SourceName, situation
from tests.polls import DAILY, PUBLIC, WEEKLY

ONE_ANSWER = CannotBe("one answer holds the whole chart")
ONE_SONG = CannotBe("one answer is one song")
NO_PLAYLIST = CannotBe("asks for no playlist")
NO_TOKEN = CannotBe("takes no token")
NO_USER = CannotBe("nobody has signed in")
NEVER_RENAMED = CannotBe("was never renamed")

CHARTS: tuple[SourceName, ...] = ("playlist_of_app", "playlist_of_user", "public_charts")


@pytest.fixture(params=SOURCES)
def given(request: pytest.FixtureRequest) -> Iterator[Situation]:
    """Each of the sources; those that a case names, where the test is of a case."""
    with situation(request.param) as one:
        yield one


@pytest.fixture
def outcome(request: pytest.FixtureRequest) -> Outcome:
    """What the source is to come to."""
    return request.param  # type: ignore[no-any-return]  # parametrized by `case`


@pytest.fixture
def playlist() -> Iterator[Situation]:
    with situation("playlist_of_app") as one:
        yield one


@pytest.fixture
def public_charts() -> Iterator[Situation]:
    with situation("public_charts") as one:
        yield one


def document_of(given: Situation) -> RawDocument:
    """The chart that the source gives."""
    answer = given.ask()
    assert isinstance(answer, RawDocument)
    return answer


def answers_of(given: Situation) -> list[Any]:
    """Spotify's answers, as the source gives them on."""
    answer = given.ask()
    if isinstance(answer, RawDocument):
        return [json.loads(bytes(each)) for each in answer.answers]
    assert isinstance(answer, bytes)
    return [json.loads(answer)]


def meets(given: Situation, outcome: Outcome, *faults: Fault) -> None:
    """The source comes to what the case says of it, and meets the faults on the way."""
    if isinstance(outcome, GoesThrough):
        untroubled = given.ask()
        given.spotify.fail(*faults)
        assert given.ask() == untroubled
    else:
        given.spotify.fail(*faults)
        if isinstance(outcome, IsGone):
            assert isinstance(given.ask(), Gone)
        else:
            assert isinstance(outcome, Ends)
            with pytest.raises(SourceError) as caught:
                given.ask()
            assert type(caught.value) is outcome.error
            assert given.source.about in str(caught.value)
            assert "\n" not in str(caught.value)
    met = [call.fault for call in given.spotify.requests() if call.fault]
    assert set(met) == {fault.kind.value for fault in faults}, "the fault was never met"


# What a source gives


@case("complete chart", THROUGH)
def test_every_song_comes_with_its_name_its_artists_in_the_order_of_the_credit_and_its_position(
    given: Situation, outcome: Outcome
) -> None:
    assert outcome is THROUGH
    reading = given.reading()

    expected = given.source.expected(50)
    positions = [(entry.position, entry.song.id) for entry in expected if given.source.has_positions]
    assert [(row[2], row[4]) for row in reading.entries] == positions
    assert list(reading.songs) == [entry.song.id for entry in expected]
    for song in (entry.song for entry in expected):
        ((_, name, credit, *_),) = reading.songs[song.id]
        assert (name, credit) == (song.name, ", ".join(artist.name for artist in song.artists))
        assert [row[2] for row in reading.song_artists[song.id]] == [artist.id for artist in song.artists]


@case("all pages", THROUGH, public_charts=ONE_ANSWER, songs=ONE_SONG)
@pytest.mark.parametrize("size", [1, 50, 51, 120, 200])
def test_every_position_of_every_page_is_there(given: Situation, outcome: Outcome, size: int) -> None:
    assert outcome is THROUGH
    given.spotify.set(chart_size=size)

    reading = given.reading()

    expected = [(entry.position, entry.song.id) for entry in given.source.expected(size)]
    assert [(row[2], row[4]) for row in reading.entries] == expected
    assert len(expected) == size


@case("both shapes", THROUGH, public_charts=NEVER_RENAMED)
@pytest.mark.parametrize("era", ["classic", "both", "2026"])
def test_what_an_app_of_any_era_is_sent_is_read_the_same(given: Situation, outcome: Outcome, era: str) -> None:
    assert outcome is THROUGH
    given.spotify.set(era=era, chart_size=70)

    reading = given.reading()

    songs = [entry.song for entry in given.source.expected(70)]
    assert {song_id: rows[0][1] for song_id, rows in reading.songs.items()} == {song.id: song.name for song in songs}
    assert set(reading.albums) == {song.album.id for song in songs}
    assert set(reading.artists) == {artist.id for song in songs for artist in song.artists}


@pytest.mark.parametrize(
    ("given", "chart"),
    [
        ("playlist_of_app", DAILY),
        ("playlist_of_app", WEEKLY),
        ("playlist_of_user", None),
        ("public_charts", PUBLIC),
    ],
    indirect=["given"],
)
def test_a_document_is_whole_and_of_the_chart_date_the_provider_means(
    given: Situation, chart: PolledChart | None
) -> None:
    document = (
        document_of(given) if chart in (None, given.source.chart) else given.fetch(given.playlist(given.app), chart)
    )

    asked = chart or given.source.chart
    assert asked is not None
    # A playlist that people edit is of the day on which it was looked at.
    chart_date = NOW.date() if asked.dated_by == "observation" else CHART_DATE
    assert (document.chart, document.period, document.chart_date) == (asked.chart, asked.period, chart_date)
    assert (document.provider,) == asked.providers
    assert document.format_version == FORMAT_VERSION
    assert not document.partial
    assert document.observed_at == document.received_at == NOW
    assert decode(encode(document), key=document.key, model=RawDocument) == document


@pytest.mark.parametrize(
    ("given", "chart"), [("playlist_of_app", WEEKLY), ("public_charts", PUBLIC)], indirect=["given"]
)
def test_a_weekly_chart_keeps_its_thursday_all_week(given: Situation, chart: PolledChart) -> None:
    given.spotify.set(today=date(2026, 3, 11))

    document = document_of(given) if chart is given.source.chart else given.fetch(given.playlist(given.app), chart)

    assert document.chart_date == date(2026, 3, 5)


@pytest.mark.parametrize("filled", [False, True])
def test_the_public_charts_figures_are_told_where_they_are_filled(public_charts: Situation, filled: bool) -> None:
    public_charts.spotify.set(public_filled=filled)

    reading = public_charts.reading()

    expected = model_chart(PUBLIC.chart, date(2026, 3, 5))
    for row, entry in zip(reading.entries, expected, strict=True):
        told = dict(zip(CHART_ENTRIES.column_names, row, strict=True))
        assert told["streams"] == (entry.streams if filled else None)
        assert told["label"] == (entry.song.album.label if filled else None)
        assert (told["official_peak_position"] is not None) is filled
        assert (told["official_periods_on_chart"] is not None) is filled


def test_the_public_charts_date_is_that_of_the_chart_of_songs(public_charts: Situation) -> None:
    public_charts.spotify.fail(Fault(FaultKind.DATES_DIFFER, times=None))

    assert document_of(public_charts).chart_date == date(2026, 3, 5)
    (answer,) = answers_of(public_charts)
    dates = [one["displayChart"]["date"] for one in answer["chartEntryViewResponses"]]
    assert dates == ["2026-03-05", "2026-02-26", "2026-02-26"]


def test_the_answers_are_spotifys_own_words(given: Situation) -> None:
    given.spotify.set(era="both", chart_size=70)

    answers = answers_of(given)

    addresses = [answer.get("href", f"{given.spotify.url}/public/v0/charts") for answer in answers]
    assert answers == [_as_sent(given, address) for address in addresses]


def _as_sent(given: Situation, address: str) -> Any:
    """What the stand-in sends to its user for an address, read without the code under test."""
    who = f"client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&refresh_token={REFRESH_TOKEN}"
    form = f"grant_type=refresh_token&{who}".encode()
    with urllib.request.urlopen(f"{given.spotify.url}/api/token", data=form, timeout=10) as reply:
        token = json.load(reply)["access_token"]
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def test_what_is_asked_twice_is_answered_alike_under_one_key(given: Situation) -> None:
    first, second = given.ask(), given.ask()

    assert first == second
    if isinstance(first, RawDocument) and isinstance(second, RawDocument):
        assert first.key == second.key


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("playlist_of_app", FaultKind.NULL_TRACK),
        ("playlist_of_app", FaultKind.LOCAL_FILE),
        ("playlist_of_app", FaultKind.EPISODE),
        ("playlist_of_user", FaultKind.NULL_TRACK),
        ("playlist_of_user", FaultKind.LOCAL_FILE),
        ("playlist_of_user", FaultKind.EPISODE),
        ("public_charts", FaultKind.NULL_TRACK),
    ],
    indirect=["given"],
)
def test_a_place_that_holds_no_song_is_kept_for_the_transform_to_count(given: Situation, kind: FaultKind) -> None:
    given.spotify.fail(Fault(kind, index=3))

    reading = given.reading()

    assert (reading.depth, reading.gaps, len(reading.entries)) == (50, 1, 49)
    assert 3 not in [row[2] for row in reading.entries]


# Answers that are no whole chart


@case("short page", Ends(InconsistentChart), songs=ONE_SONG)
@pytest.mark.parametrize("missing", [1, 20])
def test_a_page_that_lacks_entries_is_refused(given: Situation, outcome: Outcome, missing: int) -> None:
    given.spotify.set(chart_size=100)
    meets(given, outcome, Fault(FaultKind.SHORT_PAGE, count=missing, times=None))


@case("repeated page", playlist=Ends(InconsistentChart), public_charts=ONE_ANSWER, songs=ONE_SONG)
def test_a_page_that_holds_the_entries_of_the_one_before_is_refused(given: Situation, outcome: Outcome) -> None:
    given.spotify.set(chart_size=100)
    meets(given, outcome, Fault(FaultKind.REPEATED_PAGE, times=None))


@case(
    "total that disagrees",
    playlist=Ends(InconsistentChart),
    public_charts=CannotBe("tells no total"),
    songs=ONE_SONG,
)
@pytest.mark.parametrize("size", [50, 100])
def test_a_total_that_is_not_the_number_of_entries_is_refused(given: Situation, outcome: Outcome, size: int) -> None:
    given.spotify.set(chart_size=size)
    meets(given, outcome, Fault(FaultKind.WRONG_TOTAL, times=None))


@case("metadata only", playlist=Ends(MetadataOnly), public_charts=NO_PLAYLIST, songs=NO_PLAYLIST)
def test_a_playlist_without_its_entries_is_no_empty_chart(given: Situation, outcome: Outcome) -> None:
    assert given.source.chart is not None
    path = f"/v1/playlists/{given.source.chart.playlist}"
    metadata = {"id": given.source.chart.playlist, "name": "Road Trip", "type": "playlist", "public": True}
    given.spotify.replay(f"{path}/items", json.dumps(metadata).encode())

    meets(given, outcome)


@case("someone else's", playlist=Ends(AccessForbidden), public_charts=NO_PLAYLIST, songs=NO_PLAYLIST)
def test_someone_elses_playlist_is_forbidden(given: Situation, outcome: Outcome) -> None:
    given.spotify.set(non_owner=True)
    meets(given, outcome)


@case("empty", Ends(EmptyChart), songs=CannotBe("a song has no entries"))
def test_a_chart_of_no_entries_ends_the_run_and_is_never_published(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.EMPTY, times=None))


@case(
    "chart not there",
    playlist=CannotBe("one answer is one playlist"),
    public_charts=Ends(ChartNotFound),
    songs=ONE_SONG,
)
def test_an_answer_without_the_chart_says_which_charts_it_holds(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.MISSING_CHART, times=None))

    with pytest.raises(ChartNotFound, match="not hold regional-global-weekly but album-global-weekly, artist-global-"):
        given.ask()


# Who asks


@case("401", Ends(CredentialsRejected), public_charts=Ends(AccessForbidden))
def test_a_401_that_a_new_token_does_not_mend_ends_the_run(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.UNAUTHORIZED, times=None))

    assert len(given.spotify.requests(given.source.path)) == (2 if given.source.takes_a_token else 1)


@case("expired token", THROUGH, public_charts=NO_TOKEN)
def test_a_token_that_has_expired_is_renewed_once(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.UNAUTHORIZED))


@case("expired token", THROUGH, public_charts=NO_TOKEN)
@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.SERVER_ERROR, path="^/api/token"),
        Fault(FaultKind.CUT_OFF, path="^/api/token"),
        Fault(FaultKind.MALFORMED_JSON, path="^/api/token"),
        Fault(FaultKind.RATE_LIMITED, path="^/api/token", retry_after=2),
    ],
    ids=lambda fault: str(fault.kind),
)
def test_a_fault_of_the_token_endpoint_that_passes_leaves_no_trace(
    given: Situation, outcome: Outcome, fault: Fault
) -> None:
    meets(given, outcome, fault)


@case(
    "sign-in over",
    playlist_of_user=Ends(AuthorizationExpired),
    playlist_of_app=NO_USER,
    public_charts=NO_TOKEN,
    songs=Ends(AuthorizationExpired),
)
def test_a_sign_in_that_is_over_is_one_call_and_one_remedy(given: Situation, outcome: Outcome) -> None:
    given.is_signed_in = True
    meets(given, outcome, Fault(FaultKind.INVALID_GRANT, times=None))

    assert [call.path for call in given.spotify.requests()] == ["/api/token"]
    assert given.clock.waits == []
    with pytest.raises(AuthorizationExpired, match=r"Refresh token expired.*`etl login --stage dev`"):
        given.ask()


@case("wrong secret", Ends(CredentialsRejected), public_charts=NO_TOKEN)
def test_a_wrong_secret_is_rejected_with_the_command_that_sets_it(given: Situation, outcome: Outcome) -> None:
    given.secret = "of-another-app"
    meets(given, outcome)

    assert given.spotify.requests("/v1/") == ()
    with pytest.raises(CredentialsRejected, match=r"invalid_client.*etl credentials --stage dev"):
        given.ask()


@case("403", Ends(AccessForbidden))
def test_a_403_ends_the_run(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.FORBIDDEN, times=None))

    assert len(given.spotify.requests(given.source.path)) == 1


@case("404", Ends(ChartNotFound), songs=IsGone())
def test_a_404_is_not_asked_about_again(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.NOT_FOUND, times=None))

    assert len(given.spotify.requests(given.source.path)) == 1


def test_a_playlist_that_does_not_exist_is_not_found(playlist: Situation) -> None:
    unknown = PolledChart(
        chart="road-trip", period="daily", providers=("playlist",), playlist_id="0" * 22, dated_by="observation"
    )
    with pytest.raises(ChartNotFound, match="road-trip"):
        playlist.fetch(playlist.playlist(playlist.app), unknown)


# Rate limits


@case("429 short", THROUGH)
def test_a_wait_that_the_run_can_afford_is_waited(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.RATE_LIMITED, retry_after=2))

    assert given.clock.waits == [2.0]


@case("429 long", Ends(RateLimited))
def test_six_hours_of_retry_after_cost_no_wait_and_one_call(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.RATE_LIMITED, retry_after=21_600))

    assert given.clock.waits == []
    assert len(given.spotify.requests(given.source.path)) == 1


@pytest.mark.parametrize(
    ("fault", "is_quota"),
    [
        (Fault(FaultKind.RATE_LIMITED, retry_after=21_600), False),
        (Fault(FaultKind.QUOTA_EXCEEDED, retry_after=48_925), True),
    ],
    ids=["window", "quota"],
)
def test_the_error_of_a_rate_limit_tells_how_long_to_wait_and_whether_it_is_the_quota_of_a_day(
    given: Situation, fault: Fault, is_quota: bool
) -> None:
    given.spotify.fail(fault)

    with pytest.raises(RateLimited) as caught:
        given.ask()

    assert (caught.value.retry_after, caught.value.quota_exceeded) == (fault.retry_after, is_quota)
    assert ("QUOTA_EXCEEDED" in str(caught.value) or "quota" in str(caught.value)) is is_quota


@case("429 quota", Ends(RateLimited))
@pytest.mark.parametrize("retry_after", [2, 48_925])
def test_a_quota_that_is_used_up_is_not_waited_for_however_short_the_wait(
    given: Situation, outcome: Outcome, retry_after: int
) -> None:
    meets(given, outcome, Fault(FaultKind.QUOTA_EXCEEDED, retry_after=retry_after))

    assert given.clock.waits == []
    assert len(given.spotify.requests(given.source.path)) == 1


@pytest.mark.parametrize("path", ["^/(v1|public)/", "^/api/token"])
@pytest.mark.parametrize(
    "fault", [Fault(FaultKind.RATE_LIMITED, retry_after=2), Fault(FaultKind.SERVER_ERROR, status=503, retry_after=2)]
)
def test_nothing_between_a_source_and_the_network_sleeps_or_asks_again_by_itself(
    given: Situation, fault: Fault, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(seconds: float) -> None:
        raise AssertionError(f"a library sleeps for {seconds} s")

    monkeypatch.setattr(time, "sleep", refuse)
    given.spotify.fail(replace(fault, path=path))

    given.ask()

    met = path == "^/(v1|public)/" or given.source.takes_a_token
    assert given.clock.waits == ([2.0] if met else [])
    assert given.budget.calls == len(given.spotify.requests())


# Faults of the way, and of Spotify's machines


@case("5xx once", THROUGH)
@pytest.mark.parametrize(("status", "times"), [(500, 1), (502, 1), (503, 1), (504, 2)])
def test_a_server_error_that_passes_leaves_no_trace(
    given: Situation, outcome: Outcome, status: int, times: int
) -> None:
    meets(given, outcome, Fault(FaultKind.SERVER_ERROR, status=status, times=times))


@case("5xx always", Ends(SourceUnavailable))
def test_a_server_error_that_stays_ends_the_run(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.SERVER_ERROR, status=503, times=None))


@case("slow", THROUGH)
def test_a_late_answer_is_waited_for(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.SLOW, seconds=0.2))


@case("silent", Ends(SourceUnavailable))
def test_an_answer_that_does_not_come_in_the_runs_time_is_given_up(given: Situation, outcome: Outcome) -> None:
    given.clock.left = 1.05
    meets(given, outcome, Fault(FaultKind.SLOW, seconds=30))

    assert given.clock.waits == []


@case("cut off once", THROUGH)
def test_an_answer_that_breaks_off_is_asked_for_again(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.CUT_OFF))


@case("cut off always", Ends(SourceUnavailable))
def test_an_answer_that_always_breaks_off_ends_the_run(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.CUT_OFF, times=None))


@case("malformed JSON once", THROUGH)
def test_broken_json_is_asked_for_again(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.MALFORMED_JSON))


@case("malformed JSON always", Ends(SourceUnavailable))
def test_json_that_is_always_broken_ends_the_run(given: Situation, outcome: Outcome) -> None:
    meets(given, outcome, Fault(FaultKind.MALFORMED_JSON, times=None))


# The budget


def test_every_request_is_counted(given: Situation) -> None:
    given.spotify.set(chart_size=120)
    given.spotify.fail(Fault(FaultKind.SERVER_ERROR), Fault(FaultKind.UNAUTHORIZED, path="^/v1/"))

    given.ask()

    assert given.budget.calls == len(given.spotify.requests())


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_no_more_calls_are_made_than_the_run_may(given: Situation, calls: int) -> None:
    given.spotify.set(chart_size=120)
    given.spotify.fail(Fault(FaultKind.SERVER_ERROR, times=None))
    given.budget.max_calls = calls

    with pytest.raises(SourceUnavailable, match=f"all {calls} calls"):
        given.ask()

    assert len(given.spotify.requests()) == calls


def test_waits_never_outlast_the_runs_time(given: Situation) -> None:
    given.clock.left = 6.0
    given.spotify.fail(Fault(FaultKind.SERVER_ERROR, times=None))

    with pytest.raises(SourceUnavailable):
        given.ask()

    assert 0 < given.clock.left < 6.0


# Secrets


def test_no_log_line_holds_a_token_or_a_secret_at_any_level(given: Situation, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("spotipy").setLevel(logging.NOTSET)
    given.spotify.fail(Fault(FaultKind.UNAUTHORIZED, path="^/v1/"), Fault(FaultKind.SERVER_ERROR))

    given.ask()

    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "asking again" in logged
    for secret in ("Bearer", "Basic", CLIENT_SECRET, REFRESH_TOKEN, "access_token"):
        assert secret not in logged


# The suite itself


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_played_to_every_source_or_the_source_is_excused_with_a_reason(name: str) -> None:
    assert set(OUTCOMES[name]) == set(SOURCES)
    assert all(outcome.reason for outcome in OUTCOMES[name].values() if isinstance(outcome, CannotBe))
