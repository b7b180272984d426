"""SQL through Athena's API: https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.core.errors import ConfigurationError, PipelineError
from lambdas.core.queries import Query

if TYPE_CHECKING:
    from types_boto3_athena.client import AthenaClient
    from types_boto3_athena.type_defs import QueryExecutionTypeDef

_PATIENCE_SECONDS = 30 * 60
"""Athena's own limit for a query (DML) is 30 minutes unless the account's quota was raised."""
_FIRST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 1.0
_AT_ONCE = 10
"""Of the 20 or more that an account may run in a region unless its quota was changed:
https://docs.aws.amazon.com/athena/latest/ug/service-limits.html."""
INTEGERS = ("tinyint", "smallint", "integer", "int", "bigint")
FLOATS = ("double", "float", "real")


class QueryFailed(PipelineError):
    """Athena could not answer: bad SQL, a cut-off, or a query that was stopped."""


@dataclass(frozen=True)
class ResultColumn:
    """A column of an answer, its type in Athena's words."""

    name: str
    type: str

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.type in (*INTEGERS, *FLOATS) or self.type.startswith("decimal")


@dataclass(frozen=True)
class Answer:
    """The whole answer to a query, every value as Athena's text, None for NULL."""

    columns: tuple[ResultColumn, ...]
    rows: tuple[tuple[str | None, ...], ...]


def execution_parameters(query: Query, given: Mapping[str, str]) -> list[str]:
    """The query's parameters as Athena takes them: SQL literals in the order of its header, defaults where none given.

    Raises ConfigurationError for an unknown name or a value of the wrong kind.
    """
    known = [parameter.name for parameter in query.parameters]
    if unknown := [name for name in given if name not in known]:
        takes = f"its parameters are {', '.join(known)}" if known else "it takes none"
        raise ConfigurationError(f"query {query.name} has no parameter {unknown[0]!r}: {takes}")
    try:
        return [parameter.literal(given.get(parameter.name, parameter.default)) for parameter in query.parameters]
    except ConfigurationError as error:
        raise ConfigurationError(f"query {query.name}: {error}") from error


@dataclass(frozen=True)
class Athena:
    """A stage's workgroup and database.

    A query that takes longer than `patience_seconds` is stopped. `sleep` is replaced in tests.
    """

    client: AthenaClient
    workgroup: str
    database: str
    patience_seconds: float = _PATIENCE_SECONDS
    sleep: Callable[[float], None] = time.sleep

    def query(self, sql: str, parameters: Sequence[str] = ()) -> Answer:
        """The answer to a statement whose `?` are filled by `parameters` (SQL literals).

        Raises QueryFailed with Athena's reason. If the wait is broken off (Ctrl-C), the query is stopped first.
        """
        execution = self._start(sql, parameters)
        try:
            ended = self._wait(execution)
        except BaseException:  # Ctrl-C, too: what nobody waits for any more is not to be paid for
            self._stop(execution)
            raise
        status = ended["Status"]
        if status["State"] != "SUCCEEDED":
            reason = _one_line(status.get("StateChangeReason", "no reason given"))
            verb = "failed" if status["State"] == "FAILED" else "was cancelled"
            raise QueryFailed(f"the query {verb}: {reason}")
        return self._answer(execution, has_header=ended.get("StatementType", "DML") == "DML")

    def _start(self, sql: str, parameters: Sequence[str]) -> str:
        try:
            if parameters:
                started = self.client.start_query_execution(
                    QueryString=sql,
                    QueryExecutionContext={"Database": self.database},
                    WorkGroup=self.workgroup,
                    ExecutionParameters=list(parameters),
                )
            else:
                started = self.client.start_query_execution(
                    QueryString=sql,
                    QueryExecutionContext={"Database": self.database},
                    WorkGroup=self.workgroup,
                )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "InvalidRequestException":
                raise QueryFailed(
                    f"Athena refuses the query: {_one_line(error.response['Error']['Message'])}"
                ) from error
            raise
        return started["QueryExecutionId"]

    def _wait(self, execution: str) -> QueryExecutionTypeDef:
        """Wait until the query has ended, in whatever way. Raises QueryFailed if that takes too long."""
        deadline = time.monotonic() + self.patience_seconds
        wait = _FIRST_WAIT_SECONDS
        while True:
            state = self.client.get_query_execution(QueryExecutionId=execution)["QueryExecution"]
            if state["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return state
            if time.monotonic() > deadline:
                raise QueryFailed(f"the query did not end within {self.patience_seconds:g} seconds: it is stopped")
            self.sleep(wait)
            wait = min(_LONGEST_WAIT_SECONDS, wait * 1.5)

    def _stop(self, execution: str) -> None:
        try:
            self.client.stop_query_execution(QueryExecutionId=execution)
        except ClientError:
            # It may have ended by itself in the meantime; what broke off the wait is what the user is to see.
            return

    def _answer(self, execution: str, *, has_header: bool) -> Answer:
        columns: tuple[ResultColumn, ...] = ()
        rows: list[tuple[str | None, ...]] = []
        pages = self.client.get_paginator("get_query_results").paginate(QueryExecutionId=execution)
        for number, page in enumerate(pages):
            result = page["ResultSet"]
            if number == 0:
                info = result.get("ResultSetMetadata", {}).get("ColumnInfo", [])
                columns = tuple(ResultColumn(column["Name"], column["Type"].lower()) for column in info)
            # The first row of the first page repeats the column names, for SELECT and its like alone.
            for row in result.get("Rows", [])[1 if has_header and number == 0 else 0 :]:
                values = [value.get("VarCharValue") for value in row.get("Data", [])]
                rows.append(tuple(values + [None] * (len(columns) - len(values))))
        return Answer(columns=columns, rows=tuple(rows))


@dataclass(frozen=True)
class NamedQueries:
    """The questions in queries/, asked by name: a report's `Ask`."""

    athena: Athena
    queries: Mapping[str, Query]

    def __call__(self, name: str, parameters: Mapping[str, str]) -> list[dict[str, str | None]]:
        """The rows of an answer by the names of its columns, every value as Athena's text, None for NULL.

        Raises QueryFailed, which names the question, and ConfigurationError for a name or a parameter there is not.
        """
        query = self._named(name)
        try:
            answer = self.athena.query(query.sql, execution_parameters(query, parameters))
        except QueryFailed as error:
            raise QueryFailed(f"query {name}: {error}") from error
        names = [column.name for column in answer.columns]
        return [dict(zip(names, row, strict=True)) for row in answer.rows]

    @contextmanager
    def ahead(
        self, names: Iterable[str], given: Mapping[str, str], *, answered: Callable[[str], object] = str
    ) -> Iterator[Callable[[str, Mapping[str, str]], Sequence[Mapping[str, str | None]]]]:
        """Ask several questions at once, for Athena lets each wait for a second: gives what hands the answers over.

        Each question gets those of the `given` parameters that it has. `answered` is called with the name of each that
        is, from a thread of its own. When the context ends, by Ctrl-C or because a question failed, those that have no
        answer yet are stopped.
        """
        over = Event()

        def pause(seconds: float) -> None:
            if over.wait(seconds):
                raise QueryFailed("its answer is not waited for any more: it is stopped")

        waiting = NamedQueries(replace(self.athena, sleep=pause), self.queries)
        asked = {}
        for name in names:
            has = {parameter.name for parameter in self._named(name).parameters}
            asked[name] = {parameter: value for parameter, value in given.items() if parameter in has}

        def ask(name: str) -> list[dict[str, str | None]]:
            rows = waiting(name, asked[name])
            answered(name)
            return rows

        pool = ThreadPoolExecutor(min(_AT_ONCE, max(1, len(asked))), thread_name_prefix="ask")
        try:
            answers = {name: pool.submit(ask, name) for name in asked}

            def hand_over(name: str, parameters: Mapping[str, str]) -> list[dict[str, str | None]]:
                return answers[name].result() if asked.get(name) == parameters else self(name, parameters)

            yield hand_over
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)

    def _named(self, name: str) -> Query:
        if name not in self.queries:
            raise ConfigurationError(f"there is no query {name!r}: queries/{name}.sql is missing")
        return self.queries[name]


def _one_line(text: str) -> str:
    return " ".join(text.split())
