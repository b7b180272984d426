"""A user with chart files only: songs by name, then, with credentials, albums and artists, one call a song."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.emulator import lifecycle
from local.spotify.api import CLIENT_ID, CLIENT_SECRET
from local.spotify.model import chart
from tests.chart_files import write_chart_file
from tests.e2e.conftest import Etl, local_stage
from tests.e2e.secure_stage import eventually
from tests.payloads import REPOSITORY

pytestmark = pytest.mark.e2e

MODEL = "regional-us-daily"
CHART = "csv-only-daily"
DATES = (date(2025, 3, 1), date(2025, 4, 1))
LATER = date(2025, 9, 1)
SONGS = {entry.song.id: entry.song for day in DATES for entry in chart(MODEL, day)}


def write(folder: Path, *days: date) -> Path:
    for day in days:
        path = write_chart_file(folder, MODEL, day)
        path.rename(folder / f"{CHART}-{day}.csv")
    return folder


def import_files(etl: Etl, folder: Path, *days: date) -> str:
    return "".join(
        etl.succeed("import", write(folder, day) / f"{CHART}-{day}.csv", "--chart", CHART, "--chart-date", day)
        for day in days
    )


def calls(etl: Etl) -> Counter[str]:
    """How often each song was asked about."""
    requests = etl.control_spotify("GET", "requests")
    return Counter(
        call["path"].removeprefix("/v1/tracks/") for call in requests if call["path"].startswith("/v1/tracks/")
    )


def songs(etl: Etl) -> dict[str, dict[str, Any]]:
    rows = etl.rows(
        f"""
        SELECT s.song_id, s.name, s.detail, al.name AS album,
               array_join(array_agg(ar.name ORDER BY sa.artist_position), '|') AS artists
        FROM songs AS s
        LEFT JOIN albums AS al ON al.album_id = s.album_id
        LEFT JOIN song_artists AS sa ON sa.song_id = s.song_id
        LEFT JOIN artists AS ar ON ar.artist_id = sa.artist_id
        WHERE s.song_id IN (SELECT song_id FROM chart_entries WHERE chart = '{CHART}')
        GROUP BY s.song_id, s.name, s.detail, al.name
        """
    )
    return {row["song_id"]: row for row in rows}


@pytest.fixture(scope="module")
def etl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etl]:
    """A stage of its own: in the session's, polls have told of some of these songs before."""
    with local_stage(tmp_path_factory.mktemp("enriched")) as command:
        yield command


@pytest.fixture(scope="module")
def imported(etl: Etl, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the import of two chart files says."""
    said = import_files(etl, tmp_path_factory.mktemp("files"), *DATES)
    etl.control_spotify("DELETE", "requests")
    return said


@pytest.fixture(scope="module")
def enriched(etl: Etl, imported: str) -> str:
    """What is said by a run that goes on where another one was broken off."""
    assert imported
    etl.control_spotify("POST", "faults", [{"kind": "not_found", "path": f"^/v1/tracks/{gone_song()}$", "times": None}])
    etl.control_spotify("POST", "faults", [{"kind": "slow", "seconds": 0.3, "path": "^/v1/tracks/", "times": 20}])
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "enrich"],
        cwd=etl.state,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "ETL_STATE_DIR": str(etl.state)},
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: len(calls(etl)) >= 3, what="three songs were asked about")
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "the same command goes on" in told
    try:
        return etl.succeed("enrich")
    finally:
        etl.control_spotify("DELETE", "faults")


def gone_song() -> str:
    """A song of the older chart only, so that it is never refreshed."""
    newest = {entry.song.id for entry in chart(MODEL, DATES[-1])}
    return min(SONGS.keys() - newest)


def test_chart_files_alone_give_songs_by_name_and_say_what_completes_them(etl: Etl, imported: str) -> None:
    held = songs(etl)
    assert {song_id: row["name"] for song_id, row in held.items()} == {one.id: one.name for one in SONGS.values()}
    assert {(row["detail"], row["album"], row["artists"]) for row in held.values()} == {("csv", None, None)}
    assert "wait for album and artists" in imported
    assert "etl enrich --stage local`" in imported


def test_a_dry_run_says_what_it_costs_and_asks_nothing(etl: Etl, imported: str) -> None:
    assert imported
    said = etl.succeed("enrich", "--dry-run", "--max-calls", 20)
    assert "calls a run: " in said
    assert "days at one run a day" in said
    assert said.endswith("nothing was asked\n")
    assert etl.control_spotify("GET", "requests") == []


def test_without_credentials_it_is_one_line_with_the_remedy(etl: Etl, imported: str) -> None:
    assert imported
    endpoint = lifecycle.running(etl.state)
    assert endpoint is not None
    endpoint.client("ssm").delete_parameter(Name="/spotify-etl/local/spotify")
    try:
        assert "etl credentials --stage local`" in etl.fail("enrich")
        assert "songs waiting for album and artists" in etl.succeed("status")
    finally:
        done = etl("credentials", stdin=f"{CLIENT_ID}\n{CLIENT_SECRET}\n")
    assert done.returncode == 0, done.stderr


def test_every_distinct_song_costs_one_call_though_the_run_was_broken_off(etl: Etl, enriched: str) -> None:
    asked = calls(etl)
    assert set(asked) >= SONGS.keys()
    assert set(asked.values()) == {1}
    assert "songs told of" in enriched
    assert "0 songs left" in enriched


@pytest.mark.usefixtures("enriched")
def test_songs_have_the_albums_and_artists_that_spotify_tells_and_a_gone_one_stays_as_its_file_has_it(
    etl: Etl,
) -> None:
    held = songs(etl)
    lost = held.pop(gone_song())
    assert (lost["detail"], lost["album"]) == ("csv", None)
    assert held == {
        song_id: {
            "song_id": song_id,
            "name": SONGS[song_id].name,
            "detail": "api",
            "album": SONGS[song_id].album.name,
            "artists": "|".join(artist.name for artist in SONGS[song_id].artists),
        }
        for song_id in SONGS.keys() - {gone_song()}
    }


@pytest.mark.usefixtures("enriched")
def test_a_second_run_makes_no_call_and_changes_no_byte(etl: Etl) -> None:
    before = len(etl.control_spotify("GET", "requests"))
    tables, raw = etl.objects("warehouse"), etl.objects("raw")
    assert "nothing to ask" in etl.succeed("enrich")
    assert len(etl.control_spotify("GET", "requests")) == before
    assert (etl.objects("warehouse"), etl.objects("raw")) == (tables, raw)


@pytest.mark.usefixtures("enriched")
def test_importing_the_same_and_newer_files_erases_nothing(etl: Etl, tmp_path: Path) -> None:
    before = songs(etl)
    import_files(etl, tmp_path, *DATES, DATES[-1] + timedelta(days=1))
    after = songs(etl)
    assert {song_id: after[song_id] for song_id in before} == before


@pytest.mark.usefixtures("enriched")
def test_six_hours_of_retry_after_end_the_run_and_no_call_is_made_before(etl: Etl, tmp_path: Path) -> None:
    import_files(etl, tmp_path, LATER)
    etl.control_spotify("DELETE", "requests")
    etl.control_spotify("POST", "faults", [{"kind": "quota_exceeded", "path": "^/v1/tracks/", "retry_after": 21600}])
    assert "6 h 0 min" in etl.fail("enrich")
    made = len(etl.control_spotify("GET", "requests"))
    assert made == 2
    assert "is not asked before" in etl.fail("enrich")
    assert len(etl.control_spotify("GET", "requests")) == made
    etl.s3.delete_object(Bucket=etl.bucket("raw"), Key="state/web_api.json")
    assert "0 songs left" in etl.succeed("enrich")
    assert set(calls(etl).values()) <= {1, 2}


@pytest.mark.usefixtures("enriched")
def test_an_answer_that_cannot_be_used_is_on_record_and_the_song_stays_as_it_was(etl: Etl) -> None:
    song_id = "0" * 21 + "A"
    key = f"cache/tracks/{song_id}.json.gz"
    etl.s3.put_object(Bucket=etl.bucket("raw"), Key=key, Body=b"not gzip")
    waiter = etl.s3.get_waiter("object_exists")
    waiter.wait(Bucket=etl.bucket("raw"), Key=f"quarantine/{key}.json", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert "not gzip" in json.loads(etl.objects("raw")[f"quarantine/{key}.json"])["reason"]
    for left in (key, f"quarantine/{key}.json"):
        etl.s3.delete_object(Bucket=etl.bucket("raw"), Key=left)
