"""Charts made by hand, loaded by the real transform, and a query of `queries/` asked over the tables they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from lambdas.core import documents
from lambdas.core.documents import RawDocument
from lambdas.core.keys import parse_raw_key
from lambdas.core.queries import Query, read_queries
from lambdas.core.schema import TABLES, YEAR_PARTITION
from lambdas.core.views import read_views
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from local.emulator.session import answer
from tests.documents import album, artist, csv_answer, csv_row, document, track
from tests.fakes import MemoryStore
from tests.payloads import REPOSITORY
from tests.unit.glue_catalog import YEARS, FolderCatalog

VIEWS = {view.name: view for view in read_views(REPOSITORY / "queries" / "views")}
QUERIES = {query.name: query for query in read_queries(REPOSITORY / "queries")}
CHART, WEEKLY = "regional-global-daily", "regional-global-weekly"
MONDAY = date(2026, 3, 2)


_TYPED: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "bigint": int,
    "double": float,
    "boolean": {"true": True, "false": False}.__getitem__,
    "date": date.fromisoformat,
}


def song(name: str, *, isrc: str | None = None, by: tuple[str, ...] = ("Ivo Calder",)) -> dict[str, Any]:
    ids = {} if isrc is None else {"isrc": isrc}
    return track(name, external_ids=ids, artists=[artist(who) for who in by], album=album(f"{name} (album)"))


def day(offset: int, *songs: dict[str, Any] | None, chart: str = CHART, step: int = 1) -> RawDocument:
    """A playlist seen the day after its chart date; a song that is None is a place whose song is not known."""
    return document(
        songs=songs,
        chart=chart,
        chart_date=MONDAY + timedelta(days=offset * step),
        observed_at=datetime(2026, 3, 3, tzinfo=UTC) + timedelta(days=offset * step),
    )


def filler(depth: int) -> list[dict[str, Any]]:
    """Songs that are the same on every date, down to `depth`."""
    return [song(f"Filler {position}") for position in range(1, depth + 1)]


def official(offset: int, *rows: dict[str, str], chart: str = CHART, step: int = 1) -> RawDocument:
    """An official file, of rows made by `told`."""
    chart_date = MONDAY + timedelta(days=offset * step)
    return document(
        [csv_answer(rows)],
        provider="charts_csv",
        chart=chart,
        chart_date=chart_date,
        observed_at=datetime(2026, 3, 3, tzinfo=UTC) + timedelta(days=offset * step),
    )


def told(
    position: int,
    name: str,
    *,
    previous: int = -1,
    peak: int = -1,
    days: int = -1,
    weeks: int | None = None,
    **fields: object,
) -> dict[str, str]:
    """A row of an official file; -1 is a figure that Spotify leaves out. `weeks` makes it a weekly file's.

    `fields` are further columns of the file, as `source` for the label.
    """
    periods = {"days_on_chart": days} if weeks is None else {"weeks_on_chart": weeks}
    return csv_row(position, name, previous_rank=previous, peak_rank=peak, **periods, **fields)


def load(charts: Iterable[RawDocument]) -> MemoryStore:
    """The tables that these documents give."""
    charts = list(charts)
    raw, tables = MemoryStore(), MemoryStore()
    for item in charts:
        raw.put_new(item.key, documents.encode(item))
    warehouse = Warehouse(raw=raw, tables=tables, now=lambda: datetime(2026, 4, 1, tzinfo=UTC))
    for (chart, year), dates in group_by_chart_year(parse_raw_key(item.key) for item in charts).items():
        warehouse.load(chart, year, dates)
    return tables


def catalog_of(folder: Path, tables: MemoryStore) -> FolderCatalog:
    """The tables and views as Athena's catalog has them."""
    catalog = FolderCatalog(folder)
    for table in TABLES:
        columns = {column.name: column.type.value for column in table.columns}
        partition = {YEAR_PARTITION.name: YEAR_PARTITION.type.value} if table.by_year else {}
        catalog.add(table.name, columns, keys=partition, parameters=YEARS if table.by_year else {})
    for view in VIEWS.values():
        catalog.add_view(view.name, view.original_sql, {column.name: column.type.value for column in view.columns})
    for key, body in tables.objects.items():
        path = folder / "bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return catalog


def answer_of(catalog: FolderCatalog, query: Query, **given: str) -> list[tuple[Any, ...]]:
    """The query's rows over tables that are there."""
    sql = query.sql
    for parameter in query.parameters:
        value = given.get(parameter.name, parameter.default).replace("'", "''")
        sql = sql.replace("?", f"'{value}'", 1)
    held = answer(sql, database="warehouse", catalog=catalog)
    assert tuple(held.columns) == query.columns
    typed = [_TYPED.get(kind, str) for kind in held.types]
    return [
        tuple(None if value is None else convert(value) for convert, value in zip(typed, row, strict=True))
        for row in held.rows
    ]


def ask(folder: Path, query: Query, charts: list[RawDocument], **given: str) -> list[tuple[Any, ...]]:
    """The query's rows over the tables that these documents give."""
    return answer_of(catalog_of(folder, load(charts)), query, **given)


def picked(query: Query, rows: Iterable[tuple[Any, ...]], *columns: str) -> list[tuple[Any, ...]]:
    """These columns of an answer's rows, in this order."""
    places = [query.columns.index(column) for column in columns]
    return [tuple(row[place] for place in places) for row in rows]
