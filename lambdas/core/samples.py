"""What tells made-up music from real music.

The stand-in for Spotify makes up artists and songs for the local stage. Whoever shows its charts must say so, and must
not present them as Spotify's content.
"""

from __future__ import annotations

ISRC_PREFIX = "QZ9XX"
"""How every ISRC of a made-up song begins: the shape of a country and registrant that no recording carries."""


def is_sample(isrc: str | None) -> bool:
    """Whether an ISRC is that of a made-up song; False where it is not known."""
    return isrc is not None and isrc.upper().startswith(ISRC_PREFIX)
