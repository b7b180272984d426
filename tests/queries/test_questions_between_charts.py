"""Charts beside each other, on charts made by hand: the answers are worked out here, by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.documents import spotify_id
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
    picked,
    song,
    told,
)

COMPARED, ACROSS = QUERIES["charts_compared"], QUERIES["song_across_charts"]
ISRC = "QZABC2600001"
BY = "Ivo Calder"
OTHER = "regional-us-daily"


def on(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


# ---- charts_compared


def test_two_charts_are_compared_on_the_newest_date_of_both(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC), song("Remaster", isrc=ISRC)
    charts = [
        day(0, song("Old"), song("A")),
        day(0, song("A"), song("Old"), chart=OTHER),
        day(1, song("A"), single, song("Here"), remaster),
        day(1, song("There"), song("B"), remaster, song("A"), chart=OTHER),
        day(2, song("Later")),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    assert answer_of(catalog, COMPARED, other_chart=OTHER) == [
        ("A", BY, 1, 4, 3, on(1)),
        ("Single", BY, 2, 3, 1, on(1)),
        ("Here", BY, 3, None, None, on(1)),
        ("There", BY, None, 1, None, on(1)),
        ("B", BY, None, 2, None, on(1)),
    ]
    assert answer_of(catalog, COMPARED, other_chart=OTHER, chart_date="2026-03-02") == [
        ("Old", BY, 1, 2, 1, on(0)),
        ("A", BY, 2, 1, -1, on(0)),
    ]
    for nothing in ("2026-03-04", "no date"):
        assert answer_of(catalog, COMPARED, other_chart=OTHER, chart_date=nothing) == []
    assert answer_of(catalog, COMPARED, other_chart="regional-xx-daily") == []


def test_charts_of_two_depths_are_compared_to_the_common_one(tmp_path: Path) -> None:
    deep = filler(200)
    charts = [day(0, *deep), day(0, deep[149], *deep[:48], song("There"), chart=OTHER)]
    rows = picked(COMPARED, ask(tmp_path, COMPARED, charts, other_chart=OTHER), "song", "position", "other_position")
    assert rows == [
        *((f"Filler {place}", place, place + 1) for place in range(1, 49)),
        ("Filler 49", 49, None),
        ("Filler 50", 50, None),
        ("Filler 150", 150, 1),
        ("There", None, 50),
    ]


def test_a_daily_and_a_weekly_chart_are_compared_on_the_day_that_ends_the_week(tmp_path: Path) -> None:
    charts = [
        day(3, song("A"), song("B")),
        official(3, told(1, "B", weeks=2), told(2, "A", weeks=9), chart=WEEKLY),
        day(4, song("C")),
    ]
    rows = ask(tmp_path, COMPARED, charts)
    assert picked(COMPARED, rows, "song", "difference", "chart_date") == [("A", 1, on(3)), ("B", -1, on(3))]


# ---- song_across_charts


def test_one_song_is_followed_across_charts(tmp_path: Path) -> None:
    first, again = song("First release", isrc=ISRC), song("Second release", isrc=ISRC)
    charts = [
        day(0, song("B"), first),
        day(1, again, first),
        day(3, song("B")),
        day(2, song("B"), song("C"), again, chart=OTHER),
        *(day(offset, song("C"), again, chart=WEEKLY, step=7) for offset in (0, 1)),
        day(0, song("C"), chart="road-trip"),
    ]
    catalog = catalog_of(tmp_path, load(charts))
    expected = [
        (CHART, "daily", on(0), on(1), 2, 1, None, "Second release", BY),
        (WEEKLY, "weekly", on(0), on(7), 2, 2, 2, "Second release", BY),
        (OTHER, "daily", on(2), on(2), 1, 3, 3, "Second release", BY),
    ]
    for asked in ("second RELEASE", "First release", ISRC.lower(), spotify_id(("track", "First release"))):
        assert answer_of(catalog, ACROSS, song=asked) == expected
    assert picked(ACROSS, answer_of(catalog, ACROSS), "chart", "best_position", "song") == [
        (CHART, 1, "B"),
        (OTHER, 1, "B"),
    ]
    assert answer_of(catalog, ACROSS, song="Never charted") == []


def test_of_recordings_of_one_title_it_is_the_one_that_charted_most(tmp_path: Path) -> None:
    another = song("A", isrc=ISRC) | {"id": spotify_id("another")}
    charts = [day(0, song("A"), another), day(1, song("B"), another), day(0, song("A"), chart="road-trip")]
    charts.append(day(1, another, chart="road-trip"))
    rows = ask(tmp_path, ACROSS, charts, song="a")
    assert picked(ACROSS, rows, "chart", "best_position", "periods_on_chart") == [("road-trip", 1, 1), (CHART, 2, 2)]


def test_spotifys_own_figures_are_taken_for_each_chart(tmp_path: Path) -> None:
    charts = [
        official(0, told(3, "A", peak=2, days=50)),
        day(1, song("B"), song("C"), song("D"), song("A")),
        official(0, told(1, "A", peak=1, weeks=7), chart=WEEKLY),
    ]
    rows = ask(tmp_path, ACROSS, charts, song="A")
    assert picked(ACROSS, rows, "chart", "periods_on_chart", "best_position", "newest_position") == [
        (WEEKLY, 7, 1, 1),
        (CHART, 51, 2, 4),
    ]


def test_spotifys_count_is_that_of_a_recordings_better_place(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC), song("Remaster", isrc=ISRC)
    charts = [
        day(0, single, remaster, chart="road-trip"),
        official(0, told(1, "Single", days=8), told(2, "Remaster", days=40)),
        official(1, told(1, "Single", days=9)),
        official(2, told(1, "Single"), told(2, "Remaster", days=41)),
    ]
    rows = ask(tmp_path, ACROSS, charts, song="Single")
    assert (CHART, 10) in picked(ACROSS, rows, "chart", "periods_on_chart")


def test_the_song_meant_without_one_is_the_number_one_of_the_newest_date(tmp_path: Path) -> None:
    rows = ask(tmp_path, ACROSS, [day(0, song("A")), day(1, song("A")), day(2, song("B"))])
    assert picked(ACROSS, rows, "song") == [("B",)]


@pytest.mark.parametrize("asked", ["It's not there", ""])
def test_a_song_that_never_charted_has_no_rows(tmp_path: Path, asked: str) -> None:
    charts: list[Any] = [day(0, song("A"))]
    assert ask(tmp_path, ACROSS, charts, song=asked) == []
