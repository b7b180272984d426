"""The report function: which charts a batch names, and which messages come again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import cast

import pytest

from lambdas.core.adapters.athena import QueryFailed
from lambdas.core.errors import PipelineError
from lambdas.core.events import Message, encode_event
from lambdas.core.reporting import Outcome, Reporting
from lambdas.report.handler import RESERVE_SECONDS, process


class Reports:
    """The reports of a stage: charts in `failing` cannot be made, those in `kept` have one."""

    def __init__(self, failing: Mapping[str, Exception] | None = None, kept: tuple[str, ...] = ()) -> None:
        self.failing, self.kept = failing or {}, kept
        self.refreshed: list[str] = []
        self.store = self

    def objects(self) -> dict[str, str]:
        return {}

    def charts(self) -> Iterator[str]:
        return iter(self.kept)

    def refresh(self, chart: str, *, listed: Mapping[str, str]) -> Outcome:
        assert listed == self.objects()
        self.refreshed.append(chart)
        if chart in self.failing:
            raise self.failing[chart]
        return "made"


def told(*keys: str) -> list[Message]:
    """Messages with the events of these objects; the message's id is its place."""
    return [{"messageId": str(n), "body": encode_event(bucket="w", key=key)} for n, key in enumerate(keys)]


def run(messages: list[Message], reports: Reports, *, seconds_left: float = 300) -> list[str]:
    return process(messages, cast(Reporting, reports), seconds_left=lambda: seconds_left)


def test_a_backfill_of_many_years_is_one_report_a_chart() -> None:
    reports = Reports()
    years = [f"snapshots/year={year}/{chart}.parquet" for year in range(2016, 2026) for chart in ("a", "b")]
    assert run(told(*years, *years), reports) == []
    assert reports.refreshed == ["a", "b"]


def test_entries_that_changed_alone_as_in_a_rebuild_make_a_report_and_with_their_snapshots_no_second() -> None:
    reports = Reports()
    keys = ["chart_entries/year=2026/a.parquet", "chart_entries/year=2026/b.parquet", "snapshots/year=2026/b.parquet"]
    assert run(told(*keys), reports) == []
    assert reports.refreshed == ["a", "b"]


def test_songs_that_were_completed_concern_every_report_there_is_and_each_once() -> None:
    reports = Reports(kept=("a", "b"))
    assert run(told("song_artists/song_artists.parquet", "snapshots/year=2026/b.parquet"), reports) == []
    assert reports.refreshed == ["b", "a"]


@pytest.mark.parametrize("error", [QueryFailed("the query failed"), PipelineError("no"), ZeroDivisionError("a defect")])
def test_a_chart_that_fails_comes_again_and_holds_up_no_other(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    reports = Reports({"a": error})
    keys = ["snapshots/year=2026/a.parquet", "snapshots/year=2026/b.parquet", "snapshots/year=2025/a.parquet"]
    with caplog.at_level(logging.ERROR):
        assert run(told(*keys), reports) == ["0", "2"]
    assert reports.refreshed == ["a", "b"]
    assert str(error) in str(vars(caplog.records[0]))
    assert (caplog.records[0].exc_info is not None) == isinstance(error, ZeroDivisionError)


def test_the_event_of_songs_comes_again_if_a_report_that_it_alone_concerns_fails() -> None:
    reports = Reports({"b": QueryFailed("no")}, kept=("a", "b"))
    songs = "song_artists/song_artists.parquet"
    assert run(told(songs, "snapshots/year=2026/a.parquet"), reports) == ["0"]
    assert run(told(songs, "snapshots/year=2026/b.parquet"), reports) == ["1"]


def test_what_the_time_does_not_suffice_for_comes_again() -> None:
    reports = Reports()
    assert run(told("snapshots/year=2026/a.parquet"), reports, seconds_left=RESERVE_SECONDS - 1) == ["0"]
    assert reports.refreshed == []


def test_an_object_that_is_none_of_a_charts_is_done_and_what_is_no_event_comes_again() -> None:
    reports = Reports()
    messages = [
        *told("snapshots/notes.txt", "chart_entries/notes.txt"),
        Message(messageId="bad", body=json.dumps({"no": "event"})),
    ]
    assert run(messages, reports) == ["bad"]
    assert reports.refreshed == []
