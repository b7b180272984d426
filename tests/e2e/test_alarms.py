"""Who is told when something is wrong: the wiring from a function's measurements, and from an alarm to a subscriber.

The emulator makes no metrics of log lines, has none of SQS, and does not look at an alarm's dimensions or missing data:
that an alarm watches the right thing is asserted on the template (tests/infra/test_monitoring.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lambdas.core.metrics import CHART_AGE_HOURS, METRICS, REFRESH_TOKEN_DAYS_LEFT, SONGS_WAITING
from local.emulator import lifecycle
from stacks.config import load_stages
from tests.e2e.conftest import Etl
from tests.emf import Emitted, emitted
from tests.payloads import REPOSITORY

pytestmark = pytest.mark.e2e

LOCAL = load_stages(REPOSITORY / "cdk.json")["local"]
CHARTS = {chart.chart for chart in LOCAL.charts}
_SECONDS = 60


@dataclass(frozen=True)
class Account:
    """The emulated account: clients, and what the stage's stacks put out."""

    client: Callable[[str], Any]

    def output(self, part: str, name: str) -> str:
        stacks = self.client("cloudformation").describe_stacks(StackName=LOCAL.stack_name(part))["Stacks"]
        (value,) = [output["OutputValue"] for output in stacks[0]["Outputs"] if output["OutputKey"] == name]
        return str(value)

    def log(self, function: str) -> str:
        """All that is in a function's log group."""
        name = self.output("compute", f"{function.capitalize()}FunctionName")
        group = self.client("lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        return "\n".join(event["message"].rstrip("\n") for page in pages for event in page["events"])

    def alarms(self) -> dict[str, dict[str, Any]]:
        """The stage's alarms by name."""
        prefix = f"spotify-etl-{LOCAL.stage}-"
        pages = self.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
        return {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}


@pytest.fixture
def account(etl: Etl) -> Account:
    endpoint = lifecycle.running(etl.state)
    assert endpoint is not None
    return Account(endpoint.client)


@dataclass(frozen=True)
class Mailbox:
    """A queue that is subscribed to the stage's alarms, in the place of somebody's mail."""

    sqs: Any
    url: str

    def messages(self, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        """Alarms' messages by (alarm, new state), as soon as those wanted have come, or until the deadline."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        deadline = time.monotonic() + _SECONDS
        while not wanted <= found.keys() and time.monotonic() < deadline:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                held = json.loads(json.loads(message["Body"])["Message"])
                found[held["AlarmName"], held["NewStateValue"]] = held
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def mailbox(account: Account) -> Iterator[Mailbox]:
    sqs, sns = account.client("sqs"), account.client("sns")
    topic = account.output("monitoring", "AlarmTopicArn")
    url = sqs.create_queue(QueueName="alarms-seen-by-a-test")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    yield Mailbox(sqs, url)
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=url)


def test_every_alarm_that_goes_off_reaches_whoever_subscribed_with_the_heading_of_the_runbook(
    account: Account, mailbox: Mailbox
) -> None:
    cloudwatch = account.client("cloudwatch")
    alarms = account.alarms()
    assert len(alarms) == 13 + len(CHARTS)
    for name in alarms:
        # From OK, for an alarm that is in a state already tells nobody.
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a drill")

    seen = mailbox.messages({(name, "ALARM") for name in alarms})

    assert {name for name, state in seen if state == "ALARM"} == alarms.keys()
    for name in alarms:
        message = seen[name, "ALARM"]
        assert message["AlarmDescription"] == alarms[name]["AlarmDescription"]
        assert "docs/operations.md#" in message["AlarmDescription"]


def test_the_end_of_a_state_that_lasts_is_told_and_the_end_of_an_event_is_not(
    account: Account, mailbox: Mailbox
) -> None:
    cloudwatch = account.client("cloudwatch")
    lasting, event = (f"spotify-etl-{LOCAL.stage}-{name}" for name in ("not-loaded", "quarantined"))
    for name in (event, lasting):
        for state in ("ALARM", "OK"):
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a drill")

    # Sent last: when it is here, the other's would be.
    seen = mailbox.messages({(lasting, "OK")})

    assert (lasting, "OK") in seen
    assert (event, "OK") not in seen


def measured(account: Account, function: str, *, charts: set[str] | None = None) -> list[Emitted]:
    """What a function has emitted by now, once there is something (of every chart), or at the deadline."""
    deadline = time.monotonic() + _SECONDS
    while True:
        found = emitted(account.log(function))
        of = {dict(one.dimensions).get("chart") for one in found}
        if (found and (charts or set()) <= of) or time.monotonic() > deadline:
            return found


def test_polls_and_loads_leave_their_measurements_in_the_functions_log_groups(etl: Etl, account: Account) -> None:
    etl.succeed("run")

    of_polls = measured(account, "extract", charts=CHARTS)
    of_loads = measured(account, "transform")

    # Nobody has signed in here (tests/e2e/test_user_playlist.py), nor asked about songs (tests/e2e/test_enrichment.py).
    due = {metric.name for metric in METRICS if metric not in (REFRESH_TOKEN_DAYS_LEFT, SONGS_WAITING)}
    assert {one.name for one in (*of_polls, *of_loads)} == due
    for one in (*of_polls, *of_loads):
        assert (one.namespace, dict(one.dimensions)["stage"]) == ("SpotifyEtl", LOCAL.stage)
    ages = {dict(one.dimensions)["chart"]: one.value for one in of_polls if one.name == CHART_AGE_HOURS.name}
    fresh = {chart.chart: chart.freshness_hours for chart in LOCAL.charts}
    assert ages.keys() == fresh.keys()
    for chart, hours in ages.items():
        assert 0 <= hours <= fresh[chart]
    assert sum(one.value for one in of_loads if one.name == "NewSongs") > 0
    assert sum(one.value for one in of_loads if one.name == "ChartEntries") >= 100
