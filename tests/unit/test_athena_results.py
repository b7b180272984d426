"""Values and types are written as Athena writes them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from local.emulator.results import athena_type, csv_line, text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (True, "true"),
        (0.0, "0.0"),
        (-0.001, "-0.001"),
        (0.00099, "9.9E-4"),
        (9999999.0, "9999999.0"),
        (10000000.0, "1.0E7"),
        (-1.5e300, "-1.5E300"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (Decimal("0.10"), "0.10"),
        (Decimal("1E+2"), "100"),
        (dt.date(2026, 1, 4), "2026-01-04"),
        (dt.datetime(2026, 1, 4, 1, 2, 3, 4567, tzinfo=dt.UTC).replace(tzinfo=None), "2026-01-04 01:02:03.004"),
        (dt.datetime(2026, 1, 4, tzinfo=dt.UTC), "2026-01-04 00:00:00.000 UTC"),
        (dt.time(1, 2, 3), "01:02:03.000"),
        (dt.timedelta(days=1, hours=2), "1 02:00:00.000"),
        (b"hi", "68 69"),
        ([1, None, "a"], "[1, null, a]"),
        ({"a": 1, "b": None}, "{a=1, b=null}"),
        (["", ["x"]], "[, [x]]"),
    ],
)
def test_a_value_is_written_as_athena_writes_it(value: object, written: str | None) -> None:
    assert text(value) == written


def test_a_real_is_written_in_its_own_precision() -> None:
    assert text(0.10000000149011612, "FLOAT") == "0.1"


@pytest.mark.parametrize(
    ("duckdb_type", "athena"),
    [
        ("HUGEINT", "bigint"), ("UBIGINT", "bigint"), ("INTEGER", "integer"), ("DECIMAL(10,2)", "decimal"),
        ("VARCHAR[]", "array"), ("MAP(VARCHAR, INTEGER)", "map"), ("STRUCT(a INTEGER)", "row"),
        ("TIMESTAMP_MS", "timestamp"), ("TIMESTAMP WITH TIME ZONE", "timestamp with time zone"), ('"NULL"', "varchar"),
    ],
)  # fmt: skip
def test_a_type_has_athenas_name(duckdb_type: str, athena: str) -> None:
    assert athena_type(duckdb_type) == athena


def test_a_line_of_a_result_file_tells_null_from_empty() -> None:
    assert csv_line(["a", None, "", 'say "x"']) == '"a",,"","say ""x"""\n'
