"""What is in quarantine, and what has become of each object since: the records judged anew from this desk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, TypeAlias

from cli.waiting import Waiting
from lambdas.core.cached_answers import decode_answer, read_answer
from lambdas.core.documents import MAX_STORED_BYTES
from lambdas.core.errors import InvalidKey, PipelineError
from lambdas.core.gates import (
    CONTRADICTORY,
    DATE_IMPOSSIBLE,
    EMPTY,
    FIGURE_IMPOSSIBLE,
    ID_MALFORMED,
    INCOMPLETE,
    NEWER_FORMAT,
    NOT_A_CHART,
    POSITION_IMPOSSIBLE,
    POSITION_TWICE,
    ROW_BROKEN,
    STRAY,
    UNREADABLE,
)
from lambdas.core.imports import MAX_FILE_BYTES
from lambdas.core.inbox import Inbox
from lambdas.core.keys import (
    CACHED_SONGS_PREFIX,
    INBOX_PREFIX,
    QUARANTINE_PREFIX,
    parse_cached_song_key,
    parse_inbox_key,
    parse_raw_key,
)
from lambdas.core.quarantine import QuarantineRecord, decode_record
from lambdas.core.rows import milliseconds
from lambdas.core.store import ObjectStore
from lambdas.core.warehouse import read_usable
from lambdas.enrich.run import read_songs

State: TypeAlias = Literal["bad", "usable", "loaded", "gone"]

REMEDIES = {
    STRAY: "take the object away or give it its right place: nothing under this key is ever loaded",
    UNREADABLE: "import the file anew, whole; a document that other code wrote may be read by newer code",
    NEWER_FORMAT: "deploy the newer version that wrote it, then retry",
    CONTRADICTORY: "import the file anew: the content is of another chart or date than its key says",
    DATE_IMPOSSIBLE: "import the file under its right date",
    NOT_A_CHART: "import the right file for that chart and date, or nothing: this one holds no chart",
    EMPTY: "import the right file for that chart and date, or nothing: this one holds no song",
    INCOMPLETE: "import the whole playlist; a part of one goes in with --partial, or in a folder partial=true/",
    ROW_BROKEN: "download the file again: this row was cut off or edited",
    POSITION_IMPOSSIBLE: "download the file again, or mend this position",
    POSITION_TWICE: "download the file again: it is not known which of the two is right",
    ID_MALFORMED: "download the file again: this id was damaged",
    FIGURE_IMPOSSIBLE: "download the file again: this figure was damaged",
}
"""What one can do, by the gate that an object did not pass."""


@dataclass(frozen=True)
class Entry:
    """A record, where it lies, and the ETag under which it was read."""

    record_key: str
    etag: str
    record: QuarantineRecord

    @property
    def chart(self) -> str | None:
        """The chart that the object's key names."""
        return self._named[0]

    @property
    def chart_date(self) -> date | None:
        """The chart date that the object's key names."""
        return self._named[1]

    @property
    def _named(self) -> tuple[str | None, date | None]:
        key = self.record.key
        try:
            if key.startswith(INBOX_PREFIX):
                dropped = parse_inbox_key(key)
                return dropped.chart, dropped.chart_date
            raw = parse_raw_key(key)
        except InvalidKey:
            return None, None
        return raw.chart, raw.chart_date

    @property
    def gate_name(self) -> str:
        """The gate's name, or a dash in records of before reasons told it."""
        return self.record.gate.name if self.record.gate else "-"


@dataclass(frozen=True)
class NoRecord:
    """An object under `quarantine/` that is no record: somebody else put it there."""

    record_key: str


def entries(raw: ObjectStore, *, chart: str | None = None, prefix: str = "") -> Iterator[Entry | NoRecord]:
    """The records, of one chart or of objects under a prefix only, in order of their keys."""
    for record_key in raw.keys(f"{QUARANTINE_PREFIX}{prefix}"):
        if (held := raw.get(record_key)) is None:  # taken away meanwhile
            continue
        record = decode_record(held.body)
        if record is None:
            yield NoRecord(record_key)
            continue
        entry = Entry(record_key, held.etag, record)
        if chart is None or entry.chart == chart:
            yield entry


@dataclass
class Desk:
    """Judges quarantined objects by this version's code, and by what is in the tables."""

    waiting: Waiting

    def judge(self, held: list[Entry]) -> dict[str, State]:
        """What has become of each object, by its key.

        `bad`: this code cannot use it either; `usable`: it can, and it is not in the tables; `loaded`: it can, and it
        is; `gone`: there is no such object any more.
        """
        states: dict[str, State] = {}
        documents: dict[str, str] = {}
        answered: dict[str, tuple[str, datetime]] = {}
        for entry in held:
            key = entry.record.key
            try:
                found = self._read(key)
            except PipelineError:
                states[key] = "bad"
                continue
            if found is None:
                states[key] = "gone"
            elif isinstance(found, str):
                states[key], documents[key] = "usable", found
            elif found[1] is None:
                states[key] = "loaded"  # Spotify knows no such song: there is nothing to load
            else:
                states[key], answered[key] = "usable", (found[0], found[1])
        loaded = self.waiting.look(documents.values()).loaded if documents else set()
        states |= {key: "loaded" for key, document in documents.items() if document in loaded}
        if answered:
            rows = {song.song_id: song for song in read_songs(self.waiting.tables)}
            for key, (song_id, since) in answered.items():
                row = rows.get(song_id)
                if row is not None and row.detail == "api" and row.observed_at >= milliseconds(since):
                    states[key] = "loaded"
        return states

    def _read(self, key: str) -> str | tuple[str, datetime | None] | None:
        """The raw document that comes of an object, or the song that an answer is of and since when; None if gone.

        Raises PipelineError if it cannot be used.
        """
        dropped = key.startswith(INBOX_PREFIX)
        stored = self.waiting.raw.get(key, max_bytes=MAX_FILE_BYTES if dropped else MAX_STORED_BYTES)
        if stored is None:
            return None
        if dropped:
            imported = Inbox(self.waiting.raw).read(key, stored.body)
            imported.encode()
            return imported.document.key
        if key.startswith(CACHED_SONGS_PREFIX):
            song_id, answer = parse_cached_song_key(key), decode_answer(stored.body, key=key)
            read_answer(answer)
            return song_id, answer.answered_at
        read_usable(stored.body, key=key, today=datetime.now(UTC).date())
        return key


def remedy(record: QuarantineRecord) -> str:
    """What one can do about an object, by where it lies and the gate that it did not pass."""
    if record.key.startswith(CACHED_SONGS_PREFIX):
        return "delete the object and run `etl enrich`: Spotify is asked again"
    if record.key.startswith(INBOX_PREFIX):
        return (
            "put the file right in its place, or under folders that say what it lacks, as "
            "inbox/chart=road-trip/date=2024-05-11/"
        )
    return REMEDIES[record.gate or UNREADABLE]
