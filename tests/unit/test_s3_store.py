"""The object store on S3's API, against moto."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from lambdas.core.adapters.s3 import S3Store
from lambdas.core.errors import InvalidDocument
from tests.payloads import REPOSITORY

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="bucket")
        yield s3


def test_an_object_is_created_once(client: S3Client) -> None:
    store = S3Store(client, "bucket")
    assert store.put_new("a", b"1")
    assert not store.put_new("a", b"2")
    held = store.get("a")
    assert held is not None
    assert held.body == b"1"


def test_an_object_is_replaced_only_as_it_was_read(client: S3Client) -> None:
    store = S3Store(client, "bucket")
    store.put_new("a", b"1")
    held = store.get("a")
    assert held is not None
    assert store.replace("a", b"2", etag=held.etag)
    assert not store.replace("a", b"3", etag=held.etag)
    assert not store.replace("gone", b"3", etag=held.etag)


def test_a_missing_object_is_none(client: S3Client) -> None:
    assert S3Store(client, "bucket").get("missing") is None


def test_a_removed_object_is_gone_and_removing_it_again_is_no_error(client: S3Client) -> None:
    store = S3Store(client, "bucket")
    for key in ("a", "b"):
        store.put_new(key, b"1")
    store.remove("a")
    store.remove("a")
    assert list(store.keys("")) == ["b"]


def test_an_object_over_the_cap_is_not_read(client: S3Client) -> None:
    store = S3Store(client, "bucket")
    store.put_new("big", b"12345")
    with pytest.raises(InvalidDocument, match="big: 5 bytes, over the 4 that are read"):
        store.get("big", max_bytes=4)


def test_keys_are_listed_over_all_pages(client: S3Client) -> None:
    store = S3Store(client, "bucket")
    for n in range(1005):
        client.put_object(Bucket="bucket", Key=f"raw/{n:04}")
    client.put_object(Bucket="bucket", Key="other")
    assert list(store.keys("raw/")) == [f"raw/{n:04}" for n in range(1005)]


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"])
def test_each_way_to_lose_a_race_is_a_lost_race(client: S3Client, code: str) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("put_object", code)
        assert not S3Store(client, "bucket").replace("a", b"1", etag='"x"')


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "InternalError"])
def test_any_other_trouble_is_no_lost_race(client: S3Client, code: str) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("put_object", code)
        with pytest.raises(ClientError, match=code):
            S3Store(client, "bucket").put_new("a", b"1")


def test_what_a_poll_stores_is_tagged_for_its_retention_and_nothing_else_is(client: S3Client) -> None:
    S3Store(client, "bucket", tags={"retention": "spotify"}).put_new("polled", b"1")
    S3Store(client, "bucket").put_new("brought", b"1")
    tags = [client.get_object_tagging(Bucket="bucket", Key=key)["TagSet"] for key in ("polled", "brought")]
    assert tags == [[{"Key": "retention", "Value": "spotify"}], []]


def test_no_right_to_tag_is_asked_for_where_there_are_no_tags(client: S3Client) -> None:
    with Stubber(client) as stub:
        stub.add_response("put_object", {}, {"Bucket": "bucket", "Key": "a", "Body": b"1", "IfNoneMatch": "*"})
        assert S3Store(client, "bucket").put_new("a", b"1")


@pytest.mark.parametrize("function", ["extract", "import_chart", "enrich", "transform"])
def test_no_function_asks_aws_with_more_patience_than_its_time(function: str) -> None:
    tree = ast.parse((REPOSITORY / "lambdas" / function / "handler.py").read_text("utf-8"))
    clients = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "boto3.client"
    ]
    assert clients
    for call in clients:
        assert [ast.unparse(word) for word in call.keywords] == ["config=PATIENCE"], ast.unparse(call)
