"""The whole pipeline, deployed by the real CDK CLI to the emulator, through the command a user types."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.keys import state_key
from local.emulator import lifecycle
from local.emulator.process import BackgroundProcess
from local.spotify.history import write_history
from local.spotify.model import chart
from tests.contract.test_real_chart_files import FILES, GIVEN, PLACES, TOLD, expected_entries
from tests.contract.test_real_payloads import CHARTS, NOT_CHARTS, day_of, expected_rows
from tests.documents import csv_file, csv_row
from tests.e2e.conftest import Etl
from tests.e2e.secure_stage import eventually
from tests.payloads import PAYLOADS, REPOSITORY, requires_payloads

pytestmark = pytest.mark.e2e

DAILY, WEEKLY = "regional-global-daily", "regional-global-weekly"


@pytest.fixture(scope="session")
def polled(etl: Etl) -> str:
    """What the first `etl run` of the session prints."""
    return etl.succeed("run")


def test_run_polls_every_chart_and_prints_the_top_10_that_spotify_shows(etl: Etl, polled: str) -> None:
    (newest,) = etl.rows(f"SELECT max(chart_date) AS newest FROM chart_entries WHERE chart = '{DAILY}'")
    shown = chart(DAILY, datetime.fromisoformat(newest["newest"]).date())
    for entry in shown[:10]:
        assert entry.song.name[:20] in polled
    held = etl.rows(f"SELECT position, song_id FROM chart_entries WHERE chart = '{DAILY}' ORDER BY position")
    assert [(row["position"], row["song_id"]) for row in held] == [(entry.position, entry.song.id) for entry in shown]


@pytest.mark.usefixtures("polled")
def test_run_twice_on_one_day_keeps_one_snapshot_and_calls_spotify_no_more(etl: Etl) -> None:
    calls = len(etl.control_spotify("GET", "requests"))
    before = etl.objects("warehouse")
    assert "held already" in etl.succeed("run")
    assert len(etl.control_spotify("GET", "requests")) == calls
    assert etl.objects("warehouse") == before
    rows = etl.rows("SELECT chart, count(*) AS snapshots FROM snapshots GROUP BY chart ORDER BY chart")
    assert {row["chart"]: row["snapshots"] for row in rows if row["chart"].startswith("regional-global")} == {
        DAILY: 1,
        WEEKLY: 1,
    }


@pytest.mark.usefixtures("polled")
def test_sql_joins_all_six_tables_with_typed_values(etl: Etl) -> None:
    rows = etl.rows(
        f"""
        SELECT e.position, s.name AS song, al.name AS album, a.name AS artist, sa.artist_position, e.chart_date,
               s.explicit, s.duration_ms, e.streams, sn.verdict
        FROM chart_entries AS e
        JOIN songs AS s ON s.song_id = e.song_id
        JOIN albums AS al ON al.album_id = s.album_id
        JOIN song_artists AS sa ON sa.song_id = s.song_id
        JOIN artists AS a ON a.artist_id = sa.artist_id
        JOIN snapshots AS sn ON sn.chart = e.chart AND sn.chart_date = e.chart_date
        WHERE e.chart = '{DAILY}'
        ORDER BY e.position, sa.artist_position
        """
    )
    day = datetime.fromisoformat(rows[0]["chart_date"]).date()
    expected = [
        (entry.position, entry.song.name, artist.name) for entry in chart(DAILY, day) for artist in entry.song.artists
    ]
    assert [(row["position"], row["song"], row["artist"]) for row in rows] == expected
    first = rows[0]
    assert (first["position"], first["artist_position"], first["streams"], first["verdict"]) == (
        1,
        1,
        None,
        "published",
    )
    assert isinstance(first["explicit"], bool)
    assert isinstance(first["duration_ms"], int)


def test_history_is_imported_and_movement_is_told(etl: Etl, tmp_path: Path) -> None:
    before = datetime.now(UTC).date()
    write_history(tmp_path, chart="regional-us-daily", before=before, days=3)
    said = etl.succeed("import", tmp_path, "--chart", "regional-us-daily")
    assert said.count("regional-us-daily") >= 3
    answer = etl.rows("SELECT count(DISTINCT chart_date) AS days FROM chart_entries WHERE chart = 'regional-us-daily'")
    assert answer == [{"days": 3}]
    top = json.loads(etl.succeed("query", "todays_top_10", "--param", "chart=regional-us-daily", "--format", "json"))
    assert all(row["movement"] for row in top)
    assert top[0]["chart_date"] == (before - timedelta(days=2)).isoformat()


def imported(etl: Etl, name: str) -> str:
    return etl.succeed(
        "import", PAYLOADS / name, "--partial", "--chart-date", day_of(name), "--chart", f"real-{CHARTS.index(name)}"
    )


@requires_payloads
def test_every_real_playlist_is_imported_exactly_and_again_in_any_order_changes_no_byte(etl: Etl) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: imported(etl, name), CHARTS))
    entries = etl.rows("SELECT chart, position, song_id FROM chart_entries WHERE chart LIKE 'real-%' ORDER BY 1, 2")
    pairs = {
        (row["song_id"], row["artist_position"], row["artist_id"])
        for row in etl.rows("SELECT song_id, artist_position, artist_id FROM song_artists")
    }
    names = {
        kind: {row["id"]: row["name"] for row in etl.rows(f"SELECT {kind}_id AS id, name FROM {kind}s")}
        for kind in ("song", "album", "artist")
    }
    for index, name in enumerate(CHARTS):
        expected = expected_rows(name)
        held = [(row["position"], row["song_id"]) for row in entries if row["chart"] == f"real-{index}"]
        assert held == expected["positions"], name
        assert set(expected["pairs"]) == {pair for pair in pairs if pair[0] in expected["songs"]}, name
        for kind in ("song", "album", "artist"):
            assert set(expected[f"{kind}s"]) <= set(names[kind]), (name, kind)
    warehouse, raw = etl.objects("warehouse"), etl.objects("raw")
    for seed in (1, 2):
        again = random.Random(seed).sample(CHARTS, len(CHARTS))
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda name: imported(etl, name), again))
    assert etl.objects("raw") == raw
    assert etl.objects("warehouse") == warehouse


@requires_payloads
def test_every_real_chart_file_is_imported_exactly_answers_without_albums_and_again_changes_no_byte(etl: Etl) -> None:
    def import_all() -> str:
        """As a user does: all at once, then those that do not tell their day by the commands that are printed."""
        done = etl("import", *(PAYLOADS / name for name in FILES))
        assert done.returncode == 1
        said = done.stdout
        for line in said.splitlines():
            if line.startswith("  ") and "YYYY-MM-DD" in line:
                words = shlex.split(line)[shlex.split(line).index("import") :]
                chart_date = str(GIVEN[Path(words[1]).name][1])
                said += etl.succeed(*(word.replace("YYYY-MM-DD", chart_date) for word in words))
        return said

    said = import_all()
    assert f"{len(FILES)} files: {len(TOLD)} new, 0 already held, {len(GIVEN)} refused" in said
    assert said.count("200 positions") == len(FILES)
    assert "13 damaged texts left out" in said
    entries = etl.rows(
        f"""
        SELECT chart, chart_date, position, song_id, streams, official_previous_position, official_peak_position,
               official_periods_on_chart, label
        FROM chart_entries
        WHERE provider = 'charts_csv' AND chart IN ({", ".join(sorted({f"'{chart}'" for chart, _ in PLACES.values()}))})
        ORDER BY chart, chart_date, position
        """
    )
    expected = [
        (chart, str(chart_date), *entry)
        for name, (chart, chart_date) in sorted(PLACES.items(), key=lambda item: item[1])
        for entry in expected_entries(name)
    ]
    assert [tuple(row.values()) for row in entries] == expected
    top = json.loads(etl.succeed("query", "todays_top_10", "--param", "chart=regional-pk-daily", "--format", "json"))
    assert [(row["position"], row["movement"], row["song"], row["artists"]) for row in top[:2]] == [
        (1, "+4", "Gal Sun", "Sabat Batin, Rackstar"),
        (2, "-1", "Haseen", "Talwiinder, NDS, Rippy Grewal"),
    ]
    assert etl.rows("SELECT name FROM songs WHERE artist_names = 'Tyler, The Creator, Kali Uchis'")
    warehouse, raw = etl.objects("warehouse"), etl.objects("raw")
    assert import_all().count("already held\n") >= len(FILES)
    assert etl.objects("raw") == raw
    assert etl.objects("warehouse") == warehouse


@pytest.mark.usefixtures("polled")
def test_damaged_and_missing_tables_are_made_anew_to_the_byte_from_the_raw_documents(etl: Etl) -> None:
    etl.succeed("rebuild")  # other tests of the session delete documents
    before, raw, calls = etl.objects("warehouse"), etl.objects("raw"), len(etl.control_spotify("GET", "requests"))
    assert "0 replaced" in etl.succeed("rebuild")
    newest = max(key for key in before if key.startswith("chart_entries/") and DAILY in key)
    bucket = etl.bucket("warehouse")
    etl.s3.put_object(Bucket=bucket, Key="songs/songs.parquet", Body=before["songs/songs.parquet"][:500])
    etl.s3.delete_object(Bucket=bucket, Key=newest)
    damaged = etl.objects("warehouse")
    said = etl.succeed("rebuild", "--dry-run")
    assert "2 would be replaced; nothing was written" in said
    assert etl.objects("warehouse") == damaged
    said = etl.succeed("rebuild")
    assert "could not be read" in said
    assert "was missing" in said
    assert etl.objects("warehouse") == before
    assert etl.objects("raw") == raw
    assert len(etl.control_spotify("GET", "requests")) == calls
    assert "no documents of no-such-chart" in etl.fail("rebuild", "--chart", "no-such-chart")


@requires_payloads
def test_files_that_are_no_charts_are_refused_by_a_line_each_and_write_nothing(etl: Etl) -> None:
    before = etl.objects("raw")
    done = etl("import", *(PAYLOADS / name for name in NOT_CHARTS))
    assert done.returncode == 1
    lines = (done.stdout + done.stderr).splitlines()
    for name in NOT_CHARTS:
        assert len([line for line in lines if name[-24:] in line and "refused" in line]) == 1, name
    assert etl.objects("raw") == before


@pytest.mark.usefixtures("polled")
def test_a_document_written_around_the_command_that_cannot_be_used_is_kept_with_its_reason(etl: Etl) -> None:
    key = "raw/chart=road-trip/date=2026-03-05/20260306T060000Z-playlist-0123456789abcdef.json.gz"
    etl.s3.put_object(Bucket=etl.bucket("raw"), Key=key, Body=b"not gzip")
    waiter = etl.s3.get_waiter("object_exists")
    waiter.wait(Bucket=etl.bucket("raw"), Key=f"quarantine/{key}.json", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    record = json.loads(etl.objects("raw")[f"quarantine/{key}.json"])
    assert "not gzip" in record["reason"]
    assert "1" in etl.succeed("status")


def test_dropped_files_are_queried_and_a_bad_one_beside_them_is_kept_with_its_reason(etl: Etl, tmp_path: Path) -> None:
    body = csv_file([csv_row(1, "a"), csv_row(3, "b"), csv_row(4, "c")]).encode()
    good = ["inbox/chart=dropped/date=2026-03-07/list 1+2 ü.csv", "inbox/regional-dk-daily-2026-03-07.csv"]
    bad = "inbox/chart=BAD NAME/list.csv"
    for key in (bad, *good):
        etl.s3.put_object(Bucket=etl.bucket("raw"), Key=key, Body=body)

    def loaded() -> list[dict[str, Any]]:
        rows = etl.rows(
            """
            SELECT chart, chart_date, position FROM chart_entries
            WHERE chart IN ('dropped', 'regional-dk-daily') ORDER BY chart, position
            """
        )
        return rows if len({row["chart"] for row in rows}) == 2 else []

    assert [tuple(row.values()) for row in eventually(loaded, what="the files are in the tables")] == [
        (chart, "2026-03-07", position) for chart in ("dropped", "regional-dk-daily") for position in (1, 3, 4)
    ]
    record = eventually(
        lambda: etl.objects("raw").get(f"quarantine/{bad}.json", b""), what="the bad file is in quarantine"
    )
    assert "'BAD NAME' cannot name a chart" in json.loads(record)["reason"]
    raw = etl.objects("raw")
    assert {key: raw[key] for key in (bad, *good)} == dict.fromkeys((bad, *good), body)
    status = etl.succeed("status")
    assert f"s3://{etl.bucket('raw')}/inbox/\n" in status
    for label in ("files waiting for", "dead letters of"):
        assert re.search(rf"^{label} the import_chart function +0\b", status, re.M)

    at_the_desk = tmp_path / "list.csv"
    at_the_desk.write_bytes(body)
    said = etl.succeed("import", at_the_desk, "--chart", "dropped", "--chart-date", "2026-03-07")
    assert said.startswith("list.csv  dropped  2026-03-07  3 positions, 1 missing  already held\n")
    assert etl.objects("raw") == raw


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "forbidden"}, "403"),
        ({"kind": "not_found"}, "closed since 2024-11-27"),
        ({"kind": "empty"}, "no entries"),
        ({"kind": "rate_limited", "retry_after": 21600}, "6 h"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else None,
)
@pytest.mark.usefixtures("polled")
def test_each_wall_of_spotifys_is_one_line_and_stores_nothing(etl: Etl, fault: dict[str, Any], said: str) -> None:
    weekly = f"raw/chart={WEEKLY}/"
    for key in etl.objects("raw"):
        if key.startswith(weekly):
            etl.s3.delete_object(Bucket=etl.bucket("raw"), Key=key)
    etl.control_spotify("POST", "faults", [fault | {"times": None}])
    try:
        assert said in etl.fail("run", "--chart", WEEKLY)
    finally:
        etl.control_spotify("DELETE", "faults")
        # A rate limit is remembered, and would stop the polls of the tests to come.
        etl.s3.delete_object(Bucket=etl.bucket("raw"), Key=state_key("web_api"))
    assert not [key for key in etl.objects("raw") if key.startswith(weekly)]


@pytest.mark.usefixtures("polled")
def test_a_chart_whose_playlist_is_closed_is_served_by_the_public_charts_and_the_table_says_so(etl: Etl) -> None:
    for key in etl.objects("raw"):
        if key.startswith(f"raw/chart={WEEKLY}/"):
            etl.s3.delete_object(Bucket=etl.bucket("raw"), Key=key)
    sent = json.loads((REPOSITORY / "tests" / "events" / "schedule_with_fallback.json").read_text("utf-8"))
    etl.control_spotify("POST", "faults", [{"kind": "not_found", "path": "^/v1/playlists/", "times": None}])
    try:
        polled = etl.invoke("Extract", sent)
        again = etl.invoke("Extract", sent)
    finally:
        etl.control_spotify("DELETE", "faults")
    assert (polled["outcome"], again["outcome"], again["calls"]) == ("stored", "held", 0)
    assert "stored from public_charts in 3 calls" in polled["message"]
    assert "playlist did not serve it: " in polled["message"]
    rows = eventually(
        lambda: etl.rows(
            f"""
            SELECT e.position, e.song_id, s.name, sn.raw_key
            FROM chart_entries AS e
            JOIN songs AS s ON s.song_id = e.song_id
            JOIN snapshots AS sn
                ON sn.chart = e.chart AND sn.chart_date = e.chart_date AND sn.verdict = 'published'
            WHERE e.chart = '{WEEKLY}' AND e.provider = 'public_charts'
                AND e.chart_date = DATE '{polled["chart_date"]}'
            ORDER BY e.position
            """
        ),
        what="the public chart is in the tables",
    )
    shown = chart(WEEKLY, datetime.fromisoformat(polled["chart_date"]).date())
    assert [(row["position"], row["song_id"], row["name"]) for row in rows] == [
        (entry.position, entry.song.id, entry.song.name) for entry in shown
    ]
    assert {row["raw_key"] for row in rows} == {polled["raw_key"]}
    (line,) = [line for line in etl.succeed("charts").splitlines() if line.startswith(WEEKLY)]
    assert "public_charts" in line


@requires_payloads
def test_a_saved_answer_of_the_public_charts_is_imported_with_its_own_date(etl: Etl) -> None:
    answer = PAYLOADS / "public-charts-endpoint_2024-10-24.json"
    assert "regional-global-weekly  2024-10-24  50 positions  new" in etl.succeed("import", answer)
    (songs,) = [
        one["entries"]
        for one in json.loads(answer.read_text("utf-8"))["chartEntryViewResponses"]
        if one["displayChart"]["chartMetadata"]["entityType"] == "TRACK"
    ]
    rows = etl.rows(
        f"""
        SELECT position, song_id
        FROM chart_entries
        WHERE chart = '{WEEKLY}' AND chart_date = DATE '2024-10-24'
        ORDER BY position
        """
    )
    assert [tuple(row.values()) for row in rows] == [
        (told["chartEntryData"]["currentRank"], told["trackMetadata"]["trackUri"].removeprefix("spotify:track:"))
        for told in songs
    ]
    assert "already held" in etl.succeed("import", answer)


@pytest.mark.usefixtures("polled")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["query", "todays_top_100"], "todays_top_10"),
        (["query", "SELECT nope FROM songs"], "nope"),
        (["query", "SELECT 1 FROM nowhere"], "nowhere"),
        (["query", "SELEC 1"], "SELEC"),
        (["query", "CREATE VIEW v AS SELECT 1 AS one"], "CREATE"),
        (["run", "--chart", "nope"], DAILY),
        (["status", "--stage", "nope"], "local"),
        (["import", "no-such-file.json"], "no-such-file.json"),
        (["destroy", "--stage", "prod"], "prod"),
    ],
)
def test_a_users_mistake_is_one_line_that_says_what_there_is(etl: Etl, arguments: list[str], said: str) -> None:
    assert said in etl.fail(*arguments)


@pytest.mark.usefixtures("polled")
def test_charts_and_status_show_what_is_there(etl: Etl) -> None:
    charts = etl.succeed("charts")
    assert DAILY in charts
    status = etl.succeed("status")
    for table in ("chart_entries", "snapshots", "songs", "albums", "artists", "song_artists"):
        assert table in status
    assert "local-secret" not in status


@pytest.mark.usefixtures("polled")
def test_up_again_does_nothing(etl: Etl) -> None:
    before = lifecycle.running(etl.state)
    etl.succeed("up")
    assert lifecycle.running(etl.state) == before


@pytest.mark.usefixtures("polled")
def test_a_killed_stand_in_is_said_in_one_line_and_up_mends_it(etl: Etl) -> None:
    record = BackgroundProcess("spotify", etl.state).running()
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    assert "the Spotify stand-in is not running: `" in etl.fail("run")
    etl.succeed("up")
    etl.succeed("run")


@pytest.mark.usefixtures("polled")
def test_the_command_runs_no_code_of_the_folder_it_is_called_in(etl: Etl) -> None:
    (etl.state / "cli").mkdir()
    (etl.state / "cli" / "__main__.py").write_text("print('another cli')")
    (etl.state / "msgspec.py").write_text("raise SystemExit('another msgspec')")
    assert "warehouse" in etl.succeed("--help")
