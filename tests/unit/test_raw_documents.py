"""Raw documents and their keys: the same content is the same object, and damage is named."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest

from lambdas.core import documents
from lambdas.core.documents import MAX_STORED_BYTES, MAX_UNPACKED_BYTES, RawDocument, decode, encode, raw_answer, unpack
from lambdas.core.errors import InvalidDocument, InvalidKey
from lambdas.core.keys import parse_raw_key
from tests.documents import document, page


def test_a_document_comes_back_as_it_was_stored() -> None:
    raw = document()
    assert decode(encode(raw), key=raw.key, model=RawDocument) == raw


def test_the_key_names_chart_date_moment_provider_and_content() -> None:
    raw = document()
    assert raw.key == (
        f"raw/chart=regional-global-daily/date=2026-03-05/20260306T060000Z-playlist-{raw.digest}.json.gz"
    )
    assert str(parse_raw_key(raw.key)) == raw.key


def test_a_stored_document_is_one_line_of_json() -> None:
    text = gzip.decompress(encode(document()))
    assert b"\n" not in text
    assert msgspec.json.decode(text)["chart_date"] == "2026-03-05"


def test_when_and_from_where_a_document_came_changes_neither_key_nor_digest() -> None:
    raw = document()
    again = msgspec.structs.replace(raw, received_at=raw.received_at + timedelta(days=400), origin="elsewhere")
    assert again.key == raw.key


def test_other_content_is_another_key() -> None:
    assert document([page([], total=1)]).key != document([page([], total=2)]).key
    assert document(partial=True).key != document().key


def test_an_observation_in_another_time_zone_is_the_same_moment_in_the_key() -> None:
    east = datetime(2026, 3, 6, 8, 0, tzinfo=timezone(timedelta(hours=2)))
    raw = document(observed_at=documents.second(east))
    assert "/20260306T060000Z-" in raw.key


def test_answers_keep_their_numbers_escapes_and_order_and_lose_only_white_space() -> None:
    answer = b'{\n  "b": 1.50,\n  "a": "caf\\u00e9 \\u2028",\n "n": 12345678901234567890 }'
    assert bytes(raw_answer(answer)) == b'{"b":1.50,"a":"caf\\u00e9 \\u2028","n":12345678901234567890}'


def damaged(change: str) -> bytes:
    stored = encode(document())
    return {
        "cut off": stored[:-12],
        "empty": b"",
        "not gzip": b'{"format_version": 1}',
        "bits flipped": stored[:30] + bytes([stored[30] ^ 0xFF]) + stored[31:],
        "not JSON": gzip.compress(b"{"),
        "nested past all reason": gzip.compress(b'{"answers":' + b"[" * 100_000),
        "not a document": gzip.compress(b"[]"),
        "a field of the wrong type": gzip.compress(gzip.decompress(stored).replace(b'"daily"', b'"hourly"')),
        "an unknown field": gzip.compress(gzip.decompress(stored).replace(b'{"format', b'{"surprise":1,"format')),
        "a version from the future": gzip.compress(gzip.decompress(stored).replace(b'version":1', b'version":2')),
        "another chart than its key": gzip.compress(gzip.decompress(stored).replace(b"global-daily", b"us-daily")),
    }[change]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("cut off", "cut off"),
        ("empty", "cut off"),
        ("not gzip", "not gzip"),
        ("bits flipped", "not gzip, or damaged|not valid|JSON|cut off|Invalid"),
        ("not JSON", "truncated|malformed"),
        ("nested past all reason", "recursion|nested"),
        ("not a document", "Expected `object`"),
        ("a field of the wrong type", "Invalid enum value 'hourly'"),
        ("an unknown field", "unknown field `surprise`"),
        ("a version from the future", "format version 2"),
        ("another chart than its key", "which its key does not name"),
    ],
)
def test_a_damaged_document_is_refused_with_its_key_and_the_reason(change: str, said: str) -> None:
    key = document().key
    with pytest.raises(InvalidDocument, match=said) as caught:
        decode(damaged(change), key=key, model=RawDocument)
    assert str(caught.value).startswith(key)


def test_an_object_over_the_cap_is_refused_unread() -> None:
    with pytest.raises(InvalidDocument, match="over the 16,777,216 that are read"):
        unpack(b"\x1f\x8b" + bytes(MAX_STORED_BYTES), name="big")


def test_a_gzip_bomb_is_refused_at_the_cap() -> None:
    bomb = gzip.compress(bytes(MAX_UNPACKED_BYTES + 1))
    assert len(bomb) < 100_000
    with pytest.raises(InvalidDocument, match="unpacks to over 67,108,864 bytes"):
        unpack(bomb, name="bomb")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "raw/",
        "raw/chart=x/date=2026-03-05/",
        "raw/chart=UPPER/date=2026-03-05/20260306T060000Z-playlist-0123456789abcdef.json.gz",
        "raw/chart=x/date=2026-02-30/20260306T060000Z-playlist-0123456789abcdef.json.gz",
        "raw/chart=x/date=2026-03-05/20260306T250000Z-playlist-0123456789abcdef.json.gz",
        "raw/chart=x/date=2026-03-05/20260306T060000Z-playlist-0123456789ABCDEF.json.gz",
        "raw/chart=x/date=2026-03-05/holiday photo+1.jpg",
        "warehouse/songs.parquet",
    ],
)
def test_what_is_no_raw_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidKey, match="is not the key of a raw document"):
        parse_raw_key(key)


def test_the_winner_of_a_day_is_the_newest_of_the_best_kind() -> None:
    late = datetime(2026, 3, 9, tzinfo=UTC)
    rising = [
        document(partial=True),
        document(partial=True, observed_at=late),
        document(),
        document(observed_at=late),
        document(provider="charts_csv"),
        document(withdrawal=True),
    ]
    ranks = [raw.rank(raw.digest) for raw in rising]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_dates_in_keys_are_the_chart_dates() -> None:
    assert parse_raw_key(document(chart_date=date(2024, 2, 29)).key).chart_date == date(2024, 2, 29)
