"""The stand-in as a process: what the launcher and a person at a terminal see."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.spotify.server import SpotifyStandIn

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "local.spotify"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists():
            return path.read_text(encoding="utf-8")
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("the stand-in did not become ready in 30 s")


@pytest.fixture
def ready_file(tmp_path: Path) -> Path:
    return tmp_path / "ready"


@pytest.fixture
def process(ready_file: Path) -> Iterator[subprocess.Popen[str]]:
    arguments = ["--port", "0", "--today", "2025-01-02", "--era", "both", "--ready-file", str(ready_file)]
    with subprocess.Popen(
        [*COMMAND, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        yield started
        started.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_writes_its_address_serves_and_ends_cleanly(
    process: subprocess.Popen[str], ready_file: Path, stop: signal.Signals
) -> None:
    address = wait_for(ready_file, process).strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
    settings = requests.get(f"{address}/_control/settings", timeout=5).json()
    assert (settings["era"], settings["today"]) == ("both", "2025-01-02")
    process.send_signal(stop)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert address in out
    assert err == ""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads the listening sockets from Linux's /proc")
def test_it_listens_on_loopback_alone(process: subprocess.Popen[str], ready_file: Path) -> None:
    port = int(wait_for(ready_file, process).strip().rsplit(":", 1)[1])
    listening = {
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    }
    assert listening == {f"0100007F:{port:04X}"}


def test_a_taken_port_is_one_clear_line() -> None:
    with SpotifyStandIn() as running:
        refused = run("--port", str(running.port))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"127.0.0.1:{running.port}" in refused.stderr
    assert "--port" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--today", "2016-01-01"], "2017-01-06"),
        (["--chart-size", "500"], "1 to 200"),
        (["--port", "99999"], "--port"),
        (["--ready-file", "/nonexistent-folder/ready"], "--ready-file"),
    ],
)
def test_a_wrong_option_is_one_clear_line(arguments: list[str], says: str) -> None:
    refused = run(*arguments)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert says in refused.stderr


def test_help_names_the_options_and_the_credentials() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    for word in ("--port", "--ready-file", "--era", "--today", "local-client", "/_control/faults"):
        assert word in shown.stdout


def test_a_stand_in_leaves_its_port_free() -> None:
    with SpotifyStandIn() as running:
        port = running.port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
