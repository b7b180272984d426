"""Spotify's Web API answers that hold a playlist, in every shape that is met.

The API renamed things in February 2026, see
https://developer.spotify.com/documentation/web-api/tutorials/february-2026-migration-guide: an entry's `track` is now
`item`, a playlist's `tracks` container is now `items`; some apps are sent both. Development Mode apps no longer get
popularity, available_markets and followers. Fields that nobody here reads are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from lambdas.core.charts import playlist_id_in
from lambdas.core.documents import UNREADABLE_JSON
from lambdas.core.errors import InvalidDocument, NotAChart

# What the tables' columns hold, so that an absurd number is a fault of the document that has it, with its path, and not
# of the load that meets it.
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Place = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Struct(msgspec.Struct, gc=False):
    """No answer holds a cycle, so its objects need no garbage collection."""


class Urls(_Struct):
    """Links to open.spotify.com."""

    spotify: str | None = None


def link(urls: Urls | None) -> str | None:
    """The link to open.spotify.com, where Spotify gives one."""
    return urls.spotify if urls else None


class _ExternalIds(_Struct):
    isrc: str | None = None


class _Image(_Struct):
    url: str | None = None
    height: int | None = None


class Artist(_Struct):
    """An artist as a song or an album names it."""

    id: str | None = None
    name: str | None = None
    external_urls: Urls | None = None


class Album(_Struct):
    """An album as a song names it. Its artists may differ from the song's, and are not read."""

    id: str | None = None
    name: str | None = None
    album_type: str | None = None
    release_date: str | None = None
    total_tracks: Int32 | None = None
    images: list[_Image] | None = None
    external_urls: Urls | None = None


class Song(_Struct):
    """What an entry holds: Spotify's track, or an episode, which has no album and no artists of its own."""

    id: str | None = None
    name: str | None = None
    type: str = "track"
    uri: str | None = None
    is_local: bool = False
    duration_ms: Int64 | None = None
    explicit: bool | None = None
    disc_number: Int32 | None = None
    track_number: Int32 | None = None
    popularity: Int32 | None = None
    external_ids: _ExternalIds | None = None
    external_urls: Urls | None = None
    artists: list[Artist] = []
    album: Album | None = None

    @property
    def is_episode(self) -> bool:
        """Whether it is a podcast's. Files that passed through other people's software may say `Episode`."""
        return self.type.lower() == "episode"


class Entry(_Struct):
    """One place of a playlist. `item` is the name of 2026, `track` the one before; null where nothing is left."""

    added_at: Moment | None = None
    is_local: bool = False
    item: Song | UnsetType | None = UNSET
    track: Song | UnsetType | None = UNSET

    @property
    def song(self) -> Song | None:
        """What the place holds, by either name; None if Spotify left it empty."""
        held = self.track if self.item is UNSET else self.item
        return None if held is UNSET else held


class Page(_Struct):
    """A run of entries: one answer of the items endpoint, or the first page inside a playlist object."""

    items: list[Entry]
    offset: Place = 0
    total: Place | None = None
    href: str | None = None

    @property
    def length(self) -> int:
        """Places of the whole playlist."""
        return self.offset + len(self.items) if self.total is None else self.total


class Playlist(_Struct):
    """A playlist object of either era, or (with `items` a list) a page: which, is told by what `items` holds."""

    type: str | None = None
    id: str | None = None
    href: str | None = None
    items: list[Entry] | Page | UnsetType | None = UNSET
    tracks: Page | list[msgspec.Raw] | UnsetType | None = UNSET
    offset: Place = 0
    total: Place | None = None

    @property
    def page(self) -> Page | None:
        """Its entries, or its first page of them; None if it holds none, as other people's playlists do not."""
        if isinstance(self.items, list):
            return Page(items=self.items, offset=self.offset, total=self.total, href=self.href)
        if isinstance(self.items, Page):
            return self.items
        return self.tracks if isinstance(self.tracks, Page) else None


PlaylistAnswer: TypeAlias = Playlist | list[Entry]
"""What a playlist's document keeps as an answer: a page, a playlist object, or a bare list of entries."""

_decode = msgspec.json.Decoder(PlaylistAnswer).decode


@dataclass(frozen=True)
class Answer:
    """One answer read: its page, and the id of the playlist it is of, where it tells."""

    page: Page
    playlist_id: str | None


def read_answer(text: bytes) -> Answer:
    """One of Spotify's answers, or a file that holds one.

    Raises InvalidDocument if it is not JSON or a field has the wrong type, NotAChart if it holds no playlist entries
    (naming what it holds instead).
    """
    try:
        answer = _decode(text)
    except msgspec.ValidationError as error:
        raise _explain(text, error) from error
    except UNREADABLE_JSON as error:
        raise InvalidDocument(f"not JSON: {error}") from error
    page = page_in(answer)
    if page is None:
        raise NotAChart(f"holds {describe(_value(text))}, not the entries of a playlist")
    if isinstance(answer, list):
        return Answer(page=page, playlist_id=None)
    named = answer.id or playlist_id_in(answer.href or "") or playlist_id_in(page.href or "")
    return Answer(page=page, playlist_id=named)


def page_in(answer: PlaylistAnswer) -> Page | None:
    """The run of entries that an answer holds, or None if it is no chart: a page of an album's tracks, a search."""
    if isinstance(answer, list):
        page: Page | None = Page(items=answer)
    elif answer.type is None or answer.type.lower() == "playlist":
        page = answer.page
    else:
        page = None
    if page is None or (page.items and all(entry.item is UNSET and entry.track is UNSET for entry in page.items)):
        return None
    return page


def _explain(text: bytes, error: msgspec.ValidationError) -> InvalidDocument:
    """A field of the wrong type in a chart is one thing; that the input is no chart at all is another."""
    value = _value(text)
    if _holds_entries(value):
        return InvalidDocument(f"not as Spotify answers: {error}")
    return NotAChart(f"holds {describe(value)}, not the entries of a playlist")


def _value(text: bytes) -> object:
    """All of a JSON text, of which a typed reading skips what nobody reads.

    Raises InvalidDocument for what is met only now: a number that no machine's holds, brackets nested past all reason.
    """
    try:
        value: object = msgspec.json.decode(text)
    except UNREADABLE_JSON as error:
        raise InvalidDocument(f"not JSON that can be read: {error}") from error
    return value


def _holds_entries(value: object) -> bool:
    """Whether a JSON value has playlist entries where a chart has them, whatever is wrong inside."""
    if isinstance(value, dict):
        return any(_holds_entries(value.get(name)) for name in ("items", "tracks"))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "item" in value[0] or ("track" in value[0] and "id" not in value[0])
    return False


_KINDS = ("track", "album", "artist", "episode", "show")


def describe(value: object) -> str:
    """What a JSON value is that is no chart, in words: "an album ('Blue Hour')", "a search result (tracks)"."""
    if isinstance(value, list):
        return f"a list of {len(value)} {_noun(value)}"
    if not isinstance(value, dict):
        return "a bare value"
    kind = str(value.get("type", "")).lower()
    if kind in _KINDS:
        return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} ({value.get('name')!r})"
    if kind == "playlist":
        return "a playlist's metadata alone, without its entries (its owner is not the app's user)"
    if "chartEntryViewResponses" in value:
        return "an answer of the public charts service"
    for name in ("tracks", "albums", "artists", "playlists"):
        inside = value.get(name)
        if isinstance(inside, list):
            return f"several {name}"
        if isinstance(inside, dict):
            return f"a search result ({name})"
    if isinstance(items := value.get("items"), list):
        return f"a page of {len(items)} {_noun(items)}"
    return f"no answer of Spotify's (its fields: {', '.join(map(repr, list(value)[:4])) or 'none'})"


def _noun(items: list[object]) -> str:
    kind = items[0].get("type") if items and isinstance(items[0], dict) else None
    return f"{kind}s" if kind in _KINDS else "things"
