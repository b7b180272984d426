"""Raw documents that are damaged, or that hold what no chart holds: each is on record with its reason, and no more."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambdas.core import documents
from lambdas.core.documents import MAX_UNPACKED_BYTES, RawDocument
from lambdas.core.schema import SNAPSHOTS, SONGS
from tests.documents import DAY, OBSERVED, csv_answer, csv_row, document, entry, page, track
from tests.fakes import MemoryStore
from tests.faults.pipeline import Pipeline, contents, in_memory
from tests.tables import read_table

TEXT = gzip.decompress(documents.encode(document()))
"""A good document, unpacked."""


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """In memory: what is read here does not depend on where it lies."""
    return in_memory(tmp_path)


def key_of(number: int = 0) -> str:
    """Keys of documents that nobody has stored, all of one day."""
    return document(observed_at=OBSERVED + timedelta(seconds=number + 1)).key


def text_of(number: int = 0) -> bytes:
    """What belongs under `key_of`, unpacked."""
    return gzip.decompress(documents.encode(document(observed_at=OBSERVED + timedelta(seconds=number + 1))))


def arrive(pipeline: Pipeline, *bodies: bytes, words: str) -> None:
    """Bad objects come in beside a good document of the same day, which is to be loaded without them."""
    keys = [pipeline.put_bad(key_of(number), body, words) for number, body in enumerate(bodies)]
    pipeline.tell(*keys, *pipeline.put(document()))
    pipeline.deliver()


def edited(edit: Callable[[dict[str, Any]], object]) -> bytes:
    """The document with something changed in its first entry's song, packed again."""
    told = json.loads(text_of())
    edit(told["answers"][0]["items"][0]["item"])
    return gzip.compress(json.dumps(told).encode())


# ---- damaged


def test_a_document_cut_off_anywhere_is_told_as_cut_off(pipeline: Pipeline) -> None:
    whole = gzip.compress(text_of())
    arrive(pipeline, *(whole[:length] for length in range(1, len(whole), len(whole) // 7)), words="cut off")


def test_json_that_was_cut_off_before_it_was_packed_is_told_as_truncated(pipeline: Pipeline) -> None:
    bodies = [gzip.compress(text_of(number)[:-length]) for number, length in enumerate((1, 40, 400))]
    arrive(pipeline, *bodies, words="truncated")


def test_an_object_without_a_byte_is_told_as_cut_off(pipeline: Pipeline) -> None:
    arrive(pipeline, b"", words="cut off")


def test_a_packed_nothing_is_told_as_truncated(pipeline: Pipeline) -> None:
    arrive(pipeline, gzip.compress(b""), words="truncated")


def test_a_byte_order_mark_is_no_json(pipeline: Pipeline) -> None:
    arrive(pipeline, gzip.compress(b"\xef\xbb\xbf" + text_of()), words="malformed")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_another_encoding_is_no_json(pipeline: Pipeline, encoding: str) -> None:
    arrive(pipeline, gzip.compress(text_of().decode().encode(encoding)), words="malformed")


def test_a_name_in_latin_1_is_told_by_its_byte(pipeline: Pipeline) -> None:
    arrive(pipeline, gzip.compress(text_of().replace(b"Honeymoon", b"Se\xf1al")), words="can't decode byte 0xf1")


@pytest.mark.parametrize("flipped", [2, 40, -6, -1])
def test_a_damaged_byte_is_found_by_gzips_own_check(pipeline: Pipeline, flipped: int) -> None:
    body = bytearray(gzip.compress(text_of()))
    body[flipped] ^= 0x10
    arrive(pipeline, bytes(body), words=".json.gz: ")


def test_bytes_after_the_end_are_not_passed_over(pipeline: Pipeline) -> None:
    arrive(pipeline, gzip.compress(text_of()) + b"more", words="4 bytes more after the end")


# ---- too large


def test_a_gzip_bomb_is_never_unpacked_past_the_cap(pipeline: Pipeline) -> None:
    bomb = gzip.compress(bytes(MAX_UNPACKED_BYTES + 1), compresslevel=1)
    arrive(pipeline, bomb, gzip.compress(gzip.compress(bytes(MAX_UNPACKED_BYTES), 1), 1), words=".json.gz: ")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_brackets_nested_past_all_reason_are_told_as_such(pipeline: Pipeline, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    nested = opening * 50_000 + "1" + closing * 50_000
    arrive(pipeline, swap(b'"popularity":71', b'"x":' + nested.encode()), words="recursion")


def test_a_chart_of_ten_thousand_entries_is_loaded_whole(pipeline: Pipeline) -> None:
    songs = [track(f"Song {number}") for number in range(10_000)]
    pipeline.tell(*pipeline.put(document(songs=songs)))


# ---- not what a chart holds


def swap(old: bytes, new: bytes) -> bytes:
    """The document with some of its JSON exchanged, packed again."""
    assert old in text_of()
    return gzip.compress(text_of().replace(old, new, 1))


@pytest.mark.parametrize(
    ("field", "value"), [("popularity", "71"), ("duration_ms", "185000"), ("explicit", "false"), ("id", 4)]
)
def test_a_number_as_a_string_or_a_string_as_a_number_is_never_converted(
    pipeline: Pipeline, field: str, value: object
) -> None:
    arrive(pipeline, edited(lambda song: song.update({field: value})), words=f"item.{field}")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_no_json(pipeline: Pipeline, number: str) -> None:
    arrive(pipeline, swap(b'"popularity":71', f'"popularity":{number}'.encode()), words="malformed")


@pytest.mark.parametrize("number", ["1e999", "1e400", "-1e999", "9" * 400, str(2**31)])
def test_a_number_that_no_column_holds_is_told_by_its_place(pipeline: Pipeline, number: str) -> None:
    arrive(pipeline, swap(b'"popularity":71', f'"popularity":{number}'.encode()), words="item.popularity")


@pytest.mark.parametrize("offset", [-1, -(2**31), 2**31])
def test_a_negative_or_absurd_position_of_a_playlist_is_told_by_its_place(pipeline: Pipeline, offset: int) -> None:
    arrive(pipeline, swap(b'"offset":0', f'"offset":{offset}'.encode()), words="answers[0].offset")


@pytest.mark.parametrize("position", ["0", "-1", "-2147483648", "2147483648", "1.0", "NaN", "٣", "", " "])
def test_a_row_of_a_file_without_a_position_above_0_is_told_by_its_number(pipeline: Pipeline, position: str) -> None:
    rows = [csv_row(1, "One"), csv_row(2, "Two", rank=position)]
    bad = document([csv_answer(rows)], provider="charts_csv")
    key = pipeline.put_bad(bad.key, documents.encode(bad), "row 2: ")
    pipeline.tell(key, *pipeline.put(document()))


def test_positions_told_twice_are_never_published(pipeline: Pipeline) -> None:
    pages = [page([entry(track("One"))], total=2), page([entry(track("Two"))], total=2)]
    twice_in_a_playlist = document(pages, observed_at=OBSERVED + timedelta(hours=1))
    twice_in_a_file = document([csv_answer([csv_row(1, "One"), csv_row(1, "Two")])], provider="charts_csv")
    for bad in (twice_in_a_playlist, twice_in_a_file):
        pipeline.tell(pipeline.put_bad(bad.key, documents.encode(bad), "position 1 is given twice"))
    pipeline.tell(*pipeline.put(document()))


def test_of_a_key_given_twice_in_an_object_the_last_counts_as_every_reader_of_json_has_it(pipeline: Pipeline) -> None:
    told = document()
    name = b'"name":"Honeymoon"'
    text = TEXT.replace(name, b'"name":"Another",' + name, 1)
    (key,) = pipeline.put(told)
    pipeline.expected.bodies[key] = gzip.compress(text, mtime=0)
    replace(pipeline, key)
    pipeline.tell(key)
    pipeline.deliver()
    assert [row["name"] for row in rows(pipeline, SONGS)] == ["Honeymoon"]


def replace(pipeline: Pipeline, key: str) -> None:
    """Put what the test expects under a document's key in its place."""
    held = pipeline.raw.get(key)
    assert held is not None
    assert pipeline.raw.replace(key, pipeline.expected.bodies[key], etag=held.etag)


def rows(pipeline: Pipeline, table: Any) -> list[dict[str, Any]]:
    store = MemoryStore()
    store.objects = contents(pipeline.tables)
    return read_table(store, table)


HOSTILE = [
    "'; DROP TABLE songs; --",
    '" OR ""="',
    "../../songs/songs.parquet",
    "a" * 22 + "'",
    "a'b" + "c" * 19,
    "٣" * 22,
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("noun", ["song", "album", "artist"])
def test_an_id_with_quotes_or_sql_is_no_id(pipeline: Pipeline, text: str, noun: str) -> None:
    def edit(song: dict[str, Any]) -> None:
        {"song": song, "album": song["album"], "artist": song["artists"][0]}[noun]["id"] = text

    arrive(pipeline, edited(edit), words=f"is not the id of a{'' if noun == 'song' else 'n'} {noun}")


def test_a_text_with_quotes_sql_and_every_script_is_kept_as_it_is(pipeline: Pipeline) -> None:
    names = [*HOSTILE, "Señal ñandú 東京 🎵", "a\x00b", "line\nbreak", "\u202eright to left", "", " "]
    songs = [track(f"Song {number}") | {"name": name} for number, name in enumerate(names)]
    pipeline.tell(*pipeline.put(document(songs=songs)))
    pipeline.deliver()
    assert sorted(row["name"] for row in rows(pipeline, SONGS)) == sorted(names)


def test_a_chart_without_an_entry_and_one_without_a_song_are_never_published(pipeline: Pipeline) -> None:
    empty: list[tuple[RawDocument, str]] = [
        (document([page([])]), "holds no entries at all"),
        (document([]), "holds no entries at all"),
        (document([page([entry(None)])]), "none of its 1 places holds a song"),
        (document([csv_answer([csv_row(1)]) | {"rows": []}], provider="charts_csv"), "without rows"),
    ]
    for bad, words in empty:
        pipeline.tell(pipeline.put_bad(bad.key, documents.encode(bad), words))
    pipeline.tell(*pipeline.put(document()))


def test_a_document_under_a_key_of_another_chart_day_provider_or_moment_is_told_apart(pipeline: Pipeline) -> None:
    """Copied by hand to where it does not belong: an observation from the future would win its day for ever."""
    told = documents.encode(document())
    elsewhere = [
        document(chart="road-trip"),
        document(chart_date=DAY + timedelta(days=1)),
        document(provider="public_charts"),
        document(observed_at=OBSERVED + timedelta(seconds=1)),
    ]
    for other in elsewhere:
        words = "missing required field" if other.provider == "public_charts" else "which its key does not name"
        pipeline.tell(pipeline.put_bad(other.key, told, words))
    pipeline.tell(*pipeline.put(document()))


def test_a_day_with_nothing_but_bad_documents_stays_as_it_was(pipeline: Pipeline) -> None:
    pipeline.tell(*pipeline.put(document()))
    pipeline.deliver()
    before = contents(pipeline.tables)
    later = [document(chart_date=DAY + timedelta(days=n)) for n in (1, 2)]
    bad = [pipeline.put_bad(told.key, b"rubbish", "not gzip") for told in later]
    pipeline.tell(*bad)
    pipeline.deliver()
    assert contents(pipeline.tables) == before
    assert len(rows(pipeline, SNAPSHOTS)) == 1
