"""How the report says things: names of charts, dates, counts, and a movement in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date

from lambdas.core.charts import Period, period_of
from lambdas.core.report.regions import REGIONS

_GUESTS = re.compile(r"\s*[(\[](?:feat\.?|ft\.?|featuring|with)\s+([^()\[\]]+)[)\]]", re.IGNORECASE)
_BETWEEN_GUESTS = re.compile(r"\s*(?:,|&|\band\b)\s*")
_OFFICIAL = re.compile(r"regional-([a-z]{2,6})-(daily|weekly)")


@dataclass(frozen=True)
class Unit:
    """What a chart counts in."""

    one: str
    many: str
    chart: str
    """The newest chart: "Today’s chart"."""

    whose: str
    """Whose it is: "today’s"."""

    window: int
    """How many dates the bump chart goes back."""

    window_words: str
    stale_days: int
    """From how many days of age on the newest date is older than it should be."""

    def once_stale(self) -> Unit:
        """The same for a chart whose newest date is not of these days."""
        return replace(self, chart="The newest chart", whose="the newest")

    def top(self, songs: int) -> str:
        """ "today’s top 10"."""
        return f"{self.whose} top {songs}"

    def count(self, number: int) -> str:
        """ "1 day", "1,204 days"."""
        return f"{number:,} {self.one if number == 1 else self.many}"


_UNITS: dict[Period, Unit] = {
    "daily": Unit("day", "days", "Today’s chart", "today’s", 90, "90 days", 4),
    "weekly": Unit("week", "weeks", "This week’s chart", "this week’s", 52, "52 weeks", 11),
}


def unit_of(chart: str) -> Unit:
    """What a chart counts in, as its name tells."""
    return _UNITS[period_of(chart)]


def chart_title(chart: str) -> str:
    """A chart's name for people: "Top songs, Global, daily"; a slug of the user's own with spaces and a capital."""
    if official := _OFFICIAL.fullmatch(chart):
        region, period = official.groups()
        return f"Top songs, {REGIONS.get(region, region.upper())}, {period}"
    name, hyphen, period = chart.rpartition("-")
    if hyphen and period in ("daily", "weekly"):
        return f"{_readable(name)}, {period}"
    return _readable(chart)


def _readable(slug: str) -> str:
    words = slug.replace("-", " ")
    return words[:1].upper() + words[1:]


def short_title(title: str, artists: str) -> str:
    """A song's title without the guests that its credit names anyway: "Parallel" for "Parallel (feat. Paper Foxes)"."""

    def shortened(found: re.Match[str]) -> str:
        guests = (guest.casefold() for guest in _BETWEEN_GUESTS.split(found[1].strip()))
        return "" if all(guest in artists.casefold() for guest in guests) else found[0]

    return _GUESTS.sub(shortened, title).strip() or title


def long_date(day: date) -> str:
    """ "Friday 27 November 2026"."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def plain_date(day: date) -> str:
    """ "27 November 2026"."""
    return f"{day.day} {day:%B %Y}"


def short_date(day: date) -> str:
    """ "27 Nov 2026"."""
    return f"{day.day} {day:%b %Y}"


def date_span(first: date, last: date) -> str:
    """Two dates without what they share: "3–9 Mar 2026", "28 Feb – 9 Mar 2026", "30 Dec 2025 – 2 Jan 2026"."""
    if first == last:
        return short_date(last)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{short_date(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%b} – {short_date(last)}"
    return f"{short_date(first)} – {short_date(last)}"


def ordinal(number: int) -> str:
    """ "1st", "12th", "23rd"."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def songs(number: int) -> str:
    """ "no song", "1 song", "3 songs"."""
    return "no song" if number == 0 else f"{number:,} song{'' if number == 1 else 's'}"


def places(number: int) -> str:
    """ "1 place", "3 places"."""
    return f"{number:,} place{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Movement:
    """How an entry moved since the chart before: an arrow, a number where there is one, and a word."""

    kind: str
    """`up`, `down`, `same`, `new`, `back` or `unknown`: also what it is styled by."""

    arrow: str
    word: str
    by: int | None = None


def movement(text: str | None) -> Movement:
    """What a query's `movement` says: '+2', '-1', '=', 'new', 'back', or None where the chart before is missing."""
    match text:
        case None:
            return Movement("unknown", "", "unknown")
        case "=":
            return Movement("same", "=", "same")
        case "new":
            return Movement("new", "✦", "new")
        case "back":
            return Movement("back", "↩", "back")
    by = int(text)
    return Movement("up", "▲", "up", by) if by > 0 else Movement("down", "▼", "down", -by)
