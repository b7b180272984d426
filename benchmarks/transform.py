"""How much CPU one document and a month of them cost: this project against others' ways, paired in one run.

    make bench ONLY=transform

Each round runs all of them once, so that what else the machine does falls on all alike; figures are medians of CPU time
(process_time), ratios medians of the rounds' own ratios. Ours starts from the gzipped raw document and ends with the
six tables' Parquet bytes; json + pandas + CSV, and pandas + to_parquet, start from the bare JSON and end with three
tables; the floor parses the bare JSON and packs it (benchmarks/floor.py). None writes anywhere.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date

from benchmarks import floor, seed_pandas
from benchmarks.inputs import ONE_DAY, Stored, bucket_of, load, made_up, real
from benchmarks.machine import machine
from lambdas.core import documents, parquet
from lambdas.core.keys import chart_year_key, dimension_key
from lambdas.core.playlist import PlaylistDocument, read_playlist
from lambdas.core.schema import ALBUMS, ARTISTS, SONGS, TABLES
from lambdas.core.web_api import read_answer

DAY = date(2026, 3, 5)
LEAP_YEAR = 2024
BATCH = 30

Work = Callable[[], object]


def cpu(work: Work) -> float:
    """CPU milliseconds of one call."""
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def compare(what: str, ours: Work, rounds: int, *others: Work | None) -> None:
    """Print a row of the table: the median of ours, then of each other one with the rounds' median ratio to ours."""
    works = [ours, *filter(None, others)]
    for work in works:
        work()
    measured = [[cpu(work) for work in works] for _ in range(rounds)]
    columns = iter(zip(*measured, strict=True))
    mine = next(columns)
    cells = [f"{statistics.median(mine):.2f}"]
    for other in others:
        theirs = mine if other is None else next(columns)
        ratio = statistics.median(a / b for a, b in zip(theirs, mine, strict=True))
        cells += ["", ""] if other is None else [f"{statistics.median(theirs):.2f}", f"{ratio:.1f}"]
    print(f"| {what} | {' | '.join(cells)} |", flush=True)


def others_of(pages: Sequence[bytes]) -> tuple[Work, Work, Work]:
    """The others' ways through these pages, one after another: to CSV, to Parquet, and the floor."""
    return (
        lambda: [seed_pandas.transform(page) for page in pages],
        lambda: [seed_pandas.transform_to_parquet(page) for page in pages],
        lambda: [floor.transform(page) for page in pages],
    )


def compare_one_document(what: str, stored: Stored, page: bytes, rounds: int) -> None:
    """One document into an empty warehouse, against the page into three tables."""
    raw = bucket_of([stored])
    compare(f"{what} ({len(page):,} bytes)", lambda: load([stored], raw), rounds, *others_of([page]))


def three_tables(stored: Stored) -> None:
    """What the other does, our way: the page's songs, albums and artists as Parquet, each once."""
    reading = read_playlist(stored.document, [read_answer(stored.page).page])
    for table in (SONGS, ALBUMS, ARTISTS):
        groups = reading.rows_for(table)
        parquet.encode(parquet.batch_of(table, [row for key in sorted(groups) for row in groups[key]]))


def compare_floors(stored: Stored, rounds: int) -> None:
    """What is left of ours if Python did nothing between the libraries' calls."""
    tables = load([stored], bucket_of([stored]))
    day = stored.document.chart_date
    batches = {}
    for table in TABLES:
        key = chart_year_key(table, stored.document.chart, day.year) if table.by_year else dimension_key(table)
        batches[table] = parquet.decode(table, tables[key], name=key)
    rows = {table: parquet.rows_of(table, batch) for table, batch in batches.items()}

    def decode_and_write() -> None:
        documents.decode(stored.body, key=stored.key, model=PlaylistDocument)
        for batch in batches.values():
            parquet.encode(batch)

    def decode_make_arrays_and_write() -> None:
        documents.decode(stored.body, key=stored.key, model=PlaylistDocument)
        for table in TABLES:
            parquet.encode(parquet.batch_of(table, rows[table]))

    for what, ours in (
        ("- of that: unpack, decode and write, arrays ready", decode_and_write),
        ("- of that: unpack, decode, make arrays and write, rows ready", decode_make_arrays_and_write),
    ):
        compare(what, ours, rounds, *others_of([stored.page]))


def compare_a_batch(size: int, rounds: int) -> None:
    """A month of documents in one load, against as many runs of the others."""
    month = [made_up(DAY - ONE_DAY * back, size) for back in range(BATCH)]
    raw = bucket_of(month)
    pages = [stored.page for stored in month]
    compare(f"{BATCH} documents of {size} songs, one load", lambda: load(month, raw), rounds, *others_of(pages))
    compare(
        "- of that: unpack and decode",
        lambda: [documents.decode(stored.body, key=stored.key, model=PlaylistDocument) for stored in month],
        rounds,
        *others_of(pages),
    )


def compare_a_merge(rounds: int) -> None:
    """One more day into tables that hold a year, against the other as it is, and against one that merges, too."""
    first = date(LEAP_YEAR, 1, 1)
    *year, last = [made_up(first + ONE_DAY * day, 50) for day in range(366)]
    held = load(year, bucket_of(year))
    held_csv = seed_pandas.whole([stored.page for stored in year])
    raw = bucket_of([last])
    into = "one day of 50 songs into a year of 365 days"
    merge = lambda: load([last], raw, held)  # noqa: E731
    compare(f"{into}; the others write the day alone", merge, rounds, *others_of([last.page]))
    merge_csv = lambda: seed_pandas.merge(held_csv, last.page)  # noqa: E731
    compare(f"{into}; the other merges its CSV files", merge, rounds, merge_csv, None, None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="rounds of one document (default: 60)")
    parser.add_argument("--long-rounds", type=int, default=20, help="rounds of a batch or a merge (default: 20)")
    options = parser.parse_args(arguments)
    print(machine("msgspec", "arro3-core", "pandas", "pyarrow", "pysimdjson", "zstandard"))
    print()
    others = ("json + pandas + CSV", "pandas + to_parquet", "floor: simdjson + zstd")
    print("| what | ours, CPU ms | " + " | ".join(f"{other}, CPU ms | to ours" for other in others) + " |")
    print("|---" * (2 + 2 * len(others)) + "|")
    for size in (50, 200):
        stored = made_up(DAY, size)
        compare_one_document(f"one made-up document of {size} songs", stored, stored.page, options.rounds)
        compare(
            "- the others' work: the bare page into their three tables",
            lambda stored=stored: three_tables(stored),  # type: ignore[misc]
            options.rounds,
            *others_of([stored.page]),
        )
        compare_floors(stored, options.rounds)
    for name, stored in real().items():
        compact = json.dumps(json.loads(stored.page), separators=(",", ":")).encode()
        compare_one_document(f"{name}; the others read the file", stored, stored.page, options.rounds)
        compare_one_document(f"{name}; the others read it compact", stored, compact, options.rounds)
    for size in (50, 200):
        compare_a_batch(size, options.long_rounds)
    compare_a_merge(options.long_rounds)


if __name__ == "__main__":
    main()
