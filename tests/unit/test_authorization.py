"""How long a user's sign-in lasts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.authorization import days_left, runs_out

MOMENTS = st.dates(date(2000, 1, 1), date(2100, 1, 1)).map(lambda day: datetime.combine(day, time(9, 30), UTC))


@pytest.mark.parametrize(
    ("authorized", "ends"),
    [
        (datetime(2026, 3, 6, 9, 30, tzinfo=UTC), datetime(2026, 9, 6, 9, 30, tzinfo=UTC)),
        (datetime(2026, 11, 22, tzinfo=UTC), datetime(2027, 5, 22, tzinfo=UTC)),
        (datetime(2026, 6, 30, tzinfo=UTC), datetime(2026, 12, 30, tzinfo=UTC)),
        (datetime(2026, 7, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2026, 8, 31, tzinfo=UTC), datetime(2027, 2, 28, tzinfo=UTC)),
        (datetime(2027, 8, 29, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2026, 3, 6, 9, 30, tzinfo=UTC).replace(tzinfo=None), datetime(2026, 9, 6, 9, 30, tzinfo=UTC)),
        (datetime(2026, 3, 6, 1, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 9, 5, 23, tzinfo=UTC)),
    ],
)
def test_a_sign_in_lasts_six_months_of_the_calendar(authorized: datetime, ends: datetime) -> None:
    assert runs_out(authorized) == ends


@given(authorized=MOMENTS)
def test_six_months_are_181_to_184_days(
    authorized: datetime,
) -> None:
    assert timedelta(days=181) <= runs_out(authorized) - authorized <= timedelta(days=184)


@given(authorized=MOMENTS, later=st.integers(0, 400 * 24))
def test_days_left_only_go_down_with_time_and_never_below_0(authorized: datetime, later: int) -> None:
    at = authorized + timedelta(hours=later)
    left = days_left(authorized, now=at)
    assert left >= days_left(authorized, now=at + timedelta(hours=1)) >= 0
    assert (left == 0) == (at >= runs_out(authorized))
