"""The shadow of the warehouse: tables made anew beside those that are queried, and checked before they replace them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeAlias

from arro3.core import RecordBatch

from lambdas.core import parquet
from lambdas.core.errors import PipelineError
from lambdas.core.keys import SHADOW_PREFIX
from lambdas.core.parquet import column_values
from lambdas.core.rows import Value, date_of
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, SONGS, Table
from lambdas.core.store import RemovableStore

Fingerprint: TypeAlias = tuple[int, int]
"""How many keys there are, and 64 bits of them all."""

_PUBLISHED = ("published", "partial")


class ShadowChanged(PipelineError):
    """The shadow is not what was put there: another rebuild of the same stage is at work, or someone cleared it."""


class Unsound(PipelineError):
    """What was made anew fails a check: a defect of this code, and the reason why nothing was replaced."""


class Shadow:
    """Objects under `SHADOW_PREFIX` of the warehouse's bucket, by the keys that they are to replace.

    What is read is what was written: of each object a digest is kept here.
    """

    def __init__(self, store: RemovableStore) -> None:
        self._store = store
        self._digests: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        """Make the object, in place of an earlier one."""
        place = SHADOW_PREFIX + key
        if not self._store.put_new(place, body):
            held = self._store.get(place)
            if held is None or (held.body != body and not self._store.replace(place, body, etag=held.etag)):
                raise _changed(place)
        self._digests[key] = _digest(body)

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None if none was made. Raises ShadowChanged if it is not as it was made."""
        if key not in self._digests:
            return None
        held = self._store.get(SHADOW_PREFIX + key)
        if held is None or _digest(held.body) != self._digests[key]:
            raise _changed(SHADOW_PREFIX + key)
        return held.body

    def batch(self, table: Table, key: str) -> RecordBatch | None:
        """The object's rows, or None if none was made. Raises Unsound if it cannot be read, ShadowChanged as `get`."""
        body = self.get(key)
        if body is None:
            return None
        try:
            return parquet.decode(table, body, name=key)
        except PipelineError as error:
            raise Unsound(f"{error}: nothing was replaced; this is a defect of this version") from error

    def forget(self, key: str) -> None:
        """Be without this object from now on."""
        self._digests.pop(key, None)

    def clear(self) -> None:
        """Remove the whole shadow, also what another run has left of its own."""
        self._digests.clear()
        for key in list(self._store.keys(SHADOW_PREFIX)):
            self._store.remove(key)


def check_dimension(table: Table, key: str, batch: RecordBatch) -> None:
    """Raises Unsound unless the rows of a dimension are sorted by its key, and each key is there once."""
    _check_order(key, (column_values(table, batch, name) for name in table.key))


def check_chart_year(
    chart: str, year: int, *, entries: RecordBatch, snapshots: RecordBatch, documents: Fingerprint, songs: set[str]
) -> None:
    """Raises Unsound unless both objects of a chart and year are sorted, unique, of this chart and year, and agree.

    `documents` is of the keys of those they were made of: each has its row in `snapshots`, and no other has. Each
    entry's song is among `songs`; there are as many entries as the snapshots of the days' winners tell.
    """
    for table, batch in ((CHART_ENTRIES, entries), (SNAPSHOTS, snapshots)):
        name = f"{table.name} of {chart} in {year}"
        columns = [column_values(table, batch, column) for column in dict.fromkeys(("chart_date", *table.key))]
        _check_order(name, columns)
        if set(column_values(table, batch, "chart")) - {chart} or {_year(day) for day in columns[0]} - {year}:
            raise _unsound(name, "holds rows of another chart or year")
    where = f"{chart} in {year}"
    if missing := set(column_values(CHART_ENTRIES, entries, "song_id")) - songs:
        raise _unsound(
            where, f"{len(missing)} songs of its entries are not among the songs, such as {min(map(str, missing))}"
        )
    if fingerprint(map(str, column_values(SNAPSHOTS, snapshots, "raw_key"))) != documents:
        raise _unsound(where, "snapshots does not have one row for each document that was read")
    verdicts, counts = (column_values(SNAPSHOTS, snapshots, name) for name in ("verdict", "entries"))
    told = sum(int(number or 0) for verdict, number in zip(verdicts, counts, strict=True) if verdict in _PUBLISHED)
    if told != entries.num_rows:
        raise _unsound(where, f"{entries.num_rows:,} entries, where its snapshots tell of {told:,}")


def song_ids(songs: RecordBatch | None) -> set[str]:
    """The ids in an object of `songs`."""
    return set() if songs is None else {str(song_id) for song_id in column_values(SONGS, songs, "song_id")}


def fingerprint(keys: Iterable[str]) -> Fingerprint:
    """What tells a set of keys from another, in whatever order: a quarter of a million keys themselves are 40 MB."""
    number = mixed = 0
    for key in keys:
        number += 1
        mixed ^= int.from_bytes(_digest(key.encode())[:8], "big")
    return number, mixed


def _check_order(name: str, columns: Iterable[list[Value]]) -> None:
    before: tuple[Value, ...] | None = None
    for key in zip(*columns, strict=True):
        if None in key:
            raise _unsound(name, f"a row without its key: {key}")
        if before is not None and not before < key:
            raise _unsound(name, f"{key} comes after {before}: not sorted, or there twice")
        before = key


def _year(day: Value) -> int:
    return date_of(int(day or 0)).year


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _unsound(name: str, what: str) -> Unsound:
    return Unsound(f"{name}: what was made anew is not sound: {what}: nothing was replaced; this is a defect")


def _changed(key: str) -> ShadowChanged:
    return ShadowChanged(
        f"{key} is not as this rebuild made it: another `etl rebuild` works on the same stage: let one end, then run "
        "the same command again"
    )
