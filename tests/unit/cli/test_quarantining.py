"""`etl quarantine`: what is listed and shown, and what a retry makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from cli.quarantine import REMEDIES
from cli.quarantining import NotInQuarantine, Retrying, run_list, run_retry, run_show
from lambdas.core.documents import encode
from lambdas.core.events import encode_event
from lambdas.core.gates import HARD
from lambdas.core.inbox import Inbox
from lambdas.core.keys import quarantine_key
from lambdas.core.quarantine import decode_record
from lambdas.core.warehouse import Warehouse
from lambdas.transform.handler import process
from tests.buckets import TransformedBuckets
from tests.documents import CHART, cached_song, csv_file, csv_row, document, track

GOOD = document()
KEY = GOOD.key
FILE_KEY = "inbox/chart=road-trip/date=2026-03-07/songs.csv"
GOOD_FILE = csv_file([csv_row(1), csv_row(2, "b")]).encode()


class Buckets(TransformedBuckets):
    """Buckets with a bad document on record. The functions do what they are told of while the command waits."""

    def __init__(self, *, body: bytes = b"rubbish", works: bool = True) -> None:
        super().__init__(transforms=works)
        self.told: list[str] = []
        self.sent: list[list[str]] = []
        self.put(KEY, body)

    def put(self, key: str, body: bytes) -> None:
        self.raw.objects[key] = body
        self.told = [key]
        self.load()

    def load(self) -> None:
        warehouse = Warehouse(raw=self.raw, tables=self.tables, code_version="2.0")
        told, self.told = self.told, []
        while told:
            key = told.pop()
            if key.startswith("inbox/"):
                taken = Inbox(self.raw, code_version="2.0").take(key)
                told += [taken.raw_key] if taken.raw_key else []
            else:
                message = {"messageId": key, "body": encode_event(bucket="raw", key=key)}
                assert not process([message], warehouse).failed  # type: ignore[list-item]

    def tell(self, keys: Iterable[str]) -> None:
        self.sent.append(sorted(keys))
        self.told += self.sent[-1]

    def retry(self, *keys: str) -> int:
        retrying = Retrying(raw=self.raw, waiting=self.waiting, tell_transform=self.tell, tell_import=self.tell)
        return run_retry(keys, retrying, stage="local")

    def records(self) -> list[str]:
        return [key for key in self.raw.objects if key.startswith("quarantine/")]

    def list(self, *, chart: str | None = None, prefix: str = "", form: str = "table") -> int:
        return run_list(self.waiting, chart=chart, prefix=prefix, form=form, stage="local")


def test_nothing_in_quarantine_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets(body=encode(GOOD))
    assert buckets.list() == 0
    assert capsys.readouterr().out == "nothing is in quarantine\n"
    assert buckets.list(chart="road-trip") == 0
    assert capsys.readouterr().out == "nothing of road-trip is in quarantine\n"
    assert buckets.retry() == 0
    assert capsys.readouterr().out == "nothing is in quarantine\n"


def test_the_list_tells_chart_date_gate_and_code_and_is_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    buckets.put(FILE_KEY, b"")
    buckets.list()
    out = capsys.readouterr().out
    assert "2 objects" in out
    for line, told in (
        (KEY, (CHART, str(GOOD.chart_date), "unreadable", "2.0")),
        (FILE_KEY, ("road-trip", "unreadable")),
    ):
        found = next(each for each in out.splitlines() if each.endswith(line))
        assert all(word in found for word in told), found
    buckets.list(prefix="inbox/", form="json")
    (only,) = json.loads(capsys.readouterr().out)
    assert (only["key"], only["state"], only["gate"]) == (FILE_KEY, "bad", "unreadable")
    buckets.list(chart=CHART, form="json")
    assert [each["key"] for each in json.loads(capsys.readouterr().out)] == [KEY]


def test_the_newest_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    buckets.put(FILE_KEY, b"")
    for key, when in ((KEY, "2026-03-08T00:00:00Z"), (FILE_KEY, "2026-03-09T00:00:00Z")):
        record = json.loads(buckets.raw.objects[quarantine_key(key)])
        buckets.raw.objects[quarantine_key(key)] = json.dumps({**record, "quarantined_at": when}).encode()
    buckets.list(form="json")
    assert [each["key"] for each in json.loads(capsys.readouterr().out)] == [FILE_KEY, KEY]


@pytest.mark.parametrize("state", ["bad", "usable", "gone", "loaded"])
def test_the_list_says_what_has_become_of_an_object_since(state: str, capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    if state == "gone":
        del buckets.raw.objects[KEY]
    elif state != "bad":
        buckets.raw.objects[KEY] = encode(GOOD)
    if state == "loaded":
        buckets.tell([KEY])
        buckets.load()
    buckets.list(form="json")
    assert json.loads(capsys.readouterr().out)[0]["state"] == state


def test_one_record_is_shown_whole_with_what_one_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    for name in (KEY, quarantine_key(KEY)):
        assert run_show(name, buckets.waiting, stage="dev") == 0
        out = capsys.readouterr().out
        for told in (KEY, CHART, "not gzip", "unreadable: Over the size", "code version 2.0", "import the file anew"):
            assert told in out
        assert "`etl quarantine retry --stage dev KEY`" in out.replace(".venv/bin/", "")
    with pytest.raises(NotInQuarantine, match="nothing is on record of no/such: `etl quarantine list --stage dev`"):
        run_show("no/such", buckets.waiting, stage="dev")


def test_there_is_a_remedy_for_every_gate_that_refuses() -> None:
    assert REMEDIES.keys() == set(HARD)


def test_a_document_that_is_good_by_now_is_loaded_its_record_taken_away_and_twice_is_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    buckets = Buckets()
    buckets.raw.objects[KEY] = encode(GOOD)
    assert buckets.retry(KEY) == 0
    assert f"{KEY}: in the tables: its record is taken away" in capsys.readouterr().out
    assert buckets.records() == []
    tables = dict(buckets.tables.objects)
    assert tables
    with pytest.raises(NotInQuarantine):
        buckets.retry(KEY)
    assert buckets.retry() == 0
    assert buckets.tables.objects == tables
    assert buckets.sent == [[KEY]]


def test_a_document_that_is_bad_still_stays_on_record_and_so_it_does_twice(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    for _ in range(2):
        assert buckets.retry() == 1
        out = capsys.readouterr().out
        assert f"{KEY}: in quarantine still: unreadable: {KEY}: not gzip" in out
        assert "1 object: 0 in the tables, 0 gone, 1 in quarantine still, 0 without news" in out
        record = decode_record(buckets.raw.objects[quarantine_key(KEY)])
        assert record is not None
        assert record.retried_at is None
    assert buckets.tables.objects == {}


def test_a_dropped_file_and_an_answer_are_retried_too() -> None:
    buckets, answer = Buckets(), cached_song(track())
    buckets.put(FILE_KEY, b"")
    buckets.put(answer.key, b"rubbish")
    buckets.raw.objects |= {KEY: encode(GOOD), FILE_KEY: GOOD_FILE, answer.key: encode(answer)}
    assert buckets.retry() == 0
    assert buckets.records() == []
    assert buckets.sent == [[FILE_KEY], sorted([KEY, answer.key])]


def test_an_object_that_is_gone_loses_its_record_and_one_that_was_loaded_meanwhile_is_not_sent() -> None:
    buckets = Buckets()
    buckets.put(FILE_KEY, b"")
    del buckets.raw.objects[FILE_KEY]
    buckets.raw.objects[KEY] = encode(GOOD)
    buckets.tell([KEY])
    buckets.load()
    buckets.sent.clear()
    assert buckets.retry() == 0
    assert buckets.records() == []
    assert buckets.sent == []


def test_a_row_of_before_does_not_hide_that_the_object_is_bad_now() -> None:
    buckets = Buckets(body=encode(GOOD))
    buckets.put(KEY, b"rubbish")
    assert buckets.retry() == 1
    assert buckets.records() == [quarantine_key(KEY)]


def test_without_a_function_that_works_the_record_stays_and_says_that_it_was_retried(
    capsys: pytest.CaptureFixture[str],
) -> None:
    buckets = Buckets()
    buckets.transforms = False
    assert buckets.retry() == 1
    assert "no news after 30 s" in capsys.readouterr().out
    buckets.list()
    assert "retried on" in capsys.readouterr().out
    buckets.transforms = True
    buckets.raw.objects[KEY] = encode(GOOD)
    assert buckets.retry() == 0
    assert buckets.records() == []


def test_broken_off_before_the_event_is_sent_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()

    def broken_off(_: Iterable[str]) -> None:
        raise KeyboardInterrupt

    retrying = Retrying(raw=buckets.raw, waiting=buckets.waiting, tell_transform=broken_off, tell_import=broken_off)
    assert run_retry([KEY], retrying, stage="local") == 130
    assert "the same command again goes on" in capsys.readouterr().err
    assert buckets.records() == [quarantine_key(KEY)]
    assert buckets.retry() == 1


def test_what_is_no_record_is_passed_over_with_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    buckets.raw.objects["quarantine/notes.txt"] = b"mine"
    assert buckets.list() == 0
    told = capsys.readouterr()
    assert "1 object" in told.out
    assert "quarantine/notes.txt is no record" in told.err
