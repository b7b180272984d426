"""`etl redrive`: what dead letters say, and that putting them back loses none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from cli.main import parse
from cli.redriving import DeadLetters, Letter, NotTaken, read_letter, run_redrive
from cli.stage import FUNCTIONS
from lambdas.core.events import encode_event

POLL = {"chart": "regional-global-daily", "period": "daily"}
FAILED = {
    "requestContext": {"condition": "RetriesExhausted"},
    "requestPayload": POLL,
    "responsePayload": {"errorType": "ChartNotFound", "errorMessage": "Spotify answers 404"},
}
EVENT = encode_event(bucket="raw", key="raw/some.json.gz")


class Queue:
    """SQS as far as it is asked: letters are hidden once received, until they are shown again."""

    def __init__(self, *bodies: str) -> None:
        self.letters = {str(number): body for number, body in enumerate(bodies)}
        self.hidden: set[str] = set()

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        seen = [each for each in self.letters if each not in self.hidden][: asked["MaxNumberOfMessages"]]
        self.hidden |= set(seen)
        return {"Messages": [{"MessageId": n, "ReceiptHandle": n, "Body": self.letters[n]} for n in seen]}

    def delete_message_batch(self, **asked: Any) -> None:
        for entry in asked["Entries"]:
            del self.letters[entry["ReceiptHandle"]]
            self.hidden.remove(entry["ReceiptHandle"])

    def change_message_visibility_batch(self, **asked: Any) -> None:
        self.hidden -= {entry["ReceiptHandle"] for entry in asked["Entries"]}


def redrive(
    queue: Queue,
    put_back: Callable[[Sequence[Letter]], set[str]],
    *,
    function: str = "transform",
    dry_run: bool = False,
) -> int:
    held = DeadLetters(function=function, sqs=cast(Any, queue), url="https://sqs/q", put_back=put_back)
    return run_redrive({function: held}, dry_run=dry_run, stage="dev")


def taken(letters: Sequence[Letter]) -> set[str]:
    return {one.message_id for one in letters}


def refused(letters: Sequence[Letter]) -> set[str]:
    raise AssertionError(f"nothing is to be put back: {letters}")


def letter(function: str, body: str, **attributes: str) -> Letter:
    told = {name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()}
    return read_letter(
        function, cast(Any, {"MessageId": "1", "ReceiptHandle": "r", "Body": body, "MessageAttributes": told})
    )


def test_a_call_that_failed_tells_what_it_was_and_why_and_is_made_with_the_same_request() -> None:
    read = letter("extract", json.dumps(FAILED))
    assert (read.what, read.cause) == ("poll of regional-global-daily", "ChartNotFound: Spotify answers 404")
    assert json.loads(read.payload or "") == POLL


def test_a_schedule_that_could_not_call_left_the_request_alone_with_the_cause_beside_it() -> None:
    read = letter("extract", json.dumps(POLL), ERROR_CODE="AWS.Lambda.Throttled", ERROR_MESSAGE="Rate exceeded")
    assert read.cause == "not delivered: AWS.Lambda.Throttled: Rate exceeded"
    assert json.loads(read.payload or "") == POLL
    assert letter("enrich", "{}").payload == "{}"


def test_an_event_tells_its_object_and_goes_back_to_the_byte() -> None:
    read = letter("transform", EVENT)
    assert (read.what, read.cause, read.payload) == ("raw/some.json.gz", None, EVENT)


@pytest.mark.parametrize(
    ("function", "body"),
    [("transform", "s3:TestEvent"), ("import_chart", "{}"), ("extract", "no json"), ("extract", "{}")],
)
def test_what_can_never_be_done_stays_and_is_told(function: str, body: str, capsys: pytest.CaptureFixture[str]) -> None:
    queue = Queue(body)
    assert redrive(queue, refused, function=function) == 1
    assert list(queue.letters.values()) == [body]
    assert queue.hidden == set()
    assert "can never be done" in capsys.readouterr().out


def test_letters_are_put_back_and_deleted_and_a_second_time_finds_none(capsys: pytest.CaptureFixture[str]) -> None:
    queue = Queue(*[EVENT] * 25)
    assert redrive(queue, taken) == 0
    out = capsys.readouterr().out
    assert "dead letters of transform: 25" in out
    assert "put back: 25 letters" in out
    assert "`last failures` in the folder spotify-etl-dev" in out
    assert queue.letters == {}
    assert redrive(queue, refused) == 0
    assert "dead letters of transform: none" in capsys.readouterr().out


def test_a_dry_run_moves_nothing_and_hides_nothing() -> None:
    queue = Queue(EVENT, "no event")
    assert redrive(queue, refused, dry_run=True) == 0
    assert len(queue.letters) == 2
    assert queue.hidden == set()


def test_what_the_queue_does_not_take_stays_in_the_dead_letters() -> None:
    queue = Queue(*[EVENT] * 12)
    with pytest.raises(NotTaken, match="does not take 9 events"):
        redrive(queue, lambda letters: {letters[0].message_id})
    assert len(queue.letters) == 11
    assert queue.hidden == set()


def test_broken_off_in_the_middle_no_letter_is_lost_and_the_rest_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    queue, put = Queue(*[EVENT] * 25), 0

    def once(letters: Sequence[Letter]) -> set[str]:
        nonlocal put
        put += 1
        if put == 2:
            raise KeyboardInterrupt
        return taken(letters)

    assert redrive(queue, once) == 130
    assert "the same command again goes on" in capsys.readouterr().err
    assert len(queue.letters) == 15
    assert queue.hidden == set()
    assert redrive(queue, taken) == 0
    assert queue.letters == {}


def test_every_function_of_a_stage_can_be_named_and_no_other() -> None:
    for function in FUNCTIONS.values():
        assert parse(["redrive", function]).queue == function
    with pytest.raises(SystemExit):
        parse(["redrive", "nobody"])
