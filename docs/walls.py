"""Writes the table of docs/sources.md on what stops each source, from the contract suite: `make docs`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from lambdas.core.errors import PipelineError
from tests.contract.cases import CASES, OUTCOMES, CannotBe, Ends, GoesThrough, IsGone, Outcome
from tests.contract.sources import SOURCES

PAGE = Path(__file__).with_name("sources.md")
_SUITE = "tests.contract.test_source_contract"
_BEGIN = f"<!-- walls: begin (written by `make docs` from {_SUITE.replace('.', '/')}.py) -->"
_END = "<!-- walls: end -->"


def render() -> str:
    """The page, with the table as the suite has it."""
    importlib.import_module(_SUITE)  # its tests say what each source comes to
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition("<!-- walls: begin")
    _, _, after = rest.partition(_END)
    return "\n".join([f"{before}{_BEGIN}", *_table(), "", *_errors(), f"{_END}{after}"])


def _table() -> Iterator[str]:
    yield f"| what happens | {' | '.join(source.title for source in SOURCES.values())} |"
    yield f"|{'---|' * (len(SOURCES) + 1)}"
    for name, title in CASES.items():
        yield f"| {title} | {' | '.join(_words(OUTCOMES[name][source]) for source in SOURCES)} |"


def _words(outcome: Outcome) -> str:
    match outcome:
        case GoesThrough():
            return "goes through"
        case IsGone():
            return "remembered as gone"
        case Ends(error):
            return f"`{error.__name__}`"
        case CannotBe(reason):
            return f"cannot be: {reason}"


def _errors() -> Iterator[str]:
    """What each error of the table is, as its own words say."""
    found: dict[str, type[PipelineError]] = {}
    for outcomes in OUTCOMES.values():
        found |= {one.error.__name__: one.error for one in outcomes.values() if isinstance(one, Ends)}
    for name, error in sorted(found.items()):
        yield f"- `{name}`: {' '.join((error.__doc__ or '').partition(chr(10) * 2)[0].split())}"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
