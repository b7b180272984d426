"""A bucket that only this account reads, over TLS."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.checks import acknowledge


class PrivateBucket(Construct):
    """A bucket with everything public blocked, no access without TLS, and encryption by S3's own key.

    With `noncurrent_days`, objects are versioned, and what was overwritten or deleted can be brought back for so many
    days; None, for what can be made again: no versions. `expiries` are further lifecycle rules. Uploads that were never
    finished go after a week. With `events`, S3 sends its events to EventBridge.

    CDK's `auto_delete_objects` and `event_bridge_enabled` are not used: both add a function of their own with rights on
    all buckets. `etl destroy` empties buckets, and the property below turns events on.

    Attribute: `bucket`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        removal: RemovalPolicy,
        noncurrent_days: int | None,
        expiries: Sequence[s3.LifecycleRule] = (),
        events: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        rules = [
            s3.LifecycleRule(id="unfinished-uploads", abort_incomplete_multipart_upload_after=Duration.days(7)),
            *expiries,
        ]
        if noncurrent_days is not None:
            rules.append(
                s3.LifecycleRule(
                    id="old-versions",
                    noncurrent_version_expiration=Duration.days(noncurrent_days),
                    expired_object_delete_marker=True,
                )
            )
        bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=noncurrent_days is not None,
            lifecycle_rules=rules,
            removal_policy=removal,
        )
        acknowledge(
            bucket,
            "AwsSolutions-S1",
            reason="Access logs would be one more bucket of small objects per stage, delivered with no promise. Who "
            "read or wrote an object is told by CloudTrail's data events, which an account turns on for all buckets",
        )
        if events:
            resource = bucket.node.default_child
            assert isinstance(resource, s3.CfnBucket)
            resource.add_property_override(
                "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
            )
        self.bucket: s3.IBucket = bucket
