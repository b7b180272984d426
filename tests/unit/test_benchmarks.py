"""The benchmarks rest on what is deployed, and run at all: their figures are not tested."""

from __future__ import annotations

import pytest

from benchmarks import backfill, cold_start, query
from benchmarks.__main__ import BENCHMARKS
from lambdas.core import warehouse
from stacks import compute
from tests.payloads import REPOSITORY


def test_the_backfill_is_measured_in_the_batches_that_the_queue_hands_over() -> None:
    assert backfill.BATCH_SIZE == compute.BATCH_SIZE
    assert backfill.DOCUMENTS_AT_ONCE == warehouse._AT_ONCE


def test_every_benchmark_is_run_by_make_bench() -> None:
    files = (REPOSITORY / "benchmarks").glob("*.py")
    assert {file.stem for file in files if "def main(arguments" in file.read_text("utf-8")} == set(BENCHMARKS)


def test_the_cold_start_of_every_function_is_measured() -> None:
    assert set(cold_start.functions()) >= {"extract", "import_chart", "enrich", "transform"}
    assert "'ssm'" in cold_start.statement_of("extract")
    assert "'ssm'" not in cold_start.statement_of("transform")


def test_import_times_are_summed_by_package() -> None:
    told = "import time:       250 |        250 |   msgspec\nimport time:       750 |       1000 |     msgspec.json\n"
    assert cold_start.packages(told) == {"msgspec": 1.0}


def test_the_layouts_answer_the_question_alike(capsys: pytest.CaptureFixture[str]) -> None:
    query.main(["--days", "20", "--rounds", "1"])
    assert "| one CSV per run (worked out) | 4,440 |" in capsys.readouterr().out


def test_what_a_thousand_documents_cost_adds_requests_and_time() -> None:
    cost = backfill.Cost(
        documents=1000,
        batches=10,
        cpu_seconds=0.0,
        document_reads=1000,
        lists=10,
        table_reads=100,
        table_writes=90,
        peak_mib=0.0,
        table_mib=0.0,
    )
    assert cost.lambda_seconds == pytest.approx((1000 / 8 + 10 + 100 + 90) * 0.03)
    by_item = {price.item: dollars for price, dollars in cost.dollars.items()}
    assert by_item["PUT and LIST"] == pytest.approx((1000 + 10 + 90) * 0.005 / 1000)
    assert by_item["GET"] == pytest.approx(1100 * 0.0004 / 1000)
