"""An alarm that says what to do."""

from __future__ import annotations

import re

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

RUNBOOK = "docs/operations.md"


def anchor(heading: str) -> str:
    """The link text that GitHub gives a heading: lower case, spaces as hyphens, no other signs."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class RunbookAlarm(Construct):
    """An alarm on one metric, whose description ends in the heading of the runbook that tells what to do.

    `name` is what the mail's subject holds. It goes off when the metric's statistic is `threshold` or more (`above`:
    more than that; `low`: that or less) in each of `periods` periods one after the other. A period without data counts
    as one in which all was well; with `missing_is_breaching` it counts as one in which it was not.

    `notify` is told when the alarm goes off, and with `tell_recovery` also when it is over: for a state that lasts
    until it is mended, not for an event that is over as soon as it has happened.

    Attribute: `alarm`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        meaning: str,
        heading: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        notify: sns.ITopic,
        above: bool = False,
        low: bool = False,
        periods: int = 1,
        missing_is_breaching: bool = False,
        tell_recovery: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        comparisons = cloudwatch.ComparisonOperator
        comparison = comparisons.GREATER_THAN_THRESHOLD if above else comparisons.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        if low:
            comparison = comparisons.LESS_THAN_OR_EQUAL_TO_THRESHOLD
        missing = cloudwatch.TreatMissingData
        self.alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            alarm_name=name,
            alarm_description=f"{meaning} What to do: {RUNBOOK}#{anchor(heading)}",
            metric=metric,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            treat_missing_data=missing.BREACHING if missing_is_breaching else missing.NOT_BREACHING,
        )
        action = actions.SnsAction(notify)
        self.alarm.add_alarm_action(action)
        if tell_recovery:
            self.alarm.add_ok_action(action)
