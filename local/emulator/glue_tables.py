"""Glue tables as DuckDB relations: the columns Glue declares, over the objects Athena would read. No emulator in it.

Which objects those are: with partition projection, the ones under the projected prefixes
(https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html); with partition keys and no
projection, the ones under the locations of the registered partitions; else everything under LOCATION. So a wrong
projection or a partition nobody registered shows here as it does on AWS: as missing rows.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.dialects import Hive
from sqlglot.errors import SqlglotError

from local.emulator.trino_sql import QueryError

GlueTable = Mapping[str, Any]
_VIEW = re.compile(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/")


@dataclass(frozen=True)
class Partition:
    """One folder of a table: where its objects lie, and the value of each partition key there."""

    location: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartitionFiles:
    """A partition and the local copies of its objects."""

    values: tuple[str, ...]
    paths: list[str] = field(default_factory=list)


def name_of(table: GlueTable) -> str:
    return f"{table.get('DatabaseName', '')}.{table.get('Name', '')}"


def columns(table: GlueTable) -> dict[str, exp.DataType]:
    """Glue's columns, then its partition keys, in Glue's order, with the types Glue declares.

    Raises QueryError for a type that is not one of Hive's.
    """
    declared = [*(table.get("StorageDescriptor") or {}).get("Columns", []), *partition_keys(table)]
    types: dict[str, exp.DataType] = {}
    for column in declared:
        text = str(column.get("Type", "string"))
        try:
            types[str(column["Name"]).lower()] = exp.DataType.build(text, dialect=Hive)
        except SqlglotError as error:
            problem = f"{name_of(table)}: column {column['Name']} has type {text!r}"
            raise QueryError(f"HIVE_INVALID_METADATA: {problem}") from error
    return types


def partition_keys(table: GlueTable) -> list[Mapping[str, str]]:
    return list(table.get("PartitionKeys") or [])


def location(table: GlueTable) -> str:
    """The table's LOCATION, ending in a slash. Raises QueryError where it has none."""
    place = str((table.get("StorageDescriptor") or {}).get("Location") or "")
    if not place.startswith("s3://"):
        raise QueryError(f"HIVE_INVALID_METADATA: {name_of(table)} has no LOCATION on s3://")
    return place.rstrip("/") + "/"


def view_definition(table: GlueTable) -> Mapping[str, Any] | None:
    """The decoded definition of a VIRTUAL_VIEW (originalSql, schema, columns); None for a table."""
    if table.get("TableType") != "VIRTUAL_VIEW":
        return None
    match = _VIEW.search(str(table.get("ViewOriginalText") or ""))
    if match is None:
        raise QueryError(f"INVALID_VIEW: {name_of(table)} has no '/* Presto View: ... */' text")
    definition: Mapping[str, Any] = json.loads(base64.b64decode(match[1]))
    return definition


def partitions(table: GlueTable, registered: Sequence[Mapping[str, Any]], today: dt.date) -> list[Partition]:
    """The folders Athena reads for the table. Raises QueryError for a projection it cannot make out."""
    keys = [str(key["Name"]) for key in partition_keys(table)]
    if not keys:
        return [Partition(location(table))]
    parameters = {str(k).lower(): str(v) for k, v in (table.get("Parameters") or {}).items()}
    if parameters.get("projection.enabled", "").lower() != "true":
        return [
            Partition(location({**table, "StorageDescriptor": one.get("StorageDescriptor")}), tuple(one["Values"]))
            for one in registered
        ]
    template = parameters.get("storage.location.template")
    base = template or location(table) + "/".join(f"{key}=${{{key}}}" for key in keys) + "/"
    found = [Partition(base)]
    for key in keys:
        found = [
            Partition(one.location.replace(f"${{{key}}}", value), (*one.values, value))
            for one in found
            for value in _projected(name_of(table), key, parameters, today)
        ]
    return [Partition(one.location.rstrip("/") + "/", one.values) for one in found]


def relation(table: GlueTable, files: Sequence[PartitionFiles]) -> str:
    """A SELECT over local files giving exactly the declared columns, a column absent from the files as NULL."""
    types = columns(table)
    typed_nothing = ", ".join(f"CAST(NULL AS {kind.sql('duckdb')}) AS {_quote(name)}" for name, kind in types.items())
    parts = [f"SELECT {typed_nothing} WHERE false"]
    keys = [str(key["Name"]).lower() for key in partition_keys(table)]
    for one in files:
        if not one.paths:
            continue
        fixed = "".join(f", {text(value)} AS {_quote(key)}" for key, value in zip(keys, one.values, strict=True))
        parts.append(f"SELECT *{fixed} FROM {reader(table, one.paths)}")
    chosen = ", ".join(f"CAST({_quote(n)} AS {kind.sql('duckdb')}) AS {_quote(n)}" for n, kind in types.items())
    return f"SELECT {chosen} FROM ({' UNION ALL BY NAME '.join(parts)})"


def reader(table: GlueTable, paths: Sequence[str]) -> str:
    """DuckDB's table function over files of one folder, for the formats the project writes."""
    listed = "[" + ", ".join(text(path) for path in paths) + "]"
    kind = data_format(table)
    if kind == "parquet":
        return f"read_parquet({listed}, union_by_name = true, hive_partitioning = false)"
    if kind == "json":
        keys = {str(key["Name"]).lower() for key in partition_keys(table)}
        fields = ", ".join(f"{text(n)}: {text(k.sql('duckdb'))}" for n, k in columns(table).items() if n not in keys)
        return f"read_json({listed}, format = 'newline_delimited', columns = {{{fields}}}, hive_partitioning = false)"
    raise QueryError(f"NOT_SUPPORTED: {name_of(table)} is {kind}; the local stage reads Parquet and JSON tables")


def data_format(table: GlueTable) -> str:
    """`parquet`, `json` or the class name found, from the SerDe as Athena goes by it."""
    storage = table.get("StorageDescriptor") or {}
    serde = str((storage.get("SerdeInfo") or {}).get("SerializationLibrary") or "")
    for kind in ("parquet", "json"):
        if kind in serde.lower():
            return kind
    return serde or "of no known SerDe"


def _projected(name: str, key: str, parameters: Mapping[str, str], today: dt.date) -> Iterator[str]:
    prefix = f"projection.{key}.".lower()
    kind = parameters.get(prefix + "type", "").lower()
    if kind == "enum":
        yield from (value.strip() for value in parameters.get(prefix + "values", "").split(","))
        return
    ends = [end.strip() for end in parameters.get(prefix + "range", "").split(",")]
    if kind == "integer" and len(ends) == 2 and all(re.fullmatch(r"-?\d+", end) for end in ends):
        width = int(parameters.get(prefix + "digits", "0"))
        step = int(parameters.get(prefix + "interval", "1"))
        yield from (f"{number:0{width}d}" for number in range(int(ends[0]), int(ends[1]) + 1, step))
        return
    pattern = parameters.get(prefix + "format", "")
    if kind == "date" and len(ends) == 2 and pattern in _DATE_FORMATS:
        unit = parameters.get(prefix + "interval.unit", _DATE_FORMATS[pattern][1]).upper().rstrip("S")
        step = int(parameters.get(prefix + "interval", "1"))
        first, last = (_projected_date(name, key, end, pattern, today) for end in ends)
        while first <= last:
            yield first.strftime(_DATE_FORMATS[pattern][0])
            first = _later(first, step, unit)
        return
    raise QueryError(
        f"INVALID_TABLE_PROPERTY: {name}: projection of {key!r} is not one the local stage knows: type {kind!r}, "
        f"range {parameters.get(prefix + 'range')!r}, format {pattern!r}"
    )


_DATE_FORMATS = {"yyyy": ("%Y", "YEAR"), "yyyy-MM": ("%Y-%m", "MONTH"), "yyyy-MM-dd": ("%Y-%m-%d", "DAY")}


def _projected_date(name: str, key: str, text: str, pattern: str, today: dt.date) -> dt.date:
    relative = re.fullmatch(r"NOW(?:\s*([+-])\s*(\d+)\s*(YEAR|MONTH|WEEK|DAY)S?)?", text)
    if relative is not None:
        amount = int(relative[2] or 0) * (-1 if relative[1] == "-" else 1)
        return _later(today, amount, relative[3] or "DAY")
    try:
        return dt.datetime.strptime(text, _DATE_FORMATS[pattern][0]).replace(tzinfo=dt.UTC).date()
    except ValueError as error:
        problem = f"{name}: projection range of {key!r}: {text!r} is not {pattern}"
        raise QueryError(f"INVALID_TABLE_PROPERTY: {problem}") from error


def _later(day: dt.date, amount: int, unit: str) -> dt.date:
    if unit in ("DAY", "WEEK"):
        return day + dt.timedelta(days=amount * (7 if unit == "WEEK" else 1))
    months = day.year * 12 + day.month - 1 + amount * (12 if unit == "YEAR" else 1)
    return dt.date(months // 12, months % 12 + 1, 1)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"
