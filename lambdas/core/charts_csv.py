"""Official chart files (CSV), read into the rows of the warehouse.

Two formats, told apart by their header alone: what charts.spotify.com gives to download (a file of days counts
`days_on_chart`, one of weeks `weeks_on_chart`), and what spotifycharts.com gave until it closed, where a note may stand
before the header and the credit is the first artist only. They are UTF-8. Spreadsheets save them again in an 8-bit code
page that nothing in the file names: its ids and figures count, its texts only where they are plain ASCII.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from io import StringIO
from typing import Literal, TypeAlias

import msgspec

from lambdas.core.charts import Period
from lambdas.core.documents import DocumentHeader
from lambdas.core.errors import InvalidDocument, NotAChart
from lambdas.core.expectations import compare
from lambdas.core.gates import (
    EMPTY,
    FIGURE_IMPOSSIBLE,
    GAP,
    ID_MALFORMED,
    NO_STREAMS,
    NOT_A_CHART,
    POSITION_IMPOSSIBLE,
    POSITION_TWICE,
    ROW_BROKEN,
    SONG_TWICE,
    TEXT_DAMAGED,
)
from lambdas.core.reading import ID_LENGTH, LARGEST_INT, Reading, checked_id, first_few
from lambdas.core.rows import days, milliseconds

Encoding: TypeAlias = Literal["utf-8", "cp1252", "latin-1"]

# A file's columns, of either format, by what they are to us. Those of `_REQUIRED` are in every chart of songs; charts
# of albums and of artists lack some of them.
_COLUMNS = {
    "rank": "position",
    "uri": "song",
    "track_name": "name",
    "artist_names": "artist_names",
    "source": "label",
    "streams": "streams",
    "peak_rank": "peak",
    "previous_rank": "previous",
    "days_on_chart": "periods",
    "weeks_on_chart": "periods",
    "Position": "position",
    "Track Name": "name",
    "Artist": "artist_names",
    "Streams": "streams",
    "URL": "song",
}
_REQUIRED = {"position", "song", "name", "artist_names"}
_COUNTED: dict[str, Period] = {"days_on_chart": "daily", "weeks_on_chart": "weekly"}
_KNOWN_HEADERS = "'rank,uri,artist_names,track_name,...' or 'Position,Track Name,Artist,Streams,URL'"

_SONG = re.compile(r"(?:spotify:track:|https?://open\.spotify\.com/track/)([^/?#]*)(?:\?[^/#]*)?")
_URI = re.compile(rf"spotify:track:[0-9A-Za-z]{{{ID_LENGTH}}}")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
_REPLACEMENT = "\ufffd"
# What a code page has no character for is written as a question mark: not at the end of a word, where people put them.
_SUBSTITUTED = re.compile(r"\?[\w?]|(?:^|\s)\?")
_LARGEST_BIGINT = 2**63 - 1
_SHOWN = 60


class CsvTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A file as its raw document keeps it: the header's and the rows' fields, verbatim, and how it was encoded.

    Not kept is what says nothing: byte order mark, kind of line end and of quoting, empty lines, the note.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    encoding: Encoding

    @property
    def period(self) -> Period | None:
        """What the file counts its songs' time on the chart in; None for the old format, which does not say."""
        return next((_COUNTED[name] for name in self.header if name in _COUNTED), None)


class ChartsCsvDocument(DocumentHeader, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A raw document that holds an official file: one answer, none for a withdrawal."""

    answers: tuple[CsvTable, ...]

    @property
    def table(self) -> CsvTable:
        """The file. Raises InvalidDocument if there is none, or another one."""
        if len(self.answers) != 1:
            raise InvalidDocument(f"holds {len(self.answers)} files, not one", gate=NOT_A_CHART)
        return self.answers[0]


def parse_csv(body: bytes) -> CsvTable:
    """The file's fields as they are written.

    Raises NotAChart for anything without the header of a chart of songs, naming what stands there; InvalidDocument for
    a chart whose quoting is broken, as in a file that was cut off.
    """
    text, encoding = _decode(body)
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        first = next(filter(any, rows), [])
        header = first if _places(first) else next(filter(any, rows), [])
        if not _places(header):
            raise NotAChart(f"is no chart of songs: it begins with {_shown(first)}, not with {_KNOWN_HEADERS}")
    except csv.Error:
        # Nothing says yet that it is a CSV file at all.
        raise NotAChart(f"is no chart of songs: it begins with {_shown([text])}, not with {_KNOWN_HEADERS}") from None
    try:
        kept = tuple(tuple(row) for row in rows if any(row))
    except csv.Error as error:
        raise InvalidDocument(f"not CSV: line {rows.line_num}: {error}: cut off, or edited by hand?") from error
    return CsvTable(header=tuple(header), rows=kept, encoding=encoding)


def read_charts_csv(document: DocumentHeader, table: CsvTable) -> Reading:
    """The rows of a document whose answer is this file.

    A place without a row is a gap: unknown, not out. Figures that Spotify leaves unfilled (-1, 0) are null, and so are
    streams that are not above 0, with a warning. Raises InvalidDocument for what can never be published: no rows, a row
    of another length than the header, a position that is none or is given twice, a link to no song, a figure that is no
    whole number; NotAChart for another header.
    """
    places = _places(table.header)
    if places is None:
        raise NotAChart(f"is no chart of songs: its header is {_shown(table.header)}, not {_KNOWN_HEADERS}")
    by_position = _by_position(table, places)
    positions = sorted(by_position)
    columns = list(zip(*(by_position[position] for position in positions), strict=True))
    told = {name: columns[place] for name, place in places.items()}
    untold = ("",) * len(positions)
    reading = Reading(depth=positions[-1])
    read_text = partial(_text, encoding=table.encoding, reading=reading) if _is_damaged(table) else _whole_text
    observed, chart_date = milliseconds(document.observed_at), days(document.chart_date)
    song_ids = _song_ids(told["song"], positions)
    streams = _figures(told, "streams", positions, largest=_LARGEST_BIGINT)
    reading.entries = [
        (
            document.chart,
            chart_date,
            position,
            document.period,
            song_id,
            streamed,
            None,
            previous,
            peak,
            periods,
            read_text(label),
            None,
            document.provider,
            observed,
        )
        for position, song_id, streamed, previous, peak, periods, label in zip(
            positions,
            song_ids,
            streams,
            _figures(told, "previous", positions),
            _figures(told, "peak", positions),
            _figures(told, "periods", positions),
            told.get("label", untold),
            strict=True,
        )
    ]
    for position, song_id, name_told, credit_told in zip(
        positions, song_ids, told["name"], told["artist_names"], strict=True
    ):
        if song_id in reading.songs:
            reading.warn(SONG_TWICE, f"{song_id} again at position {position}")
            continue
        name, credit = read_text(name_told), read_text(credit_told)
        reading.songs[song_id] = (
            (
                song_id,
                name,
                credit,
                song_id,  # recording_id: no ISRC is told
                *(None,) * 7,
                f"https://open.spotify.com/track/{song_id}",
                # Of less detail than any whole text, so that it replaces none, however new it is.
                "csv" if name and credit else "incomplete",
                observed,
            ),
        )
    reading.gaps = reading.depth - len(positions)
    unfilled = zip(told.get("streams", untold), streams, strict=True)
    _warn(reading, table, by_position.keys(), sum(bool(text) and figure is None for text, figure in unfilled))
    compare(document, reading)
    return reading


def _decode(body: bytes) -> tuple[str, Encoding]:
    """The file's text. All bytes are Latin-1 characters, so the last of these always succeeds."""
    try:
        return body.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return body.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return body.decode("latin-1"), "latin-1"


def _places(header: Sequence[str]) -> dict[str, int] | None:
    """Where in a row each column is that we know; None if this is not the header of a chart of songs."""
    known = [(_COLUMNS[name.strip()], place) for place, name in enumerate(header) if name.strip() in _COLUMNS]
    places = dict(known)
    return places if len(places) == len(known) and places.keys() >= _REQUIRED else None


def _by_position(table: CsvTable, places: dict[str, int]) -> dict[int, tuple[str, ...]]:
    by_position: dict[int, tuple[str, ...]] = {}
    for number, row in enumerate(table.rows, 1):
        if len(row) != len(table.header):
            raise InvalidDocument(
                f"row {number} has {len(row)} fields, but the header names {len(table.header)}", gate=ROW_BROKEN
            )
        text = row[places["position"]].strip()
        position = int(text) if _WHOLE_NUMBER.fullmatch(text) else 0
        if not 0 < position <= LARGEST_INT:
            raise InvalidDocument(f"row {number}: {text[:_SHOWN]!r} is no position", gate=POSITION_IMPOSSIBLE)
        if position in by_position:
            raise InvalidDocument(f"position {position} is given twice", gate=POSITION_TWICE)
        by_position[position] = row
    if not by_position:
        raise InvalidDocument("holds a header without rows: an empty chart is never imported", gate=EMPTY)
    return by_position


def _song_ids(links: Sequence[str], positions: Sequence[int]) -> list[str]:
    if all(map(_URI.fullmatch, links)):  # as in every file of today: at once
        return [link[-ID_LENGTH:] for link in links]
    return [_song_id(link, position) for link, position in zip(links, positions, strict=True)]


def _song_id(link: str, position: int) -> str:
    found = _SONG.fullmatch(link.strip())
    if not found:
        raise InvalidDocument(f"position {position}: {link[:_SHOWN]!r} is no link to a song", gate=ID_MALFORMED)
    return checked_id(found[1], "song", position)


def _figures(
    told: Mapping[str, Sequence[str]], column: str, positions: Sequence[int], *, largest: int = LARGEST_INT
) -> list[int | None]:
    """Figures of Spotify's, which begin at 1; None where one is not told or, as -1 or 0, not filled."""
    texts = told.get(column)
    if texts is None:
        return [None] * len(positions)
    if all(map(_WHOLE_NUMBER.fullmatch, texts)) and max(values := list(map(int, texts))) <= largest:
        return [value if value > 0 else None for value in values]
    return [_figure(text, column, position, largest) for text, position in zip(texts, positions, strict=True)]


def _figure(told: str, column: str, position: int, largest: int) -> int | None:
    text = told.strip()
    if not text:
        return None
    if not _WHOLE_NUMBER.fullmatch(text) or (value := int(text)) > largest:
        raise InvalidDocument(
            f"position {position}: {column}: {text[:_SHOWN]!r} is no whole number, or too large", gate=FIGURE_IMPOSSIBLE
        )
    return value if value > 0 else None


def _is_damaged(table: CsvTable) -> bool:
    """Whether what the file went through may have destroyed some of its texts."""
    return table.encoding != "utf-8" or any(_REPLACEMENT in "".join(row) for row in table.rows)


def _whole_text(text: str) -> str | None:
    return text or None


def _text(text: str, encoding: Encoding, reading: Reading) -> str | None:
    """A text verbatim; None if it is empty, or if what the file went through destroyed some of it."""
    if _REPLACEMENT in text or (encoding != "utf-8" and (not text.isascii() or _SUBSTITUTED.search(text))):
        reading.damaged_texts += 1
        return None
    return text or None


def _warn(reading: Reading, table: CsvTable, held: Collection[int], without_streams: int) -> None:
    if reading.gaps:
        missing = (position for position in range(1, reading.depth) if position not in held)
        reading.warn(GAP, f"no row for position {first_few(missing)}")
    if without_streams:
        reading.warn(NO_STREAMS, f"{without_streams} positions tell none above 0")
    if reading.damaged_texts:
        how = "has replacement characters" if table.encoding == "utf-8" else f"is not UTF-8 (read as {table.encoding})"
        reading.warn(TEXT_DAMAGED, f"the file {how}: {reading.damaged_texts} texts are left out")


def _shown(cells: Sequence[str]) -> str:
    """The beginning of a row, fit for a line of a message."""
    line = next(iter(",".join(cells).splitlines()), "")
    return repr(line if len(line) <= _SHOWN else line[:_SHOWN] + "...")
