"""Whose content the page shows: Spotify's, which is named and linked as its design rules ask, or made-up samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lambdas.core.report.answers import Charted, Entry
from lambdas.core.samples import is_sample

HOME = "https://open.spotify.com/"


@dataclass(frozen=True)
class Origin:
    """What the newest chart's songs are: `has_samples` if any is made up, `is_spotifys` if any is not."""

    has_samples: bool
    is_spotifys: bool

    @classmethod
    def of(cls, today: Iterable[Entry]) -> Origin:
        """Told by the ISRCs. A song without one is taken as the others are: chart files have none, and are real."""
        isrcs = [entry.isrc for entry in today if entry.isrc]
        has_samples = any(map(is_sample, isrcs))
        return cls(has_samples, is_spotifys=not has_samples or not all(map(is_sample, isrcs)))

    def link(self, song: Entry | Charted) -> str | None:
        """The address of a song on Spotify, or None: it is made up, may be, or has none that leads there."""
        if not self.is_spotifys or is_sample(song.isrc) or (self.has_samples and not song.isrc):
            return None
        return song.url if song.url is not None and song.url.startswith(HOME) else None
