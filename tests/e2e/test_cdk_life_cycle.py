"""The CDK life cycle of a stage on the emulator: deploy, nothing to do, one change to one stack, destroy, nothing left.

The app is run from a copy of the repository, so that a function's code can be changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from cli import aws_stage, cdk
from cli.stage import Stage, load_config
from lambdas.core.adapters.athena import Athena
from lambdas.core.documents import encode
from local.emulator import lifecycle
from local.emulator.lifecycle import Endpoint
from tests.documents import DAY, document, track
from tests.e2e.secure_stage import STACKS, SecureStage, eventually
from tests.payloads import REPOSITORY

pytestmark = pytest.mark.e2e

_COPIED = ("app.py", "cdk.json", "stacks", "lambdas", "queries", "cli", "local")
_SECONDS = 180


@dataclass(frozen=True)
class Project:
    """A copy of the app, and the emulator that it is deployed to."""

    folder: Path
    endpoint: Endpoint

    @property
    def assembly(self) -> Path:
        return self.folder / "cdk.out"

    def synthesize(self) -> cdk.Running:
        """`cdk synth` of the local stage, to its end."""
        with self._cdk("synth", "--quiet", "--no-validation", "-c", "stages=local") as running:
            running.finish()
        return running

    def run(self, command: str, *options: str) -> str:
        """A CDK command over all of the stage's stacks, as synthesized; what it prints. Raises CdkFailed."""
        with self._cdk(command, "local/**", "--app", str(self.assembly), *options) as running:
            running.finish()
        return running.log.read_text("utf-8")

    def _cdk(self, *arguments: str) -> AbstractContextManager[cdk.Running]:
        log = self.folder / f"cdk-{arguments[0]}.log"
        log.unlink(missing_ok=True)
        return cdk.started(
            arguments,
            env=self.endpoint.environment() | {"CI": "true"},
            cwd=self.folder,
            log=log,
            deadline_seconds=_SECONDS,
        )

    def etl(self, *arguments: str, stdin: str = "", succeeds: bool = True) -> str:
        """Run the copy's `etl` as a user whose shell points to the emulator; all that it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            cwd=self.folder,
            env=self.endpoint.environment() | {"CI": "true", "PYTHONPATH": str(self.folder)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert (done.returncode == 0) is succeeds, done.stdout + done.stderr
        return done.stdout + done.stderr

    def bootstrap(self) -> AbstractContextManager[cdk.Running]:
        """`cdk bootstrap`, under way. Away from cdk.json it starts no app."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        return cdk.started(
            ["bootstrap", f"aws://{self.endpoint.account}/{self.endpoint.region}"],
            env=self.endpoint.environment() | {"CI": "true"},
            cwd=elsewhere,
            log=elsewhere / "cdk.log",
            deadline_seconds=_SECONDS,
        )

    @cached_property
    def stacks(self) -> Any:
        return self.endpoint.client("cloudformation")

    def synthesized(self) -> set[str]:
        """The stage's stacks, by what is in them (storage, compute ...), as the assembly has them."""
        manifests = [json.loads(path.read_text("utf-8")) for path in self.assembly.rglob("manifest.json")]
        return {
            artifact["properties"]["stackName"].removeprefix(STACKS)
            for manifest in manifests
            for artifact in manifest["artifacts"].values()
            if artifact["type"] == "aws:cloudformation:stack"
        }

    def touched(self) -> dict[str, datetime]:
        """When each of the stage's stacks was made or last updated."""
        return {
            stack["StackName"].removeprefix(STACKS): stack.get("LastUpdatedTime", stack["CreationTime"])
            for stack in self.stacks.describe_stacks()["Stacks"]
            if stack["StackName"].startswith(STACKS)
        }

    def code_versions(self) -> dict[str, tuple[str, str]]:
        """The code of each function: its digest, and what the function is told about it."""
        functions = self.endpoint.client("lambda").list_functions()["Functions"]
        return {
            match[1]: (function["CodeSha256"], function["Environment"]["Variables"]["CODE_VERSION"])
            for function in functions
            if (match := re.match(rf"{STACKS}compute-(\w+?)Function", function["FunctionName"]))
        }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The copy, deployed to an emulator of its own by the CDK command line."""
    folder, state = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("emulator")
    for name in _COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    # Where the functions' dependencies are kept once installed.
    (REPOSITORY / ".local" / "bundles").mkdir(parents=True, exist_ok=True)
    for name in (".local", "node_modules"):
        (folder / name).symlink_to(REPOSITORY / name)
    try:
        deployed = Project(folder, lifecycle.start(state))
        with deployed.bootstrap() as bootstrap:
            deployed.synthesize()
            bootstrap.finish()
        deployed.run("deploy", "--require-approval", "never")
        yield deployed
    finally:
        lifecycle.stop(state)


def test_after_a_deploy_there_is_nothing_to_deploy(project: Project) -> None:
    assert project.touched().keys() == project.synthesized()
    assert "Number of stacks with differences: 0" in project.run("diff", "--fail")


def test_a_change_of_one_functions_code_is_deployed_to_its_stack_and_no_other_function(project: Project) -> None:
    stacks, code = project.touched(), project.code_versions()
    with (project.folder / "lambdas" / "transform" / "handler.py").open("a", encoding="utf-8") as handler:
        handler.write("\nCHANGED = True\n")
    project.synthesize()

    told = project.run("diff")
    assert "Number of stacks with differences: 1" in told
    assert re.findall(r"^\[[-+~]\] (\S+) (\S+)", told, re.M) == [
        ("AWS::Lambda::Function", "compute/Transform/Function")
    ]
    project.run("deploy", "--require-approval", "never")

    stacks_after, code_after = project.touched(), project.code_versions()
    assert stacks_after.keys() == stacks.keys()
    assert [name for name in stacks if stacks_after[name] != stacks[name]] == ["compute"]
    assert [name for name in code if code_after[name] != code[name]] == ["Transform"]
    assert "Number of stacks with differences: 0" in project.run("diff", "--fail")


def test_a_stage_that_was_used_is_emptied_and_destroyed_and_leaves_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(SecureStage(project.endpoint))
    assert _kinds(_left(project.endpoint, "local")) >= {
        *("Stacks", "Buckets", "Functions", "EventSourceMappings", "QueueUrls", "Rules", "Schedules", "ScheduleGroups"),
        *("DatabaseList", "Crawlers", "WorkGroups", "logGroups", "Roles"),
    }

    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in project.endpoint.environment().items():
        monkeypatch.setenv(name, value)
    stage = Stage(load_config("local"))
    buckets = aws_stage.bucket_names(stage)
    assert len(buckets) == 3
    removed = {bucket: sum(aws_stage.empty_bucket(stage.s3, bucket)) for bucket in buckets}
    assert all(removed.values()), removed
    assert _versions(project.endpoint, buckets) == 0
    project.run("destroy", "--force")
    assert _left(project.endpoint, "local") == []


def test_etl_deploys_a_stage_of_aws_and_destroys_it_with_all_its_versions_once_its_name_is_typed(
    project: Project,
) -> None:
    project.etl("deploy", "--stage", "dev", "--", "--require-approval", "never")
    s3 = project.endpoint.client("s3")
    buckets = [one["Name"] for one in s3.list_buckets()["Buckets"] if "-dev-" in one["Name"]]
    assert len(buckets) == 3
    for bucket in buckets:
        s3.put_object(Bucket=bucket, Key="held", Body=b"one")
        s3.delete_object(Bucket=bucket, Key="held")
        s3.put_object(Bucket=bucket, Key="held", Body=b"two")
    before = _left(project.endpoint, "dev")

    refused = project.etl("destroy", "--stage", "dev", stdin="prod\n", succeeds=False)
    assert "nothing was destroyed" in refused
    assert _left(project.endpoint, "dev") == before
    # The emulator deletes a bucket that still holds something, S3 does not: so look before the stacks are destroyed.
    assert _versions(project.endpoint, buckets) == 3 + 3 + 1
    broken_off = project.etl("destroy", "--stage", "dev", "--", "--app", "nowhere", stdin="dev\n", succeeds=False)
    assert "run the same command again" in broken_off
    assert _versions(project.endpoint, buckets) == 0
    assert "stage dev is gone" in project.etl("destroy", "--stage", "dev", stdin="dev\n")
    assert _left(project.endpoint, "dev") == []


def _use(stage: SecureStage) -> None:
    """Leave behind what makes a stage hard to destroy: versions, a delete marker, a query's results."""
    for song in ("Honeymoon", "Paper Undertow"):
        held = document(songs=[track(song)])
        assert stage.store("RawBucket").put_new(held.key, encode(held))
    eventually(lambda: stage.keys("WarehouseBucket", "snapshots/"), what="the documents are in the tables")
    stage.empty("RawBucket")
    athena = Athena(
        stage.endpoint.client("athena"), workgroup=stage.physical("Workgroup"), database=stage.physical("Database")
    )
    assert athena.query(f"SELECT count(*) AS n FROM snapshots WHERE chart_date = date '{DAY}'", ()).rows != ()


def _versions(endpoint: Endpoint, buckets: Iterable[str]) -> int:
    """How many versions and delete markers the buckets hold."""
    pages = [endpoint.client("s3").list_object_versions(Bucket=bucket) for bucket in buckets]
    return sum(len(page.get("Versions", [])) + len(page.get("DeleteMarkers", [])) for page in pages)


def _kinds(found: list[str]) -> set[str]:
    return {entry.partition(":")[0] for entry in found}


def _left(endpoint: Endpoint, stage: str) -> list[str]:
    """Everything in the account whose name tells that it is the stage's."""

    def listed(service: str, operation: str, field: str, **arguments: Any) -> Iterator[str]:
        answer = getattr(endpoint.client(service), operation)(**arguments)
        assert "NextToken" not in answer, (service, operation)
        for entry in answer.get(field, []):
            yield f"{field}: {entry if isinstance(entry, str) else json.dumps(entry, default=str)}"

    found = [
        *listed("cloudformation", "describe_stacks", "Stacks"),
        *listed("s3", "list_buckets", "Buckets"),
        *listed("lambda", "list_functions", "Functions"),
        *listed("lambda", "list_event_source_mappings", "EventSourceMappings"),
        *listed("sqs", "list_queues", "QueueUrls"),
        *listed("sns", "list_topics", "Topics"),
        *listed("events", "list_rules", "Rules"),
        *listed("scheduler", "list_schedules", "Schedules"),
        *listed("scheduler", "list_schedule_groups", "ScheduleGroups"),
        *listed("glue", "get_databases", "DatabaseList"),
        *listed("glue", "get_crawlers", "Crawlers"),
        *listed("athena", "list_work_groups", "WorkGroups"),
        *listed("logs", "describe_log_groups", "logGroups"),
        *listed("iam", "list_roles", "Roles", MaxItems=1000),
        *listed("cloudwatch", "describe_alarms", "MetricAlarms"),
        *listed("cloudwatch", "describe_alarms", "CompositeAlarms", AlarmTypes=["CompositeAlarm"]),
        *listed("cloudwatch", "list_dashboards", "DashboardEntries"),
    ]
    return [entry for entry in found if re.search(rf"spotify[-_](etl-)?{stage}\b", entry)]
