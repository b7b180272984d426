"""Athena of the emulator, made to take Trino SQL and to say no to what it does not do.

MiniStack hands a query's text to DuckDB as it is; here `session.answer` translates, checks and runs it, and this
module gives it the emulator's Glue catalog and S3 objects, and writes the result where Athena would.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from ministack.core import iam_actions  # type: ignore[import-untyped]
from ministack.services import athena, glue, s3  # type: ignore[import-untyped]

from local.emulator import results, session, trino_sql
from local.emulator.catalog import Answer
from local.emulator.glue_tables import GlueTable
from local.emulator.trino_sql import MalformedQuery, QueryError

_log = logging.getLogger(__name__)
Request = Mapping[str, Any]
Response = tuple[int, Mapping[str, str], Any]


def install() -> None:
    """Replace the emulator's way of starting and running a query, and of telling whose right it takes to ask of one."""
    start = athena._start_query_execution

    def start_query(data: Request) -> Response:
        return _start(data, start)

    athena._start_query_execution = start_query
    athena._execute_query = _execute
    name_resource = iam_actions.extract_resource_arn

    def resource_of(service: str, *request: Any) -> str:
        arn = str(name_resource(service, *request))
        return _workgroup_arn(request) or arn if service == "athena" and arn == "*" else arn

    iam_actions.extract_resource_arn = resource_of


def _workgroup_arn(request: Sequence[Any]) -> str | None:
    """The workgroup of the query that a request is about: IAM is asked for a right to that, as the request names none.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonathena.html
    """
    *_, body, _, region, account = request
    try:
        identifier = json.loads(body)["QueryExecutionId"]
    except (ValueError, TypeError, KeyError):
        return None
    # By account and region, which are not told apart before a request is let in.
    for key, execution in list(athena._executions._data.items()):
        if key[-1] == identifier:
            return f"arn:aws:athena:{region}:{account}:workgroup/{execution['WorkGroup']}"
    return None


class EmulatedCatalog:
    """The emulator's Glue and S3, as `catalog.Catalog` wants them: read from its stores, in the caller's account."""

    def databases(self) -> list[str]:
        return [str(name).lower() for name in glue._databases]

    def tables(self, database: str) -> list[GlueTable]:
        return [table for key, table in glue._tables.items() if key.split("/", 1)[0].lower() == database]

    def table(self, database: str, name: str) -> GlueTable | None:
        found = (table for table in self.tables(database) if str(table.get("Name", "")).lower() == name)
        return next(found, None)

    def registered_partitions(self, table: GlueTable) -> Sequence[Mapping[str, object]]:
        return list(glue._partitions.get(f"{table.get('DatabaseName')}/{table['Name']}") or [])

    def copy_objects(self, location: str, into: Path) -> list[Path]:
        bucket, prefix = urlparse(location).netloc, urlparse(location).path.lstrip("/")
        stored = s3._buckets.get(bucket)
        if stored is None:
            raise QueryError(f"PERMISSION_DENIED: The specified bucket does not exist: {bucket}")
        files: list[Path] = []
        for key in sorted(key for key in list(stored["objects"]) if key.startswith(prefix)):
            parts = key[len(prefix) :].split("/")
            # Names beginning with _ or . are hidden from Trino's reader; a key ending in / is a folder's marker.
            if not parts[-1] or any(part.startswith(("_", ".")) for part in parts):
                continue
            body = s3._get_object_data(bucket, key)
            if body:
                into.mkdir(parents=True, exist_ok=True)
                # Numbered, for DuckDB takes [ and * in a name for a pattern; the endings tell it of compression.
                files.append(into / f"{len(files)}{''.join(re.findall(r'[.][A-Za-z0-9]+', parts[-1]))}")
                files[-1].write_bytes(body)
        return files


def _start(data: Request, start: Any) -> Response:
    group = str(data.get("WorkGroup") or "primary")
    settings = athena._workgroups.get(group)
    if settings is None:
        return _refuse(f"WorkGroup {group} is not found.")
    if settings.get("State", "ENABLED") == "DISABLED":
        return _refuse(f"WorkGroup {group} is disabled.")
    configuration = settings.get("Configuration") or {}
    # A work group enforces its settings unless told not to; `primary` is made without.
    enforced = str(configuration.get("EnforceWorkGroupConfiguration", group != "primary")).lower() == "true"
    wanted = str((data.get("ResultConfiguration") or {}).get("OutputLocation") or "")
    if enforced:
        wanted = str((configuration.get("ResultConfiguration") or {}).get("OutputLocation") or wanted)
    request = {**data, "WorkGroup": group}
    if wanted:
        asked = data.get("ResultConfiguration") or {}
        request["ResultConfiguration"] = {**asked, "OutputLocation": wanted.rstrip("/") + "/"}
    text = str(data.get("QueryString") or "")
    parameters = [str(value) for value in data.get("ExecutionParameters") or []]
    try:
        prepared = trino_sql.execute_using(text)
        sql = text
        if prepared is not None:
            statement = athena._prepared_statements.get(f"{group}/{prepared[0]}")
            if statement is None:
                return _refuse(f"PreparedStatement {prepared[0]} was not found in workGroup {group}")
            sql, parameters = str(statement["QueryStatement"]), prepared[1] or parameters
        session.accept(sql)
    except MalformedQuery as error:
        return _refuse(str(error), code="MALFORMED_QUERY")
    except QueryError as error:
        _log.debug("accepted, and will fail as it runs: %s", error)
    response: Response = start(request)
    if response[0] == 200:
        execution = athena._executions[json.loads(response[2])["QueryExecutionId"]]
        execution["_sql"], execution["_parameters"] = sql, parameters
        if data.get("ExecutionParameters"):
            execution["ExecutionParameters"] = parameters
    return response


def _refuse(message: str, *, code: str = "INVALID_INPUT") -> Response:
    response: Response = athena.error_response_json(
        "InvalidRequestException", message, 400, extra={"AthenaErrorCode": code}
    )
    return response


async def _execute(query_id: str, query: str, database: str, _ddl: object, _catalog: str | None = None) -> None:
    """Run one accepted query. MiniStack's own reading of DDL is passed over: the session refuses it by name."""
    execution = athena._executions[query_id]
    status = execution["Status"]
    status["State"] = "RUNNING"
    started = time.monotonic()
    sql = str(execution.get("_sql") or query)
    try:
        answer = await asyncio.to_thread(_answer, sql, execution.get("_parameters") or [], database)
        if status["State"] == "RUNNING":  # not cancelled meanwhile
            _store(execution, answer)
            status["State"] = "SUCCEEDED"
    except QueryError as error:
        _fail(execution, str(error))
    except Exception as error:  # noqa: BLE001 - a defect here must fail this query, and not leave it RUNNING for ever
        _log.exception("query %s broke the local stage", query_id)
        _fail(execution, f"INTERNAL_ERROR: {type(error).__name__}: {error} (see emulator.log)")
    elapsed = int((time.monotonic() - started) * 1000)
    execution["Statistics"].update(EngineExecutionTimeInMillis=elapsed, TotalExecutionTimeInMillis=elapsed)
    status["CompletionDateTime"] = int(time.time())


def _answer(sql: str, parameters: Sequence[str], database: str) -> Answer:
    if trino_sql.is_query(sql):
        sql = trino_sql.bind(sql, parameters)
    return session.answer(sql, database=database, catalog=EmulatedCatalog())


def _store(execution: dict[str, Any], answer: Answer) -> None:
    """Keep the result for GetQueryResults and write it under the output location, as `<query id>.csv`."""
    execution["StatementType"] = answer.statement_type
    execution["_results"] = {"columns": answer.columns, "rows": answer.rows}
    execution["_column_types"] = answer.types
    execution["Statistics"]["DataScannedInBytes"] = answer.scanned_bytes
    place = urlparse(str(execution["ResultConfiguration"]["OutputLocation"]))
    if answer.statement_type == "DML":
        body = results.csv_line(answer.columns) + "".join(results.csv_line(row) for row in answer.rows)
    else:
        body = "".join("\t".join(value or "" for value in row) + "\n" for row in answer.rows)
    key = place.path.lstrip("/")
    if answer.statement_type != "DML":
        key = key.removesuffix(".csv") + ".txt"
        execution["ResultConfiguration"]["OutputLocation"] = f"s3://{place.netloc}/{key}"
    data = body.encode()
    headers = {"content-type": "application/octet-stream", "content-length": str(len(data))}
    outcome = s3._put_object(place.netloc, key, data, headers)
    if isinstance(outcome, tuple) and outcome[0] >= 300:
        raise QueryError(f"Unable to verify/create output bucket {place.netloc} (S3 answered {outcome[0]})")


def _fail(execution: dict[str, Any], reason: str) -> None:
    line = " ".join(reason.split())[:2000]
    execution["Status"].update(State="FAILED", StateChangeReason=line)
    execution["Status"]["AthenaError"] = {"ErrorCategory": 2, "ErrorType": 1, "Retryable": False, "ErrorMessage": line}
    _log.info("query %s failed: %s", execution["QueryExecutionId"], line)
