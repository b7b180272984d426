"""The questions in `queries/`: one SQL file each, with a header that says what it asks.

    -- title: Today's top 10
    -- question: What is on the chart today, and how did it move?
    -- parameters: chart = regional-global-daily, limit = 10
    -- columns: position, song, artists
    SELECT ...

Parameters are Athena execution parameters, `?` in the order of the header, each with a default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lambdas.core.errors import ConfigurationError

_HEADER = re.compile(r"--\s*(title|question|parameters|columns):\s*(.*)")


@dataclass(frozen=True)
class Parameter:
    """A value the user may set; `default` is used otherwise."""

    name: str
    default: str


@dataclass(frozen=True)
class Query:
    """One question: its name (the file's), its header and its SQL."""

    name: str
    title: str
    question: str
    parameters: tuple[Parameter, ...]
    columns: tuple[str, ...]
    sql: str


def parse_query(name: str, text: str) -> Query:
    """The query in a file's text. Raises ConfigurationError naming the file and what its header lacks."""
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
        parameter, equals, default = (part.strip() for part in item.partition("="))
        if not equals:
            raise ConfigurationError(f"queries/{name}.sql: parameter {parameter!r} needs a default: 'name = value'")
        parameters.append(Parameter(parameter, default))
    return Query(
        name=name,
        title=header["title"],
        question=header["question"],
        parameters=tuple(parameters),
        columns=tuple(column.strip() for column in header["columns"].split(",")),
        sql="\n".join(body).strip().rstrip(";"),
    )


def read_queries(folder: Path) -> tuple[Query, ...]:
    """All queries in a folder, by name. Raises ConfigurationError for a bad header."""
    return tuple(parse_query(path.stem, path.read_text("utf-8")) for path in sorted(folder.glob("*.sql")))
