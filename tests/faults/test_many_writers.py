"""Twenty functions at once on the same objects: conditional writes lose nothing, and the queue keeps what they cannot.

    pytest tests/faults/test_many_writers.py --merges 2000

is the size to judge by; without it a small part of that runs, for continuous integration.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import pytest

from lambdas.core.documents import RawDocument
from lambdas.core.warehouse import MAX_ATTEMPTS
from local.emulator.lifecycle import Endpoint
from tests.documents import album, artist, document, track
from tests.faults.pipeline import Bucket, Pipeline, SqsQueue
from tests.faults.processes import Environment, Work, writers
from tests.faults.unreliable_s3 import unreliable

WRITERS = 20
CHARTS = 4
"""So few that writers meet on the objects of charts too; on the dimensions all of them meet."""
_SECONDS_A_MERGE = 1.5


def many_documents(number: int) -> list[RawDocument]:
    """Days of a few charts, some told twice, of songs that all charts share and each document tells differently."""
    first, seen = date(2025, 1, 1), datetime(2025, 1, 2, tzinfo=UTC)
    return [
        document(
            chart=f"chart-{n % CHARTS}",
            chart_date=first + timedelta(days=(n // CHARTS) % 365),
            # In no order, so that of a song's many tellings the newest comes at any time.
            observed_at=seen + timedelta(minutes=n * 7919 % 100_003),
            songs=[
                track(
                    f"Song {(n * 3 + place) % 40}",
                    popularity=(n + place) % 100,
                    album=album(f"Album {(n + place) % 13}", total_tracks=n % 20),
                    artists=[artist(f"Artist {(n * place + other) % 17}") for other in range(1 + n % 3)],
                )
                for place in range(5)
            ],
        )
        for n in range(number)
    ]


@pytest.mark.timeout(0)  # it has a deadline of its own, which grows with the merges
def test_twenty_writers_at_once_lose_no_update_and_tell_nothing_twice(
    pipeline: Pipeline,
    emulator: Endpoint,
    raw_bucket: Bucket,
    warehouse_bucket: Bucket,
    queue: SqsQueue,
    merges: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = many_documents(merges)
    pipeline.tell(*pipeline.put(*told))
    assert len(pipeline.expected.good) == merges
    where = Environment(emulator, raw_bucket.name, warehouse_bucket.name)
    began = time.monotonic()
    deadline = began + 60 + merges * _SECONDS_A_MERGE
    with writers(WRITERS, where, queue.url) as answers:
        done: list[Work] = []
        for answer in answers:
            assert answer.poll(max(0.0, deadline - time.monotonic())), "a writer does not end"
            done.append(answer.recv())
    seconds = time.monotonic() - began
    conflicts, returned = sum(work.conflicts for work in done), sum(work.returned for work in done)
    with capsys.disabled():
        print(
            f"\n{WRITERS} writers: {sum(work.merges for work in done):,} merges in {seconds:.0f} s, {conflicts:,} "
            f"writes lost and made again, {returned:,} messages back to the queue"
        )
    assert sum(work.merges for work in done) == merges
    assert conflicts > merges / 4, "the writers have hardly met: this proves nothing"


@pytest.mark.parametrize("contested", ["songs/songs.parquet", "chart_entries/year=2025/chart-0.parquet"])
def test_a_writer_that_always_loses_gives_its_message_back_and_it_is_loaded_when_the_others_are_done(
    pipeline: Pipeline, emulator: Endpoint, warehouse_bucket: Bucket, contested: str
) -> None:
    """As if others had written before each of its writes of one object: the bound on its attempts is met."""
    first, second = pipeline.put(*many_documents(CHARTS + 1)[::CHARTS])
    pipeline.tell(first)
    pipeline.deliver()
    with unreliable(emulator) as s3:
        s3.plan = lambda request: "412 PreconditionFailed" if request.is_write and contested in request.path else None
        pipeline.tables = warehouse_bucket.at(s3.endpoint)
        pipeline.tell(second)
        assert pipeline.deliver_once()
    pipeline.tables = warehouse_bucket.store
    assert sum(request.is_write and contested in request.path for request in s3.requests) == MAX_ATTEMPTS
    assert any(f"{contested}: {MAX_ATTEMPTS} attempts lost to other writers" in line for line in pipeline.log.lines)
    assert pipeline.queue.waiting() == 1
