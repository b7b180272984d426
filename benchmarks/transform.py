"""How much CPU one document costs, and a cold start: this project against json + pandas + CSV, paired in one run.

    make bench

Each round runs both once, so that what else the machine does falls on both alike; figures are medians of CPU time
(process_time), ratios medians of the rounds' own ratios. Ours starts from the gzipped raw document and ends with the
six tables' Parquet bytes; the other starts from the bare JSON and ends with three CSV texts. Neither writes anywhere.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version

from benchmarks import seed_pandas
from benchmarks.inputs import ONE_DAY, Stored, bucket_of, load, made_up, real
from lambdas.core import documents, parquet
from lambdas.core.keys import chart_year_key, dimension_key
from lambdas.core.playlist import PlaylistDocument, read_playlist
from lambdas.core.schema import ALBUMS, ARTISTS, SONGS, TABLES
from lambdas.core.web_api import read_answer

DAY = date(2026, 3, 5)
LEAP_YEAR = 2024
BATCH = 30

# What each function imports before its first event.
S3_CLIENT = "import boto3; boto3.client('s3', region_name='us-east-1')"
TRANSFORM_IMPORTS = f"{S3_CLIENT}; import lambdas.transform.handler"
SEED_IMPORTS = f"{S3_CLIENT}; import pandas"

Work = Callable[[], object]


def cpu(work: Work) -> float:
    """CPU milliseconds of one call."""
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def cold_start(statement: str) -> float:
    """CPU milliseconds of a new interpreter that runs a statement."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def compare(what: str, ours: Work, other: Work, rounds: int) -> None:
    """Print a row of the table: medians of ours and the other, and of the rounds' ratios (other / ours)."""
    ours(), other()
    pairs = [(cpu(ours), cpu(other)) for _ in range(rounds)]
    mine = statistics.median(pair[0] for pair in pairs)
    theirs = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    print(f"| {what} | {mine:.2f} | {theirs:.2f} | {ratio:.1f} |", flush=True)


def compare_one_document(what: str, stored: Stored, page: bytes, rounds: int) -> None:
    """One document into an empty warehouse, against the page into three CSV texts."""
    raw = bucket_of([stored])
    compare(
        f"{what} ({len(page):,} bytes)",
        lambda: load([stored], raw),
        lambda: seed_pandas.transform(page),
        rounds,
    )


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

    other = lambda: seed_pandas.transform(stored.page)  # noqa: E731
    compare("- of that: unpack, decode and write, arrays ready", decode_and_write, other, rounds)
    compare("- of that: unpack, decode, make arrays and write, rows ready", decode_make_arrays_and_write, other, rounds)


def compare_a_batch(rounds: int) -> None:
    """A month of documents in one load, against as many runs of the other."""
    month = [made_up(DAY - ONE_DAY * back, 50) for back in range(BATCH)]
    raw = bucket_of(month)
    compare(
        f"{BATCH} documents of 50 songs, one load; {BATCH} runs of the other",
        lambda: load(month, raw),
        lambda: [seed_pandas.transform(stored.page) for stored in month],
        rounds,
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
    compare(f"{into}; the other writes the day alone", merge, lambda: seed_pandas.transform(last.page), rounds)
    compare(f"{into}; the other merges its CSV files", merge, lambda: seed_pandas.merge(held_csv, last.page), rounds)


def compare_cold_starts(rounds: int) -> None:
    """New interpreters up to the first event."""
    statements = ("pass", TRANSFORM_IMPORTS, SEED_IMPORTS)
    for statement in statements:
        cold_start(statement)
    measured = [[cold_start(statement) for statement in statements] for _ in range(rounds)]
    bare = statistics.median(row[0] for row in measured)
    ours = statistics.median(row[1] for row in measured) - bare
    other = statistics.median(row[2] for row in measured) - bare
    what = f"cold: imports and S3 client, less the bare interpreter's {bare:.0f}"
    print(f"| {what} | {ours:.0f} | {other:.0f} | {100 * (1 - ours / other):.0f} % less |")


def main() -> None:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="rounds of one document (default: 60)")
    parser.add_argument("--long-rounds", type=int, default=20, help="rounds of a batch or a merge (default: 20)")
    parser.add_argument("--cold-rounds", type=int, default=9, help="new interpreters of each kind (default: 9)")
    options = parser.parse_args()
    names = ("msgspec", "arro3-core", "boto3", "pandas")
    print(f"Python {platform.python_version()}, {platform.machine()}, " + ", ".join(f"{n} {version(n)}" for n in names))
    print()
    print("| what | ours, CPU ms | json + pandas + CSV, CPU ms | ratio |")
    print("|---|---|---|---|")
    for size in (50, 200):
        stored = made_up(DAY, size)
        compare_one_document(f"one made-up document of {size} songs", stored, stored.page, options.rounds)
        compare(
            "- the other's work: the bare page into its three tables",
            lambda stored=stored: three_tables(stored),  # type: ignore[misc]
            lambda stored=stored: seed_pandas.transform(stored.page),  # type: ignore[misc]
            options.rounds,
        )
        compare_floors(stored, options.rounds)
    for name, stored in real().items():
        compact = json.dumps(json.loads(stored.page), separators=(",", ":")).encode()
        compare_one_document(f"{name}; the other reads the file", stored, stored.page, options.rounds)
        compare_one_document(f"{name}; the other reads it compact", stored, compact, options.rounds)
    compare_a_batch(options.long_rounds)
    compare_a_merge(options.long_rounds)
    compare_cold_starts(options.cold_rounds)


if __name__ == "__main__":
    main()
