"""The event that says an object has arrived, as S3 sends it through EventBridge, in the queue's messages.

By https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html keys are as they are in the bucket, not
URL-encoded as in S3's own notifications. Fields that nobody here reads are ignored.
"""

from __future__ import annotations

from typing import Protocol, TypedDict

import msgspec


class LambdaContext(Protocol):
    """What is used of https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

    def get_remaining_time_in_millis(self) -> int: ...


class Message(TypedDict):
    """An SQS message, as far as it is read here."""

    messageId: str
    body: str


class Batch(TypedDict):
    """What the event source hands over."""

    Records: list[Message]


class Failure(TypedDict):
    """A message that is to come again."""

    itemIdentifier: str


class BatchAnswer(TypedDict):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting."""

    batchItemFailures: list[Failure]


class _Object(msgspec.Struct, frozen=True, omit_defaults=True):
    key: str
    version_id: str | None = msgspec.field(name="version-id", default=None)


class _Bucket(msgspec.Struct, frozen=True):
    name: str


class _Detail(msgspec.Struct, frozen=True):
    bucket: _Bucket
    object: _Object


class ObjectCreated(msgspec.Struct, frozen=True):
    """An object was created in a bucket."""

    detail: _Detail

    @property
    def key(self) -> str:
        """The object's key."""
        return self.detail.object.key

    @property
    def version_id(self) -> str | None:
        """Which version of it was created, in a bucket that keeps versions."""
        return self.detail.object.version_id


def decode_event(body: str) -> ObjectCreated:
    """The event in a message's body. Raises msgspec.DecodeError if it is none."""
    return msgspec.json.decode(body, type=ObjectCreated)


def encode_event(*, bucket: str, key: str) -> str:
    """The event's body for an object, as far as it is read here: to tell again of what was told before."""
    return msgspec.json.encode(ObjectCreated(_Detail(_Bucket(bucket), _Object(key)))).decode()
