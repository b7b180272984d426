"""The command `etl`: parse, dispatch, and turn every expected error into one line.

Exit codes: 0 done, 1 not done (the line on stderr says why), 2 wrong usage, 130 stopped by Ctrl-C. A subcommand's
module is imported only when it runs, so that help is there at once.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, cast

from cli.command_name import as_typed, command_name
from cli.commands import COMMANDS, GROUPS, Command
from lambdas.core.errors import PipelineError

STAGE_VARIABLE = "ETL_STAGE"
_DEFAULT_STAGE = "local"
_INTERRUPTED = 130
_BROKEN_PIPE = 141
_SEPARATOR = "--"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors name the help that helps."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"etl: {message}: `{self.prog} --help` explains\n")


class _TopParser(_Parser):
    """The parser of `etl` itself: its help lists the subcommands by group."""

    def format_help(self) -> str:
        width = max(len(command.name) for command in COMMANDS)
        lines = [
            f"usage: {self.prog} COMMAND [--stage STAGE] ...",
            "",
            "A data warehouse of Spotify's top songs: on this machine (stage local) or on AWS.",
        ]
        for group, title in GROUPS.items():
            lines += ["", f"{title}:"]
            lines += [f"  {one.name:<{width}}  {one.summary}" for one in COMMANDS if one.group == group]
        lines += [
            "",
            "Options:",
            f"  --stage STAGE  local (the default), dev, staging or prod; ${STAGE_VARIABLE} sets another default",
            "",
            "First steps:",
            f"  {self.prog} up             start the local stage",
            f"  {self.prog} run            fetch the charts and show them",
            f"  {self.prog} query --list   see what you can ask",
            f"  {self.prog} COMMAND --help explains a command, with examples",
            "",
        ]
        return "\n".join(lines)


def build_parser() -> argparse.ArgumentParser:
    """The parser with all subcommands."""
    parser = _TopParser(prog=command_name(), add_help=True, allow_abbrev=False)
    parser.add_argument("--stage", default=None, help=argparse.SUPPRESS)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for command in COMMANDS:
        _add_subparser(subparsers, command)
    return parser


def _add_subparser(subparsers: argparse._SubParsersAction[_Parser], command: Command) -> None:
    name = command_name()
    examples = "\n".join(f"  {name}{example.removeprefix('etl')}" for example in command.examples)
    subparser = subparsers.add_parser(
        command.name,
        help=command.summary,
        description=command.description,
        epilog=f"examples:\n{examples}",
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    if command.add_arguments is not None:
        command.add_arguments(subparser)
    # Left out, it does not undo a --stage that stands before the subcommand.
    subparser.add_argument(
        "--stage",
        default=argparse.SUPPRESS,
        metavar="STAGE",
        help=f"local (the default), dev, staging or prod; ${STAGE_VARIABLE} sets another default",
    )
    if command.subcommands:
        nested = subparser.add_subparsers(
            dest="subcommand", metavar="COMMAND", required=True, parser_class=_Parser, title="commands"
        )
        for one in command.subcommands:
            _add_subparser(nested, one)
        return
    subparser.set_defaults(entry=command.entry, cdk_arguments=[])


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' lines as they are, and wraps the description."""

    def add_text(self, text: str | None) -> None:
        if text and not text.startswith("examples:"):
            text = argparse.HelpFormatter(prog=self._prog, width=self._width)._fill_text(text, self._width, "")
        super().add_text(text)


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit code. Errors that a user can mend are one line on stderr, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # Names of songs are in every script; a terminal that cannot show them gets escapes instead of an error.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    parsed = parse(arguments)
    try:
        code = _entry(parsed.entry)(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("etl: stopped", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has had enough. Nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        # A folder that cannot be made, a full disk: the user's to mend, and told by the system in its own words.
        return _fail(f"{error.filename or 'the output'}: {error.strerror}")
    except PipelineError as error:
        if details := getattr(error, "details", ""):
            print("\n".join(f"  | {line}" for line in details.splitlines()), file=sys.stderr)
        return _fail(str(error))
    except Exception as error:
        line = _aws_line(error, parsed.stage)
        if line is None:
            raise
        return _fail(line)
    return code


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments, with the stage filled in. Exits with code 2 for wrong usage."""
    words, cdk_arguments = _split(list(arguments))
    parsed = build_parser().parse_args(words)
    parsed.cdk_arguments = cdk_arguments
    if parsed.stage is None:
        parsed.stage = os.environ.get(STAGE_VARIABLE) or _DEFAULT_STAGE
    return parsed


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """For commands that pass on what follows `--`: the words before it, and those after."""
    passing = {command.name for command in COMMANDS if command.takes_cdk_arguments}
    if _SEPARATOR in words and passing & set(words[: words.index(_SEPARATOR)]):
        place = words.index(_SEPARATOR)
        return words[:place], words[place + 1 :]
    return words, []


def _entry(path: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = path.partition(":")
    return cast(Callable[[argparse.Namespace], int], getattr(importlib.import_module(module), function))


def _aws_line(error: Exception, stage: str) -> str | None:
    """The line for an error of AWS's SDK; None for any other error, which is a defect."""
    from botocore.exceptions import BotoCoreError, ClientError

    if not isinstance(error, BotoCoreError | ClientError):
        return None
    from cli.aws_errors import explain

    return explain(error, stage=stage)


def _fail(line: str) -> int:
    sys.stdout.flush()
    print(as_typed(f"etl: {line}"), file=sys.stderr)
    return 1
