"""Waiting for the tables: what arrives, what is quarantined, and what never comes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cli.waiting import Waiting
from lambdas.core.documents import encode
from lambdas.core.keys import parse_raw_key, quarantine_key
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.documents import document, track
from tests.fakes import MemoryStore


class Pipeline:
    """Both buckets, and a clock whose sleeping lets the transform function work."""

    def __init__(self, work: Callable[[Pipeline], object] = lambda _: None) -> None:
        self.raw = MemoryStore()
        self.tables = MemoryStore()
        self.now = 0.0
        self.work = work

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.work(self)

    def waiting(self, patience: float = 30) -> Waiting:
        return Waiting(
            raw=self.raw, tables=self.tables, patience_seconds=patience, clock=lambda: self.now, sleep=self.sleep
        )

    def transform(self) -> None:
        keys = [parse_raw_key(key) for key in self.raw.objects if key.startswith("raw/")]
        for (chart, year), dates in group_by_chart_year(keys).items():
            Warehouse(raw=self.raw, tables=self.tables).load(chart, year, dates)


DOCUMENT = document(songs=[track()])


def test_a_document_has_arrived_when_its_snapshot_row_is_there() -> None:
    pipeline = Pipeline(work=Pipeline.transform)
    pipeline.raw.put_new(DOCUMENT.key, encode(DOCUMENT))
    told: list[tuple[int, int]] = []
    arrival = pipeline.waiting().wait([DOCUMENT.key], report=lambda here, total: told.append((here, total)))
    assert (arrival.loaded, arrival.missing, arrival.quarantined) == ({DOCUMENT.key}, set(), {})
    assert told == [(0, 1), (1, 1)]


def test_a_document_that_lost_its_day_has_arrived_too() -> None:
    older = document(songs=[track("Older")], observed_at=DOCUMENT.observed_at.replace(hour=1))
    pipeline = Pipeline(work=Pipeline.transform)
    for one in (DOCUMENT, older):
        pipeline.raw.put_new(one.key, encode(one))
    assert pipeline.waiting().wait([older.key]).loaded == {older.key}


def test_a_document_in_quarantine_is_reported_with_its_reason() -> None:
    pipeline = Pipeline()
    pipeline.raw.put_new(quarantine_key(DOCUMENT.key), msgspec.json.encode({"key": "k", "reason": "no such thing"}))
    arrival = pipeline.waiting().wait([DOCUMENT.key])
    assert (arrival.quarantined, arrival.missing) == ({DOCUMENT.key: "no such thing"}, set())


def test_waiting_ends_when_nothing_has_arrived_for_too_long() -> None:
    pipeline = Pipeline()
    arrival = pipeline.waiting(patience=30).wait([DOCUMENT.key])
    assert arrival.missing == {DOCUMENT.key}
    assert 30 <= pipeline.now < 33


def test_patience_begins_anew_with_every_arrival() -> None:
    other = document(songs=[track()], chart="road-trip")

    def slowly(pipeline: Pipeline) -> None:
        held = [one for one, due in ((DOCUMENT, 20), (other, 45)) if pipeline.now > due]
        for one in held:
            if pipeline.raw.put_new(one.key, encode(one)):
                pipeline.transform()

    arrival = Pipeline(work=slowly).waiting(patience=30).wait([DOCUMENT.key, other.key])
    assert arrival.loaded == {DOCUMENT.key, other.key}


def test_nothing_to_wait_for_takes_no_time() -> None:
    pipeline = Pipeline()
    assert pipeline.waiting().wait([]).loaded == set()
    assert pipeline.now == 0
