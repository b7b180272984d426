"""`etl credentials`: the Spotify app's id and secret into the stage's SecureString, never onto the screen."""

from __future__ import annotations

import argparse
import getpass
import sys

from cli.output import note, say
from cli.stage import open_stage
from lambdas.core.adapters.credentials import Credentials, write_credentials
from lambdas.core.errors import ConfigurationError


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
    write_credentials(stage.ssm, parameter, Credentials(client_id=client_id, client_secret=client_secret))
    say(f"the credentials are kept, encrypted, in the parameter {parameter} of stage {stage.name}")
    return 0


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
