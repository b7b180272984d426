"""What a question over all of history costs: requests, bytes and CPU, in this layout and in one CSV file per run.

    make bench ONLY=query
    python -m benchmarks.query --days 365

The question joins every chart entry of a chart with its song and its song's artists, and counts the days each artist
was in the top 10. It is asked of one chart, and of one among 74. The same answer must come of both layouts, or the run
fails. The files are real ones, and DuckDB reads them from the disk: an object is a file that the question names, and
CPU is that of DuckDB's process, of all its threads. What S3 and Athena would bill is worked out, not measured:

- a GET for each object, and one more for each megabyte of columns (Athena reads a Parquet file's footer, then columns);
- a LIST for each prefix that is looked at, and for each 1,000 keys under it;
- Athena's scan of all bytes of the objects, 10 MB at least;
- prices from docs/cost_model.py.

One CSV per run is three files a day and chart (albums, artists and songs, as json + pandas + CSV writes them); the
position, which it drops, is given to it as a column, so that it can answer at all. All its files lie under one prefix a
table, so one chart among 74 can be told by its files' names, but all of them are listed. In ours a chart's object is
found by its year's prefix, and the dimensions are shared by all charts.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import duckdb

from benchmarks.machine import machine
from docs import cost_model as model
from docs.cost_model import Price
from lambdas.core import parquet
from lambdas.core.charts import FIRST_YEAR, last_year
from lambdas.core.keys import chart_year_key, dimension_key
from lambdas.core.reading import API
from lambdas.core.rows import Row, Value, days
from lambdas.core.schema import ALBUMS, ARTISTS, CHART_ENTRIES, SONG_ARTISTS, SONGS, Table

CHART: Final = "regional-global-daily"
CHARTS: Final = 74
FIRST_DAY: Final = date(2016, 1, 1)
POSITIONS: Final = 50
NEW_SONGS_A_DAY: Final = 3
ARTISTS_OF_SONGS: Final = 4
"""So many songs have one artist."""
CSV_TABLES: Final = ("albums", "artists", "songs")
KEYS_A_LIST: Final = 1000
BYTES_A_GET: Final = 10**6


@dataclass(frozen=True)
class Layout:
    """Files of one layout, and how the question is put to them.

    `requests` are what S3 is asked for: GETs and LISTs.
    """

    name: str
    sql: str
    objects: int
    bytes: int
    gets: int
    lists: int
    times: int = 1
    """What is measured is one of so many like it, and the rest is worked out."""

    @property
    def dollars(self) -> float:
        """What one question costs."""
        return sum(price.cost(quantity, free_tier=False) for price, quantity in self.amounts.items())

    @property
    def request_dollars(self) -> float:
        """Of that, S3's requests."""
        return self.dollars - model.SCANS.cost(self.amounts[model.SCANS], free_tier=False)

    @property
    def amounts(self) -> dict[Price, float]:
        """How much of what is billed."""
        return {
            model.S3_READS: self.gets * self.times,
            model.S3_WRITES: self.lists,
            model.SCANS: max(self.bytes * self.times, model.ATHENA_LEAST_BYTES) / 10**12,
        }


def charted(day: int) -> Iterator[tuple[int, int]]:
    """Positions of a day, each with the number of its song."""
    first = day * NEW_SONGS_A_DAY
    for place in range(POSITIONS):
        yield place + 1, first + (place * 7 + day) % POSITIONS


def identifier(noun: str, number: int) -> str:
    """A 22-character id."""
    return f"{noun}{number:0{22 - len(noun)}}"


def write_csv(root: Path, number_of_days: int) -> None:
    """A file a day of each of the three tables."""
    for table in CSV_TABLES:
        (root / table).mkdir(parents=True)
    for day in range(number_of_days):
        chart_date = FIRST_DAY + timedelta(days=day)
        rows: dict[str, list[tuple[object, ...]]] = {
            "songs": [
                (
                    "song_id",
                    "song_name",
                    "duration_ms",
                    "url",
                    "popularity",
                    "song_added",
                    "album_id",
                    "artist_id",
                    "position",
                )
            ],
            "albums": [("album_id", "name", "release_date", "total_tracks", "url")],
            "artists": [("artist_id", "artist_name", "external_url")],
        }
        for position, song in charted(day):
            album, artist = song // 2, song // ARTISTS_OF_SONGS
            url = f"https://open.spotify.com/track/{identifier('s', song)}"
            rows["songs"].append(
                (
                    identifier("s", song),
                    f"Song {song}",
                    185_000,
                    url,
                    71,
                    chart_date,
                    identifier("b", album),
                    identifier("a", artist),
                    position,
                )
            )
            rows["albums"].append(
                (identifier("b", album), f"Album {album}", "2019-05-03", 11, url.replace("track", "album"))
            )
            rows["artists"].append((identifier("a", artist), f"Artist {artist}", url.replace("track", "artist")))
        for table, held in rows.items():
            with (root / table / f"{chart_date}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([held[0], *dict.fromkeys(held[1:])])


def write_ours(root: Path, number_of_days: int, charts: int) -> None:
    """The objects that the transform makes: one a chart and year, and the dimensions. All charts hold the same."""
    by_year: dict[int, list[Row]] = {}
    songs: set[int] = set()
    for day in range(number_of_days):
        chart_date = FIRST_DAY + timedelta(days=day)
        for position, song in charted(day):
            songs.add(song)
            told: dict[str, Value] = {
                "chart": CHART,
                "chart_date": days(chart_date),
                "position": position,
                "period": "daily",
                "song_id": identifier("s", song),
                "popularity": 71,
                "provider": "playlist",
                "observed_at": 1,
            }
            by_year.setdefault(chart_date.year, []).append(row_of(CHART_ENTRIES, told))
    names = [CHART, *(f"regional-{chr(97 + n // 26)}{chr(97 + n % 26)}-daily" for n in range(charts - 1))]
    for year, rows in by_year.items():
        for name in names:
            renamed = rows if name == CHART else [(name, *row[1:]) for row in rows]
            write(root, chart_year_key(CHART_ENTRIES, name, year), CHART_ENTRIES, renamed)
    told_of: dict[str, Value] = {"detail": API, "observed_at": 1}
    write(
        root,
        dimension_key(SONGS),
        SONGS,
        [
            row_of(
                SONGS,
                told_of
                | {
                    "song_id": identifier("s", n),
                    "name": f"Song {n}",
                    "recording_id": identifier("s", n),
                    "album_id": identifier("b", n // 2),
                    "duration_ms": 185_000,
                    "url": f"https://open.spotify.com/track/{identifier('s', n)}",
                },
            )
            for n in sorted(songs)
        ],
    )
    write(
        root,
        dimension_key(ALBUMS),
        ALBUMS,
        [
            row_of(
                ALBUMS,
                told_of
                | {
                    "album_id": identifier("b", n),
                    "name": f"Album {n}",
                    "total_tracks": 11,
                    "url": f"https://open.spotify.com/album/{identifier('b', n)}",
                },
            )
            for n in sorted({n // 2 for n in songs})
        ],
    )
    write(
        root,
        dimension_key(SONG_ARTISTS),
        SONG_ARTISTS,
        [
            row_of(
                SONG_ARTISTS,
                told_of
                | {
                    "song_id": identifier("s", n),
                    "artist_position": 1,
                    "artist_id": identifier("a", n // ARTISTS_OF_SONGS),
                },
            )
            for n in sorted(songs)
        ],
    )
    write(
        root,
        dimension_key(ARTISTS),
        ARTISTS,
        [
            row_of(
                ARTISTS,
                told_of
                | {
                    "artist_id": identifier("a", n),
                    "name": f"Artist {n}",
                    "url": f"https://open.spotify.com/artist/{identifier('a', n)}",
                },
            )
            for n in sorted({n // ARTISTS_OF_SONGS for n in songs})
        ],
    )


def row_of(table: Table, told: dict[str, Value]) -> Row:
    """A row that tells these columns, and null for the others."""
    return tuple(told.get(name) for name in table.column_names)


def write(root: Path, key: str, table: Table, rows: Sequence[Row]) -> None:
    """One object of a table."""
    (root / key).parent.mkdir(parents=True, exist_ok=True)
    (root / key).write_bytes(parquet.encode(parquet.batch_of(table, rows)))


def ours(root: Path, name: str) -> Layout:
    """This layout, asked of one chart. Every chart's objects are opened: the chart is a column, not a partition."""
    facts = list((root / CHART_ENTRIES.name).rglob("*.parquet"))
    dimensions = [root / dimension_key(table) for table in (SONGS, ALBUMS, SONG_ARTISTS, ARTISTS)]
    asked = [file for file in facts if file.stem == CHART]
    read = [*asked, *dimensions]
    size = sum(file.stat().st_size for file in read)
    years = last_year(date.today()) - FIRST_YEAR + 1  # noqa: DTZ011 - the years that are projected
    sources = {file.parent.name: f"read_parquet('{file}')" for file in dimensions}
    return Layout(
        name=name,
        sql=f"""
            SELECT a.name AS artist, count(*) AS days, count(DISTINCT b.name) AS albums
            FROM read_parquet('{root}/{CHART_ENTRIES.name}/*/*.parquet') AS e
            JOIN {sources["songs"]} AS s ON s.song_id = e.song_id
            JOIN {sources["albums"]} AS b ON b.album_id = s.album_id
            JOIN {sources["song_artists"]} AS c ON c.song_id = e.song_id
            JOIN {sources["artists"]} AS a ON a.artist_id = c.artist_id
            WHERE e.chart = '{CHART}' AND e.position <= 10
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 50""",
        objects=len(facts) + len(dimensions),
        bytes=size,
        # The footer of each; columns only of those whose statistics do not rule the chart out.
        gets=len(facts) + len(dimensions) + len(read) + size // BYTES_A_GET,
        lists=max(years, -(-len(facts) // KEYS_A_LIST)) + len(dimensions),
    )


def one_csv_a_run(root: Path, name: str, charts: int) -> Layout:
    """One CSV per run and table, of so many charts, of which one is made and the others are like it."""
    files = list(root.rglob("*.csv"))
    latest = "(SELECT * FROM read_csv('{root}/{table}/*.csv') QUALIFY row_number() OVER (PARTITION BY {key}) = 1)"
    return Layout(
        name=name,
        sql=f"""
            SELECT a.artist_name AS artist, count(*) AS days, count(DISTINCT b.name) AS albums
            FROM read_csv('{root}/songs/*.csv') AS s
            JOIN {latest.format(root=root, table="albums", key="album_id")} AS b ON b.album_id = s.album_id
            JOIN {latest.format(root=root, table="artists", key="artist_id")} AS a ON a.artist_id = s.artist_id
            WHERE s.position <= 10
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 50""",
        objects=len(files) * charts,
        bytes=sum(file.stat().st_size for file in files),
        gets=len(files),
        lists=len(CSV_TABLES) * -(-len(files) * charts // len(CSV_TABLES) // KEYS_A_LIST),
        times=charts,
    )


def ask(layouts: Sequence[Layout], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each layout in each round. Raises AssertionError if they do not answer alike."""
    spent: dict[str, list[float]] = {layout.name: [] for layout in layouts}
    answers = set()
    with duckdb.connect(config={"threads": 2}) as connection:
        for _ in range(rounds):
            for layout in layouts:
                began = time.process_time()
                answers.add(tuple(connection.execute(layout.sql).fetchall()))
                spent[layout.name].append((time.process_time() - began) * layout.times)
    assert len(answers) == 1, "the layouts answer differently"
    return spent


def report(layouts: Sequence[Layout], spent: dict[str, list[float]]) -> None:
    """Print the table; each layout against the first."""
    print("| layout | objects | GETs | LISTs | MB | CPU s | to ours | requests, $ | to ours | all, $ | to ours |")
    print("|---" * 11 + "|")
    first = layouts[0]
    for layout in layouts:
        cpu = statistics.median(spent[layout.name])
        ratio = statistics.median(a / b for a, b in zip(spent[layout.name], spent[first.name], strict=True))
        cells = [
            layout.name + (" (worked out)" if layout.times > 1 else ""),
            f"{layout.objects:,}",
            f"{layout.gets * layout.times:,}",
            f"{layout.lists:,}",
            f"{layout.bytes * layout.times / 1e6:.1f}",
            f"{cpu:.2f}",
            f"{ratio:.0f}",
            f"{layout.request_dollars:.5f}",
            f"{layout.request_dollars / first.request_dollars:.0f}",
            f"{layout.dollars:.5f}",
            f"{layout.dollars / first.dollars:.0f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    print()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=3650, help="of history (default: 3650)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args(arguments)
    print(machine("duckdb", "arro3-core"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_csv(root / "csv", options.days)
        for charts in (1, CHARTS):
            write_ours(root / f"ours-{charts}", options.days, charts)
            what = "one chart" if charts == 1 else f"one chart among {charts}"
            layouts = [
                ours(root / f"ours-{charts}", "this layout"),
                one_csv_a_run(root / "csv", "one CSV per run", charts),
            ]
            if charts > 1:
                layouts.append(one_csv_a_run(root / "csv", "one CSV per run, a prefix a chart", 1))
            print(f"\nOf {what}, {options.days:,} days:\n")
            report(layouts, ask(layouts, options.rounds))


if __name__ == "__main__":
    main()
