"""Every question and view as deployed: read back from Athena, and asked through its API over sample history."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.schema import TABLES
from lambdas.core.views import TRINO_TYPES
from local.emulator import lifecycle, trino_sql
from local.emulator.session import answer
from local.spotify.history import write_history
from tests.e2e.conftest import Etl
from tests.fakes import MemoryStore
from tests.queries.asking import CHART, QUERIES, VIEWS, WEEKLY, catalog_of

pytestmark = pytest.mark.e2e
_SECONDS = 60


@pytest.fixture(scope="module")
def history(etl: Etl, tmp_path_factory: pytest.TempPathFactory) -> Etl:
    """The stage, with four weeks of the charts that the questions ask about by default."""
    folder = tmp_path_factory.mktemp("history")
    for chart, days in ((CHART, 28), (WEEKLY, 56)):
        write_history(folder, chart=chart, before=datetime.now(UTC).date(), days=days)
    etl.succeed("import", folder)
    return etl


@pytest.fixture(scope="module")
def athena(history: Etl) -> Any:
    endpoint = lifecycle.running(history.state)
    assert endpoint is not None
    return endpoint.client("athena")


@pytest.fixture(scope="module")
def deployed(athena: Any) -> dict[str, Any]:
    """The named queries of the stage's workgroup, by name."""
    pages = athena.get_paginator("list_named_queries").paginate(WorkGroup=_workgroup(athena))
    ids = [one for page in pages for one in page["NamedQueryIds"]]
    held = [athena.get_named_query(NamedQueryId=one)["NamedQuery"] for one in ids]
    return {one["Name"]: one for one in held}


@pytest.fixture(scope="module")
def tables(history: Etl) -> MemoryStore:
    """The objects of the tables, as the stage has them."""
    store = MemoryStore()
    prefixes = tuple(f"{table.name}/" for table in TABLES)
    store.objects.update({key: body for key, body in history.objects("warehouse").items() if key.startswith(prefixes)})
    return store


def _workgroup(athena: Any) -> str:
    (name,) = [one["Name"] for one in athena.list_work_groups()["WorkGroups"] if one["Name"] != "primary"]
    return str(name)


def asked(athena: Any, database: str, sql: str, parameters: list[str]) -> tuple[list[tuple[str, str]], list[list[Any]]]:
    """Columns with their types, and rows, as Athena's API gives them."""
    given: dict[str, Any] = {"ExecutionParameters": parameters} if parameters else {}
    started = athena.start_query_execution(
        QueryString=sql, QueryExecutionContext={"Database": database}, WorkGroup=_workgroup(athena), **given
    )
    query = started["QueryExecutionId"]
    deadline = time.monotonic() + _SECONDS
    while (status := athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"])["State"] not in (
        "SUCCEEDED",
        "FAILED",
    ):
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    assert status["State"] == "SUCCEEDED", status
    columns: list[tuple[str, str]] = []
    rows: list[list[Any]] = []
    for page in athena.get_paginator("get_query_results").paginate(QueryExecutionId=query):
        columns = [(one["Name"], one["Type"]) for one in page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
        rows += [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
    return columns, rows[1:]


def test_the_named_queries_are_the_files(deployed: dict[str, Any]) -> None:
    assert {name: (one["QueryString"], one["Description"]) for name, one in deployed.items()} == {
        name: (query.sql, query.question) for name, query in QUERIES.items()
    }


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_deployed_question_is_answered_with_its_columns_types_and_rows(
    name: str, athena: Any, deployed: dict[str, Any], tables: MemoryStore, tmp_path: Path
) -> None:
    query, held = QUERIES[name], deployed[name]
    parameters = [parameter.literal(parameter.default) for parameter in query.parameters]
    columns, rows = asked(athena, held["Database"], held["QueryString"], parameters)
    assert tuple(column for column, _ in columns) == query.columns
    alone = answer(trino_sql.bind(query.sql, parameters), database="warehouse", catalog=catalog_of(tmp_path, tables))
    assert (columns, rows) == (list(zip(alone.columns, alone.types, strict=True)), alone.rows)


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_a_deployed_view_has_its_columns_and_rows(name: str, athena: Any, deployed: dict[str, Any]) -> None:
    database = next(iter(deployed.values()))["Database"]
    columns, rows = asked(athena, database, f"SELECT v.* FROM {name} AS v WHERE v.chart = '{CHART}'", [])
    assert columns == [(c.name, TRINO_TYPES[c.type].partition("(")[0]) for c in VIEWS[name].columns]
    assert len(rows) >= 25
