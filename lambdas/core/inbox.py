"""The inbox: files that people drop into the raw bucket, made into raw documents.

It does for an object under `inbox/` what `etl import` does for a file at the desk, by the same reading: the same file
gives the same raw document, whichever way it came. What options say there, folders say here. A dropped file stays where
it is. Only what is under `inbox/` is ever looked at, and nothing is ever written there: no write can lead back here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from lambdas.core.errors import InvalidDocument, InvalidKey, PartialChart, PipelineError, UndatedChart, UnnamedChart
from lambdas.core.gates import STRAY, Gate
from lambdas.core.imports import MAX_FILE_BYTES, Import, read_import
from lambdas.core.keys import INBOX_PREFIX, parse_inbox_key
from lambdas.core.quarantine import Quarantine
from lambdas.core.store import ObjectStore

Outcome: TypeAlias = Literal["new", "held", "quarantined", "gone", "folder"]

# What an error's remedy is called where there are folders instead of options.
_FOLDERS: tuple[tuple[type[PipelineError], str], ...] = (
    (UnnamedChart, "chart=road-trip/"),
    (UndatedChart, "date=YYYY-MM-DD/"),
    (PartialChart, "partial=true/"),
)


@dataclass(frozen=True)
class Taken:
    """What became of a dropped file.

    `outcome` is `new` or `held` for a file whose raw document (`raw_key`) came into the raw zone now or was there
    already, `quarantined` for one that cannot be used, for the `reason` told; `gone` if there is no such object any
    more, and `folder` for the empty object that S3's console makes as a folder.
    """

    outcome: Outcome
    raw_key: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Inbox:
    """The inbox of one raw bucket. `code_version` goes into quarantine records; `now` is replaced in tests."""

    raw: ObjectStore
    code_version: str = "unknown"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def take(self, key: str) -> Taken:
        """Make a raw document of the file under `key`, or put on record why not.

        The clock tells when the file was received, never its chart date. Raises InvalidKey, and touches nothing, for
        a key outside the inbox.
        """
        if not key.startswith(INBOX_PREFIX):
            raise InvalidKey(f"{key!r} lies outside {INBOX_PREFIX}: nothing else is imported")
        version_id = None
        try:
            stored = self.raw.get(key, max_bytes=MAX_FILE_BYTES)
            if stored is None:
                return Taken("gone")
            version_id = stored.version_id
            if key.endswith("/") and not stored.body:
                return Taken("folder")
            imported = self.read(key, stored.body)
            document = imported.encode()
        except PipelineError as error:
            reason = _gate_of(error).say(_in_folders(error))
            version_id = version_id or getattr(error, "version_id", None)
            Quarantine(self.raw, self.code_version, self.now).keep(key, reason, version_id=version_id)
            return Taken("quarantined", reason=reason)
        raw_key = imported.document.key
        return Taken("new" if self.raw.put_new(raw_key, document) else "held", raw_key=raw_key)

    def read(self, key: str, body: bytes) -> Import:
        """The raw document of a dropped file. Raises InvalidKey or InvalidDocument if it cannot be used."""
        said = parse_inbox_key(key)
        imported = read_import(
            body,
            name=said.name,
            received_at=self.now(),
            chart=said.chart,
            chart_date=said.chart_date,
            partial=said.partial,
        )
        # The digest knows nothing of it, so the raw document is the one that `etl import` makes of the same file.
        document = msgspec.structs.replace(imported.document, origin=f"file {key}")
        return Import(document=document, reading=imported.reading)


def _gate_of(error: PipelineError) -> Gate:
    """The gate that held a file up; one whose folders say what cannot be is where no file belongs."""
    return error.gate if isinstance(error, InvalidDocument) else STRAY


def _in_folders(error: PipelineError) -> str:
    """The error's line; where its remedy is an option of the command, also what to do in the inbox."""
    folders = [folder for kind, folder in _FOLDERS if isinstance(error, kind)]
    if not folders:
        return str(error)
    say = "a folder says so" if len(folders) == 1 else "folders say so"
    return f"{error}; in the inbox {say}: {INBOX_PREFIX}{''.join(folders)}"
