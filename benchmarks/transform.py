"""How much CPU one document costs, and a cold start: this project against json + pandas + CSV, paired in one run.

    make bench

Each round runs every candidate once, so that what else the machine does falls on all alike; figures are medians of CPU
time (process_time), ratios medians of the rounds' own ratios. Ours starts from the gzipped raw document and ends with
the six tables' Parquet bytes in an empty warehouse; the other starts from the bare JSON and ends with three CSV texts.
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
from datetime import UTC, date, datetime
from importlib.metadata import version

from benchmarks import seed_pandas
from lambdas.core import documents
from lambdas.core.documents import FORMAT_VERSION, RawDocument, raw_answer
from lambdas.core.keys import parse_raw_key
from lambdas.core.warehouse import Warehouse
from local.spotify.model import chart
from local.spotify.payloads import Era, Page, Renderer
from tests.fakes import MemoryStore

DAY = date(2026, 3, 5)
STAMP = date(2026, 3, 6)

# What each function imports before its first event.
TRANSFORM_IMPORTS = "import boto3; boto3.client('s3', region_name='us-east-1'); import lambdas.transform.handler"
SEED_IMPORTS = "import boto3; boto3.client('s3', region_name='us-east-1'); import pandas"


def playlist_page(size: int) -> bytes:
    """A made-up chart as Spotify would answer it."""
    renderer = Renderer(base="https://api.spotify.com", era=Era.CLASSIC, today=STAMP)
    items = [
        renderer.entry(renderer.track(entry.song, in_playlist=True), STAMP)
        for entry in chart("regional-global-daily", DAY, size=size)
    ]
    page = Page("https://api.spotify.com/v1/playlists/37i9dQZEVXbMDoHDwVN2tF/tracks", 0, size, size, "").around(items)
    return json.dumps(page, ensure_ascii=False).encode()


def stored_document(body: bytes) -> tuple[str, bytes]:
    """The page as the raw zone holds it."""
    moment = datetime(2026, 3, 6, 6, tzinfo=UTC)
    document = RawDocument(
        format_version=FORMAT_VERSION,
        chart="regional-global-daily",
        period="daily",
        chart_date=DAY,
        observed_at=moment,
        received_at=moment,
        provider="playlist",
        origin="benchmark",
        answers=(raw_answer(body),),
    )
    return document.key, documents.encode(document)


def cpu(work: Callable[[], object]) -> float:
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


def compare(ours: Callable[[], float], other: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Medians of ours and the other, and of the rounds' ratios (other / ours)."""
    pairs = [(ours(), other()) for _ in range(rounds)]
    return (
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        statistics.median(pair[1] / pair[0] for pair in pairs),
    )


def load_once(key: str, stored: bytes) -> None:
    """One document into an empty warehouse."""
    raw = MemoryStore()
    raw.objects[key] = stored
    Warehouse(raw=raw, tables=MemoryStore(), now=lambda: datetime(2026, 4, 1, tzinfo=UTC)).load(
        "regional-global-daily", DAY.year, [parse_raw_key(key).chart_date]
    )


def main() -> None:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="rounds of the transform (default: 40)")
    parser.add_argument("--cold-rounds", type=int, default=9, help="new interpreters of each kind (default: 9)")
    options = parser.parse_args()
    names = ("msgspec", "arro3-core", "boto3", "pandas")
    print(f"Python {platform.python_version()}, {platform.machine()}, " + ", ".join(f"{n} {version(n)}" for n in names))
    print()
    print("| what | ours, CPU ms | json + pandas + CSV, CPU ms | ratio |")
    print("|---|---|---|---|")
    for size in (50, 200):
        body = playlist_page(size)
        key, stored = stored_document(body)
        load_once(key, stored), seed_pandas.transform(body)
        ours, other, ratio = compare(
            lambda key=key, stored=stored: cpu(lambda: load_once(key, stored)),  # type: ignore[misc]
            lambda body=body: cpu(lambda: seed_pandas.transform(body)),  # type: ignore[misc]
            options.rounds,
        )
        print(f"| one document of {size} songs ({len(body):,} bytes) | {ours:.2f} | {other:.2f} | {ratio:.1f} |")
    cold_start(TRANSFORM_IMPORTS), cold_start(SEED_IMPORTS)
    bare = statistics.median(cold_start("pass") for _ in range(options.cold_rounds))
    ours, other, _ = compare(
        lambda: cold_start(TRANSFORM_IMPORTS) - bare, lambda: cold_start(SEED_IMPORTS) - bare, options.cold_rounds
    )
    print(f"| imports and S3 client, cold, less the bare interpreter's {bare:.0f} | {ours:.0f} | {other:.0f} | "
          f"{100 * (1 - ours / other):.0f} % less |")


if __name__ == "__main__":
    main()
