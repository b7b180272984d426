"""What only a signed-in user may read, against the Spotify stand-in over loopback HTTP, from consent to the chart."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.spotify import WebApi, consent_link
from lambdas.core.documents import RawDocument
from lambdas.core.errors import AccessForbidden, AuthorizationExpired, RateLimited, SourceUnavailable
from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET
from local.spotify.faults import Fault, FaultKind
from tests.contract.sources import NOW, ROAD_TRIP, Situation, situation

CALLBACK = "http://127.0.0.1:1/callback"


@pytest.fixture
def given() -> Iterator[Situation]:
    with situation("playlist_of_user") as one:
        yield one


def fetch(given: Situation, credentials: Credentials) -> RawDocument:
    return given.fetch(given.playlist(credentials), ROAD_TRIP)


def consent(given: Situation) -> str:
    """The code with which the browser comes back, from the link that the product makes."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    link = consent_link(given.app, redirect_uri=CALLBACK, state="s", address=given.address)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
    with pytest.raises(urllib.error.HTTPError) as redirect, opener.open(link, timeout=10):
        pass
    (code,) = parse_qs(urlsplit(redirect.value.headers["Location"]).query)["code"]
    return code


def api(given: Situation) -> WebApi:
    return WebApi(
        given.app, given.budget, stage="dev", address=given.address, sleep=given.clock.sleep, jitter=lambda: 1.0
    )


def test_a_users_own_playlist_is_forbidden_to_the_app_alone_with_the_command_that_signs_in(given: Situation) -> None:
    with pytest.raises(AccessForbidden, match=r"road-trip .*403.*sign in as its owner with `etl login --stage dev`"):
        fetch(given, given.app)


def test_someone_elses_playlist_is_forbidden_to_a_signed_in_user_too_and_not_for_want_of_a_sign_in(
    given: Situation,
) -> None:
    given.spotify.set(non_owner=True)

    with pytest.raises(AccessForbidden, match="the user who is signed in does neither with this one"):
        fetch(given, given.user)


def test_a_sign_in_from_consent_to_the_chart_leaves_no_secret_in_the_document(given: Situation) -> None:
    code = consent(given)
    token = api(given).sign_in(code, redirect_uri=CALLBACK)

    document = fetch(
        given, Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=token, authorized_at=NOW)
    )

    kept = json.dumps([json.loads(bytes(answer)) for answer in document.answers]) + document.origin + document.key
    for secret in (code, token, CLIENT_SECRET):
        assert secret not in kept


def test_a_code_that_was_used_asks_for_a_new_sign_in(given: Situation) -> None:
    code = consent(given)
    api(given).sign_in(code, redirect_uri=CALLBACK)

    with pytest.raises(AuthorizationExpired, match="etl login --stage dev"):
        api(given).sign_in(code, redirect_uri=CALLBACK)


def test_a_code_is_no_good_for_another_redirect_uri(given: Situation) -> None:
    with pytest.raises(AuthorizationExpired, match="Invalid redirect URI"):
        api(given).sign_in(consent(given), redirect_uri="http://127.0.0.1:2/callback")


def test_an_access_token_that_runs_out_between_two_pages_is_renewed_and_the_chart_is_whole(given: Situation) -> None:
    given.spotify.set(chart_size=120)
    untroubled = fetch(given, given.user)
    given.spotify.forget_requests()
    given.spotify.fail(Fault(FaultKind.SLOW, seconds=0.001), Fault(FaultKind.UNAUTHORIZED))

    assert fetch(given, given.user) == untroubled
    assert [call.path for call in given.spotify.requests()].count("/api/token") == 2


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
        fetch(given, given.user)

    assert "etl login" not in str(caught.value)
