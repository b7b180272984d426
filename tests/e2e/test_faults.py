"""Faults that need the deployed queue, rule and function: what tests/faults does with the code alone, done to a stage.

The stage is shared with other tests, so what is checked is what is told of this file's own charts and songs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambdas.core import documents, parquet
from lambdas.core.documents import RawDocument
from lambdas.core.events import decode_event, encode_event
from lambdas.core.keys import QUARANTINE_PREFIX, RAW_PREFIX, dimension_key, quarantine_key
from lambdas.core.schema import DIMENSIONS, SNAPSHOTS
from local.emulator import lifecycle
from tests.documents import OBSERVED, album, artist, document, track
from tests.e2e.conftest import Etl
from tests.e2e.secure_stage import SecureStage, eventually
from tests.fakes import MemoryStore
from tests.faults.check import Evidence, Expected, check_survival, tables_of
from tests.faults.pipeline import contents, messages_in, received_from
from tests.faults.unreliable_s3 import at_write, unreliable
from tests.tables import read_table

pytestmark = pytest.mark.e2e

NEXT = "fault-next"


@dataclass
class Deployed:
    """The stage's pipeline, as far as a test's own documents go through it. S3 tells of what comes in by itself."""

    stage: SecureStage
    expected: Expected = field(default_factory=Expected)

    @property
    def queue(self) -> str:
        return self.stage.physical("TransformQueue")

    @property
    def dead_letters(self) -> str:
        return self.stage.physical("TransformQueueDeadLettersQueue")

    def put(self, *held: RawDocument) -> list[str]:
        for told in held:
            self.stage.store("RawBucket").put_new(told.key, documents.encode(told))
            self.expected.good[told.key] = told
        return [told.key for told in held]

    def put_bad(self, key: str, body: bytes, words: str) -> str:
        """Store an object that will have to be in quarantine."""
        self.stage.store("RawBucket").put_new(key, body)
        self.expected.bad[key] = words
        self.expected.bodies[key] = body
        return key

    def tell(self, *keys: str) -> None:
        pass

    def tell_again(self, *keys: str) -> None:
        """Send the events of objects once more, as a queue may."""
        for key in keys:
            event = encode_event(bucket=self.stage.physical("RawBucket"), key=key)
            self.stage.sqs.send_message(QueueUrl=self.queue, MessageBody=event)

    def deliver(self) -> None:
        """Wait until every document is in the tables or in quarantine, every hopeless message dead, and none waits."""
        eventually(self._settled, what="all that came in is in the tables, in quarantine or in the dead letters")

    def _settled(self) -> bool:
        records = {quarantine_key(key) for key in self.expected.bad}
        return (
            messages_in(self.stage.sqs, self.queue) == 0
            and messages_in(self.stage.sqs, self.dead_letters) == len(self.expected.hopeless)
            and records <= set(self.stage.keys("RawBucket", QUARANTINE_PREFIX))
            and self._told() >= self.expected.good.keys()
        )

    def _told(self) -> set[str]:
        store = MemoryStore()
        store.objects = self._objects_of_own_charts()
        return {row["raw_key"] for row in read_table(store, SNAPSHOTS)}

    @property
    def _charts(self) -> set[str]:
        return {told.chart for told in self.expected.good.values()}

    def _objects_of_own_charts(self) -> dict[str, bytes]:
        held = contents(self.stage.store("WarehouseBucket"))
        return {key: body for key, body in held.items() if key.endswith(tuple(f"/{c}.parquet" for c in self._charts))}

    def evidence(self) -> Evidence:
        raw = contents(self.stage.store("RawBucket"))
        own = self.expected.good.keys() | self.expected.bodies.keys() | {quarantine_key(k) for k in self.expected.bad}
        own |= {key for key in raw if key.startswith(RAW_PREFIX) and _chart_of(key) in self._charts - {NEXT}}
        found = received_from(self.stage.sqs, self.dead_letters, most=10)
        for received in found:
            self.stage.sqs.change_message_visibility(
                QueueUrl=self.dead_letters, ReceiptHandle=received.receipt, VisibilityTimeout=0
            )
        return Evidence(
            raw={key: body for key, body in raw.items() if key in own},
            tables=self._objects_of_own_charts() | self._own_rows_of_dimensions(),
            waiting=messages_in(self.stage.sqs, self.queue),
            dead_letters=[received.message["body"] for received in found],
            log=self.log(),
            unexplained=[],
        )

    def _own_rows_of_dimensions(self) -> dict[str, bytes]:
        """The dimensions without the rows that only other tests' documents tell."""
        whole, held = tables_of(self.expected), self.stage.store("WarehouseBucket")
        own: dict[str, bytes] = {}
        for table in DIMENSIONS:
            key = dimension_key(table)
            if key not in whole:
                continue
            names = {row[0] for row in parquet.rows_of(table, parquet.decode(table, whole[key], name=key))}
            stored = held.get(key)
            assert stored is not None, f"{key} is gone"
            rows = parquet.rows_of(table, parquet.decode(table, stored.body, name=key))
            own[key] = parquet.encode(parquet.batch_of(table, [row for row in rows if row[0] in names]))
        return own

    def log(self) -> list[str]:
        """The transform's own log, and what the service says of its invocations."""
        logs = self.stage.endpoint.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=self.stage.physical("TransformLogs"))
        own = [event["message"] for page in pages for event in page["events"]]
        return own + self.stage.endpoint.log.read_text("utf-8", errors="replace").splitlines()

    @contextmanager
    def impatient(self, seconds: int) -> Iterator[None]:
        """For a while a message that failed comes again after so many seconds, where it is 12 minutes else."""
        held = self.stage.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["VisibilityTimeout"])
        self.stage.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"VisibilityTimeout": str(seconds)})
        try:
            yield
        finally:
            self.stage.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes=held["Attributes"])


def _chart_of(key: str) -> str:
    return key.split("/")[1].removeprefix("chart=")


@pytest.fixture
def pipeline(etl: Etl) -> Iterator[Deployed]:
    """The stage's pipeline; after the test everything is checked that tests/faults checks."""
    endpoint = lifecycle.running(etl.state)
    assert endpoint is not None
    pipeline = Deployed(SecureStage(endpoint))
    yield pipeline
    try:
        check_survival(pipeline, charts=[NEXT])
    finally:
        pipeline.stage.sqs.purge_queue(QueueUrl=pipeline.dead_letters)


def of(chart: str, *names: str) -> RawDocument:
    """A document of a chart, and of songs, an album and an artist that no other test has."""
    return document(
        chart=chart,
        songs=[track(f"{chart} {name}", album=album(f"{chart} album"), artists=[artist(chart)]) for name in names],
    )


def bad_key(chart: str) -> str:
    return document(chart=chart, observed_at=OBSERVED.replace(second=30)).key


def test_an_event_that_the_queue_delivers_many_times_changes_no_byte(pipeline: Deployed) -> None:
    keys = pipeline.put(of("fault-twice", "One", "Two"))
    pipeline.deliver()
    before = contents(pipeline.stage.store("WarehouseBucket"))
    pipeline.tell_again(*keys * 20)
    pipeline.deliver()
    assert contents(pipeline.stage.store("WarehouseBucket")) == before


def test_s3s_test_event_lies_in_the_dead_letters_after_five_receives_and_holds_up_no_document(
    pipeline: Deployed,
) -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "raw"})
    pipeline.expected.hopeless[body] = "a message is no S3 event"
    with pipeline.impatient(1):
        pipeline.stage.sqs.send_message(QueueUrl=pipeline.queue, MessageBody=body)
        pipeline.put(of("fault-test-event", "One"))
        pipeline.deliver()


def test_nothing_that_the_transform_writes_comes_back_to_it_as_an_event(pipeline: Deployed) -> None:
    """A second queue behind the rule that calls the transform sees what the rule lets through."""
    events, sqs = pipeline.stage.endpoint.client("events"), pipeline.stage.sqs
    seen = sqs.create_queue(QueueName="fault-seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=seen, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = pipeline.stage.physical("RawDocumentCreated")
    events.put_targets(Rule=rule, Targets=[{"Id": "seen", "Arn": arn}])
    try:
        first = pipeline.put(of("fault-recursion", "One"))
        bad = pipeline.put_bad(bad_key("fault-recursion"), b"rubbish", "not gzip")
        pipeline.deliver()
        last = pipeline.put(of("fault-recursion-2", "Two"))
        pipeline.deliver()
        told: list[str] = []

        def all_are_told() -> bool:
            told.extend(decode_event(each.message["body"]).key for each in received_from(sqs, seen, most=10))
            return last[0] in told

        eventually(all_are_told, what="the rule has told of the last document")
        assert sorted(told) == sorted([*first, bad, *last])
    finally:
        events.remove_targets(Rule=rule, Ids=["seen"])
        sqs.delete_queue(QueueUrl=seen)


def test_a_function_that_times_out_in_a_merge_loses_nothing_and_its_messages_come_again(pipeline: Deployed) -> None:
    """S3 carries out the fifth of six writes, a chart's entries, and never says so."""
    functions, name = pipeline.stage.functions, pipeline.stage.physical("TransformFunction")
    held: dict[str, Any] = functions.get_function_configuration(FunctionName=name)
    with unreliable(pipeline.stage.endpoint) as s3, pipeline.impatient(8):
        s3.plan = at_write(5, "done, then silent")
        variables = held["Environment"]["Variables"] | {"AWS_ENDPOINT_URL_S3": s3.endpoint.url}
        functions.update_function_configuration(FunctionName=name, Timeout=4, Environment={"Variables": variables})
        try:
            pipeline.put(of("fault-timeout", "One", "Two"))
            eventually(lambda: s3.writes == 5, what="the function is in the middle of its merge")
            snapshots = "snapshots/year=2026/fault-timeout.parquet"
            assert snapshots not in pipeline.stage.keys("WarehouseBucket", "snapshots/")
            pipeline.deliver()
        finally:
            functions.update_function_configuration(
                FunctionName=name, Timeout=held["Timeout"], Environment=held["Environment"]
            )
    assert any("Task timed out after 4" in line for line in pipeline.log())
    assert s3.writes >= 6
