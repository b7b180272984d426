"""What a backfill costs: raw documents of many charts through the transform, in batches, as the queue hands them over.

    make bench ONLY=backfill
    python -m benchmarks.backfill --documents 1000 --batches 30 100 300

For each number of documents: CPU seconds of the transform alone (documents are made before, and are not counted), the
requests it made, and the most memory its process ever held. Each run is a process of its own with a ceiling on its
address space (RLIMIT_AS): past it an allocation fails, and so does the run. Buckets are folders, so nothing but the
work is in memory. Then what a thousand documents cost on AWS by docs/cost_model.py.

Made-up official files of 200 positions: each chart replaces two songs a day of its own and three that all charts share,
so that there are as many songs as years of real charts bring.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.machine import machine, most_resident
from docs import cost_model as model
from docs.cost_model import Price
from lambdas.core.charts import end_of
from lambdas.core.charts_csv import CsvTable
from lambdas.core.documents import FORMAT_VERSION, RawDocument, encode, raw_answer
from lambdas.core.errors import InvalidDocument
from lambdas.core.events import Message, encode_event
from lambdas.core.store import StoredObject
from lambdas.core.warehouse import Warehouse
from lambdas.transform.handler import process

BATCH_SIZE: Final = 100
"""Of the deployed queue: tests/unit/test_benchmarks.py holds it to that."""
DOCUMENTS_AT_ONCE: Final = 8
TRANSFORM_GIB: Final = model.deployed(0).transform_gib
CHARTS: Final = 74
POSITIONS: Final = 200
OWN_SONGS_A_DAY, SHARED_SONGS_A_DAY = 2, 3
FIRST_DAY: Final = date(2016, 1, 1)
CEILING_MIB: Final = 256
HEADER: Final = (
    "rank",
    "uri",
    "artist_names",
    "track_name",
    "source",
    "peak_rank",
    "previous_rank",
    "days_on_chart",
    "streams",
)


class Folder:
    """`ObjectStore` in a folder, for one writer; its requests are counted, as S3 bills them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.requests = Counter[str]()

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        self.requests["reads"] += 1
        try:
            body = (self._root / key).read_bytes()
        except FileNotFoundError:
            return None
        if max_bytes is not None and len(body) > max_bytes:
            raise InvalidDocument(f"{key}: {len(body):,} bytes, over the {max_bytes:,} that are read")
        return StoredObject(body=body, etag="")

    def put_new(self, key: str, body: bytes) -> bool:
        self.requests["writes"] += 1
        path = self._root / key
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return True

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:  # noqa: ARG002 - there is one writer
        self.requests["writes"] += 1
        (self._root / key).write_bytes(body)
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        self.requests["lists"] += 1
        folder, _, beginning = prefix.rpartition("/")
        found = (path for path in sorted((self._root / folder).glob(f"{beginning}*")))
        for path in found:
            inside = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
            yield from (str(file.relative_to(self._root)) for file in inside)


def song_id(name: str) -> str:
    """A 22-character id that stands for a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:22]


def songs_of(chart: int, day: int) -> list[str]:
    """The songs of a chart on a day, best first: half its own, half shared with the others."""
    own, shared = day * OWN_SONGS_A_DAY, day * SHARED_SONGS_A_DAY
    names = [f"{chart}-{own + n}" for n in range(POSITIONS // 2)] + [f"all-{shared + n}" for n in range(POSITIONS // 2)]
    random.Random(chart * 100_000 + day).shuffle(names)
    return names


def made_up(chart: int, day: int) -> RawDocument:
    """An official daily file."""
    chart_date = FIRST_DAY + timedelta(days=day)
    rows = tuple(
        (
            str(position),
            f"spotify:track:{song_id(name)}",
            f"Artist {name.rpartition('-')[2]}",
            f"Song {name}",
            "Paper Records",
            "1",
            str(position + 1),
            "9",
            str(1_000_000 - position),
        )
        for position, name in enumerate(songs_of(chart, day), 1)
    )
    return RawDocument(
        format_version=FORMAT_VERSION,
        chart=f"regional-{chr(97 + chart // 26)}{chr(97 + chart % 26)}-daily",
        period="daily",
        chart_date=chart_date,
        observed_at=end_of(chart_date),
        received_at=datetime(2026, 4, 1, tzinfo=UTC),
        provider="charts_csv",
        origin="made up",
        answers=(raw_answer(CsvTable(header=HEADER, rows=rows, encoding="utf-8")),),
    )


def write_raw_zone(root: Path, number: int) -> list[str]:
    """So many documents, spread over the charts; their keys, chart by chart and day by day."""
    raw = Folder(root)
    keys = []
    for document in (made_up(n % CHARTS, n // CHARTS) for n in range(number)):
        raw.put_new(document.key, encode(document))
        keys.append(document.key)
    return sorted(keys)


@dataclass(frozen=True)
class Cost:
    """What some documents cost to load: requests to S3 are made one after another, but for those for documents."""

    documents: int
    batches: int
    cpu_seconds: float
    document_reads: int
    lists: int
    table_reads: int
    table_writes: int
    peak_mib: float
    table_mib: float

    @property
    def lambda_seconds(self) -> float:
        """How long a function with the transform's memory works on it."""
        waited = self.document_reads / DOCUMENTS_AT_ONCE + self.lists + self.table_reads + self.table_writes
        return self.cpu_seconds / model.cpus(TRANSFORM_GIB) + waited * model.S3_SECONDS

    @property
    def dollars(self) -> dict[Price, float]:
        """At list prices: to bring the documents into the raw bucket, and to load them."""
        log_bytes = self.batches * model.LOG_BYTES_A_BATCH + self.table_writes / 2 * model.LOG_BYTES_A_LOAD
        amounts = {
            model.LAMBDA_REQUESTS: self.batches,
            model.LAMBDA_COMPUTE: self.lambda_seconds * TRANSFORM_GIB,
            model.S3_WRITES: self.documents + self.table_writes + self.lists,
            model.S3_READS: self.document_reads + self.table_reads,
            model.SQS_REQUESTS: self.documents * model.SQS_REQUESTS_A_MESSAGE,
            model.EVENTS: self.documents,  # brought documents do not expire
            model.LOGS_WRITTEN: log_bytes / 1e9,
        }
        return {price: price.cost(amount, free_tier=False) for price, amount in amounts.items()}


def load(raw: Path, tables: Path, keys: Sequence[str], *, batch: int) -> Cost:
    """Send the keys through the transform in batches; what it cost."""
    raw_bucket, warehouse_bucket = Folder(raw), Folder(tables)
    warehouse = Warehouse(raw=raw_bucket, tables=warehouse_bucket)
    started = time.process_time()
    for first in range(0, len(keys), batch):
        messages: list[Message] = [
            {"messageId": key, "body": encode_event(bucket="raw", key=key)} for key in keys[first : first + batch]
        ]
        done = process(messages, warehouse)
        if done.failed or done.quarantined:
            raise SystemExit(f"{len(done.failed)} messages failed, {done.quarantined} documents quarantined")
    return Cost(
        documents=len(keys),
        batches=-(-len(keys) // batch),
        cpu_seconds=time.process_time() - started,
        document_reads=raw_bucket.requests["reads"],
        lists=raw_bucket.requests["lists"],
        table_reads=warehouse_bucket.requests["reads"],
        table_writes=warehouse_bucket.requests["writes"],
        peak_mib=most_resident(),
        table_mib=sum(file.stat().st_size for file in tables.rglob("*") if file.is_file()) / 2**20,
    )


def worker(arguments: argparse.Namespace) -> None:
    """One run, in a process of its own."""
    ceiling = CEILING_MIB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    keys = Path(arguments.keys).read_text("utf-8").split()
    with tempfile.TemporaryDirectory(dir=arguments.raw.parent) as tables:
        print(json.dumps(asdict(load(arguments.raw, Path(tables), keys, batch=arguments.batch))))


def measure(raw: Path, keys: Sequence[str], *, batch: int, order: str) -> Cost | None:
    """Print one row of the table; None if the run failed."""
    told = list(keys)
    if order == "shuffled":
        random.Random(1).shuffle(told)
    listed = raw.parent / "keys.txt"
    listed.write_text("\n".join(told), "utf-8")
    command = [sys.executable, "-m", "benchmarks.backfill", "--worker", str(raw), "--keys", str(listed)]
    done = subprocess.run(
        [*command, "--batch", str(batch)],
        capture_output=True,
        text=True,
        check=False,
        # Each thread of glibc's has 64 MiB of addresses reserved for it, which it does not use.
        env=os.environ | {"MALLOC_ARENA_MAX": "1"},
    )
    if done.returncode:
        print(f"| {len(told):,} | {order} | {batch} | failed: {done.stderr.strip().splitlines()[-1:]} |", flush=True)
        return None
    cost = Cost(**json.loads(done.stdout))
    thousand = 1000 / cost.documents
    cells = [
        f"{cost.documents:,}",
        order,
        f"{batch}",
        f"{cost.cpu_seconds:.1f}",
        f"{cost.documents / cost.cpu_seconds:.0f}",
        f"{cost.document_reads * thousand:,.0f} + {cost.table_reads * thousand:,.0f}",
        f"{cost.lists * thousand:,.0f}",
        f"{cost.table_writes * thousand:,.0f}",
        f"{cost.peak_mib:.0f}",
        f"{cost.table_mib:.1f}",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)
    return cost


def price(costs: Mapping[str, Cost]) -> None:
    """Print what a thousand documents cost on AWS."""
    items = list(next(iter(costs.values())).dollars)
    print(f"\n| a thousand documents | function seconds | {' | '.join(item.item for item in items)} | all |")
    print("|---" * (len(items) + 3) + "|")
    for what, cost in costs.items():
        thousand = 1000 / cost.documents
        dollars = [cost.dollars[item] * thousand for item in items]
        cells = [f"{cost.lambda_seconds * thousand:.1f}", *(f"${amount:.4f}" for amount in [*dollars, sum(dollars)])]
        print(f"| {what} | {' | '.join(cells)} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--documents", type=int, nargs="+", default=[1_000, 10_000, 50_000], help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[BATCH_SIZE], help="messages a batch (default: %(default)s)"
    )
    parser.add_argument(
        "--shuffled-up-to", type=int, default=10_000, help="shuffle no more documents than these (default: %(default)s)"
    )
    parser.add_argument("--worker", dest="raw", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--keys", help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.raw:
        worker(options)
        return
    print(f"{machine('msgspec', 'arro3-core')}, {CEILING_MIB} MiB of addresses a worker\n")
    print(
        "| documents | order | batch | CPU s | documents a CPU s | reads a thousand: documents + tables | lists "
        "| writes | peak MiB | tables MiB |"
    )
    print("|---" * 10 + "|")
    costs = {}
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw-bucket"
        for number in options.documents:
            keys = write_raw_zone(raw, number)
            for order in ("by chart", "shuffled") if number <= options.shuffled_up_to else ("by chart",):
                for batch in options.batches:
                    if (cost := measure(raw, keys, batch=batch, order=order)) is not None:
                        costs[f"of {number:,}, {order}, {batch} a batch"] = cost
    price(costs)


if __name__ == "__main__":
    main()
