"""cdk-nag: what it finds is mended, or acknowledged with a reason; and it finds what it is there for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct, IValidation

import app
from lambdas.core.errors import ConfigurationError
from stacks import checks
from stacks.config import load_stages
from stacks.constructs.bucket import PrivateBucket
from stacks.constructs.bundling import AWS_TARGET
from stacks.constructs.function import PipelineFunction
from stacks.constructs.queue import QueueWithDeadLetters
from stacks.stage import PipelineStage
from tests.infra.templates import AS_FOR_TESTS, PACKS, Finding, Synthesis, build, read_findings

# All rules that anything in the stages is excused from; why, stands beside the resource.
EXCUSED = {
    "AwsSolutions-GL1",
    "AwsSolutions-IAM5",
    "AwsSolutions-S1",
    "AwsSolutions-SQS3",
    "Serverless-LambdaDLQ",
    "Serverless-LambdaEventSourceMappingDestination",
    "Serverless-LambdaTracing",
    "Serverless-SQSRedrivePolicy",
}
# A star in an ARN that is excused: the objects under one prefix, or the streams of the crawlers' log group.
_EXCUSED_STAR = re.compile(
    r"AwsSolutions-IAM5\[Resource::(spotify-etl-\w+-storage:\w+/(?:[\w-]+/)+\*|arn:.*:log-group:/aws-glue/crawlers:\*)\]"
)
T = TypeVar("T")


def test_both_packs_have_looked_at_every_stage_and_nothing_they_found_is_unacknowledged(synthesis: Synthesis) -> None:
    found = read_findings(synthesis.folder)
    assert set(PACKS) <= set(found)
    for pack in PACKS:
        assert [finding for finding in found[pack] if finding.acknowledged is None] == []
        assert {finding.path.partition("/")[0] for finding in found[pack]} == set(synthesis.stages)


def test_only_known_rules_are_acknowledged_each_near_its_resource_and_with_a_reason(synthesis: Synthesis) -> None:
    acknowledged = [finding for findings in read_findings(synthesis.folder).values() for finding in findings]
    assert {finding.rule.partition("[")[0] for finding in acknowledged} == EXCUSED
    for finding in acknowledged:
        assert finding.reason is not None
        assert len(finding.reason) > 40, finding
        # Never for a whole stack or stage, where it would hide what comes later.
        assert finding.acknowledged is not None
        assert finding.acknowledged.count("/") >= 2, finding
        if "[" in finding.rule:
            assert _EXCUSED_STAR.fullmatch(finding.rule), finding


def test_a_stage_with_all_that_can_be_configured_passes_too(tmp_path: Path) -> None:
    # An account and a region, because ARNs are written otherwise with them.
    everything = {
        "account": "123456789012",
        "region": "eu-north-1",
        "charts": [{"playlist": "37i9dQZEVXbMDoHDwVN2tF"}],
        "alarm_email": "charts@example.com",
        "crawler_schedule": "cron(0 4 ? * MON *)",
        "enrichment_schedule": "rate(1 day)",
    }
    checks.synthesize(build(tmp_path, load_stages({"dev": everything})))


def test_no_acknowledgement_has_outlived_what_it_was_for(synthesis: Synthesis) -> None:
    used = {
        (f"{pack}::{finding.rule}", f"/{finding.acknowledged}")
        for pack, findings in read_findings(synthesis.folder).items()
        for finding in findings
    }
    written = {
        (rule, path)
        for file in synthesis.folder.glob("assembly-*/*.metadata.json")
        for path, entries in json.loads(file.read_text("utf-8")).items()
        for entry in entries
        if entry["type"] == cdk.Validations.ACKNOWLEDGED_RULES_METADATA_KEY
        for rule in entry["data"]
    }
    assert written == used


def _bucket(scope: Construct) -> PrivateBucket:
    return PrivateBucket(scope, "It", removal=cdk.RemovalPolicy.RETAIN, noncurrent_days=30)


def _queue(scope: Construct) -> QueueWithDeadLetters:
    return QueueWithDeadLetters(scope, "It", visibility=cdk.Duration.minutes(1))


def _function(scope: Construct) -> PipelineFunction:
    return PipelineFunction(
        scope,
        "It",
        package="extract",
        description="Made for a test",
        environment={},
        grants=[],
        timeout=cdk.Duration.minutes(1),
        memory_mib=256,
        log_retention=logs.RetentionDays.ONE_WEEK,
        removal=cdk.RemovalPolicy.DESTROY,
        target=AWS_TARGET,
        on_failure=sqs.Queue(scope, "Failures"),
    )


def _only(kind: type[T], scope: IConstruct, name: str = "") -> T:
    """The only construct of a kind in another, or the only one whose path ends in `name`."""
    (found,) = [held for held in scope.node.find_all() if isinstance(held, kind) and held.node.path.endswith(name)]
    return found


def _with_a_public_acl(scope: Construct) -> None:
    bucket = _only(s3.CfnBucket, _bucket(scope))
    bucket.public_access_block_configuration = s3.CfnBucket.PublicAccessBlockConfigurationProperty(
        block_public_acls=False, block_public_policy=True, ignore_public_acls=True, restrict_public_buckets=True
    )


def _bucket_without_tls(scope: Construct) -> None:
    assert _bucket(scope).bucket.node.try_remove_child("Policy")


def _queue_without_tls(scope: Construct) -> None:
    assert _queue(scope).queue.node.try_remove_child("Policy")


def _queue_without_dead_letters(scope: Construct) -> None:
    _only(sqs.CfnQueue, _queue(scope), "It/Queue/Resource").redrive_policy = None


def _queue_without_encryption(scope: Construct) -> None:
    _only(sqs.CfnQueue, _queue(scope), "It/Queue/Resource").sqs_managed_sse_enabled = False


def _on_an_old_python(scope: Construct) -> None:
    _only(lambda_.CfnFunction, _function(scope)).runtime = "python3.12"


def _without_memory(scope: Construct) -> None:
    _only(lambda_.CfnFunction, _function(scope)).memory_size = None


def _without_timeout(scope: Construct) -> None:
    _only(lambda_.CfnFunction, _function(scope)).timeout = None


def _with_lost_failures(scope: Construct) -> None:
    _only(lambda_.CfnEventInvokeConfig, _function(scope)).destination_config = None


def _with_logs_for_ever(scope: Construct) -> None:
    _only(logs.CfnLogGroup, _function(scope)).retention_in_days = None


def _with_a_managed_policy(scope: Construct) -> None:
    _function(scope).role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name("AdministratorAccess"))


def _with_all_actions(scope: Construct) -> None:
    statement = iam.PolicyStatement(actions=["s3:*"], resources=["arn:aws:s3:::bucket"])
    _function(scope).role.add_to_principal_policy(statement)


def _with_all_resources(scope: Construct) -> None:
    _function(scope).role.add_to_principal_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=["*"]))


def _weaken_stage(stage: PipelineStage) -> None:
    """What hangs together too much to be weakened alone; each of these is another resource."""
    rule = _only(events.CfnRule, stage.compute, "/RawDocumentCreated/Resource")
    rule.targets = [events.CfnRule.TargetProperty(arn="arn:aws:sqs:eu-west-1:123456789012:queue", id="It")]
    assert _only(sns.Topic, stage.monitoring).node.try_remove_child("Policy")
    role = _only(iam.Role, stage.catalog)
    everything = stage.storage.warehouse.arn_for_objects("*")
    role.add_to_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=[everything]))


SOUND: tuple[Callable[[Construct], Construct], ...] = (_bucket, _queue, _function)
WEAKENED: dict[str, tuple[Callable[[Construct], None], set[str]]] = {
    "a bucket that takes a public ACL": (_with_a_public_acl, {"AwsSolutions-S2"}),
    "a bucket that answers without TLS": (_bucket_without_tls, {"AwsSolutions-S10"}),
    "a queue that answers without TLS": (_queue_without_tls, {"AwsSolutions-SQS4"}),
    "a queue without dead letters": (
        _queue_without_dead_letters,
        {"AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy"},
    ),
    "a queue without encryption": (_queue_without_encryption, {"AwsSolutions-SQS2"}),
    "a function on an old Python": (_on_an_old_python, {"AwsSolutions-L1", "Serverless-LambdaLatestVersion"}),
    "a function with the default memory": (_without_memory, {"Serverless-LambdaDefaultMemorySize"}),
    "a function with the default timeout": (_without_timeout, {"Serverless-LambdaDefaultTimeout"}),
    "a function whose failures are lost": (_with_lost_failures, {"Serverless-LambdaAsyncFailureDestination"}),
    "a function whose logs stay for ever": (_with_logs_for_ever, {"Serverless-CloudWatchLogGroupRetentionPeriod"}),
    "a function with a managed policy": (
        _with_a_managed_policy,
        {"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AdministratorAccess]"},
    ),
    "a function that may do all with a bucket": (_with_all_actions, {"AwsSolutions-IAM5[Action::s3:*]"}),
    "a function that may read all buckets": (_with_all_resources, {"AwsSolutions-IAM5[Resource::*]"}),
}


WEAKENED_IN_A_STAGE = {
    "a rule whose events may be lost": ("compute/RawDocumentCreated", "Serverless-EventBusDLQ"),
    "a topic that answers without TLS": ("monitoring/Alarms", "AwsSolutions-SNS3"),
    "a crawler that may read more than tables": ("catalog/CrawlerRole", "AwsSolutions-IAM5"),
}


def _name(case: Callable[[Construct], object]) -> str:
    """What a case's stack is called."""
    return case.__name__.strip("_").replace("_", "-")


@pytest.fixture(scope="module")
def weakened(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What is found and unacknowledged in all cases, each in a stack of its own, in one synthesis."""
    folder = tmp_path_factory.mktemp("weakened")
    made = cdk.App(
        context={**app.context(), **AS_FOR_TESTS},
        outdir=str(folder),
        builtin_cloud_formation_validation=False,
        analytics_reporting=False,
    )
    checks.add_checks(made)
    for sound in SOUND:
        sound(cdk.Stack(made, _name(sound)))
    for weaken, _ in WEAKENED.values():
        weaken(cdk.Stack(made, _name(weaken)))
    _weaken_stage(PipelineStage(made, load_stages({"weak": {}})["weak"], queries=[]))
    with pytest.raises(ConfigurationError, match="the templates do not pass their checks"):
        checks.synthesize(made)
    return [found for pack in read_findings(folder).values() for found in pack if found.acknowledged is None]


def _rules(found: list[Finding], case: Callable[[Construct], object]) -> set[str]:
    # That dead letters have none themselves is acknowledged where they are used.
    own = [finding for finding in found if finding.path.startswith(f"{_name(case)}/It/")]
    return {finding.rule for finding in own if "/DeadLetters/" not in finding.path}


@pytest.mark.parametrize("sound", SOUND, ids=_name)
def test_a_construct_is_sound_as_it_is(sound: Callable[[Construct], Construct], weakened: list[Finding]) -> None:
    assert _rules(weakened, sound) == set()


@pytest.mark.parametrize(("weaken", "rules"), WEAKENED.values(), ids=WEAKENED)
def test_a_weakened_construct_is_found_out(
    weaken: Callable[[Construct], None], rules: set[str], weakened: list[Finding]
) -> None:
    assert _rules(weakened, weaken) == rules


@pytest.mark.parametrize(("path", "rule"), WEAKENED_IN_A_STAGE.values(), ids=WEAKENED_IN_A_STAGE)
def test_a_weakened_stage_is_found_out(path: str, rule: str, weakened: list[Finding]) -> None:
    (found,) = [found for found in weakened if found.path.startswith(f"weak/{path}/")]
    assert found.rule.partition("[")[0] == rule


def test_a_finding_ends_the_synthesis_in_one_line(tmp_path: Path) -> None:
    made = cdk.App(outdir=str(tmp_path), builtin_cloud_formation_validation=False, analytics_reporting=False)
    checks.add_checks(made)
    s3.Bucket(cdk.Stack(made, "Stack"), "Bucket")
    with pytest.raises(ConfigurationError) as raised:
        checks.synthesize(made)
    assert "\n" not in str(raised.value)
    assert f"{tmp_path}/validation-report.json" in str(raised.value)


def test_another_failure_of_a_synthesis_is_not_taken_for_a_finding(tmp_path: Path) -> None:
    made = cdk.App(outdir=str(tmp_path), builtin_cloud_formation_validation=False, analytics_reporting=False)
    queue = sqs.Queue(cdk.Stack(made, "Stack"), "Queue")
    queue.node.add_dependency(cdk.CfnResource(cdk.Stack(made, "Other"), "It", type="AWS::SQS::Queue"))
    queue.stack.node.add_validation(_Refusal())
    with pytest.raises(RuntimeError, match="it is refused"):
        checks.synthesize(made)


@jsii.implements(IValidation)
class _Refusal:
    def validate(self) -> list[str]:
        return ["it is refused"]


@pytest.mark.parametrize("prefixes", [["raw/"], ["raw/", "quarantine/"]])
def test_prefixes_are_acknowledged_in_the_stack_of_the_bucket_and_in_another(
    prefixes: list[str], tmp_path: Path
) -> None:
    made = cdk.App(outdir=str(tmp_path), builtin_cloud_formation_validation=False, analytics_reporting=False)
    checks.add_checks(made)
    holder = cdk.Stack(made, "Holder", env=cdk.Environment(account="123456789012", region="eu-north-1"))
    bucket = _bucket(holder).bucket
    for stack in (holder, cdk.Stack(made, "Reader", env=cdk.Environment(account="123456789012", region="eu-north-1"))):
        role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("glue.amazonaws.com"))
        statement = iam.PolicyStatement(
            actions=["s3:GetObject"], resources=[bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]
        )
        role.add_to_policy(statement)
        checks.acknowledge_prefixes(role, bucket=bucket, prefixes=["raw/"])
    if prefixes == ["raw/"]:
        checks.synthesize(made)
        return
    with pytest.raises(ConfigurationError):
        checks.synthesize(made)
    found = [finding.rule for finding in read_findings(tmp_path)["AwsSolutions"] if finding.acknowledged is None]
    assert len(found) == 2
    assert all(rule.endswith("/quarantine/*]") for rule in found)
