"""`etl doctor`: every check from AWS to Spotify, one line each. What it finds is judged in `cli.diagnosis`.

A check that breaks is a line too, and the others go on. Nothing is stored but the number of calls made to Spotify, and
a rate limit that they meet.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from cli import diagnosis
from cli.aws_errors import explain
from cli.diagnosis import Finding
from cli.output import Progress, bold, printable, say
from cli.stage import FUNCTIONS, PARTS, Stage, load_config, open_stage
from lambdas.core.adapters.credentials import Credentials, read_credentials
from lambdas.core.errors import CredentialsMissing, PipelineError
from lambdas.core.keys import QUARANTINE_PREFIX
from lambdas.core.limits import SERVICE_NAMES, RateLimitMemory, Service
from lambdas.core.sources import Budget, ChartSource, PolledProvider
from lambdas.extract.poll import newest_held

if TYPE_CHECKING:
    from cli.spotify_checks import SpotifyChecks
    from stacks.config import ChartConfig, StageConfig

T = TypeVar("T")

MAX_CALLS: Final = 60
"""Calls to Spotify in one examination: what is left of the quota is for polls."""
_SECONDS: Final = 45.0
"""Time for all calls to Spotify together."""
_DEAD_LETTERS: Final = "DeadLettersUrl"
_MEMORY_LOGGER: Final = "limits"
_LOGGERS: Final = (_MEMORY_LOGGER, "spotify")


def doctor_command(arguments: argparse.Namespace) -> int:
    """Run `etl doctor`."""
    config = load_config(arguments.stage)
    with _heard() as heard:
        examination = Examination(config, heard)
        examination.run(offline=arguments.offline)
    say(diagnosis.summary(examination.findings))
    return 1 if any(finding.mark == "FAILED" for finding in examination.findings) else 0


@dataclass
class Examination:
    """The checks of one stage, in order, each printed as soon as it is done. `heard` are the log's warnings."""

    config: StageConfig
    heard: list[logging.LogRecord]
    findings: list[Finding] = field(default_factory=list, init=False)

    def run(self, *, offline: bool) -> None:
        """Make all checks."""
        reached = self._look("AWS", self._reach)
        if reached is None:
            self._tell(Finding("skipped", "everything else", "AWS has to be reached first"))
            return
        stage, answers = reached
        self._tell(Finding("ok", "AWS", answers))
        outputs = self._look("stacks", lambda: {part: stage.stack_outputs(part) for part in PARTS})
        if outputs is None:
            self._tell(Finding("skipped", "everything else", "what to look at is told by the stacks"))
            return
        names = {part: self.config.stack_name(part) for part in PARTS}
        self._tell(diagnosis.stacks_finding(outputs, names, self._deploy))
        credentials = self._credentials(stage)
        if credentials is not None:
            self._tell(diagnosis.sign_in_finding(credentials, stage=stage.name, now=datetime.now(UTC)))
        if outputs["storage"] is None:
            self._tell(Finding("skipped", "Spotify", f"calls are counted in the raw bucket: first {self._deploy}"))
        else:
            self._spotify(stage, credentials, offline=offline)
        if outputs["storage"] is not None:
            for chart in self.config.charts:
                self._check(f"newest date of {chart.chart}", partial(self._freshness, stage, chart))
        for name, url in (outputs["compute"] or {}).items():
            if name.endswith(_DEAD_LETTERS):
                prefix = name.removesuffix(_DEAD_LETTERS)
                function = FUNCTIONS.get(prefix, prefix)  # another version's stack may have more of them
                self._check(f"dead letters of {function}", partial(self._dead_letters, stage, function, url))
        if outputs["storage"] is not None:
            self._check("quarantine", partial(self._quarantine, stage))

    # How a check is made and told.

    def _look(self, check: str, ask: Callable[[], T]) -> T | None:
        """What `ask` answers; None, with a line that says why, if it breaks."""
        try:
            with Progress(check):
                return ask()
        except PipelineError as error:
            text = str(error)
        except (BotoCoreError, ClientError) as error:
            text = explain(error, stage=self.config.stage)
        except Exception as error:  # noqa: BLE001 - the other checks go on; the line says that this is a defect
            told = " ".join(f"{type(error).__name__}: {error}".split())
            text = f"the check itself is broken, which is a defect of this command ({told})"
        self._tell(Finding("FAILED", check, text))
        return None

    def _check(self, check: str, ask: Callable[[], Finding]) -> Finding | None:
        """Tell what `ask` finds; None if it broke, which is told too."""
        finding = self._look(check, ask)
        if finding is not None:
            self._tell(finding)
        return finding

    def _tell(self, finding: Finding) -> None:
        self.findings.append(finding)
        line = printable(str(finding))
        say(bold(line, sys.stdout) if finding.mark == "FAILED" else line)

    @property
    def _deploy(self) -> str:
        return diagnosis.deploy_remedy(self.config.stage, emulated=self.config.emulated)

    # AWS

    def _reach(self) -> tuple[Stage, str]:
        """The stage, and who answers to whom."""
        stage = open_stage(self.config.stage)
        caller = stage.caller()
        if self.config.emulated:
            return stage, f"the emulator at {os.environ['AWS_ENDPOINT_URL']} answers"
        return stage, f"{stage.s3.meta.region_name} answers {caller}"

    def _credentials(self, stage: Stage) -> Credentials | None:
        parameter = self.config.credentials_parameter

        def read() -> Credentials | Finding:
            try:
                return read_credentials(stage.ssm, parameter, stage=stage.name)
            except CredentialsMissing as error:
                return diagnosis.missing_credentials_finding(error, polled=bool(self.config.charts))

        found = self._look("credentials", read)
        if isinstance(found, Finding):
            self._tell(found)
            return None
        if found is not None:
            self._tell(Finding("ok", "credentials", f"stored, encrypted, in the parameter {parameter}"))
        return found

    def _freshness(self, stage: Stage, chart: ChartConfig) -> Finding:
        now = datetime.now(UTC)
        newest = newest_held(chart.chart, store=stage.raw_store(), now=now)
        return diagnosis.freshness_finding(
            chart.chart, newest, freshness_hours=chart.freshness_hours, stage=stage.name, now=now
        )

    def _dead_letters(self, stage: Stage, function: str, url: str) -> Finding:
        answer = stage.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        letters = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        return diagnosis.dead_letters_finding(function, letters, stage=stage.name)

    def _quarantine(self, stage: Stage) -> Finding:
        records = sum(1 for _ in stage.raw_store().keys(QUARANTINE_PREFIX))
        return diagnosis.quarantine_finding(records, stage=stage.name)

    # Spotify

    def _spotify(self, stage: Stage, credentials: Credentials | None, *, offline: bool) -> None:
        """What calls Spotify, then what is remembered of its limits: the doctor's own calls are in it."""
        budget = Budget(max_calls=MAX_CALLS, seconds_left=_deadline(_SECONDS))
        if offline:
            self._tell(Finding("skipped", "Spotify", "no call is made, by --offline"))
        elif (checks := self._look("Spotify", partial(self._checks, stage, credentials, budget))) is not None:
            self._call(checks)
        faults = {(record.getMessage(), getattr(record, "key", "")): record for record in self.heard}
        for record in faults.values():
            if record.name == _MEMORY_LOGGER:
                self._tell(_memory_finding(record))
        for service in SERVICE_NAMES:
            self._limit(stage, service, own_calls=None if offline or credentials is None else budget.calls)

    def _checks(self, stage: Stage, credentials: Credentials | None, budget: Budget) -> SpotifyChecks:
        # Imported here: spotipy and requests cost 0.3 s of CPU, which an examination without calls need not spend.
        from cli.spotify_checks import SpotifyChecks
        from lambdas.core.adapters.playlist import PlaylistSource
        from lambdas.core.adapters.public_charts import PUBLIC_CHARTS_ADDRESS, PublicChartsSource, address_at
        from lambdas.core.adapters.spotify import SPOTIFY, SpotifyAddress, WebApi

        address, public_address = SPOTIFY, PUBLIC_CHARTS_ADDRESS
        if self.config.emulated:
            stand_in = _stand_in()
            address, public_address = SpotifyAddress.at(stand_in), address_at(stand_in)
        openers: dict[PolledProvider, Callable[[], ChartSource]] = {
            "public_charts": partial(PublicChartsSource, address=public_address)
        }
        if credentials is not None:
            openers["playlist"] = partial(PlaylistSource, credentials, stage=stage.name, address=address)
        return SpotifyChecks(
            api=None if credentials is None else WebApi(credentials, budget, stage=stage.name, address=address),
            openers=openers,
            memory_of=lambda service: RateLimitMemory(stage.raw_store(), service),
            budget=budget,
        )

    def _call(self, checks: SpotifyChecks) -> None:
        from cli.spotify_checks import chart_check

        first = "credentials have to be stored first"
        if checks.api is None:
            self._tell(Finding("skipped", "Spotify", "its Web API is not called without credentials"))
        else:
            accepted = self._check("Spotify", partial(checks.accepted, checks.api))
            first = "Spotify has to take the credentials first"
        refused = checks.api is None or accepted is None or accepted.mark == "FAILED"
        for chart in self.config.polled_charts:
            for provider in chart.providers:
                check = chart_check(chart, provider)
                if refused and provider == "playlist":
                    self._tell(Finding("skipped", check, first))
                else:
                    self._check(check, partial(checks.chart, chart, provider))
        if checks.api is not None:
            self._tell(checks.quota_mode())

    def _limit(self, stage: Stage, service: Service, *, own_calls: int | None) -> None:
        state = self._look(f"rate limit of {SERVICE_NAMES[service]}", RateLimitMemory(stage.raw_store(), service).state)
        now = datetime.now(UTC)
        if state is not None and (
            service == "web_api" or state.calls_of_past_day(now=now) or state.seconds_left(now=now)
        ):
            own = own_calls if service == "web_api" else None
            self._tell(diagnosis.limit_finding(service, state, own_calls=own, now=now))


def _stand_in() -> str:
    """Where the local stage's Spotify is. Raises PipelineError if it is not running."""
    from cli.stand_in import StandIn

    record = StandIn.of_local_stage().running()
    if record is None:
        raise PipelineError("the stand-in is not running: `etl up` starts it again")
    return record.facts["url"]


def _deadline(seconds: float) -> Callable[[], float]:
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()


class _Hearing(logging.Handler):
    """Keeps what is logged: to a person it is told as a line of the examination, without a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _heard() -> Iterator[list[logging.LogRecord]]:
    hearing = _Hearing()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addHandler(hearing)
    try:
        yield hearing.records
    finally:
        for logger in loggers:
            logger.removeHandler(hearing)


def _memory_finding(record: logging.LogRecord) -> Finding:
    """What the memory of rate limits could not do."""
    fault = getattr(record, "fault", None) or (record.exc_info and record.exc_info[1]) or "no reason given"
    key = getattr(record, "key", "state/")
    told = " ".join(str(fault).split()).removeprefix(f"{key}: ")
    return Finding("warning", record.getMessage(), f"{key}: {told}: calls are made all the same")
