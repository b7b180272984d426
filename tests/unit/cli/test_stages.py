"""What each command may do to which stage, and what it finds there."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from cli import aws_stage, cdk, credentials, local_deployment, local_stage, local_state
from cli.local_deployment import Deployment, fingerprint
from cli.stage import NotDeployed, Stage, load_config
from lambdas.core.errors import ConfigurationError, PipelineError
from local.emulator import lifecycle

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

NEVER_RUN = "the CDK command line must not be run"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(local_state.STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield boto3.client("s3")


def arguments(stage: str, **fields: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"stage": stage, "cdk_arguments": [], "bootstrap": False} | fields)


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_an_unknown_stage_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="there is no stage 'nope': use one of local, dev"):
        load_config("nope")


@pytest.mark.parametrize("run", [aws_stage.deploy_command, aws_stage.destroy_command])
def test_the_local_stage_is_neither_deployed_nor_destroyed_as_one_on_aws(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cdk, "run_in_terminal", lambda *_, **__: pytest.fail(NEVER_RUN))
    with pytest.raises(ConfigurationError, match=r"stage local is not on AWS: .* `etl (up|down)`"):
        run(arguments("local"))


@pytest.mark.parametrize("run", [local_stage.up_command, local_stage.down_command])
def test_a_stage_on_aws_is_neither_started_nor_stopped_as_the_local_one(run: Any, state: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"stage dev is on AWS: .*`etl de(ploy|stroy) --stage dev`"):
        run(arguments("dev"))
    assert not state.exists()


def test_prod_is_never_destroyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdk, "run_in_terminal", lambda *_, **__: pytest.fail(NEVER_RUN))
    type_in(monkeypatch, "prod\n")
    with pytest.raises(ConfigurationError, match="stage prod is never destroyed"):
        aws_stage.destroy_command(arguments("prod"))
    with pytest.raises(ConfigurationError, match="stage prod is never destroyed"):
        aws_stage.refuse_protected(replace(load_config("prod"), removal="destroy"))


def test_a_stage_that_keeps_its_data_is_not_destroyed() -> None:
    with pytest.raises(ConfigurationError, match="stage dev keeps its data"):
        aws_stage.refuse_protected(replace(load_config("dev"), removal="retain"))
    aws_stage.refuse_protected(replace(load_config("dev"), removal="destroy"))


@pytest.mark.parametrize("answer", ["", "y\n", "yes\n", "prod\n", "DEV\n"])
def test_anything_but_the_stages_name_destroys_nothing(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, answer)
    with pytest.raises(PipelineError, match="nothing was destroyed"):
        aws_stage.confirm("dev", ["bucket"])


def test_the_stages_name_goes_on_and_the_question_names_what_will_be_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "dev\n")
    aws_stage.confirm("dev", ["raw-1", "tables-1"])
    assert "every version of every object in raw-1, tables-1" in capsys.readouterr().err


def test_a_versioned_bucket_is_emptied_of_all_versions_and_delete_markers(s3: S3Client) -> None:
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    for number in range(1005):
        s3.put_object(Bucket="bucket", Key=f"k{number % 500}", Body=b"x")
    s3.delete_object(Bucket="bucket", Key="k1")
    assert sum(aws_stage.empty_bucket(s3, "bucket")) == 1006
    s3.delete_bucket(Bucket="bucket")


def test_a_bucket_that_is_gone_counts_as_empty_and_any_other_fault_does_not(s3: S3Client) -> None:
    assert list(aws_stage.empty_bucket(s3, "long-gone")) == []

    class Denied:
        def list_object_versions(self, **_: Any) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectVersions")

    with pytest.raises(ClientError):
        list(aws_stage.empty_bucket(Denied(), "b"))  # type: ignore[arg-type]


def test_a_deployment_passes_the_words_on_and_only_its_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[list[str]] = []

    def record(words: list[str], **_: object) -> int:
        run.append(words)
        return 0

    monkeypatch.setattr(cdk, "run_in_terminal", record)
    assert aws_stage.deploy_command(arguments("dev", cdk_arguments=["--force"], bootstrap=True)) == 0
    assert run == [["bootstrap", "-c", "stages=dev"], ["deploy", "dev/**", "-c", "stages=dev", "--force"]]


def test_a_failed_deployment_keeps_the_command_lines_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cdk, "run_in_terminal", lambda *_, **__: 3)
    assert aws_stage.deploy_command(arguments("dev")) == 3
    assert "deploy --stage dev --bootstrap`" in capsys.readouterr().err


def stage_with(*stacks: str) -> Stage:
    """Stage dev on an account that holds some of its stacks, each with the output RawBucketName."""

    class Stacks:
        def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
            if StackName not in stacks:
                raise ClientError({"Error": {"Code": "ValidationError"}}, "DescribeStacks")
            outputs = [
                {"OutputKey": "RawBucketName", "OutputValue": "raw-1"},
                {"OutputKey": "ExportsOutputRefRawBucket672A", "OutputValue": "raw-1"},
            ]
            return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}]}

    stage = Stage(load_config("dev"))
    stage.__dict__["cloudformation"] = Stacks()
    return stage


def test_what_is_not_deployed_is_said_with_the_remedy() -> None:
    stage = stage_with()
    assert stage.stack_outputs("storage") is None
    with pytest.raises(NotDeployed, match=r"\(spotify-etl-dev-storage is missing\): `etl deploy --stage dev`"):
        stage.output("storage", "RawBucketName")
    with pytest.raises(ConfigurationError, match="there is nothing to destroy"):
        aws_stage.bucket_names(stage)


def test_a_stack_without_an_output_is_of_another_version() -> None:
    stage = stage_with("spotify-etl-dev-storage")
    assert stage.output("storage", "RawBucketName") == "raw-1"
    assert aws_stage.bucket_names(stage) == ["raw-1"]
    with pytest.raises(NotDeployed, match="without the output WarehouseBucketName"):
        stage.output("storage", "WarehouseBucketName")


def test_a_stage_without_its_buckets_can_still_be_destroyed() -> None:
    assert aws_stage.bucket_names(stage_with("spotify-etl-dev-compute")) == []


def sources(folder: Path) -> Path:
    for name in ("app.py", "stacks/a.py", "lambdas/core/b.py", "queries/c.sql", "README.md", "cli/d.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("name", ["app.py", "stacks/a.py", "lambdas/core/b.py", "queries/c.sql", "lambdas/new.py"])
def test_whatever_shapes_the_stacks_changes_the_fingerprint(name: str, tmp_path: Path) -> None:
    before = fingerprint(sources(tmp_path))
    assert fingerprint(tmp_path) == before
    (tmp_path / name).write_text("changed")
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize("name", ["README.md", "cli/d.py", "lambdas/core/__pycache__/b.pyc"])
def test_what_does_not_shape_the_stacks_leaves_the_fingerprint(name: str, tmp_path: Path) -> None:
    before = fingerprint(sources(tmp_path))
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("changed")
    assert fingerprint(tmp_path) == before


def test_a_renamed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    before = fingerprint(sources(tmp_path))
    (tmp_path / "stacks/a.py").rename(tmp_path / "stacks/b.py")
    assert fingerprint(tmp_path) != before


def test_a_deployment_is_known_until_it_is_forgotten_and_a_damaged_record_is_none(state: Path) -> None:
    (state / "emulator").mkdir(parents=True)
    deployment = Deployment("abc", "http://127.0.0.1:1")
    assert Deployment.read() is None
    deployment.write()
    assert Deployment.read() == deployment
    (state / "emulator" / "deployment.json").write_text('{"fingerprint": "a"')
    assert Deployment.read() is None
    Deployment.forget()
    Deployment.forget()
    assert Deployment.read() is None


def test_a_stage_that_does_not_run_is_said_to_be_down(state: Path) -> None:
    with pytest.raises(local_state.LocalStageDown, match="start it with `etl up`"):
        local_state.use_running_emulator()


def test_down_with_nothing_running_says_so_and_makes_no_folder(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert local_stage.down_command(arguments("local")) == 0
    assert "nothing to stop" in capsys.readouterr().out
    assert not state.exists()


def test_a_second_up_beside_the_first_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "running", lambda _: pytest.fail("the second must not look, let alone start"))
    state.mkdir()
    with local_stage._only_one(), pytest.raises(ConfigurationError, match="is at work on the local stage"):
        local_stage.up_command(arguments("local"))


def test_ctrl_c_in_up_says_how_to_go_on(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(local_stage, "_up", interrupted)
    assert local_stage.up_command(arguments("local")) == 130
    assert "stopped before the local stage was up" in capsys.readouterr().err


class StackStates:
    """CloudFormation with a stack whose state goes on at every look."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        if StackName != "CDKToolkit":
            raise ClientError({"Error": {"Code": "ValidationError"}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": self.states.pop(0) if len(self.states) > 1 else self.states[0]}]}


def test_a_deployment_that_was_broken_off_is_waited_for_and_given_up_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_deployment, "_SETTLE_PAUSE_SECONDS", 0)
    stage = Stage(load_config("local"))
    stage.__dict__["cloudformation"] = StackStates("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
    assert local_deployment.settled(stage)
    monkeypatch.setattr(local_deployment, "_SETTLE_SECONDS", 0)
    stage.__dict__["cloudformation"] = StackStates("UPDATE_IN_PROGRESS")
    assert not local_deployment.settled(stage)
    stage.__dict__["cloudformation"] = StackStates("REVIEW_IN_PROGRESS")
    assert local_deployment.settled(stage), "cdk deploy takes up such a stack itself"


def test_credentials_come_from_two_lines_of_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, " id \nsecret\n")
    assert credentials.ask() == ("id", "secret")


@pytest.mark.parametrize("piped", ["", "id\n", "\nsecret\n"])
def test_half_of_the_credentials_are_refused(piped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, piped)
    with pytest.raises(ConfigurationError, match="each on a line of standard input"):
        credentials.ask()


def test_credentials_are_asked_for_without_an_echo_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return f"typed {len(asked)}"

    monkeypatch.setattr("getpass.getpass", typed)
    assert credentials.ask() == ("typed 1", "typed 2")
    assert asked == ["Client ID: ", "Client secret: "]
