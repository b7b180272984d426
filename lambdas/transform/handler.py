"""transform: raw documents into the warehouse's tables.

S3 -> EventBridge -> SQS -> here, in batches. A message is done when its day is in the tables, or its document is on
record in quarantine; messages that failed are named in the answer, come again, and after the queue's number of receives
lie in the dead letters.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TypedDict

import boto3
import msgspec

from lambdas.core.adapters.environment import read_environment
from lambdas.core.adapters.logs import configure_logs
from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.adapters.s3 import S3Store
from lambdas.core.errors import InvalidKey, PipelineError
from lambdas.core.keys import RawKey, parse_raw_key
from lambdas.core.metrics import CHART_ENTRIES, DOCUMENTS_LOADED, NEW_SONGS, QUARANTINED_DOCUMENTS, Metric, MetricSink
from lambdas.core.warehouse import LoadReport, Warehouse, group_by_chart_year

_log = logging.getLogger("transform")


class Environment(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """The function's environment variables."""

    stage: str
    raw_bucket: str
    warehouse_bucket: str
    code_version: str = "unknown"
    log_level: str = "INFO"


class _Object(msgspec.Struct, frozen=True):
    key: str


class _Bucket(msgspec.Struct, frozen=True):
    name: str


class _Detail(msgspec.Struct, frozen=True):
    bucket: _Bucket
    object: _Object


class ObjectCreated(msgspec.Struct, frozen=True):
    """EventBridge's "Object Created" of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.

    Keys are as they are in the bucket, not URL-encoded as in S3's own notifications.
    """

    detail: _Detail


class Message(TypedDict):
    """An SQS message, as far as it is read here."""

    messageId: str
    body: str


class Batch(TypedDict):
    """What the event source hands over."""

    Records: list[Message]


class Failure(TypedDict):
    """A message that is to come again."""

    itemIdentifier: str


class BatchAnswer(TypedDict):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting."""

    batchItemFailures: list[Failure]


@dataclass
class Processed:
    """What became of a batch: the ids of messages that failed, and what the loads that succeeded did in all."""

    failed: list[str] = field(default_factory=list)
    documents: int = 0
    entries: int = 0
    new_songs: int = 0
    quarantined: int = 0

    def add(self, report: LoadReport) -> None:
        """Count one load in."""
        self.documents += report.documents
        self.entries += report.entries
        self.new_songs += report.new_songs
        self.quarantined += len(report.quarantined)

    @property
    def metrics(self) -> dict[Metric, float]:
        """The batch's measurements."""
        return {
            DOCUMENTS_LOADED: self.documents,
            CHART_ENTRIES: self.entries,
            NEW_SONGS: self.new_songs,
            QUARANTINED_DOCUMENTS: self.quarantined,
        }


@cache
def _opened() -> tuple[Warehouse, MetricSink]:
    environment = read_environment(Environment, os.environ)
    configure_logs(environment.log_level)
    client = boto3.client("s3")
    warehouse = Warehouse(
        raw=S3Store(client, environment.raw_bucket),
        tables=S3Store(client, environment.warehouse_bucket),
        code_version=environment.code_version,
    )
    return warehouse, EmfMetrics(environment.stage)


def handler(event: Batch, context: object) -> BatchAnswer:  # noqa: ARG001 - Lambda's signature
    """Load the days that the batch's messages name."""
    warehouse, metrics = _opened()
    processed = process(event["Records"], warehouse)
    metrics.emit(processed.metrics)
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in processed.failed]}


def process(messages: Sequence[Message], warehouse: Warehouse) -> Processed:
    """Load the days that the messages name, grouped by chart and year."""
    processed = Processed()
    by_key: dict[RawKey, list[str]] = {}
    for message in messages:
        identifier = message["messageId"]
        try:
            key = msgspec.json.decode(message["body"], type=ObjectCreated).detail.object.key
        except msgspec.DecodeError as error:
            _log.error("a message is no S3 event", extra={"message_id": identifier, "reason": str(error)})
            processed.failed.append(identifier)
            continue
        try:
            by_key.setdefault(parse_raw_key(key), []).append(identifier)
        except InvalidKey as error:
            warehouse.quarantine(key, str(error))
            processed.quarantined += 1
            _log.warning("quarantined", extra={"key": key, "reason": str(error)})
    for (chart, year), dates in group_by_chart_year(by_key).items():
        try:
            report = warehouse.load(chart, year, dates)
        except Exception as error:  # noqa: BLE001 - one chart's trouble, of whatever kind, must not hold up the others
            expected = isinstance(error, PipelineError)
            _log.error(
                "a chart could not be loaded",
                extra={"chart": chart, "year": year, "reason": str(error)},
                exc_info=not expected,
            )
            processed.failed += [
                identifier
                for key, identifiers in by_key.items()
                if (key.chart, key.chart_date.year) == (chart, year)
                for identifier in identifiers
            ]
            continue
        processed.add(report)
        for bad, reason in report.quarantined.items():
            _log.warning("quarantined", extra={"key": bad, "reason": reason})
        _log.info("loaded", extra={"chart": chart, "year": year} | asdict(report))
    return processed
