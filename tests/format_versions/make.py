"""Writes raw documents in the present format, to be read for ever: `python -m tests.format_versions.make`.

Documents that are there already are left as they are, so that one can be added for a new provider. `expected.json` has,
by file, the key of each document and what is read from it: rows by table and column, dates as days and moments as
milliseconds since 1970. The songs and artists are made up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from lambdas.core import documents
from lambdas.core.documents import FORMAT_VERSION, RawDocument
from lambdas.core.providers import read_document
from lambdas.core.reading import Reading
from lambdas.core.schema import CHART_ENTRIES, DIMENSIONS
from tests.documents import (
    DAY,
    OBSERVED,
    artist,
    csv_answer,
    csv_row,
    document,
    entry,
    page,
    public_answer,
    public_entries,
    public_entry,
    spotify_id,
    track,
)

FOLDER = Path(__file__).parent
COUNTS = ("depth", "gaps", "skipped_null", "skipped_local", "skipped_episode", "damaged_texts")


def folder_of(version: int) -> Path:
    """Where the documents of a format version are kept."""
    return FOLDER / f"v{version}"


def main() -> None:
    folder = folder_of(FORMAT_VERSION)
    folder.mkdir(exist_ok=True)
    listed = folder / "expected.json"
    expected: dict[str, Any] = json.loads(listed.read_text("utf-8")) if listed.exists() else {}
    for name, raw in _documents().items():
        if name in expected:
            continue
        stored = documents.encode(raw)
        (folder / f"{name}.json.gz").write_bytes(stored)
        expected[name] = {"key": raw.key} | told(read_document(stored, key=raw.key)[1])
        print(f"{folder}: {name}")
    listed.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", "utf-8")


def told(reading: Reading) -> dict[str, Any]:
    """What a document is read to, as JSON has it: counts, and each table's rows by column."""
    rows = {CHART_ENTRIES: reading.entries} | {
        table: [row for group in reading.rows_for(table).values() for row in group] for table in DIMENSIONS
    }
    return {
        "counts": {name: getattr(reading, name) for name in COUNTS},
        "rows": {
            table.name: [dict(zip(table.column_names, row, strict=True)) for row in held]
            for table, held in rows.items()
        },
    }


def _documents() -> Mapping[str, RawDocument]:
    local = track("My Demo", id=None, uri="spotify:local:::My+Demo:185", is_local=True)
    episode = track("A Podcast", type="episode", album=None, artists=[])
    development_mode = track("Honeymoon", artists=[artist("Ivo Calder"), artist("Ñandú")])
    del development_mode["popularity"]
    before = [
        entry(track("Honeymoon"), era="track"),
        entry(None, era="track"),
        entry(local, era="track", is_local=True),
    ]
    old_format = {
        "header": ["Position", "Track Name", "Artist", "Streams", "URL"],
        "rows": [["1", "Señorita", "Ñandú", "7301", f"https://open.spotify.com/track/{spotify_id('Señorita')}"]],
        "encoding": "utf-8",
    }
    return {
        "playlist_page_of_2026": document([page([entry(development_mode), entry(episode)])], chart="road-trip"),
        "playlist_object_before_2026": document(
            [{"type": "playlist", "id": spotify_id("playlist"), "tracks": page(before)}],
            chart_date=date(2024, 5, 10),
            observed_at=OBSERVED - timedelta(days=600),
        ),
        "playlist_of_two_pages": document(
            [
                page([entry(track("Honeymoon"))], total=2),
                page([entry(track("Paper Lantern", album=None))], total=2, offset=1),
            ]
        ),
        "playlist_list_of_entries": document([[entry(track("Honeymoon"), era="track")]], chart="road-trip"),
        "playlist_last_page_alone": document(
            [page([entry(track("Paper Lantern"))], total=101, offset=100)], chart="road-trip", partial=True
        ),
        "charts_csv_daily": document(
            [csv_answer([csv_row(1), csv_row(3, "Paper Lantern", previous_rank=-1, peak_rank=0)])],
            provider="charts_csv",
        ),
        "charts_csv_weekly_saved_again": document(
            [csv_answer([csv_row(1, "One", weeks_on_chart=4, track_name="Se\u00b1orita")], encoding="cp1252")],
            chart="regional-global-weekly",
            provider="charts_csv",
        ),
        "charts_csv_of_spotifycharts_com": document(
            [old_format], chart="regional-us-daily", chart_date=date(2019, 1, 10), provider="charts_csv"
        ),
        "public_charts": document(
            [public_answer([*public_entries(49), public_entry(50, "Paper Lantern", previousRank=-1)])],
            chart="regional-global-weekly",
            provider="public_charts",
        ),
        "operator_withdraws": document(withdrawal=True),
        "operator_lifts_it": document(provider="operator", observed_at=OBSERVED + timedelta(hours=1), chart_date=DAY),
    }


if __name__ == "__main__":
    main()
