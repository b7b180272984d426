"""`etl credentials`: the Spotify app's id and secret into the stage's SecureString, never onto the screen."""

from __future__ import annotations

import argparse
import getpass
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from cli.output import note, say
from cli.stage import Stage, open_stage
from lambdas.core.adapters.credentials import Credentials, read_credentials, write_credentials
from lambdas.core.errors import ConfigurationError, CredentialsMissing
from lambdas.core.limits import RateLimitMemory


def credentials_command(arguments: argparse.Namespace) -> int:
    """Run `etl credentials`."""
    stage = open_stage(arguments.stage)
    if stage.config.emulated:
        note(
            "`etl up` has set the credentials that the local Spotify stand-in knows; others make its polls fail "
            "(`etl down`, then `etl up` sets them again)"
        )
    client_id, client_secret = ask()
    stored = store_app(stage, client_id=client_id, client_secret=client_secret)
    parameter = stage.config.credentials_parameter
    say(f"the credentials are kept, encrypted, in the parameter {parameter} of stage {stage.name}")
    if not stored.same_app:
        _forget_rate_limit(stage)
    if stored.about_user:
        say(stored.about_user)
    return 0


@dataclass(frozen=True)
class Stored:
    """What was there before: whether it was the same app's, and what became of its user, if that has to be told."""

    same_app: bool = False
    about_user: str | None = None


def _forget_rate_limit(stage: Stage) -> None:
    """What Spotify asked one app to wait for does not bind another."""
    if stage.stack_outputs("storage") is None:
        return
    if RateLimitMemory(stage.raw_store(), "web_api").forget(now=datetime.now(UTC)):
        say("the rate limit that the former app met is forgotten; apps of one developer share their quota, though")


def store_app(stage: Stage, *, client_id: str, client_secret: str) -> Stored:
    """Keep an app's id and secret; the user who is signed in stays so, unless it is another app.

    Raises ConfigurationError.
    """
    parameter = stage.config.credentials_parameter
    credentials = Credentials(client_id=client_id, client_secret=client_secret)
    login = f"`etl login --stage {stage.name}`"
    stored = Stored()
    try:
        before = read_credentials(stage.ssm, parameter, stage=stage.name)
    except CredentialsMissing:
        pass
    except ConfigurationError:
        stored = Stored(
            about_user=f"what was there could not be read, so it is replaced: if a user was signed in, {login} again"
        )
    else:
        stored = Stored(same_app=before.client_id == client_id)
        if before.refresh_token and stored.same_app:
            credentials = msgspec.structs.replace(
                credentials, refresh_token=before.refresh_token, authorized_at=before.authorized_at
            )
            stored = Stored(same_app=True, about_user="the user who was signed in stays signed in: it is the same app")
        elif before.refresh_token:
            stored = Stored(
                about_user=f"nobody is signed in any more, for it is another app: {login} signs a user in to this one"
            )
    write_credentials(stage.ssm, parameter, credentials)
    return stored


def ask() -> tuple[str, str]:
    """Client id and client secret: asked for without echo, or the two lines of a piped standard input.

    Raises ConfigurationError if standard input ends before both are there.
    """
    if sys.stdin.isatty():
        note("From your app at https://developer.spotify.com/dashboard (what you type is not shown):")
        return getpass.getpass("Client ID: ").strip(), getpass.getpass("Client secret: ").strip()
    client_id, client_secret = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    if not client_id or not client_secret:
        raise ConfigurationError("give the client id and the client secret, each on a line of standard input")
    return client_id, client_secret
