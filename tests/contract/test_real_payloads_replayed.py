"""Real answers of Spotify's, given again by the stand-in, are read over HTTP by the sources as they poll.

What comes out equals a second, independent reading of the files, made with the json module and plain dictionaries.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from lambdas.core import documents
from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.playlist import PlaylistSource
from lambdas.core.adapters.public_charts import PublicChartsSource, address_at
from lambdas.core.adapters.songs import WebApiSongs
from lambdas.core.adapters.spotify import SpotifyAddress
from lambdas.core.cached_answers import told
from lambdas.core.documents import RawDocument, encode
from lambdas.core.enrichment import Gone
from lambdas.core.schema import ALBUMS, ARTISTS, CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS, SONGS
from lambdas.core.sources import Budget, PolledChart
from lambdas.core.warehouse import Warehouse
from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from local.spotify.server import SpotifyStandIn
from tests.contract.test_real_payloads import CHARTS, entries_in, expected_rows, loaded_rows
from tests.fakes import MemoryStore
from tests.payloads import PAYLOADS, requires_payloads
from tests.polls import PUBLIC
from tests.tables import read_table

pytestmark = requires_payloads

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PLAYLIST_ID = "1AAAAAAAAAAAAAAAAAAAAA"
PLAYLIST = PolledChart(
    chart="seen-in-the-wild", period="daily", providers=("playlist",), playlist_id=PLAYLIST_ID, dated_by="observation"
)
APP = Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
USER = Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN, authorized_at=NOW)
SONGS_OF = "playlist_top50-global_2024-05-11.json"
PUBLIC_ANSWER = "public-charts-endpoint_2024-10-24.json"


def budget() -> Budget:
    return Budget(max_calls=100, seconds_left=lambda: 60.0)


def never(_: float) -> None:
    raise AssertionError("a real answer was asked for twice")


def polled(spotify: SpotifyStandIn, credentials: Credentials, chart: PolledChart = PLAYLIST) -> RawDocument:
    source = PlaylistSource(credentials, stage="dev", address=SpotifyAddress.at(spotify.url), sleep=never)
    return source.fetch(chart, now=NOW, budget=budget())


def load(document: RawDocument) -> MemoryStore:
    raw, tables = MemoryStore(), MemoryStore()
    raw.put_new(document.key, documents.encode(document))
    report = Warehouse(raw=raw, tables=tables, now=lambda: NOW).load(
        document.chart, document.chart_date.year, [document.chart_date]
    )
    assert report.quarantined == {}
    return tables


def without_popularity(rows: dict[str, Any]) -> dict[str, Any]:
    """What an app in Development Mode is told: the plain reading, less what it is not sent."""
    return rows | {"songs": {song: (*held[:3], None, held[4]) for song, held in rows["songs"].items()}}


def plain_rows(name: str) -> dict[str, Any]:
    """The plain reading of a file as a playlist of its own: a page of a longer one begins at position 1."""
    offset, _ = entries_in(PAYLOADS / name)
    rows = expected_rows(name)
    return rows | {"positions": [(position - offset, song) for position, song in rows["positions"]]}


# Playlists


@pytest.mark.parametrize("era", ["classic", "both", "2026"])
@pytest.mark.parametrize("name", CHARTS)
def test_a_real_playlist_polled_page_by_page_gives_exactly_what_is_in_it_in_the_names_of_every_era(
    name: str, era: str
) -> None:
    _, entries = entries_in(PAYLOADS / name)
    with SpotifyStandIn() as spotify:
        spotify.set(era=era)
        spotify.replay_playlist(PLAYLIST_ID, entries)

        document = polled(spotify, USER)

        assert len(spotify.requests("/v1/")) == -(-len(entries) // 50)
    expected = plain_rows(name)
    assert loaded_rows(load(document)) == (without_popularity(expected) if era == "2026" else expected)


@pytest.mark.parametrize("name", ["tracks_top-songs-global_2023-10-27.json", "items_newshape_2026-03_1.json"])
def test_a_real_page_is_kept_word_for_word(name: str) -> None:
    body = (PAYLOADS / name).read_bytes()
    with SpotifyStandIn() as spotify:
        spotify.replay(f"/v1/playlists/{PLAYLIST_ID}/items", body)

        document = polled(spotify, APP)

    assert [json.loads(bytes(answer)) for answer in document.answers] == [json.loads(body)]
    assert loaded_rows(load(document)) == expected_rows(name)


def test_the_real_seed_chart_is_dated_by_the_stamp_of_its_entries() -> None:
    body = (PAYLOADS / "tracks_top-songs-global_2023-10-27.json").read_bytes()
    weekly = PolledChart(
        chart="regional-global-weekly",
        period="weekly",
        providers=("playlist",),
        playlist_id="37i9dQZEVXbNG2KDcFcKOF",
        date_offset_days=-1,
    )
    with SpotifyStandIn() as spotify:
        spotify.replay(f"/v1/playlists/{weekly.playlist}/items", body)

        document = polled(spotify, APP, weekly)

    assert (document.chart_date, document.chart_date.strftime("%A")) == (date(2023, 10, 26), "Thursday")


# Songs


def real_songs() -> dict[str, dict[str, Any]]:
    """Every song in the files that hold songs alone, and those of one real chart, by id, read plainly."""
    single = json.loads((PAYLOADS / "track_single.json").read_text("utf-8"))
    several = json.loads((PAYLOADS / "tracks_several_2.json").read_text("utf-8"))["tracks"]
    searched = json.loads((PAYLOADS / "search_tracks_10.json").read_text("utf-8"))["tracks"]["items"]
    charted = [entry["track"] for entry in entries_in(PAYLOADS / SONGS_OF)[1]]
    return {song["id"]: song for song in [single, *several, *searched, *charted]}


def test_real_songs_asked_one_by_one_give_exactly_their_albums_artists_and_figures() -> None:
    songs = real_songs()
    raw, tables = MemoryStore(), MemoryStore()
    with SpotifyStandIn() as spotify:
        source = WebApiSongs(APP, budget(), stage="dev", address=SpotifyAddress.at(spotify.url), sleep=never)
        for song_id, song in songs.items():
            spotify.replay(f"/v1/tracks/{song_id}", json.dumps(song).encode())
            answer = source.song(song_id)
            assert not isinstance(answer, Gone)
            assert json.loads(bytes(answer)) == song
            cached = told(song_id, answer, now=NOW)
            raw.put_new(cached.key, encode(cached))
        assert len(spotify.requests("/v1/")) == len(songs)
    report = Warehouse(raw=raw, tables=tables, now=lambda: NOW).load_songs(sorted(songs))

    assert report.quarantined == {}
    assert {
        row["song_id"]: (row["name"], row["duration_ms"], row["album_id"], row["isrc"], row["detail"])
        for row in read_table(tables, SONGS)
    } == {
        song_id: (
            song["name"],
            song["duration_ms"],
            song["album"]["id"],
            song.get("external_ids", {}).get("isrc"),
            "api",
        )
        for song_id, song in songs.items()
    }
    assert {row["album_id"] for row in read_table(tables, ALBUMS)} == {song["album"]["id"] for song in songs.values()}
    assert {row["artist_id"]: row["name"] for row in read_table(tables, ARTISTS)} == {
        artist["id"]: artist["name"] for song in songs.values() for artist in song["artists"]
    }
    assert {(row["song_id"], row["artist_position"], row["artist_id"]) for row in read_table(tables, SONG_ARTISTS)} == {
        (song_id, place, artist["id"])
        for song_id, song in songs.items()
        for place, artist in enumerate(song["artists"], 1)
    }


# The public charts


def test_the_real_answer_of_the_public_charts_service_is_polled_kept_whole_and_read_exactly() -> None:
    body = (PAYLOADS / PUBLIC_ANSWER).read_bytes()
    with SpotifyStandIn() as spotify:
        spotify.replay("/public/v0/charts", body)
        source = PublicChartsSource(address=address_at(spotify.url), sleep=never)

        document = source.fetch(PUBLIC, now=NOW, budget=budget())

        assert [call.path for call in spotify.requests()] == ["/public/v0/charts"]
    assert document.chart_date == date(2024, 10, 24)
    assert [json.loads(bytes(answer)) for answer in document.answers] == [json.loads(body)]
    (songs,) = [
        one["entries"]
        for one in json.loads(body)["chartEntryViewResponses"]
        if one["displayChart"]["chartMetadata"]["entityType"] == "TRACK"
    ]
    tables = load(document)
    assert [(row["position"], row["song_id"]) for row in read_table(tables, CHART_ENTRIES)] == [
        (each["chartEntryData"]["currentRank"], each["trackMetadata"]["trackUri"].split(":")[2]) for each in songs
    ]
    assert {row["name"] for row in read_table(tables, SONGS)} == {each["trackMetadata"]["trackName"] for each in songs}
    (snapshot,) = read_table(tables, SNAPSHOTS)
    assert (snapshot["provider"], snapshot["depth"], snapshot["gaps"]) == ("public_charts", 50, 0)
