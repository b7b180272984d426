"""`etl run`: polling through the extract function, and what its answers come to."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
import pytest

from cli.running import PollFailed, chosen_charts, fault_line, poll_all, poll_one
from lambdas.core.errors import ConfigurationError
from lambdas.core.sources import PolledChart
from lambdas.extract.poll import decode_event

DAILY = PolledChart(
    chart="regional-global-daily", period="daily", providers=("playlist",), playlist_id="x" * 22, dated_by="added_at"
)
WEEKLY = msgspec.structs.replace(DAILY, chart="regional-global-weekly", period="weekly")


class FakeLambda:
    """Lambda's client with one answer for each invocation."""

    def __init__(self, *answers: Mapping[str, Any], error: bool = False) -> None:
        self.answers = list(answers)
        self.error = error
        self.events: list[Any] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - AWS's names
        assert FunctionName == "extract"
        self.events.append(json.loads(Payload))
        body = io.BytesIO(json.dumps(self.answers.pop(0)).encode())
        return {"Payload": body} | ({"FunctionError": "Unhandled"} if self.error else {})


def result(**fields: Any) -> dict[str, Any]:
    return {"chart": DAILY.chart, "outcome": "stored", "message": "stored", "calls": 2, "raw_key": "k"} | fields


def polls(client: FakeLambda, charts: Sequence[PolledChart]) -> Any:
    return list(poll_all(cast(Any, client), "extract", charts))


def test_the_function_gets_what_the_schedule_sends_it() -> None:
    client = FakeLambda(result())
    poll = poll_one(cast(Any, client), "extract", DAILY)
    assert decode_event(client.events[0]) == DAILY
    assert poll.result is not None
    assert (poll.result.outcome, poll.result.raw_key) == ("stored", "k")


def test_a_function_that_raised_gives_its_own_line() -> None:
    client = FakeLambda(
        {"errorMessage": f"{DAILY.chart}: Spotify forbids it", "errorType": "AccessForbidden"}, error=True
    )
    assert poll_one(cast(Any, client), "extract", DAILY).fault == f"{DAILY.chart}: Spotify forbids it"


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (b'{"errorMessage": "no\\n credentials"}', "c: no credentials"),
        (b"not json", "c: no reason given"),
        (
            b'{"errorMessage": "2026 Task timed out after 60.00 seconds", "errorType": "Sandbox.Timedout"}',
            "c: 2026 Task timed out after 60.00 seconds: Spotify may be slow; the log group /aws/lambda/f tells more",
        ),
    ],
)
def test_any_fault_of_the_function_is_one_line(payload: bytes, line: str) -> None:
    assert fault_line(payload, chart="c", function="f") == line


def test_one_chart_that_fails_does_not_keep_the_next_from_being_polled() -> None:
    client = FakeLambda({"errorMessage": "no"}, {"errorMessage": "no"}, error=True)
    assert [poll.fault for poll in polls(client, [DAILY, WEEKLY])] == [
        "regional-global-daily: no",
        "regional-global-weekly: no",
    ]


def test_once_spotify_limits_the_rate_no_further_chart_is_asked_for() -> None:
    client = FakeLambda(result(outcome="rate_limited", raw_key=None))
    first, second = polls(client, [DAILY, WEEKLY])
    assert first.result.outcome == "rate_limited"
    assert "not polled" in second.fault
    assert len(client.events) == 1


def test_a_chart_with_another_provider_is_asked_for_all_the_same() -> None:
    client = FakeLambda(result(outcome="rate_limited", raw_key=None), result())
    both = msgspec.structs.replace(WEEKLY, providers=("playlist", "public_charts"))
    first, second = polls(client, [DAILY, both])
    assert first.result.outcome == "rate_limited"
    assert second.result.outcome == "stored"


def test_a_chart_whose_every_provider_is_limited_is_not_asked_for() -> None:
    client = FakeLambda(result(outcome="rate_limited", raw_key=None))
    both = msgspec.structs.replace(WEEKLY, providers=("public_charts", "playlist"))
    _, second = polls(client, [both, DAILY])
    assert "not polled" in second.fault


def test_a_chart_that_repeats_is_a_result_that_names_what_is_held() -> None:
    (poll,) = polls(FakeLambda(result(outcome="repeated", message="still the chart of 2026-03-05")), [WEEKLY])
    assert (poll.fault, poll.result.raw_key) == (None, "k")


def test_an_answer_of_another_version_is_said_to_be_one() -> None:
    with pytest.raises(PollFailed, match="deploy it anew"):
        poll_one(cast(Any, FakeLambda({"outcome": "eaten"})), "extract", DAILY)


def test_all_polled_charts_are_chosen_or_the_one_named() -> None:
    assert chosen_charts("local", [DAILY, WEEKLY], None) == [DAILY, WEEKLY]
    assert chosen_charts("local", [DAILY, WEEKLY], WEEKLY.chart) == [WEEKLY]


def test_an_unknown_chart_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="it polls regional-global-daily, regional-global-weekly$"):
        chosen_charts("local", [DAILY, WEEKLY], "nope")


def test_a_stage_without_polled_charts_says_to_import() -> None:
    with pytest.raises(ConfigurationError, match="stage dev polls no chart: .*`etl import PATH --stage dev`"):
        chosen_charts("dev", [], None)
