"""How complete the data are, on charts made by hand: the answers are worked out here, by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.documents import document, entry, page
from tests.queries.asking import (
    CHART,
    MONDAY,
    QUERIES,
    WEEKLY,
    answer_of,
    ask,
    catalog_of,
    day,
    filler,
    load,
    official,
    song,
    told,
)

HEALTH, MISSING, SIZES = QUERIES["data_health"], QUERIES["missing_dates"], QUERIES["table_sizes"]
HELD = QUERIES["chart_dates"]


def on(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


def test_health_counts_what_is_missing_skipped_and_withdrawn(tmp_path: Path) -> None:
    local = entry(song("Mine"), is_local=True)
    episode = entry({"type": "episode", "id": "e" * 22, "name": "Talk", "is_local": False})
    odd = document(
        [page([entry(song("A")), local, episode, entry(None), entry(song("B"))])],
        chart_date=on(1),
        observed_at=datetime(2026, 3, 4, tzinfo=UTC),
    )
    later = datetime(2026, 3, 20, tzinfo=UTC)
    part = document(
        [page([entry(song("A"))], total=9)],
        chart_date=on(4),
        observed_at=datetime(2026, 3, 7, tzinfo=UTC),
        partial=True,
    )
    charts = [
        day(0, *filler(50)),
        document(songs=filler(49), chart_date=on(0), observed_at=datetime(2026, 3, 2, tzinfo=UTC)),
        odd,
        part,
        day(6, song("A")),
        document(withdrawal=True, chart_date=on(6), observed_at=later),
        official(8, told(1, "A"), told(3, "B")),
        day(0, song("A"), chart="road-trip"),
        document(withdrawal=True, chart="road-trip", chart_date=on(0), observed_at=later),
        *(day(offset, song("A"), chart=WEEKLY, step=7) for offset in (0, 3)),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    daily = (CHART, "daily", on(0), on(8), 4, 5, "charts_csv, playlist", 1, 50, 4, 1, 1, 1, 3, 1, 1, 2)
    weekly = (WEEKLY, "weekly", on(0), on(21), 2, 2, "playlist", 1, 1, 0, 0, 0, 0, 2, 0, 0, 0)
    gone = ("road-trip", None, None, None, 0, *[None] * 10, 1, 1)
    assert answer_of(catalog, HEALTH) == [daily]
    assert answer_of(catalog, HEALTH, chart="all") == [daily, weekly, gone]


def test_missing_dates_are_told_by_stretches_the_newest_first(tmp_path: Path) -> None:
    charts = [
        *(day(offset, song("A")) for offset in (0, 1, 3, 7)),
        *(day(offset, song("A"), chart=WEEKLY, step=7) for offset in (0, 3, 4)),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    assert answer_of(catalog, MISSING) == [(on(4), on(6), 3), (on(2), on(2), 1)]
    assert answer_of(catalog, MISSING, chart=WEEKLY) == [(on(7), on(14), 2)]
    assert answer_of(catalog, MISSING, chart="road-trip") == []


def test_a_weekly_date_off_its_step_makes_no_missing_week_and_hides_none(tmp_path: Path) -> None:
    charts = [day(offset, song("A"), chart=WEEKLY) for offset in (0, 7, 10, 24)]
    catalog = catalog_of(tmp_path, load(charts))
    assert answer_of(catalog, MISSING, chart=WEEKLY) == [(on(17), on(17), 1)]
    assert answer_of(catalog, HEALTH, chart=WEEKLY)[0][5] == 1
    assert answer_of(catalog, HELD) == [(WEEKLY, "weekly", on(0), on(24), 4, 1, "playlist")]


def test_dates_closer_than_a_week_are_never_fewer_than_none_missing(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, load([day(offset, song("A"), chart=WEEKLY) for offset in (0, 3)]))
    assert answer_of(catalog, HELD) == [(WEEKLY, "weekly", on(0), on(3), 2, 0, "playlist")]
    assert answer_of(catalog, HEALTH, chart=WEEKLY)[0][5] == 0


def test_the_tables_rows_are_counted(tmp_path: Path) -> None:
    charts = [day(0, song("A", by=("Ayla Sable", "Ivo Calder")), song("B", by=("Ñandú",))), day(1, song("A"))]
    assert ask(tmp_path, SIZES, charts) == [
        ("albums", 2),
        ("artists", 3),
        ("chart_entries", 3),
        ("snapshots", 2),
        ("song_artists", 2),
        ("songs", 2),
    ]
