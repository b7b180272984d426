"""The emulator's own life: one server per state folder, on loopback only, with a clean environment, and none left."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from arro3.core import Array, DataType, Table
from arro3.io import write_parquet
from botocore.exceptions import ClientError

from local.emulator import lifecycle
from local.emulator.errors import EmulatorError
from local.emulator.lifecycle import Endpoint
from local.emulator.process import BackgroundProcess, Record, processes_of

pytestmark = pytest.mark.e2e

ROLE = "arn:aws:iam::000000000000:role/any"
HANDLER = """
import os, sys

def handler(event, context):
    if event == "environment":
        return dict(os.environ)
    module = __import__(event)
    return {"file": module.__file__, "path": sys.path, "version": sys.version_info[:2]}
"""


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("emulator")
    yield folder
    lifecycle.stop(folder)


@pytest.fixture(scope="module")
def emulator(state_dir: Path) -> Endpoint:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_SECRET", "leaked")
        patch.setenv("AWS_PROFILE", "somebody")
        patch.setenv("SPOTIPY_CLIENT_SECRET", "leaked")
        return lifecycle.start(state_dir)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def record_of(state_dir: Path) -> Record:
    record = BackgroundProcess("emulator", state_dir).running()
    assert record is not None
    return record


# ---- Lambda


@pytest.fixture(scope="module")
def invoke(emulator: Endpoint) -> Callable[[str], dict[str, Any]]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("main.py", HANDLER)
    functions = emulator.client("lambda")
    functions.create_function(
        FunctionName="imports", Runtime="python3.14", Handler="main.handler", Role=ROLE,
        Code={"ZipFile": archive.getvalue()}, Timeout=30,
    )  # fmt: skip

    def call(event: str) -> dict[str, Any]:
        answer = functions.invoke(FunctionName="imports", Payload=json.dumps(event))
        body: dict[str, Any] = json.loads(answer["Payload"].read())
        return body

    return call


def test_a_function_has_what_awss_runtime_has(invoke: Callable[[str], dict[str, Any]], state_dir: Path) -> None:
    answer = invoke("boto3")
    assert answer["file"].startswith(str(state_dir / "runtime"))


@pytest.mark.parametrize("module", ["duckdb", "ministack", "local", "lambdas", "msgspec"])
def test_a_function_misses_what_its_asset_does_not_bring(module: str, invoke: Callable[[str], dict[str, Any]]) -> None:
    assert f"No module named '{module}'" in invoke(module)["errorMessage"]


def test_nothing_of_the_callers_environment_reaches_a_function(invoke: Callable[[str], dict[str, Any]]) -> None:
    environment = invoke("environment")
    assert environment["AWS_REGION"] == lifecycle.REGION
    assert not {"FAKE_SECRET", "AWS_PROFILE", "SPOTIPY_CLIENT_SECRET"} & environment.keys()
    assert os.environ["PATH"] not in environment["PATH"]
    assert str(Path.home()) != environment["HOME"]


# ---- CloudFormation


def deploy(emulator: Endpoint, name: str, resources: dict[str, Any]) -> None:
    stacks = emulator.client("cloudformation")
    body = json.dumps({"Resources": resources})
    try:
        stacks.update_stack(StackName=name, TemplateBody=body)
    except ClientError:
        stacks.create_stack(StackName=name, TemplateBody=body)
    wait_until(lambda: "IN_PROGRESS" not in status(emulator, name))
    assert status(emulator, name) in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def status(emulator: Endpoint, name: str) -> str:
    return str(emulator.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def test_a_named_query_of_a_stack_is_listed_replaced_and_deleted(emulator: Endpoint) -> None:
    athena = emulator.client("athena")

    def named(sql: str) -> dict[str, Any]:
        properties = {"Name": "top", "Database": "warehouse", "QueryString": sql, "WorkGroup": "queries"}
        group = {"Type": "AWS::Athena::WorkGroup", "Properties": {"Name": "queries"}}
        query = {"Type": "AWS::Athena::NamedQuery", "Properties": properties, "DependsOn": "Group"}
        return {"Group": group, "Top": query}

    def stored() -> list[str]:
        ids = athena.list_named_queries(WorkGroup="queries")["NamedQueryIds"]
        return [athena.get_named_query(NamedQueryId=one)["NamedQuery"]["QueryString"] for one in ids]

    deploy(emulator, "named", named("SELECT 1"))
    assert stored() == ["SELECT 1"]
    deploy(emulator, "named", named("SELECT 2"))
    assert stored() == ["SELECT 2"]
    emulator.client("cloudformation").delete_stack(StackName="named")
    wait_until(lambda: stored() == [])


def test_a_composite_alarm_is_made_and_a_type_without_effect_is_accepted(emulator: Endpoint) -> None:
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {
        "AlarmName": "one", "Namespace": "n", "MetricName": "m", "Period": 60, "EvaluationPeriods": 1,
        "Statistic": "Sum", "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}}  # fmt: skip
    both = {"Type": "AWS::CloudWatch::CompositeAlarm", "DependsOn": "One", "Properties": {
        "AlarmName": "any", "AlarmRule": "ALARM(one)"}}  # fmt: skip
    budget = {"Type": "AWS::Budgets::Budget", "Properties": {"Budget": {"BudgetType": "COST", "TimeUnit": "MONTHLY"}}}
    deploy(emulator, "alarms", {"One": alarm, "Any": both, "Budget": budget})
    found = emulator.client("cloudwatch").describe_alarms(AlarmNames=["any"], AlarmTypes=["CompositeAlarm"])
    assert [one["AlarmRule"] for one in found["CompositeAlarms"]] == ["ALARM(one)"]
    assert "AWS::Budgets::Budget is accepted without effect" in emulator.log.read_text()


# ---- Athena


@pytest.fixture(scope="module")
def athena(emulator: Endpoint) -> Any:
    storage, glue, athena = emulator.client("s3"), emulator.client("glue"), emulator.client("athena")
    storage.create_bucket(Bucket="warehouse")
    for year, positions in ((2025, range(1, 1301)), (2026, range(1, 3)), (1999, range(1, 2))):
        table = Table.from_arrays(
            [
                Array(list(positions), type=DataType.int32()),
                Array([f"song {p}" for p in positions], type=DataType.utf8()),
            ],
            names=["position", "song"],
        )  # fmt: skip
        body = io.BytesIO()
        write_parquet(table, body)
        storage.put_object(Bucket="warehouse", Key=f"entries/year={year}/a.parquet", Body=body.getvalue())
    glue.create_database(DatabaseInput={"Name": "charts"})
    glue.create_table(
        DatabaseName="charts",
        TableInput={
            "Name": "entries",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                "projection.enabled": "true",
                "projection.year.type": "integer",
                "projection.year.range": "2008,2027",
            },
            "PartitionKeys": [{"Name": "year", "Type": "string"}],
            "StorageDescriptor": {
                "Location": "s3://warehouse/entries/",
                "Columns": [
                    {"Name": "song", "Type": "string"},
                    {"Name": "position", "Type": "int"},
                    {"Name": "streams", "Type": "bigint"},
                ],
                "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
            },
        },
    )  # fmt: skip
    definition = {"originalSql": "SELECT song FROM entries WHERE year = '2026'", "schema": "charts"}
    text = base64.b64encode(json.dumps(definition).encode()).decode()
    glue.create_table(
        DatabaseName="charts",
        TableInput={
            "Name": "latest", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": f"/* Presto View: {text} */",
            "StorageDescriptor": {"Columns": [{"Name": "song", "Type": "string"}]},
        },
    )  # fmt: skip
    athena.create_work_group(
        Name="charts", Configuration={"ResultConfiguration": {"OutputLocation": "s3://warehouse/results/"}}
    )
    return athena


def run(athena: Any, sql: str, **more: Any) -> dict[str, Any]:
    started = athena.start_query_execution(
        QueryString=sql, WorkGroup="charts", QueryExecutionContext={"Database": "charts"}, **more
    )

    def execution() -> dict[str, Any]:
        return dict(athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])["QueryExecution"])

    wait_until(lambda: execution()["Status"]["State"] not in ("QUEUED", "RUNNING"))
    return execution()


def rows(athena: Any, sql: str, **more: Any) -> list[list[str | None]]:
    execution = run(athena, sql, **more)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution["QueryExecutionId"])
    return [[cell.get("VarCharValue") for cell in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]]


def test_a_query_over_parquet_has_typed_columns_and_missing_values(athena: Any) -> None:
    execution = run(
        athena, "SELECT *, 7 / 2 AS half, count(*) OVER () AS n FROM entries WHERE year = '2026' ORDER BY position"
    )
    results = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]
    kinds = [(column["Name"], column["Type"]) for column in results["ResultSetMetadata"]["ColumnInfo"]]
    assert kinds == [
        ("song", "varchar"), ("position", "integer"), ("streams", "bigint"), ("year", "varchar"), ("half", "integer"),
        ("n", "bigint"),
    ]  # fmt: skip
    assert [cell.get("VarCharValue") for cell in results["Rows"][1]["Data"]] == ["song 1", "1", None, "2026", "3", "2"]
    assert "VarCharValue" not in results["Rows"][1]["Data"][2]
    assert execution["Statistics"]["DataScannedInBytes"] > 0


def test_more_than_a_page_of_rows_comes_whole_and_only_from_projected_years(athena: Any) -> None:
    found = rows(athena, "SELECT year, position FROM entries ORDER BY year, position")
    assert found[0] == ["year", "position"]
    assert found[1:] == [["2025", str(p)] for p in range(1, 1301)] + [["2026", "1"], ["2026", "2"]]


def test_views_parameters_and_prepared_statements(athena: Any) -> None:
    assert rows(athena, "SELECT count(*) AS n FROM latest") == [["n"], ["2"]]
    sql = "SELECT position FROM entries WHERE song = ? AND date '2026-01-01' = CAST(? AS date)"
    assert rows(athena, sql, ExecutionParameters=["'song 3'", "'2026-01-01'"]) == [["position"], ["3"]]
    athena.create_prepared_statement(StatementName="one", WorkGroup="charts", QueryStatement="SELECT ? + ? AS total")
    assert rows(athena, "EXECUTE one USING 2, 3") == [["total"], ["5"]]


def test_the_work_groups_output_location_is_enforced(athena: Any, emulator: Endpoint) -> None:
    execution = run(athena, "SELECT 1 AS a", ResultConfiguration={"OutputLocation": "s3://warehouse/mine/"})
    place = execution["ResultConfiguration"]["OutputLocation"]
    assert place == f"s3://warehouse/results/{execution['QueryExecutionId']}.csv"
    body = emulator.client("s3").get_object(Bucket="warehouse", Key=place.removeprefix("s3://warehouse/"))["Body"]
    assert body.read() == b'"a"\n"1"\n'


def test_show_answers_and_insert_fails_by_name(athena: Any) -> None:
    assert rows(athena, "SHOW TABLES IN charts") == [["entries"], ["latest"]]
    status = run(athena, "INSERT INTO entries VALUES ('a', 1, 2, '2026')")["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith("NOT_SUPPORTED: INSERT is not run by the local stage")
    status = run(athena, "SELECT * FROM nosuch")["Status"]
    assert (
        status["StateChangeReason"] == "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.charts.nosuch' does not exist"
    )


@pytest.mark.parametrize(
    ("sql", "group", "reason"),
    [
        ("SELEC 1", "charts", "line 1:1: mismatched input 'selec'"),
        ("SELECT 1::int", "charts", "line 1:9: mismatched input '::'"),
        ("SELECT 1", "nosuch", "WorkGroup nosuch is not found"),
        ("EXECUTE nosuch", "charts", "PreparedStatement nosuch was not found"),
        ("SELECT 1", "primary", "No output location provided"),
    ],
)
def test_a_request_athena_would_not_accept_is_refused_at_once(sql: str, group: str, reason: str, athena: Any) -> None:
    with pytest.raises(ClientError, match=reason) as caught:
        athena.start_query_execution(QueryString=sql, WorkGroup=group)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


# ---- the process


def test_a_second_start_returns_the_first(emulator: Endpoint, state_dir: Path) -> None:
    assert lifecycle.start(state_dir) == emulator == lifecycle.running(state_dir)
    with pytest.raises(EmulatorError, match="already runs at .* with other settings"):
        lifecycle.start(state_dir, port=emulator.port + 1)


def test_the_environment_for_a_child_knows_only_the_emulator(
    emulator: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    assert emulator.client("sts").get_caller_identity()["Account"] == lifecycle.ACCOUNT
    environment = emulator.environment()
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & environment.keys()
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == lifecycle.ACCOUNT
    version = subprocess.run(["node", "--version"], env=environment, capture_output=True, text=True, check=True).stdout
    assert version.startswith("v24.")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/net/tcp")
def test_it_listens_on_loopback_at_one_port_only(emulator: Endpoint, invoke: Callable[[str], dict[str, Any]]) -> None:
    invoke("json")
    assert listening(processes_of(record_of(emulator.state_dir))) == {f"127.0.0.1:{emulator.port}"}


def listening(pids: set[int]) -> set[str]:
    inodes = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(handle)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                host = socket.inet_ntoa(bytes.fromhex(address)[::-1]) if len(address) == 8 else address
                found.add(f"{host}:{int(port, 16)}")
    return found


def test_a_taken_port_is_one_clear_line(tmp_path: Path, state_dir: Path, emulator: Endpoint) -> None:
    (tmp_path / "runtime").symlink_to(state_dir / "runtime")
    with pytest.raises(EmulatorError, match=rf"^port {emulator.port} of 127.0.0.1 is taken by another program: stop"):
        lifecycle.start(tmp_path, port=emulator.port)
    assert lifecycle.running(tmp_path) is None


def test_a_port_that_is_taken_between_choice_and_start_is_chosen_anew(
    tmp_path: Path, state_dir: Path, emulator: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runtime").symlink_to(state_dir / "runtime")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    choices = [emulator.port, free]
    monkeypatch.setattr(lifecycle, "_free_port", lambda: choices.pop(0))
    try:
        assert lifecycle.start(tmp_path).port == free
    finally:
        lifecycle.stop(tmp_path)


def test_a_killed_server_is_not_running_and_starts_again(
    emulator: Endpoint, state_dir: Path, invoke: Callable[[str], dict[str, Any]]
) -> None:
    invoke("json")  # a warm worker, which the kill orphans
    before = record_of(state_dir)
    os.kill(emulator.pid, signal.SIGKILL)
    wait_until(lambda: lifecycle.running(state_dir) is None)
    again = lifecycle.start(state_dir)
    assert again.pid != emulator.pid
    assert processes_of(before) == set()
    assert again.client("s3").list_buckets()["Buckets"] == []


def test_stop_leaves_no_process_and_no_port(state_dir: Path) -> None:
    endpoint = lifecycle.start(state_dir)
    record = record_of(state_dir)
    assert lifecycle.stop(state_dir)
    assert processes_of(record) == set()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", endpoint.port)) != 0
    assert lifecycle.running(state_dir) is None
    assert not lifecycle.stop(state_dir)


def test_a_secure_server_speaks_tls_and_enforces_iam(tmp_path: Path, state_dir: Path) -> None:
    (tmp_path / "runtime").symlink_to(state_dir / "runtime")
    try:
        endpoint = lifecycle.start(tmp_path, secure=True)
        identities = endpoint.client("iam")
        identities.create_user(UserName="nobody")
        key = identities.create_access_key(UserName="nobody")["AccessKey"]
        storage = boto3.client(
            "s3", endpoint_url=endpoint.url, region_name=endpoint.region, verify=str(endpoint.certificate),
            aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
        )  # fmt: skip
        with pytest.raises(ClientError, match="AccessDenied"):
            storage.list_buckets()
        if sys.platform.startswith("linux"):
            assert listening(processes_of(record_of(tmp_path))) == {f"127.0.0.1:{endpoint.port}"}
    finally:
        lifecycle.stop(tmp_path)
