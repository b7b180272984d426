"""A background process of the local stage: started in its own group, found again, and stopped without a trace.

Works on Linux (from /proc) and macOS (from ps). A process is known by its id AND the moment it started, so a recycled
id is never taken for ours, and every process it starts carries a marker in its environment, so a descendant that left
the group is found too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local.emulator.errors import EmulatorError

MARKER_VARIABLE = "ETL_LOCAL_STAGE_PROCESS"
_POLL_SECONDS = 0.05
_HAS_PROC = Path("/proc/self/stat").exists()
# Children of this very interpreter, kept so that they are reaped and not reported as leaked.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Record:
    """A started process. `started` is the system's own mark of the moment, comparable only to itself."""

    pid: int
    pgid: int
    started: str
    marker: str
    # What the caller wants to find again with the process: its address, for example.
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BackgroundProcess:
    """One named process per state folder: `<name>.json` (its record), `<name>.log`, `<name>.lock`.

    >>> standin = BackgroundProcess("spotify", Path(".local"))  # doctest: +SKIP
    >>> with standin.locked():                                   # doctest: +SKIP
    ...     standin.running() or standin.start(["-m", "local.spotify"], ...)
    """

    name: str
    state_dir: Path

    @property
    def log(self) -> Path:
        return self.state_dir / f"{self.name}.log"

    @property
    def _record(self) -> Path:
        return self.state_dir / f"{self.name}.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the name's lock: of two commands starting or stopping it at once, one waits for the other."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with open(self.state_dir / f"{self.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def running(self) -> Record | None:
        """The record, if the process it names is alive and is the one that was started; else None."""
        record = self._read()
        if record is None or _started(record.pid) != record.started:
            return None
        return record

    def start(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        ready: Callable[[Record], bool],
        deadline_seconds: float,
        facts: Mapping[str, str] | None = None,
    ) -> Record:
        """Run this Python with `arguments` in a session of its own and wait until `ready(record)`.

        What an earlier run left behind is ended first. Raises EmulatorError, the log's last lines in its details, when
        the process dies or is not ready in time; nothing is left running then. Hold `locked()` around it.
        """
        self.stop(deadline_seconds=2)
        marker = uuid.uuid4().hex
        with open(self.log, "wb") as output:
            child = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=cwd,
                env={**env, MARKER_VARIABLE: marker},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _children[child.pid] = child
        record = Record(child.pid, child.pid, _started(child.pid) or "", marker, dict(facts or {}))
        self._write(record)
        try:
            self._await(child, record, ready, deadline_seconds)
        except BaseException:
            self.stop(deadline_seconds=2)
            raise
        return record

    def stop(self, *, deadline_seconds: float = 10) -> bool:
        """End the process and every descendant: SIGTERM, then SIGKILL after the deadline.

        True if something was ended, False if nothing ran. Raises EmulatorError if a process outlives SIGKILL.
        """
        record = self._read()
        if record is None:
            return False
        members = _family(record)
        found = bool(members)
        deadline = time.monotonic() + deadline_seconds
        sent: set[int] = set()
        while members := _family(record):
            late = time.monotonic() > deadline
            for pid in members if late else members - sent:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
                sent.add(pid)
            if time.monotonic() > deadline + 5:
                raise EmulatorError(
                    f"process {min(members)} of the local stage's {self.name} does not end: end it with "
                    f"`kill -9 {' '.join(map(str, sorted(members)))}`"
                )
            _reap(record.pid)
            time.sleep(_POLL_SECONDS)
        _reap(record.pid)
        self._record.unlink(missing_ok=True)
        return found

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, or an empty string."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def _await(
        self,
        child: subprocess.Popen[bytes],
        record: Record,
        ready: Callable[[Record], bool],
        deadline_seconds: float,
    ) -> None:
        deadline = time.monotonic() + deadline_seconds
        while not ready(record):
            code = child.poll()
            if code is not None:
                tail = self.log_tail()
                last = (tail.strip().splitlines() or ["it wrote nothing"])[-1].strip()[:300]
                raise EmulatorError(
                    f"the local stage's {self.name} ended at once (exit code {code}): {last}; see {self.log}",
                    details=tail,
                )
            if time.monotonic() > deadline:
                raise EmulatorError(
                    f"the local stage's {self.name} was not ready in {deadline_seconds:g} seconds: see {self.log}, "
                    "then try again",
                    details=self.log_tail(),
                )
            time.sleep(_POLL_SECONDS)

    def _read(self) -> Record | None:
        try:
            return Record(**json.loads(self._record.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None  # never started, or a record another version wrote

    def _write(self, record: Record) -> None:
        draft = self._record.with_suffix(".json.new")
        draft.write_text(json.dumps(asdict(record), indent=1))
        draft.replace(self._record)


def processes_of(record: Record) -> set[int]:
    """Ids of all living processes of the record: itself, its group, and whatever carries its marker."""
    return _family(record)


def _family(record: Record) -> set[int]:
    marker = f"{MARKER_VARIABLE}={record.marker}"
    ours = set()
    leader_is_ours = _started(record.pid) == record.started
    for pid, pgid, _ in _processes():
        # After the leader's death its group id may be another's, so only the marker counts then.
        if (leader_is_ours and pgid == record.pgid) or marker in _environment(pid):
            ours.add(pid)
    return ours - {os.getpid()}


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def _started(pid: int) -> str | None:
    """When the process started, in the system's own words; None if there is none (a zombie is none)."""
    return next((started for found, _, started in _processes(pid) if found == pid), None)


def _processes(only: int | None = None) -> Iterator[tuple[int, int, str]]:
    """(process id, group id, start mark) of living processes, zombies left out."""
    if _HAS_PROC:
        for entry in [Path(f"/proc/{only}")] if only is not None else list(Path("/proc").iterdir()):
            if not entry.name.isdigit():
                continue
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue  # it ended between the listing and the reading
            fields = text[text.rindex(")") + 2 :].split()
            if fields[0] not in "ZX":
                yield int(entry.name), int(fields[2]), fields[19]
        return
    which = ["-p", str(only)] if only is not None else ["-ax"]
    listing = subprocess.run(
        ["ps", *which, "-o", "pid=,pgid=,stat=,lstart="], capture_output=True, text=True, check=False
    ).stdout  # fmt: skip
    for line in listing.splitlines():
        pid, pgid, state, started = line.split(None, 3)
        if not state.startswith("Z"):
            yield int(pid), int(pgid), started.strip()


def _environment(pid: int) -> str:
    """The environment the process was started with, as text; empty where it may not be read."""
    if _HAS_PROC:
        try:
            return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            return ""  # another user's, or gone
    return subprocess.run(
        ["ps", "-E", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    ).stdout  # fmt: skip
