"""report: a page for each chart whose days have changed.

S3 -> EventBridge -> SQS -> here, in batches. An event of a chart's snapshots says that a day of it is done, for they
are written last; one of its entries, that they have changed, be it alone, as in a rebuild; one of the songs' artists,
that songs may have been completed, which concerns every report that showed songs without. Messages of a batch are
grouped by chart, and a chart whose stored report shows all there is costs no query. A message is done when its chart's
report is up to date; those that failed, or whose chart the time did not suffice for, are named in the answer and come
again.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import boto3
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.adapters.athena import Athena
from lambdas.core.adapters.environment import read_environment
from lambdas.core.adapters.logs import configure_logs
from lambdas.core.adapters.reports import reporting
from lambdas.core.adapters.s3 import PATIENCE
from lambdas.core.documents import UNREADABLE_JSON
from lambdas.core.errors import InvalidKey, PipelineError
from lambdas.core.events import Batch, BatchAnswer, LambdaContext, Message, decode_event
from lambdas.core.keys import parse_chart_year_key, table_prefix
from lambdas.core.queries import read_queries
from lambdas.core.reporting import Reporting
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS

_log = logging.getLogger("report")

QUERY_SECONDS: Final = 60.0
"""A question takes a second or two; one that takes so long is stopped, and its chart comes again."""
RESERVE_SECONDS: Final = 2 * QUERY_SECONDS + 30
"""No chart is begun with less time than this: its songs are counted, then its questions are asked, all at once."""
_QUERIES = Path(__file__).resolve().parents[2] / "queries"
"""In the asset, as in the repository."""


class Environment(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """The function's environment variables."""

    stage: str
    warehouse_bucket: str
    athena_workgroup: str
    athena_database: str
    log_level: str = "INFO"


@cache
def _opened() -> Reporting:
    environment = read_environment(Environment, os.environ)
    configure_logs(environment.log_level)
    athena = Athena(
        boto3.client("athena", config=PATIENCE),
        workgroup=environment.athena_workgroup,
        database=environment.athena_database,
        patience_seconds=QUERY_SECONDS,
    )
    s3 = boto3.client("s3", config=PATIENCE)
    return reporting(athena, s3, bucket=environment.warehouse_bucket, queries=read_queries(_QUERIES))


def handler(event: Batch, context: LambdaContext) -> BatchAnswer:
    """Bring the reports of the charts that the batch's messages name up to date."""
    failed = process(
        event["Records"],
        _opened(),
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def process(messages: Sequence[Message], reports: Reporting, *, seconds_left: Callable[[], float]) -> list[str]:
    """Refresh each chart's report once; the ids of the messages that are to come again."""
    failed: list[str] = []
    by_chart: dict[str, list[str]] = {}
    of_songs: list[str] = []
    for message in messages:
        identifier = message["messageId"]
        try:
            key = decode_event(message["body"]).key
            if key.startswith(table_prefix(SONG_ARTISTS)):
                of_songs.append(identifier)
            else:
                by_chart.setdefault(_chart_of(key), []).append(identifier)
        except UNREADABLE_JSON as error:
            _log.error("a message is no S3 event", extra={"message_id": identifier, "reason": str(error)})
            failed.append(identifier)
        except InvalidKey as error:
            _log.warning("an object is none of a chart's", extra={"reason": str(error)})
    try:
        listed = reports.store.objects()
        # Whichever of them showed songs without artists; the others are found to be current.
        charts = dict.fromkeys([*by_chart, *(reports.store.charts() if of_songs else ())])
    except (BotoCoreError, ClientError) as error:
        _log.error("no report could be made", extra={"reason": str(error)})
        return failed + of_songs + [identifier for identifiers in by_chart.values() for identifier in identifiers]
    unmade = [chart for chart in charts if not _refresh(reports, chart, listed, seconds_left)]
    if any(chart not in by_chart for chart in unmade):
        failed += of_songs
    return failed + [identifier for chart in unmade for identifier in by_chart.get(chart, ())]


def _chart_of(key: str) -> str:
    """The chart whose entries or snapshots a key is of. Raises InvalidKey if it is neither's."""
    table = CHART_ENTRIES if key.startswith(table_prefix(CHART_ENTRIES)) else SNAPSHOTS
    return parse_chart_year_key(table, key)[0]


def _refresh(reports: Reporting, chart: str, listed: Mapping[str, str], seconds_left: Callable[[], float]) -> bool:
    """Refresh one chart's report; False if it failed. Trouble of one chart never holds up the others."""
    if seconds_left() < RESERVE_SECONDS:
        _log.warning("a report waits for the next run", extra={"chart": chart})
        return False
    began = time.monotonic()
    try:
        outcome = reports.refresh(chart, listed=listed)
    except (PipelineError, BotoCoreError, ClientError) as error:
        _log.error("a report could not be made", extra={"chart": chart, "reason": str(error)})
        return False
    except Exception as error:  # noqa: BLE001 - logged with its traceback, and its messages come again
        _log.exception("a report could not be made", extra={"chart": chart, "reason": str(error)})
        return False
    _log.info("report", extra={"chart": chart, "outcome": outcome, "seconds": round(time.monotonic() - began, 1)})
    return True
