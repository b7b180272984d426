"""A poll: fetch a chart unless its date is already held, and keep it in the raw zone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from lambdas.core.charts import parse_chart, parse_playlist_id, step
from lambdas.core.documents import MAX_STORED_BYTES, Rank, RawDocument, decode, encode, winner
from lambdas.core.errors import ConfigurationError, InvalidDocument, RateLimited
from lambdas.core.keys import chart_prefix, day_prefix, parse_raw_key
from lambdas.core.sources import Budget, ChartSource, PolledChart
from lambdas.core.store import ObjectStore, raw_documents

Outcome: TypeAlias = Literal["stored", "held", "rate_limited"]

_LARGEST_OFFSET = 31


class PollResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a poll came to.

    `stored`: a new raw document is under `raw_key`. `held`: the date was there already, under `raw_key`, and nothing
    was written. `rate_limited`: Spotify asks to wait longer than the run can, or an earlier call was asked to and the
    time is not over; `message` says until when, and a later poll tries again.
    """

    chart: str
    outcome: Outcome
    message: str
    calls: int
    chart_date: date | None = None
    raw_key: str | None = None
    retry_after_seconds: float | None = None


def decode_event(event: object) -> PolledChart:
    """The chart that a schedule's input names.

    Raises ConfigurationError (InvalidChart for a chart's or a playlist's name) saying which field is wrong.
    """
    try:
        chart = msgspec.convert(event, PolledChart)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"the event is not a chart to poll: {error}: send what the chart's schedule sends, "
            '{"chart": ..., "period": ..., "provider": ..., "playlist_id": ..., "dated_by": ...}'
        ) from error
    if abs(chart.date_offset_days) > _LARGEST_OFFSET:
        raise ConfigurationError(
            f"{chart.chart}: date_offset_days is {chart.date_offset_days}: use -{_LARGEST_OFFSET} to {_LARGEST_OFFSET}"
        )
    parse_chart(chart.chart)
    return msgspec.structs.replace(chart, playlist_id=parse_playlist_id(chart.playlist_id))


def poll(
    chart: PolledChart,
    *,
    store: ObjectStore,
    open_source: Callable[[], ChartSource],
    now: datetime,
    budget: Budget,
) -> PollResult:
    """Fetch the chart and keep it, once per chart date.

    `open_source` is called only if there is something to fetch: a poll of a held date costs neither a call to Spotify
    nor a look at the credentials. Raises what `ChartSource.fetch` raises, but for RateLimited, which is an outcome.
    """
    if held := _held_for_period(store, chart, now):
        return _held(chart, held, budget)
    try:
        document = open_source().fetch(chart, now=now, budget=budget)
    except RateLimited as limit:
        return PollResult(
            chart=chart.chart,
            outcome="rate_limited",
            message=str(limit),
            calls=budget.calls,
            retry_after_seconds=limit.retry_after,
        )
    if held := _held_on(store, chart, document.chart_date):
        return _held(chart, held, budget)
    if not store.put_new(document.key, encode(document)):
        return _held(chart, document.key, budget)
    return PollResult(
        chart=chart.chart,
        outcome="stored",
        message=f"{chart.chart} of {document.chart_date} stored in {budget.calls} calls to Spotify",
        calls=budget.calls,
        chart_date=document.chart_date,
        raw_key=document.key,
    )


def newest_held(chart: str, *, store: ObjectStore, now: datetime) -> date | None:
    """The newest chart date, up to today (UTC), that a whole document is held for; None if there is none.

    Whoever gave the document: this tells how fresh the data are, not what the next poll is to do. A date that was
    withdrawn is not held; one after today is a mistake that must not make the chart look fresh until it comes.
    """
    today = now.astimezone(UTC).date()
    # Nearly always one listing: of all there is only while this year has brought nothing yet.
    for prefix in (f"{chart_prefix(chart)}date={today.year}-", chart_prefix(chart)):
        by_date: dict[date, list[str]] = {}
        for key, parts in raw_documents(store, prefix):
            if parts.chart_date <= today:
                by_date.setdefault(parts.chart_date, []).append(key)
        for chart_date in sorted(by_date, reverse=True):
            day = [_Held(document, key) for key in by_date[chart_date] if (document := _read(store, key))]
            if day and _holds_whole_chart(winner(day).document):
                return chart_date
    return None


@dataclass(frozen=True)
class _Held:
    """A document of a day under its key."""

    document: RawDocument
    key: str

    @property
    def rank(self) -> Rank:
        return self.document.rank(parse_raw_key(self.key).digest)


def _holds_whole_chart(document: RawDocument) -> bool:
    return not document.by_operator and not document.partial


def _held_for_period(store: ObjectStore, chart: PolledChart, now: datetime) -> str | None:
    """Key of the document of the newest chart there can be by now: a week's chart is newest for a week."""
    newest = now.astimezone(UTC).date() + timedelta(days=chart.date_offset_days)
    for days_before in range(step(chart.period).days):
        if held := _held_on(store, chart, newest - timedelta(days=days_before)):
            return held
    return None


def _held_on(store: ObjectStore, chart: PolledChart, chart_date: date) -> str | None:
    """Key of the newest whole document that the chart's provider gave for a date.

    Documents of other providers, such as an imported file, do not count: which of them wins is for the transform. Nor
    does one page of the chart that someone imported, nor a damaged document.
    """
    listed = raw_documents(store, day_prefix(chart.chart, chart_date))
    keys = [key for key, parts in listed if parts.provider == chart.provider]
    return next((key for key in sorted(keys, reverse=True) if _is_whole(store, key)), None)


def _is_whole(store: ObjectStore, key: str) -> bool:
    document = _read(store, key)
    return document is not None and not document.partial


def _read(store: ObjectStore, key: str) -> RawDocument | None:
    """The document under a key; None if it cannot be read, or is gone."""
    try:
        stored = store.get(key, max_bytes=MAX_STORED_BYTES)
        return None if stored is None else decode(stored.body, key=key, model=RawDocument)
    except InvalidDocument:
        return None  # the transform has it on record in quarantine


def _held(chart: PolledChart, key: str, budget: Budget) -> PollResult:
    chart_date = parse_raw_key(key).chart_date
    return PollResult(
        chart=chart.chart,
        outcome="held",
        message=f"{chart.chart} of {chart_date} is held already: nothing to store",
        calls=budget.calls,
        chart_date=chart_date,
        raw_key=key,
    )
