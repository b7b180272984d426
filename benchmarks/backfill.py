"""What a backfill costs: raw documents of many charts through the transform, in batches, as the queue hands them over.

    python -m benchmarks.backfill

For each number of documents: CPU seconds of the transform alone (documents are made before, and are not counted), and
the most memory its process ever held. Each run is a process of its own with a ceiling on its memory (RLIMIT_DATA), so a
figure above the ceiling cannot come out: the run fails. Buckets are folders, so nothing but the work is in memory.

Made-up official files of 200 positions: each chart replaces two songs a day of its own and three that all charts share,
so that there are as many songs as years of real charts bring.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from lambdas.core.charts import end_of
from lambdas.core.charts_csv import CsvTable
from lambdas.core.documents import FORMAT_VERSION, RawDocument, encode, raw_answer
from lambdas.core.errors import InvalidDocument
from lambdas.core.events import Message, encode_event
from lambdas.core.store import StoredObject
from lambdas.core.warehouse import Warehouse
from lambdas.transform.handler import process

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
    """`ObjectStore` in a folder, for one writer."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        try:
            body = (self._root / key).read_bytes()
        except FileNotFoundError:
            return None
        if max_bytes is not None and len(body) > max_bytes:
            raise InvalidDocument(f"{key}: {len(body):,} bytes, over the {max_bytes:,} that are read")
        return StoredObject(body=body, etag="")

    def put_new(self, key: str, body: bytes) -> bool:
        path = self._root / key
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return True

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:  # noqa: ARG002 - there is one writer
        (self._root / key).write_bytes(body)
        return True

    def keys(self, prefix: str) -> Iterator[str]:
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


def load(raw: Path, tables: Path, keys: Sequence[str], *, batch: int) -> dict[str, float]:
    """Send the keys through the transform in batches; what it cost."""
    warehouse = Warehouse(raw=Folder(raw), tables=Folder(tables))
    started = time.process_time()
    for first in range(0, len(keys), batch):
        messages: list[Message] = [
            {"messageId": key, "body": encode_event(bucket="raw", key=key)} for key in keys[first : first + batch]
        ]
        done = process(messages, warehouse)
        if done.failed or done.quarantined:
            raise SystemExit(f"{len(done.failed)} messages failed, {done.quarantined} documents quarantined")
    return {
        "cpu_seconds": time.process_time() - started,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "table_mib": sum(file.stat().st_size for file in tables.rglob("*") if file.is_file()) / 2**20,
    }


def worker(arguments: argparse.Namespace) -> None:
    """One run, in a process of its own."""
    ceiling = CEILING_MIB * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (ceiling, ceiling))
    keys = Path(arguments.keys).read_text("utf-8").split()
    with tempfile.TemporaryDirectory(dir=arguments.raw.parent) as tables:
        print(json.dumps(load(arguments.raw, Path(tables), keys, batch=arguments.batch)))


def measure(raw: Path, keys: Sequence[str], *, batch: int, order: str) -> None:
    """Print one row of the table."""
    told = list(keys)
    if order == "shuffled":
        random.Random(1).shuffle(told)
    listed = raw.parent / "keys.txt"
    listed.write_text("\n".join(told), "utf-8")
    command = [sys.executable, "-m", "benchmarks.backfill", "--worker", str(raw), "--keys", str(listed)]
    done = subprocess.run([*command, "--batch", str(batch)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"| {len(told):,} | {order} | {batch} | failed: {done.stderr.strip().splitlines()[-1:]} | | | |")
        return
    told_cost = json.loads(done.stdout)
    seconds = told_cost["cpu_seconds"]
    print(
        f"| {len(told):,} | {order} | {batch} | {seconds:.1f} | {len(told) / seconds:.0f} | "
        f"{told_cost['peak_mib']:.0f} | {told_cost['table_mib']:.1f} |",
        flush=True,
    )


def main() -> None:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--documents", type=int, nargs="+", default=[1_000, 10_000], help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[30, 300], help="messages a batch (default: %(default)s)"
    )
    parser.add_argument("--orders", nargs="+", default=["by chart", "shuffled"], help="order of arrival")
    parser.add_argument("--worker", dest="raw", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--keys", help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.raw:
        worker(arguments)
        return
    print(f"Python {sys.version.split()[0]}, memory held to {CEILING_MIB} MiB of data")
    print()
    print("| documents | order | batch | CPU s | documents per CPU s | peak MiB | tables MiB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw-bucket"
        for number in arguments.documents:
            keys = write_raw_zone(raw, number)
            for order in arguments.orders:
                for batch in arguments.batches:
                    measure(raw, keys, batch=batch, order=order)


if __name__ == "__main__":
    main()
