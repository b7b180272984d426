"""The extract function: a schedule's event in, a raw document on S3 out."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import Annotated, Final

import boto3
import msgspec

from lambdas.core.adapters.credentials import Credentials, read_credentials
from lambdas.core.adapters.environment import read_environment
from lambdas.core.adapters.logs import configure_logs
from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.adapters.s3 import PATIENCE, S3Store
from lambdas.core.authorization import days_left
from lambdas.core.errors import CredentialsMissing, PipelineError
from lambdas.core.events import LambdaContext
from lambdas.core.keys import SPOTIFY_RETENTION
from lambdas.core.limited import LimitedSource
from lambdas.core.limits import RateLimitMemory
from lambdas.core.metrics import (
    CHART_AGE_HOURS,
    RATE_LIMITED,
    REFRESH_TOKEN_DAYS_LEFT,
    SPOTIFY_REQUESTS,
    Metric,
    chart_age_hours,
)
from lambdas.core.sources import SERVICES, Budget, ChartSource, PolledProvider
from lambdas.core.store import ObjectStore
from lambdas.extract.poll import PollResult, decode_event, newest_held, poll

_log = logging.getLogger("extract")

MAX_CALLS: Final = 300
"""Calls to Spotify in one run: a Development Mode app's quota was met after about 1,100 in 24 hours."""
RESERVE_SECONDS: Final = 5.0
"""Kept of the function's time for storing the document and answering."""


_Set = Annotated[str, msgspec.Meta(min_length=1)]


class Environment(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """The function's environment variables."""

    stage: _Set
    raw_bucket: _Set
    spotify_credentials_parameter: _Set
    spotify_endpoint: str | None = None
    """Where Spotify is; None for the real one."""
    log_level: str = "INFO"


def handler(event: object, context: LambdaContext) -> dict[str, object]:
    """Poll the chart that the event names (`PolledChart`); answers a `PollResult` as JSON.

    Raises the PipelineError that stopped it, so that the invocation fails with that one line.
    """
    configure_logs("INFO")
    try:
        environment = read_environment(Environment, os.environ)
        configure_logs(environment.log_level)
        result = _poll(event, context, environment)
    except PipelineError as error:
        # One line, no traceback: this is a state of the world, not a defect.
        _log.error(str(error), extra={"error": type(error).__name__})
        raise
    answer: dict[str, object] = msgspec.to_builtins(result)
    _log.log(logging.WARNING if result.outcome == "rate_limited" else logging.INFO, "poll", extra={"result": answer})
    return answer


def _poll(event: object, context: LambdaContext, environment: Environment) -> PollResult:
    chart = decode_event(event)
    budget = Budget(
        max_calls=MAX_CALLS,
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS,
    )
    s3 = boto3.client("s3", config=PATIENCE)
    store = S3Store(s3, environment.raw_bucket, tags=SPOTIFY_RETENTION)
    # Without the tag: what is remembered is ours, and does not expire.
    memory_store = S3Store(s3, environment.raw_bucket)
    now = datetime.now(UTC)
    stored = _StoredCredentials(environment)
    result: PollResult | None = None
    try:
        result = poll(
            chart,
            store=store,
            open_source=lambda provider: LimitedSource(
                lambda: _open_source(environment, stored, provider), RateLimitMemory(memory_store, SERVICES[provider])
            ),
            now=now,
            budget=budget,
        )
        return result
    finally:
        # Also when the poll has met a wall: the data grow old whatever the reason.
        values: dict[Metric, float] = {
            SPOTIFY_REQUESTS: budget.calls,
            RATE_LIMITED: float(result is not None and result.outcome == "rate_limited"),
            **_age(chart.chart, store=store, now=now),
            **_sign_in(stored, now=now),
        }
        EmfMetrics(environment.stage).emit(values, chart=chart.chart)


def _age(chart: str, *, store: ObjectStore, now: datetime) -> dict[Metric, float]:
    """How old the newest data are; nothing if there are none. Never raises."""
    try:
        held = newest_held(chart, store=store, now=now)
    except Exception:  # noqa: BLE001 - the poll is over, and an age that is missing alarms by itself
        _log.exception("the age of the chart cannot be told", extra={"chart": chart})
        return {}
    return {} if held is None else {CHART_AGE_HOURS: round(chart_age_hours(held, now=now), 2)}


class _StoredCredentials:
    """The stage's credentials, asked of SSM once in an invocation, if at all, whatever the answer is."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._read: Credentials | Exception | None = None

    def __call__(self) -> Credentials:
        """Raises, each time, what `read_credentials` raised."""
        if self._read is None:
            parameter, stage = self._environment.spotify_credentials_parameter, self._environment.stage
            try:
                self._read = read_credentials(boto3.client("ssm", config=PATIENCE), parameter, stage=stage)
            except Exception as error:  # noqa: BLE001 - raised below
                self._read = error
        if isinstance(self._read, Exception):
            raise self._read
        return self._read


def _sign_in(stored: _StoredCredentials, *, now: datetime) -> dict[Metric, float]:
    """How long the user's sign-in lasts; nothing if nobody is signed in. Never raises."""
    try:
        credentials = stored()
    except CredentialsMissing:
        return {}  # the poll has said so, if it needed any
    except PipelineError as error:
        _log.warning("how long the user's sign-in lasts cannot be told", extra={"reason": str(error)})
        return {}
    except Exception:  # noqa: BLE001 - the poll is over
        _log.exception("how long the user's sign-in lasts cannot be told")
        return {}
    if not credentials.refresh_token or credentials.authorized_at is None:
        return {}
    return {REFRESH_TOKEN_DAYS_LEFT: round(days_left(credentials.authorized_at, now=now), 2)}


def _open_source(environment: Environment, stored: _StoredCredentials, provider: PolledProvider) -> ChartSource:
    endpoint = environment.spotify_endpoint
    if provider == "public_charts":
        from lambdas.core.adapters.public_charts import PUBLIC_CHARTS_ADDRESS, PublicChartsSource, address_at

        return PublicChartsSource(address=PUBLIC_CHARTS_ADDRESS if endpoint is None else address_at(endpoint))
    # Imported here: spotipy, requests and redis cost 0.3 s of CPU, which a poll of a held date need not spend.
    from lambdas.core.adapters.playlist import PlaylistSource
    from lambdas.core.adapters.spotify import SPOTIFY, SpotifyAddress

    address = SPOTIFY if endpoint is None else SpotifyAddress.at(endpoint)
    return PlaylistSource(stored(), stage=environment.stage, address=address)
