"""Charts of many kinds, loaded by the real transform, as Trino's tables and as the local stage's."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from lambdas.core.documents import RawDocument
from lambdas.core.imports import read_import
from lambdas.core.schema import TABLES, YEAR_PARTITION, Table
from lambdas.core.views import TRINO_TYPES, View
from local.spotify.history import write_history
from tests.queries.asking import CHART as CHART
from tests.queries.asking import WEEKLY, day, official, song, told

NEWEST = date(2026, 3, 15)
CSV_CHART, CSV_WEEKLY, HOLES, ONE_DAY, WINTERS = (
    "regional-us-daily",
    "regional-us-weekly",
    "with-holes",
    "one-day",
    "winters",
)
CHARTS = (CHART, WEEKLY, CSV_CHART, CSV_WEEKLY, HOLES, ONE_DAY, WINTERS, "holds-nothing")


def documents() -> Iterator[RawDocument]:
    """Sample history over a year's end with days missing, official files, places without a song, a single day."""
    yield from _history(CHART, days=150, missing=(3, 40, 41, 42))
    yield from _history(WEEKLY, days=300, missing=(2, 9))
    for offset in (0, 1, 2, 4, 5):
        rows = [
            told(1, f"Leader {offset // 2}", previous=-1 if offset == 0 else 1, peak=1, days=offset + 1),
            told(2, "Steady", previous=2, peak=2, days=40 + offset),
            told(3, f"Fresh {offset}", days=1),
            told(4, "Back again" if offset % 2 else "Gone again", previous=-1, peak=3, days=9 + offset),
        ]
        yield official(offset, *rows, chart=CSV_CHART)
    for offset in (0, 1, 3):
        rows = [told(1, "Weekly one", previous=1, peak=1, weeks=offset + 1), told(2, f"Weekly {offset}", weeks=1)]
        yield official(offset, *rows, chart=CSV_WEEKLY, step=7)
    twins = [song("Twin", isrc="QZABC2600001"), song("Twin (remaster)", isrc="QZABC2600001")]
    both = song("Dúo, 日本 'quoted' 🎧", by=("Ñandú", "Ayla Sable"))
    yield day(0, *twins, both, chart=HOLES)
    yield day(1, None, both, twins[1], chart=HOLES)
    yield day(2, both, None, song("Solo", by=("Ayla Sable",)), twins[0], chart=HOLES)
    yield day(9, twins[1], song("Solo", by=("Ayla Sable",)), chart=HOLES)
    yield day(0, song("Only"), chart=ONE_DAY)
    for offset in (-435, -430, -80, -70, -20):  # December 2024, December 2025, and February
        yield day(offset, song("Winter" if offset < -20 else "Spring"), song("Evergreen"), chart=WINTERS)


def _history(chart: str, *, days: int, missing: tuple[int, ...]) -> Iterator[RawDocument]:
    received = datetime(2026, 4, 1, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        written = write_history(Path(folder), chart=chart, before=NEWEST + timedelta(days=1), days=days)
        for number, path in enumerate(written):
            if number not in missing:
                yield read_import(path.read_bytes(), name=path.name, received_at=received).document


def statements(table: Table) -> Iterator[str]:
    """What makes Trino see a table's objects, which lie under `<table>/`, by year where it is partitioned."""
    columns = [f'"{column.name}" {TRINO_TYPES[column.type]}' for column in table.columns]
    properties = [f"external_location = 'local:///{table.name}'", "format = 'PARQUET'"]
    if table.by_year:
        columns.append(f'"{YEAR_PARTITION.name}" varchar')
        properties.append(f"partitioned_by = ARRAY['{YEAR_PARTITION.name}']")
    yield f"CREATE TABLE {table.name} ({', '.join(columns)}) WITH ({', '.join(properties)})"
    if table.by_year:
        yield f"CALL hive.system.sync_partition_metadata('warehouse', '{table.name}', 'FULL')"


def all_statements() -> Iterator[str]:
    """The schema and its tables."""
    yield "CREATE SCHEMA hive.warehouse"
    for table in TABLES:
        yield from statements(table)


def in_order(views: Iterable[View]) -> list[View]:
    """Views with those before them that they read."""
    waiting, placed = list(views), list[View]()
    while waiting:
        ready = [view for view in waiting if not any(_reads(view, other) for other in waiting)]
        placed += ready
        waiting = [view for view in waiting if view not in ready]
        assert ready or not waiting, "views that read each other"
    return placed


def _reads(view: View, other: View) -> bool:
    return view is not other and re.search(rf"\b{other.name}\b", view.sql) is not None
