"""Who may do what."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lambdas.core.keys import (
    CACHED_SONGS_PREFIX,
    INBOX_PREFIX,
    QUARANTINE_PREFIX,
    RAW_PREFIX,
    REPORT_PREFIX,
    RESULTS_PREFIX,
    STATE_PREFIX,
    table_prefix,
)
from lambdas.core.schema import TABLES
from stacks.config import load_stages
from tests.infra.templates import (
    Synthesis,
    Template,
    as_list,
    grants,
    one,
    resources,
    statements,
    synthesize,
    text_of,
)


def test_no_role_has_a_managed_policy(synthesis: Synthesis) -> None:
    for template in synthesis.templates.values():
        assert not resources(template, "AWS::IAM::ManagedPolicy")
        for name, role in resources(template, "AWS::IAM::Role").items():
            assert "ManagedPolicyArns" not in role["Properties"], name


def test_every_role_is_for_one_function_or_service_and_no_other_resource_of_ours_has_rights(
    synthesis: Synthesis,
) -> None:
    for config, template in synthesis.of("compute"):
        roles = {text_of(fn["Properties"]["Role"]) for fn in resources(template, "AWS::Lambda::Function").values()}
        assert len(roles) == 5
        assert len(resources(template, "AWS::IAM::Role")) == (6 if config.charts else 5)
        # Nothing hidden: CDK adds helper functions of its own for several conveniences, which we do without.
        assert len(resources(template, "AWS::Lambda::Function")) == 5
    for template in synthesis.templates.values():
        assert not [held["Type"] for held in template["Resources"].values() if held["Type"].startswith("Custom::")]


def test_extract_may_only_add_and_read_raw_documents_and_read_its_own_parameter(
    synthesis: Synthesis,
) -> None:
    for config, template in synthesis.of("compute"):
        assert _allowed(template, "ExtractRole") == {
            "logs:CreateLogStream {ExtractLogs.Arn}",
            "logs:PutLogEvents {ExtractLogs.Arn}",
            f"s3:PutObject {{Raw}}/{RAW_PREFIX}*",
            f"s3:PutObjectTagging {{Raw}}/{RAW_PREFIX}*",
            f"s3:GetObject {{Raw}}/{RAW_PREFIX}*",
            f"s3:GetObject {{Raw}}/{STATE_PREFIX}*",
            f"s3:PutObject {{Raw}}/{STATE_PREFIX}*",
            # Of the whole bucket: without it S3 answers 403 instead of 404 while nothing is remembered.
            "s3:ListBucket {Raw}",
            "ssm:GetParameter arn:{AWS::Partition}:ssm:{AWS::Region}:{AWS::AccountId}"
            f":parameter{config.credentials_parameter}",
            "sqs:SendMessage {ExtractDeadLettersQueue.Arn}",
        }


def test_transform_may_only_read_raw_documents_and_write_tables_and_quarantine(synthesis: Synthesis) -> None:
    tables = {f"s3:{action} {{Warehouse}}/{table_prefix(t)}*" for t in TABLES for action in ("GetObject", "PutObject")}
    for _, template in synthesis.of("compute"):
        assert _allowed(template, "TransformRole") == tables | {
            "logs:CreateLogStream {TransformLogs.Arn}",
            "logs:PutLogEvents {TransformLogs.Arn}",
            f"s3:GetObject {{Raw}}/{RAW_PREFIX}*",
            f"s3:GetObject {{Raw}}/{CACHED_SONGS_PREFIX}*",
            f"s3:ListBucket {{Raw}} if s3:prefix is {RAW_PREFIX}*",
            # A record that tells of something else, or was retried, is renewed.
            f"s3:GetObject {{Raw}}/{QUARANTINE_PREFIX}*",
            f"s3:PutObject {{Raw}}/{QUARANTINE_PREFIX}*",
            # Without it S3 answers 403 instead of 404 for a table's first object.
            "s3:ListBucket {Warehouse}",
            "sqs:DeleteMessage {TransformQueue.Arn}",
            "sqs:GetQueueAttributes {TransformQueue.Arn}",
            "sqs:ReceiveMessage {TransformQueue.Arn}",
        }


def test_import_chart_may_only_read_dropped_files_and_add_raw_documents_and_records_of_files(
    synthesis: Synthesis,
) -> None:
    for _, template in synthesis.of("compute"):
        assert _allowed(template, "ImportChartRole") == {
            "logs:CreateLogStream {ImportChartLogs.Arn}",
            "logs:PutLogEvents {ImportChartLogs.Arn}",
            f"s3:GetObject {{Raw}}/{INBOX_PREFIX}*",
            # Without it S3 answers 403 instead of 404 for a file that is gone.
            "s3:ListBucket {Raw}",
            f"s3:PutObject {{Raw}}/{RAW_PREFIX}*",
            f"s3:GetObject {{Raw}}/{QUARANTINE_PREFIX}{INBOX_PREFIX}*",
            f"s3:PutObject {{Raw}}/{QUARANTINE_PREFIX}{INBOX_PREFIX}*",
            "sqs:DeleteMessage {ImportChartQueue.Arn}",
            "sqs:GetQueueAttributes {ImportChartQueue.Arn}",
            "sqs:ReceiveMessage {ImportChartQueue.Arn}",
        }


def test_enrich_may_only_read_songs_and_charts_keep_answers_and_limits_and_read_its_own_parameter(
    synthesis: Synthesis,
) -> None:
    for config, template in synthesis.of("compute"):
        assert _allowed(template, "EnrichRole") == {
            "logs:CreateLogStream {EnrichLogs.Arn}",
            "logs:PutLogEvents {EnrichLogs.Arn}",
            f"s3:GetObject {{Raw}}/{CACHED_SONGS_PREFIX}*",
            f"s3:PutObject {{Raw}}/{CACHED_SONGS_PREFIX}*",
            f"s3:PutObjectTagging {{Raw}}/{CACHED_SONGS_PREFIX}*",
            f"s3:GetObject {{Raw}}/{STATE_PREFIX}*",
            f"s3:PutObject {{Raw}}/{STATE_PREFIX}*",
            # For what is cached, and to be told 404 instead of 403 of a song that is not, and of no memory of limits.
            "s3:ListBucket {Raw}",
            "s3:GetObject {Warehouse}/songs/*",
            "s3:GetObject {Warehouse}/chart_entries/*",
            "s3:ListBucket {Warehouse}",
            "ssm:GetParameter arn:{AWS::Partition}:ssm:{AWS::Region}:{AWS::AccountId}"
            f":parameter{config.credentials_parameter}",
            "sqs:SendMessage {EnrichDeadLettersQueue.Arn}",
        }


def test_report_may_only_ask_through_its_stages_workgroup_and_write_reports(synthesis: Synthesis) -> None:
    tables = {f"s3:GetObject {{Warehouse}}/{table_prefix(t)}*" for t in TABLES}
    for config, template in synthesis.of("compute"):
        own = "{AWS::Region}:{AWS::AccountId}"
        glue = f"arn:{{AWS::Partition}}:glue:{own}"
        database = f"{glue}:database/{config.database_name}"
        named = {f"{glue}:catalog", database, *(f"{glue}:table/{config.database_name}/{t.name}" for t in TABLES)}
        catalog = synthesis.templates[config.stage, "catalog"]
        assert one(catalog, "AWS::Athena::WorkGroup")["Name"] == config.workgroup_name
        assert one(catalog, "AWS::Glue::Database")["DatabaseInput"]["Name"] == config.database_name
        assert _allowed(template, "ReportRole") == tables | {
            "logs:CreateLogStream {ReportLogs.Arn}",
            "logs:PutLogEvents {ReportLogs.Arn}",
            *(
                f"athena:{action} arn:{{AWS::Partition}}:athena:{own}:workgroup/{config.workgroup_name}"
                for action in ("GetQueryExecution", "GetQueryResults", "StartQueryExecution", "StopQueryExecution")
            ),
            # Athena looks at the catalog's database `default` whatever it is asked.
            *(f"glue:GetDatabase {where}" for where in (f"{glue}:catalog", f"{glue}:database/default", database)),
            *(f"glue:{action} {where}" for action in ("GetTable", "GetPartitions") for where in named),
            "s3:GetBucketLocation {Warehouse}",
            "s3:ListBucket {Warehouse}",
            *(
                f"s3:{action} {{Results}}/{RESULTS_PREFIX}*"
                for action in ("AbortMultipartUpload", "GetObject", "ListMultipartUploadParts", "PutObject")
            ),
            "s3:GetBucketLocation {Results}",
            "s3:ListBucket {Results}",
            "s3:ListBucketMultipartUploads {Results}",
            *(f"s3:{action} {{Warehouse}}/{REPORT_PREFIX}*" for action in ("DeleteObject", "GetObject", "PutObject")),
            "sqs:DeleteMessage {ReportQueue.Arn}",
            "sqs:GetQueueAttributes {ReportQueue.Arn}",
            "sqs:ReceiveMessage {ReportQueue.Arn}",
        }


def test_a_schedule_of_enrichments_may_only_call_enrich_and_has_a_group_of_its_own(tmp_path: Path) -> None:
    made = synthesize(tmp_path, load_stages({"dev": {"enrichment_schedule": "cron(30 3 * * ? *)"}}))
    template = made.templates["dev", "compute"]
    assert _allowed(template, "EnrichSchedulerRole") == {
        "lambda:InvokeFunction {EnrichFunction.Arn}",
        "sqs:SendMessage {EnrichDeadLettersQueue.Arn}",
    }
    (role,) = [r for name, r in resources(template, "AWS::IAM::Role").items() if name.startswith("EnrichScheduler")]
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["StringEquals"]["aws:SourceArn"] == {"Fn::GetAtt": ["Enrichments", "Arn"]}
    schedule = one(template, "AWS::Scheduler::Schedule")
    assert (schedule["ScheduleExpression"], schedule["Target"]["Input"]) == ("cron(30 3 * * ? *)", "{}")
    assert "EnrichFunction" in text_of(schedule["Target"]["Arn"])
    assert "EnrichDeadLetters" in text_of(schedule["Target"]["DeadLetterConfig"]["Arn"])


def test_schedules_may_only_call_extract_and_only_schedules_of_the_stage_may_use_their_role(
    synthesis: Synthesis,
) -> None:
    template = synthesis.templates["local", "compute"]
    assert _allowed(template, "SchedulerRole") == {
        "lambda:InvokeFunction {ExtractFunction.Arn}",
        "sqs:SendMessage {ExtractDeadLettersQueue.Arn}",
    }
    (role,) = [r for name, r in resources(template, "AWS::IAM::Role").items() if name.startswith("SchedulerRole")]
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {
            "aws:SourceAccount": {"Ref": "AWS::AccountId"},
            "aws:SourceArn": {"Fn::GetAtt": ["Polls", "Arn"]},
        }
    }


def test_buckets_queues_and_topics_refuse_connections_without_tls(synthesis: Synthesis) -> None:
    for (_, part), template in synthesis.templates.items():
        secured = {
            text_of(resource).removesuffix(".Arn}").strip("{}")
            for _, statement in statements(template)
            if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for resource in as_list(statement["Resource"])
            if not text_of(resource).endswith("/*")
        }
        kinds = ("AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SNS::Topic")
        holders = {name for kind in kinds for name in resources(template, kind)}
        assert secured == holders
        assert len(holders) == {"storage": 3, "compute": 8, "catalog": 0, "monitoring": 1}[part]


def test_no_template_holds_a_secret_or_more_environment_than_it_needs(synthesis: Synthesis) -> None:
    expected = {
        "Extract": {"STAGE", "CODE_VERSION", "RAW_BUCKET", "SPOTIFY_CREDENTIALS_PARAMETER"},
        "Transform": {"STAGE", "CODE_VERSION", "RAW_BUCKET", "WAREHOUSE_BUCKET"},
        "ImportChart": {"STAGE", "CODE_VERSION", "RAW_BUCKET"},
        "Enrich": {
            *("STAGE", "CODE_VERSION", "RAW_BUCKET", "WAREHOUSE_BUCKET", "SPOTIFY_CREDENTIALS_PARAMETER"),
            *("SONG_REFRESH_DAYS", "ENRICHMENT_CALLS_PER_RUN"),
        },
        "Report": {"STAGE", "CODE_VERSION", "WAREHOUSE_BUCKET", "ATHENA_DATABASE", "ATHENA_WORKGROUP"},
    }
    for config, template in synthesis.of("compute"):
        for name, function in resources(template, "AWS::Lambda::Function").items():
            package = name.partition("Function")[0]
            stand_in = {"SPOTIFY_ENDPOINT"} if package in ("Extract", "Enrich") and config.emulated else set()
            assert set(function["Properties"]["Environment"]["Variables"]) == expected[package] | stand_in
    for template in synthesis.templates.values():
        assert not re.search(r"client_secret|refresh_token|AKIA|\{\{resolve:", json.dumps(template))
        assert not resources(template, "AWS::SecretsManager::Secret")
        assert not resources(template, "AWS::SSM::Parameter")


def _allowed(template: Template, role: str) -> set[str]:
    """Grants as `action resource`, with the hashes of logical ids and the names of exports taken out."""
    allowed = set()
    for statement in grants(template, role):
        condition = statement.get("Condition")
        suffix = ""
        if condition:
            ((operator, ((key, value),)),) = ((op, tuple(tests.items())) for op, tests in condition.items())
            assert operator == "StringLike"
            suffix = f" if {key} is {value}"
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                name = re.sub(r"ExportsOutputFnGetAtt(Raw|Warehouse|Results)Bucket\w+", r"\1", text_of(resource))
                name = re.sub(r"(?<=[a-z])[0-9A-F]{8}(?=\.Arn)", "", name)
                allowed.add(f"{action} {name}{suffix}")
    return allowed
