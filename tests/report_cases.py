"""Charts that a report is made of in tests: a sample as `make demo` has it, and everything odd that charts bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from lambdas.core.report import Report, make_report
from local.spotify import model
from tests.answers import History, Song, daily

NEWEST = date(2026, 11, 26)
"""A Thursday, so that weekly charts end on it too."""
MADE_AT = datetime(2026, 11, 27, 6, 30, tzinfo=UTC)

HOSTILE = (
    Song('<script>hacked = 1</script><img src=x onerror="hacked=1">', ("</title><b>B</b>",), '"><svg onload=hacked=1>'),
    Song("Fiesta 🎉👨‍👩‍👧‍👦", ("🎤",), None),
    Song("أغنية الصيف", ("مغني الأول", "شخص"), "ألبوم"),
    Song('שלום "עולם" & friends', ("A & B",), None),
    Song("x" * 200, ("y" * 200,), "z" * 200),
    Song("Long words in a title " * 9, tuple(f"Artist {n}" for n in range(20))),
    Song("{{ 7 * 7 }} {% raw %}", ("\\u003c/script>",)),
    Song("O'Neil \u2028 & \"Sons\"", ("<!--",), url="javascript:hacked=1"),
    Song("Nine", url=None),
    Song("Ten", url='https://open.spotify.com/track/"onmouseover="hacked=1'),
    Song(" ", ("",)),
)  # fmt: skip


def sample(
    days: int, *, chart: str = "regional-global-daily", size: int = 50, missing: Sequence[int] = (), real: bool = False
) -> History:
    """The sample model's charts up to `NEWEST`; `missing` counts back from it. With `real`, songs have real ISRCs."""
    step = 7 if chart.endswith("-weekly") else 1
    charts: dict[date, list[Song]] = {}
    for ago in reversed(range(days)):
        if ago in missing:
            continue
        day = NEWEST - timedelta(days=ago * step)
        charts[day] = [
            Song(
                name=entry.song.name,
                artists=tuple(artist.name for artist in entry.song.artists),
                album=entry.song.album.name,
                isrc="QZABC" + entry.song.isrc[5:] if real else entry.song.isrc,
                streams=entry.streams if real else None,
                url=f"https://open.spotify.com/track/{entry.song.id}",
                recording=entry.song.isrc,
            )
            for entry in model.chart(chart, day, size=size)
        ]
    return History(charts, chart=chart)


def _hostile_days() -> History:
    turned = [HOSTILE[n % 3 :] + HOSTILE[: n % 3] for n in range(8)]
    return History(daily(NEWEST - timedelta(days=7), *turned))


CASES: dict[str, Callable[[], History]] = {
    "sample": lambda: sample(120, missing=(18, 19, 20, 21, 22)),
    "real": lambda: sample(100, real=True),
    "one-day": lambda: sample(1),
    "week-missing": lambda: sample(30, missing=range(1, 8)),
    "two-hundred": lambda: sample(40, size=200, real=True),
    "weekly": lambda: sample(70, chart="regional-us-weekly", missing=(3, 4)),
    "hostile-names": _hostile_days,
    "hostile-names-one-day": lambda: History({NEWEST: HOSTILE}),
    "credits-only": lambda: replace(sample(20, real=True), names_artists=False),
    "no-albums": lambda: _without_albums(sample(20, real=True)),
    "three-songs": lambda: sample(20, size=3),
    "own-chart": lambda: replace(sample(10), chart="road-trip"),
}


def _without_albums(history: History) -> History:
    charts = {day: [replace(song, album=None, isrc=None) for song in songs] for day, songs in history.charts.items()}
    return replace(history, charts=charts)


@lru_cache
def history(name: str) -> History:
    """A case's charts."""
    return CASES[name]()


@lru_cache
def report(name: str) -> Report:
    """A case's report."""
    return make_report(history(name), chart=history(name).chart, made_at=MADE_AT)
