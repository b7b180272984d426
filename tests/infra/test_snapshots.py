"""The templates as they were when somebody last looked at them."""

from __future__ import annotations

import difflib
import json
from itertools import islice
from pathlib import Path

import pytest

from stacks.config import load_stages
from tests.infra.templates import PARTS, PROJECT, Synthesis

SNAPSHOTS = Path(__file__).parent / "snapshots"
NAMES = [f"{stage}-{part}" for stage in load_stages(PROJECT / "cdk.json") for part in PARTS]
_SHOWN_LINES = 40


@pytest.mark.parametrize("name", NAMES)
def test_the_template_is_the_one_that_was_reviewed(
    name: str, synthesis: Synthesis, request: pytest.FixtureRequest
) -> None:
    stage, part = name.split("-")
    now = json.dumps(synthesis.templates[stage, part], indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path = SNAPSHOTS / f"{name}.json"
    if request.config.getoption("--update-snapshots", default=False):
        path.write_text(now, "utf-8")
    was = path.read_text("utf-8") if path.exists() else ""
    diff = list(difflib.unified_diff(was.splitlines(), now.splitlines(), "reviewed", "now", lineterm="", n=2))
    more = f"\n... and {len(diff) - _SHOWN_LINES} lines more" if len(diff) > _SHOWN_LINES else ""
    assert not diff, (
        f"the template of {name} has changed. If that is meant: python -m pytest tests/infra/test_snapshots.py "
        "--update-snapshots, and review the diff\n" + "\n".join(islice(diff, _SHOWN_LINES)) + more
    )


def test_there_is_no_snapshot_of_a_stack_that_is_gone() -> None:
    assert sorted(path.stem for path in SNAPSHOTS.glob("*.json")) == sorted(NAMES)
