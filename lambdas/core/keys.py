"""Every S3 key of the project is built and parsed here.

Raw bucket:       raw/chart=<chart>/date=<YYYY-MM-DD>/<observed_at>-<provider>-<16 hex>.json.gz
                  inbox/<folders>/<file>, as people drop it; folders may say chart=, date= and partial=
                  cache/tracks/<song_id>.json.gz
                  quarantine/<key that could not be used>.json
                  state/<service>.json
Warehouse bucket: <table>/year=<YYYY>/<chart>.parquet   and   <table>/<table>.parquet
                  rebuild/<any of these>, while `etl rebuild` runs
                  report/<chart>.html
Results bucket:   athena-results/<query execution>.csv, as Athena names it

Keys that the project makes hold no spaces, colons or plus signs, so that no client or event has to escape them. Those
of the inbox are what people make them: any text of up to 1,024 bytes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lambdas.core.charts import parse_chart
from lambdas.core.errors import InvalidChart, InvalidKey
from lambdas.core.schema import Table

RAW_PREFIX = "raw/"
INBOX_PREFIX = "inbox/"
CACHED_SONGS_PREFIX = "cache/tracks/"
"""Named by Spotify's address of a song, `/tracks/{id}`, whose answers lie here."""
QUARANTINE_PREFIX = "quarantine/"
INBOX_QUARANTINE_PREFIX = f"{QUARANTINE_PREFIX}{INBOX_PREFIX}"
"""Of the records of dropped files."""
STATE_PREFIX = "state/"
SHADOW_PREFIX = "rebuild/"
"""Of the warehouse's bucket: where tables are made anew. It is no table's location, so that no query sees it."""
REPORT_PREFIX = "report/"
"""Of the warehouse's bucket, as well."""
RESULTS_PREFIX = "athena-results/"
"""Of the bucket of Athena's results."""
SPOTIFY_RETENTION = {"retention": "spotify"}
"""Tag of raw documents that a poll fetched, and of cached answers. S3 expires them by it, for a lifecycle rule cannot
see a provider in the middle of a key; documents without it, such as files that people bring, stay as long as their
owner likes."""
_OBSERVED = "%Y%m%dT%H%M%SZ"
_RAW = re.compile(
    r"raw/chart=(?P<chart>[^/]+)/date=(?P<date>\d{4}-\d{2}-\d{2})/"
    r"(?P<observed>\d{8}T\d{6}Z)-(?P<provider>[a-z_]+)-(?P<digest>[0-9a-f]{16})\.json\.gz"
)
_SAID = re.compile(r"(?P<name>chart|date|partial)=(?P<value>.*)", re.DOTALL)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MAX_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
_SHORTENED_BY_BYTES = 16 + len("-")
_CACHED_SONG = re.compile(r"cache/tracks/(?P<song_id>[0-9A-Za-z]{22})\.json\.gz")

_REPORT = re.compile(r"report/(?P<chart>[^/]+)\.html")


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


@dataclass(frozen=True)
class InboxKey:
    """What a dropped file's key tells: the file's own name, and what its folders say over what the file says itself."""

    name: str
    chart: str | None = None
    chart_date: date | None = None
    partial: bool = False


def parse_inbox_key(key: str) -> InboxKey:
    """The parts of a dropped file's key: `inbox/chart=road-trip/date=2024-05-11/partial=true/top50.json`.

    The folders may come in any order, and any may be left out; a folder of another name is just a folder. Raises
    InvalidKey for a chart or a date that is none, for `partial` that is neither true nor false, for a folder that
    contradicts another, and for a key outside the inbox.
    """
    if not key.startswith(INBOX_PREFIX):
        raise InvalidKey(f"{key!r} is not the key of a file in the inbox ({INBOX_PREFIX}...)")
    *folders, name = key.removeprefix(INBOX_PREFIX).split("/")
    said: dict[str, str] = {}
    for found in filter(None, map(_SAID.fullmatch, folders)):
        if said.setdefault(found["name"], found["value"]) != found["value"]:
            raise InvalidKey(f"its folders say both {found['name']}={said[found['name']]} and {found[0]}: keep one")
    return InboxKey(
        name=name,
        chart=_said_chart(said.get("chart")),
        chart_date=_said_date(said.get("date")),
        partial=_said_partial(said.get("partial", "false")),
    )


def _said_chart(value: str | None) -> str | None:
    try:
        return None if value is None else parse_chart(value)
    except InvalidChart as error:
        raise InvalidKey(f"its folder chart={value}: {error}") from error


def _said_date(value: str | None) -> date | None:
    if value is None:
        return None
    try:
        if not _DATE.fullmatch(value):  # fromisoformat also takes weeks, and dates without hyphens
            raise ValueError("not of the form YYYY-MM-DD")
        return date.fromisoformat(value)
    except ValueError as error:
        raise InvalidKey(f"its folder date={value} is no date ({error}): write it as date=2024-05-11") from error


def _said_partial(value: str) -> bool:
    if value not in ("true", "false"):
        raise InvalidKey(f"its folder partial={value} is neither partial=true nor partial=false")
    return value == "true"


def cached_song_key(song_id: str) -> str:
    """Where Spotify's last answer about a song is kept."""
    return f"{CACHED_SONGS_PREFIX}{song_id}.json.gz"


def parse_cached_song_key(key: str) -> str:
    """The id of the song whose answer lies under a key. Raises InvalidKey if it is not the key of a cached answer."""
    found = _CACHED_SONG.fullmatch(key)
    if not found:
        raise InvalidKey(f"{key!r} is not the key of a cached answer ({CACHED_SONGS_PREFIX}<song id>.json.gz)")
    return found["song_id"]


def quarantine_key(key: str) -> str:
    """Where the reason is kept why the object under `key` could not be used.

    A key so long that S3 would not take another with our words around it is cut, and told from others by its hash.
    """
    record = f"{QUARANTINE_PREFIX}{key}.json"
    if len(record.encode()) <= MAX_KEY_BYTES:
        return record
    room = MAX_KEY_BYTES - len(f"{QUARANTINE_PREFIX}.json") - _SHORTENED_BY_BYTES
    beginning = key.encode()[:room].decode(errors="ignore")
    return f"{QUARANTINE_PREFIX}{beginning}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def state_key(service: str) -> str:
    """Where the memory of a service's rate limit is kept."""
    return f"{STATE_PREFIX}{service}.json"


def report_key(chart: str) -> str:
    """Where a chart's report is kept."""
    return f"{REPORT_PREFIX}{chart}.html"


def parse_report_key(key: str) -> str:
    """The chart that a report is of. Raises InvalidKey if it is not the key of a report."""
    found = _REPORT.fullmatch(key)
    if not found:
        raise InvalidKey(f"{key!r} is not the key of a report ({REPORT_PREFIX}<chart>.html)")
    return found["chart"]


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
