"""Dimensions put together from many documents, and set against those that are held.

`merge.upsert` takes a few better rows into a dimension. Here a whole dimension is made from all there is, and compared
with another whole one: in columns, so that memory grows by tens of bytes a row and not by a Python object a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from arro3.core import RecordBatch

from lambdas.core.merge import DETAILS, canonical, take_better, upsert
from lambdas.core.parquet import batch_of, column_values, rows_of, take
from lambdas.core.reading import Reading
from lambdas.core.rows import Group, Value
from lambdas.core.schema import DIMENSIONS, Table

_PENDING_GROUPS = 20_000
"""So many new groups of a table are gathered in Python before they are merged into its columns: some 40 MB."""
_ROWS_AT_ONCE = 5_000

Stays: TypeAlias = Callable[[str, str, int, bool], bool]
"""Whether a held group stays that what is made does not have, or has with a lower rank. It is called with the group's
key, detail and observed_at (milliseconds), and whether what is made has the key."""


@dataclass
class DimensionRows:
    """The best rows of each dimension among all readings that were added, in any order."""

    _pending: dict[Table, dict[str, Group]] = field(default_factory=lambda: {table: {} for table in DIMENSIONS})
    _merged: dict[Table, RecordBatch] = field(default_factory=dict)

    def add(self, reading: Reading) -> None:
        """Take a reading's rows in."""
        for table in DIMENSIONS:
            pending = self._pending[table]
            take_better(table, pending, reading.rows_for(table))
            if len(pending) >= _PENDING_GROUPS:
                self._merge(table)

    def of(self, table: Table) -> RecordBatch | None:
        """A table's rows, sorted by its key; None if no reading had any."""
        self._merge(table)
        return self._merged.get(table)

    def _merge(self, table: Table) -> None:
        if pending := self._pending[table]:
            merged = upsert(table, self._merged.get(table), pending)
            if merged is not None:
                self._merged[table] = merged
            pending.clear()


def settle(
    table: Table, held: RecordBatch | None, made: RecordBatch | None, *, stays: Stays
) -> tuple[RecordBatch, int]:
    """One dimension of two, and how many groups it takes back: of a greater rank than what it has instead, if anything.

    Of a key that both have, the group of the greater rank is taken (`merge.upsert` says which); one that is held and
    of a greater rank, or not made at all, only if it `stays`. `held` need not be sorted, nor its keys be unique.
    """
    held, made = (batch_of(table, []) if batch is None else batch for batch in (held, made))
    in_held, in_made = _Groups(table, held), _Groups(table, made)
    order: list[int] = []
    taken_back = 0
    for key in sorted(in_held.places.keys() | in_made.places.keys()):
        theirs, ours = in_held.places.get(key), in_made.places.get(key)
        if theirs is None or (ours is not None and not in_held.outranks(in_made, key)):
            order += [held.num_rows + place for place in ours or ()]
        elif stays(key, *in_held.detail_and_moment(key), ours is not None):
            order += theirs
        else:
            taken_back += 1
            order += [held.num_rows + place for place in ours or ()]
    return take(table, (held, made), order), taken_back


@dataclass(frozen=True)
class Difference:
    """How many rows one state of a table's object has that another has not, by their keys."""

    added: int = 0
    removed: int = 0
    changed: int = 0


def difference(table: Table, before: RecordBatch | None, after: RecordBatch) -> Difference:
    """What is in `after` and was not in `before`. A row of a key that `before` has twice counts as removed."""
    held: dict[tuple[Value, ...], int] = {}
    removed = 0
    if before is not None:
        for key, digest in zip(_keys(table, before), row_digests(table, before), strict=True):
            removed += key in held
            held[key] = digest
    added = changed = 0
    for key, digest in zip(_keys(table, after), row_digests(table, after), strict=True):
        was = held.pop(key, None)
        added += was is None
        changed += was is not None and was != digest
    return Difference(added=added, removed=removed + len(held), changed=changed)


def row_digests(table: Table, batch: RecordBatch) -> Iterator[int]:
    """A number for each row, within this process: equal rows have equal ones."""
    for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
        piece = batch.slice(start, min(_ROWS_AT_ONCE, batch.num_rows - start))
        yield from map(hash, rows_of(table, piece))


def sorted_places(columns: Iterable[list[Value]], places: Iterable[int]) -> list[int]:
    """Places of rows in the order of these columns; null, which a damaged object may hold, is least."""
    chosen = list(columns)
    return sorted(places, key=lambda place: [(column[place] is not None, column[place]) for column in chosen])


class _Groups:
    """Where the groups of a dimension's object lie, and what decides between two of one key."""

    def __init__(self, table: Table, batch: RecordBatch) -> None:
        self._table, self._batch = table, batch
        columns = [column_values(table, batch, name) for name in table.key]
        self._details = column_values(table, batch, "detail")
        self._moments = column_values(table, batch, "observed_at")
        self._digests = list(row_digests(table, batch))
        self.places: dict[str, list[int]] = {}
        latest: tuple[Value, ...] | None = None
        for place in sorted_places(columns, range(batch.num_rows)):
            key = tuple(column[place] for column in columns)
            # A key that is null, or that the object has twice, is damage: of the latter the upper row counts.
            if None not in key and key != latest:
                self.places.setdefault(cast(str, key[0]), []).append(place)
            latest = key

    def detail_and_moment(self, key: str) -> tuple[str, int]:
        first = self.places[key][0]
        return str(self._details[first]), cast(int, self._moments[first] or 0)

    def rank(self, key: str) -> tuple[int, int]:
        detail, moment = self.detail_and_moment(key)
        return DETAILS.index(detail) if detail in DETAILS else -1, moment

    def equals(self, other: _Groups, key: str) -> bool:
        return self._digests_of(key) == other._digests_of(key)

    def outranks(self, other: _Groups, key: str) -> bool:
        mine, theirs = self.rank(key), other.rank(key)
        if mine != theirs:
            return mine > theirs
        return not self.equals(other, key) and self._canonical(key) > other._canonical(key)

    def _digests_of(self, key: str) -> list[int]:
        return [self._digests[place] for place in self.places[key]]

    def _canonical(self, key: str) -> tuple[int, bytes]:
        return canonical([rows_of(self._table, self._batch.slice(place, 1))[0] for place in self.places[key]])


def _keys(table: Table, batch: RecordBatch) -> Iterator[tuple[Value, ...]]:
    columns = [column_values(table, batch, name) for name in table.key]
    return zip(*columns, strict=True)
