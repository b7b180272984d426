"""Writes docs/faults.md from the names of the tests of faults: `make docs`."""

from __future__ import annotations

import ast
from pathlib import Path

PAGE = Path(__file__).with_name("faults.md")
_TESTS = Path(__file__).parents[1] / "tests"
_OF_THE_CHECK = _TESTS / "faults" / "test_the_check_itself.py"
_FILES = (*sorted({*(_TESTS / "faults").glob("test_*.py")} - {_OF_THE_CHECK}), _TESTS / "e2e" / "test_faults.py")
_PREFIX = "test_"

_HEAD = """# Faults that are survived

<!-- Written by `make docs` from the names in tests/faults and tests/e2e/test_faults.py. -->

Each line is a test: the fault, and what comes of it. Where a fault has a place (before which write, in which object, at
which byte), the test goes through all of them. After each, one shared check looks for the same: every usable document
is in the tables once, to the byte as one load of them all gives it; what is not there has its reason on record, in
quarantine or with its message in the dead letters; nothing waits for ever; and the next good document goes through.
That the check sees each of these is tested in turn, by taking something away from a pipeline that is whole
(`tests/faults/test_the_check_itself.py`).
"""


def render() -> str:
    """The page."""
    sections = [(ast.parse(path.read_text("utf-8")), path) for path in _FILES]
    faults = sum(len(_names(module)) for module, _ in sections)
    return "\n".join([f"{_HEAD}\n{faults} faults.\n", *(_section(module, path) for module, path in sections)])


def _section(module: ast.Module, path: Path) -> str:
    about = (ast.get_docstring(module) or "").partition("\n")[0]
    lines = [f"## {about}", "", f"`{path.relative_to(_TESTS.parent).as_posix()}`", ""]
    return "\n".join([*lines, *(f"- {_sentence(name)}" for name in _names(module)), ""])


def _names(module: ast.Module) -> list[str]:
    return [node.name for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith(_PREFIX)]


def _sentence(name: str) -> str:
    words = name.removeprefix(_PREFIX).replace("_", " ")
    return words[0].upper() + words[1:]


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
