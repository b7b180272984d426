"""Errors between us and AWS, in one line with the remedy."""

from __future__ import annotations

import pytest
from botocore import exceptions as aws

from cli.aws_errors import LOCAL_STAGE_DOWN, explain


def refused(code: str, message: str = "why") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aws.EndpointConnectionError(endpoint_url="https://s3"), "AWS does not answer"),
        (aws.ReadTimeoutError(endpoint_url="https://s3"), "AWS does not answer"),
        (aws.NoCredentialsError(), "no usable AWS credentials for stage dev"),
        (aws.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "no usable AWS credentials"),
        (aws.UnauthorizedSSOTokenError(), "`aws sso login`"),
        (aws.NoRegionError(), "set AWS_REGION"),
        (aws.ProfileNotFound(profile="work"), "AWS_PROFILE"),
        (aws.ParamValidationError(report="x\ny"), "AWS: Parameter validation failed"),
        (refused("ExpiredToken"), "have expired (PutObject)"),
        (refused("ExpiredTokenException"), "have expired (PutObject)"),
        (refused("InvalidClientTokenId"), "does not know these credentials"),
        (refused("UnrecognizedClientException"), "does not know these credentials"),
        (refused("SignatureDoesNotMatch"), "does not know these credentials"),
        (refused("AccessDenied"), "AWS denies PutObject: why: use a role that may operate stage dev"),
        (refused("AccessDeniedException"), "AWS denies PutObject"),
        (refused("ThrottlingException"), "wait a minute"),
        (refused("Strange", "two\nlines"), "AWS: PutObject: two lines (Strange)"),
    ],
)
def test_an_error_on_aws_is_one_line_with_what_to_do(error: aws.BotoCoreError | aws.ClientError, said: str) -> None:
    line = explain(error, stage="dev")
    assert said in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "error",
    [
        aws.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        aws.ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"),
        aws.ConnectionClosedError(endpoint_url="http://127.0.0.1:1"),
    ],
)
def test_an_emulator_that_was_killed_is_said_to_be_down(error: aws.BotoCoreError) -> None:
    assert explain(error, stage="local") == LOCAL_STAGE_DOWN
