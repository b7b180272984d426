"""The end of the stage that a session shares: killed, mended, taken down. No file that shares it comes after this."""

from __future__ import annotations

import os
import signal

import pytest

from local.emulator import lifecycle
from local.emulator.process import BackgroundProcess, processes_of
from tests.e2e.conftest import Etl

pytestmark = pytest.mark.e2e

DAILY = "regional-global-daily"


def test_a_killed_emulator_is_said_in_one_line_up_mends_it_and_down_leaves_no_process(etl: Etl) -> None:
    endpoint = lifecycle.running(etl.state)
    assert endpoint is not None
    os.killpg(endpoint.pgid, signal.SIGKILL)
    assert "etl up" in etl.fail("query", "SELECT 1")
    etl.succeed("up")
    assert etl.rows("SELECT count(*) AS n FROM songs") == [{"n": 0}]
    assert DAILY in etl.succeed("run", "--chart", DAILY)
    records = [record for name in ("emulator", "spotify") if (record := BackgroundProcess(name, etl.state).running())]
    assert len(records) == 2
    etl.succeed("down")
    assert [process for record in records for process in processes_of(record)] == []
    assert "etl up" in etl.fail("status")
