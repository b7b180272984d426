"""The command line itself: help that teaches, hints that work as typed, and errors in one line."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from cli import command_name, main
from cli.commands import COMMANDS, GROUPS, Command
from lambdas.core.errors import ConfigurationError, PipelineError

REPOSITORY = Path(__file__).resolve().parents[3]
_HINT = re.compile(r"`etl ([^`]+)`")


@pytest.fixture(autouse=True)
def _plain_name(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(main.STAGE_VARIABLE, raising=False)
    command_name.command_name.cache_clear()
    yield
    command_name.command_name.cache_clear()


def failing_with(error: BaseException) -> Callable[[object], int]:
    def entry(_: object) -> int:
        raise error

    return entry


def run_failing(monkeypatch: pytest.MonkeyPatch, error: BaseException, *words: str) -> int:
    monkeypatch.setattr(main, "_entry", lambda _: failing_with(error))
    return main.main(words or ("status",))


def test_help_lists_every_command_once_under_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main(["--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0
    for command in COMMANDS:
        assert len(re.findall(rf"^  {command.name} +{re.escape(command.summary)}$", text, re.M)) == 1
    assert [title for title in GROUPS.values() if f"\n{title}:\n" in text] == list(GROUPS.values())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_examples_that_parse_and_are_in_its_help(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main.main([command.name, "--help"])
    text = capsys.readouterr().out
    assert command.examples
    for example in command.examples:
        name, *words = shlex.split(example)
        assert name == "etl"
        assert main.parse(words).command == command.name
        assert f"  {command_name.command_name()}{example.removeprefix('etl')}\n" in text


@pytest.mark.parametrize(
    "command", [one for command in COMMANDS for one in command.subcommands or (command,)], ids=lambda one: one.name
)
def test_every_command_has_code_behind_it(command: Command) -> None:
    assert callable(main._entry(command.entry))


def strings_of(source: Path) -> Iterator[str]:
    """All string literals of a file, what an f-string fills in taken as `dev`."""
    tree = ast.parse(source.read_text("utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "dev" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def hints() -> list[tuple[str, str]]:
    found = []
    for folder in ("cli", "lambdas", "local", "stacks"):
        for source in sorted((REPOSITORY / folder).rglob("*.py")):
            for text in strings_of(source):
                found += [(source.name, hint) for hint in _HINT.findall(text) if hint != "..."]
    return sorted(set(found))


def test_every_hint_in_the_code_is_a_command_that_parses() -> None:
    assert len(hints()) > 20
    names = {command.name for command in COMMANDS}
    names |= {f"{command.name} {one.name}" for command in COMMANDS for one in command.subcommands}
    for source, hint in hints():
        if hint in names:
            continue  # names the command, as in "download the file and `etl import` it"
        try:
            main.parse(shlex.split(hint))
        except SystemExit:
            pytest.fail(f"{source}: `etl {hint}` is not a command")


def test_hints_name_the_command_as_it_has_to_be_typed_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launcher = tmp_path / ".venv" / "bin" / "etl"
    launcher.parent.mkdir(parents=True)
    launcher.write_text("#!/bin/sh\n")
    launcher.chmod(0o755)
    monkeypatch.setattr(command_name, "REPOSITORY", tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    seen = []
    for folder in (tmp_path, launcher.parent, Path("/usr")):
        monkeypatch.chdir(folder)
        command_name.command_name.cache_clear()
        seen.append(command_name.as_typed("start it with `etl up`, not `metl up`"))
    monkeypatch.setenv("PATH", str(launcher.parent))
    command_name.command_name.cache_clear()
    seen.append(command_name.as_typed("`etl`"))
    assert seen == [
        "start it with `.venv/bin/etl up`, not `metl up`",
        "start it with `./etl up`, not `metl up`",
        f"start it with `{launcher} up`, not `metl up`",
        "`etl`",
    ]


@pytest.mark.parametrize(
    ("words", "environment", "stage"),
    [
        (["status"], None, "local"),
        (["status", "--stage", "dev"], None, "dev"),
        (["--stage", "dev", "status"], None, "dev"),
        (["status"], "staging", "staging"),
        (["status", "--stage", "dev"], "staging", "dev"),
    ],
)
def test_the_stage_is_the_one_named_else_the_environments_else_local(
    words: list[str], environment: str | None, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if environment:
        monkeypatch.setenv("ETL_STAGE", environment)
    assert main.parse(words).stage == stage


def test_words_after_two_dashes_go_to_the_cdk_command_line() -> None:
    parsed = main.parse(["deploy", "--stage", "dev", "--", "--require-approval", "never"])
    assert (parsed.stage, parsed.cdk_arguments) == ("dev", ["--require-approval", "never"])


def test_sql_that_begins_with_a_comment_can_be_given_after_two_dashes() -> None:
    assert main.parse(["query", "--", "-- all\nSELECT 1"]).statement == "-- all\nSELECT 1"


@pytest.mark.parametrize(
    "words",
    [[], ["frob"], ["import"], ["import", "x", "--chart-date", "soon"], ["query", "x", "--format", "xml"], ["up", "x"]],
)
def test_wrong_usage_is_exit_code_2_and_names_the_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main(words)
    said = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2
    assert said[-1].startswith("etl: ")
    assert said[-1].endswith("--help` explains")


def test_an_expected_error_is_one_line_on_stderr_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_failing(monkeypatch, ConfigurationError("no such chart: `etl charts`")) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"etl: no such chart: `{command_name.command_name()} charts`\n"


def test_details_of_an_error_come_before_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Detailed(PipelineError):
        details = "line 1\nline 2"

    run_failing(monkeypatch, Detailed("it failed"))
    assert capsys.readouterr().err == "  | line 1\n  | line 2\netl: it failed\n"


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run_failing(monkeypatch, ZeroDivisionError())


def test_ctrl_c_is_exit_code_130_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_failing(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "etl: stopped\n"


def test_errors_of_aws_are_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    refused = EndpointConnectionError(endpoint_url="http://127.0.0.1:4")
    assert run_failing(monkeypatch, refused, "status") == 1
    assert run_failing(monkeypatch, NoCredentialsError(), "status", "--stage", "dev") == 1
    local, aws = capsys.readouterr().err.splitlines()
    assert local == f"etl: the local stage is not running: start it with `{command_name.command_name()} up`"
    assert "no usable AWS credentials for stage dev" in aws


def run_process(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False, timeout=60, cwd="/"
    )


def test_without_its_packages_the_command_says_make_setup() -> None:
    done = run_process("-S", "-m", "cli", "charts")
    assert done.returncode == 1
    assert re.fullmatch(
        rf"etl: the package \w+ is not installed: run `make -C {re.escape(str(REPOSITORY))} setup` first\n", done.stderr
    )


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
    listing = subprocess.Popen(
        [sys.executable, "-m", "cli", "query", "--list"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.close()
    said = listing.stderr.read()
    listing.stderr.close()
    assert (listing.wait(timeout=60), said) == (141, b"")


def test_names_in_any_script_are_printed_where_the_terminal_is_ascii() -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "ascii"}
    program = "from cli import main\nmain._entry = lambda _: lambda _: print('日本') or 0\nmain.main(['charts'])"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, b"\\u65e5\\u672c\n")


def test_help_is_there_at_once() -> None:
    def processor_seconds() -> float:
        before = os.times()
        run_process("-m", "cli", "--help")
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(processor_seconds() for _ in range(3)) < 0.15


def test_help_imports_neither_the_sdk_nor_the_warehouse() -> None:
    program = "import sys\nfrom cli import main\nmain.build_parser().format_help()\nprint(*sys.modules)"
    loaded = set(run_process("-c", program).stdout.split())
    assert "cli.commands" in loaded
    assert not loaded & {"boto3", "botocore", "msgspec", "arro3", "rich", "lambdas.core.documents", "stacks.config"}
