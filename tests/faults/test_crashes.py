"""Functions that end in the middle, and two that work on one thing at once: real processes, killed and held up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from lambdas.core.documents import RawDocument
from lambdas.core.events import Message
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, SONGS, TABLES, Table
from local.emulator.lifecycle import Endpoint
from tests.documents import CHART, DAY, OBSERVED, album, artist, csv_answer, csv_row, document, track
from tests.fakes import MemoryStore
from tests.faults.pipeline import Bucket, Pipeline, contents
from tests.faults.processes import Environment, Invocation
from tests.faults.unreliable_s3 import Fault, Request, UnreliableS3, unreliable
from tests.tables import read_table

BAD = f"raw/chart={CHART}/date={DAY}/20260306T060000Z-playlist-0123456789abcdef.json.gz"
WRITES = len(TABLES) + 1
"""Of a load into an empty warehouse, with one document in quarantine."""
_SECONDS = 30
HALFWAY = ((SONGS, "song_id"), (CHART_ENTRIES, "song_id"), (SNAPSHOTS, "observed_at"))
"""Tables in the order in which they are written, for no reader to find what hangs in the air."""


def table_rows(pipeline: Pipeline, table: Table) -> list[dict[str, Any]]:
    """What a reader finds in a table now."""
    store = MemoryStore()
    store.objects = contents(pipeline.tables)
    return read_table(store, table)


def put_a_day(pipeline: Pipeline) -> list[str]:
    """A day's document, a bad one beside it, and the day that is held already; the keys of the first two."""
    (held,) = pipeline.put(
        document(chart="road-trip", songs=[track("Honeymoon", popularity=1)], observed_at=OBSERVED - timedelta(days=9))
    )
    pipeline.tell(held)
    pipeline.deliver()
    return [*pipeline.put(document(songs=[track(), track("Two")])), pipeline.put_bad(BAD, b"no gzip", "not gzip")]


class Killed:
    """The transform in a process that is killed at one of its writes: `after` S3 has carried it out, or before."""

    def __init__(self, s3: UnreliableS3, where: Environment, *, write: int, after: bool) -> None:
        self._s3, self._where, self._write = s3, where, write
        self._fault: Fault = "done, then dropped" if after else "dropped"
        self._started = threading.Event()
        self._invocation: Invocation | None = None
        s3.plan = self._plan

    def __call__(self, batch: Sequence[Message]) -> list[str]:
        self._invocation = Invocation(self._where, batch)
        self._started.set()
        assert self._invocation.outcome() is None, "it was to be killed"
        return [message["messageId"] for message in batch]

    def _plan(self, _: Request) -> Fault | None:
        if self._s3.writes < self._write:
            return None
        assert self._started.wait(_SECONDS)
        assert self._invocation is not None
        self._invocation.kill()
        return self._fault


class HeldUp:
    """The transform in a process that is held up before one of its writes, until `meanwhile` has been done."""

    def __init__(self, s3: UnreliableS3, where: Environment, *, write: int, meanwhile: Callable[[], object]) -> None:
        self._s3, self._where, self._write, self._meanwhile = s3, where, write, meanwhile
        self._there, self._goes_on = threading.Event(), threading.Event()
        s3.plan = self._plan

    def __call__(self, batch: Sequence[Message]) -> list[str]:
        invocation = Invocation(self._where, batch)
        assert self._there.wait(_SECONDS), "it was to be held up at a write"
        self._meanwhile()
        self._goes_on.set()
        return invocation.failed()

    def _plan(self, request: Request) -> None:
        if request.is_write and self._s3.writes == self._write:
            self._there.set()
            assert self._goes_on.wait(_SECONDS)


@pytest.mark.parametrize(
    ("write", "after"),
    [*((write, False) for write in range(1, WRITES + 1)), (WRITES, True)],
    ids=[*(f"before write {write}" for write in range(1, WRITES + 1)), "after the last, before its answer"],
)
def test_a_process_killed_in_a_merge_loses_nothing_and_its_messages_come_again(
    pipeline: Pipeline, emulator: Endpoint, raw_bucket: Bucket, warehouse_bucket: Bucket, write: int, after: bool
) -> None:
    pipeline.tell(*put_a_day(pipeline))
    with unreliable(emulator) as s3:
        killed = Killed(s3, Environment(s3.endpoint, raw_bucket.name, warehouse_bucket.name), write=write, after=after)
        # What Lambda's own log says of it is the cause that is on record.
        assert pipeline.deliver_once(by=killed)
    pipeline.unexplained.clear()
    assert s3.writes == write
    songs, entries, days = ({row[c] for row in table_rows(pipeline, t)} for t, c in HALFWAY)
    assert entries <= songs, "an entry of a song that the tables do not know yet"
    assert days <= {row["observed_at"] for row in table_rows(pipeline, CHART_ENTRIES)}, "done, and not there"
    assert pipeline.queue.waiting() == 2


SAME_DAY = document(songs=[track("Two", popularity=99)], observed_at=OBSERVED + timedelta(hours=6))
NEXT_DAY = document(
    [csv_answer([csv_row(1, "Two"), csv_row(2, "Three")])],
    provider="charts_csv",
    chart_date=DAY + timedelta(days=1),
)
DAY_BEFORE = document(
    songs=[track("One", popularity=1)],
    chart_date=DAY - timedelta(days=1),
    observed_at=OBSERVED - timedelta(days=1),
)


@pytest.mark.parametrize("held_at", range(1, len(TABLES) + 1))
@pytest.mark.parametrize(
    ("second", "before"),
    [(SAME_DAY, ()), (SAME_DAY, (DAY_BEFORE,)), (NEXT_DAY, (DAY_BEFORE,))],
    ids=["one day, an empty warehouse", "one day", "two days"],
)
def test_of_two_transforms_at_once_neither_loses_the_others_wherever_the_first_is_held_up(
    pipeline: Pipeline,
    emulator: Endpoint,
    raw_bucket: Bucket,
    warehouse_bucket: Bucket,
    second: RawDocument,
    before: tuple[RawDocument, ...],
    held_at: int,
) -> None:
    """The second begins and ends while the first stands before one of its writes."""
    pipeline.tell(*pipeline.put(*before))
    pipeline.deliver()

    def run_the_second() -> None:
        pipeline.tell(*pipeline.put(second))
        pipeline.deliver()

    told = [
        track(name, artists=[artist(f"{name}'s artist")], album=album(f"{name}'s album")) for name in ("One", "Two")
    ]
    with unreliable(emulator) as s3:
        where = Environment(s3.endpoint, raw_bucket.name, warehouse_bucket.name)
        pipeline.tell(*pipeline.put(document(songs=told)))
        assert pipeline.deliver_once(by=HeldUp(s3, where, write=held_at, meanwhile=run_the_second))
    assert pipeline.queue.waiting() == 0
