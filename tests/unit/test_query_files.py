"""The SQL that ships, on charts made by hand: the answers are worked out here, by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lambdas.core import documents
from lambdas.core.documents import RawDocument
from lambdas.core.keys import parse_raw_key
from lambdas.core.queries import Query, read_queries
from lambdas.core.schema import TABLES, YEAR_PARTITION
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from local.emulator.session import answer
from tests.documents import album, artist, document, track
from tests.fakes import MemoryStore
from tests.payloads import REPOSITORY
from tests.unit.glue_catalog import YEARS, FolderCatalog

QUERIES = {query.name: query for query in read_queries(REPOSITORY / "queries")}
CHART, WEEKLY = "regional-global-daily", "regional-global-weekly"
MONDAY = date(2026, 3, 2)


_TYPED: dict[str, Callable[[str], Any]] = {"integer": int, "bigint": int, "date": date.fromisoformat}


def song(name: str, *, isrc: str | None = None, by: tuple[str, ...] = ("Ivo Calder",)) -> dict[str, Any]:
    ids = {} if isrc is None else {"isrc": isrc}
    return track(name, external_ids=ids, artists=[artist(who) for who in by], album=album(f"{name} (album)"))


def day(offset: int, *songs: dict[str, Any], chart: str = CHART, step: int = 1) -> RawDocument:
    return document(
        songs=songs,
        chart=chart,
        chart_date=MONDAY + timedelta(days=offset * step),
        observed_at=datetime(2026, 3, 3, tzinfo=UTC) + timedelta(days=offset),
    )


def ask(folder: Path, query: Query, charts: list[RawDocument], **given: str) -> list[tuple[Any, ...]]:
    """The query's rows over the tables that these documents give."""
    raw, tables = MemoryStore(), MemoryStore()
    for item in charts:
        raw.put_new(item.key, documents.encode(item))
    warehouse = Warehouse(raw=raw, tables=tables, now=lambda: datetime(2026, 4, 1, tzinfo=UTC))
    for (chart, year), dates in group_by_chart_year(parse_raw_key(item.key) for item in charts).items():
        warehouse.load(chart, year, dates)
    catalog = FolderCatalog(folder)
    for table in TABLES:
        columns = {column.name: column.type.value for column in table.columns}
        partition = {YEAR_PARTITION.name: YEAR_PARTITION.type.value} if table.by_year else {}
        catalog.add(table.name, columns, keys=partition, parameters=YEARS if table.by_year else {})
    for key, body in tables.objects.items():
        path = folder / "bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    sql = query.sql
    for parameter in query.parameters:
        sql = sql.replace("?", f"'{given.get(parameter.name, parameter.default)}'", 1)
    held = answer(sql, database="warehouse", catalog=catalog)
    assert tuple(held.columns) == query.columns
    typed = [_TYPED.get(kind, str) for kind in held.types]
    return [
        tuple(None if value is None else convert(value) for convert, value in zip(typed, row, strict=True))
        for row in held.rows
    ]


def test_movement_tells_climbed_lost_stayed_new_and_back(tmp_path: Path) -> None:
    charts = [
        day(0, song("Back"), song("Up"), song("Down"), song("Same")),
        day(1, song("Down"), song("Other"), song("Up"), song("Same")),
        day(2, song("Up"), song("Back"), song("Down"), song("Same"), song("New")),
    ]
    rows = ask(tmp_path, QUERIES["todays_top_10"], charts)
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (1, "+2", "Up"),
        (2, "back", "Back"),
        (3, "-2", "Down"),
        (4, "=", "Same"),
        (5, "new", "New"),
    ]


def test_a_missing_day_is_not_bridged_movement_is_unknown(tmp_path: Path) -> None:
    rows = ask(tmp_path, QUERIES["todays_top_10"], [day(0, song("One")), day(2, song("One"))])
    assert [(row[0], row[1]) for row in rows] == [(1, None)]


def test_a_recording_with_a_new_song_id_keeps_its_movement(tmp_path: Path) -> None:
    before = [song("Other"), song("First release", isrc="QZABC2600001")]
    charts = [day(0, *before), day(1, song("Second release", isrc="QZABC2600001"), song("Other"))]
    rows = ask(tmp_path, QUERIES["todays_top_10"], charts)
    assert [(row[1], row[2]) for row in rows] == [("+1", "Second release"), ("-1", "Other")]


def test_a_weekly_chart_moves_by_weeks(tmp_path: Path) -> None:
    charts = [
        day(0, song("One"), song("Two"), chart=WEEKLY, step=7),
        day(1, song("Two"), song("One"), chart=WEEKLY, step=7),
    ]
    rows = ask(tmp_path, QUERIES["todays_top_10"], charts, chart=WEEKLY)
    assert [(row[1], row[2], row[5]) for row in rows] == [
        ("+1", "Two", date(2026, 3, 9)),
        ("-1", "One", date(2026, 3, 9)),
    ]


def test_the_top_ten_ends_at_ten_and_keeps_to_its_chart(tmp_path: Path) -> None:
    charts = [day(0, *(song(f"Song {n}") for n in range(12))), day(5, song("Elsewhere"), chart="road-trip")]
    rows = ask(tmp_path, QUERIES["todays_top_10"], charts)
    assert [row[0] for row in rows] == list(range(1, 11))
    assert {row[5] for row in rows} == {MONDAY}


def test_longest_on_chart_counts_recordings_over_their_ids(tmp_path: Path) -> None:
    charts = [
        day(0, song("Old", isrc="QZABC2600001"), song("Two days")),
        day(1, song("Two days"), song("New", isrc="QZABC2600001")),
        day(3, song("New", isrc="QZABC2600001")),
    ]
    rows = ask(tmp_path, QUERIES["longest_on_chart"], charts)
    assert rows == [
        ("New", "Ivo Calder", 3, 1, MONDAY, MONDAY + timedelta(days=3)),
        ("Two days", "Ivo Calder", 2, 1, MONDAY, MONDAY + timedelta(days=1)),
    ]


def test_every_artist_of_a_song_counts(tmp_path: Path) -> None:
    charts = [
        day(0, song("Both", by=("Ñandú", "Ayla Sable")), song("Alone", by=("Ayla Sable",))),
        day(1, song("Alone", by=("Ayla Sable",))),
    ]
    rows = ask(tmp_path, QUERIES["artists_on_chart"], charts)
    assert rows == [("Ayla Sable", 3, 2, 1), ("Ñandú", 1, 1, 1)]


def test_missing_dates_are_counted_in_each_charts_own_period(tmp_path: Path) -> None:
    charts = [
        *(day(offset, song("One")) for offset in (0, 1, 4)),
        *(day(offset, song("One"), chart=WEEKLY, step=7) for offset in (0, 2)),
        day(0, song("One"), chart="road-trip"),
    ]
    rows = ask(tmp_path, QUERIES["chart_dates"], charts)
    assert rows == [
        (CHART, "daily", MONDAY, MONDAY + timedelta(days=4), 3, 2, "playlist"),
        (WEEKLY, "weekly", MONDAY, MONDAY + timedelta(days=14), 2, 1, "playlist"),
        ("road-trip", "daily", MONDAY, MONDAY, 1, 0, "playlist"),
    ]


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_every_query_that_ships_answers_with_the_columns_its_header_names(tmp_path: Path, name: str) -> None:
    assert ask(tmp_path, QUERIES[name], [day(0, song("One"))])
