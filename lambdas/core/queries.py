"""The questions in `queries/`: one SQL file each, with a header that says what it asks.

    -- title: Today's top 10
    -- question: What is on the chart today, and how did it move?
    -- parameters: chart = regional-global-daily, to_date = newest, places = 10
    -- columns: position, song, artists
    --
    -- Notes: what the columns mean, and what the question leaves out.
    SELECT ...

Parameters are Athena execution parameters, `?` in the order of the header, each with a default. Name and default tell
what a parameter takes: a number where the default is one, a chart's name where it is called `chart` or `..._chart`, a
date (or the default's word, such as `newest`) where it is called `date` or `..._date`, and else any text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias

from lambdas.core.charts import parse_chart
from lambdas.core.errors import ConfigurationError, InvalidChart

Kind: TypeAlias = Literal["chart", "date", "number", "text"]

_HEADER = re.compile(r"--\s*(title|question|parameters|columns):\s*(.*)")
_NOTES = re.compile(r"\A(?:--[^\n]*\n)+")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# https://docs.aws.amazon.com/athena/latest/APIReference/API_NamedQuery.html
_LONGEST_NAME, _LONGEST_DESCRIPTION, _LARGEST_SQL = 128, 1024, 262_144


@dataclass(frozen=True)
class Parameter:
    """A value the user may set; `default` is used otherwise."""

    name: str
    default: str

    @property
    def kind(self) -> Kind:
        """What it takes, by its name and default."""
        if _NUMBER.fullmatch(self.default):
            return "number"
        last_word = self.name.rpartition("_")[2]
        return "chart" if last_word == "chart" else "date" if last_word == "date" else "text"

    def literal(self, value: str) -> str:
        """A value as a SQL literal: a number as it is, anything else as a string.

        Raises ConfigurationError for a value of another kind.
        """
        if self.kind == "number":
            if not _NUMBER.fullmatch(value):
                raise ConfigurationError(f"parameter {self.name} is a number such as {self.default}, not {value!r}")
            return value
        if self.kind == "chart":
            try:
                parse_chart(value)
            except InvalidChart as error:
                raise ConfigurationError(f"parameter {self.name}: {error}") from error
        if self.kind == "date" and value != self.default and not _is_date(value):
            example = "2026-11-21" if _is_date(self.default) else f"2026-11-21, or {self.default}"
            raise ConfigurationError(f"parameter {self.name} is a date such as {example}, not {value!r}")
        return literal(value)


@dataclass(frozen=True)
class Query:
    """One question: its name (the file's), its header and its SQL, which begins with the notes as comments."""

    name: str
    title: str
    question: str
    parameters: tuple[Parameter, ...]
    columns: tuple[str, ...]
    sql: str

    @property
    def notes(self) -> str:
        """What stands between header and SQL, without its marks; empty where there is nothing."""
        comment = self.sql.removesuffix(self.bare_sql)
        return "\n".join(line.removeprefix("--").removeprefix(" ") for line in comment.splitlines()).strip()

    @property
    def bare_sql(self) -> str:
        """The SQL without its notes."""
        return _NOTES.sub("", self.sql)


def literal(value: str) -> str:
    """A string as a SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def parse_query(name: str, text: str) -> Query:
    """The query in a file's text.

    Raises ConfigurationError naming the file and what its header lacks, or what of it is longer than Athena takes.
    """
    header: dict[str, str] = {}
    body: list[str] = []
    for line in text.splitlines():
        found = _HEADER.fullmatch(line.rstrip())
        if found and not body:
            header[found[1]] = found[2].strip()
        elif line.strip() or body:
            body.append(line.rstrip())
    for field in ("title", "question", "columns"):
        if not header.get(field):
            raise ConfigurationError(f"queries/{name}.sql: its header has no '-- {field}:' line")
    parameters = []
    for item in filter(None, (part.strip() for part in header.get("parameters", "").split(","))):
        key, equals, default = (part.strip() for part in item.partition("="))
        if not equals:
            raise ConfigurationError(f"queries/{name}.sql: parameter {key!r} needs a default: 'name = value'")
        parameters.append(Parameter(key, default))
    query = Query(
        name=name,
        title=header["title"],
        question=header["question"],
        parameters=tuple(parameters),
        columns=tuple(column.strip() for column in header["columns"].split(",")),
        sql="\n".join(body).strip().rstrip(";"),
    )
    for what, length, most in (
        ("name", len(name), _LONGEST_NAME),
        ("question", len(query.question), _LONGEST_DESCRIPTION),
        ("SQL", len(query.sql.encode()), _LARGEST_SQL),
    ):
        if length > most:
            raise ConfigurationError(f"queries/{name}.sql: its {what} is of {length}, and Athena takes {most} at most")
    try:
        for parameter in query.parameters:
            parameter.literal(parameter.default)
    except ConfigurationError as error:
        raise ConfigurationError(f"queries/{name}.sql: a default does not fit: {error}") from error
    return query


def read_queries(folder: Path) -> tuple[Query, ...]:
    """All queries in a folder, by name. Raises ConfigurationError for a bad header."""
    return tuple(parse_query(path.stem, path.read_text("utf-8")) for path in sorted(folder.glob("*.sql")))


def _is_date(value: str) -> bool:
    try:
        return _DATE.fullmatch(value) is not None and bool(date.fromisoformat(value))
    except ValueError:
        return False
