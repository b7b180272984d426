"""The port through which SQL sees a Glue catalog and its objects, and the shape of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local.emulator.glue_tables import GlueTable

NAME = "awsdatacatalog"


class Catalog(Protocol):
    """Where a session finds databases, tables and objects."""

    def databases(self) -> list[str]: ...

    def tables(self, database: str) -> list[GlueTable]: ...

    def table(self, database: str, name: str) -> GlueTable | None: ...

    def registered_partitions(self, table: GlueTable) -> Sequence[Mapping[str, object]]: ...

    def copy_objects(self, location: str, into: Path) -> list[Path]:
        """Copy every object under `s3://bucket/prefix/` (hidden ones left out) and return the files."""
        ...


@dataclass
class Answer:
    """A result: column names, Athena's types, rows of text, and the size in bytes of the objects read.

    Athena reads only the columns and row groups it needs, so `scanned_bytes` is an upper bound of its figure.
    """

    columns: list[str]
    types: list[str]
    rows: list[list[str | None]]
    scanned_bytes: int = 0
    # DML carries its column names as a first row of the result, the others do not.
    statement_type: str = "DML"
