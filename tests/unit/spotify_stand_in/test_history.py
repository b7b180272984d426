"""Sample history as files: each is a file that `etl import` takes without being told anything."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lambdas.core.imports import read_import
from local.spotify.history import main, write_history

NOW = datetime(2026, 3, 9, tzinfo=UTC)


def test_each_file_tells_its_chart_and_date(tmp_path: Path) -> None:
    written = write_history(tmp_path, chart="regional-global-daily", before=date(2026, 3, 6), days=3)
    documents = [read_import(path.read_bytes(), name=path.name, received_at=NOW).document for path in written]
    assert [document.chart_date for document in documents] == [date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)]
    assert {document.chart for document in documents} == {"regional-global-daily"}
    assert not any(document.partial for document in documents)


def test_a_weekly_chart_has_one_file_a_week_and_leaves_the_newest_to_a_poll(tmp_path: Path) -> None:
    written = write_history(tmp_path, chart="regional-global-weekly", before=date(2026, 3, 14), days=14)
    assert [path.name for path in written] == [
        "regional-global-weekly-2026-02-26.json",
        "regional-global-weekly-2026-03-05.json",
    ]


def test_writing_again_leaves_what_is_there(tmp_path: Path) -> None:
    (path,) = write_history(tmp_path, chart="regional-global-daily", before=date(2026, 3, 6), days=1)
    before = path.stat().st_mtime_ns
    write_history(tmp_path, chart="regional-global-daily", before=date(2026, 3, 6), days=1)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--chart", "nope"], "no sample chart 'nope'"),
        (["--before", "2017-01-07"], "the sample charts begin on 2017-01-06"),
    ],
)
def test_what_cannot_be_had_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main([str(tmp_path), *arguments]) == 1
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1
