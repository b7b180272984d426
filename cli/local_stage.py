"""The local stage: `etl up` and `etl down`.

The stand-in for Spotify and the emulator run in the background; the stacks are deployed to the emulator by the real CDK
CLI. The emulator keeps everything in memory, so the local stage and its warehouse live as long as it runs.
"""

from __future__ import annotations

import argparse
import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.credentials import store_app
from cli.local_deployment import Deployment, deploy, fingerprint, settled
from cli.local_state import state_dir, use
from cli.output import note, say, step
from cli.stage import LOCAL, Stage, load_config
from cli.stand_in import StandIn
from lambdas.core.errors import ConfigurationError, PipelineError
from local.emulator import lifecycle

if TYPE_CHECKING:
    from local.emulator.lifecycle import Endpoint
    from local.emulator.process import Record

INTERRUPTED = 130
_START_SECONDS = 60


def up_command(arguments: argparse.Namespace) -> int:
    """Run `etl up`."""
    require_local(
        arguments.stage, f"`etl up` starts the local stage: for this one, `etl deploy --stage {arguments.stage}`"
    )
    state_dir().mkdir(parents=True, exist_ok=True)
    try:
        with _only_one():
            _up()
    except KeyboardInterrupt:
        note("etl: stopped before the local stage was up: `etl up` goes on from here, `etl down` stops what runs")
        return INTERRUPTED
    return 0


def down_command(arguments: argparse.Namespace) -> int:
    """Run `etl down`."""
    require_local(
        arguments.stage, f"`etl down` stops the local stage: for this one, `etl destroy --stage {arguments.stage}`"
    )
    if not state_dir().exists():
        say("the local stage is not running: nothing to stop")
        return 0
    with _only_one():
        emulator_ran = lifecycle.stop(state_dir())
        stand_in_ran = StandIn.of_local_stage().stop()
    if emulator_ran:
        say("stopped the emulator: the local warehouse, its raw documents and its tables are gone")
    if stand_in_ran:
        say("stopped the Spotify stand-in")
    if not emulator_ran and not stand_in_ran:
        say("the local stage is not running: nothing to stop")
    return 0


def _up() -> None:
    began = time.monotonic()
    config = load_config(LOCAL)
    deployed = Deployment.read()
    wanted_fingerprint = fingerprint()
    endpoint = lifecycle.running(state_dir())
    stand_in = StandIn.of_local_stage()
    spotify = stand_in.running()
    if endpoint is not None and spotify is not None and deployed is not None:
        use(endpoint)
        if deployed == Deployment(wanted_fingerprint, spotify.facts["url"]):
            say(f"the local stage is up: {_addresses(endpoint, spotify)}")
            _say_next()
            return

    if spotify is None:
        _start_stand_in(stand_in, deployed if endpoint is not None else None)
        spotify = stand_in.running()
        if spotify is None:
            raise PipelineError(f"the Spotify stand-in stopped as soon as it was started: see {stand_in.process.log}")
    is_fresh = endpoint is None
    if endpoint is None:
        endpoint = _start_emulator()
    use(endpoint)
    stage = Stage(config)
    if not is_fresh and deployed is None and not settled(stage):
        note("  the last deployment was broken off and does not end: starting the emulator afresh, with no data")
        lifecycle.stop(state_dir())
        endpoint, is_fresh = _start_emulator(), True
        use(endpoint)

    wanted = Deployment(wanted_fingerprint, spotify.facts["url"])
    if deployed != wanted or is_fresh:
        Deployment.forget()
        deploy(endpoint, wanted, bootstrap=deployed is None or is_fresh)
        _write_credentials(stage)
        wanted.write()
    say(f"the local stage is up after {time.monotonic() - began:.0f} s: {_addresses(endpoint, spotify)}")
    _say_next()


def _start_stand_in(stand_in: StandIn, deployed: Deployment | None) -> None:
    port = int(deployed.spotify.rpartition(":")[2]) if deployed is not None else None
    with step("start the Spotify stand-in"):
        stand_in.start(port=port)


def _start_emulator() -> Endpoint:
    if (state_dir() / "emulator.json").exists():
        note("  the emulator had stopped without `etl down`: the local warehouse starts empty")
    with step("start the AWS emulator") as progress:
        return lifecycle.start(state_dir(), deadline_seconds=_START_SECONDS, on_progress=progress.update)


def _write_credentials(stage: Stage) -> None:
    from local.spotify.api import CLIENT_ID, CLIENT_SECRET

    with step("write the stand-in's credentials"):
        store_app(stage, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)


def _addresses(endpoint: Endpoint, spotify: Record) -> str:
    return f"AWS emulator at {endpoint.url}, Spotify stand-in at {spotify.facts['url']}"


def _say_next() -> None:
    say("next: `etl run` fetches the charts, `etl query --list` shows what you can ask, `etl down` stops it all")


def require_local(name: str, instead: str) -> None:
    """Raises ConfigurationError, with what to do `instead`, for a stage that is not the local one."""
    if name != LOCAL:
        load_config(name)
        raise ConfigurationError(f"stage {name} is on AWS: {instead}")


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold the local stage's lock: two commands that start or stop it would tread on each other."""
    with open(state_dir() / "stage.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                "another `etl up` or `etl down` is at work on the local stage: wait for it to end, then try again"
            ) from None
        yield
