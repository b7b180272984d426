"""How fast the tables are made anew, in how much memory, and what one more day costs when ten years are held.

    make bench ONLY=rebuild

Made-up charts of 200 songs, as the Web API would tell them, lie as raw documents on disk, so that the memory measured
is the rebuild's; the tables lie in memory, as they would be on their way to S3. Each measurement runs in a process of
its own. CPU is process_time, of all threads; memory is the most that was resident, less what the process began
with (VmHWM of Linux: ru_maxrss counts the parent's).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TypeAlias

from benchmarks.inputs import CHART, NOW, made_up
from benchmarks.machine import machine, most_resident
from lambdas.core.rebuild import Rebuild
from lambdas.core.store import StoredObject, raw_documents
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.fakes import MemoryStore

FIRST = date(2017, 1, 1)
SONGS_A_DAY = 200

Measured: TypeAlias = dict[str, float]


class Folder(MemoryStore):
    """A bucket whose objects are files: what is read is not in memory before. `latency` is waited for at each read."""

    def __init__(self, path: Path, *, latency: float = 0.0) -> None:
        super().__init__()
        self._path = path
        self._latency = latency

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:  # noqa: ARG002
        if self._latency:
            time.sleep(self._latency)
        file = self._path / key
        return StoredObject(body=file.read_bytes(), etag="") if file.exists() else None

    def put_new(self, key: str, body: bytes) -> bool:
        file = self._path / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        folder = self._path / prefix.rpartition("/")[0]
        return iter(
            sorted(
                key
                for file in folder.rglob("*.gz")
                if (key := file.relative_to(self._path).as_posix()).startswith(prefix)
            )
        )


def write_documents(path: Path, days: int) -> None:
    """Raw documents of so many days of one chart."""
    raw = Folder(path)
    for number in range(days):
        stored = made_up(FIRST + timedelta(days=number), SONGS_A_DAY)
        raw.put_new(stored.key, stored.body)


def rebuild(path: Path, tables: MemoryStore, *, latency: float = 0.0, at_once: int = 1) -> None:
    """Make all tables of the documents in a folder."""
    Rebuild(raw=Folder(path, latency=latency), tables=tables, at_once=at_once, now=lambda: NOW).run()


def measure_rebuild(path: Path, number: int, latency: float, at_once: int) -> Measured:
    """Documents a CPU second and a second, and peak memory in MB above what the process began with."""
    before = most_resident()
    began, cpu = time.perf_counter(), time.process_time()
    rebuild(path, MemoryStore(), latency=latency, at_once=at_once)
    cpu, elapsed = time.process_time() - cpu, time.perf_counter() - began
    return {"a CPU second": number / cpu, "a second": number / elapsed, "MB": most_resident() - before}


def measure_one_more_day(path: Path, days: int, rounds: int) -> Measured:
    """CPU seconds of one more day loaded into the tables of all days before, and their size.

    Raises AssertionError if a rebuild does not give the tables' bytes.
    """
    raw, tables = Folder(path), MemoryStore()
    load_all(raw, tables)
    before = dict(tables.objects)
    tables.objects.clear()
    rebuild(path, tables)
    assert tables.objects == before, "the rebuild gives other bytes than the loads"
    last = made_up(FIRST + timedelta(days=days), SONGS_A_DAY)
    raw.put_new(last.key, last.body)
    day = last.document.chart_date
    spent = []
    for _ in range(rounds):
        tables.objects = dict(before)
        began = time.process_time()
        Warehouse(raw=raw, tables=tables, now=lambda: NOW).load(CHART, day.year, [day])
        spent.append(time.process_time() - began)
    return {"CPU seconds": round(statistics.median(spent), 3), "MB of tables": sum(map(len, before.values())) / 1e6}


def load_all(raw: Folder, tables: MemoryStore) -> None:
    """Load every document as transform would, a month at a time."""
    keys = [parts for _, parts in raw_documents(raw, "raw/")]
    for (chart, year), dates in group_by_chart_year(keys).items():
        ordered = sorted(dates)
        for start in range(0, len(ordered), 30):
            Warehouse(raw=raw, tables=tables, now=lambda: NOW).load(chart, year, ordered[start : start + 30])


def alone(work: Callable[..., Measured], *arguments: object) -> Measured:
    """Run in a new process: its peak of memory is then this work's."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=3653, help="days of one daily chart (default: ten years)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of one more day (default: 15)")
    parser.add_argument("--latency", type=float, default=0.02, help="seconds S3 takes for a document (default: 0.02)")
    options = parser.parse_args(arguments)
    print(machine("msgspec", "arro3-core"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ten years"
        write_documents(path, options.days)
        print(
            "\n| rebuild of | documents a CPU second | documents a second | MB at most |\n|---|---|---|---|", flush=True
        )
        for days in sorted({min(366, options.days), min(1096, options.days), options.days}):
            part = Path(folder) / f"{days} days"
            if not part.exists():
                link_first(path, part, days)
            row(f"{days:,} days of one chart", alone(measure_rebuild, part, days, 0.0, 1))
        few = Path(folder) / f"{min(366, options.days)} days"
        for at_once in (1, 16):
            what = f"a year, S3 taking {options.latency * 1000:g} ms a document, {at_once} at once"
            row(what, alone(measure_rebuild, few, min(366, options.days), options.latency, at_once))
        print("\none more day of 200 songs into ten years, and a rebuild that gives the same bytes:")
        print(json.dumps(alone(measure_one_more_day, path, options.days, options.rounds)))


def link_first(path: Path, part: Path, days: int) -> None:
    """A folder that holds the documents of the first days of another."""
    for key in list(Folder(path).keys("raw/"))[:days]:
        (part / key).parent.mkdir(parents=True, exist_ok=True)
        (part / key).hardlink_to(path / key)


def row(what: str, measured: Measured) -> None:
    """Print a row of the table."""
    print(
        f"| {what} | {measured['a CPU second']:.0f} | {measured['a second']:.0f} | {measured['MB']:.0f} |", flush=True
    )


if __name__ == "__main__":
    main()
