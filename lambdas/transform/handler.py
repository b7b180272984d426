"""transform: raw documents and cached answers into the warehouse's tables.

S3 -> EventBridge -> SQS -> here, in batches. A message is done when its day or its song is in the tables, or its
document is on record in quarantine; messages that failed are named in the answer, come again, and after the queue's
number of receives lie in the dead letters.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache

import boto3
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.adapters.environment import read_environment
from lambdas.core.adapters.logs import configure_logs
from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.adapters.s3 import PATIENCE, S3Store
from lambdas.core.documents import UNREADABLE_JSON
from lambdas.core.errors import InvalidKey, PipelineError
from lambdas.core.events import Batch, BatchAnswer, Message, decode_event
from lambdas.core.gates import STRAY
from lambdas.core.keys import CACHED_SONGS_PREFIX, RawKey, parse_cached_song_key, parse_raw_key
from lambdas.core.metrics import CHART_ENTRIES, DOCUMENTS_LOADED, NEW_SONGS, QUARANTINED_DOCUMENTS, Metric, MetricSink
from lambdas.core.warehouse import Gathered, LoadReport, Warehouse, group_by_chart_year

_log = logging.getLogger("transform")


class Environment(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """The function's environment variables."""

    stage: str
    raw_bucket: str
    warehouse_bucket: str
    code_version: str = "unknown"
    log_level: str = "INFO"


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
    client = boto3.client("s3", config=PATIENCE)
    warehouse = Warehouse(
        raw=S3Store(client, environment.raw_bucket),
        tables=S3Store(client, environment.warehouse_bucket),
        code_version=environment.code_version,
    )
    return warehouse, EmfMetrics(environment.stage)


def handler(event: Batch, context: object) -> BatchAnswer:  # noqa: ARG001 - Lambda's signature
    """Load the days and the songs that the batch's messages name."""
    warehouse, metrics = _opened()
    processed = process(event["Records"], warehouse)
    metrics.emit(processed.metrics)
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in processed.failed]}


def process(messages: Sequence[Message], warehouse: Warehouse) -> Processed:
    """Load the days that the messages name, grouped by chart and year, and the songs, all at once.

    What the documents of all charts say of songs, albums and artists is merged first, and once: a dimension is one
    object, and the dearest of a batch's writes.
    """
    processed = Processed()
    by_key: dict[RawKey, list[str]] = {}
    by_song: dict[str, list[str]] = {}
    for message in messages:
        identifier = message["messageId"]
        try:
            event = decode_event(message["body"])
        except UNREADABLE_JSON as error:
            _log.error("a message is no S3 event", extra={"message_id": identifier, "reason": str(error)})
            processed.failed.append(identifier)
            continue
        key = event.key
        try:
            if key.startswith(CACHED_SONGS_PREFIX):
                by_song.setdefault(parse_cached_song_key(key), []).append(identifier)
            else:
                by_key.setdefault(parse_raw_key(key), []).append(identifier)
        except InvalidKey as error:
            if _quarantine(warehouse, key, STRAY.say(error), version_id=event.version_id):
                processed.quarantined += 1
            else:
                processed.failed.append(identifier)
    try:
        gathered = _gather(warehouse, by_key.keys(), processed)
    except (PipelineError, BotoCoreError, ClientError) as error:
        _log.error("no chart could be loaded", extra={"reason": str(error)})
        processed.failed += [identifier for identifiers in by_key.values() for identifier in identifiers]
        by_key.clear()
        gathered = None
    for (chart, year), dates in group_by_chart_year(by_key).items():
        unloaded = _load(warehouse, chart, year, dates, processed, gathered)
        processed.failed += [
            identifier
            for key, identifiers in by_key.items()
            if key.chart == chart and key.chart_date in unloaded
            for identifier in identifiers
        ]
    unloaded_songs = _load_songs(warehouse, by_song.keys(), processed)
    processed.failed += [identifier for song_id in unloaded_songs for identifier in by_song[song_id]]
    return processed


def _quarantine(warehouse: Warehouse, key: str, reason: str, *, version_id: str | None) -> bool:
    """Put a stray object on record; False if S3 refuses."""
    try:
        warehouse.quarantine(key, reason, version_id=version_id)
    except (BotoCoreError, ClientError) as error:
        _log.error("an object could not be put on record", extra={"key": key, "reason": f"{reason}: {error}"})
        return False
    _log.warning("quarantined", extra={"key": key, "reason": reason})
    return True


def _gather(warehouse: Warehouse, keys: Collection[RawKey], processed: Processed) -> Gathered | None:
    """Read the documents of all charts; None if a defect of ours prevents it: then each chart is loaded by itself.

    Raises PipelineError, BotoCoreError or ClientError if a dimension cannot be written, which holds for every chart.
    """
    try:
        gathered = warehouse.gather(keys)
    except (PipelineError, BotoCoreError, ClientError):
        raise
    except Exception as error:  # noqa: BLE001 - logged with its traceback, and the load that it is of ends with it again
        _log.exception("a batch could not be read at once", extra={"reason": str(error)})
        return None
    _count(gathered.report, processed, "gathered", {})
    return gathered


def _load(
    warehouse: Warehouse, chart: str, year: int, dates: set[date], processed: Processed, gathered: Gathered | None
) -> set[date]:
    """Load the dates; those that failed. Trouble of one chart, of whatever kind, never holds up the others."""
    try:
        report = warehouse.load(chart, year, dates, gathered=gathered)
    except (PipelineError, BotoCoreError, ClientError) as error:
        _log.error("a chart could not be loaded", extra={"chart": chart, "year": year, "reason": str(error)})
        return dates
    except Exception as error:  # noqa: BLE001 - logged with its traceback, and its messages come again
        # A defect of ours that one document brings out: the other days of its batch are loaded without it.
        _log.exception("a chart could not be loaded", extra={"chart": chart, "year": year, "reason": str(error)})
        if len(dates) == 1:
            return dates
        return {day for day in dates if _load(warehouse, chart, year, {day}, processed, gathered)}
    _count(report, processed, "loaded", {"chart": chart, "year": year})
    return set()


def _load_songs(warehouse: Warehouse, song_ids: Collection[str], processed: Processed) -> list[str]:
    """Load the songs' cached answers; those that failed."""
    if not song_ids:
        return []
    try:
        report = warehouse.load_songs(song_ids)
    except (PipelineError, BotoCoreError, ClientError) as error:
        _log.error("songs could not be loaded", extra={"songs": sorted(song_ids), "reason": str(error)})
        return sorted(song_ids)
    except Exception as error:  # noqa: BLE001 - as for a day: one answer's defect never holds up the others
        _log.exception("songs could not be loaded", extra={"songs": sorted(song_ids), "reason": str(error)})
        if len(song_ids) == 1:
            return list(song_ids)
        return [failed for song_id in sorted(song_ids) for failed in _load_songs(warehouse, {song_id}, processed)]
    _count(report, processed, "loaded", {"songs": len(song_ids)})
    return []


def _count(report: LoadReport, processed: Processed, done: str, what: Mapping[str, object]) -> None:
    processed.add(report)
    for key, reason in report.quarantined.items():
        _log.warning("quarantined", extra={"key": key, "reason": reason})
    _log.info(done, extra={**what, **asdict(report)})
