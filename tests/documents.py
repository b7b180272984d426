"""Made-up playlists and chart files, as Spotify would give them, for tests that need just a few fields to vary."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from lambdas.core.cached_answers import CachedAnswer, told
from lambdas.core.charts import period_of
from lambdas.core.documents import FORMAT_VERSION, Provider, RawDocument, raw_answer

CHART = "regional-global-daily"
DAY = date(2026, 3, 5)
OBSERVED = datetime(2026, 3, 6, 6, 0, tzinfo=UTC)


def spotify_id(name: object) -> str:
    """A 22-character id that stands for a name."""
    return hashlib.sha256(repr(name).encode()).hexdigest()[:22]


def artist(name: str = "Ivo Calder") -> dict[str, Any]:
    identifier = spotify_id(("artist", name))
    return {
        "id": identifier,
        "name": name,
        "type": "artist",
        "external_urls": {"spotify": f"https://open.spotify.com/artist/{identifier}"},
    }


def album(name: str = "Paper Undertow", **fields: Any) -> dict[str, Any]:
    identifier = spotify_id(("album", name))
    return {
        "id": identifier,
        "name": name,
        "album_type": "album",
        "release_date": "2026-02-27",
        "release_date_precision": "day",
        "total_tracks": 11,
        "images": [{"height": 300, "url": "small"}, {"height": 640, "url": "large"}],
        "external_urls": {"spotify": f"https://open.spotify.com/album/{identifier}"},
        "artists": [artist()],
    } | fields


def track(name: str = "Honeymoon", **fields: Any) -> dict[str, Any]:
    identifier = spotify_id(("track", name))
    return {
        "id": identifier,
        "name": name,
        "type": "track",
        "uri": f"spotify:track:{identifier}",
        "is_local": False,
        "duration_ms": 185_000,
        "explicit": False,
        "disc_number": 1,
        "track_number": 3,
        "popularity": 71,
        "external_ids": {"isrc": "qzabc2600001"},
        "external_urls": {"spotify": f"https://open.spotify.com/track/{identifier}"},
        "artists": [artist()],
        "album": album(),
    } | fields


def entry(held: dict[str, Any] | None, *, era: str = "item", **fields: Any) -> dict[str, Any]:
    return {"added_at": "2026-03-06T00:00:00Z", "is_local": False, era: held} | fields


def page(entries: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {"items": list(entries), "offset": 0, "limit": 50, "total": len(entries), "next": None} | fields


def csv_row(position: int, name: str = "Honeymoon", **fields: object) -> dict[str, str]:
    """A row of an official file by its columns; `weeks_on_chart=3` in `fields` makes it a weekly one's."""
    told: dict[str, object] = {
        "rank": position,
        "uri": f"spotify:track:{spotify_id(('track', name))}",
        "artist_names": "Ivo Calder",
        "track_name": name,
        "source": "Paper Records",
        "peak_rank": 1,
        "previous_rank": 2,
        "weeks_on_chart" if "weeks_on_chart" in fields else "days_on_chart": 9,
        "streams": 1_000_000 - position,
    }
    return {column: str(value) for column, value in (told | fields).items()}


def csv_answer(rows: Sequence[dict[str, str]], *, encoding: str = "utf-8") -> dict[str, Any]:
    """An official file as its raw document keeps it."""
    return {"header": list(rows[0]), "rows": [list(row.values()) for row in rows], "encoding": encoding}


def csv_file(rows: Sequence[dict[str, str]], *, line_end: str = "\n") -> str:
    """An official file's text, quoted as charts.spotify.com quotes."""
    quoted = [
        ",".join(value if value.lstrip("-").isdigit() else f'"{value.replace(chr(34), chr(34) * 2)}"' for value in row)
        for row in (list(row.values()) for row in rows)
    ]
    return line_end.join([",".join(rows[0]), *quoted, ""])


def public_entry(position: int, name: str = "Honeymoon", **fields: Any) -> dict[str, Any]:
    """An entry of the public charts service, unfilled as in 2024; `fields` go into its `chartEntryData`."""
    song, performer = spotify_id(("track", name)), spotify_id(("artist", "Ivo Calder"))
    return {
        "chartEntryData": {
            "currentRank": position,
            "previousRank": -1,
            "peakRank": 0,
            "peakDate": "",
            "appearancesOnChart": 0,
            "consecutiveAppearancesOnChart": 0,
            "entryStatus": "NEW_ENTRY",
            "entryRank": 0,
            "entryDate": "",
        }
        | fields,
        "missingRequiredFields": False,
        "trackMetadata": {
            "trackName": name,
            "trackUri": f"spotify:track:{song}",
            "displayImageUri": "",
            "artists": [{"name": "Ivo Calder", "spotifyUri": f"spotify:artist:{performer}", "externalUrl": ""}],
            "producers": [],
            "labels": [],
            "songWriters": [],
            "releaseDate": "",
        },
    }


def public_entries(number: int = 50) -> list[dict[str, Any]]:
    """The first entries of a public chart, each of another song."""
    return [public_entry(position, f"Song {position}") for position in range(1, number + 1)]


def public_chart(
    entries: Sequence[dict[str, Any]],
    *,
    alias: str = "REGIONAL_GLOBAL_WEEKLY",
    entity: str = "TRACK",
    chart_date: str = "2026-03-05",
) -> dict[str, Any]:
    """One chart of an answer of the public charts service."""
    metadata = {"alias": alias, "entityType": entity, "dimensions": {"latestDate": chart_date, "recurrence": "WEEKLY"}}
    return {"displayChart": {"date": chart_date, "chartMetadata": metadata}, "entries": list(entries)}


def public_answer(entries: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """An answer of the public charts service: its chart of songs behind one of artists, a week older."""
    artists = public_chart(
        [{"artistMetadata": {}}], alias="ARTIST_GLOBAL_WEEKLY", entity="ARTIST", chart_date="2026-02-26"
    )
    return {"chartEntryViewResponses": [artists, public_chart(entries, **fields)]}


def document(
    answers: Sequence[dict[str, Any] | list[Any]] | None = None,
    *,
    songs: Sequence[dict[str, Any] | None] = (),
    chart: str = CHART,
    chart_date: date = DAY,
    observed_at: datetime = OBSERVED,
    provider: Provider = "playlist",
    partial: bool = False,
    withdrawal: bool = False,
) -> RawDocument:
    """A raw document of the answers given, or of one page of `songs`."""
    if withdrawal:
        provider = "operator"
    if answers is None:
        answers = (
            [{"reason": "a mistake"}]
            if provider == "operator"
            else [page([entry(song) for song in songs or [track()]])]
        )
    return RawDocument(
        format_version=FORMAT_VERSION,
        chart=chart,
        period=period_of(chart),
        chart_date=chart_date,
        observed_at=observed_at,
        received_at=observed_at,
        provider=provider,
        partial=partial,
        withdrawal=withdrawal,
        origin="test",
        answers=tuple(raw_answer(answer) for answer in answers),
    )


def cached_song(song: dict[str, Any], *, song_id: str | None = None, now: datetime = OBSERVED) -> CachedAnswer:
    """What is cached of a song that Spotify tells of, under its own id unless another was asked for."""
    return told(song_id or song["id"], raw_answer(song), now=now)
