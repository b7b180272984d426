"""Objects of every schema version are read for ever; a change of the tables is a new version with its own objects."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from arro3.core import Array, DataType, RecordBatch
from arro3.io import read_parquet, write_parquet

from lambdas.core import documents, parquet
from lambdas.core.errors import SchemaMismatch
from lambdas.core.keys import chart_year_key, dimension_key
from lambdas.core.merge import replace_days, upsert
from lambdas.core.schema import (
    ARTISTS,
    CHART_ENTRIES,
    SCHEMA_VERSION,
    SNAPSHOTS,
    TABLES,
    Column,
    ColumnType,
    Table,
)
from lambdas.core.warehouse import Warehouse
from tests.documents import CHART, DAY, document, track
from tests.fakes import MemoryStore
from tests.schema_versions.make import COMPRESSED, FEWER_COLUMNS, FOLDER, LACKING, digest, folder_of
from tests.tables import read_table

FINGERPRINTS = {1: "62fe7775150c1f9b8280db6de8fd1f139b1d9454277ea73851abbb7d66983b5f"}
"""SHA-256 of each version's objects, which are written once: none is exchanged for what today's code reads."""
MAKE = "raise SCHEMA_VERSION, run `python -m tests.schema_versions.make`, and add the fingerprint here"
VERSIONS = sorted(int(path.name.removeprefix("v")) for path in FOLDER.glob("v*"))
BY_NAME = {table.name: table for table in TABLES}


def expected(version: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder_of(version) / "expected.json").read_text("utf-8"))
    return told


def tables_of(version: int) -> dict[str, Any]:
    """What was stored of each table of the version."""
    return {name: told for name, told in expected(version).items() if name != COMPRESSED}


def body_of(version: int, name: str) -> bytes:
    return (folder_of(version) / f"{name}.parquet").read_bytes()


HELD = [(version, name) for version in VERSIONS for name in tables_of(version)]


def by_column(table: Table, batch: RecordBatch) -> list[dict[str, Any]]:
    return [dict(zip(table.column_names, row, strict=True)) for row in parquet.rows_of(table, batch)]


def in_file(body: bytes) -> tuple[list[str], Mapping[bytes, bytes]]:
    """The columns and the metadata of a Parquet file, read without the code under test."""
    schema = read_parquet(io.BytesIO(body)).schema
    return list(schema.names), schema.metadata


def wider(table: Table, *added: Column) -> Table:
    """The table as a later version may have it."""
    return replace(table, columns=(*table.columns, *added))


def test_every_version_up_to_todays_has_its_objects() -> None:
    assert list(range(1, SCHEMA_VERSION + 1)) == VERSIONS, MAKE


def test_the_tables_are_those_of_the_newest_versions_objects() -> None:
    columns = {table.name: [[column.name, column.type.value] for column in table.columns] for table in TABLES}
    kept = {name: told["columns"] for name, told in tables_of(VERSIONS[-1]).items()}
    assert columns == kept, f"the tables have changed: {MAKE}"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_objects_of_a_version_are_those_that_it_wrote(version: int) -> None:
    whole = hashlib.sha256()
    for path in sorted(folder_of(version).iterdir()):
        whole.update(path.name.encode() + path.read_bytes())
    assert whole.hexdigest() == FINGERPRINTS.get(version), f"objects of version {version} are new or changed: {MAKE}"
    for name, told in tables_of(version).items():
        columns, metadata = in_file(body_of(version, name))
        assert columns == [column for column, _ in told["columns"]]
        assert metadata[b"schema_version"] == str(version).encode()


@pytest.mark.parametrize(("version", "name"), HELD)
def test_no_column_of_a_version_is_ever_taken_away_or_given_another_type(version: int, name: str) -> None:
    today = {column.name: column.type.value for column in BY_NAME[name].columns}
    for column, kind in tables_of(version)[name]["columns"]:
        assert today.get(column) == kind, f"{name}.{column}: objects that hold it are read for ever: add another column"


@pytest.mark.parametrize(("version", "name"), HELD)
def test_an_object_of_every_version_is_read_and_columns_added_since_are_null(version: int, name: str) -> None:
    table, told = BY_NAME[name], tables_of(version)[name]
    known = [column for column, _ in told["columns"]]
    added = set(table.column_names) - set(known)
    rows = [dict(zip(known, row, strict=True)) | dict.fromkeys(added) for row in told["rows"]]
    assert by_column(table, parquet.decode(table, body_of(version, name), name=name)) == rows


@pytest.mark.parametrize("version", VERSIONS)
def test_a_compressed_object_of_every_version_is_read(version: int) -> None:
    body, told = body_of(version, COMPRESSED), expected(version)[COMPRESSED]
    known = [column for column, _ in expected(version)["chart_entries"]["columns"]]
    assert b"\x28\xb5\x2f\xfd" in body, "no zstd frame in it"
    rows = [
        tuple(row[column] for column in known)
        for row in by_column(CHART_ENTRIES, parquet.decode(CHART_ENTRIES, body, name=COMPRESSED))
    ]
    assert (len(rows), digest(rows)) == (told["rows"], told["sha256"])


@pytest.mark.parametrize(("version", "name"), HELD)
def test_every_column_of_a_version_holds_a_value_in_its_objects(version: int, name: str) -> None:
    told = tables_of(version)[name]
    for place, (column, _) in enumerate(told["columns"]):
        assert any(row[place] is not None for row in told["rows"]), column


@pytest.mark.parametrize("version", VERSIONS)
def test_a_load_onto_objects_of_a_version_keeps_their_rows_and_writes_todays_columns(version: int) -> None:
    keys = {
        table: chart_year_key(table, CHART, DAY.year) if table.by_year else dimension_key(table)
        for table in TABLES
        if table.name in tables_of(version)
    }
    raw, tables = MemoryStore(), MemoryStore()
    tables.objects = {key: body_of(version, table.name) for table, key in keys.items()}
    held = {table: read_table(tables, table) for table in TABLES}
    given = document(songs=[track("Quite New", album=None)], chart_date=DAY.replace(day=20))
    raw.put_new(given.key, documents.encode(given))

    Warehouse(raw=raw, tables=tables).load(CHART, DAY.year, [given.chart_date])

    for table, key in keys.items():
        rows = read_table(tables, table)
        assert all(row in rows for row in held[table])
        assert [row for row in rows if row not in held[table]] or key not in tables.writes
    for key in tables.writes:
        columns, metadata = in_file(tables.objects[key])
        assert columns == list(BY_NAME[key.partition("/")[0]].column_names)
        assert metadata[b"schema_version"] == str(SCHEMA_VERSION).encode()
    assert keys[SNAPSHOTS] in tables.writes


def test_a_column_that_is_added_is_null_in_old_rows_and_the_next_write_carries_it() -> None:
    followers = Column("followers", ColumnType.BIGINT, "How many follow the artist.")
    born = Column("born", ColumnType.DATE, "When the artist was born.")
    later = wider(ARTISTS, followers, born)
    held = parquet.decode(later, body_of(1, "artists"), name="artists")
    group = ("0" * 22, "New Here", None, "api", 2_000_000_000_000, 12, 8000)

    merged = upsert(later, held, {group[0]: (group,)})

    assert merged is not None
    columns, _ = in_file(body := parquet.encode(merged))
    assert columns == [*ARTISTS.column_names, "followers", "born"]
    rows = by_column(later, parquet.decode(later, body, name="artists"))
    assert {row["name"]: (row["followers"], row["born"]) for row in rows} == {
        "New Here": (12, 8000),
        "Ivo Calder": (None, None),
        "Ñandú": (None, None),
    }


def test_a_column_that_is_added_is_filled_when_the_same_answer_is_loaded_again() -> None:
    later = wider(ARTISTS, Column("followers", ColumnType.BIGINT, "How many follow the artist."))
    held = parquet.decode(later, body_of(1, "artists"), name="artists")
    before = parquet.rows_of(later, held)
    again = {str(row[0]): ((*row[:-1], 12),) for row in before}

    merged = upsert(later, held, again)

    assert merged is not None
    assert [row[-1] for row in parquet.rows_of(later, merged)] == [12] * len(before)
    assert upsert(later, merged, {key: (row,) for key, row in zip(again, before, strict=True)}) is None


def test_days_of_an_object_with_fewer_columns_are_exchanged_beside_rows_that_have_them() -> None:
    body = FEWER_COLUMNS.read_bytes()
    assert set(in_file(body)[0]) == set(CHART_ENTRIES.column_names) - set(LACKING)
    old = parquet.decode(CHART_ENTRIES, body, name="fewer")
    (first, *_) = parquet.rows_of(CHART_ENTRIES, old)
    at = {name: CHART_ENTRIES.index(name) for name in ("chart_date", "label")}
    new = [*first]
    new[at["chart_date"]], new[at["label"]] = 30_000, "Paper Records"

    merged = replace_days(CHART_ENTRIES, old, {30_000: [tuple(new)]})

    rows = by_column(CHART_ENTRIES, parquet.decode(CHART_ENTRIES, parquet.encode(merged), name="merged"))
    assert [row["label"] for row in rows] == [None, None, None, "Paper Records"]
    assert {row[name] for row in rows for name in LACKING if name != "label"} == {None}


def test_an_object_of_a_version_to_come_is_refused_with_its_remedy_though_its_columns_are_known() -> None:
    body = with_metadata(body_of(1, "artists"), schema_version=str(SCHEMA_VERSION + 1))
    with pytest.raises(
        SchemaMismatch, match=f"schema version {SCHEMA_VERSION + 1}.*: deploy the version that wrote it"
    ):
        parquet.decode(ARTISTS, body, name="artists/artists.parquet")


def test_an_object_whose_version_is_no_number_is_refused() -> None:
    body = with_metadata(body_of(1, "artists"), schema_version="new")
    with pytest.raises(SchemaMismatch, match="its schema_version is b'new', which is none"):
        parquet.decode(ARTISTS, body, name="artists/artists.parquet")


def test_an_object_that_other_software_wrote_with_the_right_columns_is_read() -> None:
    body = with_metadata(body_of(1, "artists"))
    assert in_file(body)[1] == {}
    assert parquet.decode(ARTISTS, body, name="artists/artists.parquet").num_rows == 2


@pytest.mark.parametrize(
    ("column", "built", "stored"),
    [
        ("streams", DataType.int32(), DataType.int32()),
        ("position", DataType.int64(), DataType.int64()),
        ("position", DataType.string(), DataType.string()),
        ("chart_date", DataType.int32(), DataType.int32()),
        ("observed_at", DataType.int64(), DataType.timestamp("us")),
        ("observed_at", DataType.int64(), DataType.timestamp("ms", tz="UTC")),
    ],
    ids=lambda value: str(value).strip(),
)
def test_a_column_of_another_type_is_refused_and_never_converted_be_it_wider_or_narrower(
    column: str, built: DataType, stored: DataType
) -> None:
    held = parquet.decode(CHART_ENTRIES, body_of(1, "chart_entries"), name="")
    values = Array([None] * held.num_rows, built).cast(stored)
    changed = held.set_column(CHART_ENTRIES.index(column), held.schema.field(column).with_type(stored), values)
    with pytest.raises(SchemaMismatch, match=f"column {column} is .*, not .*: deploy the version that wrote it, or"):
        parquet.decode(CHART_ENTRIES, parquet.encode(changed), name="chart_entries/year=2026/c.parquet")


def with_metadata(body: bytes, **metadata: str) -> bytes:
    """The same object with other metadata."""
    file = io.BytesIO()
    whole = read_parquet(io.BytesIO(body)).read_all().combine_chunks().to_batches()[0]
    bare = RecordBatch.from_arrays(
        [whole.column(name) for name in whole.column_names], schema=whole.schema.remove_metadata()
    )
    write_parquet(bare, file, skip_arrow_metadata=True, key_value_metadata=metadata)
    return file.getvalue()
