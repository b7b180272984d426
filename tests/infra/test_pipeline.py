"""How the parts are wired: nothing is lost, nothing runs in circles."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from lambdas.core.keys import (
    CACHED_SONGS_PREFIX,
    INBOX_PREFIX,
    INBOX_QUARANTINE_PREFIX,
    QUARANTINE_PREFIX,
    RAW_PREFIX,
    REPORT_PREFIX,
    RESULTS_PREFIX,
    table_prefix,
)
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS, TABLES
from lambdas.core.sources import PolledChart
from stacks.config import NONCURRENT_DAYS, load_stages
from tests.infra.templates import (
    PARTS,
    STAND_IN,
    Synthesis,
    Template,
    as_list,
    grants,
    one,
    resources,
    synthesize,
    text_of,
)

STATEFUL = {
    "storage": {"RawBucket672A0DBB", "ResultsBucket46167C27", "WarehouseBucket56A35794"},
    "compute": {
        "EnrichDeadLettersQueue3F7C774E",
        "EnrichLogs40812279",
        "ExtractDeadLettersQueue3B79EF28",
        "ExtractLogs56BFE9EB",
        "ImportChartLogsB499FE70",
        "ImportChartQueueBD8E758A",
        "ImportChartQueueDeadLettersQueue4A3684E1",
        "ReportLogsAA3E998E",
        "ReportQueueDeadLettersQueue4FC25977",
        "ReportQueueF1965D5F",
        "TransformLogs6C6200D4",
        "TransformQueue0BE23189",
        "TransformQueueDeadLettersQueueC762A2C8",
    },
    "catalog": {
        "AlbumsTable363DB9F7",
        "ArtistsTableA24D023F",
        "ChartEntriesTableA605E73B",
        "Database",
        "SnapshotsTableF79B9560",
        "SongArtistsTable755B51B2",
        "SongsTableC238C9E8",
        # They hold no data, but their names: under another id, a deploy would make a second of the same name, and fail.
        "ViewChartWithNamesView8E90D00E",
        "ViewHeldDatesView608BF834",
        "ViewLatestSongsView20494995",
        "Workgroup",
    },
    # Who subscribed to the topic by hand would have to do it again.
    "monitoring": {"Alarms04B5A0BF"},
}
_STATEFUL_TYPES = (
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::Logs::LogGroup",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::Athena::WorkGroup",
    "AWS::SNS::Topic",
)
OUTPUTS = {
    "storage": {"RawBucketName", "WarehouseBucketName", "ResultsBucketName"},
    "compute": {
        "EnrichDeadLettersUrl",
        "EnrichFunctionName",
        "ExtractFunctionName",
        "TransformFunctionName",
        "ExtractDeadLettersUrl",
        "TransformQueueUrl",
        "TransformDeadLettersUrl",
        "ImportChartFunctionName",
        "ImportChartQueueUrl",
        "ImportChartDeadLettersUrl",
        "CredentialsParameterName",
        "ReportDeadLettersUrl",
        "ReportFunctionName",
        "ReportQueueUrl",
    },
    "catalog": {"DatabaseName", "WorkgroupName", "CrawlerName"},
    "monitoring": {"AlarmTopicArn", "DashboardName"},
}


def test_what_holds_data_keeps_its_logical_id_or_a_deploy_would_replace_it(synthesis: Synthesis) -> None:
    for (_, part), template in synthesis.templates.items():
        held = {name for kind in _STATEFUL_TYPES for name in resources(template, kind)}
        assert held == STATEFUL[part]


def test_the_command_finds_every_output_it_reads(synthesis: Synthesis) -> None:
    for (_, part), template in synthesis.templates.items():
        own = {name for name in template["Outputs"] if not name.startswith("ExportsOutput")}
        assert own == OUTPUTS[part]


def test_every_queue_ends_in_dead_letters_after_five_receives(synthesis: Synthesis) -> None:
    for _, template in synthesis.of("compute"):
        queues = resources(template, "AWS::SQS::Queue")
        ends = {name for name in queues if "DeadLetters" in name}
        for name, queue in queues.items():
            if name not in ends:
                redrive = queue["Properties"]["RedrivePolicy"]
                assert redrive["deadLetterTargetArn"]["Fn::GetAtt"][0] in ends
                assert redrive["maxReceiveCount"] == 5
            assert queue["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_every_asynchronous_edge_ends_in_dead_letters(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("compute"):
        edges = {
            "rule target": [
                text_of(target["DeadLetterConfig"]["Arn"])
                for rule in resources(template, "AWS::Events::Rule").values()
                for target in rule["Properties"]["Targets"]
            ],
            "schedule": [
                text_of(schedule["Properties"]["Target"]["DeadLetterConfig"]["Arn"])
                for schedule in resources(template, "AWS::Scheduler::Schedule").values()
            ],
            "asynchronous invocation": [
                text_of(invoke["Properties"]["DestinationConfig"]["OnFailure"]["Destination"])
                for invoke in resources(template, "AWS::Lambda::EventInvokeConfig").values()
            ],
        }
        assert {kind: len(ends) for kind, ends in edges.items()} == {
            "rule target": 3,
            "schedule": len(config.charts),
            "asynchronous invocation": 2,
        }
        assert all("DeadLetters" in end for ends in edges.values() for end in ends)


def test_a_failed_poll_is_not_repeated_behind_the_next_polls_back(synthesis: Synthesis) -> None:
    for _, template in synthesis.of("compute"):
        for name in ("Extract", "Enrich"):
            assert one(template, "AWS::Lambda::EventInvokeConfig", name)["MaximumRetryAttempts"] == 0


def test_a_message_stays_hidden_for_six_timeouts_and_the_window(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("compute"):
        for function, window in (
            ("Transform", config.batch_window_seconds),
            ("ImportChart", 0),
            ("Report", config.report_window_seconds),
        ):
            timeout = one(template, "AWS::Lambda::Function", function)["Timeout"]
            mapping = one(template, "AWS::Lambda::EventSourceMapping", function)
            assert mapping.get("MaximumBatchingWindowInSeconds", 0) == window
            queue = template["Resources"][mapping["EventSourceArn"]["Fn::GetAtt"][0]]
            assert queue["Properties"]["VisibilityTimeout"] >= 6 * timeout + window


def test_a_batch_fails_by_the_message_and_concurrency_is_held_by_the_event_source(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("compute"):
        mappings = {
            function: one(template, "AWS::Lambda::EventSourceMapping", function)
            for function in ("Transform", "ImportChart", "Report")
        }
        assert len(resources(template, "AWS::Lambda::EventSourceMapping")) == len(mappings)
        for mapping in mappings.values():
            assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2
        assert mappings["Transform"]["ScalingConfig"]["MaximumConcurrency"] == config.transform_concurrency
        assert mappings["Transform"]["BatchSize"] == 100
        assert mappings["Transform"]["MaximumBatchingWindowInSeconds"] >= 1, "without one, SQS hands over ten at most"
        for function in resources(template, "AWS::Lambda::Function").values():
            assert "ReservedConcurrentExecutions" not in function["Properties"]


def test_a_dropped_file_that_crashes_the_import_takes_no_other_with_it(synthesis: Synthesis) -> None:
    for _, template in synthesis.of("compute"):
        assert one(template, "AWS::Lambda::EventSourceMapping", "ImportChart")["BatchSize"] == 1


_WRITES = {"s3:PutObject", "s3:PutObjectTagging", "s3:CopyObject"}


def called_by(template: Template) -> dict[str, list[str]]:
    """Bucket and prefix of the objects that call a function, by rule, queue and event source."""
    called: dict[str, list[str]] = {}
    mappings = [mapping["Properties"] for mapping in resources(template, "AWS::Lambda::EventSourceMapping").values()]
    for rule in resources(template, "AWS::Events::Rule").values():
        pattern = rule["Properties"]["EventPattern"]
        (bucket,) = map(_bucket_in, map(text_of, pattern["detail"]["bucket"]["name"]))
        assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
        (target,) = rule["Properties"]["Targets"]
        for mapping in mappings:
            if mapping["EventSourceArn"] == target["Arn"]:
                function = mapping["FunctionName"]["Ref"].partition("Function")[0]
                called[function] = [f"{bucket}/{match['prefix']}" for match in pattern["detail"]["object"]["key"]]
    return called


def written_by(template: Template, function: str) -> list[str]:
    """Bucket and prefix under which a function may write. Athena's results, in a third bucket, call nobody."""
    return [
        f"{_bucket_in(where)}/{where.partition('}/')[2].removesuffix('*')}"
        for statement in grants(template, f"{function}Role")
        if _WRITES & set(as_list(statement["Action"]))
        for where in map(text_of, as_list(statement["Resource"]))
        if "Bucket" in where
    ]


def _bucket_in(arn: str) -> str:
    found = re.search(r"(Raw|Warehouse|Results)Bucket", arn)
    assert found, arn
    return found[1]


def test_what_comes_in_calls_transform_what_is_dropped_the_import_and_a_chart_that_has_changed_the_report(
    synthesis: Synthesis,
) -> None:
    for _, template in synthesis.of("compute"):
        assert called_by(template) == {
            "Transform": [f"Raw/{RAW_PREFIX}", f"Raw/{CACHED_SONGS_PREFIX}"],
            "ImportChart": [f"Raw/{INBOX_PREFIX}"],
            "Report": [f"Warehouse/{table_prefix(table)}" for table in (CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS)],
        }
        assert len(resources(template, "AWS::Events::Rule")) == 3


def test_no_function_can_start_itself_by_what_it_or_a_function_that_it_starts_may_write(synthesis: Synthesis) -> None:
    for _, template in synthesis.of("compute"):
        called = called_by(template)
        starts = {
            function: {
                other
                for other, prefixes in called.items()
                for prefix in prefixes
                for written in written_by(template, function)
                # One of them lies in the other: an empty prefix would be the whole bucket.
                if prefix.startswith(written) or written.startswith(prefix)
            }
            for function in called
        }
        assert starts == {"Transform": {"Report"}, "ImportChart": {"Transform"}, "Report": set()}
        tables = sorted(f"Warehouse/{table_prefix(table)}" for table in TABLES)
        assert sorted(written_by(template, "Transform")) == [f"Raw/{QUARANTINE_PREFIX}", *tables]
        assert sorted(written_by(template, "ImportChart")) == [f"Raw/{INBOX_QUARANTINE_PREFIX}", f"Raw/{RAW_PREFIX}"]
        assert written_by(template, "Report") == [f"Results/{RESULTS_PREFIX}", f"Warehouse/{REPORT_PREFIX}"]


def test_a_stage_whose_reports_are_turned_off_keeps_all_of_it_and_calls_nothing(tmp_path: Path) -> None:
    made = synthesize(tmp_path, load_stages({"dev": {"report": False}}))
    on = synthesize(tmp_path / "on", load_stages({"dev": {}}))
    template = made.templates["dev", "compute"]
    assert one(template, "AWS::Events::Rule", "ChartChanged")["State"] == "DISABLED"
    assert one(template, "AWS::Lambda::EventSourceMapping", "Report")["Enabled"] is False
    # What another stack imports cannot be taken out of this one: it would have to be deployed before and after it.
    assert template["Outputs"].keys() == on.templates["dev", "compute"]["Outputs"].keys()
    assert made.templates["dev", "monitoring"] == on.templates["dev", "monitoring"]


def test_raw_bucket_and_warehouse_send_their_events_to_eventbridge(synthesis: Synthesis) -> None:
    for _, template in synthesis.of("storage"):
        notifying = {
            name: bucket["Properties"]["NotificationConfiguration"]
            for name, bucket in resources(template, "AWS::S3::Bucket").items()
            if "NotificationConfiguration" in bucket["Properties"]
        }
        enabled = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
        assert notifying == {"RawBucket672A0DBB": enabled, "WarehouseBucket56A35794": enabled}


def test_each_polled_chart_has_a_schedule_whose_input_is_what_extract_reads(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("compute"):
        schedules = {
            schedule["Properties"]["Name"]: schedule["Properties"]
            for schedule in resources(template, "AWS::Scheduler::Schedule").values()
        }
        polled = [msgspec.json.decode(schedule["Target"]["Input"], type=PolledChart) for schedule in schedules.values()]
        assert tuple(polled) == config.polled_charts
        for chart in config.charts:
            assert schedules[chart.chart]["ScheduleExpression"] == chart.schedule
            assert schedules[chart.chart]["ScheduleExpressionTimezone"] == chart.timezone
        assert len(resources(template, "AWS::Scheduler::ScheduleGroup")) == (1 if config.charts else 0)


def test_only_an_emulated_stage_can_be_pointed_at_the_stand_in(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("compute"):
        assert (STAND_IN in json.dumps(template)) == config.emulated


def test_functions_run_on_arm_with_the_newest_python_and_keep_their_logs_for_a_while(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("compute"):
        for function in resources(template, "AWS::Lambda::Function").values():
            properties = function["Properties"]
            assert (properties["Architectures"], properties["Runtime"]) == (["arm64"], "python3.14")
            assert "LogGroup" in properties["LoggingConfig"]
        for group in resources(template, "AWS::Logs::LogGroup").values():
            assert group["Properties"]["RetentionInDays"] == config.log_retention_days


def test_what_came_from_spotify_is_gone_for_good_after_the_days_that_were_promised(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("storage"):
        rules = {
            rule["Id"]: rule for rule in one(template, "AWS::S3::Bucket", "Raw")["LifecycleConfiguration"]["Rules"]
        }
        kept = rules["old-versions"]["NoncurrentVersionExpiration"]["NoncurrentDays"]
        assert kept == NONCURRENT_DAYS
        for name in ("spotify-retention", "quarantine"):
            assert rules[name]["ExpirationInDays"] + kept == config.spotify_retention_days
        assert rules["spotify-retention"]["TagFilters"] == [{"Key": "retention", "Value": "spotify"}]
        assert rules["quarantine"]["Prefix"] == "quarantine/"
        (reports,) = [
            rule
            for rule in one(template, "AWS::S3::Bucket", "Warehouse")["LifecycleConfiguration"]["Rules"]
            if "ExpirationInDays" in rule
        ]
        assert reports["ExpirationInDays"] + kept == config.spotify_retention_days
        assert reports["Prefix"] == "report/"
        # No rule takes a file that a person brought, which has no tag.
        assert [name for name, rule in rules.items() if "ExpirationInDays" in rule] == [
            "spotify-retention",
            "quarantine",
        ]


def test_stacks_are_named_described_tagged_and_protected_where_data_is_retained(synthesis: Synthesis) -> None:
    for stage, config in synthesis.stages.items():
        manifest = json.loads((synthesis.folder / f"assembly-{stage}" / "manifest.json").read_text())
        stacks = {
            artifact["properties"]["stackName"]: artifact["properties"]
            for artifact in manifest["artifacts"].values()
            if artifact["type"] == "aws:cloudformation:stack"
        }
        assert set(stacks) == {config.stack_name(part) for part in PARTS}
        for properties in stacks.values():
            assert properties["tags"] == {"project": "spotify-etl", "stage": stage}
            assert properties.get("terminationProtection", False) == (config.removal == "retain")
    for template in synthesis.templates.values():
        assert template["Description"].startswith("spotify-etl: ")
