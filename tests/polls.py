"""What a poll is asked for in tests: Spotify's own charts, and a run's time that only passes by waiting."""

from __future__ import annotations

from dataclasses import dataclass, field

from lambdas.core.sources import PolledChart

DAILY = PolledChart(
    chart="regional-global-daily",
    period="daily",
    providers=("playlist",),
    playlist_id="37i9dQZEVXbMDoHDwVN2tF",
    dated_by="added_at",
    date_offset_days=-1,
)
WEEKLY = PolledChart(
    chart="regional-global-weekly",
    period="weekly",
    providers=("playlist",),
    playlist_id="37i9dQZEVXbNG2KDcFcKOF",
    dated_by="added_at",
    date_offset_days=-1,
)

PUBLIC = PolledChart(chart="regional-global-weekly", period="weekly", providers=("public_charts",), date_offset_days=-1)


@dataclass
class Clock:
    """A run's time, which only passes by waiting."""

    left: float = 60.0
    waits: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.left -= seconds
