"""`etl redrive`: what lies in the dead letters, and back to work with it.

SQS's own StartMessageMoveTask would move them unseen, and only from dead letters that a queue names: those of extract
and enrich, whose functions are called without a queue, have none. So letters are read, put back, and only then deleted:
one way for all, the same on the emulator, which knows no such task. Broken off in between, a letter may be put
back twice, which changes nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from cli.output import Progress, count, note, printable
from cli.stage import FUNCTIONS, Stage, open_stage
from lambdas.core.documents import UNREADABLE_JSON
from lambdas.core.errors import PipelineError
from lambdas.core.events import decode_event

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

_AT_ONCE = 10
_HIDDEN_SECONDS = 600
"""For how long letters that were read are hidden from others: until then they are put back, or shown again."""
_WAIT_SECONDS = 1
"""Asks all of SQS's servers, of which a short look asks some."""
_SHOWN = 40
_QUEUED = frozenset({"import_chart", "transform", "report"})
"""Functions that take events from a queue; the others are called."""


class NotTaken(PipelineError):
    """A queue or a function does not take what is put back."""


@dataclass(frozen=True)
class Letter:
    """A dead letter: what it asks for, why it failed as far as the letter tells, and what would put it back.

    `payload` is a message's body, or the request of a call; None for what can never be done.
    """

    message_id: str
    receipt: str
    what: str
    cause: str | None
    payload: str | None


class _Context(msgspec.Struct):
    condition: str = ""


class _Failed(msgspec.Struct):
    errorType: str = ""  # noqa: N815 - Lambda's names
    errorMessage: str = ""  # noqa: N815


class _Call(msgspec.Struct):
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""

    requestPayload: msgspec.Raw  # noqa: N815
    requestContext: _Context = msgspec.field(default_factory=_Context)  # noqa: N815
    responsePayload: _Failed | None = None  # noqa: N815


class _Polled(msgspec.Struct):
    chart: str = ""


def read_letter(function: str, message: MessageTypeDef) -> Letter:
    """What a message in a function's dead letters says."""
    body = message.get("Body", "")
    if function in _QUEUED:
        what, cause, payload = _read_event(body)
    else:
        what, cause, payload = _read_call(function, body)
    attributes = message.get("MessageAttributes", {})
    # Of EventBridge and its schedules, where they could not deliver: the letter is what they were to deliver.
    undelivered = [
        attributes[name].get("StringValue", "") for name in ("ERROR_CODE", "ERROR_MESSAGE") if name in attributes
    ]
    return Letter(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        what=what,
        cause=f"not delivered: {': '.join(undelivered)}" if undelivered else cause,
        payload=payload,
    )


def _read_event(body: str) -> tuple[str, str | None, str | None]:
    try:
        return decode_event(body).key, None, body
    except UNREADABLE_JSON as error:
        return "no event of an object", str(error), None


def _read_call(function: str, body: str) -> tuple[str, str | None, str | None]:
    """A call that failed, with its request; or the request alone, of a schedule that could not call."""
    cause = None
    try:
        try:
            call = msgspec.json.decode(body, type=_Call)
            request = bytes(call.requestPayload)
            failed = call.responsePayload
            cause = f"{failed.errorType}: {failed.errorMessage}" if failed and failed.errorType else None
            cause = cause or call.requestContext.condition or None
        except msgspec.ValidationError:
            request = body.encode()
        chart = msgspec.json.decode(request, type=_Polled).chart
    except UNREADABLE_JSON as error:
        return "no request", str(error), None
    if function == "extract" and not chart:
        return "no request of a poll", cause, None
    return f"poll of {chart}" if function == "extract" else "enrichment", cause, request.decode()


@dataclass(frozen=True)
class DeadLetters:
    """The dead letters of one function, and how they are put back: `put_back` gives the ids of those that were."""

    function: str
    sqs: SQSClient
    url: str
    put_back: Callable[[Sequence[Letter]], set[str]]

    def read(self) -> list[Letter]:
        """All letters, hidden from others for a while.

        All are read before any is put back: one that comes here again by then waits for the next time.
        """
        found: dict[str, Letter] = {}
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=_AT_ONCE,
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=_WAIT_SECONDS,
                MessageAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            if not messages:
                return list(found.values())
            for message in messages:
                letter = read_letter(self.function, message)
                found[letter.message_id] = letter

    def delete(self, letters: Sequence[Letter]) -> None:
        """Delete letters that were put back. One that SQS keeps is put back again next time, which changes nothing."""
        self.sqs.delete_message_batch(
            QueueUrl=self.url,
            Entries=[{"Id": str(number), "ReceiptHandle": one.receipt} for number, one in enumerate(letters)],
        )

    def show_again(self, letters: Sequence[Letter]) -> None:
        """Let letters be seen that were read and stay."""
        for some in _slices(letters, _AT_ONCE):
            self.sqs.change_message_visibility_batch(
                QueueUrl=self.url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": one.receipt, "VisibilityTimeout": 0}
                    for number, one in enumerate(some)
                ],
            )


def _slices(letters: Sequence[Letter], size: int) -> Iterator[Sequence[Letter]]:
    for first in range(0, len(letters), size):
        yield letters[first : first + size]


def open_dead_letters(stage: Stage, function: str) -> DeadLetters:
    """The dead letters of one of the stage's functions."""
    prefix = next(prefix for prefix, name in FUNCTIONS.items() if name == function)
    sqs = stage.sqs

    def to_queue(letters: Sequence[Letter]) -> set[str]:
        answer = sqs.send_message_batch(
            QueueUrl=stage.output("compute", f"{prefix}QueueUrl"),
            Entries=[{"Id": str(number), "MessageBody": one.payload or ""} for number, one in enumerate(letters)],
        )
        return {letters[int(sent["Id"])].message_id for sent in answer.get("Successful", [])}

    def to_function(letters: Sequence[Letter]) -> set[str]:
        # The same request many times is one piece of work: it is called for once.
        for request in dict.fromkeys(one.payload or "" for one in letters):
            stage.functions.invoke(
                FunctionName=stage.output("compute", f"{prefix}FunctionName"),
                InvocationType="Event",
                Payload=request.encode(),
            )
        return {one.message_id for one in letters}

    return DeadLetters(
        function=function,
        sqs=sqs,
        url=stage.output("compute", f"{prefix}DeadLettersUrl"),
        put_back=to_queue if function in _QUEUED else to_function,
    )


def redrive_command(arguments: argparse.Namespace) -> int:
    """Run `etl redrive`."""
    stage = open_stage(arguments.stage)
    functions = [arguments.queue] if arguments.queue else list(FUNCTIONS.values())
    return run_redrive(
        {function: open_dead_letters(stage, function) for function in functions},
        dry_run=arguments.dry_run,
        stage=stage.name,
    )


def run_redrive(queues: Mapping[str, DeadLetters], *, dry_run: bool, stage: str) -> int:
    """Show and put back what lies in these dead letters; the exit code. Raises NotTaken."""
    left = 0
    for dead_letters in queues.values():
        kept: dict[str, Letter] = {}
        try:
            with Progress(f"dead letters of {dead_letters.function}") as progress:
                letters = dead_letters.read()
                kept = {one.message_id: one for one in letters}
                _tell(dead_letters.function, letters, progress, stage=stage)
                if not dry_run:
                    _put_back(dead_letters, kept, progress)
        except KeyboardInterrupt:
            note("stopped: nothing is lost; the same command again goes on")
            return 130
        finally:
            dead_letters.show_again(list(kept.values()))
        left += len(kept)
    return 1 if left and not dry_run else 0


def _tell(function: str, letters: Sequence[Letter], progress: Progress, *, stage: str) -> None:
    progress.line(f"dead letters of {function}: {len(letters) or 'none'}")
    for one in letters[:_SHOWN]:
        progress.line(f"  {printable(one.what)}" + (f": {printable(one.cause)}" if one.cause else ""))
    if (more := len(letters) - _SHOWN) > 0:
        progress.line(f"  and {count(more, 'more letter')}")
    if any(one.cause is None for one in letters):
        progress.line(
            f"  the queue does not tell why {function} failed, its log does: the saved query `last failures` in the "
            f"folder spotify-etl-{stage} of Logs Insights"
        )


def _put_back(dead_letters: DeadLetters, kept: dict[str, Letter], progress: Progress) -> None:
    """Put letters back, and take them out of `kept`; what can never be done stays there."""
    doable = [one for one in kept.values() if one.payload is not None]
    if not kept:
        return
    # Requests of one kind together, so that each is called for once.
    doable.sort(key=lambda one: one.payload or "")
    size = _AT_ONCE if dead_letters.function in _QUEUED else max(len(doable), 1)
    done = 0
    for some in _slices(doable, size):
        taken = dead_letters.put_back(some)
        moved = [one for one in some if one.message_id in taken]
        for few in _slices(moved, _AT_ONCE):
            dead_letters.delete(few)
            for one in few:
                del kept[one.message_id]
        done += len(moved)
        progress.advance(done, len(doable), "letter")
        if len(moved) < len(some):
            raise NotTaken(
                f"the queue of {dead_letters.function} does not take {count(len(some) - len(moved), 'event')}: they "
                "stay in the dead letters; run the same command again"
            )
    progress.line(f"  put back: {count(done, 'letter')}")
    if kept:
        progress.line(
            f"  left: {count(len(kept), 'letter')} that can never be done; nothing is lost if you purge the queue: "
            f"`aws sqs purge-queue --queue-url {dead_letters.url}`"
        )
