"""What Glue says of a table is what lies in its objects: the templates beside files that a load really wrote."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import duckdb
import pytest

from lambdas.core import documents
from lambdas.core.keys import parse_raw_key
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.documents import csv_answer, csv_row, document, track
from tests.fakes import MemoryStore
from tests.infra.templates import Resource, Synthesis, is_view, resources, text_of

Columns: TypeAlias = list[tuple[str, str]]

# Physical and converted type in Parquet of each of Hive's types:
# https://github.com/apache/parquet-format/blob/master/LogicalTypes.md.
_HIVE = {
    ("BYTE_ARRAY", "UTF8"): "string",
    ("INT32", None): "int",
    ("INT64", None): "bigint",
    ("BOOLEAN", None): "boolean",
    ("INT32", "DATE"): "date",
    ("INT64", "TIMESTAMP_MILLIS"): "timestamp",
}


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    """The objects that a load writes, by key."""
    raw, tables = MemoryStore(), MemoryStore()
    for given in (
        document(songs=[track("One"), track("Two")]),
        document([csv_answer([csv_row(n, f"Song {n}") for n in range(1, 201)])], provider="charts_csv"),
    ):
        raw.put_new(given.key, documents.encode(given))
    warehouse = Warehouse(raw=raw, tables=tables, now=lambda: datetime(2026, 4, 1, tzinfo=UTC))
    for (chart, year), dates in group_by_chart_year(map(parse_raw_key, raw.keys("raw/"))).items():
        warehouse.load(chart, year, dates)
    return tables.objects


def columns_of_file(body: bytes, folder: Path) -> Columns:
    """A file's columns as DuckDB finds them, in the names of Hive's types."""
    path = folder / "object.parquet"
    path.write_bytes(body)
    query = (
        "SELECT name, type, converted_type, logical_type, repetition_type FROM parquet_schema(?) WHERE type IS NOT NULL"
    )
    found = duckdb.connect().execute(query, [str(path)]).fetchall()
    assert {repetition for *_, repetition in found} == {"OPTIONAL"}
    assert not [name for name, *_, logical, _ in found if logical and "isAdjustedToUTC=1" in logical], "with a zone"
    return [(name, _HIVE[physical, converted]) for name, physical, converted, _, _ in found]


def columns_of_glue(glue: Resource) -> tuple[Columns, Columns]:
    """A table's columns and its partition keys, as the template declares them."""

    def declared(columns: list[dict[str, str]]) -> Columns:
        return [(column["Name"], column["Type"]) for column in columns]

    return declared(glue["StorageDescriptor"]["Columns"]), declared(glue["PartitionKeys"])


def test_every_object_has_the_columns_that_glue_declares_by_name_order_and_type_and_lies_in_its_partition(
    synthesis: Synthesis, written: dict[str, bytes], tmp_path: Path
) -> None:
    for _, template in synthesis.of("catalog"):
        held_tables = [held for held in resources(template, "AWS::Glue::Table").values() if not is_view(held)]
        tables = [held["Properties"]["TableInput"] for held in held_tables]
        unread = set(written)
        for glue in tables:
            columns, partitions = columns_of_glue(glue)
            prefix = text_of(glue["StorageDescriptor"]["Location"]).removeprefix("s3://").partition("/")[2]
            keys = [key for key in written if key.startswith(prefix)]
            assert keys, glue["Name"]
            unread -= set(keys)
            for key in keys:
                in_path = re.findall(r"([^/]+)=([^/]+)/", key)
                assert columns_of_file(written[key], tmp_path) == columns, key
                assert [(name, "string") for name, _ in in_path] == partitions, key
                assert not {name for name, _ in partitions} & {name for name, _ in columns}, "a column twice"
        assert unread == set(), "an object of no table"


def test_tables_are_read_by_the_names_of_columns_so_that_one_can_be_added_anywhere(synthesis: Synthesis) -> None:
    """Parquet's default in Athena: https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html."""
    for _, template in synthesis.of("catalog"):
        for held in resources(template, "AWS::Glue::Table").values():
            glue = held["Properties"]["TableInput"]
            serde = glue["StorageDescriptor"]["SerdeInfo"]
            for parameters in (glue["Parameters"], serde.get("Parameters", {})):
                assert str(parameters.get("parquet.column.index.access", "false")).lower() == "false"
