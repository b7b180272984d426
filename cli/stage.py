"""A stage as the command sees it: its configuration, its AWS clients, and what its stacks put out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cli.command_name import REPOSITORY
from lambdas.core.adapters.s3 import S3Store
from lambdas.core.errors import ConfigurationError, PipelineError
from stacks.config import StageConfig, load_stages, select_stage

if TYPE_CHECKING:
    from datetime import timedelta

    from botocore.credentials import Credentials
    from types_boto3_athena.client import AthenaClient
    from types_boto3_cloudformation.client import CloudFormationClient
    from types_boto3_lambda.client import LambdaClient
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient
    from types_boto3_ssm.client import SSMClient

    from lambdas.core.adapters.athena import Athena

LOCAL = "local"
Part: TypeAlias = Literal["storage", "compute", "catalog", "monitoring"]
PARTS: tuple[Part, ...] = ("storage", "compute", "catalog", "monitoring")

FUNCTIONS: Mapping[str, str] = {
    "Extract": "extract",
    "ImportChart": "import_chart",
    "Transform": "transform",
    "Enrich": "enrich",
    "Report": "report",
}
"""By the word that begins the names of its outputs, what a function is called."""

_INVOCATION_SECONDS = 15 * 60 + 10
"""A function runs for at most 15 minutes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""
_UPLOADS_AT_ONCE = 16


class NotDeployed(PipelineError):
    """A stack of the stage is not there."""


def load_config(name: str) -> StageConfig:
    """The stage's configuration from cdk.json. Raises ConfigurationError for an unknown stage, or a bad value."""
    return select_stage(_stages(), name)


@cache
def _stages() -> Mapping[str, StageConfig]:
    return load_stages(REPOSITORY / "cdk.json")


def open_stage(name: str) -> Stage:
    """The stage, ready to be asked. Raises EmulatorError or NotDeployed if it is the local one and is not up."""
    config = load_config(name)
    if config.emulated:
        from cli.local_state import use_running_emulator

        use_running_emulator()
    return Stage(config)


@dataclass(frozen=True)
class Stage:
    """One stage's clients. Nothing is asked of AWS before it is needed."""

    config: StageConfig

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.config.stage

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(region_name=self.config.region)

    def _settings(self, *, read_seconds: float = 60, attempts: int | None = None) -> Config:
        tries = attempts or (2 if self.config.emulated else 5)
        return Config(
            connect_timeout=5,
            tcp_keepalive=True,
            read_timeout=read_seconds,
            retries={"mode": "standard", "total_max_attempts": tries},
            max_pool_connections=_UPLOADS_AT_ONCE,
            # The emulator is on loopback, whatever proxy the shell names.
            proxies={} if self.config.emulated else None,
            s3={"addressing_style": "path"} if self.config.emulated else None,
        )

    @cached_property
    def s3(self) -> S3Client:
        return self._session.client("s3", config=self._settings())

    def link_to(self, bucket: str, key: str, *, lasting: timedelta) -> str:
        """A link by which whoever has it reads an object, until it or the credentials that sign it end."""
        # Without a word boto3 signs as S3 does no longer take it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
        signing = self._settings().merge(Config(signature_version="s3v4"))
        client = self._session.client("s3", config=signing)
        return client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=int(lasting.total_seconds())
        )

    def credentials(self) -> Credentials | None:
        """What requests are signed with."""
        return self._session.get_credentials()

    @cached_property
    def ssm(self) -> SSMClient:
        return self._session.client("ssm", config=self._settings())

    @cached_property
    def sqs(self) -> SQSClient:
        return self._session.client("sqs", config=self._settings())

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        return self._session.client("cloudformation", config=self._settings())

    @cached_property
    def functions(self) -> LambdaClient:
        """Never retries: a poll that was cut off may have been made all the same."""
        return self._session.client("lambda", config=self._settings(read_seconds=_INVOCATION_SECONDS, attempts=1))

    @cached_property
    def _athena_client(self) -> AthenaClient:
        return self._session.client("athena", config=self._settings())

    def caller(self) -> str:
        """ARN of the user or role that asks, as AWS sees it."""
        return str(self._session.client("sts", config=self._settings()).get_caller_identity()["Arn"])

    @property
    def athena(self) -> Athena:
        """The stage's workgroup and database."""
        from lambdas.core.adapters.athena import Athena

        return Athena(
            self._athena_client,
            workgroup=self.output("catalog", "WorkgroupName"),
            database=self.output("catalog", "DatabaseName"),
        )

    def raw_store(self) -> S3Store:
        """The raw bucket."""
        return S3Store(self.s3, self.output("storage", "RawBucketName"))

    def warehouse_store(self) -> S3Store:
        """The warehouse bucket."""
        return S3Store(self.s3, self.output("storage", "WarehouseBucketName"))

    @cached_property
    def _found_stacks(self) -> dict[Part, dict[str, str] | None]:
        return {}

    def stack_outputs(self, part: Part) -> dict[str, str] | None:
        """What a stack puts out, or None if it is not there (or was never created whole)."""
        if part not in self._found_stacks:
            self._found_stacks[part] = self._describe(part)
        return self._found_stacks[part]

    def _describe(self, part: Part) -> dict[str, str] | None:
        try:
            stack = self.cloudformation.describe_stacks(StackName=self.config.stack_name(part))["Stacks"][0]
        except ClientError as error:
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
            if error.response.get("Error", {}).get("Code") == "ValidationError":
                return None
            raise
        if stack["StackStatus"] in ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
            return None
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def output(self, part: Part, name: str) -> str:
        """One value that a stack puts out. Raises NotDeployed if the stack is not there or does not put it out."""
        outputs = self.stack_outputs(part)
        remedy = "`etl up`" if self.config.emulated else f"`etl deploy --stage {self.name}`"
        if outputs is None:
            raise NotDeployed(
                f"stage {self.name} is not deployed ({self.config.stack_name(part)} is missing): {remedy}"
            )
        if name not in outputs:
            raise NotDeployed(
                f"stack {self.config.stack_name(part)} is of another version, without the output {name}: {remedy}"
            )
        return outputs[name]


def require_aws(name: str, *, instead: str) -> StageConfig:
    """The configuration of a stage on AWS. Raises ConfigurationError for an emulated one; `instead` says what to do."""
    config = load_config(name)
    if config.emulated:
        others = ", ".join(stage.stage for stage in _stages().values() if not stage.emulated)
        raise ConfigurationError(f"stage {name} is not on AWS: {instead}; stages on AWS: {others} (--stage NAME)")
    return config
