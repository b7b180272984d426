"""A query's answer as a table, as JSON or as CSV."""

from __future__ import annotations

import csv
import sys
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias, get_args

from cli.output import count, print_table
from lambdas.core.adapters.athena import FLOATS, INTEGERS, Answer

JsonValue: TypeAlias = str | int | float | bool | Decimal | None
Format: TypeAlias = Literal["table", "json", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)


def print_answer(answer: Answer, form: Format) -> None:
    """Print the answer: `table` for people, `json` an array of objects with typed values, `csv` by RFC 4180.

    A null is an empty cell in a table and in CSV.
    """
    if form == "json":
        _print_json(answer)
    elif form == "csv":
        _print_csv(answer)
    else:
        print_rows(answer)


def print_rows(answer: Answer) -> None:
    """Print the answer as a table with the number of its rows."""
    if answer.columns:
        print_table(
            [column.name for column in answer.columns],
            [[value or "" for value in row] for row in answer.rows],
            right=[column.is_number for column in answer.columns],
        )
    print(f"({count(len(answer.rows), 'row')})")


def _print_json(answer: Answer) -> None:
    import msgspec

    encoder = msgspec.json.Encoder(decimal_format="number")
    lines = [encoder.encode(record).decode() for record in records(answer)]
    print("[\n  " + ",\n  ".join(lines) + "\n]" if lines else "[]")


def _print_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(column.name for column in answer.columns)
    writer.writerows(answer.rows)


def records(answer: Answer) -> list[dict[str, JsonValue]]:
    """Rows as objects with typed values (`typed`). A column name that comes again gets a number: `name_2`."""
    names: list[str] = []
    for column in answer.columns:
        again = sum(earlier.name == column.name for earlier in answer.columns[: len(names)])
        names.append(f"{column.name}_{again + 1}" if again else column.name)
    return [
        {name: typed(value, column.type) for name, column, value in zip(names, answer.columns, row, strict=True)}
        for row in answer.rows
    ]


def typed(value: str | None, athena_type: str) -> JsonValue:
    """A value as JSON has it.

    Numbers are numbers (decimals exactly), booleans booleans, dates and timestamps ISO 8601 text. NaN and infinities,
    which JSON cannot say, are null.
    """
    if value is None:
        return None
    if athena_type in INTEGERS:
        return int(value)
    if athena_type in FLOATS:
        number = float(value)
        return number if number - number == 0 else None
    if athena_type.startswith("decimal"):
        try:
            return Decimal(value)
        except InvalidOperation:
            return value
    if athena_type == "boolean":
        return value == "true"
    if athena_type.startswith("timestamp"):
        return _iso_timestamp(value)
    return value


def _iso_timestamp(value: str) -> str:
    """`2026-11-21T06:00:00.000`, and a `Z` if Athena says UTC; a zone by name is left as it is."""
    text, utc, _ = value.partition(" UTC")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return value
    return moment.isoformat(timespec="milliseconds" if moment.microsecond % 1000 == 0 else "microseconds") + (
        "Z" if utc else ""
    )
