"""Official chart files of the stand-in's charts, as charts.spotify.com would give them to download."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from lambdas.core.charts import period_of
from local.spotify.model import chart
from tests.documents import csv_file, csv_row


def write_chart_file(folder: Path, name: str, chart_date: date) -> Path:
    """The file of one date, under the name that Spotify gives it."""
    rows = []
    for entry in chart(name, chart_date):
        row = csv_row(
            entry.position,
            uri=f"spotify:track:{entry.song.id}",
            track_name=entry.song.name,
            artist_names=", ".join(artist.name for artist in entry.song.artists),
        )
        if period_of(name) == "weekly":
            row["weeks_on_chart"] = row.pop("days_on_chart")
        rows.append(row)
    path = folder / f"{name}-{chart_date}.csv"
    path.write_text("\ufeff" + csv_file(rows), encoding="utf-8")
    return path
