"""The report: one HTML file made from the answers of named queries, which asks nothing of anywhere when it is opened.

Everything is in the file: styles, script, and the places of every song that ever charted, which the script draws as a
song's card. The same answers and the same moment give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lambdas.core.charts import period_of
from lambdas.core.errors import NothingToReport
from lambdas.core.report import words
from lambdas.core.report.answers import QUERIES, Answers, Ask, Entry, ask_everything
from lambdas.core.report.drawings import (
    SPARK_HEIGHT,
    BumpChart,
    Timeline,
    bump_chart,
    entry_calendar,
    reign_chart,
    sparkline,
)
from lambdas.core.report.facts import age_in_days, four_facts, what_changed
from lambdas.core.report.geometry import WIDTH, Trail, runs
from lambdas.core.report.origin import HOME, Origin
from lambdas.core.report.words import Unit, unit_of

ROWS_AT_FIRST = 50
"""Rows of the newest chart that show at once; a button shows the rest."""
_LISTED = 10
"""Rows of a list: artists, long runners, albums."""
_FOLDER = Path(__file__).parent / "templates"

BLOCKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What changed, and the four facts", ("todays_chart", "number_ones", "chart_calendar", "todays_artists")),
    ("How the top 10 got here", ("todays_chart", "every_song", "chart_calendar")),
    ("The newest chart", ("todays_chart", "every_song")),
    ("Number ones over time", ("number_ones", "chart_calendar")),
    ("Artists", ("artists_on_chart",)),
    ("Albums", ("albums_at_once",)),
    ("Longest on the chart", ("longest_on_chart",)),
    ("Every song, and its card", ("every_song", "chart_calendar")),
    ("When new songs came", ("chart_calendar",)),
    ("Rows in the warehouse", ("table_sizes",)),
)
"""Which queries answer each block of the page."""


@dataclass(frozen=True)
class Report:
    """The page of a chart's newest date."""

    chart: str
    chart_date: date
    html: bytes


def page_digest(questions: Mapping[str, str]) -> str:
    """What tells pages of one make from another: a digest of their questions' SQL, this code and its templates.

    `questions` is the SQL of named queries by their names, all of the report's among them.
    """
    folder = Path(__file__).parent
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".j2", ".css", ".js"))
    texts = [*(questions[name] for name in QUERIES), *(path.read_text("utf-8") for path in files)]
    return hashlib.sha256("\0".join(texts).encode("utf-8")).hexdigest()


def make_report(ask: Ask, *, chart: str, made_at: datetime) -> Report:
    """The report of a chart, from what `ask` answers. `made_at` has a zone: the page tells how old its newest date is.

    Raises NothingToReport if the chart has no published date.
    """
    answers = ask_everything(ask, chart)
    if answers is None:
        raise NothingToReport(
            f"the chart {chart!r} has no published date yet, so there is nothing to report: import or fetch one first, "
            "or name another chart"
        )
    return Report(chart, answers.newest, _render(answers, chart, made_at.astimezone(UTC)))


def _render(answers: Answers, chart: str, made_at: datetime) -> bytes:
    age = age_in_days(answers.newest, made_at.date())
    unit = unit_of(chart)
    if age >= unit.stale_days:
        unit = unit.once_stale()
    timeline = Timeline.of(answers.calendar)
    origin = Origin.of(answers.today, answers.songs)
    bump = bump_chart(answers, timeline, unit)
    numbers = {song.recording_id: number for number, song in enumerate(answers.songs)}
    style = _asset("page.css") + (
        f":root{{--rows:{bump.rows};--below:{bump.below:g};"
        f"--wide-pitch:{bump.pitch:g}rem;--narrow-pitch:{bump.narrow_pitch:g}rem}}\n"
    )
    script = _asset("page.js")
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            answers=answers,
            chart=chart,
            title=words.chart_title(chart),
            unit=unit,
            made_at=made_at,
            age=age,
            facts=four_facts(answers, unit),
            sentence=what_changed(chart, answers, unit),
            origin=origin,
            home=HOME,
            bump=bump,
            bump_label=_bump_label(bump, unit),
            rows=_rows(answers, timeline, unit),
            rows_at_first=ROWS_AT_FIRST,
            has_streams=any(entry.streams is not None for entry in answers.today),
            reigns=reign_chart(answers, timeline),
            artists=answers.artists[:_LISTED],
            albums=[album for album in answers.albums if album.songs > 1][:_LISTED],
            longest=answers.longest[:_LISTED],
            longest_periods=max((runner.longer for runner in answers.longest), default=1),
            calendar=entry_calendar(answers, weekly=period_of(chart) == "weekly"),
            missing=_missing(timeline),
            warned=[item for item in answers.calendar if item.warnings],
            blocks=BLOCKS,
            numbers=numbers,
            words=words,
            width=WIDTH,
            spark_height=SPARK_HEIGHT,
            data=_data(answers, timeline, origin, unit),
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
        )
    )
    return page.encode("utf-8")


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment


@lru_cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """A content security policy that lets nothing run or load but what is in the file, told by its digests."""
    allowed = (
        "default-src 'none'",
        f"style-src '{_digest(style)}'",
        f"script-src '{_digest(script)}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(allowed)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


@dataclass(frozen=True)
class _Row:
    """A row of the newest chart."""

    entry: Entry
    spark: Trail


def _rows(answers: Answers, timeline: Timeline, unit: Unit) -> list[_Row]:
    across = timeline.window(unit.window)
    depth = max(entry.position for entry in answers.today)
    places = {song.recording_id: timeline.places(song.positions) for song in answers.songs}
    return [
        _Row(entry, sparkline(places.get(entry.recording_id, {}) | {across.last: entry.position}, across, depth))
        for entry in answers.today
    ]


def _bump_label(bump: BumpChart, unit: Unit) -> str:
    label = f"Lines of the places of {unit.top(len(bump.lines))}, {words.date_span(bump.first, bump.last)}."
    if bump.gaps:
        label += " The lines are broken where the chart is missing."
    return label + " The table below has the same numbers."


def _missing(timeline: Timeline) -> list[str]:
    """The missing dates, those in a row as one span."""
    gaps = runs(dict.fromkeys(timeline.missing, 0))
    return [words.date_span(timeline.dates[gap[0][0]], timeline.dates[gap[-1][0]]) for gap in gaps]


def _data(answers: Answers, timeline: Timeline, origin: Origin, unit: Unit) -> Markup:
    """What the script draws cards and the search from, as JSON that no text in it can end.

    A song is [name, artists, album, link, best, periods, streams, runs], a run [index of its first date, place, ...].
    """
    songs: list[Sequence[Any]] = [
        [
            song.song,
            song.artists,
            song.album,
            origin.link(song),
            song.best,
            song.periods,
            song.streams,
            [[run[0][0], *(place for _, place in run)] for run in runs(timeline.places(song.positions))],
        ]
        for song in answers.songs
    ]
    return _json(
        {
            "unit": [unit.one, unit.many],
            "dates": [day.isoformat() for day in timeline.dates],
            "missing": sorted(timeline.missing),
            "songs": songs,
        }
    )


def _json(value: Mapping[str, Any]) -> Markup:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
