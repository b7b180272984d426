"""The sample chart as Spotify's Web API would answer it, in the shapes of three eras.

Keys, their order and nesting follow real answers: `classic` those of 2024 (Top 50 - Global), `both` those that an
app not under the Development Mode cuts got on 2026-03-03, `2026` the same less what Development Mode lost
(developer.spotify.com, February 2026 migration guide; `external_ids` came back in March 2026). No committed answer in
the pure Development Mode shape is known: the fields dropped here are those that Spotify's notes name.

`images` is always an empty list, which Spotify sends too (a playlist of no items, an artist without a picture). A
made-up address of a picture could only point at Spotify's servers, and whoever shows the data would call them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from local.spotify.catalogue import FIRST_FRIDAY, fame
from local.spotify.draws import exponential, number, uniform
from local.spotify.model import SEED, popularity_of
from local.spotify.music import Album, Artist, Release, Song

Json: TypeAlias = dict[str, object]

WEB = "https://open.spotify.com"
USER = "local-user"
"""The user who signs in to the stand-in."""

# Where Spotify is offered, as ISO 3166-1 alpha-2 codes; a subset, alphabetical.
_MARKETS = (
    "AD AE AG AL AM AO AR AT AU AZ BA BB BD BE BG BH BI BJ BN BO BR BS BT BW BZ CA CD CG CH CI CL CM CO CR CV CW CY CZ "
    "DE DJ DK DM DO DZ EC EE EG ES ET FI FJ FM FR GA GB GD GE GH GM GN GQ GR GT GW GY HK HN HR HT HU ID IE IL IN IQ IS "
    "IT JM JO JP KE KG KH KI KM KN KR KW KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MN MO MR MT MU MV "
    "MW MX MY MZ NA NE NG NI NL NO NP NR NZ OM PA PE PG PH PK PL PS PT PW PY QA RO RS RW SA SB SC SE SG SI SK SL SM SN "
    "SR ST SV SZ TD TG TH TJ TL TN TO TR TT TV TW TZ UA UG US UY UZ VC VE VN VU WS XK ZA ZM ZW"
)


class Era(StrEnum):
    """Whose answers are imitated."""

    CLASSIC = "classic"
    """An app with Extended Quota before 2026: `items[].track`, `tracks{}`, popularity, markets, followers."""

    BOTH = "both"
    """An app with Extended Quota since March 2026: the old and the new names beside each other."""

    DEVELOPMENT = "2026"
    """A Development Mode app since March 2026: `items[].item`, `items{}`; no popularity, markets, followers."""

    @property
    def has_lost_fields(self) -> bool:
        """Whether popularity, available_markets and followers are gone."""
        return self is Era.DEVELOPMENT

    @property
    def containers(self) -> tuple[str, ...]:
        """The keys of a playlist object that hold its entries."""
        return {Era.CLASSIC: ("tracks",), Era.BOTH: ("tracks", "items"), Era.DEVELOPMENT: ("items",)}[self]

    @property
    def entry_keys(self) -> tuple[str, ...]:
        """The keys of a playlist entry that hold the song."""
        return {Era.CLASSIC: ("track",), Era.BOTH: ("track", "item"), Era.DEVELOPMENT: ("item",)}[self]


@dataclass(frozen=True)
class Playlist:
    """A playlist that holds a chart: one of Spotify's own, or `by_user` one of the user who signs in."""

    id: str
    chart: str
    name: str
    description: str
    by_user: bool = False


@dataclass(frozen=True)
class Page:
    """A stretch of a list, and the address it was asked at (without paging parameters)."""

    address: str
    offset: int
    limit: int
    total: int
    query: str = ""
    """Other parameters that Spotify repeats in its links, e.g. `&additional_types=track`."""

    def at(self, offset: int) -> str:
        """The address of the stretch that begins at `offset`."""
        return f"{self.address}?offset={offset}&limit={self.limit}{self.query}"

    def around(self, items: Sequence[object]) -> Json:
        """Spotify's paging object around the items of the stretch."""
        after, before = self.offset + self.limit, max(0, self.offset - self.limit)
        return {
            "href": self.at(self.offset),
            "items": list(items),
            "limit": self.limit,
            "next": self.at(after) if after < self.total else None,
            "offset": self.offset,
            "previous": self.at(before) if self.offset else None,
            "total": self.total,
        }


@dataclass(frozen=True)
class Renderer:
    """Renders the model for one address of the API, one era and one day."""

    base: str
    """The address of the API without /v1, e.g. http://127.0.0.1:8080: every `href` and `next` begins with it."""

    era: Era
    today: date
    seed: str = SEED

    def links(self, kind: str, identity: str) -> Json:
        """The address on the web and in the API of an artist, album, track, episode or show."""
        return {"external_urls": {"spotify": f"{WEB}/{kind}/{identity}"}, "href": self._href(kind, identity)}

    def _href(self, kind: str, identity: str) -> str:
        return f"{self.base}/v1/{kind}s/{identity}"

    def without_lost_fields(self, rendered: Json) -> Json:
        """`rendered`, less the fields that its era lost."""
        if self.era.has_lost_fields:
            for key in ("popularity", "available_markets", "followers"):
                rendered.pop(key, None)
        return rendered

    def artist_reference(self, artist: Artist) -> Json:
        """An artist as it stands in a track or an album."""
        return {
            **self.links("artist", artist.id),
            "id": artist.id,
            "name": artist.name,
            "type": "artist",
            "uri": f"spotify:artist:{artist.id}",
        }

    def artist(self, artist: Artist) -> Json:
        """The answer of GET /artists/{id}. `genres` is empty in 2026, as in the real answer."""
        renown = fame(self.seed, artist, (self.today - FIRST_FRIDAY).days // 7)
        return self.without_lost_fields(
            {
                "external_urls": {"spotify": f"{WEB}/artist/{artist.id}"},
                "followers": {"href": None, "total": int(250_000 * exponential(2.4 * artist.stature))},
                "genres": list(artist.genres) if self.era is Era.CLASSIC else [],
                "href": self._href("artist", artist.id),
                "id": artist.id,
                "images": [],
                "name": artist.name,
                "popularity": max(0, min(100, int(68 + 18 * renown))),
                "type": "artist",
                "uri": f"spotify:artist:{artist.id}",
            }
        )

    def _markets(self, identity: str) -> list[str]:
        # Some songs are nowhere on offer any more: real playlists are full of empty lists.
        return [] if uniform(self.seed, "withdrawn", identity) < 0.03 else _MARKETS.split()

    def album_reference(self, album: Album) -> Json:
        """An album as it stands in a track."""
        return self.without_lost_fields(
            {
                "available_markets": self._markets(album.id),
                "type": "album",
                "album_type": album.album_type,
                "href": self._href("album", album.id),
                "id": album.id,
                "images": [],
                "name": album.name,
                "release_date": album.release_date,
                "release_date_precision": album.release_date_precision,
                "uri": f"spotify:album:{album.id}",
                "artists": [self.artist_reference(artist) for artist in album.artists],
                "external_urls": {"spotify": f"{WEB}/album/{album.id}"},
                "total_tracks": album.total_tracks,
            }
        )

    def album(self, release: Release) -> Json:
        """The answer of GET /albums/{id}, with the first 50 of its songs."""
        album = release.album
        page = Page(f"{self._href('album', album.id)}/tracks", 0, 50, len(release.songs))
        tracks = page.around([self._album_track(song) for song in release.songs])
        items = tracks.pop("items")
        best = max(popularity_of(song, self.today, seed=self.seed) for song in release.songs)
        return self.without_lost_fields(
            {
                "album_type": album.album_type,
                "total_tracks": album.total_tracks,
                "available_markets": self._markets(album.id),
                "external_urls": {"spotify": f"{WEB}/album/{album.id}"},
                "href": self._href("album", album.id),
                "id": album.id,
                "images": [],
                "name": album.name,
                "release_date": album.release_date,
                "release_date_precision": album.release_date_precision,
                "type": "album",
                "uri": f"spotify:album:{album.id}",
                "artists": [self.artist_reference(artist) for artist in album.artists],
                "tracks": {**tracks, "items": items},  # here the items come last, unlike in a playlist
                "copyrights": [{"text": f"{album.release_date[:4]} {album.label}", "type": "C"}],
                "external_ids": {"upc": album.upc},
                "genres": [],
                "label": album.label,
                "popularity": best,
            }
        )

    def _album_track(self, song: Song) -> Json:
        return self.without_lost_fields(
            {
                "artists": [self.artist_reference(artist) for artist in song.artists],
                "available_markets": self._markets(song.album.id),
                "disc_number": 1,
                "duration_ms": song.duration_ms,
                "explicit": song.explicit,
                **self.links("track", song.id),
                "id": song.id,
                "name": song.name,
                "preview_url": None,
                "track_number": song.track_number,
                "type": "track",
                "uri": f"spotify:track:{song.id}",
                "is_local": False,
            }
        )

    def track(self, song: Song, *, in_playlist: bool = False) -> Json:
        """The answer of GET /tracks/{id}; a playlist's tracks also say that they are no episodes."""
        return self.without_lost_fields(
            {
                "preview_url": None,
                "available_markets": self._markets(song.album.id),
                "explicit": song.explicit,
                "type": "track",
                **({"episode": False, "track": True} if in_playlist else {}),
                "album": self.album_reference(song.album),
                "artists": [self.artist_reference(artist) for artist in song.artists],
                "disc_number": 1,
                "track_number": song.track_number,
                "duration_ms": song.duration_ms,
                "external_ids": {"isrc": song.isrc},
                **self.links("track", song.id),
                "id": song.id,
                "name": song.name,
                "popularity": popularity_of(song, self.today, seed=self.seed),
                "uri": f"spotify:track:{song.id}",
                "is_local": False,
            }
        )

    def entry(self, content: Json | None, added_on: date, *, is_local: bool = False) -> Json:
        """A playlist's entry around a track, an episode or nothing.

        Spotify stamps all entries of a chart with one time, some hours into the day after the chart's. Here it is
        midnight UTC, so that no clock ever reads an entry before it was added.
        """
        return {
            "added_at": f"{added_on}T00:00:00Z",
            "added_by": {
                "external_urls": {"spotify": f"{WEB}/user/"},
                "href": f"{self.base}/v1/users/",
                "id": "",  # as in Spotify's own charts
                "type": "user",
                "uri": "spotify:user:",
            },
            "is_local": is_local,
            "primary_color": None,
            **dict.fromkeys(self.era.entry_keys, content),
            "video_thumbnail": {"url": None},
        }

    def playlist(self, playlist: Playlist, pages: dict[str, Json], version: date) -> Json:
        """The answer of GET /playlists/{id}, with `pages` under the names of the era, or with none: metadata only."""
        owner, name = (USER, "Local User") if playlist.by_user else ("spotify", "Spotify")
        digest = number(self.seed, "snapshot", playlist.id, version.toordinal()).to_bytes(16, "big")
        return self.without_lost_fields(
            {
                "collaborative": False,
                "description": playlist.description,
                "external_urls": {"spotify": f"{WEB}/playlist/{playlist.id}"},
                "followers": {"href": None, "total": 16_974_466},
                "href": self._href("playlist", playlist.id),
                "id": playlist.id,
                "images": [],
                "name": playlist.name,
                "owner": {
                    "display_name": name,
                    "external_urls": {"spotify": f"{WEB}/user/{owner}"},
                    "href": f"{self.base}/v1/users/{owner}",
                    "id": owner,
                    "type": "user",
                    "uri": f"spotify:user:{owner}",
                },
                "primary_color": None,
                "public": not playlist.by_user,
                "snapshot_id": b64encode(digest).decode(),
                **pages,
                "type": "playlist",
                "uri": f"spotify:playlist:{playlist.id}",
            }
        )
