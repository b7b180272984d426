"""The warehouse's tables as a test looks at them: rows as dictionaries, dates and moments as themselves."""

from __future__ import annotations

from typing import Any

from lambdas.core import parquet
from lambdas.core.rows import date_of, moment_of
from lambdas.core.schema import TABLES, ColumnType, Table
from tests.fakes import MemoryStore

_TABLES = {table.name: table for table in TABLES}
_READ = {ColumnType.DATE: date_of, ColumnType.TIMESTAMP: moment_of}


def read_rows(table: Table, body: bytes) -> list[dict[str, Any]]:
    """The rows of one object."""
    rows = []
    for row in parquet.rows_of(table, parquet.decode(table, body, name=table.name)):
        values: dict[str, Any] = {}
        for column, value in zip(table.columns, row, strict=True):
            convert = _READ.get(column.type)
            values[column.name] = convert(value) if convert and isinstance(value, int) else value
        rows.append(values)
    return rows


def read_table(store: MemoryStore, table: Table) -> list[dict[str, Any]]:
    """All rows of a table, over all its objects."""
    return [
        row
        for key, body in sorted(store.objects.items())
        if key.startswith(f"{table.name}/")
        for row in read_rows(table, body)
    ]
