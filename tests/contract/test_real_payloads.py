"""Every real payload gives exactly what a second, independent reading of the file gives.

The second reading uses the json module and plain dictionaries, and shares no code with the product.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lambdas.core import documents
from lambdas.core.errors import InvalidDocument, NotAChart, PartialChart, UndatedChart, UnnamedChart
from lambdas.core.imports import read_import
from lambdas.core.keys import parse_raw_key
from lambdas.core.schema import ALBUMS, ARTISTS, CHART_ENTRIES, SONG_ARTISTS, SONGS
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.fakes import MemoryStore
from tests.payloads import PAYLOADS, requires_payloads
from tests.tables import read_table

pytestmark = requires_payloads

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CHARTS = sorted(
    [
        path.name
        for pattern in ("tracks_*.json", "items_*.json", "list-of-items_*.json", "playlist_*.json")
        for path in PAYLOADS.glob(pattern)
        if path.name != "tracks_several_2.json"
    ]
)
PUBLIC_CHARTS = {path.name for path in PAYLOADS.glob("public-charts-*.json")}
NOT_CHARTS = sorted(
    {path.name for path in PAYLOADS.glob("*") if path.suffix in {".json", ".yml", ".md"}} - {*CHARTS, *PUBLIC_CHARTS}
)


def entries_in(path: Path) -> tuple[int, list[dict[str, Any]]]:
    """Offset and entries of a file, read plainly."""
    value = json.loads(path.read_text("utf-8"))
    if isinstance(value, list):
        if "tracks" not in value[0]:
            return 0, value
        value = value[0]
    container = value.get("tracks", value)
    return container.get("offset", 0), container["items"]


def day_of(name: str) -> date:
    """A date of its own for each file, so that they all can be one chart."""
    return date(2024, 1, 1 + CHARTS.index(name))


def expected_rows(name: str) -> dict[str, Any]:
    """What the tables should hold of a file, worked out plainly."""
    offset, entries = entries_in(PAYLOADS / name)
    positions, songs, albums, artists, pairs = [], {}, {}, {}, []
    for index, held in enumerate(entries):
        song = held["track"]
        if song is None or held["is_local"] or song["type"] == "episode":
            continue
        positions.append((offset + index + 1, song["id"]))
        songs[song["id"]] = (
            song["name"],
            song["duration_ms"],
            song["explicit"],
            song.get("popularity"),
            song["album"]["id"],
        )
        release = song["album"]["release_date"]
        albums[song["album"]["id"]] = (
            song["album"]["name"],
            release + {4: "-01-01", 7: "-01", 10: ""}[len(release)],
            song["album"]["release_date_precision"],
            song["album"].get("total_tracks"),
        )
        for place, credited in enumerate(song["artists"]):
            artists[credited["id"]] = credited["name"]
            if (song["id"], place + 1, credited["id"]) not in pairs:
                pairs.append((song["id"], place + 1, credited["id"]))
    return {"positions": positions, "songs": songs, "albums": albums, "artists": artists, "pairs": sorted(pairs)}


def loaded_rows(tables: MemoryStore) -> dict[str, Any]:
    return {
        "positions": [(row["position"], row["song_id"]) for row in read_table(tables, CHART_ENTRIES)],
        "songs": {
            row["song_id"]: (row["name"], row["duration_ms"], row["explicit"], row["popularity"], row["album_id"])
            for row in read_table(tables, SONGS)
        },
        "albums": {
            row["album_id"]: (row["name"], str(row["release_date"]), row["release_date_precision"], row["total_tracks"])
            for row in read_table(tables, ALBUMS)
        },
        "artists": {row["artist_id"]: row["name"] for row in read_table(tables, ARTISTS)},
        "pairs": [
            (row["song_id"], row["artist_position"], row["artist_id"]) for row in read_table(tables, SONG_ARTISTS)
        ],
    }


class Zone:
    def __init__(self) -> None:
        self.raw, self.tables = MemoryStore(), MemoryStore()

    def load(self, *names: str) -> None:
        keys = []
        for name in names:
            body = (PAYLOADS / name).read_bytes()
            document = read_import(
                body, name=name, received_at=NOW, chart="seen-in-the-wild", chart_date=day_of(name), partial=True
            ).document
            self.raw.put_new(document.key, documents.encode(document))
            keys.append(parse_raw_key(document.key))
        warehouse = Warehouse(raw=self.raw, tables=self.tables, now=lambda: NOW)
        for (chart, year), dates in group_by_chart_year(keys).items():
            warehouse.load(chart, year, dates)


@pytest.mark.parametrize("name", CHARTS)
def test_a_real_playlist_gives_exactly_its_songs_albums_artists_pairs_and_positions(name: str) -> None:
    zone = Zone()
    zone.load(name)
    assert loaded_rows(zone.tables) == expected_rows(name)


def test_all_real_playlists_again_in_another_order_change_no_byte() -> None:
    once = Zone()
    once.load(*CHARTS)
    thrice = Zone()
    thrice.load(*reversed(CHARTS))
    thrice.load(*CHARTS[3:], *CHARTS[:3])
    for name in reversed(CHARTS):
        thrice.load(name)
    assert thrice.tables.objects == once.tables.objects


@pytest.mark.parametrize("name", NOT_CHARTS)
def test_a_real_file_that_is_no_chart_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(NotAChart) as caught:
        read_import((PAYLOADS / name).read_bytes(), name=name, received_at=NOW, chart="x", chart_date=date(2024, 1, 1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "chart", "chart_date"),
    [
        ("playlist_top50-global_2024-04-22.json", "regional-global-daily", date(2024, 4, 21)),
        ("playlist_top50-global_2024-05-11.json", "regional-global-daily", date(2024, 5, 10)),
        ("tracks_top-songs-global_2023-10-27.json", "regional-global-weekly", date(2023, 10, 26)),
    ],
)
def test_spotifys_own_chart_playlists_tell_their_chart_and_are_dated_the_day_before_their_stamp(
    name: str, chart: str, chart_date: date
) -> None:
    document = read_import((PAYLOADS / name).read_bytes(), name=name, received_at=NOW).document
    assert (document.chart, document.chart_date, document.partial) == (chart, chart_date, False)


def test_the_weekly_chart_is_dated_by_the_thursday_that_ends_its_week() -> None:
    name = "tracks_top-songs-global_2023-10-27.json"
    document = read_import((PAYLOADS / name).read_bytes(), name=name, received_at=NOW).document
    assert (document.period, document.chart_date.strftime("%A")) == ("weekly", "Thursday")


def test_a_page_of_a_longer_playlist_needs_partial_and_keeps_its_positions() -> None:
    name = "tracks_user_2022-08_lastpage_of_957.json"
    body = (PAYLOADS / name).read_bytes()
    with pytest.raises(PartialChart, match=r"holds entries 858 to 957 of a playlist of 957: give --partial"):
        read_import(body, name=name, received_at=NOW, chart="mine", chart_date=date(2022, 8, 15))
    brought = read_import(body, name=name, received_at=NOW, chart="mine", chart_date=date(2022, 8, 15), partial=True)
    assert brought.document.partial
    assert (brought.reading.depth, len(brought.reading.entries), brought.reading.gaps) == (957, 100, 0)


def test_a_playlist_of_ones_own_needs_a_name_and_if_added_over_days_a_date() -> None:
    name = "tracks_user_2022-09_40.json"
    body = (PAYLOADS / name).read_bytes()
    with pytest.raises(
        UnnamedChart, match="5lH9NjOeJvctAO92ZrKQNB, which is none of Spotify's charts: name the chart with --chart"
    ):
        read_import(body, name=name, received_at=NOW)
    with pytest.raises(UndatedChart, match=r"added on \d+ different days .* --chart-date"):
        read_import(body, name=name, received_at=NOW, chart="mine")


def test_a_cut_off_real_file_is_refused_and_not_read_in_part() -> None:
    body = (PAYLOADS / "playlist_user_2021-04_10.json").read_bytes()
    with pytest.raises(InvalidDocument, match="not JSON"):
        read_import(body[: len(body) // 2], name="cut.json", received_at=NOW, chart="x", chart_date=date(2024, 1, 1))
