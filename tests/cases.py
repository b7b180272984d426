"""How many generated cases a property is tried on: few in continuous integration, many where somebody waits for it."""

from __future__ import annotations

import os
from typing import Final

PROFILE: Final = "HYPOTHESIS_PROFILE"
THOROUGH: Final = 1_000
"""Cases of each property with HYPOTHESIS_PROFILE=thorough."""


def cases(usual: int) -> int:
    """The usual number of a property's cases, or at least `THOROUGH`. Raises ValueError for another profile."""
    profile = os.environ.get(PROFILE, "")
    if profile not in ("", "thorough"):
        raise ValueError(f"{PROFILE} is {profile!r}: leave it out, or set it to 'thorough'")
    return max(usual, THOROUGH) if profile else usual
