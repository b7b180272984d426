"""import_chart: files that people drop under `inbox/` of the raw bucket, into raw documents.

S3 -> EventBridge -> SQS -> here. A message is done when the file's raw document is in the raw zone, whose own event
does the rest; or when it is on record in quarantine why there is none; or when the file is gone. A message that failed
comes again, and after the queue's number of receives lies in the dead letters.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache

import boto3
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.adapters.environment import read_environment
from lambdas.core.adapters.logs import configure_logs
from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.adapters.s3 import PATIENCE, S3Store
from lambdas.core.documents import UNREADABLE_JSON
from lambdas.core.errors import InvalidKey
from lambdas.core.events import Batch, BatchAnswer, Message, decode_event
from lambdas.core.inbox import Inbox
from lambdas.core.metrics import QUARANTINED_DOCUMENTS, MetricSink

_log = logging.getLogger("import_chart")


class Environment(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """The function's environment variables."""

    stage: str
    raw_bucket: str
    code_version: str = "unknown"
    log_level: str = "INFO"


@dataclass
class Processed:
    """What became of a batch: the ids of messages that failed, and how many files are in quarantine."""

    failed: list[str] = field(default_factory=list)
    quarantined: int = 0


@cache
def _opened() -> tuple[Inbox, MetricSink]:
    environment = read_environment(Environment, os.environ)
    configure_logs(environment.log_level)
    store = S3Store(boto3.client("s3", config=PATIENCE), environment.raw_bucket)
    return Inbox(store, code_version=environment.code_version), EmfMetrics(environment.stage)


def handler(event: Batch, context: object) -> BatchAnswer:  # noqa: ARG001 - Lambda's signature
    """Import the files that the batch's messages name."""
    inbox, metrics = _opened()
    processed = process(event["Records"], inbox)
    if processed.quarantined:  # what came in well is measured where it is loaded
        metrics.emit({QUARANTINED_DOCUMENTS: processed.quarantined})
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in processed.failed]}


def process(messages: Sequence[Message], inbox: Inbox) -> Processed:
    """Import the files that the messages name, each for itself."""
    processed = Processed()
    for message in messages:
        identifier = message["messageId"]
        try:
            key = decode_event(message["body"]).key
        except UNREADABLE_JSON as error:
            _log.error("a message is no S3 event", extra={"message_id": identifier, "reason": str(error)})
            processed.failed.append(identifier)
            continue
        if not _take(key, inbox, processed):
            processed.failed.append(identifier)
    return processed


def _take(key: str, inbox: Inbox, processed: Processed) -> bool:
    """Import one file; False if its message is to come again. Trouble with one, of whatever kind, holds up no other."""
    try:
        taken = inbox.take(key)
    except (InvalidKey, BotoCoreError, ClientError) as error:
        _log.error("a file could not be imported", extra={"key": key, "reason": str(error)})
        return False
    except Exception as error:  # noqa: BLE001 - logged with its traceback, and its message comes again
        _log.exception("a file could not be imported", extra={"key": key, "reason": str(error)})
        return False
    if taken.outcome == "quarantined":
        processed.quarantined += 1
        _log.warning("quarantined", extra={"key": key, "reason": taken.reason})
    else:
        _log.info("imported" if taken.raw_key else "nothing to import", extra={"key": key} | asdict(taken))
    return True
