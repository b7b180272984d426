"""What a stage does: polls charts into the raw bucket, and turns raw documents into the warehouse's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from aws_cdk import CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.core.keys import QUARANTINE_PREFIX, RAW_PREFIX, STATE_PREFIX, table_prefix
from lambdas.core.schema import TABLES
from lambdas.core.sources import PolledChart
from stacks import grants
from stacks.checks import acknowledge, acknowledge_prefixes
from stacks.constructs.bundling import BundleTarget
from stacks.constructs.function import PipelineFunction
from stacks.constructs.queue import DeadLetters, QueueWithDeadLetters

FUNCTION_TIMEOUT = Duration.seconds(120)
BATCH_SIZE = 30


@dataclass(frozen=True)
class Poll:
    """A chart and when it is polled: an expression of EventBridge Scheduler and an IANA time zone."""

    chart: PolledChart
    schedule: str
    timezone: str


class ComputeStack(Stack):
    """The functions of a stage and what calls them.

    extract is called by one schedule per polled chart. transform is called for every object that appears under `raw/`
    of the raw bucket: S3 -> EventBridge -> queue -> function, in batches; what fails comes again alone and reaches the
    dead letters after five receives. transform writes to the warehouse and to `quarantine/`, so it cannot call itself.

    `spotify_endpoint` replaces Spotify's addresses; None, for the real Spotify.

    Attributes: `extract`, `transform`, `extract_dead_letters` (polls that failed or could not be started),
    `transform_queue`, `transform_dead_letters` (raw documents that were not loaded).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stack_name: str,
        env: Environment,
        termination_protection: bool,
        stage: str,
        raw: s3.IBucket,
        warehouse: s3.IBucket,
        polls: Sequence[Poll],
        credentials_parameter: str,
        batch_window: Duration,
        transform_concurrency: int,
        log_retention: logs.RetentionDays,
        removal: RemovalPolicy,
        target: BundleTarget,
        spotify_endpoint: str | None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=stack_name,
            env=env,
            termination_protection=termination_protection,
            description="spotify-etl: functions that fetch charts and load the warehouse",
        )
        self.extract_dead_letters: sqs.IQueue = DeadLetters(self, "ExtractDeadLetters").queue
        self.extract = PipelineFunction(
            self,
            "Extract",
            package="extract",
            description="Fetches a chart and keeps it as a raw document",
            environment={
                "STAGE": stage,
                "RAW_BUCKET": raw.bucket_name,
                "SPOTIFY_CREDENTIALS_PARAMETER": credentials_parameter,
                **({} if spotify_endpoint is None else {"SPOTIFY_ENDPOINT": spotify_endpoint}),
            },
            grants=self._extract_grants(raw, credentials_parameter),
            timeout=FUNCTION_TIMEOUT,
            # It waits for Spotify most of the time; importing spotipy is what it needs a CPU for.
            memory_mib=512,
            log_retention=log_retention,
            removal=removal,
            target=target,
            on_failure=self.extract_dead_letters,
        )
        self._schedule(polls, stage=stage)

        queue = QueueWithDeadLetters(
            self,
            "TransformQueue",
            visibility=Duration.seconds(6 * FUNCTION_TIMEOUT.to_seconds() + batch_window.to_seconds()),
        )
        self.transform_queue: sqs.IQueue = queue.queue
        self.transform_dead_letters: sqs.IQueue = queue.dead_letters
        self.transform = PipelineFunction(
            self,
            "Transform",
            package="transform",
            description="Loads raw documents into the warehouse's tables",
            environment={"STAGE": stage, "RAW_BUCKET": raw.bucket_name, "WAREHOUSE_BUCKET": warehouse.bucket_name},
            grants=self._transform_grants(raw, warehouse),
            timeout=FUNCTION_TIMEOUT,
            # Memory buys CPU: this is 0.58 of one. Decoding and Parquet are CPU-bound but short (a day of 200 songs is
            # milliseconds), and the room is for a batch of documents of up to 64 MB unpacked each, one at a time.
            memory_mib=1024,
            log_retention=log_retention,
            removal=removal,
            target=target,
        )
        self._trigger(raw, batch_window=batch_window, concurrency=transform_concurrency)
        self._acknowledge(raw, warehouse)

        CfnOutput(self, "ExtractFunctionName", value=self.extract.function.function_name)
        CfnOutput(self, "TransformFunctionName", value=self.transform.function.function_name)
        CfnOutput(self, "ExtractDeadLettersUrl", value=self.extract_dead_letters.queue_url)
        CfnOutput(self, "TransformQueueUrl", value=self.transform_queue.queue_url)
        CfnOutput(self, "TransformDeadLettersUrl", value=self.transform_dead_letters.queue_url)
        CfnOutput(self, "CredentialsParameterName", value=credentials_parameter)

    def _extract_grants(self, raw: s3.IBucket, credentials_parameter: str) -> list[iam.PolicyStatement]:
        return [
            # The tag is what retention goes by; If-None-Match needs no right to read.
            grants.on_objects(
                "KeepRawDocuments",
                actions=["s3:PutObject", "s3:PutObjectTagging"],
                bucket=raw,
                prefixes=[RAW_PREFIX],
            ),
            # A date counts as held only if the document that holds it is whole, which its content tells.
            grants.on_objects("ReadHeldDocuments", actions=["s3:GetObject"], bucket=raw, prefixes=[RAW_PREFIX]),
            grants.on_objects(
                "RememberRateLimits", actions=["s3:GetObject", "s3:PutObject"], bucket=raw, prefixes=[STATE_PREFIX]
            ),
            # Which dates are held; and that nothing is remembered yet.
            grants.on_missing_keys("ListRawDocumentsAndTellMissingKeys", bucket=raw),
            # Encrypted by the account's own key for SSM, which lets in everyone who may read the parameter:
            # https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
            iam.PolicyStatement(
                sid="ReadSpotifyCredentials",
                actions=["ssm:GetParameter"],
                resources=[
                    self.format_arn(
                        service="ssm", resource="parameter", resource_name=credentials_parameter.removeprefix("/")
                    )
                ],
            ),
        ]

    def _transform_grants(self, raw: s3.IBucket, warehouse: s3.IBucket) -> list[iam.PolicyStatement]:
        return [
            grants.on_objects("ReadRawDocuments", actions=["s3:GetObject"], bucket=raw, prefixes=[RAW_PREFIX]),
            grants.on_listing("ListTheDocumentsOfADay", bucket=raw, prefix=RAW_PREFIX),
            grants.on_objects("Quarantine", actions=["s3:PutObject"], bucket=raw, prefixes=[QUARANTINE_PREFIX]),
            grants.on_objects(
                "ReadAndReplaceTableObjects",
                actions=["s3:GetObject", "s3:PutObject"],
                bucket=warehouse,
                prefixes=[table_prefix(table) for table in TABLES],
            ),
            grants.on_missing_keys("TellNewTableObjects", bucket=warehouse),
            iam.PolicyStatement(
                sid="ConsumeQueue",
                # What Lambda's poller needs: AWSLambdaSQSQueueExecutionRole, less the logs.
                actions=["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
                resources=[self.transform_queue.queue_arn],
            ),
        ]

    def _schedule(self, polls: Sequence[Poll], *, stage: str) -> None:
        """One schedule per chart in a group of the stage's. A stage that polls nothing has neither."""
        if not polls:
            return
        group = scheduler.CfnScheduleGroup(self, "Polls", name=f"spotify-etl-{stage}")
        role = iam.Role(
            self,
            "SchedulerRole",
            description="What the schedules of polls may do",
            assumed_by=iam.PrincipalWithConditions(
                iam.ServicePrincipal("scheduler.amazonaws.com"),
                # Against the confused deputy: only this account's schedules of this group.
                {"StringEquals": {"aws:SourceAccount": self.account, "aws:SourceArn": group.attr_arn}},
            ),
        )
        for statement in (
            iam.PolicyStatement(
                sid="Poll", actions=["lambda:InvokeFunction"], resources=[self.extract.function.function_arn]
            ),
            iam.PolicyStatement(
                sid="KeepPollsNotStarted",
                actions=["sqs:SendMessage"],
                resources=[self.extract_dead_letters.queue_arn],
            ),
        ):
            role.add_to_policy(statement)
        for poll in polls:
            schedule = scheduler.CfnSchedule(
                self,
                f"Poll-{poll.chart.chart}",
                name=poll.chart.chart,
                description=f"Polls {poll.chart.chart}, {poll.chart.period}",
                group_name=group.ref,
                schedule_expression=poll.schedule,
                schedule_expression_timezone=poll.timezone,
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=self.extract.function.function_arn,
                    role_arn=role.role_arn,
                    input=msgspec.json.encode(poll.chart).decode(),
                    # Of the call to Lambda, not of the poll: the next poll of the day makes up for one that failed.
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=3600, maximum_retry_attempts=3
                    ),
                    dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                        arn=self.extract_dead_letters.queue_arn
                    ),
                ),
            )
            # A schedule may fire as soon as it is there: not before its role may call.
            schedule.node.add_dependency(role)

    def _trigger(self, raw: s3.IBucket, *, batch_window: Duration, concurrency: int) -> None:
        events.Rule(
            self,
            "RawDocumentCreated",
            description="A raw document has come in",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [raw.bucket_name]}, "object": {"key": [{"prefix": RAW_PREFIX}]}},
            ),
            # Both end in the same dead letters, as the same event: what EventBridge could not deliver, and what the
            # function failed at. Putting either back into the queue is the same repair.
            targets=[targets.SqsQueue(self.transform_queue, dead_letter_queue=self.transform_dead_letters)],
        )
        mapping = lambda_.EventSourceMapping(
            self,
            "TransformBatches",
            target=self.transform.function,
            event_source_arn=self.transform_queue.queue_arn,
            batch_size=BATCH_SIZE,
            max_batching_window=batch_window,
            max_concurrency=concurrency,
            report_batch_item_failures=True,
        )
        acknowledge(
            mapping,
            "Serverless-LambdaEventSourceMappingDestination",
            reason="The queue's own redrive policy keeps what failed: a destination is for streams, and SQS takes none",
        )

    def _acknowledge(self, raw: s3.IBucket, warehouse: s3.IBucket) -> None:
        tables = [table_prefix(table) for table in TABLES]
        acknowledge_prefixes(self.extract.role, bucket=raw, prefixes=[RAW_PREFIX, STATE_PREFIX])
        acknowledge_prefixes(self.transform.role, bucket=raw, prefixes=[RAW_PREFIX, QUARANTINE_PREFIX])
        acknowledge_prefixes(self.transform.role, bucket=warehouse, prefixes=tables)
        for queue in (self.extract_dead_letters, self.transform_dead_letters):
            acknowledge(
                queue,
                "Serverless-SQSRedrivePolicy",
                reason="It is itself where messages end, and wait for a person: nothing reads it that could fail",
            )
        acknowledge(
            self.extract_dead_letters,
            "AwsSolutions-SQS3",
            reason="It is itself the dead letters: of schedules and of asynchronous calls, which the rule does not see",
        )
