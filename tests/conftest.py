"""How the tests share the machine.

The end-to-end tests wait most of the time, and share a stage: they run one after the other in a process of their own,
and all others beside them (pytest-xdist, `-n 2 --dist loadgroup`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

_E2E = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the end-to-end tests into one group, and first: theirs is the longest way."""
    for item in items:
        if item.path.is_relative_to(_E2E):
            item.add_marker(pytest.mark.xdist_group("e2e"))
    items.sort(key=lambda item: not item.path.is_relative_to(_E2E))
