"""S3 that refuses, is silent, loses its answers; objects of the warehouse that are gone or are none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore import endpoint as botocore_endpoint
from botocore.config import Config

from lambdas.core.adapters.s3 import PATIENCE, S3Store
from lambdas.core.events import encode_event
from lambdas.core.keys import chart_year_key, dimension_key
from lambdas.core.schema import TABLES, Table
from local.emulator.lifecycle import Endpoint
from tests.documents import CHART, DAY, OBSERVED, document, track
from tests.faults.check import check
from tests.faults.pipeline import RECEIVES, Bucket, Pipeline
from tests.faults.unreliable_s3 import Fault, Request, UnreliableS3, always, at_write, first, unreliable, well

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

ATTEMPTS = 4
PASSING: tuple[Fault, ...] = ("503 SlowDown", "500 InternalError", "dropped", "silent")
SAID = {
    "503 SlowDown": "SlowDown",
    "500 InternalError": "InternalError",
    "dropped": "Connection was closed before we received a valid response",
    "silent": "Read timeout",
}


@pytest.fixture(scope="module")
def bad_day(emulator: Endpoint) -> Iterator[tuple[UnreliableS3, S3Client]]:
    """An S3 that can be made to misbehave, and a client that asks it as the function does, but for less patience."""
    with unreliable(emulator) as s3:
        client = boto3.client(
            "s3",
            endpoint_url=s3.endpoint.url,
            region_name=emulator.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=PATIENCE.merge(Config(read_timeout=0.3, proxies={})),
        )
        yield s3, client


@pytest.fixture
def s3(
    bad_day: tuple[UnreliableS3, S3Client],
    pipeline: Pipeline,
    raw_bucket: Bucket,
    warehouse_bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[UnreliableS3]:
    """What the pipeline asks in place of S3: well, until a test has other plans. Waits take no time."""
    monkeypatch.setattr(botocore_endpoint, "time", SimpleNamespace(sleep=lambda _: None))
    s3, client = bad_day
    s3.requests.clear()
    pipeline.raw, pipeline.tables = S3Store(client, raw_bucket.name), S3Store(client, warehouse_bucket.name)
    yield s3
    s3.plan = well


def put_two_days(pipeline: Pipeline) -> list[str]:
    return pipeline.put(
        document(songs=[track("One"), track("Two")]),
        document(songs=[track("Two")], chart_date=DAY + timedelta(days=1), observed_at=OBSERVED + timedelta(days=1)),
    )


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_trouble_that_passes_is_waited_out_and_no_message_comes_again(
    pipeline: Pipeline, s3: UnreliableS3, fault: Fault, method: str
) -> None:
    keys = put_two_days(pipeline)
    pipeline.tell(*keys)
    trouble = first(ATTEMPTS - 1, fault)
    s3.plan = lambda request: trouble(request) if request.method == method else None
    pipeline.deliver()
    assert pipeline.receives == len(keys)


@pytest.mark.parametrize("fault", PASSING)
def test_trouble_that_lasts_is_told_with_its_cause_and_the_messages_come_again_until_s3_is_well(
    pipeline: Pipeline, s3: UnreliableS3, fault: Fault
) -> None:
    keys = put_two_days(pipeline)
    pipeline.tell(*keys)
    s3.plan = always(fault)
    assert pipeline.deliver_once()
    assert len(s3.requests) > ATTEMPTS
    assert any("a chart could not be loaded" in line and SAID[fault] in line for line in pipeline.log.lines)
    s3.plan = well
    pipeline.deliver()
    assert pipeline.receives == 2 * len(keys)


def test_trouble_that_outlasts_the_queue_ends_in_the_dead_letters_and_a_replay_loads_what_lies_there(
    pipeline: Pipeline, s3: UnreliableS3
) -> None:
    keys = put_two_days(pipeline)
    told = dict(pipeline.expected.good)
    pipeline.tell(*keys)
    s3.plan = lambda request: "503 SlowDown" if "chart_entries" in request.path else None
    pipeline.deliver()
    s3.plan = well
    assert pipeline.receives == len(keys) * RECEIVES
    # What is in the dead letters is not yet in the tables: the check is told so, and then that it has been replayed.
    pipeline.expected.good.clear()
    pipeline.expected.hopeless |= {encode_event(bucket="raw", key=key): "SlowDown" for key in keys}
    assert sorted(pipeline.queue.dead_letters()) == sorted(pipeline.expected.hopeless)
    pipeline.expected.good |= told
    pipeline.tell(*keys)
    pipeline.deliver()
    check(pipeline.expected, pipeline.evidence())


@pytest.mark.parametrize(
    ("write", "fault"),
    [*((write, "done, then dropped") for write in range(1, len(TABLES) + 1)), (len(TABLES), "done, then silent")],
)
def test_a_write_whose_answer_is_lost_is_recognised_as_done(
    pipeline: Pipeline, s3: UnreliableS3, warehouse_bucket: Bucket, write: int, fault: Fault
) -> None:
    """The client tries again, and is told that the object has changed: it is its own write that it meets."""
    keys = put_two_days(pipeline)
    s3.plan = at_write(write, fault)
    pipeline.tell(*keys)
    pipeline.deliver()
    assert pipeline.receives == len(keys)
    for table in TABLES:
        assert len(warehouse_bucket.versions(object_of(table))) == 1, table.name


@pytest.mark.parametrize("read", range(1, 5))
def test_an_answer_that_is_cut_off_is_never_taken_for_an_object(
    pipeline: Pipeline, s3: UnreliableS3, read: int
) -> None:
    """Any of the first four reads of the warehouse: half an object is no object."""
    keys = put_two_days(pipeline)
    pipeline.tell(keys[0])
    pipeline.deliver()
    reads = iter(range(1, 1_000))

    def cut(request: Request) -> Fault | None:
        return "cut off" if ".parquet" in request.path and request.method == "GET" and next(reads) == read else None

    s3.plan = cut
    pipeline.tell(keys[1])
    pipeline.deliver()
    assert pipeline.receives == 3
    assert pipeline.log.tracebacks == 0


def object_of(table: Table) -> str:
    return chart_year_key(table, CHART, DAY.year) if table.by_year else dimension_key(table)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("damage", ["rubbish", "half of it"])
def test_an_object_of_the_warehouse_that_is_not_parquet_is_never_overwritten_and_told_by_its_name_until_it_is_restored(
    pipeline: Pipeline, warehouse_bucket: Bucket, table: Table, damage: str
) -> None:
    keys = put_two_days(pipeline)
    pipeline.tell(keys[0])
    pipeline.deliver()
    whole = warehouse_bucket.versions(object_of(table))[0]
    warehouse_bucket.overwrite(object_of(table), b"rubbish" if damage == "rubbish" else whole[: len(whole) // 2])
    pipeline.tell(keys[1])
    assert pipeline.deliver_once()
    held_up = "a chart" if table.by_year else "no chart"
    assert any(f"{held_up} could" in line and object_of(table) in line for line in pipeline.log.lines)
    assert len(warehouse_bucket.versions(object_of(table))) == 2
    warehouse_bucket.restore(object_of(table))


@pytest.mark.parametrize("table", [table for table in TABLES if table.by_year], ids=lambda table: table.name)
def test_a_year_of_a_chart_that_is_missing_is_made_anew_from_all_its_documents_by_the_next_load(
    pipeline: Pipeline, warehouse_bucket: Bucket, table: Table
) -> None:
    keys = put_two_days(pipeline)
    pipeline.tell(keys[0])
    pipeline.deliver()
    warehouse_bucket.delete(object_of(table))
    pipeline.tell(keys[1])
    pipeline.deliver()


@pytest.mark.parametrize("table", [table for table in TABLES if not table.by_year], ids=lambda table: table.name)
def test_a_dimension_that_is_missing_is_whole_again_once_all_documents_are_told_of_again(
    pipeline: Pipeline, warehouse_bucket: Bucket, table: Table
) -> None:
    keys = put_two_days(pipeline)
    pipeline.tell(*keys)
    pipeline.deliver()
    warehouse_bucket.delete(object_of(table))
    pipeline.tell(*keys)
