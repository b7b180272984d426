"""`etl withdraw`: the operator's word that a chart date holds no chart, and taking that back.

Nothing is deleted: the word is a raw document like any other, so the tables say the same whenever and in whatever order
the day's documents come, now and in a rebuild.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter

from cli.output import count, printable, say, seconds, step
from cli.waiting import Arrival, Waiting
from lambdas.core.charts import Period, parse_chart, period_of
from lambdas.core.documents import (
    FORMAT_VERSION,
    MAX_STORED_BYTES,
    DocumentHeader,
    OperatorWord,
    RawDocument,
    decode,
    encode,
    raw_answer,
    second,
)
from lambdas.core.errors import InvalidDocument, PipelineError
from lambdas.core.keys import day_prefix
from lambdas.core.store import ObjectStore, raw_documents


class NothingHeld(PipelineError):
    """There is nothing to withdraw."""


@dataclass(frozen=True)
class Day:
    """One chart date as the raw zone holds it."""

    chart: str
    chart_date: date
    period: Period
    documents: int
    """Readable ones that hold a chart."""
    word: DocumentHeader | None
    """The operator's newest word, if there is one."""

    @property
    def withdrawn(self) -> bool:
        """Whether the day holds no chart now."""
        return self.word is not None and self.word.withdrawal

    def decide(self, *, withdrawal: bool, reason: str | None, now: datetime) -> RawDocument:
        """The document that says so: newer than any earlier word, for the newest is the one that counts."""
        moment = second(now)
        observed = moment if self.word is None else max(moment, second(self.word.observed_at) + timedelta(seconds=1))
        return RawDocument(
            format_version=FORMAT_VERSION,
            chart=self.chart,
            period=self.period,
            chart_date=self.chart_date,
            observed_at=observed,
            received_at=moment,
            provider="operator",
            withdrawal=withdrawal,
            origin="etl withdraw",
            answers=(raw_answer(OperatorWord(reason=reason)),),
        )


def look_at(chart: str, chart_date: date, raw: ObjectStore) -> Day:
    """What the raw zone holds of a day. Raises NothingHeld if that is nothing."""
    listed = list(raw_documents(raw, day_prefix(chart, chart_date)))
    if not listed:
        raise NothingHeld(f"nothing is held of {chart} on {chart_date}: `etl charts` shows the dates there are")
    read = [(document, parts.digest) for key, parts in listed if (document := _read(raw, key)) is not None]
    words = [(document.rank(digest), document) for document, digest in read if document.by_operator]
    return Day(
        chart=chart,
        chart_date=chart_date,
        period=next((document.period for document, _ in read), period_of(chart)),
        documents=sum(1 for document, _ in read if not document.by_operator),
        word=max(words, key=itemgetter(0))[1] if words else None,
    )


def _read(raw: ObjectStore, key: str) -> RawDocument | None:
    """The document; None if it cannot be read (the transform has it in quarantine), or is gone."""
    try:
        stored = raw.get(key, max_bytes=MAX_STORED_BYTES)
        return None if stored is None else decode(stored.body, key=key, model=RawDocument)
    except InvalidDocument:
        return None


def withdraw_command(arguments: argparse.Namespace) -> int:
    """Run `etl withdraw`."""
    from cli.stage import open_stage

    chart = parse_chart(arguments.chart)
    stage = open_stage(arguments.stage)
    return run_withdraw(
        chart,
        arguments.dates,
        withdrawal=not arguments.undo,
        reason=arguments.reason,
        waiting=Waiting(raw=stage.raw_store(), tables=stage.warehouse_store(), patience_seconds=arguments.timeout),
        stage=stage.name,
    )


def run_withdraw(
    chart: str,
    dates: Iterable[date],
    *,
    withdrawal: bool,
    reason: str | None,
    waiting: Waiting,
    stage: str,
) -> int:
    """Withdraw the days, or lift that, wait for the tables, and print a line for each day; the exit code.

    All days are looked at before the first word is written. Raises NothingHeld if one of them holds nothing.
    """
    held = [look_at(chart, chart_date, waiting.raw) for chart_date in sorted(set(dates))]
    now = datetime.now(UTC)
    told: dict[str, Day] = {}
    for day in held:
        if day.withdrawn is not withdrawal:
            document = day.decide(withdrawal=withdrawal, reason=reason, now=now)
            waiting.raw.put_new(document.key, encode(document))
            told[document.key] = day
    with step("wait for the tables") as progress:
        arrival = waiting.wait(told, report=lambda here, total: progress.update(f"{here:,} of {total:,} days"))
        elapsed = progress.elapsed
    changed = set(map(id, told.values()))
    for day in held:
        say(f"{chart}  {day.chart_date}  {_outcome(day, changed=id(day) in changed, withdrawal=withdrawal)}")
    if told and withdrawal:
        say("the same command with --undo brings it back")
    return _conclude(arrival, elapsed=elapsed, patience=waiting.patience_seconds, stage=stage)


def _outcome(day: Day, *, changed: bool, withdrawal: bool) -> str:
    if not changed:
        return "is withdrawn already" if withdrawal else "is not withdrawn: nothing to lift"
    if withdrawal:
        return f"withdrawn: shows no chart; {count(day.documents, 'document')} kept in the raw bucket"
    return "the withdrawal is lifted"


def _conclude(arrival: Arrival, *, elapsed: float, patience: float, stage: str) -> int:
    for key, why in sorted(arrival.quarantined.items()):
        say(f"{key}: in quarantine: {printable(why)}")
    if arrival.missing:
        say(
            f"the tables do not show {count(len(arrival.missing), 'day')} so after {patience:g} s without news: the "
            f"word is in the raw bucket and will be loaded; `etl status --stage {stage}` shows the transform's queue"
        )
        return 1
    if arrival.loaded:
        say(f"the tables show it ({seconds(elapsed)})")
    return 1 if arrival.quarantined else 0
