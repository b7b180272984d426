"""Loading documents into the tables: what stays, what is replaced, what is kept on record."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from lambdas.core import documents, parquet
from lambdas.core.documents import RawDocument
from lambdas.core.errors import SchemaMismatch, WriteConflict
from lambdas.core.keys import parse_raw_key
from lambdas.core.rows import Value
from lambdas.core.schema import ALBUMS, ARTISTS, CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS, SONGS, Table
from lambdas.core.warehouse import LoadReport, Warehouse, group_by_chart_year
from tests.documents import DAY, OBSERVED, album, artist, csv_answer, csv_row, document, entry, page, spotify_id, track
from tests.fakes import MemoryStore
from tests.tables import read_table


class Bench:
    """A raw zone, a warehouse, and the load between them; the clock stands still and never waits."""

    def __init__(self) -> None:
        self.raw, self.tables = MemoryStore(), MemoryStore()
        self.waits: list[float] = []
        self.warehouse = Warehouse(
            raw=self.raw,
            tables=self.tables,
            code_version="test",
            now=lambda: datetime(2026, 4, 1, tzinfo=UTC),
            sleep=self.waits.append,
            jitter=lambda: 0.5,
        )

    def put(self, *raw: RawDocument) -> None:
        for item in raw:
            self.raw.put_new(item.key, documents.encode(item))

    def load(self, *raw: RawDocument) -> list[LoadReport]:
        self.put(*raw)
        return self.load_keys(item.key for item in raw)

    def load_keys(self, keys: Iterable[str]) -> list[LoadReport]:
        groups = group_by_chart_year(parse_raw_key(key) for key in keys)
        return [self.warehouse.load(chart, year, dates) for (chart, year), dates in groups.items()]

    def names(self) -> list[tuple[int, Any]]:
        songs = {row["song_id"]: row["name"] for row in read_table(self.tables, SONGS)}
        return [(row["position"], songs[row["song_id"]]) for row in read_table(self.tables, CHART_ENTRIES)]

    def verdicts(self) -> dict[str, str]:
        return {row["raw_key"]: row["verdict"] for row in read_table(self.tables, SNAPSHOTS)}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_document_fills_the_six_tables(bench: Bench) -> None:
    (report,) = bench.load(document(songs=[track("One"), track("Two", artists=[artist("A"), artist("B")])]))
    assert bench.names() == [(1, "One"), (2, "Two")]
    assert len(read_table(bench.tables, ALBUMS)) == 1
    assert {row["name"] for row in read_table(bench.tables, ARTISTS)} == {"Ivo Calder", "A", "B"}
    assert len(read_table(bench.tables, SONG_ARTISTS)) == 3
    (snapshot,) = read_table(bench.tables, SNAPSHOTS)
    assert (snapshot["verdict"], snapshot["entries"], snapshot["depth"], snapshot["gaps"]) == ("published", 2, 2, 0)
    assert (report.documents, report.days, report.entries, report.objects_written) == (1, 1, 2, 6)


def test_objects_are_written_facts_last_so_that_no_entry_lacks_its_song(bench: Bench) -> None:
    bench.load(document())
    assert [key.partition("/")[0] for key in bench.tables.writes] == [
        "songs",
        "albums",
        "artists",
        "song_artists",
        "chart_entries",
        "snapshots",
    ]


def test_the_same_document_again_writes_nothing(bench: Bench) -> None:
    raw = document()
    bench.load(raw)
    written = len(bench.tables.writes)
    bench.load(raw)
    assert len(bench.tables.writes) == written


def test_a_correction_with_fewer_songs_replaces_the_whole_day(bench: Bench) -> None:
    bench.load(document(songs=[track("One"), track("Two"), track("Three")]))
    bench.load(document(songs=[track("Two")], observed_at=OBSERVED + timedelta(hours=1)))
    assert bench.names() == [(1, "Two")]
    assert sorted(bench.verdicts().values()) == ["published", "superseded"]


def test_a_late_older_document_changes_no_entry_but_is_on_record(bench: Bench) -> None:
    newer = document(songs=[track("New")])
    older = document(songs=[track("Old")], observed_at=OBSERVED - timedelta(hours=6))
    bench.load(newer)
    bench.load(older)
    assert bench.names() == [(1, "New")]
    assert bench.verdicts() == {newer.key: "published", older.key: "superseded"}


def test_one_page_never_replaces_a_whole_chart(bench: Bench) -> None:
    bench.load(document(songs=[track("One"), track("Two")]))
    last = page([entry(track("Late"))], offset=1, total=2)
    bench.load(document([last], partial=True, observed_at=OBSERVED + timedelta(days=1)))
    assert bench.names() == [(1, "One"), (2, "Two")]


def test_one_page_alone_is_published_as_partial(bench: Bench) -> None:
    raw = document([page([entry(track("Late"))], offset=1, total=2)], partial=True)
    bench.load(raw)
    assert bench.names() == [(2, "Late")]
    assert bench.verdicts() == {raw.key: "partial"}


def test_a_withdrawn_day_holds_no_entries_and_stays_on_record(bench: Bench) -> None:
    published, tombstone = document(), document(withdrawal=True, observed_at=OBSERVED + timedelta(days=1))
    bench.load(published)
    bench.load(tombstone)
    assert bench.names() == []
    assert bench.verdicts() == {published.key: "superseded", tombstone.key: "withdrawn"}


def test_other_days_and_charts_are_left_alone(bench: Bench) -> None:
    bench.load(
        document(songs=[track("Before")], chart_date=DAY - timedelta(days=1)),
        document(songs=[track("That day")]),
        document(songs=[track("After")], chart_date=DAY + timedelta(days=1)),
        document(songs=[track("Elsewhere")], chart="regional-us-daily"),
    )
    bench.load(document(songs=[track("Corrected")], observed_at=OBSERVED + timedelta(hours=1)))
    assert sorted(name for _, name in bench.names()) == ["After", "Before", "Corrected", "Elsewhere"]


def test_a_day_whose_documents_have_expired_is_left_as_it_is(bench: Bench) -> None:
    raw = document()
    bench.load(raw)
    bench.raw.objects.clear()
    before = dict(bench.tables.objects)
    bench.load_keys([raw.key])
    assert bench.tables.objects == before


def test_a_newer_observation_replaces_a_song_and_its_credit_can_shrink(bench: Bench) -> None:
    bench.load(document(songs=[track("One", artists=[artist("A"), artist("B")], popularity=10)]))
    bench.load(
        document(
            songs=[track("One", artists=[artist("A")], popularity=20)],
            chart_date=DAY + timedelta(days=1),
            observed_at=OBSERVED + timedelta(days=1),
        )
    )
    assert [row["popularity"] for row in read_table(bench.tables, SONGS)] == [20]
    assert [row["artist_id"] for row in read_table(bench.tables, SONG_ARTISTS)] == [artist("A")["id"]]


def test_an_older_observation_that_comes_late_does_not_replace_a_song(bench: Bench) -> None:
    bench.load(document(songs=[track("One", popularity=20)]))
    bench.load(
        document(
            songs=[track("One", popularity=10)],
            chart_date=DAY - timedelta(days=1),
            observed_at=OBSERVED - timedelta(days=1),
        )
    )
    assert [row["popularity"] for row in read_table(bench.tables, SONGS)] == [20]


def test_a_bad_document_is_quarantined_with_its_reason_and_the_rest_of_the_day_goes_on(bench: Bench) -> None:
    good = document(songs=[track("Good")])
    bad = document(songs=[track(id="short")], observed_at=OBSERVED + timedelta(hours=1))
    (report,) = bench.load(good, bad)
    assert bench.names() == [(1, "Good")]
    assert list(report.quarantined) == [bad.key]
    record = msgspec.json.decode(bench.raw.objects[f"quarantine/{bad.key}.json"])
    assert record["key"] == bad.key
    assert "is not the id of a song" in record["reason"]
    assert record["code_version"] == "test"
    assert record["quarantined_at"] == "2026-04-01T00:00:00Z"


@pytest.mark.parametrize(
    "odd",
    [
        entry(track(popularity=2**40)),
        entry(track(disc_number=2**33)),
        entry(track(track_number=-(2**31) - 1)),
        entry(track(duration_ms=2**63)),
        entry(track(album=album(total_tracks=2**31))),
        entry(track(), added_at="2026-03-06T00:00:00"),
        entry(track(), added_at="yesterday"),
    ],
)
def test_a_value_that_no_column_holds_is_quarantined_with_its_path_and_other_days_load(
    bench: Bench, odd: dict[str, Any]
) -> None:
    good = document(songs=[track("Good")])
    bad = document([page([odd])], chart_date=DAY + timedelta(days=1))
    (report,) = bench.load(good, bad)
    assert "$.answers[0].items[0]" in report.quarantined[bad.key]
    assert bench.names() == [(1, "Good")]


@pytest.mark.parametrize("answers", [b"[" * 100_000, b'[{"items": [{"item": {"name": "Se\xf1orita"}}]}]'])
def test_a_document_of_nonsense_inside_is_quarantined(bench: Bench, answers: bytes) -> None:
    raw = document()
    text = gzip.decompress(documents.encode(raw))
    bench.raw.objects[raw.key] = gzip.compress(text[: text.index(b'"answers":') + 10] + answers + b"}")
    (report,) = bench.load_keys([raw.key])
    assert list(report.quarantined) == [raw.key]


def test_a_chart_date_outside_the_projected_years_is_quarantined(bench: Bench) -> None:
    (report,) = bench.load(document(chart_date=date(1999, 12, 31)))
    assert "outside 2008 to 2027" in next(iter(report.quarantined.values()))
    assert bench.tables.objects == {}


def test_a_document_over_the_cap_is_quarantined_unread(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.core.warehouse.MAX_STORED_BYTES", 10)
    (report,) = bench.load(document())
    assert "over the 10 that are read" in next(iter(report.quarantined.values()))


def test_other_peoples_objects_under_the_day_are_ignored(bench: Bench) -> None:
    raw = document()
    bench.raw.objects[f"raw/chart={raw.chart}/date={raw.chart_date}/notes.txt"] = b"hello"
    (report,) = bench.load(raw)
    assert (report.documents, report.quarantined) == (1, {})


def test_a_writer_that_lost_the_race_reads_again_and_loses_nothing(bench: Bench) -> None:
    """Between our read and our write of the entries, another writer publishes the next day."""
    ours, theirs = document(), document(songs=[track("Theirs")], chart_date=DAY + timedelta(days=1))
    raced: list[str] = []

    def another_writer(key: str) -> None:
        if key.startswith("chart_entries/") and not raced:
            raced.append(key)
            bench.load(theirs)

    bench.tables.before_write = another_writer
    (report,) = bench.load(ours)
    assert report.conflicts == 1
    assert sorted(name for _, name in bench.names()) == ["Honeymoon", "Theirs"]
    assert len(bench.waits) == 1


def test_a_newer_document_that_lands_between_listing_and_writing_wins_in_the_end(bench: Bench) -> None:
    """The listing is older than the write it races with: the conditional write fails, and the day is listed anew."""
    older = document(songs=[track("Old")])
    newer = document(songs=[track("New")], observed_at=OBSERVED + timedelta(hours=1))
    raced: list[str] = []

    def another_writer(key: str) -> None:
        if key.startswith("chart_entries/") and not raced:
            raced.append(key)
            bench.load(newer)

    bench.tables.before_write = another_writer
    bench.load(older)
    assert bench.names() == [(1, "New")]
    assert bench.verdicts() == {older.key: "superseded", newer.key: "published"}


@pytest.mark.parametrize("table", [CHART_ENTRIES, SNAPSHOTS])
def test_a_newer_document_that_is_loaded_just_before_the_object_is_read_is_listed_too(
    bench: Bench, table: Table
) -> None:
    """The raw zone is listed after the object is read; listed before, the older document would win this race."""
    older = document(songs=[track("Old")])
    newer = document(songs=[track("New")], observed_at=OBSERVED + timedelta(hours=1))
    raced: list[str] = []

    def another_writer(key: str) -> None:
        if key.startswith(f"{table.name}/") and not raced:
            raced.append(key)
            bench.load(newer)

    bench.tables.before_read = another_writer
    bench.load(older)
    assert bench.names() == [(1, "New")]
    assert bench.verdicts() == {older.key: "superseded", newer.key: "published"}


def test_a_writer_that_always_loses_gives_up_with_a_conflict_and_bounded_waits(bench: Bench) -> None:
    popularity = iter(range(100))

    def another_writer(key: str) -> None:
        if key.startswith("songs/"):
            told: dict[str, Value] = {"song_id": "x", "detail": "api", "observed_at": 0, "popularity": next(popularity)}
            row = tuple(told.get(name) for name in SONGS.column_names)
            bench.tables.objects[key] = parquet.encode(parquet.batch_of(SONGS, [row]))

    bench.tables.before_write = another_writer
    with pytest.raises(WriteConflict, match=r"songs/songs\.parquet: 10 attempts lost"):
        bench.load(document())
    assert len(bench.waits) == 9
    assert max(bench.waits) <= 2.0


def test_an_object_of_older_columns_is_read_and_filled_with_nulls(bench: Bench) -> None:
    bench.load(document(songs=[track("One")]))
    key = "songs/songs.parquet"
    held = parquet.decode(SONGS, bench.tables.objects[key], name=key)
    bench.tables.objects[key] = parquet.encode(held.select([n for n in SONGS.column_names if n != "popularity"]))
    bench.load(document(songs=[track("Two")], chart_date=DAY + timedelta(days=1)))
    assert {row["name"]: row["popularity"] for row in read_table(bench.tables, SONGS)} == {"One": None, "Two": 71}


def test_an_object_with_a_column_of_a_newer_version_is_refused_and_never_overwritten(bench: Bench) -> None:
    bench.load(document(songs=[track("One")]))
    key = "songs/songs.parquet"
    held = parquet.decode(SONGS, bench.tables.objects[key], name=key)
    newer = held.append_column(held.schema.field("name").with_name("tempo"), held.column("name"))
    bench.tables.objects[key] = body = parquet.encode(newer)
    with pytest.raises(SchemaMismatch, match="columns this version does not know: tempo"):
        bench.load(document(chart_date=DAY + timedelta(days=1)))
    assert bench.tables.objects[key] == body


def test_an_object_with_a_column_of_another_type_is_refused_and_never_overwritten(bench: Bench) -> None:
    bench.load(document(songs=[track("One")]))
    key = "songs/songs.parquet"
    held = parquet.decode(SONGS, bench.tables.objects[key], name=key)
    other = held.set_column(
        SONGS.index("popularity"), held.schema.field("name").with_name("popularity"), held.column("name")
    )
    bench.tables.objects[key] = body = parquet.encode(other)
    with pytest.raises(SchemaMismatch, match="column popularity is .*Utf8.* not int"):
        bench.load(document(chart_date=DAY + timedelta(days=1)))
    assert bench.tables.objects[key] == body


def test_a_warehouse_object_that_is_not_parquet_is_refused_by_name(bench: Bench) -> None:
    bench.tables.objects["artists/artists.parquet"] = b"not parquet"
    with pytest.raises(SchemaMismatch, match=r"artists/artists\.parquet: not a Parquet file"):
        bench.load(document())


def test_many_days_of_a_year_are_written_as_few_objects(bench: Bench) -> None:
    bench.load(*(document(songs=[track(f"Song {n}")], chart_date=DAY + timedelta(days=n)) for n in range(20)))
    assert len(bench.tables.writes) == 6
    assert len(bench.names()) == 20


def test_ids_of_the_made_up_songs_are_well_formed() -> None:
    assert len(spotify_id("x")) == 22


def test_a_damaged_parquet_object_is_refused_by_name(bench: Bench) -> None:
    bench.load(document())
    key = "songs/songs.parquet"
    body = bench.tables.objects[key]
    bench.tables.objects[key] = body[:60] + bytes(100) + body[160:-40] + bytes(32) + body[-8:]
    with pytest.raises(SchemaMismatch, match=r"songs/songs\.parquet: a damaged Parquet file"):
        bench.load(document(chart_date=DAY + timedelta(days=1)))


def official(*rows: dict[str, str], encoding: str = "utf-8", **given: Any) -> RawDocument:
    """A document that holds an official file."""
    return document([csv_answer(rows, encoding=encoding)], provider="charts_csv", **given)


LATER: dict[str, Any] = {"chart_date": DAY + timedelta(days=30), "observed_at": OBSERVED + timedelta(days=30)}


def song_told(bench: Bench) -> tuple[Any, ...]:
    (row,) = read_table(bench.tables, SONGS)
    return row["name"], row["artist_names"], row["album_id"], row["detail"]


def test_a_csv_alone_gives_entries_snapshots_and_songs(bench: Bench) -> None:
    raw = official(csv_row(1, "One"), csv_row(3, "Three", streams=0))
    (report,) = bench.load(raw)
    assert bench.names() == [(1, "One"), (3, "Three")]
    assert {key.partition("/")[0] for key in bench.tables.objects} == {"songs", "chart_entries", "snapshots"}
    (snapshot,) = read_table(bench.tables, SNAPSHOTS)
    assert (snapshot["provider"], snapshot["depth"], snapshot["entries"], snapshot["gaps"]) == ("charts_csv", 3, 2, 1)
    assert snapshot["warnings"] == (
        "size_differs: reaches place 3, where 200 is usual; gap: no row for position 2; "
        "no_streams: 1 positions tell none above 0"
    )
    assert (report.documents, report.entries, report.new_songs) == (1, 2, 2)


def test_a_newer_csv_never_erases_what_the_web_api_told(bench: Bench) -> None:
    bench.load(document(songs=[track("One") | {"name": "Told by the API"}]))
    before = bench.tables.objects["songs/songs.parquet"]
    bench.load(official(csv_row(1, "One", track_name="Told by a file"), **LATER))
    assert bench.tables.objects["songs/songs.parquet"] == before
    assert len(read_table(bench.tables, CHART_ENTRIES)) == 2


def test_an_answer_of_the_web_api_replaces_a_csvs_text_however_old_it_is(bench: Bench) -> None:
    bench.load(official(csv_row(1, "One", track_name="Told by a file", artist_names="A, B"), **LATER))
    assert song_told(bench) == ("Told by a file", "A, B", None, "csv")
    bench.load(document(songs=[track("One") | {"name": "Told by the API"}]))
    assert song_told(bench) == ("Told by the API", "Ivo Calder", album()["id"], "api")


def test_text_that_a_re_save_destroyed_never_replaces_good_text_and_good_text_replaces_it(bench: Bench) -> None:
    damaged = official(csv_row(1, "One", track_name="Se\u00b1al"), encoding="cp1252", **LATER)
    bench.load(damaged)
    assert song_told(bench) == (None, "Ivo Calder", None, "incomplete")
    bench.load(official(csv_row(1, "One", track_name="Señal")))
    assert song_told(bench) == ("Señal", "Ivo Calder", None, "csv")
    bench.load(damaged)
    assert song_told(bench) == ("Señal", "Ivo Calder", None, "csv")
    warnings = [row["warnings"] for row in read_table(bench.tables, SNAPSHOTS)]
    small = "size_differs: reaches place 1, where 200 is usual"
    assert warnings == [small, f"{small}; text_damaged: the file is not UTF-8 (read as cp1252): 1 texts are left out"]


def test_a_days_official_file_beats_a_playlist_seen_later(bench: Bench) -> None:
    file = official(csv_row(1, "In the file"))
    playlist = document(songs=[track("On the playlist")], observed_at=OBSERVED + timedelta(hours=1))
    bench.load(file, playlist)
    assert bench.names() == [(1, "In the file")]
    assert bench.verdicts() == {file.key: "published", playlist.key: "superseded"}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([], "holds 0 files, not one"),
        ([csv_answer([csv_row(1)])] * 2, "holds 2 files, not one"),
        ([page([entry(track())])], "answers"),
        ([{"header": ["a"], "rows": [], "encoding": "utf-8"}], "its header is 'a'"),
        ([csv_answer([csv_row(1), csv_row(1)])], "position 1 is given twice"),
        ([csv_answer([csv_row(1)], encoding="utf-7")], "encoding"),
    ],
)
def test_a_document_that_holds_no_official_file_is_quarantined(
    bench: Bench, answers: list[dict[str, Any]], said: str
) -> None:
    raw = document(answers, provider="charts_csv")
    (report,) = bench.load(raw)
    assert said in report.quarantined[raw.key]


def test_a_document_of_a_provider_without_a_reader_is_quarantined(bench: Bench) -> None:
    key = document().key.replace("-playlist-", "-of_the_future-")
    bench.raw.objects[key] = documents.encode(document())
    (report,) = bench.load_keys([key])
    assert "reads no documents of provider 'of_the_future': deploy a newer one" in report.quarantined[key]


def test_a_document_under_another_providers_key_is_quarantined(bench: Bench) -> None:
    raw = document([], provider="operator")
    key = raw.key.replace("-operator-", "-charts_csv-")
    bench.raw.objects[key] = documents.encode(raw)
    (report,) = bench.load_keys([key])
    assert "(operator, observed at 2026-03-06 06:00:00+00:00), which its key does not name" in report.quarantined[key]


def test_an_official_file_of_a_withdrawn_day_leaves_no_entries(bench: Bench) -> None:
    bench.load(official(csv_row(1)), document(withdrawal=True))
    assert bench.names() == []


def test_a_withdrawal_that_is_lifted_leaves_the_day_as_it_was(bench: Bench) -> None:
    published, tombstone = document(), document(withdrawal=True, observed_at=OBSERVED + timedelta(days=1))
    lifted = document(provider="operator", observed_at=OBSERVED + timedelta(days=2))
    bench.load(published, tombstone, lifted)
    assert bench.names() == [(1, "Honeymoon")]
    assert bench.verdicts() == {published.key: "published", tombstone.key: "superseded", lifted.key: "restored"}


def test_a_day_withdrawn_again_holds_no_entries(bench: Bench) -> None:
    bench.load(
        document(),
        document(withdrawal=True),
        document(provider="operator", observed_at=OBSERVED + timedelta(days=1)),
        document(withdrawal=True, observed_at=OBSERVED + timedelta(days=2)),
    )
    assert bench.names() == []


def test_the_operators_word_alone_makes_a_day_without_entries(bench: Bench) -> None:
    lifted = document(provider="operator")
    bench.load(lifted)
    assert bench.names() == []
    assert bench.verdicts() == {lifted.key: "restored"}


def test_a_provider_cannot_withdraw_a_day(bench: Bench) -> None:
    held, stray = (
        document(),
        msgspec.structs.replace(document(observed_at=OBSERVED + timedelta(days=1)), withdrawal=True),
    )
    (report,) = bench.load(held, stray)
    assert "only the operator withdraws a day" in report.quarantined[stray.key]
    assert bench.verdicts() == {held.key: "published"}
