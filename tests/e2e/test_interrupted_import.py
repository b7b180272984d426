"""An import that is killed again and again, and resumed: nothing lost, nothing twice.

The size is small here; `IMPORT_FILES=5000 IMPORT_KILLS=10` makes it as large as a folder of years of charts.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from lambdas.core.keys import RAW_PREFIX, parse_raw_key
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.documents import csv_file, csv_row
from tests.e2e.conftest import Etl
from tests.fakes import MemoryStore
from tests.payloads import REPOSITORY

pytestmark = pytest.mark.e2e

FILES = int(os.environ.get("IMPORT_FILES", "120"))
KILLS = int(os.environ.get("IMPORT_KILLS", "3"))
REGIONS = ("ad", "bo", "cr", "do", "ec", "gt")
POSITIONS = 20
SECONDS_TO_BEGIN = 60


def write_files(folder: Path) -> set[tuple[str, date]]:
    """Official files of several regions; the charts and dates they are of."""
    told = set()
    for number in range(FILES):
        region, day = REGIONS[number % len(REGIONS)], date(2019, 1, 1) + timedelta(days=number // len(REGIONS))
        rows = [csv_row(place, f"{region} {number + place}") for place in range(1, POSITIONS + 1)]
        (folder / f"regional-{region}-daily-{day}.csv").write_text(csv_file(rows), "utf-8")
        told.add((f"regional-{region}-daily", day))
    return told


def raw_keys(etl: Etl, charts: set[str]) -> list[str]:
    """Keys of the charts' raw documents."""
    pages = etl.s3.get_paginator("list_objects_v2").paginate(Bucket=etl.bucket("raw"), Prefix=RAW_PREFIX)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return [key for key in keys if parse_raw_key(key).chart in charts]


def kill_within(etl: Etl, folder: Path, *, uploaded: int, charts: set[str]) -> None:
    """Begin the import, and kill it (SIGKILL) once so many documents are there; or when it is done, if it is faster."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "ETL_STATE_DIR": str(etl.state)}
    command = [sys.executable, "-P", "-m", "cli", "import", str(folder)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + SECONDS_TO_BEGIN
        while len(raw_keys(etl, charts)) < uploaded and running.poll() is None:
            assert time.monotonic() < deadline, "the import does not come forward"
        running.kill()


def test_an_import_killed_at_random_moments_and_resumed_gives_the_tables_of_an_undisturbed_one(
    etl: Etl, tmp_path: Path
) -> None:
    told = write_files(tmp_path)
    charts = {chart for chart, _ in told}
    moments = sorted(random.Random(5).sample(range(1, FILES), KILLS))
    for uploaded in moments:
        kill_within(etl, tmp_path, uploaded=uploaded, charts=charts)
    survived = len(raw_keys(etl, charts))
    assert survived >= moments[-1], "what was uploaded is there"
    assert f"{FILES:,} files: " in (done := etl.succeed("import", tmp_path))
    assert f"{FILES:,} documents are in the tables" in done

    raw, undisturbed = MemoryStore(), MemoryStore()
    raw.objects = {key: body for key, body in etl.objects("raw").items() if key.startswith(RAW_PREFIX)}
    keys = [parse_raw_key(key) for key in raw.objects]
    assert sorted((key.chart, key.chart_date) for key in keys if key.chart in charts) == sorted(told)
    for (chart, year), dates in group_by_chart_year(keys).items():
        Warehouse(raw=raw, tables=undisturbed).load(chart, year, dates)
    assert etl.objects("warehouse") == undisturbed.objects
