"""A stage: all stacks of one pipeline. The only place where configuration becomes arguments."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct

from lambdas.core.queries import Query
from lambdas.core.views import View
from stacks.catalog import CatalogStack
from stacks.compute import ComputeStack, EnrichmentSettings, Poll, ReportSettings
from stacks.config import NONCURRENT_DAYS, StageConfig
from stacks.constructs.bundling import AWS_TARGET, host_target
from stacks.monitoring import MonitoringStack, WatchedChart
from stacks.storage import StorageStack

_LOG_RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    400: logs.RetentionDays.THIRTEEN_MONTHS,
    731: logs.RetentionDays.TWO_YEARS,
}


class PipelineStage(cdk.Stage):
    """The stacks of a stage, named `spotify-etl-<stage>-<storage|compute|catalog|monitoring>`.

    `queries` become Athena's named queries, `views` views in its catalog. `spotify_endpoint` is the address of a
    stand-in for Spotify; it is for an emulated stage, and any other ignores it: None, for the real Spotify.

    Attributes: `storage`, `compute`, `catalog`, `monitoring`.
    """

    def __init__(
        self,
        scope: Construct,
        config: StageConfig,
        *,
        queries: Sequence[Query],
        views: Sequence[View] = (),
        spotify_endpoint: str | None = None,
    ) -> None:
        env = cdk.Environment(account=config.account, region=config.region)
        super().__init__(scope, config.stage, env=env)
        removal = cdk.RemovalPolicy[config.removal.upper()]
        protected = config.removal == "retain"
        self.storage = StorageStack(
            self,
            "storage",
            stack_name=config.stack_name("storage"),
            env=env,
            termination_protection=protected,
            removal=removal,
            spotify_retention_days=config.spotify_retention_days,
            noncurrent_days=NONCURRENT_DAYS,
            result_retention_days=config.result_retention_days,
        )
        self.compute = ComputeStack(
            self,
            "compute",
            stack_name=config.stack_name("compute"),
            env=env,
            termination_protection=protected,
            stage=config.stage,
            raw=self.storage.raw,
            warehouse=self.storage.warehouse,
            polls=[
                Poll(chart=chart.polled, schedule=chart.schedule, timezone=chart.timezone) for chart in config.charts
            ],
            credentials_parameter=config.credentials_parameter,
            enrichment=EnrichmentSettings(
                schedule=config.enrichment_schedule,
                calls_per_run=config.enrichment_calls_per_run,
                refresh_days=config.song_refresh_days,
            ),
            batch_window=cdk.Duration.seconds(config.batch_window_seconds),
            transform_concurrency=config.transform_concurrency,
            log_retention=_LOG_RETENTION[config.log_retention_days],
            removal=removal,
            target=host_target() if config.emulated else AWS_TARGET,
            spotify_endpoint=spotify_endpoint if config.emulated else None,
            reports=ReportSettings(
                by_itself=config.report,
                database=config.database_name,
                workgroup=config.workgroup_name,
                results=self.storage.results,
                window=cdk.Duration.seconds(config.report_window_seconds),
            ),
        )
        self.catalog = CatalogStack(
            self,
            "catalog",
            stack_name=config.stack_name("catalog"),
            env=env,
            termination_protection=protected,
            stage=config.stage,
            database_name=config.database_name,
            workgroup_name=config.workgroup_name,
            warehouse=self.storage.warehouse,
            results=self.storage.results,
            scan_cutoff_bytes=config.athena_scan_cutoff_bytes,
            crawler_schedule=config.crawler_schedule,
            queries=queries,
            views=views,
        )
        self.monitoring = MonitoringStack(
            self,
            "monitoring",
            stack_name=config.stack_name("monitoring"),
            env=env,
            termination_protection=protected,
            stage=config.stage,
            charts=[WatchedChart(chart=chart.chart, freshness_hours=chart.freshness_hours) for chart in config.charts],
            extract=self.compute.extract,
            transform=self.compute.transform,
            enrich=self.compute.enrich,
            enrichment_is_scheduled=config.enrichment_schedule is not None,
            extract_dead_letters=self.compute.extract_dead_letters,
            enrich_dead_letters=self.compute.enrich_dead_letters,
            transform_queue=self.compute.transform_queue,
            transform_dead_letters=self.compute.transform_dead_letters,
            import_chart=self.compute.import_chart,
            import_chart_dead_letters=self.compute.import_chart_dead_letters,
            report=self.compute.report,
            report_dead_letters=self.compute.report_dead_letters,
            alarm_email=config.alarm_email,
        )
        for name, value in (("project", "spotify-etl"), ("stage", config.stage)):
            cdk.Tags.of(self).add(name, value)
            for stack in (self.storage, self.compute, self.catalog, self.monitoring):
                stack.add_stack_tag(name, value)
