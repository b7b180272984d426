"""The port through which a chart comes in, and what a poll asks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

import msgspec

from lambdas.core.charts import Dating, Period
from lambdas.core.documents import RawDocument

PolledProvider: TypeAlias = Literal["playlist"]


class PolledChart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chart that a schedule polls: the schedule's input, and the extract function's event.

    `date_offset_days` is added to the day that `dated_by` gives, to get the chart date: `added_at` is the day all
    entries are stamped with (Spotify's own charts), `observation` the UTC day of the poll (a playlist people edit).
    """

    chart: str
    period: Period
    provider: PolledProvider
    playlist_id: str
    dated_by: Dating
    date_offset_days: int = 0


@dataclass
class Budget:
    """What one run may spend: calls to the provider, and time.

    `seconds_left` is asked before every call and every wait (a function passes its remaining time less a reserve).
    """

    max_calls: int
    seconds_left: Callable[[], float]
    calls: int = 0

    def spend_call(self) -> bool:
        """Count one call; False if the run has none left."""
        if self.calls >= self.max_calls:
            return False
        self.calls += 1
        return True


class ChartSource(Protocol):
    """A provider of charts."""

    def fetch(self, chart: PolledChart, *, now: datetime, budget: Budget) -> RawDocument:
        """The chart as the provider gives it now, whole: all pages, checked to make up one chart.

        Raises a subclass of `lambdas.core.errors.SourceError`, one per wall, each with its remedy in the message.
        """
        ...
