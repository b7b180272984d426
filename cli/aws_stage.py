"""Stages on AWS: `etl deploy` and `etl destroy` wrap the CDK command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cli import cdk
from cli.output import count, note, say, step
from cli.stage import PARTS, Stage, require_aws
from lambdas.core.errors import ConfigurationError, PipelineError
from stacks.config import PROTECTED_STAGES

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

    from stacks.config import StageConfig

_BUCKET_OUTPUT = "BucketName"


def deploy_command(arguments: argparse.Namespace) -> int:
    """Run `etl deploy`."""
    config = require_aws(arguments.stage, instead="the local stage is started by `etl up`")
    stage = config.stage
    if arguments.bootstrap:
        code = cdk.run_in_terminal(["bootstrap", "-c", f"stages={stage}"], env=os.environ)
        if code != 0:
            note(f"cdk bootstrap ended with exit code {code}: nothing was deployed")
            return code
    code = cdk.run_in_terminal(
        ["deploy", f"{stage}/**", "-c", f"stages={stage}", *arguments.cdk_arguments], env=os.environ
    )
    if code == 0:
        say(f"stage {stage} is deployed; next: `etl import PATH --stage {stage}` or `etl status --stage {stage}`")
        return 0
    note(
        f"cdk deploy ended with exit code {code}; if it asks for `cdk bootstrap`, as once in every account and region: "
        f"`etl deploy --stage {stage} --bootstrap`"
    )
    return code


def destroy_command(arguments: argparse.Namespace) -> int:
    """Run `etl destroy`."""
    config = require_aws(arguments.stage, instead="the local stage is stopped by `etl down`")
    refuse_protected(config)
    stage = Stage(config)
    buckets = bucket_names(stage)
    confirm(config.stage, buckets)
    for bucket in buckets:
        with step(f"empty {bucket}") as progress:
            removed = 0
            for number in empty_bucket(stage.s3, bucket):
                removed += number
                progress.update(count(removed, "version"))
    code = cdk.run_in_terminal(
        ["destroy", f"{config.stage}/**", "--force", "-c", f"stages={config.stage}", *arguments.cdk_arguments],
        env=os.environ,
    )
    if code == 0:
        say(f"stage {config.stage} is gone; its credentials stay in the parameter {config.credentials_parameter}")
    else:
        note(f"cdk destroy ended with exit code {code}: mend what it says, then run the same command again")
    return code


def refuse_protected(config: StageConfig) -> None:
    """Raises ConfigurationError for prod, and for any stage that is configured to keep its data."""
    if config.stage in PROTECTED_STAGES:
        raise ConfigurationError(
            "stage prod is never destroyed by this command: take the termination protection off its stacks and delete "
            "them in the CloudFormation console"
        )
    if config.removal != "destroy":
        raise ConfigurationError(
            f'stage {config.stage} keeps its data ("removal": "{config.removal}" in cdk.json): set it to "destroy" and '
            f"deploy that with `etl deploy --stage {config.stage}` first"
        )


def bucket_names(stage: Stage) -> list[str]:
    """The buckets to empty. Raises ConfigurationError if nothing of the stage is deployed."""
    storage = stage.stack_outputs("storage")
    if storage is None:
        if all(stage.stack_outputs(part) is None for part in PARTS):
            raise ConfigurationError(f"stage {stage.name} is not deployed: there is nothing to destroy")
        return []
    return [value for name, value in storage.items() if name.endswith(_BUCKET_OUTPUT)]


def confirm(stage: str, buckets: list[str]) -> None:
    """Ask for the stage's name. Raises PipelineError, and nothing is done, for any other answer."""
    what = f"This destroys stage {stage}: its stacks"
    if buckets:
        what += f", and every version of every object in {', '.join(buckets)}"
    print(f"{what}.", file=sys.stderr)
    print(f"Type the stage's name ({stage}) to go on: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if answer != stage:
        raise PipelineError(f"{answer!r} is not {stage!r}: nothing was destroyed")


def empty_bucket(s3: S3Client, bucket: str) -> Iterator[int]:
    """Delete all versions and delete markers in a bucket; yields how many, a page (at most 1,000) at a time.

    A bucket that is not there is empty. Raises PipelineError if S3 refuses to delete one.
    """
    try:
        while True:
            # Always the first page: the marker of a next one would be a version that is deleted by then.
            page = s3.list_object_versions(Bucket=bucket)
            versions: list[ObjectIdentifierTypeDef] = [
                {"Key": entry["Key"], "VersionId": entry["VersionId"]}
                for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
            ]
            if not versions:
                return
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
            if refused := answer.get("Errors"):
                first = refused[0]
                raise PipelineError(
                    f"S3 does not delete {first.get('Key')} of {bucket}: {first.get('Message')}: the stacks are "
                    "untouched; mend that, then run the same command again"
                )
            yield len(versions)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchBucket":
            raise
