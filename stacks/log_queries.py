"""Saved questions to the functions' logs, for CloudWatch Logs Insights.

The fields are those of the functions' JSON lines, which Logs Insights finds by itself, and, with an @, those of its own
and of Lambda's lines: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Function: TypeAlias = Literal["extract", "import_chart", "transform", "enrich", "report"]


@dataclass(frozen=True)
class LogQuery:
    """A question: its name in the stage's folder, whose logs it is for, and the steps of its pipe."""

    name: str
    functions: tuple[Function, ...]
    steps: tuple[str, ...]

    @property
    def text(self) -> str:
        """The query in https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html."""
        return "\n| ".join(self.steps)


LOG_QUERIES = (
    LogQuery(
        "last failures",
        ("extract", "import_chart", "transform", "enrich", "report"),
        (
            "fields @timestamp, logger, error, message, chart, year, key, reason, exception, @message",
            # The second half is what Lambda itself writes, which is no JSON.
            'filter level = "ERROR" or @message like /Task timed out|Runtime\\.|\\[ERROR\\]/',
            "sort @timestamp desc",
            "limit 50",
        ),
    ),
    LogQuery(
        "quarantined documents",
        ("import_chart", "transform"),
        ("fields @timestamp, key, reason", 'filter message = "quarantined"', "sort @timestamp desc", "limit 100"),
    ),
    LogQuery(
        "slowest loads",
        ("import_chart", "transform"),
        (
            "fields @timestamp, @duration, @maxMemoryUsed / 1000 / 1000 as memory_mb, @requestId, @log, @logStream",
            'filter @type = "REPORT"',
            "sort @duration desc",
            "limit 25",
        ),
    ),
    LogQuery(
        "providers passed over",
        ("extract",),
        (
            "fields @timestamp, chart, provider, error, reason",
            'filter message = "trying the next provider"',
            "sort @timestamp desc",
            "limit 50",
        ),
    ),
    LogQuery(
        "rate limits",
        ("extract", "enrich"),
        (
            "fields @timestamp, result.chart, result.calls, result.retry_after_seconds, result.message",
            'filter result.outcome = "rate_limited"',
            "sort @timestamp desc",
            "limit 50",
        ),
    ),
)
