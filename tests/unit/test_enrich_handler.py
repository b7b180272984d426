"""The enrich function: what a run does (with a scripted source), and as the Lambda runtime calls it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pytest
import requests
from moto import mock_aws

from lambdas.core.adapters.calls import Refused
from lambdas.core.adapters.credentials import Credentials, write_credentials
from lambdas.core.adapters.s3 import S3Store
from lambdas.core.adapters.spotify import WebApi
from lambdas.core.cached_answers import decode_answer, gone
from lambdas.core.documents import RawDocument, encode, raw_answer
from lambdas.core.enrichment import Gone
from lambdas.core.errors import (
    AccessForbidden,
    ConfigurationError,
    CredentialsMissing,
    RateLimited,
    SourceError,
    SourceUnavailable,
)
from lambdas.core.keys import cached_song_key, parse_cached_song_key, parse_raw_key
from lambdas.core.limits import RateLimitMemory
from lambdas.core.schema import SONGS
from lambdas.core.sources import Budget
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from lambdas.enrich.handler import handler
from lambdas.enrich.run import MAX_FAULTS, Enrichment, EnrichRequest, EnrichResult, decode_event
from local.spotify.api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from local.spotify.faults import Fault, FaultKind
from local.spotify.model import chart
from local.spotify.server import SpotifyStandIn
from tests.documents import cached_song, csv_answer, csv_row, document, spotify_id, track
from tests.emf import emitted, values
from tests.fakes import MemoryStore
from tests.payloads import REPOSITORY
from tests.tables import read_rows, read_table

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

NOW = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
RAW, WAREHOUSE = "raw-zone", "warehouse"
PARAMETER = "/spotify-etl/dev/spotify"


def song_id(name: str) -> str:
    return spotify_id(("track", name))


def chart_file(*names: str, day: date = date(2026, 3, 5), chart: str = "regional-global-daily") -> RawDocument:
    """An official file of songs, first to last, seen at the end of its day."""
    rows = [csv_row(place, name) for place, name in enumerate(names, 1)]
    seen = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
    return document([csv_answer(rows)], chart=chart, chart_date=day, observed_at=seen, provider="charts_csv")


# The event


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ({}, EnrichRequest()),
        ({"max_calls": 2}, EnrichRequest(max_calls=2)),
        ({"max_calls": None, "dry_run": True}, EnrichRequest(dry_run=True)),
        ({"skip": ["a"]}, EnrichRequest(skip=("a",))),
    ],
)
def test_an_event_says_how_many_calls_may_be_made_and_whether_any(sent: object, asked: EnrichRequest) -> None:
    assert decode_event(sent) == asked


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"max_calls": 1}, "max_calls"),
        ({"max_calls": 10_001}, "max_calls"),
        ({"max_calls": "50"}, "max_calls"),
        ({"calls": 50}, "calls"),
        ({"version": "0", "detail-type": "Scheduled Event"}, "version"),
        (None, "Expected `object`"),
    ],
)
def test_an_event_that_asks_for_something_else_is_refused_by_the_field(sent: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        decode_event(sent)
    assert "\n" not in str(caught.value)


# What a run does


@dataclass
class ScriptedSongs:
    """Tells of every song but those that a test says otherwise of; keeps what it was asked."""

    budget: Budget
    otherwise: dict[str, Gone | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    before_answer: Callable[[str], object] = str

    def song(self, asked: str) -> msgspec.Raw | Gone:
        if not self.asked:
            self.budget.spend_call()  # a token
        if not self.budget.spend_call():
            raise SourceUnavailable("all calls are used up")
        self.asked.append(asked)
        self.before_answer(asked)
        told = self.otherwise.get(asked)
        if isinstance(told, Exception):
            raise told
        return told or raw_answer(track(id=asked, name=f"Song {asked}"))


@dataclass
class Stage:
    """A raw zone and its tables, and Spotify before them."""

    raw: MemoryStore = field(default_factory=MemoryStore)
    tables: MemoryStore = field(default_factory=MemoryStore)
    now: datetime = NOW
    otherwise: dict[str, Gone | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    before_answer: Callable[[str], object] = str
    opened: int = 0
    seconds_left: float = 100.0

    @property
    def memory(self) -> RateLimitMemory:
        return RateLimitMemory(self.raw, "web_api", sleep=lambda _: None)

    def load(self, *held: RawDocument) -> None:
        warehouse = Warehouse(raw=self.raw, tables=self.tables, sleep=lambda _: None)
        for item in held:
            self.raw.put_new(item.key, encode(item))
        for (name, year), dates in group_by_chart_year(parse_raw_key(item.key) for item in held).items():
            warehouse.load(name, year, dates)

    def load_answers(self) -> None:
        """What the transform does once it is told of the answers."""
        cached = [parse_cached_song_key(key) for key in self.raw.keys("cache/tracks/")]
        Warehouse(raw=self.raw, tables=self.tables, sleep=lambda _: None).load_songs(cached)

    def run(self, *, max_calls: int = 100, dry_run: bool = False, skip: Sequence[str] = ()) -> EnrichResult:
        budget = Budget(max_calls=max_calls, seconds_left=lambda: self.seconds_left)
        source = ScriptedSongs(budget, self.otherwise, before_answer=self.before_answer)

        def open_source() -> ScriptedSongs:
            self.opened += 1
            return source

        enrichment = Enrichment(
            tables=self.tables,
            cache=self.raw,
            memory=self.memory,
            open_source=open_source,
            budget=budget,
            refresh_after=30 * DAY,
            now=lambda: self.now,
        )
        try:
            return enrichment.run(dry_run=dry_run, skip=skip)
        finally:
            self.asked += source.asked


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_songs_of_the_newest_chart_are_asked_about_first_and_each_answer_is_kept(stage: Stage) -> None:
    stage.load(chart_file("Old", day=date(2026, 3, 1)), chart_file("New", "Newer", day=date(2026, 3, 5)))

    result = stage.run()

    assert set(stage.asked[:2]) == {song_id("New"), song_id("Newer")}
    assert stage.asked[2:] == [song_id("Old")]
    assert (result.outcome, result.calls, result.songs_waiting) == ("finished", 4, 0)
    assert set(result.answered) == set(stage.asked)
    assert sorted(stage.raw.keys("cache/")) == sorted(cached_song_key(asked) for asked in stage.asked)


def test_a_second_run_asks_nothing_whether_or_not_the_answers_are_in_the_tables_and_opens_no_source(
    stage: Stage,
) -> None:
    stage.load(chart_file("A", "B"))
    stage.run()
    again = stage.run()
    stage.load_answers()
    loaded = stage.run()

    assert (again.outcome, again.calls, loaded.calls) == ("finished", 0, 0)
    assert len(stage.asked) == 2
    assert stage.opened == 1
    assert {row["detail"] for row in read_table(stage.tables, SONGS)} == {"api"}


def test_a_run_stops_at_its_calls_and_the_next_ones_go_on_where_it_stopped(stage: Stage) -> None:
    names = [f"Song {n}" for n in range(7)]
    stage.load(chart_file(*names))

    results = [stage.run(max_calls=4) for _ in range(3)]

    assert [(one.outcome, one.calls, one.songs_waiting) for one in results] == [
        ("calls_used", 4, 4),
        ("calls_used", 4, 1),
        ("finished", 2, 0),
    ]
    assert sorted(stage.asked) == sorted(map(song_id, names))


def test_a_run_that_is_killed_at_any_answer_has_lost_none_before_it(stage: Stage) -> None:
    names = [f"Song {n}" for n in range(5)]
    stage.load(chart_file(*names))

    class Killed(BaseException):
        pass

    def die(_: str) -> None:
        raise Killed

    for _ in range(3):
        stage.before_answer = partial(_after_one, iter([str, die]))
        with pytest.raises(Killed):
            stage.run()
    stage.before_answer = str
    stage.run()

    answered = [parse_cached_song_key(key) for key in stage.raw.keys("cache/tracks/")]
    assert sorted(answered) == sorted(map(song_id, names))
    # Asked again were only those whose answer died with the run.
    assert len(stage.asked) == len(names) + 3


def _after_one(steps: Iterator[Callable[[str], object]], asked: str) -> None:
    next(steps)(asked)


def test_a_run_without_time_asks_nothing_more(stage: Stage) -> None:
    stage.load(chart_file("A", "B", "C"))

    def pass_time(_: str) -> None:
        stage.seconds_left -= 60

    stage.before_answer = pass_time
    result = stage.run()

    assert (result.outcome, len(stage.asked), result.songs_waiting) == ("out_of_time", 2, 1)


def test_a_song_that_is_gone_is_remembered_and_not_asked_about_again(stage: Stage) -> None:
    stage.load(chart_file("A", "B"))
    stage.otherwise = {song_id("A"): Gone("404 (Resource not found)")}

    result = stage.run()
    stage.load_answers()
    again = stage.run()

    assert (result.gone, result.answered) == (1, (song_id("B"),))
    assert again.calls == 0
    assert {row["song_id"]: row["detail"] for row in read_table(stage.tables, SONGS)} == {
        song_id("A"): "csv",
        song_id("B"): "api",
    }


def test_a_chart_that_is_imported_later_asks_only_about_its_new_songs(stage: Stage) -> None:
    stage.load(chart_file("A", "B"))
    stage.run()
    stage.load(chart_file("B", "C", day=date(2026, 3, 6)))
    result = stage.run()

    assert stage.asked.count(song_id("B")) == 1
    assert result.answered == (song_id("C"),)


def test_after_the_refresh_age_songs_on_the_newest_date_are_asked_about_again_also_those_that_were_gone(
    stage: Stage,
) -> None:
    stage.load(chart_file("Left", day=date(2026, 3, 1)), chart_file("Stays", "Gone"))
    stage.otherwise = {song_id("Gone"): Gone("404")}
    stage.run()
    stage.load_answers()
    stage.asked.clear()

    stage.now = NOW + 30 * DAY - timedelta(seconds=1)
    assert stage.run().calls == 0
    stage.now = NOW + 30 * DAY
    assert stage.run(dry_run=True).refresh_due == 2
    stage.otherwise = {}
    result = stage.run()
    stage.load_answers()

    assert sorted(stage.asked) == sorted([song_id("Stays"), song_id("Gone")])
    assert (result.outcome, result.refresh_due) == ("finished", 0)
    rows = {row["song_id"]: row for row in read_table(stage.tables, SONGS)}
    assert rows[song_id("Stays")]["observed_at"] == rows[song_id("Gone")]["observed_at"] == stage.now
    assert stage.run().calls == 0


def test_a_song_that_goes_keeps_what_was_told_before_in_the_cache_and_in_the_tables(stage: Stage) -> None:
    stage.load(chart_file("A"))
    stage.run()
    stage.now = NOW + 31 * DAY
    stage.load_answers()
    stage.otherwise = {song_id("A"): Gone("404")}
    assert stage.run().gone == 1
    stage.tables.objects.clear()
    stage.load_answers()

    (row,) = read_table(stage.tables, SONGS)
    assert (row["detail"], row["observed_at"]) == ("api", NOW)
    assert stage.run().calls == 0


def test_a_rate_limit_ends_the_run_is_remembered_and_no_call_is_made_before_it_ends(stage: Stage) -> None:
    stage.load(chart_file("A", "B"))
    limit = RateLimited("too many calls (429)", retry_after=21_600, quota_exceeded=True)
    stage.otherwise = dict.fromkeys(map(song_id, "AB"), limit)

    first = stage.run()
    assert (first.outcome, first.retry_after_seconds, len(stage.asked)) == ("rate_limited", 21_600, 1)
    stage.otherwise = {}
    stage.now = NOW + timedelta(hours=5)
    second = stage.run()
    assert (second.outcome, second.calls, len(stage.asked)) == ("rate_limited", 0, 1)
    assert second.retry_after_seconds == 3600
    preview = stage.run(dry_run=True)
    assert (preview.outcome, preview.retry_after_seconds, preview.songs_waiting) == ("planned", 3600, 2)
    stage.now = NOW + timedelta(hours=6, seconds=1)
    assert stage.run().outcome == "finished"


def test_nothing_to_ask_is_no_business_of_a_rate_limit(stage: Stage) -> None:
    limit = RateLimited("429", retry_after=21_600, quota_exceeded=False)
    stage.memory.remember(limit, now=NOW)

    assert stage.run().outcome == "finished"


def test_a_dry_run_says_what_is_to_be_asked_and_what_the_newest_dates_cost_and_writes_nothing(stage: Stage) -> None:
    stage.load(
        chart_file("Old", "A", day=date(2026, 3, 1)),
        chart_file("A", "B", "C", day=date(2026, 3, 5)),
        chart_file("F", "G", day=date(2024, 12, 31), chart="regional-us-daily"),
        chart_file("D", "A", day=date(2025, 12, 31), chart="regional-us-daily"),
        # A year of which nothing is left: the newest date of the chart is in the year before.
        chart_file("E", day=date(2026, 1, 2), chart="regional-us-daily"),
        document([], chart="regional-us-daily", chart_date=date(2026, 1, 2), provider="charts_csv", withdrawal=True),
    )
    cached = cached_song(track("B"))
    stage.raw.put_new(cached.key, encode(cached))
    before = dict(stage.raw.objects)

    result = stage.run(dry_run=True)

    assert (result.outcome, result.calls, result.songs_waiting) == ("planned", 0, 7)
    assert (result.newest, result.newest_waiting) == (4, 3)
    assert stage.raw.objects == before
    assert (stage.asked, stage.opened) == ([], 0)


def test_songs_that_spotify_fails_to_answer_about_are_passed_over_and_asked_again_by_the_next_run(
    stage: Stage,
) -> None:
    stage.load(chart_file("A", "B", "C"))
    stage.otherwise = {song_id("B"): SourceUnavailable("song B: 500, at each of 5 attempts")}

    first = stage.run()
    skipping = stage.run(skip=first.passed_over)
    stage.otherwise = {}
    later = stage.run()

    assert (first.outcome, first.passed_over, first.songs_waiting) == ("finished", (song_id("B"),), 1)
    assert skipping.calls == 0
    assert later.answered == (song_id("B"),)


def test_trouble_with_every_song_is_not_tried_with_all_of_them(stage: Stage) -> None:
    stage.load(chart_file(*"ABCDEFG"))
    stage.otherwise = dict.fromkeys(map(song_id, "ABCDEFG"), SourceUnavailable("down"))

    with pytest.raises(SourceUnavailable, match="down"):
        stage.run()
    assert len(stage.asked) == MAX_FAULTS + 1


def failing(*names: str) -> dict[str, Gone | Exception]:
    return dict.fromkeys(map(song_id, names), SourceUnavailable("500, at each of 5 attempts"))


def test_songs_that_always_fail_stop_no_run_though_they_stand_first(stage: Stage) -> None:
    stage.load(chart_file("Bad 1", "Bad 2", "Bad 3", day=date(2026, 3, 5)), chart_file(*"ABC", day=date(2026, 3, 1)))
    stage.otherwise = failing("Bad 1", "Bad 2", "Bad 3")

    result = stage.run()

    assert (result.outcome, set(result.answered)) == ("finished", set(map(song_id, "ABC")))
    assert set(result.passed_over) == set(stage.otherwise)
    assert (result.songs_waiting, len(stage.asked)) == (3, 6)


def test_where_nothing_but_songs_that_always_fail_is_left_a_song_told_of_before_shows_that_spotify_answers(
    stage: Stage,
) -> None:
    bad = [f"Bad {number}" for number in range(7)]
    stage.load(chart_file(*bad, "Good", day=date(2026, 3, 5)), chart_file("Older", day=date(2026, 3, 1)))
    stage.otherwise = failing(*bad)
    stage.run()
    stage.load_answers()
    stage.asked.clear()

    result = stage.run()

    assert (result.outcome, set(result.passed_over)) == ("finished", set(stage.otherwise))
    assert (result.answered, result.songs_waiting) == ((), 7)
    assert [one for one in stage.asked if one not in stage.otherwise] == [song_id("Good"), song_id("Good")]


def test_a_run_whose_calls_end_with_the_question_whether_spotify_answers_has_spent_them_and_is_no_failure(
    stage: Stage,
) -> None:
    stage.load(chart_file(*"ABCDEFG"))
    stage.otherwise = failing(*"ABCDEFG")

    result = stage.run(max_calls=2 + MAX_FAULTS)

    assert (result.outcome, len(result.passed_over)) == ("calls_used", MAX_FAULTS)


def test_trouble_that_comes_and_goes_ends_no_run(stage: Stage) -> None:
    stage.load(chart_file(*"ABCDEFGH"))
    order = sorted(map(song_id, "ABCDEFGH"))
    stage.otherwise = {order[place]: SourceUnavailable("down") for place in (0, 1, 3, 4, 6, 7)}

    assert len(stage.run().passed_over) == 6


def test_an_answer_that_another_run_has_kept_meanwhile_is_as_good(stage: Stage) -> None:
    stage.load(chart_file("A", "B"))
    first, second = sorted(map(song_id, "AB"))

    def another_run(asked: str) -> None:
        for one in (first, second):
            other = cached_song(track(name="Theirs"), song_id=one, now=NOW)
            stage.raw.put_new(other.key, encode(other))

    stage.before_answer = another_run
    result = stage.run()

    assert (stage.asked, result.outcome, result.songs_waiting) == ([first], "finished", 0)
    for one in (first, second):
        answer = decode_answer(stage.raw.objects[cached_song_key(one)], key=cached_song_key(one))
        assert json.loads(bytes(answer.answer))["name"] == "Theirs"


def test_a_damaged_answer_of_a_song_on_the_newest_date_is_asked_for_again(stage: Stage) -> None:
    stage.load(chart_file("A"))
    stage.raw.objects[cached_song_key(song_id("A"))] = b"damaged"

    assert stage.run().answered == (song_id("A"),)
    assert stage.run().calls == 0


def test_other_peoples_objects_among_the_answers_and_the_tables_are_passed_over(stage: Stage) -> None:
    stage.load(chart_file("A"))
    stage.raw.objects["cache/tracks/readme.txt"] = b"?"
    stage.tables.objects["chart_entries/readme.txt"] = b"?"

    assert stage.run(dry_run=True).songs_waiting == 1


def test_an_empty_warehouse_has_nothing_to_ask(stage: Stage) -> None:
    assert stage.run().outcome == "finished"
    assert stage.opened == 0


def test_a_run_with_more_than_enough_to_do_does_not_read_the_charts(stage: Stage) -> None:
    stage.load(chart_file(*"ABCDEFG"))
    read: list[str] = []
    stage.tables.before_read = read.append
    stage.run(max_calls=3)

    assert read == ["songs/songs.parquet"]


def test_what_never_was_there_and_is_gone_still_leaves_no_answer(stage: Stage) -> None:
    stage.load(chart_file("A"))
    stage.otherwise = {song_id("A"): Gone("404")}
    stage.run()
    key = cached_song_key(song_id("A"))

    assert decode_answer(stage.raw.objects[key], key=key) == gone(song_id("A"), before=None, now=NOW)


# As the Lambda runtime calls it


@dataclass
class Context:
    milliseconds: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@dataclass
class Function:
    """The deployed function: its environment, buckets, parameter and Spotify, and what it logs."""

    spotify: SpotifyStandIn
    s3: S3Client
    log: io.StringIO
    songs: tuple[str, ...]

    def __call__(self, sent: object = None, *, context: Context | None = None) -> dict[str, Any]:
        """The runtime's way: JSON in, JSON out."""
        answered = handler(json.loads(json.dumps(sent or {})), context or Context())
        result: dict[str, Any] = json.loads(json.dumps(answered))
        return result

    def lines(self) -> list[dict[str, Any]]:
        logged = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in logged if line["logger"] in ("enrich", "spotify", "limits")]

    def keys(self, prefix: str = "cache/") -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=RAW, Prefix=prefix).get("Contents", [])]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What goes to the process's log, with the root logger as the Lambda runtime leaves it: one handler."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    formatters = [(each, each.formatter) for each in handlers]
    stream = io.StringIO()
    root.handlers = [logging.StreamHandler(stream)]
    yield stream
    root.handlers = handlers
    for each, formatter in formatters:
        each.setFormatter(formatter)
    root.setLevel(level)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> Iterator[Function]:
    with SpotifyStandIn() as spotify, mock_aws():
        for name, value in {
            "STAGE": "dev",
            "RAW_BUCKET": RAW,
            "WAREHOUSE_BUCKET": WAREHOUSE,
            "SPOTIFY_CREDENTIALS_PARAMETER": PARAMETER,
            "SONG_REFRESH_DAYS": "30",
            "ENRICHMENT_CALLS_PER_RUN": "8",
            "SPOTIFY_ENDPOINT": spotify.url,
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("LOG_LEVEL", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        s3 = boto3.client("s3")
        for bucket in (RAW, WAREHOUSE):
            s3.create_bucket(Bucket=bucket)
        songs = [entry.song for entry in chart("regional-global-daily", date(2026, 3, 5))][:10]
        rows = [
            csv_row(place, uri=f"spotify:track:{song.id}", track_name=song.name) for place, song in enumerate(songs, 1)
        ]
        seen = document([csv_answer(rows)], provider="charts_csv")
        raw = S3Store(s3, RAW)
        raw.put_new(seen.key, encode(seen))
        Warehouse(raw=raw, tables=S3Store(s3, WAREHOUSE)).load(seen.chart, seen.chart_date.year, [seen.chart_date])
        credentials = Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        write_credentials(boto3.client("ssm"), PARAMETER, credentials)
        yield Function(spotify, s3, log, tuple(sorted(song.id for song in songs)))


def test_the_functions_runs_ask_about_every_song_once_within_the_calls_of_the_configuration(
    function: Function,
) -> None:
    results = [function() for _ in range(3)]

    assert [(one["outcome"], one["calls"], one["songs_waiting"]) for one in results] == [
        ("calls_used", 8, 3),
        ("finished", 4, 0),
        ("finished", 0, 0),
    ]
    asked = sorted(call.path.removeprefix("/v1/tracks/") for call in function.spotify.requests("/v1/tracks/"))
    assert asked == list(function.songs)
    assert sorted(map(parse_cached_song_key, function.keys())) == asked


def test_an_answer_is_kept_verbatim_with_the_tag_by_which_it_expires_also_when_it_is_refreshed(
    function: Function,
) -> None:
    function({"max_calls": 2})
    (key,) = function.keys()
    body = function.s3.get_object(Bucket=RAW, Key=key)["Body"].read()
    answer = json.loads(bytes(decode_answer(body, key=key).answer))
    assert answer["id"] == parse_cached_song_key(key)
    assert {"album", "artists", "external_urls"} <= answer.keys()
    held = S3Store(function.s3, RAW).get(key)
    assert held is not None
    old = cached_song(answer, now=datetime(2026, 1, 1, tzinfo=UTC))
    function.s3.put_object(Bucket=RAW, Key=key, Body=encode(old))
    function({"max_calls": 100})

    kept_keys = function.keys()
    assert len(kept_keys) == 10
    for kept in kept_keys:
        tags = function.s3.get_object_tagging(Bucket=RAW, Key=kept)["TagSet"]
        assert tags == [{"Key": "retention", "Value": "spotify"}], kept
    assert function.s3.get_object(Bucket=RAW, Key=key)["Body"].read() != encode(old)


@pytest.mark.parametrize("era", ["classic", "both", "2026"])
def test_answers_of_both_eras_become_full_rows(function: Function, era: str) -> None:
    function.spotify.set(era=era)
    function({"max_calls": 100})
    tables = S3Store(function.s3, WAREHOUSE)
    Warehouse(raw=S3Store(function.s3, RAW), tables=tables).load_songs(function.songs)

    stored = tables.get("songs/songs.parquet")
    assert stored is not None
    rows = read_rows(SONGS, stored.body)
    assert [(row["song_id"], row["detail"]) for row in rows] == [(one, "api") for one in function.songs]
    assert all(row["album_id"] and row["duration_ms"] for row in rows)


def test_songs_that_spotify_does_not_know_are_gone_and_the_rest_is_told_of(function: Function) -> None:
    lost = function.songs[:2]
    function.spotify.fail(*(Fault(FaultKind.NOT_FOUND, path=f"^/v1/tracks/{one}$", times=None) for one in lost))

    result = function({"max_calls": 100})

    assert (result["outcome"], result["gone"], len(result["answered"])) == ("finished", 2, 8)
    assert function({"max_calls": 100})["calls"] == 0


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMITED, FaultKind.QUOTA_EXCEEDED])
def test_six_hours_of_retry_after_end_the_run_at_once_and_the_next_one_makes_no_call(
    function: Function, kind: FaultKind, capsys: pytest.CaptureFixture[str]
) -> None:
    function.spotify.fail(Fault(kind, path="^/v1/tracks/", retry_after=21_600))

    first = function()
    calls = len(function.spotify.requests())
    second = function()

    assert (first["outcome"], first["retry_after_seconds"]) == ("rate_limited", 21_600)
    assert second["outcome"] == "rate_limited"
    assert len(function.spotify.requests()) == calls == 2
    assert function.keys("state/") == ["state/web_api.json"]
    measured = [(one.name, one.value) for one in emitted(capsys.readouterr().out)]
    assert measured == [
        *(("SpotifyRequests", 2), ("RateLimited", 1), ("SongsWaiting", 10)),
        *(("SpotifyRequests", 0), ("RateLimited", 1), ("SongsWaiting", 10)),
    ]
    assert [line["level"] for line in function.lines() if line["message"] == "enrichment"] == ["WARNING"] * 2


def test_what_a_run_measures_and_what_it_counts_for_the_day(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    function()
    assert values(capsys.readouterr().out) == {"SpotifyRequests": 8, "RateLimited": 0, "SongsWaiting": 3}
    function({"dry_run": True})
    assert emitted(capsys.readouterr().out) == []
    memory = RateLimitMemory(S3Store(function.s3, RAW), "web_api")
    assert memory.state().calls_of_past_day(now=datetime.now(UTC)) == 8


def test_calls_that_end_in_a_wall_count_too_and_the_error_is_one_line_with_the_remedy(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    function.spotify.fail(Fault(FaultKind.FORBIDDEN, path="^/v1/tracks/"))
    with pytest.raises(AccessForbidden, match="etl credentials --stage dev") as caught:
        function()

    assert "\n" not in str(caught.value)
    assert values(capsys.readouterr().out) == {"SpotifyRequests": 2, "RateLimited": 0, "SongsWaiting": 10}
    (line,) = [line for line in function.lines() if line["level"] == "ERROR"]
    assert (line["error"], "exception" in line) == ("AccessForbidden", False)


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_log_line_holds_a_secret_at_any_level(
    function: Function, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    user = Credentials(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        refresh_token=REFRESH_TOKEN,
        authorized_at=datetime.now(UTC).replace(microsecond=0),
    )
    write_credentials(boto3.client("ssm"), PARAMETER, user)
    for name in ("spotipy", "botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    monkeypatch.setenv("LOG_LEVEL", level)
    function.spotify.fail(Fault(FaultKind.UNAUTHORIZED), Fault(FaultKind.SERVER_ERROR))

    function()

    logged = function.log.getvalue()
    assert "asking again" in logged
    for secret in (CLIENT_SECRET, REFRESH_TOKEN, "Bearer", "Basic ", "access_token"):
        assert secret not in logged


def test_without_credentials_the_error_names_the_command_and_a_dry_run_needs_none(function: Function) -> None:
    boto3.client("ssm").delete_parameter(Name=PARAMETER)

    assert function({"dry_run": True})["songs_waiting"] == 10
    with pytest.raises(CredentialsMissing, match="`etl credentials --stage dev`"):
        function()
    assert function.spotify.requests() == ()


@pytest.mark.parametrize(
    ("status", "message", "is_gone"),
    [
        (404, "Resource not found", True),
        (400, "Invalid base62 id", True),
        (400, "invalid id", True),
        (400, "Only valid bearer authentication supported", False),
        (410, "Gone", False),
    ],
)
def test_an_id_that_spotify_does_not_know_is_gone_and_any_other_refusal_is_a_wall(
    function: Function, monkeypatch: pytest.MonkeyPatch, status: int, message: str, is_gone: bool
) -> None:
    """Else a song with an odd id would end every run, or a fault of ours would make all songs gone."""
    refusal = requests.Response()
    refusal.status_code = status
    refusal._content = json.dumps({"error": {"status": status, "message": message}}).encode()

    def refuse(*_: object, **__: object) -> None:
        raise Refused(refusal, at_token=False)

    monkeypatch.setattr(WebApi, "song", refuse)
    if is_gone:
        assert function({"max_calls": 100})["gone"] == 10
    else:
        with pytest.raises(SourceError, match=f"song {function.songs[0]}: Spotify answers {status}"):
            function()
        assert function.keys() == []


def test_a_run_with_nothing_to_ask_imports_no_client_of_spotifys() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys, lambdas.enrich.handler; print({'spotipy', 'requests'} & sys.modules.keys())",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "set()\n", "")
