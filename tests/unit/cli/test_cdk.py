"""The CDK command line under our control: its end, its failure, and which of its lines tell why."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli import cdk
from lambdas.core.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _python_for_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """`cdk CODE` runs Python code in place of the CLI."""

    def command(arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-c", *arguments]

    monkeypatch.setattr(cdk, "command", command)


def run(code: str, tmp_path: Path, *, deadline: float = 30) -> None:
    with cdk.started(
        [code], env=os.environ, cwd=tmp_path, log=tmp_path / "cdk.log", deadline_seconds=deadline
    ) as running:
        running.finish()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has reaped yet is dead too.
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is left behind"
        os.sched_yield()


def test_output_goes_to_the_log_after_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "cdk.log").write_text("before\n")
    run("print('synthesized')", tmp_path)
    text = (tmp_path / "cdk.log").read_text()
    assert text.startswith("before\n\n$ cdk print('synthesized')\n")
    assert text.endswith("\nsynthesized\n")


def test_a_failure_tells_the_lines_that_say_why_and_where_the_rest_is(tmp_path: Path) -> None:
    (tmp_path / "cdk.log").write_text("error of an earlier command\n")
    with pytest.raises(cdk.CdkFailed) as failed:
        run("import sys; print('fine'); print('CREATE_FAILED: no such role'); sys.exit(3)", tmp_path)
    assert str(tmp_path / "cdk.log") in str(failed.value)
    assert failed.value.details == "CREATE_FAILED: no such role"


def test_a_command_past_its_deadline_is_ended_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('child', 'w').write(str(child.pid))\n"
        "time.sleep(600)"
    )
    with pytest.raises(cdk.CdkFailed, match=r"did not end within 2 s and was stopped"):
        run(code, tmp_path, deadline=2)
    wait_until_gone(int((tmp_path / "child").read_text()))


def test_a_command_whose_block_is_left_early_is_ended(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        cdk.started(
            ["import time; time.sleep(600)"],
            env=os.environ,
            cwd=tmp_path,
            log=tmp_path / "cdk.log",
            deadline_seconds=60,
        ) as running,
    ):
        raise KeyboardInterrupt
    assert running.process.poll() is not None


def test_the_last_lines_stand_in_where_none_speaks_of_a_fault() -> None:
    assert cdk.telling_lines("\n".join(map(str, range(20)))) == "\n".join(map(str, range(12, 20)))
    assert cdk.telling_lines("[WARNING] this will fail one day\n\nnothing\n") == "nothing"


def test_this_python_and_our_node_are_found_first() -> None:
    environment = cdk.environment({"PATH": "/usr/bin", "HOME": "/h"})
    first, *rest = environment["PATH"].split(os.pathsep)
    assert first == str(Path(sys.executable).parent)
    assert rest[-1] == "/usr/bin"
    assert Path(environment["JSII_NODE"]).parent == Path(rest[0])
    assert environment["HOME"] == "/h"


def test_a_missing_command_line_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(cdk, "_CLI", tmp_path / "cdk")
    with pytest.raises(ConfigurationError, match=r"^the CDK command line is not installed: run `make setup` in "):
        cdk.command(["synth"])
