"""Reports, as a user gets them: by themselves after each change of a chart, and by `etl report`."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lambdas.core import parquet
from lambdas.core.adapters.reports import S3Reports
from lambdas.core.events import encode_event
from lambdas.core.keys import chart_year_key, report_key
from lambdas.core.reporting import StoredReport
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS
from local.emulator import lifecycle
from tests.documents import csv_file, csv_row, entry, page, track
from tests.e2e.conftest import Etl
from tests.e2e.secure_stage import eventually

pytestmark = pytest.mark.e2e

CHART = "reported"
FRIDAY, SATURDAY = "2026-03-06", "2026-03-07"
_SECONDS = 180


def reports(etl: Etl) -> S3Reports:
    return S3Reports(etl.s3, etl.bucket("warehouse"))


def html(etl: Etl, chart: str = CHART) -> str:
    held = etl.s3.get_object(Bucket=etl.bucket("warehouse"), Key=report_key(chart))
    assert (held["ContentType"], held["CacheControl"]) == ("text/html; charset=utf-8", "no-cache")
    return held["Body"].read().decode()


def up_to_date(etl: Etl) -> StoredReport:
    """The chart's report, once it is made from what the tables hold now."""

    def look() -> StoredReport | None:
        held = reports(etl).stored(CHART)
        return held if held and held.sources.objects == reports(etl).objects().get(CHART) else None

    found = eventually(look, what=f"the report of {CHART} shows what the tables hold", seconds=_SECONDS)
    assert found is not None
    return found


def queue(etl: Etl) -> tuple[Any, str]:
    """The report's queue, and the client that asks it."""
    endpoint = lifecycle.running(etl.state)
    assert endpoint is not None
    (stack,) = endpoint.client("cloudformation").describe_stacks(StackName="spotify-etl-local-compute")["Stacks"]
    (url,) = [out["OutputValue"] for out in stack["Outputs"] if out["OutputKey"] == "ReportQueueUrl"]
    return endpoint.client("sqs"), url


def idle(etl: Etl) -> None:
    """Wait until the report function has done all that it was told of."""
    sqs, url = queue(etl)
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    def is_empty() -> bool:
        held = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return all(held[name] == "0" for name in names)

    eventually(is_empty, what="the report's queue is empty", seconds=_SECONDS)


def but_for_the_time(page: str) -> str:
    return re.sub(r"\d{2}:\d{2}(:\d{2})?(\.\d+)?", "", page)


@pytest.fixture(scope="module")
def imported(etl: Etl, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of a chart, and the files they came from: an official one, and a playlist of one song."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "friday.csv").write_text(csv_file([csv_row(1, "Friday's First"), csv_row(2, "Friday's Second")]), "utf-8")
    saturday = page([entry(track("Saturday's Playlist"), added_at=f"{SATURDAY}T00:00:00Z")])
    (folder / "saturday.json").write_text(json.dumps(saturday), "utf-8")
    etl.succeed("import", folder / "friday.csv", "--chart", CHART, "--chart-date", FRIDAY)
    etl.succeed("import", folder / "saturday.json", "--chart", CHART, "--chart-date", SATURDAY)
    return folder


@pytest.mark.usefixtures("imported")
def test_an_import_leads_to_a_report_by_itself(etl: Etl) -> None:
    made = up_to_date(etl)
    assert made.chart_date.isoformat() == SATURDAY
    shown = html(etl)
    assert len(shown.encode()) == made.size
    assert "Saturday&#39;s Playlist" in shown or "Saturday's Playlist" in shown
    assert "Friday" in shown


def test_the_same_import_again_and_events_that_come_again_make_none_anew(etl: Etl, imported: Path) -> None:
    up_to_date(etl)
    idle(etl)
    before = reports(etl).stored(CHART)
    etl.succeed("import", imported / "friday.csv", "--chart", CHART, "--chart-date", FRIDAY)
    etl.succeed("import", imported / "saturday.json", "--chart", CHART, "--chart-date", SATURDAY)
    sqs, url = queue(etl)
    for key in (chart_year_key(SNAPSHOTS, CHART, 2026), f"{SONG_ARTISTS.name}/{SONG_ARTISTS.name}.parquet"):
        sqs.send_message(QueueUrl=url, MessageBody=encode_event(bucket=etl.bucket("warehouse"), key=key))
    idle(etl)
    assert reports(etl).stored(CHART) == before


@pytest.mark.usefixtures("imported")
def test_a_report_by_hand_is_the_one_that_is_made_by_itself(etl: Etl, tmp_path: Path) -> None:
    up_to_date(etl)
    idle(etl)
    by_itself = html(etl)
    said = etl.succeed("report", "--chart", CHART, "--output", tmp_path / "out" / "page.html")
    by_hand = (tmp_path / "out" / "page.html").read_text("utf-8")
    assert str(tmp_path / "out" / "page.html") in said
    assert f"{CHART} of {SATURDAY}" in said
    assert but_for_the_time(by_hand) == but_for_the_time(by_itself)
    assert html(etl) == by_hand, "it is also the stored one"
    # Of up to ten charts each by its name; the stage is shared, and may hold more.
    assert re.search(rf"^report(?: of {CHART}|s) ", etl.succeed("status"), re.MULTILINE)
    assert (etl.state / "report" / f"{CHART}.html").exists() is False
    etl.succeed("report", "--chart", CHART)
    assert but_for_the_time((etl.state / "report" / f"{CHART}.html").read_text("utf-8")) == but_for_the_time(by_hand)


@pytest.mark.usefixtures("imported")
def test_a_corrected_newest_day_makes_a_new_report_and_a_withdrawn_one_too(etl: Etl, tmp_path: Path) -> None:
    first = up_to_date(etl)
    # Of one date's documents an official file is shown before a playlist.
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(csv_file([csv_row(1, "Saturday Corrected"), csv_row(2, "Another")]), "utf-8")
    etl.succeed("import", corrected, "--chart", CHART, "--chart-date", SATURDAY)
    second = up_to_date(etl)
    assert second.etag != first.etag
    assert "Saturday Corrected" in html(etl)

    etl.succeed("withdraw", CHART, SATURDAY)
    assert up_to_date(etl).chart_date.isoformat() == FRIDAY
    etl.succeed("withdraw", CHART, FRIDAY)
    eventually(
        lambda: reports(etl).stored(CHART) is None, what="a chart without a date has no report", seconds=_SECONDS
    )
    # The only one of the stage, or one of several.
    assert "holds no chart" in etl.fail("report", "--chart", CHART)
    etl.succeed("withdraw", CHART, SATURDAY, "--undo")
    assert up_to_date(etl).chart_date.isoformat() == SATURDAY
    assert "Saturday Corrected" in html(etl)


@pytest.mark.usefixtures("imported")
def test_entries_that_a_rebuild_changes_alone_make_a_new_report(etl: Etl) -> None:
    before = up_to_date(etl)
    idle(etl)
    bucket, key = etl.bucket("warehouse"), chart_year_key(CHART_ENTRIES, CHART, 2026)
    whole = etl.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    entries = parquet.decode(CHART_ENTRIES, whole, name=key)
    etl.s3.put_object(Bucket=bucket, Key=key, Body=parquet.encode(entries.slice(0, entries.num_rows - 1)))
    without_the_last = up_to_date(etl)
    assert without_the_last.etag != before.etag
    etl.succeed("rebuild", "--chart", CHART)
    assert etl.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == whole
    assert up_to_date(etl).sources == before.sources


@pytest.mark.usefixtures("imported")
def test_a_shared_link_is_read_by_whoever_has_it_and_says_when_it_ends(etl: Etl) -> None:
    said = etl.succeed("report", "--chart", CHART, "--share", "--expires", "2h")
    (link,) = [line for line in said.splitlines() if line.startswith("http")]
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link
    assert "X-Amz-Expires=7200" in link
    with urllib.request.urlopen(link, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.read().decode() == html(etl)
    assert "only while the local stage is up" in said
