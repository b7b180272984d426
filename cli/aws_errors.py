"""Errors of AWS's SDK in one line with the remedy: the one place where they are mapped."""

from __future__ import annotations

from botocore import exceptions as aws

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_KEY = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthFailure",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled"}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
_UNREACHABLE = (
    aws.EndpointConnectionError,
    aws.ConnectTimeoutError,
    aws.ConnectionClosedError,
    aws.ReadTimeoutError,
    aws.ProxyConnectionError,
)
_NO_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.UnauthorizedSSOTokenError,
    aws.SSOTokenLoadError,
)

LOCAL_STAGE_DOWN = "the local stage is not running: start it with `etl up`"


def explain(error: aws.BotoCoreError | aws.ClientError, *, stage: str) -> str:
    """One line: what went wrong between us and AWS (or the emulator), and what to do about it."""
    if isinstance(error, aws.ClientError):
        return _explain_answer(error, stage)
    if isinstance(error, _UNREACHABLE):
        if stage == "local":
            return LOCAL_STAGE_DOWN
        return f"AWS does not answer: {_one_line(error)}: check the network, and the region (AWS_REGION)"
    if isinstance(error, _NO_CREDENTIALS):
        return (
            f"no usable AWS credentials for stage {stage} ({_one_line(error)}): sign in with `aws sso login` or "
            "`aws configure`, then check with `aws sts get-caller-identity`"
        )
    if isinstance(error, aws.NoRegionError):
        return f"no AWS region for stage {stage}: set AWS_REGION, or the stage's region in cdk.json"
    if isinstance(error, aws.ProfileNotFound):
        return f"{_one_line(error)}: AWS_PROFILE names it; `aws configure list-profiles` shows which there are"
    return f"AWS: {_one_line(error)}"


def _explain_answer(error: aws.ClientError, stage: str) -> str:
    answer = error.response.get("Error", {})
    code, message = answer.get("Code", "unknown"), " ".join(answer.get("Message", "").split())
    operation = error.operation_name
    if code in _EXPIRED:
        return f"the AWS credentials have expired ({operation}): sign in again, e.g. with `aws sso login`"
    if code in _UNKNOWN_KEY:
        return f"AWS does not know these credentials ({operation}): check them with `aws sts get-caller-identity`"
    if code in _DENIED:
        return (
            f"AWS denies {operation}: {message or code}: use a role that may operate stage {stage} "
            "(`aws sts get-caller-identity` shows which you are)"
        )
    if code in _THROTTLED:
        return f"AWS throttles {operation}: wait a minute, then run the same command again"
    return f"AWS: {operation}: {message or 'no reason given'} ({code})"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
