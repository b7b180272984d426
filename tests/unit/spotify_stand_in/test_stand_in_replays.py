"""Saved answers, given again by the stand-in."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from local.spotify.api import CLIENT_ID, CLIENT_SECRET
from local.spotify.faults import Fault, FaultKind
from local.spotify.server import SpotifyStandIn

PLAYLIST = "1AAAAAAAAAAAAAAAAAAAAA"
SAVED = b'{"id": "x",  "name": "T\xc3\xa9st"}'
ENTRIES: list[dict[str, object]] = [
    {"added_at": None, "track": {"id": str(n), "popularity": n, "album": {"id": f"a{n}", "available_markets": []}}}
    for n in range(60)
]


def get(stand_in: SpotifyStandIn, path: str) -> requests.Response:
    given = requests.post(
        f"{stand_in.url}/api/token",
        data={"grant_type": "client_credentials"},
        auth=(CLIENT_ID, CLIENT_SECRET),
        timeout=5,
    )
    headers = {"Authorization": f"Bearer {given.json()['access_token']}"}
    return requests.get(f"{stand_in.url}{path}", headers=headers, timeout=5)


def page(stand_in: SpotifyStandIn, query: str) -> dict[str, Any]:
    found: dict[str, Any] = get(stand_in, f"/v1/playlists/{PLAYLIST}/items?{query}").json()
    return found


def test_a_saved_answer_comes_back_byte_for_byte_whatever_is_asked_of_it(stand_in: SpotifyStandIn) -> None:
    stand_in.replay("/v1/tracks/x", SAVED)

    assert get(stand_in, "/v1/tracks/x").content == SAVED
    assert get(stand_in, "/v1/tracks/x?market=SE").content == SAVED


def test_a_saved_answer_needs_a_token_as_any_other_does(stand_in: SpotifyStandIn) -> None:
    stand_in.replay("/v1/tracks/x", SAVED)

    assert requests.get(f"{stand_in.url}/v1/tracks/x", timeout=5).status_code == 401


def test_a_saved_answer_of_the_public_charts_needs_none(stand_in: SpotifyStandIn) -> None:
    stand_in.replay("/public/v0/charts", SAVED)

    assert requests.get(f"{stand_in.url}/public/v0/charts", timeout=5).content == SAVED


def test_a_saved_answer_meets_the_faults_of_the_way_and_is_in_the_log(stand_in: SpotifyStandIn) -> None:
    stand_in.replay("/v1/tracks/x", SAVED)
    stand_in.fail(Fault(FaultKind.SERVER_ERROR), Fault(FaultKind.MALFORMED_JSON))

    assert get(stand_in, "/v1/tracks/x").status_code == 503
    assert get(stand_in, "/v1/tracks/x").content == SAVED[: len(SAVED) // 2]
    assert [call.fault for call in stand_in.requests("/v1/")] == ["server_error", "malformed_json"]


def test_saved_entries_come_in_pages_that_lead_on_to_each_other(stand_in: SpotifyStandIn) -> None:
    stand_in.replay_playlist(PLAYLIST, ENTRIES)

    first, second = page(stand_in, "limit=50"), page(stand_in, "limit=50&offset=50")

    assert [entry["item"]["id"] for entry in first["items"] + second["items"]] == [str(n) for n in range(60)]
    assert (first["total"], first["previous"], second["next"]) == (60, None, None)
    assert first["next"] == second["href"]


@pytest.mark.parametrize(("era", "names"), [("classic", ["track"]), ("both", ["track", "item"]), ("2026", ["item"])])
def test_saved_entries_have_the_names_and_the_fields_of_the_era(
    stand_in: SpotifyStandIn, era: str, names: list[str]
) -> None:
    stand_in.set(era=era)
    stand_in.replay_playlist(PLAYLIST, ENTRIES)

    (entry,) = page(stand_in, "limit=1&offset=7")["items"]

    song = ENTRIES[7]["track"] if era != "2026" else {"id": "7", "album": {"id": "a7"}}
    assert entry == {"added_at": None, **dict.fromkeys(names, song)}


@pytest.mark.parametrize("query", ["limit=51", "limit=0", "offset=-1", "limit=many"])
def test_a_page_that_spotify_would_refuse_is_refused(stand_in: SpotifyStandIn, query: str) -> None:
    stand_in.replay_playlist(PLAYLIST, ENTRIES)

    assert get(stand_in, f"/v1/playlists/{PLAYLIST}/items?{query}").status_code == 400
    assert json.loads(get(stand_in, f"/v1/playlists/{PLAYLIST}/items?{query}").text)["error"]["status"] == 400
