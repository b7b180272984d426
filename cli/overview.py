"""`etl charts` and `etl status`: what the warehouse holds, and how the pipeline stands."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cli.diagnosis import sign_in_in_words
from cli.formats import records
from cli.output import count, print_table, say
from cli.reporting import newest_reports
from cli.stage import PARTS, Stage, open_stage
from lambdas.core.adapters.credentials import read_credentials
from lambdas.core.charts import Period, step
from lambdas.core.errors import ConfigurationError, CredentialsMissing
from lambdas.core.keys import INBOX_PREFIX, QUARANTINE_PREFIX
from lambdas.core.limits import SERVICE_NAMES, RateLimitMemory
from lambdas.core.schema import TABLES

if TYPE_CHECKING:
    from cli.formats import JsonValue
    from lambdas.core.adapters.athena import Answer
    from lambdas.core.sources import PolledChart

_HELD = """
SELECT
    chart,
    max_by(period, chart_date) AS period,
    array_join(array_sort(array_agg(DISTINCT provider)), ', ') AS providers,
    min(chart_date) AS first_date,
    max(chart_date) AS newest_date,
    count(DISTINCT chart_date) AS dates
FROM snapshots
WHERE verdict IN ('published', 'partial')
GROUP BY chart
ORDER BY chart
"""
# One row for each stretch of missing dates: the dates on either side of it.
_GAPS = """
WITH dates AS (
    SELECT DISTINCT chart, period, chart_date
    FROM snapshots
    WHERE verdict IN ('published', 'partial')
),
neighbours AS (
    SELECT chart, period, chart_date, lag(chart_date) OVER (PARTITION BY chart ORDER BY chart_date) AS previous_date
    FROM dates
)
SELECT chart, previous_date, chart_date
FROM neighbours
WHERE date_diff('day', previous_date, chart_date) > CASE period WHEN 'weekly' THEN 7 ELSE 1 END
ORDER BY chart, chart_date DESC
"""
_ROWS = "\nUNION ALL\n".join(
    f"SELECT '{table.name}' AS table_name, count(*) AS rows_held FROM {table.name}" for table in TABLES
)
_NEWEST = (
    "SELECT chart, max(chart_date) AS newest_date FROM chart_entries GROUP BY chart ORDER BY newest_date DESC, chart"
)

_SHOWN_GAPS = 2
_QUEUES = (
    ("documents waiting for the transform function", "TransformQueueUrl"),
    ("dead letters of the transform function", "TransformDeadLettersUrl"),
    ("files waiting for the import_chart function", "ImportChartQueueUrl"),
    ("dead letters of the import_chart function", "ImportChartDeadLettersUrl"),
    ("dead letters of the extract function", "ExtractDeadLettersUrl"),
    ("dead letters of the enrich function", "EnrichDeadLettersUrl"),
    ("charts waiting for the report function", "ReportQueueUrl"),
    ("dead letters of the report function", "ReportDeadLettersUrl"),
)


@dataclass
class ChartOverview:
    """One chart: what is held of it, and what is missing between its first and its newest date."""

    chart: str
    period: Period
    providers: str
    first_date: date | None = None
    newest_date: date | None = None
    dates: int = 0
    gaps: list[tuple[date, date]] = field(default_factory=list)
    """First and last missing date of each gap, newest gap first."""

    @property
    def missing_dates(self) -> int:
        """Periods missing between the first and the newest date."""
        return sum((last - first) // step(self.period) + 1 for first, last in self.gaps)

    @property
    def gaps_in_words(self) -> str:
        """`none`, or how many dates are missing and which, the newest gap first."""
        if not self.gaps:
            return "none" if self.dates else ""
        shown = [str(first) if first == last else f"{first} to {last}" for first, last in self.gaps[:_SHOWN_GAPS]]
        left = len(self.gaps) - _SHOWN_GAPS
        more = f" and {count(left, 'more gap')}" if left > 0 else ""
        return f"{self.missing_dates}: {', '.join(shown)}{more}"


def charts_command(arguments: argparse.Namespace) -> int:
    """Run `etl charts`."""
    stage = open_stage(arguments.stage)
    athena = stage.athena
    charts = overview(athena.query(_HELD), athena.query(_GAPS), stage.config.polled_charts)
    if not charts:
        say(
            f"stage {stage.name} holds no chart yet and polls none: import one with "
            f"`etl import PATH --stage {stage.name}`"
        )
        return 0
    print_table(
        ["chart", "period", "provider", "newest date", "first date", "dates", "missing dates"],
        [
            [
                chart.chart,
                chart.period,
                chart.providers,
                str(chart.newest_date or "no data"),
                str(chart.first_date or ""),
                str(chart.dates),
                chart.gaps_in_words,
            ]
            for chart in charts
        ],
        right=[False, False, False, False, False, True, False],
    )
    if any(not chart.dates for chart in charts):
        say(f"charts without data are polled by schedule, or now by `etl run --stage {stage.name}`")
    return 0


def overview(held: Answer, gaps: Answer, polled: Iterable[PolledChart]) -> list[ChartOverview]:
    """The charts of a stage, by name: those with data, and those that are only configured to be polled."""
    charts: dict[str, ChartOverview] = {}
    for row in records(held):
        chart = str(row["chart"])
        charts[chart] = ChartOverview(
            chart=chart,
            period="weekly" if row["period"] == "weekly" else "daily",
            providers=str(row["providers"]),
            first_date=_date(row["first_date"]),
            newest_date=_date(row["newest_date"]),
            dates=int(str(row["dates"])),
        )
    for row in records(gaps):
        found = charts.get(str(row["chart"]))
        if found is not None:
            one = step(found.period)
            found.gaps.append((_date(row["previous_date"]) + one, _date(row["chart_date"]) - one))
    for configured in polled:
        charts.setdefault(
            configured.chart,
            ChartOverview(chart=configured.chart, period=configured.period, providers=", ".join(configured.providers)),
        )
    return [charts[name] for name in sorted(charts)]


def _date(value: JsonValue) -> date:
    return date.fromisoformat(str(value))


def status_command(arguments: argparse.Namespace) -> int:
    """Run `etl status`."""
    stage = open_stage(arguments.stage)
    lines = [("stage", f"{stage.name}, {'on the AWS emulator' if stage.config.emulated else 'on AWS'}")]
    if stage.config.emulated:
        lines += _local_processes()
    stacks = {part: stage.stack_outputs(part) for part in PARTS}
    for part, outputs in stacks.items():
        name = stage.config.stack_name(part)
        lines.append((f"{part} stack", f"{name}: {'deployed' if outputs is not None else 'NOT DEPLOYED'}"))
    if None in stacks.values():
        _print_lines(lines)
        remedy = "`etl up`" if stage.config.emulated else f"`etl deploy --stage {stage.name}`"
        say(f"stage {stage.name} is not deployed whole: {remedy}")
        return 1
    lines += _data(stage)
    lines.append(("inbox", f"s3://{stage.output('storage', 'RawBucketName')}/{INBOX_PREFIX}"))
    lines += _queues(stage)
    lines.append(("quarantined", _quarantined(stage)))
    lines.append(("Spotify credentials", _credentials(stage)))
    lines += _rate_limits(stage)
    lines += _sign_in(stage)
    lines += newest_reports(stage)
    _print_lines(lines)
    return 0


def _quarantined(stage: Stage) -> str:
    records = sum(1 for _ in stage.raw_store().keys(QUARANTINE_PREFIX))
    return count(records, "object") + (f": `etl quarantine list --stage {stage.name}`" if records else "")


def _rate_limits(stage: Stage) -> list[tuple[str, str]]:
    """A line for each service that is not to be called before some time; none is the rule."""
    now = datetime.now(UTC)
    return [
        ("rate limit", f"{name} is {block}")
        for service, name in SERVICE_NAMES.items()
        if (block := RateLimitMemory(stage.raw_store(), service).state().block_in_words(now=now))
    ]


def _print_lines(lines: Sequence[tuple[str, str]]) -> None:
    width = max(len(label) for label, _ in lines)
    for label, value in lines:
        say(f"{label:<{width}}  {value}")


def _local_processes() -> list[tuple[str, str]]:
    from cli.local_state import state_dir
    from cli.stand_in import StandIn
    from local.emulator import lifecycle

    lines = []
    endpoint = lifecycle.running(state_dir())
    if endpoint is not None:
        lines.append(("emulator", f"{endpoint.url}, process {endpoint.pid}, log {endpoint.log}"))
    stand_in = StandIn.of_local_stage()
    record = stand_in.running()
    if record is not None:
        lines.append(("Spotify stand-in", f"{record.facts['url']}, process {record.pid}, log {stand_in.process.log}"))
    else:
        lines.append(("Spotify stand-in", "NOT RUNNING: `etl up` starts it again"))
    return lines


def _data(stage: Stage) -> list[tuple[str, str]]:
    athena = stage.athena
    rows: Mapping[str, JsonValue] = {str(row["table_name"]): row["rows_held"] for row in records(athena.query(_ROWS))}
    lines = [(f"table {table.name}", count(int(str(rows[table.name])), "row")) for table in TABLES]
    newest = records(athena.query(_NEWEST))
    said = f"{newest[0]['newest_date']} ({newest[0]['chart']})" if newest else "none: the tables are empty"
    return [*lines, ("newest chart date", said), ("songs waiting for album and artists", _songs_waiting(stage))]


def _songs_waiting(stage: Stage) -> str:
    from lambdas.enrich.run import songs_waiting

    waiting = songs_waiting(tables=stage.warehouse_store(), cache=stage.raw_store())
    return f"{waiting:,}" + (f": `etl enrich --stage {stage.name}`" if waiting else "")


def _queues(stage: Stage) -> list[tuple[str, str]]:
    lines = []
    for label, output in _QUEUES:
        attributes = stage.sqs.get_queue_attributes(
            QueueUrl=stage.output("compute", output),
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        waiting = int(attributes.get("ApproximateNumberOfMessages", "0"))
        in_work = int(attributes.get("ApproximateNumberOfMessagesNotVisible", "0"))
        lines.append((label, f"{waiting:,}" + (f" and {in_work:,} in work" if in_work else "")))
    return lines


def _credentials(stage: Stage) -> str:
    """Whether the credentials are there. Their value is not asked for in the clear, let alone shown."""
    name = stage.config.credentials_parameter
    missing = f"NOT SET: `etl credentials --stage {stage.name}`"
    try:
        parameter = stage.ssm.get_parameter(Name=name, WithDecryption=False)["Parameter"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ParameterNotFound":
            needed = any("playlist" in chart.providers for chart in stage.config.polled_charts)
            return missing if needed else "not set, and not needed: no chart is polled from a playlist"
        raise
    return f"set on {parameter['LastModifiedDate']:%Y-%m-%d} in {name}"


def _sign_in(stage: Stage) -> list[tuple[str, str]]:
    """Until when a user is signed in. Nothing where there are no credentials, or they are not ours to decrypt."""
    try:
        credentials = read_credentials(stage.ssm, stage.config.credentials_parameter, stage=stage.name)
    except (CredentialsMissing, ConfigurationError):
        return []
    if not credentials.refresh_token:
        return [("Spotify user", f"nobody is signed in: `etl login --stage {stage.name}`, for a user's own playlists")]
    return [("Spotify user", sign_in_in_words(credentials.authorized_at, stage=stage.name, now=datetime.now(UTC)))]
