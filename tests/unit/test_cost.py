"""The cost model: what it takes from the code is so, its arithmetic is right, and its page is current."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar

import boto3
import pytest
from moto import mock_aws

from docs import cost, cost_model
from docs.cost_model import (
    ALL_CHARTS,
    HELD_POLL,
    IDLE,
    LISTS_A_WEEK_BACK,
    LOAD,
    ONE_CHART,
    SCENARIOS,
    STORING_POLL,
    VAIN_POLL,
    Requests,
    Template,
    deployed,
    quantities,
    total,
)
from lambdas.core import documents, reporting
from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.adapters.playlist import PAGE_SIZE
from lambdas.core.adapters.reports import S3Reports
from lambdas.core.documents import RawDocument
from lambdas.core.keys import chart_year_key
from lambdas.core.limited import LimitedSource
from lambdas.core.limits import RateLimitMemory
from lambdas.core.metrics import METRICS, SONGS_WAITING, Metric
from lambdas.core.report import QUERIES, Report
from lambdas.core.reporting import Reporting
from lambdas.core.schema import DIMENSIONS, SNAPSHOTS
from lambdas.core.sources import Budget, PolledChart
from lambdas.core.store import StoredObject
from lambdas.core.warehouse import Warehouse
from lambdas.extract.poll import Outcome, newest_held, poll
from lambdas.transform.handler import Processed
from stacks.config import NONCURRENT_DAYS, load_stages
from stacks.settings import settings_of
from tests.documents import DAY, document, track
from tests.fakes import MemoryStore
from tests.payloads import REPOSITORY
from tests.polls import DAILY, WEEKLY


class CountedStore(MemoryStore):
    """A store that counts its requests, as S3 bills them."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = Requests()

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        self.requests += Requests(reads=1)
        return super().get(key, max_bytes=max_bytes)

    def put_new(self, key: str, body: bytes) -> bool:
        self.requests += Requests(writes=1)
        return super().put_new(key, body)

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:
        self.requests += Requests(writes=1)
        return super().replace(key, body, etag=etag)

    def keys(self, prefix: str) -> Iterator[str]:
        self.requests += Requests(lists=1)
        return super().keys(prefix)


class Showing:
    """A source that shows the chart of one date."""

    def __init__(self, chart_date: date) -> None:
        self.chart_date = chart_date

    def fetch(self, chart: PolledChart, *, now: datetime, budget: Budget) -> RawDocument:
        budget.spend_call()
        return document(chart=chart.chart, chart_date=self.chart_date, observed_at=now)


def asked(chart: PolledChart, *, held: date, shown: date, today: date, outcome: Outcome) -> Requests:
    """What a poll of today's noon asks of S3 where one date is held and Spotify shows another."""
    store = CountedStore()
    earlier = document(chart=chart.chart, chart_date=held)
    store.objects[earlier.key] = documents.encode(earlier)
    now = datetime.combine(today, time(12), UTC)
    budget = Budget(max_calls=9, seconds_left=lambda: 60)
    # What is remembered from the poll before.
    memory = RateLimitMemory(store, "web_api")
    memory.count(2, now=now - timedelta(hours=4))
    store.requests = Requests()
    source = LimitedSource(lambda: Showing(shown), memory, clock=lambda: now)
    assert poll(chart, store=store, open_source=lambda _: source, now=now, budget=budget).outcome == outcome
    # What the handler asks after every poll.
    assert newest_held(chart.chart, store=store, now=now) == max(held, shown if outcome == "stored" else held)
    return store.requests


def test_a_poll_asks_of_s3_what_the_model_says() -> None:
    yesterday, before = DAY, DAY - timedelta(days=1)
    today = DAY + timedelta(days=1)
    assert asked(DAILY, held=before, shown=yesterday, today=today, outcome="stored") == STORING_POLL
    assert asked(DAILY, held=before, shown=before, today=today, outcome="held") == VAIN_POLL
    assert asked(DAILY, held=yesterday, shown=yesterday, today=today, outcome="held") == HELD_POLL


def test_a_weekly_chart_is_looked_for_on_no_more_days_than_the_model_says() -> None:
    for days in range(7):
        today = DAY + timedelta(days=1 + days)
        assert asked(WEEKLY, held=DAY, shown=DAY, today=today, outcome="held") == HELD_POLL + Requests(lists=days)
    assert days == LISTS_A_WEEK_BACK


def test_the_load_of_a_days_document_asks_of_s3_what_the_model_says() -> None:
    raw, tables = CountedStore(), CountedStore()
    warehouse = Warehouse(raw=raw, tables=tables, now=lambda: datetime(2026, 4, 1, tzinfo=UTC))
    for day in (DAY, DAY + timedelta(days=1)):
        new = document(
            songs=[track()], chart_date=day, observed_at=datetime.combine(day + timedelta(days=1), time(6), UTC)
        )
        raw.objects[new.key] = documents.encode(new)
        raw.requests = tables.requests = Requests()
        warehouse.load(new.chart, day.year, [day])
        assert raw.requests + tables.requests == LOAD
    assert len(DIMENSIONS) == cost_model.DIMENSION_TABLES


class CountedS3:
    """Counts what is asked of S3 through a client of boto3's."""

    KINDS: ClassVar = {"PutObject": "writes", "ListObjectsV2": "lists", "GetObject": "reads"}

    def __init__(self) -> None:
        self.requests = Requests()

    def __call__(self, model: Any, **_: object) -> None:
        self.requests += Requests(**{self.KINDS[model.name]: 1})


def test_a_report_asks_of_s3_and_athena_what_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    made = Report("road-trip", DAY, b"a page")
    monkeypatch.setattr(reporting, "make_report", lambda *_, **__: made)
    counted, asked = CountedS3(), []

    def waiting(chart: str) -> int:
        asked.append(chart)
        return 0

    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bucket")
        reports = Reporting(S3Reports(s3, "bucket"), lambda _: nullcontext(lambda *_: []), waiting, "a page")
        for kind, body in ((SNAPSHOTS, b"1"), (SNAPSHOTS, b"2")):
            s3.put_object(Bucket="bucket", Key=chart_year_key(kind, "road-trip", 2026), Body=body)
            counted = CountedS3()
            s3.meta.events.register("before-call.s3", counted, unique_id="counted")
            assert reports.refresh("road-trip", listed=reports.store.objects()) == "made"
            s3.meta.events.unregister("before-call.s3", unique_id="counted")
        assert counted.requests == cost_model.REPORT
        s3.meta.events.register("before-call.s3", counted)
        counted.requests = Requests()
        assert list(reports.store.charts()) == ["road-trip"]
        assert counted.requests == cost_model.REPORT_LOOK
    assert len(asked) + 2 * len(QUERIES) == 2 * cost_model.REPORT_QUERIES


def test_each_metric_is_sent_by_the_function_that_the_model_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(Processed().metrics) == set(cost_model.LOAD_METRICS)
    alone = set(cost_model.ENRICHMENT_METRICS)
    assert {*cost_model.LOAD_METRICS, *cost_model.POLL_METRICS} == set(METRICS) - alone
    assert alone == {SONGS_WAITING}
    assert _printed(cost_model.LOAD_METRICS, capsys) <= cost_model.LOG_BYTES_A_BATCH
    assert _printed(cost_model.POLL_METRICS, capsys) <= cost_model.LOG_BYTES_A_POLL


def _printed(metrics: tuple[Metric, ...], capsys: pytest.CaptureFixture[str]) -> int:
    EmfMetrics("staging").emit(dict.fromkeys(metrics, 200.0), chart="regional-global-weekly")
    return len(capsys.readouterr().out)


def test_what_the_model_takes_for_granted_is_the_default() -> None:
    stage = load_stages(REPOSITORY / "cdk.json")[cost_model.UNPOLLED]
    assert stage.spotify_retention_days == cost_model.RETENTION_DAYS
    assert stage.log_retention_days == cost_model.LOG_MONTHS * cost_model.DAYS
    assert cost_model.OLD_VERSION_DAYS == NONCURRENT_DAYS
    assert cost_model.SPOTIFY_PAGE == PAGE_SIZE
    (local, *_) = load_stages(REPOSITORY / "cdk.json")["local"].charts
    (schedule,) = [key.fill({}) for key in settings_of(type(local)) if key.name == "schedule"]
    assert len(str(schedule).split()[1].split(",")) == cost_model.POLLS_A_DAY


@pytest.mark.parametrize(
    ("charts", "alarms", "metrics", "shown"), [(0, 10, 4, 20), (1, 14, 8, 25), (2, 15, 9, 26), (148, 161, 155, 172)]
)
def test_each_chart_adds_an_alarm_and_a_metric(charts: int, alarms: int, metrics: int, shown: int) -> None:
    held = deployed(charts)
    assert held.alarms == alarms
    assert held.metrics_by_poll + held.metrics_by_load == metrics
    assert held.dashboard_metrics == shown


def test_an_idle_stage_pays_for_its_dashboard_its_alarms_and_lambdas_pollers() -> None:
    # Of each of 3 queues 5 pollers, a request each 20 s: 3 * 5 * 3 * 60 * 24 * 30 = 1,944,000, at $0.40 a million
    # $0.7776, one million of them free; 10 alarms at $0.10; 10 mails at $0.00002; a dashboard at $3.
    assert total(IDLE, free_tier=False) == pytest.approx(3 + 1.0 + 0.7776 + 0.0002)
    assert total(IDLE, free_tier=True) == pytest.approx(0.3776)


def test_one_chart_takes_what_was_worked_out_by_hand() -> None:
    taken = quantities(ONE_CHART)
    # 3 polls a day: one stores, one asks in vain, one finds the date held; and one batch of one document a day,
    # and a report of it.
    assert taken[cost_model.LAMBDA_REQUESTS] == 90 + 30 + 30
    asked = 30 * cost_model.REPORT_QUERIES
    # extract, 512 MiB, 0.2894 of a CPU: (90 * 0.276 + 60 * 0.3) / 0.2894 + (30 * 8 + 30 * 8 + 30 * 4 + 90) * 0.03
    # + 60 * 2 * 0.5 = 228.7 s; transform, 1024 MiB, 0.5789 of a CPU: 30 * (0.26 + 0.015) / 0.5789 + 30 * 14 * 0.03
    # = 26.9 s; report, 512 MiB: 30 * (0.4 / 0.2894 + 4 + 7 * 0.03) = 167.8 s.
    assert taken[cost_model.LAMBDA_COMPUTE] == pytest.approx(228.72 * 0.5 + 26.85 + 167.76 * 0.5, abs=0.01)
    # PUT 30 + 180, and 60 for what is remembered; LIST 90 + 90 + 60 + 30; and 4 for each of 300 queries.
    # Reports: 30 put, 150 times listed, and 4 for each question.
    assert taken[cost_model.S3_WRITES] == 270 + 270 + 1200 + 180 + 4 * asked
    # Read by polls 90 + 120 + 60, by loads 210; by queries twice each of 6 objects.
    # By reports, what is stored is looked at 3 times.
    assert taken[cost_model.S3_READS] == 270 + 210 + 3600 + 90 + 12 * asked
    assert taken[cost_model.S3_TAGS] == 400
    # 400 documents, the tables, and 30 old versions of each.
    assert taken[cost_model.S3_STORAGE] == pytest.approx((400 * 14 + 31 * (103 + 400 + 353)) / 10**6)
    # Of 24 hours a day 4 metrics in 3, and 4 metrics in 1.
    assert taken[cost_model.METRICS_SENT] == pytest.approx(16 / 24)
    assert taken[cost_model.DECRYPTIONS] == 90
    # 300 queries at 10 MB, and those of reports.
    assert taken[cost_model.SCANS] == pytest.approx((300 + asked) / 10**5)
    assert cost_model.SCANS.cost(0.003, free_tier=False) == pytest.approx(0.015)


def test_all_charts_are_148_and_cost_most_by_being_watched_and_reported() -> None:
    taken = quantities(ALL_CHARTS)
    assert ALL_CHARTS.documents == pytest.approx(30 * 74 + 74 * 30 / 7)
    assert taken[cost_model.SCHEDULES] == 148 * 3 * 30
    # 151 metrics in 3 of 24 hours, and 4 in 3.
    assert taken[cost_model.METRICS_SENT] == pytest.approx(155 * 3 / 24)
    # A query reads all: 148 charts of 174 kB and 6.312 MB.
    queries = 1500 + ALL_CHARTS.documents * cost_model.REPORT_QUERIES
    assert taken[cost_model.SCANS] == pytest.approx(queries * (148 * 174_000 + 6_312_000) / 10**12)
    assert [price for price, _ in cost_model.largest(ALL_CHARTS)] == [
        cost_model.ALARMS,
        cost_model.S3_READS,
        cost_model.METRICS_SENT,
    ]


def test_what_is_free_is_taken_off_once_and_never_below_nothing() -> None:
    assert cost_model.ALARMS.cost(9, free_tier=True) == 0
    assert cost_model.ALARMS.cost(12, free_tier=True) == pytest.approx(0.2)
    assert cost_model.ALARMS.cost(12, free_tier=False) == pytest.approx(1.2)


def test_a_dashboard_of_too_many_metrics_is_none_of_the_free_ones() -> None:
    many = next(charts for charts in range(1, 99) if deployed(charts).dashboard_metrics > 50)
    fewer = quantities(replace(ONE_CHART, daily=many - 1))
    more = quantities(replace(ONE_CHART, daily=many))
    assert cost_model.costs(fewer, free_tier=True)[cost_model.SMALL_DASHBOARDS] == 0
    assert cost_model.costs(more, free_tier=True)[cost_model.LARGE_DASHBOARDS] == 3


def test_a_crawler_with_a_schedule_is_paid_for_each_day(monkeypatch: pytest.MonkeyPatch) -> None:
    read_stage: Callable[[str], Template] = cost_model.read_stage
    crawler = {"Type": "AWS::Glue::Crawler", "Properties": {"Schedule": {"ScheduleExpression": "cron(0 3 * * ? *)"}}}
    monkeypatch.setattr(cost_model, "read_stage", lambda stage: {**read_stage(stage), "catalog/More": crawler})
    # 30 crawls of a sixth of a DPU-hour at $0.44, and the pollers' requests.
    assert total(IDLE, free_tier=True) == pytest.approx(2.20 + 0.3776)


def test_the_services_of_the_page_add_up_to_its_totals() -> None:
    page = cost.render()
    for free_tier, row in ((False, "at list prices"), (True, "less what is free")):
        (line,) = re.findall(rf"^\| {row} \| (.+) \|$", page, re.M)
        for cell, scenario in zip(line.split(" | "), SCENARIOS, strict=True):
            services = sum(cost_model.costs(quantities(scenario), free_tier=free_tier).values())
            assert float(cell.removeprefix("$")) == pytest.approx(services, abs=0.005)


def test_every_price_has_a_page_of_awss_and_is_used_by_someone() -> None:
    assert all(price.source.startswith("https://aws.amazon.com/") for price in cost_model.PRICES)
    assert {price for scenario in SCENARIOS for price in quantities(scenario)} == set(cost_model.PRICES)


def test_the_page_is_the_models() -> None:
    assert cost.PAGE.read_text("utf-8") == cost.render(), "run `make docs`"
