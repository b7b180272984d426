"""What is measured, and how it reaches CloudWatch."""

from __future__ import annotations

import json
import logging
import re
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.metrics import (
    CHART_AGE_HOURS,
    CHART_ENTRIES,
    METRICS,
    NAMESPACE,
    NEW_SONGS,
    SPOTIFY_REQUESTS,
    Metric,
    chart_age_hours,
)
from tests.emf import Emitted, emitted

DAY = date(2026, 3, 5)


# The age of a chart


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 6, 0, 0, tzinfo=UTC), 0.0),
        (datetime(2026, 3, 6, 9, 30, tzinfo=UTC), 9.5),
        (datetime(2026, 3, 7, 18, 0, tzinfo=UTC), 42.0),
        (datetime(2026, 3, 13, 22, 0, tzinfo=UTC), 190.0),
        (datetime(2026, 3, 6, 1, 0, tzinfo=timezone(timedelta(hours=1))), 0.0),
        (datetime(2026, 3, 5, 20, 0, tzinfo=timezone(timedelta(hours=-8))), 4.0),
    ],
)
def test_a_chart_is_as_old_as_the_end_of_its_date_in_utc(now: datetime, hours: float) -> None:
    assert chart_age_hours(DAY, now=now) == hours


@pytest.mark.parametrize("now", [datetime(2026, 3, 5, 12, 0, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)])
def test_a_date_that_has_not_ended_is_of_no_age(now: datetime) -> None:
    assert chart_age_hours(DAY, now=now) == 0.0


# What is printed


def test_measurements_are_one_line_for_each_set_of_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    before = time.time()
    EmfMetrics("dev").emit({CHART_ENTRIES: 50, NEW_SONGS: 0, CHART_AGE_HOURS: 9.5}, chart="road-trip")

    printed = capsys.readouterr().out
    assert emitted(printed) == [
        Emitted(NAMESPACE, "ChartEntries", (("stage", "dev"),), 50.0, "Count"),
        Emitted(NAMESPACE, "NewSongs", (("stage", "dev"),), 0.0, "Count"),
        Emitted(NAMESPACE, "ChartAgeHours", (("chart", "road-trip"), ("stage", "dev")), 9.5, "None"),
    ]
    lines = [json.loads(line) for line in printed.splitlines()]
    assert len(lines) == 2
    for line in lines:
        # Milliseconds since 1970, or CloudWatch throws the line away.
        assert before * 1000 - 1 <= line["_aws"]["Timestamp"] <= time.time() * 1000 + 1


def test_what_was_emitted_is_not_emitted_again(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = EmfMetrics("dev")
    metrics.emit({NEW_SONGS: 3})
    metrics.emit({CHART_ENTRIES: 50})

    assert [one.name for one in emitted(capsys.readouterr().out)] == ["NewSongs", "ChartEntries"]


def test_nothing_measured_is_nothing_printed(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    EmfMetrics("dev").emit({})

    assert capsys.readouterr().out == ""
    assert caplog.records == []


def test_the_environment_adds_no_dimension_and_so_no_bill(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "charts")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Other")
    EmfMetrics("dev").emit({NEW_SONGS: 3})

    assert emitted(capsys.readouterr().out) == [Emitted(NAMESPACE, "NewSongs", (("stage", "dev"),), 3.0, "Count")]


@pytest.mark.parametrize(
    ("stage", "values", "chart"),
    [
        ("dev", {CHART_AGE_HOURS: 1.0}, None),
        ("dev", {CHART_AGE_HOURS: 1.0}, ""),
        ("", {NEW_SONGS: 1.0}, None),
        ("dev", {NEW_SONGS: "many"}, None),
        ("dev", {Metric("", "has no name"): 1.0}, None),
    ],
)
def test_what_cannot_be_emitted_fails_nothing_and_is_logged_as_an_error(
    stage: str,
    values: dict[Metric, float],
    chart: str | None,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        EmfMetrics(stage).emit(values, chart=chart)

    assert emitted(capsys.readouterr().out) == []
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "metrics were not emitted")
    assert vars(record)["metrics"] == [metric.name for metric in values]
    assert record.exc_info


# The list


def test_a_metric_is_named_once_and_says_what_it_means() -> None:
    assert [name for name, times in Counter(metric.name for metric in METRICS).items() if times > 1] == []
    for metric in METRICS:
        assert re.fullmatch(r"([A-Z][a-z]+)+", metric.name)
        assert metric.meaning.endswith(".")


def test_only_the_age_of_a_chart_is_told_apart_by_chart_for_each_costs() -> None:
    assert [metric for metric in METRICS if metric.dimensions != ("stage",)] == [CHART_AGE_HOURS]
    assert CHART_AGE_HOURS.dimensions == ("stage", "chart")
    assert SPOTIFY_REQUESTS.dimensions == ("stage",)
