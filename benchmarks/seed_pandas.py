"""The usual way: json, pandas and CSV, three tables, as the many tutorials on this subject do it.

It reads the old shape only, drops the chart's positions, and fails on a null track: what it leaves out is not measured.
"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pandas as pd


def albums(data: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for item in data["items"]:
        album = item["track"]["album"]
        rows.append(
            {
                "album_id": album["id"],
                "name": album["name"],
                "release_date": album["release_date"],
                "total_tracks": album["total_tracks"],
                "url": album["external_urls"]["spotify"],
            }
        )
    return pd.DataFrame.from_dict(rows)


def artists(data: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for item in data["items"]:
        for artist in item["track"]["artists"]:
            rows.append({"artist_id": artist["id"], "artist_name": artist["name"], "external_url": artist["href"]})
    return pd.DataFrame.from_dict(rows)


def songs(data: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for item in data["items"]:
        track = item["track"]
        rows.append(
            {
                "song_id": track["id"],
                "song_name": track["name"],
                "duration_ms": track["duration_ms"],
                "url": track["external_urls"]["spotify"],
                "popularity": track["popularity"],
                "song_added": item["added_at"],
                "album_id": track["album"]["id"],
                "artist_id": track["album"]["artists"][0]["id"],
            }
        )
    return pd.DataFrame.from_dict(rows)


def transform(body: bytes) -> dict[str, str]:
    """One playlist page into three CSV texts."""
    data = json.loads(body)
    album_frame = albums(data).drop_duplicates(subset=["album_id"])
    album_frame["release_date"] = pd.to_datetime(album_frame["release_date"], format="mixed")
    artist_frame = artists(data).drop_duplicates(subset=["artist_id"])
    song_frame = songs(data)
    song_frame["song_added"] = pd.to_datetime(song_frame["song_added"])
    written = {}
    for name, frame in (("albums", album_frame), ("artists", artist_frame), ("songs", song_frame)):
        buffer = StringIO()
        frame.to_csv(buffer, index=False)
        written[name] = buffer.getvalue()
    return written
