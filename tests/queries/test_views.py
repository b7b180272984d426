"""The views: their types are what the engine gives, and their rows are what their meaning says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lambdas.core.errors import ConfigurationError
from lambdas.core.schema import ColumnType
from lambdas.core.views import TRINO_TYPES, parse_view
from local.emulator.session import answer
from tests.queries.asking import CHART, MONDAY, VIEWS, WEEKLY, catalog_of, day, load, song

TEXT = """-- meaning: Songs.
-- column: song string: Title.
-- column: n int: Times.
SELECT name AS song, 1 AS n FROM songs;
"""


def asked(folder: Path, sql: str, *charts: Any) -> list[list[str | None]]:
    return answer(sql, database="warehouse", catalog=catalog_of(folder, load(charts))).rows


def test_a_view_is_read_with_its_header() -> None:
    view = parse_view("songs_once", TEXT)
    assert (view.name, view.meaning, view.sql) == ("songs_once", "Songs.", "SELECT name AS song, 1 AS n FROM songs")
    assert [(column.name, column.type, column.meaning) for column in view.columns] == [
        ("song", ColumnType.STRING, "Title."),
        ("n", ColumnType.INT, "Times."),
    ]
    assert view.original_sql == (
        'SELECT CAST("song" AS varchar) AS "song", CAST("n" AS integer) AS "n" FROM (\n'
        "SELECT name AS song, 1 AS n FROM songs\n)"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1", "songs_once.sql: it does not begin with '-- meaning: ...'"),
        ("-- meaning: M\nSELECT 1", "no '-- column: name type: meaning' line"),
        ("-- meaning: M\n-- column: a: b\nSELECT 1", "'-- column: a: b' is not '-- column: name type: meaning'"),
        ("-- meaning: M\n-- column: a varchar: b\nSELECT 1", "column a has type 'varchar', not one of string, int"),
        (f"-- meaning: M\n-- column: a int: {'b' * 256}\nSELECT 1", "Glue takes 255 characters"),
    ],
)
def test_a_view_with_a_bad_header_is_refused_by_its_file(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_view("songs_once", text)


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_a_views_types_are_those_of_its_sql_before_they_are_cast(name: str, tmp_path: Path) -> None:
    view = VIEWS[name]
    found = answer(view.sql, database="warehouse", catalog=catalog_of(tmp_path, load([day(0, song("One"))])))
    declared = [(column.name, TRINO_TYPES[column.type].partition("(")[0]) for column in view.columns]
    assert list(zip(found.columns, found.types, strict=True)) == declared


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_a_views_columns_have_a_name_of_their_own_and_a_sentence_each(name: str) -> None:
    assert len({column.name for column in VIEWS[name].columns}) == len(VIEWS[name].columns)
    assert all(column.meaning.endswith(".") for column in VIEWS[name].columns)


def test_a_chart_with_names_has_a_row_for_each_position(tmp_path: Path) -> None:
    rows = asked(
        tmp_path,
        "SELECT chart_date, position, song, artists, album FROM chart_with_names ORDER BY chart_date, position",
        day(0, song("One"), song("Two", by=("Ñandú", "Ayla Sable"))),
        day(1, None, song("One")),
    )
    first, second = str(MONDAY), "2026-03-03"
    assert rows == [
        [first, "1", "One", "Ivo Calder", "One (album)"],
        [first, "2", "Two", "Ñandú, Ayla Sable", "Two (album)"],
        [second, "2", "One", "Ivo Calder", "One (album)"],
    ]


def test_the_latest_songs_are_those_of_each_charts_own_newest_date(tmp_path: Path) -> None:
    rows = asked(
        tmp_path,
        "SELECT chart, chart_date, position, song FROM latest_songs ORDER BY chart, position",
        day(0, song("Gone")),
        day(3, song("One"), song("Two")),
        day(0, song("Weekly"), chart=WEEKLY),
    )
    assert rows == [
        [CHART, "2026-03-05", "1", "One"],
        [CHART, "2026-03-05", "2", "Two"],
        [WEEKLY, str(MONDAY), "1", "Weekly"],
    ]


def test_held_dates_tell_the_period_before_and_how_much_is_unknown(tmp_path: Path) -> None:
    rows = asked(
        tmp_path,
        "SELECT h.chart, h.previous_date, h.step_days, h.depth, h.entries, h.unknown_places "
        "FROM warehouse.held_dates AS h ORDER BY h.chart",
        day(0, song("One"), None, song("Three")),
        day(0, song("Weekly"), chart=WEEKLY),
    )
    assert rows == [
        [CHART, "2026-03-01", "1", "3", "2", "1"],
        [WEEKLY, "2026-02-23", "7", "1", "1", "0"],
    ]
