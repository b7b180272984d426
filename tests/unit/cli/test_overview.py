"""`etl charts`: what is held, what is missing in between, and what is only configured."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from cli.overview import ChartOverview, overview
from lambdas.core.adapters.athena import Answer, ResultColumn
from lambdas.core.sources import PolledChart

HELD = ("chart", "period", "providers", "first_date", "newest_date", "dates")
GAPS = ("chart", "previous_date", "chart_date")
POLLED = PolledChart(
    chart="a-daily", period="daily", providers=("playlist",), playlist_id="x" * 22, dated_by="added_at"
)


def answer(names: tuple[str, ...], *rows: tuple[str, ...]) -> Answer:
    kinds = {"dates": "bigint", "first_date": "date", "newest_date": "date", "previous_date": "date"}
    return Answer(tuple(ResultColumn(name, kinds.get(name, "varchar")) for name in names), rows)


def test_missing_dates_lie_between_the_dates_beside_a_gap() -> None:
    [daily] = overview(
        answer(HELD, ("b-daily", "daily", "playlist", "2026-01-01", "2026-01-10", "6")),
        answer(GAPS, ("b-daily", "2026-01-08", "2026-01-10"), ("b-daily", "2026-01-03", "2026-01-07")),
        [],
    )
    assert (daily.first_date, daily.newest_date, daily.dates) == (date(2026, 1, 1), date(2026, 1, 10), 6)
    assert daily.missing_dates == 4
    assert daily.gaps_in_words == "4: 2026-01-09, 2026-01-04 to 2026-01-06"


def test_a_weekly_chart_misses_weeks_not_days() -> None:
    [weekly] = overview(
        answer(HELD, ("a-weekly", "weekly", "charts_csv", "2026-01-01", "2026-01-29", "3")),
        answer(GAPS, ("a-weekly", "2026-01-08", "2026-01-29")),
        [],
    )
    assert weekly.missing_dates == 2
    assert weekly.gaps_in_words == "2: 2026-01-15 to 2026-01-22"


@pytest.mark.parametrize(("gaps", "words"), [(3, "and 1 more gap"), (4, "and 2 more gaps")])
def test_only_the_newest_gaps_are_spelled_out(gaps: int, words: str) -> None:
    day = date(2026, 1, 1)
    chart = ChartOverview("c", "daily", "playlist", dates=9, gaps=[(day, day)] * gaps)
    assert chart.gaps_in_words == f"{gaps}: 2026-01-01, 2026-01-01 {words}"


def test_a_configured_chart_without_data_is_listed_beside_those_with_data() -> None:
    charts = overview(
        answer(HELD, ("b-daily", "daily", "playlist", "2026-01-01", "2026-01-01", "1")), answer(GAPS), [POLLED]
    )
    assert [(chart.chart, chart.dates, chart.gaps_in_words) for chart in charts] == [
        ("a-daily", 0, ""),
        ("b-daily", 1, "none"),
    ]


def test_a_configured_chart_shows_its_providers_in_order_until_the_data_say_which_served() -> None:
    both = msgspec.structs.replace(POLLED, chart="regional-global-weekly", providers=("playlist", "public_charts"))
    [configured] = overview(answer(HELD), answer(GAPS), [both])
    assert configured.providers == "playlist, public_charts"
    row = ("regional-global-weekly", "weekly", "public_charts", "2026-01-01", "2026-01-01", "1")
    [held] = overview(answer(HELD, row), answer(GAPS), [both])
    assert held.providers == "public_charts"
