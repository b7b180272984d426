"""How to type the command, here and now: hints name `etl` in a form that works as typed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
_HINT = re.compile(r"`etl(?=[ `])")


@cache
def command_name() -> str:
    """`etl` if the shell finds this repository's command by that name, else its path as short as it can be."""
    launcher = REPOSITORY / ".venv" / "bin" / "etl"
    found = shutil.which("etl")
    if found is not None and os.path.realpath(found) == os.path.realpath(launcher):
        return "etl"
    if launcher.exists():
        here = Path.cwd()
        if not launcher.is_relative_to(here):
            return str(launcher)
        # A word without a slash would be looked for on the PATH.
        return "./etl" if launcher.parent == here else str(launcher.relative_to(here))
    return f"{sys.executable} -m cli"


def as_typed(text: str) -> str:
    """The text with every hint in backticks, `etl ...`, in the form that works here."""
    return _HINT.sub(lambda _: f"`{command_name()}", text)
