"""What reading one raw document gives, whatever its provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from lambdas.core.errors import InvalidDocument
from lambdas.core.rows import Group, Row
from lambdas.core.schema import Table

ID_LENGTH = 22

DimensionRows: TypeAlias = dict[str, Group]


@dataclass
class Reading:
    """The rows one raw document gives, and what was met on the way."""

    entries: list[Row] = field(default_factory=list)
    songs: DimensionRows = field(default_factory=dict)
    albums: DimensionRows = field(default_factory=dict)
    artists: DimensionRows = field(default_factory=dict)
    song_artists: DimensionRows = field(default_factory=dict)
    depth: int = 0
    gaps: int = 0
    skipped_null: int = 0
    skipped_local: int = 0
    skipped_episode: int = 0
    damaged_texts: int = 0
    """Texts left out because software on the file's way destroyed some of their characters."""
    warnings: list[str] = field(default_factory=list)

    def rows_for(self, table: Table) -> DimensionRows:
        """The rows of a dimension, by the first column of its key."""
        held: DimensionRows = getattr(self, table.name)
        return held


def checked_id(text: str, noun: str, position: int) -> str:
    """A Spotify id: 22 letters and digits. Raises InvalidDocument for anything else."""
    if len(text) != ID_LENGTH or not text.isascii() or not text.isalnum():
        article = "an" if noun[0] in "aeiou" else "a"
        raise InvalidDocument(
            f"position {position}: {text[:40]!r} is not the id of {article} {noun} (22 letters and digits)"
        )
    return text
