"""Six hours of Retry-After, as a user of the local stage sees them: who calls, who says until when, what lifts it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lambdas.core.keys import STATE_PREFIX, chart_prefix, state_key
from local.spotify.api import CLIENT_ID, CLIENT_SECRET
from tests.chart_files import write_chart_file
from tests.e2e.conftest import Etl

pytestmark = pytest.mark.e2e

DAILY = "regional-global-daily"
SIX_HOURS = 21_600


@pytest.fixture
def unheld(etl: Etl) -> Iterator[Etl]:
    """The stage with its daily chart not held, and nothing remembered of rate limits; again so in the end."""
    for prefix in (chart_prefix(DAILY), STATE_PREFIX):
        _delete(etl, prefix)
    yield etl
    etl.control_spotify("DELETE", "faults")
    _delete(etl, STATE_PREFIX)
    etl.succeed("run")


def _delete(etl: Etl, prefix: str) -> None:
    for key in etl.objects("raw"):
        if key.startswith(prefix):
            etl.s3.delete_object(Bucket=etl.bucket("raw"), Key=key)


def calls(etl: Etl) -> int:
    return len(etl.control_spotify("GET", "requests"))


def credentials(etl: Etl, client_id: str, client_secret: str = CLIENT_SECRET) -> str:
    done = etl("credentials", stdin=f"{client_id}\n{client_secret}\n")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nobody_calls_before_the_time_is_over_and_everybody_says_until_when(unheld: Etl, tmp_path: Path) -> None:
    etl = unheld
    write_chart_file(tmp_path, "regional-fi-daily", date(2026, 2, 27))
    etl.succeed("import", tmp_path)  # songs that wait, so that an enrichment has something to ask
    etl.control_spotify("POST", "faults", [{"kind": "rate_limited", "retry_after": SIX_HOURS}])
    before = calls(etl)

    met = etl.fail("run", "--chart", DAILY)
    made = calls(etl)
    state = json.loads(etl.objects("raw")[state_key("web_api")])
    until = datetime.fromisoformat(state["until"])
    again = etl.fail("run", "--chart", DAILY)
    enriched = etl.fail("enrich")
    doctor = etl("doctor")
    status = etl.succeed("status")

    assert made - before == 2
    assert calls(etl) == made
    assert abs(until - datetime.now(UTC) - timedelta(seconds=SIX_HOURS)) < timedelta(minutes=2)
    told = f"{until:%Y-%m-%d %H:%M:%S} UTC"
    assert "429), and Spotify asks to wait 6 h 0 min, until " in met
    for text in (again, enriched, doctor.stdout, status):
        assert f"not asked before {told} (5 h 59 min from now)" in text or (
            f"not asked before {told} (6 h 0 min from now)" in text
        )
    lines = doctor.stdout.splitlines()
    assert doctor.returncode == 0, doctor.stdout
    assert [line[:8].strip() for line in lines if " Spotify: " in line] == ["skipped"]
    assert [line[:8].strip() for line in lines if " rate limit of " in line] == ["warning"]


def test_another_apps_credentials_lift_the_block_and_the_same_apps_do_not(unheld: Etl) -> None:
    etl = unheld
    etl.control_spotify("POST", "faults", [{"kind": "quota_exceeded", "retry_after": SIX_HOURS}])
    etl.fail("run", "--chart", DAILY)
    made = calls(etl)

    same = credentials(etl, CLIENT_ID)
    still = etl.fail("run", "--chart", DAILY)
    try:
        other = credentials(etl, "another-app")
        status = etl.succeed("status")
    finally:
        credentials(etl, CLIENT_ID)

    assert "forgotten" not in same
    assert "the app's quota for a day is used up" in still
    assert calls(etl) == made
    assert "the rate limit that the former app met is forgotten" in other
    assert "not asked before" not in status
    etl.succeed("run", "--chart", DAILY)


def test_the_doctor_finds_the_local_stage_well_and_counts_its_own_calls(unheld: Etl) -> None:
    etl = unheld
    etl.succeed("run")
    before = calls(etl)

    said = etl.succeed("doctor")

    marks = {line.split(": ")[0][9:]: line[:8].strip() for line in said.splitlines()[:-1]}
    assert {"FAILED", "skipped"}.isdisjoint(marks.values()), said
    assert marks[f"chart {DAILY}"] == marks["AWS"] == marks["stacks"] == marks["Spotify"] == "ok"
    assert f"{calls(etl) - before} of them just now" in said
    assert "of 2" in next(line for line in said.splitlines() if f" chart {DAILY}" in line)


def test_the_doctor_names_the_wall_and_exits_with_1(unheld: Etl) -> None:
    etl = unheld
    etl.control_spotify("POST", "faults", [{"kind": "forbidden", "path": "^/v1/playlists/"}])

    done = etl("doctor")

    assert done.returncode == 1
    [failed] = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed.startswith(f"FAILED   chart {DAILY}: AccessForbidden: Spotify forbids it: 403")
