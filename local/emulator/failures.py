"""DuckDB's errors in Athena's words, and the place in the query where the parser still knows it."""

from __future__ import annotations

import re

import duckdb
from sqlglot import exp

from local.emulator import results, trino_sql


def reason(error: duckdb.Error, tree: exp.Expr) -> str:
    """DuckDB's error in Athena's words, one line, without DuckDB's suggestions."""
    line = first_line(error)
    if match := re.search(r'Referenced column "(.+?)" not found', line) or re.search(
        r'column "(.+?)" must appear in the GROUP BY clause or be used', line
    ):
        return f"COLUMN_NOT_FOUND: {_place(tree, match[1])}Column '{match[1]}' cannot be resolved"
    if match := re.search(r'Referenced table "(.+?)" not found', line):
        return f"COLUMN_NOT_FOUND: {_place(tree, match[1])}Column prefix '{match[1]}' cannot be resolved"
    if match := re.search(
        r'(?:does not have a column named|Values list "\w+" does not have a column named) "(.+?)"', line
    ):
        return f"COLUMN_NOT_FOUND: {_place(tree, match[1])}Column '{match[1]}' cannot be resolved"
    if match := re.search(r'column "(.+?)" must appear in the GROUP BY', line):
        return (f"EXPRESSION_NOT_AGGREGATE: {_place(tree, match[1])}'{match[1]}' must be an aggregate expression "
                "or appear in GROUP BY clause")  # fmt: skip
    if match := re.search(r'Ambiguous reference to column name "(.+?)"', line):
        return f"AMBIGUOUS_NAME: {_place(tree, match[1])}Column '{match[1]}' is ambiguous"
    if match := re.search(r"Function with name (\w+) does not exist", line):
        return f"NOT_SUPPORTED: {_place(tree, match[1])}{match[1]} is a function of Athena the local stage cannot run"
    if match := re.search(r"Macro (?:trino_)?(\w+)\(\) (?:does not support|has multiple overloads)", line):
        name = {"plus": "date_add, or of + and - with an interval"}.get(match[1], match[1])
        return f"TYPE_MISMATCH: Unexpected parameters for function {name}"
    if "Division by zero" in line:
        return "DIVISION_BY_ZERO: Division by zero"
    if match := re.search(r"Could not convert (string '.*?') to (\w+)", line):
        return (
            f"INVALID_CAST_ARGUMENT: Cannot cast {match[1]} to {results.athena_type(_INTERNAL.get(match[2], match[2]))}"
        )
    if isinstance(error, duckdb.BinderException):
        return f"TYPE_MISMATCH: {line}"
    return f"GENERIC_INTERNAL_ERROR: {line}"


_INTERNAL = {"INT8": "TINYINT", "INT16": "SMALLINT", "INT32": "INTEGER", "INT64": "BIGINT"}


def _place(tree: exp.Expr, name: str) -> str:
    for node in tree.walk():
        if isinstance(node, exp.Identifier) and node.name.lower() == name.lower() and "line" in node.meta:
            return trino_sql.position(node)
    return ""


def first_line(error: duckdb.Error) -> str:
    return re.sub(r"^\w+ Error: ", "", str(error).splitlines()[0])
