"""What is left in the tables of documents that can be read no more, and which dimension rows stay for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from arro3.core import RecordBatch

from lambdas.core.dimensions import Stays
from lambdas.core.parquet import column_values
from lambdas.core.reading import API
from lambdas.core.rows import milliseconds
from lambdas.core.schema import ALBUMS, ARTISTS, CHART_ENTRIES, SONG_ARTISTS, SONGS, Table

_CLOCKS_APART = timedelta(hours=1)
"""By how much at most a function's clock and ours differ."""


class Remains:
    """Gathered while a rebuild of everything looks at the tables, and asked when it settles a dimension."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._began = now()
        self._read: set[int] = set()
        self._moments: set[int] = set()
        self._referenced: dict[Table, set[str]] = {SONGS: set()}

    def add_read(self, moments: Iterable[int]) -> None:
        """Documents and cached answers that were read, by when they were observed (milliseconds)."""
        self._read.update(moments)

    def add_documents(self, moments: Iterable[int]) -> None:
        """Documents that cannot be read any more, by when they were observed (milliseconds)."""
        self._moments.update(moments)

    def add_entries(self, entries: RecordBatch) -> None:
        """Entries that stay without documents: they need their songs, and tell when they were observed."""
        self._referenced[SONGS].update(map(str, column_values(CHART_ENTRIES, entries, "song_id")))
        moments = column_values(CHART_ENTRIES, entries, "observed_at")
        self._moments.update(moment for moment in moments if isinstance(moment, int))

    @property
    def needs_songs(self) -> bool:
        """Whether any entries stay."""
        return bool(self._referenced[SONGS])

    def add_references(self, songs: RecordBatch | None, song_artists: RecordBatch | None) -> None:
        """What the songs that are needed need in their turn, as the tables have it: albums, credits and artists."""
        needed = self._referenced[SONGS]
        self._referenced[SONG_ARTISTS] = needed
        for table, batch, column, other in (
            (SONGS, songs, "album_id", ALBUMS),
            (SONG_ARTISTS, song_artists, "artist_id", ARTISTS),
        ):
            if batch is not None:
                pairs = zip(*(column_values(table, batch, name) for name in ("song_id", column)), strict=True)
                self._referenced[other] = {str(found) for song_id, found in pairs if song_id in needed and found}

    def stays(self, table: Table) -> Stays:
        """Which rows stay though what was made has another of a lower rank, or none.

        Those whose source may be gone; and what is needed, if nothing else was made for it. `snapshots` names every
        document that there ever was, and nothing names the cached answers: a row that the Web API told at a moment of
        which nothing was read may be of an answer that has expired, and of one that came since we began.
        """
        referenced = self._referenced.get(table, set())

        earliest = milliseconds(self._began - _CLOCKS_APART)
        latest = milliseconds(self._now() + _CLOCKS_APART)

        def row_stays(key: str, detail: str, observed_at: int, is_made: bool) -> bool:
            if observed_at in self._moments or (not is_made and key in referenced):
                return True
            may_be_unread = observed_at not in self._read or observed_at >= earliest
            return detail == API and may_be_unread and observed_at <= latest

        return row_stays
