"""Asking Athena, and its answers as a table, JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from cli.formats import Format, print_answer, records, typed
from lambdas.core.adapters.athena import Answer, Athena, NamedQueries, QueryFailed, ResultColumn, execution_parameters
from lambdas.core.errors import ConfigurationError
from lambdas.core.queries import parse_query

QUERY = parse_query(
    "newest",
    "-- title: t\n-- question: q\n-- parameters: chart = regional-global-daily, top = 10, song = any\n-- columns: c\n"
    "SELECT ?, ?, ?",
)


class FakeAthena:
    """Athena's client with one query: its states, then its pages."""

    def __init__(
        self,
        states: Sequence[str] = ("SUCCEEDED",),
        *,
        columns: Sequence[tuple[str, str]] = (),
        pages: Sequence[Sequence[Sequence[str | None]]] = (),
        statement_type: str = "DML",
        reason: str | None = None,
        refusal: ClientError | None = None,
    ) -> None:
        self.states = list(states)
        self.columns = columns
        self.pages = pages
        self.statement_type = statement_type
        self.reason = reason
        self.refusal = refusal
        self.started: dict[str, Any] = {}
        self.stopped: list[str] = []

    def start_query_execution(self, **request: Any) -> dict[str, str]:
        if self.refusal is not None:
            raise self.refusal
        self.started = request
        return {"QueryExecutionId": "q1"}

    def get_query_execution(self, QueryExecutionId: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        assert QueryExecutionId == "q1"
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        status = {"State": state} | ({"StateChangeReason": self.reason} if self.reason else {})
        return {"QueryExecution": {"Status": status, "StatementType": self.statement_type}}

    def stop_query_execution(self, QueryExecutionId: str) -> None:  # noqa: N803 - AWS's name
        self.stopped.append(QueryExecutionId)

    def get_paginator(self, operation: str) -> FakeAthena:
        assert operation == "get_query_results"
        return self

    def paginate(self, QueryExecutionId: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - AWS's name
        assert QueryExecutionId == "q1"
        info = [{"Name": name, "Type": kind} for name, kind in self.columns]
        for page in self.pages:
            rows = [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in page]
            yield {"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": info}}}


def athena(fake: FakeAthena, **fields: Any) -> Athena:
    fields = {"sleep": lambda _: None} | fields
    return Athena(cast(Any, fake), workgroup="w", database="d", **fields)


def test_all_pages_are_read_and_the_row_of_column_names_is_not_data() -> None:
    fake = FakeAthena(
        ["QUEUED", "RUNNING", "SUCCEEDED"],
        columns=[("n", "bigint"), ("name", "varchar")],
        pages=[[["n", "name"], ["1", "a"]], [["2", None]]],
    )
    answer = athena(fake).query("SELECT 1", ["'x'"])
    assert answer.rows == (("1", "a"), ("2", None))
    assert fake.started == {
        "QueryString": "SELECT 1",
        "QueryExecutionContext": {"Database": "d"},
        "WorkGroup": "w",
        "ExecutionParameters": ["'x'"],
    }
    assert fake.stopped == []


def test_the_first_row_of_a_statement_that_is_no_select_is_data() -> None:
    fake = FakeAthena(columns=[("tab_name", "string")], pages=[[["songs"]]], statement_type="UTILITY")
    assert athena(fake).query("SHOW TABLES").rows == (("songs",),)
    assert "ExecutionParameters" not in fake.started


def test_a_failed_query_is_one_line_with_athenas_reason() -> None:
    fake = FakeAthena(["FAILED"], reason="COLUMN_NOT_FOUND: line 1:8:\n  Column 'nope' cannot be resolved")
    with pytest.raises(QueryFailed, match="^the query failed: COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be res"):
        athena(fake).query("SELECT nope")


def test_sql_that_athena_does_not_take_at_all_is_one_line() -> None:
    refusal = ClientError({"Error": {"Code": "InvalidRequestException", "Message": "mismatched\ninput"}}, "Start")
    with pytest.raises(QueryFailed, match="^Athena refuses the query: mismatched input$"):
        athena(FakeAthena(refusal=refusal)).query("SELEC")


def test_ctrl_c_stops_the_query_on_athena() -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    fake = FakeAthena(["RUNNING"])
    with pytest.raises(KeyboardInterrupt):
        athena(fake, sleep=interrupted).query("SELECT 1")
    assert fake.stopped == ["q1"]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, "bigint", None),
        ("9223372036854775807", "bigint", 9223372036854775807),
        ("7", "integer", 7),
        ("1.0E10", "double", 1e10),
        ("NaN", "double", None),
        ("-Infinity", "double", None),
        ("0.1", "decimal(10,2)", Decimal("0.1")),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("2026-11-21", "date", "2026-11-21"),
        ("2026-11-21 06:00:00.000", "timestamp", "2026-11-21T06:00:00.000"),
        ("2026-11-21 06:00:00.123456", "timestamp(6)", "2026-11-21T06:00:00.123456"),
        ("2026-11-21 06:00:00.000 UTC", "timestamp with time zone", "2026-11-21T06:00:00.000Z"),
        (
            "2026-11-21 06:00:00.000 Europe/Oslo",
            "timestamp with time zone",
            "2026-11-21 06:00:00.000 Europe/Oslo",
        ),
        ("7", "varchar", "7"),
        ("[a, b]", "array", "[a, b]"),
    ],
)
def test_a_value_has_its_type_in_json(value: str | None, kind: str, expected: object) -> None:
    found = typed(value, kind)
    assert found == expected
    assert type(found) is type(expected)


ANSWER = Answer(
    columns=(
        ResultColumn("position", "integer"),
        ResultColumn("song", "varchar"),
        ResultColumn("share", "decimal(3,2)"),
    ),
    rows=(("1", 'Café "Été", 日本', "0.10"), ("10", None, None)),
)


def printed(form: Format, capsys: pytest.CaptureFixture[str], answer: Answer = ANSWER) -> str:
    print_answer(answer, form)
    return capsys.readouterr().out


def test_json_is_an_array_of_objects_with_typed_values(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed("json", capsys)
    assert json.loads(text, parse_float=str) == [
        {"position": 1, "song": 'Café "Été", 日本', "share": "0.10"},
        {"position": 10, "song": None, "share": None},
    ]
    assert json.loads(printed("json", capsys, Answer(ANSWER.columns, ()))) == []


def test_json_keeps_both_of_two_columns_of_one_name() -> None:
    columns = (ResultColumn("name", "varchar"), ResultColumn("name", "varchar"))
    assert records(Answer(columns, (("song", "artist"),))) == [{"name": "song", "name_2": "artist"}]


def test_csv_quotes_by_rfc_4180_and_leaves_nulls_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed("csv", capsys) == 'position,song,share\r\n1,"Café ""Été"", 日本",0.10\r\n10,,\r\n'


def test_a_table_aligns_numbers_right_and_counts_wide_characters_as_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed("table", capsys).splitlines() == [
        "position  song              share",
        "--------  ----------------  -----",
        '       1  Café "Été", 日本   0.10',
        "      10",
        "(2 rows)",
    ]


def test_parameters_become_literals_in_the_order_of_the_header() -> None:
    assert execution_parameters(QUERY, {}) == ["'regional-global-daily'", "10", "'any'"]
    assert execution_parameters(QUERY, {"top": "-3", "song": "it's"}) == ["'regional-global-daily'", "-3", "'it''s'"]
    assert execution_parameters(QUERY, {"chart": "2024"}) == ["'2024'", "10", "'any'"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"charts": "x"}, "query newest has no parameter 'charts': its parameters are chart, top, song"),
        ({"top": "1; DROP"}, "query newest: parameter top is a number such as 10, not '1; DROP'"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        execution_parameters(QUERY, given)


class FakeQuestions:
    """Athena's client for several questions at once: a query's text is its answer, one with `never` runs for ever."""

    def __init__(self) -> None:
        self.sql: dict[str, str] = {}
        self.stopped: list[str] = []

    def start_query_execution(self, QueryString: str, **_: Any) -> dict[str, str]:  # noqa: N803 - AWS's name
        execution = f"q{len(self.sql)}"
        self.sql[execution] = QueryString
        return {"QueryExecutionId": execution}

    def get_query_execution(self, QueryExecutionId: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        sql = self.sql[QueryExecutionId]
        state = "RUNNING" if "never" in sql else "FAILED" if "wrong" in sql else "SUCCEEDED"
        return {"QueryExecution": {"Status": {"State": state}, "StatementType": "DML"}}

    def stop_query_execution(self, QueryExecutionId: str) -> None:  # noqa: N803 - AWS's name
        self.stopped.append(self.sql[QueryExecutionId])

    def get_paginator(self, _: str) -> FakeQuestions:
        return self

    def paginate(self, QueryExecutionId: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - AWS's name
        rows = [{"Data": [{"VarCharValue": value}]} for value in ("told", self.sql[QueryExecutionId])]
        yield {"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": [{"Name": "told", "Type": "varchar"}]}}}


def questions(fake: FakeQuestions, *names: str) -> NamedQueries:
    header = "-- title: t\n-- question: q\n-- columns: told\n"
    parameters = "-- parameters: chart = c\n"
    queries = {n: parse_query(n, f"{header}{'' if n == 'alone' else parameters}SELECT {n}") for n in names}
    return NamedQueries(Athena(cast(Any, fake), workgroup="w", database="d"), queries)


def test_questions_are_asked_ahead_each_with_the_parameters_it_has_and_the_answers_handed_over() -> None:
    fake = FakeQuestions()
    answered: list[str] = []
    names = ["one", "two", "alone"]
    with questions(fake, *names).ahead(names, {"chart": "x"}, answered=answered.append) as ask:
        assert ask("two", {"chart": "x"}) == [{"told": "SELECT two"}]
        assert ask("one", {"chart": "x"}) == [{"told": "SELECT one"}]
        assert ask("alone", {}) == [{"told": "SELECT alone"}]
        assert sorted(answered) == sorted(names)
        assert len(fake.sql) == 3
        assert ask("one", {"chart": "another"}) == [{"told": "SELECT one"}], "not asked ahead, and asked all the same"
        assert len(fake.sql) == 4


def test_a_question_that_fails_is_named_and_those_that_still_run_are_stopped() -> None:
    fake = FakeQuestions()
    named = questions(fake, "wrong", "never")
    with (
        pytest.raises(QueryFailed, match="query wrong: the query failed: no reason given"),
        named.ahead(["wrong", "never"], {}) as ask,
    ):
        ask("wrong", {})
    assert fake.stopped in ([], ["SELECT never"])
    assert fake.stopped or "SELECT never" not in fake.sql.values()


def test_ctrl_c_stops_all_questions_that_are_not_answered() -> None:
    fake = FakeQuestions()
    with (
        pytest.raises(KeyboardInterrupt),
        questions(fake, "never", "never_either").ahead(["never", "never_either"], {"chart": "x"}),
    ):
        raise KeyboardInterrupt
    assert sorted(fake.stopped) == sorted(fake.sql.values())


def test_a_question_there_is_not_is_one_line() -> None:
    with pytest.raises(ConfigurationError, match="there is no query 'two': queries/two.sql is missing"):
        questions(FakeQuestions(), "one")("two", {})


def test_a_query_that_takes_too_long_is_stopped() -> None:
    fake = FakeQuestions()
    slow = Athena(cast(Any, fake), workgroup="w", database="d", patience_seconds=0, sleep=lambda _: None)
    with pytest.raises(QueryFailed, match="did not end within 0 seconds"):
        slow.query("SELECT never")
    assert fake.stopped == ["SELECT never"]
