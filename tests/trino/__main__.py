"""`make trino`: every query and view on Trino itself, and on the local stage's DuckDB, over the same objects.

`python -m tests.trino december_songs latest_songs` asks these alone.
Exit code 0 if all answers are equal, 1 if one differs, 2 if Trino cannot run here.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from local.emulator import results, trino_sql
from local.emulator.catalog import Answer
from local.emulator.session import answer
from local.emulator.trino_sql import QueryError
from tests.queries.asking import QUERIES, VIEWS, catalog_of, load
from tests.trino import lake
from tests.trino.server import VERSION, CannotRun, Rows, Trino, TrinoError, serve
from tests.unit.glue_catalog import FolderCatalog
from tests.unit.test_trino_to_duckdb import AGGREGATES, ANSWERS, NOT_TRINO, ROWS

_SHOWN = 3
# What this Trino takes, and the older one behind Athena engine version 3 is not documented to.
_SINCE_ATHENAS_ENGINE = frozenset({"SELECT [1, 2]"})


def view_questions() -> Iterator[tuple[str, str, list[str]]]:
    """(name, SQL, parameters) that read every row of every view."""
    for view in VIEWS.values():
        names = ", ".join(f'"{column.name}"' for column in view.columns)
        yield view.name, f"SELECT {names} FROM {view.name} ORDER BY {names}", []


def questions() -> Iterator[tuple[str, str, list[str]]]:
    """(name, SQL, execution parameters): every query with its defaults, then for every chart and for other values."""
    others = {
        "to_date": ["2026-03-05", "2026-02-28", "2001-01-01"],
        "from_date": ["2026-03-03", "2026-02-01"],
        "song": ["Twin", "QZABC2600001", "Steady", "nothing of the kind"],
    }
    for query in QUERIES.values():
        sets: list[dict[str, str]] = [{}]
        sets += [{"chart": chart} for chart in lake.CHARTS]
        for parameter in query.parameters:
            if parameter.name == "chart":
                continue
            values = list(lake.CHARTS) if parameter.kind == "chart" else others.get(parameter.name, [])
            charts = (lake.CHART, lake.CSV_CHART, lake.HOLES)
            sets += [{"chart": chart, parameter.name: value} for chart in charts for value in values]
        if not query.parameters:
            sets = [{}]
        for given in sets:
            words = " ".join(f"{name}={value}" for name, value in given.items())
            filled = [p.literal(given.get(p.name, p.default)) for p in query.parameters]
            yield f"{query.name} {words}".strip(), query.sql, filled


def compare(trino: Trino, catalog: FolderCatalog, sql: str, parameters: list[str]) -> tuple[int, str]:
    """(rows, difference): what Trino and the local stage answer differently, empty if nothing."""
    try:
        theirs = trino.run(sql, parameters)
    except TrinoError as error:
        return 0, f"Trino: {error}"
    try:
        ours = answer(trino_sql.bind(sql, parameters), database="warehouse", catalog=catalog)
    except QueryError as error:
        return len(theirs.rows), f"the local stage: {error}"
    return len(theirs.rows), difference(theirs, ours)


def difference(theirs: Rows, ours: Answer) -> str:
    """The first way in which two answers differ: columns, types, number of rows, values."""
    kinds = [athena_type(kind) for kind in theirs.types]
    if list(theirs.columns) != list(ours.columns):
        return f"columns: Trino {list(theirs.columns)}, local {list(ours.columns)}"
    if kinds != list(ours.types):
        clashes = [(c, a, b) for c, a, b in zip(theirs.columns, kinds, ours.types, strict=True) if a != b]
        return f"types (column, Trino, local): {clashes}"
    texts = [[text(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in theirs.rows]
    if texts == ours.rows:
        return ""
    if sorted(map(repr, texts)) == sorted(map(repr, ours.rows)):
        return "the same rows in another order"
    if len(texts) != len(ours.rows):
        return f"rows: Trino {len(texts)}, local {len(ours.rows)}"
    clashing = [(a, b) for a, b in zip(texts, ours.rows, strict=True) if a != b]
    return f"{len(clashing)} rows differ (Trino, local): {clashing[:_SHOWN]}"


def athena_type(trino_type: str) -> str:
    """Trino's type as Athena's API names it."""
    base = trino_type.partition("(")[0]
    if trino_type.startswith("timestamp"):
        return "timestamp with time zone" if "with time zone" in trino_type else "timestamp"
    return {"real": "float", "unknown": "varchar", "char": "varchar"}.get(base, base)


def text(value: object, kind: str) -> str | None:
    """A value of Trino's JSON as Athena's API writes it."""
    if isinstance(value, str) and kind in ("double", "float"):
        return value  # NaN and infinities
    if isinstance(value, int) and kind in ("double", "float"):
        value = float(value)
    if isinstance(value, dict):
        value = dict(sorted(value.items()))  # a map's entries come in any order
    return results.text(value, "FLOAT" if kind == "float" else "")


def expressions() -> Iterator[tuple[str, str, str | None, str]]:
    """(what, SQL, value, type) of the answers that the unit tests of the translation hold to be Trino's."""
    for expression, value, kind in ANSWERS:
        yield expression, f"SELECT {expression} AS x", value, kind
    for expression, value, kind in AGGREGATES:
        yield (
            expression,
            f"SELECT {expression} AS x FROM (VALUES ('a', 1), ('b', 2), ('c', 4)) AS t (k, n)",
            value,
            kind,
        )


def check_expressions(trino: Trino) -> int:
    """Whether what the unit tests expect is what Trino says; the number of differences."""
    wrong = 0
    for what, sql, value, kind in expressions():
        try:
            theirs = trino.run(sql)
        except TrinoError as error:
            wrong += 1
            print(f"DIFFERS  {what}: Trino: {error}")
            continue
        found = athena_type(theirs.types[0])
        said = text(theirs.rows[0][0], found)
        if (said, found) != (value, kind):
            wrong += 1
            print(f"DIFFERS  {what}: Trino {said!r} {found}, the unit test {value!r} {kind}")
    for sql, rows in ROWS:
        theirs = trino.run(sql)
        said_rows = [[text(v, athena_type(t)) for v, t in zip(row, theirs.types, strict=True)] for row in theirs.rows]
        if said_rows != rows:
            wrong += 1
            print(f"DIFFERS  {sql}: Trino {said_rows}, the unit test {rows}")
    for sql, _ in NOT_TRINO:
        if not sql or sql in _SINCE_ATHENAS_ENGINE:
            continue
        try:
            trino.run(sql)
        except TrinoError as error:
            if not str(error).startswith(("SYNTAX_ERROR", "TABLE_NOT_FOUND")):
                wrong += 1
                print(f"DIFFERS  {sql}: Trino: {error}, the unit test: no SQL")
        else:
            wrong += 1
            print(f"DIFFERS  {sql}: Trino takes it, the unit test: no SQL")
    print(f"{len(ANSWERS) + len(AGGREGATES) + len(ROWS) + len(NOT_TRINO)} statements of the unit tests, {wrong} differ")
    return wrong


def main(names: Sequence[str]) -> int:
    """Ask everything, or the queries and views of these names, of both, and print what differs."""
    if unknown := sorted(set(names) - {*QUERIES, *VIEWS}):
        print(f"there is no query or view {', '.join(unknown)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="trino-") as folder:
        root = Path(folder)
        tables = load(lake.documents())
        catalog = catalog_of(root / "local", tables)
        print(
            f"{len(tables.objects)} objects after {time.monotonic() - started:.0f} s; starting Trino {VERSION}",
            flush=True,
        )
        try:
            with serve(root / "trino") as trino:
                print(f"up after {time.monotonic() - started:.0f} s", flush=True)
                for key, body in tables.objects.items():
                    path = trino.lake / key
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(body)
                for statement in lake.all_statements():
                    trino.run(statement)
                for view in lake.in_order(VIEWS.values()):
                    trino.run(f"CREATE VIEW {view.name} AS {view.original_sql}")
                wrong = 0 if names else check_expressions(trino)
                asked = 0
                for name, sql, parameters in (*view_questions(), *questions()):
                    if names and name.split()[0] not in names:
                        continue
                    rows, differs = compare(trino, catalog, sql, parameters)
                    asked += 1
                    wrong += bool(differs)
                    print(f"{'DIFFERS' if differs else 'equal':8} {name}: {rows} rows {differs}".rstrip(), flush=True)
        except CannotRun as error:
            print(f"not run: {error}", file=sys.stderr)
            return 2
    seconds = time.monotonic() - started
    what = f"{asked} answers of {len(QUERIES)} queries and {len(VIEWS)} views"
    print(f"{what} on Trino {VERSION}, {wrong} differences, {seconds:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
