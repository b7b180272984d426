"""An emulator for the session, a pipeline of its own for each test, and the check that none can leave out."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path

import pytest

from local.emulator import lifecycle
from local.emulator.lifecycle import Endpoint
from tests.faults.check import check_survival
from tests.faults.pipeline import Bucket, Pipeline, SqsQueue

_FOLDER = Path(__file__).parent
_WITHOUT_PIPELINE = {"test_the_check_itself.py"}
_numbers = count(1)
MERGES = 60
"""For continuous integration: some seconds, most of them the start of the writers."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of test_many_writers.py is run."""
    parser.addoption(
        "--merges", type=int, default=MERGES, help="merges that twenty writers make; the size to judge by is 2000"
    )


@pytest.fixture
def merges(request: pytest.FixtureRequest) -> int:
    """The number of merges that many writers make in all."""
    number: int = request.config.getoption("--merges", default=MERGES)
    return number


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here has a pipeline, for that is what is checked."""
    for item in items:
        if _FOLDER in item.path.parents and item.path.name not in _WITHOUT_PIPELINE:
            assert isinstance(item, pytest.Function)
            if "pipeline" not in item.fixturenames:
                raise pytest.UsageError(f"{item.nodeid}: needs the `pipeline` that is checked after every fault")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run the test, and then the check: as part of it, so that a loss is the test's failure."""
    result = yield
    if isinstance(pipeline := pyfuncitem.funcargs.get("pipeline"), Pipeline):
        check_survival(pipeline)
    return result


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """S3 and SQS, alone: 1 to 2 seconds to start."""
    state = tmp_path_factory.mktemp("faults")
    try:
        yield lifecycle.start(state)
    finally:
        lifecycle.stop(state)


@pytest.fixture(scope="session")
def clients(emulator: Endpoint) -> dict[str, object]:
    """The session's own clients of S3 and SQS: making one costs more than many a test."""
    return {name: emulator.client(name) for name in ("s3", "sqs")}


@pytest.fixture
def serial() -> int:
    """Tells this test's buckets and queue from all others'."""
    return next(_numbers)


@pytest.fixture
def raw_bucket(clients: dict[str, object], serial: int) -> Bucket:
    """The raw bucket, as its owner sees it."""
    return Bucket(clients["s3"], f"raw-{serial}")  # type: ignore[arg-type]


@pytest.fixture
def warehouse_bucket(clients: dict[str, object], serial: int) -> Bucket:
    """The warehouse, as its owner sees it."""
    return Bucket(clients["s3"], f"warehouse-{serial}")  # type: ignore[arg-type]


@pytest.fixture
def queue(clients: dict[str, object], serial: int) -> SqsQueue:
    """The transform's queue."""
    return SqsQueue(clients["sqs"], f"transform-{serial}")  # type: ignore[arg-type]


@pytest.fixture
def pipeline(raw_bucket: Bucket, warehouse_bucket: Bucket, queue: SqsQueue, tmp_path: Path) -> Pipeline:
    """A pipeline over buckets and a queue that no other test sees."""
    return Pipeline(raw=raw_bucket.store, tables=warehouse_bucket.store, queue=queue, folder=tmp_path)
