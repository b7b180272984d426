"""SHOW and DESCRIBE, answered from Glue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from local.emulator import glue_tables
from local.emulator.catalog import NAME as CATALOG_NAME
from local.emulator.catalog import Answer, Catalog
from local.emulator.trino_sql import QueryError

WORDS = frozenset({"show", "describe", "desc"})


def answer(sql: str, *, database: str, catalog: Catalog) -> Answer:
    text = sql.strip().rstrip(";").strip()
    name = r'[`"]?(?:(\w+)[`"]?\.[`"]?)?(\w+)[`"]?'
    if re.fullmatch(r"SHOW\s+(DATABASES|SCHEMAS)", text, re.IGNORECASE):
        return _listing("database_name", sorted(catalog.databases()))
    if match := re.fullmatch(r'SHOW\s+TABLES(?:\s+(?:IN|FROM)\s+[`"]?(\w+)[`"]?)?', text, re.IGNORECASE):
        db = (match[1] or database).lower()
        if db not in catalog.databases():
            raise QueryError(f"SCHEMA_NOT_FOUND: Schema '{db}' does not exist")
        return _listing("tab_name", sorted(str(table["Name"]) for table in catalog.tables(db)))
    if match := re.fullmatch(rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{name}", text, re.IGNORECASE):
        return _listing("field", [str(column["Name"]) for column in _columns(match, database, catalog)])
    if match := re.fullmatch(rf"DESC(?:RIBE)?\s+{name}", text, re.IGNORECASE):
        rows: list[list[str | None]] = [
            [column["Name"], column.get("Type", "string"), column.get("Comment", "")]
            for column in _columns(match, database, catalog)
        ]
        return Answer(["col_name", "data_type", "comment"], ["varchar"] * 3, rows, statement_type="UTILITY")
    raise QueryError(
        f"NOT_SUPPORTED: {' '.join(text.split()[:2]).upper()} is not answered by the local stage, which has "
        "SHOW DATABASES, SHOW TABLES [IN database], SHOW COLUMNS IN table and DESCRIBE table"
    )


def _columns(match: re.Match[str], database: str, catalog: Catalog) -> list[Mapping[str, str]]:
    db, name = (match[1] or database).lower(), match[2].lower()
    table = catalog.table(db, name)
    if table is None:
        raise QueryError(f"TABLE_NOT_FOUND: Table '{CATALOG_NAME}.{db}.{name}' does not exist")
    glue_tables.columns(table)
    return [*(table.get("StorageDescriptor") or {}).get("Columns", []), *glue_tables.partition_keys(table)]


def _listing(column: str, values: Sequence[str]) -> Answer:
    return Answer([column], ["varchar"], [[value] for value in values], statement_type="UTILITY")
