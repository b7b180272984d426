"""The page on backfills is current, and what it takes from the code is so."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from benchmarks.backfill import Folder
from cli import importing
from docs import backfill
from docs.backfill import IN_ORDER, Backfill
from docs.cost_model import Requests
from lambdas.core import warehouse
from lambdas.core.documents import encode
from lambdas.core.events import Message, encode_event
from lambdas.core.warehouse import Warehouse
from lambdas.transform.handler import process
from stacks import compute
from tests.documents import csv_answer, csv_row, document


def test_the_page_is_current() -> None:
    assert backfill.PAGE.read_text("utf-8") == backfill.render(), "run `make docs`"


def test_batches_fetches_and_uploads_are_those_of_the_code() -> None:
    assert backfill.BATCH == compute.BATCH_SIZE
    assert backfill.DOCUMENTS_AT_ONCE == warehouse._AT_ONCE
    assert backfill.UPLOADS_AT_ONCE == importing._UPLOADS


def test_a_batch_makes_the_requests_that_the_page_counts(tmp_path: Path) -> None:
    """A hundred days of two years of one chart, into tables that hold a day of each."""
    raw, tables = Folder(tmp_path / "raw"), Folder(tmp_path / "tables")
    keys = []
    for number in range(backfill.BATCH + 2):
        held = document(
            [csv_answer([csv_row(1, f"Song {number}")])],
            chart_date=date(2019, 11, 12) + timedelta(days=number),
            provider="charts_csv",
        )
        raw.put_new(held.key, encode(held))
        keys.append(held.key)
    held_before, batch = [keys[0], keys[-1]], keys[1:-1]
    for told in (held_before, batch):
        raw.requests.clear()
        tables.requests.clear()
        messages: list[Message] = [{"messageId": key, "body": encode_event(bucket="raw", key=key)} for key in told]
        assert process(messages, Warehouse(raw=raw, tables=tables)).failed == []
    counted = Requests(
        writes=tables.requests["writes"],
        lists=raw.requests["lists"],
        reads=raw.requests["reads"] + tables.requests["reads"],
    )
    assert counted == Backfill("", chart_years_a_batch=2, documents=len(batch)).requests


def test_more_functions_are_faster_until_they_wait_for_one_object() -> None:
    minutes = [IN_ORDER.minutes(functions) for functions in (1, 2, 1000)]
    assert minutes[1] == pytest.approx(minutes[0] / 2)
    assert minutes[2] == pytest.approx(IN_ORDER.batches * IN_ORDER.songs_seconds / 60)
