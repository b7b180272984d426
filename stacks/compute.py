"""What a stage does: polls charts into the raw bucket, and turns raw documents into the warehouse's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from aws_cdk import CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.core.keys import (
    CACHED_SONGS_PREFIX,
    INBOX_PREFIX,
    INBOX_QUARANTINE_PREFIX,
    QUARANTINE_PREFIX,
    RAW_PREFIX,
    REPORT_PREFIX,
    RESULTS_PREFIX,
    STATE_PREFIX,
    table_prefix,
)
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS, SONGS, TABLES
from lambdas.core.sources import PolledChart
from stacks import grants
from stacks.checks import acknowledge, acknowledge_prefixes
from stacks.constructs.bundling import BundleTarget
from stacks.constructs.function import PipelineFunction
from stacks.constructs.queue import DeadLetters, QueueWithDeadLetters
from stacks.constructs.trigger import on_created

FUNCTION_TIMEOUT = Duration.seconds(120)
ENRICH_TIMEOUT = Duration.seconds(300)
"""300 calls at a second each; a run that has no more time goes on at the next one."""
BATCH_SIZE = 100
"""Documents that come in one by one are not held up by it; of a backfill, a batch writes each object once. A larger one
costs less CPU a document (benchmarks/RESULTS.md), and takes longer to repeat: in the worst case, 100 charts and years,
this one takes some 15 of the function's 120 seconds for its requests."""
IMPORT_BATCH_SIZE = 1
"""A dropped file may be anything, up to what takes all memory or time: with one a batch, that harms no other."""
IMPORT_CONCURRENCY = 2
"""The least that an event source takes: a file is imported in well under a second."""
REPORT_TIMEOUT = Duration.seconds(300)
"""A report takes some seconds, nearly all of which it waits for Athena; what there is no time for comes again."""
REPORT_BATCH_SIZE = 100
REPORT_CONCURRENCY = 2
"""The least that an event source takes. Two that make the same report at once notice, and one begins again."""
QUERIES = "queries"
"""The folder of the project with the questions, which the report's asset holds as it is."""
LOADED_PREFIXES = (RAW_PREFIX, CACHED_SONGS_PREFIX)
"""What the transform loads: raw documents, and Spotify's cached answers about songs."""


@dataclass(frozen=True)
class Poll:
    """A chart and when it is polled: an expression of EventBridge Scheduler and an IANA time zone."""

    chart: PolledChart
    schedule: str
    timezone: str


@dataclass(frozen=True)
class EnrichmentSettings:
    """When songs are completed by themselves (None: never), calls that a run may make, and days until songs are old."""

    schedule: str | None
    calls_per_run: int
    refresh_days: int


@dataclass(frozen=True)
class ReportSettings:
    """How reports ask: the Glue database, the Athena workgroup and its bucket.

    The names are those that the catalog stack gives, which comes later and knows nothing of the functions. `window` is
    how long a report waits for further days of its chart. Where not `by_itself`, only a person's command makes them.
    """

    by_itself: bool
    database: str
    workgroup: str
    results: s3.IBucket
    window: Duration


class ComputeStack(Stack):
    """The functions of a stage and what calls them.

    extract is called by one schedule per polled chart. transform is called for every object that appears under `raw/`
    or `cache/tracks/` of the raw bucket: S3 -> EventBridge -> queue -> function, in batches; what fails comes again
    alone and reaches the dead letters after five receives. transform writes to the warehouse and to `quarantine/`, so
    it cannot call itself. import_chart is called the same way for every object under `inbox/`, one at a time; it writes
    to `raw/`, which calls transform, and to `quarantine/`, which calls nobody. enrich writes to `cache/tracks/` and no
    table; it is called by the command, and by a schedule if the stage has one. report is called for every object of the
    tables that says a chart has changed, or songs are completed; it writes to `report/` of the warehouse, which calls
    nobody.

    `spotify_endpoint` replaces Spotify's addresses; None, for the real Spotify.

    Attributes: `extract`, `import_chart`, `transform`, `enrich`, `extract_dead_letters` (polls that failed or could not
    be started), `enrich_dead_letters` (the same of enrichments), `import_chart_queue`, `import_chart_dead_letters`
    (dropped files that were neither imported nor put on record), `transform_queue`, `transform_dead_letters` (documents
    that were not loaded), `report`, `report_dead_letters` (of charts whose report could not be
    made).
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
        enrichment: EnrichmentSettings,
        batch_window: Duration,
        transform_concurrency: int,
        log_retention: logs.RetentionDays,
        removal: RemovalPolicy,
        target: BundleTarget,
        spotify_endpoint: str | None,
        reports: ReportSettings,
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
        on_created(
            self,
            "RawDocumentCreated",
            "TransformBatches",
            description="A raw document or a cached answer has come in",
            bucket=raw,
            prefixes=LOADED_PREFIXES,
            queue=queue,
            function=self.transform,
            batch_size=BATCH_SIZE,
            batch_window=batch_window,
            concurrency=transform_concurrency,
        )

        queue = QueueWithDeadLetters(
            self, "ImportChartQueue", visibility=Duration.seconds(6 * FUNCTION_TIMEOUT.to_seconds())
        )
        self.import_chart_queue: sqs.IQueue = queue.queue
        self.import_chart_dead_letters: sqs.IQueue = queue.dead_letters
        self.import_chart = PipelineFunction(
            self,
            "ImportChart",
            package="import_chart",
            description="Makes raw documents of dropped files",
            environment={"STAGE": stage, "RAW_BUCKET": raw.bucket_name},
            grants=self._import_chart_grants(raw),
            timeout=FUNCTION_TIMEOUT,
            # All that a new account's functions may have. A chart takes a few MiB and milliseconds, but 64 MB of the
            # worst there is (a list of empty objects) was measured to take 2.8 GiB before it is refused, with a reason.
            memory_mib=3008,
            log_retention=log_retention,
            removal=removal,
            target=target,
        )
        on_created(
            self,
            "FileDropped",
            "ImportChartBatches",
            description="A file was dropped into the inbox",
            bucket=raw,
            prefixes=[INBOX_PREFIX],
            queue=queue,
            function=self.import_chart,
            batch_size=IMPORT_BATCH_SIZE,
            batch_window=None,
            concurrency=IMPORT_CONCURRENCY,
        )

        self.enrich_dead_letters: sqs.IQueue = DeadLetters(self, "EnrichDeadLetters").queue
        self.enrich = PipelineFunction(
            self,
            "Enrich",
            package="enrich",
            description="Asks Spotify about songs that chart files brought, and caches its answers",
            environment={
                "STAGE": stage,
                "RAW_BUCKET": raw.bucket_name,
                "WAREHOUSE_BUCKET": warehouse.bucket_name,
                "SPOTIFY_CREDENTIALS_PARAMETER": credentials_parameter,
                "SONG_REFRESH_DAYS": str(enrichment.refresh_days),
                "ENRICHMENT_CALLS_PER_RUN": str(enrichment.calls_per_run),
                **({} if spotify_endpoint is None else {"SPOTIFY_ENDPOINT": spotify_endpoint}),
            },
            grants=self._enrich_grants(raw, warehouse, credentials_parameter),
            timeout=ENRICH_TIMEOUT,
            # As extract, it waits for Spotify; the room is for the songs of a large warehouse.
            memory_mib=512,
            log_retention=log_retention,
            removal=removal,
            target=target,
            on_failure=self.enrich_dead_letters,
        )
        self._schedule_enrichment(enrichment.schedule, stage=stage)

        queue = QueueWithDeadLetters(
            self,
            "ReportQueue",
            visibility=Duration.seconds(6 * REPORT_TIMEOUT.to_seconds() + reports.window.to_seconds()),
        )
        self.report_queue: sqs.IQueue = queue.queue
        self.report_dead_letters: sqs.IQueue = queue.dead_letters
        self.report = PipelineFunction(
            self,
            "Report",
            package="report",
            description="Makes a page of a chart whose days have changed",
            environment={
                "STAGE": stage,
                "WAREHOUSE_BUCKET": warehouse.bucket_name,
                "ATHENA_DATABASE": reports.database,
                "ATHENA_WORKGROUP": reports.workgroup,
            },
            grants=self._report_grants(reports, warehouse),
            timeout=REPORT_TIMEOUT,
            # It waits for Athena; the room and the share of a CPU are for the answers and the page of them.
            memory_mib=512,
            log_retention=log_retention,
            removal=removal,
            target=target,
            ships=(QUERIES,),
        )
        on_created(
            self,
            "ChartChanged",
            "ReportBatches",
            description="A chart has changed, or songs have been completed",
            bucket=warehouse,
            prefixes=[table_prefix(table) for table in (CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS)],
            queue=queue,
            function=self.report,
            batch_size=REPORT_BATCH_SIZE,
            batch_window=reports.window,
            concurrency=REPORT_CONCURRENCY,
            enabled=reports.by_itself,
        )
        self._acknowledge(raw, warehouse, reports.results)

        CfnOutput(self, "ExtractFunctionName", value=self.extract.function.function_name)
        CfnOutput(self, "TransformFunctionName", value=self.transform.function.function_name)
        CfnOutput(self, "EnrichFunctionName", value=self.enrich.function.function_name)
        CfnOutput(self, "ExtractDeadLettersUrl", value=self.extract_dead_letters.queue_url)
        CfnOutput(self, "EnrichDeadLettersUrl", value=self.enrich_dead_letters.queue_url)
        CfnOutput(self, "TransformQueueUrl", value=self.transform_queue.queue_url)
        CfnOutput(self, "TransformDeadLettersUrl", value=self.transform_dead_letters.queue_url)
        CfnOutput(self, "ImportChartFunctionName", value=self.import_chart.function.function_name)
        CfnOutput(self, "ImportChartQueueUrl", value=self.import_chart_queue.queue_url)
        CfnOutput(self, "ImportChartDeadLettersUrl", value=self.import_chart_dead_letters.queue_url)
        CfnOutput(self, "ReportFunctionName", value=self.report.function.function_name)
        CfnOutput(self, "ReportQueueUrl", value=self.report_queue.queue_url)
        CfnOutput(self, "ReportDeadLettersUrl", value=self.report_dead_letters.queue_url)
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
            self._read_credentials(credentials_parameter),
        ]

    def _read_credentials(self, parameter: str) -> iam.PolicyStatement:
        """Reading the credentials' parameter.

        It is encrypted by the account's own key for SSM, which lets in everyone who may read the parameter:
        https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
        """
        return iam.PolicyStatement(
            sid="ReadSpotifyCredentials",
            actions=["ssm:GetParameter"],
            resources=[self.format_arn(service="ssm", resource="parameter", resource_name=parameter.removeprefix("/"))],
        )

    def _enrich_grants(
        self, raw: s3.IBucket, warehouse: s3.IBucket, credentials_parameter: str
    ) -> list[iam.PolicyStatement]:
        return [
            grants.on_objects(
                "KeepAnswers",
                actions=["s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"],
                bucket=raw,
                prefixes=[CACHED_SONGS_PREFIX],
            ),
            grants.on_objects(
                "RememberRateLimits", actions=["s3:GetObject", "s3:PutObject"], bucket=raw, prefixes=[STATE_PREFIX]
            ),
            # Also to list what is cached: two statements, of which one has no condition, would be no narrower.
            grants.on_missing_keys("TellNewAnswersAndListThem", bucket=raw),
            grants.on_objects(
                "ReadSongsAndCharts",
                actions=["s3:GetObject"],
                bucket=warehouse,
                prefixes=[table_prefix(SONGS), table_prefix(CHART_ENTRIES)],
            ),
            grants.on_missing_keys("TellEmptyTablesAndListCharts", bucket=warehouse),
            self._read_credentials(credentials_parameter),
        ]

    def _transform_grants(self, raw: s3.IBucket, warehouse: s3.IBucket) -> list[iam.PolicyStatement]:
        return [
            grants.on_objects(
                "ReadDocumentsAndAnswers", actions=["s3:GetObject"], bucket=raw, prefixes=LOADED_PREFIXES
            ),
            grants.on_listing("ListTheDocumentsOfADay", bucket=raw, prefix=RAW_PREFIX),
            # A record is read where there is one already, and renewed if it tells of something else, or was retried.
            grants.on_objects(
                "Quarantine", actions=["s3:GetObject", "s3:PutObject"], bucket=raw, prefixes=[QUARANTINE_PREFIX]
            ),
            grants.on_objects(
                "ReadAndReplaceTableObjects",
                actions=["s3:GetObject", "s3:PutObject"],
                bucket=warehouse,
                prefixes=[table_prefix(table) for table in TABLES],
            ),
            grants.on_missing_keys("TellNewTableObjects", bucket=warehouse),
            grants.on_consuming("ConsumeQueue", queue=self.transform_queue),
        ]

    def _import_chart_grants(self, raw: s3.IBucket) -> list[iam.PolicyStatement]:
        return [
            grants.on_objects("ReadDroppedFiles", actions=["s3:GetObject"], bucket=raw, prefixes=[INBOX_PREFIX]),
            grants.on_missing_keys("TellFilesThatAreGone", bucket=raw),
            # If-None-Match needs no right to read.
            grants.on_objects("KeepRawDocuments", actions=["s3:PutObject"], bucket=raw, prefixes=[RAW_PREFIX]),
            # Another file may be dropped in a bad one's place: then the record is read, and renewed.
            grants.on_objects(
                "Quarantine", actions=["s3:GetObject", "s3:PutObject"], bucket=raw, prefixes=[INBOX_QUARANTINE_PREFIX]
            ),
            grants.on_consuming("ConsumeQueue", queue=self.import_chart_queue),
        ]

    def _report_grants(self, reports: ReportSettings, warehouse: s3.IBucket) -> list[iam.PolicyStatement]:
        return [
            *grants.on_asking_athena(
                self,
                database=reports.database,
                tables=[table.name for table in TABLES],
                workgroup=reports.workgroup,
                # Listing it is also how the function sees what has changed, and which chart has no report yet.
                warehouse=warehouse,
                results=reports.results,
            ),
            # What a stored report was made from is read first; one of a chart without a day is removed.
            grants.on_objects(
                "KeepReports",
                actions=["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                bucket=warehouse,
                prefixes=[REPORT_PREFIX],
            ),
            grants.on_consuming("ConsumeQueue", queue=self.report_queue),
        ]

    def _schedule(self, polls: Sequence[Poll], *, stage: str) -> None:
        """One schedule per chart in a group of the stage's. A stage that polls nothing has neither."""
        if not polls:
            return
        group = scheduler.CfnScheduleGroup(self, "Polls", name=f"spotify-etl-{stage}")
        role = self._scheduler_role(
            "SchedulerRole",
            group,
            description="What the schedules of polls may do",
            call=("Poll", self.extract),
            keep=("KeepPollsNotStarted", self.extract_dead_letters),
        )
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
                target=_scheduled(
                    self.extract, role, self.extract_dead_letters, input=msgspec.json.encode(poll.chart).decode()
                ),
            )
            # A schedule may fire as soon as it is there: not before its role may call.
            schedule.node.add_dependency(role)

    def _schedule_enrichment(self, expression: str | None, *, stage: str) -> None:
        """A schedule in a group of its own, so that neither role serves the other's schedules."""
        if expression is None:
            return
        group = scheduler.CfnScheduleGroup(self, "Enrichments", name=f"spotify-etl-{stage}-enrich")
        role = self._scheduler_role(
            "EnrichSchedulerRole",
            group,
            description="What the schedule of enrichments may do",
            call=("Enrich", self.enrich),
            keep=("KeepEnrichmentsNotStarted", self.enrich_dead_letters),
        )
        schedule = scheduler.CfnSchedule(
            self,
            "Enrichment",
            name="enrich",
            description="Completes songs that chart files brought",
            group_name=group.ref,
            schedule_expression=expression,
            schedule_expression_timezone="UTC",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=_scheduled(self.enrich, role, self.enrich_dead_letters, input="{}"),
        )
        schedule.node.add_dependency(role)

    def _scheduler_role(
        self,
        construct_id: str,
        group: scheduler.CfnScheduleGroup,
        *,
        description: str,
        call: tuple[str, PipelineFunction],
        keep: tuple[str, sqs.IQueue],
    ) -> iam.Role:
        """A role of one group's schedules, which may call one function, and keep what could not be started."""
        role = iam.Role(
            self,
            construct_id,
            description=description,
            assumed_by=iam.PrincipalWithConditions(
                iam.ServicePrincipal("scheduler.amazonaws.com"),
                # Against the confused deputy: only this account's schedules of this group.
                {"StringEquals": {"aws:SourceAccount": self.account, "aws:SourceArn": group.attr_arn}},
            ),
        )
        for sid, action, arn in (
            (call[0], "lambda:InvokeFunction", call[1].function.function_arn),
            (keep[0], "sqs:SendMessage", keep[1].queue_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(sid=sid, actions=[action], resources=[arn]))
        return role

    def _acknowledge(self, raw: s3.IBucket, warehouse: s3.IBucket, results: s3.IBucket) -> None:
        tables = [table_prefix(table) for table in TABLES]
        acknowledge_prefixes(self.extract.role, bucket=raw, prefixes=[RAW_PREFIX, STATE_PREFIX])
        acknowledge_prefixes(self.transform.role, bucket=raw, prefixes=[*LOADED_PREFIXES, QUARANTINE_PREFIX])
        acknowledge_prefixes(self.transform.role, bucket=warehouse, prefixes=tables)
        acknowledge_prefixes(
            self.import_chart.role, bucket=raw, prefixes=[INBOX_PREFIX, RAW_PREFIX, INBOX_QUARANTINE_PREFIX]
        )
        acknowledge_prefixes(self.enrich.role, bucket=raw, prefixes=[CACHED_SONGS_PREFIX, STATE_PREFIX])
        acknowledge_prefixes(
            self.enrich.role, bucket=warehouse, prefixes=[table_prefix(SONGS), table_prefix(CHART_ENTRIES)]
        )
        acknowledge_prefixes(self.report.role, bucket=warehouse, prefixes=[*tables, REPORT_PREFIX])
        acknowledge_prefixes(self.report.role, bucket=results, prefixes=[RESULTS_PREFIX])
        for queue in (
            self.extract_dead_letters,
            self.import_chart_dead_letters,
            self.transform_dead_letters,
            self.enrich_dead_letters,
            self.report_dead_letters,
        ):
            acknowledge(
                queue,
                "Serverless-SQSRedrivePolicy",
                reason="It is itself where messages end, and wait for a person: nothing reads it that could fail",
            )
        for queue in (self.extract_dead_letters, self.enrich_dead_letters):
            acknowledge(
                queue,
                "AwsSolutions-SQS3",
                reason="It is itself the dead letters: of schedules and of asynchronous calls, which the rule does not "
                "see",
            )


def _scheduled(
    function: PipelineFunction, role: iam.IRole, dead_letters: sqs.IQueue, *, input: str
) -> scheduler.CfnSchedule.TargetProperty:
    """A call of a function by a schedule."""
    return scheduler.CfnSchedule.TargetProperty(
        arn=function.function.function_arn,
        role_arn=role.role_arn,
        input=input,
        # Of the call to Lambda, not of the work: the next one by the schedule makes up for one that failed.
        retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
            maximum_event_age_in_seconds=3600, maximum_retry_attempts=3
        ),
        dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=dead_letters.queue_arn),
    )
