"""`etl enrich`: what it says before, what it asks the function for, and what it waits for."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from cli import enriching
from cli.enriching import SLICE_CALLS, EnrichmentFailed, Settling, forecast, invoke, run_enrichment
from cli.waiting import Pauses
from lambdas.core.cached_answers import gone
from lambdas.core.documents import encode
from lambdas.core.enrichment import Gone
from lambdas.core.errors import PipelineError, RateLimited, SourceUnavailable
from lambdas.core.keys import parse_cached_song_key, quarantine_key
from lambdas.core.warehouse import Warehouse
from lambdas.enrich.run import EnrichRequest, EnrichResult, songs_waiting
from tests.documents import cached_song, track
from tests.unit.test_enrich_handler import NOW, Stage, chart_file, song_id


@dataclass
class Pipeline:
    """A stage whose enrich function is called in this process, and whose transform works while the command waits."""

    stage: Stage = field(default_factory=Stage)
    asked: list[EnrichRequest] = field(default_factory=list)
    told_again: list[str] = field(default_factory=list)
    clock: float = 0.0
    lost: set[str] = field(default_factory=set)
    """Songs whose events the transform never hears of."""
    fails: Callable[[EnrichRequest], object] = lambda _: None

    def ask(self, request: EnrichRequest) -> EnrichResult:
        self.asked.append(request)
        self.fails(request)
        answer = self.stage.run(max_calls=request.max_calls or 300, dry_run=request.dry_run, skip=request.skip)
        return msgspec.json.decode(msgspec.json.encode(answer), type=EnrichResult)

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        self.transform()

    def transform(self) -> None:
        cached = {parse_cached_song_key(key) for key in self.stage.raw.keys("cache/tracks/")}
        Warehouse(raw=self.stage.raw, tables=self.stage.tables, sleep=lambda _: None).load_songs(cached - self.lost)

    def tell_again(self, keys: Collection[str]) -> None:
        self.told_again += keys
        self.lost -= {parse_cached_song_key(key) for key in keys}

    def enrich(self, *, max_calls: int = 300, dry_run: bool = False, stage: str = "dev") -> int:
        pauses = Pauses(30, clock=lambda: self.clock, sleep=self.sleep)
        return run_enrichment(
            ask=self.ask,
            max_calls=max_calls,
            dry_run=dry_run,
            settling=Settling(raw=self.stage.raw, tables=self.stage.tables, pauses=pauses),
            tell_again=self.tell_again,
            stage=stage,
        )


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def test_a_run_says_what_it_is_to_cost_asks_each_song_once_and_says_what_came_of_it(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.stage.load(chart_file("A", "B", "C"), chart_file("D", "A", chart="road-trip"))
    pipeline.stage.otherwise = {}

    assert pipeline.enrich() == 0

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "4 songs wait for album and artists: 4 calls, 300 calls a run: done in one run"
    assert said[1] == "the newest chart dates hold 4 songs, of which 4 are not known: 4 calls"
    assert said[2].startswith("5 calls: 4 songs told of; 0 songs left; 4 in the tables (")
    assert len(pipeline.stage.asked) == 4
    assert songs_waiting(tables=pipeline.stage.tables, cache=pipeline.stage.raw) == 0


@pytest.mark.parametrize(
    ("stage", "who"),
    [
        ("dev", "Spotify does not know them"),
        ("local", "the local stage's stand-in for Spotify knows made-up songs alone"),
    ],
)
def test_songs_that_are_gone_are_counted_with_who_does_not_know_them(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str], stage: str, who: str
) -> None:
    pipeline.stage.load(chart_file("A", "B"))
    pipeline.stage.otherwise = {song_id("B"): Gone("404 (Resource not found)")}

    assert pipeline.enrich(stage=stage) == 0

    assert f"3 calls: 1 song told of, 1 gone ({who}); 0 songs left" in capsys.readouterr().out


def test_a_second_run_asks_the_function_for_nothing_and_says_so_in_one_line(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.stage.load(chart_file("A"))
    pipeline.enrich()
    capsys.readouterr()
    pipeline.asked.clear()

    assert pipeline.enrich() == 0
    assert [request.dry_run for request in pipeline.asked] == [True]
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_dry_run_only_asks_for_the_plan(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.stage.load(chart_file("A", "B"))

    assert pipeline.enrich(dry_run=True, max_calls=2) == 0
    assert pipeline.asked == [EnrichRequest(dry_run=True)]
    assert pipeline.stage.asked == []
    said = capsys.readouterr().out
    assert "2 calls a run: 2 days at one run a day" in said
    assert said.endswith("nothing was asked\n")


def test_a_long_run_goes_slice_by_slice_within_its_calls(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.stage.load(chart_file(*(f"Song {n}" for n in range(200))))

    assert pipeline.enrich(max_calls=120) == 0

    assert [request.max_calls for request in pipeline.asked[1:]] == [SLICE_CALLS, SLICE_CALLS, 20]
    assert len(pipeline.stage.asked) == 120 - 3
    assert "120 calls: 117 songs told of; 83 songs left; 117 in the tables" in capsys.readouterr().out


def test_one_call_that_is_left_is_not_spent_on_a_token(pipeline: Pipeline) -> None:
    pipeline.stage.load(chart_file(*(f"Song {n}" for n in range(80))))
    pipeline.enrich(max_calls=SLICE_CALLS + 1)

    assert [request.max_calls for request in pipeline.asked[1:]] == [SLICE_CALLS]


def test_songs_that_were_passed_over_are_not_tried_again_by_the_next_slice(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.stage.load(chart_file(*(f"Song {n}" for n in range(70))))
    bad = song_id("Song 7")
    pipeline.stage.otherwise = {bad: SourceUnavailable("500, at each of 5 attempts")}

    assert pipeline.enrich() == 0
    assert pipeline.stage.asked.count(bad) == 1
    assert "1 passed over" in capsys.readouterr().out


def test_a_rate_limit_ends_the_run_with_its_line_and_exit_code_1_and_the_next_run_asks_nothing(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.stage.load(chart_file("A", "B"))
    limit = RateLimited("song A: too many calls (429): wait", retry_after=21_600, quota_exceeded=False)
    pipeline.stage.otherwise = dict.fromkeys(map(song_id, "AB"), limit)

    assert pipeline.enrich() == 1
    assert "etl: song A: too many calls (429): wait" in capsys.readouterr().err
    assert pipeline.enrich() == 1
    assert len(pipeline.stage.asked) == 1
    assert "is not asked before" in capsys.readouterr().err


def test_a_wall_met_half_way_is_said_once_and_what_was_told_before_is_waited_for(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.stage.load(chart_file(*(f"Song {n}" for n in range(70))))

    def wall(request: EnrichRequest) -> None:
        if len(pipeline.asked) == 3:
            raise EnrichmentFailed("song X: Spotify forbids it: 403")

    pipeline.fails = wall
    assert pipeline.enrich() == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == ["etl: song X: Spotify forbids it: 403"]
    assert "50 calls: 49 songs told of; 21 songs left; 49 in the tables" in said.out


def test_answers_that_are_cached_and_not_in_the_tables_are_told_again_at_no_call(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.stage.load(chart_file("A", "B", "C"))
    pipeline.stage.otherwise = {song_id("C"): gone_of("C")}
    pipeline.lost = {song_id("B")}
    assert pipeline.enrich() == 1
    assert "1 answer cached but not in the tables after 30 s without news" in capsys.readouterr().out

    calls = len(pipeline.stage.asked)
    assert pipeline.enrich() == 0
    assert pipeline.told_again == [f"cache/tracks/{song_id('B')}.json.gz"]
    assert len(pipeline.stage.asked) == calls
    said = capsys.readouterr().out
    assert "1 answer cached before, but not in the tables: loading again, at no call" in said
    assert "1 in the tables" in said


def gone_of(name: str) -> Any:
    from lambdas.core.enrichment import Gone

    return Gone(f"404 ({name})")


def test_an_answer_in_quarantine_is_said_with_its_reason_and_neither_told_again_nor_waited_for(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.stage.load(chart_file("A", "B"))
    bad = cached_song(track("A", type="episode"))
    pipeline.stage.raw.put_new(bad.key, encode(bad))
    pipeline.transform()
    assert list(pipeline.stage.raw.keys("quarantine/")) == [quarantine_key(bad.key)]

    assert pipeline.enrich() == 0
    said = capsys.readouterr().out
    assert f"{bad.key}: in quarantine: unreadable: {bad.key}: the answer holds an episode ('A'), not a song" in said
    assert pipeline.told_again == []


def test_a_refreshed_song_has_arrived_when_its_row_is_of_this_run_and_not_of_the_one_before(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.stage.load(chart_file("A"))
    pipeline.enrich()
    pipeline.stage.now = NOW + timedelta(days=31)
    pipeline.lost = {song_id("A")}
    capsys.readouterr()

    assert pipeline.enrich() == 1
    said = capsys.readouterr().out
    assert "0 songs wait for album and artists, 1 on the newest chart dates is old: 1 call" in said
    assert "1 answer cached but not in the tables" in said


def test_control_c_between_slices_says_what_is_kept(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.stage.load(chart_file(*(f"Song {n}" for n in range(70))))

    def interrupt(request: EnrichRequest) -> None:
        if len(pipeline.asked) == 3:
            raise KeyboardInterrupt

    pipeline.fails = interrupt
    assert pipeline.enrich() == 130
    assert "stopped after 50 calls" in capsys.readouterr().err
    pipeline.fails = lambda _: None
    assert pipeline.enrich() == 0
    assert len(pipeline.stage.asked) == len(set(pipeline.stage.asked)) == 70


def test_what_waits_is_counted_without_what_is_cached(pipeline: Pipeline) -> None:
    pipeline.stage.load(chart_file("A", "B", "C"))
    for answer in (cached_song(track("A")), gone(song_id("B"), before=None, now=NOW)):
        pipeline.stage.raw.put_new(answer.key, encode(answer))

    assert songs_waiting(tables=pipeline.stage.tables, cache=pipeline.stage.raw) == 1


@pytest.mark.parametrize(
    ("waiting", "refresh", "max_calls", "said"),
    [
        (1, 0, 300, "1 song waits for album and artists: 1 call, 300 calls a run: done in one run"),
        (294, 0, 300, "294 songs wait for album and artists: 294 calls, 300 calls a run: done in one run"),
        (295, 0, 300, "295 songs wait for album and artists: 295 calls, 300 calls a run: 2 days at one run a day"),
        (
            12_000,
            5,
            300,
            "12,000 songs wait for album and artists, 5 on the newest chart dates are old: 12,005 calls, ",
        ),
        (3, 0, 2, "3 songs wait for album and artists: 3 calls, 2 calls a run: 3 days at one run a day"),
    ],
)
def test_the_forecast_counts_the_tokens_of_a_run(waiting: int, refresh: int, max_calls: int, said: str) -> None:
    preview = EnrichResult(
        outcome="planned",
        message="",
        started_at=datetime.now(UTC),
        calls=0,
        songs_waiting=waiting,
        refresh_due=refresh,
    )
    (line,) = forecast(preview, max_calls=max_calls)
    assert line.startswith(said)


class Functions:
    """Lambda's client, with one answer."""

    def __init__(self, payload: object, *, failed: bool = False) -> None:
        self.answer: dict[str, Any] = {"Payload": self}
        self.payload = json.dumps(payload).encode()
        if failed:
            self.answer["FunctionError"] = "Unhandled"

    def invoke(self, **_: object) -> dict[str, Any]:
        return self.answer

    def read(self) -> bytes:
        return self.payload


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (
            Functions(
                {"errorMessage": "no Spotify credentials are stored", "errorType": "CredentialsMissing"}, failed=True
            ),
            "no Spotify credentials are stored",
        ),
        (Functions({"errorMessage": "Task timed out after 300.00 seconds"}, failed=True), "log group /aws/lambda/fn"),
        (Functions({"outcome": "unheard of"}), "deploy it anew"),
    ],
)
def test_what_the_function_fails_with_is_one_line(client: Any, said: str) -> None:
    with pytest.raises(PipelineError, match=said) as caught:
        invoke(client, "fn", EnrichRequest())
    assert "\n" not in str(caught.value)
    assert not str(caught.value).startswith("enrichment: no")


def test_a_ctrl_c_takes_effect_when_the_slice_under_way_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    told, done = threading.Event(), threading.Event()
    monkeypatch.setattr(enriching, "note", lambda _: told.set())

    def work() -> Any:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert told.wait(timeout=10)
        done.set()

    with pytest.raises(KeyboardInterrupt):
        enriching.uninterrupted(work)
    assert done.is_set()


def test_what_a_slice_fails_with_is_raised() -> None:
    def work() -> Any:
        raise EnrichmentFailed("refused")

    with pytest.raises(EnrichmentFailed, match="refused"):
        enriching.uninterrupted(work)
