"""What a stage keeps: raw documents, the warehouse, and for a while the results of queries."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from lambdas.core.keys import QUARANTINE_PREFIX, REPORT_PREFIX, SPOTIFY_RETENTION
from stacks.constructs.bucket import PrivateBucket


class StorageStack(Stack):
    """The buckets of a stage.

    `spotify_retention_days` counts to the day an object is gone for good: it expires `noncurrent_days` earlier, and is
    an old version until then.

    Attributes: `raw` (raw documents and the quarantine) and `warehouse` (the tables and the reports), which send their
    events to EventBridge, and `results` (of Athena: a bucket of its own, so that who asks questions can be let write
    there and nowhere else).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stack_name: str,
        env: Environment,
        termination_protection: bool,
        removal: RemovalPolicy,
        spotify_retention_days: int,
        noncurrent_days: int,
        result_retention_days: int,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=stack_name,
            env=env,
            termination_protection=termination_protection,
            description="spotify-etl: raw documents, warehouse and query results",
        )
        spotify_days = Duration.days(spotify_retention_days - noncurrent_days)
        self.raw: s3.IBucket = PrivateBucket(
            self,
            "Raw",
            removal=removal,
            noncurrent_days=noncurrent_days,
            expiries=[
                s3.LifecycleRule(id="spotify-retention", tag_filters=SPOTIFY_RETENTION, expiration=spotify_days),
                s3.LifecycleRule(id="quarantine", prefix=QUARANTINE_PREFIX, expiration=spotify_days),
            ],
            events=True,
        ).bucket
        self.warehouse: s3.IBucket = PrivateBucket(
            self,
            "Warehouse",
            removal=removal,
            noncurrent_days=noncurrent_days,
            # A report shows Spotify's content, and is made anew with each day of its chart: this one was given up.
            expiries=[s3.LifecycleRule(id="reports", prefix=REPORT_PREFIX, expiration=spotify_days)],
            events=True,
        ).bucket
        self.results: s3.IBucket = PrivateBucket(
            self,
            "Results",
            # Any result can be asked for again, so the bucket need not outlive its stage: only what is in it keeps it.
            removal=removal,
            noncurrent_days=None,
            expiries=[s3.LifecycleRule(id="results", expiration=Duration.days(result_retention_days))],
        ).bucket
        CfnOutput(self, "RawBucketName", value=self.raw.bucket_name)
        CfnOutput(self, "WarehouseBucketName", value=self.warehouse.bucket_name)
        CfnOutput(self, "ResultsBucketName", value=self.results.bucket_name)
