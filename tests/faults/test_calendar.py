"""Days that calendars trip over, and clocks that are wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from lambdas.core import documents
from lambdas.core.documents import RawDocument
from lambdas.core.sources import Budget, PolledChart
from lambdas.extract.poll import PollResult, poll
from lambdas.transform.handler import process
from tests.documents import CHART, OBSERVED, csv_answer, csv_file, csv_row, document, track
from tests.faults.check import NOW
from tests.faults.pipeline import Pipeline, contents, in_memory
from tests.polls import DAILY


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """In memory: what is read here does not depend on where it lies."""
    return in_memory(tmp_path)


def day(chart_date: date, *names: str, chart: str = CHART) -> RawDocument:
    """What a chart held on a day, observed at six in the morning after."""
    observed = datetime(chart_date.year, chart_date.month, chart_date.day, 6, tzinfo=UTC) + timedelta(days=1)
    return document(chart=chart, chart_date=chart_date, observed_at=observed, songs=[track(name) for name in names])


def test_a_leap_day_is_a_day_of_its_own(pipeline: Pipeline) -> None:
    first = date(2024, 2, 28)
    pipeline.tell(*pipeline.put(*(day(first + timedelta(days=n), "One", f"Song {n}") for n in range(3))))
    pipeline.deliver()
    assert {told.chart_date for told in pipeline.expected.good.values()} == {
        date(2024, 2, 28),
        date(2024, 2, 29),
        date(2024, 3, 1),
    }


@pytest.mark.parametrize(
    "impossible", ["2023-02-29", "2100-02-29", "2026-02-30", "2026-00-10", "2026-13-01", "0000-01-01"]
)
def test_a_day_that_no_calendar_has_is_on_record(pipeline: Pipeline, impossible: str) -> None:
    key = f"raw/chart={CHART}/date={impossible}/20260306T060000Z-playlist-0123456789abcdef.json.gz"
    pipeline.tell(pipeline.put_bad(key, b"", "is not the key of a raw document"))


@pytest.mark.parametrize("name", ["regional-us-daily-2023-02-29.csv", "regional-us-daily-2026-13-01.csv"])
def test_a_file_of_a_day_that_no_calendar_has_is_refused(pipeline: Pipeline, name: str) -> None:
    (reason,) = pipeline.import_files((name, csv_file([csv_row(1)]).encode()))
    assert "a date that is none" in reason


def test_a_batch_over_the_end_of_a_year_writes_both_years(pipeline: Pipeline) -> None:
    first = date(2025, 12, 30)
    pipeline.tell(*pipeline.put(*(day(first + timedelta(days=n), "One", f"Song {n}") for n in range(4))))
    assert pipeline.deliver_once()
    entries = [key for key in contents(pipeline.tables) if key.startswith("chart_entries/")]
    assert entries == [f"chart_entries/year={year}/{CHART}.parquet" for year in (2025, 2026)]


def test_a_week_over_the_end_of_a_year_belongs_to_the_year_it_ends_in(pipeline: Pipeline) -> None:
    """The old names of weekly files end on the Friday after."""
    name = "regional-global-weekly-2025-12-26--2026-01-02.csv"
    assert pipeline.import_files((name, csv_file([csv_row(1, weeks_on_chart=3)]).encode())) == []
    (told,) = pipeline.expected.good.values()
    assert told.chart_date == date(2026, 1, 1)


@pytest.mark.parametrize("far", [date(2007, 12, 31), date(2028, 1, 1), date(9999, 12, 31)])
def test_a_day_outside_the_years_that_queries_see_is_on_record(pipeline: Pipeline, far: date) -> None:
    bad = document(chart_date=far)
    pipeline.tell(pipeline.put_bad(bad.key, documents.encode(bad), "lies outside 2008 to 2027"))


def test_the_first_and_the_last_day_that_queries_see_are_loaded(pipeline: Pipeline) -> None:
    pipeline.tell(*pipeline.put(*(document(chart_date=held) for held in (date(2008, 1, 1), date(2027, 12, 31)))))


# ---- clocks


class Source:
    """A chart that Spotify stamps with a day, whatever the asker's clock says."""

    def __init__(self, stamped: date, *names: str) -> None:
        self.stamped, self.names = stamped, names

    def fetch(self, chart: PolledChart, *, now: datetime, budget: Budget) -> RawDocument:  # noqa: ARG002
        return replace_observed(day(self.stamped - timedelta(days=1), *self.names), now)


def replace_observed(told: RawDocument, now: datetime) -> RawDocument:
    """The document, observed at another moment."""
    return msgspec.structs.replace(told, observed_at=documents.second(now), received_at=documents.second(now))


def polled(pipeline: Pipeline, source: Source, *, now: datetime) -> PollResult:
    """What a poll at a moment comes to; what it has stored is told of, as S3 does."""
    budget = Budget(max_calls=10, seconds_left=lambda: 60.0)
    result = poll(DAILY, store=pipeline.raw, open_source=lambda _: source, now=now, budget=budget)
    if result.outcome == "stored":
        assert result.raw_key is not None
        told = source.fetch(DAILY, now=now, budget=budget)
        pipeline.expected.good[result.raw_key] = told
        pipeline.tell(result.raw_key)
    return result


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(hours=3), timedelta(days=40)])
def test_a_clock_that_goes_back_between_two_polls_stores_no_day_twice(pipeline: Pipeline, back: timedelta) -> None:
    source = Source(OBSERVED.date(), "One", "Two")
    assert polled(pipeline, source, now=OBSERVED).outcome == "stored"
    assert polled(pipeline, source, now=OBSERVED - back).outcome == "held"
    later = Source(OBSERVED.date() + timedelta(days=1), "Two", "Three")
    assert polled(pipeline, later, now=OBSERVED - back).outcome == ("held" if back < timedelta(days=1) else "stored")
    polled(pipeline, later, now=OBSERVED + timedelta(days=1))
    assert len(pipeline.expected.good) == 2


def test_a_chart_observed_by_a_slow_clock_still_yields_to_one_that_is_complete_and_to_the_official_file(
    pipeline: Pipeline,
) -> None:
    whole = day(date(2026, 3, 5), "One", "Two")
    slow = replace_observed(day(date(2026, 3, 5), "Two"), OBSERVED - timedelta(days=400))
    official = document([csv_answer([csv_row(1, "Three")])], provider="charts_csv", observed_at=OBSERVED - timedelta(9))
    pipeline.tell(*pipeline.put(whole, slow, official))
    pipeline.deliver()


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=300)])
def test_a_transform_whose_clock_goes_back_loads_the_same_bytes(pipeline: Pipeline, back: timedelta) -> None:
    keys = pipeline.put(day(date(2026, 3, 5), "One"), day(date(2026, 11, 21), "Two"))
    pipeline.tell(keys[0])
    pipeline.deliver()
    slow = replace(pipeline.warehouse, now=lambda: NOW - back)
    pipeline.tell(*keys)
    pipeline.deliver(by=lambda batch: process(batch, slow).failed)
