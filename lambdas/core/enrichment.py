"""Enrichment: which songs Spotify is asked about, one id a call, and in which order.

Chart files name a song and its credit, and no more. The Web API tells of one song in one call, with its album and its
artists. What it answered is cached by id, so that no song is asked about twice; only what stands on a chart now is
asked about again, once it has grown old.

Nothing here reads or asks: the plan is a function of what the tables and the cache hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec

from lambdas.core.reading import API
from lambdas.core.rows import milliseconds

LEAST_CALLS: Final = 2
"""Of a run: one for its token, and one to ask about a song."""
MAX_CALLS: Final = 10_000


class KnownSong(NamedTuple):
    """What the table `songs` says of a song, as far as it is asked here. `observed_at`: milliseconds since 1970."""

    song_id: str
    detail: str
    observed_at: int


@dataclass(frozen=True)
class Gone:
    """What Spotify answers for a song that it does not, or no longer, know. `reason` is in its own words."""

    reason: str


class SongSource(Protocol):
    """Where a song is asked about."""

    def song(self, song_id: str) -> msgspec.Raw | Gone:
        """Spotify's answer about a song, verbatim.

        Raises a subclass of `lambdas.core.errors.SourceError`: SourceUnavailable for trouble that may be this song's
        alone, any other for a wall that all songs are behind.
        """
        ...


AskedAt: TypeAlias = Callable[[Sequence[str]], Mapping[str, datetime]]
"""When Spotify was last asked about some songs that are cached; without those whose cached answer cannot be read."""


@dataclass(frozen=True)
class Plan:
    """What is to be asked, in this order: the songs that never were, newest chart date first; then those to refresh.

    `unsettled` are not asked: an answer is cached and not in the tables, because Spotify does not know the song, the
    answer is on its way or was lost there, or it cannot be used. `newest` counts the songs that stand on the newest
    date of a chart, `newest_waiting` those of them that never were asked: what these dates cost in calls.
    """

    waiting: tuple[str, ...]
    refresh: tuple[str, ...]
    unsettled: tuple[str, ...]
    newest: int
    newest_waiting: int

    @property
    def ask(self) -> tuple[str, ...]:
        """The songs to ask about, in order."""
        return self.waiting + self.refresh


def plan_enrichment(
    songs: Iterable[KnownSong],
    *,
    cached: Set[str],
    newest: Collection[str],
    asked_at: AskedAt,
    now: datetime,
    refresh_after: timedelta,
) -> Plan:
    """What to ask.

    `cached` are the songs that an answer is cached of, `newest` those on the newest date of each chart. A song's
    `observed_at` is that of the newest chart date it was seen on, for as long as only charts tell of it: so the newest
    charts come first. Of songs on the newest dates those are asked about again whose row, and whose cached answer, are
    `refresh_after` old or older: also those that were gone then.
    """
    on_newest = frozenset(newest)
    oldest_kept = milliseconds(now - refresh_after)
    waiting: list[KnownSong] = []
    unsettled: list[KnownSong] = []
    old: list[KnownSong] = []
    for song in songs:
        full = song.detail == API
        if not full:
            (unsettled if song.song_id in cached else waiting).append(song)
        if song.song_id in on_newest and (song.observed_at <= oldest_kept if full else song.song_id in cached):
            old.append(song)
    known = asked_at([song.song_id for song in old if song.song_id in cached])
    due = [song for song in old if song.song_id not in known or known[song.song_id] <= now - refresh_after]
    return Plan(
        waiting=_newest_first(waiting),
        refresh=tuple(song.song_id for song in sorted(due, key=lambda song: (song.observed_at, song.song_id))),
        unsettled=_newest_first(unsettled),
        newest=len(on_newest),
        newest_waiting=sum(song.song_id in on_newest for song in waiting),
    )


def _newest_first(songs: Iterable[KnownSong]) -> tuple[str, ...]:
    return tuple(song.song_id for song in sorted(songs, key=lambda song: (-song.observed_at, song.song_id)))
