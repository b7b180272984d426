"""`etl login`: a user signs in to Spotify in the browser, and the stage reads that user's playlists from then on.

The authorization code flow (https://developer.spotify.com/documentation/web-api/tutorials/code-flow). Its proof key
(PKCE) is for apps that cannot keep a secret; this one has a secret.
"""

from __future__ import annotations

import argparse
import hmac
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from cli.callback import HOST, PATH, Callback, NoCallback, PortTaken
from cli.command_name import as_typed
from cli.output import note, printable, say
from cli.stage import Stage, open_stage
from lambdas.core.adapters.credentials import Credentials, read_credentials, write_credentials
from lambdas.core.adapters.spotify import SPOTIFY, SpotifyAddress, WebApi, consent_link
from lambdas.core.authorization import runs_out
from lambdas.core.errors import ConfigurationError, PipelineError
from lambdas.core.sources import Budget

INTERRUPTED: Final = 130
_EXCHANGE_SECONDS: Final = 40.0
_EXCHANGE_CALLS: Final = 5
_BROWSER_SECONDS: Final = 3.0
_OPEN: Final = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"
_STATE_BYTES: Final = 32
_SHOWN: Final = 80


class SignInFailed(PipelineError):
    """The browser came back without what a sign-in needs."""


def login_command(arguments: argparse.Namespace) -> int:
    """Run `etl login`."""
    environment = dict(os.environ)  # a browser's: the local stage puts another in its place
    stage = open_stage(arguments.stage)
    credentials = read_credentials(stage.ssm, stage.config.credentials_parameter, stage=stage.name)
    address = _address(stage)
    try:
        with _listen(stage, arguments.port) as callback:
            state = secrets.token_urlsafe(_STATE_BYTES)
            link = consent_link(credentials, redirect_uri=callback.redirect_uri, state=state, address=address)
            _invite(stage, callback.redirect_uri, any_port=arguments.port == 0)
            _open(link, browser=arguments.browser, environment=environment, patience_seconds=arguments.timeout)
            query = _wait(stage, callback, arguments.timeout)
            try:
                code = read_code(query, state=state, stage=stage.name)
                signed_in = _exchange(stage, credentials, code, redirect_uri=callback.redirect_uri, address=address)
                write_credentials(stage.ssm, stage.config.credentials_parameter, signed_in)
            except PipelineError as error:
                callback.answer("Not signed in", as_typed(str(error)), good=False)
                raise
            callback.answer("You are signed in", "You may close this page and go back to the terminal.", good=True)
    except KeyboardInterrupt:
        note(f"etl: stopped: no sign-in was stored: `etl login --stage {stage.name}` begins anew")
        return INTERRUPTED
    _say_done(stage, signed_in)
    return 0


def _address(stage: Stage) -> SpotifyAddress:
    if not stage.config.emulated:
        return SPOTIFY
    from cli.stand_in import StandIn

    record = StandIn.of_local_stage().running()
    if record is None:
        raise ConfigurationError("the Spotify stand-in is not running: `etl up` starts it")
    return SpotifyAddress.at(record.facts["url"])


def _listen(stage: Stage, port: int) -> Callback:
    try:
        return Callback(port)
    except PortTaken as error:
        raise PortTaken(
            f"{error}: run `etl login --stage {stage.name}` with another --port, and add http://{HOST}:PORT{PATH} with "
            "that port to the redirect URIs of your app"
        ) from None


def _invite(stage: Stage, redirect_uri: str, *, any_port: bool) -> None:
    """Say what has to be so before the browser goes, for Spotify's own page says little."""
    if stage.config.emulated:
        note("The local stage: the Spotify stand-in signs its own user in, without asking.")
        return
    registered = f"http://{HOST}{PATH}" if any_port else redirect_uri
    note("Your app at https://developer.spotify.com/dashboard needs this redirect URI, to the letter (Settings, Edit):")
    note(f"  {registered}")
    note("Sign in as the user whose playlists the stage is to read; in Development Mode, one of the app's users.")


def _open(link: str, *, browser: bool, environment: Mapping[str, str], patience_seconds: float) -> None:
    opened = browser and in_browser(link, environment)
    note("Your browser opens. If it does not, open this link yourself:" if opened else "Open this link in a browser:")
    say(link)
    sys.stdout.flush()
    note(f"Waiting for {patience_seconds:g} s (Ctrl-C stops) ...")


def in_browser(link: str, environment: Mapping[str, str]) -> bool:
    """Whether a browser could be started, in the environment given. One that goes on running is not waited for.

    In a process of its own: a browser may keep its starter until the user leaves it, and some write to the terminal.
    Without TERM no text browser is taken, which Spotify's page would not work in.
    """
    opener = subprocess.Popen(
        [sys.executable, "-P", "-c", _OPEN, link],
        env={name: value for name, value in environment.items() if name != "TERM"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return opener.wait(_BROWSER_SECONDS) == 0
    except subprocess.TimeoutExpired:
        return True


def _wait(stage: Stage, callback: Callback, seconds: float) -> Mapping[str, str]:
    try:
        return callback.wait(seconds)
    except NoCallback as error:
        missing = f"if the page spoke of a redirect URI, add {callback.redirect_uri} to those of your app; then "
        hint = "" if stage.config.emulated else missing
        raise NoCallback(f"{error}: {hint}run `etl login --stage {stage.name}` again") from None


def read_code(query: Mapping[str, str], *, state: str, stage: str) -> str:
    """The code that the browser brought, if it comes from the page that this command sent it to.

    Raises SignInFailed; no message holds the code or the state.
    """
    again = f"`etl login --stage {stage}`"
    if not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
        raise SignInFailed(
            "the browser came back from another sign-in than this one (its state differs), and nothing was stored: run "
            f"{again} again, and use the newest link"
        )
    error = query.get("error")
    if error == "access_denied":
        raise SignInFailed(f"the user did not consent, and nothing was stored: run {again} again to be asked again")
    if error:
        raise SignInFailed(f"Spotify refuses the sign-in ({printable(error[:_SHOWN])}): run {again} again")
    if not (code := query.get("code")):
        raise SignInFailed(f"the browser came back without a code from Spotify: run {again} again")
    return code


def _exchange(
    stage: Stage, credentials: Credentials, code: str, *, redirect_uri: str, address: SpotifyAddress
) -> Credentials:
    """The credentials with the refresh token that the code is good for."""
    deadline = time.monotonic() + _EXCHANGE_SECONDS
    budget = Budget(max_calls=_EXCHANGE_CALLS, seconds_left=lambda: deadline - time.monotonic())
    api = WebApi(
        credentials, budget, stage=stage.name, address=address, then=f"run `etl login --stage {stage.name}` again"
    )
    now = datetime.now(UTC).replace(microsecond=0)
    token = api.sign_in(code, redirect_uri=redirect_uri)
    return msgspec.structs.replace(credentials, refresh_token=token, authorized_at=now)


def _say_done(stage: Stage, credentials: Credentials) -> None:
    say(
        f"the user is signed in: the refresh token is kept, encrypted, in the parameter "
        f"{stage.config.credentials_parameter} of stage {stage.name}"
    )
    if credentials.authorized_at is not None:
        say(
            f"it lasts until {runs_out(credentials.authorized_at):%Y-%m-%d}, six months whatever is done meanwhile: "
            f"`etl status --stage {stage.name}` counts the days"
        )
    say("playlists that this user owns or collaborates on can be polled now: name them under `charts` in cdk.json")
