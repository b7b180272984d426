"""The public_charts provider against answers that only a script can give, over loopback HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.adapters.calls import ATTEMPTS
from lambdas.core.adapters.public_charts import PUBLIC_CHARTS_ADDRESS, PublicChartsSource, address_at
from lambdas.core.documents import RawDocument, decode, encode
from lambdas.core.errors import (
    AccessForbidden,
    ChartNotFound,
    ConfigurationError,
    EmptyChart,
    InconsistentChart,
    RateLimited,
    SourceError,
    SourceUnavailable,
)
from lambdas.core.sources import Budget
from tests.documents import public_answer, public_chart, public_entries, public_entry
from tests.payloads import REPOSITORY
from tests.polls import PUBLIC, Clock
from tests.unit.test_playlist_source import Reply, ScriptedSpotify

NOW = datetime(2026, 3, 6, 9, 30, 12, 345678, tzinfo=UTC)
WHOLE = Reply(public_answer(public_entries()))


@dataclass
class Poller:
    spotify: ScriptedSpotify
    clock: Clock = field(default_factory=lambda: Clock(left=100.0))
    budget: Budget = field(init=False)

    def fetch(self, *replies: Reply) -> RawDocument:
        if replies:
            self.spotify.replies = list(replies)
        self.budget = Budget(max_calls=100, seconds_left=lambda: self.clock.left)
        source = PublicChartsSource(address=address_at(self.spotify.url), sleep=self.clock.sleep, jitter=lambda: 1.0)
        return source.fetch(PUBLIC, now=NOW, budget=self.budget)


@pytest.fixture
def poller() -> Iterator[Poller]:
    server = ScriptedSpotify()
    yield Poller(server)
    server.close()


# What is asked for, and what becomes of the answer


def test_one_call_without_a_token_gives_the_chart(poller: Poller) -> None:
    document = poller.fetch(WHOLE)

    assert (document.chart, document.period, document.provider) == (PUBLIC.chart, "weekly", "public_charts")
    assert document.chart_date == date(2026, 3, 5)
    assert document.observed_at == document.received_at == NOW.replace(microsecond=0)
    assert document.origin == f"{poller.spotify.url}/public/v0/charts"
    assert [(call.path, call.authorization) for call in poller.spotify.requests] == [("/public/v0/charts", "")]
    assert poller.budget.calls == 1


def test_the_answer_is_kept_whole_and_word_for_word(poller: Poller) -> None:
    sent = public_answer(public_entries()) | {"field of the future": [1.50, "\u2028", {"a": None}]}
    body = json.dumps(sent, indent=2).encode()

    document = poller.fetch(Reply(body))

    assert [json.loads(bytes(answer)) for answer in document.answers] == [sent]
    assert decode(encode(document), key=document.key, model=RawDocument) == document


def test_an_entry_in_netrc_sends_no_password(poller: Poller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    poller.fetch(WHOLE)

    assert [call.authorization for call in poller.spotify.requests] == [""]


def test_the_service_is_asked_without_importing_spotipy() -> None:
    check = "import sys, lambdas.core.adapters.public_charts; sys.exit('spotipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=REPOSITORY, check=False, timeout=60).returncode == 0


def test_the_service_is_spotifys_unless_something_stands_in_for_it() -> None:
    assert PUBLIC_CHARTS_ADDRESS == "https://charts-spotify-com-service.spotify.com/public/v0/charts"
    assert address_at("http://127.0.0.1:8080/") == "http://127.0.0.1:8080/public/v0/charts"
    with pytest.raises(ConfigurationError, match="SPOTIFY_ENDPOINT"):
        address_at("http://spotify.example")


# Walls


def with_dates(shown: str, latest: str) -> dict[str, Any]:
    answer = public_answer(public_entries())
    display = answer["chartEntryViewResponses"][1]["displayChart"]
    display["date"] = shown
    display["chartMetadata"]["dimensions"]["latestDate"] = latest
    return answer


def without(position: int) -> dict[str, Any]:
    return public_answer([entry for entry in public_entries() if entry["chartEntryData"]["currentRank"] != position])


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({"chartEntryViewResponses": []}, id="no charts"),
        pytest.param(public_answer([]), id="no entries"),
        pytest.param({"chartEntryViewResponses": [public_chart([]) | {"entries": None}]}, id="null entries"),
    ],
)
def test_an_empty_answer_fails_the_poll(poller: Poller, sent: dict[str, Any]) -> None:
    with pytest.raises(EmptyChart, match="never published.*next poll asks again.*etl import"):
        poller.fetch(Reply(sent))

    assert len(poller.spotify.requests) == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param({"total": 0, "tracks": []}, "not as the public charts service answers", id="another shape"),
        pytest.param([], "not as the public charts service answers", id="a list"),
        pytest.param({"chartEntryViewResponses": {}}, "Expected `array`", id="an object for the charts"),
        pytest.param(public_answer(public_entries(49)), "ends at place 49 of the 50", id="short"),
        pytest.param(public_answer([public_entry(1)] * 50), "position 1 is given twice", id="one place twice"),
        pytest.param(public_answer([{}]), "chartEntryData", id="entries of another shape"),
        pytest.param(with_dates("2026-03-05", "2026-03-12"), "tells two dates", id="two dates"),
        pytest.param(with_dates("", ""), "tells no date", id="no date"),
        pytest.param(with_dates("2026-03-07", ""), "is of 2026-03-07, which cannot be", id="a day to come"),
        pytest.param(with_dates("1970-01-01", ""), "is of 1970-01-01, which cannot be", id="before Spotify"),
        pytest.param(
            public_answer([public_entry(n) | {"trackMetadata": None} for n in range(1, 51)]),
            "none of its 50 places holds a song",
            id="no songs",
        ),
    ],
)
def test_an_answer_that_is_no_whole_chart_is_refused_without_a_second_try(
    poller: Poller, sent: object, said: str
) -> None:
    with pytest.raises(InconsistentChart, match=said) as caught:
        poller.fetch(Reply(sent))

    assert "the next poll asks again" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(poller.spotify.requests) == 1


def test_a_place_that_the_service_leaves_out_is_a_gap_as_in_official_files(poller: Poller) -> None:
    assert poller.fetch(Reply(without(17))).chart_date == date(2026, 3, 5)


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (401, AccessForbidden, "forbids it without a login"),
        (403, AccessForbidden, "forbids it without a login"),
        (404, ChartNotFound, "the service is not there any more"),
        (410, ChartNotFound, "the service is not there any more"),
        (400, SourceError, "which no retry mends"),
    ],
)
def test_each_refusal_has_its_error_and_what_to_do_instead(
    poller: Poller, status: int, error: type[SourceError], said: str
) -> None:
    with pytest.raises(
        error, match=f"{said}.*take `public_charts` out of the chart's providers, or `etl import`"
    ) as caught:
        poller.fetch(Reply(b"<html>\nno\n", status=status))

    assert type(caught.value) is error
    assert len(poller.spotify.requests) == 1


def test_a_redirect_is_not_followed(poller: Poller) -> None:
    with pytest.raises(SourceError, match="302"):
        poller.fetch(Reply(b"", status=302, headers={"Location": f"{poller.spotify.url}/login"}))

    assert [call.path for call in poller.spotify.requests] == ["/public/v0/charts"]


# Rate limits and faults that pass, by the same rules as the Web API's


def test_six_hours_of_retry_after_cost_no_wait_and_one_call(poller: Poller) -> None:
    with pytest.raises(RateLimited, match="6 h 0 min") as caught:
        poller.fetch(Reply(b"slow down", status=429, headers={"Retry-After": "21600"}))

    assert caught.value.retry_after == 21_600.0
    assert (poller.clock.waits, len(poller.spotify.requests)) == ([], 1)


def test_a_retry_after_inside_the_budget_is_waited_for(poller: Poller) -> None:
    poller.fetch(Reply(b"", status=429, headers={"Retry-After": "7"}), WHOLE)

    assert poller.clock.waits == [7.0]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Reply(b"", status=503), id="503"),
        pytest.param(Reply(b'{"chartEntryViewResponses": ['), id="malformed JSON"),
        pytest.param(Reply(b'{"chartEntryViewResponses": "\xff"}'), id="no UTF-8"),
        pytest.param(Reply(b'{"chartEntryViewResponses": "\\ud83d"}'), id="half a character"),
        pytest.param(Reply(b""), id="nothing"),
        pytest.param(Reply(WHOLE.body, promised=100), id="cut off"),
    ],
)
def test_a_passing_fault_is_asked_again_after_a_wait(poller: Poller, fault: Reply) -> None:
    assert len(poller.fetch(fault, fault, WHOLE).answers) == 1
    assert poller.clock.waits == [0.5, 1.0]


def test_a_lasting_fault_is_given_up_after_growing_waits_with_its_cause(poller: Poller) -> None:
    with pytest.raises(SourceUnavailable, match="it answers with broken JSON, at each of 5 attempts"):
        poller.fetch(Reply(b"{"))

    assert poller.clock.waits == [0.5, 1.0, 2.0, 4.0]
    assert len(poller.spotify.requests) == ATTEMPTS


@pytest.mark.timeout(20)
def test_a_silent_service_is_left_when_the_runs_time_is_up(poller: Poller) -> None:
    poller.clock.left = 1.2

    with pytest.raises(SourceUnavailable, match="did not answer in time"):
        poller.fetch(Reply(b"", silent=True))


def test_a_run_out_of_time_makes_no_call_at_all(poller: Poller) -> None:
    poller.clock.left = 0.5

    with pytest.raises(SourceUnavailable, match="the time of this run is used up"):
        poller.fetch(WHOLE)

    assert poller.spotify.requests == []
