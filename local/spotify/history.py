"""`python -m local.spotify.history`: past days of a sample chart as files, for `etl import`.

Each file is what the stand-in would have answered on its day: a playlist object that tells its own chart and date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from local.spotify.payloads import Era, Renderer
from local.spotify.playlists import PLAYLISTS, chart_date_on, playlist_answer
from local.spotify.settings import FIRST_TODAY, Settings

_API = "https://api.spotify.com"
_DEFAULT_CHART = "regional-global-daily"
_CHARTS = {playlist.chart: playlist for playlist in PLAYLISTS.values() if not playlist.by_user}


def write_history(folder: Path, *, chart: str, before: date, days: int) -> list[Path]:
    """Write one file a chart date that the playlist showed on the `days` days before `before`, oldest first.

    What it still shows on `before` is left for a poll. A file that is there already is left as it is: a day's answer
    never changes. Raises ValueError for a chart that the stand-in does not serve, or for days before the model begins.
    """
    if chart not in _CHARTS:
        raise ValueError(f"no sample chart {chart!r}: use one of {', '.join(sorted(_CHARTS))}")
    first = before - timedelta(days=days)
    if first < FIRST_TODAY:
        raise ValueError(f"{days} days before {before} begin on {first}: the sample charts begin on {FIRST_TODAY}")
    folder.mkdir(parents=True, exist_ok=True)
    showing = chart_date_on(chart, before)
    shown = [first + timedelta(days=n) for n in range(days)]
    return list(dict.fromkeys(_written(folder, chart, day) for day in shown if chart_date_on(chart, day) != showing))


def _written(folder: Path, chart: str, today: date) -> Path:
    path = folder / f"{chart}-{chart_date_on(chart, today)}.json"
    if not path.exists():
        answer = playlist_answer(
            Renderer(base=_API, era=Era.DEVELOPMENT, today=today), Settings(), _CHARTS[chart], None, {}, None
        )
        part = path.with_suffix(".part")
        part.write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
        part.replace(path)
    return path


def _today() -> date:
    return datetime.now(UTC).date()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files and say where; 1 with one line for what cannot be had."""
    parser = argparse.ArgumentParser(
        prog="python -m local.spotify.history",
        description="Write past days of a sample chart (made-up artists), as Spotify would answer, for etl import.",
    )
    parser.add_argument("folder", type=Path, help="folder to write to; made if it is not there")
    parser.add_argument("--chart", default=_DEFAULT_CHART, help=f"which sample chart, default {_DEFAULT_CHART}")
    parser.add_argument("--days", type=int, default=28, help="how many days before today, default 28")
    parser.add_argument(
        "--before", type=date.fromisoformat, default=None, metavar="YYYY-MM-DD", help="the day after, default today"
    )
    options = parser.parse_args(arguments)
    try:
        written = write_history(
            options.folder, chart=options.chart, before=options.before or _today(), days=options.days
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(written)} chart dates of {options.chart} in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
