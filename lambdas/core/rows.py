"""Rows of the warehouse's tables in memory: tuples in the order of the table's columns."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

Value: TypeAlias = str | int | bool | None
Row: TypeAlias = tuple[Value, ...]
Group: TypeAlias = tuple[Row, ...]
"""The rows of one dimension key, which win or lose together: one row, or the artists of one song."""

_EPOCH_DATE = date(1970, 1, 1)
_EPOCH_ORDINAL = _EPOCH_DATE.toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def days(day: date) -> int:
    """A date as a DATE column holds it: days since 1970-01-01."""
    return day.toordinal() - _EPOCH_ORDINAL


def date_of(value: int) -> date:
    """The date that a DATE column's value stands for."""
    return date.fromordinal(value + _EPOCH_ORDINAL)


def milliseconds(moment: datetime) -> int:
    """A moment as a TIMESTAMP column holds it: milliseconds since 1970-01-01 UTC."""
    return (moment - _EPOCH) // _MILLISECOND


def moment_of(value: int) -> datetime:
    """The moment (UTC) that a TIMESTAMP column's value stands for."""
    return _EPOCH + value * _MILLISECOND
