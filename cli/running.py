"""`etl run`: poll the charts now, wait until they can be queried, and show them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from cli.formats import print_rows
from cli.output import bold, note, say, step
from cli.querying import named_queries
from cli.stage import Stage, open_stage
from cli.waiting import Arrival, Waiting
from lambdas.core.adapters.athena import execution_parameters
from lambdas.core.errors import ConfigurationError, PipelineError
from lambdas.core.sources import PolledChart, PolledProvider
from lambdas.extract.poll import PollResult

if TYPE_CHECKING:
    from types_boto3_lambda.client import LambdaClient

_SHOWN_QUERY = "todays_top_10"


class PollFailed(PipelineError):
    """The extract function could not poll a chart."""


class _FunctionFault(msgspec.Struct, rename="camel"):
    """What Lambda answers for a function that raised: https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html."""

    error_message: str = ""
    error_type: str = ""


@dataclass(frozen=True)
class Poll:
    """What polling one chart came to."""

    chart: PolledChart
    result: PollResult | None
    fault: str | None = None


def run_command(arguments: argparse.Namespace) -> int:
    """Run `etl run`."""
    stage = open_stage(arguments.stage)
    charts = chosen_charts(stage.name, stage.config.polled_charts, arguments.chart)
    if stage.config.emulated:
        _check_stand_in()
    function = stage.output("compute", "ExtractFunctionName")
    polls = list(poll_all(stage.functions, function, charts))
    for poll in polls:
        if poll.fault is not None:
            note(f"etl: {poll.fault}")
        elif poll.result is not None:
            line = outcome_line(poll.result)
            if poll.result.outcome == "rate_limited":
                note(f"etl: {line}")
            else:
                say(line)
    waited_for = {poll.result.raw_key: poll for poll in polls if poll.result is not None and poll.result.raw_key}
    arrival = _wait(stage, waited_for, arguments.timeout)
    for key, reason in arrival.quarantined.items():
        note(f"etl: {key} is quarantined: {reason}")
    for key in sorted(arrival.missing):
        note(
            f"etl: {key} is stored but not in the tables after {arguments.timeout:g} s: the transform function has not "
            f"loaded it; `etl status --stage {stage.name}` shows its queue and dead letters"
        )
    for key, poll in waited_for.items():
        if key in arrival.loaded:
            _show(stage, poll.chart)
    return 0 if len(arrival.loaded) == len(charts) else 1


def _check_stand_in() -> None:
    """Raises ConfigurationError if what stands in for Spotify is gone: the function would take its time to find out."""
    from cli.stand_in import StandIn

    if StandIn.of_local_stage().running() is None:
        raise ConfigurationError("the Spotify stand-in is not running: `etl up` starts it")


def chosen_charts(stage: str, polled: Sequence[PolledChart], chart: str | None) -> Sequence[PolledChart]:
    """The charts to poll: all, or the one named. Raises ConfigurationError if there is none, or not that one."""
    if not polled:
        raise ConfigurationError(
            f"stage {stage} polls no chart: import files with `etl import PATH --stage {stage}`, or give it charts in "
            "cdk.json and deploy"
        )
    if chart is None:
        return polled
    chosen = [one for one in polled if one.chart == chart]
    if not chosen:
        names = ", ".join(one.chart for one in polled)
        raise ConfigurationError(f"stage {stage} does not poll a chart {chart!r}: it polls {names}")
    return chosen


def poll_all(client: LambdaClient, function: str, charts: Iterable[PolledChart]) -> Iterable[Poll]:
    """Poll one chart after the other. Once Spotify limits the rate, charts of the same providers are not asked for."""
    limited: set[PolledProvider] = set()
    for chart in charts:
        if limited.issuperset(chart.providers):
            yield Poll(chart, None, f"{chart.chart}: not polled, for Spotify limits the rate: run it again later")
            continue
        with step(f"poll {chart.chart}"):
            poll = poll_one(client, function, chart)
        if poll.result is not None and poll.result.outcome == "rate_limited":
            limited.update(chart.providers)
        yield poll


def poll_one(client: LambdaClient, function: str, chart: PolledChart) -> Poll:
    """Invoke the extract function with what the chart's schedule sends it.

    Raises PollFailed if its answer is not one this version knows.
    """
    answer = client.invoke(FunctionName=function, Payload=msgspec.json.encode(chart))
    payload = answer["Payload"].read()
    if answer.get("FunctionError"):
        return Poll(chart, None, fault_line(payload, chart=chart.chart, function=function))
    try:
        return Poll(chart, msgspec.json.decode(payload, type=PollResult))
    except msgspec.DecodeError as error:
        raise PollFailed(f"{function} answers what this version does not know ({error}): deploy it anew") from error


def fault_line(payload: bytes, *, chart: str, function: str) -> str:
    """The one line that the function failed with, naming the chart, or where to look if it is not one of ours."""
    try:
        fault = msgspec.json.decode(payload, type=_FunctionFault)
    except msgspec.DecodeError:
        fault = _FunctionFault()
    message = " ".join(fault.error_message.split()) or "no reason given"
    if fault.error_type in ("Sandbox.Timedout", "Function.TimedOut") or "Task timed out" in message:
        return f"{chart}: {message}: Spotify may be slow; the log group /aws/lambda/{function} tells more"
    return message if message.startswith(chart) else f"{chart}: {message}"


def outcome_line(result: PollResult) -> str:
    """What a poll came to, in a line."""
    return result.message if result.message.startswith(result.chart) else f"{result.chart}: {result.message}"


def _wait(stage: Stage, keys: Iterable[str], patience_seconds: float) -> Arrival:
    keys = list(keys)
    if not keys:
        return Arrival()
    waiting = Waiting(raw=stage.raw_store(), tables=stage.warehouse_store(), patience_seconds=patience_seconds)
    with step("wait for the tables") as progress:
        return waiting.wait(keys, report=lambda here, total: progress.update(f"{here} of {total}"))


def _show(stage: Stage, chart: PolledChart) -> None:
    query = named_queries()[_SHOWN_QUERY]
    answer = stage.athena.query(query.sql, execution_parameters(query, {"chart": chart.chart}))
    say()
    say(bold(f"{query.title}: {chart.chart}", sys.stdout))
    print_rows(answer)
