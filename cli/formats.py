"""A query's answer as a table, as JSON or as CSV."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from cli.output import count, print_table

if TYPE_CHECKING:
    from cli.athena import Answer

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
    records = [encoder.encode(record).decode() for record in answer.records()]
    print("[\n  " + ",\n  ".join(records) + "\n]" if records else "[]")


def _print_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(column.name for column in answer.columns)
    writer.writerows(answer.rows)
