"""Days put into an object that holds others: worked out here a second time, plainly, for any mix of days."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.merge import replace_days
from lambdas.core.parquet import batch_of, encode, rows_of
from lambdas.core.rows import Row, Value
from lambdas.core.schema import CHART_ENTRIES
from tests.cases import cases

DAY = CHART_ENTRIES.index("chart_date")
POSITION = CHART_ENTRIES.index("position")
FIRST = 19_700

days_with_sizes = st.dictionaries(st.integers(FIRST, FIRST + 12), st.integers(0, 3), max_size=13)


def chart_of(day: int, size: int, song: str) -> list[Row]:
    """A day's entries."""
    rows: list[Row] = []
    for position in range(1, size + 1):
        row: list[Value] = [None] * len(CHART_ENTRIES.columns)
        row[0], row[DAY], row[POSITION] = "road-trip", day, position
        row[CHART_ENTRIES.index("song_id")] = f"{song} {day} {position}"
        rows.append(tuple(row))
    return rows


@settings(max_examples=cases(150), deadline=None)
@given(held=days_with_sizes, replaced=days_with_sizes)
def test_the_days_named_are_exchanged_and_all_others_stay_in_order(
    held: dict[int, int], replaced: dict[int, int]
) -> None:
    existing = batch_of(CHART_ENTRIES, [row for day in sorted(held) for row in chart_of(day, held[day], "old")])
    merged = replace_days(
        CHART_ENTRIES, existing, {day: chart_of(day, size, "new") for day, size in reversed(replaced.items())}
    )
    expected = [
        row
        for day in sorted(held | replaced)
        for row in (chart_of(day, replaced[day], "new") if day in replaced else chart_of(day, held[day], "old"))
    ]
    assert rows_of(CHART_ENTRIES, merged) == expected
    assert encode(merged) == encode(batch_of(CHART_ENTRIES, expected))
