"""Files that a user imports: what is damaged is refused by one line, and the good file beside it goes through."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.documents import MAX_UNPACKED_BYTES
from tests.documents import csv_file, csv_row, entry, page, track
from tests.faults.pipeline import Pipeline, in_memory

CSV_NAME = "regional-us-daily-2026-03-05.csv"
GOOD = ("regional-us-daily-2026-03-04.csv", csv_file([csv_row(1, "One"), csv_row(2, "Two")]).encode())
CSV = csv_file([csv_row(1, "Señal"), csv_row(2, "Two")])
PLAYLIST = json.dumps(page([entry(track("Señal")), entry(track("Two"))]), ensure_ascii=False)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """In memory: what is read here does not depend on where it lies."""
    return in_memory(tmp_path)


def refused(pipeline: Pipeline, name: str, body: bytes, words: str, **told: Any) -> None:
    """The file is refused for a reason of one line, nothing of it is stored, and the good file beside it is."""
    before = set(pipeline.raw.keys(""))
    good = ("good.json", json.dumps(page([entry(track("Good"))])).encode()) if told else GOOD
    (reason,) = pipeline.import_files((name, body), good, **told)
    assert words in reason
    assert "\n" not in reason
    (new,) = set(pipeline.raw.keys("")) - before
    assert "chart=regional-us-daily/date=2026-03-04/" in new or told


def test_a_csv_cut_off_in_a_quoted_text_is_refused(pipeline: Pipeline) -> None:
    refused(pipeline, CSV_NAME, CSV.partition("Two")[0].encode() + b"T", "cut off")


def test_a_csv_cut_off_in_a_row_is_refused(pipeline: Pipeline) -> None:
    refused(pipeline, CSV_NAME, CSV.encode()[: CSV.rindex(",")], "but the header names 9")


@pytest.mark.parametrize("cut", [1, 20, 300])
def test_a_playlist_cut_off_is_refused(pipeline: Pipeline, cut: int) -> None:
    refused(pipeline, "playlist.json", PLAYLIST.encode()[:-cut], "truncated", chart="road-trip")


@pytest.mark.parametrize("body", [b"", b"\n \n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
@pytest.mark.parametrize("name", [CSV_NAME, "playlist.json"])
def test_an_empty_file_is_refused(pipeline: Pipeline, name: str, body: bytes) -> None:
    refused(pipeline, name, body, "is empty")


def test_a_csv_of_a_header_alone_is_refused(pipeline: Pipeline) -> None:
    refused(pipeline, CSV_NAME, CSV.splitlines()[0].encode(), "a header without rows")


def test_a_byte_order_mark_is_no_part_of_a_file(pipeline: Pipeline) -> None:
    mark = b"\xef\xbb\xbf"
    assert pipeline.import_files((CSV_NAME, mark + CSV.encode()), (f"again-{CSV_NAME}", CSV.encode())) == []
    assert pipeline.import_files(("playlist.json", mark + PLAYLIST.encode()), chart="road-trip") == []
    assert len(pipeline.expected.good) == 2


def test_a_csv_saved_in_a_code_page_is_loaded_without_the_texts_that_it_cannot_vouch_for(pipeline: Pipeline) -> None:
    assert pipeline.import_files((CSV_NAME, CSV.encode("cp1252"))) == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
@pytest.mark.parametrize("name", [CSV_NAME, "playlist.json"])
def test_another_encoding_is_refused(pipeline: Pipeline, name: str, encoding: str) -> None:
    text = CSV if name == CSV_NAME else PLAYLIST
    if encoding in ("utf-16", "utf-32"):  # both begin with the mark of UTF-16
        words = "save it as UTF-8"
    else:
        words = "not JSON" if name == "playlist.json" and encoding == "utf-16-le" else "is no chart of songs"
    refused(pipeline, name, text.encode(encoding), words)


@pytest.mark.parametrize("text", [PLAYLIST, '{"items": [{"x": "Señal"}]}'], ids=["in a name", "in what nobody reads"])
def test_a_playlist_in_latin_1_is_refused(pipeline: Pipeline, text: str) -> None:
    refused(pipeline, "playlist.json", text.encode("latin-1"), "save it as UTF-8", chart="road-trip")


@pytest.mark.parametrize("cut", [1, 8, 60])
@pytest.mark.parametrize("name", [f"{CSV_NAME}.gz", "playlist.json.gz"])
def test_a_gzipped_file_cut_off_is_refused(pipeline: Pipeline, name: str, cut: int) -> None:
    refused(pipeline, name, gzip.compress((CSV if ".csv" in name else PLAYLIST).encode())[:-cut], "cut off")


def test_a_gzip_bomb_is_refused_at_the_cap(pipeline: Pipeline) -> None:
    bomb = gzip.compress(b" " * (MAX_UNPACKED_BYTES + 1), compresslevel=1)
    refused(pipeline, f"{CSV_NAME}.gz", bomb, "unpacks to over 67,108,864 bytes")


def test_a_file_over_the_cap_is_refused_unread(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.importing.MAX_FILE_BYTES", len(CSV) - 1)
    refused(pipeline, CSV_NAME, CSV.encode(), "that are read")


@pytest.mark.parametrize("before", ["", '{"items":5,"x":', '{"x":', '{"items":[],"x":'])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_brackets_nested_past_all_reason_are_refused(pipeline: Pipeline, before: str, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    nested = opening * 50_000 + ("" if opening == "[" else "1") + closing * 50_000
    body = before + nested + ("}" if before else "")
    refused(pipeline, "playlist.json", body.encode(), "recursion", chart="road-trip")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 5_000, '"71"', "true", "71.5"])
def test_a_popularity_that_is_no_whole_number_is_refused(pipeline: Pipeline, number: str) -> None:
    body = PLAYLIST.replace('"popularity": 71', f'"popularity": {number}', 1).encode()
    refused(pipeline, "playlist.json", body, "not ", chart="road-trip")


@pytest.mark.parametrize("number", ["1e999", "9" * 5_000])
def test_a_number_that_no_machine_holds_where_nobody_looks_is_refused_if_something_else_is_wrong(
    pipeline: Pipeline, number: str
) -> None:
    body = f'{{"items": 5, "x": {number}}}'.encode()
    refused(pipeline, "playlist.json", body, "out of range", chart="road-trip")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_outside_of_time_is_refused(pipeline: Pipeline, moment: str) -> None:
    body = PLAYLIST.replace("2026-03-06T00:00:00Z", moment).encode()
    refused(pipeline, "playlist.json", body, "no moment in UTC", chart="road-trip", day=date(2026, 3, 5))


@pytest.mark.parametrize("position", ["0", "-1", "NaN", "1.0", "2147483648", ""])
def test_a_csv_with_a_position_that_is_not_above_0_is_refused(pipeline: Pipeline, position: str) -> None:
    refused(pipeline, CSV_NAME, csv_file([csv_row(1), csv_row(2, "Two", rank=position)]).encode(), "row 2: ")


@pytest.mark.parametrize("figure", ["NaN", "1e5", "12.5", "lots", "1,234", str(2**63)])
def test_a_csv_whose_streams_are_no_whole_number_is_refused(pipeline: Pipeline, figure: str) -> None:
    body = csv_file([csv_row(1), csv_row(2, "Two", streams=figure)]).encode()
    refused(pipeline, CSV_NAME, body, "position 2: streams: ")


@pytest.mark.parametrize("link", ["spotify:track:'; DROP TABLE songs; --", "spotify:track:" + "a" * 21 + "'", "", "x"])
def test_a_csv_whose_link_holds_quotes_or_sql_is_refused(pipeline: Pipeline, link: str) -> None:
    body = csv_file([csv_row(1), csv_row(2, "Two", uri=link)]).encode()
    refused(pipeline, CSV_NAME, body, "position 2: ")


def test_of_many_files_the_bad_ones_are_refused_and_all_the_others_loaded(pipeline: Pipeline) -> None:
    files = [
        (f"regional-us-daily-2026-{month:02}-{day:02}.csv", csv_file([csv_row(1, f"{month}")]).encode())
        for month in (1, 2)
        for day in range(1, 26)
    ]
    bad = [(f"bad-{number}.csv", b"no chart") for number in range(5)]
    mixed = [file for pair in zip(files[:5], bad, strict=True) for file in pair] + files[5:]
    assert len(pipeline.import_files(*mixed)) == len(bad)
    assert len(pipeline.expected.good) == len(files)
