"""Where the report draws: lines break where they must, and labels have room."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.report.geometry import (
    NARROW_LABEL,
    ROW,
    WIDE_LABEL,
    WIDTH,
    Across,
    LabelRoom,
    Places,
    Trail,
    month_ticks,
    path,
    runs,
    spans,
)


def test_a_run_ends_where_an_index_has_no_place() -> None:
    assert runs({3: 9, 1: 5, 2: 5, 7: 1}) == [[(1, 5), (2, 5), (3, 9)], [(7, 1)]]
    assert runs({}) == []
    assert spans([4, 1, 2, 9]) == [(1, 2), (4, 4), (9, 9)]


def test_a_line_is_broken_at_a_missing_date_and_a_lone_date_is_a_dot() -> None:
    across = Across(0, 4)
    assert Trail.of({0: 1, 1: 2, 3: 4}, across, lambda place: place * 10) == Trail("M0 10l250 10", "M750 40h0")


def test_a_path_leaves_out_what_is_before_its_window() -> None:
    assert Trail.of({0: 1, 1: 1, 2: 3}, Across(1, 2), lambda place: place) == Trail("M0 1l1000 2", "")


def test_a_path_in_steps_leads_through_all_points() -> None:
    assert path([(0, 5), (10, 5), (20, 2), (30, 7)]) == "M0 5h10l10-3l10 5"


def test_one_date_lies_at_the_right_end_where_the_newest_is() -> None:
    assert Across(7, 7).x(7) == WIDTH
    assert Across(7, 7).per_cent(7) == 100


def test_a_band_of_missing_dates_reaches_half_a_step_to_either_side_but_not_out_of_the_drawing() -> None:
    assert Across(0, 10).band(2, 3) == (15.0, 20.0)
    assert Across(0, 10).band(0, 0) == (0.0, 5.0)


@given(deepest=st.integers(1, 200), rows=st.integers(1, 10))
def test_places_go_down_the_page_in_order_and_the_first_have_a_row_each(deepest: int, rows: int) -> None:
    down = Places.of(deepest, rows=rows)
    ys = [down.y(place) for place in range(1, max(deepest, rows) + 1)]
    assert ys[:rows] == [row * ROW + ROW // 2 for row in range(rows)]
    # From 100 places on, some share a unit: less than a pixel on any screen.
    assert ys == sorted(ys)
    assert ys[0] > 0
    assert ys[-1] <= down.height
    assert all(0 < down.y(place) <= down.height for place in down.ticks())


@given(first=st.dates(date(2014, 1, 1), date(2026, 1, 1)), length=st.integers(2, 4000), step=st.sampled_from([1, 7]))
def test_labels_of_the_time_axis_never_meet(first: date, length: int, step: int) -> None:
    ticks = month_ticks([first + timedelta(days=step * n) for n in range(length)])
    assert 1 <= len(ticks) <= 5
    # A label takes at most 16 per cent of the narrowest drawing, without a year 8, to the side that its anchor says.
    rooms = [(tick, 16 if " " in tick.text else 8) for tick in ticks]
    edges = [(t.per_cent - r, t.per_cent) if t.anchor == "end" else (t.per_cent, t.per_cent + r) for t, r in rooms]
    assert all(before[1] <= after[0] for before, after in pairwise(edges))
    assert edges[-1][1] <= 100
    assert edges[0][0] >= 0


def test_the_first_label_and_the_first_of_a_year_tell_the_year() -> None:
    dates = [date(2025, 11, 20) + timedelta(days=n) for n in range(90)]
    assert [tick.text for tick in month_ticks(dates)] == ["Dec 2025", "Jan 2026", "Feb"]


def test_a_year_of_dates_has_a_label_in_each_quarter() -> None:
    dates = [date(2025, 11, 27) + timedelta(days=n) for n in range(366)]
    assert [tick.text for tick in month_ticks(dates)] == ["Jan 2026", "Apr", "Jul", "Oct"]


def test_one_date_needs_no_axis() -> None:
    assert month_ticks([date(2026, 1, 1)]) == []


@pytest.mark.parametrize("room", [WIDE_LABEL, NARROW_LABEL], ids=["wide", "narrow"])
def test_a_row_grows_with_its_longest_label_and_no_further_than_its_lines(room: LabelRoom) -> None:
    assert room.height([("Home", "A Band")]) == room.least
    assert room.height([("Home", "A Band"), ("Home", "A Band, " * 8)]) > room.least
    assert room.height([("x" * 200, "y" * 200)]) == room.height([("x" * 2000, "y" * 2000)])


def test_wide_letters_take_more_room() -> None:
    assert WIDE_LABEL.height([("夜" * 30, "A")]) > WIDE_LABEL.height([("n" * 30, "A")])
