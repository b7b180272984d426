"""`python -m cli`: the operator's command `etl`, with a plain word for an environment that is not set up."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

_REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OWN_PACKAGES = ("cli", "lambdas", "local", "stacks")


def _setup_command() -> str:
    return "make setup" if os.getcwd() == _REPOSITORY else f"make -C {_REPOSITORY} setup"


def _end(number: int, _: FrameType | None) -> NoReturn:
    """End as by Ctrl-C: what is under way (a CDK deployment, a query) is ended in order, not left to itself."""
    sys.exit(128 + number)


def run() -> int:
    """Run the command; an environment without its packages gives one line and exit code 1."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever skips `make setup` may have any Python
        print(f"etl: needs Python 3.11 or newer: run `{_setup_command()}` first", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        from cli.main import main

        return main(sys.argv[1:])
    except KeyboardInterrupt:
        # While the modules load: from there on `main` says it.
        print("etl: stopped", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if not package or package in _OWN_PACKAGES:
            raise
        print(f"etl: the package {package} is not installed: run `{_setup_command()}` first", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(run())
