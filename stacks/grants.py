"""What the functions may do with S3 and their queues: single actions on named prefixes, written out.

CDK's own `grant_read` gives `s3:GetObject*` and `s3:List*`, which is more than any function here needs.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs


def on_objects(sid: str, *, actions: Sequence[str], bucket: s3.IBucket, prefixes: Sequence[str]) -> iam.PolicyStatement:
    """Actions on all objects under some prefixes, each of which ends in a slash."""
    return iam.PolicyStatement(
        sid=sid, actions=list(actions), resources=[bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]
    )


def on_listing(sid: str, *, bucket: s3.IBucket, prefix: str) -> iam.PolicyStatement:
    """Listing the keys under a prefix."""
    return iam.PolicyStatement(
        sid=sid,
        actions=["s3:ListBucket"],
        resources=[bucket.bucket_arn],
        conditions={"StringLike": {"s3:prefix": f"{prefix}*"}},
    )


def on_missing_keys(sid: str, *, bucket: s3.IBucket) -> iam.PolicyStatement:
    """Being told that an object is not there.

    Without s3:ListBucket S3 answers 403 to a GetObject for a missing key, and with the prefix condition too, for that
    request has no prefix: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html.
    """
    return iam.PolicyStatement(sid=sid, actions=["s3:ListBucket"], resources=[bucket.bucket_arn])


def on_consuming(sid: str, *, queue: sqs.IQueue) -> iam.PolicyStatement:
    """What Lambda's poller needs of a queue: AWSLambdaSQSQueueExecutionRole, less the logs."""
    return iam.PolicyStatement(
        sid=sid,
        actions=["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
        resources=[queue.queue_arn],
    )
