"""The plan of an enrichment: whatever the tables and the cache hold, and wherever runs are cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.enrichment import KnownSong, Plan, plan_enrichment
from lambdas.core.rows import milliseconds

NOW = datetime(2026, 3, 6, tzinfo=UTC)
REFRESH = timedelta(days=30)
DAYS = st.integers(0, 90)


def before(days: int) -> datetime:
    return NOW - timedelta(days=days)


songs = st.builds(
    lambda number, detail, days: KnownSong(f"song{number}", detail, milliseconds(before(days))),
    number=st.integers(0, 40),
    detail=st.sampled_from(["csv", "csv", "incomplete", "public", "api"]),
    days=DAYS,
)
tables = st.lists(songs, max_size=25, unique_by=lambda song: song.song_id)


@dataclass
class Stage:
    """What a stage holds: rows of songs, cached answers with the day they were asked, and who stands on a chart now."""

    songs: dict[str, KnownSong]
    asked: dict[str, datetime]
    newest: frozenset[str]
    calls: list[str] = field(default_factory=list)

    def plan(self, now: datetime = NOW) -> Plan:
        def asked_at(song_ids: Sequence[str]) -> Mapping[str, datetime]:
            assert set(song_ids) <= self.asked.keys(), "only what is cached is looked at"
            return {song_id: self.asked[song_id] for song_id in song_ids}

        return plan_enrichment(
            self.songs.values(),
            cached=self.asked.keys(),
            newest=self.newest,
            asked_at=asked_at,
            now=now,
            refresh_after=REFRESH,
        )

    def ask(self, song_id: str, *, is_loaded: bool) -> None:
        self.calls.append(song_id)
        self.asked[song_id] = NOW
        if is_loaded:
            self.songs[song_id] = self.songs[song_id]._replace(detail="api", observed_at=milliseconds(NOW))


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    held = {song.song_id: song for song in draw(tables)}
    some = st.lists(st.sampled_from(sorted(held)), unique=True) if held else st.just([])
    asked = {song_id: before(draw(DAYS)) for song_id in draw(some)}
    return Stage(songs=held, asked=asked, newest=frozenset(draw(some)))


@settings(max_examples=200, deadline=None)
@given(stage=stages())
def test_no_song_is_planned_twice_and_each_that_was_never_asked_about_once(stage: Stage) -> None:
    plan = stage.plan()
    assert len(set(plan.ask)) == len(plan.ask)
    assert set(plan.waiting) == {
        song.song_id for song in stage.songs.values() if song.detail != "api" and song.song_id not in stage.asked
    }
    assert plan.newest == len(stage.newest)
    assert plan.newest_waiting == len(set(plan.waiting) & stage.newest)


@settings(max_examples=200, deadline=None)
@given(stage=stages())
def test_newest_charts_come_first_and_the_oldest_answers_are_refreshed_first(stage: Stage) -> None:
    plan = stage.plan()
    waiting = [stage.songs[song_id].observed_at for song_id in plan.waiting]
    assert waiting == sorted(waiting, reverse=True)
    refresh = [stage.songs[song_id].observed_at for song_id in plan.refresh]
    assert refresh == sorted(refresh)


@settings(max_examples=200, deadline=None)
@given(stage=stages())
def test_only_what_is_old_and_stands_on_a_newest_date_is_asked_about_again(stage: Stage) -> None:
    oldest_kept = before(30)
    for song_id in stage.plan().refresh:
        assert song_id in stage.newest
        if song_id in stage.asked:
            assert stage.asked[song_id] <= oldest_kept
        if stage.songs[song_id].detail == "api":
            assert stage.songs[song_id].observed_at <= milliseconds(oldest_kept)


@settings(max_examples=200, deadline=None)
@given(stage=stages())
def test_what_is_full_and_fresh_costs_no_call(stage: Stage) -> None:
    fresh = {
        song.song_id
        for song in stage.songs.values()
        if song.detail == "api" and song.observed_at > milliseconds(before(30))
    }
    assert not fresh & set(stage.plan().ask)


@settings(max_examples=200, deadline=None)
@given(stage=stages())
def test_what_is_cached_and_not_in_the_tables_is_told_of_and_not_asked_about_unless_it_is_old(stage: Stage) -> None:
    plan = stage.plan()
    assert set(plan.unsettled) == {
        song.song_id for song in stage.songs.values() if song.detail != "api" and song.song_id in stage.asked
    }
    again = set(plan.unsettled) & set(plan.ask)
    assert all(stage.asked[song_id] <= before(30) for song_id in again)


@settings(max_examples=150, deadline=None)
@given(stage=stages(), data=st.data())
def test_runs_cut_off_anywhere_ask_about_each_song_exactly_once(stage: Stage, data: st.DataObject) -> None:
    """Also where an answer was cached and its event got lost, so that the tables never heard of it."""
    due = set(stage.plan().ask)
    while plan := stage.plan().ask:
        cut = data.draw(st.integers(1, len(plan)))
        for song_id in plan[:cut]:
            stage.ask(song_id, is_loaded=data.draw(st.booleans()))
    assert len(stage.calls) == len(set(stage.calls))
    assert set(stage.calls) == due
    assert stage.plan().ask == ()
