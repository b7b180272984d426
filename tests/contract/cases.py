"""What can happen to whoever asks Spotify: each case is played to every source, or its source is excused with a reason.

A test joins by `@case(...)`, which says what each source comes to. docs/walls.py makes a table of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import pytest

from lambdas.core.errors import PipelineError
from tests.contract.sources import SOURCES, SourceName

CASES: Final[Mapping[str, str]] = {
    "complete chart": "All is as it should be",
    "all pages": "There is more than one page holds",
    "both shapes": "Names of before 2026, of 2026, or both",
    "short page": "A page lacks some of its entries",
    "repeated page": "A page holds the entries of the one before",
    "total that disagrees": "The total is another number than there are entries",
    "metadata only": "200 without entries: metadata only",
    "someone else's": "The playlist is someone else's",
    "empty": "200 with a list of no entries",
    "chart not there": "200 without the chart that is asked for",
    "401": "401, also with a new token",
    "expired token": "401 because the token has expired",
    "sign-in over": "`invalid_grant`: the sign-in is over",
    "wrong secret": "`invalid_client`: the secret is wrong",
    "403": "403",
    "404": "404",
    "429 short": "429, to wait for seconds",
    "429 long": "429, to wait for hours",
    "429 quota": "429 with `QUOTA_EXCEEDED`",
    "5xx once": "5xx, once or twice",
    "5xx always": "5xx, always",
    "slow": "The answer is late",
    "silent": "The answer does not come in the run's time",
    "cut off once": "The connection breaks off, once",
    "cut off always": "The connection breaks off, always",
    "malformed JSON once": "Broken JSON, once",
    "malformed JSON always": "Broken JSON, always",
}
"""Every case, and what it is called in the documentation."""


@dataclass(frozen=True)
class Ends:
    """The run ends with this error, of one line that names what was asked for."""

    error: type[PipelineError]


@dataclass(frozen=True)
class GoesThrough:
    """The answer comes whole, as if nothing had been."""


@dataclass(frozen=True)
class IsGone:
    """The song is remembered as one that Spotify does not know."""


@dataclass(frozen=True)
class CannotBe:
    """The source cannot meet the case, and why."""

    reason: str


Outcome: TypeAlias = Ends | GoesThrough | IsGone | CannotBe
THROUGH: Final = GoesThrough()

OUTCOMES: Final[dict[str, dict[SourceName, Outcome]]] = {name: {} for name in CASES}
"""What each source comes to in each case: filled as the tests are defined."""


def case(
    name: str,
    everywhere: Outcome | None = None,
    *,
    playlist: Outcome | None = None,
    playlist_of_app: Outcome | None = None,
    playlist_of_user: Outcome | None = None,
    public_charts: Outcome | None = None,
    songs: Outcome | None = None,
) -> pytest.MarkDecorator:
    """Play the test to every source that can meet the case, with `given` and the `outcome` it is to come to.

    `everywhere` holds for the sources that are not named; `playlist` names both of the app's and the user's.
    """
    named: dict[SourceName, Outcome | None] = {
        "playlist_of_app": playlist_of_app or playlist,
        "playlist_of_user": playlist_of_user or playlist,
        "public_charts": public_charts,
        "songs": songs,
    }
    outcomes = {source: outcome for source in SOURCES if (outcome := named.get(source) or everywhere) is not None}
    assert OUTCOMES[name] in ({}, outcomes), f"two tests of the case {name!r} say different things"
    OUTCOMES[name] = outcomes
    played = [
        pytest.param(source, outcome, id=source)
        for source, outcome in outcomes.items()
        if not isinstance(outcome, CannotBe)
    ]
    return pytest.mark.parametrize(("given", "outcome"), played, indirect=["given"])
