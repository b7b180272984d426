"""Queues, none of which can lose a message."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

MAX_RETENTION = Duration.days(14)
"""SQS's longest: what waits for a person waits as long as it can."""


class DeadLetters(Construct):
    """The end of an asynchronous edge: what was not delivered or not done, kept for 14 days.

    `queue` is encrypted by SQS's own key and refuses connections without TLS.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.queue: sqs.IQueue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=MAX_RETENTION,
        )


class QueueWithDeadLetters(Construct):
    """A queue for a function, and the dead letters of what the function failed at `max_receives` times.

    `visibility` must be at least six times the consumer's timeout plus its batch window, or a message comes again
    while it is still worked on: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
    `max_receives` is 5 by default, which the same page gives as the least.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        visibility: Duration,
        max_receives: int = 5,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters: sqs.IQueue = DeadLetters(self, "DeadLetters").queue
        self.queue: sqs.IQueue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=MAX_RETENTION,
            visibility_timeout=visibility,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=max_receives),
        )
