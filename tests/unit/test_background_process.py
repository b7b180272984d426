"""A background process of the local stage is started once, found again, and ended with all its descendants."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.emulator.errors import EmulatorError
from local.emulator.process import BackgroundProcess, Record, processes_of

# Starts a child in a session of its own that ignores SIGTERM, tells that it is ready, and waits.
STUBBORN = """
import signal, subprocess, sys, time
from pathlib import Path
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
child += "open('child', 'w').close(); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
while not Path("child").exists():
    time.sleep(0.01)
Path("ready").touch()
time.sleep(600)
"""
WAITING = "from pathlib import Path; import time; Path('ready').touch(); time.sleep(600)"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[BackgroundProcess]:
    process = BackgroundProcess("waiter", tmp_path)
    yield process
    process.stop(deadline_seconds=0)


def start(process: BackgroundProcess, code: str, *, deadline_seconds: float = 20) -> Record:
    return process.start(
        ["-c", code],
        env=dict(os.environ),
        cwd=process.state_dir,
        ready=lambda _: (process.state_dir / "ready").exists(),
        deadline_seconds=deadline_seconds,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_a_started_process_is_found_by_another_object(process: BackgroundProcess) -> None:
    record = start(process, WAITING)
    assert BackgroundProcess("waiter", process.state_dir).running() == record
    assert record.pid != os.getpgid(0)


def test_stop_ends_descendants_that_left_the_group_and_ignore_sigterm(process: BackgroundProcess) -> None:
    record = start(process, STUBBORN)
    members = processes_of(record)
    assert len(members) == 2
    assert process.stop(deadline_seconds=0.5)
    assert processes_of(record) == set()
    assert process.running() is None
    assert not process.stop()


def test_a_killed_process_is_not_running_and_leaves_no_orphan_behind_the_next_start(process: BackgroundProcess) -> None:
    record = start(process, STUBBORN)
    os.kill(record.pid, signal.SIGKILL)
    wait_until(lambda: process.running() is None)
    assert len(processes_of(record)) == 1
    (process.state_dir / "ready").unlink()
    again = start(process, WAITING)
    assert processes_of(record) == set()
    assert process.running() == again


def test_a_recycled_process_id_is_not_taken_for_ours(process: BackgroundProcess) -> None:
    record = start(process, WAITING)
    text = (process.state_dir / "waiter.json").read_text()
    (process.state_dir / "waiter.json").write_text(text.replace(record.started, "1").replace(record.marker, "other"))
    assert process.running() is None
    assert not process.stop()
    assert record.pid in processes_of(record), "another's process was ended"
    (process.state_dir / "waiter.json").write_text(text)


def test_a_process_that_dies_at_once_gives_its_last_line(process: BackgroundProcess) -> None:
    with pytest.raises(EmulatorError, match=r"waiter ended at once \(exit code 3\): no such luck") as caught:
        start(process, "import sys; print('no such luck'); sys.exit(3)")
    assert "no such luck" in caught.value.details
    assert "\n" not in str(caught.value)


def test_a_process_that_is_not_ready_in_time_is_ended(process: BackgroundProcess) -> None:
    with pytest.raises(EmulatorError, match=r"not ready in 0.3 seconds: see .*waiter\.log"):
        start(process, "import time; time.sleep(600)", deadline_seconds=0.3)
    assert process.running() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compares ps with /proc")
def test_ps_tells_the_same_as_proc(process: BackgroundProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has no /proc: the ps branch must find the process and its group too."""
    import shutil

    from local.emulator import process as module

    if shutil.which("ps") is None:
        pytest.skip("no ps on this machine")
    record = start(process, WAITING)
    monkeypatch.setattr(module, "_HAS_PROC", False)
    found = {pid: pgid for pid, pgid, _ in module._processes()}
    assert found[record.pid] == record.pgid
    assert [pid for pid, _, _ in module._processes(record.pid)] == [record.pid]
