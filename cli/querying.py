"""`etl query`: a question by its name, or SQL, asked through Athena."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from cli.command_name import REPOSITORY
from cli.formats import print_answer
from cli.output import note, print_table, printable, say
from cli.stage import open_stage
from lambdas.core.adapters.athena import execution_parameters
from lambdas.core.errors import ConfigurationError
from lambdas.core.queries import Query, parse_query, read_queries

_NAME = re.compile(r"[\w-]+")
_HEADER = re.compile(r"\s*--\s*title:")


@cache
def named_queries() -> Mapping[str, Query]:
    """The questions in queries/, by name."""
    return {query.name: query for query in read_queries(REPOSITORY / "queries")}


def query_command(arguments: argparse.Namespace) -> int:
    """Run `etl query`."""
    if arguments.list:
        if arguments.statement is None:
            list_queries()
        else:
            describe_query(named_query(arguments.statement))
        return 0
    if arguments.statement is None:
        raise ConfigurationError("say what to ask: a name of `etl query --list`, or SQL in quotes")
    given = parse_parameters(arguments.param)
    sql, parameters = statement(arguments.statement, given)
    answer = open_stage(arguments.stage).athena.query(sql, parameters)
    print_answer(answer, arguments.format)
    if not answer.rows and parameters:
        asked = ", ".join(map(printable, parameters))
        note(
            f"no rows for {asked}: `etl charts` shows which charts and dates there are, and `etl query every_song` "
            "which songs"
        )
    return 0


def list_queries() -> None:
    """Print the named questions and their parameters."""
    rows = [
        [
            query.name,
            query.question,
            ", ".join(f"{parameter.name}={parameter.default}" for parameter in query.parameters),
        ]
        for query in named_queries().values()
    ]
    print_table(["name", "question", "parameters, with their defaults"], rows)
    say("ask one with `etl query NAME`, e.g. `etl query todays_top_10 --param chart=regional-global-daily`")
    say("read one with `etl query --list NAME`: its columns, notes and SQL")


def describe_query(query: Query) -> None:
    """Print all there is to know of a question, its SQL at the end."""
    print(f"{query.title}: {query.question}")
    if query.notes:
        print(f"\n{query.notes}")
    if query.parameters:
        print()
        rows = [[parameter.name, parameter.kind, parameter.default] for parameter in query.parameters]
        print_table(["parameter", "takes", "default"], rows)
    print(f"\ncolumns: {', '.join(query.columns)}\n\n{query.bare_sql}")


def parse_parameters(given: Sequence[str]) -> dict[str, str]:
    """`name=value` words as a mapping. Raises ConfigurationError for a word without `=` or a name given twice."""
    parameters: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"--param takes name=value, not {word!r}")
        if name in parameters:
            raise ConfigurationError(f"--param {name} is given twice")
        parameters[name] = value
    return parameters


def statement(asked: str, given: Mapping[str, str]) -> tuple[str, list[str]]:
    """The SQL and its execution parameters for a name, SQL text, `-` (standard input) or `@file.sql`.

    Raises ConfigurationError for an unknown name, a file that cannot be read, no SQL, or parameters that do not fit.
    """
    if asked == "-":
        return _from_text(sys.stdin.read(), given, name="standard input")
    if asked.startswith("@"):
        path = Path(asked[1:])
        try:
            return _from_text(path.read_text("utf-8"), given, name=path.stem)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{path} is not UTF-8 text") from error
    if _NAME.fullmatch(asked):
        query = named_query(asked)
        return query.sql, execution_parameters(query, given)
    return _from_text(asked, given, name="this SQL")


def named_query(name: str) -> Query:
    """The question of that name, in hyphens or underscores. Raises ConfigurationError, with the nearest names."""
    queries = named_queries()
    if (query := queries.get(name.replace("-", "_"))) is not None:
        return query
    near = difflib.get_close_matches(name.replace("-", "_"), queries, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    raise ConfigurationError(f"there is no query {name!r}: {meant}`etl query --list` shows all {len(queries)}")


def _from_text(text: str, given: Mapping[str, str], *, name: str) -> tuple[str, list[str]]:
    if _HEADER.match(text):
        query = parse_query(name, text)
        return query.sql, execution_parameters(query, given)
    sql = text.strip().rstrip(";").strip()
    if not sql:
        raise ConfigurationError(f"{name} holds no SQL")
    if given:
        raise ConfigurationError(
            f"--param goes with a named query, or a file with a `-- parameters:` header: {name} has none"
        )
    return sql, []
