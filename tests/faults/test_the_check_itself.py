"""The check fails for each kind of loss: without this, a suite that never fails would prove nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambdas.core import parquet
from lambdas.core.events import Message
from lambdas.core.keys import chart_year_key, dimension_key, quarantine_key
from lambdas.core.rows import Row
from lambdas.core.schema import ALBUMS, CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS, SONGS, Table
from tests.documents import CHART, DAY, document, track
from tests.fakes import MemoryStore
from tests.faults.check import check_survival
from tests.faults.pipeline import MemoryQueue, Pipeline

BAD_KEY = f"raw/chart={CHART}/date={DAY}/20260306T060000Z-playlist-0123456789abcdef.json.gz"
ENTRIES, ON_RECORD = (chart_year_key(table, CHART, DAY.year) for table in (CHART_ENTRIES, SNAPSHOTS))


class Held(Pipeline):
    """A pipeline in memory that has survived so far, for a test to take something from."""

    raw: MemoryStore
    tables: MemoryStore
    queue: MemoryQueue

    def edit(self, table: Table, key: str, change: Callable[[list[Row]], list[Row]]) -> None:
        """Write an object's rows anew."""
        rows = parquet.rows_of(table, parquet.decode(table, self.tables.objects[key], name=key))
        self.tables.objects[key] = parquet.encode(parquet.batch_of(table, change(rows)))


@pytest.fixture
def held(tmp_path: Path) -> Held:
    """Two days, one of them told twice; a bad document in quarantine; a message in the dead letters."""
    pipeline = Held(raw=MemoryStore(), tables=MemoryStore(), queue=MemoryQueue(), folder=tmp_path)
    good = pipeline.put(
        document(songs=[track("One"), track("Two")]),
        document(songs=[track("Two"), track("One")], observed_at=datetime(2026, 3, 6, 9, tzinfo=UTC)),
        document(songs=[track("Three")], chart_date=DAY + timedelta(days=1)),
    )
    pipeline.tell(*good, pipeline.put_bad(BAD_KEY, b"no gzip", "not gzip"))
    pipeline.send_hopeless("no event", "no S3 event")
    pipeline.deliver()
    return pipeline


def test_a_pipeline_that_lost_nothing_passes(held: Held) -> None:
    check_survival(held)


def first_key(held: Held) -> str:
    return next(iter(held.expected.good))


def without_last(rows: list[Row]) -> list[Row]:
    return rows[:-1]


def with_first_twice(rows: list[Row]) -> list[Row]:
    return [rows[0], *rows]


def of_another_song(rows: list[Row]) -> list[Row]:
    at = CHART_ENTRIES.index("song_id")
    return [(*rows[0][:at], "x" * 22, *rows[0][at + 1 :]), *rows[1:]]


def of_another_name(rows: list[Row]) -> list[Row]:
    at = SONGS.index("name")
    return [(*rows[0][:at], "Another name", *rows[0][at + 1 :]), *rows[1:]]


LOSSES: dict[str, tuple[Callable[[Held], object], str]] = {
    "a document is gone from the raw zone": (lambda held: held.raw.objects.pop(first_key(held)), "lost from the raw"),
    "a document was changed": (lambda held: held.raw.objects.update({first_key(held): b""}), "changed in the raw zone"),
    "a bad document is gone": (lambda held: held.raw.objects.pop(BAD_KEY), "lost from the raw bucket"),
    "a bad document was changed": (lambda held: held.raw.objects.update({BAD_KEY: b""}), "changed in the raw bucket"),
    "a document was written by nobody": (
        lambda held: held.raw.objects.update({BAD_KEY.replace("abcdef", "000000"): b""}),
        "by nobody",
    ),
    "a bad document has no record": (
        lambda held: held.raw.objects.pop(quarantine_key(BAD_KEY)),
        "where these belong",
    ),
    "a good document is in quarantine": (
        lambda held: held.warehouse.quarantine(first_key(held), "a mistake"),
        "where these belong",
    ),
    "a record has another reason": (
        lambda held: held.raw.objects.update(
            {quarantine_key(BAD_KEY): json.dumps({"key": BAD_KEY, "reason": "?"}).encode()}
        ),
        "the reason on record",
    ),
    "a message was dropped before it was dead": (lambda held: held.queue.dead.clear(), "in the dead letters"),
    "a good document's message is in the dead letters": (
        lambda held: held.queue.dead.append("a good one"),
        "in the dead letters",
    ),
    "the log tells no cause": (lambda held: held.log.lines.clear(), "no cause in the log"),
    "a message failed and nothing was logged": (lambda held: held.unexplained.append("7"), "without a cause"),
    "a row of a chart is lost": (lambda held: held.edit(CHART_ENTRIES, ENTRIES, without_last), "lost from chart_e"),
    "a row of a chart is there twice": (
        lambda held: held.edit(CHART_ENTRIES, ENTRIES, with_first_twice),
        "twice in chart_entries",
    ),
    "a row of a chart tells another song": (
        lambda held: held.edit(CHART_ENTRIES, ENTRIES, of_another_song),
        "lost from chart_entries",
    ),
    "a chart's object is gone": (lambda held: held.tables.objects.pop(ENTRIES), "lost from chart_entries"),
    "a snapshot is lost": (lambda held: held.edit(SNAPSHOTS, ON_RECORD, without_last), "snapshots do not tell"),
    "a snapshot is there twice": (
        lambda held: held.edit(SNAPSHOTS, ON_RECORD, with_first_twice),
        "twice in snapshots",
    ),
    "a song is lost": (lambda held: held.edit(SONGS, dimension_key(SONGS), without_last), "not what one load"),
    "a song is there twice": (lambda held: held.edit(SONGS, dimension_key(SONGS), with_first_twice), "twice in songs"),
    "a song has another name": (lambda held: held.edit(SONGS, dimension_key(SONGS), of_another_name), "not what one"),
    "an album is there twice": (
        lambda held: held.edit(ALBUMS, dimension_key(ALBUMS), with_first_twice),
        "twice in albums",
    ),
    "a credit is lost": (
        lambda held: held.edit(SONG_ARTISTS, dimension_key(SONG_ARTISTS), without_last),
        "not what one load",
    ),
    "the warehouse holds an object of nobody's": (
        lambda held: held.tables.objects.update({"songs/other.parquet": held.tables.objects["songs/songs.parquet"]}),
        "twice in songs",
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_the_check_fails_when(held: Held, loss: str) -> None:
    take, said = LOSSES[loss]
    take(held)
    # What would mend the loss is not let in: the check itself has to see it.
    with pytest.raises(AssertionError, match=said):
        check_survival(held)


def test_the_check_fails_when_a_message_is_neither_done_nor_dead(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held.queue, "waiting", lambda: 1)
    with pytest.raises(AssertionError, match="neither done nor in the dead letters"):
        check_survival(held)


def test_the_check_fails_when_the_next_good_document_does_not_go_through(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(messages: Sequence[Message]) -> list[str]:
        logging.getLogger("transform").error("stuck")
        return [message["messageId"] for message in messages]

    monkeypatch.setattr(held, "transform", stuck)
    with pytest.raises(AssertionError, match="in the dead letters"):
        check_survival(held)


def test_the_check_fails_when_the_next_good_document_is_taken_and_not_loaded(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "transform", lambda _: [])
    with pytest.raises(AssertionError, match="lost from chart_entries"):
        check_survival(held)


def test_the_check_fails_when_a_message_fails_in_silence(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "transform", lambda messages: [message["messageId"] for message in messages])
    with pytest.raises(AssertionError, match="in the dead letters|without a cause"):
        check_survival(held)
