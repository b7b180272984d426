"""Saved log queries ask for fields that the functions' lines have."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from lambdas.core import documents
from lambdas.core.adapters.athena import QueryFailed
from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.logs import JsonFormatter
from lambdas.core.errors import AccessForbidden, NoProviderServes
from lambdas.core.inbox import Inbox
from lambdas.core.sources import Budget
from lambdas.core.warehouse import Warehouse
from lambdas.enrich import handler as enrich
from lambdas.enrich.run import EnrichResult
from lambdas.extract import handler as extract
from lambdas.extract import poll as extract_poll
from lambdas.extract.poll import PollResult
from lambdas.import_chart import handler as import_chart
from lambdas.report import handler as report
from lambdas.transform.handler import process
from stacks.log_queries import LOG_QUERIES, LogQuery
from tests.documents import document, track
from tests.fakes import MemoryStore
from tests.payloads import REPOSITORY
from tests.polls import WEEKLY
from tests.unit.test_report_handler import Reports, told
from tests.unit.test_transform_handler import message

EVENT = json.loads((REPOSITORY / "tests" / "events" / "schedule_daily_chart.json").read_text("utf-8"))
NAMED = {"last failures": 6, "quarantined documents": 2, "rate limits": 2, "providers passed over": 1}
BY_NAME = {query.name: query for query in LOG_QUERIES}


def logged(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    """The lines of one function as they stand in its log group."""
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records if record.name == name]
    assert lines
    return lines


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> dict[str, list[dict[str, Any]]]:
    """What the functions log of a rate limit, a wall, bad documents and files, a damaged table, a query and defects."""
    caplog.set_level(logging.INFO)
    for name in ("STAGE", "RAW_BUCKET", "SPOTIFY_CREDENTIALS_PARAMETER"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(extract, "configure_logs", str)
    monkeypatch.setattr(extract, "newest_held", lambda *_, **__: None)
    nobody = Credentials(client_id="x", client_secret="x")
    monkeypatch.setattr(extract, "read_credentials", lambda *_, **__: nobody)
    limited = PollResult(
        chart="road-trip", outcome="rate_limited", message="wait", calls=2, retry_after_seconds=60.0, chart_date=None
    )
    monkeypatch.setattr(extract, "poll", lambda *_, **__: limited)
    extract.handler(EVENT, None)  # type: ignore[arg-type]

    def wall(*_: object, **__: object) -> PollResult:
        raise AccessForbidden("403")

    monkeypatch.setattr(extract, "poll", wall)
    with pytest.raises(AccessForbidden):
        extract.handler(EVENT, None)  # type: ignore[arg-type]

    both = msgspec.structs.replace(WEEKLY, providers=("public_charts", "playlist"))
    with pytest.raises(NoProviderServes):
        extract_poll.poll(
            both,
            store=MemoryStore(),
            open_source=wall,  # type: ignore[arg-type]
            now=datetime.now(UTC),
            budget=Budget(max_calls=9, seconds_left=lambda: 60.0),
        )

    monkeypatch.setattr(enrich, "configure_logs", str)
    for name in ("WAREHOUSE_BUCKET", "SONG_REFRESH_DAYS", "ENRICHMENT_CALLS_PER_RUN"):
        monkeypatch.setenv(name, "7")
    turned_away = EnrichResult(
        outcome="rate_limited", message="wait", started_at=datetime.now(UTC), calls=2, retry_after_seconds=60.0
    )
    monkeypatch.setattr(enrich, "_enrich", lambda *_: turned_away)
    enrich.handler({}, None)  # type: ignore[arg-type]
    monkeypatch.setattr(enrich, "_enrich", wall)
    with pytest.raises(AccessForbidden):
        enrich.handler({}, None)  # type: ignore[arg-type]

    raw, tables = MemoryStore(), MemoryStore()
    tables.objects["chart_entries/year=2026/damaged.parquet"] = b"damaged"
    held = [document(songs=[track(id="short")]), document(chart="damaged"), document(chart="defect")]
    for each in held:
        raw.put_new(each.key, documents.encode(each))
    warehouse = Warehouse(raw=raw, tables=tables, sleep=lambda _: None)

    def defect(key: str) -> None:
        if "defect" in key:
            raise RuntimeError("a defect")

    tables.before_read = defect
    process([message(str(n), each.key) for n, each in enumerate(held)], warehouse)

    dropped = MemoryStore()
    dropped.objects = {"inbox/bad.csv": b"", "inbox/defect.csv": b""}
    dropped.before_read = defect
    import_chart.process([message(key, key) for key in dropped.objects], Inbox(dropped))

    failing = Reports({"road-trip": QueryFailed("the query failed")})
    report.process(told("snapshots/year=2026/road-trip.parquet"), failing, seconds_left=lambda: 300)  # type: ignore[arg-type]
    return {name: logged(caplog, name) for name in ("extract", "import_chart", "transform", "enrich", "report")}


def fields(query: LogQuery) -> list[str]:
    """The fields a query shows, but for CloudWatch's own."""
    shown = query.steps[0].removeprefix("fields ").split(", ")
    return [name for name in shown if not name.startswith("@")]


def value(line: dict[str, Any], path: str) -> object:
    held: Any = line
    for name in path.split("."):
        held = held.get(name) if isinstance(held, dict) else None
    return held


def chosen(query: LogQuery, lines: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The lines that the query's comparison of a field with a word lets through."""
    found = re.search(r'filter ([\w.]+) = "([^"]+)"', query.text)
    assert found
    return [line for function in query.functions for line in lines[function] if value(line, found[1]) == found[2]]


@pytest.mark.parametrize(("name", "number"), NAMED.items())
def test_a_saved_query_finds_the_lines_it_is_for_and_every_field_it_shows_is_in_one_of_them(
    name: str, number: int, lines: dict[str, list[dict[str, Any]]]
) -> None:
    found = chosen(BY_NAME[name], lines)

    assert len(found) == number
    for field in fields(BY_NAME[name]):
        assert any(value(line, field) is not None for line in found), field


def test_every_saved_query_is_tried_above_but_the_one_on_lambdas_own_lines() -> None:
    assert BY_NAME.keys() - set(NAMED) == {"slowest loads"}
    assert fields(BY_NAME["slowest loads"]) == []


@pytest.mark.parametrize(
    "line",
    [
        "2026-03-06T06:00:00.000Z 8a5f Task timed out after 120.00 seconds",
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'lambdas.extract.handler'",
        "RequestId: 8a5f Error: Runtime exited with error: signal: killed Runtime.ExitError",
    ],
)
def test_last_failures_also_finds_what_lambda_itself_writes_of_a_crash(line: str) -> None:
    pattern = re.search(r"@message like /(.+)/$", BY_NAME["last failures"].steps[1])
    assert pattern
    assert re.search(pattern[1], line)
