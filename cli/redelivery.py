"""Events that are told again: what the transform function is to load although S3 has told it before, or in vain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lambdas.core.errors import PipelineError
from lambdas.core.events import encode_event

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

    from cli.stage import Stage

_MESSAGES_AT_ONCE = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""


class RedeliveryFailed(PipelineError):
    """The transform queue does not take events."""


def redeliver(stage: Stage, keys: Iterable[str]) -> None:
    """Tell the stage's transform function again of objects in its raw bucket. Raises as `tell_again`."""
    tell_again(
        stage.sqs,
        queue_url=stage.output("compute", "TransformQueueUrl"),
        bucket=stage.output("storage", "RawBucketName"),
        keys=keys,
    )


def tell_again(sqs: SQSClient, *, queue_url: str, bucket: str, keys: Iterable[str]) -> None:
    """Put the documents' events on the transform queue, as S3 did when they came: loading them again changes nothing.

    Raises RedeliveryFailed if the queue does not take them.
    """
    told = sorted(keys)
    for first in range(0, len(told), _MESSAGES_AT_ONCE):
        answer = sqs.send_message_batch(
            QueueUrl=queue_url,
            Entries=[
                {"Id": str(number), "MessageBody": encode_event(bucket=bucket, key=key)}
                for number, key in enumerate(told[first : first + _MESSAGES_AT_ONCE])
            ],
        )
        if failed := answer.get("Failed"):
            raise RedeliveryFailed(
                f"the transform queue does not take {len(failed)} events: {failed[0].get('Message')}"
            )
