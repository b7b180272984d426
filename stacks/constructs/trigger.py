"""A function that is called for objects as they appear: S3 -> EventBridge -> queue -> function, in batches."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.checks import acknowledge
from stacks.constructs.function import PipelineFunction
from stacks.constructs.queue import QueueWithDeadLetters


def on_created(
    scope: Construct,
    rule_id: str,
    mapping_id: str,
    *,
    description: str,
    bucket: s3.IBucket,
    prefixes: Sequence[str],
    queue: QueueWithDeadLetters,
    function: PipelineFunction,
    batch_size: int,
    batch_window: Duration | None,
    concurrency: int,
    enabled: bool = True,
) -> None:
    """Call a function for every object that appears in a bucket under one of the prefixes.

    What fails comes again alone, and reaches the dead letters after the queue's number of receives. `concurrency`, at
    least 2, is how many batches are worked on at once. Where it is not `enabled` nothing is sent, and nobody looks.
    """
    events.Rule(
        scope,
        rule_id,
        description=description,
        enabled=enabled,
        event_pattern=events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={
                "bucket": {"name": [bucket.bucket_name]},
                "object": {"key": [{"prefix": prefix} for prefix in prefixes]},
            },
        ),
        # Both end in the same dead letters, as the same event: what EventBridge could not deliver, and what the
        # function failed at. Putting either back into the queue is the same repair.
        targets=[targets.SqsQueue(queue.queue, dead_letter_queue=queue.dead_letters)],
    )
    mapping = lambda_.EventSourceMapping(
        scope,
        mapping_id,
        target=function.function,
        event_source_arn=queue.queue.queue_arn,
        batch_size=batch_size,
        max_batching_window=batch_window,
        max_concurrency=concurrency,
        report_batch_item_failures=True,
        enabled=enabled,
    )
    acknowledge(
        mapping,
        "Serverless-LambdaEventSourceMappingDestination",
        reason="The queue's own redrive policy keeps what failed: a destination is for streams, and SQS takes none",
    )
