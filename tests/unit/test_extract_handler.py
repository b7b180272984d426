"""The extract function: what it decides (with a scripted source), and as the Lambda runtime calls it."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from lambdas.core.adapters.credentials import Credentials, read_credentials, write_credentials
from lambdas.core.adapters.logs import JsonFormatter, configure_logs
from lambdas.core.adapters.s3 import S3Store
from lambdas.core.documents import RawDocument, decode, encode
from lambdas.core.errors import (
    AccessForbidden,
    AuthorizationExpired,
    ChartNotFound,
    ConfigurationError,
    CredentialsMissing,
    EmptyChart,
    InvalidChart,
    NoProviderServes,
    RateLimited,
    SourceUnavailable,
)
from lambdas.core.keys import RAW_PREFIX, day_prefix, state_key
from lambdas.core.limited import LimitedSource
from lambdas.core.limits import RateLimitMemory
from lambdas.core.metrics import chart_age_hours
from lambdas.core.sources import Budget, PolledChart, PolledProvider
from lambdas.extract import handler as module
from lambdas.extract.handler import handler
from lambdas.extract.poll import PollResult, decode_event, newest_held, poll
from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from local.spotify.faults import Fault, FaultKind
from local.spotify.server import SpotifyStandIn
from tests.documents import csv_answer, csv_row, document, public_answer, public_entries, track
from tests.emf import emitted, values
from tests.fakes import MemoryStore
from tests.payloads import REPOSITORY

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

NOW = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
EVENTS = REPOSITORY / "tests" / "events"
BUCKET = "raw-zone"
PARAMETER = "/spotify-etl/dev/credentials"


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


DAILY = decode_event(event("schedule_daily_chart"))
WEEKLY = decode_event(event("schedule_weekly_chart"))


# The event


@pytest.mark.parametrize("name", ["schedule_daily_chart", "schedule_weekly_chart", "schedule_with_fallback"])
def test_a_schedules_event_is_the_chart_it_polls(name: str) -> None:
    assert json.loads(msgspec.json.encode(decode_event(event(name)))) == event(name)


def test_a_playlist_may_be_given_by_its_link_and_an_offset_left_out() -> None:
    chart = decode_event(event("schedule_own_playlist"))

    assert (chart.playlist_id, chart.date_offset_days) == ("1aB2cD3eF4gH5iJ6kL7mN8", 0)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (event("schedule_unknown_field"), "unknown field `playlist`"),
        ({}, "missing required field `chart`"),
        (None, "Expected `object`"),
        ([event("schedule_daily_chart")], "Expected `object`"),
        (event("schedule_daily_chart") | {"providers": ["charts_csv"]}, "charts_csv"),
        (event("schedule_daily_chart") | {"providers": []}, "`providers` are one or more, each once"),
        (event("schedule_daily_chart") | {"providers": ["playlist", "playlist"]}, "one or more, each once"),
        (event("schedule_daily_chart") | {"playlist_id": None}, "`playlist` needs a `playlist_id`"),
        (
            event("schedule_daily_chart") | {"providers": ["playlist", "public_charts"]},
            "`public_charts` serves regional-global-weekly alone, not regional-global-daily",
        ),
        (event("schedule_daily_chart") | {"date_offset_days": "-1"}, "date_offset_days"),
        (event("schedule_daily_chart") | {"date_offset_days": 10**12}, "use -31 to 31"),
        (event("schedule_daily_chart") | {"chart": "Top 50"}, "'Top 50' cannot name a chart"),
        (event("schedule_daily_chart") | {"playlist_id": "top50"}, "'top50' is not a playlist"),
        ({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events"}, "unknown field `version`"),
    ],
)
def test_an_event_that_names_no_chart_is_refused_by_the_field(sent: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        decode_event(sent)

    assert "\n" not in str(caught.value)


def test_a_chart_of_the_public_charts_alone_needs_no_playlist() -> None:
    sent = {"chart": "regional-global-weekly", "period": "weekly", "providers": ["public_charts"]}
    assert decode_event(sent).playlist_id is None


# What a poll decides


def public_document(**given: Any) -> RawDocument:
    """A whole answer of the public charts service, as its source gives it."""
    answer = public_answer(public_entries(), chart_date=str(given.get("chart_date", "2026-03-05")))
    return document([answer], **{"provider": "public_charts", "chart": WEEKLY.chart} | given)


@dataclass
class ScriptedSource:
    """Gives `answer`, or raises it; counts the calls it is asked for, and keeps the budget of the last."""

    answer: RawDocument | Exception
    fetched: int = 0
    budget: Budget | None = None

    def fetch(self, chart: PolledChart, *, now: datetime, budget: Budget) -> RawDocument:  # noqa: ARG002  # the port's
        self.fetched += 1
        self.budget = budget
        budget.spend_call()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class Zone:
    """A raw zone, and a source before it."""

    store: MemoryStore = field(default_factory=MemoryStore)
    source: ScriptedSource = field(default_factory=lambda: ScriptedSource(document()))
    public: ScriptedSource = field(default_factory=lambda: ScriptedSource(public_document()))
    budget: Budget = field(default_factory=lambda: Budget(max_calls=10, seconds_left=lambda: 60.0))

    def open_source(self, provider: PolledProvider) -> ScriptedSource:
        return self.source if provider == "playlist" else self.public

    def poll(self, chart: PolledChart = DAILY, *, now: datetime = NOW) -> PollResult:
        return poll(
            chart,
            store=self.store,
            open_source=self.open_source,
            now=now,
            budget=self.budget,
        )

    def hold(self, held: RawDocument) -> str:
        self.store.objects[held.key] = encode(held)
        return held.key


@pytest.fixture
def zone() -> Zone:
    return Zone()


def test_a_new_chart_is_stored_under_its_key(zone: Zone) -> None:
    result = zone.poll()

    expected = document()
    assert result == PollResult(
        chart=DAILY.chart,
        outcome="stored",
        message=f"{DAILY.chart} of 2026-03-05 stored from playlist in 1 call to Spotify",
        calls=1,
        chart_date=expected.chart_date,
        raw_key=expected.key,
    )
    assert decode(zone.store.objects[expected.key], key=expected.key, model=RawDocument) == expected


def test_a_poll_of_a_held_date_opens_no_source_and_makes_no_call(zone: Zone) -> None:
    key = zone.hold(document())

    result = zone.poll(now=NOW + timedelta(hours=14))

    assert (result.outcome, result.raw_key, result.chart_date, result.calls) == ("held", key, date(2026, 3, 5), 0)
    assert zone.source.fetched == 0
    assert zone.store.writes == []


def test_the_newest_document_is_named_where_a_date_is_held_more_than_once(zone: Zone) -> None:
    zone.hold(document())
    newer = zone.hold(document(observed_at=NOW + timedelta(hours=1)))

    assert zone.poll().raw_key == newer


def test_the_next_utc_day_is_polled_again(zone: Zone) -> None:
    zone.hold(document())
    zone.source.answer = document(chart_date=date(2026, 3, 6))

    assert zone.poll(now=datetime(2026, 3, 7, 0, 0, 1, tzinfo=UTC)).outcome == "stored"


def test_a_chart_that_is_still_yesterdays_is_fetched_but_not_stored_again(zone: Zone) -> None:
    key = zone.hold(document(chart_date=date(2026, 3, 4)))
    zone.source.answer = document(chart_date=date(2026, 3, 4), observed_at=NOW)

    result = zone.poll()

    assert (result.outcome, result.raw_key, result.calls) == ("held", key, 1)
    assert zone.store.writes == []


def test_a_file_of_another_provider_does_not_hold_the_date(zone: Zone) -> None:
    zone.hold(document(provider="charts_csv"))

    assert zone.poll().outcome == "stored"


def test_one_page_that_someone_imported_does_not_hold_the_date(zone: Zone) -> None:
    zone.hold(document(partial=True))

    assert zone.poll().outcome == "stored"


def test_a_damaged_document_does_not_hold_the_date(zone: Zone) -> None:
    zone.store.objects[document(observed_at=NOW - timedelta(hours=1)).key] = b"damaged"

    assert zone.poll().outcome == "stored"


def test_a_stray_object_in_the_raw_zone_does_not_hold_the_date(zone: Zone) -> None:
    zone.store.objects[f"{day_prefix(DAILY.chart, date(2026, 3, 5))}notes-playlist.txt"] = b""

    assert zone.poll().outcome == "stored"


def test_another_charts_document_does_not_hold_the_date(zone: Zone) -> None:
    zone.hold(document(chart="regional-us-daily"))

    assert zone.poll().outcome == "stored"


@pytest.mark.parametrize("days_later", range(7))
def test_a_weekly_chart_is_held_until_the_next_one_can_be_there(zone: Zone, days_later: int) -> None:
    thursday = date(2026, 3, 5)
    zone.hold(document(chart=WEEKLY.chart, chart_date=thursday))

    assert zone.poll(WEEKLY, now=NOW + timedelta(days=days_later)).outcome == "held"
    assert zone.source.fetched == 0


def test_a_weekly_chart_is_polled_again_when_the_next_one_can_be_there(zone: Zone) -> None:
    zone.hold(document(chart=WEEKLY.chart, chart_date=date(2026, 3, 5)))
    zone.source.answer = document(chart=WEEKLY.chart, chart_date=date(2026, 3, 12))

    assert zone.poll(WEEKLY, now=NOW + timedelta(days=7)).outcome == "stored"


def test_a_writer_that_stores_the_same_document_first_is_no_fault(zone: Zone) -> None:
    zone.store.before_write = lambda key: zone.store.objects.setdefault(key, b"theirs")

    result = zone.poll()

    assert (result.outcome, result.raw_key) == ("held", document().key)
    assert zone.store.objects == {document().key: b"theirs"}


def test_a_rate_limit_is_an_outcome_that_says_how_long(zone: Zone) -> None:
    zone.source.answer = RateLimited("wait", retry_after=21_600.0, quota_exceeded=True)

    result = zone.poll()

    assert (result.outcome, result.retry_after_seconds, result.message) == ("rate_limited", 21_600.0, "wait")
    assert (result.raw_key, result.chart_date, result.calls) == (None, None, 1)
    assert zone.store.objects == {}


def test_any_other_wall_is_raised_and_nothing_is_stored(zone: Zone) -> None:
    zone.source.answer = ChartNotFound("no such playlist")

    with pytest.raises(ChartNotFound):
        zone.poll()

    assert zone.store.objects == {}


# Several providers


BOTH = decode_event(event("schedule_with_fallback"))


def weekly(**given: Any) -> RawDocument:
    return document(**{"chart": WEEKLY.chart} | given)


def test_the_first_provider_that_serves_is_kept_and_the_next_is_not_asked(zone: Zone) -> None:
    zone.source.answer = weekly()

    result = zone.poll(BOTH)

    assert (result.outcome, result.raw_key) == ("stored", weekly().key)
    assert zone.public.fetched == 0


def test_a_provider_that_meets_a_wall_is_followed_by_the_next_with_the_reason_told(
    zone: Zone, caplog: pytest.LogCaptureFixture
) -> None:
    zone.source.answer = ChartNotFound("regional-global-weekly: no such playlist")

    result = zone.poll(BOTH)

    assert (result.outcome, result.raw_key, result.calls) == ("stored", public_document().key, 2)
    assert result.message == (
        "regional-global-weekly of 2026-03-05 stored from public_charts in 2 calls to Spotify; "
        "playlist did not serve it: regional-global-weekly: no such playlist"
    )
    [line] = [record for record in caplog.records if record.name == "extract"]
    assert (line.levelname, vars(line)["provider"], vars(line)["error"]) == ("WARNING", "playlist", "ChartNotFound")
    assert vars(line)["reason"] == "regional-global-weekly: no such playlist"


def test_providers_are_tried_in_the_order_they_are_given(zone: Zone) -> None:
    other_way = msgspec.structs.replace(BOTH, providers=("public_charts", "playlist"))

    assert zone.poll(other_way).raw_key == public_document().key
    assert zone.source.fetched == 0


def test_a_source_that_cannot_be_opened_is_a_wall_like_any_other(zone: Zone) -> None:
    def open_source(provider: PolledProvider) -> ScriptedSource:
        if provider == "playlist":
            raise CredentialsMissing("no credentials")
        return zone.public

    result = poll(BOTH, store=zone.store, open_source=open_source, now=NOW, budget=zone.budget)

    assert (result.outcome, result.raw_key) == ("stored", public_document().key)


def test_a_defect_or_a_mistake_in_the_configuration_is_no_wall_and_is_raised_at_once(zone: Zone) -> None:
    zone.source.answer = ConfigurationError("reading the credentials is denied")

    with pytest.raises(ConfigurationError):
        zone.poll(BOTH)

    assert zone.public.fetched == 0


def test_where_no_provider_serves_one_error_names_the_reason_of_each(zone: Zone) -> None:
    zone.source.answer = ChartNotFound("no such playlist")
    zone.public.answer = RateLimited("wait", retry_after=60.0, quota_exceeded=False)

    with pytest.raises(NoProviderServes) as caught:
        zone.poll(BOTH)

    assert str(caught.value) == (
        "regional-global-weekly: playlist did not serve it: no such playlist; public_charts did not serve it: wait"
    )
    assert zone.store.objects == {}
    assert zone.budget.calls == 2


def test_a_single_provider_keeps_its_own_error(zone: Zone) -> None:
    zone.public.answer = EmptyChart("no entries")

    with pytest.raises(EmptyChart, match="^no entries$"):
        zone.poll(msgspec.structs.replace(BOTH, providers=("public_charts",)))


@pytest.mark.parametrize(
    ("one", "other", "retry_after"), [(60.0, 7200.0, 60.0), (7200.0, 60.0, 60.0), (None, 60.0, None)]
)
def test_only_where_all_are_rate_limited_that_is_the_outcome_until_the_first_may_be_asked(
    zone: Zone, one: float | None, other: float | None, retry_after: float | None
) -> None:
    zone.source.answer = RateLimited("wait here", retry_after=one, quota_exceeded=True)
    zone.public.answer = RateLimited("wait there", retry_after=other, quota_exceeded=False)

    result = zone.poll(BOTH)

    assert (result.outcome, result.retry_after_seconds, result.calls) == ("rate_limited", retry_after, 2)
    assert "wait here" in result.message
    assert "wait there" in result.message


def test_a_rate_limited_provider_is_followed_by_the_next(zone: Zone) -> None:
    zone.source.answer = RateLimited("wait", retry_after=21_600.0, quota_exceeded=True)

    assert zone.poll(BOTH).raw_key == public_document().key


@pytest.mark.parametrize("held", [weekly(), public_document()], ids=lambda one: str(one.provider))
def test_a_date_that_any_of_the_providers_gave_is_held_and_none_is_asked(zone: Zone, held: RawDocument) -> None:
    key = zone.hold(held)

    result = zone.poll(BOTH, now=NOW + timedelta(days=3))

    assert (result.outcome, result.raw_key, result.calls) == ("held", key, 0)


def test_a_provider_that_still_shows_a_held_date_is_not_passed_over_for_one_that_may_be_ahead_of_it(zone: Zone) -> None:
    """Else the quickest provider would serve every date, and not the one that the stage names first."""
    key = zone.hold(weekly(chart_date=date(2026, 3, 5)))
    zone.source.answer = weekly(chart_date=date(2026, 3, 5), observed_at=NOW + timedelta(days=8))
    zone.public.answer = public_document(chart_date=date(2026, 3, 12))

    result = zone.poll(BOTH, now=NOW + timedelta(days=8))

    assert (result.outcome, result.raw_key, zone.public.fetched) == ("held", key, 0)


def test_the_newest_document_of_a_date_is_named_whoever_gave_it(zone: Zone) -> None:
    zone.hold(public_document(observed_at=NOW))
    newer = zone.hold(weekly(observed_at=NOW + timedelta(hours=1)))
    zone.hold(public_document(observed_at=NOW - timedelta(hours=1)))

    assert zone.poll(BOTH).raw_key == newer


def test_a_document_of_a_provider_that_is_no_longer_named_does_not_hold_the_date(zone: Zone) -> None:
    zone.hold(public_document())
    zone.source.answer = weekly(observed_at=NOW)

    assert zone.poll(WEEKLY).outcome == "stored"


def test_the_public_charts_of_last_week_are_told_by_their_own_date(zone: Zone) -> None:
    key = zone.hold(public_document(chart_date=date(2026, 3, 5)))
    zone.public.answer = public_document(chart_date=date(2026, 3, 5), observed_at=NOW + timedelta(days=8))

    result = zone.poll(msgspec.structs.replace(BOTH, providers=("public_charts",)), now=NOW + timedelta(days=8))

    assert (result.outcome, result.raw_key, result.chart_date, result.calls) == ("held", key, date(2026, 3, 5), 1)
    assert zone.store.writes == []


def test_an_earlier_provider_cannot_spend_what_a_later_one_needs(zone: Zone) -> None:
    zone.budget = Budget(max_calls=10, seconds_left=lambda: 60.0)
    zone.source.answer = ChartNotFound("no such playlist")

    zone.poll(BOTH)

    assert zone.source.budget is not None
    assert zone.public.budget is not None
    assert (zone.source.budget.max_calls, zone.source.budget.seconds_left()) == (6, 40.0)
    assert (zone.public.budget.max_calls, zone.public.budget.seconds_left()) == (9, 60.0)


# Charts that carry no date of their own


UNDATED = msgspec.structs.replace(WEEKLY, dated_by="observation", date_offset_days=0)
THURSDAYS = [document().chart_date + timedelta(days=7 * week) for week in range(3)]


def undated(chart_date: date, *names: str, **given: Any) -> RawDocument:
    return weekly(chart_date=chart_date, songs=[track(name) for name in names or ("A", "B", "C")], **given)


def test_an_official_chart_without_a_date_that_repeats_the_last_one_makes_no_new_date(zone: Zone) -> None:
    key = zone.hold(undated(THURSDAYS[0]))
    zone.source.answer = undated(THURSDAYS[1], observed_at=NOW + timedelta(days=7))

    result = zone.poll(UNDATED, now=NOW + timedelta(days=7))

    assert (result.outcome, result.raw_key, result.chart_date, result.calls) == ("repeated", key, THURSDAYS[0], 1)
    assert result.message == "regional-global-weekly is still the chart of 2026-03-05, song by song: nothing to store"
    assert zone.store.writes == []


def test_a_repeat_leaves_the_age_of_the_chart_growing(zone: Zone) -> None:
    zone.hold(undated(THURSDAYS[0]))
    ages = []
    for week in (1, 2):
        now = NOW + timedelta(days=7 * week)
        zone.source.answer = undated(THURSDAYS[week], observed_at=now)
        assert zone.poll(UNDATED, now=now).outcome == "repeated"
        held = newest_held(WEEKLY.chart, store=zone.store, now=now)
        assert held is not None
        ages.append(chart_age_hours(held, now=now))

    assert ages[1] - ages[0] == 7 * 24
    assert ages[0] > 7 * 24


@pytest.mark.parametrize("names", [("B", "A", "C"), ("A", "B"), ("A", "B", "C", "D"), ("A", "B", "X")], ids="".join)
def test_one_song_moved_gone_new_or_another_is_a_new_chart(zone: Zone, names: tuple[str, ...]) -> None:
    zone.hold(undated(THURSDAYS[0]))
    zone.source.answer = undated(THURSDAYS[1], *names)

    assert zone.poll(UNDATED, now=NOW + timedelta(days=7)).outcome == "stored"


def test_a_playlist_that_people_edit_and_left_as_it_was_is_a_new_observation(zone: Zone) -> None:
    own = msgspec.structs.replace(UNDATED, chart="road-trip", period="daily")
    zone.hold(document(chart="road-trip", songs=[track("A")]))
    zone.source.answer = document(chart="road-trip", songs=[track("A")], chart_date=date(2026, 3, 6))

    assert zone.poll(own).outcome == "stored"


def test_a_chart_that_tells_its_date_may_hold_the_same_songs_again(zone: Zone) -> None:
    zone.hold(undated(THURSDAYS[0]))
    zone.source.answer = undated(THURSDAYS[1])

    assert zone.poll(WEEKLY, now=NOW + timedelta(days=7)).outcome == "stored"


def test_only_the_last_chart_counts_not_one_before_it(zone: Zone) -> None:
    zone.hold(undated(THURSDAYS[0]))
    zone.hold(undated(THURSDAYS[1], "C", "B", "A"))
    zone.source.answer = undated(THURSDAYS[2])

    assert zone.poll(UNDATED, now=NOW + timedelta(days=14)).outcome == "stored"


@pytest.mark.parametrize(
    "between",
    [
        undated(THURSDAYS[1], "X", partial=True),
        undated(THURSDAYS[1], withdrawal=True),
        weekly(chart_date=THURSDAYS[1], provider="charts_csv", answers=[csv_answer([csv_row(1)])]),
    ],
    ids=["part", "withdrawal", "file"],
)
def test_what_is_no_whole_chart_of_the_provider_is_passed_over(zone: Zone, between: RawDocument) -> None:
    key = zone.hold(undated(THURSDAYS[0]))
    zone.hold(between)
    zone.store.objects[undated(THURSDAYS[1], "Y").key] = b"damaged"
    zone.source.answer = undated(THURSDAYS[2])

    assert zone.poll(UNDATED, now=NOW + timedelta(days=14)).raw_key == key


# How fresh the data are


def newest(zone: Zone, *, now: datetime = NOW, chart: str = DAILY.chart) -> date | None:
    return newest_held(chart, store=zone.store, now=now)


def test_the_newest_date_is_found_whatever_the_period_and_however_old(zone: Zone) -> None:
    for chart, dates in {
        DAILY.chart: [date(2026, 3, 4), date(2026, 3, 5), date(2025, 12, 31)],
        WEEKLY.chart: [date(2026, 2, 19), date(2026, 2, 26)],
        "long-ago": [date(2014, 5, 1), date(2019, 8, 8)],
    }.items():
        for chart_date in dates:
            zone.hold(document(chart=chart, chart_date=chart_date))

    assert newest(zone) == date(2026, 3, 5)
    assert newest(zone, chart=WEEKLY.chart) == date(2026, 2, 26)
    assert newest(zone, chart="long-ago") == date(2019, 8, 8)


def test_at_the_turn_of_the_year_the_old_years_dates_count_until_the_first_of_the_new(zone: Zone) -> None:
    zone.hold(document(chart_date=date(2026, 12, 30)))
    assert newest(zone, now=datetime(2027, 1, 1, 6, tzinfo=UTC)) == date(2026, 12, 30)
    zone.hold(document(chart_date=date(2027, 1, 1)))
    assert newest(zone, now=datetime(2027, 1, 2, 6, tzinfo=UTC)) == date(2027, 1, 1)


def test_where_nothing_is_held_there_is_no_newest_date(zone: Zone) -> None:
    zone.hold(document(chart="regional-us-daily"))
    zone.store.objects[f"{day_prefix(DAILY.chart, date(2026, 3, 5))}notes.txt"] = b""

    assert newest(zone) is None


def test_today_counts_but_a_date_still_to_come_does_not_make_a_chart_look_fresh(zone: Zone) -> None:
    zone.hold(document(chart_date=date(2026, 3, 4)))
    for mistaken in (date(2026, 3, 7), date(2026, 12, 31), date(2027, 3, 5)):
        zone.hold(document(chart_date=mistaken))
    assert newest(zone) == date(2026, 3, 4)
    zone.hold(document(chart_date=NOW.date()))
    assert newest(zone) == NOW.date()


def test_a_file_that_a_person_brought_is_as_fresh_as_a_poll(zone: Zone) -> None:
    zone.hold(document(provider="charts_csv"))

    assert newest(zone) == date(2026, 3, 5)


def test_a_date_of_which_only_parts_or_nothing_usable_is_held_is_not_held(zone: Zone) -> None:
    zone.hold(document(chart_date=date(2026, 3, 3)))
    zone.hold(document(chart_date=date(2026, 3, 4), partial=True))
    zone.store.objects[document(chart_date=date(2026, 3, 5)).key] = b"damaged"
    assert newest(zone) == date(2026, 3, 3)
    zone.hold(document(chart_date=date(2026, 3, 4), provider="charts_csv"))
    assert newest(zone) == date(2026, 3, 4)


def test_a_date_that_was_withdrawn_is_not_held_whatever_else_is_there(zone: Zone) -> None:
    zone.hold(document(chart_date=date(2026, 3, 3)))
    zone.hold(document(chart_date=date(2026, 3, 4)))
    zone.hold(document(chart_date=date(2026, 3, 4), withdrawal=True, observed_at=NOW - timedelta(hours=1)))

    assert newest(zone) == date(2026, 3, 3)
    zone.hold(document(chart_date=date(2026, 3, 4), provider="operator", observed_at=NOW))
    assert newest(zone) == date(2026, 3, 4)


def test_one_listing_and_one_document_tell_it(zone: Zone) -> None:
    for day in range(1, 6):
        zone.hold(document(chart_date=date(2026, 3, day)))
    read: list[str] = []
    zone.store.before_read = read.append

    assert newest(zone) == date(2026, 3, 5)
    assert len(read) == 1


# As the Lambda runtime calls it


@dataclass
class Context:
    milliseconds: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@dataclass
class Function:
    """The deployed function: its environment, bucket, parameter and Spotify, and what it logs."""

    spotify: SpotifyStandIn
    s3: S3Client
    log: io.StringIO

    def __call__(self, sent: object = None, *, context: Context | None = None) -> dict[str, Any]:
        """The runtime's way: JSON in, JSON out."""
        given = event("schedule_daily_chart") if sent is None else sent
        answered = handler(json.loads(json.dumps(given)), context or Context())
        result: dict[str, Any] = json.loads(json.dumps(answered))
        return result

    def lines(self) -> list[dict[str, Any]]:
        """The project's own log lines; moto has some of its own."""
        logged = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in logged if line["logger"] in ("extract", "spotify")]

    def keys(self, prefix: str = RAW_PREFIX) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    @property
    def memory(self) -> RateLimitMemory:
        return RateLimitMemory(S3Store(self.s3, BUCKET), "web_api")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What goes to the process's log, with the root logger as the Lambda runtime leaves it: one handler."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    formatters = [(handler, handler.formatter) for handler in handlers]
    stream = io.StringIO()
    root.handlers = [logging.StreamHandler(stream)]
    yield stream
    root.handlers = handlers
    for each, formatter in formatters:
        each.setFormatter(formatter)
    root.setLevel(level)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> Iterator[Function]:
    with SpotifyStandIn() as spotify, mock_aws():
        for name, value in {
            "STAGE": "dev",
            "RAW_BUCKET": BUCKET,
            "SPOTIFY_CREDENTIALS_PARAMETER": PARAMETER,
            "SPOTIFY_ENDPOINT": spotify.url,
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("LOG_LEVEL", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        credentials = Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        write_credentials(boto3.client("ssm"), PARAMETER, credentials)
        yield Function(spotify, s3, log)


def test_a_poll_stores_the_chart_and_the_next_one_finds_it_held(function: Function) -> None:
    first = function()
    calls = len(function.spotify.requests())
    second = function()

    assert (first["outcome"], first["chart"], first["calls"]) == ("stored", DAILY.chart, calls)
    assert function.keys() == [first["raw_key"]]
    body = function.s3.get_object(Bucket=BUCKET, Key=first["raw_key"])["Body"].read()
    assert decode(body, key=first["raw_key"], model=RawDocument).chart_date.isoformat() == first["chart_date"]
    assert (second["outcome"], second["raw_key"], second["calls"]) == ("held", first["raw_key"], 0)
    assert len(function.spotify.requests()) == calls


def test_each_poll_leaves_one_line_of_json_with_its_result(function: Function) -> None:
    result = function()

    [line] = function.lines()
    assert (line["level"], line["message"], line["result"]) == ("INFO", "poll", result)
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None


def test_a_rate_limit_is_recorded_and_the_invocation_succeeds(function: Function) -> None:
    function.spotify.fail(Fault(FaultKind.QUOTA_EXCEEDED, retry_after=48_925))

    result = function()

    assert (result["outcome"], result["retry_after_seconds"]) == ("rate_limited", 48_925.0)
    assert "13 h 35 min" in result["message"]
    assert function.keys() == []
    assert [line["level"] for line in function.lines()] == ["WARNING"]


# The memory of rate limits


def test_after_six_hours_of_retry_after_no_poll_calls_spotify_or_looks_at_the_credentials_before_the_time_is_over(
    function: Function,
) -> None:
    function.spotify.fail(Fault(FaultKind.RATE_LIMITED, retry_after=21_600))
    began = datetime.now(UTC)
    first = function()
    calls = len(function.spotify.requests())
    boto3.client("ssm").delete_parameter(Name=PARAMETER)

    second, weekly = function(), function(event("schedule_weekly_chart"))

    assert calls == first["calls"] == 2, "the token and the one call that was refused: nothing is asked again"
    assert len(function.spotify.requests()) == calls
    for blocked in (second, weekly):
        assert (blocked["outcome"], blocked["calls"]) == ("rate_limited", 0)
        assert 21_590 < blocked["retry_after_seconds"] <= 21_601
    until = function.memory.state().until
    assert until is not None
    assert timedelta(0) <= until - began - timedelta(hours=6) < timedelta(seconds=30)
    assert f"not asked before {until:%Y-%m-%d %H:%M:%S} UTC (5 h 59 min" in second["message"] or (
        f"not asked before {until:%Y-%m-%d %H:%M:%S} UTC (6 h 0 min" in second["message"]
    )
    assert [line["level"] for line in function.lines()] == ["WARNING"] * 3


def test_the_poll_that_meets_the_limit_says_until_when_it_holds(function: Function) -> None:
    function.spotify.fail(Fault(FaultKind.RATE_LIMITED, retry_after=21_600))

    message = function()["message"]

    told = re.search(r"Spotify asks to wait 6 h 0 min, until (\S+ \S+) UTC: nothing is lost", message)
    assert told, message
    until = datetime.strptime(told[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert abs(until - datetime.now(UTC) - timedelta(hours=6)) < timedelta(seconds=30)


def test_a_poll_after_the_time_is_over_calls_again(function: Function) -> None:
    function.memory.remember(
        RateLimited("x", retry_after=60, quota_exceeded=True), now=datetime.now(UTC) - timedelta(seconds=61)
    )

    assert function()["outcome"] == "stored"


def test_a_held_date_is_held_while_calls_are_blocked_and_asks_nothing_of_the_memory(function: Function) -> None:
    function()
    function.s3.put_object(Bucket=BUCKET, Key=state_key("web_api"), Body=b"damaged")

    assert function()["outcome"] == "held"
    function.s3.delete_object(Bucket=BUCKET, Key=state_key("web_api"))
    function.memory.remember(RateLimited("x", retry_after=3600, quota_exceeded=False), now=datetime.now(UTC))
    assert function()["outcome"] == "held"


def test_a_damaged_memory_stops_no_poll_and_the_log_says_so(function: Function) -> None:
    function.s3.put_object(Bucket=BUCKET, Key=state_key("web_api"), Body=b"damaged")

    assert function()["outcome"] == "stored"
    assert "the memory of rate limits is not readable" in function.log.getvalue()


def test_the_calls_of_every_poll_are_counted_also_of_one_that_meets_a_wall(function: Function) -> None:
    stored = function()
    function.spotify.fail(Fault(FaultKind.FORBIDDEN))
    with pytest.raises(AccessForbidden):
        function(event("schedule_weekly_chart"))

    counted = function.memory.state().calls_of_past_day(now=datetime.now(UTC))
    assert counted == len(function.spotify.requests()) > stored["calls"]


def test_what_is_remembered_does_not_expire_with_spotifys_documents(function: Function) -> None:
    function()

    tags = function.s3.get_object_tagging(Bucket=BUCKET, Key=state_key("web_api"))["TagSet"]
    assert tags == []


def test_a_wait_counts_from_the_answer_that_asked_for_it_not_from_the_beginning_of_the_run(zone: Zone) -> None:
    clock = iter([NOW, NOW + timedelta(minutes=10), NOW + timedelta(minutes=10)])
    memory = RateLimitMemory(zone.store, "web_api")
    zone.source.answer = RateLimited("wait", retry_after=60, quota_exceeded=False)
    limited = LimitedSource(lambda: zone.source, memory, clock=lambda: next(clock))

    with pytest.raises(RateLimited):
        limited.fetch(DAILY, now=NOW, budget=Budget(max_calls=10, seconds_left=lambda: 60.0))

    assert memory.state().until == NOW + timedelta(minutes=11)


def test_a_playlist_that_is_closed_is_served_by_the_public_charts_and_both_are_told(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    function.spotify.fail(Fault(FaultKind.NOT_FOUND, path="^/v1/", times=None))

    result = function(event("schedule_with_fallback"))

    assert result["outcome"] == "stored"
    assert "-public_charts-" in result["raw_key"]
    assert "stored from public_charts" in result["message"]
    assert "playlist did not serve it: regional-global-weekly (playlist 37i9" in result["message"]
    assert result["calls"] == len(function.spotify.requests()) == 3
    assert [line["level"] for line in function.lines()] == ["WARNING", "INFO"]
    assert values(capsys.readouterr().out)["SpotifyRequests"] == 3
    (tag,) = function.s3.get_object_tagging(Bucket=BUCKET, Key=result["raw_key"])["TagSet"]
    assert (tag["Key"], tag["Value"]) == ("retention", "spotify")


def test_the_public_charts_are_polled_without_credentials_and_without_spotipy(function: Function) -> None:
    boto3.client("ssm").delete_parameter(Name=PARAMETER)

    result = function({"chart": "regional-global-weekly", "period": "weekly", "providers": ["public_charts"]})

    assert (result["outcome"], result["calls"]) == ("stored", 1)
    assert [call.path for call in function.spotify.requests()] == ["/public/v0/charts"]


def test_a_wall_fails_the_invocation_with_one_line_and_no_traceback_in_the_log(function: Function) -> None:
    function.spotify.fail(Fault(FaultKind.FORBIDDEN))

    with pytest.raises(AccessForbidden) as caught:
        function()

    [line] = function.lines()
    assert (line["level"], line["error"], line["message"]) == ("ERROR", "AccessForbidden", str(caught.value))
    assert "Traceback" not in function.log.getvalue()
    assert function.keys() == []


def test_missing_credentials_are_named_with_the_command_for_this_stage(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOTIFY_CREDENTIALS_PARAMETER", "/other")

    with pytest.raises(CredentialsMissing, match=r"/other: run `etl credentials --stage dev`"):
        function()

    assert function.spotify.requests() == ()


def test_a_held_date_needs_no_credentials(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    function()
    boto3.client("ssm").delete_parameter(Name=PARAMETER)

    assert function()["outcome"] == "held"


def test_a_bad_event_fails_with_what_is_wrong_in_it(function: Function) -> None:
    with pytest.raises(ConfigurationError, match="unknown field `playlist`"):
        function(event("schedule_unknown_field"))

    assert [line["error"] for line in function.lines()] == ["ConfigurationError"]
    with pytest.raises(InvalidChart):
        function(event("schedule_daily_chart") | {"chart": "../escape"})


@pytest.mark.parametrize("name", ["STAGE", "RAW_BUCKET", "SPOTIFY_CREDENTIALS_PARAMETER"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_or_empty_setting_is_named(
    function: Function, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    monkeypatch.delenv(name)
    if value is not None:
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=rf"`(\$\.)?{name}`"):
        function()


@pytest.mark.parametrize(("name", "value"), [("LOG_LEVEL", "LOUD"), ("SPOTIFY_ENDPOINT", "http://spotify.example")])
def test_a_setting_that_cannot_be_is_named(
    function: Function, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=f"{name} is '{value}'"):
        function()


def test_a_function_near_its_end_makes_no_call(function: Function) -> None:
    with pytest.raises(SourceUnavailable, match="the time of this run is used up"):
        function(context=Context(milliseconds=5_500))

    assert function.spotify.requests() == ()


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_log_line_holds_a_secret_at_any_level(
    function: Function, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    for name in ("spotipy", "botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    monkeypatch.setenv("LOG_LEVEL", level)
    function.spotify.fail(Fault(FaultKind.UNAUTHORIZED))

    function()

    logged = function.log.getvalue()
    assert logged
    for secret in (CLIENT_SECRET, "Bearer", "Basic ", "access_token"):
        assert secret not in logged


def test_spotipy_is_not_imported_until_there_is_something_to_fetch() -> None:
    check = "import sys, lambdas.extract.handler; sys.exit('spotipy' in sys.modules or 'redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=REPOSITORY, check=False, timeout=60).returncode == 0


def test_spotipy_is_not_imported_while_calls_are_blocked(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    function.memory.remember(RateLimited("x", retry_after=3600, quota_exceeded=False), now=datetime.now(UTC))
    monkeypatch.setitem(sys.modules, "lambdas.core.adapters.spotify", None)  # an import of it fails from here on

    assert function()["outcome"] == "rate_limited"


# Metrics


def test_a_poll_measures_its_calls_and_the_age_of_the_chart_once(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    result = function()

    measured = values(capsys.readouterr().out)
    age = chart_age_hours(date.fromisoformat(result["chart_date"]), now=datetime.now(UTC))
    assert measured == {
        "SpotifyRequests": result["calls"],
        "RateLimited": 0,
        "ChartAgeHours": pytest.approx(age, abs=0.05),
    }
    assert result["calls"] > 0


def test_a_metric_is_of_the_stage_and_the_age_of_the_chart_too(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    function()

    assert {one.name: dict(one.dimensions) for one in emitted(capsys.readouterr().out)} == {
        "SpotifyRequests": {"stage": "dev"},
        "RateLimited": {"stage": "dev"},
        "ChartAgeHours": {"stage": "dev", "chart": DAILY.chart},
    }


def test_a_poll_of_a_held_date_tells_its_age_again(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    function()
    capsys.readouterr()

    assert function()["outcome"] == "held"
    measured = values(capsys.readouterr().out)
    assert measured["SpotifyRequests"] == 0
    assert measured["ChartAgeHours"] >= 0


def test_a_rate_limited_poll_says_so_and_how_old_the_chart_has_become(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    old = datetime.now(UTC).date() - timedelta(days=3)
    held = document(chart_date=old)
    function.s3.put_object(Bucket=BUCKET, Key=held.key, Body=encode(held))
    function.spotify.fail(Fault(FaultKind.QUOTA_EXCEEDED, retry_after=48_925))

    assert function()["outcome"] == "rate_limited"
    measured = values(capsys.readouterr().out)
    assert measured["RateLimited"] == 1
    assert measured["SpotifyRequests"] > 0
    assert 48 <= measured["ChartAgeHours"] < 72


def test_while_calls_are_blocked_each_poll_says_rate_limited_and_no_requests(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    function.spotify.fail(Fault(FaultKind.QUOTA_EXCEEDED, retry_after=48_925))
    function()
    capsys.readouterr()

    for _ in range(2):
        assert function()["outcome"] == "rate_limited"
        measured = values(capsys.readouterr().out)
        assert (measured["RateLimited"], measured["SpotifyRequests"]) == (1, 0)


def test_a_poll_that_meets_a_wall_measures_all_the_same(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    old = datetime.now(UTC).date() - timedelta(days=3)
    held = document(chart_date=old)
    function.s3.put_object(Bucket=BUCKET, Key=held.key, Body=encode(held))
    function.spotify.fail(Fault(FaultKind.FORBIDDEN))

    with pytest.raises(AccessForbidden):
        function()

    measured = values(capsys.readouterr().out)
    assert measured.keys() == {"SpotifyRequests", "RateLimited", "ChartAgeHours"}
    assert measured["RateLimited"] == 0
    assert measured["SpotifyRequests"] > 0
    assert 48 <= measured["ChartAgeHours"] < 72


def test_where_nothing_is_held_there_is_no_age_so_that_its_absence_alarms(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    function.spotify.fail(Fault(FaultKind.FORBIDDEN))

    with pytest.raises(AccessForbidden):
        function()

    assert values(capsys.readouterr().out).keys() == {"SpotifyRequests", "RateLimited"}


def test_an_age_that_cannot_be_told_fails_no_poll_and_is_an_error_in_the_log(
    function: Function, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TimeoutError("S3 does not answer")

    monkeypatch.setattr(module, "newest_held", broken)

    assert function()["outcome"] == "stored"
    assert values(capsys.readouterr().out).keys() == {"SpotifyRequests", "RateLimited"}
    [error] = [line for line in function.lines() if line["level"] == "ERROR"]
    assert (error["message"], error["chart"]) == ("the age of the chart cannot be told", DAILY.chart)
    assert "S3 does not answer" in error["exception"]


# How long a user's sign-in lasts


def sign_in(authorized: timedelta | None) -> None:
    """Somebody has signed in so long ago; None: it is not known when."""
    write_credentials(
        boto3.client("ssm"),
        PARAMETER,
        Credentials(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            refresh_token=REFRESH_TOKEN,
            authorized_at=None if authorized is None else datetime.now(UTC) - authorized,
        ),
    )


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parameters that are read from SSM."""
    read: list[str] = []

    def counted(client: Any, name: str, *, stage: str) -> Credentials:
        read.append(name)
        return read_credentials(client, name, stage=stage)

    monkeypatch.setattr(module, "read_credentials", counted)
    return read


def test_a_poll_as_a_user_measures_how_long_the_sign_in_lasts_and_reads_the_credentials_once(
    function: Function, capsys: pytest.CaptureFixture[str], reads: list[str]
) -> None:
    sign_in(timedelta(days=170))

    assert function()["outcome"] == "stored"

    [left] = [one for one in emitted(capsys.readouterr().out) if one.name == "RefreshTokenDaysLeft"]
    # Six months are 181 to 184 days.
    assert 10.9 <= left.value <= 14
    assert dict(left.dimensions) == {"stage": "dev"}
    assert reads == [PARAMETER]


def test_a_poll_of_a_held_date_measures_it_too_with_one_read(
    function: Function, capsys: pytest.CaptureFixture[str], reads: list[str]
) -> None:
    function()
    sign_in(timedelta(days=1))
    capsys.readouterr()
    reads.clear()

    assert function()["outcome"] == "held"

    assert 179 < values(capsys.readouterr().out)["RefreshTokenDaysLeft"] < 184
    assert reads == [PARAMETER]


def test_a_sign_in_that_is_over_fails_the_poll_with_its_remedy_and_measures_0_days(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in(timedelta(days=200))
    function.spotify.fail(Fault(FaultKind.INVALID_GRANT, times=None))

    with pytest.raises(AuthorizationExpired, match="`etl login --stage dev`"):
        function()

    assert values(capsys.readouterr().out)["RefreshTokenDaysLeft"] == 0
    assert [line["error"] for line in function.lines()] == ["AuthorizationExpired"]


@pytest.mark.parametrize("signed_in", ["nobody", "not known when"])
def test_where_nothing_tells_how_long_a_sign_in_lasts_there_is_no_value(
    function: Function, capsys: pytest.CaptureFixture[str], signed_in: str
) -> None:
    if signed_in != "nobody":
        sign_in(None)

    assert function()["outcome"] == "stored"

    assert "RefreshTokenDaysLeft" not in values(capsys.readouterr().out)


def test_credentials_that_cannot_be_read_are_asked_for_once_and_fail_no_poll_of_a_held_date(
    function: Function, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    def denied(*_: object, **__: object) -> None:
        reads.append("denied")
        raise ConfigurationError("reading the Spotify credentials is denied")

    function()
    sign_in(timedelta(days=1))
    monkeypatch.setattr(module, "read_credentials", denied)
    capsys.readouterr()
    reads.clear()

    assert function()["outcome"] == "held"
    assert function.lines()[-2]["reason"] == "reading the Spotify credentials is denied"
    assert reads == ["denied"]
    with pytest.raises(ConfigurationError, match="is denied"):
        function(event("schedule_weekly_chart"))
    assert reads == ["denied", "denied"]
    assert "RefreshTokenDaysLeft" not in {one.name for one in emitted(capsys.readouterr().out)}


def test_no_log_line_of_a_poll_as_a_user_holds_a_secret(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("spotipy", "botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    sign_in(timedelta(days=1))
    function.spotify.fail(Fault(FaultKind.UNAUTHORIZED))

    function()

    logged = function.log.getvalue()
    assert logged
    for secret in (CLIENT_SECRET, REFRESH_TOKEN, "Bearer", "Basic ", "access_token", "refresh_token"):
        assert secret not in logged


# Logs


def test_a_log_line_is_json_whatever_its_fields_hold(log: io.StringIO) -> None:
    configure_logs("INFO")
    extra = {"when": date(2026, 3, 5), "odd": object, "lines": "a\nb", "name_": "ö"}
    try:
        raise ValueError("of no kind")
    except ValueError:
        logging.getLogger("a.b").exception("it %s", "broke", extra=extra)

    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["level"], line["logger"], line["message"], line["when"]) == ("ERROR", "a.b", "it broke", "2026-03-05")
    assert line["lines"] == "a\nb"
    assert "ValueError: of no kind" in line["exception"]


def test_the_runtimes_own_log_handler_is_kept(log: io.StringIO) -> None:
    before = list(logging.getLogger().handlers)
    configure_logs("WARNING")
    configure_logs("WARNING")

    assert logging.getLogger().handlers == before
    assert isinstance(before[0].formatter, JsonFormatter)
    logging.getLogger("x").info("not shown")
    assert log.getvalue() == ""


def test_debug_is_for_the_projects_own_lines_not_for_libraries_that_log_secrets(log: io.StringIO) -> None:
    names = ("spotipy.client", "spotipy.oauth2", "botocore.parsers", "urllib3.connectionpool")
    for name in names:
        logging.getLogger(name.partition(".")[0]).setLevel(logging.NOTSET)
    configure_logs("DEBUG")

    for name in (*names, "lambdas.extract"):
        logging.getLogger(name).debug("a secret, or not")

    assert [json.loads(line)["logger"] for line in log.getvalue().splitlines()] == ["lambdas.extract"]
