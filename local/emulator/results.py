"""Answers of DuckDB in the words Athena's API uses: column types, and every value as text.

https://docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html; the text of a value is what Trino's client
protocol gives (doubles as Java prints them, timestamps with three digits of a second, arrays as [a, b]).
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections.abc import Mapping, Sequence
from decimal import Decimal

from local.emulator.trino_sql import QueryError

_TYPES = {
    "BOOLEAN": "boolean", "TINYINT": "tinyint", "UTINYINT": "smallint", "SMALLINT": "smallint", "USMALLINT": "integer",
    "INTEGER": "integer", "UINTEGER": "bigint", "BIGINT": "bigint", "UBIGINT": "bigint", "HUGEINT": "bigint",
    "UHUGEINT": "bigint", "FLOAT": "float", "DOUBLE": "double", "DECIMAL": "decimal", "VARCHAR": "varchar",
    "BLOB": "varbinary", "DATE": "date", "TIME": "time", "TIMESTAMP": "timestamp", "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp", "TIMESTAMP_NS": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "INTERVAL": "interval day to second", "MAP": "map", "STRUCT": "row", "JSON": "json", "UUID": "varchar",
}  # fmt: skip


def athena_type(duckdb_type: str) -> str:
    """`bigint` for `HUGEINT`, `array` for `VARCHAR[]`; `varchar` for what has no type, such as a bare NULL."""
    if duckdb_type.endswith("]"):
        return "array"
    return _TYPES.get(duckdb_type.split("(")[0].strip(), "varchar")


def text(value: object, duckdb_type: str = "") -> str | None:
    """The value as Athena's VarCharValue; None for NULL. Raises QueryError for an integer beyond bigint."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise QueryError("NUMERIC_VALUE_OUT_OF_RANGE: bigint addition overflow")
        return str(value)
    if isinstance(value, float):
        return _double(value, single=duckdb_type == "FLOAT")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        stamp = f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
        return f"{stamp} UTC" if value.tzinfo is not None else stamp
    if isinstance(value, dt.time):
        return f"{value:%H:%M:%S}.{value.microsecond // 1000:03d}"
    if isinstance(value, dt.timedelta):
        seconds, micro = divmod(abs(value) // dt.timedelta(microseconds=1), 1_000_000)
        sign = "-" if value < dt.timedelta() else ""
        return (f"{sign}{seconds // 86400} {seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:"
                f"{seconds % 60:02d}.{micro // 1000:03d}")  # fmt: skip
    if isinstance(value, bytes):
        return " ".join(f"{byte:02x}" for byte in value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_member(k)}={_member(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_member(item) for item in value) + "]"
    return str(value)


def csv_line(values: Sequence[str | None]) -> str:
    """One line of an Athena result file: every value quoted, a NULL as nothing."""
    return ",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in values) + "\n"


def _member(value: object) -> str:
    return "null" if value is None else str(text(value))


def _double(value: float, *, single: bool) -> str:
    """As Java's Double.toString: plain between 1e-3 and 1e7, else with an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    shortest = _single(value) if single else repr(value)
    if value == 0:
        return shortest
    if 1e-3 <= abs(value) < 1e7:
        return format(Decimal(shortest), "f") if "e" in shortest else shortest
    mantissa, _, exponent = f"{Decimal(shortest):E}".partition("E")
    sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, rest = digits.partition(".")
    return f"{sign}{whole}.{rest.rstrip('0') or '0'}E{int(exponent)}"


def _single(value: float) -> str:
    for digits in range(1, 10):
        candidate = f"{value:.{digits}g}"
        if struct.pack("f", float(candidate)) == struct.pack("f", value):
            return repr(float(candidate))
    return repr(value)
