"""How the stand-in answers until told otherwise."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date

from local.spotify.faults import InvalidControl
from local.spotify.model import LAST_CHART_DATE, MAX_SIZE
from local.spotify.payloads import Era, Json

FIRST_TODAY = date(2017, 1, 6)
"""The first day on which both a daily and a weekly chart have come out."""


@dataclass(frozen=True)
class Settings:
    """How the stand-in answers until told otherwise."""

    era: Era = Era.DEVELOPMENT
    today: date | None = None
    """The day on which playlists are read; None: the current day (UTC)."""

    chart_size: int = 50
    """Songs of each chart, up to 200."""

    non_owner: bool = False
    """Whether playlists are someone else's: metadata only, and 403 from their items endpoint."""

    public_filled: bool = False
    """Whether the public charts tell peaks, time on the chart, labels and streams, as in 2023."""

    def __post_init__(self) -> None:
        if not 1 <= self.chart_size <= MAX_SIZE:
            raise InvalidControl(f"chart_size is {self.chart_size}: use 1 to {MAX_SIZE}")
        if self.today is not None and not FIRST_TODAY <= self.today <= LAST_CHART_DATE:
            raise InvalidControl(f"today is {self.today}: use a day from {FIRST_TODAY} to {LAST_CHART_DATE}")

    def as_json(self) -> Json:
        """The settings as the control endpoint takes them."""
        return {**asdict(self), "today": self.today and self.today.isoformat()}


def settings_from_json(given: object, before: Settings) -> Settings:
    """`before` with the settings of a JSON object in place of its own. Raises InvalidControl."""
    if not isinstance(given, dict):
        raise InvalidControl("settings are a JSON object")
    known = before.as_json()
    changed: dict[str, object] = {}
    for key, value in given.items():
        if key not in known:
            raise InvalidControl(f"unknown setting {key!r}: use {', '.join(known)}")
        changed[key] = _setting(key, value)
    return replace(before, **changed)  # type: ignore[arg-type]  # each value was checked against its setting


def _setting(key: str, value: object) -> object:
    if key == "era":
        if value not in [era.value for era in Era]:
            raise InvalidControl(f"era is {value!r}: use one of {', '.join(era.value for era in Era)}")
        return Era(value)
    if key == "today":
        try:
            return None if value is None else date.fromisoformat(str(value))
        except ValueError:
            raise InvalidControl(f"today is {value!r}: use a day as 2026-11-22, or null for the clock's") from None
    expected = bool if key in ("non_owner", "public_filled") else int
    if type(value) is not expected:
        raise InvalidControl(f"{key} is {value!r}: use {'true or false' if expected is bool else 'a whole number'}")
    return value
