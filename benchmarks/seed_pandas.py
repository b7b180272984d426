"""The usual way: json, pandas and CSV, three tables, as the many tutorials on this subject do it.

It reads the old shape only, drops the chart's positions, and fails on a null track: what it leaves out is not measured.
"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pandas as pd  # type: ignore[import-untyped]

# What it does where pyarrow is not installed. It is the faster way for so few rows, to the others' favour.
pd.set_option("mode.string_storage", "python")


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
            row = {"artist_id": artist["id"], "artist_name": artist["name"], "external_url": artist["href"]}
            rows.append(row)
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


def frames(body: bytes) -> dict[str, pd.DataFrame]:
    """One playlist page as three tables; it is taken out of a playlist object, and that out of a list."""
    data = json.loads(body)
    if isinstance(data, list):
        (data,) = data
    data = data.get("tracks", data)
    album_frame = albums(data).drop_duplicates(subset=["album_id"])
    album_frame["release_date"] = pd.to_datetime(album_frame["release_date"], format="mixed")
    artist_frame = artists(data).drop_duplicates(subset=["artist_id"])
    song_frame = songs(data)
    song_frame["song_added"] = pd.to_datetime(song_frame["song_added"])
    return {"albums": album_frame, "artists": artist_frame, "songs": song_frame}


def to_csv(frame: pd.DataFrame) -> str:
    buffer = StringIO()
    frame.to_csv(buffer, index=False)
    return buffer.getvalue()


def transform(body: bytes) -> dict[str, str]:
    """One playlist page into three CSV texts."""
    return {name: to_csv(frame) for name, frame in frames(body).items()}


def transform_to_parquet(body: bytes) -> dict[str, bytes]:
    """One playlist page into three Parquet files: what the better ones of the tutorials do."""
    return {name: frame.to_parquet(index=False) for name, frame in frames(body).items()}


# What the tutorials leave out: a row's key, by which a day can be put into files that hold other days.
_KEYS = {"albums": ["album_id"], "artists": ["artist_id"], "songs": ["song_id", "song_added"]}
_DATES = {"albums": ["release_date"], "artists": [], "songs": ["song_added"]}


def merge(held: dict[str, str], body: bytes) -> dict[str, str]:
    """One playlist page put into three CSV texts that hold other days; of two rows with one key the newer stays."""
    merged = {}
    for name, frame in frames(body).items():
        old = pd.read_csv(StringIO(held[name]), parse_dates=_DATES[name])
        merged[name] = to_csv(pd.concat([old, frame]).drop_duplicates(subset=_KEYS[name], keep="last"))
    return merged


def whole(bodies: list[bytes]) -> dict[str, str]:
    """Three CSV texts that hold all of these pages."""
    days = [frames(body) for body in bodies]
    return {
        name: to_csv(pd.concat([day[name] for day in days]).drop_duplicates(subset=key, keep="last"))
        for name, key in _KEYS.items()
    }
