"""`etl rebuild`: what it prints of what it did, and how it ends."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cli.main import parse
from cli.rebuilding import run_rebuild, scope_of, show
from lambdas.core.documents import encode
from lambdas.core.errors import ConfigurationError, InvalidChart
from lambdas.core.keys import SHADOW_PREFIX, chart_year_key, dimension_key
from lambdas.core.rebuild import Scope
from lambdas.core.schema import ARTISTS, CHART_ENTRIES, SONGS
from tests.buckets import TransformedBuckets
from tests.documents import CHART, DAY, document

SONGS_KEY = dimension_key(SONGS)


class Buckets(TransformedBuckets):
    """Buckets with three days of a chart in the tables."""

    def __init__(self) -> None:
        super().__init__()
        self.days = [DAY + timedelta(days=number) for number in range(3)]
        for day in self.days:
            held = document(chart_date=day)
            self.raw.objects[held.key] = encode(held)
        self.load()

    def rebuild(self, scope: Scope | None = None, *, dry_run: bool = False) -> int:
        return run_rebuild(scope or Scope(), raw=self.raw, tables=self.tables, dry_run=dry_run)


def test_tables_that_are_right_are_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    before = dict(buckets.tables.objects)
    assert buckets.rebuild() == 0
    out = capsys.readouterr().out
    assert out.startswith("3 documents read (")
    assert out.endswith("6 objects made and checked, 0 replaced\n")
    assert buckets.tables.objects == before


def test_each_object_that_is_replaced_has_a_line_that_says_what_was_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    before = dict(buckets.tables.objects)
    buckets.tables.objects[SONGS_KEY] = b"garbled"
    del buckets.tables.objects[dimension_key(ARTISTS)]
    assert buckets.rebuild(dry_run=True) == 0
    out = capsys.readouterr().out
    assert f"{SONGS_KEY}      cannot be read: 1 row added\n" in out
    assert "artists/artists.parquet  is missing: 1 row added\n" in out
    assert "2 would be replaced; nothing was written" in out
    assert buckets.rebuild() == 0
    out = capsys.readouterr().out
    assert f"{SONGS_KEY}      could not be read: 1 row added\n" in out
    assert "2 replaced" in out
    assert buckets.tables.objects == before


def test_days_without_documents_and_documents_in_quarantine_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    for number in range(11):
        key = document(chart_date=DAY + timedelta(days=100 + number)).key
        buckets.raw.objects[key] = b"not gzip"
    for day in buckets.days[:2]:
        del buckets.raw.objects[document(chart_date=day).key]
    assert buckets.rebuild() == 0
    out = capsys.readouterr().out
    assert f"{CHART}: 2 days left as before, for no document tells of them: {DAY} to {buckets.days[1]}\n" in out
    assert out.count(".json.gz: in quarantine: unreadable: ") == 10
    assert "1 more document in quarantine" in out
    assert "1 document read and 11 in quarantine" in out


def test_damage_that_no_document_can_mend_ends_with_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    other = document(chart="other")
    buckets.raw.objects[other.key] = encode(other)
    key = chart_year_key(CHART_ENTRIES, CHART, DAY.year)
    buckets.tables.objects[key] = b"garbled"
    for day in buckets.days:
        del buckets.raw.objects[document(chart_date=day).key]
    assert buckets.rebuild() == 1
    assert f"{key}: left as it is, for there are no documents of it" in capsys.readouterr().out


def test_stopped_by_ctrl_c_it_removes_its_shadow_and_the_same_command_does_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    buckets = Buckets()
    before = dict(buckets.tables.objects)
    for key in before:
        buckets.tables.objects[key] = b"garbled"

    def interrupt(key: str) -> None:
        if key == dimension_key(ARTISTS):
            buckets.tables.before_write = str
            raise KeyboardInterrupt

    buckets.tables.before_write = interrupt
    assert buckets.rebuild() == 130
    assert "stopped: 2 objects replaced, each of them whole; the same command does the rest" in capsys.readouterr().err
    assert list(buckets.tables.keys(SHADOW_PREFIX)) == []
    assert buckets.rebuild() == 0
    assert buckets.tables.objects == before


def test_progress_tells_the_rate_and_the_time_that_is_left() -> None:
    told: list[str] = []
    show(told.append, "read", 500, 2_000, elapsed=lambda: 2.0)
    show(told.append, "read", 0, 1, elapsed=lambda: 0.0)
    show(told.append, "replace", 3, 4, elapsed=lambda: 9.0)
    assert told[0] == "500 of 2,000 documents read, 250 a second, 6.0 s left"
    assert told[1].startswith("0 of 1 document read, 0 a second, ")
    assert told[2] == "3 of 4 objects compared"


def test_what_is_asked_for_is_a_chart_and_days_from_one_to_another() -> None:
    arguments = parse(["rebuild", "--chart", "road-trip", "--from", "2024-02-29", "--to", "2024-03-01"])
    scope = scope_of(arguments.chart, first=arguments.first, last=arguments.last)
    assert scope == Scope(chart="road-trip", first=date(2024, 2, 29), last=date(2024, 3, 1))
    assert scope_of(None, first=None, last=None).is_whole
    with pytest.raises(ConfigurationError, match="--to 2024-02-28 is before --from 2024-02-29"):
        scope_of(None, first=date(2024, 2, 29), last=date(2024, 2, 28))
    with pytest.raises(InvalidChart, match="Road"):
        scope_of("Road trip", first=None, last=None)


@pytest.mark.parametrize(
    ("first", "last", "years"),
    [
        (None, None, {2023, 2024, 2025}),
        (date(2024, 12, 31), None, {2024, 2025}),
        (None, date(2024, 1, 1), {2023, 2024}),
        (date(2024, 5, 1), date(2024, 5, 1), {2024}),
    ],
)
def test_a_scope_holds_the_years_that_its_days_lie_in(first: date | None, last: date | None, years: set[int]) -> None:
    scope = Scope(chart=CHART, first=first, last=last)
    assert {year for year in (2023, 2024, 2025) if scope.holds_any_of(CHART, year)} == years
    assert not any(scope.holds_any_of("other", year) for year in (2023, 2024, 2025))
