"""What the report asks is answered by the SQL as the plain Python of `tests/answers.py` answers it.

The tests of the page itself stand on that Python: here it is held to the queries that ship, and they to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lambdas.core.adapters import reports
from lambdas.core.report import QUERIES as ASKED
from lambdas.core.report import make_report
from lambdas.core.samples import ISRC_PREFIX
from local.emulator.session import answer
from tests.answers import History, Song, daily
from tests.documents import album, artist, document, spotify_id, track
from tests.queries.asking import CHART, MONDAY, QUERIES, WEEKLY, catalog_of, load
from tests.unit.glue_catalog import FolderCatalog

MADE_AT = datetime(2026, 3, 9, 6, tzinfo=UTC)
# What only the tables know: ids, who told it, that four places are fewer than usual. The page counts runs itself.
_NOT_COMPARED = {"song_id", "album_id", "provider", "warnings", "runs"}


def _song(number: int, *artists: str, album_name: str = "Paper Undertow") -> Song:
    isrc = f"QZABC26000{number:02d}"
    url = f"https://open.spotify.com/track/{spotify_id(('track', f'Song {number}'))}"
    return Song(f"Song {number}", artists or ("Ivo Calder",), album_name, isrc, url=url, recording=isrc)


A, B = _song(1, "Sana Kestrel", "Paper Foxes"), _song(2, "Paper Foxes")
C, D, E = _song(3, album_name="Carry Your Name"), _song(4, album_name="Carry Your Name"), _song(5, "Sana Kestrel")
HISTORY = History(
    daily(MONDAY, (A, B, C, D), (A, C, D, E), None, (B, A, E, D), (B, A, C, D), (B, D, A, E), (B, E, A, D)), chart=CHART
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> FolderCatalog:
    charts = [
        document(
            songs=[
                track(
                    song.name,
                    external_ids={"isrc": song.isrc},
                    artists=[artist(name) for name in song.artists],
                    album=album(song.album or "", artists=[artist(name) for name in song.artists]),
                )
                for song in songs
            ],
            chart=CHART,
            chart_date=day,
            observed_at=datetime(day.year, day.month, day.day + 1, tzinfo=UTC),
        )
        for day, songs in HISTORY.charts.items()
    ]
    return catalog_of(tmp_path_factory.mktemp("warehouse"), load(charts))


def _sql(catalog: FolderCatalog, name: str, given: Mapping[str, str]) -> list[dict[str, str | None]]:
    query = QUERIES[name]
    sql = query.sql
    for parameter in query.parameters:
        sql = sql.replace("?", f"'{given.get(parameter.name, parameter.default)}'", 1)
    held = answer(sql, database="warehouse", catalog=catalog)
    return [dict(zip(held.columns, row, strict=True)) for row in held.rows]


def _compared(row: Mapping[str, str | None], columns: set[str]) -> str:
    told = {column: row[column] for column in sorted(columns)}
    if "share" in told:
        told["share"] = f"{float(told['share'] or ''):.6f}"
    return str(told)


@pytest.mark.parametrize("name", sorted(set(ASKED) - {"table_sizes", "albums_at_once"}))
def test_a_question_is_answered_alike_by_the_sql_and_by_hand(catalog: FolderCatalog, name: str) -> None:
    by_sql, by_hand = _sql(catalog, name, {"chart": CHART}), HISTORY(name, {"chart": CHART})
    columns = set(by_hand[0]) - _NOT_COMPARED
    assert columns <= set(by_sql[0])
    # The order is the report's own affair.
    assert sorted(_compared(row, columns) for row in by_sql) == sorted(_compared(row, columns) for row in by_hand)


def test_the_questions_of_two_years_beside_a_weekly_chart_read_under_two_hundred_objects(tmp_path: Path) -> None:
    # A chart's year is one object whatever days it holds, so a day of each of the three years will do.
    days = [date(2024, 6, 28), date(2025, 6, 27), date(2026, 6, 26)]
    charts = [document(songs=[track("Song")], chart=chart, chart_date=on) for chart in (CHART, WEEKLY) for on in days]
    years = catalog_of(tmp_path, load(charts))
    assert len([path for path in (tmp_path / "bucket").rglob("*.parquet") if "year=" in str(path)]) == 12
    make_report(lambda name, given: _sql(years, name, given), chart=CHART, made_at=MADE_AT)
    answer(reports._SONGS_WAITING.replace("?", f"'{CHART}'"), database="warehouse", catalog=years)
    assert 0 < len(years.copied) < 200


def test_the_page_is_made_from_what_the_sql_answers(catalog: FolderCatalog) -> None:
    made = make_report(lambda name, given: _sql(catalog, name, given), chart=CHART, made_at=MADE_AT)
    assert made.chart_date == date(2026, 3, 8)
    html = made.html.decode("utf-8")
    assert "“Song 2” by Paper Foxes stays number one" in html
    assert "missing in between: 4 Mar 2026" in html
    assert "size_differs" in html
    by_hand = make_report(HISTORY, chart=CHART, made_at=MADE_AT).html.decode("utf-8")
    start, end = '<section class="facts"', '<section aria-labelledby="h-artists"'
    assert html.partition(start)[2].partition(end)[0] == by_hand.partition(start)[2].partition(end)[0]


def test_a_page_of_made_up_songs_alone_says_so_of_those_too_that_have_left_the_chart(tmp_path: Path) -> None:
    gone, still = (track(f"Song {n}", external_ids={"isrc": f"{ISRC_PREFIX}26000{n:02d}"}) for n in (1, 2))
    charts = [
        document(songs=[gone, still], chart=CHART, chart_date=MONDAY, observed_at=MADE_AT - timedelta(days=1)),
        document(songs=[still], chart=CHART, chart_date=MONDAY + timedelta(days=1), observed_at=MADE_AT),
    ]
    held = catalog_of(tmp_path, load(charts))
    html = make_report(lambda name, given: _sql(held, name, given), chart=CHART, made_at=MADE_AT).html.decode("utf-8")
    assert "These artists, songs and figures are invented" in html
    assert "Song 1" in html
