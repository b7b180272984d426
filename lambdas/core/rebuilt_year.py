"""One chart's objects of one year, made from all its documents, and put together with days that stay as they were."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Literal, cast

from arro3.core import RecordBatch

from lambdas.core.dimensions import DimensionRows, sorted_places
from lambdas.core.errors import InvalidKey
from lambdas.core.keys import RawKey, parse_raw_key
from lambdas.core.merge import sort_key
from lambdas.core.parquet import batch_of, column_values, joined, rows_of, take
from lambdas.core.rows import Row, Value, days
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, Table
from lambdas.core.shadow import Fingerprint, fingerprint
from lambdas.core.warehouse import LoadReport, Warehouse

_ROWS_AT_ONCE = 5_000


@dataclass
class RebuiltYear:
    """What a chart's documents of a year give. Without any usable one there are neither entries nor snapshots."""

    listing: Fingerprint = (0, 0)
    """Of the documents that were listed."""
    documents: Fingerprint = (0, 0)
    """Of those that could be used."""
    told: Sequence[int] = field(default_factory=lambda: array("i"))
    """The days (since 1970-01-01) that they tell of."""
    entries: RecordBatch | None = None
    snapshots: RecordBatch | None = None


def rebuild_year(
    listed: Sequence[tuple[str, RawKey]],
    warehouse: Warehouse,
    report: LoadReport,
    rows: DimensionRows,
    on_progress: Callable[[int], object],
) -> RebuiltYear:
    """Read the documents listed, in order of their days, one day at a time; their dimensions are added to `rows`.

    `on_progress` is called with the number of documents done. Documents that cannot be used are quarantined.
    """
    entries, snapshots = _Rows(CHART_ENTRIES), _Rows(SNAPSHOTS)
    told, used, done = array("i"), list[str](), 0
    for chart_date, pairs in groupby(listed, key=lambda pair: pair[1].chart_date):
        documents = list(pairs)
        day = warehouse.read_day(documents, report)
        done += len(documents)
        on_progress(done)
        if day is None:
            continue
        used += day.keys
        entries.add(day.entries)
        snapshots.add(day.snapshots)
        for reading in day.readings:
            rows.add(reading)
        if day.is_told:
            told.append(days(chart_date))
    return RebuiltYear(
        listing=fingerprint(key for key, _ in listed),
        documents=fingerprint(used),
        told=told,
        entries=entries.batch() if used else None,
        snapshots=snapshots.batch() if used else None,
    )


class _Rows:
    """Rows of a table on their way into columns: never more than some thousand as Python objects."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: list[Row] = []
        self._batches: list[RecordBatch] = []

    def add(self, rows: Iterable[Row]) -> None:
        """Rows of one day, which is later than those before."""
        self._rows += sorted(rows, key=sort_key(self._table))
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()

    def batch(self) -> RecordBatch:
        self._flush()
        return joined(self._table, self._batches)

    def _flush(self) -> None:
        self._batches.append(batch_of(self._table, self._rows))
        self._rows = []


def rows_that_stay(
    table: Table,
    held: RecordBatch,
    made: RecordBatch | None,
    *,
    chart: str,
    year: int,
    told: Collection[int],
    is_asked_for: Callable[[int], bool],
) -> RecordBatch:
    """The rows held that stay beside those that were made, in the order of the table.

    They are all rows of days that are not asked for; of the others those of days that no document tells of; and of days
    that are told, what `snapshots` has of documents that are gone, which are superseded by those that are left. Rows of
    another chart or year, of a key that was there before, or of what is no document of the day are damage, and go.
    """
    charts, dates = (column_values(table, held, name) for name in ("chart", "chart_date"))
    of_year = range(days(date(year, 1, 1)), days(date(year + 1, 1, 1)))
    fates = {day: _fate(table, day, of_year, told, is_asked_for) for day in set(dates)}
    places = [place for place, day in enumerate(dates) if fates[day] != "goes"]
    if not places:
        return batch_of(table, [])
    keys = _keys(table, held)
    seen = set() if made is None else set(_keys(table, made))
    staying = []
    for place in sorted_places(_sort_columns(table, held), places):
        key, day = keys[place], dates[place]
        is_right = charts[place] == chart and (table is not SNAPSHOTS or _is_key_of(key[0], chart, day))
        if key not in seen and (is_right or fates[day] == "not asked for"):
            seen.add(key)
            staying.append(place)
    stayed = take(table, (held,), staying)
    superseded = [fates[dates[place]] == "superseded" for place in staying]
    if not any(superseded):
        return stayed
    at = table.index("verdict")
    rows = zip(rows_of(table, stayed), superseded, strict=True)
    return batch_of(table, [(*row[:at], "superseded", *row[at + 1 :]) if lost else row for row, lost in rows])


def _fate(
    table: Table, day: Value, of_year: range, told: Collection[int], is_asked_for: Callable[[int], bool]
) -> Literal["not asked for", "stays", "superseded", "goes"]:
    if not isinstance(day, int) or day not in of_year:
        return "goes"
    if not is_asked_for(day):
        return "not asked for"
    if day not in told:
        return "stays"
    return "superseded" if table is SNAPSHOTS else "goes"


def lost_moments(snapshots: RecordBatch, chart: str, usable: Collection[Value]) -> set[int]:
    """When the documents were observed (milliseconds) that a chart's `snapshots` tell of, and that are not `usable`."""
    columns = [column_values(SNAPSHOTS, snapshots, name) for name in ("raw_key", "chart_date", "observed_at")]
    return {
        moment
        for key, day, moment in zip(*columns, strict=True)
        if isinstance(moment, int) and key not in usable and _is_key_of(key, chart, day)
    }


def days_of(table: Table, batch: RecordBatch) -> set[int]:
    """The days (since 1970-01-01) that an object has rows of."""
    return {cast(int, day) for day in column_values(table, batch, "chart_date")}


def with_rows(table: Table, made: RecordBatch, stayed: RecordBatch) -> RecordBatch:
    """The object that was made, with the rows that stay."""
    both = joined(table, (made, stayed))
    return take(table, (both,), sorted_places(_sort_columns(table, both), range(both.num_rows)))


def _sort_columns(table: Table, batch: RecordBatch) -> list[list[Value]]:
    return [column_values(table, batch, name) for name in dict.fromkeys(("chart_date", *table.key))]


def _keys(table: Table, batch: RecordBatch) -> list[tuple[Value, ...]]:
    return list(zip(*(column_values(table, batch, name) for name in table.key), strict=True))


def _is_key_of(key: Value, chart: str, day: Value) -> bool:
    """Whether this is the key of a document of the chart and day: damage is no evidence that there was one."""
    try:
        parts = parse_raw_key(str(key))
    except InvalidKey:
        return False
    return (parts.chart, days(parts.chart_date)) == (chart, day)
