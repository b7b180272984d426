"""The object store on S3, by conditional writes.

By https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html a failed condition answers 412, two
writes at once 409, and If-Match on a key that is gone 404. All three mean: read again, then decide anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Final, TypedDict
from urllib.parse import urlencode

from botocore.config import Config
from botocore.exceptions import ClientError

from lambdas.core.errors import InvalidDocument
from lambdas.core.store import StoredObject

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


PATIENCE: Final = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})
"""How a function asks S3 and SSM: four attempts within 70 seconds. With botocore's own 60 seconds for each, a second
answer that does not come would be the end of the function's time, and nothing would say why."""


class _Tagging(TypedDict, total=False):
    Tagging: str


_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404", "409", "412"}


class S3Store:
    """`ObjectStore` over one bucket; what it writes carries `tags`."""

    def __init__(self, client: S3Client, bucket: str, *, tags: Mapping[str, str] | None = None) -> None:
        self._client = client
        self._bucket = bucket
        # Left out where there are no tags: the header, even empty, asks for the right to tag.
        self._tagging: _Tagging = {"Tagging": urlencode(tags)} if tags else {}

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        # Not `with` the body itself: that gives the stream beneath, whose errors are not botocore's.
        with closing(answer["Body"]) as body:
            size = answer["ContentLength"]
            if max_bytes is not None and size > max_bytes:
                raise InvalidDocument(
                    f"{key}: {size:,} bytes, over the {max_bytes:,} that are read", version_id=answer.get("VersionId")
                )
            return StoredObject(body=body.read(), etag=answer["ETag"], version_id=answer.get("VersionId"))

    def put_new(self, key: str, body: bytes) -> bool:
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*", **self._tagging)
        except ClientError as error:
            return _lost(error)
        return True

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:
        try:
            # S3 keeps no tag of the version before.
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfMatch=etag, **self._tagging)
        except ClientError as error:
            return _lost(error)
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                yield entry["Key"]

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)


def lost_race(error: ClientError) -> bool:
    """Whether a conditional write lost its race, so that nothing was written."""
    return error.response.get("Error", {}).get("Code") in _LOST_RACE


def _lost(error: ClientError) -> bool:
    """False, for nothing was written; any error but a lost race is raised again."""
    if lost_race(error):
        return False
    raise error
