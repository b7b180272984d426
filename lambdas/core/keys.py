"""Every S3 key of the project is built and parsed here.

Raw bucket:       raw/chart=<chart>/date=<YYYY-MM-DD>/<observed_at>-<provider>-<16 hex>.json.gz
                  quarantine/<key that could not be used>.json
Warehouse bucket: <table>/year=<YYYY>/<chart>.parquet   and   <table>/<table>.parquet
                  rebuild/<any of these>, while `etl rebuild` runs
Keys hold no spaces, colons or plus signs, so that no client or event has to escape them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lambdas.core.charts import parse_chart
from lambdas.core.errors import InvalidChart, InvalidKey
from lambdas.core.schema import Table

RAW_PREFIX = "raw/"
QUARANTINE_PREFIX = "quarantine/"
SHADOW_PREFIX = "rebuild/"
"""Of the warehouse's bucket: where tables are made anew. It is no table's location, so that no query sees it."""
SPOTIFY_RETENTION = {"retention": "spotify"}
"""Tag of raw documents that a poll fetched. S3 expires them by it, for a lifecycle rule cannot see a provider in the
middle of a key; documents without it, such as files that people bring, stay as long as their owner likes."""
_OBSERVED = "%Y%m%dT%H%M%SZ"
_RAW = re.compile(
    r"raw/chart=(?P<chart>[^/]+)/date=(?P<date>\d{4}-\d{2}-\d{2})/"
    r"(?P<observed>\d{8}T\d{6}Z)-(?P<provider>[a-z_]+)-(?P<digest>[0-9a-f]{16})\.json\.gz"
)


@dataclass(frozen=True, order=True)
class RawKey:
    """What a raw document's key tells: enough to group a batch by chart, year and day without reading it."""

    chart: str
    chart_date: date
    observed_at: datetime
    provider: str
    digest: str

    def __str__(self) -> str:
        observed = self.observed_at.astimezone(UTC).strftime(_OBSERVED)
        return f"{day_prefix(self.chart, self.chart_date)}{observed}-{self.provider}-{self.digest}.json.gz"


def parse_raw_key(key: str) -> RawKey:
    """The parts of a raw document's key. Raises InvalidKey if it is not one."""
    found = _RAW.fullmatch(key)
    if not found:
        raise InvalidKey(f"{key!r} is not the key of a raw document (raw/chart=<chart>/date=<YYYY-MM-DD>/...)")
    try:
        return RawKey(
            chart=parse_chart(found["chart"]),
            chart_date=date.fromisoformat(found["date"]),
            observed_at=datetime.strptime(found["observed"], _OBSERVED).replace(tzinfo=UTC),
            provider=found["provider"],
            digest=found["digest"],
        )
    except (ValueError, InvalidChart) as error:
        raise InvalidKey(f"{key!r} is not the key of a raw document: {error}") from error


def chart_prefix(chart: str) -> str:
    """Prefix of all raw documents of a chart."""
    return f"{RAW_PREFIX}chart={chart}/"


def documents_prefix(chart: str, year: int) -> str:
    """Prefix of all raw documents of a chart in a year."""
    return f"{chart_prefix(chart)}date={year:04}-"


def day_prefix(chart: str, chart_date: date) -> str:
    """Prefix of all raw documents of one chart date."""
    return f"{chart_prefix(chart)}date={chart_date.isoformat()}/"


def quarantine_key(key: str) -> str:
    """Where the reason is kept why the object under `key` could not be used."""
    return f"{QUARANTINE_PREFIX}{key}.json"


def table_prefix(table: Table) -> str:
    """Prefix of all objects of a table: the LOCATION of its Glue table, and of the grants on it."""
    return f"{table.name}/"


def dimension_key(table: Table) -> str:
    """The one object of a dimension."""
    return f"{table_prefix(table)}{table.name}.parquet"


def year_prefix(table: Table, year: int | str) -> str:
    """Prefix of one year's objects; `${year}` gives Athena's projected location template."""
    return f"{table_prefix(table)}year={year}/"


def chart_year_key(table: Table, chart: str, year: int) -> str:
    """The one object of a chart in a year."""
    return f"{year_prefix(table, year)}{chart}.parquet"


def parse_chart_year_key(table: Table, key: str) -> tuple[str, int]:
    """The chart and the year of one of a table's objects. Raises InvalidKey if it is not the key of one."""
    found = re.fullmatch(rf"{re.escape(table_prefix(table))}year=(\d{{4}})/([^/]+)\.parquet", key)
    if not found:
        raise InvalidKey(f"{key!r} is not the key of an object of {table.name}")
    return found[2], int(found[1])
