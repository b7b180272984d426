"""Queries over Glue tables: declared columns, projected partitions, views, and the errors Athena gives."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from arro3.core import Array, DataType, Table

from local.emulator import glue_tables
from local.emulator.catalog import Answer
from local.emulator.session import answer
from local.emulator.trino_sql import QueryError
from tests.unit.glue_catalog import YEARS, FolderCatalog

COLUMNS = {"chart": "string", "chart_date": "date", "position": "int", "streams": "bigint"}


def ask(sql: str, catalog: FolderCatalog) -> Answer:
    return answer(sql, database="warehouse", catalog=catalog)


def entries(year: int, positions: list[int]) -> Table:
    day = (dt.date(year, 5, 1) - dt.date(1970, 1, 1)).days
    return Table.from_arrays(
        [
            Array(["regional-global-daily"] * len(positions), type=DataType.utf8()),
            Array(positions, type=DataType.int32()),
            Array([day] * len(positions), type=DataType.int32()).cast(DataType.date32()),
        ],
        names=["chart", "position", "chart_date"],
    )


@pytest.fixture
def catalog(tmp_path: Path) -> FolderCatalog:
    catalog = FolderCatalog(tmp_path)
    catalog.add("entries", COLUMNS, keys={"year": "string"}, parameters=YEARS)
    catalog.put("entries/year=2025/a.parquet", entries(2025, [1, 2]))
    catalog.put("entries/year=2026/a.parquet", entries(2026, [3]))
    return catalog


def test_columns_come_in_glues_order_with_glues_types_and_absent_ones_are_null(catalog: FolderCatalog) -> None:
    result = ask("SELECT * FROM entries WHERE year = '2026'", catalog)
    assert result.columns == ["chart", "chart_date", "position", "streams", "year"]
    assert result.types == ["varchar", "date", "integer", "bigint", "varchar"]
    assert result.rows == [["regional-global-daily", "2026-05-01", "3", None, "2026"]]
    assert result.scanned_bytes > 0


def test_an_object_outside_the_projection_is_not_read(catalog: FolderCatalog) -> None:
    catalog.put("entries/year=1999/a.parquet", entries(1999, [9]))
    catalog.put("entries/elsewhere/a.parquet", entries(2026, [9]))
    assert ask("SELECT position FROM entries ORDER BY position", catalog).rows == [["1"], ["2"], ["3"]]


def test_without_projection_only_registered_partitions_are_read(catalog: FolderCatalog) -> None:
    catalog.add("plain", COLUMNS, keys={"year": "string"})
    catalog.put("plain/year=2025/a.parquet", entries(2025, [1]))
    assert ask("SELECT count(*) FROM plain", catalog).rows == [["0"]]
    catalog.registered["plain"] = [
        {"Values": ["2025"], "StorageDescriptor": {"Location": "s3://bucket/plain/year=2025"}}
    ]
    assert ask("SELECT year, position FROM plain", catalog).rows == [["2025", "1"]]


def test_a_table_without_objects_has_its_columns_and_no_rows(catalog: FolderCatalog) -> None:
    catalog.add("empty", COLUMNS)
    result = ask("SELECT * FROM empty", catalog)
    assert (result.types, result.rows) == (["varchar", "date", "integer", "bigint"], [])


def test_a_utc_instant_in_a_file_is_a_timestamp_without_zone(catalog: FolderCatalog) -> None:
    catalog.add("observed", {"at": "timestamp"})
    milliseconds = Array([1_767_225_600_123], type=DataType.int64()).cast(DataType.timestamp("ms", tz="UTC"))
    catalog.put("observed/a.parquet", Table.from_arrays([milliseconds], names=["at"]))
    result = ask("SELECT at, date_diff('hour', at, timestamp '2026-01-01 02:30:00') AS hours FROM observed", catalog)
    assert (result.types, result.rows) == (["timestamp", "bigint"], [["2026-01-01 00:00:00.123", "2"]])


def test_names_resolve_as_in_athena(catalog: FolderCatalog) -> None:
    tables = 'awsdatacatalog.warehouse."entries" JOIN Entries e USING (position)'
    sql = f"SELECT e.position, warehouse.entries.year FROM {tables}"
    assert len(ask(sql, catalog).rows) == 3


def test_a_common_table_expression_may_take_the_name_of_the_table_it_reads(catalog: FolderCatalog) -> None:
    sql = "WITH entries AS (SELECT position FROM entries WHERE position > 1) SELECT count(*) FROM entries"
    assert ask(sql, catalog).rows == [["2"]]


def test_a_view_of_a_view_is_expanded(catalog: FolderCatalog) -> None:
    catalog.add_view(
        "recent",
        "SELECT chart, position / 2 AS half FROM entries WHERE year = '2026'",
        {"chart": "string", "half": "int"},
    )
    catalog.add_view("halves", "SELECT half FROM recent", {"half": "int"})
    result = ask("SELECT r.half, h.half FROM warehouse.recent r CROSS JOIN halves h", catalog)
    assert (result.rows, result.types) == ([["1", "1"]], ["integer", "integer"])


def test_a_view_whose_columns_are_not_what_it_selects_is_stale(catalog: FolderCatalog) -> None:
    catalog.add_view("wrong", "SELECT chart FROM entries", {"name": "string"})
    with pytest.raises(QueryError, match="VIEW_IS_STALE"):
        ask("SELECT * FROM wrong", catalog)


def test_a_file_of_another_type_than_declared_is_bad_data(catalog: FolderCatalog) -> None:
    catalog.add("clash", {"chart": "bigint"})
    catalog.put("clash/a.parquet", entries(2026, [1]))
    with pytest.raises(QueryError, match="HIVE_BAD_DATA: Field chart"):
        ask("SELECT * FROM clash", catalog)


def test_a_json_table_is_read_by_its_declared_columns(catalog: FolderCatalog) -> None:
    catalog.add("lines", {"a": "int", "b": "string"}, serde="org.openx.data.jsonserde.JsonSerDe")
    catalog.put("lines/a.json", '{"b": "x", "a": 1, "c": 2}\n')
    assert ask("SELECT * FROM lines", catalog).rows == [["1", "x"]]


@pytest.mark.parametrize(
    ("condition", "operands"),
    [
        ("chart_date = '2026-05-01'", r"date = varchar\(10\)"),
        ("year = 2026", "varchar = integer"),
        ("position IN ('1')", r"integer IN varchar\(1\)"),
        ("chart_date BETWEEN '2026-01-01' AND '2026-12-31'", "date BETWEEN varchar"),
        ("e.chart = e.position", "varchar = integer"),
    ],
)
def test_operands_that_trino_does_not_coerce_are_refused(condition: str, operands: str, catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match=rf"^TYPE_MISMATCH: line 1:\d+: Cannot apply operator: {operands}"):
        ask(f"SELECT 1 FROM entries e WHERE {condition}", catalog)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT * FROM nosuch", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.warehouse.nosuch' does not exist"),
        ("SELECT * FROM other.entries", "SCHEMA_NOT_FOUND: line 1:15: Schema 'other' does not exist"),
        ("SELECT nosuch FROM entries", "COLUMN_NOT_FOUND: line 1:8: Column 'nosuch' cannot be resolved"),
        ("SELECT x.chart FROM entries", "COLUMN_NOT_FOUND: line 1:8: Column prefix 'x' cannot be resolved"),
        ("SELECT chart, count(*) FROM entries", "EXPRESSION_NOT_AGGREGATE: line 1:8: 'chart' must be an aggregate"),
        ("SELECT cast(chart AS string) FROM entries", "TYPE_NOT_FOUND"),
        (
            "SELECT cast(chart AS integer) FROM entries",
            "INVALID_CAST_ARGUMENT: Cannot cast string 'regional-global-daily'",
        ),
        ("SELECT chart_date - date '2026-01-01' FROM entries", "NOT_SUPPORTED: line 1:8: .* use date_diff"),
        ("SELECT * FROM information_schema.tables", "NOT_SUPPORTED: information_schema"),
        ("SELECT e.chart, position FROM entries e JOIN entries f ON true", "AMBIGUOUS_NAME: .*position"),
    ],
)
def test_an_error_is_one_line_in_athenas_words(sql: str, reason: str, catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match=f"^{reason}") as caught:
        ask(sql, catalog)
    assert "\n" not in str(caught.value)
    assert "Candidate" not in str(caught.value)


def test_show_and_describe_answer_from_glue(catalog: FolderCatalog) -> None:
    assert ask("SHOW TABLES", catalog).rows == [["entries"]]
    assert ask("show tables in `warehouse`;", catalog).rows == [["entries"]]
    assert ask("SHOW DATABASES", catalog).rows == [["default"], ["warehouse"]]
    assert ask("SHOW COLUMNS IN warehouse.entries", catalog).rows[0] == ["chart"]
    assert ask("DESCRIBE entries", catalog).rows[-1] == ["year", "string", ""]
    with pytest.raises(QueryError, match="TABLE_NOT_FOUND"):
        ask("DESCRIBE nosuch", catalog)


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({"type": "integer", "range": "2024,2026"}, ["2024", "2025", "2026"]),
        ({"type": "integer", "range": "1,3", "digits": "2", "interval": "2"}, ["01", "03"]),
        ({"type": "enum", "values": "a, b"}, ["a", "b"]),
        ({"type": "date", "range": "2025,NOW+1YEARS", "format": "yyyy"}, ["2025", "2026", "2027"]),
        ({"type": "date", "range": "2025-12,2026-02", "format": "yyyy-MM"}, ["2025-12", "2026-01", "2026-02"]),
        (
            {"type": "date", "range": "NOW-2DAYS,NOW", "format": "yyyy-MM-dd"},
            ["2026-03-01", "2026-03-02", "2026-03-03"],
        ),
    ],
)
def test_a_projection_enumerates_athenas_partitions(parameters: dict[str, str], values: list[str]) -> None:
    table = {
        "Name": "t",
        "PartitionKeys": [{"Name": "p", "Type": "string"}],
        "StorageDescriptor": {"Location": "s3://bucket/t/"},
        "Parameters": {"projection.enabled": "true"} | {f"projection.p.{k}": v for k, v in parameters.items()},
    }
    found = glue_tables.partitions(table, [], dt.date(2026, 3, 3))
    assert [one.values for one in found] == [(value,) for value in values]
    assert found[0].location == f"s3://bucket/t/p={values[0]}/"


def test_a_projection_it_cannot_make_out_is_an_error() -> None:
    table = {
        "Name": "t",
        "PartitionKeys": [{"Name": "p", "Type": "string"}],
        "StorageDescriptor": {"Location": "s3://bucket/t/"},
        "Parameters": {"projection.enabled": "true", "projection.p.type": "injected"},
    }
    with pytest.raises(QueryError, match="INVALID_TABLE_PROPERTY"):
        glue_tables.partitions(table, [], dt.date(2026, 3, 3))
