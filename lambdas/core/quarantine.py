"""The quarantine: for each object of the raw bucket that cannot be used, a record of why.

The object itself stays where it is. A record stays until it is renewed, or the operator takes it away because its
object is good by now (`etl quarantine retry`): no function may delete one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from lambdas.core.documents import UNREADABLE_JSON, second
from lambdas.core.gates import HARD, Gate
from lambdas.core.keys import quarantine_key
from lambdas.core.store import ObjectStore

# What somebody else wrote is quoted in a reason; the places in msgspec's errors stand in backquotes.
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_PLACE = re.compile(r"`(\$[^`]*)`|\b((?:byte|row|line|position|answer) \d+)\b")


class QuarantineRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Why the object under `key` cannot be used, and which code found so when (UTC).

    `version_id` is of the version that was judged, None where the bucket keeps no versions. `where` is the place in the
    document, None if it is not one place: the whole of it is damaged, or its key is. `retried_at` is set while the
    object is on its way through the pipeline once more; what then finds it good or bad settles the record. The last
    three are None in records of versions before they were kept.
    """

    key: str
    reason: str
    code_version: str
    quarantined_at: datetime
    version_id: str | None = None
    where: str | None = None
    retried_at: datetime | None = None

    @property
    def gate(self) -> Gate | None:
        """The quality gate that the reason begins with; None in records of before it did."""
        return next((gate for gate in HARD if self.reason.startswith(f"{gate.name}: ")), None)


@dataclass(frozen=True)
class Quarantine:
    """The records of one raw bucket. `now` is the clock, and replaced in tests."""

    store: ObjectStore
    code_version: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def keep(self, key: str, reason: str, *, version_id: str | None = None) -> None:
        """Keep on record that what is now under `key` cannot be used.

        A record that says the same stays as it is, so that an event that comes twice changes nothing; one that says
        something else, or was retried, is renewed. If another writer is faster, its record is as new as ours.
        """
        record = QuarantineRecord(
            key=key,
            reason=reason,
            code_version=self.code_version,
            quarantined_at=second(self.now()),
            version_id=version_id,
            where=place_in(reason),
        )
        record_key, body = quarantine_key(key), msgspec.json.encode(record)
        if self.store.put_new(record_key, body):
            return
        held = self.store.get(record_key)
        if held is not None and not _says_the_same(decode_record(held.body), record):
            self.store.replace(record_key, body, etag=held.etag)


def decode_record(body: bytes) -> QuarantineRecord | None:
    """A record; None for what is none, which somebody else has put in its place."""
    try:
        return msgspec.json.decode(body, type=QuarantineRecord)
    except UNREADABLE_JSON:
        return None


def place_in(reason: str) -> str | None:
    """The place in the document that a reason names: a JSON path, a byte, a row, a position; None if it names none."""
    found = [path or words for path, words in _PLACE.findall(_QUOTED.sub("", reason))]
    return ", ".join(dict.fromkeys(found)) or None


def _says_the_same(held: QuarantineRecord | None, record: QuarantineRecord) -> bool:
    return (
        held is not None
        and held.retried_at is None
        and (held.reason, held.version_id) == (record.reason, record.version_id)
    )
