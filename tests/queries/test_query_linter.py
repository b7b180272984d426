"""Every rule of the linter finds its bad example, lets its good one through, and nothing that ships breaks any."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from lambdas.core.queries import parse_query
from local import query_linter
from local.query_linter import lint, lint_view, rules, tables, view_columns
from tests.queries.asking import QUERIES, VIEWS

# rule: SQL that breaks it (and no other rule), and how it is written instead
EXAMPLES: dict[str, tuple[str, str]] = {
    "not-athena": (
        "SELECT chart_date AS x FROM chart_entries WHERE chart_date > '2026-01-01' ORDER BY x",
        "SELECT chart_date AS x FROM chart_entries WHERE chart_date > date '2026-01-01' ORDER BY x",
    ),
    "unknown-name": (
        "SELECT title AS x FROM songs ORDER BY x",
        "SELECT name AS x FROM songs ORDER BY x",
    ),
    "integer-division": (
        "SELECT count(streams) / count(*) AS x FROM chart_entries ORDER BY x",
        "SELECT CAST(count(streams) AS double) / count(*) AS x FROM chart_entries ORDER BY x",
    ),
    "date-unit": (
        "SELECT date_diff('month', min(chart_date), max(chart_date)) AS x FROM snapshots ORDER BY x",
        "SELECT date_diff('day', min(chart_date), max(chart_date)) AS x FROM snapshots ORDER BY x",
    ),
    "date-cast": (
        "SELECT date_add('day', 1, chart_date) AS x FROM snapshots ORDER BY x",
        "SELECT CAST(date_trunc('month', chart_date) AS date) AS x FROM snapshots ORDER BY x",
    ),
    "interval": (
        "SELECT CAST(chart_date + interval '1' day AS date) AS x FROM snapshots ORDER BY x",
        "SELECT CAST(date_add('day', 1, chart_date) AS date) AS x FROM snapshots ORDER BY x",
    ),
    "day-of-week": (
        "SELECT extract(dow FROM chart_date) AS x FROM snapshots ORDER BY x",
        "SELECT day_of_week(chart_date) AS x FROM snapshots ORDER BY x",
    ),
    "call": (
        "SELECT approx_percentile(position, 0.5) AS x FROM chart_entries ORDER BY x",
        "SELECT max(position) AS x FROM chart_entries WHERE label <> 'now() typeof(x)' ORDER BY x",
    ),
    "array-order": (
        "SELECT array_join(array_agg(DISTINCT name), ', ') AS x FROM artists ORDER BY x",
        "SELECT array_join(array_sort(array_agg(DISTINCT name)), ', ') AS x FROM artists ORDER BY x",
    ),
    "regexp-groups": (
        "SELECT regexp_replace(name, '(a)', '$1') AS x FROM artists ORDER BY x",
        "SELECT regexp_replace(name, '(a)', '-') AS x FROM artists ORDER BY x",
    ),
    "concat": (
        "SELECT '+' || position AS x FROM chart_entries ORDER BY x",
        "SELECT '+' || CAST(position AS varchar) AS x FROM chart_entries ORDER BY x",
    ),
    "bare-alias": (
        "SELECT name x FROM artists ORDER BY x",
        "WITH a (x) AS (SELECT name FROM artists AS a) SELECT x FROM a ORDER BY x",
    ),
    "no-alias": (
        "SELECT lower(name) FROM artists ORDER BY 1",
        "SELECT lower(name) AS x FROM artists ORDER BY x",
    ),
    "select-star": (
        "SELECT * FROM artists ORDER BY name",
        "WITH a AS (SELECT * FROM artists) SELECT name AS x FROM a ORDER BY x",
    ),
    "limit-order": (
        "WITH a AS (SELECT name FROM artists LIMIT 1) SELECT name AS x FROM a ORDER BY x",
        "WITH a AS (SELECT name FROM artists ORDER BY name LIMIT 1) SELECT name AS x FROM a ORDER BY x",
    ),
    "order": (
        "SELECT name AS x FROM artists",
        "SELECT name AS x FROM artists UNION ALL SELECT name AS x FROM albums ORDER BY x",
    ),
    "ascii": (
        'SELECT náme AS x FROM (SELECT name AS náme FROM artists) AS a ORDER BY x',
        "SELECT name AS x FROM artists WHERE name = 'Ñandú' ORDER BY x",
    ),
    "reserved": (
        "SELECT name AS first FROM artists ORDER BY name",
        'SELECT name AS "first" FROM artists ORDER BY name',
    ),
    "parameter": (
        "SELECT name AS x FROM artists WHERE name = ? ORDER BY x",
        "WITH asked AS (SELECT CAST(? AS varchar) AS song) SELECT song AS x FROM asked ORDER BY x",
    ),
    "columns": (
        "SELECT name AS y FROM artists ORDER BY y",
        "SELECT name AS x FROM artists -- y?\nORDER BY x",
    ),
    "chart-filter": (
        "WITH asked AS (SELECT CAST(? AS varchar) AS chart) "
        "SELECT e.position AS x FROM chart_entries AS e JOIN asked AS a ON a.chart <> '' ORDER BY x",
        "WITH asked AS (SELECT CAST(? AS varchar) AS chart) "
        "SELECT e.position AS x FROM chart_entries AS e WHERE e.chart = (SELECT chart FROM asked) ORDER BY x",
    ),
}  # fmt: skip
_HEADERS = {"parameter": "song = any", "chart-filter": "chart = mine"}
_COLUMNS = {"no-alias": "_col_0", "select-star": "artist_id, name, url, detail, observed_at", "reserved": "first"}


def broken(rule: str, sql: str) -> set[str]:
    header = f"-- title: T\n-- question: Q\n-- columns: {_COLUMNS.get(rule, 'x')}\n"
    if rule in _HEADERS:
        header += f"-- parameters: {_HEADERS[rule]}\n"
    return {finding.rule for finding in lint(parse_query("example", header + sql), tables())}


def test_every_rule_has_an_example_and_a_reason() -> None:
    assert set(EXAMPLES) == set(rules())
    assert all(rules().values())


@pytest.mark.parametrize("rule", sorted(EXAMPLES))
def test_a_rule_finds_its_bad_example_and_lets_the_good_one_through(rule: str) -> None:
    bad, good = EXAMPLES[rule]
    assert broken(rule, bad) - {"columns"} | ({"columns"} if rule == "columns" else set()) == {rule}
    assert broken(rule, good) - ({"columns"} if rule in ("no-alias", "select-star") else set()) == set()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name AS x, x || 'a' AS y FROM artists ORDER BY x",
        "SELECT lower(name) AS x FROM artists WHERE x = 'a' ORDER BY x",
        "SELECT lower(name) AS x FROM artists GROUP BY x ORDER BY x",
        "SELECT a.nope AS x FROM artists AS a ORDER BY x",
        "SELECT b.name AS x FROM artists AS a ORDER BY x",
        "SELECT name AS x FROM nowhere ORDER BY x",
    ],
)
def test_a_name_that_trino_does_not_see_is_found(sql: str) -> None:
    assert "unknown-name" in broken("", sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name AS x FROM artists QUALIFY row_number() OVER (ORDER BY name) = 1",
        "SELECT name AS x, count(*) AS n FROM artists GROUP BY ALL",
        "SELECT strftime(observed_at, '%Y') AS x FROM artists",
        "SELECT name::varchar AS x FROM artists",
        "SELECT * EXCLUDE (url) FROM artists",
        "SELECT position AS x FROM chart_entries WHERE year = 2026",
    ],
)
def test_what_duckdb_alone_understands_is_not_athena(sql: str) -> None:
    assert broken("", sql) == {"not-athena"}


@pytest.mark.parametrize(
    "expression",
    ["sum(streams) / 2", "CAST(sum(streams) AS bigint) / count(*)", "(count(*) + 1) / 3", "max(position) / 2"],
)
def test_integers_divided_by_integers_are_found_whatever_they_come_from(expression: str) -> None:
    assert broken("", f"SELECT {expression} AS x FROM chart_entries ORDER BY x") == {"integer-division"}
    shared = f"WITH c AS (SELECT {expression.partition(' / ')[0]} AS n FROM chart_entries)"
    assert broken("", f"{shared} SELECT n / 2 AS x FROM c ORDER BY x") == {"integer-division"}


@pytest.mark.parametrize(
    "expression",
    [
        "count(*) / 2e0",
        "CAST(count(*) / 2 AS bigint)",
        "date_diff('day', min(chart_date), max(chart_date)) / 7",
        "CAST(date_add('day', max(position) / 7 * 7, max(chart_date)) AS date)",
    ],
)
def test_a_division_that_says_what_it_means_is_let_through(expression: str) -> None:
    assert broken("", f"SELECT {expression} AS x FROM chart_entries ORDER BY x") == set()


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_no_query_that_ships_breaks_a_rule(name: str) -> None:
    assert lint(QUERIES[name], tables() | view_columns(VIEWS.values())) == []


def test_movement_is_worked_out_in_the_same_words_by_every_question_that_tells_it() -> None:
    """A file stands alone, so that it can be run anywhere: what four of them share is mended in all of them."""
    steps = {name: {cte.alias: cte.this.sql() for cte in _tree(name).find_all(exp.CTE)} for name in QUERIES}
    telling = [name for name in sorted(steps) if "moved" in steps[name]]
    assert telling == ["chart_calendar", "new_and_returning", "todays_chart", "todays_top_10"]
    for step in ("held", "placed", "followed", "compared", "moved"):
        assert {steps[name][step] for name in telling} == {steps["todays_chart"][step]}, step


def _tree(name: str) -> exp.Expr:
    return sqlglot.parse_one(QUERIES[name].sql, dialect="athena")


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_no_view_that_ships_breaks_a_rule(name: str) -> None:
    assert lint_view(VIEWS[name], tables() | view_columns(VIEWS.values())) == []


def test_the_command_prints_file_place_and_rule_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = "-- title: T\n-- question: Q\n-- columns: x\n--\n-- Notes.\n"
    (tmp_path / "shares.sql").write_text(
        header + "SELECT\n    count(streams) / count(*) AS x\nFROM chart_entries\nORDER BY x\n"
    )
    assert query_linter.main([str(tmp_path)]) == 1
    assert "shares.sql: integer-division: line 7:5: cast a side to double" in capsys.readouterr().out
    (tmp_path / "shares.sql").unlink()
    assert query_linter.main([str(tmp_path)]) == 0
