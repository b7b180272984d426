"""The report's charts, as what a template needs to draw them: paths, bands and labels, no markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lambdas.core.report.answers import Answers, ChartDate, Entry, Reign
from lambdas.core.report.geometry import NARROW_LABEL, WIDE_LABEL, Across, Places, Tick, Trail, month_ticks, path, spans
from lambdas.core.report.words import Unit, short_title

TOP = 10
"""How many songs the bump chart follows."""
HUES = 5
"""How many colours its lines have: places 6 to 10 repeat them in dashes."""
REIGNS_SHOWN = 12
SPARK_HEIGHT = 100
"""The height of a sparkline in its own units."""
_CALENDAR_YEARS = 3


@dataclass(frozen=True)
class Timeline:
    """All dates of a chart in order, missing ones too; songs' places are kept by index into it."""

    dates: Sequence[date]
    missing: frozenset[int]
    index: Mapping[date, int]

    @classmethod
    def of(cls, calendar: Sequence[ChartDate]) -> Timeline:
        """The timeline of a calendar in order of date, up to the newest chart."""
        newest = max(i for i, item in enumerate(calendar) if item.held)
        days = [item.day for item in calendar[: newest + 1]]
        missing = frozenset(i for i, item in enumerate(calendar[: newest + 1]) if not item.held)
        return cls(days, missing, {day: i for i, day in enumerate(days)})

    @property
    def last(self) -> int:
        """The index of the newest chart."""
        return len(self.dates) - 1

    def places(self, positions: Mapping[date, int]) -> dict[int, int]:
        """Places by index instead of date."""
        return {self.index[day]: place for day, place in positions.items() if day in self.index}

    def window(self, length: int) -> Across:
        """The newest `length` dates, or as many as there are."""
        return Across(max(self.last - length + 1, 0), self.last)

    def gaps(self, across: Across) -> list[tuple[float, float]]:
        """Where missing dates lie within a window: (left, width) in per cent."""
        within = (i for i in self.missing if across.first <= i <= across.last)
        return [across.band(first, last) for first, last in spans(within)]

    def ticks(self, across: Across) -> list[Tick]:
        """The labels of a window's time axis."""
        return month_ticks(self.dates[across.first : across.last + 1])


@dataclass(frozen=True)
class Line:
    """One song's line in the bump chart and the label at its end."""

    entry: Entry
    trail: Trail
    end: str
    """The path of the dot at the line's end."""
    hue: int
    dashed: bool


@dataclass(frozen=True)
class BumpChart:
    """Today's first ten and where they came from. `table` has a row for each date: None where the chart is missing."""

    lines: Sequence[Line]
    height: int
    rows: int
    below: float
    pitch: float
    """The height of a row in rem, in which its label has room; `narrow_pitch` on a narrow screen."""
    narrow_pitch: float
    grid: Sequence[tuple[int, int, float]]
    """Grid lines: the place, its y in the drawing's units, and its y in per cent."""
    gaps: Sequence[tuple[float, float]]
    ticks: Sequence[Tick]
    first: date
    last: date
    dates: int
    table: Sequence[tuple[date, Sequence[int | None] | None]]


def bump_chart(answers: Answers, timeline: Timeline, unit: Unit) -> BumpChart:
    """The bump chart of the newest chart's first ten over the unit's window."""
    across = timeline.window(unit.window)
    followed = [entry for entry in answers.today if entry.position <= TOP]
    known = {song.recording_id: timeline.places(song.positions) for song in answers.songs}
    # What the newest chart says of its own songs is drawn even if the history knows nothing of them.
    lines = [known.get(entry.recording_id, {}) | {across.last: entry.position} for entry in followed]
    within = [{i: place for i, place in line.items() if i >= across.first} for line in lines]
    rows = max(entry.position for entry in followed) if followed else 0
    down = Places.of(max((place for line in within for place in line.values()), default=rows), rows=rows)
    labels = [(short_title(entry.song, entry.artists), entry.artists) for entry in followed]
    return BumpChart(
        lines=[
            Line(
                entry=entry,
                trail=Trail.of(line, across, down.y),
                end=path([(across.x(across.last), down.y(entry.position))]),
                hue=(entry.position - 1) % HUES,
                dashed=entry.position > HUES,
            )
            for entry, line in zip(followed, within, strict=True)
        ],
        height=down.height,
        rows=down.rows,
        below=down.below,
        pitch=WIDE_LABEL.height(labels),
        narrow_pitch=NARROW_LABEL.height(labels),
        grid=[(place, down.y(place), round(down.y(place) / down.height * 100, 2)) for place in down.ticks()],
        gaps=timeline.gaps(across),
        ticks=timeline.ticks(across),
        first=timeline.dates[across.first],
        last=timeline.dates[across.last],
        dates=across.last - across.first + 1,
        table=[
            (timeline.dates[i], None if i in timeline.missing else [line.get(i) for line in within])
            for i in range(across.last, across.first - 1, -1)
        ],
    )


def sparkline(positions: Mapping[int, int], across: Across, depth: int) -> Trail:
    """A song's places in a table cell: first place at the top, the chart's last at the bottom."""
    return Trail.of(positions, across, lambda place: round((place - 1) / max(depth - 1, 1) * SPARK_HEIGHT))


@dataclass(frozen=True)
class ReignRow:
    """A song that was number one: its runs there as (left, width) in per cent, and how long they are together."""

    recording_id: str
    song: str
    artists: str
    bars: Sequence[tuple[float, float]]
    periods: int
    runs: int


@dataclass(frozen=True)
class ReignChart:
    """Number ones over time: those who led longest, in the order in which they first led, and the rest in one row."""

    rows: Sequence[ReignRow]
    others: int
    others_bars: Sequence[tuple[float, float]]
    others_periods: int
    gaps: Sequence[tuple[float, float]]
    ticks: Sequence[Tick]


def reign_chart(answers: Answers, timeline: Timeline) -> ReignChart:
    """Number ones over all dates in the data."""
    across = Across(0, timeline.last)
    by_song: dict[str, list[Reign]] = {}
    for reign in answers.reigns:
        by_song.setdefault(reign.recording_id, []).append(reign)
    lengths = {song: sum(reign.periods for reign in reigns) for song, reigns in by_song.items()}
    ordered = sorted(by_song, key=lambda song: (-lengths[song], min(r.first for r in by_song[song]), song))
    shown = sorted(ordered[:REIGNS_SHOWN], key=lambda song: (min(r.first for r in by_song[song]), song))
    rest = [reign for song in ordered[REIGNS_SHOWN:] for reign in by_song[song]]

    def bars(reigns: Sequence[Reign]) -> list[tuple[float, float]]:
        return [
            across.band(timeline.index[reign.first], timeline.index[reign.last])
            for reign in sorted(reigns, key=lambda reign: reign.first)
            if reign.first in timeline.index and reign.last in timeline.index
        ]

    return ReignChart(
        rows=[
            ReignRow(song, held[0].song, held[0].artists, bars(held), lengths[song], len(held))
            for song, held in ((song, by_song[song]) for song in shown)
        ],
        others=len(ordered) - len(shown),
        others_bars=bars(rest),
        others_periods=sum(reign.periods for reign in rest),
        gaps=timeline.gaps(across),
        ticks=timeline.ticks(across),
    )


@dataclass(frozen=True)
class CalendarYear:
    """One year of new entries: a square for each date, gathered into one path for each shade; missing ones apart."""

    year: int
    columns: int
    rows: int
    shades: Sequence[str]
    missing: str
    months: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class MonthCount:
    """A month's figures, None where none of its dates tells; `missing` counts dates without a chart."""

    month: date
    charts: int
    missing: int
    new: int | None
    back: int | None
    left: int | None


@dataclass(frozen=True)
class EntryCalendar:
    """When new songs came: the last years as squares, every month as figures."""

    years: Sequence[CalendarYear]
    bounds: Sequence[int]
    """The smallest number of each shade."""
    months: Sequence[MonthCount]
    weekly: bool


SHADES = 5


def entry_calendar(answers: Answers, *, weekly: bool) -> EntryCalendar:
    """The calendar of new entries."""
    highest = max((item.new for item in answers.calendar if item.new), default=1)
    bounds = sorted({0, 1, *(max(round(highest ** (i / (SHADES - 2))), 1) + (i > 0) for i in range(SHADES - 2))})[
        :SHADES
    ]
    years = sorted({item.day.year for item in answers.calendar})[-_CALENDAR_YEARS:]
    return EntryCalendar(
        years=[_calendar_year(year, answers.calendar, bounds, weekly=weekly) for year in reversed(years)],
        bounds=bounds,
        months=_months(answers.calendar),
        weekly=weekly,
    )


def _calendar_year(year: int, calendar: Sequence[ChartDate], bounds: Sequence[int], *, weekly: bool) -> CalendarYear:
    """Weeks from left to right, Monday to Sunday from top to bottom; of a weekly chart one square a week."""
    start = date(year, 1, 1)
    start -= timedelta(days=start.weekday())
    shades = [""] * len(bounds)
    missing = ""
    for item in calendar:
        if item.day.year != year:
            continue
        week, weekday = divmod((item.day - start).days, 7)
        square = f"M{week} {0 if weekly else weekday}h.86v.86h-.86z"
        if not item.held:
            missing += square
        elif item.new is not None:
            shades[max(i for i, bound in enumerate(bounds) if item.new >= bound)] += square
    months = [
        (round((date(year, month, 1) - start).days / 7 / 53 * 100, 2), f"{date(year, month, 1):%b}")
        for month in range(1, 13)
    ]
    return CalendarYear(year, 53, 1 if weekly else 7, shades, missing, months)


def _months(calendar: Sequence[ChartDate]) -> list[MonthCount]:
    by_month: dict[date, list[ChartDate]] = {}
    for item in calendar:
        by_month.setdefault(item.day.replace(day=1), []).append(item)
    return [
        MonthCount(
            month=month,
            charts=sum(item.held for item in held),
            missing=sum(not item.held for item in held),
            new=_sum(item.new for item in held),
            back=_sum(item.back for item in held),
            left=_sum(item.left for item in held),
        )
        for month, held in sorted(by_month.items(), reverse=True)
    ]


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
