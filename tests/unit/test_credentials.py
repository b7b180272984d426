"""Spotify credentials in SSM."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws
from rich.console import Console

from lambdas.core.adapters.credentials import Credentials, read_credentials, write_credentials
from lambdas.core.errors import ConfigurationError, CredentialsMissing

if TYPE_CHECKING:
    from types_boto3_ssm.client import SSMClient

NAME = "/spotify-etl/dev/credentials"
SECRET = "s3cret-of-the-app"
CREDENTIALS = Credentials(client_id="an-app", client_secret=SECRET)


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Iterator[SSMClient]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("ssm")


def put(ssm: SSMClient, value: str) -> None:
    ssm.put_parameter(Name=NAME, Value=value, Type="SecureString")


@pytest.mark.parametrize(
    "credentials",
    [
        CREDENTIALS,
        Credentials(
            client_id="an-app",
            client_secret=SECRET,
            refresh_token="refresh-me",
            authorized_at=datetime(2026, 3, 6, 9, 30, tzinfo=UTC),
        ),
    ],
    ids=["an app's", "a signed-in user's"],
)
def test_credentials_written_are_read_back_the_same(ssm: SSMClient, credentials: Credentials) -> None:
    write_credentials(ssm, NAME, credentials)

    assert read_credentials(ssm, NAME, stage="dev") == credentials


def test_credentials_are_stored_encrypted_and_without_empty_fields(ssm: SSMClient) -> None:
    write_credentials(ssm, NAME, CREDENTIALS)

    stored = ssm.get_parameter(Name=NAME, WithDecryption=True)["Parameter"]
    assert stored["Type"] == "SecureString"
    assert json.loads(stored["Value"]) == {"client_id": "an-app", "client_secret": SECRET}


def test_writing_again_replaces_what_was_there(ssm: SSMClient) -> None:
    write_credentials(ssm, NAME, CREDENTIALS)
    write_credentials(ssm, NAME, Credentials(client_id="an-app", client_secret="rotated"))

    assert read_credentials(ssm, NAME, stage="dev").client_secret == "rotated"


def test_a_missing_parameter_is_named_with_the_command_that_writes_it(ssm: SSMClient) -> None:
    with pytest.raises(CredentialsMissing, match=rf"{NAME}: run `etl credentials --stage prod`"):
        read_credentials(ssm, NAME, stage="prod")


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f'"{SECRET}"',
        f'{{"client_secret": "{SECRET}"}}',
        f'{{"client_id": 7, "client_secret": "{SECRET}"}}',
        f'{{"client_id": "an-app", "client_secret": "{SECRET}"',
        f'{{"client_id": "", "client_secret": "{SECRET}"}}',
        f'{{"client_id": "an:app", "client_secret": "{SECRET}"}}',
        f'{{"client_id": "an-app", "client_secret": " {SECRET}"}}',
        f'{{"client_id": "an-app", "client_secret": "{SECRET}é"}}',
    ],
)
def test_a_value_that_is_not_credentials_is_refused_without_showing_any_of_it(ssm: SSMClient, value: str) -> None:
    put(ssm, value)

    with pytest.raises(CredentialsMissing, match=NAME) as caught:
        read_credentials(ssm, NAME, stage="dev")

    shown = f"{caught.value} {caught.value.__cause__}"
    assert "etl credentials --stage dev" in shown
    assert SECRET not in shown
    assert "an:app" not in shown


def test_a_secret_in_a_parameter_that_is_not_encrypted_is_refused(ssm: SSMClient) -> None:
    ssm.put_parameter(Name=NAME, Value=json.dumps({"client_id": "an-app", "client_secret": SECRET}), Type="String")

    with pytest.raises(CredentialsMissing, match="not an encrypted SecureString"):
        read_credentials(ssm, NAME, stage="dev")


@pytest.mark.parametrize(
    "credentials",
    [Credentials(client_id="", client_secret=SECRET), Credentials(client_id="an-app", client_secret=f"{SECRET}\n")],
)
def test_what_cannot_be_credentials_is_not_written(ssm: SSMClient, credentials: Credentials) -> None:
    with pytest.raises(ConfigurationError, match="dashboard") as caught:
        write_credentials(ssm, NAME, credentials)

    assert SECRET not in str(caught.value)
    assert ssm.describe_parameters()["Parameters"] == []


def test_a_denied_read_names_the_permissions_that_are_missing(ssm: SSMClient) -> None:
    with Stubber(ssm) as stub:
        stub.add_client_error("get_parameter", "AccessDeniedException", "not authorized", http_status_code=400)
        with pytest.raises(ConfigurationError, match=r"ssm:GetParameter .* kms:Decrypt"):
            read_credentials(ssm, NAME, stage="dev")


def test_a_denied_write_names_the_permissions_that_are_missing(ssm: SSMClient) -> None:
    with Stubber(ssm) as stub:
        stub.add_client_error("put_parameter", "AccessDeniedException", "not authorized", http_status_code=400)
        with pytest.raises(ConfigurationError, match=r"ssm:PutParameter .* kms:Encrypt"):
            write_credentials(ssm, NAME, CREDENTIALS)


def test_a_fault_of_ssm_itself_is_not_taken_for_missing_credentials(ssm: SSMClient) -> None:
    with Stubber(ssm) as stub:
        stub.add_client_error("get_parameter", "InternalServerError", "try later", http_status_code=500)
        with pytest.raises(ClientError, match="InternalServerError"):
            read_credentials(ssm, NAME, stage="dev")


def test_a_fault_of_ssm_itself_is_not_taken_for_a_denied_write(ssm: SSMClient) -> None:
    with Stubber(ssm) as stub:
        stub.add_client_error("put_parameter", "InternalServerError", "try later", http_status_code=500)
        with pytest.raises(ClientError, match="InternalServerError"):
            write_credentials(ssm, NAME, CREDENTIALS)


def test_no_rendering_of_credentials_shows_a_secret() -> None:
    credentials = Credentials(client_id="an-app", client_secret=SECRET, refresh_token="refresh-me")
    drawn = Console(file=io.StringIO(), record=True)
    drawn.print(credentials)

    for text in (repr(credentials), str(credentials), f"{credentials}", drawn.export_text()):
        assert "an-app" in text
        assert SECRET not in text
        assert "refresh-me" not in text


def test_reading_and_writing_log_no_secret_even_at_debug(ssm: SSMClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.NOTSET)

    write_credentials(ssm, NAME, CREDENTIALS)
    logging.getLogger("botocore").setLevel(logging.NOTSET)
    read_credentials(ssm, NAME, stage="dev")

    assert SECRET not in "\n".join(record.getMessage() for record in caplog.records)
