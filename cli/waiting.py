"""Waiting until raw documents are in the tables: the transform function works when S3 tells it, not when we ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from lambdas.core import parquet
from lambdas.core.keys import QUARANTINE_PREFIX, chart_prefix, chart_year_key, parse_raw_key, quarantine_key
from lambdas.core.schema import SNAPSHOTS
from lambdas.core.store import ObjectStore

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass
class Arrival:
    """What has become of the documents waited for, by their keys."""

    loaded: set[str] = field(default_factory=set)
    quarantined: dict[str, str] = field(default_factory=dict)
    """With the reason of each."""
    missing: set[str] = field(default_factory=set)


class _QuarantineRecord(msgspec.Struct):
    reason: str


@dataclass(frozen=True)
class Pauses:
    """How long to go on without anything new, and the clock (replaced in tests)."""

    patience_seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(self, is_over: Callable[[], bool], look: Callable[[], bool]) -> None:
        """Look until it is over, or `look`, which tells whether anything was new, has found nothing for too long."""
        last_arrival = self.clock()
        pause = _FIRST_PAUSE_SECONDS
        while not is_over():
            began = self.clock()
            if look():
                last_arrival, pause = self.clock(), _FIRST_PAUSE_SECONDS
            if is_over() or self.clock() - last_arrival >= self.patience_seconds:
                break
            # Looking never takes more than half of the time, however many objects there are.
            self.sleep(max(pause, self.clock() - began))
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 1.5)


@dataclass(frozen=True)
class Waiting:
    """The buckets to look at, how long to go on without anything new, and the clock (replaced in tests)."""

    raw: ObjectStore
    tables: ObjectStore
    patience_seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait(self, keys: Iterable[str], *, report: Callable[[int, int], object] | None = None) -> Arrival:
        """Wait until every document has its row in `snapshots`, or is quarantined, or nothing has moved for too long.

        `report` is called with how many have arrived, and of how many.
        """
        arrival = Arrival(missing=set(keys))
        total = len(arrival.missing)

        def look() -> bool:
            has_news = self._look(arrival)
            if report is not None:
                report(total - len(arrival.missing), total)
            return has_news

        Pauses(self.patience_seconds, clock=self.clock, sleep=self.sleep).until(lambda: not arrival.missing, look)
        return arrival

    def look(self, keys: Iterable[str]) -> Arrival:
        """Look once."""
        arrival = Arrival(missing=set(keys))
        self._look(arrival)
        return arrival

    def _look(self, arrival: Arrival) -> bool:
        """Look once at each table object and each chart's quarantine; whether anything has arrived."""
        before = len(arrival.missing)
        by_object: dict[str, set[str]] = {}
        for key in arrival.missing:
            parts = parse_raw_key(key)
            by_object.setdefault(chart_year_key(SNAPSHOTS, parts.chart, parts.chart_date.year), set()).add(key)
        for object_key, wanted in by_object.items():
            found = wanted & self._raw_keys_in(object_key)
            arrival.loaded |= found
            arrival.missing -= found
        for chart in sorted({parse_raw_key(key).chart for key in arrival.missing}):
            self._look_in_quarantine(chart, arrival)
        return len(arrival.missing) < before

    def _raw_keys_in(self, object_key: str) -> set[str]:
        held = self.tables.get(object_key)
        if held is None:
            return set()
        batch = parquet.decode(SNAPSHOTS, held.body, name=object_key)
        return {str(value) for value in parquet.column_values(SNAPSHOTS, batch, "raw_key")}

    def _look_in_quarantine(self, chart: str, arrival: Arrival) -> None:
        for key, reason in quarantine_reasons(self.raw, chart_prefix(chart), arrival.missing):
            arrival.quarantined[key] = reason
            arrival.missing.discard(key)


def quarantine_reasons(raw: ObjectStore, prefix: str, wanted: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Those of the wanted keys, all under a prefix, that are on record in quarantine, each with the reason."""
    by_record = {quarantine_key(key): key for key in wanted}
    for record_key in raw.keys(f"{QUARANTINE_PREFIX}{prefix}"):
        if (key := by_record.get(record_key)) is not None and (record := raw.get(record_key)) is not None:
            yield key, msgspec.json.decode(record.body, type=_QuarantineRecord).reason
