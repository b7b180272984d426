"""What docs/verified.md and tests/README.md claim of tests and permissions is there to be run."""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import parse
from tests.e2e.test_least_privilege import UNENFORCED
from tests.payloads import REPOSITORY

PAGE = (REPOSITORY / "docs" / "verified.md").read_text("utf-8")
README = (REPOSITORY / "tests" / "README.md").read_text("utf-8")
_FOLDER_OF = {"emulator": "tests/e2e/", "template": "tests/infra/"}
_COMMANDS = re.findall(r"^\s+\.venv/bin/etl (.+)$", PAGE, re.M)


@dataclass(frozen=True)
class Claim:
    """A row of a table: what is relied on, how far it was seen, by which tests, and the step of the first deploy."""

    relied_on: str
    seen: str
    tests: tuple[str, ...]
    step: int


def _claims() -> list[Claim]:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")
    ]
    return [
        Claim(relied_on, seen, tuple(re.findall(r"`(tests/[^`]+)`", tests)), int(step))
        for relied_on, seen, tests, step in (row for row in rows if row[0] != "relied on")
    ]


CLAIMS = _claims()
NAMED = sorted(set(re.findall(r"`(tests/[^`]+::[^`]+)`", PAGE + README)) | {held.asserted_by for held in UNENFORCED})


def test_the_page_lists_what_the_project_relies_on() -> None:
    assert len(CLAIMS) > 30
    assert {claim.seen for claim in CLAIMS} == {"emulator", "template", "unverified"}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.relied_on[:40])
def test_what_is_claimed_as_seen_has_a_test_where_it_can_be_seen(claim: Claim) -> None:
    assert all("::" in name for name in claim.tests)
    if claim.seen in _FOLDER_OF:
        assert any(name.startswith(_FOLDER_OF[claim.seen]) for name in claim.tests), claim
    else:
        assert not any(name.startswith(tuple(_FOLDER_OF.values())) for name in claim.tests), claim


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert function in _tests_in(REPOSITORY / path)


def test_every_claim_has_its_step_and_every_step_its_claim() -> None:
    steps = [int(number) for number in re.findall(r"^(\d+)\. ", PAGE, re.M)]
    assert steps == list(range(1, len(steps) + 1))
    assert {claim.step for claim in CLAIMS} == set(steps)


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_of_the_first_deploy_parses(command: str) -> None:
    assert parse(shlex.split(command)).stage == "dev"


def test_the_readme_of_tests_lists_what_the_emulator_does_not_enforce_as_the_suite_has_it() -> None:
    rows = re.findall(r"^\| (\w+) \| ((?:`\w+:\w+`(?:, )?)+) \|", README, re.M)
    listed = {(role, action) for role, actions in rows for action in re.findall(r"`(\w+:\w+)`", actions)}
    assert listed == {(held.role, action) for held in UNENFORCED for action in held.actions}


def _tests_in(path: Path) -> set[str]:
    module = ast.parse(path.read_text("utf-8"))
    return {node.name for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
