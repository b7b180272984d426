"""Writes docs/backfill.md: ten years of all charts, by what was measured and by the prices of docs/cost_model.py."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from docs import cost_model as model
from docs.cost_model import Price, Requests

_HALF_A_CENT: Final = 0.005
PAGE: Final = Path(__file__).with_name("backfill.md")

CHARTS: Final = 74
YEARS: Final = 10
DOCUMENTS: Final = 270_000
POSITIONS: Final = 200
SONGS: Final = 300_000
"""Told by so many files, at the end. An assumption: it decides what a rewrite of `songs` costs."""

# --- From the templates and the code, held by tests/unit/test_backfill_page.py ---------------------------------------

BATCH: Final = 100
DOCUMENTS_AT_ONCE: Final = 8
UPLOADS_AT_ONCE: Final = 8

# --- Measured, on one core (benchmarks/RESULTS.md) -------------------------------------------------------------------

IMPORT_CPU_SECONDS: Final = 0.0007
"""Of a file: read, checked, made into a document, packed."""
DOCUMENT_CPU_SECONDS: Final = 0.0017
"""Of a document, but for the objects that it is merged into."""
CHART_YEAR_CPU_SECONDS: Final = 0.012
"""Of both objects of a chart and year that is half full, read, merged and packed."""
SONG_CPU_SECONDS: Final = 0.62e-6
"""Of each song held, whenever `songs` is written anew: it is read, merged and packed whole."""
SONG_BYTES: Final = 44
SONG_MEMORY_BYTES: Final = 700
BASE_MEMORY_MIB: Final = 110
"""Of a worker at a batch of these documents, beside few songs; without boto3, which takes some 40 more."""

# --- Assumed ---------------------------------------------------------------------------------------------------------

S3_BYTES_A_SECOND: Final = 50e6


@dataclass(frozen=True)
class Backfill:
    """An import of so many documents in batches, of which each touches so many charts and years."""

    title: str
    chart_years_a_batch: float
    batch: int = BATCH
    documents: int = DOCUMENTS
    songs: int = SONGS

    @property
    def batches(self) -> float:
        return self.documents / self.batch

    @property
    def requests(self) -> Requests:
        """Of all loads: the documents, the listings, and both objects of each chart and year beside `songs`."""
        objects = self.batches * (2 * self.chart_years_a_batch + 1)
        return Requests(writes=objects, lists=self.batches * self.chart_years_a_batch, reads=objects + self.documents)

    @property
    def songs_cpu_seconds(self) -> float:
        """Of one rewrite of `songs`, at half of the songs there will be."""
        return self.songs / 2 * SONG_CPU_SECONDS

    @property
    def cpu_seconds(self) -> float:
        objects = self.chart_years_a_batch * CHART_YEAR_CPU_SECONDS + self.songs_cpu_seconds
        return self.documents * DOCUMENT_CPU_SECONDS + self.batches * objects

    @property
    def songs_seconds(self) -> float:
        """From reading `songs` to having written it: in this time, another writer's change costs a repetition."""
        return self.songs_cpu_seconds / CPUS + 2 * model.S3_SECONDS + self._moving_songs_seconds

    @property
    def _moving_songs_seconds(self) -> float:
        return 2 * self.songs / 2 * SONG_BYTES / S3_BYTES_A_SECOND

    @property
    def batch_seconds(self) -> float:
        """Of one batch, alone: documents are fetched several at once, all else one after the other."""
        each = self.requests * (1 / self.batches)
        waits = self.batch / DOCUMENTS_AT_ONCE + each.writes + each.lists + each.reads - self.batch
        return self.cpu_seconds / self.batches / CPUS + waits * model.S3_SECONDS + self._moving_songs_seconds

    def minutes(self, functions: int) -> float:
        """With so many functions: never faster than one rewrite of `songs` after the other."""
        return self.batches * max(self.batch_seconds / functions, self.songs_seconds) / 60

    @property
    def useful_functions(self) -> int:
        """More than these wait for each other's `songs`."""
        return max(1, int(self.batch_seconds / self.songs_seconds))

    @property
    def amounts(self) -> dict[Price, float]:
        """What is billed, the upload of the documents included."""
        log_bytes = self.batches * (model.LOG_BYTES_A_BATCH + self.chart_years_a_batch * model.LOG_BYTES_A_LOAD)
        return {
            model.LAMBDA_REQUESTS: self.batches,
            model.LAMBDA_COMPUTE: self.batches * self.batch_seconds * GIB,
            model.S3_WRITES: self.documents + self.requests.writes + self.requests.lists,
            model.S3_READS: self.requests.reads,
            model.SQS_REQUESTS: self.documents * model.SQS_REQUESTS_A_MESSAGE,
            model.EVENTS: self.documents,
            model.LOGS_WRITTEN: log_bytes / model.GB,
        }

    @property
    def dollars(self) -> float:
        """At list prices."""
        return sum(model.costs(self.amounts, free_tier=False).values())


GIB: Final = model.deployed(0).transform_gib
CPUS: Final = model.cpus(GIB)

IN_ORDER: Final = Backfill("in order of chart and date", chart_years_a_batch=1 + BATCH / 365)
BY_DATE: Final = Backfill("in order of date: each batch has every chart", chart_years_a_batch=CHARTS)
SHUFFLED: Final = Backfill("in no order", chart_years_a_batch=BATCH * (1 - BATCH / (2 * CHARTS * YEARS)))
ORDERS: Final = (IN_ORDER, BY_DATE, SHUFFLED)


def _paragraphs(text: str) -> str:
    """Text filled to the width of the other pages; lists, tables and headings stay as they are."""
    blocks = textwrap.dedent(text).strip().split("\n\n")
    return "\n\n".join(
        block if block.startswith(("#", "|", "<", "-", "1. ")) else textwrap.fill(" ".join(block.split()), 120)
        for block in blocks
    )


def _table() -> str:
    head = ["270,000 documents", *(order.title for order in ORDERS)]
    rows = [
        ["charts and years a batch", *(f"{order.chart_years_a_batch:.1f}" for order in ORDERS)],
        ["reads of tables and documents", *(f"{order.requests.reads:,.0f}" for order in ORDERS)],
        ["writes of tables", *(f"{order.requests.writes:,.0f}" for order in ORDERS)],
        ["listings", *(f"{order.requests.lists:,.0f}" for order in ORDERS)],
        ["CPU seconds", *(f"{order.cpu_seconds:,.0f}" for order in ORDERS)],
        ["seconds a batch", *(f"{order.batch_seconds:.1f}" for order in ORDERS)],
        ["of that, `songs` is held for", *(f"{order.songs_seconds:.2f}" for order in ORDERS)],
        *(
            [f"minutes, {number} functions", *(f"{order.minutes(number):,.0f}" for order in ORDERS)]
            for number in (2, 4, 8)
        ),
        ["functions that are of use", *(f"{order.useful_functions}" for order in ORDERS)],
        ["dollars", *(f"{order.dollars:.2f}" for order in ORDERS)],
        ["dollars a thousand documents", *(f"{order.dollars * 1000 / order.documents:.4f}" for order in ORDERS)],
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _bill() -> str:
    found = model.costs(IN_ORDER.amounts, free_tier=False)
    shown = ((price, dollars) for price, dollars in found.items() if dollars >= _HALF_A_CENT)
    return ", ".join(f"{price.service} {price.item} ${dollars:.2f}" for price, dollars in shown)


def render() -> str:
    """The page."""
    upload_minutes = DOCUMENTS * max(IMPORT_CPU_SECONDS, model.S3_SECONDS / UPLOADS_AT_ONCE) / 60
    again = model.S3_WRITES.cost(DOCUMENTS, free_tier=False)
    larger = Backfill("", 1 + 300 / 365, batch=300)
    larger_shuffled = Backfill("", 300 * (1 - 300 / (2 * CHARTS * YEARS)), batch=300)
    page = f"""
# Backfill: ten years of all charts

<!-- Written by `make docs` from docs/backfill.py. -->

{CHARTS} regions, {YEARS} years, {POSITIONS} places a chart: {DOCUMENTS:,} official files. `etl import DIR` brings
them into the raw zone, and the same events that load one document load them all. Nothing is loaded in another way
because there is much of it, so everything that holds for one document holds for these: any order, any repetition, a
crash anywhere give the same bytes.

## The way of a file

1. `etl import` takes files in order of chart and date, as far as official names tell, whatever folders they lie in. It
   checks each, makes its document, and puts it under a key that its content decides, unless it is there.
   {UPLOADS_AT_ONCE} uploads are under way at once, and never more than twice as many documents are held in memory.
2. S3 tells EventBridge of each object; its rule puts the event on the queue, which keeps it for 14 days.
3. Lambda hands up to {BATCH} events at once to the transform: to `transform_concurrency` functions at most.
4. A function fetches its documents {DOCUMENTS_AT_ONCE} at once, reduces what they say of songs, albums and artists to
   one row a key, and writes each dimension once. Then, for each chart and year, it reads both objects, lists the
   documents, exchanges the days, and writes both on condition that they are as they were read.
5. `etl import` looks into `snapshots` until every document has its row there, or is in quarantine, and says how many
   are, how many a second, and how long the rest will take.

## What it takes

{_table()}

Requests follow from the code, and a test counts them; CPU was measured
([benchmarks/RESULTS.md](../benchmarks/RESULTS.md)) on one core of a shared machine; prices are those of
[cost.md](cost.md). Assumed are {SONGS:,} different songs at the end, half of them on average;
{model.S3_SECONDS * 1000:.0f} ms for a request; {S3_BYTES_A_SECOND / 1e6:.0f} MB a second from and to S3; {GIB:g} GiB
for a function, which is {CPUS:.2f} of a CPU. Of the price in order: {_bill()}. Nothing of it was billed: nobody has run
this on AWS.

The upload takes {upload_minutes:.0f} minutes at least, at {UPLOADS_AT_ONCE} at once; making the documents is
{DOCUMENTS * IMPORT_CPU_SECONDS / 60:.0f} minutes of CPU beside it. The loads begin with the first upload and take, in
order, {IN_ORDER.minutes(2):.0f} minutes with two functions and {IN_ORDER.minutes(4):.0f} with four.

## The order matters most

In order, a batch of {BATCH} is of one chart and of a year or two. In order of date it has all {CHARTS} charts, and in
no order nearly {SHUFFLED.chart_years_a_batch:.0f} charts and years: each of their objects is read and written for one
day, which makes {BY_DATE.requests.writes / IN_ORDER.requests.writes:.0f} times as many writes. That is why files are
taken in order of the charts in their names. Files whose names tell no chart come first, as their folders have them: lay
them out by chart. A standard queue keeps no order, but hands over nearly together what came nearly together, which is
enough.

## What contends with what

- **`songs`** (and with the Web API's documents `albums`, `artists` and `song_artists`) is one object that every batch
  writes. A write is refused if another came between, and that dimension is merged again, after a wait at random of two
  seconds at most. After ten refusals the messages go back to the queue.
- **A chart's year** is written by whoever has days of it. In order, functions have neighbouring batches, often of one
  year, and meet there too.
- **Nothing else.** Documents are immutable, and each is fetched once.

`songs` is held for {IN_ORDER.songs_seconds:.1f} s of the {IN_ORDER.batch_seconds:.1f} s that a batch in order takes,
from its reading to its writing. Only one function at a time gets through that, so more than
{IN_ORDER.batch_seconds / IN_ORDER.songs_seconds:.1f} of them, on average, wait for each other: nothing is lost, but
more functions are no faster. In no order a batch takes so long elsewhere that {SHUFFLED.useful_functions} would be of
use. It was measured with the transform's own code, over a bucket with S3's conditional writes and latency
(`make bench ONLY=contention`); every run gave, to the byte, the tables of one function.

## Why a batch has {BATCH} documents

A batch rewrites `songs` once, whatever else it has. At {SONGS:,} songs that is {SONGS * SONG_CPU_SECONDS:.2f} s of CPU,
as much as {SONGS * SONG_CPU_SECONDS / DOCUMENT_CPU_SECONDS:.0f} documents. Batches of 300 would rewrite it a third as
often: {larger.cpu_seconds:,.0f} CPU seconds in all for {IN_ORDER.cpu_seconds:,.0f}, and {larger.minutes(4):.0f} minutes
with four functions for {IN_ORDER.minutes(4):.0f}. But in no order they touch nearly 300 charts and years, and take
{larger_shuffled.batch_seconds:.0f} of a function's 120 seconds before anything is repeated. {BATCH} is safe in any
order.

## Memory

A function takes some {BASE_MEMORY_MIB} MiB with a batch of documents of {POSITIONS} places, however many were loaded
before, and {SONG_MEMORY_BYTES} bytes more for each song while it merges `songs`:
{SONGS * SONG_MEMORY_BYTES / 2**20:.0f} MiB at {SONGS:,}. So within 256 MiB it holds
{(256 - BASE_MEMORY_MIB) * 2**20 / SONG_MEMORY_BYTES / 1000:.0f} thousand songs, and within the {GIB * 1024:.0f} MiB
that it has, over {(GIB * 1024 - BASE_MEMORY_MIB - 40) * 2**20 / SONG_MEMORY_BYTES / 1e6:.1f} million. Past that, and
before that for the time it takes, dimensions belong in several objects, or in Iceberg
([decision 2](adr/0002-one-object-per-chart-and-year.md)).

## Broken off

Ctrl-C finishes the uploads under way and says how many documents are there; kill -9 leaves what was uploaded. The same
command again goes on: a document that is there is refused by S3 (the request is paid: ${again:.2f} for all of them),
and one that is there but not in the tables is told of on the queue again, so an event that was lost is made good.
Functions that die give their messages back after the visibility timeout; what fails five times lies in the dead
letters, with an alarm.

## Before and after

1. `etl import DIR --dry-run` says what would be refused, and writes nothing.
2. Set `transform_concurrency` to 4 for the stage, and deploy. New accounts have ten functions at once in all.
3. `etl import DIR`; once more if it was broken off.
4. Set it back. `etl rebuild --dry-run` compares all tables with what the documents say; it reads each once more.
"""
    return _paragraphs(page) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
