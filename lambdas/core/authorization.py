"""How long a user's sign-in to Spotify lasts, and what is asked of the user for it."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import Final

LIFE_MONTHS: Final = 6
"""A refresh token's life, counted from the user's consent; refreshing does not extend it, signing in again begins anew
(https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens). Spotify does not say whether these
are months of the calendar or a number of days: `WARNING_DAYS` leaves room for either."""
WARNING_DAYS: Final = 14
"""With so many days left, and fewer, it is time to sign in again."""
SCOPES: Final = ("playlist-read-private", "playlist-read-collaborative")
"""What a user is asked to consent to: https://developer.spotify.com/documentation/web-api/concepts/scopes."""


def runs_out(authorized_at: datetime) -> datetime:
    """When the sign-in of that moment ends (UTC). A moment without a time zone is taken for UTC."""
    began = authorized_at.replace(tzinfo=UTC) if authorized_at.tzinfo is None else authorized_at.astimezone(UTC)
    years, month = divmod(began.month - 1 + LIFE_MONTHS, 12)
    year, month = began.year + years, month + 1
    return began.replace(year=year, month=month, day=min(began.day, calendar.monthrange(year, month)[1]))


def days_left(authorized_at: datetime, *, now: datetime) -> float:
    """Days from `now` until the sign-in of that moment ends; 0 if it has ended."""
    return max(0.0, (runs_out(authorized_at) - now) / timedelta(days=1))
