"""What must hold for every stack of every stage, and that each check sees what it is there for.

A check looks at one template and tells its faults. It is tried on all stages as they are, and on a copy of a template
that is weakened in the one way that the check is about.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeAlias

import aws_cdk as cdk
import pytest
from aws_cdk import aws_glue as glue
from aws_cdk import aws_logs as logs
from constructs import Construct

import app
from lambdas.core.schema import TABLES
from stacks.config import NONCURRENT_DAYS, StageConfig, load_stages
from stacks.constructs.bucket import PrivateBucket
from stacks.constructs.bundling import AWS_TARGET
from stacks.constructs.function import PipelineFunction
from stacks.constructs.queue import DeadLetters, QueueWithDeadLetters
from stacks.constructs.table import WarehouseTable
from tests.infra.templates import AS_FOR_TESTS, Synthesis, Template, as_list, is_view, resources, statements, text_of

Check: TypeAlias = Callable[[StageConfig, Template], Iterator[str]]
Weaken: TypeAlias = Callable[[dict[str, Any]], object]

# Every type of resource in use, for each holds something to look after: a new one is looked at before it comes in here.
REVIEWED_TYPES = {
    "AWS::Athena::NamedQuery",
    "AWS::Athena::WorkGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Events::Rule",
    "AWS::Glue::Crawler",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::Logs::QueryDefinition",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule",
    "AWS::Scheduler::ScheduleGroup",
}
_RAW_PREFIXES = "raw|inbox|quarantine|quarantine/inbox|cache/tracks|state"
_TABLE_NAMES = "|".join(table.name for table in TABLES)
# Every star in a resource of a grant, and what it stands for.
STARS = {
    rf"\{{ExportsOutputFnGetAttRawBucket\w+\}}/({_RAW_PREFIXES})/\*": "the objects under a prefix of the raw bucket",
    rf"\{{ExportsOutputFnGetAttWarehouseBucket\w+\}}/({_TABLE_NAMES})/\*": "the objects of one table",
    r"\{ExportsOutputFnGetAttWarehouseBucket\w+\}/report/\*": "the reports",
    r"\{ExportsOutputFnGetAttResultsBucket\w+\}/athena-results/\*": "what Athena answered",
    r"arn:\S+:log-group:/aws-glue/crawlers:\*": "the streams of the log group that Glue has for all crawlers",
}


def _properties(template: Template, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, held in resources(template, kind).items():
        yield name, held.get("Properties", {})


def no_public_access(_: StageConfig, template: Template) -> Iterator[str]:
    """Buckets block everything public, and know no ACLs."""
    for name, bucket in _properties(template, "AWS::S3::Bucket"):
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if len(block) != 4 or set(block.values()) != {True}:
            yield f"{name} blocks only {block}"
        rules = bucket.get("OwnershipControls", {}).get("Rules", [])
        if rules != [{"ObjectOwnership": "BucketOwnerEnforced"}]:
            yield f"{name} takes ACLs"
        if "AccessControl" in bucket or "WebsiteConfiguration" in bucket:
            yield f"{name} is shared"


def tls_only(_: StageConfig, template: Template) -> Iterator[str]:
    """Everything with a policy of its own refuses what comes without TLS."""
    refusing = {
        text_of(resource)
        for _, statement in statements(template)
        if statement["Effect"] == "Deny"
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        and statement.get("Principal") in ({"AWS": "*"}, "*")
        for resource in as_list(statement["Resource"])
    }
    for name in resources(template, "AWS::S3::Bucket"):
        if not {f"{{{name}.Arn}}", f"{{{name}.Arn}}/*"} <= refusing:
            yield f"{name} answers without TLS"
    for name in resources(template, "AWS::SQS::Queue"):
        if f"{{{name}.Arn}}" not in refusing:
            yield f"{name} answers without TLS"
    for name in resources(template, "AWS::SNS::Topic"):
        if f"{{{name}}}" not in refusing:
            yield f"{name} answers without TLS"


def encrypted_at_rest(_: StageConfig, template: Template) -> Iterator[str]:
    """Buckets, queues and Athena's results. The topic is not, which stacks/monitoring.py explains."""
    for name, bucket in _properties(template, "AWS::S3::Bucket"):
        rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        if [rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules] != ["AES256"]:
            yield f"{name} is not encrypted"
    for name, queue in _properties(template, "AWS::SQS::Queue"):
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name} is not encrypted"
    for name, workgroup in _properties(template, "AWS::Athena::WorkGroup"):
        result = workgroup["WorkGroupConfiguration"]["ResultConfiguration"]
        if result.get("EncryptionConfiguration") != {"EncryptionOption": "SSE_S3"}:
            yield f"results of {name} are not encrypted"


def versions_expire(_: StageConfig, template: Template) -> Iterator[str]:
    """What cannot be made again is versioned, and old versions and unfinished uploads go."""
    for name, bucket in _properties(template, "AWS::S3::Bucket"):
        rules = [
            rule
            for rule in bucket.get("LifecycleConfiguration", {}).get("Rules", [])
            if rule["Status"] == "Enabled" and not rule.keys() & {"Prefix", "TagFilters"}
        ]
        versioned = bucket.get("VersioningConfiguration") == {"Status": "Enabled"}
        if versioned is name.startswith("ResultsBucket"):
            yield f"{name} is {'' if versioned else 'not '}versioned"
        kept = [rule["NoncurrentVersionExpiration"] for rule in rules if "NoncurrentVersionExpiration" in rule]
        if versioned and kept != [{"NoncurrentDays": NONCURRENT_DAYS}]:
            yield f"{name} keeps old versions for ever"
        if not any("AbortIncompleteMultipartUpload" in rule for rule in rules):
            yield f"{name} keeps unfinished uploads"


def results_expire(config: StageConfig, template: Template) -> Iterator[str]:
    """What Athena answered is kept for the days that the stage says, wherever in its bucket it lies."""
    for name, bucket in _properties(template, "AWS::S3::Bucket"):
        if name.startswith("ResultsBucket"):
            expiries = [
                rule["ExpirationInDays"]
                for rule in bucket.get("LifecycleConfiguration", {}).get("Rules", [])
                if "ExpirationInDays" in rule and not rule.keys() & {"Prefix", "TagFilters"}
            ]
            if expiries != [config.result_retention_days]:
                yield f"{name} expires after {expiries} days"


def data_outlives_its_stack(config: StageConfig, template: Template) -> Iterator[str]:
    """In a stage that retains, data and logs stay; in one that does not, they go with it."""
    policy = {"destroy": "Delete", "retain": "Retain"}[config.removal]
    for kind in ("AWS::S3::Bucket", "AWS::Logs::LogGroup"):
        for name, held in resources(template, kind).items():
            if (held.get("DeletionPolicy"), held.get("UpdateReplacePolicy")) != (policy, policy):
                yield f"{name} does not {policy.lower()}"


def workgroup_is_enforced(config: StageConfig, template: Template) -> Iterator[str]:
    """No client can ask for more than the workgroup allows, and the workgroup can be deleted."""
    for name, workgroup in _properties(template, "AWS::Athena::WorkGroup"):
        settings = workgroup["WorkGroupConfiguration"]
        if settings.get("EnforceWorkGroupConfiguration") is not True:
            yield f"{name} lets clients choose"
        if settings.get("BytesScannedCutoffPerQuery") != config.athena_scan_cutoff_bytes:
            yield f"{name} has no cut-off"
        if settings["ResultConfiguration"].get("ExpectedBucketOwner") != {"Ref": "AWS::AccountId"}:
            yield f"{name} writes results to anybody's bucket"
        if workgroup.get("RecursiveDeleteOption") is not True:
            yield f"{name} cannot be deleted"


def functions_take_no_concurrency_and_cannot_loop(_: StageConfig, template: Template) -> Iterator[str]:
    """Reserved concurrency fails in new accounts, which have ten; Lambda's own stop of loops stays on."""
    for name, function in _properties(template, "AWS::Lambda::Function"):
        if "ReservedConcurrentExecutions" in function:
            yield f"{name} reserves concurrency"
        if function.get("RecursiveLoop", "Terminate") != "Terminate":
            yield f"{name} may loop"
        if "VpcConfig" in function or "FileSystemConfigs" in function:
            yield f"{name} is in a network"


def nothing_is_lost(_: StageConfig, template: Template) -> Iterator[str]:
    """Every asynchronous edge ends in a dead-letter queue of the same stack, and nothing else ends there."""
    ends = {f"{{{name}.Arn}}" for name in resources(template, "AWS::SQS::Queue") if "DeadLetters" in name}
    edges: dict[str, Any] = {}
    for name, queue in _properties(template, "AWS::SQS::Queue"):
        if f"{{{name}.Arn}}" not in ends:
            edges[name] = queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")
    for name, rule in _properties(template, "AWS::Events::Rule"):
        for target in rule["Targets"]:
            edges[f"{name} {target['Id']}"] = target.get("DeadLetterConfig", {}).get("Arn")
    for name, schedule in _properties(template, "AWS::Scheduler::Schedule"):
        edges[name] = schedule["Target"].get("DeadLetterConfig", {}).get("Arn")
    for name, invoke in _properties(template, "AWS::Lambda::EventInvokeConfig"):
        edges[name] = invoke.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    for name, arn in edges.items():
        if arn is None or text_of(arn) not in ends:
            yield f"what {name} could not deliver is lost"
    for name, mapping in _properties(template, "AWS::Lambda::EventSourceMapping"):
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"one bad message fails a whole batch of {name}"


def logs_end(config: StageConfig, template: Template) -> Iterator[str]:
    """Functions log to groups of ours, which keep the days that the stage says."""
    groups = resources(template, "AWS::Logs::LogGroup")
    for name, group in groups.items():
        if group["Properties"].get("RetentionInDays") != config.log_retention_days:
            yield f"{name} keeps logs for ever"
    for name, function in _properties(template, "AWS::Lambda::Function"):
        if function.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref") not in groups:
            yield f"{name} logs to a group that Lambda makes"


def tagged(config: StageConfig, template: Template) -> Iterator[str]:
    """Whatever can have tags has the project's and the stage's."""
    wanted = {"project": "spotify-etl", "stage": config.stage}
    for name, held in template["Resources"].items():
        if _takes_tags(held["Type"]):
            tags = held.get("Properties", {}).get("Tags", [])
            found = tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
            if {key: found.get(key) for key in wanted} != wanted:
                yield f"{name} has only the tags {found}"


def _takes_tags(kind: str) -> bool:
    """Whether CloudFormation lets a type be tagged, as CDK knows it."""
    _, service, name = kind.split("::")
    resource = getattr(import_module(f"aws_cdk.aws_{service.lower()}"), f"Cfn{name}")
    # A schedule's or a table's `tags` would be for a wider or an untyped use: what has a tag manager is tagged.
    return hasattr(resource, "tags") or hasattr(resource, "cdk_tag_manager")


def grants_name_what_they_grant(_: StageConfig, template: Template) -> Iterator[str]:
    """No star in an action, none in a resource but those above, nothing but what is named, nobody but who is named."""
    for name, statement in statements(template):
        if statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}:
            yield f"{name} grants all but something"
        if statement["Effect"] == "Deny":
            continue
        for action in as_list(statement["Action"]):
            if "*" in action:
                yield f"{name} grants {action}"
        for resource in map(text_of, as_list(statement["Resource"])):
            if "*" in resource and not any(re.fullmatch(star, resource) for star in STARS):
                yield f"{name} grants on {resource}"
        principal = statement.get("Principal")
        if principal is not None and (not isinstance(principal, dict) or set(principal) != {"Service"}):
            yield f"{name} grants to {principal}"
        if principal is not None and "Condition" not in statement:
            yield f"{name} grants to the service on anybody's behalf"


def types_are_reviewed(_: StageConfig, template: Template) -> Iterator[str]:
    """A type that nobody has looked at is no part of a stack, and no custom resource is."""
    for name, held in template["Resources"].items():
        if held["Type"] not in REVIEWED_TYPES:
            yield f"{name} is a {held['Type']}"


def tables_lie_in_the_warehouse(_: StageConfig, template: Template) -> Iterator[str]:
    """Each in its own prefix of the warehouse bucket, and Athena finds a year's partition without a crawl."""
    for name, held in _properties(template, "AWS::Glue::Table"):
        table = held["TableInput"]
        if is_view({"Properties": held}):
            if "Location" in table["StorageDescriptor"]:
                yield f"{name} is a view, and lies somewhere"
            continue
        location = text_of(table["StorageDescriptor"]["Location"])
        if not re.fullmatch(rf"s3://\{{\w*WarehouseBucket\w*\}}/{table['Name']}/", location):
            yield f"{name} lies in {location}"
        if table["PartitionKeys"] and table["Parameters"].get("projection.enabled") != "true":
            yield f"{name} knows only the years that were crawled"


def stack_says_what_it_is(_: StageConfig, template: Template) -> Iterator[str]:
    """In the console, by its description."""
    if not template.get("Description", "").startswith("spotify-etl: "):
        yield "the stack has no description"


def _change(kind: str, *path: str, to: object = None) -> Weaken:
    """Set a property of the first resource of a kind, or take it away."""

    def weaken(template: dict[str, Any]) -> None:
        held: Any = next(iter(resources(template, kind).values()))
        *way, last = path
        for step in way:
            held = held[int(step) if step.isdigit() else step]
        assert isinstance(held, dict)
        assert held.get(last) != to
        if to is None:
            del held[last]
        else:
            held[last] = to

    return weaken


def _remove(kind: str, number: int = 0) -> Weaken:
    return lambda template: template["Resources"].pop(list(resources(template, kind))[number])


def _first_statement(key: str, to: object, kind: str = "AWS::IAM::Policy") -> Weaken:
    def weaken(template: dict[str, Any]) -> None:
        for policy in resources(template, kind).values():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow":
                    statement[key] = to
                    return
        raise AssertionError(f"no {kind} allows anything")

    return weaken


def _without_rule(identifier: str, bucket: str) -> Weaken:
    def weaken(template: dict[str, Any]) -> None:
        (held,) = [held for name, held in resources(template, "AWS::S3::Bucket").items() if name.startswith(bucket)]
        rules = held["Properties"]["LifecycleConfiguration"]["Rules"]
        rules.remove(next(rule for rule in rules if rule["Id"] == identifier))

    return weaken


def _without_projection(template: dict[str, Any]) -> None:
    for table in resources(template, "AWS::Glue::Table").values():
        table["Properties"]["TableInput"]["Parameters"].pop("projection.enabled", None)


_P = "Properties"
CHECKS: dict[Check, dict[str, tuple[str, Weaken]]] = {
    no_public_access: {
        "no block": ("storage", _change("AWS::S3::Bucket", _P, "PublicAccessBlockConfiguration")),
        "one flag": (
            "storage",
            _change("AWS::S3::Bucket", _P, "PublicAccessBlockConfiguration", "BlockPublicAcls", to=False),
        ),
        "ACLs": ("storage", _change("AWS::S3::Bucket", _P, "OwnershipControls")),
        "a website": ("storage", _change("AWS::S3::Bucket", _P, "WebsiteConfiguration", to={"IndexDocument": "i"})),
    },
    tls_only: {
        "bucket": ("storage", _remove("AWS::S3::BucketPolicy")),
        "queue": ("compute", _remove("AWS::SQS::QueuePolicy")),
        "topic": ("monitoring", _remove("AWS::SNS::TopicPolicy")),
    },
    encrypted_at_rest: {
        "bucket": ("storage", _change("AWS::S3::Bucket", _P, "BucketEncryption")),
        "queue": ("compute", _change("AWS::SQS::Queue", _P, "SqsManagedSseEnabled", to=False)),
        "results": (
            "catalog",
            _change(
                "AWS::Athena::WorkGroup", _P, "WorkGroupConfiguration", "ResultConfiguration", "EncryptionConfiguration"
            ),
        ),
    },
    versions_expire: {
        "no versions": ("storage", _change("AWS::S3::Bucket", _P, "VersioningConfiguration")),
        "for ever": ("storage", _without_rule("old-versions", "WarehouseBucket")),
        "uploads": ("storage", _without_rule("unfinished-uploads", "ResultsBucket")),
    },
    results_expire: {"for ever": ("storage", _without_rule("results", "ResultsBucket"))},
    data_outlives_its_stack: {
        "bucket": ("storage", _change("AWS::S3::Bucket", "DeletionPolicy", to="Delete")),
        "replaced": ("storage", _change("AWS::S3::Bucket", "UpdateReplacePolicy", to="Delete")),
        "logs": ("compute", _change("AWS::Logs::LogGroup", "DeletionPolicy", to="Delete")),
    },
    workgroup_is_enforced: {
        name: ("catalog", _change("AWS::Athena::WorkGroup", _P, *path, to=to))
        for name, path, to in (
            ("clients choose", ("WorkGroupConfiguration", "EnforceWorkGroupConfiguration"), False),
            ("no cut-off", ("WorkGroupConfiguration", "BytesScannedCutoffPerQuery"), None),
            ("any bucket", ("WorkGroupConfiguration", "ResultConfiguration", "ExpectedBucketOwner"), None),
            ("stays for ever", ("RecursiveDeleteOption",), False),
        )
    },
    functions_take_no_concurrency_and_cannot_loop: {
        "reserved": ("compute", _change("AWS::Lambda::Function", _P, "ReservedConcurrentExecutions", to=1)),
        "loop": ("compute", _change("AWS::Lambda::Function", _P, "RecursiveLoop", to="Allow")),
        "network": ("compute", _change("AWS::Lambda::Function", _P, "VpcConfig", to={})),
    },
    nothing_is_lost: {
        "rule": ("compute", _change("AWS::Events::Rule", _P, "Targets", "0", "DeadLetterConfig")),
        "schedule": ("compute", _change("AWS::Scheduler::Schedule", _P, "Target", "DeadLetterConfig")),
        "call": ("compute", _change("AWS::Lambda::EventInvokeConfig", _P, "DestinationConfig")),
        "batch": ("compute", _change("AWS::Lambda::EventSourceMapping", _P, "FunctionResponseTypes")),
        "end": ("compute", _remove("AWS::SQS::Queue")),
    },
    logs_end: {
        "for ever": ("compute", _change("AWS::Logs::LogGroup", _P, "RetentionInDays")),
        "elsewhere": ("compute", _change("AWS::Lambda::Function", _P, "LoggingConfig")),
    },
    tagged: {
        "a list": ("storage", _change("AWS::S3::Bucket", _P, "Tags")),
        "a map": ("catalog", _change("AWS::Glue::Crawler", _P, "Tags", "stage", to="other")),
    },
    grants_name_what_they_grant: {
        "action": ("compute", _first_statement("Action", "s3:Get*")),
        "resource": ("compute", _first_statement("Resource", "*")),
        "bucket": ("compute", _first_statement("Resource", {"Fn::Join": ["", [{"Ref": "Bucket"}, "/*"]]})),
        "all but": ("catalog", _first_statement("NotAction", "iam:*")),
        "anybody": ("compute", _first_statement("Principal", "*", "AWS::SQS::QueuePolicy")),
        "any account": ("compute", _first_statement("Principal", {"AWS": "*"}, "AWS::SQS::QueuePolicy")),
        "on anybody's behalf": ("monitoring", _first_statement("Principal", {"AWS": "*"}, "AWS::SNS::TopicPolicy")),
    },
    types_are_reviewed: {
        "custom": ("storage", _change("AWS::S3::BucketPolicy", "Type", to="Custom::S3AutoDeleteObjects")),
    },
    tables_lie_in_the_warehouse: {
        "elsewhere": (
            "catalog",
            _change("AWS::Glue::Table", _P, "TableInput", "StorageDescriptor", "Location", to="s3://elsewhere/songs/"),
        ),
        "crawled": ("catalog", _without_projection),
    },
    stack_says_what_it_is: {"nothing": ("catalog", lambda template: template.pop("Description"))},
}
CASES = {
    f"{check.__name__}: {name}": (check, part, weaken)
    for check, cases in CHECKS.items()
    for name, (part, weaken) in cases.items()
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds_for_every_stack_of_every_stage(check: Check, synthesis: Synthesis) -> None:
    faults = [
        f"{stage} {part}: {fault}"
        for (stage, part), template in synthesis.templates.items()
        for fault in check(synthesis.stages[stage], template)
    ]
    assert faults == []


@pytest.mark.parametrize(("check", "part", "weaken"), CASES.values(), ids=CASES)
def test_a_weakened_stack_does_not_pass(check: Check, part: str, weaken: Weaken, synthesis: Synthesis) -> None:
    # The one stage that polls, which has all there is to have, as if it were to be kept.
    stage = "local" if check is not data_outlives_its_stack else "prod"
    template = copy.deepcopy(dict(synthesis.templates[stage, part]))
    weaken(template)
    assert list(check(synthesis.stages[stage], template))


def test_every_star_and_every_type_on_the_lists_is_in_use(synthesis: Synthesis) -> None:
    granted = {
        text_of(resource)
        for template in synthesis.templates.values()
        for _, statement in statements(template)
        if statement["Effect"] == "Allow"
        for resource in as_list(statement["Resource"])
    }
    for star in STARS:
        assert any(re.fullmatch(star, resource) for resource in granted), star
    types = {held["Type"] for template in synthesis.templates.values() for held in template["Resources"].values()}
    # Only a stage that mails its alarms has a subscription, and none that we ship has an address.
    assert REVIEWED_TYPES - types <= {"AWS::SNS::Subscription"}


def _bucket(scope: Construct) -> Construct:
    return PrivateBucket(scope, "It", removal=cdk.RemovalPolicy.RETAIN, noncurrent_days=NONCURRENT_DAYS)


def _dead_letters(scope: Construct) -> Construct:
    return DeadLetters(scope, "ItDeadLetters")


def _queue(scope: Construct) -> Construct:
    return QueueWithDeadLetters(scope, "It", visibility=cdk.Duration.minutes(1))


def _function(scope: Construct) -> Construct:
    return PipelineFunction(
        scope,
        "It",
        package="extract",
        description="Made for a test",
        environment={},
        grants=[],
        timeout=cdk.Duration.minutes(1),
        memory_mib=256,
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal=cdk.RemovalPolicy.RETAIN,
        target=AWS_TARGET,
        on_failure=DeadLetters(scope, "DeadLetters").queue,
    )


def _table(scope: Construct) -> Construct:
    return WarehouseTable(
        scope,
        "It",
        table=next(table for table in TABLES if table.by_year),
        database=glue.CfnDatabase(
            scope, "Database", catalog_id="1", database_input=glue.CfnDatabase.DatabaseInputProperty()
        ),
        warehouse=PrivateBucket(
            scope, "Warehouse", removal=cdk.RemovalPolicy.RETAIN, noncurrent_days=NONCURRENT_DAYS
        ).bucket,
    )


# By an override, as somebody would get round a construct: which resource, which property, to what, and who sees it.
OVERRIDES: dict[str, tuple[Callable[[Construct], Construct], str, str, object, Check]] = {
    "bucket without a block": (_bucket, "Bucket", "PublicAccessBlockConfiguration", None, no_public_access),
    "bucket with ACLs": (_bucket, "Bucket", "OwnershipControls", None, no_public_access),
    "bucket unencrypted": (_bucket, "Bucket", "BucketEncryption", None, encrypted_at_rest),
    "bucket unversioned": (_bucket, "Bucket", "VersioningConfiguration.Status", "Suspended", versions_expire),
    "bucket for ever": (_bucket, "Bucket", "LifecycleConfiguration", None, versions_expire),
    "dead letters unencrypted": (_dead_letters, "Queue", "SqsManagedSseEnabled", False, encrypted_at_rest),
    "queue unencrypted": (_queue, "Queue", "SqsManagedSseEnabled", False, encrypted_at_rest),
    "queue that loses": (_queue, "Queue", "RedrivePolicy", None, nothing_is_lost),
    "function that loses": (_function, "AsyncInvocations", "DestinationConfig", None, nothing_is_lost),
    "function that logs for ever": (_function, "Logs", "RetentionInDays", None, logs_end),
    "function that logs elsewhere": (_function, "Function", "LoggingConfig", None, logs_end),
    "function that reserves": (
        _function,
        "Function",
        "ReservedConcurrentExecutions",
        1,
        functions_take_no_concurrency_and_cannot_loop,
    ),
    "table elsewhere": (
        _table,
        "Table",
        "TableInput.StorageDescriptor.Location",
        "s3://elsewhere/",
        tables_lie_in_the_warehouse,
    ),
    "table to be crawled": (
        _table,
        "Table",
        r"TableInput.Parameters.projection\.enabled",
        "false",
        tables_lie_in_the_warehouse,
    ),
}


@pytest.fixture(scope="module")
def constructs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """A stack for each construct as it is, by its function's name, and for each that is overridden, by its case."""
    folder = tmp_path_factory.mktemp("overridden")
    made = cdk.App(
        context={**app.context(), **AS_FOR_TESTS},
        outdir=str(folder),
        builtin_cloud_formation_validation=False,
        analytics_reporting=False,
    )
    for build in {build for build, *_ in OVERRIDES.values()}:
        build(cdk.Stack(made, build.__name__.replace("_", "")))
    for case, (build, child, path, value, _) in OVERRIDES.items():
        resource = build(cdk.Stack(made, case.replace(" ", "-"))).node.find_child(child)
        resource = resource.node.default_child or resource
        assert isinstance(resource, cdk.CfnResource)
        resource.add_property_override(path, value)
    made.synth()
    return {path.name.partition(".")[0]: json.loads(path.read_text("utf-8")) for path in folder.glob("*.template.json")}


@pytest.mark.parametrize(("build", "child", "path", "value", "check"), OVERRIDES.values(), ids=OVERRIDES)
def test_a_construct_passes_as_it_is_and_not_with_an_override(
    build: Callable[[Construct], Construct],
    child: str,
    path: str,
    value: object,
    check: Check,
    constructs: dict[str, Template],
    request: pytest.FixtureRequest,
) -> None:
    config = load_stages({"dev": {}})["dev"]
    case = next(name for name in OVERRIDES if f"[{name}]" in request.node.name)
    assert list(check(config, constructs[build.__name__.replace("_", "")])) == []
    assert list(check(config, constructs[case.replace(" ", "-")]))
