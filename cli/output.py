"""What is printed: tables, JSON and CSV of a query's answer, and progress that only a terminal sees.

Results go to stdout; progress, step lines and errors to stderr, so that a result can be piped on.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from cli.command_name import as_typed

_ELLIPSIS = "…"
_NARROWEST = 8
_GAP = "  "
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAME_SECONDS = 0.1
_PACE_AFTER_SECONDS = 1.0


def say(text: str = "") -> None:
    """Print a line of the result."""
    print(as_typed(text))


def note(text: str) -> None:
    """Print a line beside the result (stderr), after what the result says so far."""
    sys.stdout.flush()
    print(as_typed(text), file=sys.stderr)


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 row`, `2 rows`, `1,200 rows`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def seconds(elapsed: float) -> str:
    """A duration for people: `0.4 s`, `2 min 5 s`."""
    if elapsed < 60:
        return f"{elapsed:.1f} s"
    return f"{int(elapsed) // 60} min {int(elapsed) % 60} s"


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream, on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def bold(text: str, stream: TextIO) -> str:
    """The text in bold on a terminal, plain otherwise or with NO_COLOR (https://no-color.org)."""
    return f"\033[1m{text}\033[0m" if is_terminal(stream) and not os.environ.get("NO_COLOR") else text


def printable(text: str) -> str:
    """The text on one line, with control characters (which could steer a terminal) shown as escapes."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    # Format characters are not control characters: emoji and Arabic or Indic names are put together with them.
    if character.isprintable() or character in "\u200c\u200d\u00a0\u3000\u202f":
        return character
    return character.encode("unicode_escape").decode("ascii")


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[bool] | None = None,
    width: int | None = None,
) -> list[str]:
    """Lines of an aligned table. `right` says which columns are aligned right; `width` is in terminal cells.

    Columns are as wide as their text needs; over `width`, the widest ones are cut, with an ellipsis.
    """
    from rich.cells import cell_len, set_cell_size

    right = right or [False] * len(header)
    shown = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    if width is not None:
        _narrow(widths, width, right)

    def fit(text: str, place: int) -> str:
        space = widths[place] - cell_len(text)
        if space < 0:
            return set_cell_size(text, widths[place] - 1) + _ELLIPSIS
        return " " * space + text if right[place] else text + " " * space

    lines = [_GAP.join(fit(cell, place) for place, cell in enumerate(row)).rstrip() for row in shown]
    return [lines[0], _GAP.join("-" * size for size in widths), *lines[1:]]


def _narrow(widths: list[int], width: int, right: Sequence[bool]) -> None:
    """Take cells from the widest text columns until the table fits, or none can give more. Numbers are never cut."""
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while over > 0:
        places = [place for place, size in enumerate(widths) if size > _NARROWEST and not right[place]]
        if not places:
            return
        widths[max(places, key=widths.__getitem__)] -= 1
        over -= 1


def terminal_width() -> int | None:
    """Cells of the terminal that stdout is, or None if it is not one (then nothing is cut)."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool] | None = None) -> None:
    """Print a table, cut to the terminal's width if stdout is a terminal."""
    lines = table(header, rows, right=right, width=terminal_width())
    lines[0] = bold(lines[0], sys.stdout)
    print("\n".join(lines))


class Progress:
    """One line on stderr that is written over while work goes on; silent where nobody looks.

    `update` may be called from any thread.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._state = ""
        self._counted = ("", 0, 0.0)
        self._live = is_terminal(sys.stderr)
        self._start = time.monotonic()
        self._done = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._start

    @property
    def state(self) -> str:
        """What the work has come to."""
        return self._state

    def update(self, state: str) -> None:
        """Show what the work has come to."""
        self._state = state

    def advance(self, done: int, total: int, singular: str, plural: str | None = None) -> None:
        """Show how far a count has come, how fast, and how long the rest takes if it goes on so.

        Another `singular` is another count, whose pace is reckoned from its first call on.
        """
        now = time.monotonic()
        if singular != self._counted[0]:
            self._counted = singular, done, now
        _, first, began = self._counted
        self._state = f"{done:,} of {count(total, singular, plural)}{pace(done - first, total - done, now - began)}"

    def line(self, text: str) -> None:
        """Print a line of the result above the progress line."""
        with self._writing:
            self._wipe()
            say(text)

    def __enter__(self) -> Progress:
        if self._live:
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()
            self._wipe()

    def _wipe(self) -> None:
        if self._live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def _draw(self) -> None:
        frame = 0
        while not self._done.wait(_FRAME_SECONDS):
            frame += 1
            text = f"{_FRAMES[frame % len(_FRAMES)]} {self._label} {self._state} ({seconds(self.elapsed)})"
            columns = shutil.get_terminal_size().columns
            with self._writing:
                sys.stderr.write(f"\r\033[K{text[: columns - 1]}")
                sys.stderr.flush()


def pace(done: int, left: int, elapsed: float) -> str:
    """`, 110 a second, 35.0 s left`; nothing before there is a pace worth telling. `elapsed` is in seconds."""
    if not done or not left or elapsed < _PACE_AFTER_SECONDS:
        return ""
    each = elapsed / done
    told = f"{1 / each:,.0f} a second" if each < 1 else f"{each:,.0f} s each"
    return f", {told}, {seconds(left * each)} left"


@contextmanager
def step(label: str) -> Iterator[Progress]:
    """A step of a longer piece of work: one line with its seconds when it is done, a spinner until then."""
    with Progress(label) as progress:
        yield progress
    note(f"  {label:<44} {seconds(progress.elapsed):>10}")
