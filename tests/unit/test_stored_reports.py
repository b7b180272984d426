"""Reports on S3's API, against moto: what they were made from, and who may replace which."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from lambdas.core.adapters.reports import S3Reports
from lambdas.core.keys import chart_year_key, report_key
from lambdas.core.report import Report
from lambdas.core.reporting import Sources, StoredReport
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, Table

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

CHART = "road-trip"
NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
REPORT = Report(CHART, date(2026, 3, 7), "<p>größer".encode())


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="bucket")
        yield s3


def _keep(reports: S3Reports, objects: str = "a", instead_of: StoredReport | None = None) -> StoredReport | None:
    return reports.keep(REPORT, made_at=NOW, sources=Sources(objects, 3, "p"), instead_of=instead_of)


def test_a_report_is_kept_as_a_page_that_nobody_caches_with_what_it_was_made_from(client: S3Client) -> None:
    reports = S3Reports(client, "bucket")
    assert reports.stored(CHART) is None
    kept = _keep(reports)
    held = client.get_object(Bucket="bucket", Key="report/road-trip.html")
    assert (held["Body"].read(), held["ContentType"], held["CacheControl"]) == (
        REPORT.html,
        "text/html; charset=utf-8",
        "no-cache",
    )
    assert kept is not None
    assert reports.stored(CHART) == kept
    assert (kept.chart_date, kept.made_at, kept.sources, kept.size) == (date(2026, 3, 7), NOW, Sources("a", 3, "p"), 11)
    assert list(reports.charts()) == [CHART]


def test_a_report_is_replaced_only_as_it_was_looked_at(client: S3Client) -> None:
    reports = S3Reports(client, "bucket")
    first = _keep(reports)
    assert first is not None
    assert _keep(reports, "b") is None, "there is one already"
    other = Report(CHART, REPORT.chart_date, b"another")
    second = reports.keep(other, made_at=NOW, sources=Sources("b", 0, "p"), instead_of=first)
    assert second is not None
    assert _keep(reports, "c", instead_of=first) is None, "it has been replaced"
    reports.remove(CHART)
    reports.remove(CHART)
    assert _keep(reports, "d", instead_of=second) is None, "it is gone"
    assert (reports.stored(CHART), list(reports.charts())) == (None, [])


def test_a_chart_is_told_by_all_its_objects_and_by_no_other_charts(client: S3Client) -> None:
    reports = S3Reports(client, "bucket")
    assert reports.objects() == {}

    def put(table: Table, chart: str, year: int, body: bytes) -> str:
        client.put_object(Bucket="bucket", Key=chart_year_key(table, chart, year), Body=body)
        return reports.objects()[CHART]

    digests = [
        put(SNAPSHOTS, CHART, 2026, b"1"),
        put(CHART_ENTRIES, CHART, 2026, b"1"),
        put(CHART_ENTRIES, CHART, 2026, b"2"),
        put(SNAPSHOTS, CHART, 2016, b"1"),
    ]
    assert len(set(digests)) == len(digests)
    assert put(SNAPSHOTS, CHART, 2016, b"1") == digests[-1], "the same again is no change"
    assert put(SNAPSHOTS, "camping", 2026, b"1") == digests[-1]
    client.put_object(Bucket="bucket", Key="snapshots/notes.txt", Body=b"of somebody")
    assert set(reports.objects()) == {CHART, "camping"}


def test_what_somebody_else_put_in_a_reports_place_is_replaced(client: S3Client) -> None:
    reports = S3Reports(client, "bucket")
    client.put_object(Bucket="bucket", Key=report_key(CHART), Body=b"of somebody")
    client.put_object(Bucket="bucket", Key="report/notes.txt", Body=b"of somebody")
    held = reports.stored(CHART)
    assert held is not None
    assert held.sources.objects not in reports.objects().values()
    assert _keep(reports, instead_of=held) is not None
    assert list(reports.charts()) == [CHART]
