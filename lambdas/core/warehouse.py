"""Loading raw documents and cached answers into the warehouse: the use case behind the transform function.

The days of one chart and year are loaded together: the year's objects are read, then the days' documents are listed and
read, the winner of each day is picked, and the objects are written back on condition that nobody changed them since.
Listing comes after reading: whoever wrote in between had listed before, so a writer that wins has seen every document
that any earlier writer saw, and no update is lost.

A cached answer belongs to no day: its rows are merged into the dimensions, where the better row stays whoever came
first.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TypeAlias

from arro3.core import RecordBatch

from lambdas.core import parquet
from lambdas.core.cached_answers import decode_answer, read_answer
from lambdas.core.charts import FIRST_YEAR, is_plausible, last_year
from lambdas.core.documents import MAX_STORED_BYTES, DocumentHeader, Rank, winner
from lambdas.core.errors import InvalidDocument, WriteConflict
from lambdas.core.gates import DATE_IMPOSSIBLE
from lambdas.core.keys import (
    RawKey,
    cached_song_key,
    chart_year_key,
    day_prefix,
    dimension_key,
    documents_prefix,
)
from lambdas.core.merge import replace_days, take_better, upsert
from lambdas.core.providers import read_document
from lambdas.core.quarantine import Quarantine
from lambdas.core.read_ahead import ReadAhead
from lambdas.core.reading import Reading
from lambdas.core.rows import Group, Row, days, milliseconds
from lambdas.core.schema import CHART_ENTRIES, DIMENSIONS, SCHEMA_VERSION, SNAPSHOTS, SONGS, Table
from lambdas.core.store import ObjectStore, StoredObject, raw_documents

MAX_ATTEMPTS = 10
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 2.0
# From this many days of one year on, one listing of the year's documents is cheaper than one listing a day.
_LIST_WHOLE_YEAR_FROM = 4

_AT_ONCE = 8
"""Documents fetched at once: S3 takes some 20 ms to hand one over, and reading it 2 to 5."""
_GATHERED_ENTRIES = 100_000
"""Entries held of documents whose days wait to be loaded: some 50 MB, or 500 documents of 200."""

ChartYear: TypeAlias = tuple[str, int]


@dataclass
class LoadReport:
    """What a load did, for the log and the metrics."""

    documents: int = 0
    answers: int = 0
    days: int = 0
    entries: int = 0
    new_songs: int = 0
    objects_written: int = 0
    conflicts: int = 0
    quarantined: dict[str, str] = field(default_factory=dict)
    """Key of each document or cached answer that could not be used, with the reason."""


@dataclass(frozen=True)
class _Read:
    """A document of a day that could be read."""

    key: str
    document: DocumentHeader
    rank: Rank
    reading: Reading


@dataclass(frozen=True)
class Day:
    """What the usable documents of one chart date, under `keys`, say.

    `readings` are of all of them, for the dimensions. `is_told` is false where all that is left is the operator's word
    that lifts a withdrawal: it brings back a chart that other documents told, and says nothing of it.
    """

    keys: Sequence[str]
    entries: Sequence[Row]
    snapshots: Sequence[Row]
    readings: Sequence[Reading]
    is_told: bool


@dataclass
class Gathered:
    """Documents that were read before the days that they are of are loaded."""

    read: dict[str, _Read | None] = field(default_factory=dict)
    """By key; None for one that is gone, or in quarantine."""
    errors: dict[str, Exception] = field(default_factory=dict)
    """By key, why one could not be read now: the load of its day ends with it."""
    in_dimensions: set[str] = field(default_factory=set)
    """Keys of those whose songs, albums and artists the tables have."""
    report: LoadReport = field(default_factory=LoadReport)


@dataclass
class Warehouse:
    """The tables of one stage, and the raw zone they are a function of.

    `code_version` goes into quarantine records; `now`, `sleep` and `jitter` are the clock, and replaced in tests.
    """

    raw: ObjectStore
    tables: ObjectStore
    code_version: str = "unknown"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def gather(self, keys: Iterable[RawKey]) -> Gathered:
        """Read the documents under these keys, of whatever charts, and merge what they say into the dimensions at once.

        A dimension is one object for all charts: merged for each chart and year by itself, it would be written as
        often. The loads of their days come next, are handed what was gathered, and count it as loaded. What passes the
        room for it is not read: the load of its day does. Raises as `load` if a dimension cannot be written.
        """
        gathered = Gathered()
        readings: list[Reading] = []
        wanted = {str(parts): parts for parts in keys}
        room = _GATHERED_ENTRIES
        with ReadAhead(self.raw, at_once=min(_AT_ONCE, len(wanted)), max_bytes=MAX_STORED_BYTES) as raw:
            raw.expect(wanted)
            for key, parts in wanted.items():
                if room <= 0:
                    break
                try:
                    read = self._read(raw, key, parts.digest, gathered.report)
                except Exception as error:  # noqa: BLE001 - raised by the load of its day: others are not held up
                    gathered.errors[key] = error
                    continue
                gathered.read[key] = read
                if read is not None:
                    readings.append(read.reading)
                    room -= len(read.reading.entries)
        self._write_dimensions(readings, gathered.report)
        for reading in readings:
            reading.forget_dimensions()
        gathered.report.documents = 0
        gathered.in_dimensions = {key for key, read in gathered.read.items() if read is not None}
        return gathered

    def load(self, chart: str, year: int, dates: Iterable[date], *, gathered: Gathered | None = None) -> LoadReport:
        """Make the tables agree with the raw documents of these dates (all of one chart and year).

        Of those that were `gathered` none is read again.

        Documents that cannot be used are quarantined with their reason, and the rest go on; a date whose documents are
        all gone is left as it is. Where one of the year's two objects is missing, all dates of the year are loaded.
        Raises WriteConflict when other writers win more often than the retries allow, and SchemaMismatch when an object
        in the warehouse cannot be read: nothing is lost, and the load may be repeated.
        """
        wanted = sorted(set(dates))
        report = LoadReport()
        known = {} if gathered is None else gathered.read
        in_dimensions = set() if gathered is None else gathered.in_dimensions
        entries_key = chart_year_key(CHART_ENTRIES, chart, year)
        snapshots_key = chart_year_key(SNAPSHOTS, chart, year)
        for attempt in range(MAX_ATTEMPTS):
            self.pause(attempt)
            held_entries, held_snapshots = self.tables.get(entries_key), self.tables.get(snapshots_key)
            if (held_entries is None) != (held_snapshots is None):
                # Somebody deleted the other one, or its first writer was cut short: these days alone would be taken for
                # the whole year.
                wanted = self._all_dates(chart, year)
            read = self._read_days(chart, year, wanted, known, {} if gathered is None else gathered.errors, report)
            if not read:
                return report
            # Once for each document, however often the days are tried again: what a dimension has taken in stays in it.
            taken = [item for items in read.values() for item in items if item.key not in in_dimensions]
            self._write_dimensions([item.reading for item in taken], report)
            in_dimensions |= {item.key for item in taken}
            entries = {days(day): winner(items).reading.entries for day, items in read.items()}
            snapshots = {days(day): _snapshot_rows(items) for day, items in read.items()}
            if self._write_days(CHART_ENTRIES, entries_key, held_entries, entries, report) and self._write_days(
                SNAPSHOTS, snapshots_key, held_snapshots, snapshots, report
            ):
                report.days = len(read)
                report.documents = sum(map(len, read.values()))
                report.entries = sum(map(len, entries.values()))
                return report
            report.conflicts += 1
        raise WriteConflict(f"{entries_key}: {MAX_ATTEMPTS} attempts lost to other writers: it will be tried again")

    def load_songs(self, song_ids: Iterable[str]) -> LoadReport:
        """Make the tables hold what the cached answers about these songs tell: songs, albums, artists and credits.

        Each table is merged once for all of them. An answer that cannot be used is quarantined with its reason, and the
        rest go on; one that is gone, or says that Spotify knows no such song, changes nothing. Raises as `load`.
        """
        report = LoadReport()
        readings = [
            reading
            for song_id in sorted(set(song_ids))
            if (reading := self.read_answer(cached_song_key(song_id), report)) is not None
        ]
        self._write_dimensions(readings, report)
        return report

    def quarantine(self, key: str, reason: str, *, version_id: str | None = None) -> None:
        """Keep on record that the object under `key` cannot be used, and why. The object itself stays where it is."""
        Quarantine(self.raw, self.code_version, self.now).keep(key, reason, version_id=version_id)

    def read_day(self, listed: Iterable[tuple[str, RawKey]], report: LoadReport) -> Day | None:
        """What a day's documents say, under whose keys they are listed; None if none of them can be used.

        Those that cannot are quarantined with their reason.
        """
        read = [item for key, parts in listed if (item := self._read(self.raw, key, parts.digest, report)) is not None]
        if not read:
            return None
        best = winner(read)
        return Day(
            keys=[item.key for item in read],
            entries=best.reading.entries,
            snapshots=_snapshot_rows(read),
            readings=[item.reading for item in read],
            is_told=best.document.withdrawal or not best.document.by_operator,
        )

    def _read_days(
        self,
        chart: str,
        year: int,
        wanted: Sequence[date],
        known: dict[str, _Read | None],
        errors: Mapping[str, Exception],
        report: LoadReport,
    ) -> dict[date, list[_Read]]:
        """The usable documents of each day; days without any are left out. Immutable documents are read once."""
        read: dict[date, list[_Read]] = {}
        for key, parts in self._list_days(chart, year, wanted):
            if key in errors:
                raise errors[key]
            if key not in known:
                known[key] = self._read(self.raw, key, parts.digest, report)
            if (item := known[key]) is not None:
                read.setdefault(parts.chart_date, []).append(item)
        return read

    def _all_dates(self, chart: str, year: int) -> list[date]:
        """The dates of a year that the raw zone holds documents of."""
        return sorted({parts.chart_date for _, parts in raw_documents(self.raw, documents_prefix(chart, year))})

    def _list_days(self, chart: str, year: int, wanted: Sequence[date]) -> list[tuple[str, RawKey]]:
        if len(wanted) >= _LIST_WHOLE_YEAR_FROM:
            prefixes = [documents_prefix(chart, year)]
        else:
            prefixes = [day_prefix(chart, day) for day in wanted]
        listed = (pair for prefix in prefixes for pair in raw_documents(self.raw, prefix))
        return [(key, parts) for key, parts in listed if parts.chart_date in wanted]

    def _read(self, raw: ObjectStore, key: str, digest: str, report: LoadReport) -> _Read | None:
        """The document under `key`; None if it is gone, or cannot be used (then it is quarantined)."""
        version_id = None
        try:
            stored = raw.get(key, max_bytes=MAX_STORED_BYTES)
            if stored is None:
                return None
            version_id = stored.version_id
            document, reading = read_usable(stored.body, key=key, today=self.now().date())
        except InvalidDocument as error:
            self._set_aside(key, error, report, version_id=version_id or error.version_id)
            return None
        report.documents += 1
        return _Read(key=key, document=document, rank=document.rank(digest), reading=reading)

    def read_answer(self, key: str, report: LoadReport) -> Reading | None:
        """What the cached answer under `key` tells; None if it is gone, or cannot be used (then it is quarantined)."""
        version_id = None
        try:
            stored = self.raw.get(key, max_bytes=MAX_STORED_BYTES)
            if stored is None:
                return None
            version_id = stored.version_id
            reading = read_answer(decode_answer(stored.body, key=key))
        except InvalidDocument as error:
            self._set_aside(key, error, report, version_id=version_id or error.version_id)
            return None
        report.answers += 1
        return reading

    def _set_aside(self, key: str, error: InvalidDocument, report: LoadReport, *, version_id: str | None) -> None:
        report.quarantined[key] = error.reason
        self.quarantine(key, error.reason, version_id=version_id)

    def _write_dimensions(self, readings: Sequence[Reading], report: LoadReport) -> None:
        for table in DIMENSIONS:
            groups: dict[str, Group] = {}
            for reading in readings:
                take_better(table, groups, reading.rows_for(table))
            if groups:
                self._write_dimension(table, groups, report)

    def _write_dimension(self, table: Table, groups: Mapping[str, Group], report: LoadReport) -> None:
        key = dimension_key(table)
        for attempt in range(MAX_ATTEMPTS):
            self.pause(attempt)
            held = self.tables.get(key)
            existing = _decoded(table, key, held)
            merged = upsert(table, existing, groups)
            if merged is None:
                return
            if self.put(key, parquet.encode(merged), held):
                report.objects_written += 1
                if table is SONGS:  # one row a song, and none is ever taken away
                    report.new_songs += merged.num_rows - (0 if existing is None else existing.num_rows)
                return
            report.conflicts += 1
        raise WriteConflict(f"{key}: {MAX_ATTEMPTS} attempts lost to other writers: it will be tried again")

    def _write_days(
        self,
        table: Table,
        key: str,
        held: StoredObject | None,
        replaced: Mapping[int, Sequence[Row]],
        report: LoadReport,
    ) -> bool:
        """Exchange the rows of some days; False if another writer was faster. Unchanged bytes are not written."""
        body = parquet.encode(replace_days(table, _decoded(table, key, held), replaced))
        if held is not None and held.body == body:
            return True
        if not self.put(key, body, held):
            return False
        report.objects_written += 1
        return True

    def put(self, key: str, body: bytes, held: StoredObject | None) -> bool:
        """Write a table's object on condition that it is as it was read; False, and nothing written, if it is not."""
        return self.tables.put_new(key, body) if held is None else self.tables.replace(key, body, etag=held.etag)

    def pause(self, attempt: int) -> None:
        """Wait before another attempt, not before the first.

        Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
        """
        if attempt:
            self.sleep(self.jitter() * min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**attempt))


def read_usable(body: bytes, *, key: str, today: date) -> tuple[DocumentHeader, Reading]:
    """The document under `key`, and what it says. Raises InvalidDocument, or InvalidKey, if it cannot be used."""
    document, reading = read_document(body, key=key)
    _check_dates(document, today=today)
    return document, reading


def _check_dates(document: DocumentHeader, *, today: date) -> None:
    """Raises InvalidDocument for dates that no chart has."""
    last = last_year(today)
    if not is_plausible(document.chart_date, today=today):
        raise InvalidDocument(
            f"chart date {document.chart_date} lies outside {FIRST_YEAR} to {last}", gate=DATE_IMPOSSIBLE
        )
    if document.observed_at.year > last:  # it would stay the newest for ever
        raise InvalidDocument(f"observed at {document.observed_at}, after {last}", gate=DATE_IMPOSSIBLE)


def _decoded(table: Table, key: str, held: StoredObject | None) -> RecordBatch | None:
    return None if held is None else parquet.decode(table, held.body, name=key)


def _snapshot_rows(read: Sequence[_Read]) -> list[Row]:
    best = winner(read)
    rows: list[Row] = []
    for item in read:
        document, reading = item.document, item.reading
        rows.append(
            (
                item.key,
                document.chart,
                document.period,
                days(document.chart_date),
                document.provider,
                milliseconds(document.observed_at),
                milliseconds(document.received_at),
                reading.depth,
                len(reading.entries),
                reading.gaps,
                reading.skipped_null,
                reading.skipped_local,
                reading.skipped_episode,
                _verdict(document, wins=item is best),
                "; ".join(reading.warnings) or None,
                SCHEMA_VERSION,
            )
        )
    return rows


def _verdict(document: DocumentHeader, *, wins: bool) -> str:
    if document.by_operator and not document.withdrawal:
        return "restored"
    if not wins:
        return "superseded"
    if document.withdrawal:
        return "withdrawn"
    return "partial" if document.partial else "published"


def group_by_chart_year(keys: Iterable[RawKey]) -> dict[ChartYear, set[date]]:
    """The dates to load, by the objects they are written to."""
    groups: dict[ChartYear, set[date]] = {}
    for key in keys:
        groups.setdefault((key.chart, key.chart_date.year), set()).add(key.chart_date)
    return groups
