"""`etl import`: which files, what becomes of each, and what is said about it."""

from __future__ import annotations

import gzip
import json
import os
import shlex
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from cli import importing
from cli.command_name import command_name
from cli.importing import Choices, find_files, import_files, run_import, short_names
from cli.main import build_parser
from cli.redelivery import tell_again
from cli.waiting import Waiting
from lambdas.core.documents import MAX_UNPACKED_BYTES
from lambdas.core.errors import ConfigurationError
from lambdas.core.events import decode_event
from lambdas.core.schema import CHART_ENTRIES
from lambdas.core.warehouse import Warehouse
from tests.buckets import TransformedBuckets
from tests.documents import csv_file, csv_row, entry, page, track
from tests.fakes import MemoryStore
from tests.tables import read_table

NOW = datetime(2026, 3, 7, tzinfo=UTC)
CHART = Choices(chart="road-trip")


class Buckets(TransformedBuckets):
    """Buckets to import into."""

    def __init__(self, *, transforms: bool = True) -> None:
        super().__init__(transforms=transforms)
        self.told_again: list[set[str]] = []

    def run(self, files: list[Path], choices: Choices = CHART) -> int:
        return run_import(
            files,
            choices,
            waiting=self.waiting,
            stage="local",
            tell_again=self.told_again.append,
        )


def write(path: Path, answer: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(answer), "utf-8")
    return path


@pytest.fixture
def top3(tmp_path: Path) -> Path:
    return write(tmp_path / "top3.json", page([entry(track(name)) for name in "abc"]))


def test_folders_give_their_json_and_csv_files_with_subfolders_in_order_and_each_once(tmp_path: Path) -> None:
    for name in (
        "b.json",
        "a.json.gz",
        "sub/c.json",
        "notes.txt",
        "d.jsonl",
        "e.csv",
        "F.CSV",
        "g.csv.gz",
        "h.csv.txt",
    ):
        write(tmp_path / name, {})
    (tmp_path / "folder.json").mkdir()
    found = find_files([tmp_path / "b.json", tmp_path])
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "b.json",
        "F.CSV",
        "a.json.gz",
        "e.csv",
        "g.csv.gz",
        "sub/c.json",
    ]


def test_official_files_in_folders_by_date_come_chart_by_chart_so_that_a_batch_writes_few_objects(
    tmp_path: Path,
) -> None:
    told = ["regional-fr-daily-2019-12-31.csv", "regional-fr-daily-2020-01-01.csv", "regional-us-daily-2019-12-31.csv"]
    for name in told:
        folder = tmp_path / name[-14:-4]
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("", "utf-8")
    write(tmp_path / "z.json", {})
    assert [path.name for path in find_files([tmp_path])] == ["z.json", *told]


def test_a_path_that_is_not_there_and_an_empty_folder_are_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file or folder"):
        find_files([tmp_path / "nope.json"])
    with pytest.raises(ConfigurationError, match=r"holds no \*\.json or \*\.csv files, plain or gzipped"):
        find_files([tmp_path])


def test_a_new_file_is_uploaded_loaded_and_summed_up(top3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    assert buckets.run([top3]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "top3.json  road-trip  2026-03-06  3 positions  new",
        "1 file: 1 new, 0 already held, 0 refused; 1 document is in the tables (0.0 s)",
    ]
    assert [row["position"] for row in read_table(buckets.tables, CHART_ENTRIES)] == [1, 2, 3]


def test_the_same_file_again_writes_nothing(top3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    buckets.run([top3])
    before = len(buckets.raw.writes), len(buckets.tables.writes)
    capsys.readouterr()
    assert buckets.run([top3]) == 0
    assert (len(buckets.raw.writes), len(buckets.tables.writes)) == before
    assert capsys.readouterr().out.startswith("top3.json  road-trip  2026-03-06  3 positions  already held\n")


def test_an_official_csv_is_loaded_by_its_name_alone_and_what_it_lacks_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = Buckets()
    path = tmp_path / "regional-pk-daily-2025-12-01.csv"
    path.write_bytes(csv_file([csv_row(1, "A"), csv_row(3, "Señal", source="Sello de Señal")]).encode("cp1252"))
    assert buckets.run([path], Choices()) == 0
    assert capsys.readouterr().out.splitlines() == [
        "regional-pk-daily-2025-12-01.csv  regional-pk-daily  2025-12-01  2 positions, 1 missing, 2 damaged texts left "
        "out, reaches place 3, where 200 is usual  new",
        "1 file: 1 new, 0 already held, 0 refused; 1 document is in the tables (0.0 s)",
    ]
    assert [row["position"] for row in read_table(buckets.tables, CHART_ENTRIES)] == [1, 3]


def test_a_whole_file_that_lacks_position_142_as_a_real_one_does_loads_199_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = Buckets()
    path = tmp_path / "regional-global-daily-2023-01-05.csv"
    rows = [csv_row(position, f"Song {position}") for position in range(1, 201) if position != 142]
    path.write_bytes(b"\xef\xbb\xbf" + csv_file(rows).replace("\n", "\r\n").encode())

    assert buckets.run([path], Choices()) == 0

    line, *_ = capsys.readouterr().out.splitlines()
    assert line == f"{path.name}  regional-global-daily  2023-01-05  199 positions, 1 missing  new"
    held = [row["position"] for row in read_table(buckets.tables, CHART_ENTRIES)]
    assert held == [position for position in range(1, 201) if position != 142]


def test_a_file_that_does_not_tell_its_day_keeps_no_other_out_and_has_its_command_to_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = Buckets()
    body = csv_file([csv_row(1)])
    names = ["my chart.csv", "regional-global-daily-latest.csv", "regional-pk-daily-2025-12-01.csv"]
    files = [tmp_path / name for name in names]
    for path in files:
        path.write_text(body, "utf-8")

    assert buckets.run(files, Choices()) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("regional-pk-daily-2025-12-01.csv  regional-pk-daily  2025-12-01  1 position")
    assert lines[3].startswith("3 files: 1 new, 0 already held, 2 refused; 1 document is in the tables")
    etl, stage = command_name(), "--stage local"
    assert lines[4:] == [
        "2 files do not tell their chart or day: with the chart's name in place of NAME and the last day counted in "
        "place of YYYY-MM-DD, run",
        f"  {etl} import '{files[0]}' --chart NAME --chart-date YYYY-MM-DD {stage}",
        f"  {etl} import {files[1]} --chart-date YYYY-MM-DD {stage}",
    ]
    command = lines[-1].strip().replace("YYYY-MM-DD", "2020-01-01").removeprefix(f"{etl} ")
    arguments = build_parser().parse_args(shlex.split(command))
    assert buckets.run(arguments.paths, Choices(chart_date=arguments.chart_date)) == 0


def test_a_file_that_tells_neither_is_said_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "download.csv"
    path.write_text(csv_file([csv_row(1)]), "utf-8")

    assert Buckets().run([path], Choices()) == 1

    assert "\n1 file does not tell its chart and day: with the chart's name" in capsys.readouterr().out


def test_what_was_said_of_the_files_is_in_the_command_to_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "download.csv"
    path.write_text(csv_file([csv_row(1)]), "utf-8")

    assert Buckets().run([path], Choices(chart="mine", partial=True, dry_run=True)) == 1

    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f"import {path} --chart mine --partial --chart-date YYYY-MM-DD --stage local")


def test_of_very_many_files_that_do_not_tell_their_day_some_have_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"regional-global-daily-latest ({n}).csv" for n in range(14)]
    for path in files:
        path.write_text(csv_file([csv_row(1)]), "utf-8")

    assert Buckets().run(files, Choices()) == 1

    lines = capsys.readouterr().out.splitlines()
    assert sum(line.endswith("--chart-date YYYY-MM-DD --stage local") for line in lines) == 10
    assert lines[-1] == "  and so on for 4 more files"


@pytest.mark.parametrize(
    ("choices", "option"),
    [(Choices(chart_date=date(2025, 12, 2)), "--chart-date"), (Choices(chart="mine"), "--chart")],
)
def test_what_is_said_of_several_files_does_not_overrule_a_name_that_says_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], choices: Choices, option: str
) -> None:
    buckets = Buckets()
    files = [tmp_path / f"regional-pk-daily-{day}.csv" for day in ("2025-12-01", "2025-12-02")]
    for path in files:
        path.write_text(csv_file([csv_row(1)]), "utf-8")

    assert buckets.run(files, choices) == 1

    first, *_ = capsys.readouterr().out.splitlines()
    assert first == (
        f"{files[0].name}  refused: its name says regional-pk-daily of 2025-12-01, and {option} says otherwise: import "
        f"it without {option}; or alone, if its name is wrong"
    )
    assert {row["chart_date"] for row in read_table(buckets.tables, CHART_ENTRIES)} <= {date(2025, 12, 2)}
    assert buckets.run(files[:1], choices) == 0, "alone it is taken"


def test_of_many_files_only_those_to_look_at_have_a_line_and_each_chart_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for number in range(41):
        rows = [csv_row(1, "A"), csv_row(3 if number == 7 else 2, "B")]
        path = tmp_path / f"regional-{'us' if number % 2 else 'pk'}-daily-2025-12-{number // 2 + 1:02}.csv"
        path.write_text(csv_file(rows), "utf-8")
        files.append(path)
    files.append(write(tmp_path / "song.json", track()))
    assert Buckets().run(files, Choices()) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].strip() for line in lines[:2]] == ["regional-us-daily-2025-12-04.csv", "song.json"]
    assert lines[2:4] == [
        "regional-pk-daily  21 documents  2025-12-01 to 2025-12-21",
        "regional-us-daily  20 documents  2025-12-01 to 2025-12-20",
    ]
    assert len(lines) == 5
    assert Buckets().run(files, Choices(verbose=True)) == 1
    assert len(capsys.readouterr().out.splitlines()) == len(files) + 1


def test_a_gzipped_file_is_the_same_document(top3: Path, tmp_path: Path) -> None:
    packed = tmp_path / "top3.json.gz"
    packed.write_bytes(gzip.compress(top3.read_bytes()))
    outcomes = list(import_files([top3, packed], CHART, raw=MemoryStore(), received_at=NOW))
    assert outcomes[0].key == outcomes[1].key
    assert [outcome.is_new for outcome in outcomes].count(True) == 1


def unreadable_files(folder: Path) -> list[Path]:
    files = [write(folder / "track.json", track()), write(folder / "chartless.json", page([entry(track())]))]
    for name, body in {
        "deep.json": b"[" * 100_000,
        "cut.json": b'{"items": [',
        "latin1.json": '{"items": [{"track": {"name": "é"}}]}'.encode("latin-1"),
        "empty.json": b"",
        "text.txt": b"hello",
        "list.csv": b"rank,uri\n1,x\n",
    }.items():
        (folder / name).write_bytes(body)
        files.append(folder / name)
    huge = folder / "huge.json"
    with huge.open("wb") as file:
        file.truncate(MAX_UNPACKED_BYTES + 1)
    return [*files, huge]


def test_a_refused_file_is_one_line_with_its_reason_writes_nothing_and_is_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = Buckets()
    files = unreadable_files(tmp_path)
    assert buckets.run(files, Choices()) == 1
    lines = capsys.readouterr().out.splitlines()
    assert buckets.raw.writes == []
    assert f"{len(files)} files: 0 new, 0 already held, {len(files)} refused" in lines
    for path, line in zip(files, lines[: len(files)], strict=True):
        assert line.startswith(path.name)
        assert "  refused: " in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(top3: Path) -> None:
    top3.chmod(0)
    assert "cannot be read" in str(importing.read_file(top3, CHART, received_at=NOW).refused)


def test_a_file_that_goes_away_is_refused(tmp_path: Path) -> None:
    outcome = importing.read_file(tmp_path / "gone.json", CHART, received_at=NOW)
    assert outcome.refused == "cannot be read: No such file or directory"


def test_good_files_go_on_beside_a_refused_one(top3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    assert buckets.run([write(tmp_path / "album.json", {"type": "album", "name": "x"}), top3]) == 1
    assert "2 files: 1 new, 0 already held, 1 refused; 1 document is in the tables" in capsys.readouterr().out


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    top3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = Buckets()
    buckets.run([top3])
    writes = len(buckets.raw.writes)
    other = write(tmp_path / "other.json", page([entry(track("z"))]))
    capsys.readouterr()
    assert buckets.run([top3, other], Choices(chart="road-trip", dry_run=True)) == 0
    assert len(buckets.raw.writes) == writes
    assert capsys.readouterr().out.splitlines() == [
        "top3.json   road-trip  2026-03-06  3 positions  already held",
        "other.json  road-trip  2026-03-06  1 position  would be imported",
        "2 documents share chart and date with others: a date shows one document, a complete one before a partial one, "
        "an official CSV before others, then the one observed last",
        "2 files: 1 would be imported, 1 already held, 0 refused; nothing was written",
    ]


def test_places_without_a_song_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gappy = write(tmp_path / "gappy.json", page([entry(track()), entry(None)]))
    Buckets().run([gappy])
    assert "  1 position, 1 empty  new" in capsys.readouterr().out


def test_what_the_user_says_wins_over_the_file(tmp_path: Path) -> None:
    last = write(tmp_path / "last.json", page([entry(track())], offset=50, total=51))
    choices = Choices(chart="mine", chart_date=date(2025, 12, 24), partial=True)
    [outcome] = import_files([last], choices, raw=MemoryStore(), received_at=NOW)
    assert outcome.imported is not None
    document = outcome.imported.document
    assert (document.chart, document.chart_date, document.partial) == ("mine", date(2025, 12, 24), True)


def test_documents_that_never_reach_the_tables_are_reported_with_where_to_look(
    top3: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = Buckets(transforms=False)
    assert buckets.run([top3]) == 1
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("1 document is in the raw bucket but not in the tables after 30 s without news")
    assert " status --stage local`" in said
    assert buckets.run([top3]) == 1, "already held, and still not in the tables"


def test_a_document_that_is_quarantined_is_reported_with_its_file(
    top3: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = Buckets(transforms=False)
    [outcome] = import_files([top3], CHART, raw=MemoryStore(), received_at=NOW)
    assert outcome.key is not None
    Warehouse(raw=buckets.raw, tables=buckets.tables).quarantine(outcome.key, "too odd")
    assert buckets.run([top3]) == 1
    assert f"{top3}: in quarantine: too odd" in capsys.readouterr().out


def test_chart_files_that_are_in_the_tables_bring_the_lines_that_follow_and_other_files_do_not(
    tmp_path: Path, top3: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = Buckets()
    file = tmp_path / "regional-global-daily-2026-03-05.csv"
    file.write_text(csv_file([csv_row(1, "A")]), "utf-8")
    for files, choices, follows in (([top3], CHART, False), ([file], Choices(), True)):
        run_import(
            files,
            choices,
            waiting=buckets.waiting,
            stage="local",
            tell_again=buckets.told_again.append,
            after=lambda: ["1 song waits"],
        )
        assert ("1 song waits" in capsys.readouterr().out) is follows


def test_ctrl_c_says_what_was_uploaded_and_how_to_go_on(top3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    waiting = Waiting(raw=buckets.raw, tables=buckets.tables, patience_seconds=30, sleep=interrupted)
    assert run_import([top3], CHART, waiting=waiting, stage="local", tell_again=lambda _: None) == 130
    assert "stopped: 1 document of 1 file uploaded" in capsys.readouterr().err
    assert buckets.run([top3]) == 0, "the same command again continues"


class LazyPool:
    """A pool whose work is done only when its result is asked for; it counts what is held until then."""

    most_held = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        self.held = 0

    def __enter__(self) -> LazyPool:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.held == 0

    def submit(self, work: Any, *arguments: Any, **options: Any) -> LazyPool.Later:
        self.held += 1
        LazyPool.most_held = max(LazyPool.most_held, self.held)
        return LazyPool.Later(self, lambda: work(*arguments, **options))

    class Later:
        def __init__(self, pool: LazyPool, work: Any) -> None:
            self.pool = pool
            self.work = work

        def done(self) -> bool:
            return False

        def result(self) -> Any:
            self.pool.held -= 1
            return self.work()


def many(folder: Path, number: int) -> list[Path]:
    return [write(folder / f"{name:03}.json", page([entry(track(str(name)))])) for name in range(number)]


def test_many_files_are_uploaded_and_come_back_in_their_order(tmp_path: Path) -> None:
    files, raw = many(tmp_path, 60), MemoryStore()
    assert [outcome.path for outcome in import_files(files, CHART, raw=raw, received_at=NOW)] == files
    assert len(raw.objects) == 60


def test_uploads_that_are_slow_do_not_pile_up_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "ThreadPoolExecutor", LazyPool)
    files = many(tmp_path, 60)
    assert [outcome.path for outcome in import_files(files, CHART, raw=MemoryStore(), received_at=NOW)] == files
    assert LazyPool.most_held == 2 * importing._UPLOADS


def test_names_leave_out_the_folder_that_all_files_share(tmp_path: Path) -> None:
    files = [tmp_path / "a.json", tmp_path / "sub" / "b.json", tmp_path / ("x" * 80 + ".json")]
    names = list(short_names(files).values())
    assert names[:2] == ["a.json", "sub/b.json"]
    assert names[2] == "…" + "x" * 50 + ".json"
    assert short_names([Path("one.json")]) == {Path("one.json"): "one.json"}
    assert short_names([Path("one.json"), Path("/etc/two.json")])[Path("/etc/two.json")] == "/etc/two.json"


def test_a_document_held_but_not_in_the_tables_is_told_of_again(top3: Path) -> None:
    """Its event was lost, or lies in the dead letters: the raw zone refuses it a second time, so S3 tells nobody."""
    buckets = Buckets(transforms=False)
    assert buckets.run([top3]) == 1
    assert buckets.told_again == []
    buckets.transforms = True
    assert buckets.run([top3]) == 0
    assert [set(map(str, keys)) for keys in buckets.told_again] == [
        {key for key in buckets.raw.objects if key.startswith("raw/")}
    ]
    assert buckets.run([top3]) == 0
    assert len(buckets.told_again) == 1


def test_an_event_told_again_is_one_that_the_transform_function_reads() -> None:
    client = boto3.client("sqs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    sent: list[dict[str, Any]] = []

    def take(**request: Any) -> dict[str, Any]:
        sent.append(request)
        return {"Successful": []}

    with patch.object(client, "send_message_batch", take):
        tell_again(client, queue_url="queue", bucket="raw", keys={f"raw/{n:02}" for n in range(12)})
    assert [len(request["Entries"]) for request in sent] == [10, 2]
    bodies = [entry["MessageBody"] for request in sent for entry in request["Entries"]]
    assert [decode_event(body).key for body in bodies] == [f"raw/{n:02}" for n in range(12)]


def test_a_dry_run_refuses_what_the_import_would(top3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.core.imports.MAX_STORED_BYTES", 10)
    assert Buckets().run([top3], replace(CHART, dry_run=True)) == 1


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    assert Buckets().run([pipe]) == 1
