"""What the documentation says is so: commands parse, links lead somewhere, the data model is the schema's."""

from __future__ import annotations

import re
import shlex

import pytest

from cli.main import build_parser
from docs import faults, walls
from docs.data_model import PAGE, render
from lambdas.core.queries import read_queries
from tests.payloads import REPOSITORY

PAGES = sorted(
    [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "benchmarks").glob("*.md")]
)
README = (REPOSITORY / "README.md").read_text("utf-8")
COMMANDS = sorted(set(re.findall(r"^(?:\$ )?\.venv/bin/etl (.+?)(?:\s{2,}#.*)?$", README, re.M)))
TARGETS = sorted(set(re.findall(r"^make (\w+)", README, re.M)) | set(re.findall(r"`make (\w+)`", README)))


def test_the_data_model_page_is_the_schemas() -> None:
    assert PAGE.read_text("utf-8") == render(), "run `make docs`"


def test_the_page_of_faults_lists_the_tests_there_are() -> None:
    assert faults.PAGE.read_text("utf-8") == faults.render(), "run `make docs`"


def test_the_table_of_what_stops_each_source_is_the_contract_suites() -> None:
    assert walls.PAGE.read_text("utf-8") == walls.render(), "run `make docs`"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_readme_parses(command: str) -> None:
    build_parser().parse_args(shlex.split(command))


def test_every_query_the_readme_names_ships() -> None:
    named = {words[1] for command in COMMANDS if (words := shlex.split(command))[0] == "query" and "-" not in words[1]}
    assert {name for name in named if " " not in name} <= {query.name for query in read_queries(REPOSITORY / "queries")}


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_the_readme_names_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (REPOSITORY / "Makefile").read_text("utf-8"), re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_link_within_the_repository_leads_somewhere(page: object) -> None:
    path = REPOSITORY / str(page)
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
        assert (path.parent / link).exists(), link


def test_the_command_that_make_installs_runs_no_code_of_the_folder_it_is_called_in() -> None:
    assert '/python" -P -m cli "$$@"' in (REPOSITORY / "Makefile").read_text("utf-8")
