"""What only a signed-in user may read, against the Spotify stand-in over loopback HTTP, from consent to the chart."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.playlist import PlaylistSource
from lambdas.core.adapters.spotify import SpotifyAddress, WebApi, consent_link
from lambdas.core.documents import RawDocument
from lambdas.core.errors import AccessForbidden, AuthorizationExpired, RateLimited, SourceUnavailable
from lambdas.core.sources import Budget, PolledChart
from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from local.spotify.faults import Fault, FaultKind
from local.spotify.model import chart
from local.spotify.playlists import OWN_PLAYLIST, chart_date_on
from local.spotify.server import SpotifyStandIn
from tests.polls import Clock

TODAY = date(2026, 3, 6)
NOW = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
APP = Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
USER = Credentials(
    client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN, authorized_at=NOW - timedelta(days=9)
)
ROAD_TRIP = PolledChart(
    chart="road-trip", period="daily", providers=("playlist",), playlist_id=OWN_PLAYLIST.id, dated_by="observation"
)
CALLBACK = "http://127.0.0.1:1/callback"


@dataclass
class Situation:
    """A stand-in, and a run's budget."""

    spotify: SpotifyStandIn
    clock: Clock = field(default_factory=Clock)
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(max_calls=40, seconds_left=lambda: self.clock.left)

    @property
    def address(self) -> SpotifyAddress:
        return SpotifyAddress.at(self.spotify.url)

    def fetch(self, credentials: Credentials) -> RawDocument:
        source = PlaylistSource(
            credentials, stage="dev", address=self.address, sleep=self.clock.sleep, jitter=lambda: 1.0
        )
        return source.fetch(ROAD_TRIP, now=NOW, budget=self.budget)

    def consent(self) -> str:
        """The code with which the browser comes back, from the link that the product makes."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: object) -> None:
                return None

        link = consent_link(APP, redirect_uri=CALLBACK, state="s", address=self.address)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
        with pytest.raises(urllib.error.HTTPError) as redirect, opener.open(link, timeout=10):
            pass
        (code,) = parse_qs(urlsplit(redirect.value.headers["Location"]).query)["code"]
        return code

    def api(self) -> WebApi:
        return WebApi(APP, self.budget, stage="dev", address=self.address, sleep=self.clock.sleep, jitter=lambda: 1.0)

    def songs(self, document: RawDocument) -> list[str]:
        pages = [json.loads(bytes(answer)) for answer in document.answers]
        return [entry["item"]["id"] for page in pages for entry in page["items"]]


@pytest.fixture
def given() -> Iterator[Situation]:
    with SpotifyStandIn() as spotify:
        spotify.set(today=TODAY)
        yield Situation(spotify)


def test_a_users_own_playlist_is_read_whole_by_the_user_who_signed_in(given: Situation) -> None:
    given.spotify.set(chart_size=120)

    document = given.fetch(USER)

    expected = chart(OWN_PLAYLIST.chart, chart_date_on(OWN_PLAYLIST.chart, TODAY), size=120)
    assert given.songs(document) == [entry.song.id for entry in expected]
    assert (document.chart, document.chart_date) == ("road-trip", TODAY)


def test_a_users_own_playlist_is_forbidden_to_the_app_alone_with_the_command_that_signs_in(given: Situation) -> None:
    with pytest.raises(AccessForbidden, match=r"road-trip .*403.*sign in as its owner with `etl login --stage dev`"):
        given.fetch(APP)


def test_someone_elses_playlist_is_forbidden_to_a_signed_in_user_too_and_not_for_want_of_a_sign_in(
    given: Situation,
) -> None:
    given.spotify.set(non_owner=True)

    with pytest.raises(AccessForbidden, match="the user who is signed in does neither with this one"):
        given.fetch(USER)


def test_a_sign_in_from_consent_to_the_chart_leaves_no_secret_in_the_document(given: Situation) -> None:
    code = given.consent()
    token = given.api().sign_in(code, redirect_uri=CALLBACK)

    document = given.fetch(
        Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=token, authorized_at=NOW)
    )

    kept = json.dumps([json.loads(bytes(answer)) for answer in document.answers]) + document.origin + document.key
    for secret in (code, token, CLIENT_SECRET):
        assert secret not in kept


def test_a_code_that_was_used_asks_for_a_new_sign_in(given: Situation) -> None:
    code = given.consent()
    given.api().sign_in(code, redirect_uri=CALLBACK)

    with pytest.raises(AuthorizationExpired, match="etl login --stage dev"):
        given.api().sign_in(code, redirect_uri=CALLBACK)


def test_a_code_is_no_good_for_another_redirect_uri(given: Situation) -> None:
    with pytest.raises(AuthorizationExpired, match="Invalid redirect URI"):
        given.api().sign_in(given.consent(), redirect_uri="http://127.0.0.1:2/callback")


def test_a_sign_in_that_is_over_is_one_call_and_one_remedy(given: Situation) -> None:
    given.spotify.fail(Fault(FaultKind.INVALID_GRANT, times=None))

    with pytest.raises(AuthorizationExpired, match=r"Refresh token expired.*`etl login --stage dev`"):
        given.fetch(USER)

    assert [call.path for call in given.spotify.requests()] == ["/api/token"]
    assert given.clock.waits == []


def test_an_access_token_that_runs_out_between_two_pages_is_renewed_and_the_chart_is_whole(given: Situation) -> None:
    given.spotify.set(chart_size=120)
    untroubled = given.fetch(USER)
    given.spotify.forget_requests()
    given.spotify.fail(Fault(FaultKind.SLOW, seconds=0.001), Fault(FaultKind.UNAUTHORIZED))

    assert given.fetch(USER) == untroubled
    assert [call.path for call in given.spotify.requests()].count("/api/token") == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.SERVER_ERROR, path="^/api/token"),
        Fault(FaultKind.CUT_OFF, path="^/api/token"),
        Fault(FaultKind.MALFORMED_JSON, path="^/api/token"),
        Fault(FaultKind.RATE_LIMITED, path="^/api/token", retry_after=2),
    ],
    ids=lambda fault: str(fault.kind),
)
def test_a_fault_of_the_token_endpoint_that_passes_leaves_no_trace(given: Situation, fault: Fault) -> None:
    untroubled = given.fetch(USER)
    given.spotify.fail(fault)

    assert given.fetch(USER) == untroubled
    assert given.budget.calls == len(given.spotify.requests())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(FaultKind.SERVER_ERROR, path="^/api/token", times=None), SourceUnavailable),
        (Fault(FaultKind.RATE_LIMITED, path="^/api/token", retry_after=21_600), RateLimited),
    ],
    ids=["503 for ever", "429 of hours"],
)
def test_a_fault_of_the_token_endpoint_that_lasts_is_no_expired_sign_in(
    given: Situation, fault: Fault, error: type[Exception]
) -> None:
    given.spotify.fail(fault)

    with pytest.raises(error) as caught:
        given.fetch(USER)

    assert "etl login" not in str(caught.value)
