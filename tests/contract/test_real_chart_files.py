"""Every real chart CSV gives exactly what a second, independent reading of the file gives.

The second reading uses the csv module and plain dictionaries, and shares no code with the product.
"""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, date, datetime
from typing import Any

import pytest

from lambdas.core import documents
from lambdas.core.errors import UndatedChart
from lambdas.core.imports import read_import
from lambdas.core.keys import parse_raw_key
from lambdas.core.schema import ALBUMS, ARTISTS, CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS, SONGS
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.contract.test_real_payloads import CHARTS, Zone
from tests.fakes import MemoryStore
from tests.payloads import PAYLOADS, requires_payloads
from tests.tables import read_table

pytestmark = requires_payloads

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FILES = sorted(path.name for path in PAYLOADS.glob("*.csv"))
RESAVED = "old_regional-global-daily_2020-01.csv"
"""Its bytes are of an 8-bit code page."""
TOLD = {
    "old_regional-us-weekly-2019-01-04--2019-01-11.csv": ("regional-us-weekly", date(2019, 1, 10)),
    "regional-global-weekly-2022-12-29.csv": ("regional-global-weekly", date(2022, 12, 29)),
    "regional-global-weekly-2023-06-15.csv": ("regional-global-weekly", date(2023, 6, 15)),
    "regional-global-weekly-2023-06-22.csv": ("regional-global-weekly", date(2023, 6, 22)),
    "regional-pk-daily-2025-12-01.csv": ("regional-pk-daily", date(2025, 12, 1)),
    "regional-pk-daily-2025-12-02.csv": ("regional-pk-daily", date(2025, 12, 2)),
}
"""Chart and date of the files whose names tell both."""
GIVEN = {
    "old_regional-global-daily_2018-11_note.csv": ("regional-global-daily", date(2018, 11, 18)),
    "old_regional-global-daily_2020-01.csv": ("regional-global-daily", date(2020, 1, 1)),
    "old_regional-global-weekly_2020-02_note.csv": ("regional-global-weekly", date(2020, 2, 13)),
}
"""Chart of the files whose names tell it, and a date to give them."""
PLACES = TOLD | GIVEN


def rows_in(name: str) -> list[dict[str, str]]:
    """A file's rows, read plainly, by the present format's columns."""
    body = (PAYLOADS / name).read_bytes().removeprefix(b"\xef\xbb\xbf")
    text = body.decode("latin-1" if name == RESAVED else "utf-8")
    lines = [
        line for line in csv.reader(io.StringIO(text, newline="")) if line and not line[-2].startswith("Note that")
    ]
    header, *rows = lines if "Note that" not in str(lines[0]) else lines[1:]
    present = {
        "Position": "rank",
        "Track Name": "track_name",
        "Artist": "artist_names",
        "Streams": "streams",
        "URL": "uri",
        "days_on_chart": "periods",
        "weeks_on_chart": "periods",
    }
    return [dict(zip([present.get(column, column) for column in header], row, strict=True)) for row in rows]


def above_0(text: str | None) -> int | None:
    return int(text) if text and int(text) > 0 else None


def expected_entries(name: str) -> list[tuple[Any, ...]]:
    """What `chart_entries` should hold of a file, worked out plainly."""
    return [
        (
            int(row["rank"]),
            row["uri"].replace("/", ":").split(":")[-1],
            int(row["streams"]),
            above_0(row.get("previous_rank")),
            above_0(row.get("peak_rank")),
            above_0(row.get("periods")),
            row.get("source"),
        )
        for row in rows_in(name)
    ]


def held_entries(tables: MemoryStore, chart: str, chart_date: date) -> list[tuple[Any, ...]]:
    names = (
        "position",
        "song_id",
        "streams",
        "official_previous_position",
        "official_peak_position",
        "official_periods_on_chart",
        "label",
    )
    return [
        tuple(row[name] for name in names)
        for row in read_table(tables, CHART_ENTRIES)
        if (row["chart"], row["chart_date"]) == (chart, chart_date)
    ]


class Files(Zone):
    """A raw zone and its tables, into which files are imported under their own names."""

    def bring(self, *names: str) -> None:
        keys = []
        for name in names:
            chart_date = GIVEN[name][1] if name in GIVEN else None
            body = (PAYLOADS / name).read_bytes()
            document = read_import(body, name=name, received_at=NOW, chart_date=chart_date).document
            self.raw.put_new(document.key, documents.encode(document))
            keys.append(parse_raw_key(document.key))
        warehouse = Warehouse(raw=self.raw, tables=self.tables, now=lambda: NOW)
        for (chart, year), dates in group_by_chart_year(keys).items():
            warehouse.load(chart, year, dates)


def test_every_chart_file_there_is_is_placed() -> None:
    assert sorted(PLACES) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_real_chart_file_gives_exactly_its_positions_ids_figures_and_labels(name: str) -> None:
    zone = Files()
    zone.bring(name)
    held, expected = held_entries(zone.tables, *PLACES[name]), expected_entries(name)
    assert held == expected
    assert len(held) == len(read_table(zone.tables, CHART_ENTRIES)) == 200
    assert sum(row[2] for row in held) == sum(int(row["streams"]) for row in rows_in(name))
    (snapshot,) = read_table(zone.tables, SNAPSHOTS)
    assert (snapshot["provider"], snapshot["depth"], snapshot["entries"], snapshot["gaps"], snapshot["verdict"]) == (
        "charts_csv",
        200,
        200,
        0,
        "published",
    )
    assert {len(read_table(zone.tables, table)) for table in (ALBUMS, ARTISTS, SONG_ARTISTS)} == {0}


@pytest.mark.parametrize("name", [name for name in FILES if name != RESAVED])
def test_a_real_chart_files_names_and_credits_are_verbatim(name: str) -> None:
    zone = Files()
    zone.bring(name)
    held = {row["song_id"]: (row["name"], row["artist_names"], row["detail"]) for row in read_table(zone.tables, SONGS)}
    assert held == {
        entry[1]: (row["track_name"], row["artist_names"], "csv")
        for entry, row in zip(expected_entries(name), rows_in(name), strict=True)
    }
    assert [row["warnings"] for row in read_table(zone.tables, SNAPSHOTS)] == [None]


def test_the_credit_with_a_comma_of_its_own_is_in_the_real_files_and_stays_whole() -> None:
    zone = Files()
    zone.bring("regional-global-weekly-2023-06-15.csv")
    assert "Tyler, The Creator, Kali Uchis" in {row["artist_names"] for row in read_table(zone.tables, SONGS)}


def ascii_only(text: str) -> str | None:
    return text if text.isascii() else None


def test_the_file_that_a_spreadsheet_saved_again_keeps_all_but_the_texts_it_destroyed() -> None:
    zone = Files()
    zone.bring(RESAVED)
    held = {row["song_id"]: (row["name"], row["artist_names"]) for row in read_table(zone.tables, SONGS)}
    expected = {
        entry[1]: (ascii_only(row["track_name"]), ascii_only(row["artist_names"]))
        for entry, row in zip(expected_entries(RESAVED), rows_in(RESAVED), strict=True)
    }
    assert held == expected
    damaged = [text for texts in expected.values() for text in texts].count(None)
    assert damaged == 13
    (snapshot,) = read_table(zone.tables, SNAPSHOTS)
    assert snapshot["warnings"] == "text_damaged: the file is not UTF-8 (read as latin-1): 13 texts are left out"


def test_texts_of_a_destroyed_file_replace_none_of_the_good_ones_and_are_replaced_by_them() -> None:
    zone = Files()
    zone.bring(*FILES)
    good = {
        entry[1]: row["track_name"]
        for name in sorted(FILES, key=lambda name: PLACES[name][1])
        if name != RESAVED
        for entry, row in zip(expected_entries(name), rows_in(name), strict=True)
    }
    held = {row["song_id"]: row for row in read_table(zone.tables, SONGS)}
    both = {entry[1] for entry in expected_entries(RESAVED)} & set(good)
    destroyed = {
        entry[1]
        for entry, row in zip(expected_entries(RESAVED), rows_in(RESAVED), strict=True)
        if not row["track_name"].isascii()
    }
    assert both & destroyed
    assert {song: held[song]["name"] for song in both & destroyed} == {song: good[song] for song in both & destroyed}
    assert not {song for song in good if held[song]["name"] is None}


@pytest.mark.parametrize("name", FILES)
def test_a_real_chart_file_tells_its_chart_and_where_it_can_its_date(name: str) -> None:
    body = (PAYLOADS / name).read_bytes()
    if name in GIVEN:
        with pytest.raises(UndatedChart, match="--chart-date"):
            read_import(body, name=name, received_at=NOW)
        chart = read_import(body, name=name, received_at=NOW, chart_date=GIVEN[name][1]).document.chart
        assert chart == GIVEN[name][0]
    else:
        document = read_import(body, name=name, received_at=NOW).document
        assert (document.chart, document.chart_date) == TOLD[name]


def test_a_real_chart_that_lacks_a_position_leaves_it_out_and_moves_nothing_up() -> None:
    name = "regional-global-weekly-2023-06-15.csv"
    lines = (PAYLOADS / name).read_bytes().splitlines(keepends=True)
    imported = read_import(b"".join(lines[:142] + lines[143:]), name=name, received_at=NOW)
    assert [row[2] for row in imported.reading.entries] == [n for n in range(1, 201) if n != 142]
    assert (imported.reading.depth, imported.reading.gaps) == (200, 1)
    assert imported.reading.warnings == ["gap: no row for position 142"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_real_chart_files_and_playlists_in_any_order_and_again_give_the_same_bytes(seed: int) -> None:
    once = Files()
    once.bring(*FILES)
    once.load(*CHARTS)
    mixed = Files()
    arrivals = FILES + CHARTS + FILES[:4] + CHARTS[:4]
    random.Random(seed).shuffle(arrivals)
    for name in arrivals:
        (mixed.bring if name in PLACES else mixed.load)(name)
    assert mixed.tables.objects == once.tables.objects
    writes = len(mixed.tables.writes)
    mixed.bring(*FILES)
    assert len(mixed.tables.writes) == writes


def test_what_the_web_api_told_of_a_song_stays_when_chart_files_come_and_replaces_them_when_it_comes_later() -> None:
    api_first, files_first, api_only = Files(), Files(), Files()
    api_first.load(*CHARTS)
    api_first.bring(*FILES)
    files_first.bring(*FILES)
    files_first.load(*CHARTS)
    api_only.load(*CHARTS)
    told = {row["song_id"]: row for row in read_table(api_only.tables, SONGS)}
    charted = {entry[1] for name in FILES for entry in expected_entries(name)}
    assert len(charted & set(told)) > 20
    for zone in (api_first, files_first):
        held = {row["song_id"]: row for row in read_table(zone.tables, SONGS)}
        assert {song: held[song] for song in told} == told
        assert {held[song]["detail"] for song in charted - set(told)} == {"csv", "incomplete"}
