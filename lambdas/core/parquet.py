"""Tables as Parquet: the bytes of an object are a pure function of its rows.

Written for Athena engine 3: zstd (small objects plain), version 1.0 pages, DATE as days and TIMESTAMP as milliseconds
without a zone, no Arrow metadata. arro3 is a binding of the Rust Parquet writer: 35 MB in a function's package, where
pyarrow is 149.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache

from arro3.core import Array, DataType, Field, RecordBatch, Schema
from arro3.core import Table as ArrowTable
from arro3.io import read_parquet, write_parquet

from lambdas.core.errors import NewerSchema, SchemaMismatch
from lambdas.core.rows import Row, Value
from lambdas.core.schema import SCHEMA_VERSION, ColumnType, Table

VERSION_KEY = "schema_version"
# zstd and dictionaries pay for themselves from a year of a chart on. On an object of a few hundred rows their set-up,
# once for each column, is two thirds of the write's CPU, to save some 20 KB (benchmarks/RESULTS.md).
_SMALL_ROWS = 1000
_MAGIC = b"PAR1"
_RESTORE = "restore the object's previous version in S3, or make it anew with `etl rebuild`"
_REMEDY = f"deploy the version that wrote it, or {_RESTORE}"
_ALL_ROWS = 1 << 20  # rows of a batch when reading: more than any object holds

# What a column is built from in Python, and what it is in Arrow: arro3 makes dates and timestamps only by a cast.
_BUILT_FROM = {
    ColumnType.STRING: DataType.string(),
    ColumnType.INT: DataType.int32(),
    ColumnType.BIGINT: DataType.int64(),
    ColumnType.BOOLEAN: DataType.bool(),
    ColumnType.DATE: DataType.int32(),
    ColumnType.TIMESTAMP: DataType.int64(),
}
_ARROW = _BUILT_FROM | {
    ColumnType.DATE: DataType.date32(),
    ColumnType.TIMESTAMP: DataType.timestamp("ms"),
}


@cache
def arrow_schema(table: Table) -> Schema:
    """The table's columns as Arrow has them, all nullable."""
    return Schema([Field(column.name, _ARROW[column.type]) for column in table.columns])


def batch_of(table: Table, rows: Sequence[Row]) -> RecordBatch:
    """Rows as an Arrow batch. Raises TypeError or OverflowError for a value its column cannot hold: none is coerced.

    Columns of one type are made as one array and cut up: most of an array's cost is fixed, and a cut is a third of it
    (3 % of the CPU of a document of 50 songs).
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(table.columns)
    arrays: list[Array | None] = [None] * len(columns)
    for built, arrow, places in _places_by_type(table):
        values: list[Value] = []
        for place in places:
            values += columns[place]
        whole = Array(values, built)
        if built is not arrow:
            whole = whole.cast(arrow)
        for number, place in enumerate(places):
            arrays[place] = whole.slice(number * len(rows), len(rows))
    return RecordBatch.from_arrays(arrays, schema=arrow_schema(table))


@cache
def _places_by_type(table: Table) -> list[tuple[DataType, DataType, list[int]]]:
    """Which columns are of one type: what they are built from, what they are, and their places in a row."""
    places: dict[ColumnType, list[int]] = {}
    for place, column in enumerate(table.columns):
        places.setdefault(column.type, []).append(place)
    return [(_BUILT_FROM[column_type], _ARROW[column_type], found) for column_type, found in places.items()]


def column_values(table: Table, batch: RecordBatch, name: str) -> list[str | int | bool | None]:
    """A column's values in Python, dates and timestamps as the numbers they are stored as."""
    column = table.columns[table.index(name)]
    array = batch.column(name)
    values: list[str | int | bool | None] = array.cast(_BUILT_FROM[column.type]).to_pylist()
    return values


def value_at(table: Table, batch: RecordBatch, name: str) -> Callable[[int], Value]:
    """Looks up a column's value in a row of the batch, as rows have it, without making all the others."""
    column = table.columns[table.index(name)]
    array = batch.column(name).cast(_BUILT_FROM[column.type])

    def value(row: int) -> Value:
        found: Value = array[row].as_py()
        return found

    return value


def rows_of(table: Table, batch: RecordBatch) -> list[Row]:
    """The batch's rows, as `batch_of` takes them."""
    return list(zip(*(column_values(table, batch, name) for name in table.column_names), strict=True))


def encode(batch: RecordBatch) -> bytes:
    """The Parquet file of a batch. Equal rows in equal order give equal bytes."""
    file = io.BytesIO()
    write_parquet(
        batch,
        file,
        compression="uncompressed" if batch.num_rows < _SMALL_ROWS else "zstd(1)",
        dictionary_enabled=batch.num_rows >= _SMALL_ROWS,
        writer_version="parquet_1_0",
        skip_arrow_metadata=True,
        key_value_metadata={VERSION_KEY: str(SCHEMA_VERSION)},
    )
    return file.getvalue()


def decode(table: Table, body: bytes, *, name: str) -> RecordBatch:
    """The rows of the object `name`, with the columns of today: a column that the object lacks is null.

    Raises SchemaMismatch if it is no Parquet file, or if a column has another type: none is converted, int to bigint
    neither. Raises NewerSchema if a newer schema version wrote it, or if it has a column that this code does not know:
    writing it back would lose that column.
    """
    whole = _read(body, name)
    written_by = _schema_version(whole.schema, name)
    if written_by > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"{name}: written by schema version {written_by}, but this code knows up to {SCHEMA_VERSION}: {_REMEDY}"
        )
    present = set(whole.column_names)
    if unknown := present - set(table.column_names):
        raise NewerSchema(f"{name}: has columns this version does not know: {', '.join(sorted(unknown))}: {_REMEDY}")
    arrays = []
    for column in table.columns:
        if column.name not in present:
            nulls = Array([None] * whole.num_rows, _BUILT_FROM[column.type])
            arrays.append(nulls.cast(_ARROW[column.type]))
            continue
        array = whole.column(column.name)
        if array.type != _ARROW[column.type]:
            raise SchemaMismatch(
                f"{name}: column {column.name} is {str(array.type).strip()}, not {column.type.value}: {_REMEDY}"
            )
        arrays.append(array)
    return RecordBatch.from_arrays(arrays, schema=arrow_schema(table))


def joined(table: Table, batches: Sequence[RecordBatch]) -> RecordBatch:
    """The rows of several batches, one after another."""
    return _one_batch(ArrowTable.from_batches(batches, schema=arrow_schema(table)))


def take(table: Table, batches: Sequence[RecordBatch], order: Sequence[int]) -> RecordBatch:
    """Rows of several batches, counted through from 0, in the order given."""
    return joined(table, batches).take(Array(order, DataType.uint32()))


def _read(body: bytes, name: str) -> RecordBatch:
    if not (body.startswith(_MAGIC) and body.endswith(_MAGIC)):
        raise SchemaMismatch(f"{name}: not a Parquet file: {_RESTORE}")
    try:
        return _one_batch(read_parquet(io.BytesIO(body), batch_size=_ALL_ROWS).read_all())
    except BaseException as error:
        # arro3 panics on some damaged files; its PanicException is no Exception, and cannot be imported to be named.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise SchemaMismatch(f"{name}: a damaged Parquet file: {error}: {_RESTORE}") from error
        raise


def _schema_version(schema: Schema, name: str) -> int:
    """Which version of the tables wrote a file; 1 for a file that does not say, as other software writes it."""
    told: bytes = schema.metadata.get(VERSION_KEY.encode(), b"1")
    if not told.isdigit():
        raise SchemaMismatch(f"{name}: its {VERSION_KEY} is {told!r}, which is none: {_REMEDY}")
    return int(told)


def _one_batch(stored: ArrowTable) -> RecordBatch:
    batches = stored.combine_chunks().to_batches()
    if batches:
        return batches[0]
    schema = stored.schema
    columns = [Array([], DataType.int32()).cast(schema.field(name).type) for name in schema.names]
    return RecordBatch.from_arrays(columns, schema=schema)
