"""The tables made anew from the raw zone, without asking Spotify: the use case behind `etl rebuild`.

Everything is made in a shadow and checked there; then the objects that differ are replaced one by one, each whole, on
condition that nobody changed it since it was read. As in a load, the raw documents are listed *after* an object is
read: whoever wrote it before had put its documents in the raw zone earlier still, so what another writer has just
loaded is either in the shadow, or is seen to be missing there, and its chart and year are made again. Whoever writes
later loses the race for the object, and begins again with what is there then.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from itertools import groupby
from typing import Literal, TypeAlias

from arro3.core import RecordBatch

from lambdas.core import parquet
from lambdas.core.dimensions import Difference, DimensionRows, Stays, difference, settle
from lambdas.core.documents import MAX_STORED_BYTES
from lambdas.core.errors import InvalidKey, NewerSchema, PipelineError, SchemaMismatch, WriteConflict
from lambdas.core.keys import (
    CACHED_SONGS_PREFIX,
    RAW_PREFIX,
    RawKey,
    cached_song_key,
    chart_prefix,
    chart_year_key,
    dimension_key,
    documents_prefix,
    parse_chart_year_key,
    table_prefix,
)
from lambdas.core.parquet import column_values
from lambdas.core.read_ahead import ReadAhead
from lambdas.core.rebuilt_year import RebuiltYear, days_of, lost_moments, rebuild_year, rows_that_stay, with_rows
from lambdas.core.remains import Remains
from lambdas.core.rows import date_of, milliseconds
from lambdas.core.schema import CHART_ENTRIES, DIMENSIONS, SNAPSHOTS, SONG_ARTISTS, SONGS, Table
from lambdas.core.shadow import (
    Shadow,
    ShadowChanged,
    check_chart_year,
    check_dimension,
    fingerprint,
    song_ids,
)
from lambdas.core.store import ObjectStore, RemovableStore, StoredObject, raw_documents
from lambdas.core.warehouse import MAX_ATTEMPTS, ChartYear, LoadReport, Warehouse

AT_ONCE = 16
"""Documents fetched at once: of a document that S3 takes 20 ms to hand over, reading takes 3."""

Phase: TypeAlias = Literal["read", "answers", "check", "replace"]
OnProgress: TypeAlias = Callable[[Phase, int, int], object]
"""Called with what is going on, how many documents, answers or objects of it are done, and of how many."""

_YEAR_TABLES = (CHART_ENTRIES, SNAPSHOTS)
"""In the order they are written: a day is done when its snapshots are there."""


class NothingToRebuild(PipelineError):
    """The raw zone holds no document that the rebuild is asked for."""


class WiderScopeNeeded(PipelineError):
    """An object cannot be read, and holds more than what is asked for."""


@dataclass(frozen=True)
class Scope:
    """What is made anew: one chart or all, from one chart date to another, both included, or all there are."""

    chart: str | None = None
    first: date | None = None
    last: date | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all there is."""
        return self == Scope()

    @property
    def prefix(self) -> str:
        """A prefix of the raw documents that may be in it."""
        return RAW_PREFIX if self.chart is None else chart_prefix(self.chart)

    def holds(self, chart_date: date) -> bool:
        """Whether a day of a chart that is in it is in it, too."""
        return (self.first or date.min) <= chart_date <= (self.last or date.max)

    def holds_any_of(self, chart: str, year: int) -> bool:
        """Whether any day of this chart and year is in it."""
        first, last = date(year, 1, 1), date(year, 12, 31)
        return self.chart in (None, chart) and (self.first or first) <= last and first <= (self.last or last)

    def holds_all_of(self, year: int) -> bool:
        """Whether every day of the year is in it, for a chart that is in it."""
        return self.holds(date(year, 1, 1)) and self.holds(date(year, 12, 31))


@dataclass(frozen=True)
class ObjectChange:
    """How an object that was replaced, or would be, differs from what it was. `unreadable` says why it had to be."""

    difference: Difference
    is_new: bool
    unreadable: str | None


@dataclass
class RebuildReport:
    """What a rebuild did, or with a dry run would have done."""

    documents: int = 0
    """Documents read that could be used."""
    answers: int = 0
    """Cached answers about songs that were read and could be used."""
    objects: int = 0
    """Objects of tables that were made and checked."""
    changes: dict[str, ObjectChange] = field(default_factory=dict)
    """By key, in the order of writing. All other objects were right as they were."""
    kept: dict[ChartYear, set[date]] = field(default_factory=dict)
    """Days that are as they were, because no usable document tells of them: they have expired, or are in quarantine."""
    lost: dict[str, str] = field(default_factory=dict)
    """Key of each object that cannot be read, and of which there are no documents: left as it is, with the reason."""
    quarantined: dict[str, str] = field(default_factory=dict)
    """Key of each document or cached answer that could not be used, with the reason."""
    made_again: int = 0
    """Charts and years of which documents came or went meanwhile."""


class Rebuild:
    """One rebuild of a stage's tables, to be run once.

    `at_once` documents are fetched at once. With `dry_run` the
    shadow is made and checked, and nothing else is written. `now`, `sleep` and `jitter` are as in `Warehouse`.
    """

    def __init__(
        self,
        *,
        raw: ObjectStore,
        tables: RemovableStore,
        scope: Scope | None = None,
        dry_run: bool = False,
        code_version: str = "unknown",
        at_once: int = AT_ONCE,
        on_progress: OnProgress = lambda *_: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.report = RebuildReport()
        self._raw = ReadAhead(raw, at_once=at_once, max_bytes=MAX_STORED_BYTES, keeps_records=not dry_run)
        self._tables = tables
        self._scope = scope or Scope()
        self._dry_run = dry_run
        self._on_progress = on_progress
        self._warehouse = Warehouse(self._raw, tables, code_version, now=now, sleep=sleep, jitter=jitter)
        self._shadow = Shadow(tables)
        self._years: dict[ChartYear, RebuiltYear] = {}
        self._songs: set[str] = set()
        self._remains = Remains(now)
        self._late: list[DimensionRows] = []
        self._took_back = False

    def run(self) -> RebuildReport:
        """Make the tables anew, check them, replace what differs, and remove the shadow, come what may.

        Raises NothingToRebuild, WiderScopeNeeded, NewerSchema, Unsound or ShadowChanged before anything is replaced;
        WriteConflict when other writers win more often than the retries allow. What was replaced by then is right, and
        running it again does the rest.
        """
        with self._raw, self._cleared_shadow():
            self._make_all()
            self._check_all()
            self._replace_all()
        return self.report

    @contextmanager
    def _cleared_shadow(self) -> Iterator[None]:
        self._shadow.clear()
        is_ours = True
        try:
            yield
        except ShadowChanged:
            is_ours = False  # what lies there now is another run's
            raise
        finally:
            if is_ours:
                self._shadow.clear()

    # Making

    def _make_all(self) -> None:
        documents = Counter((parts.chart, parts.chart_date.year) for _, parts in self._listed(self._scope.prefix))
        if not documents:
            what = f" of {self._scope.chart}" if self._scope.chart else ""
            raise NothingToRebuild(
                f"the raw zone holds no documents{what} to make the tables from: nothing was changed; `etl charts` "
                "shows what the tables hold"
            )
        rows = DimensionRows()
        done, total = 0, documents.total()
        for (chart, year), number in sorted(documents.items()):
            self._make(chart, year, rows, partial(self._have_read, done, total))
            done += number
        self._add_cached_answers(rows)
        for table in DIMENSIONS:
            if (batch := rows.of(table)) is not None:
                self._shadow.put(dimension_key(table), parquet.encode(batch))
        for table in DIMENSIONS:
            key = dimension_key(table)
            if (held := self._tables.get(key)) is not None and held.body != self._shadow.get(key):
                self._read_held(table, key, held, whole=self._scope.is_whole)
        for chart, year in sorted(self._years.keys() | self._held_years()):
            self._look_at_what_is_held(chart, year)

    def _add_cached_answers(self, rows: DimensionRows) -> None:
        """Take in what Spotify told of single songs: of all of them, or where not all is made anew, of those made."""
        if self._scope.is_whole:
            keys = list(self._raw.keys(CACHED_SONGS_PREFIX))
        else:
            keys = [cached_song_key(song_id) for song_id in sorted(song_ids(rows.of(SONGS)))]
        self._raw.expect(keys)
        load = LoadReport()
        for number, key in enumerate(keys, 1):
            if (reading := self._warehouse.read_answer(key, load)) is not None:
                rows.add(reading)
                self._remains.add_read(reading.told_at)
            self._on_progress("answers", number, len(keys))
        self.report.answers = load.answers
        self.report.quarantined |= load.quarantined

    def _have_read(self, before: int, total: int, number: int) -> None:
        self._on_progress("read", before + number, total)

    def _listed(self, prefix: str) -> Iterator[tuple[str, RawKey]]:
        return ((key, parts) for key, parts in raw_documents(self._raw, prefix) if self._scope.holds(parts.chart_date))

    def _make(self, chart: str, year: int, rows: DimensionRows, on_progress: Callable[[int], object] = int) -> None:
        """Make both objects of a chart and year from the documents there are now, and take their dimensions in."""
        listed = list(self._listed(documents_prefix(chart, year)))
        self._raw.expect(key for key, _ in listed)
        load = LoadReport()
        made = rebuild_year(listed, self._warehouse, load, rows, on_progress)
        self._years[chart, year] = made
        for table, batch in ((CHART_ENTRIES, made.entries), (SNAPSHOTS, made.snapshots)):
            key = chart_year_key(table, chart, year)
            if batch is None:
                self._shadow.forget(key)
            else:
                self._shadow.put(key, parquet.encode(batch))
        made.entries = made.snapshots = None  # one chart and year at a time is held in memory
        self.report.documents += load.documents
        self.report.quarantined |= load.quarantined
        moments = {key: milliseconds(parts.observed_at) for key, parts in listed}
        self._remains.add_documents(moments[key] for key in load.quarantined)
        self._remains.add_read(moment for key, moment in moments.items() if key not in load.quarantined)

    def _held_years(self) -> set[ChartYear]:
        """The charts and years in the tables that are asked for, whether there are documents of them or not."""
        found = set()
        for table in _YEAR_TABLES:
            for key in self._tables.keys(table_prefix(table)):
                try:
                    chart, year = parse_chart_year_key(table, key)
                except InvalidKey:
                    continue
                if year and self._scope.holds_any_of(chart, year):
                    found.add((chart, year))
        return found

    def _look_at_what_is_held(self, chart: str, year: int) -> None:
        """Refuse what could not be kept, and note what stays without documents: it needs its dimensions."""
        for table in _YEAR_TABLES:
            key = chart_year_key(table, chart, year)
            held = self._tables.get(key)
            if held is None or held.body == self._shadow.get(key):
                continue
            batch, _ = self._read_held(table, key, held, whole=self._scope.holds_all_of(year))
            if batch is None or not self._scope.is_whole:
                continue
            if table is CHART_ENTRIES:
                self._remains.add_entries(self._stayed(table, batch, None, chart, year))
            else:
                read = self._shadow.batch(table, key)
                usable = set() if read is None else set(column_values(table, read, "raw_key"))
                self._remains.add_documents(lost_moments(batch, chart, usable))

    def _read_held(
        self, table: Table, key: str, held: StoredObject, *, whole: bool
    ) -> tuple[RecordBatch | None, str | None]:
        """An object of the warehouse, or None and why it cannot be read.

        Raises NewerSchema for one of a newer version, and WiderScopeNeeded if not the whole object is made anew.
        """
        try:
            return parquet.decode(table, held.body, name=key), None
        except NewerSchema as error:
            raise NewerSchema(f"{error}; nothing more was replaced") from error
        except SchemaMismatch as error:
            if not whole:
                raise WiderScopeNeeded(
                    f"{error}: it holds more than what is to be made anew, which would be lost: run `etl rebuild` "
                    "without --from and --to, and if this is a dimension, without --chart"
                ) from error
            return None, str(error)

    # Checking

    def _check_all(self) -> None:
        total = len(DIMENSIONS) + len(self._years)
        for number, table in enumerate(DIMENSIONS):
            batch = self._shadow.batch(table, dimension_key(table))
            if batch is not None:
                check_dimension(table, dimension_key(table), batch)
                self.report.objects += 1
            if table is SONGS:
                self._songs = song_ids(batch)
            self._on_progress("check", number, total)
        for number, (chart, year) in enumerate(sorted(self._years), len(DIMENSIONS)):
            self.report.objects += self._check(chart, year)
            self._on_progress("check", number, total)

    def _check(self, chart: str, year: int) -> int:
        """Check both objects of a chart and year; how many there are."""
        entries, snapshots = (self._shadow.batch(table, chart_year_key(table, chart, year)) for table in _YEAR_TABLES)
        if entries is None or snapshots is None:
            return 0
        check_chart_year(
            chart,
            year,
            entries=entries,
            snapshots=snapshots,
            documents=self._years[chart, year].documents,
            songs=self._songs,
        )
        return len(_YEAR_TABLES)

    # Replacing

    def _replace_all(self) -> None:
        if self._remains.needs_songs:
            self._remains.add_references(self._held(SONGS), self._held(SONG_ARTISTS))
        years = sorted(self._years.keys() | self._held_years())
        total = len(DIMENSIONS) + len(years)
        for number, table in enumerate(DIMENSIONS):
            self._exchange(table, dimension_key(table), partial(self._settled, table))
            self._on_progress("replace", number, total)
        if self._took_back:
            # What came since documents were listed, and was loaded, lost to the rows that are now taken back.
            self._make_again_what_changed()
        # Documents found late at one dimension: those that were replaced before it lack their rows.
        for rows in self._late:
            self._better_dimensions(rows)
        if self._took_back:
            # So did an answer that came since the cache was read.
            rows = DimensionRows()
            self._add_cached_answers(rows)
            self._better_dimensions(rows)
        for number, (chart, year) in enumerate(years, len(DIMENSIONS)):
            self._replace_year(chart, year)
            self._on_progress("replace", number, total)

    def _held(self, table: Table) -> RecordBatch | None:
        key = dimension_key(table)
        held = self._tables.get(key)
        return None if held is None else self._read_held(table, key, held, whole=True)[0]

    def _exchange(self, table: Table, key: str, change: Callable[[StoredObject | None], bytes | None]) -> None:
        """Replace one object by what `change` makes of it; None leaves it. Raises WriteConflict."""
        for attempt in range(MAX_ATTEMPTS):
            self._warehouse.pause(attempt)
            held = self._tables.get(key)
            if self._put(table, key, held, change(held)):
                return
        raise _conflict(key)

    def _put(self, table: Table, key: str, held: StoredObject | None, body: bytes | None) -> bool:
        """Replace an object if that changes it; False if another writer was faster."""
        if body is None or (held is not None and held.body == body):
            return True
        if not self._dry_run and not self._warehouse.put(key, body, held):
            return False
        before, unreadable = (None, None) if held is None else self._read_held(table, key, held, whole=True)
        after = parquet.decode(table, body, name=key)
        self.report.changes[key] = ObjectChange(difference(table, before, after), held is None, unreadable)
        return True

    def _settled(self, table: Table, held: StoredObject | None) -> bytes | None:
        """The dimension as it is to be; None if nothing of it was made, and what is held is to stay.

        A row of a greater rank than what was made is taken back only by a rebuild of everything, and only if the
        document that it must come from was read: not if it has expired, and not if it came meanwhile.
        """
        key = dimension_key(table)
        made = self._shadow.get(key)
        if held is None or held.body == made or (made is None and not self._scope.is_whole):
            return made
        stays: Stays = self._remains.stays(table) if self._scope.is_whole else _all_stay
        batch, unreadable = self._read_held(table, key, held, whole=self._scope.is_whole)
        settled, taken_back = settle(table, batch, self._shadow.batch(table, key), stays=stays)
        self._took_back |= bool(taken_back)
        if (taken_back or unreadable) and self._make_again_what_changed():
            settled, _ = settle(table, batch, self._shadow.batch(table, key), stays=stays)
        return parquet.encode(settled)

    def _make_again_what_changed(self) -> bool:
        """Make again all charts and years of which documents came or went; whether there are any."""
        listed = groupby(self._listed(self._scope.prefix), key=lambda pair: (pair[1].chart, pair[1].chart_date.year))
        now = {chart_year: fingerprint(key for key, _ in pairs) for chart_year, pairs in listed}
        changed = [each for each, listing in now.items() if self._years.get(each, RebuiltYear()).listing != listing]
        self._late += [self._make_again(chart, year) for chart, year in changed]
        return bool(changed)

    def _make_again(self, chart: str, year: int) -> DimensionRows:
        """Make a chart and year again; the dimension rows of its documents, which are in the shadow then, too."""
        rows = DimensionRows()
        self._make(chart, year, rows)
        self._songs |= song_ids(rows.of(SONGS))
        self._check(chart, year)
        for table in DIMENSIONS:
            if (late := rows.of(table)) is not None:
                key = dimension_key(table)
                bettered, _ = settle(table, self._shadow.batch(table, key), late, stays=_all_stay)
                self._shadow.put(key, parquet.encode(bettered))
        self.report.made_again += 1
        return rows

    def _replace_year(self, chart: str, year: int) -> None:
        for attempt in range(MAX_ATTEMPTS):
            self._warehouse.pause(attempt)
            held = {table: self._tables.get(chart_year_key(table, chart, year)) for table in _YEAR_TABLES}
            listing = fingerprint(key for key, _ in self._listed(documents_prefix(chart, year)))
            if listing != self._years.get((chart, year), RebuiltYear()).listing:
                self._better_dimensions(self._make_again(chart, year))
            if all(
                self._put(table, chart_year_key(table, chart, year), held[table], self._year(table, chart, year, held))
                for table in _YEAR_TABLES
            ):
                return
        raise _conflict(chart_year_key(CHART_ENTRIES, chart, year))

    def _better_dimensions(self, rows: DimensionRows) -> None:
        """No entry is to lack its song: before entries of late documents are written, so are their dimensions.

        A dry run has put no dimension right yet, and would take this for all that changes in one.
        """
        if self._dry_run:
            return
        for table in DIMENSIONS:
            if (late := rows.of(table)) is not None:
                self._exchange(table, dimension_key(table), partial(_bettered, table, late))

    def _year(self, table: Table, chart: str, year: int, held: Mapping[Table, StoredObject | None]) -> bytes | None:
        """A chart's object of a year as it is to be: made anew, with the days that stay from the one that is held."""
        key = chart_year_key(table, chart, year)
        made, there = self._shadow.get(key), held[table]
        if there is None or there.body == made:
            return made
        batch, unreadable = self._read_held(table, key, there, whole=self._scope.holds_all_of(year))
        if batch is None:
            if made is None:
                self.report.lost[key] = str(unreadable)
            return made
        made_batch = self._shadow.batch(table, key)
        stayed = self._stayed(table, batch, made_batch, chart, year)
        told = self._years.get((chart, year), RebuiltYear()).told
        days = {date_of(day) for day in days_of(table, stayed).difference(told)}
        if kept := set(filter(self._scope.holds, days)):
            self.report.kept.setdefault((chart, year), set()).update(kept)
        if made_batch is None:
            return None
        return parquet.encode(with_rows(table, made_batch, stayed)) if stayed.num_rows else made

    def _stayed(self, table: Table, held: RecordBatch, made: RecordBatch | None, chart: str, year: int) -> RecordBatch:
        return rows_that_stay(
            table,
            held,
            made,
            chart=chart,
            year=year,
            told=set(self._years.get((chart, year), RebuiltYear()).told),
            is_asked_for=lambda day: self._scope.holds(date_of(day)),
        )


def _bettered(table: Table, late: RecordBatch, held: StoredObject | None) -> bytes:
    batch = None if held is None else parquet.decode(table, held.body, name=dimension_key(table))
    return parquet.encode(settle(table, batch, late, stays=_all_stay)[0])


def _all_stay(*_: object) -> bool:
    return True


def _conflict(key: str) -> WriteConflict:
    return WriteConflict(
        f"{key}: {MAX_ATTEMPTS} attempts lost to other writers: what was replaced is right; run the same command again "
        "when less is being loaded"
    )
