"""Spotify credentials, kept as one SSM SecureString per stage.

CloudFormation cannot make a SecureString (https://docs.aws.amazon.com/systems-manager/latest/userguide/param-create-cli.html),
so `etl credentials` and `etl login` write it; a template or an environment variable only ever holds its name.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from lambdas.core.adapters.logs import keep_secrets_out_of_logs
from lambdas.core.errors import ConfigurationError, CredentialsMissing

if TYPE_CHECKING:
    from types_boto3_ssm.client import SSMClient

# Sent as HTTP Basic credentials, which spotipy encodes as ASCII; a colon would end the client id early.
_CLIENT_ID = re.compile(r"[!-9;-~]+")
_CLIENT_SECRET = re.compile(r"[!-~]+")
_DENIED = ("AccessDeniedException", "AccessDenied")


class Credentials(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the Spotify dashboard gives an app, and the refresh token of a user who has signed in to it.

    With a refresh token Spotify is asked as that user, else as the app. It lives six months from `authorized_at`
    (lambdas/core/authorization.py).
    """

    client_id: str
    client_secret: str
    refresh_token: str | None = None
    authorized_at: datetime | None = None

    def __repr__(self) -> str:
        """Without the secrets: a repr ends up in logs and in test reports."""
        return f"Credentials(client_id={self.client_id!r}, client_secret=..., refresh_token=...)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Without the secrets, for rich too, which does not ask `__repr__`."""
        return [("client_id", self.client_id)]


def read_credentials(client: SSMClient, name: str, *, stage: str) -> Credentials:
    """The credentials kept in the parameter `name`.

    Raises CredentialsMissing if there is no such parameter, it is not encrypted or it does not hold credentials, and
    ConfigurationError if the caller may not read it. No message holds any part of the value.
    """
    keep_secrets_out_of_logs()
    remedy = f"run `etl credentials --stage {stage}`"
    try:
        parameter = client.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    except client.exceptions.ParameterNotFound:
        raise CredentialsMissing(f"no Spotify credentials are stored in the parameter {name}: {remedy}") from None
    except ClientError as error:
        if _code(error) not in _DENIED:
            raise
        raise ConfigurationError(
            f"reading the Spotify credentials in the parameter {name} is denied: the role needs ssm:GetParameter on it "
            "and kms:Decrypt on the key that encrypts it"
        ) from error
    if parameter["Type"] != "SecureString":
        raise CredentialsMissing(
            f"the parameter {name} is a {parameter['Type']}, not an encrypted SecureString: delete it, change the "
            f"client secret in the Spotify dashboard, then {remedy}"
        )
    try:
        credentials = msgspec.json.decode(parameter["Value"], type=Credentials)
    except msgspec.DecodeError:
        # The decoder's own words name a character or a field of the value: not shown, on principle.
        raise CredentialsMissing(
            f'the parameter {name} does not hold {{"client_id": ..., "client_secret": ...}}: {remedy}'
        ) from None
    if fault := _fault(credentials):
        raise CredentialsMissing(f"the parameter {name} holds unusable credentials: {fault}: {remedy}")
    return credentials


def write_credentials(client: SSMClient, name: str, credentials: Credentials) -> None:
    """Keep the credentials, encrypted, in the parameter `name`, over any that are there.

    Raises ConfigurationError, and writes nothing, if they cannot be credentials or the caller may not write there.
    """
    keep_secrets_out_of_logs()
    if fault := _fault(credentials):
        raise ConfigurationError(f"{fault}: copy both from your app at https://developer.spotify.com/dashboard")
    try:
        client.put_parameter(
            Name=name,
            Description="Spotify credentials, written by `etl credentials` and `etl login`",
            Value=msgspec.json.encode(credentials).decode(),
            Type="SecureString",
            Overwrite=True,
        )
    except ClientError as error:
        if _code(error) not in _DENIED:
            raise
        raise ConfigurationError(
            f"writing the parameter {name} is denied: your AWS user or role needs ssm:PutParameter on it and "
            "kms:Encrypt on the key that encrypts it"
        ) from error


def _fault(credentials: Credentials) -> str | None:
    """Why these cannot be an app's credentials, in words that hold none of them; None if they can."""
    if not _CLIENT_ID.fullmatch(credentials.client_id):
        return "the client id is empty, or holds a space, a colon or a character that is not ASCII"
    if not _CLIENT_SECRET.fullmatch(credentials.client_secret):
        return "the client secret is empty, or holds a space or a character that is not ASCII"
    return None


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
