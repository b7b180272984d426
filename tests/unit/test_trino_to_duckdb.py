"""Each expression gives Trino's documented answer when the local stage's DuckDB runs it.

The answers are those of https://trino.io/docs/current/functions.html (examples of the page, or the rule applied by
hand), written as Athena's GetQueryResults writes them. "stock" rows are wrong or fail without our rewriting.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from local.emulator import trino_sql
from local.emulator.catalog import Answer
from local.emulator.session import answer
from local.emulator.trino_sql import MalformedQuery, QueryError
from tests.unit.glue_catalog import FolderCatalog

ANSWERS: list[tuple[str, str | None, str]] = [
    # integers divide as integers, toward zero
    ("5 / 2", "2", "integer"),
    ("-5 / 2", "-2", "integer"),
    ("cast(7 as bigint) / 2", "3", "bigint"),
    ("5e0 / 2", "2.5", "double"),
    ("try(1 / 0)", None, "integer"),
    ("7 % 3", "1", "integer"),
    # decimals divide at the greater scale of the two
    ("5 / 2.0", "2.5", "decimal"),
    ("1.0 / 3", "0.3", "decimal"),
    ("100.0 * 3 / 7", "42.9", "decimal"),
    ("1.00 / 3", "0.33", "decimal"),
    # dates stay dates
    ("date_add('day', 1, date '2026-01-31')", "2026-02-01", "date"),
    ("date_add('month', -1, date '2026-03-31')", "2026-02-28", "date"),
    ("date_add('week', 2, date '2026-01-01')", "2026-01-15", "date"),
    ("date_add('hour', 1, timestamp '2026-01-01 23:30:00')", "2026-01-02 00:30:00.000", "timestamp"),
    ("date '2026-01-31' + interval '1' day", "2026-02-01", "date"),
    ("date '2026-01-31' - interval '1' month", "2025-12-31", "date"),
    ("interval '2' day + date '2026-01-01'", "2026-01-03", "date"),
    ("date '2026-01-01' + interval '1' day * 3", "2026-01-04", "date"),
    ("date_trunc('month', date '2026-03-04')", "2026-03-01", "date"),
    ("date_trunc('week', date '2026-01-04')", "2025-12-29", "date"),
    ("date_trunc('hour', timestamp '2026-03-04 10:11:12')", "2026-03-04 10:00:00.000", "timestamp"),
    ("date_trunc('month', date_add('day', 5, date '2026-03-29'))", "2026-04-01", "date"),
    # complete units, not boundaries crossed
    ("date_diff('month', date '2026-01-31', date '2026-02-27')", "0", "bigint"),
    ("date_diff('month', date '2026-01-31', date '2026-02-28')", "1", "bigint"),
    ("date_diff('year', date '2025-06-01', date '2026-01-01')", "0", "bigint"),
    ("date_diff('week', date '2026-01-01', date '2026-01-07')", "0", "bigint"),
    ("date_diff('day', date '2026-01-01', date '2026-01-05')", "4", "bigint"),
    ("date_diff('day', timestamp '2026-01-01 12:00:00', timestamp '2026-01-02 11:00:00')", "0", "bigint"),
    ("date_diff('hour', timestamp '2026-01-01 10:30:00', timestamp '2026-01-01 11:15:00')", "0", "bigint"),
    # Monday is 1, Sunday 7
    ("day_of_week(date '2026-01-04')", "7", "bigint"),
    ("dow(date '2026-01-05')", "1", "bigint"),
    ("extract(dow from date '2026-01-04')", "7", "bigint"),
    ("extract(day_of_week from date '2026-01-04')", "7", "bigint"),
    ("extract(year from date '2026-01-04')", "2026", "bigint"),
    ("year_of_week(date '2025-12-29')", "2026", "bigint"),
    ("week(date '2026-01-04')", "1", "bigint"),
    ("last_day_of_month(date '2026-02-03')", "2026-02-28", "date"),
    ("date_format(timestamp '2026-01-04 10:05:00', '%Y-%m-%d %H:%i')", "2026-01-04 10:05", "varchar"),
    ("date(date_parse('04/01/2026', '%d/%m/%Y'))", "2026-01-04", "date"),
    ("to_iso8601(date '2026-01-04')", "2026-01-04", "varchar"),
    # arrays and maps
    ("slice(array[1, 2, 3, 4], 2, 2)", "[2, 3]", "array"),
    ("slice(array[1, 2, 3, 4], -2, 2)", "[3, 4]", "array"),
    ("array_distinct(array[3, 1, 3, null, null])", "[3, 1, null]", "array"),
    ("sequence(1, 3)", "[1, 2, 3]", "array"),
    ("sequence(3, 1)", "[3, 2, 1]", "array"),
    ("sequence(date '2026-01-30', date '2026-02-01')", "[2026-01-30, 2026-01-31, 2026-02-01]", "array"),
    ("cardinality(array[1, 2])", "2", "bigint"),
    ("cardinality(map(array['a', 'b'], array[1, 2]))", "2", "bigint"),
    ("element_at(array[1], 5)", None, "integer"),
    ("element_at(map(array['a'], array[1]), 'a')", "1", "integer"),
    ("array_join(array['a', 'b'], ',')", "a,b", "varchar"),
    ("array['x', null]", "[x, null]", "array"),
    ("map(array['a'], array[1])", "{a=1}", "map"),
    ("transform(array[1, 2], x -> x + 1)", "[2, 3]", "array"),
    ("reduce(array[1, 2, 3], 0, (s, x) -> s + x, s -> s)", "6", "integer"),
    ("arrays_overlap(array[1, 2], array[2])", "true", "boolean"),
    # text
    ("regexp_replace('ab', '(a)(b)', '$2$1')", "ba", "varchar"),
    ("regexp_replace('a1b2', '[0-9]')", "ab", "varchar"),
    ("regexp_replace('ab', 'a', '\\$')", "$b", "varchar"),
    ("regexp_extract('abc', '(b)c', 1)", "b", "varchar"),
    ("regexp_like('abc', 'b')", "true", "boolean"),
    ("split_part('a-b', '-', 2)", "b", "varchar"),
    ("split_part('a-b', '-', 3)", None, "varchar"),
    ("substr('abc', 0)", "", "varchar"),
    ("substr('abc', -2)", "bc", "varchar"),
    ("codepoint('a')", "97", "integer"),
    ("format('%s-%05d', 'a', 12)", "a-00012", "varchar"),
    ("format('%,d', 1234567)", "1,234,567", "varchar"),
    ("format('%.1f%%', 12.25)", "12.3%", "varchar"),
    ("format('%5s|%-5s|', 'a', 'b')", "    a|b    |", "varchar"),
    ("format('{%s}', date '2026-01-04')", "{2026-01-04}", "varchar"),
    ("concat('a', cast(1 as varchar))", "a1", "varchar"),
    ("json_extract_scalar('{\"a\": 1}', '$.a')", "1", "varchar"),
    # types and their text
    ("typeof(1)", "integer", "varchar"),
    ("typeof(cast(1 as bigint))", "bigint", "varchar"),
    ("typeof(array[1])", "array(integer)", "varchar"),
    ("cast(2.5e0 as integer)", "3", "integer"),
    ("cast(3.5 as integer)", "4", "integer"),
    ("1e10", "1.0E10", "double"),
    ("0.1e0 + 0.2e0", "0.30000000000000004", "double"),
    ("12345678.9e0", "1.23456789E7", "double"),
    ("1e-5", "1.0E-5", "double"),
    ("cast(0.1 as real)", "0.1", "float"),
    ("timestamp '2026-01-01 01:02:03.5'", "2026-01-01 01:02:03.500", "timestamp"),
    ("from_iso8601_timestamp('2026-01-01T00:00:00Z')", "2026-01-01 00:00:00.000 UTC", "timestamp with time zone"),
    ("1 = 1", "true", "boolean"),
    ("cast('1.50' as decimal(10, 2))", "1.50", "decimal"),
    ("greatest(1, null)", None, "integer"),
    ("try_cast('x' as integer)", None, "integer"),
]

AGGREGATES: list[tuple[str, str, str]] = [
    ("count(*)", "3", "bigint"),
    ("sum(n)", "7", "bigint"),
    ("sum(n) / count(*)", "2", "bigint"),
    ("avg(n)", "2.3333333333333335", "double"),
    ("every(n > 0)", "true", "boolean"),
    ("bool_or(n > 3)", "true", "boolean"),
    ("map_agg(k, n)", "{a=1, b=2, c=4}", "map"),
    ("cardinality(map_agg(k, n))", "3", "bigint"),
    ("array_agg(k order by n desc)", "[c, b, a]", "array"),
    ("listagg(k, ',') within group (order by k)", "a,b,c", "varchar"),
    ("max_by(k, n)", "c", "varchar"),
    ("count_if(n > 1)", "2", "bigint"),
    ("count(distinct k) filter (where n > 1)", "2", "bigint"),
    ("approx_distinct(k)", "3", "bigint"),
    ("arbitrary(1)", "1", "integer"),
]

STREAKS = """
WITH days (song, day) AS (
    VALUES ('a', date '2026-01-01'), ('a', date '2026-01-02'), ('a', date '2026-01-04')
),
islands AS (
    SELECT song, day, date_add('day', -row_number() OVER (PARTITION BY song ORDER BY day), day) AS island FROM days
)
SELECT song, min(day) AS first_day, max(day) AS last_day, date_diff('day', min(day), max(day)) + 1 AS days
FROM islands
GROUP BY song, island
HAVING max(day) > date '2026-01-01'
ORDER BY first_day
"""


ROWS: list[tuple[str, list[list[str | None]]]] = [
    ("VALUES 1, 2", [["1"], ["2"]]),
    ("SELECT x, n FROM UNNEST(ARRAY['a', 'b']) WITH ORDINALITY AS t (x, n)", [["a", "1"], ["b", "2"]]),
    (
        "SELECT a, x FROM (VALUES (1, ARRAY[7, 8])) AS t (a, b) CROSS JOIN UNNEST(b) AS u (x)",
        [["1", "7"], ["1", "8"]],
    ),
    (
        "SELECT d FROM UNNEST(sequence(date '2026-01-31', date '2026-02-01')) AS t (d)",
        [["2026-01-31"], ["2026-02-01"]],
    ),
    ("SELECT x FROM (VALUES 1, 2, 3) AS t (x) ORDER BY x OFFSET 1 LIMIT 1", [["2"]]),
    ("SELECT x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY x DESC", [["2"], ["1"], [None]]),
    (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n ORDER BY i",
        [["1"], ["2"], ["3"]],
    ),
    ("SELECT x, row_number() OVER (ORDER BY x) FROM (VALUES 5, 4) AS t (x)", [["4", "1"], ["5", "2"]]),
    ("SELECT lag(x, 1, 0) OVER w FROM (VALUES 1, 2) AS t (x) WINDOW w AS (ORDER BY x)", [["0"], ["1"]]),
    ("(SELECT 2) UNION ALL (SELECT 1) ORDER BY 1", [["1"], ["2"]]),
    (STREAKS, [["a", "2026-01-01", "2026-01-02", "2"], ["a", "2026-01-04", "2026-01-04", "1"]]),
]

NOT_TRINO: list[tuple[str, str]] = [
    ("SELECT a FROM t QUALIFY row_number() OVER () = 1", "line 1:25: mismatched input 'row_number'"),
    ("SELECT a FROM t LIMIT 5 OFFSET 2", "line 1:25: mismatched input 'OFFSET'"),
    ("SELECT 1::varchar", "line 1:9: mismatched input '::'"),
    ("SELECT [1, 2]", r"line 1:8: mismatched input '\['"),
    ("SELECT 5 // 2", "mismatched input"),
    ("SELECT * EXCLUDE (a) FROM t", "EXCLUDE"),
    ("SELECT a FROM t GROUP BY ALL", "GROUP BY ALL"),
    ("SELECT a FROM t WHERE a ILIKE 'b'", "ILIKE"),
    ("SELECT DISTINCT ON (a) b FROM t", "DISTINCT ON"),
    ("SELECT a FROM t SEMI JOIN u ON a = b", "SEMI JOIN"),
    ("FROM t", "mismatched input 'from'"),
    ("SELECT * FROM 'file.parquet'", "mismatched input 'file.parquet'"),
    ("SELECT a FROM t LIMIT 10%", "LIMIT n%"),
    ("SELEC 1", "line 1:1: mismatched input 'selec'"),
    ("SELECT a b c FROM t", "line 1:12: mismatched input 'c'"),
    ("SELECT 'a", "line 1:1"),
    ("SELECT 1; SELECT 2", "expected one statement"),
    ("PRAGMA version", "mismatched input 'pragma'"),
    ("", "mismatched input '<EOF>'"),
]


@pytest.fixture
def catalog(tmp_path: Path) -> FolderCatalog:
    return FolderCatalog(tmp_path)


def ask(sql: str, catalog: FolderCatalog) -> Answer:
    return answer(sql, database="warehouse", catalog=catalog)


@pytest.mark.parametrize(("expression", "value", "kind"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_an_expression_has_trinos_value_and_type(
    expression: str, value: str | None, kind: str, catalog: FolderCatalog
) -> None:
    result = ask(f"SELECT {expression} AS x", catalog)
    assert (result.columns, result.rows, result.types) == (["x"], [[value]], [kind])


@pytest.mark.parametrize(("expression", "value", "kind"), AGGREGATES, ids=[row[0] for row in AGGREGATES])
def test_an_aggregate_has_trinos_value_and_type(expression: str, value: str, kind: str, catalog: FolderCatalog) -> None:
    result = ask(f"SELECT {expression} AS x FROM (VALUES ('a', 1), ('b', 2), ('c', 4)) AS t (k, n)", catalog)
    assert (result.rows, result.types) == ([[value]], [kind])


@pytest.mark.parametrize(("sql", "rows"), ROWS)
def test_a_query_has_trinos_rows(sql: str, rows: list[list[str | None]], catalog: FolderCatalog) -> None:
    assert ask(sql, catalog).rows == rows


@pytest.mark.parametrize(
    "expression",
    [
        "timestamp '2026-01-01 00:00:00 UTC' at time zone 'Europe/Paris'",
        "at_timezone(timestamp '2026-01-01 00:00:00 UTC', 'Europe/Paris')",
    ],
)
def test_a_zone_that_duckdb_would_drop_is_refused(expression: str, catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match="NOT_SUPPORTED: .*AT TIME ZONE"):
        ask(f"SELECT {expression} AS x", catalog)


def test_unnamed_columns_have_athenas_names(catalog: FolderCatalog) -> None:
    assert ask("SELECT 1, 2 AS b, count(*) FROM (VALUES 1) AS t (x)", catalog).columns == ["_col0", "b", "_col2"]


def test_division_by_zero_fails(catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match=r"^DIVISION_BY_ZERO: Division by zero$"):
        ask("SELECT 1 / 0", catalog)


def test_a_sum_beyond_bigint_fails(catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match="NUMERIC_VALUE_OUT_OF_RANGE"):
        ask("SELECT sum(x) FROM (VALUES 9223372036854775807, 1) AS t (x)", catalog)


@pytest.mark.parametrize(("sql", "reason"), NOT_TRINO)
def test_what_only_duckdb_understands_is_no_sql(sql: str, reason: str, catalog: FolderCatalog) -> None:
    with pytest.raises(MalformedQuery, match=reason):
        ask(sql, catalog)


@pytest.mark.parametrize(
    "call", ["strftime(now(), '%Y')", "list_value(1)", "arg_max(1, 2)", "left('abc', 1)", "epoch(now())"]
)
def test_a_function_athena_has_not_is_refused(call: str, catalog: FolderCatalog) -> None:
    name = call.split("(")[0]
    with pytest.raises(QueryError, match=rf"^FUNCTION_NOT_FOUND: line 1:8: Function '{name}' not registered$"):
        ask(f"SELECT {call}", catalog)


def test_a_function_only_athena_has_says_so(catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match="format_datetime is a function of Athena the local stage cannot run"):
        ask("SELECT format_datetime(now(), 'yyyy')", catalog)


def test_a_table_function_reading_files_is_refused(catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match="FUNCTION_NOT_FOUND"):
        ask("SELECT * FROM read_csv('/etc/hostname')", catalog)


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("CREATE TABLE t AS SELECT 1", "CREATE TABLE"),
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b/'", "CREATE EXTERNAL"),
        ("-- a comment\nINSERT INTO t VALUES (1)", "INSERT"),
        ("DELETE FROM t", "DELETE"),
        ("UPDATE t SET a = 1", "UPDATE"),
        ("MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE", "MERGE"),
        ("UNLOAD (SELECT 1) TO 's3://b/' WITH (format = 'PARQUET')", "UNLOAD"),
        ("MSCK REPAIR TABLE t", "MSCK"),
        ("ALTER TABLE t ADD PARTITION (year = '2026')", "ALTER TABLE"),
        ("DROP TABLE t", "DROP TABLE"),
        ("VACUUM t", "VACUUM"),
        ("OPTIMIZE t REWRITE DATA USING BIN_PACK", "OPTIMIZE"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("TRUNCATE TABLE t", "TRUNCATE"),
    ],
)
def test_a_statement_that_would_change_nothing_is_refused_by_name(sql: str, name: str, catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match=rf"^NOT_SUPPORTED: {name} is not run by the local stage"):
        ask(sql, catalog)


@pytest.mark.parametrize("sql", ["SHOW PARTITIONS t", "SHOW CREATE TABLE t", "SHOW TBLPROPERTIES t"])
def test_a_show_without_an_answer_is_refused(sql: str, catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match=r"^NOT_SUPPORTED: SHOW \w+ is not answered"):
        ask(sql, catalog)


# ---- parameters


def test_parameters_take_the_places_of_the_question_marks_in_order() -> None:
    sql = "SELECT '?' AS q FROM t WHERE a = ? AND d = CAST(? AS date) -- ?"
    bound = trino_sql.bind(sql, ["'x'", "'2026-01-01'"])
    assert "a =  'x'  AND d = CAST( '2026-01-01'  AS date)" in bound
    assert bound.startswith("SELECT '?' AS q")


def test_a_missing_parameter_is_an_error() -> None:
    with pytest.raises(QueryError, match="expected 2 but found 1"):
        trino_sql.bind("SELECT ?, ?", ["1"])


def test_an_unbound_question_mark_is_an_error(catalog: FolderCatalog) -> None:
    with pytest.raises(QueryError, match="INVALID_PARAMETER_USAGE"):
        ask("SELECT ?", catalog)


def test_execute_names_its_statement_and_parameters() -> None:
    assert trino_sql.execute_using("EXECUTE top USING 'a,b', DATE '2026-01-01', concat('x', 'y');") == (
        "top",
        ["'a,b'", "DATE '2026-01-01'", "concat('x', 'y')"],
    )
    assert trino_sql.execute_using("EXECUTE top") == ("top", [])
    assert trino_sql.execute_using("SELECT 1") is None
