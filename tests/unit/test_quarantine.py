"""The records of what cannot be used: what they tell, when they stay, and when they are renewed."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import msgspec
import pytest

from lambdas.core.documents import encode
from lambdas.core.events import encode_event
from lambdas.core.inbox import Inbox
from lambdas.core.keys import quarantine_key
from lambdas.core.quarantine import Quarantine, QuarantineRecord, decode_record, place_in
from lambdas.core.store import StoredObject
from lambdas.core.warehouse import Warehouse
from lambdas.transform.handler import process
from tests.documents import cached_song, document, track
from tests.fakes import MemoryStore

KEY = document().key
FIRST = datetime(2026, 3, 8, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 9, 12, tzinfo=UTC)


class VersionedStore(MemoryStore):
    """A bucket that keeps versions: it tells which one it hands over."""

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        held = super().get(key, max_bytes=max_bytes)
        return None if held is None else StoredObject(held.body, held.etag, version_id=f"version of {key}")


def record_of(store: MemoryStore, key: str) -> QuarantineRecord:
    record = decode_record(store.objects[quarantine_key(key)])
    assert record is not None
    return record


def quarantine(store: MemoryStore, *, code: str = "1.0", now: datetime = FIRST) -> Quarantine:
    return Quarantine(store, code_version=code, now=lambda: now)


def test_a_document_an_answer_and_a_file_are_on_record_with_key_version_reason_place_code_and_time() -> None:
    store, answer = VersionedStore(), cached_song(track())
    file_key = "inbox/chart=road-trip/date=2026-03-07/broken.csv"
    for key in (KEY, answer.key):
        store.objects[key] = b"rubbish"
    store.objects[file_key] = b"Position,Track Name,Artist,Streams,URL\n1,only two\n"
    warehouse = Warehouse(raw=store, tables=MemoryStore(), code_version="1.0", now=lambda: FIRST)
    failed = process(
        [{"messageId": key, "body": encode_event(bucket="raw", key=key)} for key in (KEY, answer.key)], warehouse
    ).failed
    assert not failed
    assert Inbox(store, code_version="1.0", now=lambda: FIRST).take(file_key).outcome == "quarantined"
    for key in (KEY, answer.key, file_key):
        record = record_of(store, key)
        assert (record.key, record.version_id, record.code_version) == (key, f"version of {key}", "1.0")
        assert record.quarantined_at == FIRST
        assert record.gate is not None
    assert record_of(store, file_key).where == "row 1"


def test_a_field_of_the_wrong_type_is_on_record_with_its_path() -> None:
    store = MemoryStore()
    text = gzip.decompress(encode(document()))
    assert b'"partial":false' in text
    store.objects[KEY] = gzip.compress(text.replace(b'"partial":false', b'"partial":"no"'))
    process(
        [{"messageId": "1", "body": encode_event(bucket="raw", key=KEY)}], Warehouse(raw=store, tables=MemoryStore())
    )
    assert record_of(store, KEY).where == "$.partial"


def test_a_stray_object_is_on_record_with_the_version_that_its_event_tells() -> None:
    store = MemoryStore()
    detail = {"bucket": {"name": "raw"}, "object": {"key": "raw/stray.txt", "version-id": "abc"}}
    process(
        [{"messageId": "1", "body": msgspec.json.encode({"detail": detail}).decode()}],
        Warehouse(raw=store, tables=MemoryStore()),
    )
    assert record_of(store, "raw/stray.txt").version_id == "abc"


@pytest.mark.parametrize(
    ("reason", "where"),
    [
        (
            "unreadable: k: Expected `int`, got `str` - at `$.answers[0].items[3].position`",
            "$.answers[0].items[3].position",
        ),
        ("unreadable: not JSON: JSON is malformed: invalid character (byte 17)", "byte 17"),
        ("row_broken: row 12 has 4 fields, but the header names 9", "row 12"),
        ("figure_impossible: position 7: streams: 'row 9' is no whole number, or too large", "position 7"),
        ("empty: none of its 50 places holds a song", None),
        ("unreadable: k: cut off: its gzip stream has no end", None),
    ],
)
def test_the_place_is_the_one_that_the_reason_names_and_never_one_that_it_quotes(
    reason: str, where: str | None
) -> None:
    assert place_in(reason) == where


def test_a_record_that_says_the_same_stays_to_the_byte() -> None:
    store = MemoryStore()
    quarantine(store).keep(KEY, "empty: nothing")
    before = dict(store.objects)
    quarantine(store, code="2.0", now=LATER).keep(KEY, "empty: nothing")
    assert store.objects == before


@pytest.mark.parametrize("changed", [("empty: nothing", "v2"), ("unreadable: not gzip", "v1")])
def test_another_version_or_another_reason_renews_the_record(changed: tuple[str, str]) -> None:
    store = MemoryStore()
    quarantine(store).keep(KEY, "empty: nothing", version_id="v1")
    quarantine(store, code="2.0", now=LATER).keep(KEY, changed[0], version_id=changed[1])
    record = record_of(store, KEY)
    assert (record.reason, record.version_id) == changed
    assert (record.code_version, record.quarantined_at) == ("2.0", LATER)


def test_a_record_that_was_retried_is_renewed_by_whoever_finds_the_same_again() -> None:
    store = MemoryStore()
    quarantine(store).keep(KEY, "empty: nothing")
    retried = msgspec.structs.replace(record_of(store, KEY), retried_at=FIRST)
    store.objects[quarantine_key(KEY)] = msgspec.json.encode(retried)
    quarantine(store, now=LATER).keep(KEY, "empty: nothing")
    record = record_of(store, KEY)
    assert record.retried_at is None
    assert record.quarantined_at == LATER


def test_what_is_no_record_is_replaced_by_one() -> None:
    store = MemoryStore()
    store.objects[quarantine_key(KEY)] = b"somebody's notes"
    quarantine(store).keep(KEY, "empty: nothing")
    assert record_of(store, KEY).reason == "empty: nothing"


def test_a_record_of_an_earlier_version_is_read() -> None:
    old = {"key": KEY, "reason": "not gzip", "code_version": "0.1", "quarantined_at": "2026-01-02T03:04:05Z"}
    record = decode_record(msgspec.json.encode(old))
    assert record is not None
    assert (record.version_id, record.where, record.retried_at, record.gate) == (None, None, None, None)
