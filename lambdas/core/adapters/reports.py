"""Reports on S3, beside the tables: what a report was made from is in its object's metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, TypedDict

from botocore.exceptions import ClientError

from lambdas.core.adapters.athena import Athena, NamedQueries
from lambdas.core.adapters.s3 import lost_race
from lambdas.core.errors import InvalidKey
from lambdas.core.keys import REPORT_PREFIX, parse_chart_year_key, parse_report_key, report_key, table_prefix
from lambdas.core.queries import Query, literal
from lambdas.core.report import QUERIES, Report, page_digest
from lambdas.core.reporting import Reporting, Sources, StoredReport
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

CONTENT_TYPE: Final = "text/html; charset=utf-8"
_SONGS_WAITING = """
SELECT count(DISTINCT e.song_id) AS songs
FROM chart_entries AS e
JOIN songs AS s ON s.song_id = e.song_id
WHERE e.chart = ? AND s.detail <> 'api'
"""
_UNKNOWN = Sources(objects="unknown", songs_waiting=0, page="unknown")
"""Of an object that is none of ours: it is replaced as soon as there is something to report."""


def reporting(
    athena: Athena,
    s3: S3Client,
    *,
    bucket: str,
    queries: Iterable[Query],
    answered: Callable[[str], object] = str,
) -> Reporting:
    """The reports of a stage: `bucket` is that of its tables, `queries` those that the reports' questions are among.

    `answered` is called with the name of each question as its answer comes, from any thread.
    """
    named = NamedQueries(athena, {query.name: query for query in queries})

    def songs_waiting(chart: str) -> int:
        ((number,),) = athena.query(_SONGS_WAITING, [literal(chart)]).rows
        return int(number or 0)

    return Reporting(
        store=S3Reports(s3, bucket),
        questions=lambda chart: named.ahead(QUERIES, {"chart": chart}, answered=answered),
        songs_waiting=songs_waiting,
        page=page_digest({name: query.sql for name, query in named.queries.items()}),
    )


class _Condition(TypedDict, total=False):
    IfMatch: str
    IfNoneMatch: str


class S3Reports:
    """`ReportStore` in the bucket of the tables."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def objects(self) -> Mapping[str, str]:
        listed: dict[str, list[str]] = {}
        for table in (CHART_ENTRIES, SNAPSHOTS):
            for key, etag in self._list(table_prefix(table)):
                try:
                    chart, _ = parse_chart_year_key(table, key)
                except InvalidKey:  # other people's objects
                    continue
                listed.setdefault(chart, []).append(f"{key} {etag}")
        return {chart: hashlib.sha256("\n".join(lines).encode()).hexdigest() for chart, lines in listed.items()}

    def charts(self) -> Iterator[str]:
        for key, _ in self._list(REPORT_PREFIX):
            try:
                yield parse_report_key(key)
            except InvalidKey:  # other people's objects
                continue

    def stored(self, chart: str) -> StoredReport | None:
        try:
            # Not HEAD, whose refusal says nothing but 403.
            found = self._client.get_object(Bucket=self._bucket, Key=report_key(chart))
        except self._client.exceptions.NoSuchKey:
            return None
        found["Body"].close()
        told = found["Metadata"]
        try:
            sources = Sources(told["sources"], int(told["songs-waiting"]), told["page"])
            chart_date, made_at = date.fromisoformat(told["chart-date"]), datetime.fromisoformat(told["made-at"])
        except (KeyError, ValueError):
            sources = _UNKNOWN
            chart_date, made_at = date.min, datetime.min.replace(tzinfo=UTC)
        return StoredReport(
            chart=chart,
            chart_date=chart_date,
            made_at=made_at,
            sources=sources,
            etag=found["ETag"],
            size=found["ContentLength"],
        )

    def keep(
        self, report: Report, *, made_at: datetime, sources: Sources, instead_of: StoredReport | None
    ) -> StoredReport | None:
        condition: _Condition = {"IfNoneMatch": "*"} if instead_of is None else {"IfMatch": instead_of.etag}
        try:
            kept = self._client.put_object(
                Bucket=self._bucket,
                Key=report_key(report.chart),
                Body=report.html,
                ContentType=CONTENT_TYPE,
                # Whoever follows a link again is to see the newest one.
                CacheControl="no-cache",
                Metadata={
                    "sources": sources.objects,
                    "songs-waiting": str(sources.songs_waiting),
                    "page": sources.page,
                    "chart-date": report.chart_date.isoformat(),
                    "made-at": made_at.isoformat(),
                },
                **condition,
            )
        except ClientError as error:
            if lost_race(error):
                return None
            raise
        return StoredReport(
            chart=report.chart,
            chart_date=report.chart_date,
            made_at=made_at,
            sources=sources,
            etag=kept["ETag"],
            size=len(report.html),
        )

    def remove(self, chart: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=report_key(chart))

    def _list(self, prefix: str) -> Iterator[tuple[str, str]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                yield entry["Key"], entry["ETag"]
