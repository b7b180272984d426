"""The port through which a chart comes in, and what a poll asks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from lambdas.core.charts import PUBLIC_CHARTS, Dating, Period
from lambdas.core.documents import RawDocument
from lambdas.core.errors import ConfigurationError

PolledProvider: TypeAlias = Literal["playlist", "public_charts"]
POLLED_PROVIDERS: Final[tuple[PolledProvider, ...]] = ("playlist", "public_charts")
SERVICES: Final[Mapping[PolledProvider, Literal["web_api", "public_charts"]]] = {
    "playlist": "web_api",
    "public_charts": "public_charts",
}
"""Which of Spotify's services a provider calls: providers of one service share its rate limit."""


class PolledChart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chart that a schedule polls: the schedule's input, and the extract function's event.

    `providers` are tried in order until one serves the chart. `playlist_id` is needed with `playlist` alone, and what
    follows it is about the playlist, for the public charts tell their own date. `date_offset_days` is added to the day
    that `dated_by` gives, to get the chart date: `added_at` is the day all entries are stamped with (Spotify's own
    charts), `observation` the UTC day of the poll (a playlist people edit).
    """

    chart: str
    period: Period
    providers: tuple[PolledProvider, ...]
    playlist_id: str | None = None
    dated_by: Dating = "added_at"
    date_offset_days: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for providers that cannot serve the chart."""
        if not self.providers or len(set(self.providers)) < len(self.providers):
            raise ValueError("`providers` are one or more, each once")
        if "playlist" in self.providers and self.playlist_id is None:
            raise ValueError("the provider `playlist` needs a `playlist_id`")
        if "public_charts" in self.providers and self.chart not in PUBLIC_CHARTS:
            raise ValueError(f"`public_charts` serves {' and '.join(PUBLIC_CHARTS)} alone, not {self.chart}")

    @property
    def playlist(self) -> str:
        """Id of its playlist. Raises ConfigurationError for a chart that has none."""
        if self.playlist_id is None:
            raise ConfigurationError(f"{self.chart} has no playlist: it is polled from {', '.join(self.providers)}")
        return self.playlist_id


@dataclass
class Budget:
    """What one run may spend: calls to the provider, and time.

    `seconds_left` is asked before every call and every wait (a function passes its remaining time less a reserve).
    """

    max_calls: int
    seconds_left: Callable[[], float]
    calls: int = 0

    def less(self, *, calls: int, seconds: float) -> Budget:
        """What is left of this budget when so much of it is kept back. The calls made by it are its own."""
        left = self.max_calls - self.calls - calls
        return Budget(max_calls=max(0, left), seconds_left=lambda: self.seconds_left() - seconds)

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
