"""Making the tables anew: what is taken back, what stays, what is refused, and what is left behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from arro3.core import Array, RecordBatch

from benchmarks.inputs import made_up
from lambdas.core import parquet
from lambdas.core.documents import RawDocument, encode
from lambdas.core.errors import NewerSchema, WriteConflict
from lambdas.core.keys import (
    QUARANTINE_PREFIX,
    SHADOW_PREFIX,
    chart_year_key,
    dimension_key,
    quarantine_key,
    table_prefix,
)
from lambdas.core.parquet import batch_of, rows_of
from lambdas.core.rebuild import NothingToRebuild, Rebuild, RebuildReport, Scope, WiderScopeNeeded
from lambdas.core.rows import Row, Value, days, milliseconds
from lambdas.core.schema import (
    ALBUMS,
    ARTISTS,
    CHART_ENTRIES,
    DIMENSIONS,
    SNAPSHOTS,
    SONG_ARTISTS,
    SONGS,
    TABLES,
    Table,
)
from lambdas.core.shadow import Shadow, ShadowChanged, Unsound, check_chart_year, check_dimension, fingerprint
from lambdas.core.warehouse import Warehouse
from tests.buckets import TransformedBuckets
from tests.documents import CHART, DAY, OBSERVED, artist, cached_song, csv_answer, csv_row, document, spotify_id, track
from tests.tables import read_table

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ENTRIES_KEY, SNAPSHOTS_KEY = (chart_year_key(table, CHART, DAY.year) for table in (CHART_ENTRIES, SNAPSHOTS))
SONGS_KEY = dimension_key(SONGS)
NEXT_DAY = DAY + timedelta(days=1)
ANSWERED = OBSERVED + timedelta(days=1)


class Stage(TransformedBuckets):
    """A raw zone, the tables that were loaded from it, and the rebuild."""

    def __init__(self, *held: RawDocument) -> None:
        super().__init__()
        self.put(*held)
        self.load()

    def put(self, *held: RawDocument) -> None:
        for item in held:
            self.raw.objects[item.key] = encode(item)

    def rebuild(
        self,
        *,
        chart: str | None = None,
        first: date | None = None,
        last: date | None = None,
        dry_run: bool = False,
        on_progress: Callable[[str, int, int], object] = lambda *_: None,
    ) -> RebuildReport:
        return Rebuild(
            raw=self.raw,
            tables=self.tables,
            scope=Scope(chart=chart, first=first, last=last),
            dry_run=dry_run,
            on_progress=on_progress,
            now=lambda: NOW,
            sleep=lambda _: None,
        ).run()

    def rewrite(self, table: Table, key: str, change: Callable[[list[dict[str, Value]]], object]) -> None:
        """Change the rows of an object, past all that guards them."""
        rows = [dict(zip(table.column_names, row, strict=True)) for row in self.rows(table, key)]
        change(rows)
        self.tables.objects[key] = parquet.encode(batch_of(table, [tuple(row.values()) for row in rows]))

    def rows(self, table: Table, key: str) -> list[Row]:
        return rows_of(table, parquet.decode(table, self.tables.objects[key], name=key))

    @property
    def shadow(self) -> list[str]:
        return list(self.tables.keys(SHADOW_PREFIX))


def rank_first_row_too_high(rows: list[dict[str, Value]]) -> None:
    rows[0] |= {"name": "Nobody", "observed_at": milliseconds(NOW + timedelta(days=1))}


def test_a_year_of_the_sample_model_is_made_anew_to_the_byte() -> None:
    stage = Stage()
    first = date(2024, 1, 1)
    for number in range(366):
        stored = made_up(first + timedelta(days=number), 20)
        stage.raw.objects[stored.key] = stored.body
    stage.load()
    before = dict(stage.tables.objects)
    assert stage.rebuild().changes == {}
    stage.tables.objects.clear()
    report = stage.rebuild()
    assert stage.tables.objects == before
    assert (report.documents, report.objects, len(report.changes)) == (366, 6, 6)


def test_a_row_that_a_bug_ranked_too_high_is_taken_back_by_a_rebuild_of_everything_only() -> None:
    stage = Stage(document())
    before = dict(stage.tables.objects)
    stage.rewrite(SONGS, SONGS_KEY, rank_first_row_too_high)
    damaged = dict(stage.tables.objects)
    assert stage.rebuild(chart=CHART).changes == {}
    assert stage.rebuild(first=DAY).changes == {}
    assert stage.tables.objects == damaged
    assert stage.rebuild().changes[SONGS_KEY].difference.changed == 1
    assert stage.tables.objects == before


def test_a_row_that_a_rebuild_of_one_chart_does_not_know_stays_and_a_better_one_replaces_a_lesser() -> None:
    file = document([csv_answer([csv_row(1, "Two"), csv_row(2, "Three")])], chart="other", provider="charts_csv")
    stage = Stage(document(songs=[track("One"), track("Two")]), file)
    before = dict(stage.tables.objects)
    stage.rewrite(SONGS, SONGS_KEY, lambda rows: [row.update(name="Worse", detail="csv") for row in rows])
    stage.rebuild(chart=CHART)
    named = {row["song_id"]: row["name"] for row in read_table(stage.tables, SONGS)}
    ids = {name: spotify_id(("track", name)) for name in ("One", "Two", "Three")}
    assert named == {ids["One"]: "One", ids["Two"]: "Two", ids["Three"]: "Worse"}
    stage.rebuild()
    assert stage.tables.objects == before


def test_a_dry_run_says_what_a_rebuild_then_does_and_writes_nothing_but_its_shadow() -> None:
    stage = Stage(document())
    stage.raw.objects[broken := document(chart_date=NEXT_DAY).key] = b"not gzip"
    stage.tables.objects[SNAPSHOTS_KEY] = b"garbled"
    del stage.tables.objects[SONGS_KEY]
    before, raw = dict(stage.tables.objects), dict(stage.raw.objects)
    told = stage.rebuild(dry_run=True)
    assert (stage.tables.objects, stage.raw.objects) == (before, raw)
    assert list(told.quarantined) == [broken]
    assert told.changes[SONGS_KEY].is_new
    assert "not a Parquet file" in str(told.changes[SNAPSHOTS_KEY].unreadable)
    assert stage.rebuild().changes == told.changes


def test_a_dry_run_says_so_too_where_a_row_is_taken_back_and_an_object_cannot_be_read() -> None:
    song = spotify_id(("track", "Three"))
    stage = Stage(document())
    answer = cached_song(track("Three"), song_id=song, now=ANSWERED)
    stage.raw.objects[answer.key] = encode(answer)
    stage.rewrite(SONGS, SONGS_KEY, rank_first_row_too_high)
    stage.tables.objects[dimension_key(ALBUMS)] = b"garbled"
    told = stage.rebuild(dry_run=True)
    assert "not a Parquet file" in str(told.changes[dimension_key(ALBUMS)].unreadable)
    assert stage.rebuild().changes == told.changes


def test_what_is_in_quarantine_stays_there_with_its_first_record() -> None:
    stage = Stage(document())
    stage.raw.objects[broken := document(chart_date=NEXT_DAY).key] = b"not gzip"
    stage.load()
    record = stage.raw.objects[quarantine_key(broken)]
    report = stage.rebuild()
    assert "not gzip" in report.quarantined[broken]
    assert stage.raw.objects[quarantine_key(broken)] == record
    assert len(list(stage.raw.keys(QUARANTINE_PREFIX))) == 1


def test_a_day_whose_withdrawal_was_lifted_is_kept_when_only_the_operators_words_are_left() -> None:
    chart = document()
    withdrawn = document(withdrawal=True, observed_at=OBSERVED + timedelta(hours=1))
    lifted = document(provider="operator", observed_at=OBSERVED + timedelta(hours=2))
    stage = Stage(chart, withdrawn, lifted)
    before = dict(stage.tables.objects)
    del stage.raw.objects[chart.key]
    report = stage.rebuild()
    assert stage.tables.objects == before
    assert report.kept == {(CHART, DAY.year): {DAY}}


def test_a_day_that_stays_withdrawn_is_empty_though_its_chart_has_expired() -> None:
    chart, withdrawn = document(), document(withdrawal=True, observed_at=OBSERVED + timedelta(hours=1))
    stage = Stage(chart, withdrawn)
    before = dict(stage.tables.objects)
    del stage.raw.objects[chart.key]
    stage.tables.objects[ENTRIES_KEY] = b"garbled"
    stage.rebuild()
    assert stage.tables.objects == before


def test_of_a_day_whose_winner_has_expired_the_next_is_shown_and_the_winner_stays_on_record_as_superseded() -> None:
    whole, part = document(songs=[track("One")]), document(songs=[track("Two")], partial=True)
    stage = Stage(whole, part)
    del stage.raw.objects[whole.key]
    stage.rebuild()
    assert {row["raw_key"]: row["verdict"] for row in read_table(stage.tables, SNAPSHOTS)} == {
        whole.key: "superseded",
        part.key: "partial",
    }
    assert [row["song_id"] for row in read_table(stage.tables, CHART_ENTRIES)] == [spotify_id(("track", "Two"))]
    assert len(read_table(stage.tables, SONGS)) == 2
    assert stage.rebuild().changes == {}


def test_what_expired_documents_told_of_songs_outlasts_a_rebuild_and_so_does_what_kept_entries_need() -> None:
    stage = Stage(document(songs=[track("Gone")]), last := document(chart_date=NEXT_DAY, songs=[track("Here")]))
    before = dict(stage.tables.objects)
    stage.raw.objects = {last.key: stage.raw.objects[last.key]}
    assert stage.rebuild().changes == {}
    # Without snapshots nothing says that there was a document: the entry does, and it needs its song.
    stage.rewrite(SNAPSHOTS, SNAPSHOTS_KEY, lambda rows: rows.pop(0))
    stage.rewrite(CHART_ENTRIES, ENTRIES_KEY, lambda rows: rows[0].update(observed_at=None))
    stage.rebuild()
    for table in (SONGS, SONG_ARTISTS, ARTISTS):
        assert stage.tables.objects[dimension_key(table)] == before[dimension_key(table)], table.name


def test_rows_in_the_object_of_another_chart_or_year_go() -> None:
    stage = Stage(document())
    before = dict(stage.tables.objects)

    def misfile(rows: list[dict[str, Value]]) -> None:
        rows += [
            rows[0] | {"chart": "other", "chart_date": days(NEXT_DAY)},
            rows[0] | {"chart_date": days(date(2025, 1, 1))},
        ]

    stage.rewrite(CHART_ENTRIES, ENTRIES_KEY, misfile)
    report = stage.rebuild()
    assert stage.tables.objects == before
    assert (report.changes[ENTRIES_KEY].difference.removed, report.kept) == (2, {})


def enriched(*names: str) -> Stage:
    """A file's two songs, of which Spotify has told of some."""
    stage = Stage(document([csv_answer([csv_row(1, "One"), csv_row(2, "Two")])], provider="charts_csv"))
    answers = [cached_song(track(name), now=ANSWERED + timedelta(seconds=i)) for i, name in enumerate(names)]
    for item in answers:
        stage.raw.objects[item.key] = encode(item)
    Warehouse(raw=stage.raw, tables=stage.tables).load_songs(item.song_id for item in answers)
    return stage


def details(stage: Stage) -> dict[Value, Value]:
    return {row["name"]: row["detail"] for row in read_table(stage.tables, SONGS)}


def test_cached_answers_are_read_as_documents_are() -> None:
    stage = enriched("One", "Two")
    before = dict(stage.tables.objects)
    assert details(stage) == {"One": "api", "Two": "api"}
    assert stage.rebuild().changes == {}
    stage.tables.objects.clear()
    report = stage.rebuild()
    assert stage.tables.objects == before
    assert (report.documents, report.answers) == (1, 2)


def test_what_an_expired_answer_told_stays() -> None:
    stage = enriched("One", "Two")
    before = dict(stage.tables.objects)
    del stage.raw.objects[cached_song(track("One")).key]
    assert stage.rebuild().changes == {}
    assert stage.tables.objects == before


@pytest.mark.parametrize("moment", [NOW + timedelta(days=1), OBSERVED], ids=["to come", "of a document that was read"])
def test_what_no_answer_can_have_told_is_taken_back(moment: datetime) -> None:
    stage = enriched("One", "Two")
    del stage.raw.objects[cached_song(track("One")).key]

    def tell_at_another_moment(rows: list[dict[str, Value]]) -> None:
        for row in rows:
            if row["name"] == "One":
                row["observed_at"] = milliseconds(moment)

    stage.rewrite(SONGS, SONGS_KEY, tell_at_another_moment)
    stage.rebuild()
    assert details(stage) == {"One": "csv", "Two": "api"}


def test_a_rebuild_of_one_chart_reads_the_cached_answers_of_its_songs_only() -> None:
    stage = enriched("One", "Two")
    other = cached_song(track("Three"), now=ANSWERED)
    stage.raw.objects[other.key] = encode(other)
    before = dict(stage.tables.objects)
    for table in DIMENSIONS:
        del stage.tables.objects[dimension_key(table)]
    assert stage.rebuild(chart=CHART).answers == 2
    assert stage.tables.objects == before
    stage.rebuild()
    assert details(stage) == {"One": "api", "Two": "api", "Three": "api"}


def test_an_answer_that_cannot_be_used_is_put_in_quarantine_and_the_rest_goes_on() -> None:
    stage = enriched("One")
    bad = cached_song(track("Two", type="episode"))
    stage.raw.objects[bad.key] = encode(bad)
    report = stage.rebuild()
    assert list(report.quarantined) == [bad.key]
    assert quarantine_key(bad.key) in stage.raw.objects
    assert details(stage) == {"One": "api", "Two": "csv"}


@pytest.mark.parametrize(
    ("key", "scope"),
    [
        (ENTRIES_KEY, {"first": DAY}),
        (SNAPSHOTS_KEY, {"last": DAY}),
        (SONGS_KEY, {"chart": CHART}),
        (SONGS_KEY, {"first": date(2000, 1, 1)}),
    ],
)
def test_a_damaged_object_that_holds_more_than_is_asked_for_is_refused_before_anything_is_replaced(
    key: str, scope: dict[str, date]
) -> None:
    stage = Stage(document())
    stage.tables.objects[key] = b"garbled"
    stage.rewrite(ARTISTS, dimension_key(ARTISTS), lambda rows: rows[0].update(detail="csv"))
    before = dict(stage.tables.objects)
    with pytest.raises(WiderScopeNeeded, match="not a Parquet file: .*`etl rebuild` without"):
        stage.rebuild(**scope)  # type: ignore[arg-type]
    assert stage.tables.objects == before


def test_a_damaged_object_of_a_whole_year_is_made_anew_though_other_years_are_not_asked_for() -> None:
    stage = Stage(document())
    before = dict(stage.tables.objects)
    stage.tables.objects[ENTRIES_KEY] = b"garbled"
    stage.rebuild(chart=CHART, first=date(DAY.year, 1, 1), last=date(DAY.year, 12, 31))
    assert stage.tables.objects == before


@pytest.mark.parametrize("key", [SONGS_KEY, ENTRIES_KEY])
def test_an_object_that_a_newer_version_wrote_is_refused_before_anything_is_replaced(key: str) -> None:
    stage = Stage(document())
    table = SONGS if key == SONGS_KEY else CHART_ENTRIES
    batch = parquet.decode(table, stage.tables.objects[key], name=key)
    newer = batch.append_column(
        "mood", Array(["blue"] * batch.num_rows, parquet.arrow_schema(SONGS).field("name").type)
    )
    stage.tables.objects[key] = parquet.encode(newer)
    del stage.tables.objects[dimension_key(ARTISTS)]
    before = dict(stage.tables.objects)
    with pytest.raises(NewerSchema, match="mood: deploy the version that wrote it"):
        stage.rebuild()
    assert stage.tables.objects == before


def test_an_object_of_which_there_is_no_document_and_that_cannot_be_read_is_left_and_told_of() -> None:
    stage = Stage(document(), document(chart="other"))
    key = chart_year_key(CHART_ENTRIES, "other", DAY.year)
    stage.tables.objects[key] = b"garbled"
    for held in stage.raw.keys("raw/chart=other/"):
        del stage.raw.objects[held]
    report = stage.rebuild()
    assert "not a Parquet file" in report.lost[key]
    assert stage.tables.objects[key] == b"garbled"


@pytest.mark.parametrize("chart", [None, "other"])
def test_without_documents_nothing_is_made_and_nothing_changed(chart: str | None) -> None:
    stage = Stage(document())
    if chart is None:
        stage.raw.objects.clear()
    before = dict(stage.tables.objects)
    with pytest.raises(NothingToRebuild, match="nothing was changed"):
        stage.rebuild(chart=chart)
    assert stage.tables.objects == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_shadow_is_removed_whatever_ends_the_rebuild(error: type[BaseException]) -> None:
    stage = Stage(document())
    stage.tables.objects[SHADOW_PREFIX + "songs/songs.parquet"] = b"left by a run that was killed"

    def stop(phase: str, *_: int) -> None:
        if phase == "check":
            assert stage.shadow
            raise error

    with pytest.raises(error):
        stage.rebuild(on_progress=stop)
    assert stage.shadow == []


@pytest.mark.parametrize("clears", [True, False])
def test_another_rebuild_at_the_same_shadow_stops_this_one_and_keeps_its_own(clears: bool) -> None:
    stage = Stage(document())
    stage.tables.objects[SONGS_KEY] = b"garbled"
    theirs = SHADOW_PREFIX + SONGS_KEY

    def other(phase: str, *_: int) -> None:
        if phase == "check" and stage.tables.objects.get(theirs) != b"another's":
            for key in stage.shadow if clears else ():
                del stage.tables.objects[key]
            stage.tables.objects[theirs] = b"another's"

    with pytest.raises(ShadowChanged, match="another `etl rebuild`"):
        stage.rebuild(on_progress=other)
    assert stage.tables.objects[SONGS_KEY] == b"garbled"
    assert stage.tables.objects[theirs] == b"another's"


def test_of_one_object_the_days_asked_for_are_made_anew_and_the_others_stay_as_they_are() -> None:
    stage = Stage(*(document(chart_date=DAY + timedelta(days=number)) for number in range(4)))
    before = {table: read_table(stage.tables, table) for table in (CHART_ENTRIES, SNAPSHOTS)}

    def spoil(rows: list[dict[str, Value]]) -> None:
        for row in rows:
            row["provider"] = "nobody"

    stage.rewrite(CHART_ENTRIES, ENTRIES_KEY, spoil)
    stage.rewrite(SNAPSHOTS, SNAPSHOTS_KEY, spoil)
    report = stage.rebuild(chart=CHART, first=NEXT_DAY, last=NEXT_DAY + timedelta(days=1))
    for table, rows in before.items():
        assert read_table(stage.tables, table) == [
            row if number in (1, 2) else row | {"provider": "nobody"} for number, row in enumerate(rows)
        ]
    assert report.kept == {}
    assert [change.difference.changed for change in report.changes.values()] == [2, 2]


def test_what_fails_a_check_replaces_nothing_and_says_what(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(document(songs=[track("One"), track("Two")]))
    stage.tables.objects[SONGS_KEY] = b"garbled"
    before = dict(stage.tables.objects)
    put = Shadow.put

    def put_less(shadow: Shadow, key: str, body: bytes) -> None:
        if key == ENTRIES_KEY:
            body = parquet.encode(parquet.decode(CHART_ENTRIES, body, name=key).slice(0, 1))
        put(shadow, key, body)

    monkeypatch.setattr(Shadow, "put", put_less)
    with pytest.raises(Unsound, match=r"1 entries, where its snapshots tell of 2: nothing was replaced"):
        stage.rebuild()
    assert stage.tables.objects == before


def test_a_writer_that_always_wins_ends_the_rebuild_with_a_conflict_and_no_harm() -> None:
    stage = Stage(document())
    before = dict(stage.tables.objects)
    stage.rewrite(SONGS, SONGS_KEY, rank_first_row_too_high)
    number = 0

    def before_write(key: str) -> None:
        nonlocal number
        if key == SONGS_KEY:
            number += 1
            stage.rewrite(SONGS, SONGS_KEY, lambda rows: rows[0].update(popularity=number))

    stage.tables.before_write = before_write
    with pytest.raises(WriteConflict, match="run the same command again"):
        stage.rebuild()
    assert stage.shadow == []
    stage.tables.before_write = str
    stage.rebuild()
    assert stage.tables.objects == before


@pytest.mark.parametrize("chart", [CHART, "new-chart"])
def test_what_a_writer_loads_just_before_a_dimension_is_read_is_not_taken_back_with_a_row_that_is_wrong(
    chart: str,
) -> None:
    stage, phases = Stage(document(songs=[track("One")])), [""]
    stage.rewrite(SONGS, SONGS_KEY, rank_first_row_too_high)
    late = document(chart=chart, chart_date=NEXT_DAY, songs=[track("Late")])
    lacking: list[str] = []

    def before_read(key: str) -> None:
        if key == SONGS_KEY and phases[-1] == "check" and late.key not in stage.raw.objects:
            stage.put(late)
            stage.load()

    def before_write(_: str) -> None:
        songs = {row["song_id"] for row in read_table(stage.tables, SONGS)}
        lacking.extend(row["song_id"] for row in read_table(stage.tables, CHART_ENTRIES) if row["song_id"] not in songs)

    stage.tables.before_read, stage.tables.before_write = before_read, before_write
    report = stage.rebuild(on_progress=lambda phase, *_: phases.append(phase))
    assert late.key in stage.raw.objects
    assert stage.tables.objects == Stage(document(songs=[track("One")]), late).tables.objects
    assert lacking == []
    assert report.made_again == 1


def test_what_lost_to_a_wrong_row_while_it_was_being_taken_back_is_in_the_tables_in_the_end() -> None:
    stage = Stage(document(songs=[track("One", popularity=1)]))
    stage.rewrite(SONGS, SONGS_KEY, rank_first_row_too_high)
    later = OBSERVED + timedelta(hours=1)
    late = document(chart="other", songs=[track("One", popularity=2)], observed_at=later)

    def before_write(key: str) -> None:
        if key == SONGS_KEY and late.key not in stage.raw.objects:
            stage.put(late)
            stage.load()  # it writes no song: what is held is of a greater rank, and taken back a moment later

    stage.tables.before_write = before_write
    stage.rebuild()
    assert late.key in stage.raw.objects
    assert stage.tables.objects == Stage(document(songs=[track("One", popularity=1)]), late).tables.objects


def test_a_document_that_is_found_late_at_one_dimension_has_its_rows_in_those_replaced_before() -> None:
    stage, phases = Stage(document(songs=[track("One")])), [""]
    key = dimension_key(SONG_ARTISTS)  # the last that is written
    too_late = milliseconds(NOW + timedelta(days=1))
    stage.rewrite(SONG_ARTISTS, key, lambda rows: rows[0].update(observed_at=too_late, artist_id="nobody"))
    late = document(chart_date=NEXT_DAY, songs=[track("Late")])
    stage.tables.before_read = lambda read: stage.put(late) if read == key and phases[-1] == "replace" else None
    stage.rebuild(on_progress=lambda phase, *_: phases.append(phase))
    assert stage.tables.objects == Stage(document(songs=[track("One")]), late).tables.objects


@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize("read", [ENTRIES_KEY, SNAPSHOTS_KEY])
def test_a_document_that_comes_just_before_an_object_is_read_is_in_the_tables_with_its_song(
    read: str, is_loaded: bool
) -> None:
    stage, phases = Stage(document(songs=[track("One")])), [""]
    late = document(chart_date=NEXT_DAY, songs=[track("Late")])

    def before_read(key: str) -> None:
        if key == read and phases[-1] == "replace" and late.key not in stage.raw.objects:
            stage.put(late)
            if is_loaded:
                stage.load()

    stage.tables.before_read = before_read
    stage.rebuild(on_progress=lambda phase, *_: phases.append(phase))
    assert late.key in stage.raw.objects
    assert stage.tables.objects == Stage(document(songs=[track("One")]), late).tables.objects


def test_progress_counts_every_document_then_every_object_up_to_its_total() -> None:
    told: list[tuple[str, int, int]] = []
    stage = Stage(document(), document(chart_date=NEXT_DAY), document(chart="other"))
    stage.raw.objects[document(chart="third").key] = b"not gzip"
    stage.rebuild(on_progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] == "read"] == [("read", number, 4) for number in (1, 2, 3, 4)]
    assert list(dict.fromkeys(step[0] for step in told)) == ["read", "check", "replace"]


def test_the_shadow_lies_outside_every_table() -> None:
    for table in TABLES:
        assert not SHADOW_PREFIX.startswith(table_prefix(table))
        assert not table_prefix(table).startswith(SHADOW_PREFIX)


# The checks, one by one


def made(*held: RawDocument) -> tuple[RecordBatch, RecordBatch]:
    stage = Stage(*held)
    entries, snapshots = (
        parquet.decode(table, stage.tables.objects[key], name=key)
        for table, key in ((CHART_ENTRIES, ENTRIES_KEY), (SNAPSHOTS, SNAPSHOTS_KEY))
    )
    return entries, snapshots


HELD = (document(songs=[track("One"), track("Two")]), document(chart_date=NEXT_DAY, songs=[track("One")]))
KNOWN = {spotify_id(("track", name)) for name in ("One", "Two")}


def reordered(table: Table, batch: RecordBatch, places: Sequence[int]) -> RecordBatch:
    rows = rows_of(table, batch)
    return batch_of(table, [rows[place] for place in places])


@pytest.mark.parametrize(
    ("places", "songs", "keys", "said"),
    [
        ([0, 1, 2], KNOWN, 2, None),
        ([1, 0, 2], KNOWN, 2, "not sorted"),
        ([0, 0, 1, 2], KNOWN, 2, "there twice"),
        ([0, 1], KNOWN, 2, "2 entries, where its snapshots tell of 3"),
        ([0, 1, 2], KNOWN - {spotify_id(("track", "Two"))}, 2, "1 songs of its entries are not among the songs"),
        ([0, 1, 2], KNOWN, 1, "one row for each document"),
    ],
)
def test_a_chart_and_year_is_checked(places: list[int], songs: set[str], keys: int, said: str | None) -> None:
    entries, snapshots = made(*HELD)
    entries = reordered(CHART_ENTRIES, entries, places)

    def check() -> None:
        check_chart_year(
            CHART,
            DAY.year,
            entries=entries,
            snapshots=snapshots,
            documents=fingerprint(item.key for item in HELD[:keys]),
            songs=songs,
        )

    if said is None:
        check()
    else:
        with pytest.raises(Unsound, match=said):
            check()


def test_rows_of_another_year_or_chart_fail_the_check() -> None:
    entries, snapshots = made(*HELD)
    for chart, year in (("other", DAY.year), (CHART, DAY.year + 1)):
        with pytest.raises(Unsound, match="another chart or year"):
            check_chart_year(chart, year, entries=entries, snapshots=snapshots, documents=(0, 0), songs=KNOWN)


def test_a_dimension_is_sorted_and_has_each_key_once() -> None:
    stage = Stage(document(songs=[track("One", artists=[artist("A"), artist("B")])]))
    key = dimension_key(SONG_ARTISTS)
    batch = parquet.decode(SONG_ARTISTS, stage.tables.objects[key], name=key)
    check_dimension(SONG_ARTISTS, key, batch)
    for places in ([1, 0], [0, 0, 1]):
        with pytest.raises(Unsound, match="not sorted, or there twice"):
            check_dimension(SONG_ARTISTS, key, reordered(SONG_ARTISTS, batch, places))
