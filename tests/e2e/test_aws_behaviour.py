"""What the pipeline relies on in AWS's services, as the emulator has it: docs/verified.md names these tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from botocore.exceptions import ClientError

from lambdas.core import parquet
from lambdas.core.adapters.credentials import Credentials, read_credentials, write_credentials
from lambdas.core.adapters.s3 import S3Store
from lambdas.core.rows import days, milliseconds
from lambdas.core.schema import CHART_ENTRIES
from local.emulator import lifecycle
from local.emulator.lifecycle import Endpoint
from tests.e2e.conftest import Etl
from tests.e2e.secure_stage import eventually
from tests.schema_versions.make import FEWER_COLUMNS, LACKING

pytestmark = pytest.mark.e2e

_ZSTD_FRAME = b"\x28\xb5\x2f\xfd"
"""How a compressed block begins: https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1."""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    state = tmp_path_factory.mktemp("behaviour")
    try:
        yield lifecycle.start(state)
    finally:
        lifecycle.stop(state)


@pytest.fixture(scope="module")
def store(emulator: Endpoint) -> S3Store:
    """A bucket that keeps versions."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="conditional")
    s3.put_bucket_versioning(Bucket="conditional", VersioningConfiguration={"Status": "Enabled"})
    return S3Store(s3, "conditional")


def test_a_conditional_write_that_comes_late_is_answered_by_412_and_one_of_a_gone_key_by_404(
    emulator: Endpoint, store: S3Store
) -> None:
    s3 = emulator.client("s3")

    def refused(**condition: str) -> tuple[int, str]:
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket="conditional", Body=b"late", **condition)
        answer = caught.value.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]

    assert store.put_new("key", b"first")
    held = store.get("key")
    assert held is not None
    assert store.replace("key", b"second", etag=held.etag)
    assert refused(Key="key", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refused(Key="key", IfMatch=held.etag) == (412, "PreconditionFailed")
    s3.delete_object(Bucket="conditional", Key="key")
    assert refused(Key="key", IfMatch=held.etag) == (404, "NoSuchKey")
    assert store.put_new("key", b"again after a delete marker")


def test_of_writers_at_once_one_creates_the_object_and_no_replacement_is_lost(store: S3Store) -> None:
    def add_one(_: int) -> None:
        while True:
            held = store.get("count")
            assert held is not None
            if store.replace("count", b"%d" % (int(held.body) + 1), etag=held.etag):
                return

    with ThreadPoolExecutor(8) as writers:
        assert sorted(writers.map(lambda _: store.put_new("count", b"0"), range(8))) == [False] * 7 + [True]
        list(writers.map(add_one, range(40)))
    counted = store.get("count")
    assert counted is not None
    assert counted.body == b"40"


def test_an_object_is_read_and_listed_as_soon_as_it_is_written(store: S3Store) -> None:
    for number in range(20):
        key = f"listed/{number:02}"
        assert store.put_new(key, key.encode())
        assert list(store.keys("listed/"))[-1] == key
        held = store.get(key)
        assert held is not None
        assert held.body == key.encode()


def test_eventbridge_names_an_object_by_its_key_as_it_is_and_a_rule_picks_by_prefix(emulator: Endpoint) -> None:
    s3, sqs, events = (emulator.client(name) for name in ("s3", "sqs", "events"))
    s3.create_bucket(Bucket="noticed")
    s3.put_bucket_notification_configuration(
        Bucket="noticed", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    queue = sqs.create_queue(QueueName="noticed")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["noticed"]}, "object": {"key": [{"prefix": "raw/"}]}},
    }
    events.put_rule(Name="noticed", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="noticed", Targets=[{"Id": "queue", "Arn": arn}])

    key = "raw/chart=a b+c/ü&d.json.gz"
    for each in ("other/not-raw", key):
        s3.put_object(Bucket="noticed", Key=each, Body=b"held")
    messages = eventually(
        lambda: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"), what="the event came"
    )
    assert [json.loads(message["Body"])["detail"]["object"]["key"] for message in messages] == [key]


def test_a_secure_string_is_read_in_the_clear_only_when_asked_for(emulator: Endpoint) -> None:
    ssm = emulator.client("ssm")
    held = Credentials(client_id="an-app", client_secret="made-up-secret")
    write_credentials(ssm, "/behaviour/spotify", held)
    assert read_credentials(ssm, "/behaviour/spotify", stage="local") == held
    sealed = ssm.get_parameter(Name="/behaviour/spotify")["Parameter"]
    assert sealed["Type"] == "SecureString"
    assert "made-up-secret" not in sealed["Value"]


def test_athena_reads_plain_and_compressed_objects_their_dates_and_timestamps_and_a_projected_year(etl: Etl) -> None:
    seen = datetime(2026, 3, 6, 6, 0, 0, 123_000, tzinfo=UTC)
    bodies = {name: _entries(f"behaviour-{name}", count, seen) for name, count in (("plain", 3), ("zstd", 1200))}
    assert [name for name, body in bodies.items() if _ZSTD_FRAME in body] == ["zstd"]
    keys = {name: f"chart_entries/year=2026/behaviour-{name}.parquet" for name in bodies}
    try:
        for name, body in bodies.items():
            etl.s3.put_object(Bucket=etl.bucket("warehouse"), Key=keys[name], Body=body)
        rows = etl.rows(
            """
            SELECT chart, count(*) AS entries, min(chart_date) AS day, max(observed_at) AS seen, max(position) AS last,
                   count(streams) AS streams
            FROM chart_entries WHERE year = '2026' AND chart LIKE 'behaviour-%' GROUP BY chart ORDER BY chart
            """
        )
        assert etl.rows("SELECT count(*) AS n FROM chart_entries WHERE year = '2025' AND chart LIKE 'behaviour-%'") == [
            {"n": 0}
        ]
    finally:
        for key in keys.values():
            etl.s3.delete_object(Bucket=etl.bucket("warehouse"), Key=key)
    day, moment = "2026-03-05", "2026-03-06T06:00:00.123"
    assert rows == [
        {"chart": f"behaviour-{name}", "entries": n, "day": day, "seen": moment, "last": n, "streams": 0}
        for name, n in (("plain", 3), ("zstd", 1200))
    ]


def test_athena_reads_objects_of_fewer_columns_beside_those_of_today_and_what_they_lack_is_null(etl: Etl) -> None:
    seen = datetime(2026, 3, 6, 6, 0, tzinfo=UTC)
    bodies = {"fewer-columns": FEWER_COLUMNS.read_bytes(), "fewer-columns-not": _entries("fewer-columns-not", 2, seen)}
    keys = {f"chart_entries/year=2026/{chart}.parquet": body for chart, body in bodies.items()}
    try:
        for key, body in keys.items():
            etl.s3.put_object(Bucket=etl.bucket("warehouse"), Key=key, Body=body)
        rows = etl.rows(
            f"""
            SELECT chart, count(*) AS entries, count(song_id) AS songs, max(observed_at) AS seen,
                   {", ".join(f"count({name}) AS {name}" for name in LACKING)}
            FROM chart_entries WHERE year = '2026' AND chart LIKE 'fewer-columns%' GROUP BY chart ORDER BY chart
            """
        )
    finally:
        for key in keys:
            etl.s3.delete_object(Bucket=etl.bucket("warehouse"), Key=key)
    assert all(str(row.pop("seen")).startswith("2026-03-06T06:00:00") for row in rows)
    nothing = dict.fromkeys(LACKING, 0)
    assert rows == [
        nothing | {"chart": "fewer-columns", "entries": 3, "songs": 3},
        nothing | {"chart": "fewer-columns-not", "entries": 2, "songs": 2, "label": 2},
    ]


def _entries(chart: str, count: int, seen: datetime) -> bytes:
    """An object of chart_entries as the transform writes it."""
    given: dict[str, str | int] = {
        "chart": chart,
        "chart_date": days(date(2026, 3, 5)),
        "period": "daily",
        "song_id": "song",
        "label": "Paper Records",
        "observed_at": milliseconds(seen),
    }
    columns = [column.name for column in CHART_ENTRIES.columns]
    rows = [tuple((given | {"position": n}).get(name) for name in columns) for n in range(1, count + 1)]
    return parquet.encode(parquet.batch_of(CHART_ENTRIES, rows))
