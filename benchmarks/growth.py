"""What one more day costs as the tables grow to ten years of one daily chart of 200 songs.

    make bench ONLY=growth

The tables of one, two, five and ten years are made a year at a time, all but the last day, which is then merged; each
round merges it into all of them once, in turn, so that what else the machine does falls on all alike. In memory: no S3.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import msgspec

from benchmarks.inputs import CHART, NOW, Bucket, Stored, bucket_of, load, made_up
from benchmarks.machine import machine
from lambdas.core import parquet
from lambdas.core.keys import chart_year_key, dimension_key
from lambdas.core.schema import CHART_ENTRIES, SONGS
from lambdas.core.warehouse import Warehouse

FIRST_YEAR: Final = 2017
SIZE: Final = 200


@dataclass(frozen=True)
class Held:
    """Tables that hold some years but for their last day, and that day."""

    years: int
    tables: dict[str, bytes]
    last: Stored

    def merge_last(self) -> float:
        """CPU milliseconds of merging the last day."""
        raw, tables = bucket_of([self.last]), Bucket()
        tables.objects = dict(self.tables)
        day = self.last.document.chart_date
        began = time.process_time()
        Warehouse(raw=raw, tables=tables, now=lambda: NOW).load(CHART, day.year, [day])
        return (time.process_time() - began) * 1000

    def row(self, spent: Sequence[float]) -> str:
        """A row of the table."""
        songs = parquet.decode(SONGS, self.tables[dimension_key(SONGS)], name="songs").num_rows
        entries = chart_year_key(CHART_ENTRIES, CHART, self.last.document.chart_date.year)
        cells = [
            f"{self.years}",
            f"{songs:,}",
            f"{sum(map(len, self.tables.values())) / 1e6:.1f}",
            f"{len(self.tables[entries]) / 1000:.0f}",
            f"{statistics.median(spent):.1f}",
            f"{max(spent):.1f}",
        ]
        return f"| {' | '.join(cells)} |"


def _without_page(stored: Stored) -> Stored:
    """What is loaded: the packed body. Pages are not read here, and are 600 MB a year."""
    return replace(stored, page=b"", document=msgspec.structs.replace(stored.document, answers=()))


def grow(wanted: Sequence[int]) -> list[Held]:
    """The tables of so many years each."""
    found = []
    tables: dict[str, bytes] = {}
    for years in range(1, max(wanted) + 1):
        first = date(FIRST_YEAR + years - 1, 1, 1)
        number = (first.replace(year=first.year + 1) - first).days
        *before, last = (_without_page(made_up(first + timedelta(days=day), SIZE)) for day in range(number))
        tables = load(before, bucket_of(before), tables)
        if years in wanted:
            found.append(Held(years, tables, last))
        tables = load([last], bucket_of([last]), tables)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--years", type=int, nargs="+", default=[1, 2, 5, 10], help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    options = parser.parse_args(arguments)
    held = grow(options.years)
    rounds = [[each.merge_last() for each in held] for _ in range(options.rounds + 1)][1:]
    print(machine("msgspec", "arro3-core"))
    print("\n| years held | songs | MB of all tables | kB of the year's entries | one more day, CPU ms | at most |")
    print("|---" * 6 + "|")
    for each, spent in zip(held, zip(*rounds, strict=True), strict=True):
        print(each.row(spent))


if __name__ == "__main__":
    main()
