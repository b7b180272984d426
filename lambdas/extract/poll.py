"""A poll: fetch a chart unless its date is already held, and keep it in the raw zone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from lambdas.core.charts import is_official, parse_chart, parse_playlist_id, step
from lambdas.core.documents import MAX_STORED_BYTES, Rank, RawDocument, decode, encode, winner
from lambdas.core.errors import ConfigurationError, InvalidDocument, NoProviderServes, RateLimited, SourceError
from lambdas.core.keys import chart_prefix, day_prefix, parse_raw_key
from lambdas.core.providers import read_document
from lambdas.core.rows import Value
from lambdas.core.schema import CHART_ENTRIES
from lambdas.core.sources import Budget, ChartSource, PolledChart, PolledProvider
from lambdas.core.store import ObjectStore, raw_documents

_log = logging.getLogger("extract")

Outcome: TypeAlias = Literal["stored", "held", "repeated", "rate_limited"]

_LARGEST_OFFSET = 31
# Kept for each provider that is still to be tried: four times what the public charts need, that an earlier provider's
# retries cannot spend.
_KEPT_CALLS: Final = 4
_KEPT_SECONDS: Final = 20.0


class PollResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a poll came to.

    `stored`: a new raw document is under `raw_key`. `held`: the date was there already, under `raw_key`, and nothing
    was written. `repeated`: an official chart that tells no date of its own is still the one held before, under
    `raw_key`, and nothing was written. `rate_limited`: Spotify asks to wait longer than the run can, or an earlier call
    was asked to and the time is not over; `message` says until when, and a later poll tries again.
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
            '{"chart": ..., "period": ..., "providers": [...], "playlist_id": ..., "dated_by": ...}'
        ) from error
    if abs(chart.date_offset_days) > _LARGEST_OFFSET:
        raise ConfigurationError(
            f"{chart.chart}: date_offset_days is {chart.date_offset_days}: use -{_LARGEST_OFFSET} to {_LARGEST_OFFSET}"
        )
    parse_chart(chart.chart)
    if chart.playlist_id is None:
        return chart
    return msgspec.structs.replace(chart, playlist_id=parse_playlist_id(chart.playlist_id))


def poll(
    chart: PolledChart,
    *,
    store: ObjectStore,
    open_source: Callable[[PolledProvider], ChartSource],
    now: datetime,
    budget: Budget,
) -> PollResult:
    """Fetch the chart from the first of its providers that serves it and keep it, once per chart date.

    `open_source` is called only if there is something to fetch: a poll of a held date costs neither a call to Spotify
    nor a look at the credentials. Raises what `ChartSource.fetch` raises (NoProviderServes where there are several
    providers), but for RateLimited, which is an outcome if all providers met it.
    """
    if held := _held_for_period(store, chart, now):
        return _held(chart, held, budget)
    refusals: list[_Refusal] = []
    document = _fetch(chart, open_source=open_source, now=now, budget=budget, refusals=refusals)
    if document is None:
        return _not_served(chart, refusals, budget)
    passed_over = "".join(f"; {refusal}" for refusal in refusals)
    if held := _held_on(store, chart, document.chart_date):
        return _held(chart, held, budget, passed_over=passed_over)
    body = encode(document)
    if repeated := _repeated(store, chart, document, body):
        chart_date = parse_raw_key(repeated).chart_date
        return PollResult(
            chart=chart.chart,
            outcome="repeated",
            message=f"{chart.chart} is still the chart of {chart_date}, song by song: nothing to store{passed_over}",
            calls=budget.calls,
            chart_date=chart_date,
            raw_key=repeated,
        )
    if not store.put_new(document.key, body):
        return _held(chart, document.key, budget, passed_over=passed_over)
    return PollResult(
        chart=chart.chart,
        outcome="stored",
        message=f"{chart.chart} of {document.chart_date} stored from {document.provider} in {budget.calls} "
        f"{'call' if budget.calls == 1 else 'calls'} to Spotify{passed_over}",
        calls=budget.calls,
        chart_date=document.chart_date,
        raw_key=document.key,
    )


@dataclass(frozen=True)
class _Refusal:
    """Why a provider did not serve the chart."""

    provider: PolledProvider
    error: SourceError

    def __str__(self) -> str:
        return f"{self.provider} did not serve it: {self.error}"


def _fetch(
    chart: PolledChart,
    *,
    open_source: Callable[[PolledProvider], ChartSource],
    now: datetime,
    budget: Budget,
    refusals: list[_Refusal],
) -> RawDocument | None:
    """The chart as the first provider gives it that can, those before it appended to `refusals`; None if none can.

    What a provider may spend leaves something for those after it.
    """
    for place, provider in enumerate(chart.providers, 1):
        after = len(chart.providers) - place
        share = budget.less(calls=after * _KEPT_CALLS, seconds=after * _KEPT_SECONDS)
        try:
            return open_source(provider).fetch(chart, now=now, budget=share)
        except SourceError as error:
            refusals.append(_Refusal(provider, error))
            if after:
                _log.warning(
                    "trying the next provider",
                    extra={
                        "chart": chart.chart,
                        "provider": provider,
                        "error": type(error).__name__,
                        "reason": str(error),
                    },
                )
        finally:
            budget.calls += share.calls
    return None


def _not_served(chart: PolledChart, refusals: list[_Refusal], budget: Budget) -> PollResult:
    """The outcome of a rate limit that every provider met; any other reason is raised."""
    errors = [refusal.error for refusal in refusals]
    limits = [error for error in errors if isinstance(error, RateLimited)]
    said = str(errors[0]) if len(errors) == 1 else f"{chart.chart}: {'; '.join(map(str, refusals))}"
    if len(limits) < len(errors):
        raise errors[0] if len(errors) == 1 else NoProviderServes(said)
    waits = [limit.retry_after for limit in limits if limit.retry_after is not None]
    return PollResult(
        chart=chart.chart,
        outcome="rate_limited",
        message=said,
        calls=budget.calls,
        # When the first of them may be asked again; unknown if one of them did not say.
        retry_after_seconds=min(waits) if len(waits) == len(limits) else None,
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
    """Key of the newest whole document that one of the chart's providers gave for a date.

    Documents of other providers, such as an imported file, do not count: which of them wins is for the transform. Nor
    does one page of the chart that someone imported, nor a damaged document.
    """
    listed = raw_documents(store, day_prefix(chart.chart, chart_date))
    held = [(parts.observed_at, key) for key, parts in listed if parts.provider in chart.providers]
    return next((key for _, key in sorted(held, reverse=True) if _is_whole(store, key)), None)


def _repeated(store: ObjectStore, chart: PolledChart, document: RawDocument, body: bytes) -> str | None:
    """Key of the newest whole document before it that a document repeats song by song, without a date of its own.

    Only an official chart can be told by its songs: a playlist that nobody edited is a new observation.
    """
    if document.provider != "playlist" or chart.dated_by != "observation" or not is_official(chart.chart):
        return None
    listed = raw_documents(store, chart_prefix(chart.chart))
    before = [
        (parts, key)
        for key, parts in listed
        if parts.provider == document.provider and parts.chart_date < document.chart_date
    ]
    for _, key in sorted(before, reverse=True):
        stored = store.get(key, max_bytes=MAX_STORED_BYTES)
        if stored is not None and (songs := _songs_by_position(stored.body, key)) is not None:
            return key if songs == _songs_by_position(body, document.key) else None
    return None


def _songs_by_position(stored: bytes, key: str) -> dict[Value, Value] | None:
    """A whole document's song at each position; None for a withdrawal, a part, or what cannot be used."""
    try:
        document, reading = read_document(stored, key=key)
    except InvalidDocument:
        return None  # the transform has it on record in quarantine
    if document.partial or document.withdrawal:
        return None
    position, song = CHART_ENTRIES.index("position"), CHART_ENTRIES.index("song_id")
    return {row[position]: row[song] for row in reading.entries}


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


def _held(chart: PolledChart, key: str, budget: Budget, *, passed_over: str = "") -> PollResult:
    chart_date = parse_raw_key(key).chart_date
    return PollResult(
        chart=chart.chart,
        outcome="held",
        message=f"{chart.chart} of {chart_date} is held already: nothing to store{passed_over}",
        calls=budget.calls,
        chart_date=chart_date,
        raw_key=key,
    )
