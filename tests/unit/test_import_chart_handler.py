"""The import function as its event source calls it."""

from __future__ import annotations

import gzip
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.documents import MAX_UNPACKED_BYTES, RawDocument, decode
from lambdas.core.events import Message
from lambdas.core.imports import MAX_FILE_BYTES, read_import
from lambdas.core.inbox import Inbox
from lambdas.core.keys import QUARANTINE_PREFIX, RAW_PREFIX, quarantine_key
from lambdas.core.quarantine import QuarantineRecord
from lambdas.import_chart import handler as module
from lambdas.import_chart.handler import handler, process
from tests.documents import csv_file, csv_row, entry, page, track
from tests.emf import emitted, values
from tests.fakes import MemoryStore
from tests.unit.test_transform_handler import message

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
CSV = csv_file([csv_row(1, "a"), csv_row(2, "b")]).encode()
NAME = "regional-pk-daily-2025-12-01.csv"
PAGE = json.dumps(page([entry(track(name)) for name in "abc"])).encode()
NO_CHART = b'{"name": "a single track", "type": "track"}'


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def inbox(store: MemoryStore) -> Inbox:
    return Inbox(store, code_version="abc", now=lambda: NOW)


def drop(store: MemoryStore, name: str, body: bytes) -> Message:
    """Put a file into the inbox; the message of its event, whose id is the name."""
    store.objects[f"inbox/{name}"] = body
    return message(name, f"inbox/{name}")


def documents(store: MemoryStore) -> list[RawDocument]:
    return [decode(store.objects[key], key=key, model=RawDocument) for key in store.keys(RAW_PREFIX)]


def reasons(store: MemoryStore) -> dict[str, str]:
    """The reason for each key on record."""
    records = [json.loads(store.objects[key]) for key in store.keys(QUARANTINE_PREFIX)]
    return {record["key"]: record["reason"] for record in records}


def denied(key: str) -> None:
    raise ClientError(
        {"Error": {"Code": "SlowDown", "Message": f"Please reduce your request rate: {key}"}}, "GetObject"
    )


# Files that are imported


def test_a_dropped_file_becomes_the_raw_document_that_etl_import_makes_of_it(store: MemoryStore, inbox: Inbox) -> None:
    assert process([drop(store, NAME, CSV)], inbox).failed == []

    (held,) = documents(store)
    at_the_desk = read_import(CSV, name=NAME, received_at=NOW).document
    assert held.key == at_the_desk.key
    assert (held.chart, str(held.chart_date), held.provider) == ("regional-pk-daily", "2025-12-01", "charts_csv")
    assert held.received_at == NOW.replace(microsecond=0)
    assert held.origin == f"file inbox/{NAME}"
    assert reasons(store) == {}


def test_folders_say_the_chart_the_date_and_that_a_page_is_enough(store: MemoryStore, inbox: Inbox) -> None:
    lone = json.dumps(page([entry(track("a"))], offset=50, total=100)).encode()
    dropped = drop(store, "chart=road-trip/partial=true/date=2024-05-11/anything.json", lone)
    assert process([dropped], inbox).failed == []

    (held,) = documents(store)
    assert (held.chart, str(held.chart_date), held.partial) == ("road-trip", "2024-05-11", True)


def test_a_folder_wins_over_what_the_files_name_says(store: MemoryStore, inbox: Inbox) -> None:
    process([drop(store, f"chart=mine/date=2020-02-29/{NAME}", CSV)], inbox)
    (held,) = documents(store)
    assert (held.chart, str(held.chart_date)) == ("mine", "2020-02-29")


def test_a_dropped_file_stays_and_only_the_raw_document_is_written(store: MemoryStore, inbox: Inbox) -> None:
    process([drop(store, NAME, CSV)], inbox)
    assert store.objects[f"inbox/{NAME}"] == CSV
    assert store.writes == [documents(store)[0].key]


def test_the_same_file_again_under_any_name_and_gzipped_changes_nothing(store: MemoryStore, inbox: Inbox) -> None:
    process([drop(store, NAME, CSV)], inbox)
    before = list(store.writes)
    again = [drop(store, NAME, CSV), drop(store, f"again/{NAME}", CSV), drop(store, f"{NAME}.gz", gzip.compress(CSV))]
    assert process([*again, *again], inbox).failed == []
    assert store.writes == before


def test_the_clock_plays_no_part_in_the_key(store: MemoryStore) -> None:
    process([drop(store, NAME, CSV)], Inbox(store, now=lambda: NOW))
    process([drop(store, NAME, CSV)], Inbox(store, now=lambda: NOW.replace(year=2027)))
    assert len(documents(store)) == 1


@pytest.mark.parametrize(
    "folder",
    ["", "from anna/", "a+b/", "früh 🎵/", "100%25/", "a=b&c=d/", "../", "//", f"{'x' * 900}/"],
    ids=lambda folder: folder[:12],
)
def test_a_key_of_any_kind_is_taken_as_it_is(store: MemoryStore, inbox: Inbox, folder: str) -> None:
    assert process([drop(store, f"{folder}{NAME}", CSV)], inbox).failed == []
    assert [held.chart for held in documents(store)] == ["regional-pk-daily"]


# Files that cannot be used


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        (f"chart=BAD NAME/{NAME}", CSV, "its folder chart=BAD NAME: 'BAD NAME' cannot name a chart"),
        (f"date=2024-02-30/{NAME}", CSV, "its folder date=2024-02-30 is no date"),
        (f"partial=perhaps/{NAME}", CSV, "neither partial=true nor partial=false"),
        ("chart=road-trip/list.csv", CSV, "; in the inbox a folder says so: inbox/date=YYYY-MM-DD/"),
        ("list.csv", CSV, "; in the inbox folders say so: inbox/chart=road-trip/date=YYYY-MM-DD/"),
        ("date=2024-05-11/list.csv", CSV, "; in the inbox a folder says so: inbox/chart=road-trip/"),
        ("top50.json", PAGE, "name the chart with --chart, e.g. --chart road-trip; in the inbox a folder says so"),
        ("chart=x/p.json", json.dumps(page([entry(track())], total=9)).encode(), "says so: inbox/partial=true/"),
        ("chart=x/empty.json", b"", "is empty"),
        ("chart=x/.DS_Store", b"\x00\x00\x00\x01Bud1", "is no chart of songs"),
        ("chart=x/track.json", NO_CHART, "holds a track ('a single track')"),
        (f"utf16/{NAME}", CSV.decode().encode("utf-16"), "is UTF-16 text"),
        (f"cut-off/{NAME}.gz", gzip.compress(CSV)[:-9], "cut off"),
        (f"bomb/{NAME}.gz", gzip.compress(bytes(MAX_UNPACKED_BYTES + 1)), "unpacks to over 67,108,864 bytes"),
        (f"headline/{NAME}", csv_file([csv_row(1)]).splitlines()[0].encode(), "without rows"),
        ("chart=road-trip/date=1999-01-01/top.json", PAGE, "outside 2008 to 2027"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_put_on_record_with_the_reason_and_its_message_is_done(
    store: MemoryStore, inbox: Inbox, name: str, body: bytes, said: str
) -> None:
    assert process([drop(store, name, body)], inbox).failed == []
    assert said in reasons(store)[f"inbox/{name}"]
    assert documents(store) == []


def test_the_record_says_what_why_when_and_by_which_code(store: MemoryStore, inbox: Inbox) -> None:
    process([drop(store, "a b.json", NO_CHART)], inbox)
    record = json.loads(store.objects["quarantine/inbox/a b.json.json"])
    assert record.keys() == set(QuarantineRecord.__struct_fields__)
    assert (record["key"], record["code_version"]) == ("inbox/a b.json", "abc")
    assert record["quarantined_at"] == "2026-11-22T12:00:00Z"


def test_a_file_over_the_cap_is_put_on_record_unread(store: MemoryStore, inbox: Inbox) -> None:
    big = drop(store, NAME, bytes(MAX_FILE_BYTES + 1))
    assert process([big], inbox).failed == []
    assert "67,108,865 bytes, over the 67,108,864 that are read" in reasons(store)[f"inbox/{NAME}"]


def test_a_file_whose_raw_document_would_not_be_read_is_put_on_record(
    store: MemoryStore, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.core.imports.MAX_STORED_BYTES", 10)
    assert process([drop(store, NAME, CSV)], inbox).failed == []
    assert "bytes as a raw document, over the 10 that are read" in reasons(store)[f"inbox/{NAME}"]
    assert documents(store) == []


def test_a_key_too_long_for_a_record_of_its_own_name_is_put_on_record_all_the_same(
    store: MemoryStore, inbox: Inbox
) -> None:
    name = "ü" * 509
    assert process([drop(store, name, NO_CHART)], inbox).failed == []
    assert reasons(store).keys() == {f"inbox/{name}"}
    assert max(len(key.encode()) for key in store.objects) <= 1024


def test_a_bad_file_put_right_in_its_place_is_imported_and_a_worse_one_gets_a_record_of_its_own_reason(
    store: MemoryStore, inbox: Inbox
) -> None:
    process([drop(store, NAME, b"")], inbox)
    assert reasons(store) == {f"inbox/{NAME}": "unreadable: is empty"}
    process([drop(store, NAME, NO_CHART)], inbox)
    assert "holds a track" in reasons(store)[f"inbox/{NAME}"]
    process([drop(store, NAME, CSV)], inbox)
    assert [held.chart for held in documents(store)] == ["regional-pk-daily"]


def test_a_record_with_the_same_reason_is_not_written_again(store: MemoryStore, inbox: Inbox) -> None:
    bad = drop(store, NAME, b"")
    process([bad, bad], inbox)
    assert store.writes == [quarantine_key(f"inbox/{NAME}")]


def test_what_somebody_put_in_a_records_place_is_replaced_by_the_record(store: MemoryStore, inbox: Inbox) -> None:
    store.objects[quarantine_key(f"inbox/{NAME}")] = b"no record"
    process([drop(store, NAME, b"")], inbox)
    assert reasons(store) == {f"inbox/{NAME}": "unreadable: is empty"}


@pytest.mark.parametrize("name", ["", "chart=road-trip/", "chart=BAD NAME/"])
def test_the_empty_objects_that_are_folders_in_s3s_console_are_passed_over(
    store: MemoryStore, inbox: Inbox, name: str
) -> None:
    assert process([drop(store, name, b"")], inbox).failed == []
    assert store.writes == []


def test_a_key_that_ends_as_a_folders_and_holds_something_is_a_file(store: MemoryStore, inbox: Inbox) -> None:
    process([drop(store, "chart=road-trip/", PAGE)], inbox)
    assert [held.chart for held in documents(store)] == ["road-trip"]


def test_a_file_that_is_gone_is_done(store: MemoryStore, inbox: Inbox) -> None:
    assert process([message("gone", "inbox/chart=BAD NAME/gone.csv")], inbox).failed == []
    assert store.writes == []


# Batches


def test_one_bad_file_of_each_kind_holds_up_none_of_the_others_and_only_a_defect_leaves_a_traceback(
    store: MemoryStore, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    def trouble(key: str) -> None:
        if "throttled" in key:
            denied(key)
        if "cut off" in key:
            raise ReadTimeoutError(endpoint_url="s3")
        if "defect" in key:
            raise ZeroDivisionError("a defect")

    store.before_read = trouble
    names = ["throttled", "a bad one", "defect", "cut off", "chart=BAD/x"]
    messages = [drop(store, name, NO_CHART) for name in names]
    messages.insert(2, {"messageId": "odd", "body": "{}"})
    good = drop(store, NAME, CSV)
    assert process([*messages, good], inbox).failed == ["throttled", "odd", "defect", "cut off"]
    assert [held.chart for held in documents(store)] == ["regional-pk-daily"]
    assert reasons(store).keys() == {"inbox/a bad one", "inbox/chart=BAD/x"}
    assert [vars(record)["key"] for record in caplog.records if record.exc_info] == ["inbox/defect"]


@pytest.mark.parametrize("prefix", [RAW_PREFIX, QUARANTINE_PREFIX])
def test_a_message_whose_work_s3_refuses_comes_again_and_is_done_then(
    store: MemoryStore, inbox: Inbox, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    dropped = drop(store, NAME, CSV if prefix == RAW_PREFIX else NO_CHART)
    store.before_write = lambda key: denied(key) if key.startswith(prefix) else None
    with caplog.at_level(logging.ERROR):
        assert process([dropped], inbox).failed == [NAME]
    assert "a file could not be imported" in caplog.text
    assert store.writes == []

    store.before_write = str
    assert process([dropped], inbox).failed == []
    assert [key.startswith(prefix) for key in store.writes] == [True]


@pytest.mark.parametrize(
    "key", ["raw/chart=a/date=2026-03-05/x.json.gz", "quarantine/inbox/x.csv.json", "x.csv", "Inbox/x.csv", "inbox"]
)
def test_an_event_of_an_object_outside_the_inbox_is_never_worked_on_so_that_no_write_can_lead_back_here(
    store: MemoryStore, inbox: Inbox, key: str
) -> None:
    store.objects[key] = CSV
    store.before_read = lambda read: pytest.fail(f"read {read}")
    assert process([message("astray", key)], inbox).failed == ["astray"]
    assert store.writes == []


def test_nothing_that_is_written_lies_in_the_inbox(store: MemoryStore, inbox: Inbox) -> None:
    good = [drop(store, f"{folder}{NAME}", CSV) for folder in ("", "inbox/", "../inbox/")]
    bad = [drop(store, f"{folder}bad.csv", NO_CHART) for folder in ("", "inbox/", f"{'inbox/' * 160}")]
    process([*good, *bad], inbox)
    assert {key.split("/", 1)[0] for key in store.writes} == {"raw", "quarantine"}


@pytest.mark.parametrize("body", ["", "no JSON", "{}", '{"Event": "s3:TestEvent"}', '{"detail": {"object": {}}}'])
def test_a_message_that_is_no_event_comes_again_and_so_reaches_the_dead_letters(inbox: Inbox, body: str) -> None:
    assert process([{"messageId": "odd", "body": body}], inbox).failed == ["odd"]


# The function


def called(
    messages: list[Message], inbox: Inbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[Any, str]:
    monkeypatch.setattr(module, "_opened", lambda: (inbox, EmfMetrics("dev")))
    answer = handler({"Records": messages}, None)
    return answer, capsys.readouterr().out


def test_the_answer_names_the_messages_that_are_to_come_again(
    store: MemoryStore, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    messages: list[Message] = [{"messageId": "odd", "body": "{}"}, drop(store, NAME, CSV)]
    answer, _ = called(messages, inbox, monkeypatch, capsys)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "odd"}]}


def test_files_in_quarantine_are_counted_in_the_same_metric_as_documents(
    store: MemoryStore, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = [drop(store, NAME, CSV), drop(store, "a.json", NO_CHART), drop(store, "b.json", b"")]
    _, printed = called(messages, inbox, monkeypatch, capsys)
    assert {one.dimensions for one in emitted(printed)} == {(("stage", "dev"),)}
    assert values(printed) == {"QuarantinedDocuments": 2}


def test_files_that_are_imported_cost_no_metric(
    store: MemoryStore, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called([drop(store, NAME, CSV)], inbox, monkeypatch, capsys)[1] == ""


def test_the_function_opens_its_stage_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"STAGE": "dev", "RAW_BUCKET": "raw", "CODE_VERSION": "abc", "LOG_LEVEL": "INFO"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(module, "configure_logs", str)
    opened, _ = module._opened.__wrapped__()
    assert opened.code_version == "abc"
