"""The transform function in processes of its own, as Lambda runs it: to be killed, held up, and run many at once."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from lambdas.core.events import Message
from local.emulator.lifecycle import Endpoint
from tests.faults.pipeline import messages_in, received_from

_SECONDS = 60

_processes = multiprocessing.get_context("forkserver")
# Forked from one that has imported everything, a process is there in milliseconds.
_processes.set_forkserver_preload(["lambdas.transform.handler", "tests.faults.pipeline"])


@dataclass(frozen=True)
class Environment:
    """What the function's environment names."""

    endpoint: Endpoint
    raw_bucket: str
    warehouse_bucket: str

    def enter(self) -> None:
        """Make this process's environment the function's."""
        os.environ.clear()
        os.environ.update(self.endpoint.environment())
        os.environ.update(
            STAGE="faults",
            RAW_BUCKET=self.raw_bucket,
            WAREHOUSE_BUCKET=self.warehouse_bucket,
            CODE_VERSION="under test",
            LOG_LEVEL="ERROR",
        )


class Invocation:
    """One call of the function, in a process."""

    def __init__(self, environment: Environment, messages: Sequence[Message]) -> None:
        self._answer, theirs = _processes.Pipe(duplex=False)
        self._process: ForkServerProcess = _processes.Process(
            target=_invoke, args=(environment, list(messages), theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()

    def failed(self) -> list[str]:
        """Wait for its answer: the ids of the messages that failed."""
        answer = self.outcome()
        assert answer is not None, "the function ended without an answer"
        return answer

    def outcome(self) -> list[str] | None:
        """As `failed`, but None if it ended without an answer."""
        answer: list[str] | None = None
        if self._answer.poll(_SECONDS):
            with suppress(EOFError):
                answer = self._answer.recv()
        self._process.join(_SECONDS)
        assert self._process.exitcode is not None, "the function does not end"
        return answer


def _invoke(environment: Environment, messages: list[Message], answer: Connection) -> None:
    environment.enter()
    from lambdas.transform.handler import handler

    failures = handler({"Records": messages}, None)["batchItemFailures"]
    answer.send([failure["itemIdentifier"] for failure in failures])


@dataclass(frozen=True)
class Work:
    """What one writer did."""

    merges: int
    conflicts: int
    """Conditional writes it lost, and began again."""
    returned: int
    """Messages that went back to the queue because it lost too often."""


class _Tally(logging.Handler):
    """Counts in the function's own log."""

    def __init__(self) -> None:
        super().__init__()
        self.merges = self.conflicts = 0
        self.unexpected: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() in ("gathered", "loaded"):
            self.merges += record.getMessage() == "loaded"
            self.conflicts += vars(record)["conflicts"]
        elif "lost to other writers" not in vars(record).get("reason", ""):
            self.unexpected.append(f"{record.getMessage()}: {vars(record).get('reason')}")


@contextmanager
def writers(number: int, environment: Environment, queue_url: str) -> Iterator[list[Connection]]:
    """So many writers at once, each with one message at a time, until the queue is empty; they tell their `Work`."""
    answers: list[Connection] = []
    started: list[ForkServerProcess] = []
    try:
        for _ in range(number):
            answer, theirs = _processes.Pipe(duplex=False)
            process = _processes.Process(target=_write, args=(environment, queue_url, theirs), daemon=True)
            process.start()
            theirs.close()
            started.append(process)
            answers.append(answer)
        yield answers
    finally:
        for process in started:
            process.kill()
            process.join(_SECONDS)


def _write(environment: Environment, queue_url: str, answer: Connection) -> None:
    environment.enter()
    from lambdas.transform.handler import handler

    tally = _Tally()
    logger = logging.getLogger("transform")
    logger.addHandler(tally)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    sqs = environment.endpoint.client("sqs")
    returned = 0
    while True:
        received = received_from(sqs, queue_url, most=1)
        if not received and messages_in(sqs, queue_url) == 0:
            break
        for each in received:
            if handler({"Records": [each.message]}, None)["batchItemFailures"]:
                returned += 1
                sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=each.receipt, VisibilityTimeout=0)
            else:
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=each.receipt)
    assert not tally.unexpected, tally.unexpected
    answer.send(Work(merges=tally.merges, conflicts=tally.conflicts, returned=returned))
