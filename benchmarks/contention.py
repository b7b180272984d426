"""What concurrent functions do to each other: several transforms at once, over one bucket with S3's conditional writes.

    make bench ONLY=contention

Every function is a process that runs the transform's own code on batches from one queue; what fails goes back to it, as
on AWS. The bucket is a folder whose writes are judged by ETag under a lock, and whose every request takes as long as
docs/cost_model.py assumes of S3. All functions share this machine's cores, where on AWS each has its own: a merge takes
longer here once there are more functions than cores, so that others get in between more often, not less.

The documents are those of benchmarks/backfill.py. After each run the tables must be those of one function, to the byte.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import logging
import multiprocessing
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from benchmarks.backfill import BATCH_SIZE, Folder, write_raw_zone
from benchmarks.machine import machine
from docs.cost_model import S3_SECONDS
from lambdas.core.events import Message, encode_event
from lambdas.core.store import StoredObject
from lambdas.core.warehouse import Warehouse
from lambdas.transform.handler import process

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.sharedctypes import Synchronized

_SECONDS_A_LOOK = 0.05


class Bucket(Folder):
    """`ObjectStore` in a folder that many processes write to. Writes that were refused are counted as conflicts."""

    def __init__(self, root: Path, locks: Path) -> None:
        super().__init__(root)
        self._folder = root
        self._locks = locks

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        time.sleep(S3_SECONDS)
        found = super().get(key, max_bytes=max_bytes)
        return None if found is None else StoredObject(body=found.body, etag=_etag(found.body))

    def keys(self, prefix: str) -> Iterator[str]:
        time.sleep(S3_SECONDS)
        return super().keys(prefix)

    def put_new(self, key: str, body: bytes) -> bool:
        return self._put(key, body, None)

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:
        return self._put(key, body, etag)

    def _put(self, key: str, body: bytes, etag: str | None) -> bool:
        time.sleep(S3_SECONDS)
        self.requests["writes"] += 1
        path = self._folder / key
        with (self._locks / key.replace("/", "-")).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (_etag(path.read_bytes()) if path.exists() else None) != etag:
                self.requests["conflicts"] += 1
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            ours = path.with_name(f".{path.name}.{os.getpid()}")
            ours.write_bytes(body)
            ours.replace(path)
        return True


def _etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Done:
    """What one function did."""

    requests: Counter[str]
    returned: int
    cpu_seconds: float


def work(
    raw: Path, tables: Path, locks: Path, queue: Queue[list[str]], left: Synchronized[int], answers: Queue[Done]
) -> None:
    """One function: batches from the queue until no document is left."""
    logging.disable(logging.CRITICAL)
    warehouse_bucket = Bucket(tables, locks)
    warehouse = Warehouse(raw=Bucket(raw, locks), tables=warehouse_bucket)
    returned, began = 0, time.process_time()
    while left.value > 0:
        try:
            keys = queue.get(timeout=_SECONDS_A_LOOK)
        except Empty:
            continue
        messages: list[Message] = [{"messageId": key, "body": encode_event(bucket="raw", key=key)} for key in keys]
        failed = process(messages, warehouse).failed
        if failed:
            queue.put(failed)
        returned += len(failed)
        with left.get_lock():
            left.value -= len(keys) - len(failed)
    answers.put(Done(warehouse_bucket.requests, returned, time.process_time() - began))


def run(raw: Path, folder: Path, keys: Sequence[str], functions: int, batch: int) -> tuple[str, dict[str, bytes]]:
    """So many functions on all documents: a row of the table, and the tables' objects."""
    tables, locks = folder / "tables", folder / "locks"
    for path in (tables, locks):
        path.mkdir(parents=True)
    context = multiprocessing.get_context("fork")
    queue: Queue[list[str]] = context.Queue()
    answers: Queue[Done] = context.Queue()
    left = context.Value("i", len(keys))
    batches = [list(keys[first : first + batch]) for first in range(0, len(keys), batch)]
    for each in batches:
        queue.put(each)
    began = time.perf_counter()
    workers = [
        context.Process(target=work, args=(raw, tables, locks, queue, left, answers), daemon=True)
        for _ in range(functions)
    ]
    for worker in workers:
        worker.start()
    done = [answers.get() for _ in workers]
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    writes, conflicts = (sum(each.requests[kind] for each in done) for kind in ("writes", "conflicts"))
    cells = [
        f"{functions}",
        f"{seconds:.1f}",
        f"{len(keys) / seconds:.0f}",
        f"{sum(each.cpu_seconds for each in done):.1f}",
        f"{writes - conflicts:,}",
        f"{conflicts:,}",
        f"{conflicts / len(batches):.2f}",
        f"{sum(each.returned for each in done):,}",
    ]
    objects = {str(file.relative_to(tables)): file.read_bytes() for file in tables.rglob("*") if file.is_file()}
    return f"| {' | '.join(cells)} |", objects


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as Markdown tables. Raises AssertionError if a run gives other tables than the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=600, help="default: %(default)s")
    parser.add_argument("--functions", type=int, nargs="+", default=[1, 4, 16], help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=BATCH_SIZE, help="messages a batch (default: %(default)s)")
    options = parser.parse_args(arguments)
    print(machine("msgspec", "arro3-core"))
    expected: dict[str, bytes] | None = None
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw-bucket"
        keys = write_raw_zone(raw, options.documents)
        for order in ("by chart", "shuffled"):
            told = list(keys)
            if order == "shuffled":
                random.Random(1).shuffle(told)
            print(f"\n{options.documents:,} documents, {order}, {options.batch} a batch:\n")
            print(
                "| functions at once | seconds | documents a second | CPU s | writes that held | refused "
                "| refused a batch | messages given back |"
            )
            print("|---" * 8 + "|")
            for functions in options.functions:
                row, objects = run(raw, Path(folder) / f"{order} {functions}", told, functions, options.batch)
                print(row, flush=True)
                expected = expected or objects
                assert objects == expected, "these tables are not those of one function"


if __name__ == "__main__":
    main()
