"""What `etl doctor` makes of what it finds: from facts to one line each, with the remedy. Nothing here asks anybody."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

from cli.output import count
from cli.stage import Part
from lambdas.core.adapters.credentials import Credentials
from lambdas.core.authorization import WARNING_DAYS, days_left, runs_out
from lambdas.core.errors import PipelineError, RateLimited, SourceError
from lambdas.core.limits import SERVICE_NAMES, LimitState, Service, StillRateLimited, moment_in_words
from lambdas.core.metrics import chart_age_hours

Mark: TypeAlias = Literal["ok", "warning", "FAILED", "skipped"]

REQUIRED_OUTPUTS: Final[Mapping[Part, frozenset[str]]] = {
    "storage": frozenset({"RawBucketName", "WarehouseBucketName", "ResultsBucketName"}),
    "compute": frozenset(
        {
            "ExtractFunctionName",
            "ExtractDeadLettersUrl",
            "ImportChartFunctionName",
            "ImportChartQueueUrl",
            "ImportChartDeadLettersUrl",
            "EnrichFunctionName",
            "EnrichDeadLettersUrl",
            "ReportFunctionName",
            "ReportQueueUrl",
            "ReportDeadLettersUrl",
            "TransformFunctionName",
            "TransformQueueUrl",
            "TransformDeadLettersUrl",
        }
    ),
    "catalog": frozenset({"DatabaseName", "WorkgroupName"}),
    "monitoring": frozenset({"AlarmTopicArn", "DashboardName"}),
}
"""What the stacks of this version put out, and the command may ask for."""
_DAYS_FROM_HOURS: Final = 120
"""An age of more hours is told in days."""
_SEEN_QUOTA: Final = "an app in Development Mode was seen to meet its quota after about 1,100 in 24 hours"


@dataclass(frozen=True)
class Finding:
    """What one check came to. `text` holds the remedy where there is one to name."""

    mark: Mark
    check: str
    text: str

    def __str__(self) -> str:
        return f"{self.mark:<8} {self.check}: {self.text}"


def deploy_remedy(stage: str, *, emulated: bool) -> str:
    """The command that deploys the stage."""
    return "`etl up`" if emulated else f"`etl deploy --stage {stage}`"


def stacks_finding(outputs: Mapping[Part, Mapping[str, str] | None], names: Mapping[Part, str], remedy: str) -> Finding:
    """Whether all stacks are there, and of this version: with the outputs that its command asks for."""
    missing = [names[part] for part, found in outputs.items() if found is None]
    if len(missing) == len(outputs):
        return Finding("FAILED", "stacks", f"nothing is deployed: begin with {remedy}")
    if missing:
        return Finding("FAILED", "stacks", f"not deployed: {', '.join(missing)}: {remedy}")
    other = [
        f"{names[part]} (without {', '.join(sorted(lacking))})"
        for part, found in outputs.items()
        if found is not None and (lacking := REQUIRED_OUTPUTS[part] - found.keys())
    ]
    if other:
        return Finding("FAILED", "stacks", f"of another version than this command: {', '.join(other)}: {remedy}")
    return Finding("ok", "stacks", f"{count(len(outputs), 'stack')} deployed: {', '.join(names.values())}")


def missing_credentials_finding(error: PipelineError, *, polled: bool) -> Finding:
    """No usable credentials: a fault only where something needs them."""
    if polled:
        return Finding("FAILED", "credentials", str(error))
    return Finding("skipped", "credentials", f"none are needed, for no chart is polled ({error})")


def call_finding(check: str, error: SourceError, *, what: str) -> Finding:
    """A question to Spotify that was not answered: which wall it met. A rate limit is no fault of the stage: it passes.

    `what` is how the error's message begins, which the line need not repeat.
    """
    told = str(error).removeprefix(f"{what}: ")
    if isinstance(error, StillRateLimited):
        return Finding("skipped", check, "no call is made, for the time that Spotify asked to wait for is not over")
    if isinstance(error, RateLimited):
        return Finding("warning", check, told)
    return Finding("FAILED", check, f"{type(error).__name__}: {told}")


def quota_mode_finding(holds_popularity: Sequence[bool]) -> Finding:
    """The app's quota mode, from whether each answer that held a song held its popularity.

    Spotify has no call that tells the mode. Since February 2026 apps in Development Mode are not sent popularity, and
    apps with Extended Quota are (the February 2026 migration guide).
    """
    check = "quota mode"
    if not holds_popularity:
        return Finding("skipped", check, "cannot be told: no answer of Spotify's held a song")
    if any(holds_popularity):
        return Finding(
            "ok",
            check,
            "Extended Quota, as far as can be told: songs come with their popularity, which apps in Development Mode "
            "are not sent; how many calls that allows cannot be told",
        )
    return Finding(
        "ok",
        check,
        "Development Mode, as far as can be told: songs come without their popularity; such an app reads only "
        "playlists of its own user, and its quota of 24 hours, of which what is left cannot be told, is shared by all "
        "apps of its developer",
    )


def sign_in_finding(credentials: Credentials, *, stage: str, now: datetime) -> Finding:
    """How long the user's sign-in lasts; an app's own credentials do not end."""
    if not credentials.refresh_token:
        return Finding("ok", "sign-in", "no user is signed in, and an app's own credentials do not expire")
    began = credentials.authorized_at
    left = None if began is None else days_left(began, now=now)
    mark: Mark = "FAILED" if left == 0 else "warning" if left is None or left <= WARNING_DAYS else "ok"
    return Finding(mark, "sign-in", sign_in_in_words(began, stage=stage, now=now))


def sign_in_in_words(authorized_at: datetime | None, *, stage: str, now: datetime) -> str:
    """Since when a user is signed in, and for how many days yet; with the remedy once that matters."""
    again = f"`etl login --stage {stage}`"
    if authorized_at is None:
        return f"signed in, it is not known when; it lasts six months from then: {again} begins anew"
    since, until = f"{authorized_at:%Y-%m-%d}", f"{runs_out(authorized_at):%Y-%m-%d}"
    left = days_left(authorized_at, now=now)
    if left == 0:
        return f"EXPIRED on {until} (signed in on {since}): {again}"
    soon = f": {again} begins anew" if left <= WARNING_DAYS else ""
    return f"signed in on {since}, {count(math.ceil(left), 'day')} left, until {until}{soon}"


def limit_finding(service: Service, state: LimitState, *, own_calls: int | None, now: datetime) -> Finding:
    """What is remembered of a service's rate limit. `own_calls` were made by the doctor, None if it was not to."""
    check = f"rate limit of {SERVICE_NAMES[service]}"
    calls = f"{count(state.calls_of_past_day(now=now), 'call')} in the past 24 hours"
    own = "" if own_calls is None else f", {own_calls} of them just now"
    block = state.block_in_words(now=now)
    if block is None:
        seen = f" ({_SEEN_QUOTA})" if service == "web_api" else ""
        return Finding("ok", check, f"nothing holds calls back; {calls}{own}{seen}")
    met = f", met on {moment_in_words(state.recorded_at)}" if state.recorded_at else ""
    return Finding(
        "warning", check, f"{block}{met}: polls after that time go on by themselves; {calls}{own}: call less often"
    )


def freshness_finding(chart: str, newest: date | None, *, freshness_hours: int, stage: str, now: datetime) -> Finding:
    """Whether the newest chart date held is as new as the stage asks for."""
    check, poll = f"newest date of {chart}", f"`etl run --chart {chart} --stage {stage}`"
    if newest is None:
        return Finding("warning", check, f"nothing is held yet: {poll}, or wait for its schedule")
    age = chart_age_hours(newest, now=now)
    ago = f"{age:.0f} h" if age < _DAYS_FROM_HOURS else f"{age / 24:,.0f} days"
    told = f"{newest}, which ended {ago} ago; up to {freshness_hours} h count as fresh"
    if age > freshness_hours:
        return Finding("FAILED", check, f"{told}: {poll}; if that finds nothing newer, Spotify has not published it")
    return Finding("ok", check, told)


def dead_letters_finding(function: str, letters: int, *, stage: str) -> Finding:
    """What a function could not do. Of transform it means data that are stored and not in the tables."""
    check = f"dead letters of {function}"
    if not letters:
        return Finding("ok", check, "none")
    redrive = f"etl redrive {function} --stage {stage}"
    return Finding(
        "warning" if function == "extract" else "FAILED",
        check,
        f"{letters:,}: `{redrive} --dry-run` says what they are and why; once that is mended, "
        f"`{redrive}` puts them back",
    )


def quarantine_finding(records: int, *, stage: str) -> Finding:
    """Documents that could not be used. Nothing waits for them."""
    if not records:
        return Finding("ok", "quarantine", "empty")
    return Finding(
        "warning",
        "quarantine",
        f"{count(records, 'object')} could not be used: `etl quarantine list --stage {stage}` shows them, "
        f"`etl quarantine retry --all --stage {stage}` loads what is good by now",
    )


def summary(findings: Sequence[Finding]) -> str:
    """The last line: how many checks failed, warned and were skipped."""
    failed, warned, skipped = (sum(one.mark == mark for one in findings) for mark in ("FAILED", "warning", "skipped"))
    left_out = f" ({skipped} skipped)" if skipped else ""
    if not failed and not warned:
        return f"nothing is wrong: {count(len(findings) - skipped, 'check')}{left_out}"
    parts = [f"{failed} FAILED"] if failed else []
    parts += [count(warned, "warning")] if warned else []
    return f"{' and '.join(parts)} of {count(len(findings), 'check')}{left_out}"
