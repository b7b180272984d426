"""Whatever has become of the tables, a rebuild makes of them what the documents say, and loses nothing that comes."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core import parquet
from lambdas.core.cached_answers import CachedAnswer
from lambdas.core.documents import RawDocument
from lambdas.core.keys import SHADOW_PREFIX
from lambdas.core.rebuild import Rebuild, RebuildReport, Scope
from lambdas.core.rows import Row, Value
from lambdas.core.schema import CHART_ENTRIES, DIMENSIONS, SNAPSHOTS, SONG_ARTISTS, SONGS, TABLES, ColumnType, Table
from tests.cases import cases
from tests.fakes import MemoryStore
from tests.property.test_tables_are_a_function_of_the_raw_zone import (
    NOW,
    Held,
    Killed,
    answers_in,
    at_once,
    charts_in,
    killed_after,
    load,
    put,
    some_documents,
)
from tests.tables import read_rows, read_table

_TABLES = {table.name: table for table in TABLES}


def rebuild(
    raw: MemoryStore, tables: MemoryStore, scope: Scope | None = None, *, dry_run: bool = False
) -> RebuildReport:
    return Rebuild(
        raw=raw,
        tables=tables,
        scope=scope,
        dry_run=dry_run,
        at_once=1,
        now=lambda: NOW,
        sleep=lambda _: None,
        jitter=lambda: 0.5,
    ).run()


def loaded(held: list[Held]) -> tuple[MemoryStore, MemoryStore]:
    raw, tables = MemoryStore(), MemoryStore()
    put(raw, held)
    load(raw, tables, held)
    return raw, tables


def table_of(key: str) -> Table:
    return _TABLES[key.partition("/")[0]]


def tampered(key: str, body: bytes, data: st.DataObject) -> bytes | None:
    """The object as a fault could leave it: gone, garbled, cut, or with rows that are wrong, twice, missing or new."""
    table = table_of(key)
    rows = parquet.rows_of(table, parquet.decode(table, body, name=key))
    kind = data.draw(st.sampled_from(["gone", "garbled", "cut", "wrong", "twice", "missing", "new", "shuffled"]))
    if kind == "gone":
        return None
    if kind == "garbled":
        return b"no Parquet"
    if kind == "cut":
        return body[: len(body) // 2]
    if kind == "missing" or not rows:
        rows = rows[1:]
    elif kind == "twice":
        rows = [*rows, rows[0]]
    elif kind == "shuffled":
        rows = data.draw(st.permutations(rows))
    elif kind == "new":
        rows = [*rows, damaged(table, rows[0], range(len(table.columns)))]
    else:
        rows[0] = damaged(table, rows[0], [data.draw(st.integers(0, len(table.columns) - 1)) for _ in range(2)])
    return parquet.encode(parquet.batch_of(table, rows))


def damaged(table: Table, row: Row, places: range | list[int]) -> Row:
    """The row with other values, but for its day: a day without documents is kept, whoever wrote it."""
    values: dict[ColumnType, Value] = {
        ColumnType.STRING: "zzz",
        ColumnType.INT: 77,
        ColumnType.BIGINT: 7777,
        ColumnType.BOOLEAN: True,
        ColumnType.DATE: 12_345,
        ColumnType.TIMESTAMP: 9_999_999_999_999,
    }
    kept = {"chart", "chart_date"}
    return tuple(
        values[column.type] if place in places and column.name not in kept else row[place]
        for place, column in enumerate(table.columns)
    )


@settings(max_examples=cases(60), deadline=None)
@given(held=some_documents, data=st.data())
def test_tables_that_came_by_any_order_of_deliveries_are_right_to_the_byte(
    held: list[Held], data: st.DataObject
) -> None:
    raw, tables = MemoryStore(), MemoryStore()
    for item in data.draw(st.permutations(held)):
        put(raw, [item])
        load(raw, tables, [item])
    before = dict(tables.objects)
    tables.writes.clear()
    report = rebuild(raw, tables)
    assert tables.objects == before
    assert report.changes == {}
    assert [key for key in tables.writes if not key.startswith(SHADOW_PREFIX)] == []
    assert report.documents == len({item.key for item in charts_in(held)})
    assert report.answers == len(held) - len(charts_in(held))
    tables.objects.clear()
    rebuild(raw, tables)
    assert tables.objects == before


@settings(max_examples=cases(80), deadline=None)
@given(held=some_documents, data=st.data())
def test_objects_that_are_gone_garbled_or_tampered_with_are_restored_to_the_byte(
    held: list[Held], data: st.DataObject
) -> None:
    raw, tables = loaded(held)
    before = dict(tables.objects)
    for key in data.draw(st.lists(st.sampled_from(sorted(before)), min_size=1, unique=True)):
        body = tampered(key, before[key], data)
        if body is None:
            del tables.objects[key]
        else:
            tables.objects[key] = body
    damaged_ones = dict(tables.objects)
    told = rebuild(raw, tables, dry_run=True)
    assert tables.objects == damaged_ones
    report = rebuild(raw, tables)
    assert tables.objects == before
    assert report.changes == told.changes
    assert set(report.changes) == {key for key in before if before[key] != damaged_ones.get(key)}
    assert rebuild(raw, tables).changes == {}


@settings(max_examples=cases(50), deadline=None)
@given(held=some_documents, data=st.data())
def test_days_whose_documents_have_expired_are_kept_and_reported(held: list[Held], data: st.DataObject) -> None:
    raw, tables = loaded(held)
    days = sorted({(item.chart, item.chart_date) for item in charts_in(held)})
    remaining = data.draw(st.lists(st.sampled_from(days), unique=True, min_size=1))
    gone = [day for day in days if day not in remaining]
    before = dict(tables.objects)
    for item in charts_in(held):
        if (item.chart, item.chart_date) in gone:
            raw.objects.pop(item.key, None)
    report = rebuild(raw, tables)
    assert tables.objects == before
    assert report.changes == {}
    assert {(chart, day) for (chart, _), kept in report.kept.items() for day in kept} == set(gone)
    # What there are documents of is put back beside what is kept.
    told = at_once(
        [item for item in held if not isinstance(item, RawDocument) or (item.chart, item.chart_date) not in gone]
    )
    for key, body in told.items():
        mine = ids_in(key, body)
        table = table_of(key)
        left = [row for row in key_rows(table, before[key]) if row[: id_length(table)] not in mine]
        tables.objects[key] = parquet.encode(parquet.batch_of(table, left))
    rebuild(raw, tables)
    assert {key: ids_in(key, body) for key, body in tables.objects.items()} == {
        key: ids_in(key, body) for key, body in before.items()
    }
    assert rebuild(raw, tables).changes == {}


@settings(max_examples=cases(80), deadline=None)
@given(held=some_documents, data=st.data())
def test_whichever_documents_have_expired_a_day_is_what_the_others_say_or_as_it_was(
    held: list[Held], data: st.DataObject
) -> None:
    raw, tables = loaded(held)
    before = read_table(tables, CHART_ENTRIES)
    ids = {table: {row[table.key[0]] for row in read_table(tables, table)} for table in DIMENSIONS}
    left: list[Held] = data.draw(
        st.lists(st.sampled_from(charts_in(held)), min_size=1, unique_by=lambda item: item.key)
    )
    left += (
        data.draw(st.lists(st.sampled_from(answers_in(held)), unique_by=lambda item: item.key))
        if answers_in(held)
        else []
    )
    # Answers of one second expire on one day, and no document is of that second.
    moments = {item.observed_at for item in left}
    left += [item for item in answers_in(held) if item.observed_at in moments and item not in left]
    raw.objects.clear()
    put(raw, left)
    rebuild(raw, tables)
    told = MemoryStore()
    told.objects = at_once(left)
    days = {
        (row["chart"], row["chart_date"])
        for row in read_table(told, SNAPSHOTS)
        if row["verdict"] in ("published", "partial", "withdrawn")
    }
    expected = [row for row in before if (row["chart"], row["chart_date"]) not in days]
    expected += read_table(told, CHART_ENTRIES)
    after = read_table(tables, CHART_ENTRIES)
    assert sorted(map(repr, after)) == sorted(map(repr, expected))
    assert {row["song_id"] for row in after} <= {row["song_id"] for row in read_table(tables, SONGS)}
    assert {table: {row[table.key[0]] for row in read_table(tables, table)} for table in DIMENSIONS} == ids
    assert rebuild(raw, tables).changes == {}


def id_length(table: Table) -> int:
    """So many columns name what is replaced at once: the artists of a song are."""
    return 1 if table in DIMENSIONS else len(table.key)


def ids_in(key: str, body: bytes) -> set[Row]:
    table = table_of(key)
    return {row[: id_length(table)] for row in key_rows(table, body)}


def key_rows(table: Table, body: bytes) -> list[Row]:
    return parquet.rows_of(table, parquet.decode(table, body, name=table.name))


def outranking(table: Table, row: Row) -> Row:
    """The row as a bug could write it: another name, and a moment so late that no document's row ever replaces it."""
    values = list(row)
    values[table.index("observed_at")] = 9_999_999_999_999
    values[1] = "zzz" if table is not SONG_ARTISTS else values[1]
    return tuple(values)


@settings(max_examples=cases(150), deadline=None)
@given(held=some_documents, late=some_documents, data=st.data())
def test_writers_that_cut_in_before_any_read_or_write_lose_nothing(
    held: list[Held], late: list[Held], data: st.DataObject
) -> None:
    """Before each read and write of the rebuild, of documents, shadow and tables, documents may come, and be loaded."""
    raw, tables = loaded(held)
    hit: list[str] = data.draw(st.lists(st.sampled_from(sorted(tables.objects)), unique=True))
    for key in hit:
        # Not garbled: a writer that meets that ends with an error, and its documents wait.
        table = table_of(key)
        if table in DIMENSIONS:
            first, *rest = key_rows(table, tables.objects[key])
            tables.objects[key] = parquet.encode(parquet.batch_of(table, [outranking(table, first), *rest]))
        else:
            del tables.objects[key]
    # An answer that comes meanwhile is told meanwhile.
    late = [item if isinstance(item, RawDocument) else told_at_last(item) for item in late if item not in held]
    late = [item for item in late if item.key not in {one.key for one in answers_in(held)}]
    waiting = {item.key: item for item in late}
    calls = steps_of_a_rebuild(raw, tables)
    # When each document comes, and when it is loaded, in reads and writes of the rebuild; the latest are after its end.
    moments = st.sampled_from(range(calls + calls // 4))
    comes = {key: data.draw(moments) for key in waiting}
    is_loaded = {key: max(moment, data.draw(moments)) for key, moment in comes.items()}
    number, busy = 0, False

    def others_go_on(_: str) -> None:
        nonlocal number, busy
        if busy:
            return
        busy = True
        put(raw, [waiting[key] for key, moment in comes.items() if moment == number])
        for key, moment in is_loaded.items():
            if moment == number:
                load(raw, tables, [waiting[key]])
        number, busy = number + 1, False

    tables.before_write = tables.before_read = raw.before_read = others_go_on
    rebuild(raw, tables)
    tables.before_write = tables.before_read = raw.before_read = str
    songs = {row["song_id"] for row in read_table(tables, SONGS)}
    assert {row["song_id"] for row in read_table(tables, CHART_ENTRIES)} <= songs
    put(raw, [waiting[key] for key, moment in comes.items() if moment >= number])
    load(raw, tables, [waiting[key] for key, moment in is_loaded.items() if moment >= number])
    assert tables.objects == at_once(held + late)


def told_at_last(item: CachedAnswer) -> CachedAnswer:
    answered_at = None if item.answered_at is None else NOW
    return msgspec.structs.replace(item, observed_at=NOW, answered_at=answered_at)


def steps_of_a_rebuild(raw: MemoryStore, tables: MemoryStore) -> int:
    """How many reads and writes it takes."""
    steps: list[str] = []
    copy, documents = MemoryStore(), MemoryStore()
    copy.objects, documents.objects = dict(tables.objects), dict(raw.objects)
    copy.before_read = copy.before_write = documents.before_read = steps.append
    rebuild(documents, copy)
    return len(steps)


@settings(max_examples=cases(10), deadline=None)
@given(held=some_documents, data=st.data())
def test_a_kill_before_any_write_leaves_what_the_next_run_makes_whole(held: list[Held], data: st.DataObject) -> None:
    raw, tables = loaded(held)
    before = dict(tables.objects)
    for key in data.draw(st.lists(st.sampled_from(sorted(before)), min_size=1, unique=True)):
        tables.objects[key] = b"garbled"
    damaged_ones = dict(tables.objects)
    survived = 0
    while True:
        tables.objects = dict(damaged_ones)
        tables.before_write = killed_after(survived)
        try:
            rebuild(raw, tables)
        except Killed:
            whole = {key: body for key, body in tables.objects.items() if not key.startswith(SHADOW_PREFIX)}
            assert all(body in (before[key], b"garbled") for key, body in whole.items())
            tables.before_write = str
            rebuild(raw, tables)
            assert tables.objects == before
            survived += 1
            continue
        break
    assert survived > len(before)


@settings(max_examples=cases(60), deadline=None)
@given(held=some_documents, data=st.data())
def test_a_part_is_restored_and_the_rest_is_left_as_it_is(held: list[Held], data: st.DataObject) -> None:
    raw, tables = loaded(held)
    before = dict(tables.objects)
    chart = data.draw(st.sampled_from([None, *sorted({item.chart for item in charts_in(held)})]))
    days = sorted({item.chart_date for item in charts_in(held) if chart in (None, item.chart)})
    some_day = data.draw(st.sampled_from(days))
    scope = Scope(chart=chart, first=some_day, last=data.draw(st.sampled_from([None, some_day])))
    for key in sorted(before):
        table = table_of(key)
        if table not in (CHART_ENTRIES, SNAPSHOTS):
            continue
        rows = parquet.rows_of(table, parquet.decode(table, before[key], name=key))
        spoiled = [damaged(table, row, [table.index("provider")]) for row in rows]
        tables.objects[key] = parquet.encode(parquet.batch_of(table, spoiled))
    spoiled_ones = dict(tables.objects)
    rebuild(raw, tables, scope)
    for key, body in tables.objects.items():
        table = table_of(key)
        if table not in (CHART_ENTRIES, SNAPSHOTS):
            assert body == before[key]
            continue
        for row, was, spoiled in zip(
            *(read_rows(table, objects[key]) for objects in (tables.objects, before, spoiled_ones)), strict=True
        ):
            mended = chart in (None, row["chart"]) and scope.holds(row["chart_date"])
            assert row == (was if mended else spoiled)
