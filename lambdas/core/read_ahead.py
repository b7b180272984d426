"""Reading many objects of a bucket, one after another, without waiting for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from lambdas.core.store import ObjectStore, StoredObject


class ReadAhead:
    """A store that fetches the objects it was told of before they are asked for, `at_once` of them at a time.

    It is for one thread, and for objects that never change. With `keeps_records` false nothing is written to it.
    """

    def __init__(self, store: ObjectStore, *, at_once: int, max_bytes: int, keeps_records: bool = True) -> None:
        self._store = store
        self._at_once = at_once
        self._max_bytes = max_bytes
        self._keeps_records = keeps_records
        self._coming: Iterator[str] = iter(())
        self._fetched: dict[str, Future[StoredObject | None]] = {}
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="fetch") if at_once > 1 else None

    def expect(self, keys: Iterable[str]) -> None:
        """Say what will be asked for next, in this order, and nothing else of what was expected before."""
        for future in self._fetched.values():
            future.cancel()
        self._fetched.clear()
        self._coming = iter(keys)

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        self._fetch()
        future = self._fetched.pop(key, None)
        return self._store.get(key, max_bytes=max_bytes) if future is None else future.result()

    def put_new(self, key: str, body: bytes) -> bool:
        return self._keeps_records and self._store.put_new(key, body)

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:
        return self._keeps_records and self._store.replace(key, body, etag=etag)

    def keys(self, prefix: str) -> Iterator[str]:
        return self._store.keys(prefix)

    def _fetch(self) -> None:
        while self._pool is not None and len(self._fetched) < self._at_once:
            key = next(self._coming, None)
            if key is None:
                return
            self._fetched[key] = self._pool.submit(self._store.get, key, max_bytes=self._max_bytes)

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=error is None, cancel_futures=True)
