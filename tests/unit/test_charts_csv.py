"""An official file becomes rows: what each odd row, text and figure does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lambdas.core.charts_csv import CsvTable, parse_csv, read_charts_csv
from lambdas.core.errors import InvalidDocument, NotAChart
from lambdas.core.gates import GAP, NO_STREAMS, SIZE_DIFFERS, SONG_TWICE, TEXT_DAMAGED
from lambdas.core.reading import Reading
from lambdas.core.rows import days, milliseconds
from lambdas.core.schema import CHART_ENTRIES, SONGS
from tests.documents import DAY, OBSERVED, csv_answer, csv_file, csv_row, document, spotify_id

OLD_HEADER = "Position,Track Name,Artist,Streams,URL"
NOTE = ',,,"Note that these figures are generated using a formula that protects against any artificial inflation.",'
LINK = f"https://open.spotify.com/track/{spotify_id(('track', 'Honeymoon'))}"


def read(table: CsvTable) -> Reading:
    header = document([msgspec.to_builtins(table)], provider="charts_csv")
    return read_charts_csv(header, table)


def read_rows(*rows: dict[str, str], **given: Any) -> Reading:
    return read(msgspec.convert(csv_answer(rows, **given), CsvTable))


def entries_of(reading: Reading) -> list[dict[str, Any]]:
    return [dict(zip(CHART_ENTRIES.column_names, row, strict=True)) for row in reading.entries]


def songs_of(reading: Reading) -> list[dict[str, Any]]:
    return [dict(zip(SONGS.column_names, row, strict=True)) for rows in reading.songs.values() for row in rows]


def only_entry(**fields: Any) -> dict[str, Any]:
    (entry,) = entries_of(read_rows(csv_row(1, **fields)))
    return entry


def test_an_entry_is_read_with_every_figure_of_spotifys() -> None:
    row = csv_row(7, peak_rank=3, previous_rank=12, days_on_chart=40, streams=4_294_967_296, source="Paper Records")
    assert entries_of(read_rows(row)) == [
        {
            "chart": "regional-global-daily",
            "chart_date": days(DAY),
            "position": 7,
            "period": "daily",
            "song_id": spotify_id(("track", "Honeymoon")),
            "streams": 4_294_967_296,
            "popularity": None,
            "official_previous_position": 12,
            "official_peak_position": 3,
            "official_periods_on_chart": 40,
            "label": "Paper Records",
            "added_at": None,
            "provider": "charts_csv",
            "observed_at": milliseconds(OBSERVED),
        }
    ]


def test_a_song_has_its_name_and_verbatim_credit_and_waits_for_the_rest() -> None:
    reading = read_rows(csv_row(1, artist_names="Rafi, The Maker", track_name=' "Honeymoon", live'))
    song_id = spotify_id(("track", "Honeymoon"))
    assert songs_of(reading) == [
        dict.fromkeys(SONGS.column_names)
        | {
            "song_id": song_id,
            "name": ' "Honeymoon", live',
            "artist_names": "Rafi, The Maker",
            "recording_id": song_id,
            "url": f"https://open.spotify.com/track/{song_id}",
            "detail": "csv",
            "observed_at": milliseconds(OBSERVED),
        }
    ]
    assert (reading.albums, reading.artists, reading.song_artists) == ({}, {}, {})


@pytest.mark.parametrize("unfilled", ["-1", "0", "", " "])
@pytest.mark.parametrize(
    ("column", "figure"),
    [
        ("previous_rank", "official_previous_position"),
        ("peak_rank", "official_peak_position"),
        ("days_on_chart", "official_periods_on_chart"),
        ("source", "label"),
    ],
)
def test_what_spotify_did_not_fill_is_null(column: str, figure: str, unfilled: str) -> None:
    if column == "source":
        assert only_entry(source="")["label"] is None
    else:
        assert only_entry(**{column: unfilled})[figure] is None


@pytest.mark.parametrize("streams", ["0", "-5"])
def test_streams_that_are_not_above_0_are_null_with_a_warning(streams: str) -> None:
    reading = read_rows(csv_row(1, streams=streams), csv_row(2, "Other"))
    assert [entry["streams"] for entry in entries_of(reading)] == [None, 999_998]
    assert reading.warned[NO_STREAMS] == ["1 positions tell none above 0"]


def test_streams_that_are_not_told_are_null_without_a_warning() -> None:
    row = csv_row(1)
    del row["streams"], row["peak_rank"]
    reading = read_rows(row)
    assert [(entry["streams"], entry["official_peak_position"]) for entry in entries_of(reading)] == [(None, None)]
    assert NO_STREAMS not in reading.warned


def test_a_missing_position_is_a_gap_and_later_positions_stay() -> None:
    reading = read_rows(*(csv_row(n, f"Song {n}") for n in range(1, 201) if n != 142))
    assert [entry["position"] for entry in entries_of(reading)] == [n for n in range(1, 201) if n != 142]
    assert (reading.depth, reading.gaps, reading.skipped_null) == (200, 1, 0)
    assert reading.warned[GAP] == ["no row for position 142"]


def test_many_missing_positions_are_named_in_part() -> None:
    reading = read_rows(csv_row(1, "A"), csv_row(2_000_000_000, "B", streams=5))
    assert reading.gaps == 1_999_999_998
    assert reading.warned[GAP] == ["no row for position 2, 3, 4, 5, 6 ..."]


def test_a_short_chart_has_no_gap() -> None:
    reading = read_rows(*(csv_row(n, f"Song {n}") for n in range(1, 200)))
    assert (reading.depth, len(reading.entries), reading.gaps, list(reading.warned)) == (199, 199, 0, [SIZE_DIFFERS])


def test_rows_out_of_order_are_put_in_order() -> None:
    shuffled = read_rows(csv_row(3, "C"), csv_row(1, "A"), csv_row(2, "B"))
    assert shuffled == read_rows(csv_row(1, "A"), csv_row(2, "B"), csv_row(3, "C"))


def test_a_song_listed_twice_keeps_both_positions_and_warns() -> None:
    reading = read_rows(csv_row(1), csv_row(2))
    assert (len(reading.entries), len(reading.songs)) == (2, 1)
    assert reading.warned[SONG_TWICE] == [f"{spotify_id(('track', 'Honeymoon'))} again at position 2"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (csv_row(2, rank=1), "position 1 is given twice"),
        (csv_row(2, rank=0), "row 2: '0' is no position"),
        (csv_row(2, rank=-1), "row 2: '-1' is no position"),
        (csv_row(2, rank="two"), "row 2: 'two' is no position"),
        (csv_row(2, rank=2**31), "is no position"),
        (csv_row(2, uri=""), "position 2: '' is no link to a song"),
        (csv_row(2, uri="spotify:episode:" + "a" * 22), "is no link to a song"),
        (csv_row(2, uri="https://example.com/track/" + "a" * 22), "is no link to a song"),
        (csv_row(2, uri="spotify:track:short"), "'short' is not the id of a song"),
        (csv_row(2, uri="spotify:track:" + "é" * 22), "is not the id of a song"),
        (csv_row(2, streams="many"), "position 2: streams: 'many' is no whole number"),
        (csv_row(2, streams="1.5"), "'1.5' is no whole number"),
        (csv_row(2, streams="1,234"), "'1,234' is no whole number"),
        (csv_row(2, streams="٣"), "is no whole number"),
        (csv_row(2, streams=2**63), "or too large"),
        (csv_row(2, peak_rank=2**31), "position 2: peak: .* too large"),
        ({"rank": "2", "uri": LINK}, "row 2 has 2 fields, but the header names 9"),
    ],
)
def test_a_row_that_cannot_be_right_refuses_the_file_and_is_named(row: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidDocument, match=said) as caught:
        read_rows(csv_row(1, "First"), row)
    assert "\n" not in str(caught.value)


def test_a_header_without_rows_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="header without rows"):
        read(parse_csv(f"{OLD_HEADER}\n\n".encode()))


@pytest.mark.parametrize("before", ["", NOTE + "\n", NOTE + "\r\n\r\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("streams", ["5727318", '"5727318"'])
def test_the_old_format_is_read_with_and_without_its_note(before: str, end: str, mark: bytes, streams: str) -> None:
    text = before + end.join([OLD_HEADER, f'1,"Honeymoon, again","Ivo ""C"" Calder",{streams},{LINK}', ""])
    reading = read(parse_csv(mark + text.encode()))
    (entry,) = entries_of(reading)
    assert (entry["position"], entry["streams"], entry["label"]) == (1, 5_727_318, None)
    (song,) = songs_of(reading)
    assert (song["name"], song["artist_names"], song["url"]) == ("Honeymoon, again", 'Ivo "C" Calder', LINK)


def test_line_ends_byte_order_mark_and_quoting_do_not_change_what_is_kept() -> None:
    rows = [csv_row(1, "A", track_name="Ñandú\u2028Señal"), csv_row(2, "B")]
    plain = parse_csv(csv_file(rows).encode())
    assert plain.rows == tuple(tuple(row.values()) for row in rows)
    assert plain == parse_csv(b"\xef\xbb\xbf" + csv_file(rows, line_end="\r\n").encode())


def test_a_line_end_inside_a_quoted_text_belongs_to_the_text() -> None:
    rows = [csv_row(1, "A", track_name="One\r\nTwo")]
    (song,) = songs_of(read(parse_csv(csv_file(rows).encode())))
    assert song["name"] == "One\r\nTwo"


def test_the_header_tells_what_the_file_counts_in() -> None:
    assert parse_csv(csv_file([csv_row(1)]).encode()).period == "daily"
    weekly = csv_row(1)
    weekly["weeks_on_chart"] = weekly.pop("days_on_chart")
    assert parse_csv(csv_file([weekly]).encode()).period == "weekly"
    assert parse_csv(f"{OLD_HEADER}\n".encode()).period is None


def test_columns_are_found_by_name_wherever_they_stand() -> None:
    row = csv_row(1)
    assert read_rows({"": "0"} | dict(reversed(row.items()))) == read_rows(row)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rank,uri,artist_names,album_name\n1,a,b,c\n", "'rank,uri,artist_names,album_name'"),
        ("name,plays\nHoneymoon,3\n", "'name,plays'"),
        ("rank,rank,uri,artist_names,track_name\n1,1,a,b,c\n", "'rank,rank,uri"),
        (f"one\ntwo\n{OLD_HEADER}\n", "'one'"),
        ("hello", "'hello'"),
        ("\n", "''"),
        ('"', "'\"'"),
        ('openapi: "3.0.3"x\n"', "'openapi"),
        ("x" * 200_000, "'" + "x" * 60 + r"\.\.\.'"),
    ],
)
def test_what_is_no_chart_of_songs_is_refused_by_what_it_begins_with(text: str, shown: str) -> None:
    with pytest.raises(NotAChart, match=f"begins with {shown}") as caught:
        parse_csv(text.encode())
    assert "\n" not in str(caught.value)


def test_a_document_with_another_header_is_refused() -> None:
    with pytest.raises(NotAChart, match="its header is 'name,plays'"):
        read(CsvTable(header=("name", "plays"), rows=(("Honeymoon", "3"),), encoding="utf-8"))


def test_a_file_that_was_cut_off_inside_a_quoted_field_is_refused() -> None:
    whole = csv_file([csv_row(1, "A"), csv_row(2, "B")])
    with pytest.raises(InvalidDocument, match="not CSV: line 3: unexpected end of data: cut off"):
        parse_csv(whole[: whole.rindex('"')].encode())


@pytest.mark.parametrize(("code_page", "told"), [("cp1252", "cp1252"), ("latin-1", "cp1252"), ("mac_roman", "latin-1")])
def test_an_8_bit_file_keeps_ids_positions_figures_and_plain_text_and_drops_the_rest(code_page: str, told: str) -> None:
    """`ç` is a byte in Mac Roman that cp1252 does not know."""
    rows = [
        csv_row(1, "A", track_name="Plain?", artist_names="Also Plain", source="Señal"),
        csv_row(2, "B", track_name="Señal", artist_names="Françoise"),
        csv_row(3, "C", track_name="Plain", artist_names="Niño"),
    ]
    table = parse_csv(csv_file(rows).encode(code_page))
    assert table.encoding == told
    reading = read(table)
    assert [(row["position"], row["streams"], row["label"]) for row in entries_of(reading)] == [
        (1, 999_999, None),
        (2, 999_998, "Paper Records"),
        (3, 999_997, "Paper Records"),
    ]
    assert [(row["name"], row["artist_names"], row["detail"]) for row in songs_of(reading)] == [
        ("Plain?", "Also Plain", "csv"),
        (None, None, "incomplete"),
        ("Plain", None, "incomplete"),
    ]
    assert reading.damaged_texts == 4
    assert reading.warned[TEXT_DAMAGED] == [f"the file is not UTF-8 (read as {told}): 4 texts are left out"]


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("Do You Sleep?", True),
        ("Why? (live)", True),
        ("?????", False),
        ("Se?al", False),
        ("?andu", False),
        ("A ?", False),
    ],
)
def test_a_question_mark_that_stands_for_a_lost_letter_is_damage_in_a_file_that_lost_some(
    text: str, is_kept: bool
) -> None:
    (song,) = songs_of(read_rows(csv_row(1, track_name=text), encoding="cp1252"))
    assert (song["name"] == text) is is_kept
    (song,) = songs_of(read_rows(csv_row(1, track_name=text)))
    assert song["name"] == text


def test_a_replacement_character_is_damage_in_any_file() -> None:
    reading = read_rows(csv_row(1, track_name="Se\ufffdal"))
    assert [(row["name"], row["detail"]) for row in songs_of(reading)] == [(None, "incomplete")]
    assert reading.warned[TEXT_DAMAGED] == ["the file has replacement characters: 1 texts are left out"]


def test_a_song_without_a_name_is_incomplete_but_not_damaged() -> None:
    reading = read_rows(csv_row(1, track_name=""))
    assert [(row["name"], row["detail"]) for row in songs_of(reading)] == [(None, "incomplete")]
    assert (reading.damaged_texts, TEXT_DAMAGED in reading.warned) == (0, False)
