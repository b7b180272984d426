"""`etl quarantine`: what could not be used and why; and sending it through the pipeline once more.

A record is marked before its object is told of again, and the mark goes when a function renews the record: so it is
known whether a function has looked, and nothing is lost wherever this command is broken off. Only a record whose object
is in the tables, or is gone, is taken away.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from cli.output import Progress, count, note, print_table, printable, say
from cli.quarantine import Desk, Entry, NoRecord, State, entries, remedy
from cli.redelivery import tell_again
from cli.waiting import Pauses, Waiting
from lambdas.core.charts import parse_chart
from lambdas.core.documents import second
from lambdas.core.errors import PipelineError
from lambdas.core.keys import INBOX_PREFIX, QUARANTINE_PREFIX, quarantine_key
from lambdas.core.limits import moment_in_words
from lambdas.core.quarantine import decode_record
from lambdas.core.store import RemovableStore

_MEANWHILE: dict[State, str] = {
    "bad": "",
    "usable": "usable by now: retry",
    "loaded": "in the tables by now",
    "gone": "object is gone",
}


class NotInQuarantine(PipelineError):
    """Nothing is on record of a key."""


def list_command(arguments: argparse.Namespace) -> int:
    """Run `etl quarantine list`."""
    from cli.stage import open_stage

    chart = None if arguments.chart is None else parse_chart(arguments.chart)
    stage = open_stage(arguments.stage)
    waiting = Waiting(raw=stage.raw_store(), tables=stage.warehouse_store(), patience_seconds=0)
    return run_list(waiting, chart=chart, prefix=arguments.prefix, form=arguments.format, stage=stage.name)


def run_list(waiting: Waiting, *, chart: str | None, prefix: str, form: str, stage: str) -> int:
    """Print what is in quarantine, newest first; the exit code."""
    with Progress("read the quarantine"):
        held = _read(waiting, chart=chart, prefix=prefix)
        states = Desk(waiting).judge(held)
    held.sort(key=lambda entry: (entry.record.quarantined_at, entry.record.key), reverse=True)
    if form == "json":
        say(json.dumps([_as_json(entry, states[entry.record.key]) for entry in held], ensure_ascii=False, indent=2))
        return 0
    if not held:
        of = f" of {chart}" if chart else f" under {prefix}" if prefix else ""
        say(f"nothing{of} is in quarantine")
        return 0
    print_table(
        ["when", "chart", "date", "gate", "code", "meanwhile", "key"],
        [
            [
                moment_in_words(entry.record.quarantined_at),
                entry.chart or "-",
                str(entry.chart_date or "-"),
                entry.gate_name,
                entry.record.code_version,
                _meanwhile(entry, states[entry.record.key]),
                entry.record.key,
            ]
            for entry in held
        ],
    )
    say(f"{count(len(held), 'object')}; why: `etl quarantine show KEY --stage {stage}`")
    return 0


def _read(waiting: Waiting, *, chart: str | None = None, prefix: str = "") -> list[Entry]:
    """The records; a line beside the result for each object among them that is none."""
    held: list[Entry] = []
    for found in entries(waiting.raw, chart=chart, prefix=prefix):
        if isinstance(found, NoRecord):
            note(f"{printable(found.record_key)} is no record of the quarantine: passed over")
        else:
            held.append(found)
    return held


def _meanwhile(entry: Entry, state: State) -> str:
    if state in ("bad", "usable") and entry.record.retried_at is not None:
        return f"retried on {moment_in_words(entry.record.retried_at)}"
    return _MEANWHILE[state]


def _as_json(entry: Entry, state: State) -> dict[str, object]:
    record = msgspec.to_builtins(entry.record)
    return {
        **record,
        "gate": entry.record.gate.name if entry.record.gate else None,
        "chart": entry.chart,
        "chart_date": None if entry.chart_date is None else entry.chart_date.isoformat(),
        "state": state,
    }


def show_command(arguments: argparse.Namespace) -> int:
    """Run `etl quarantine show`."""
    from cli.stage import open_stage

    stage = open_stage(arguments.stage)
    waiting = Waiting(raw=stage.raw_store(), tables=stage.warehouse_store(), patience_seconds=0)
    return run_show(arguments.key, waiting, stage=stage.name)


def run_show(key: str, waiting: Waiting, *, stage: str) -> int:
    """Print one record, and what one can do; the exit code. Raises NotInQuarantine."""
    entry = _find(key, waiting, stage=stage)
    record, state = entry.record, Desk(waiting).judge([entry])[entry.record.key]
    gate = record.gate
    lines = [
        ("key", record.key),
        ("version", record.version_id or "not told: the bucket keeps none, or the record is of an earlier version"),
        ("chart", entry.chart or "not told by the key"),
        ("chart date", str(entry.chart_date or "not told by the key")),
        ("reason", record.reason),
        ("gate", f"{gate.name}: {gate.meaning}" if gate else "not told: the record is of an earlier version"),
        ("where", record.where or "no one place: the whole of it"),
        ("found by", f"code version {record.code_version}, on {moment_in_words(record.quarantined_at)}"),
        ("record", entry.record_key),
        ("meanwhile", _meanwhile(entry, state) or "nothing has changed: this version cannot use it either"),
        ("what to do", _advice(entry, state, stage)),
    ]
    width = max(len(label) for label, _ in lines)
    for label, value in lines:
        say(f"{label:<{width}}  {printable(value)}")
    return 0


def _advice(entry: Entry, state: State, stage: str) -> str:
    retry = f"`etl quarantine retry --stage {stage} KEY`"
    if state == "usable":
        return f"{retry} loads it"
    if state in ("loaded", "gone"):
        return f"nothing; {retry} takes the record away"
    return f"{remedy(entry.record)}; then {retry}"


def _find(key: str, waiting: Waiting, *, stage: str) -> Entry:
    """The record of an object, by the object's key or by its own."""
    candidates = [quarantine_key(key), *([key] if key.startswith(QUARANTINE_PREFIX) else [])]
    for record_key in candidates:
        held = waiting.raw.get(record_key)
        if held is not None and (record := decode_record(held.body)) is not None:
            return Entry(record_key, held.etag, record)
    raise NotInQuarantine(f"nothing is on record of {key}: `etl quarantine list --stage {stage}` shows what is")


def retry_command(arguments: argparse.Namespace) -> int:
    """Run `etl quarantine retry`."""
    from cli.stage import open_stage

    if bool(arguments.keys) is arguments.all:
        raise PipelineError("name the keys to retry, or say --all: `etl quarantine list` shows them")
    stage = open_stage(arguments.stage)
    bucket = stage.output("storage", "RawBucketName")

    def tell(keys: Iterable[str], *, queue: str) -> None:
        tell_again(stage.sqs, queue_url=stage.output("compute", queue), bucket=bucket, keys=keys)

    retrying = Retrying(
        raw=stage.raw_store(),
        waiting=Waiting(raw=stage.raw_store(), tables=stage.warehouse_store(), patience_seconds=arguments.timeout),
        tell_transform=lambda keys: tell(keys, queue="TransformQueueUrl"),
        tell_import=lambda keys: tell(keys, queue="ImportChartQueueUrl"),
    )
    return run_retry(arguments.keys, retrying, stage=stage.name)


@dataclass(frozen=True)
class Retrying:
    """The raw bucket, whose records are marked and taken away; the tables; and the two queues."""

    raw: RemovableStore
    waiting: Waiting
    tell_transform: Callable[[Iterable[str]], None]
    tell_import: Callable[[Iterable[str]], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def send(self, sent: Sequence[Entry]) -> None:
        """Mark the records, then tell of their objects again.

        A record that somebody renews at the same moment stays as they write it: it is newer than the mark.
        """
        moment = second(self.now())
        for entry in sent:
            marked = msgspec.structs.replace(entry.record, retried_at=moment)
            self.raw.replace(entry.record_key, msgspec.json.encode(marked), etag=entry.etag)
        keys = [entry.record.key for entry in sent]
        if dropped := [key for key in keys if key.startswith(INBOX_PREFIX)]:
            self.tell_import(dropped)
        if others := [key for key in keys if not key.startswith(INBOX_PREFIX)]:
            self.tell_transform(others)

    def look(self, waited_for: dict[str, Entry]) -> dict[str, tuple[State, str]]:
        """Those of which there is news, by key: what has become of each, and the reason that is on record now."""
        news: dict[str, tuple[State, str]] = {}
        states = Desk(self.waiting).judge(list(waited_for.values()))
        for key, entry in waited_for.items():
            held = self.raw.get(entry.record_key)
            record = None if held is None else decode_record(held.body)
            if states[key] in ("loaded", "gone"):
                news[key] = states[key], ""
            elif record is not None and record.retried_at is None:
                news[key] = "bad", record.reason
        return news


def run_retry(keys: Sequence[str], retrying: Retrying, *, stage: str) -> int:
    """Retry the objects, or all there are, and print what came of each; the exit code. Raises NotInQuarantine."""
    waiting = retrying.waiting
    held = [_find(key, waiting, stage=stage) for key in keys] if keys else _read(waiting)
    waited_for = {entry.record.key: entry for entry in held}
    if not waited_for:
        say("nothing is in quarantine")
        return 0
    by_key, tally = dict(waited_for), dict.fromkeys(("loaded", "gone", "bad"), 0)
    with Progress("retry") as progress:
        try:
            for key, state in Desk(waiting).judge(list(waited_for.values())).items():
                if state in ("loaded", "gone"):
                    _conclude(key, state, "", by_key[key], retrying, tally, progress)
                    del waited_for[key]
            retrying.send(list(waited_for.values()))

            def look() -> bool:
                news = retrying.look(waited_for)
                for key, (state, reason) in news.items():
                    _conclude(key, state, reason, by_key[key], retrying, tally, progress)
                    del waited_for[key]
                progress.advance(len(by_key) - len(waited_for), len(by_key), "object")
                return bool(news)

            Pauses(waiting.patience_seconds, clock=waiting.clock, sleep=waiting.sleep).until(
                lambda: not waited_for, look
            )
        except KeyboardInterrupt:
            note("stopped: nothing is lost; the same command again goes on")
            return 130
    for key in sorted(waited_for):
        say(
            f"{printable(key)}: no news after {waiting.patience_seconds:g} s: its event waits in the queue, which "
            f"`etl status --stage {stage}` shows"
        )
    say(
        f"{count(len(by_key), 'object')}: {tally['loaded']:,} in the tables, {tally['gone']:,} gone, "
        f"{tally['bad']:,} in quarantine still, {len(waited_for):,} without news"
    )
    return 1 if tally["bad"] or waited_for else 0


def _conclude(
    key: str, state: State, reason: str, entry: Entry, retrying: Retrying, tally: dict[str, int], progress: Progress
) -> None:
    tally[state] += 1
    if state == "bad":
        progress.line(f"{printable(key)}: in quarantine still: {printable(reason)}")
        return
    retrying.raw.remove(entry.record_key)
    told = "in the tables" if state == "loaded" else "the object is gone"
    progress.line(f"{printable(key)}: {told}: its record is taken away")
