"""What a stage costs a month: what the templates deploy, what is done with it, and AWS's list prices.

The templates are those of tests/infra/snapshots, which a test holds to be what `app.py` synthesizes: no CDK is needed
here, and a change of the infrastructure changes docs/cost.md. What the code does is stated below as constants, and
tests/unit/test_cost.py counts that it does just that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from lambdas.core.metrics import CHART, METRICS, RATE_LIMITED, REFRESH_TOKEN_DAYS_LEFT, SONGS_WAITING, SPOTIFY_REQUESTS
from lambdas.core.report import QUERIES

Template: TypeAlias = Mapping[str, Any]

SNAPSHOTS: Final = Path(__file__).resolve().parent.parent / "tests" / "infra" / "snapshots"
_PARTS: Final = ("storage", "compute", "catalog", "monitoring")
UNPOLLED: Final = "prod"
POLLED: Final = "local"

DAYS: Final = 30
HOURS_A_DAY: Final = 24
GB: Final = 10**9


# --- Prices -----------------------------------------------------------------------------------------------------------

STATED: Final = "2026-11-22"
"""The day on which the prices below were stated. They were not fetched."""
_PRICING: Final = "https://aws.amazon.com/{}/pricing/"


@dataclass(frozen=True)
class Price:
    """A list price of us-east-1: `dollars` for `per` units, the first `free` of which cost nothing each month.

    `free` is what AWS gives an account for good, not what it gives a new one.
    """

    service: str
    item: str
    unit: str
    dollars: float
    per: int
    page: str
    free: float = 0

    @property
    def source(self) -> str:
        """The page of AWS's that has the price."""
        return _PRICING.format(self.page)

    def cost(self, quantity: float, *, free_tier: bool) -> float:
        """Dollars for a quantity."""
        return max(0.0, quantity - (self.free if free_tier else 0)) * self.dollars / self.per


LAMBDA_REQUESTS: Final = Price("Lambda", "invocations", "invocation", 0.20, 10**6, "lambda", free=10**6)
LAMBDA_COMPUTE: Final = Price("Lambda", "time on arm64", "GB-second", 13.3334, 10**6, "lambda", free=400_000)
S3_STORAGE: Final = Price("S3", "storage", "GB-month", 0.023, 1, "s3")
S3_WRITES: Final = Price("S3", "PUT and LIST", "request", 0.005, 1000, "s3")
S3_READS: Final = Price("S3", "GET", "request", 0.0004, 1000, "s3")
S3_TAGS: Final = Price("S3", "object tags", "tag-month", 0.0065, 10_000, "s3")
SQS_REQUESTS: Final = Price("SQS", "requests", "request", 0.40, 10**6, "sqs", free=10**6)
EVENTS: Final = Price("EventBridge", "events of S3", "event", 1.00, 10**6, "eventbridge")
SCHEDULES: Final = Price("EventBridge", "schedules", "invocation", 1.00, 10**6, "eventbridge", free=14 * 10**6)
METRICS_SENT: Final = Price("CloudWatch", "metrics of our own", "metric-month", 0.30, 1, "cloudwatch", free=10)
ALARMS: Final = Price("CloudWatch", "alarms", "alarm-month", 0.10, 1, "cloudwatch", free=10)
SMALL_DASHBOARDS: Final = Price("CloudWatch", "dashboards", "dashboard-month", 3.00, 1, "cloudwatch", free=3)
LARGE_DASHBOARDS: Final = Price("CloudWatch", "dashboards over 50 metrics", "dashboard-month", 3.00, 1, "cloudwatch")
LOGS_WRITTEN: Final = Price("CloudWatch", "logs written", "GB", 0.50, 1, "cloudwatch", free=5)
LOGS_KEPT: Final = Price("CloudWatch", "logs kept", "GB-month", 0.03, 1, "cloudwatch")
MAILS: Final = Price("SNS", "mails", "mail", 2.00, 100_000, "sns", free=1000)
DECRYPTIONS: Final = Price("KMS", "decryptions", "request", 0.03, 10_000, "kms", free=20_000)
CRAWLS: Final = Price("Glue", "crawls", "DPU-hour", 0.44, 1, "glue")
SCANS: Final = Price("Athena", "data scanned", "TB", 5.00, 1, "athena")

PRICES: Final = (
    LAMBDA_REQUESTS,
    LAMBDA_COMPUTE,
    S3_STORAGE,
    S3_WRITES,
    S3_READS,
    S3_TAGS,
    SQS_REQUESTS,
    EVENTS,
    SCHEDULES,
    METRICS_SENT,
    ALARMS,
    SMALL_DASHBOARDS,
    LARGE_DASHBOARDS,
    LOGS_WRITTEN,
    LOGS_KEPT,
    MAILS,
    DECRYPTIONS,
    CRAWLS,
    SCANS,
)
FREE_DASHBOARD_METRICS: Final = 50
"""More than so many metrics, and a dashboard is none of the free ones."""


# --- What is deployed -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What of a stage's resources is billed, for some number of polled charts."""

    charts: int
    alarms: int
    dashboard_metrics: int
    metrics_by_poll: int
    metrics_by_load: int
    lambda_polled_queues: int
    crawls_a_day: int
    extract_gib: float
    transform_gib: float
    report_gib: float


def read_stage(stage: str) -> Template:
    """The resources of all stacks of a stage, as they were last reviewed."""
    parts = [json.loads((SNAPSHOTS / f"{stage}-{part}.json").read_text("utf-8")) for part in _PARTS]
    return {
        f"{part}/{name}": held
        for part, found in zip(_PARTS, parts, strict=True)
        for name, held in found["Resources"].items()
    }


def deployed(charts: int) -> Deployed:
    """What a stage that polls so many charts deploys.

    A stage without polled charts is `prod` as it ships. What polls add to a stage, and each chart to that, is read from
    `local`, which polls some.
    """
    stage = read_stage(POLLED if charts else UNPOLLED)
    in_template = len(_of(stage, "AWS::Scheduler::Schedule"))
    alarms = _of(stage, "AWS::CloudWatch::Alarm")
    by_chart = [alarm for alarm in alarms if any(each["Name"] == CHART for each in alarm.get("Dimensions", ()))]
    shown = _dashboard_metrics(stage)
    shown_by_chart = [metric for metric in shown if CHART in metric]
    assert len(by_chart) == len(shown_by_chart) == in_template
    more = charts - in_template
    memory = {held["Handler"].split(".")[1]: held["MemorySize"] / 1024 for held in _of(stage, "AWS::Lambda::Function")}
    return Deployed(
        charts=charts,
        alarms=len(alarms) + more,
        dashboard_metrics=len(shown) + more,
        metrics_by_poll=sum(charts if metric.by_chart else 1 for metric in POLL_METRICS) if charts else 0,
        metrics_by_load=len(LOAD_METRICS),
        lambda_polled_queues=len(_of(stage, "AWS::Lambda::EventSourceMapping")),
        crawls_a_day=sum("Schedule" in crawler for crawler in _of(stage, "AWS::Glue::Crawler")),
        extract_gib=memory["extract"],
        transform_gib=memory["transform"],
        report_gib=memory["report"],
    )


def _of(stage: Template, kind: str) -> list[Mapping[str, Any]]:
    """The properties of the resources of one type."""
    return [held.get("Properties", {}) for held in stage.values() if held["Type"] == kind]


def _dashboard_metrics(stage: Template) -> list[list[str]]:
    """Each metric that the dashboard shows, once: its namespace, name and dimensions."""
    (dashboard,) = _of(stage, "AWS::CloudWatch::Dashboard")
    body = json.loads(_text(dashboard["DashboardBody"]))
    found = {
        json.dumps([word for word in metric if isinstance(word, str)])
        for widget in body["widgets"]
        for metric in widget["properties"].get("metrics", ())
    }
    return [json.loads(metric) for metric in sorted(found)]


def _text(value: Any) -> str:
    """A property as text, a reference standing as its target's name."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return str(argument[0]).join(_text(part) for part in argument[1])
    return ".".join(argument) if isinstance(argument, list) else str(argument)


# --- What the code does: counted in tests/unit/test_cost.py ---------------------------------------------------------

# Emitted by extract at each poll, the user's sign-in only if there is one; the others by transform at each batch.
POLL_METRICS: Final = tuple(
    metric
    for metric in METRICS
    if metric in (SPOTIFY_REQUESTS, RATE_LIMITED, REFRESH_TOKEN_DAYS_LEFT) or metric.by_chart
)
# Emitted by enrichments alone, which nothing starts in a stage as it ships: they are no part of this bill.
ENRICHMENT_METRICS: Final = (SONGS_WAITING,)
LOAD_METRICS: Final = tuple(metric for metric in METRICS if metric not in (*POLL_METRICS, *ENRICHMENT_METRICS))


@dataclass(frozen=True)
class Requests:
    """Requests to S3."""

    writes: float = 0
    lists: float = 0
    reads: float = 0

    def __add__(self, other: Requests) -> Requests:
        return Requests(self.writes + other.writes, self.lists + other.lists, self.reads + other.reads)

    def __mul__(self, times: float) -> Requests:
        return Requests(self.writes * times, self.lists * times, self.reads * times)

    @property
    def all(self) -> float:
        """How many there are."""
        return self.writes + self.lists + self.reads


STORING_POLL: Final = Requests(writes=2, lists=3, reads=3)
"""A poll that finds a new daily chart. The last listing and read are for the chart's age; a write and two reads are of
the memory of rate limits, which is looked at before the first call and in which the calls are counted."""
VAIN_POLL: Final = Requests(writes=1, lists=3, reads=4)
"""A poll of a daily chart that Spotify has not made anew yet."""
HELD_POLL: Final = Requests(lists=2, reads=2)
"""A poll of a daily chart that is held: Spotify is not asked."""
LISTS_A_WEEK_BACK: Final = 6
"""A weekly chart's date is looked for on seven days instead of one: at most so many listings more."""
LOAD: Final = Requests(writes=6, lists=1, reads=7)
"""A document into six tables: it and each table's object read, each written, and the day listed in between."""
DIMENSION_TABLES: Final = 4
REPORT: Final = Requests(writes=1, lists=4, reads=2)
"""A chart's new report: the tables are listed for all that is current, and again for this one; the stored one is looked
at as often, and replaced."""
REPORT_LOOK: Final = Requests(lists=1)
"""Of a run: which reports there are, for a load may have completed songs of any. Each is looked at once."""
REPORT_QUERIES: Final = len(QUERIES) + 1
"""The questions of the page, and how many songs wait to be completed."""
SPOTIFY_PAGE: Final = 50
"""Songs that one call to Spotify gives. Before the first, a call gives the token."""
TAGS_A_DOCUMENT: Final = 1
EVENTS_A_DOCUMENT: Final = 2
"""S3 tells of an object when it is made and when it expires."""
EVENTS_A_COUNT: Final = 1
"""S3 tells of the memory of rate limits too, each time that calls are counted in it."""
EVENTS_A_TABLE_OBJECT: Final = 2
"""S3 tells of each object of the tables and of each report, too, and of each old version that expires."""
EVENTS_REPORTED: Final = 3
"""Of a load's, those that call the report: of the chart's entries and snapshots, and of the songs' artists."""
SQS_REQUESTS_A_MESSAGE: Final = 3
"""Sent, received, deleted; batches make it less."""
IDLE_POLLER_REQUESTS: Final = 5 * 3 * 60 * HOURS_A_DAY * DAYS
"""Lambda's five pollers of a queue, each waiting 20 s a request, are billed whether or not there is a message."""

# --- Measured, on one core of a 2.2 GHz Xeon with Python 3.11 ---------------------------------------------------------

COLD_CPU_SECONDS: Final = 0.26
"""Of a function's first run: imports and the S3 client. It is billed."""
SPOTIPY_CPU_SECONDS: Final = 0.3
"""Of importing spotipy, at a poll that asks Spotify."""
SSM_CPU_SECONDS: Final = 0.016
"""Of making its client, at every poll: it reads how long a user's sign-in lasts."""
LOG_BYTES_A_POLL: Final = 591 + 450 + 600
"""Its two lines of metrics, its result, and what Lambda itself writes about a run."""
LOG_BYTES_A_BATCH: Final = 395 + 600
"""The line of metrics, and what Lambda itself writes."""
LOG_BYTES_A_LOAD: Final = 300
LOG_BYTES_A_REPORT: Final = 200 + 600
"""Its line, and what Lambda itself writes, as if each were a run of its own."""
REPORT_CPU_SECONDS: Final = 0.4
"""Of making a page of a year's answers, and of importing what makes it."""

# --- Assumed ----------------------------------------------------------------------------------------------------------

S3_SECONDS: Final = 0.03
"""Of one request, and of the one to SSM; they are made one after the other."""
SPOTIFY_SECONDS: Final = 0.5
"""Of one call."""
VCPU_MIB: Final = 1769
"""Memory that comes with one whole CPU (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)."""
POLLS_A_DAY: Final = 3
VAIN_POLLS: Final = 1
"""For each date a chart is asked for in vain once before it is there; all other polls find it held."""
RETENTION_DAYS: Final = 400
"""For which a polled document is paid for, old version included."""
OLD_VERSION_DAYS: Final = 30
LOG_MONTHS: Final = 3
"""For which logs are kept."""
MAILS_A_MONTH: Final = 10
REPORT_SECONDS: Final = 4
"""For which a report waits for Athena: its questions are asked at once, after the songs that wait are counted."""
ATHENA_LEAST_BYTES: Final = 10**7
ATHENA_READS_AN_OBJECT: Final = 2
"""The footer and the columns."""
ATHENA_WRITES_A_QUERY: Final = 4
"""The result and its metadata are written, and two prefixes listed."""
CRAWL_DPU_HOURS: Final = 1 / 6
"""A crawl bills ten minutes at least, here of one DPU. One that has a schedule is taken to run once a day."""


# --- What a month costs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A stage after a year of use.

    Bytes are of one object, at the year's end, measured on made-up charts. `load_cpu_seconds` is of one document's
    load. A share `repeated_writes` of the writes of dimensions is repeated, as another writer was faster.
    """

    title: str
    daily: int = 0
    weekly: int = 0
    songs_a_chart: int = 0
    polls_a_day: int = POLLS_A_DAY
    queries_a_day: int = 0
    documents_a_batch: int = 1
    load_hours_a_day: int = 0
    repeated_writes: float = 0
    document_bytes: int = 0
    chart_bytes: int = 0
    report_bytes: int = 0
    dimension_bytes: int = 0
    load_cpu_seconds: float = 0

    @property
    def charts(self) -> int:
        """Charts that are polled."""
        return self.daily + self.weekly

    @property
    def documents(self) -> float:
        """Documents that a month brings."""
        return DAYS * (self.daily + self.weekly / 7)


IDLE: Final = Scenario(title="Nothing polled")
ONE_CHART: Final = Scenario(
    title="One chart",
    daily=1,
    songs_a_chart=50,
    queries_a_day=10,
    load_hours_a_day=1,
    document_bytes=14_000,
    chart_bytes=26_000 + 77_000,
    report_bytes=400_000,
    dimension_bytes=353_000,
    load_cpu_seconds=0.015,
)
ALL_CHARTS: Final = Scenario(
    title="All charts",
    daily=74,
    weekly=74,
    songs_a_chart=200,
    queries_a_day=50,
    documents_a_batch=10,
    load_hours_a_day=POLLS_A_DAY,
    repeated_writes=0.5,
    document_bytes=41_000,
    chart_bytes=97_000 + 77_000,
    report_bytes=1_000_000,
    dimension_bytes=6_312_000,
    load_cpu_seconds=0.178,
)
SCENARIOS: Final = (IDLE, ONE_CHART, ALL_CHARTS)

Quantities: TypeAlias = Mapping[Price, float]


def quantities(scenario: Scenario) -> Quantities:
    """How much of what a month takes."""
    held = deployed(scenario.charts)
    documents = scenario.documents
    polls = DAYS * scenario.polls_a_day * scenario.charts
    vain = min(polls - documents, documents * VAIN_POLLS)
    to_s3 = poll_requests(scenario, polls=polls, vain=vain)
    again = DIMENSION_TABLES * scenario.repeated_writes
    load = LOAD + Requests(writes=again, reads=again)
    batches = documents / scenario.documents_a_batch
    spotify_calls = (documents + vain) * (1 + -(-scenario.songs_a_chart // SPOTIFY_PAGE))
    poll_seconds = (
        (polls * (COLD_CPU_SECONDS + SSM_CPU_SECONDS) + (documents + vain) * SPOTIPY_CPU_SECONDS)
        / cpus(held.extract_gib)
        + (to_s3.all + polls) * S3_SECONDS
        + spotify_calls * SPOTIFY_SECONDS
    )
    load_seconds = (batches * COLD_CPU_SECONDS + documents * scenario.load_cpu_seconds) / cpus(
        held.transform_gib
    ) + documents * load.all * S3_SECONDS
    to_s3 += load * documents
    to_s3 += report_requests(scenario)
    queries = DAYS * scenario.queries_a_day + documents * REPORT_QUERIES
    objects = 2 * scenario.charts + DIMENSION_TABLES
    log_bytes = (
        polls * LOG_BYTES_A_POLL + batches * LOG_BYTES_A_BATCH + documents * (LOG_BYTES_A_LOAD + LOG_BYTES_A_REPORT)
    )
    dashboards = SMALL_DASHBOARDS if held.dashboard_metrics <= FREE_DASHBOARD_METRICS else LARGE_DASHBOARDS
    return {
        LAMBDA_REQUESTS: polls + 2 * batches,
        LAMBDA_COMPUTE: poll_seconds * held.extract_gib
        + load_seconds * held.transform_gib
        + report_seconds(scenario, held.report_gib) * held.report_gib,
        S3_STORAGE: stored_bytes(scenario) / GB,
        S3_WRITES: to_s3.writes + to_s3.lists + queries * ATHENA_WRITES_A_QUERY,
        S3_READS: to_s3.reads + queries * objects * ATHENA_READS_AN_OBJECT,
        S3_TAGS: TAGS_A_DOCUMENT * documents / DAYS * RETENTION_DAYS,
        SQS_REQUESTS: held.lambda_polled_queues * IDLE_POLLER_REQUESTS
        + documents * (1 + EVENTS_REPORTED) * SQS_REQUESTS_A_MESSAGE,
        EVENTS: documents * EVENTS_A_DOCUMENT
        + (documents + vain) * EVENTS_A_COUNT
        + documents * (load.writes + REPORT.writes) * EVENTS_A_TABLE_OBJECT,
        SCHEDULES: polls,
        METRICS_SENT: (
            held.metrics_by_poll * min(scenario.polls_a_day, HOURS_A_DAY)
            + held.metrics_by_load * scenario.load_hours_a_day
        )
        / HOURS_A_DAY,
        ALARMS: held.alarms,
        dashboards: 1,
        LOGS_WRITTEN: log_bytes / GB,
        LOGS_KEPT: LOG_MONTHS * log_bytes / GB,
        MAILS: MAILS_A_MONTH,
        DECRYPTIONS: polls,
        CRAWLS: DAYS * held.crawls_a_day * CRAWL_DPU_HOURS,
        SCANS: queries * scanned_bytes(scenario) / 10**12,
    }


def poll_requests(scenario: Scenario, *, polls: float, vain: float) -> Requests:
    """What a month's polls ask of S3."""
    documents = scenario.documents
    weekly = DAYS * scenario.polls_a_day * scenario.weekly
    return (
        STORING_POLL * documents
        + VAIN_POLL * vain
        + HELD_POLL * (polls - documents - vain)
        + Requests(lists=LISTS_A_WEEK_BACK) * weekly
    )


def report_quantities(scenario: Scenario) -> Quantities:
    """Of these, what the reports take but for storage, events and logs, which are next to nothing."""
    held, queries = deployed(scenario.charts), scenario.documents * REPORT_QUERIES
    to_s3 = report_requests(scenario)
    objects = 2 * scenario.charts + DIMENSION_TABLES
    return {
        LAMBDA_COMPUTE: report_seconds(scenario, held.report_gib) * held.report_gib,
        S3_WRITES: to_s3.writes + to_s3.lists + queries * ATHENA_WRITES_A_QUERY,
        S3_READS: to_s3.reads + queries * objects * ATHENA_READS_AN_OBJECT,
        SCANS: queries * scanned_bytes(scenario) / 10**12,
    }


def report_seconds(scenario: Scenario, gib: float) -> float:
    """What a month's reports take of Lambda."""
    return scenario.documents * (REPORT_CPU_SECONDS / cpus(gib) + REPORT_SECONDS + REPORT.all * S3_SECONDS)


def scanned_bytes(scenario: Scenario) -> float:
    """What a query is billed for, if it reads all tables of the year."""
    return max(scenario.chart_bytes * scenario.charts + scenario.dimension_bytes, ATHENA_LEAST_BYTES)


def report_requests(scenario: Scenario) -> Requests:
    """What a month's reports ask of S3: one a document, and at each batch of loads a look at all there are."""
    batches = scenario.documents / scenario.documents_a_batch
    return REPORT * scenario.documents + (REPORT_LOOK + Requests(reads=scenario.charts)) * batches


def cpus(gib: float) -> float:
    """The share of a CPU that a function's memory brings."""
    return gib * 1024 / VCPU_MIB


def stored_bytes(scenario: Scenario) -> float:
    """What the buckets hold after a year, old versions included: each load replaces a chart's, its report and the
    dimensions'."""
    documents_a_day = scenario.documents / DAYS
    raw = documents_a_day * RETENTION_DAYS * scenario.document_bytes
    a_chart = scenario.chart_bytes + scenario.report_bytes
    now = a_chart * scenario.charts + scenario.dimension_bytes
    old = documents_a_day * OLD_VERSION_DAYS * (a_chart + scenario.dimension_bytes)
    return raw + now + old


def costs(amounts: Quantities, *, free_tier: bool) -> dict[Price, float]:
    """Dollars a month, by price."""
    return {price: price.cost(quantity, free_tier=free_tier) for price, quantity in amounts.items()}


def total(scenario: Scenario, *, free_tier: bool) -> float:
    """Dollars a month."""
    return sum(costs(quantities(scenario), free_tier=free_tier).values())


def largest(scenario: Scenario, count: int = 3) -> list[tuple[Price, float]]:
    """The items that cost most at list prices, and what they cost a month."""
    found = costs(quantities(scenario), free_tier=False)
    return sorted(found.items(), key=lambda item: -item[1])[:count]
