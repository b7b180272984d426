"""The event that says a raw document has arrived, as S3 sends it through EventBridge.

By https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html keys are as they are in the bucket, not
URL-encoded as in S3's own notifications. Fields that nobody here reads are ignored.
"""

from __future__ import annotations

import msgspec


class _Object(msgspec.Struct, frozen=True):
    key: str


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


def decode_event(body: str) -> ObjectCreated:
    """The event in a message's body. Raises msgspec.DecodeError if it is none."""
    return msgspec.json.decode(body, type=ObjectCreated)


def encode_event(*, bucket: str, key: str) -> str:
    """The event's body for an object, as far as it is read here: to tell again of what was told before."""
    return msgspec.json.encode(ObjectCreated(_Detail(_Bucket(bucket), _Object(key)))).decode()
