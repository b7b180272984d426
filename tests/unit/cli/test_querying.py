"""`etl query`: names, SQL, files, standard input, and parameters."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli import querying
from cli.querying import parse_parameters, query_command, statement
from lambdas.core.adapters.athena import Answer, ResultColumn
from lambdas.core.errors import ConfigurationError
from lambdas.core.queries import Query, parse_query

TEXT = """-- title: Top
-- question: Which?
-- parameters: chart = regional-global-daily
-- columns: c
--
-- What it leaves out.
SELECT ?"""
SQL = "--\n-- What it leaves out.\nSELECT ?"


@pytest.fixture(autouse=True)
def _queries(monkeypatch: pytest.MonkeyPatch) -> None:
    queries: Mapping[str, Query] = {
        "todays_top_10": parse_query("todays_top_10", TEXT),
        "longest_on_chart": parse_query("longest_on_chart", TEXT),
    }
    monkeypatch.setattr(querying, "named_queries", lambda: queries)


def test_a_name_is_its_sql_with_its_parameters_in_hyphens_or_underscores() -> None:
    expected = (SQL, ["'regional-global-daily'"])
    assert statement("todays_top_10", {}) == expected
    assert statement("todays-top-10", {}) == expected
    assert statement("todays_top_10", {"chart": "x"}) == (SQL, ["'x'"])


def test_an_unknown_name_gives_the_nearest_ones() -> None:
    with pytest.raises(ConfigurationError, match="^there is no query 'todays_top': did you mean todays_top_10?"):
        statement("todays_top", {})
    with pytest.raises(ConfigurationError, match="^there is no query 'xyz': `etl query --list` shows all 2$"):
        statement("xyz", {})


def test_anything_else_is_sql_without_its_semicolon() -> None:
    assert statement(" SELECT 1 ; ", {}) == ("SELECT 1", [])


def test_sql_comes_from_a_file_or_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "q.sql"
    file.write_text("SELECT 2;\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 3"))
    assert statement(f"@{file}", {}) == ("SELECT 2", [])
    assert statement("-", {}) == ("SELECT 3", [])


def test_a_file_with_a_header_takes_parameters(tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text(TEXT)
    assert statement(f"@{file}", {"chart": "x"}) == (SQL, ["'x'"])


@pytest.mark.parametrize("asked", ["", "  ;", "@", "@/nowhere/q.sql"])
def test_nothing_to_ask_is_said(asked: str) -> None:
    with pytest.raises(ConfigurationError):
        statement(asked, {})


def test_parameters_of_sql_without_a_header_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="--param goes with a named query"):
        statement("SELECT ?", {"chart": "x"})


def test_a_parameters_value_may_hold_equals_signs_and_be_empty() -> None:
    assert parse_parameters(["a=b=c", "d="]) == {"a": "b=c", "d": ""}


@pytest.mark.parametrize("words", [["chart"], ["=x"], ["a=1", "a=2"]])
def test_a_malformed_parameter_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="--param"):
        parse_parameters(words)


def _asked(statement: str | None, **options: object) -> argparse.Namespace:
    given = {"list": False, "param": [], "format": "json", "stage": "local", **options}
    return argparse.Namespace(statement=statement, **given)


@pytest.mark.parametrize(("rows", "said"), [((), True), ((("1",),), False)])
def test_an_answer_without_rows_says_where_to_look(
    rows: tuple[tuple[str, ...], ...], said: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Answer((ResultColumn("c", "integer"),), rows)
    athena = SimpleNamespace(query=lambda _sql, _parameters: answer)
    monkeypatch.setattr(querying, "open_stage", lambda _: SimpleNamespace(athena=athena))
    assert query_command(_asked("todays_top_10")) == 0
    printed = capsys.readouterr()
    assert ("charts` shows which charts and dates there are" in printed.err) == said
    assert "no rows" not in printed.out


def test_the_list_shows_every_question_and_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert query_command(_asked(None, list=True)) == 0
    printed = capsys.readouterr().out
    assert "todays_top_10" in printed
    assert "chart=regional-global-daily" in printed


def test_one_question_is_shown_with_its_parameters_columns_notes_and_sql(capsys: pytest.CaptureFixture[str]) -> None:
    assert query_command(_asked("todays-top-10", list=True)) == 0
    printed = capsys.readouterr().out
    for part in (
        "Top: Which?",
        "chart      chart  regional-global-daily",
        "columns: c",
        "What it leaves out.",
        "SELECT ?",
    ):
        assert part in printed
    with pytest.raises(ConfigurationError, match="did you mean todays_top_10"):
        query_command(_asked("todays_top", list=True))
