"""Writes objects as the present schema version does, to be read for ever: `python -m tests.schema_versions.make`.

To be run once for a version, when it is new. Beside the objects, `expected.json` has each table's columns and rows:
dates as days, and moments as milliseconds, since 1970. The songs and artists are made up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from lambdas.core import documents, parquet
from lambdas.core.documents import RawDocument
from lambdas.core.keys import parse_raw_key
from lambdas.core.rows import Row
from lambdas.core.schema import CHART_ENTRIES, SCHEMA_VERSION, TABLES
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.documents import DAY, OBSERVED, album, artist, csv_answer, csv_row, document, track
from tests.fakes import MemoryStore

FOLDER = Path(__file__).parent
COMPRESSED = "chart_entries_compressed"
_ROWS = 1200
"""Enough for an object to be compressed, and its texts kept in dictionaries."""
FEWER_COLUMNS = FOLDER / "fewer_columns.parquet"
"""Entries of the chart `fewer-columns`, as if written before the columns `LACKING` were added."""
LACKING = ("official_peak_position", "label", "added_at")


def folder_of(version: int) -> Path:
    """Where the objects of a schema version are kept."""
    return FOLDER / f"v{version}"


def digest(rows: Sequence[Row]) -> str:
    """What many rows are compared by."""
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def main() -> None:
    folder = folder_of(SCHEMA_VERSION)
    if folder.exists():
        raise SystemExit(f"{folder} is there: objects of a version are written once. Raise SCHEMA_VERSION first")
    folder.mkdir()
    expected: dict[str, Any] = {}
    bodies = _objects()
    for table in TABLES:
        body = bodies[table.name]
        (folder / f"{table.name}.parquet").write_bytes(body)
        expected[table.name] = {
            "columns": [[column.name, column.type.value] for column in table.columns],
            "rows": parquet.rows_of(table, parquet.decode(table, body, name=table.name)),
        }
    rows = _many_entries()
    (folder / f"{COMPRESSED}.parquet").write_bytes(parquet.encode(parquet.batch_of(CHART_ENTRIES, rows)))
    expected[COMPRESSED] = {"rows": len(rows), "sha256": digest(rows)}
    if not FEWER_COLUMNS.exists():
        FEWER_COLUMNS.write_bytes(_fewer_columns())
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{folder}: {len(bodies) + 1} objects")


def _objects() -> dict[str, bytes]:
    """One object a table, in which every column has a value in some row."""
    raw, tables = MemoryStore(), MemoryStore()
    for given in _documents():
        raw.put_new(given.key, documents.encode(given))
    warehouse = Warehouse(raw=raw, tables=tables)
    for (chart, year), dates in group_by_chart_year(map(parse_raw_key, raw.keys("raw/"))).items():
        warehouse.load(chart, year, dates)
    return {key.partition("/")[0]: body for key, body in tables.objects.items()}


def _documents() -> list[RawDocument]:
    duet = track(
        "Señorita", artists=[artist("Ivo Calder"), artist("Ñandú")], album=album("Late Ferry"), popularity=None
    )
    return [
        document(songs=[track("Honeymoon"), None, duet]),
        document([csv_answer([csv_row(1, "Honeymoon"), csv_row(2, "Paper Lantern")])], provider="charts_csv"),
        document(songs=[track("Honeymoon")], chart_date=DAY + timedelta(days=1)),
        document(chart_date=DAY + timedelta(days=2), withdrawal=True, observed_at=OBSERVED + timedelta(days=1)),
    ]


def _many_entries() -> list[Row]:
    (first, *_) = parquet.rows_of(CHART_ENTRIES, parquet.decode(CHART_ENTRIES, _objects()["chart_entries"], name=""))
    at = CHART_ENTRIES.index("position")
    return [(*first[:at], position, *first[at + 1 :]) for position in range(1, _ROWS + 1)]


def _fewer_columns() -> bytes:
    rows = [(FEWER_COLUMNS.stem.replace("_", "-"), *row[1:]) for row in _many_entries()[:3]]
    kept = [name for name in CHART_ENTRIES.column_names if name not in LACKING]
    return parquet.encode(parquet.batch_of(CHART_ENTRIES, rows).select(kept))


if __name__ == "__main__":
    main()
