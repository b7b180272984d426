"""`etl query`: names, SQL, files, standard input, and parameters."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli import querying
from cli.querying import parse_parameters, statement
from lambdas.core.errors import ConfigurationError
from lambdas.core.queries import Query, parse_query

TEXT = "-- title: Top\n-- question: q\n-- parameters: chart = regional-global-daily\n-- columns: c\nSELECT ?"


@pytest.fixture(autouse=True)
def _queries(monkeypatch: pytest.MonkeyPatch) -> None:
    queries: Mapping[str, Query] = {
        "todays_top_10": parse_query("todays_top_10", TEXT),
        "longest_on_chart": parse_query("longest_on_chart", TEXT),
    }
    monkeypatch.setattr(querying, "named_queries", lambda: queries)


def test_a_name_is_its_sql_with_its_parameters_in_hyphens_or_underscores() -> None:
    expected = ("SELECT ?", ["'regional-global-daily'"])
    assert statement("todays_top_10", {}) == expected
    assert statement("todays-top-10", {}) == expected
    assert statement("todays_top_10", {"chart": "x"}) == ("SELECT ?", ["'x'"])


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
    assert statement(f"@{file}", {"chart": "x"}) == ("SELECT ?", ["'x'"])


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
