"""The stand-in's answers against Spotify's own API description and against real answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TypeAlias, cast

import pytest
import requests

from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from local.spotify.faults import Fault, FaultKind
from local.spotify.model import chart
from local.spotify.playlists import OWN_PLAYLIST
from local.spotify.server import SpotifyStandIn
from local.spotify.settings import Settings
from tests.payloads import PAYLOADS, requires_payloads

pytestmark = requires_payloads

Json: TypeAlias = dict[str, object]

TODAY = date(2026, 12, 20)  # winter songs: compilations and old release dates are in the chart
DAILY = "37i9dQZEVXbMDoHDwVN2tF"
_LOST = {"popularity", "available_markets", "followers"}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@pytest.fixture(scope="module")
def description() -> Json:
    """Spotify's OpenAPI document."""
    yaml = pytest.importorskip("yaml", reason="reads Spotify's OpenAPI document, which is YAML")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with (PAYLOADS / "official-spotify-open-api.yml").open(encoding="utf-8") as stream:
        return cast("Json", yaml.load(stream, Loader=loader))


def violations(description: Json, schema: Json, value: object, *, at: str, optional: frozenset[str]) -> Iterator[str]:
    """What of `value` the schema does not allow, over the part of OpenAPI 3.0 that Spotify's document uses.

    No JSON Schema package is among the pinned requirements. `optional` are required fields that may be absent: the
    document still requires what Development Mode no longer sends. A key that no schema describes is reported too,
    with the exceptions of `undescribed`.
    """
    for one in _flattened(description, schema):
        kind = cast("str | None", one.get("type"))
        if value is None:
            if kind and not any(part.get("nullable") for part in _flattened(description, schema)):
                yield f"{at}: null, but {kind} is wanted"
            return
        if kind and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
            yield f"{at}: {type(value).__name__}, but {kind} is wanted"
            continue
        if "enum" in one and value not in cast("list[object]", one["enum"]):
            yield f"{at}: {value!r} is none of {one['enum']}"
        if isinstance(value, dict):
            missing = set(cast("list[str]", one.get("required", []))) - set(value) - optional
            yield from (f"{at}: lacks {name}" for name in sorted(missing))
        if isinstance(value, list) and "items" in one:
            for place, each in enumerate(value):
                item = cast("Json", one["items"])
                yield from violations(description, item, each, at=f"{at}[{place}]", optional=optional)
        if "oneOf" in one:
            options = [cast("Json", option) for option in cast("list[object]", one["oneOf"])]
            found = [list(violations(description, o, value, at=at, optional=optional)) for o in options]
            if all(found):
                yield from min(found, key=len)
    if isinstance(value, dict):
        yield from _of_properties(description, schema, value, at=at, optional=optional)


def _of_properties(description: Json, schema: Json, value: Json, *, at: str, optional: frozenset[str]) -> Iterator[str]:
    parts = list(_flattened(description, schema))
    if any("oneOf" in part for part in parts):
        return
    described: dict[str, Json] = {}
    for part in parts:
        described.update(cast("dict[str, Json]", part.get("properties", {})))
    for name, inner in value.items():
        if name in described:
            yield from violations(description, described[name], inner, at=f"{at}.{name}", optional=optional)
        elif described and name not in undescribed:
            yield f"{at}: {name} is in no description"


# Sent by Spotify, in every real answer of a playlist, though its document does not name them.
undescribed = {"primary_color", "video_thumbnail", "episode", "track", "followers"}


def _flattened(description: Json, schema: Json) -> Iterator[Json]:
    """A schema and all it is made of: references followed, `allOf` opened."""
    if "$ref" in schema:
        target: object = description
        for step in cast("str", schema["$ref"]).removeprefix("#/").split("/"):
            target = cast("Json", target)[step]
        yield from _flattened(description, cast("Json", target))
        return
    yield schema
    for part in cast("list[Json]", schema.get("allOf", [])):
        yield from _flattened(description, part)


class Session:
    """The stand-in and a token for it."""

    def __init__(self, stand_in: SpotifyStandIn) -> None:
        self.stand_in = stand_in
        self._http = requests.Session()
        self._http.trust_env = False
        form = {"grant_type": "client_credentials"}
        given = self._http.post(f"{stand_in.url}/api/token", data=form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=5)
        self._http.headers["Authorization"] = f"Bearer {given.json()['access_token']}"

    def sign_in(self) -> None:
        """Go on as the user."""
        form = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}
        given = self._http.post(f"{self.stand_in.url}/api/token", data=form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=5)
        self._http.headers["Authorization"] = f"Bearer {given.json()['access_token']}"

    def get(self, path: str) -> Json:
        """The body of the answer, whatever its status."""
        return cast("Json", self._http.get(f"{self.stand_in.url}/v1/{path}", timeout=5).json())


@pytest.fixture
def session() -> Iterator[Session]:
    with SpotifyStandIn(settings=Settings(today=TODAY)) as stand_in:
        yield Session(stand_in)


def _answers(session: Session) -> Iterator[tuple[str, Json]]:
    """Every kind of answer with the name of the schema that describes it."""
    yield "PlaylistObject", session.get(f"playlists/{DAILY}")
    yield "PagingPlaylistTrackObject", session.get(f"playlists/{DAILY}/items?limit=50")
    for entry in chart("regional-global-daily", TODAY - timedelta(days=1))[:15]:
        yield "TrackObject", session.get(f"tracks/{entry.song.id}")
        yield "AlbumObject", session.get(f"albums/{entry.song.album.id}")
        yield "ArtistObject", session.get(f"artists/{entry.song.artists[0].id}")


@pytest.mark.parametrize("era", ["classic", "both", "2026"])
def test_every_answer_is_as_spotifys_own_document_describes_it(session: Session, description: Json, era: str) -> None:
    session.stand_in.set(era=era)
    optional = frozenset(_LOST) if era == "2026" else frozenset()
    for name, answer in _answers(session):
        schema: Json = {"$ref": f"#/components/schemas/{name}"}
        assert list(violations(description, schema, answer, at=name, optional=optional)) == []


@pytest.mark.parametrize("era", ["classic", "both", "2026"])
def test_a_users_own_playlist_is_as_described_to_the_user_and_to_the_app(
    session: Session, description: Json, era: str
) -> None:
    session.stand_in.set(era=era)
    optional = frozenset(_LOST) if era == "2026" else frozenset()
    for as_user in (False, True):
        if as_user:
            session.sign_in()
            page = session.get(f"playlists/{OWN_PLAYLIST.id}/items?limit=50")
            schema: Json = {"$ref": "#/components/schemas/PagingPlaylistTrackObject"}
            assert list(violations(description, schema, page, at="page", optional=optional)) == []
        playlist = session.get(f"playlists/{OWN_PLAYLIST.id}")
        assert as_user is bool({"items", "tracks"} & playlist.keys())
        schema = {"$ref": "#/components/schemas/PlaylistObject"}
        assert list(violations(description, schema, playlist, at="playlist", optional=optional)) == []


def test_what_development_mode_lost_is_what_the_document_calls_deprecated(session: Session, description: Json) -> None:
    schemas = cast("dict[str, dict[str, Json]]", cast("Json", description["components"])["schemas"])
    track = cast("dict[str, Json]", schemas["TrackObject"]["properties"])
    session.stand_in.set(era="both")
    song = chart("regional-global-daily", TODAY - timedelta(days=1))[0].song
    kept = set(session.get(f"tracks/{song.id}"))
    session.stand_in.set(era="2026")
    lost = kept - set(session.get(f"tracks/{song.id}"))
    assert lost == {"popularity", "available_markets"}
    assert all(track[name].get("deprecated") for name in lost)


def test_error_answers_are_as_described(session: Session, description: Json) -> None:
    schema: Json = {"$ref": "#/components/schemas/ErrorObject"}
    session.stand_in.fail(Fault(FaultKind.RATE_LIMITED), Fault(FaultKind.SERVER_ERROR), Fault(FaultKind.UNAUTHORIZED))
    for path in (f"playlists/{DAILY}", f"playlists/{DAILY}", f"playlists/{DAILY}", "tracks/0000000000000000000000"):
        error = session.get(path)["error"]
        body = {key: value for key, value in cast("Json", error).items() if key != "reason"}
        assert list(violations(description, schema, body, at="error", optional=frozenset())) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda track: track.update(duration_ms="long"), "TrackObject.duration_ms: str, but integer is wanted"),
        (lambda track: track.update(name=None), "TrackObject.name: null, but string is wanted"),
        (lambda track: track.update(colour="red"), "TrackObject: colour is in no description"),
        (lambda track: track["album"].pop("release_date"), "TrackObject.album: lacks release_date"),
        (lambda track: track["artists"][0].update(type="band"), "TrackObject.artists[0].type: 'band' is none of"),
    ],
)
def test_the_check_itself_finds_what_is_wrong(session: Session, description: Json, spoil: object, says: str) -> None:
    session.stand_in.set(era="classic")
    song = chart("regional-global-daily", TODAY - timedelta(days=1))[0].song
    track = session.get(f"tracks/{song.id}")
    assert callable(spoil)
    spoil(track)
    schema: Json = {"$ref": "#/components/schemas/TrackObject"}
    found = list(violations(description, schema, track, at="TrackObject", optional=frozenset()))
    assert any(line.startswith(says) for line in found), found


# Real answers: the same keys, nested in the same way, with values of the same types.


def _shape(value: object) -> object:
    """The keys and JSON types of a value; of a list the shape of its first item, unless it is empty."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


def _differences(ours: object, theirs: object, at: str) -> Iterator[str]:
    """Where two shapes differ. An empty list fits any list."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if list(ours) != list(theirs):
            yield f"{at}: keys {list(ours)}, but really {list(theirs)}"
        for key in ours.keys() & theirs.keys():
            yield from _differences(ours[key], theirs[key], f"{at}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if ours and theirs:
            yield from _differences(ours[0], theirs[0], f"{at}[]")
    elif ours != theirs:
        yield f"{at}: {ours}, but really {theirs}"


def _real(name: str) -> Json:
    found = json.loads((PAYLOADS / name).read_text(encoding="utf-8"))
    return cast("Json", found[0] if isinstance(found, list) else found)


def test_a_classic_playlist_has_the_keys_of_the_real_top_50(session: Session) -> None:
    session.stand_in.set(era="classic")
    ours, theirs = session.get(f"playlists/{DAILY}"), _real("playlist_top50-global_2024-05-11.json")
    assert list(_differences(_shape(ours), _shape(theirs), "playlist")) == []
    assert set(ours) == set(theirs)
    assert cast("Json", ours["owner"])["display_name"] == cast("Json", theirs["owner"])["display_name"]


def test_a_classic_page_has_the_keys_of_the_real_seed_chart(session: Session) -> None:
    session.stand_in.set(era="classic")
    ours = session.get(f"playlists/{DAILY}/tracks?limit=100")
    theirs = _real("tracks_top-songs-global_2023-10-27.json")
    # In 2023 Spotify sorted a track's keys and still gave previews.
    found = list(_differences(_sorted(_shape(ours)), _sorted(_shape(theirs)), "page"))
    assert [line for line in found if "preview_url" not in line] == []


def test_a_page_of_both_eras_has_the_keys_of_the_real_one_of_march_2026(session: Session) -> None:
    session.stand_in.set(era="both", chart_size=48)
    ours = session.get(f"playlists/{DAILY}/items?limit=48")
    theirs = _real("items_newshape_2026-03_1.json")
    assert list(_differences(_shape(ours), _shape(theirs), "page")) == []


def test_an_album_and_an_artist_have_the_keys_of_the_real_ones_of_march_2026(session: Session) -> None:
    session.stand_in.set(era="both")
    song = chart("regional-global-daily", TODAY - timedelta(days=1))[0].song
    for kind, identity, name in (
        ("albums", song.album.id, "album_single_2026-03.json"),
        ("artists", song.artists[0].id, "artist_single_2026-03.json"),
    ):
        ours, theirs = session.get(f"{kind}/{identity}"), _real(name)
        assert list(_differences(_shape(ours), _shape(theirs), kind)) == []


def test_an_episode_in_a_playlist_has_the_keys_of_a_real_one(session: Session) -> None:
    session.stand_in.set(era="classic")
    session.stand_in.fail(Fault(FaultKind.EPISODE))
    ours = cast("list[Json]", session.get(f"playlists/{DAILY}/items")["items"])[0]
    theirs = cast("list[Json]", _real("tracks_mixed-episodes_2022-05_4.json")["items"])[0]
    found = list(_differences(_sorted(_shape(ours)), _sorted(_shape(theirs)), "entry"))
    # A made-up episode has no preview to point at.
    assert [line for line in found if "audio_preview_url" not in line] == []


def _sorted(shape: object) -> object:
    if isinstance(shape, dict):
        return {key: _sorted(shape[key]) for key in sorted(shape)}
    return [_sorted(each) for each in shape] if isinstance(shape, list) else shape
