"""A Glue catalog over a folder, for tests of the SQL session: `s3://bucket/prefix/` is `folder/bucket/prefix/`."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arro3.core import Table
from arro3.io import write_parquet

PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
YEARS = {
    "projection.enabled": "true",
    "projection.year.type": "date",
    "projection.year.format": "yyyy",
    "projection.year.range": "2008,NOW+1YEARS",
}


class FolderCatalog:
    """`catalog.Catalog` over `folder`; tables are added with `add`, objects with `put`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.copied: list[Path] = []
        """Every object that was read, once for each time."""
        self.registered: dict[str, list[Mapping[str, Any]]] = {}
        self._tables: dict[tuple[str, str], Mapping[str, Any]] = {}

    def add(
        self,
        name: str,
        columns: Mapping[str, str],
        *,
        keys: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        serde: str = PARQUET,
    ) -> None:
        self._tables["warehouse", name] = {
            "DatabaseName": "warehouse",
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": dict(parameters or {}),
            "PartitionKeys": [{"Name": key, "Type": kind} for key, kind in (keys or {}).items()],
            "StorageDescriptor": {
                "Location": f"s3://bucket/{name}/",
                "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
                "SerdeInfo": {"SerializationLibrary": serde},
            },
        }

    def add_view(self, name: str, sql: str, columns: Mapping[str, str]) -> None:
        definition = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": "warehouse"}
        text = base64.b64encode(json.dumps(definition).encode()).decode()
        self._tables["warehouse", name] = {
            "DatabaseName": "warehouse",
            "Name": name,
            "TableType": "VIRTUAL_VIEW",
            "ViewOriginalText": f"/* Presto View: {text} */",
            "StorageDescriptor": {"Columns": [{"Name": c, "Type": kind} for c, kind in columns.items()]},
        }

    def put(self, key: str, rows: Table | str) -> None:
        path = self.folder / "bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(rows, str):
            path.write_text(rows)
        else:
            write_parquet(rows, str(path))

    # ---- catalog.Catalog

    def databases(self) -> list[str]:
        return ["default", "warehouse"]

    def tables(self, database: str) -> list[Mapping[str, Any]]:
        return [table for (db, _), table in self._tables.items() if db == database]

    def table(self, database: str, name: str) -> Mapping[str, Any] | None:
        return self._tables.get((database, name))

    def registered_partitions(self, table: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return self.registered.get(str(table["Name"]), [])

    def copy_objects(self, location: str, into: Path) -> list[Path]:
        source = self.folder / location.removeprefix("s3://")
        if not source.is_dir():
            return []
        shutil.copytree(source, into)
        paths = sorted(path for path in into.rglob("*") if path.is_file())
        self.copied += paths
        return paths
