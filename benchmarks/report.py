"""How long a report takes, how many objects its questions read, and how large the page is.

    make bench ONLY=report

Two years of the sample's daily chart of 50, as the Web API would tell them, loaded by the real transform a month at a
time. The questions are asked one after the other of the emulator's own Athena (DuckDB behind the translation of Trino
SQL), without its HTTP; each copies the objects that it reads, as Athena would get them from S3, and these are counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from benchmarks.inputs import CHART, made_up
from lambdas.core.adapters.athena import execution_parameters
from lambdas.core.keys import parse_raw_key
from lambdas.core.queries import read_queries
from lambdas.core.report import QUERIES, Row, make_report
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from local.emulator import session, trino_sql
from tests.fakes import MemoryStore
from tests.payloads import REPOSITORY
from tests.queries.asking import catalog_of
from tests.unit.glue_catalog import FolderCatalog

NEWEST = date(2026, 3, 31)
SONGS = 50
_DAYS_A_BATCH = 30


def tables(days: int) -> MemoryStore:
    """The tables of so many days up to the newest."""
    raw, held = MemoryStore(), MemoryStore()
    warehouse = Warehouse(raw=raw, tables=held)
    stored = [made_up(NEWEST - timedelta(days=n), SONGS) for n in reversed(range(days))]
    for item in stored:
        raw.put_new(item.key, item.body)
    for first in range(0, days, _DAYS_A_BATCH):
        keys = [parse_raw_key(item.key) for item in stored[first : first + _DAYS_A_BATCH]]
        for (chart, year), dates in group_by_chart_year(keys).items():
            warehouse.load(chart, year, dates)
    return held


class Asked:
    """The questions, each with its seconds and the objects that it read."""

    def __init__(self, catalog: FolderCatalog) -> None:
        self._catalog = catalog
        self._queries = {query.name: query for query in read_queries(REPOSITORY / "queries")}
        self.seconds: dict[str, float] = {}
        self.objects: dict[str, int] = {}
        self.rows: dict[str, int] = {}

    def __call__(self, name: str, parameters: Mapping[str, str]) -> list[Row]:
        query = self._queries[name]
        read_before = len(self._catalog.copied)
        began = time.perf_counter()
        sql = trino_sql.bind(query.sql, execution_parameters(query, parameters))
        held = session.answer(sql, database="warehouse", catalog=self._catalog)
        self.seconds[name] = time.perf_counter() - began
        self.objects[name], self.rows[name] = len(self._catalog.copied) - read_before, len(held.rows)
        return [dict(zip(held.columns, row, strict=True)) for row in held.rows]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--days", type=int, default=730, help="days of the chart (default: %(default)s)")
    days = parser.parse_args(arguments).days
    print(f"{CHART}, {days} days of {SONGS} songs")
    with tempfile.TemporaryDirectory() as folder:
        asked = Asked(catalog_of(Path(folder), tables(days)))
        began, cpu = time.perf_counter(), time.process_time()
        report = make_report(asked, chart=CHART, made_at=datetime(2026, 4, 1, 6, tzinfo=UTC))
        elapsed, used = time.perf_counter() - began, time.process_time() - cpu
    for name in QUERIES:
        print(f"  {name:<20} {asked.seconds[name]:6.2f} s  {asked.objects[name]:4} objects  {asked.rows[name]:6,} rows")
    questions = sum(asked.seconds.values())
    print(f"questions {questions:.1f} s, {sum(asked.objects.values())} objects; page {elapsed - questions:.2f} s")
    print(f"report {elapsed:.1f} s ({used:.1f} s of CPU), {len(report.html):,} bytes")


if __name__ == "__main__":
    main()
