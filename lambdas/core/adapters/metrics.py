"""Metrics as lines of the log: CloudWatch's embedded metric format, which costs no call and needs no grant.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics

from lambdas.core.metrics import CHART, NAMESPACE, STAGE, Metric

_log = logging.getLogger("metrics")


class EmfMetrics:
    """`MetricSink` of one stage: one line on standard output for each set of dimensions."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def emit(self, values: Mapping[Metric, float], *, chart: str | None = None) -> None:
        try:
            for by_chart in (False, True):
                alike = {metric: value for metric, value in values.items() if metric.by_chart is by_chart}
                if alike:
                    self._print(alike, {STAGE: self._stage} | ({CHART: chart} if by_chart else {}))
        except Exception:  # noqa: BLE001 - whatever it is, the work is done
            _log.exception("metrics were not emitted", extra={"metrics": [metric.name for metric in values]})

    @staticmethod
    def _print(values: Mapping[Metric, float], dimensions: Mapping[str, str | None]) -> None:
        # An empty service, for else an environment variable may add a dimension, hence a bill, to every metric.
        line = EphemeralMetrics(namespace=NAMESPACE, service="")
        for name, dimension in dimensions.items():
            if not dimension:
                raise ValueError(f"the dimension {name} is empty")
            line.add_dimension(name=name, value=dimension)
        for metric, value in values.items():
            line.add_metric(name=metric.name, unit=metric.unit, value=value)
        line.flush_metrics()
