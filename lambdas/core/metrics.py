"""What the functions measure: names, units and dimensions in one place, for the functions and for the alarms.

Dimensions are few because each combination of a metric and its dimensions is billed on its own: `stage` for all, and
`chart` for the one metric that has to tell charts apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, Protocol, TypeAlias

NAMESPACE: Final = "SpotifyEtl"
"""Of CloudWatch: what the project's own metrics lie under."""
STAGE: Final = "stage"
CHART: Final = "chart"

# Of CloudWatch's units, which know no hours:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
Unit: TypeAlias = Literal["Count", "None"]


@dataclass(frozen=True)
class Metric:
    """One metric: its name in CloudWatch, what one value of it says, and whether it is told apart by chart."""

    name: str
    meaning: str
    unit: Unit = "Count"
    by_chart: bool = False

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the dimensions that every value carries."""
        return (STAGE, CHART) if self.by_chart else (STAGE,)


SPOTIFY_REQUESTS: Final = Metric("SpotifyRequests", "Calls to Spotify that a poll or an enrichment made.")
RATE_LIMITED: Final = Metric(
    "RateLimited",
    "1 if Spotify asked a run, or an earlier one whose time is not over, to wait longer than a run can, else 0.",
)
CHART_AGE_HOURS: Final = Metric(
    "ChartAgeHours",
    "Hours since the end of the newest chart date that is held, at each poll, whatever came of it. There is no value "
    "while nothing is held.",
    unit="None",
    by_chart=True,
)
SONGS_WAITING: Final = Metric(
    "SongsWaiting", "Songs without album and artists that Spotify was not asked about yet, at the end of an enrichment."
)
REFRESH_TOKEN_DAYS_LEFT: Final = Metric(
    "RefreshTokenDaysLeft",
    "Days until the user of the stage has to sign in again, at each poll, whatever came of it; 0 once that is due. "
    "There is no value while nobody is signed in.",
    unit="None",
)
DOCUMENTS_LOADED: Final = Metric("DocumentsLoaded", "Usable raw documents of the days that a batch loaded.")
CHART_ENTRIES: Final = Metric("ChartEntries", "Rows of chart_entries on the days that a batch loaded.")
NEW_SONGS: Final = Metric("NewSongs", "Songs that the warehouse did not hold before a batch.")
QUARANTINED_DOCUMENTS: Final = Metric(
    "QuarantinedDocuments",
    "Documents, cached answers, dropped files, or other objects in the raw zone that a batch could not use. One counts "
    "again when its day or its song is loaded, or its file dropped, again.",
)

METRICS: Final = (
    SPOTIFY_REQUESTS,
    RATE_LIMITED,
    CHART_AGE_HOURS,
    SONGS_WAITING,
    REFRESH_TOKEN_DAYS_LEFT,
    DOCUMENTS_LOADED,
    CHART_ENTRIES,
    NEW_SONGS,
    QUARANTINED_DOCUMENTS,
)


class MetricSink(Protocol):
    """Where a function's measurements go."""

    def emit(self, values: Mapping[Metric, float], *, chart: str | None = None) -> None:
        """Emit what one invocation measured, in one call, so that each metric has one value.

        `chart` is needed for metrics that are told apart by chart. Never raises: a measurement that cannot be emitted
        is no reason to fail the work. It is logged as an error instead.
        """
        ...


def chart_age_hours(chart_date: date, *, now: datetime) -> float:
    """Hours from the end of a chart date (midnight UTC after it) to `now`; 0 if that is still to come.

    Spotify's chart days are UTC days: https://artists.spotify.com/help/article/chart-day.
    """
    end = datetime(chart_date.year, chart_date.month, chart_date.day, tzinfo=UTC) + timedelta(days=1)
    return max(0.0, (now - end) / timedelta(hours=1))
