"""Answers of Spotify's public charts service, read into the rows of the warehouse.

The service fills the front page of https://charts.spotify.com for people who are not logged in. It is undocumented.
One answer holds three weekly charts of the world, of songs, albums and artists, 50 places each, and each with a date of
its own. What a logged-in reader sees of an entry (peak, time on the chart, label, streams) is left unfilled in answers
of 2024, as -1, 0, an empty text or an empty list, and was filled in answers of 2023: both are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import msgspec

from lambdas.core.charts import parse_chart
from lambdas.core.documents import UNREADABLE_JSON, DocumentHeader
from lambdas.core.errors import InvalidChart, InvalidDocument, PartialChart
from lambdas.core.expectations import compare
from lambdas.core.gates import (
    EMPTY,
    FIGURE_IMPOSSIBLE,
    GAP,
    ID_MALFORMED,
    NO_ID,
    NO_STREAMS,
    NOT_A_CHART,
    POSITION_IMPOSSIBLE,
    POSITION_TWICE,
    SONG_TWICE,
)
from lambdas.core.reading import LARGEST_INT, Reading, checked_id, first_few
from lambdas.core.rows import Row, days, milliseconds
from lambdas.core.schema import CHART_ENTRIES
from lambdas.core.web_api import Int32

PLACES: Final = 50
"""Places of each chart in an answer. One that ends before is a part of the chart."""

_DETAIL = "public"
_POSITION = CHART_ENTRIES.index("position")
_SONGS = "TRACK"
_STREAMS = "STREAMS"
_SONG, _ARTIST = "spotify:track:", "spotify:artist:"
_LARGEST_BIGINT = 2**63 - 1
_SHOWN = 60


class _Camel(msgspec.Struct, rename="camel", gc=False):
    """An object of the service. Its other fields are ignored."""


class _Dimensions(_Camel):
    latest_date: str | None = None


class _Metadata(_Camel):
    alias: str | None = None
    entity_type: str | None = None
    dimensions: _Dimensions = msgspec.field(default_factory=_Dimensions)


class _DisplayChart(_Camel):
    chart_metadata: _Metadata
    date: str | None = None


class _Metric(_Camel):
    value: str | int | None = None
    type: str | None = None


class _EntryData(_Camel):
    current_rank: Int32
    previous_rank: Int32 | None = None
    peak_rank: Int32 | None = None
    appearances_on_chart: Int32 | None = None
    ranking_metric: _Metric | None = None


class _Named(_Camel):
    """An artist or a label."""

    name: str | None = None
    spotify_uri: str | None = None
    external_url: str | None = None


class _Track(_Camel):
    track_name: str | None = None
    track_uri: str | None = None
    artists: list[_Named] | None = None
    labels: list[_Named] | None = None


class _Entry(_Camel):
    chart_entry_data: _EntryData
    track_metadata: _Track | None = None


_decode_entries = msgspec.json.Decoder(list[_Entry]).decode


class PublicChart(_Camel):
    """One of the charts in an answer. Its entries are decoded when they are read: those of other charts never are."""

    display_chart: _DisplayChart
    entries: msgspec.Raw = msgspec.Raw(b"[]")

    @property
    def is_of_songs(self) -> bool:
        """Whether its entries are songs: the others are of albums and artists."""
        return self.display_chart.chart_metadata.entity_type == _SONGS

    @property
    def chart(self) -> str:
        """The chart's name: Spotify's alias as file names and addresses have it, `regional-global-weekly`.

        Raises InvalidDocument for an alias that can name no chart.
        """
        alias = self.display_chart.chart_metadata.alias or ""
        try:
            return parse_chart(alias.lower().replace("_", "-"))
        except InvalidChart as error:
            raise InvalidDocument(f"the alias of a chart is {alias[:_SHOWN]!r}, which cannot name one") from error

    @property
    def chart_date(self) -> date:
        """The last day counted. Raises InvalidDocument if the chart tells none, or two."""
        dates = (self.display_chart.date, self.display_chart.chart_metadata.dimensions.latest_date)
        told = {text for text in dates if text}
        if len(told) != 1:
            said = f"tells two dates ({' and '.join(sorted(told))})" if told else "tells no date"
            raise InvalidDocument(f"{self.chart} {said}")
        (text,) = told
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise InvalidDocument(f"{self.chart} is of {text[:_SHOWN]!r}, which is no date") from error


class PublicAnswer(_Camel):
    """An answer of the service."""

    chart_entry_view_responses: list[PublicChart]

    @property
    def of_songs(self) -> dict[str, PublicChart]:
        """The charts of songs, by name. Raises InvalidDocument for two of one name."""
        charts: dict[str, PublicChart] = {}
        for one in self.chart_entry_view_responses:
            if one.is_of_songs and charts.setdefault(one.chart, one) is not one:
                raise InvalidDocument(f"holds the chart {one.chart} twice")
        return charts


class PublicChartsDocument(DocumentHeader, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A raw document that holds an answer of the service: one, none for a withdrawal."""

    answers: tuple[PublicAnswer, ...]

    @property
    def charts(self) -> dict[str, PublicChart]:
        """The answer's charts of songs, by name. Raises InvalidDocument if there is no answer, or another one."""
        if len(self.answers) != 1:
            raise InvalidDocument(f"holds {len(self.answers)} answers of the public charts service, not one")
        return self.answers[0].of_songs


class _Shape(_Camel):
    chart_entry_view_responses: msgspec.Raw = msgspec.Raw(b"")


def is_public_answer(text: bytes) -> bool:
    """Whether a JSON text is an answer of the service, whatever is wrong inside."""
    try:
        return bytes(msgspec.json.decode(text, type=_Shape).chart_entry_view_responses) != b""
    except UNREADABLE_JSON:
        return False


def parse_public_answer(text: bytes) -> PublicAnswer:
    """An answer of the service. Raises InvalidDocument if it is not JSON, or a field is missing or of a wrong type."""
    try:
        return msgspec.json.decode(text, type=PublicAnswer)
    except UNREADABLE_JSON as error:
        raise InvalidDocument(f"not as the public charts service answers: {error}") from error


def read_public_charts(document: DocumentHeader, charts: dict[str, PublicChart]) -> Reading:
    """The rows of a document whose answer holds these charts: those of the chart that the document is of.

    A place without an entry is a gap: unknown, not out; an entry without a song is a gap that is counted as empty.
    Figures that are left unfilled (-1, 0) are null, and so are streams that are not above 0, with a warning; streams
    are read where the chart is ranked by them. Raises InvalidDocument for what can never be published: another chart,
    no entries, a position that is none or is given twice, a malformed id, streams that are no whole number;
    PartialChart for a document that calls itself whole and ends before the last of `PLACES` places.
    """
    chart = charts.get(document.chart)
    if chart is None:
        raise InvalidDocument(
            f"holds no chart {document.chart}: it holds {', '.join(charts) or 'no chart of songs'}", gate=NOT_A_CHART
        )
    by_position = _by_position(_entries(chart))
    reading = Reading(depth=max(by_position))
    if not document.partial and reading.depth < PLACES:
        raise PartialChart(f"ends at place {reading.depth} of the {PLACES} that the service gives")
    observed, chart_date = milliseconds(document.observed_at), days(document.chart_date)
    without_streams = 0
    for position, entry in sorted(by_position.items()):
        song = entry.track_metadata
        if song is None or not song.track_uri:
            reading.skipped_null += 1
            continue
        song_id = _id(song.track_uri, _SONG, "song", position)
        told = entry.chart_entry_data
        streams = _streams(told.ranking_metric, position)
        without_streams += streams is not None and streams <= 0
        reading.entries.append(
            (
                document.chart,
                chart_date,
                position,
                document.period,
                song_id,
                _figure(streams),
                None,
                _figure(told.previous_rank),
                _figure(told.peak_rank),
                _figure(told.appearances_on_chart),
                _names(song.labels or ()),
                None,
                document.provider,
                observed,
            )
        )
        if song_id in reading.songs:
            reading.warn(SONG_TWICE, f"{song_id} again at position {position}")
        else:
            _read_song(song, song_id, position, observed, reading)
    reading.gaps = reading.depth - len(reading.entries)
    if not reading.entries:
        raise InvalidDocument(f"none of its {len(by_position)} places holds a song", gate=EMPTY)
    if reading.gaps:
        held = {row[_POSITION] for row in reading.entries}
        missing = (position for position in range(1, reading.depth + 1) if position not in held)
        reading.warn(GAP, f"no song at position {first_few(missing)}")
    if without_streams:
        reading.warn(NO_STREAMS, f"of {without_streams} positions")
    compare(document, reading)
    return reading


def _entries(chart: PublicChart) -> list[_Entry]:
    try:
        return _decode_entries(chart.entries)
    except UNREADABLE_JSON as error:
        raise InvalidDocument(f"{chart.chart}: not as the public charts service answers: {error}") from error


def _by_position(entries: Sequence[_Entry]) -> dict[int, _Entry]:
    by_position: dict[int, _Entry] = {}
    for entry in entries:
        position = entry.chart_entry_data.current_rank
        if not 0 < position <= LARGEST_INT:
            raise InvalidDocument(f"{position} is no position", gate=POSITION_IMPOSSIBLE)
        if position in by_position:
            raise InvalidDocument(f"position {position} is given twice", gate=POSITION_TWICE)
        by_position[position] = entry
    if not by_position:
        raise InvalidDocument("holds no entries: an empty chart is never published", gate=EMPTY)
    return by_position


def _read_song(song: _Track, song_id: str, position: int, observed: int, reading: Reading) -> None:
    """Take in a song that is met for the first time, with its artists and their credit."""
    credit = _names(song.artists or ())
    reading.songs[song_id] = (
        (
            song_id,
            song.track_name or None,
            credit,
            song_id,  # recording_id: no ISRC is told
            *(None,) * 7,
            f"https://open.spotify.com/track/{song_id}",
            # Of less detail than any whole text, so that it replaces none, however new it is.
            _DETAIL if song.track_name and credit else "incomplete",
            observed,
        ),
    )
    artists: list[Row] = []
    for artist_position, artist in enumerate(song.artists or (), 1):
        if not artist.spotify_uri:
            reading.warn(NO_ID, f"artist {artist.name!r} of the song at position {position}")
            continue
        artist_id = _id(artist.spotify_uri, _ARTIST, "artist", position)
        artists.append((song_id, artist_position, artist_id, _DETAIL, observed))
        url = artist.external_url or f"https://open.spotify.com/artist/{artist_id}"
        reading.artists.setdefault(artist_id, ((artist_id, artist.name or None, url, _DETAIL, observed),))
    if artists:
        reading.song_artists[song_id] = tuple(artists)


def _id(uri: str, kind: str, noun: str, position: int) -> str:
    if not uri.startswith(kind):
        raise InvalidDocument(f"position {position}: {uri[:_SHOWN]!r} is no {noun}'s URI", gate=ID_MALFORMED)
    return checked_id(uri.removeprefix(kind), noun, position)


def _figure(value: int | None) -> int | None:
    """A figure of Spotify's, which begins at 1; None where it is not told or, as -1 or 0, not filled."""
    return value if value is not None and value > 0 else None


def _streams(metric: _Metric | None, position: int) -> int | None:
    """Streams as they are told; None where the service does not tell them, or ranks by something else."""
    if metric is None or metric.type != _STREAMS or metric.value in (None, ""):
        return None
    text = str(metric.value)
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 19) or (value := int(text)) > _LARGEST_BIGINT:
        raise InvalidDocument(
            f"position {position}: streams: {text[:_SHOWN]!r} is no whole number, or too large", gate=FIGURE_IMPOSSIBLE
        )
    return value


def _names(named: Sequence[_Named]) -> str | None:
    """Names joined by commas; None if there are none."""
    return ", ".join(one.name for one in named if one.name) or None
