"""`etl enrich`: have Spotify tell of the songs that only chart files brought, one id a call, and see it go on."""

from __future__ import annotations

import argparse
import math
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from cli.output import Progress, count, note, printable, say, seconds
from cli.stage import LOCAL
from cli.waiting import Pauses, quarantine_reasons
from lambdas.core.enrichment import LEAST_CALLS
from lambdas.core.errors import PipelineError
from lambdas.core.keys import CACHED_SONGS_PREFIX, cached_song_key
from lambdas.core.rows import milliseconds
from lambdas.enrich.run import EnrichRequest, EnrichResult, cached_songs, read_answers, read_songs

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_lambda.client import LambdaClient

    from lambdas.core.store import ObjectStore

INTERRUPTED = 130
_UNKNOWN = "Spotify does not know them"
SLICE_CALLS = 50
"""Calls that the function is asked for at a time: some seconds of work, after which the progress is known. Each slice
asks for a token of its own."""


class EnrichmentFailed(PipelineError):
    """The enrich function could not go on."""


@dataclass
class Tally:
    """What the slices so far came to."""

    allowed: int
    calls: int = 0
    told: int = 0
    gone: int = 0
    passed_over: tuple[str, ...] = ()
    """The songs that Spotify fails to answer about: a later slice is not to try them again."""
    last: EnrichResult | None = None
    answered: dict[str, datetime] = field(default_factory=dict)
    """The songs that Spotify told of, each with when its slice began: its row in the tables is no older."""

    def add(self, result: EnrichResult) -> None:
        """Count a slice."""
        self.calls += result.calls
        self.told += len(result.answered)
        self.gone += result.gone
        self.passed_over += result.passed_over
        self.last = result
        self.answered |= dict.fromkeys(result.answered, result.started_at)

    @property
    def is_over(self) -> bool:
        """Whether another slice would bring nothing, or may not be asked for."""
        if self.last is None:
            return False
        return self.last.outcome in ("finished", "rate_limited") or self.allowed - self.calls < LEAST_CALLS


def enrich_command(arguments: argparse.Namespace) -> int:
    """Run `etl enrich`."""
    from cli.redelivery import redeliver
    from cli.stage import open_stage

    stage = open_stage(arguments.stage)
    function = stage.output("compute", "EnrichFunctionName")
    raw, tables = stage.raw_store(), stage.warehouse_store()
    return run_enrichment(
        ask=lambda request: uninterrupted(lambda: invoke(stage.functions, function, request)),
        max_calls=arguments.max_calls or stage.config.enrichment_calls_per_run,
        dry_run=arguments.dry_run,
        settling=Settling(raw=raw, tables=tables, pauses=Pauses(patience_seconds=arguments.timeout)),
        tell_again=lambda keys: redeliver(stage, keys),
        stage=stage.name,
    )


def invoke(client: LambdaClient, function: str, request: EnrichRequest) -> EnrichResult:
    """Invoke the enrich function. Raises EnrichmentFailed with the line that it failed with."""
    from cli.running import fault_line

    answer = client.invoke(FunctionName=function, Payload=msgspec.json.encode(request))
    payload = answer["Payload"].read()
    if answer.get("FunctionError"):
        raise EnrichmentFailed(fault_line(payload, chart="enrichment", function=function).removeprefix("enrichment: "))
    try:
        return msgspec.json.decode(payload, type=EnrichResult)
    except msgspec.DecodeError as error:
        raise EnrichmentFailed(
            f"{function} answers what this version does not know ({error}): deploy it anew"
        ) from error


def uninterrupted(work: Callable[[], EnrichResult]) -> EnrichResult:
    """What `work` gives. A Ctrl-C meanwhile takes effect when it is done, a second one at once.

    For a slice goes on in the cloud without us, and a run begun beside it could ask about the song that it is asking.
    """
    done: Future[EnrichResult] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            done.set_exception(error)

    # Not of a pool: Python would wait for it at its exit.
    slice_under_way = threading.Thread(target=run, daemon=True)
    try:
        slice_under_way.start()
        return done.result()
    except KeyboardInterrupt:
        note("stopping after the slice under way, which takes some seconds; Ctrl-C again leaves it alone")
        wait([done])
        raise


def forecast(preview: EnrichResult, *, max_calls: int) -> Iterator[str]:
    """What is to be done and what it costs, in lines."""
    due = preview.songs_waiting + preview.refresh_due
    if not due:
        yield "nothing to ask: Spotify has told of every song in the tables, or does not know it"
        return
    what = [count(preview.songs_waiting, "song waits", "songs wait") + " for album and artists"]
    if preview.refresh_due:
        what.append(
            f"{preview.refresh_due:,} on the newest chart dates {'is' if preview.refresh_due == 1 else 'are'} old"
        )
    runs = math.ceil(due / (max_calls - tokens(max_calls)))
    days = "done in one run" if runs == 1 else f"{runs:,} days at one run a day"
    yield f"{', '.join(what)}: {count(due, 'call')}, {count(max_calls, 'call')} a run: {days}"
    if preview.newest:
        yield (
            f"the newest chart dates hold {count(preview.newest, 'song')}, of which {preview.newest_waiting:,} are not "
            f"known: {count(preview.newest_waiting, 'call')}"
        )


def tokens(max_calls: int) -> int:
    """Of a run's calls, those that only fetch a token: one a slice."""
    return math.ceil(max_calls / SLICE_CALLS)


@dataclass
class Settled:
    """What has become of cached answers: in the tables (or of songs that are gone), in quarantine, or neither."""

    loaded: set[str] = field(default_factory=set)
    quarantined: dict[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Settling:
    """Waiting until answers are in the tables: the transform function works when S3 tells it, not when we ask."""

    raw: ObjectStore
    tables: ObjectStore
    pauses: Pauses

    def unloaded(self) -> Settled:
        """The songs of which an answer is cached and not in the tables: `loaded` are none of these but gone."""
        cached = cached_songs(self.raw)
        open_cases = sorted(
            song.song_id for song in read_songs(self.tables) if song.detail != "api" and song.song_id in cached
        )
        answers = dict(zip(open_cases, read_answers(self.raw, open_cases), strict=True))
        gone = {song_id for song_id, answer in answers.items() if answer is not None and answer.answered_at is None}
        settled = Settled(loaded=gone, missing=answers.keys() - gone)
        self._look_in_quarantine(settled)
        return settled

    def wait(
        self, expected: dict[str, datetime | None], *, report: Callable[[int, int], object] | None = None
    ) -> Settled:
        """Wait until every song has its row, as of the moment given or later, or its answer is quarantined.

        Ends when nothing has moved for too long. `report` is called with how many have arrived, and of how many.
        """
        settled = Settled(missing=set(expected))

        def look() -> bool:
            before = len(settled.missing)
            if settled.missing:
                rows = {song.song_id: song for song in read_songs(self.tables)}
                for song_id in sorted(settled.missing):
                    row, since = rows.get(song_id), expected[song_id]
                    if row and row.detail == "api" and (since is None or row.observed_at >= milliseconds(since)):
                        settled.loaded.add(song_id)
                settled.missing -= settled.loaded
                self._look_in_quarantine(settled)
            if report is not None:
                report(len(expected) - len(settled.missing), len(expected))
            return len(settled.missing) < before

        self.pauses.until(lambda: not settled.missing, look)
        return settled

    def _look_in_quarantine(self, settled: Settled) -> None:
        if not settled.missing:
            return
        keys = {cached_song_key(song_id): song_id for song_id in settled.missing}
        for key, reason in quarantine_reasons(self.raw, CACHED_SONGS_PREFIX, keys):
            settled.quarantined[keys[key]] = reason
            settled.missing.discard(keys[key])


def run_enrichment(
    *,
    ask: Callable[[EnrichRequest], EnrichResult],
    max_calls: int,
    dry_run: bool,
    settling: Settling,
    tell_again: Callable[[Collection[str]], object],
    stage: str,
) -> int:
    """Say what is to be done, have it done slice by slice, wait for the tables, say what is left; the exit code.

    `tell_again` is called with the keys of answers that are cached but not in the tables: their events may have been
    lost, or have ended in the dead letters.
    """
    preview = ask(EnrichRequest(dry_run=True))
    for line in forecast(preview, max_calls=max_calls):
        say(line)
    if preview.retry_after_seconds is not None:
        note(f"etl: {preview.message}")
    if dry_run:
        say("nothing was asked")
        return 0
    tally = Tally(allowed=max_calls)
    fault: PipelineError | None = None
    try:
        expected = _told_again(settling, tell_again)
        with Progress("ask Spotify") as progress:
            if preview.retry_after_seconds is None and preview.songs_waiting + preview.refresh_due:
                due = preview.songs_waiting + preview.refresh_due
                fault = _ask_in_slices(ask, tally, due=due, progress=progress)
            progress.update("waiting for the tables")
            settled = settling.wait(
                expected | dict(tally.answered),
                report=lambda here, total: progress.update(f"{here:,} of {count(total, 'answer')} in the tables"),
            )
            elapsed = progress.elapsed
    except KeyboardInterrupt:
        note(
            f"etl: stopped after {count(tally.calls, 'call')} (up to {SLICE_CALLS} more may be on their way): what "
            "Spotify has told of is kept, will be loaded, and is not asked again; the same command goes on"
        )
        return INTERRUPTED
    return _conclude(tally, preview, settled, fault, elapsed=elapsed, stage=stage, settling=settling)


def _told_again(settling: Settling, tell_again: Callable[[Collection[str]], object]) -> dict[str, datetime | None]:
    """Have answers that are cached and not in the tables loaded again; the songs to wait for."""
    unloaded = settling.unloaded()
    for song_id, reason in sorted(unloaded.quarantined.items()):
        say(f"{cached_song_key(song_id)}: in quarantine: {printable(reason)}")
    if unloaded.missing:
        say(f"{count(len(unloaded.missing), 'answer')} cached before, but not in the tables: loading again, at no call")
        tell_again([cached_song_key(song_id) for song_id in sorted(unloaded.missing)])
    return dict.fromkeys(unloaded.missing)


def _ask_in_slices(
    ask: Callable[[EnrichRequest], EnrichResult], tally: Tally, *, due: int, progress: Progress
) -> PipelineError | None:
    """Ask until nothing is left or may be spent; the error that stopped it, for what was told before is waited for."""
    began = time.monotonic()
    while not tally.is_over:
        progress.update(_pace(tally, due=due, elapsed=time.monotonic() - began))
        try:
            allowed = min(SLICE_CALLS, tally.allowed - tally.calls)
            tally.add(ask(EnrichRequest(max_calls=allowed, skip=tally.passed_over)))
        except PipelineError as error:
            return error
    return None


def _pace(tally: Tally, *, due: int, elapsed: float) -> str:
    """`150 of 420 songs, 9.8 a second, 28 s left`: of what this run may ask."""
    done = tally.told + tally.gone
    in_this_run = min(due, tally.allowed - tokens(tally.allowed))
    text = f"{done:,} of {count(in_this_run, 'song')}"
    if not done or not elapsed:
        return text
    rate = done / elapsed
    return f"{text}, {rate:.1f} a second, {seconds(max(0, in_this_run - done) / rate)} left"


def _conclude(
    tally: Tally,
    preview: EnrichResult,
    settled: Settled,
    fault: PipelineError | None,
    *,
    elapsed: float,
    stage: str,
    settling: Settling,
) -> int:
    for song_id, reason in sorted(settled.quarantined.items()):
        say(f"{cached_song_key(song_id)}: in quarantine: {printable(reason)}")
    last = tally.last or preview
    left = last.songs_waiting + last.refresh_due
    if not (tally.last or settled.loaded or settled.missing or settled.quarantined or left):
        return 0  # there was nothing to do, which the forecast has said
    parts = [f"{count(tally.told, 'song')} told of"]
    if tally.gone:
        # Who imports real files there would else take them for lost.
        who = "the local stage's stand-in for Spotify knows made-up songs alone" if stage == LOCAL else _UNKNOWN
        parts.append(f"{tally.gone:,} gone ({who})")
    if tally.passed_over:
        parts.append(f"{len(tally.passed_over):,} passed over (Spotify fails to answer; asked again by a later run)")
    in_tables = f"; {len(settled.loaded):,} in the tables ({seconds(elapsed)})" if settled.loaded else ""
    say(f"{count(tally.calls, 'call')}: {', '.join(parts)}; {count(left, 'song')} left{in_tables}")
    if settled.missing:
        key = cached_song_key(min(settled.missing))
        say(
            f"{count(len(settled.missing), 'answer')} cached but not in the tables after "
            f"{settling.pauses.patience_seconds:g} s without news, such as {key}: not loaded by the transform "
            f"function; `etl status --stage {stage}` shows its queue and dead letters"
        )
    if fault is not None:
        note(f"etl: {fault}")
    elif last.outcome == "rate_limited":
        note(f"etl: {last.message}")
    is_limited = last.outcome == "rate_limited" or preview.retry_after_seconds is not None
    return 1 if fault is not None or is_limited or settled.missing or settled.quarantined else 0
