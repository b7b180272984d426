"""The Spotify stand-in of the local stage, as a background process."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass

from cli.command_name import REPOSITORY
from cli.local_state import state_dir
from local.emulator.errors import EmulatorError
from local.emulator.process import BackgroundProcess, Record

_HOST = "127.0.0.1"
_PORT_TAKEN = "cannot listen"
_START_SECONDS = 60


@dataclass(frozen=True)
class StandIn:
    """The Spotify stand-in of the local stage, as a background process."""

    process: BackgroundProcess

    @classmethod
    def of_local_stage(cls) -> StandIn:
        """The one whose records lie in the state folder."""
        return cls(BackgroundProcess("spotify", state_dir()))

    def running(self) -> Record | None:
        """Its record, if it runs and answers."""
        record = self.process.running()
        return record if record is not None and _answers(record.facts.get("url", "")) else None

    def start(self, *, port: int | None) -> Record:
        """Start it, at `port` if that is free (what is deployed points there), else at any. Raises EmulatorError."""
        with self.process.locked():
            if (record := self.running()) is not None:
                return record
            self.process.stop(deadline_seconds=5)
            if port is not None and _is_free(port):
                return self._start_at(port)
            try:
                return self._start_at(_free_port())
            except EmulatorError as error:
                # Another program may take a free port in the moment between finding and binding it.
                if _PORT_TAKEN not in error.details:
                    raise
                return self._start_at(_free_port())

    def _start_at(self, port: int) -> Record:
        return self.process.start(
            ["-m", "local.spotify", "--port", str(port)],
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
            cwd=REPOSITORY,
            ready=lambda record: _answers(record.facts["url"]),
            deadline_seconds=_START_SECONDS,
            facts={"url": f"http://{_HOST}:{port}"},
        )

    def stop(self) -> bool:
        """End it; whether it ran."""
        if not self.process.state_dir.exists():
            return False
        with self.process.locked():
            return self.process.stop()


def _answers(url: str) -> bool:
    if not url:
        return False
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/_control/settings", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
