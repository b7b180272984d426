"""Answers saved from Spotify that the stand-in gives again, in place of its made-up ones.

Whoever asks for them needs a token as for any other answer, and meets the faults of the way (a fault that changes a
chart's items is not met). An answer is given again word for word; a playlist's entries in pages, as Spotify cuts them,
under the names of the era that the settings say.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from local.spotify.errors import Refusal
from local.spotify.payloads import Era, Json, Page

LARGEST_PAGE = 50
"""What /items gives at once, at most: OpenAPI's QueryLimit."""
_LOST = ("popularity", "available_markets")


class Replays:
    """The saved answers, by the path that they are given at. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, bytes] = {}
        self._playlists: dict[str, tuple[Json, ...]] = {}

    def add_answer(self, path: str, answer: bytes) -> None:
        """Answer `path` (such as /v1/tracks/{id}) with this, byte for byte."""
        with self._lock:
            self._answers[path] = answer

    def add_playlist(self, playlist_id: str, entries: Sequence[Json]) -> None:
        """Give a playlist these entries, from /v1/playlists/{id}/items and /tracks."""
        with self._lock:
            for endpoint in ("items", "tracks"):
                self._playlists[f"/v1/playlists/{playlist_id}/{endpoint}"] = tuple(entries)

    def find(self, path: str, query: Mapping[str, str], *, base: str, era: Era) -> bytes | None:
        """What is given again at a path; None if nothing is. Raises Refusal for a page that Spotify would refuse."""
        with self._lock:
            answer, entries = self._answers.get(path), self._playlists.get(path)
        if answer is not None or entries is None:
            return answer
        limit, offset = _whole(query, "limit", 20), _whole(query, "offset", 0)
        if not 1 <= limit <= LARGEST_PAGE:
            raise Refusal(HTTPStatus.BAD_REQUEST, "Invalid limit")
        page = Page(f"{base}{path}", offset, limit, len(entries))
        given = [_of_era(entry, era) for entry in entries[offset : offset + limit]]
        return json.dumps(page.around(given), ensure_ascii=False, separators=(",", ":")).encode()


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise Refusal(HTTPStatus.BAD_REQUEST, f"Invalid {name}")
    return int(text)


def _of_era(entry: Json, era: Era) -> Json:
    """A saved entry as an app of an era gets it: the song under its names, without what that era lost."""
    song = entry.get("item", entry.get("track"))
    if era.has_lost_fields and isinstance(song, dict):
        song = {name: value for name, value in song.items() if name not in _LOST}
        if isinstance(album := song.get("album"), dict):
            song["album"] = {name: value for name, value in album.items() if name not in _LOST}
    rest = {name: value for name, value in entry.items() if name not in ("item", "track")}
    return rest | dict.fromkeys(era.entry_keys, song)
