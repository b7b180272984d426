"""Consent, codes and tokens of the stand-in: a user's way in."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET, CODE_SECONDS, REFRESH_TOKEN, Accounts
from local.spotify.errors import OAuthRefusal
from local.spotify.faults import Fault, FaultKind
from local.spotify.playlists import OWN_PLAYLIST
from local.spotify.server import SpotifyStandIn

CALLBACK = "http://127.0.0.1:8912/callback"
ASKED = {"client_id": CLIENT_ID, "response_type": "code", "redirect_uri": CALLBACK, "state": "my state"}


def consent(stand_in: SpotifyStandIn, **changed: str) -> requests.Response:
    return requests.get(f"{stand_in.url}/authorize", params={**ASKED, **changed}, allow_redirects=False, timeout=5)


def brought_back(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 302
    parts = urlsplit(answer.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == CALLBACK
    return {name: value for name, (value,) in parse_qs(parts.query).items()}


def exchange(stand_in: SpotifyStandIn, secret: str = CLIENT_SECRET, **form: str) -> tuple[int, dict[str, Any]]:
    answer = requests.post(f"{stand_in.url}/api/token", data=form, auth=(CLIENT_ID, secret), timeout=5)
    return answer.status_code, answer.json()


def of_code(stand_in: SpotifyStandIn, code: str, redirect_uri: str = CALLBACK) -> tuple[int, dict[str, Any]]:
    return exchange(stand_in, grant_type="authorization_code", code=code, redirect_uri=redirect_uri)


def read(stand_in: SpotifyStandIn, access_token: str, path: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {access_token}"}
    return requests.get(f"{stand_in.url}/v1/playlists/{path}", headers=headers, timeout=5)


def test_consent_sends_the_browser_back_with_the_state_and_a_code_that_buys_the_users_tokens_once(
    stand_in: SpotifyStandIn,
) -> None:
    back = brought_back(consent(stand_in))
    assert back["state"] == "my state"

    status, tokens = of_code(stand_in, back["code"])

    assert (status, tokens["token_type"], tokens["expires_in"]) == (200, "Bearer", 3600)
    assert set(tokens["scope"].split()) == {"playlist-read-private", "playlist-read-collaborative"}
    assert of_code(stand_in, back["code"]) == (
        400,
        {"error": "invalid_grant", "error_description": "Invalid authorization code"},
    )
    refreshed = exchange(stand_in, grant_type="refresh_token", refresh_token=tokens["refresh_token"])[1]
    assert "refresh_token" not in refreshed
    for token in (tokens["access_token"], refreshed["access_token"]):
        assert read(stand_in, token, f"{OWN_PLAYLIST.id}/items").status_code == 200


def test_every_sign_in_gives_another_refresh_token(stand_in: SpotifyStandIn) -> None:
    given = {of_code(stand_in, brought_back(consent(stand_in))["code"])[1]["refresh_token"] for _ in range(3)}
    assert len(given) == 3


def test_a_code_is_good_only_for_the_redirect_uri_and_the_app_it_was_given_for(stand_in: SpotifyStandIn) -> None:
    for spoilt in ({"redirect_uri": f"{CALLBACK}/"}, {"redirect_uri": ""}):
        code = brought_back(consent(stand_in))["code"]
        assert of_code(stand_in, code, **spoilt)[1]["error_description"] == "Invalid redirect URI"
        assert of_code(stand_in, code)[1]["error"] == "invalid_grant", "a code is used up by a wrong try"
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    form["code"] = brought_back(consent(stand_in))["code"]
    assert exchange(stand_in, "wrong", **form)[1]["error"] == "invalid_client"
    assert of_code(stand_in, "made-up")[1]["error"] == "invalid_grant"


def test_a_code_runs_out_after_ten_minutes() -> None:
    now = [0.0]
    accounts = Accounts(lambda: now[0])
    form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": CALLBACK}
    form["grant_type"] = "authorization_code"
    for age, good in ((CODE_SECONDS - 1, True), (CODE_SECONDS, False)):
        code = parse_qs(urlsplit(accounts.consent(ASKED, denied=False)).query)["code"][0]
        now[0] += age
        if good:
            assert "refresh_token" in accounts.token({**form, "code": code}, authorization="", expired=False)
        else:
            with pytest.raises(OAuthRefusal, match="Invalid authorization code"):
                accounts.token({**form, "code": code}, authorization="", expired=False)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"client_id": "another"}, "Invalid client"),
        ({"redirect_uri": "http://localhost:8912/callback"}, "Insecure redirect URI"),
        ({"redirect_uri": "http://192.168.0.7/callback"}, "Insecure redirect URI"),
        ({"redirect_uri": "http://127.0.0.1.example.com/callback"}, "Insecure redirect URI"),
        ({"redirect_uri": "http://127.0.0.1/callback\r\nSet-Cookie: a=b"}, "Insecure redirect URI"),
        ({"redirect_uri": "http://["}, "Insecure redirect URI"),
        ({"redirect_uri": ""}, "Insecure redirect URI"),
        ({"response_type": "token"}, "response_type"),
    ],
)
def test_a_request_that_spotify_would_not_serve_stays_on_its_page(
    stand_in: SpotifyStandIn, changed: dict[str, str], says: str
) -> None:
    answer = consent(stand_in, **changed)
    assert answer.status_code == 400
    assert says in answer.text
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "redirect_uri", ["https://example.com/cb", "http://[::1]:9/callback", "http://127.0.0.1/callback"]
)
def test_what_an_app_may_register_is_sent_back_to(stand_in: SpotifyStandIn, redirect_uri: str) -> None:
    answer = consent(stand_in, redirect_uri=redirect_uri)
    assert answer.headers["Location"].startswith(f"{redirect_uri}?code=")


def test_a_user_who_does_not_consent_sends_the_browser_back_without_a_code(stand_in: SpotifyStandIn) -> None:
    stand_in.fail(Fault(FaultKind.ACCESS_DENIED))
    assert brought_back(consent(stand_in)) == {"error": "access_denied", "state": "my state"}
    assert "code" in brought_back(consent(stand_in))


def test_an_expired_sign_in_is_refused_to_the_user_and_left_alone_is_the_app(stand_in: SpotifyStandIn) -> None:
    code = brought_back(consent(stand_in))["code"]
    stand_in.fail(Fault(FaultKind.INVALID_GRANT, times=None))
    expired = {"error": "invalid_grant", "error_description": "Refresh token expired"}
    assert exchange(stand_in, grant_type="refresh_token", refresh_token=REFRESH_TOKEN) == (400, expired)
    assert of_code(stand_in, code)[1]["error"] == "invalid_grant"
    assert exchange(stand_in, grant_type="client_credentials")[0] == 200
    stand_in.recover()
    assert exchange(stand_in, grant_type="refresh_token", refresh_token=REFRESH_TOKEN)[0] == 200


@pytest.mark.parametrize("refresh_token", ["dead", f"{REFRESH_TOKEN}-", f"{REFRESH_TOKEN}-{'g' * 32}", ""])
def test_a_refresh_token_it_never_gives_is_refused(stand_in: SpotifyStandIn, refresh_token: str) -> None:
    assert exchange(stand_in, grant_type="refresh_token", refresh_token=refresh_token)[1]["error"] == "invalid_grant"


@pytest.mark.parametrize("era", ["classic", "both", "2026"])
def test_the_users_own_playlist_is_closed_to_the_app_alone(stand_in: SpotifyStandIn, era: str) -> None:
    stand_in.set(era=era)
    app = exchange(stand_in, grant_type="client_credentials")[1]["access_token"]
    user = exchange(stand_in, grant_type="refresh_token", refresh_token=REFRESH_TOKEN)[1]["access_token"]
    assert read(stand_in, app, f"{OWN_PLAYLIST.id}/items").status_code == 403
    assert not {"items", "tracks"} & read(stand_in, app, OWN_PLAYLIST.id).json().keys()
    owned = read(stand_in, user, OWN_PLAYLIST.id).json()
    assert {"items", "tracks"} & owned.keys()
    assert (owned["owner"]["id"], owned["public"], owned["name"]) == ("local-user", False, "Road Trip")
    stand_in.set(non_owner=True)
    assert read(stand_in, user, f"{OWN_PLAYLIST.id}/items").status_code == 403


def test_no_code_or_token_is_in_the_log_of_calls(stand_in: SpotifyStandIn) -> None:
    code = brought_back(consent(stand_in))["code"]
    tokens = of_code(stand_in, code)[1]
    logged = repr(stand_in.requests())
    assert "/authorize" in logged
    for secret in (code, tokens["access_token"], tokens["refresh_token"], CLIENT_SECRET):
        assert secret not in logged
