"""What the functions may do with S3, Athena and their queues: single actions on named prefixes, written out.

CDK's own `grant_read` gives `s3:GetObject*` and `s3:List*`, which is more than any function here needs.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from lambdas.core.keys import RESULTS_PREFIX, table_prefix
from lambdas.core.schema import TABLES


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


def on_asking_athena(
    stack: Stack, *, database: str, tables: Sequence[str], workgroup: str, warehouse: s3.IBucket, results: s3.IBucket
) -> list[iam.PolicyStatement]:
    """Asking questions to the tables through a workgroup, whose results lie in a bucket of their own.

    Athena acts as who asks: it looks the tables up in Glue, reads their objects and writes the result on the asker's
    behalf. What it needs: https://docs.aws.amazon.com/athena/latest/ug/workgroups-iam-policy.html,
    https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html (the catalog's database
    `default`, too, whatever is asked) and https://docs.aws.amazon.com/athena/latest/ug/s3-permissions.html.
    """

    def catalog(resource: str, name: str | None = None) -> str:
        return stack.format_arn(service="glue", resource=resource, resource_name=name)

    named = [catalog("table", f"{database}/{table}") for table in tables]
    return [
        iam.PolicyStatement(
            sid="Ask",
            actions=[
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
            ],
            resources=[stack.format_arn(service="athena", resource="workgroup", resource_name=workgroup)],
        ),
        iam.PolicyStatement(
            sid="FindTheDatabase",
            actions=["glue:GetDatabase"],
            resources=[catalog("catalog"), catalog("database", "default"), catalog("database", database)],
        ),
        iam.PolicyStatement(
            sid="FindTables",
            actions=["glue:GetPartitions", "glue:GetTable"],
            resources=[catalog("catalog"), catalog("database", database), *named],
        ),
        on_objects(
            "ReadTables",
            actions=["s3:GetObject"],
            bucket=warehouse,
            prefixes=[table_prefix(table) for table in TABLES],
        ),
        iam.PolicyStatement(
            sid="LocateTables", actions=["s3:GetBucketLocation", "s3:ListBucket"], resources=[warehouse.bucket_arn]
        ),
        on_objects(
            "KeepResults",
            actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
            bucket=results,
            prefixes=[RESULTS_PREFIX],
        ),
        iam.PolicyStatement(
            sid="LocateResults",
            actions=["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
            resources=[results.bucket_arn],
        ),
    ]
