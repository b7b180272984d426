"""The pipeline's own code over real buckets and a real queue, delivered message by message under a test's hands.

What stands between S3 and the function on AWS (EventBridge, the event source) is here a loop that does what they do: a
message that is done is deleted, one that failed comes again, and lies in the dead letters after five receives.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from cli.importing import Choices, FileOutcome, import_files
from lambdas.core import documents
from lambdas.core.adapters.s3 import S3Store
from lambdas.core.documents import RawDocument
from lambdas.core.events import Message, encode_event
from lambdas.core.keys import RAW_PREFIX
from lambdas.core.store import ObjectStore
from lambdas.core.warehouse import Warehouse
from lambdas.transform.handler import process
from tests.fakes import MemoryStore
from tests.faults.check import NOW, Evidence, Expected

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

    from local.emulator.lifecycle import Endpoint

RECEIVES = 5
"""After so many a message lies in the dead letters, as stacks/constructs/queue.py has it."""
_BATCH = 10
"""The most that SQS hands over at once; the event source of a stage gathers several of these."""

Transform: TypeAlias = Callable[[Sequence[Message]], list[str]]
"""What is done with a batch; the ids of the messages that failed."""


@dataclass(frozen=True)
class Received:
    """A message, and what SQS wants to be told to know it again."""

    message: Message
    receipt: str


class Queue(Protocol):
    """The transform's queue."""

    def send(self, body: str) -> None: ...

    def receive(self) -> list[Received]: ...

    def done(self, received: Received) -> None: ...

    def again(self, received: Received) -> None: ...

    def waiting(self) -> int: ...

    def dead_letters(self) -> list[str]: ...


class SqsQueue:
    """A queue with dead letters, on SQS's API."""

    def __init__(self, sqs: SQSClient, name: str) -> None:
        self._sqs = sqs
        self.dead_letters_url = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        told = sqs.get_queue_attributes(QueueUrl=self.dead_letters_url, AttributeNames=["QueueArn"])["Attributes"]
        redrive = {"deadLetterTargetArn": told["QueueArn"], "maxReceiveCount": RECEIVES}
        self.url = sqs.create_queue(
            QueueName=name, Attributes={"VisibilityTimeout": "600", "RedrivePolicy": json.dumps(redrive)}
        )["QueueUrl"]

    def send(self, body: str) -> None:
        self._sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def receive(self) -> list[Received]:
        return received_from(self._sqs, self.url, most=_BATCH)

    def done(self, received: Received) -> None:
        self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=received.receipt)

    def again(self, received: Received) -> None:
        # As if its visibility timeout had passed.
        self._sqs.change_message_visibility(QueueUrl=self.url, ReceiptHandle=received.receipt, VisibilityTimeout=0)

    def waiting(self) -> int:
        return messages_in(self._sqs, self.url)

    def dead_letters(self) -> list[str]:
        bodies: list[str] = []
        while found := received_from(self._sqs, self.dead_letters_url, most=_BATCH):
            bodies += [received.message["body"] for received in found]
            # The test looks at them again: they stay hidden while it reads on.
            if len(bodies) >= messages_in(self._sqs, self.dead_letters_url):
                break
        for received in found:
            self._sqs.change_message_visibility(
                QueueUrl=self.dead_letters_url, ReceiptHandle=received.receipt, VisibilityTimeout=0
            )
        return bodies


class MemoryQueue:
    """A queue with dead letters, in memory."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, str, int]] = []
        self.dead: list[str] = []
        self.sent = 0

    def send(self, body: str) -> None:
        self.sent += 1
        self.bodies.append((str(self.sent), body, 0))

    def receive(self) -> list[Received]:
        taken, self.bodies = self.bodies, []
        self.dead += [body for _, body, times in taken if times == RECEIVES]
        live = [each for each in taken if each[2] < RECEIVES]
        return [Received({"messageId": name, "body": body}, str(times + 1)) for name, body, times in live]

    def done(self, received: Received) -> None:
        pass

    def again(self, received: Received) -> None:
        message = received.message
        self.bodies.append((message["messageId"], message["body"], int(received.receipt)))

    def waiting(self) -> int:
        return len(self.bodies)

    def dead_letters(self) -> list[str]:
        return self.dead


def received_from(sqs: SQSClient, url: str, *, most: int) -> list[Received]:
    """Messages of a queue, hidden from others from now on."""
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most).get("Messages", [])
    return [
        Received({"messageId": message["MessageId"], "body": message["Body"]}, message["ReceiptHandle"])
        for message in found
    ]


def messages_in(sqs: SQSClient, url: str) -> int:
    """How many messages a queue holds, those included that are being worked on."""
    told = sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    return sum(int(number) for number in told.values())


class Log(logging.Handler):
    """The lines of the functions' log, each with its reason."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.errors = 0
        self.tracebacks = 0
        """Of faults that the functions take for defects of their own."""

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()} {getattr(record, 'reason', '')}".strip())
        self.errors += record.levelno >= logging.ERROR
        self.tracebacks += record.exc_info is not None


@dataclass
class Pipeline:
    """One raw bucket, one warehouse and one queue of a test's own."""

    raw: ObjectStore
    tables: ObjectStore
    queue: Queue
    folder: Path
    """Where files are laid that a user imports."""
    expected: Expected = field(default_factory=Expected)
    log: Log = field(default_factory=Log)
    unexplained: list[str] = field(default_factory=list)
    receives: int = 0

    @property
    def warehouse(self) -> Warehouse:
        """The tables, as the function opens them, but for a clock that stands and waits that take no time."""
        return Warehouse(
            raw=self.raw, tables=self.tables, code_version="under test", now=lambda: NOW, sleep=lambda _: None
        )

    def put(self, *held: RawDocument) -> list[str]:
        """Store documents that the tables will have to tell; their keys."""
        for told in held:
            self.raw.put_new(told.key, documents.encode(told))
            self.expected.good[told.key] = told
        return [told.key for told in held]

    def put_bad(self, key: str, body: bytes, words: str) -> str:
        """Store an object that will have to be in quarantine, for a reason with these words; its key."""
        self.raw.put_new(key, body)
        self.expected.bad[key] = words
        self.expected.bodies[key] = body
        return key

    def tell(self, *keys: str) -> None:
        """Send the event of each object that has come in under `raw/`, as S3 does; it tells of no other."""
        for key in keys:
            if key.startswith(RAW_PREFIX):
                self.queue.send(encode_event(bucket="raw", key=key))

    def send_hopeless(self, body: str, cause: str) -> None:
        """Send a message that will have to end in the dead letters, with this cause in the log."""
        self.queue.send(body)
        self.expected.hopeless[body] = cause

    def import_files(self, *files: tuple[str, bytes], chart: str | None = None, day: date | None = None) -> list[str]:
        """What `etl import` does with files of these names; the reasons of those it refuses."""
        paths = [self.folder / name for name, _ in files]
        for path, (_, body) in zip(paths, files, strict=True):
            path.write_bytes(body)
        outcomes: Iterator[FileOutcome] = import_files(
            paths, Choices(chart=chart, chart_date=day), raw=self.raw, received_at=NOW
        )
        refused = []
        for outcome in outcomes:
            if outcome.imported is None:
                assert outcome.refused
                refused.append(outcome.refused)
                continue
            told = outcome.imported.document
            if outcome.is_new:
                self.expected.good[told.key] = told
                self.tell(told.key)
        return refused

    def deliver(self, *, by: Transform | None = None) -> None:
        """Hand messages to the transform until none waits: each is done, or in the dead letters in the end."""
        while self.deliver_once(by=by):
            pass

    def deliver_once(self, *, by: Transform | None = None) -> bool:
        """Hand over one batch; False if there was none. Messages that failed come again."""
        batch = self.queue.receive()
        if not batch:
            return False
        self.receives += len(batch)
        errors = self.log.errors
        logger = logging.getLogger("transform")
        level = logger.level
        logger.addHandler(self.log)
        logger.setLevel(logging.INFO)
        try:
            failed = (by or self.transform)([received.message for received in batch])
        finally:
            logger.removeHandler(self.log)
            logger.setLevel(level)
        if failed and self.log.errors == errors:
            self.unexplained += failed
        for received in batch:
            (self.queue.again if received.message["messageId"] in failed else self.queue.done)(received)
        return True

    def transform(self, messages: Sequence[Message]) -> list[str]:
        """The transform, in this process."""
        return process(messages, self.warehouse).failed

    def evidence(self) -> Evidence:
        """What is there now."""
        return Evidence(
            raw=contents(self.raw),
            tables=contents(self.tables),
            waiting=self.queue.waiting(),
            dead_letters=self.queue.dead_letters(),
            log=self.log.lines,
            unexplained=self.unexplained,
        )


def in_memory(folder: Path) -> Pipeline:
    """A pipeline for faults of what is in an object, to which it is all one what S3 does."""
    return Pipeline(raw=MemoryStore(), tables=MemoryStore(), queue=MemoryQueue(), folder=folder)


def contents(store: ObjectStore) -> dict[str, bytes]:
    """All objects of a bucket."""
    held = ((key, store.get(key)) for key in store.keys(""))
    return {key: stored.body for key, stored in held if stored is not None}


@dataclass
class Bucket:
    """A bucket that keeps versions, and what only its owner can do in it."""

    s3: S3Client
    name: str

    def __post_init__(self) -> None:
        self.s3.create_bucket(Bucket=self.name)
        self.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    @property
    def store(self) -> S3Store:
        return S3Store(self.s3, self.name)

    def at(self, endpoint: Endpoint) -> S3Store:
        """The bucket, asked for in another place."""
        return S3Store(endpoint.client("s3"), self.name)

    def overwrite(self, key: str, body: bytes) -> None:
        """Store an object, whatever is there."""
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def delete(self, key: str) -> None:
        """Delete an object; its versions stay."""
        self.s3.delete_object(Bucket=self.name, Key=key)

    def versions(self, key: str) -> list[bytes]:
        """The object's versions, newest first."""
        found = self.s3.list_object_versions(Bucket=self.name, Prefix=key).get("Versions", [])
        return [self._read(key, version["VersionId"]) for version in found if version["Key"] == key]

    def restore(self, key: str) -> None:
        """Make the version before the newest the newest again, as the runbook says."""
        self.overwrite(key, self.versions(key)[1])

    def _read(self, key: str, version: str) -> bytes:
        body: Any = self.s3.get_object(Bucket=self.name, Key=key, VersionId=version)["Body"]
        held: bytes = body.read()
        return held
