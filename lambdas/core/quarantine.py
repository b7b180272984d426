"""The quarantine: for each object of the raw bucket that cannot be used, a record of why.

The object itself stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from lambdas.core.documents import UNREADABLE_JSON, second
from lambdas.core.keys import quarantine_key
from lambdas.core.store import ObjectStore


class QuarantineRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Why the object under `key` cannot be used, and which code found so when (UTC)."""

    key: str
    reason: str
    code_version: str
    quarantined_at: datetime


@dataclass(frozen=True)
class Quarantine:
    """The records of one raw bucket. `now` is the clock, and replaced in tests."""

    store: ObjectStore
    code_version: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def keep(self, key: str, reason: str) -> None:
        """Keep on record that the object under `key`, which never changes, cannot be used: the first record stays."""
        self.store.put_new(quarantine_key(key), self._record(key, reason))

    def keep_newest(self, key: str, reason: str) -> None:
        """Keep on record that what is now under `key` cannot be used: people put other files in the same place.

        A record with the same reason stays as it is. If another writer is faster, its record is as new as ours.
        """
        record_key, record = quarantine_key(key), self._record(key, reason)
        if self.store.put_new(record_key, record):
            return
        held = self.store.get(record_key)
        if held is not None and _reason(held.body) != reason:
            self.store.replace(record_key, record, etag=held.etag)

    def _record(self, key: str, reason: str) -> bytes:
        record = QuarantineRecord(
            key=key, reason=reason, code_version=self.code_version, quarantined_at=second(self.now())
        )
        return msgspec.json.encode(record)


def _reason(body: bytes) -> str | None:
    """The reason in a record; None for what is no record, which somebody else has put in its place."""
    try:
        return msgspec.json.decode(body, type=QuarantineRecord).reason
    except UNREADABLE_JSON:
        return None
