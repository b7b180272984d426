"""What CloudWatch makes of the lines that functions print."""

from __future__ import annotations

import json
from typing import NamedTuple


class Emitted(NamedTuple):
    """One value of one metric, with its dimensions in the order of their names."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    value: float
    unit: str


def emitted(printed: str) -> list[Emitted]:
    """Every metric value in the embedded metric format among some lines; others are not looked at.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    found: list[Emitted] = []
    for text in printed.splitlines():
        if not (text.startswith("{") and '"_aws"' in text):
            continue
        line = json.loads(text)
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = tuple(sorted((name, line[name]) for name in names))
                for metric in directive["Metrics"]:
                    held = line[metric["Name"]]
                    found += [
                        Emitted(directive["Namespace"], metric["Name"], dimensions, value, metric["Unit"])
                        for value in (held if isinstance(held, list) else [held])
                    ]
    return found


def values(printed: str) -> dict[str, float]:
    """The values by metric. Fails if a metric was emitted more than once."""
    measured = emitted(printed)
    assert len({one.name for one in measured}) == len(measured), measured
    return {one.name: one.value for one in measured}
