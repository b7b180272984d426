"""What went wrong and is put right: objects in quarantine retried, dead letters put back to work, each also twice."""

from __future__ import annotations

import json

import pytest

from lambdas.core.documents import encode
from lambdas.core.events import encode_event
from lambdas.core.keys import quarantine_key
from local.emulator import lifecycle
from tests.documents import csv_file, csv_row, document
from tests.e2e.conftest import Etl
from tests.e2e.secure_stage import SecureStage, eventually
from tests.faults.pipeline import messages_in

pytestmark = pytest.mark.e2e

GOOD = document(chart="retried")
FILE_KEY = "inbox/chart=retried-file/date=2026-03-07/songs.csv"
GOOD_FILE = csv_file([csv_row(1), csv_row(2, "b")]).encode()


@pytest.fixture(scope="module")
def stage(etl: Etl) -> SecureStage:
    endpoint = lifecycle.running(etl.state)
    assert endpoint is not None
    return SecureStage(endpoint)


@pytest.mark.parametrize(
    ("key", "good", "reason"),
    [(GOOD.key, encode(GOOD), "not gzip"), (FILE_KEY, GOOD_FILE, "is empty")],
    ids=["a raw document", "a dropped file"],
)
def test_what_is_in_quarantine_is_listed_shown_put_right_and_retried(
    key: str, good: bytes, reason: str, etl: Etl, stage: SecureStage
) -> None:
    raw, record = stage.store("RawBucket"), quarantine_key(key)
    assert raw.put_new(key, b"" if key == FILE_KEY else b"rubbish")
    eventually(lambda: raw.get(record), what="the object is in quarantine")
    assert key in etl.succeed("quarantine", "list")
    (listed,) = json.loads(etl.succeed("quarantine", "list", "--prefix", key, "--format", "json"))
    assert (listed["key"], listed["state"]) == (key, "bad")
    assert reason in listed["reason"]
    assert listed["version_id"]
    assert "what to do" in etl.succeed("quarantine", "show", key)
    for _ in range(2):
        again = etl("quarantine", "retry", key)
        assert again.returncode == 1, again.stdout + again.stderr
        assert "in quarantine still" in again.stdout
    held = raw.get(key)
    assert held is not None
    assert raw.replace(key, good, etag=held.etag)
    assert f"{key}: in the tables: its record is taken away" in etl.succeed("quarantine", "retry", key)
    assert raw.get(record) is None
    assert "nothing is on record" in etl.fail("quarantine", "retry", key)


def test_an_event_in_the_dead_letters_goes_back_to_its_function_and_a_second_time_finds_none(
    etl: Etl, stage: SecureStage
) -> None:
    """The event is of a key that no document has, so that only the function's word about it can come of it."""
    dead_letters, key = stage.physical("TransformQueueDeadLettersQueue"), "raw/redriven.txt"
    body = encode_event(bucket=stage.physical("RawBucket"), key=key)
    stage.sqs.send_message(QueueUrl=dead_letters, MessageBody=body)
    assert key in etl.succeed("redrive", "transform", "--dry-run")
    assert messages_in(stage.sqs, dead_letters) == 1
    told = etl.succeed("redrive", "transform")
    assert key in told
    assert "put back: 1 letter" in told
    record = eventually(lambda: stage.store("RawBucket").get(quarantine_key(key)), what="transform got the event")
    assert record is not None
    assert json.loads(record.body)["reason"].startswith("stray: ")
    assert "dead letters of transform: none" in etl.succeed("redrive", "transform")
    etl.succeed("quarantine", "list", "--prefix", key)


def test_a_poll_in_the_dead_letters_is_made_again_and_tells_its_cause_where_it_fails_again(
    etl: Etl, stage: SecureStage
) -> None:
    dead_letters = stage.physical("ExtractDeadLettersQueue")
    request = stage.schedule_input("regional-global-daily") | {"chart": "gone", "playlist_id": "0" * 22}
    for _ in range(2):
        body = json.dumps({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": request})
        stage.sqs.send_message(QueueUrl=dead_letters, MessageBody=body)
    try:
        told = etl.succeed("redrive", "extract")
        assert told.count("poll of gone") == 2
        assert "put back: 2 letters" in told
        eventually(lambda: messages_in(stage.sqs, dead_letters) == 1, what="the poll, made once, failed again")
        # AWS also tells the class of the error, ChartNotFound; the emulator calls each Runtime.HandlerError.
        shown = etl.succeed("redrive", "extract", "--dry-run")
        assert "poll of gone: " in shown
        assert "playlist 0000000000000000000000" in shown
    finally:
        stage.sqs.purge_queue(QueueUrl=dead_letters)
