"""The real answer of the public charts service gives exactly what a second, independent reading of it gives.

The second reading uses the json module and plain dictionaries, and shares no code with the product.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lambdas.core import documents
from lambdas.core.errors import NotAChart
from lambdas.core.imports import Import, read_import
from lambdas.core.schema import ARTISTS, CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS, SONGS
from lambdas.core.warehouse import Warehouse
from tests.fakes import MemoryStore
from tests.payloads import PAYLOADS, requires_payloads
from tests.tables import read_table

pytestmark = requires_payloads

NAME = "public-charts-endpoint_2024-10-24.json"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CHART = "regional-global-weekly"


def real_answer() -> dict[str, Any]:
    """The file, read plainly."""
    answer: dict[str, Any] = json.loads((PAYLOADS / NAME).read_text("utf-8"))
    return answer


def chart_of(kind: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [
        one
        for one in real_answer()["chartEntryViewResponses"]
        if one["displayChart"]["chartMetadata"]["entityType"] == kind
    ]
    return found


def imported(answer: dict[str, Any] | None = None, **given: Any) -> Import:
    body = (PAYLOADS / NAME).read_bytes() if answer is None else json.dumps(answer).encode()
    return read_import(body, name=NAME, received_at=NOW, **given)


def load(document: documents.RawDocument) -> MemoryStore:
    raw, tables = MemoryStore(), MemoryStore()
    raw.put_new(document.key, documents.encode(document))
    report = Warehouse(raw=raw, tables=tables, now=lambda: NOW).load(
        document.chart, document.chart_date.year, [document.chart_date]
    )
    assert report.quarantined == {}
    return tables


def plain_id(uri: str) -> str:
    return uri.split(":")[2]


def test_the_chart_of_songs_becomes_rows_exactly() -> None:
    document = imported().document
    tables = load(document)
    entries = chart_of("TRACK")["entries"]
    told = [
        (
            each["chartEntryData"]["currentRank"],
            plain_id(each["trackMetadata"]["trackUri"]),
            # All other figures of this answer are unfilled.
            each["chartEntryData"]["previousRank"] if each["chartEntryData"]["previousRank"] > 0 else None,
        )
        for each in entries
    ]
    held = read_table(tables, CHART_ENTRIES)
    assert [(row["position"], row["song_id"], row["official_previous_position"]) for row in held] == told
    assert {row["provider"] for row in held} == {"public_charts"}
    for column in ("streams", "official_peak_position", "official_periods_on_chart", "label", "popularity", "added_at"):
        assert {row[column] for row in held} == {None}, column
    assert {row["song_id"]: (row["name"], row["artist_names"], row["detail"]) for row in read_table(tables, SONGS)} == {
        plain_id(each["trackMetadata"]["trackUri"]): (
            each["trackMetadata"]["trackName"],
            ", ".join(artist["name"] for artist in each["trackMetadata"]["artists"]),
            "public",
        )
        for each in entries
    }
    assert {row["artist_id"]: row["name"] for row in read_table(tables, ARTISTS)} == {
        plain_id(artist["spotifyUri"]): artist["name"]
        for each in entries
        for artist in each["trackMetadata"]["artists"]
    }
    assert {(row["song_id"], row["artist_position"], row["artist_id"]) for row in read_table(tables, SONG_ARTISTS)} == {
        (plain_id(each["trackMetadata"]["trackUri"]), place, plain_id(artist["spotifyUri"]))
        for each in entries
        for place, artist in enumerate(each["trackMetadata"]["artists"], 1)
    }
    (snapshot,) = read_table(tables, SNAPSHOTS)
    assert (snapshot["depth"], snapshot["entries"], snapshot["gaps"], snapshot["verdict"]) == (50, 50, 0, "published")
    assert snapshot["warnings"] is None


def test_chart_and_date_are_those_of_the_chart_of_songs_and_not_of_the_others() -> None:
    document = imported().document
    assert (document.chart, document.period, document.provider) == (CHART, "weekly", "public_charts")
    assert document.chart_date == date.fromisoformat(chart_of("TRACK")["displayChart"]["date"]) == date(2024, 10, 24)
    assert chart_of("ARTIST")["displayChart"]["date"] == "2024-10-17"


def test_the_whole_answer_is_kept_word_for_word_once_however_often_it_is_imported() -> None:
    body = (PAYLOADS / NAME).read_bytes()
    first = read_import(body, name=NAME, received_at=NOW).document
    again = read_import(gzip.compress(body), name="other.json.gz", received_at=NOW + timedelta(days=400)).document
    assert [json.loads(bytes(answer)) for answer in first.answers] == [real_answer()]
    assert again.key == first.key


def test_the_real_answer_filled_as_in_2023_tells_streams_peak_periods_and_label() -> None:
    answer = real_answer()
    (songs,) = [
        one
        for one in answer["chartEntryViewResponses"]
        if one["displayChart"]["chartMetadata"]["entityType"] == "TRACK"
    ]
    for place, each in enumerate(songs["entries"], 1):
        each["chartEntryData"] |= {
            "peakRank": place,
            "peakDate": "2024-10-24",
            "appearancesOnChart": 100 + place,
            "consecutiveAppearancesOnChart": place,
            "rankingMetric": {"value": str(10_000_000 - place), "type": "STREAMS"},
            "entryRank": place,
            "entryDate": "2024-10-24",
        }
        each["trackMetadata"]["labels"] = [{"name": f"Label {place}", "spotifyUri": "", "externalUrl": ""}]
    held = read_table(load(imported(answer).document), CHART_ENTRIES)
    assert [
        (row["streams"], row["official_peak_position"], row["official_periods_on_chart"], row["label"]) for row in held
    ] == [(10_000_000 - place, place, 100 + place, f"Label {place}") for place in range(1, 51)]


def test_the_charts_of_albums_and_artists_alone_are_no_chart_of_songs() -> None:
    others = {"chartEntryViewResponses": [chart_of("ALBUM"), chart_of("ARTIST")]}
    with pytest.raises(NotAChart, match="without a chart of songs"):
        imported(others)
