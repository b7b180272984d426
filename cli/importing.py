"""`etl import`: files people bring, uploaded as raw documents; the S3 trigger does the rest, and we wait for it."""

from __future__ import annotations

import argparse
import os
import shlex
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cli.command_name import command_name
from cli.output import Progress, count, note, printable, say, seconds
from cli.waiting import Arrival, Waiting
from lambdas.core.charts import parse_chart
from lambdas.core.errors import ConfigurationError, InvalidDocument, PipelineError, UndatedChart, UnnamedChart
from lambdas.core.gates import SIZE_DIFFERS, WEEKDAY_DIFFERS
from lambdas.core.imports import MAX_FILE_BYTES, Import, read_import, told_by_name
from lambdas.core.keys import parse_raw_key

if TYPE_CHECKING:
    from cli.stage import Stage
    from lambdas.core.store import ObjectStore

SUFFIXES = (".json", ".json.gz", ".csv", ".csv.gz")
_UPLOADS = 8
"""At once: an upload waits for S3, not for the processor."""
_WIDEST_NAME = 56
_EACH_ITS_LINE = 40
"""Up to so many files, each has its line; of more, only those that a person has to look at."""
_REMEDIES_SHOWN = 10
_LACKING = ((UnnamedChart, "--chart NAME"), (UndatedChart, "--chart-date YYYY-MM-DD"))
"""What brings in a file that is refused for not telling its chart or its day."""
_WANTED = {
    "--chart NAME": ("chart", "the chart's name in place of NAME"),
    "--chart-date YYYY-MM-DD": ("day", "the last day counted in place of YYYY-MM-DD"),
}


@dataclass(frozen=True)
class Choices:
    """What the user says about the files, over what they say themselves."""

    chart: str | None = None
    chart_date: date | None = None
    partial: bool = False
    dry_run: bool = False
    verbose: bool = False

    def check(self, name: str) -> None:
        """Raises ConfigurationError if they contradict what the name of one file among several says.

        Of a file alone, whoever gives the options has seen the name; of a folder's, hardly all of them.
        """
        told = told_by_name(name)
        if told is None or (self.chart in (None, told[0]) and self.chart_date in (None, told[1])):
            return
        option = "--chart" if self.chart not in (None, told[0]) else "--chart-date"
        raise ConfigurationError(
            f"its name says {told[0]} of {told[1]}, and {option} says otherwise: import it without {option}; or alone, "
            "if its name is wrong"
        )


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file: `refused` holds the reason, else `imported` and whether the document is a new one.

    `lacking` are the options that a refused file needs, for it does not tell its chart, or its day.
    """

    path: Path
    imported: Import | None = None
    is_new: bool = False
    refused: str | None = None
    lacking: tuple[str, ...] = ()

    @property
    def key(self) -> str | None:
        """Key of the file's raw document."""
        return self.imported.document.key if self.imported else None

    @property
    def is_odd(self) -> bool:
        """Whether a person has to look at it: it is refused, or something in it is missing or damaged."""
        return self.imported is None or bool(self.imported.reading.gaps or self.imported.reading.damaged_texts)


@dataclass
class Tally:
    """The outcomes so far."""

    files: int
    new: int = 0
    held: int = 0
    refused: int = 0
    held_keys: set[str] = field(default_factory=set)
    keys: dict[str, Path] = field(default_factory=dict)
    """Documents that are in the raw zone (or would be), with the first file that gave each."""
    lacking: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    """The files that were refused for want of an option, each with what it needs."""

    @property
    def sharing_a_date(self) -> int:
        """How many documents are not alone on their chart date."""
        days = Counter((parts.chart, parts.chart_date) for parts in map(parse_raw_key, self.keys))
        return sum(number for number in days.values() if number > 1)

    @property
    def by_chart(self) -> list[str]:
        """A line for each chart: how many documents, and of which dates."""
        dates: dict[str, list[date]] = {}
        for parts in map(parse_raw_key, self.keys):
            dates.setdefault(parts.chart, []).append(parts.chart_date)
        width = max(map(len, dates), default=0)
        return [
            f"{chart:<{width}}  {count(len(held), 'document')}  {min(held)} to {max(held)}"
            for chart, held in sorted(dates.items())
        ]

    def add(self, outcome: FileOutcome) -> None:
        """Count an outcome."""
        if outcome.key is None:
            self.refused += 1
            if outcome.lacking:
                self.lacking[outcome.path] = outcome.lacking
            return
        self.keys.setdefault(outcome.key, outcome.path)
        if outcome.is_new:
            self.new += 1
        else:
            self.held += 1
            self.held_keys.add(outcome.key)


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The files to import: those named, and those of `SUFFIXES` in the folders named, each once.

    In order of chart and date as far as official names tell, whatever their folders: a batch of the transform then
    writes the objects of a chart or two, and not of all (docs/backfill.md). Raises ConfigurationError for a path that
    is not there, or a folder without such files.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.name.lower().endswith(SUFFIXES) and file.is_file())
            if not inside:
                raise ConfigurationError(f"{path} holds no *.json or *.csv files, plain or gzipped (.gz)")
            found |= dict.fromkeys(inside)
        elif path.exists():
            found[path] = None
        else:
            raise ConfigurationError(f"there is no file or folder {path}")
    return sorted(found, key=lambda path: told_by_name(path.name) or ())


def read_file(path: Path, choices: Choices, *, received_at: datetime, is_alone: bool = True) -> FileOutcome:
    """The file as a raw document, or why it is refused. Nothing is written."""
    try:
        if not is_alone:
            choices.check(path.name)
        if path.exists() and not path.is_file():
            raise InvalidDocument("is no file")
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise InvalidDocument(f"{size:,} bytes, over the {MAX_FILE_BYTES:,} that are read")
        imported = read_import(
            path.read_bytes(),
            name=path.name,
            received_at=received_at,
            chart=choices.chart,
            chart_date=choices.chart_date,
            partial=choices.partial,
        )
    except OSError as error:
        return FileOutcome(path, refused=f"cannot be read: {error.strerror or error}")
    except PipelineError as error:
        lacking = tuple(option for kind, option in _LACKING if isinstance(error, kind))
        return FileOutcome(path, refused=str(error), lacking=lacking)
    return FileOutcome(path, imported=imported)


def upload(outcome: FileOutcome, raw: ObjectStore, *, dry_run: bool) -> FileOutcome:
    """Put the document into the raw zone unless it is there; with `dry_run` only look whether it is."""
    if outcome.imported is None or outcome.key is None:
        return outcome
    try:
        body = outcome.imported.encode()
    except InvalidDocument as error:
        return FileOutcome(outcome.path, refused=str(error))
    is_new = outcome.key not in raw.keys(outcome.key) if dry_run else raw.put_new(outcome.key, body)
    return FileOutcome(outcome.path, imported=outcome.imported, is_new=is_new)


def import_files(
    files: Sequence[Path], choices: Choices, *, raw: ObjectStore, received_at: datetime
) -> Iterator[FileOutcome]:
    """Read the files and upload their documents, several at once; outcomes come in the order of the files.

    Never more than a few documents are held in memory. If the caller stops early, uploads under way are completed.
    """
    under_way: deque[Future[FileOutcome]] = deque()
    with ThreadPoolExecutor(_UPLOADS, thread_name_prefix="upload") as pool:
        for path in files:
            outcome = read_file(path, choices, received_at=received_at, is_alone=len(files) == 1)
            under_way.append(pool.submit(upload, outcome, raw, dry_run=choices.dry_run))
            while len(under_way) >= 2 * _UPLOADS or (under_way and under_way[0].done()):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def short_names(files: Sequence[Path]) -> dict[Path, str]:
    """The files' names without the folder that all of them share, and never too wide for a line."""
    folders = {str(path.parent) for path in files}
    shared = os.path.commonpath(folders) if len({path.is_absolute() for path in files}) == 1 else ""
    names = {}
    for path in files:
        name = printable(os.path.relpath(path, shared) if shared else str(path))
        names[path] = name if len(name) <= _WIDEST_NAME else "…" + name[-(_WIDEST_NAME - 1) :]
    return names


def summary(outcome: FileOutcome, choices: Choices, *, name: str, width: int) -> str:
    """The file's line: name, chart, chart date, positions and outcome."""
    if outcome.imported is None:
        return f"{name:<{width}}  refused: {printable(outcome.refused or '')}"
    document, reading = outcome.imported.document, outcome.imported.reading
    what = f"{document.chart}  {document.chart_date}  {count(len(reading.entries), 'position')}"
    if reading.gaps:
        what += f", {reading.gaps:,} {'empty' if document.provider == 'playlist' else 'missing'}"
    if reading.damaged_texts:
        what += f", {count(reading.damaged_texts, 'damaged text')} left out"
    for gate in (SIZE_DIFFERS, WEEKDAY_DIFFERS):
        what += "".join(f", {words}" for words in reading.warned.get(gate, ()))
    new = "would be imported" if choices.dry_run else "new"
    return f"{name:<{width}}  {what}  {new if outcome.is_new else 'already held'}"


def import_command(arguments: argparse.Namespace) -> int:
    """Run `etl import`."""
    from cli.redelivery import redeliver
    from cli.stage import open_stage

    choices = Choices(
        chart=arguments.chart,
        chart_date=arguments.chart_date,
        partial=arguments.partial,
        dry_run=arguments.dry_run,
        verbose=arguments.verbose,
    )
    if choices.chart is not None:
        parse_chart(choices.chart)
    files = find_files(arguments.paths)
    stage = open_stage(arguments.stage)
    return run_import(
        files,
        choices,
        waiting=Waiting(raw=stage.raw_store(), tables=stage.warehouse_store(), patience_seconds=arguments.timeout),
        stage=stage.name,
        tell_again=lambda keys: redeliver(stage, keys),
        after=lambda: _wait_for_enrichment(stage),
    )


def _wait_for_enrichment(stage: Stage) -> Iterator[str]:
    """Which songs the files told no more of than their text, and what completes them."""
    from lambdas.enrich.run import songs_waiting

    if waiting := songs_waiting(tables=stage.warehouse_store(), cache=stage.raw_store()):
        songs = count(waiting, "song waits", "songs wait")
        yield f"{songs} for album and artists, which a chart file does not tell: `etl enrich --stage {stage.name}`"


def run_import(
    files: Sequence[Path],
    choices: Choices,
    *,
    waiting: Waiting,
    stage: str,
    tell_again: Callable[[set[str]], None],
    after: Callable[[], Iterable[str]] = tuple,
) -> int:
    """Import the files, print a line for each, wait for the tables, print the count; the exit code.

    `after` gives lines to print when chart files are in the tables.

    `tell_again` is called with the documents that were held before and are not in the tables: their events may have
    been lost, or have ended in the dead letters.
    """
    tally = Tally(files=len(files))
    names = short_names(files)
    width = max(map(len, names.values()))
    each = choices.verbose or len(files) <= _EACH_ITS_LINE
    try:
        with Progress("import") as progress:
            outcomes = import_files(files, choices, raw=waiting.raw, received_at=datetime.now(UTC))
            for outcome in outcomes:
                tally.add(outcome)
                if each or outcome.is_odd:
                    progress.line(summary(outcome, choices, name=names[outcome.path], width=width))
                progress.advance(tally.new + tally.held + tally.refused, len(files), "file")
            for line in [] if each else tally.by_chart:
                progress.line(line)
            if shared := tally.sharing_a_date:
                progress.line(
                    f"{count(shared, 'document')} share chart and date with others: a date shows one document, a "
                    "complete one before a partial one, an official CSV before others, then the one observed last"
                )
            if choices.dry_run:
                say(f"{_counts(tally, 'would be imported')}; nothing was written")
                _say_what_is_lacking(tally, choices, stage=stage)
                return 1 if tally.refused else 0
            progress.update("waiting for the tables")
            if unloaded := waiting.look(tally.held_keys).missing:
                progress.line(f"{count(len(unloaded), 'document')} held before, but not in the tables: loading again")
                tell_again(unloaded)
            arrival = waiting.wait(
                tally.keys,
                report=lambda here, total: progress.advance(
                    here, total, "document in the tables", "documents in the tables"
                ),
            )
            elapsed = progress.elapsed
    except KeyboardInterrupt:
        note(
            f"stopped: {count(tally.new, 'document')} of {count(len(files), 'file')} uploaded (more may be on their "
            "way); what is uploaded will be loaded, and the same command again continues"
        )
        return 130
    code = _conclude(tally, arrival, elapsed=elapsed, stage=stage, patience=waiting.patience_seconds)
    _say_what_is_lacking(tally, choices, stage=stage)
    if any(parse_raw_key(key).provider == "charts_csv" for key in arrival.loaded):
        for line in after():
            say(line)
    return code


def _conclude(tally: Tally, arrival: Arrival, *, elapsed: float, stage: str, patience: float) -> int:
    for key, reason in sorted(arrival.quarantined.items()):
        say(f"{printable(str(tally.keys[key]))}: in quarantine: {printable(reason)}")
    line = _counts(tally, "new")
    if arrival.loaded:
        loaded = count(len(arrival.loaded), "document is", "documents are")
        line += f"; {loaded} in the tables ({seconds(elapsed)})"
    say(line)
    if arrival.missing:
        key = min(arrival.missing)
        say(
            f"{count(len(arrival.missing), 'document is', 'documents are')} in the raw bucket but not in the tables "
            f"after {patience:g} s without news, such as {key}: not loaded by the transform function; "
            f"`etl status --stage {stage}` shows its queue and dead letters"
        )
    return 1 if tally.refused or arrival.quarantined or arrival.missing else 0


def _say_what_is_lacking(tally: Tally, choices: Choices, *, stage: str) -> None:
    """The commands that bring in what was refused for not telling its chart or its day: to copy and fill in."""
    if not tally.lacking:
        return
    wanted = {option for lacking in tally.lacking.values() for option in lacking}
    what, instead = zip(*(_WANTED[option] for option in _WANTED if option in wanted), strict=True)
    wanting = count(len(tally.lacking), "file does not tell its", "files do not tell their")
    # None of them tells any of it, or each lacks its own.
    link = " or " if any(len(lacking) < len(what) for lacking in tally.lacking.values()) else " and "
    say(f"{wanting} {link.join(what)}: with {' and '.join(instead)}, run")
    for path, lacking in list(tally.lacking.items())[:_REMEDIES_SHOWN]:
        said = [*(["--chart", choices.chart] if choices.chart else []), *(["--partial"] if choices.partial else [])]
        words = [command_name(), "import", str(path), *said]
        say(f"  {printable(shlex.join(words))} {' '.join(lacking)} --stage {stage}")
    if (more := len(tally.lacking) - _REMEDIES_SHOWN) > 0:
        say(f"  and so on for {count(more, 'more file')}")


def _counts(tally: Tally, new: str) -> str:
    parts = [f"{tally.new:,} {new}", f"{tally.held:,} already held", f"{tally.refused:,} refused"]
    return f"{count(tally.files, 'file')}: {', '.join(parts)}"
