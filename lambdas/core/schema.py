"""The tables of the warehouse: written once here, and derived everywhere else.

Parquet files, Glue columns, the data model's page and the rows in code all come from `TABLES`. Names are snake_case,
ids are Spotify's, timestamps are UTC in milliseconds without a zone, counts are bigint, and there are no arrays: what
repeats is a table of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

SCHEMA_VERSION = 1
"""Stored in every object's Parquet metadata and in `snapshots.schema_version`; raised when a column is added.

No column is ever taken away, renamed or given another type: objects of every version are read for ever.
"""


class ColumnType(Enum):
    """A column's type, by its name in Glue (Hive). In Python: str, int, int, bool, days and milliseconds as int.

    DATE is kept as days since 1970-01-01 and TIMESTAMP as milliseconds since 1970-01-01 UTC, as Parquet stores them.
    """

    STRING = "string"
    INT = "int"
    BIGINT = "bigint"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, eq=False)
class Column:
    """One column: its name, type, and what it means."""

    name: str
    type: ColumnType
    meaning: str


@dataclass(frozen=True, eq=False)
class Table:
    """One table: its columns (the key's first), and whether its objects lie in a partition per year and chart.

    There is one of each, compared by identity.
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    by_year: bool

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names in the order of Glue's columns and of the Parquet file."""
        return tuple(column.name for column in self.columns)

    def index(self, column: str) -> int:
        """A column's place in a row. Raises ValueError for an unknown name."""
        return self.column_names.index(column)


YEAR_PARTITION = Column("year", ColumnType.STRING, "Year of chart_date, YYYY: the partition of the object.")

_S, _I, _N, _B, _D, _T = (
    ColumnType.STRING,
    ColumnType.INT,
    ColumnType.BIGINT,
    ColumnType.BOOLEAN,
    ColumnType.DATE,
    ColumnType.TIMESTAMP,
)

CHART_ENTRIES = Table(
    name="chart_entries",
    meaning="One song at one position of one chart on one date.",
    key=("chart", "chart_date", "position"),
    by_year=True,
    columns=(
        Column("chart", _S, "Spotify's alias of the chart (regional-global-daily) or your own name for it."),
        Column("chart_date", _D, "Last day counted."),
        Column("position", _I, "Place on the chart, 1 is the top. Gaps are unknown places, never closed up."),
        Column("period", _S, "daily or weekly."),
        Column("song_id", _S, "The song: songs.song_id."),
        Column("streams", _N, "Streams in the period, where the provider tells them."),
        Column("popularity", _I, "Spotify's 0 to 100 at the time of observation; absent for Development Mode apps."),
        Column("official_previous_position", _I, "Spotify's own figure; null: new, back or not told."),
        Column("official_peak_position", _I, "Spotify's own figure: the best position so far."),
        Column("official_periods_on_chart", _I, "Spotify's own figure: days or weeks on the chart."),
        Column("label", _S, "Record label, where the provider tells it."),
        Column("added_at", _T, "When the entry was put on the playlist."),
        Column("provider", _S, "Which provider served this day: playlist, charts_csv or public_charts."),
        Column("observed_at", _T, "When the chart was seen so."),
    ),
)
SNAPSHOTS = Table(
    name="snapshots",
    meaning="One raw document, winners and losers alike: the manifest and lineage of the warehouse.",
    key=("raw_key",),
    by_year=True,
    columns=(
        Column("raw_key", _S, "Key of the document in the raw bucket."),
        Column("chart", _S, "Chart the document is of."),
        Column("period", _S, "daily or weekly."),
        Column("chart_date", _D, "Last day counted."),
        Column("provider", _S, "Where the chart came from."),
        Column("observed_at", _T, "When the chart was seen so."),
        Column("received_at", _T, "When the document came to us."),
        Column("depth", _I, "Lowest place the document reaches, filled or not."),
        Column("entries", _I, "Places filled by a song."),
        Column("gaps", _I, "Places within its reach that hold no song."),
        Column("skipped_null", _I, "Places Spotify left empty (a track that was taken down)."),
        Column("skipped_local", _I, "Places held by a local file, which has no Spotify id."),
        Column("skipped_episode", _I, "Places held by a podcast episode."),
        Column("verdict", _S, "published, partial (published, but one page only), superseded, withdrawn, or restored."),
        Column("warnings", _S, "What soft quality gates saw, as `gate: words`, joined by semicolons; null if nothing."),
        Column("schema_version", _I, "Version of these tables when the document was read."),
    ),
)
SONGS = Table(
    name="songs",
    meaning="One song as Spotify last told it.",
    key=("song_id",),
    by_year=False,
    columns=(
        Column("song_id", _S, "Spotify's track id."),
        Column("name", _S, "Title."),
        Column("artist_names", _S, "The credit, verbatim where a file gives it, else the names joined by commas."),
        Column("recording_id", _S, "The recording: upper-case ISRC, else song_id. It often has several song ids."),
        Column("isrc", _S, "International Standard Recording Code as given."),
        Column("duration_ms", _N, "Length in milliseconds."),
        Column("explicit", _B, "Whether the lyrics are marked explicit."),
        Column("album_id", _S, "The album: albums.album_id."),
        Column("disc_number", _I, "Disc of the album."),
        Column("track_number", _I, "Place on the disc."),
        Column("popularity", _I, "Spotify's 0 to 100; absent for Development Mode apps."),
        Column("url", _S, "Link to the song on open.spotify.com."),
        Column("detail", _S, "How much the source tells: incomplete (a file's song, text missing), csv, public, api."),
        Column("observed_at", _T, "When Spotify told it so."),
    ),
)
ALBUMS = Table(
    name="albums",
    meaning="One album as Spotify last told it.",
    key=("album_id",),
    by_year=False,
    columns=(
        Column("album_id", _S, "Spotify's album id."),
        Column("name", _S, "Title."),
        Column("album_type", _S, "album, single or compilation."),
        Column("release_date", _D, "Padded to the first of the month or year where Spotify knows no more."),
        Column("release_date_precision", _S, "day, month or year: how much of release_date is known."),
        Column("total_tracks", _I, "Number of tracks."),
        Column("image_url", _S, "Largest cover image."),
        Column("url", _S, "Link to the album on open.spotify.com."),
        Column("detail", _S, "How much the source tells: csv, public or api."),
        Column("observed_at", _T, "When Spotify told it so."),
    ),
)
ARTISTS = Table(
    name="artists",
    meaning="One artist as Spotify last told it.",
    key=("artist_id",),
    by_year=False,
    columns=(
        Column("artist_id", _S, "Spotify's artist id."),
        Column("name", _S, "Name."),
        Column("url", _S, "Link to the artist on open.spotify.com."),
        Column("detail", _S, "How much the source tells: csv, public or api."),
        Column("observed_at", _T, "When Spotify told it so."),
    ),
)
SONG_ARTISTS = Table(
    name="song_artists",
    meaning="Which artists a song is by, in the order of the credit.",
    key=("song_id", "artist_position"),
    by_year=False,
    columns=(
        Column("song_id", _S, "The song: songs.song_id."),
        Column("artist_position", _I, "Place in the credit, 1 first."),
        Column("artist_id", _S, "The artist: artists.artist_id."),
        Column("detail", _S, "How much the source tells: csv, public or api."),
        Column("observed_at", _T, "When Spotify told it so."),
    ),
)

TABLES: tuple[Table, ...] = (SONGS, ALBUMS, ARTISTS, SONG_ARTISTS, CHART_ENTRIES, SNAPSHOTS)
"""In the order they are written: dimensions, entries, snapshots. No fact lacks its song, and a day is done last."""

DIMENSIONS: tuple[Table, ...] = (SONGS, ALBUMS, ARTISTS, SONG_ARTISTS)
