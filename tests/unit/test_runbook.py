"""What the runbook tells a person to type can be typed."""

from __future__ import annotations

import re
import shlex

import botocore.session
import pytest

from cli.main import build_parser
from stacks.log_queries import LOG_QUERIES
from tests.payloads import REPOSITORY

TEXT = (REPOSITORY / "docs" / "operations.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", TEXT, re.M | re.S)
LINES = [line for block in BLOCKS for line in block.splitlines()]
ETL = sorted(
    {line.removeprefix("etl ") for line in LINES if line.startswith("etl ")} | set(re.findall(r"`etl ([^`]+)`", TEXT))
)
# Alone, in a variable's `name=$(...)`, or in a function's `name() { ...; }`.
_AWS = re.compile(r"(?:\w+=\$\(|\w+\(\) \{ )?aws (.+?)(?:; \}|\))?")
AWS = sorted({found[1] for line in LINES if (found := _AWS.fullmatch(line))})
# Of the AWS CLI itself: what it asks of an answer, and how it shows it.
_OF_THE_CLI = {"query", "output"}


def test_there_is_nothing_in_a_block_but_commands_that_are_tried_here() -> None:
    assert len(ETL) >= 15
    assert len(AWS) >= 4
    for line in LINES:
        assert line.startswith("etl ") or _AWS.fullmatch(line), line


@pytest.mark.parametrize("command", ETL)
def test_every_etl_command_parses(command: str) -> None:
    build_parser().parse_args(shlex.split(command))


@pytest.mark.parametrize("command", AWS)
def test_every_aws_command_is_an_operation_with_the_parameters_that_it_must_and_may_have(command: str) -> None:
    service, operation, *rest = shlex.split(command)
    model = botocore.session.get_session().get_service_model(service)
    camel = "".join(word.capitalize() for word in operation.split("-"))
    shape = model.operation_model(camel).input_shape
    members = {_kebab(name) for name in shape.members} if shape else set()
    given = {word.removeprefix("--") for word in rest if word.startswith("--")}
    assert given - _OF_THE_CLI <= members
    assert {_kebab(name) for name in (shape.required_members if shape else [])} <= given


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def test_every_saved_query_is_used_and_none_is_named_that_is_not_saved() -> None:
    for query in LOG_QUERIES:
        assert f"`{query.name}`" in TEXT, query.name
    looked_at = re.findall(r"\*\*What to look at\.\*\*(.+?)\n\n", TEXT, re.S)
    named = {name for part in looked_at for name in re.findall(r"`([a-z]+ [a-z]+)`", part)}
    assert named <= {query.name for query in LOG_QUERIES}
