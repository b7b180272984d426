"""One Athena statement answered by an in-memory DuckDB over a Glue catalog. No emulator in it, only its `Catalog` port.

Every table a query names becomes a view of its own in a DuckDB catalog called `awsdatacatalog`, so names resolve as
in Athena (`t`, `db.t`, `awsdatacatalog.db.t`). The session may read the copied objects and nothing else of the disk.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from sqlglot import exp

from local.emulator import failures, glue_tables, metadata, results, trino_rewrites, trino_sql, trino_types
from local.emulator.catalog import NAME as CATALOG_NAME
from local.emulator.catalog import Answer, Catalog
from local.emulator.glue_tables import GlueTable, PartitionFiles
from local.emulator.trino_functions import MACROS
from local.emulator.trino_sql import QueryError


def accept(sql: str) -> None:
    """Refuse what Athena refuses at submission: MalformedQuery for a text that is no statement of its grammar."""
    word = trino_sql.statement_word(sql)
    if trino_sql.is_query(sql):
        if not trino_sql.has_parameters(sql):  # a parameter's type is not known before its value is bound
            trino_sql.parse_query(sql)
    elif word not in REFUSED and word not in metadata.WORDS:
        raise trino_sql.MalformedQuery(
            f"line 1:1: mismatched input {word or '<EOF>'!r}. Expecting: 'SELECT', 'WITH', 'VALUES', 'SHOW', 'DESCRIBE'"
        )


def answer(sql: str, *, database: str, catalog: Catalog) -> Answer:
    """Run one statement. Raises QueryError with Athena's reason; `MalformedQuery` where the text is no SQL."""
    accept(sql)
    if trino_sql.is_query(sql):
        return _select(sql, database=database, catalog=catalog)
    word = trino_sql.statement_word(sql)
    if word in metadata.WORDS:
        return metadata.answer(sql, database=database, catalog=catalog)
    raise QueryError(
        f"NOT_SUPPORTED: {_named(sql)} is not run by the local stage, and nothing was changed: {REFUSED[word]}. "
        "On AWS, Athena runs it"
    )


_STACKS = "databases, tables and views come from the CDK stacks (stacks/catalog.py)"
_PIPELINE = "rows come from the pipeline (etl run, etl import)"
_NO_TRANSACTIONS = "there are no transactions"

# Statements Athena has, which the emulator would report as done without doing them, and why none is needed here.
REFUSED = {
    **dict.fromkeys(("create", "alter", "drop", "refresh", "comment"), _STACKS),
    **dict.fromkeys(("insert", "delete", "update", "merge", "truncate"), _PIPELINE),
    **dict.fromkeys(("start", "commit", "rollback"), _NO_TRANSACTIONS),
    **dict.fromkeys(("set", "reset"), "there are no session properties"),
    **dict.fromkeys(("vacuum", "optimize"), "no table here is of Iceberg"),
    **dict.fromkeys(("grant", "revoke"), "access is IAM's"),
    "analyze": "there are no statistics to gather",
    "call": "there are no procedures",
    "deallocate": "use the DeletePreparedStatement call",
    "explain": "DuckDB's plan would not be Athena's",
    "msck": "partitions are projected, none needs repair",
    "prepare": "use the CreatePreparedStatement call",
    "unload": "use etl query --format csv",
    "use": "name the database in the query's context",
}


def _named(sql: str) -> str:
    words = re.findall(r"[A-Za-z_]+", re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL))
    return " ".join(words[: 2 if words[0].lower() in ("create", "drop", "alter") else 1]).upper()


# ---- queries


def _select(sql: str, *, database: str, catalog: Catalog) -> Answer:
    tree = trino_sql.parse_query(sql)
    with tempfile.TemporaryDirectory(prefix="athena-") as root, _connect() as connection:
        session = _Session(connection, catalog, Path(root))
        known = session.load(tree, database.lower())
        trino_types.check(tree, known, database.lower())
        trino_sql.name_columns(tree)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {CATALOG_NAME}.{_quote(database.lower())}")
        connection.execute(f"USE {CATALOG_NAME}.{_quote(database.lower())}")
        connection.execute(f"SET allowed_directories = [{glue_tables.text(root)}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            connection.execute(trino_rewrites.to_duckdb(tree))
            described = connection.description or []
            rows = connection.fetchall()
        except duckdb.Error as error:
            raise QueryError(failures.reason(error, tree)) from error
        kinds = [str(column[1]) for column in described]
        return Answer(
            columns=[str(column[0]) for column in described],
            types=[results.athena_type(kind) for kind in kinds],
            rows=[[results.text(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in rows],
            scanned_bytes=session.bytes,
        )


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    for setting in (
        "integer_division = true",
        "TimeZone = 'UTC'",
        "threads = 2",
        "autoinstall_known_extensions = false",
    ):
        connection.execute(f"SET {setting}")
    connection.execute(f"ATTACH ':memory:' AS {CATALOG_NAME}")
    for macro in MACROS:
        connection.execute(f"CREATE TEMP MACRO {macro}")
    return connection


@dataclass
class _Session:
    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    root: Path
    bytes: int = 0
    known: dict[str, dict[str, dict[str, exp.DataType]]] = field(default_factory=dict)
    expanding: list[str] = field(default_factory=list)

    def load(self, tree: exp.Expr, database: str) -> dict[str, dict[str, dict[str, exp.DataType]]]:
        """Make a DuckDB view of every table the tree names, and return their columns by database and table."""
        for node in list(trino_sql.tables(tree)):
            place = trino_sql.position(node)
            if node.catalog and node.catalog.lower() != CATALOG_NAME:
                raise QueryError(f"CATALOG_NOT_FOUND: {place}Catalog '{node.catalog}' does not exist")
            db, name = (node.db or database).lower(), node.name.lower()
            if db == "information_schema":
                raise QueryError(
                    "NOT_SUPPORTED: information_schema is not answered by the local stage; use SHOW TABLES or DESCRIBE"
                )
            if name in self.known.get(db, {}):
                continue
            if db not in self.catalog.databases():
                raise QueryError(f"SCHEMA_NOT_FOUND: {place}Schema '{db}' does not exist")
            table = self.catalog.table(db, name)
            if table is None:
                raise QueryError(f"TABLE_NOT_FOUND: {place}Table '{CATALOG_NAME}.{db}.{name}' does not exist")
            self._create(db, name, table)
        return self.known

    def _create(self, db: str, name: str, table: GlueTable) -> None:
        types = glue_tables.columns(table)
        definition = glue_tables.view_definition(table)
        select = self._table(table) if definition is None else self._view(db, name, definition, types)
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {CATALOG_NAME}.{_quote(db)}")
        self.connection.execute(f"CREATE VIEW {CATALOG_NAME}.{_quote(db)}.{_quote(name)} AS {select}")
        self.known.setdefault(db, {})[name] = types

    def _table(self, table: GlueTable) -> str:
        files: list[PartitionFiles] = []
        registered = self.catalog.registered_partitions(table)
        for number, part in enumerate(glue_tables.partitions(table, registered, dt.datetime.now(dt.UTC).date())):
            folder = self.root / f"{table.get('DatabaseName', '')}.{table['Name']}" / str(number)
            paths = self.catalog.copy_objects(part.location, folder)
            self.bytes += sum(path.stat().st_size for path in paths)
            files.append(PartitionFiles(part.values, [str(path) for path in paths]))
            if paths:
                self._refuse_clashes(table, files[-1].paths)
        return glue_tables.relation(table, files)

    def _refuse_clashes(self, table: GlueTable, paths: list[str]) -> None:
        """A file's column of another kind than Glue declares is an error in Athena, never a conversion."""
        try:
            described = self.connection.execute(f"DESCRIBE SELECT * FROM {glue_tables.reader(table, paths)}").fetchall()
        except duckdb.Error as error:
            raise QueryError(
                f"HIVE_CANNOT_OPEN_SPLIT: {glue_tables.name_of(table)}: {failures.first_line(error)}"
            ) from error
        declared = glue_tables.columns(table)
        for name, kind, *_ in described:
            wanted = trino_types.family(declared.get(str(name).lower()))
            found = trino_types.family(exp.DataType.build(str(kind), dialect="duckdb"))
            if wanted is not None and found != wanted:
                raise QueryError(
                    f"HIVE_BAD_DATA: Field {name}'s type {kind} in {glue_tables.data_format(table)} is incompatible "
                    f"with type {declared[str(name).lower()].sql('trino').lower()} defined in table schema"
                )

    def _view(self, db: str, name: str, definition: Mapping[str, object], types: Mapping[str, exp.DataType]) -> str:
        label = f"{CATALOG_NAME}.{db}.{name}"
        if label in self.expanding:
            raise QueryError(f"VIEW_IS_RECURSIVE: View '{label}' is recursive")
        self.expanding.append(label)
        schema = str(definition.get("schema") or db).lower()
        tree = trino_sql.parse_query(str(definition["originalSql"]))
        self.load(tree, schema)
        trino_types.check(tree, self.known, schema)
        for node in list(trino_sql.tables(tree)):
            node.set("db", exp.to_identifier(node.db or schema, quoted=True))
            node.set("catalog", exp.to_identifier(CATALOG_NAME))
        select = trino_rewrites.to_duckdb(tree)
        try:
            described = self.connection.execute(f"DESCRIBE {select}").fetchall()
        except duckdb.Error as error:
            raise QueryError(f"INVALID_VIEW: View '{label}': {failures.reason(error, tree)}") from error
        produced = [str(row[0]).lower() for row in described]
        if produced != list(types):
            clash = f"it declares ({', '.join(types)}) and selects ({', '.join(produced)})"
            raise QueryError(f"VIEW_IS_STALE: View '{label}' is stale: {clash}")
        for row, (column, wanted) in zip(described, types.items(), strict=True):
            family = trino_types.family(wanted)
            if family != trino_types.family(exp.DataType.build(str(row[1]), dialect="duckdb")):
                clash = f"column {column} is {row[1]} and is declared {wanted.sql('hive')}"
                raise QueryError(f"VIEW_IS_STALE: View '{label}' is stale: {clash}")
        self.expanding.pop()
        cast = ", ".join(f"CAST({_quote(c)} AS {kind.sql('duckdb')}) AS {_quote(c)}" for c, kind in types.items())
        return f"SELECT {cast} FROM ({select})"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
