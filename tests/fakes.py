"""Stand-ins for ports, with the behaviour of the real thing that the domain relies on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from lambdas.core.errors import InvalidDocument
from lambdas.core.store import StoredObject


class MemoryStore:
    """`ObjectStore` in a dictionary: conditional writes as S3 does them, writes counted, other writers let in.

    `before_write` is called with the key before each write is judged, `before_read` before each read: a test lets
    another writer in there.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes: list[str] = []
        self.before_write: Callable[[str], object] = str
        self.before_read: Callable[[str], object] = str

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        self.before_read(key)
        body = self.objects.get(key)
        if body is None:
            return None
        if max_bytes is not None and len(body) > max_bytes:
            raise InvalidDocument(f"{key}: {len(body):,} bytes, over the {max_bytes:,} that are read")
        return StoredObject(body=body, etag=_etag(body))

    def put_new(self, key: str, body: bytes) -> bool:
        self.before_write(key)
        if key in self.objects:
            return False
        return self._write(key, body)

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:
        self.before_write(key)
        if key not in self.objects or _etag(self.objects[key]) != etag:
            return False
        return self._write(key, body)

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))

    def remove(self, key: str) -> None:
        self.before_write(key)
        self.objects.pop(key, None)

    def _write(self, key: str, body: bytes) -> bool:
        self.objects[key] = body
        self.writes.append(key)
        return True


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
