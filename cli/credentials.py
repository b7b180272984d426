"""`etl credentials`: the Spotify app's id and secret into the stage's SecureString, never onto the screen."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, datetime

from cli.output import note, say
from cli.stage import Stage, open_stage
from lambdas.core.adapters.credentials import Credentials, read_credentials, write_credentials
from lambdas.core.errors import ConfigurationError, PipelineError
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
    parameter = stage.config.credentials_parameter
    former = _client_id(stage)
    write_credentials(stage.ssm, parameter, Credentials(client_id=client_id, client_secret=client_secret))
    say(f"the credentials are kept, encrypted, in the parameter {parameter} of stage {stage.name}")
    if former != client_id:
        _forget_rate_limit(stage)
    return 0


def _client_id(stage: Stage) -> str | None:
    """Whose credentials are kept now; None if that cannot be told."""
    try:
        return read_credentials(stage.ssm, stage.config.credentials_parameter, stage=stage.name).client_id
    except PipelineError:
        return None


def _forget_rate_limit(stage: Stage) -> None:
    """What Spotify asked one app to wait for does not bind another."""
    if stage.stack_outputs("storage") is None:
        return
    if RateLimitMemory(stage.raw_store(), "web_api").forget(now=datetime.now(UTC)):
        say("the rate limit that the former app met is forgotten; apps of one developer share their quota, though")


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
