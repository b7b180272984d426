"""A run of the enrichment: ask about one song after another, and keep each answer as it comes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, TypeAlias, cast

import msgspec

from lambdas.core import parquet
from lambdas.core.cached_answers import CachedAnswer, decode_answer, gone, told
from lambdas.core.documents import MAX_STORED_BYTES, encode, second
from lambdas.core.enrichment import LEAST_CALLS, MAX_CALLS, Gone, KnownSong, Plan, SongSource, plan_enrichment
from lambdas.core.errors import ConfigurationError, InvalidDocument, InvalidKey, RateLimited, SourceUnavailable
from lambdas.core.keys import (
    CACHED_SONGS_PREFIX,
    cached_song_key,
    dimension_key,
    parse_cached_song_key,
    parse_chart_year_key,
    table_prefix,
)
from lambdas.core.limited import within_limit
from lambdas.core.limits import RateLimitMemory
from lambdas.core.reading import API
from lambdas.core.schema import CHART_ENTRIES, SONGS
from lambdas.core.sources import Budget
from lambdas.core.store import ObjectStore, StoredObject

_log = logging.getLogger("enrich")

LEAST_SECONDS: Final = 2.0
"""With fewer left a run asks no more."""
MAX_FAULTS: Final = 3
"""Songs in a row that Spotify fails to answer about, after which it is looked whether the trouble is theirs alone."""
_READS_AT_ONCE: Final = 8

Outcome: TypeAlias = Literal["planned", "finished", "calls_used", "out_of_time", "rate_limited"]


class EnrichRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event: `{}` for what the stage's configuration says. With `dry_run` nothing is asked.

    `skip` names songs that an earlier part of the same run passed over.
    """

    max_calls: Annotated[int, msgspec.Meta(ge=LEAST_CALLS, le=MAX_CALLS)] | None = None
    dry_run: bool = False
    skip: tuple[str, ...] = ()


class EnrichResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to. Counts of songs, but for `calls`, which has the token requests too.

    `planned`: a dry run. `finished`: nothing is left to ask. `calls_used` and `out_of_time`: the run has spent what it
    may; the next one goes on from here. `rate_limited`: Spotify asks to wait longer than the run can, or asked so
    before (`retry_after_seconds`); a later run goes on.

    `songs_waiting` were never asked about, `refresh_due` are to be asked again; both without what this run asked.
    `newest` stand on the newest date of a chart, and `newest_waiting` of them wait: 0 where the run did not look, for
    it had more than enough to do. `answered` are those that Spotify told of; `gone` those that it does not know;
    `passed_over` those that it failed to answer about.
    """

    outcome: Outcome
    message: str
    started_at: datetime
    calls: int
    answered: tuple[str, ...] = ()
    gone: int = 0
    passed_over: tuple[str, ...] = ()
    songs_waiting: int = 0
    refresh_due: int = 0
    newest: int = 0
    newest_waiting: int = 0
    retry_after_seconds: float | None = None


def decode_event(event: object) -> EnrichRequest:
    """What an event asks for. Raises ConfigurationError saying which field is wrong."""
    try:
        return msgspec.convert(event, EnrichRequest)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"the event does not ask for an enrichment: {error}: send {{}}, or "
            f'{{"max_calls": {LEAST_CALLS} to {MAX_CALLS}, "dry_run": true or false}}'
        ) from error


@dataclass
class Enrichment:
    """The work of one run over one stage.

    `tables` is the warehouse; `cache` the raw bucket, as answers are written to it (with the tag by which they expire).
    `open_source` is called when there is something to ask, and not before. `now` is the clock.

    `songs_waiting` is None until the run has planned.
    """

    tables: ObjectStore
    cache: ObjectStore
    memory: RateLimitMemory
    open_source: Callable[[], SongSource]
    budget: Budget
    refresh_after: timedelta
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    songs_waiting: int | None = field(default=None, init=False)
    _answered: list[str] = field(default_factory=list, init=False)
    _gone: int = field(default=0, init=False)
    _passed_over: list[str] = field(default_factory=list, init=False)
    _refresh_due: int = field(default=0, init=False)
    _told_before: str | None = field(default=None, init=False)
    """A song that Spotify has told of, and will again if it answers at all."""

    def run(self, *, dry_run: bool, skip: Collection[str] = ()) -> EnrichResult:
        """Ask about songs until none is left, or the budget is spent, or Spotify limits the rate.

        A song that Spotify fails to answer about is passed over, and asked again by a later run. Every answer is kept
        before the next song is asked about, so whatever ends a run, nothing is asked twice. Raises what
        `SongSource.song` raises but RateLimited, which is an outcome; SourceUnavailable after MAX_FAULTS in a row, if
        Spotify does not answer about a song that it should know either; and SchemaMismatch for a table's object that
        cannot be read.
        """
        started_at = second(self.now())
        plan = self._plan(started_at, dry_run=dry_run)
        self.songs_waiting, self._refresh_due = len(plan.waiting), len(plan.refresh)
        outcome: Outcome = "planned"
        limit: RateLimited | None = None
        try:
            if dry_run and plan.ask:
                self.memory.check(now=self.now())
            elif not dry_run:
                outcome = self._ask_about(plan, skip=frozenset(skip))
        except RateLimited as met:
            limit = met
            if not dry_run:
                outcome = "rate_limited"
        return EnrichResult(
            outcome=outcome,
            message=self._summary() if limit is None else str(limit),
            started_at=started_at,
            calls=self.budget.calls,
            answered=tuple(self._answered),
            gone=self._gone,
            passed_over=tuple(self._passed_over),
            songs_waiting=self.songs_waiting,
            refresh_due=self._refresh_due,
            newest=plan.newest,
            newest_waiting=plan.newest_waiting,
            retry_after_seconds=None if limit is None else limit.retry_after,
        )

    def _plan(self, now: datetime, *, dry_run: bool) -> Plan:
        songs = read_songs(self.tables)
        cached = cached_songs(self.cache)
        waiting = _waiting(songs, cached)
        told = (song for song in songs if song.detail == API)
        newest_told = max(told, key=lambda song: (song.observed_at, song.song_id), default=None)
        self._told_before = newest_told and newest_told.song_id
        # All charts' newest years are read for it, which a run that has enough to do can save.
        look = dry_run or waiting < self.budget.max_calls
        return plan_enrichment(
            songs,
            cached=cached,
            newest=newest_songs(self.tables) if look else frozenset(),
            asked_at=self._asked_at,
            now=now,
            refresh_after=self.refresh_after,
        )

    def _asked_at(self, song_ids: Sequence[str]) -> Mapping[str, datetime]:
        answers = zip(song_ids, read_answers(self.cache, song_ids), strict=True)
        return {song_id: answer.observed_at for song_id, answer in answers if answer is not None}

    def _ask_about(self, plan: Plan, *, skip: frozenset[str]) -> Outcome:
        if not set(plan.ask) - skip:
            return "finished"
        with within_limit(self.memory, self.budget, clock=self.now):
            return self._ask_each(plan, self.open_source(), skip=skip)

    def _ask_each(self, plan: Plan, source: SongSource, *, skip: frozenset[str]) -> Outcome:
        faults = 0
        first_refresh = len(plan.waiting)
        for place, song_id in enumerate(plan.ask):
            if song_id in skip:
                continue
            if spent := self._spent():
                return spent
            held, before = _held(self.cache, song_id)
            # Else another run that goes on at the same time was faster.
            if before is None or before.observed_at <= self.now() - self.refresh_after:
                try:
                    answer = source.song(song_id)
                except SourceUnavailable as fault:
                    # What looks like trouble of Spotify's may be the end of the budget.
                    if spent := self._spent():
                        return spent
                    _log.warning("a song is passed over", extra={"song_id": song_id, "reason": str(fault)})
                    self._passed_over.append(song_id)
                    faults += 1
                    if faults == MAX_FAULTS:
                        if not self._answers_at_all(source, plan, skip=skip):
                            # That question may have spent the last of the budget.
                            if spent := self._spent():
                                return spent
                            raise
                        faults = 0
                    continue
                faults = 0
                self._keep(song_id, answer, held=held, before=before)
            self._settle(is_refresh=place >= first_refresh)
        return "finished"

    def _answers_at_all(self, source: SongSource, plan: Plan, *, skip: frozenset[str]) -> bool:
        """Whether Spotify answers about a song that it has told of, or else about the one that is to come last.

        Songs that it always fails to answer about would else stop every run, for they keep their place at the front.
        """
        song_id = self._told_before or next(one for one in reversed(plan.ask) if one not in skip)
        held, before = _held(self.cache, song_id)
        try:
            answer = source.song(song_id)
        except SourceUnavailable:
            return False
        if before is None and song_id in plan.waiting:
            self._keep(song_id, answer, held=held, before=before)
        return True

    def _spent(self) -> Outcome | None:
        if self.budget.calls >= self.budget.max_calls:
            return "calls_used"
        return "out_of_time" if self.budget.seconds_left() < LEAST_SECONDS else None

    def _keep(
        self, song_id: str, answer: msgspec.Raw | Gone, *, held: StoredObject | None, before: CachedAnswer | None
    ) -> None:
        """Keep an answer, unless another run has kept one since `held` was read: that is as good."""
        if isinstance(answer, Gone):
            _log.info("a song is gone", extra={"song_id": song_id, "reason": answer.reason})
            cached = gone(song_id, before=before, now=self.now())
            self._gone += 1
        else:
            cached = told(song_id, answer, now=self.now())
            self._answered.append(song_id)
        body = encode(cached)
        if held is None:
            self.cache.put_new(cached.key, body)
        else:
            self.cache.replace(cached.key, body, etag=held.etag)

    def _settle(self, *, is_refresh: bool) -> None:
        if is_refresh:
            self._refresh_due -= 1
        elif self.songs_waiting is not None:
            self.songs_waiting -= 1

    def _summary(self) -> str:
        return (
            f"{self.budget.calls} calls to Spotify: {len(self._answered)} songs told of, {self._gone} gone, "
            f"{len(self._passed_over)} passed over; {self.songs_waiting} songs wait, {self._refresh_due} are to refresh"
        )


def read_songs(tables: ObjectStore) -> list[KnownSong]:
    """The songs in the warehouse. Raises SchemaMismatch if the table's object cannot be read."""
    key = dimension_key(SONGS)
    stored = tables.get(key)
    if stored is None:
        return []
    batch = parquet.decode(SONGS, stored.body, name=key)
    columns = (parquet.column_values(SONGS, batch, name) for name in KnownSong._fields)
    return [
        KnownSong(cast(str, one), cast(str, two), cast(int, three)) for one, two, three in zip(*columns, strict=True)
    ]


def songs_waiting(*, tables: ObjectStore, cache: ObjectStore) -> int:
    """How many songs in the tables lack album and artists, and were never asked about. Raises as `read_songs`."""
    return _waiting(read_songs(tables), cached_songs(cache))


def _waiting(songs: Iterable[KnownSong], cached: frozenset[str]) -> int:
    return sum(song.detail != API and song.song_id not in cached for song in songs)


def cached_songs(cache: ObjectStore) -> frozenset[str]:
    """The songs that an answer is cached of. Other people's objects among them are passed over."""
    return frozenset(_song_ids(cache.keys(CACHED_SONGS_PREFIX)))


def _song_ids(keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        try:
            yield parse_cached_song_key(key)
        except InvalidKey:
            continue


def newest_songs(tables: ObjectStore) -> frozenset[str]:
    """The songs that stand on the newest date of each chart. Raises SchemaMismatch as `read_songs`."""
    by_chart: dict[str, list[tuple[int, str]]] = {}
    for key in tables.keys(table_prefix(CHART_ENTRIES)):
        try:
            chart, year = parse_chart_year_key(CHART_ENTRIES, key)
        except InvalidKey:
            continue
        by_chart.setdefault(chart, []).append((year, key))
    found: set[str] = set()
    for years in by_chart.values():
        # A year whose dates were all withdrawn holds no rows.
        found |= next(filter(None, (_newest_in(tables, key) for _, key in sorted(years, reverse=True))), set())
    return frozenset(found)


def _newest_in(tables: ObjectStore, key: str) -> set[str]:
    stored = tables.get(key)
    if stored is None:
        return set()
    batch = parquet.decode(CHART_ENTRIES, stored.body, name=key)
    dates = cast(list[int], parquet.column_values(CHART_ENTRIES, batch, "chart_date"))
    songs = cast(list[str], parquet.column_values(CHART_ENTRIES, batch, "song_id"))
    newest = max(dates, default=None)
    return {song_id for date, song_id in zip(dates, songs, strict=True) if date == newest}


def read_answers(cache: ObjectStore, song_ids: Sequence[str]) -> list[CachedAnswer | None]:
    """The cached answers about some songs, in their order; None for one that is not there or cannot be read."""
    if not song_ids:
        return []
    with ThreadPoolExecutor(_READS_AT_ONCE, thread_name_prefix="answers") as pool:
        return list(pool.map(lambda song_id: _held(cache, song_id)[1], song_ids))


def _held(cache: ObjectStore, song_id: str) -> tuple[StoredObject | None, CachedAnswer | None]:
    """The object that holds the answer about a song, and the answer if it can be read."""
    key = cached_song_key(song_id)
    stored: StoredObject | None = None
    try:
        stored = cache.get(key, max_bytes=MAX_STORED_BYTES)
        return stored, None if stored is None else decode_answer(stored.body, key=key)
    except InvalidDocument:
        return stored, None  # the transform has it on record in quarantine
