"""`etl rebuild`: the tables made anew from the raw documents, checked, and put in the place of what differs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from functools import partial

from cli.output import Progress, count, note, printable, say, seconds
from lambdas.core.charts import parse_chart
from lambdas.core.errors import ConfigurationError
from lambdas.core.rebuild import ObjectChange, Phase, Rebuild, RebuildReport, Scope
from lambdas.core.store import ObjectStore, RemovableStore

INTERRUPTED = 130
_SHOWN_QUARANTINED = 10
_CODE_VERSION = "etl rebuild"
"""In the record of a document that it puts in quarantine: at the desk there is no deployed version to name."""
_DOING = {"answers": "answers about songs read", "check": "objects checked", "replace": "objects compared"}


def rebuild_command(arguments: argparse.Namespace) -> int:
    """Run `etl rebuild`."""
    scope = scope_of(arguments.chart, first=arguments.first, last=arguments.last)
    from cli.stage import open_stage

    stage = open_stage(arguments.stage)
    return run_rebuild(
        scope,
        raw=stage.raw_store(),
        tables=stage.warehouse_store(),
        dry_run=arguments.dry_run,
    )


def scope_of(chart: str | None, *, first: date | None, last: date | None) -> Scope:
    """What the user asks for. Raises InvalidChart, or ConfigurationError for days that end before they begin."""
    if first is not None and last is not None and last < first:
        raise ConfigurationError(f"--to {last} is before --from {first}: give the earlier day to --from")
    return Scope(chart=None if chart is None else parse_chart(chart), first=first, last=last)


def run_rebuild(scope: Scope, *, raw: ObjectStore, tables: RemovableStore, dry_run: bool) -> int:
    """Rebuild, and print what changed; the exit code: 1 if rows of a damaged object could not be made anew."""
    with Progress("rebuild") as progress:
        rebuild = Rebuild(
            raw=raw,
            tables=tables,
            scope=scope,
            dry_run=dry_run,
            code_version=_CODE_VERSION,
            on_progress=partial(show, progress.update, elapsed=lambda: progress.elapsed),
        )
        try:
            report = rebuild.run()
        except KeyboardInterrupt:
            replaced = 0 if dry_run else len(rebuild.report.changes)
            note(f"stopped: {count(replaced, 'object')} replaced, each of them whole; the same command does the rest")
            return INTERRUPTED
        elapsed = progress.elapsed
    for line in lines(report, dry_run=dry_run):
        say(line)
    did = "would be replaced; nothing was written" if dry_run else "replaced"
    aside = f" and {len(report.quarantined):,} in quarantine" if report.quarantined else ""
    answers = f" and {count(report.answers, 'answer')} about songs" if report.answers else ""
    read = f"{count(report.documents, 'document')}{answers} read{aside} ({seconds(elapsed)})"
    say(f"{read}, {count(report.objects, 'object')} made and checked, {len(report.changes):,} {did}")
    return 1 if report.lost else 0


def show(update: Callable[[str], None], phase: Phase, done: int, total: int, *, elapsed: Callable[[], float]) -> None:
    """Tell of progress: of documents with their rate and the time that is left."""
    if phase != "read":
        update(f"{done:,} of {total:,} {_DOING[phase]}")
        return
    rate = done / max(elapsed(), 1e-3)
    left = (total - done) / max(rate, 1e-3)
    update(f"{done:,} of {count(total, 'document')} read, {rate:,.0f} a second, {seconds(left)} left")


def lines(report: RebuildReport, *, dry_run: bool) -> list[str]:
    """A line for each object that changed, each chart of which days were kept, and each document in quarantine."""
    width = max(map(len, report.changes), default=0)
    told = [f"{key:<{width}}  {_change(change, dry_run=dry_run)}" for key, change in report.changes.items()]
    kept: dict[str, list[date]] = {}
    for (chart, _), dates in sorted(report.kept.items()):
        kept.setdefault(chart, []).extend(sorted(dates))
    for chart, days in kept.items():
        which = str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}"
        told.append(f"{chart}: {count(len(days), 'day')} left as before, for no document tells of them: {which}")
    told += [f"{key}: left as it is, for there are no documents of it: {why}" for key, why in report.lost.items()]
    for key, why in sorted(report.quarantined.items())[:_SHOWN_QUARANTINED]:
        told.append(f"{key}: in quarantine: {printable(why)}")
    if (more := len(report.quarantined) - _SHOWN_QUARANTINED) > 0:
        told.append(f"{count(more, 'more document')} in quarantine")
    if report.made_again:
        again = count(report.made_again, "year of a chart", "years of charts")
        told.append(f"documents came or went meanwhile: {again} made again")
    return told


def _change(change: ObjectChange, *, dry_run: bool) -> str:
    rows = change.difference
    told = ", ".join(
        f"{count(number, 'row')} {what}"
        for number, what in ((rows.added, "added"), (rows.removed, "removed"), (rows.changed, "changed"))
        if number
    )
    told = told or "the same rows, written anew"
    if change.unreadable is not None:
        return f"{'cannot' if dry_run else 'could not'} be read: {told}"
    return f"{'is' if dry_run else 'was'} missing: {told}" if change.is_new else told
