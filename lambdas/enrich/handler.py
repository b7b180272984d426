"""The enrich function: asks Spotify about songs that only chart files tell of, and caches its answers.

It writes no table: the answers' events go through the same queue as those of raw documents, to the transform.
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import Annotated, Final

import boto3
import msgspec

from lambdas.core.adapters.credentials import read_credentials
from lambdas.core.adapters.environment import read_environment
from lambdas.core.adapters.logs import configure_logs
from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.adapters.s3 import PATIENCE, S3Store
from lambdas.core.enrichment import SongSource
from lambdas.core.errors import PipelineError
from lambdas.core.events import LambdaContext
from lambdas.core.keys import SPOTIFY_RETENTION
from lambdas.core.limits import RateLimitMemory
from lambdas.core.metrics import RATE_LIMITED, SONGS_WAITING, SPOTIFY_REQUESTS, Metric
from lambdas.core.sources import Budget
from lambdas.enrich.run import Enrichment, EnrichResult, decode_event

_log = logging.getLogger("enrich")

RESERVE_SECONDS: Final = 5.0
"""Kept of the function's time for counting and answering."""

_Set = Annotated[str, msgspec.Meta(min_length=1)]
_Positive = Annotated[int, msgspec.Meta(ge=1)]


class Environment(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """The function's environment variables."""

    stage: _Set
    raw_bucket: _Set
    warehouse_bucket: _Set
    spotify_credentials_parameter: _Set
    song_refresh_days: _Positive
    enrichment_calls_per_run: _Positive
    spotify_endpoint: str | None = None
    """Where Spotify is; None for the real one."""
    log_level: str = "INFO"


def handler(event: object, context: LambdaContext) -> dict[str, object]:
    """Ask about as many songs as the event (`EnrichRequest`) lets it; answers an `EnrichResult` as JSON.

    Raises the PipelineError that stopped it, so that the invocation fails with that one line.
    """
    configure_logs("INFO")
    try:
        environment = read_environment(Environment, os.environ)
        configure_logs(environment.log_level)
        result = _enrich(event, context, environment)
    except PipelineError as error:
        # One line, no traceback: this is a state of the world, not a defect.
        _log.error(str(error), extra={"error": type(error).__name__})
        raise
    answer: dict[str, object] = msgspec.to_builtins(result)
    _log.log(
        logging.WARNING if result.outcome == "rate_limited" else logging.INFO,
        "enrichment",
        extra={"result": answer | {"answered": len(result.answered)}},
    )
    return answer


def _enrich(event: object, context: LambdaContext, environment: Environment) -> EnrichResult:
    request = decode_event(event)
    budget = Budget(
        max_calls=request.max_calls or environment.enrichment_calls_per_run,
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS,
    )
    client = boto3.client("s3", config=PATIENCE)
    # What is remembered of limits is no answer of Spotify's, and does not expire.
    memory = RateLimitMemory(S3Store(client, environment.raw_bucket), "web_api")
    enrichment = Enrichment(
        tables=S3Store(client, environment.warehouse_bucket),
        cache=S3Store(client, environment.raw_bucket, tags=SPOTIFY_RETENTION),
        memory=memory,
        open_source=lambda: _open_source(environment, budget),
        budget=budget,
        refresh_after=timedelta(days=environment.song_refresh_days),
    )
    result: EnrichResult | None = None
    try:
        result = enrichment.run(dry_run=request.dry_run, skip=request.skip)
        return result
    finally:
        # Also when the run has met a wall: the calls before it count.
        if not request.dry_run:
            values: dict[Metric, float] = {
                SPOTIFY_REQUESTS: budget.calls,
                RATE_LIMITED: float(result is not None and result.outcome == "rate_limited"),
            }
            if enrichment.songs_waiting is not None:
                values[SONGS_WAITING] = enrichment.songs_waiting
            EmfMetrics(environment.stage).emit(values)


def _open_source(environment: Environment, budget: Budget) -> SongSource:
    # Imported here: spotipy, requests and redis cost 0.3 s of CPU, which a run with nothing to ask need not spend.
    from lambdas.core.adapters.songs import WebApiSongs
    from lambdas.core.adapters.spotify import SPOTIFY, SpotifyAddress

    endpoint = environment.spotify_endpoint
    address = SPOTIFY if endpoint is None else SpotifyAddress.at(endpoint)
    parameter = environment.spotify_credentials_parameter
    credentials = read_credentials(boto3.client("ssm", config=PATIENCE), parameter, stage=environment.stage)
    return WebApiSongs(credentials, budget, stage=environment.stage, address=address)
