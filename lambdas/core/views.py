"""The views in `queries/views/`: one SQL file each, with a header that tells its columns, types and their meaning.

    -- meaning: One row for each position of each chart.
    -- column: chart_date date: Last day counted.
    SELECT ...

A view has no rows of its own: whoever reads it reads the tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lambdas.core.errors import ConfigurationError
from lambdas.core.schema import Column, ColumnType

TRINO_TYPES = {
    ColumnType.STRING: "varchar",
    ColumnType.INT: "integer",
    ColumnType.BIGINT: "bigint",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.DATE: "date",
    ColumnType.TIMESTAMP: "timestamp(3)",
}
"""The names that Trino, and so Athena, has for Glue's types."""

_MEANING = re.compile(r"-- meaning: (.+)")
_COLUMN = re.compile(r"-- column: (\w+) (\w+): (.+)")
# What Glue takes as a column's comment: https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
_LONGEST_COMMENT = 255


@dataclass(frozen=True)
class View:
    """A view: its name (the file's), what its rows are, its columns in the order of its SQL, and that SQL."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    sql: str

    @property
    def original_sql(self) -> str:
        """The SQL with each column cast to the type that the header gives, whatever the engine makes of it."""
        cast = ", ".join(f'CAST("{c.name}" AS {TRINO_TYPES[c.type]}) AS "{c.name}"' for c in self.columns)
        return f"SELECT {cast} FROM (\n{self.sql}\n)"


def parse_view(name: str, text: str) -> View:
    """The view in a file's text. Raises ConfigurationError naming the file and what is wrong with its header."""
    file = f"queries/views/{name}.sql"
    lines = text.splitlines()
    head = [line.rstrip() for line in lines if line.startswith("--")]
    meaning = _MEANING.fullmatch(head[0]) if head else None
    if meaning is None:
        raise ConfigurationError(f"{file}: it does not begin with '-- meaning: ...'")
    columns = tuple(_column(file, line) for line in head[1:])
    if not columns:
        raise ConfigurationError(f"{file}: its header has no '-- column: name type: meaning' line")
    sql = "\n".join(lines[len(head) :]).strip().rstrip(";")
    return View(name=name, meaning=meaning[1], columns=columns, sql=sql)


def read_views(folder: Path) -> tuple[View, ...]:
    """All views in a folder, by name. Raises ConfigurationError for a bad header."""
    return tuple(parse_view(path.stem, path.read_text("utf-8")) for path in sorted(folder.glob("*.sql")))


def _column(file: str, line: str) -> Column:
    found = _COLUMN.fullmatch(line)
    if found is None:
        raise ConfigurationError(f"{file}: {line!r} is not '-- column: name type: meaning'")
    name, kind, meaning = found.groups()
    if kind not in {known.value for known in ColumnType}:
        raise ConfigurationError(
            f"{file}: column {name} has type {kind!r}, not one of {', '.join(known.value for known in ColumnType)}"
        )
    if len(meaning) > _LONGEST_COMMENT:
        raise ConfigurationError(f"{file}: column {name}: Glue takes {_LONGEST_COMMENT} characters of meaning at most")
    return Column(name, ColumnType(kind), meaning)
