"""The port to a bucket: what the pipeline asks of S3, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from lambdas.core.errors import InvalidKey
from lambdas.core.keys import RawKey, parse_raw_key


@dataclass(frozen=True)
class StoredObject:
    """An object's bytes, the ETag that a conditional write compares, and which version it is in a versioned bucket."""

    body: bytes
    etag: str
    version_id: str | None = None


class ObjectStore(Protocol):
    """One bucket. Writes are conditional: no writer ever overwrites what it has not read."""

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        """The object, or None if there is none.

        Raises InvalidDocument, without reading it, for an object over `max_bytes`.
        """
        ...

    def put_new(self, key: str, body: bytes) -> bool:
        """Create the object; False, and nothing written, if there is one already (If-None-Match: *)."""
        ...

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:
        """Overwrite the object that was read with `etag`; False, and nothing written, if it has changed (If-Match)."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys under a prefix, in order."""
        ...


class RemovableStore(ObjectStore, Protocol):
    """A bucket whose objects may be taken away: no function may, only who runs the stage."""

    def remove(self, key: str) -> None:
        """Take the object away, if it is there."""
        ...


def raw_documents(store: ObjectStore, prefix: str) -> Iterator[tuple[str, RawKey]]:
    """The raw documents under a prefix, in order of their keys: each key, and what it tells.

    Other people's objects, which are none of ours to judge, are passed over.
    """
    for key in store.keys(prefix):
        try:
            yield key, parse_raw_key(key)
        except InvalidKey:
            continue
