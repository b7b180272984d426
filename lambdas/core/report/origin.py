"""Whose content the page shows: Spotify's, which is named and linked as its design rules ask, or made-up samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lambdas.core.report.answers import Charted, Entry
from lambdas.core.samples import is_sample

HOME = "https://open.spotify.com/"


@dataclass(frozen=True)
class Origin:
    """What the page's songs are: `has_samples` if any is made up, on any date, `only_samples` if all of them are, and
    `is_spotifys` if any of the newest chart is not.
    """

    has_samples: bool
    only_samples: bool
    is_spotifys: bool

    @classmethod
    def of(cls, today: Iterable[Entry], songs: Iterable[Charted]) -> Origin:
        """Told by the ISRCs. A song of the newest chart without one is taken as the others are; one of an earlier date
        came from a chart file, which has none and is real.
        """
        newest = list(today)
        samples = [is_sample(entry.isrc) for entry in newest if entry.isrc]
        is_spotifys = not samples or not all(samples)
        current = {entry.recording_id for entry in newest}
        earlier = [is_sample(song.isrc) for song in songs if song.recording_id not in current]
        return cls(any(samples) or any(earlier), not is_spotifys and all(earlier), is_spotifys)

    def link(self, song: Entry | Charted) -> str | None:
        """The address of a song on Spotify, or None: it is made up, may be, or has none that leads there."""
        if not self.is_spotifys or is_sample(song.isrc) or (self.has_samples and not song.isrc):
            return None
        return song.url if song.url is not None and song.url.startswith(HOME) else None
