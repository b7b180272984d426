"""The quality gates that a raw document passes before anything of it is published.

A hard gate refuses the document: it goes on record under `quarantine/`, with a reason that begins with the gate's name.
A soft gate lets it through with a warning in `snapshots.warnings` that begins with the gate's name. Whether a gate lets
a document through follows from the document alone, never from what else is held, so that the tables stay a function of
the raw zone; the one exception is `date_impossible`, whose last year moves on with the clock, as the tables' does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """One gate: its name, as it stands in reasons and warnings, and what is held up there."""

    name: str
    meaning: str

    def say(self, words: object) -> str:
        """A reason or a warning, as it is kept on record."""
        return f"{self.name}: {words}"


STRAY = Gate(
    "stray",
    "An object in the raw zone whose key is not a raw document's, or a dropped file whose folders say what cannot be.",
)
UNREADABLE = Gate(
    "unreadable",
    "Over the size that is read, cut off, not gzip, not JSON, or a field of a type or size that no column holds.",
)
NEWER_FORMAT = Gate("newer_format", "A format version, or a provider, that only newer code reads.")
CONTRADICTORY = Gate(
    "contradictory",
    "Another chart, chart date, provider or moment than its key names, or a withdrawal that is not the operator's.",
)
DATE_IMPOSSIBLE = Gate(
    "date_impossible",
    "A chart date outside the years of the tables, an observation after them, or a moment without a time zone.",
)
NOT_A_CHART = Gate("not_a_chart", "Answers that hold no playlist's entries, or a file that is no chart of songs.")
EMPTY = Gate("empty", "Not a single place holds a song.")
INCOMPLETE = Gate("incomplete", "Fewer entries than the playlist's total, and not said to be partial.")
ROW_BROKEN = Gate("row_broken", "A row of a file with more or fewer fields than its header.")
POSITION_IMPOSSIBLE = Gate("position_impossible", "A position that is no whole number from 1 to 2,147,483,647.")
POSITION_TWICE = Gate("position_twice", "Two entries at one position.")
ID_MALFORMED = Gate("id_malformed", "The id of a song, album or artist that is not 22 letters and digits.")
FIGURE_IMPOSSIBLE = Gate(
    "figure_impossible", "A figure of an official file that is no whole number, or is larger than its column."
)

SIZE_DIFFERS = Gate(
    "size_differs",
    "One of Spotify's own charts reaches another place than is usual: 200 in official files, 50 elsewhere.",
)
WEEKDAY_DIFFERS = Gate("weekday_differs", "One of Spotify's own weekly charts does not end on a Thursday.")
PARTIAL = Gate("partial", "Said to be a part of a longer playlist.")
GAP = Gate("gap", "Places within its reach hold no song; later places do not move up.")
SONG_TWICE = Gate("song_twice", "A song at more than one position; all of them are kept.")
NO_ID = Gate("no_id", "A song or an artist without a Spotify id; the song's place is a gap, the artist is left out.")
NO_STREAMS = Gate("no_streams", "An official file tells streams that are not above 0; they are null.")
NO_RELEASE_DATE = Gate("no_release_date", "An album's release date is no date; it is null.")
TEXT_DAMAGED = Gate("text_damaged", "Texts that software on the file's way destroyed; they are null.")

HARD: tuple[Gate, ...] = (
    STRAY,
    UNREADABLE,
    NEWER_FORMAT,
    CONTRADICTORY,
    DATE_IMPOSSIBLE,
    NOT_A_CHART,
    EMPTY,
    INCOMPLETE,
    ROW_BROKEN,
    POSITION_IMPOSSIBLE,
    POSITION_TWICE,
    ID_MALFORMED,
    FIGURE_IMPOSSIBLE,
)
"""Gates that refuse a document, roughly in the order it meets them."""

SOFT: tuple[Gate, ...] = (
    SIZE_DIFFERS,
    WEEKDAY_DIFFERS,
    PARTIAL,
    GAP,
    SONG_TWICE,
    NO_ID,
    NO_STREAMS,
    NO_RELEASE_DATE,
    TEXT_DAMAGED,
)
"""Gates that warn, in the order of a document's warnings."""
