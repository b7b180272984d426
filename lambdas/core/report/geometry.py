"""Where things are drawn: scales, broken lines and ticks, as numbers. Nothing here knows of songs, HTML or SVG's looks.

A line chart's drawing is stretched to the room that the page has (`preserveAspectRatio="none"`), so horizontal places
are told as per cent of the width, or on a grid of whole numbers that keeps paths short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from unicodedata import east_asian_width

WIDTH = 1000
"""The width of every stretched drawing, in its own units."""
ROW = 100
"""The height of one of the first places in the bump chart, in its own units: one label's."""
_LEAST_BETWEEN = 16
"""How far apart labels of the time axis are at the least, in per cent: one takes 55 of the 345 pixels on a phone."""


@dataclass(frozen=True)
class LabelRoom:
    """The room for a label of two parts, the second in smaller type: how many letters fit a line, and how many lines.

    No font is known here, so letters are counted, wide ones (Chinese, Japanese, Korean, emoji) twice, and a line is
    taken as shorter than it is. Heights are in rem.
    """

    letters: tuple[int, int]
    line_heights: tuple[float, float]
    most_lines: int
    least: float
    margin: float = 0.2

    def height(self, labels: Iterable[tuple[str, str]]) -> float:
        """The height of a row in which each of the labels has room, though none for more than the most lines."""
        needed = [
            sum(
                self._lines(part, of) * height
                for part, of, height in zip(label, self.letters, self.line_heights, strict=True)
            )
            for label in labels
        ]
        return round(max([self.least, *(height + self.margin for height in needed)]), 2)

    def _lines(self, text: str, letters: int) -> int:
        width = sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
        return min(max(-(-width // letters), 1), self.most_lines)


# As page.css sets them: beside a wide chart, and beside a narrow one.
WIDE_LABEL = LabelRoom(letters=(38, 48), line_heights=(1.135, 0.976), most_lines=2, least=2.4)
NARROW_LABEL = LabelRoom(letters=(20, 24), line_heights=(0.951, 0.858), most_lines=3, least=2.7)


def runs(positions: Mapping[int, int]) -> list[list[tuple[int, int]]]:
    """Places by date index, cut into unbroken runs: a new one begins after every index that has no place."""
    found: list[list[tuple[int, int]]] = []
    for index in sorted(positions):
        if not found or found[-1][-1][0] != index - 1:
            found.append([])
        found[-1].append((index, positions[index]))
    return found


def spans(indexes: Iterable[int]) -> list[tuple[int, int]]:
    """Indexes as (first, last) of each unbroken row of them."""
    return [(run[0][0], run[-1][0]) for run in runs(dict.fromkeys(indexes, 0))]


@dataclass(frozen=True)
class Across:
    """Indexes `first` to `last` spread over the width. A single index lies at the right end, where the newest is."""

    first: int
    last: int

    def share(self, index: float) -> float:
        """Where an index lies, from 0.0 (left) to 1.0 (right); less or more for what lies outside."""
        if self.last == self.first:
            return 1.0
        return (index - self.first) / (self.last - self.first)

    def x(self, index: float) -> int:
        """Where an index lies, in the units of a stretched drawing."""
        return round(self.share(index) * WIDTH)

    def per_cent(self, index: float) -> float:
        """Where an index lies, in per cent of the width, within 0 and 100."""
        return round(min(max(self.share(index), 0.0), 1.0) * 100, 2)

    def band(self, first: int, last: int) -> tuple[float, float]:
        """Left edge and width, in per cent, of the slots from `first` to `last`: half a step to either side."""
        left, right = self.per_cent(first - 0.5), self.per_cent(last + 0.5)
        return left, round(right - left, 2)


@dataclass(frozen=True)
class Places:
    """Chart places down the page: the first `rows` have a row each, those to `deepest` share what is below.

    So each of the first places has room for a label, and a line from far below still fits on the screen.
    """

    rows: int
    deepest: int
    below: float
    """The height of everything below the rows, in rows; 0 where nothing lies there."""

    @classmethod
    def of(cls, deepest: int, *, rows: int) -> Places:
        """The scale down to the place `deepest`, rounded up to a five below the rows: about 16 places a row."""
        if deepest <= rows:
            return cls(rows, rows, 0.0)
        rounded = -(-deepest // 5) * 5
        return cls(rows, rounded, round(min(max((rounded - rows) / 16, 0.8), 2.5), 2))

    @property
    def height(self) -> int:
        """The height of the drawing in its own units."""
        return round((self.rows + self.below) * ROW)

    def y(self, place: float) -> int:
        """The middle of a place, in the drawing's own units."""
        if place <= self.rows:
            return round((place - 0.5) * ROW)
        share = (place - self.rows) / (self.deepest - self.rows)
        return round(self.rows * ROW + share * (self.below - 0.25) * ROW)

    def ticks(self) -> list[int]:
        """The places worth a grid line: a few of the first, the last that has a row, and the deepest."""
        first = [place for place in (1, 5, 10) if place <= self.rows]
        return sorted({*first, self.rows, self.deepest} - {0})


def path(points: Sequence[tuple[int, int]]) -> str:
    """An SVG path through points, in relative steps; one point is a line of no length, which round caps make a dot."""
    (x, y), *rest = points
    drawn = [f"M{x} {y}"]
    if not rest:
        return drawn[0] + "h0"
    for to_x, to_y in rest:
        across, down = to_x - x, to_y - y
        drawn.append(f"h{across}" if down == 0 else f"l{across}{'' if down < 0 else ' '}{down}")
        x, y = to_x, to_y
    return "".join(drawn)


@dataclass(frozen=True)
class Trail:
    """A song's places as SVG paths: lines, broken wherever it was off the chart or the chart is missing, and `dots`.

    A dot is a run of one date: a line of no length, too small to see unless it is drawn thicker than the lines.
    """

    lines: str
    dots: str

    @classmethod
    def of(cls, positions: Mapping[int, int], across: Across, y: Callable[[int], int]) -> Trail:
        """The trail within the dates that are spread across."""
        within = {index: place for index, place in positions.items() if across.first <= index <= across.last}
        parts = [[(across.x(i), y(place)) for i, place in run] for run in runs(within)]
        return cls(
            lines="".join(path(points) for points in parts if len(points) > 1),
            dots="".join(path(points) for points in parts if len(points) == 1),
        )


@dataclass(frozen=True)
class Tick:
    """A label on the time axis, in per cent of the width."""

    per_cent: float
    text: str
    anchor: str
    """Which side of the text lies at the tick, as SVG names it: `start`, or `end` where it would leave the drawing."""


def month_ticks(dates: Sequence[date], *, at_most: int = 5) -> list[Tick]:
    """The first dates of months, thinned to steps of whole months so that no two labels meet.

    Dates within one month get the first date alone.
    """
    across = Across(0, len(dates) - 1)
    starts = [
        i for i in range(1, len(dates)) if (dates[i].year, dates[i].month) != (dates[i - 1].year, dates[i - 1].month)
    ]
    if not starts:
        return [Tick(across.per_cent(0), f"{dates[0].day} {dates[0]:%b %Y}", "start")] if len(dates) > 1 else []
    for months in (1, 2, 3, 4, 6, 12, 24, 60, 120):
        kept = [i for i in starts if (dates[i].year * 12 + dates[i].month - 1) % months == 0]
        if len(kept) <= at_most:
            break
    ticks: list[Tick] = []
    told_year: int | None = None
    for index in kept:
        place = across.per_cent(index)
        if ticks and place - ticks[-1].per_cent < _LEAST_BETWEEN:
            continue
        shown = f"{dates[index]:%b}" if dates[index].year == told_year else f"{dates[index]:%b %Y}"
        told_year = dates[index].year
        ticks.append(Tick(place, shown, "start"))
    # A label that would leave the drawing lies to the left of its tick, unless another lies there.
    if ticks and ticks[-1].per_cent + _label_room(ticks[-1]) > 100:
        last = ticks.pop()
        if not ticks or last.per_cent - _label_room(last) >= ticks[-1].per_cent + _label_room(ticks[-1]):
            ticks.append(Tick(last.per_cent, last.text, "end"))
    return ticks


def _label_room(tick: Tick) -> float:
    """What a tick's label takes, in per cent of the narrowest drawing: a month alone, half of one with its year."""
    return _LEAST_BETWEEN if " " in tick.text else _LEAST_BETWEEN / 2
