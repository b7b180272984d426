"""What a chart does from period to period, on charts made by hand: the answers are worked out here, by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.documents import document, entry, page
from tests.queries.asking import (
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

STREAMS, TURNOVER = QUERIES["streams_by_date"], QUERIES["turnover"]
ISRC = "QZABC2600001"


def on(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


# ---- streams_by_date


def streamed(*figures: object) -> list[dict[str, str]]:
    return [told(place, f"Song {place}", streams=streams) for place, streams in enumerate(figures, 1)]


def test_shares_are_of_the_charts_streams(tmp_path: Path) -> None:
    charts = [
        official(0, *streamed(*[50] * 10, *[10] * 40, *[1] * 100)),
        official(1, *streamed(*[30] * 9, 130, *[10] * 20)),
        official(2, *streamed(7, 3)),
    ]
    assert ask(tmp_path, STREAMS, charts) == [
        (on(0), 1000, 0.05, 0.5, 0.9, 150),
        (on(1), 600, 0.05, 400 / 600, None, 30),
        (on(2), 10, 0.7, None, None, 2),
    ]


def test_a_share_is_not_told_where_a_place_of_the_top_tells_no_streams(tmp_path: Path) -> None:
    figures = streamed(40, 20, -1, *[5] * 8)
    without_first = streamed(40, *[6] * 10)[1:]
    assert ask(tmp_path, STREAMS, [official(0, *figures), official(1, *without_first)]) == [
        (on(0), 100, 0.4, None, None, 11),
        (on(1), 60, None, None, None, 11),
    ]


def test_dates_without_streams_and_missing_dates_are_shown_as_such(tmp_path: Path) -> None:
    charts = [official(0, *streamed(5)), day(1, song("A"), song("B")), official(3, *streamed(4))]
    assert ask(tmp_path, STREAMS, charts) == [
        (on(0), 5, 1.0, None, None, 1),
        (on(1), None, None, None, None, 2),
        (on(2), None, None, None, None, None),
        (on(3), 4, 1.0, None, None, 1),
    ]


def test_streams_of_a_weekly_chart_go_by_weeks(tmp_path: Path) -> None:
    charts = [official(offset, told(1, "A", weeks=1, streams=9), chart=WEEKLY, step=7) for offset in (0, 2)]
    rows = ask(tmp_path, STREAMS, charts, chart=WEEKLY)
    assert picked(STREAMS, rows, "chart_date", "total_streams") == [(on(0), 9), (on(7), None), (on(14), 9)]


# ---- turnover


def test_turnover_counts_who_stayed_entered_and_left(tmp_path: Path) -> None:
    single, remaster = song("Single", isrc=ISRC), song("Remaster", isrc=ISRC)
    charts = [
        day(0, song("A"), song("B"), song("C"), single),
        day(1, remaster, song("D"), song("A"), song("E")),
        day(2, song("A"), song("B"), remaster, single),
    ]
    assert ask(tmp_path, TURNOVER, charts) == [
        (on(1), on(0), 4, 2, 2, 2, 0.5),
        (on(2), on(1), 4, 2, 1, 2, 1 / 3),
    ]


def test_turnover_does_not_bridge_a_missing_date(tmp_path: Path) -> None:
    charts = [day(offset, song(f"Song {offset}")) for offset in (0, 2, 3)]
    assert ask(tmp_path, TURNOVER, charts) == [(on(3), on(2), 1, 0, 1, 1, 1.0)]


def test_dates_of_two_depths_are_compared_to_the_common_one(tmp_path: Path) -> None:
    deep = filler(200)
    charts = [
        day(0, *deep),
        day(1, *deep[:48], song("New"), deep[149]),
        day(2, *deep[:46], *deep[100:104], *deep[46:100], *deep[104:]),
    ]
    assert ask(tmp_path, TURNOVER, charts) == [
        (on(1), on(0), 50, 48, 2, 2, 2 / 50),
        (on(2), on(1), 50, 46, 4, 4, 4 / 50),
    ]


def test_turnover_is_not_told_where_a_place_to_the_common_depth_is_not_known(tmp_path: Path) -> None:
    local = entry(song("Mine"), is_local=True)
    charts = [
        day(0, song("A"), song("B"), song("C")),
        day(1, song("A"), None, song("C")),
        day(2, song("A"), song("B")),
        document([page([entry(song("A")), local])], chart_date=on(3)),
        day(4, song("A"), song("B"), None, song("C")),
        day(5, song("A"), song("C")),
    ]
    nothing: tuple[Any, ...] = (None, None, None, None)
    assert ask(tmp_path, TURNOVER, charts) == [
        (on(1), on(0), 3, *nothing),
        (on(2), on(1), 2, *nothing),
        (on(3), on(2), 2, 1, 0, 1, 0.0),
        (on(4), on(3), 2, 1, 1, 0, 0.5),
        (on(5), on(4), 2, 1, 1, 1, 0.5),
    ]


def test_turnover_of_a_weekly_chart_is_by_weeks(tmp_path: Path) -> None:
    charts = [day(offset, song("A"), song(f"Song {offset}"), chart=WEEKLY, step=7) for offset in (0, 1, 3)]
    assert ask(tmp_path, TURNOVER, charts, chart=WEEKLY) == [(on(7), on(0), 2, 1, 1, 1, 0.5)]


@pytest.mark.parametrize("query", [STREAMS, TURNOVER], ids=lambda query: query.name)
def test_a_chart_that_is_not_held_has_no_rows(tmp_path: Path, query: Any) -> None:
    catalog = catalog_of(tmp_path, load([day(0, song("A")), day(1, song("B"))]))
    assert answer_of(catalog, query, chart="regional-xx-daily") == []
