"""Where the real Spotify payloads lie that contract tests read: beside the repository, never in it."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAYLOADS = REPOSITORY.parent / "shared" / "data" / "spotify"

requires_payloads = pytest.mark.skipif(
    not PAYLOADS.is_dir(), reason=f"needs real Spotify payloads, which are not part of the repository, in {PAYLOADS}"
)
