"""The transform function as its event source calls it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.core import documents
from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.cached_answers import CachedAnswer, gone, read_answer
from lambdas.core.documents import RawDocument
from lambdas.core.events import Message
from lambdas.core.playlist import read_playlist
from lambdas.core.schema import CHART_ENTRIES, SONGS
from lambdas.core.warehouse import Warehouse
from lambdas.transform import handler as module
from lambdas.transform.handler import handler, process
from tests.documents import DAY, OBSERVED, cached_song, csv_answer, csv_row, document, track
from tests.emf import emitted, values
from tests.fakes import MemoryStore
from tests.tables import read_table

EVENT = json.loads((Path(__file__).parent.parent / "events" / "s3_object_created.json").read_text("utf-8"))


def message(identifier: str, key: str) -> Message:
    event = json.loads(json.dumps(EVENT))
    event["detail"]["object"]["key"] = key
    return {"messageId": identifier, "body": json.dumps(event)}


@pytest.fixture
def warehouse() -> Warehouse:
    return Warehouse(raw=MemoryStore(), tables=MemoryStore(), sleep=lambda _: None)


def put(warehouse: Warehouse, raw: RawDocument) -> str:
    warehouse.raw.put_new(raw.key, documents.encode(raw))
    return raw.key


def positions(warehouse: Warehouse) -> list[tuple[Any, Any]]:
    assert isinstance(warehouse.tables, MemoryStore)
    return [(row["chart"], row["position"]) for row in read_table(warehouse.tables, CHART_ENTRIES)]


def test_a_batch_of_events_fills_the_tables(warehouse: Warehouse) -> None:
    keys = [put(warehouse, document(chart=chart)) for chart in ("regional-global-daily", "road-trip")]
    assert process([message(str(n), key) for n, key in enumerate(keys)], warehouse).failed == []
    assert positions(warehouse) == [("regional-global-daily", 1), ("road-trip", 1)]


def test_the_same_event_twice_in_a_batch_is_one_load(warehouse: Warehouse) -> None:
    key = put(warehouse, document())
    assert process([message("a", key), message("b", key)], warehouse).failed == []
    assert len(positions(warehouse)) == 1


def test_a_bad_document_is_quarantined_its_message_done_and_the_others_load(warehouse: Warehouse) -> None:
    bad = put(warehouse, document(songs=[track(id="short")]))
    good = put(warehouse, document(chart="road-trip"))
    assert process([message("bad", bad), message("good", good)], warehouse).failed == []
    assert positions(warehouse) == [("road-trip", 1)]
    assert list(warehouse.raw.keys("quarantine/")) == [f"quarantine/{bad}.json"]


def test_other_peoples_objects_in_the_raw_zone_are_put_on_record(warehouse: Warehouse) -> None:
    key = "raw/holiday photo+1.jpg"
    assert process([message("x", key)], warehouse).failed == []
    assert list(warehouse.raw.keys("quarantine/")) == [f"quarantine/{key}.json"]


def test_a_stray_object_that_cannot_be_put_on_record_comes_again_alone(warehouse: Warehouse) -> None:
    assert isinstance(warehouse.raw, MemoryStore)

    def refuse(key: str) -> None:
        if key.startswith("quarantine/"):
            raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")

    good = put(warehouse, document())
    warehouse.raw.before_write = refuse
    assert process([message("stray", f"raw/{'x' * 1020}"), message("good", good)], warehouse).failed == ["stray"]
    assert len(positions(warehouse)) == 1


@pytest.mark.parametrize("body", ["", "no JSON", "{}", '{"Event": "s3:TestEvent"}', '{"detail": {"object": {}}}'])
def test_a_message_that_is_no_event_comes_again_and_so_reaches_the_dead_letters(
    warehouse: Warehouse, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = put(warehouse, document())
    with caplog.at_level(logging.ERROR):
        assert process([{"messageId": "odd", "body": body}, message("good", good)], warehouse).failed == ["odd"]
    assert len(positions(warehouse)) == 1
    assert "a message is no S3 event" in caplog.text


def test_a_defect_that_one_document_brings_out_fails_its_message_alone(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [document(chart_date=DAY + timedelta(days=n), songs=[track(f"Song {n}")]) for n in range(3)]

    def read(header: Any, pages: Any) -> Any:
        if header.chart_date == days[1].chart_date:
            raise ZeroDivisionError("a defect")
        return read_playlist(header, pages)

    monkeypatch.setattr("lambdas.core.providers.read_playlist", read)
    keys = [put(warehouse, day) for day in days]
    assert process([message(str(n), key) for n, key in enumerate(keys)], warehouse).failed == ["1"]
    assert len(positions(warehouse)) == 2


def test_trouble_with_one_chart_fails_its_messages_alone(warehouse: Warehouse) -> None:
    assert isinstance(warehouse.tables, MemoryStore)
    warehouse.tables.objects["chart_entries/year=2026/road-trip.parquet"] = b"damaged"
    first = put(warehouse, document(chart="road-trip"))
    second = put(warehouse, document(chart="road-trip", chart_date=DAY + timedelta(days=1)))
    good = put(warehouse, document())
    messages = [message("1", first), message("2", second), message("3", good), message("1 again", first)]
    assert sorted(process(messages, warehouse).failed) == ["1", "1 again", "2"]
    assert warehouse.tables.objects["chart_entries/year=2026/road-trip.parquet"] == b"damaged"
    assert list(warehouse.tables.keys("snapshots/")) == ["snapshots/year=2026/regional-global-daily.parquet"]


# Cached answers


def cache(warehouse: Warehouse, song: dict[str, Any]) -> str:
    answer = cached_song(song)
    warehouse.raw.put_new(answer.key, documents.encode(answer))
    return answer.key


def test_answers_about_songs_are_loaded_at_once_for_a_batch_beside_the_days_in_it(warehouse: Warehouse) -> None:
    assert isinstance(warehouse.tables, MemoryStore)
    chart = put(warehouse, document([csv_answer([csv_row(1, "A"), csv_row(2, "B")])], provider="charts_csv"))
    assert process([message("chart", chart)], warehouse).failed == []
    keys = [cache(warehouse, track(name)) for name in "ABC"]
    warehouse.tables.writes.clear()

    processed = process([message(str(n), key) for n, key in enumerate([*keys, keys[0], chart])], warehouse)

    assert (processed.failed, processed.new_songs) == ([], 1)
    assert {(row["name"], row["detail"]) for row in read_table(warehouse.tables, SONGS)} == {(n, "api") for n in "ABC"}
    assert sorted(warehouse.tables.writes) == sorted(
        f"{table}/{table}.parquet" for table in ("songs", "albums", "artists", "song_artists")
    )


def test_an_answer_that_is_no_song_is_quarantined_its_message_done_and_the_others_load(warehouse: Warehouse) -> None:
    assert isinstance(warehouse.tables, MemoryStore)
    bad, good = cache(warehouse, track("A", type="episode")), cache(warehouse, track("B"))
    stray = f"cache/tracks/{'x' * 23}.json.gz"

    processed = process([message("bad", bad), message("good", good), message("stray", stray)], warehouse)

    assert (processed.failed, processed.quarantined) == ([], 2)
    assert list(warehouse.raw.keys("quarantine/")) == sorted(f"quarantine/{key}.json" for key in (bad, stray))
    assert [row["name"] for row in read_table(warehouse.tables, SONGS)] == ["B"]


def test_a_song_that_is_gone_or_whose_answer_has_expired_writes_nothing(warehouse: Warehouse) -> None:
    assert isinstance(warehouse.tables, MemoryStore)
    lost = gone(track("A")["id"], before=None, now=OBSERVED)
    warehouse.raw.put_new(lost.key, documents.encode(lost))

    processed = process([message("gone", lost.key), message("expired", cached_song(track("B")).key)], warehouse)

    assert (processed.failed, processed.quarantined) == ([], 0)
    assert warehouse.tables.objects == {}


def test_songs_that_cannot_be_loaded_fail_their_messages_and_no_days(warehouse: Warehouse) -> None:
    assert isinstance(warehouse.tables, MemoryStore)
    warehouse.tables.objects["albums/albums.parquet"] = b"damaged"
    answer = cache(warehouse, track("A"))
    day = put(warehouse, document([csv_answer([csv_row(1, "B")])], provider="charts_csv"))

    assert process([message("song", answer), message("day", day)], warehouse).failed == ["song"]
    assert positions(warehouse) == [("regional-global-daily", 1)]


def test_a_defect_that_one_answer_brings_out_fails_its_message_alone(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(warehouse.tables, MemoryStore)
    keys = [cache(warehouse, track(name)) for name in "ABC"]

    def read(cached: CachedAnswer) -> Any:
        if cached.key == keys[1]:
            raise ZeroDivisionError("a defect")
        return read_answer(cached)

    monkeypatch.setattr("lambdas.core.warehouse.read_answer", read)
    assert process([message(str(n), key) for n, key in enumerate(keys)], warehouse).failed == ["1"]
    assert {row["name"] for row in read_table(warehouse.tables, SONGS)} == {"A", "C"}


# Metrics


def measured(
    messages: list[Message], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, float]:
    """What the function prints of a batch, and no more than once a metric."""
    monkeypatch.setattr(module, "_opened", lambda: (warehouse, EmfMetrics("dev")))
    handler({"Records": messages}, None)
    printed = capsys.readouterr().out
    assert {one.dimensions for one in emitted(printed)} == {(("stage", "dev"),)}
    return values(printed)


def test_a_batch_measures_what_came_in_over_all_its_charts(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = put(warehouse, document(songs=[track("a"), track("b")]))
    second = put(warehouse, document(chart="road-trip", songs=[track("b"), track("c"), track("c"), None]))
    bad = put(warehouse, document(chart="camping", songs=[track(id="short")]))
    messages = [message(str(n), key) for n, key in enumerate([first, second, bad, "raw/photo.jpg"])]

    assert measured(messages, warehouse, monkeypatch, capsys) == {
        "DocumentsLoaded": 2,
        "ChartEntries": 5,
        "NewSongs": 3,
        "QuarantinedDocuments": 2,
    }


def test_songs_that_the_warehouse_holds_are_not_new(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert process([message("1", put(warehouse, document(songs=[track("a")])))], warehouse).new_songs == 1
    later = put(warehouse, document(chart_date=DAY + timedelta(days=1), songs=[track("a"), track("b")]))

    assert measured([message("2", later)], warehouse, monkeypatch, capsys)["NewSongs"] == 1
    assert measured([message("2 again", later)], warehouse, monkeypatch, capsys) == {
        "DocumentsLoaded": 1,
        "ChartEntries": 2,
        "NewSongs": 0,
        "QuarantinedDocuments": 0,
    }


def test_songs_are_counted_once_when_another_writer_is_faster(warehouse: Warehouse) -> None:
    tables = warehouse.tables
    assert isinstance(tables, MemoryStore)
    other = Warehouse(raw=warehouse.raw, tables=tables, sleep=lambda _: None)
    theirs = document(chart="road-trip", songs=[track("a")])
    put(warehouse, theirs)

    def let_in(key: str) -> None:
        if key.startswith("songs/"):
            tables.before_write = str
            other.load("road-trip", DAY.year, [DAY])

    tables.before_write = let_in
    ours = put(warehouse, document(songs=[track("a"), track("b")]))

    assert process([message("1", ours)], warehouse).new_songs == 1


def test_a_chart_that_could_not_be_loaded_does_not_count_but_for_its_songs_which_are_there(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(warehouse.tables, MemoryStore)
    warehouse.tables.objects["chart_entries/year=2026/road-trip.parquet"] = b"damaged"
    lost = put(warehouse, document(chart="road-trip"))

    assert measured([message("1", lost)], warehouse, monkeypatch, capsys) == {
        "DocumentsLoaded": 0,
        "ChartEntries": 0,
        "NewSongs": 1,
        "QuarantinedDocuments": 0,
    }


def test_the_answer_names_the_messages_that_are_to_come_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_opened", lambda: (warehouse, EmfMetrics("dev")))
    good = put(warehouse, document())

    answer = handler({"Records": [{"messageId": "odd", "body": "{}"}, message("good", good)]}, None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "odd"}]}
