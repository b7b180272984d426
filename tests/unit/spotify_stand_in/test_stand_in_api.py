"""What a client gets from a stand-in that behaves."""

from __future__ import annotations

import re
import time
from datetime import date, timedelta
from itertools import pairwise

import pytest
import requests
import spotipy  # type: ignore[import-untyped]
from spotipy.oauth2 import SpotifyOauthError  # type: ignore[import-untyped]

from lambdas.core.charts import SPOTIFY_CHARTS
from local.spotify.api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKEN_SECONDS, Api, Request
from local.spotify.catalogue import find_release
from local.spotify.model import SEED, chart
from local.spotify.payloads import Era
from local.spotify.playlists import PLAYLISTS, chart_date_on
from local.spotify.server import SpotifyStandIn
from local.spotify.settings import Settings
from tests.unit.spotify_stand_in.conftest import TODAY

DAILY = "37i9dQZEVXbMDoHDwVN2tF"
WEEKLY = "37i9dQZEVXbNG2KDcFcKOF"
LOST_IN_2026 = ("popularity", "available_markets", "followers")


def bearer(stand_in: SpotifyStandIn) -> dict[str, str]:
    answer = requests.post(
        f"{stand_in.url}/api/token",
        data={"grant_type": "client_credentials"},
        auth=(CLIENT_ID, CLIENT_SECRET),
        timeout=5,
    )
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def keys_of(value: object) -> set[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        return set(value).union(*(keys_of(each) for each in value.values()))
    if isinstance(value, list):
        return set().union(*(keys_of(each) for each in value))
    return set()


# Tokens


@pytest.mark.parametrize("grant", [{"grant_type": "client_credentials"},
                                   {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}])  # fmt: skip
def test_right_credentials_buy_an_hours_token(stand_in: SpotifyStandIn, grant: dict[str, str]) -> None:
    answer = requests.post(f"{stand_in.url}/api/token", data=grant, auth=(CLIENT_ID, CLIENT_SECRET), timeout=5)
    assert answer.status_code == 200
    given = answer.json()
    assert given["token_type"] == "Bearer"
    assert given["expires_in"] == TOKEN_SECONDS == 3600
    assert "refresh_token" not in given
    song = chart("regional-global-daily", TODAY)[0].song.id
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    assert requests.get(f"{stand_in.url}/v1/tracks/{song}", headers=headers, timeout=5).status_code == 200


def test_the_client_may_stand_in_the_form_instead_of_the_header(stand_in: SpotifyStandIn) -> None:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert requests.post(f"{stand_in.url}/api/token", data=form, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("auth", "form", "error"),
    [
        ((CLIENT_ID, "wrong"), {"grant_type": "client_credentials"}, "invalid_client"),
        (("wrong", CLIENT_SECRET), {"grant_type": "client_credentials"}, "invalid_client"),
        (None, {"grant_type": "client_credentials"}, "invalid_client"),
        ((CLIENT_ID, CLIENT_SECRET), {"grant_type": "refresh_token", "refresh_token": "dead"}, "invalid_grant"),
        ((CLIENT_ID, CLIENT_SECRET), {"grant_type": "refresh_token"}, "invalid_grant"),
        ((CLIENT_ID, CLIENT_SECRET), {"grant_type": "password"}, "unsupported_grant_type"),
        ((CLIENT_ID, CLIENT_SECRET), {}, "unsupported_grant_type"),
    ],
)
def test_wrong_credentials_buy_nothing(
    stand_in: SpotifyStandIn, auth: tuple[str, str] | None, form: dict[str, str], error: str
) -> None:
    answer = requests.post(f"{stand_in.url}/api/token", data=form, auth=auth, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"] == error


def test_spotipy_names_the_wrong_secret(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    client.auth_manager.client_secret = "wrong"
    with pytest.raises(SpotifyOauthError) as refused:
        client.playlist(DAILY)
    assert refused.value.error == "invalid_client"


@pytest.mark.parametrize(
    ("header", "status", "message"),
    [
        (None, 401, "No token provided"),
        ("Bearer never-given", 401, "Invalid access token"),
        ("Basic bG9jYWw=", 400, "Only valid bearer authentication supported"),
    ],
)
def test_a_call_without_a_good_token_is_refused(
    stand_in: SpotifyStandIn, header: str | None, status: int, message: str
) -> None:
    headers = {"Authorization": header} if header else {}
    answer = requests.get(f"{stand_in.url}/v1/playlists/{DAILY}", headers=headers, timeout=5)
    assert answer.status_code == status
    assert answer.json() == {"error": {"status": status, "message": message}}


def test_a_token_expires_after_its_hour() -> None:
    now = [0.0]
    api = Api("http://stand-in", Settings(today=TODAY), clock=lambda: now[0])
    form = f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}"
    token = re.search(rb'"access_token":"([^"]+)"', api.answer(Request("POST", "/api/token", {}, form.encode())).body)
    assert token is not None
    request = Request("GET", f"/v1/playlists/{DAILY}", {"authorization": f"Bearer {token[1].decode()}"})
    now[0] = 3599.0
    assert api.answer(request).status == 200
    now[0] = 3600.0
    expired = api.answer(request)
    assert expired.status == 401
    assert b"The access token expired" in expired.body


# Charts


def test_spotipy_reads_the_days_chart_in_its_order(client: spotipy.Spotify) -> None:
    page = client.playlist_items(DAILY)
    expected = chart("regional-global-daily", TODAY - timedelta(days=1))
    assert [entry["item"]["id"] for entry in page["items"]] == [entry.song.id for entry in expected]
    assert (page["total"], page["limit"], page["offset"], page["next"], page["previous"]) == (50, 50, 0, None, None)
    assert {entry["added_at"] for entry in page["items"]} == {"2026-11-22T00:00:00Z"}


def test_a_weekly_chart_is_stamped_with_the_friday_after_its_week(client: spotipy.Spotify) -> None:
    page = client.playlist_items(WEEKLY)
    expected = chart("regional-global-weekly", date(2026, 11, 19))
    assert [entry["item"]["id"] for entry in page["items"]] == [entry.song.id for entry in expected]
    assert {entry["added_at"] for entry in page["items"]} == {"2026-11-20T00:00:00Z"}


@pytest.mark.parametrize(
    ("today", "daily", "weekly"),
    [
        (date(2026, 11, 19), date(2026, 11, 18), date(2026, 11, 12)),  # a Thursday: this week has not ended
        (date(2026, 11, 20), date(2026, 11, 19), date(2026, 11, 19)),
        (date(2026, 11, 26), date(2026, 11, 25), date(2026, 11, 19)),
        (date(2026, 11, 27), date(2026, 11, 26), date(2026, 11, 26)),
    ],
)
def test_a_playlist_shows_the_newest_chart_due(today: date, daily: date, weekly: date) -> None:
    assert chart_date_on("regional-global-daily", today) == daily
    assert chart_date_on("regional-us-weekly", today) == weekly


def test_the_charts_the_project_knows_are_served_under_spotifys_own_ids() -> None:
    assert {known.playlist_id: known.chart for known in SPOTIFY_CHARTS}.items() <= {
        identity: playlist.chart for identity, playlist in PLAYLISTS.items()
    }.items()
    assert all(re.fullmatch("[0-9A-Za-z]{22}", identity) for identity in PLAYLISTS)


def test_another_day_brings_another_chart(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    before = [entry["item"]["id"] for entry in client.playlist_items(DAILY)["items"]]
    stand_in.set(today=date(2019, 3, 2))
    after = client.playlist_items(DAILY)["items"]
    assert {entry["added_at"] for entry in after} == {"2019-03-02T00:00:00Z"}
    assert [entry["item"]["id"] for entry in after] != before


def test_without_a_set_day_the_clocks_day_is_shown() -> None:
    api = Api("http://stand-in", Settings(), today=lambda: date(2026, 2, 3))
    form = f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}"
    token = re.search(rb'"access_token":"([^"]+)"', api.answer(Request("POST", "/api/token", {}, form.encode())).body)
    assert token is not None
    headers = {"authorization": f"Bearer {token[1].decode()}"}
    assert (
        b'"added_at":"2026-02-03T00:00:00Z"' in api.answer(Request("GET", f"/v1/playlists/{DAILY}/items", headers)).body
    )


@pytest.mark.parametrize("era", list(Era))
def test_an_entry_names_its_song_as_its_era_does(stand_in: SpotifyStandIn, client: spotipy.Spotify, era: Era) -> None:
    stand_in.set(era=era.value)
    keys = {Era.CLASSIC: {"track"}, Era.BOTH: {"track", "item"}, Era.DEVELOPMENT: {"item"}}[era]
    entries = client.playlist_items(DAILY)["items"]
    assert all(set(entry) & {"track", "item"} == keys for entry in entries)
    containers = {Era.CLASSIC: {"tracks"}, Era.BOTH: {"tracks", "items"}, Era.DEVELOPMENT: {"items"}}[era]
    playlist = client.playlist(DAILY)
    assert set(playlist) & {"tracks", "items"} == containers
    for container in containers:
        assert len(playlist[container]["items"]) == playlist[container]["total"] == 50
    if era is Era.BOTH:
        assert all(entry["item"] == entry["track"] for entry in entries)


@pytest.mark.parametrize("era", list(Era))
def test_development_mode_lost_popularity_markets_and_followers_and_kept_the_isrc(
    stand_in: SpotifyStandIn, client: spotipy.Spotify, era: Era
) -> None:
    stand_in.set(era=era.value)
    song = chart("regional-global-daily", TODAY - timedelta(days=1))[0].song
    answers = [
        client.playlist(DAILY),
        client.playlist_items(DAILY),
        client.track(song.id),
        client.album(song.album.id),
        client.artist(song.artists[0].id),
    ]
    present = keys_of(answers) & set(LOST_IN_2026)
    assert present == (set() if era is Era.DEVELOPMENT else set(LOST_IN_2026))
    assert client.track(song.id)["external_ids"] == {"isrc": song.isrc}


def test_no_answer_names_an_address_that_a_page_would_load(client: spotipy.Spotify, stand_in: SpotifyStandIn) -> None:
    stand_in.set(era="both")
    song = chart("regional-global-daily", TODAY - timedelta(days=1))[0].song
    for answer in (client.playlist(DAILY), client.album(song.album.id), client.artist(song.artists[0].id)):
        assert answer["images"] == []
        assert "scdn.co" not in repr(answer)


# Paging


@pytest.mark.parametrize(("size", "limit"), [(200, 50), (50, 20), (120, 50), (50, 50), (7, 3)])
def test_following_next_gives_every_song_once_and_in_order(
    stand_in: SpotifyStandIn, client: spotipy.Spotify, size: int, limit: int
) -> None:
    stand_in.set(chart_size=size)
    pages = [client.playlist_items(DAILY, limit=limit)]
    while pages[-1]["next"]:
        assert pages[-1]["next"].startswith(stand_in.url)
        pages.append(client.next(pages[-1]))
    songs = [entry["item"]["id"] for page in pages for entry in page["items"]]
    expected = chart("regional-global-daily", TODAY - timedelta(days=1), size=size)
    assert songs == [entry.song.id for entry in expected]
    assert all("additional_types=track%2Cepisode" in page["href"] for page in pages)
    for before, after in pairwise(pages):
        assert after["previous"] == before["href"]


def test_the_next_page_of_a_playlist_object_can_be_followed(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    stand_in.set(chart_size=200)
    for era, container, key in (("2026", "items", "item"), ("classic", "tracks", "track"), ("both", "items", "item")):
        stand_in.set(era=era)
        page = client.playlist(DAILY)[container]
        songs = [entry[key]["id"] for entry in page["items"]]
        while page["next"]:
            page = client.next(page)
            songs += [entry[key]["id"] for entry in page["items"]]
        assert len(set(songs)) == len(songs) == 200


def test_the_old_endpoint_takes_a_hundred_and_the_new_one_fifty(stand_in: SpotifyStandIn) -> None:
    stand_in.set(era="both", chart_size=200)
    headers = bearer(stand_in)

    def ask(endpoint: str, **query: int | str) -> requests.Response:
        address = f"{stand_in.url}/v1/playlists/{DAILY}/{endpoint}"
        return requests.get(address, params=query, headers=headers, timeout=5)

    assert len(ask("tracks", limit=100).json()["items"]) == 100
    assert len(ask("tracks").json()["items"]) == 100
    assert len(ask("items", limit=50).json()["items"]) == 50
    assert len(ask("items").json()["items"]) == 20
    for endpoint, limit in (("tracks", 101), ("items", 51), ("items", 0), ("items", "many")):
        refused = ask(endpoint, limit=limit)
        assert refused.status_code == 400
        assert refused.json()["error"]["message"] == "Invalid limit"
    assert ask("items", offset=-1).status_code == 400
    beyond = ask("items", offset=500).json()
    assert (beyond["items"], beyond["next"], beyond["total"]) == ([], None, 200)


def test_the_old_endpoint_is_forbidden_to_development_mode(stand_in: SpotifyStandIn) -> None:
    headers = bearer(stand_in)
    address = f"{stand_in.url}/v1/playlists/{DAILY}/tracks"
    assert requests.get(address, headers=headers, timeout=5).status_code == 403
    stand_in.set(era="classic")
    assert requests.get(address, headers=headers, timeout=5).status_code == 200


def test_a_parameter_it_would_ignore_is_refused(client: spotipy.Spotify) -> None:
    with pytest.raises(spotipy.SpotifyException, match="fields"):
        client.playlist_items(DAILY, fields="items(added_at)")


# Other people's playlists, unknown ids


def test_someone_elses_playlist_is_metadata_only(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    stand_in.set(non_owner=True)
    playlist = client.playlist(DAILY)
    assert playlist["name"] == "Top 50 - Global"
    assert "items" not in playlist
    assert "tracks" not in playlist
    with pytest.raises(spotipy.SpotifyException) as refused:
        client.playlist_items(DAILY)
    assert refused.value.http_status == 403


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("playlists/0000000000000000000000", 404, "Resource not found"),
        ("playlists/0000000000000000000000/items", 404, "Resource not found"),
        ("tracks/0000000000000000000000", 404, "Resource not found"),
        ("albums/0000000000000000000000", 404, "Resource not found"),
        ("artists/0000000000000000000000", 404, "Resource not found"),
        ("tracks/not-an-id", 400, "Invalid base62 id"),
        ("playlists/not-an-id/items", 400, "Invalid base62 id"),
        ("audio-features/0000000000000000000000", 404, "Service not found"),
    ],
)
def test_what_does_not_exist_is_refused_in_spotifys_words(
    stand_in: SpotifyStandIn, path: str, status: int, message: str
) -> None:
    answer = requests.get(f"{stand_in.url}/v1/{path}", headers=bearer(stand_in), timeout=5)
    assert answer.status_code == status
    assert answer.json() == {"error": {"status": status, "message": message}}


# Single objects


def test_every_song_album_and_artist_of_a_chart_can_be_looked_up(client: spotipy.Spotify) -> None:
    for entry in client.playlist_items(DAILY, limit=12)["items"]:
        track = client.track(entry["item"]["id"])
        assert {key: value for key, value in entry["item"].items() if key not in ("episode", "track")} == track
        album = client.album(track["album"]["id"])
        assert (album["name"], album["release_date"]) == (track["album"]["name"], track["album"]["release_date"])
        assert album["total_tracks"] == len(album["tracks"]["items"]) == album["tracks"]["total"]
        assert album["tracks"]["items"][track["track_number"] - 1]["id"] == track["id"]
        for credited in track["artists"]:
            artist = client.artist(credited["id"])
            assert (artist["name"], artist["uri"]) == (credited["name"], credited["uri"])


def test_a_compilation_credits_its_album_to_various_artists(client: spotipy.Spotify, stand_in: SpotifyStandIn) -> None:
    stand_in.set(today=date(2026, 12, 25))
    items = [entry["item"] for entry in client.playlist_items(DAILY)["items"]]
    compiled = [item for item in items if item["album"]["album_type"] == "compilation"]
    assert compiled
    for item in compiled:
        assert [artist["name"] for artist in item["album"]["artists"]] == ["Various Artists"]
        assert item["artists"][0]["name"] != "Various Artists"
        assert find_release(SEED, item["album"]["id"]) is not None
    assert client.artist(compiled[0]["album"]["artists"][0]["id"])["name"] == "Various Artists"


def test_calls_are_answered_without_a_pause(client: spotipy.Spotify) -> None:
    client.playlist_items(DAILY)
    began = time.perf_counter()
    for _ in range(20):
        client.playlist_items(DAILY, limit=1)
    # Head and body in two packets would cost about 45 ms a call on loopback.
    assert (time.perf_counter() - began) / 20 < 0.03
