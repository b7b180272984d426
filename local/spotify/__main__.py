"""`python -m local.spotify`: the Spotify stand-in as a process of its own."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from local.spotify.api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from local.spotify.faults import InvalidControl
from local.spotify.payloads import Era
from local.spotify.server import HOST, SpotifyStandIn
from local.spotify.settings import Settings

_STOPPING = {signal.SIGTERM, signal.SIGINT}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.spotify",
        description="A stand-in for Spotify's Web API on loopback, with a made-up chart for every day since 2017.",
        epilog=f"Its client id is {CLIENT_ID!r} and its client secret {CLIENT_SECRET!r} (refresh token "
        f"{REFRESH_TOKEN!r}); they open nothing else. "
        "Script it while it runs through /_control/settings, /_control/faults and /_control/requests; "
        "/_control/playlists lists the playlists it serves.",
    )
    parser.add_argument("--port", type=int, default=0, help=f"port on {HOST}; 0, the default, takes a free one")
    parser.add_argument("--era", choices=[era.value for era in Era], default=Era.DEVELOPMENT.value,
                        help="whose answers to give: an app's before 2026 with Extended Quota (classic), since then "
                        "(both), or a Development Mode app's (2026, the default)")  # fmt: skip
    parser.add_argument("--today", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the day to show; default: now")
    parser.add_argument("--chart-size", type=int, default=50, metavar="N", help="songs of each chart, default 50")
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="file to write the address to once it answers")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; 0 if stopped that way, 1 if it could not start."""
    options = _parser().parse_args(arguments)
    # Blocked before any thread starts, so that only `sigwait` below takes them: a handler could meet a lock held.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        settings = Settings(era=Era(options.era), today=options.today, chart_size=options.chart_size)
        stand_in = SpotifyStandIn(settings=settings, port=options.port)
    except InvalidControl as error:
        return _fail(str(error))
    except (OSError, OverflowError) as error:
        return _fail(f"cannot listen on {HOST}:{options.port} ({error}): give another --port, or 0 for a free one")
    with stand_in:
        if options.ready_file is not None:
            try:
                _write_whole(options.ready_file, f"{stand_in.url}\n")
            except OSError as error:
                return _fail(f"cannot write --ready-file {options.ready_file}: {error.strerror}")
        print(f"Spotify stand-in at {stand_in.url}", flush=True)
        signal.sigwait(_STOPPING)
    return 0


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that whoever waits for it never reads a part of it."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
