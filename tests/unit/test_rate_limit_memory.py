"""The memory of rate limits: what holds calls back, for how long, and what it makes of damage and of other writers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.errors import RateLimited, WriteConflict
from lambdas.core.keys import state_key
from lambdas.core.limits import (
    LONGEST_BLOCK,
    LimitState,
    RateLimitMemory,
    Service,
    StillRateLimited,
    duration_in_words,
)
from lambdas.core.store import StoredObject
from tests.fakes import MemoryStore

NOW = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
KEY = state_key("web_api")
SIX_HOURS = 6 * 3600.0


def limited(retry_after: float | None = SIX_HOURS, *, quota: bool = False) -> RateLimited:
    return RateLimited("regional-global-daily: too many calls", retry_after=retry_after, quota_exceeded=quota)


def memory(store: MemoryStore, service: Service = "web_api") -> RateLimitMemory:
    return RateLimitMemory(store, service, sleep=lambda _: None, jitter=lambda: 1.0)


def is_blocked(store: MemoryStore, *, now: datetime, service: Service = "web_api") -> bool:
    try:
        memory(store, service).check(now=now)
    except RateLimited:
        return True
    return False


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


# Until when


def test_where_nothing_is_remembered_calls_may_be_made_and_nothing_is_written(store: MemoryStore) -> None:
    memory(store).check(now=NOW)

    assert store.writes == []


def test_a_remembered_limit_holds_until_its_last_second_and_not_longer(store: MemoryStore) -> None:
    memory(store).remember(limited(), now=NOW)

    assert is_blocked(store, now=NOW)
    assert is_blocked(store, now=NOW + timedelta(seconds=SIX_HOURS - 1))
    assert not is_blocked(store, now=NOW + timedelta(seconds=SIX_HOURS))


def test_the_error_says_until_when_how_long_that_is_and_what_to_do(store: MemoryStore) -> None:
    memory(store).remember(limited(), now=NOW)

    with pytest.raises(RateLimited) as caught:
        memory(store).check(now=NOW + timedelta(minutes=30))

    assert str(caught.value) == (
        "Spotify's Web API is not asked before 2026-03-06 15:30:00 UTC (5 h 30 min from now): too many calls in a "
        "short time (429): nothing is lost, a run after that time goes on; call less often meanwhile"
    )
    assert caught.value.retry_after == SIX_HOURS - 1800
    assert not caught.value.quota_exceeded


def test_the_quota_of_a_day_is_told_apart(store: MemoryStore) -> None:
    memory(store).remember(limited(quota=True), now=NOW)

    with pytest.raises(RateLimited, match="the app's quota for a day is used up") as caught:
        memory(store).check(now=NOW)

    assert caught.value.quota_exceeded


def test_where_spotify_does_not_say_how_long_its_window_of_30_seconds_is_waited(store: MemoryStore) -> None:
    memory(store).remember(limited(None), now=NOW)

    assert is_blocked(store, now=NOW + timedelta(seconds=29))
    assert not is_blocked(store, now=NOW + timedelta(seconds=30))


def test_of_two_limits_the_later_time_stays_whichever_comes_first(store: MemoryStore) -> None:
    memory(store).remember(limited(600.0), now=NOW)
    memory(store).remember(limited(7200.0), now=NOW)
    memory(store).remember(limited(60.0), now=NOW + timedelta(minutes=1))

    assert is_blocked(store, now=NOW + timedelta(seconds=7199))
    assert not is_blocked(store, now=NOW + timedelta(seconds=7200))


def test_services_are_remembered_apart(store: MemoryStore) -> None:
    memory(store, "public_charts").remember(limited(), now=NOW)

    assert not is_blocked(store, now=NOW)
    assert is_blocked(store, now=NOW, service="public_charts")


def test_a_limit_that_came_from_memory_is_not_remembered_anew(store: MemoryStore) -> None:
    memory(store).remember(limited(), now=NOW)
    before = dict(store.objects)
    with pytest.raises(StillRateLimited) as caught:
        memory(store).check(now=NOW + timedelta(seconds=10))

    memory(store).remember(caught.value, now=NOW + timedelta(hours=1))

    assert store.objects == before


def test_a_fraction_of_a_second_is_waited_whole(store: MemoryStore) -> None:
    now = NOW + timedelta(microseconds=1)
    memory(store).remember(limited(10.0), now=now)

    assert is_blocked(store, now=now + timedelta(seconds=10) - timedelta(microseconds=1))
    assert not is_blocked(store, now=now + timedelta(seconds=11))


@pytest.mark.parametrize("asked", [1e9, float("inf"), LONGEST_BLOCK.total_seconds()])
def test_no_block_lasts_longer_than_two_days_but_so_long_it_holds(store: MemoryStore, asked: float) -> None:
    now = NOW + timedelta(microseconds=7)
    memory(store).remember(limited(asked), now=now)

    assert is_blocked(store, now=now)
    assert is_blocked(store, now=now + LONGEST_BLOCK - timedelta(seconds=1))
    assert not is_blocked(store, now=now + LONGEST_BLOCK + timedelta(seconds=1))


@pytest.mark.parametrize("asked", [float("nan"), -5.0])
def test_a_wait_that_is_no_number_counts_as_none_given(store: MemoryStore, asked: float) -> None:
    memory(store).remember(limited(asked), now=NOW)

    assert is_blocked(store, now=NOW + timedelta(seconds=29))
    assert not is_blocked(store, now=NOW + timedelta(seconds=30))


@given(
    waits=st.lists(
        st.tuples(st.integers(0, 3600), st.none() | st.floats(0, 90_000), st.booleans()), min_size=1, max_size=6
    )
)
def test_whatever_was_asked_no_call_is_made_before_the_latest_time_and_none_is_held_back_a_second_after(
    waits: list[tuple[int, float | None, bool]],
) -> None:
    store = MemoryStore()
    latest = NOW
    now = NOW
    for passed, asked, quota in waits:
        now += timedelta(seconds=passed)
        memory(store).remember(limited(asked, quota=quota), now=now)
        latest = max(latest, now + timedelta(seconds=30.0 if asked is None else asked))

    assert is_blocked(store, now=latest - timedelta(milliseconds=1)) or latest - timedelta(milliseconds=1) < now
    assert not is_blocked(store, now=latest + timedelta(seconds=1))


# Calls


def test_calls_are_added_up_and_answered(store: MemoryStore) -> None:
    assert memory(store).count(3, now=NOW) == 3
    assert memory(store).count(4, now=NOW + timedelta(hours=2)) == 7
    assert memory(store).count(0, now=NOW + timedelta(hours=3)) == 7


def test_a_run_without_calls_writes_nothing(store: MemoryStore) -> None:
    assert memory(store).count(0, now=NOW) == 0
    assert store.writes == []


def test_calls_of_an_hour_are_one_figure_whatever_the_time_zone_of_the_clock(store: MemoryStore) -> None:
    memory(store).count(1, now=NOW)
    memory(store).count(2, now=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))

    assert json.loads(store.objects[KEY])["calls"] == {"2026-03-06T09:00:00Z": 3}


@given(
    runs=st.lists(st.tuples(st.integers(0, 5 * 3600), st.integers(1, 300)), min_size=1, max_size=60),
    asked_later=st.integers(0, 30 * 3600),
)
def test_every_call_of_the_past_24_hours_is_counted_and_none_older_than_25(
    runs: list[tuple[int, int]], asked_later: int
) -> None:
    store = MemoryStore()
    now = NOW
    made: list[tuple[datetime, int]] = []
    for passed, calls in runs:
        now += timedelta(seconds=passed)
        memory(store).count(calls, now=now)
        made.append((now, calls))
    now += timedelta(seconds=asked_later)

    counted = memory(store).state().calls_of_past_day(now=now)

    assert sum(calls for when, calls in made if now - when < timedelta(hours=24)) <= counted
    assert counted <= sum(calls for when, calls in made if now - when < timedelta(hours=25))
    assert len(memory(store).state().calls) <= 25


def test_counting_keeps_a_block_and_remembering_keeps_the_calls(store: MemoryStore) -> None:
    memory(store).count(5, now=NOW)
    memory(store).remember(limited(), now=NOW)
    memory(store).count(2, now=NOW)

    assert is_blocked(store, now=NOW)
    assert memory(store).state().calls_of_past_day(now=NOW) == 7


# Other writers


def after_each_read(store: MemoryStore, act: Callable[[], object], *, times: int) -> None:
    """Let another writer in between what is read and what is written, so often."""
    left = iter(range(times))

    def others(key: str) -> None:
        if next(left, None) is not None:
            hook, store.before_write = store.before_write, str
            act()
            store.before_write = hook

    store.before_write = others


def test_two_writers_at_once_lose_neither_a_call_nor_the_later_time(store: MemoryStore) -> None:
    def theirs() -> None:
        memory(store).remember(limited(7200.0), now=NOW)
        memory(store).count(10, now=NOW)

    after_each_read(store, theirs, times=1)
    memory(store).remember(limited(60.0), now=NOW)
    after_each_read(store, theirs, times=1)
    memory(store).count(1, now=NOW)

    assert memory(store).state().calls_of_past_day(now=NOW) == 21
    assert is_blocked(store, now=NOW + timedelta(seconds=7199))


def test_a_writer_that_always_loses_gives_up_logs_it_and_fails_nothing(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.objects[KEY] = b'{"format_version":1,"until":"2026-03-06T09:30:01Z"}'
    attempts: list[float] = []
    after_each_read(store, lambda: memory(store).count(1, now=NOW), times=1000)
    mine = RateLimitMemory(store, "web_api", sleep=attempts.append, jitter=lambda: 1.0)

    mine.remember(limited(), now=NOW)
    assert mine.count(7, now=NOW) == 7
    with pytest.raises(WriteConflict, match="lost to other writers"):
        mine.forget(now=NOW)

    assert not is_blocked(store, now=NOW + timedelta(seconds=1))
    assert sum(attempts[:5]) <= 1.0, "a run that lost every race is to cost no more than a second"
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "a rate limit could not be remembered",
        "calls could not be counted",
    ]


def test_a_store_that_fails_does_not_take_the_place_of_the_runs_own_outcome(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryStore):
        def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:  # noqa: ARG002 - the port's
            raise TimeoutError("S3 does not answer")

    broken = memory(Broken())
    broken.remember(limited(), now=NOW)
    assert (broken.count(3, now=NOW), broken.count(0, now=NOW)) == (3, 0)

    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 3
    with pytest.raises(TimeoutError):
        broken.check(now=NOW)


# Damage, and the future


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 60_000,
        b'{"until":"2026-03-07T00:00:00Z"}',
        b'{"format_version":1,"until":"2026-03-07T00:00:00"}',
        b'{"format_version":1,"until":17}',
        b'{"format_version":1,"calls":{"noon":1}}',
        b'{"format_version":1,"calls":{"2026-03-06T09:00:00Z":-1}}',
        b'{"format_version":2,"until":"2026-03-07T00:00:00Z"}',
        b'{"format_version":1,"until":"2999-01-01T00:00:00Z"}',
        b'{"format_version":1,"until":"9999-12-31T23:59:59-12:00"}',
    ],
)
def test_a_memory_that_cannot_be_read_or_cannot_be_holds_no_call_back_is_logged_and_is_put_right_by_the_next_limit(
    store: MemoryStore, stored: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store.objects[KEY] = stored

    assert not is_blocked(store, now=NOW)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    memory(store).remember(limited(), now=NOW)
    assert is_blocked(store, now=NOW)
    assert not is_blocked(store, now=NOW + timedelta(seconds=SIX_HOURS))
    assert memory(store).count(2, now=NOW) == 2


def test_an_object_of_absurd_size_is_not_read_and_stops_nothing(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.objects[KEY] = b" " * 100_000

    assert not is_blocked(store, now=NOW)
    memory(store).remember(limited(), now=NOW)

    assert store.objects[KEY] == b" " * 100_000
    assert "until it is deleted" in caplog.text


def test_hours_that_are_still_to_come_are_no_calls_of_the_past(store: MemoryStore) -> None:
    ahead = {NOW + timedelta(days=n): 1_000 for n in range(1, 200)}
    store.objects[KEY] = msgspec.json.encode(LimitState(format_version=1, calls=ahead))

    assert memory(store).count(1, now=NOW) == 1
    assert len(memory(store).state().calls) == 1


def test_a_field_that_newer_code_added_is_no_damage(store: MemoryStore) -> None:
    store.objects[KEY] = b'{"format_version":1,"until":"2026-03-06T10:00:00Z","account":"x"}'

    assert is_blocked(store, now=NOW)


# Another app


def test_another_apps_credentials_lift_the_block_and_keep_the_count(store: MemoryStore) -> None:
    memory(store).count(9, now=NOW)
    memory(store).remember(limited(), now=NOW)

    assert memory(store).forget(now=NOW) is True
    assert not is_blocked(store, now=NOW)
    assert memory(store).state().calls_of_past_day(now=NOW) == 9
    assert memory(store).forget(now=NOW) is False


def test_forgetting_where_nothing_is_remembered_writes_nothing(store: MemoryStore) -> None:
    assert memory(store).forget(now=NOW) is False
    assert store.writes == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (42, "42 s"), (60, "1 min 0 s"), (303, "5 min 3 s"), (21_600, "6 h 0 min"), (48_925, "13 h 35 min")],
)
def test_a_time_left_is_told_in_hours_and_minutes(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words
