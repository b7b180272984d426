"""What reading one raw document gives, whatever its provider."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias, cast

from lambdas.core.errors import InvalidDocument
from lambdas.core.gates import ID_MALFORMED, SOFT, Gate
from lambdas.core.rows import Group, Row
from lambdas.core.schema import SONGS, Table

ID_LENGTH = 22
API = "api"
"""The detail of what the Web API tells: all there is."""
LARGEST_INT = 2**31 - 1
"""The greatest value of an int column."""
_SAID_OF_A_GATE = 5

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
    remarks: list[str] = field(default_factory=list)
    """What the document itself says in words: the operator's reasons."""
    warned: dict[Gate, list[str]] = field(default_factory=dict)
    """What each soft gate has to say, in words."""

    def warn(self, gate: Gate, words: str) -> None:
        """Let the document through a soft gate."""
        self.warned.setdefault(gate, []).append(words)

    @property
    def told_at(self) -> set[int]:
        """When its songs were observed (milliseconds): one moment, for a document or an answer has one."""
        moment = SONGS.index("observed_at")
        return {cast(int, row[moment]) for rows in self.songs.values() for row in rows}

    @property
    def warnings(self) -> list[str]:
        """The remarks, then one warning a gate, which names no more than the first few of what it saw."""
        by_gate = [gate.say(first_few(self.warned[gate])) for gate in SOFT if gate in self.warned]
        return self.remarks + by_gate

    def rows_for(self, table: Table) -> DimensionRows:
        """The rows of a dimension, by the first column of its key."""
        held: DimensionRows = getattr(self, table.name)
        return held

    def forget_dimensions(self) -> None:
        """Let go of the rows of all dimensions, which are most of its memory."""
        for held in (self.songs, self.albums, self.artists, self.song_artists):
            held.clear()


def checked_id(text: str, noun: str, position: int | None) -> str:
    """A Spotify id: 22 letters and digits. Raises InvalidDocument for anything else, with the position if any."""
    if len(text) != ID_LENGTH or not text.isascii() or not text.isalnum():
        article = "an" if noun[0] in "aeiou" else "a"
        raise InvalidDocument(
            f"{at(position)}{text[:40]!r} is not the id of {article} {noun} (22 letters and digits)", gate=ID_MALFORMED
        )
    return text


def at(position: int | None) -> str:
    """Beginning of a message about what stands at a position; empty for an answer that has no positions."""
    return "" if position is None else f"position {position}: "


def first_few(things: Iterable[object]) -> str:
    """The first five of what may be many, in words: "2, 3, 4, 5, 6 ..."."""
    shown = list(islice(things, _SAID_OF_A_GATE + 1))
    return ", ".join(map(str, shown[:_SAID_OF_A_GATE])) + (" ..." if len(shown) > _SAID_OF_A_GATE else "")
