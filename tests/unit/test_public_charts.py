"""An answer of the public charts service becomes rows: what each odd entry, text and figure does."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from lambdas.core.documents import decode, encode
from lambdas.core.errors import InvalidDocument, PartialChart
from lambdas.core.providers import read_document
from lambdas.core.public_charts import (
    PublicChartsDocument,
    is_public_answer,
    parse_public_answer,
)
from lambdas.core.reading import Reading
from lambdas.core.rows import days, milliseconds
from lambdas.core.schema import ARTISTS, CHART_ENTRIES, SONG_ARTISTS, SONGS, Table
from tests.documents import (
    DAY,
    OBSERVED,
    document,
    public_answer,
    public_chart,
    public_entries,
    public_entry,
    spotify_id,
)

CHART = "regional-global-weekly"


def read(answer: dict[str, Any], **given: Any) -> Reading:
    """The answer as the transform reads it, once it has been stored."""
    raw = document([answer], **{"provider": "public_charts", "chart": CHART} | given)
    return read_document(encode(raw), key=raw.key)[1]


def read_entries(*entries: dict[str, Any], **given: Any) -> Reading:
    return read(public_answer(entries), **{"partial": True} | given)


def rows_of(table: Table, reading: Reading) -> list[dict[str, Any]]:
    groups = [reading.entries] if table is CHART_ENTRIES else list(reading.rows_for(table).values())
    return [dict(zip(table.column_names, row, strict=True)) for rows in groups for row in rows]


def only_entry(**fields: Any) -> dict[str, Any]:
    (entry,) = rows_of(CHART_ENTRIES, read_entries(public_entry(1, **fields)))
    return entry


def metadata(entry: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return entry | {"trackMetadata": entry["trackMetadata"] | fields}


# An answer and its charts


def test_an_unfilled_entry_is_read_with_nulls_for_what_is_not_told() -> None:
    assert rows_of(CHART_ENTRIES, read_entries(public_entry(7))) == [
        dict.fromkeys(CHART_ENTRIES.column_names)
        | {
            "chart": CHART,
            "chart_date": days(DAY),
            "position": 7,
            "period": "weekly",
            "song_id": spotify_id(("track", "Honeymoon")),
            "provider": "public_charts",
            "observed_at": milliseconds(OBSERVED),
        }
    ]


def test_a_filled_entry_is_read_with_every_figure_of_spotifys() -> None:
    entry = metadata(
        public_entry(
            3,
            previousRank=12,
            peakRank=1,
            peakDate="2026-02-12",
            appearancesOnChart=33,
            consecutiveAppearancesOnChart=9,
            rankingMetric={"value": "4294967296", "type": "STREAMS"},
            entryRank=4,
        ),
        labels=[{"name": "Paper Records", "spotifyUri": "", "externalUrl": ""}, {"name": "Blue"}],
        releaseDate="2026-01-30",
    )
    (row,) = rows_of(CHART_ENTRIES, read_entries(entry))
    assert row["streams"] == 4_294_967_296
    assert row["official_previous_position"] == 12
    assert row["official_peak_position"] == 1
    assert row["official_periods_on_chart"] == 33
    assert row["label"] == "Paper Records, Blue"


def test_a_song_has_its_name_its_credit_and_its_artists_and_waits_for_the_rest() -> None:
    credited = [
        {"name": "Rafi, The Maker", "spotifyUri": f"spotify:artist:{spotify_id('Rafi')}", "externalUrl": ""},
        {"name": "Ñandú", "spotifyUri": f"spotify:artist:{spotify_id('N')}", "externalUrl": "https://x.example/n"},
    ]
    reading = read_entries(metadata(public_entry(1), trackName='  "Honeymoon" (Live)', artists=credited))
    song_id = spotify_id(("track", "Honeymoon"))
    observed = milliseconds(OBSERVED)
    assert rows_of(SONGS, reading) == [
        dict.fromkeys(SONGS.column_names)
        | {
            "song_id": song_id,
            "name": '  "Honeymoon" (Live)',
            "artist_names": "Rafi, The Maker, Ñandú",
            "recording_id": song_id,
            "url": f"https://open.spotify.com/track/{song_id}",
            "detail": "public",
            "observed_at": observed,
        }
    ]
    assert [(row["artist_id"], row["name"], row["url"], row["detail"]) for row in rows_of(ARTISTS, reading)] == [
        (spotify_id("Rafi"), "Rafi, The Maker", f"https://open.spotify.com/artist/{spotify_id('Rafi')}", "public"),
        (spotify_id("N"), "Ñandú", "https://x.example/n", "public"),
    ]
    assert [(row["artist_position"], row["artist_id"]) for row in rows_of(SONG_ARTISTS, reading)] == [
        (1, spotify_id("Rafi")),
        (2, spotify_id("N")),
    ]
    assert reading.albums == {}


def test_the_charts_of_albums_and_artists_are_not_read_whatever_is_wrong_in_them() -> None:
    answer = public_answer([public_entry(1)])
    answer["chartEntryViewResponses"] += [
        public_chart([{"no": "entry"}], alias="../ALBUM", entity="ALBUM", chart_date="none"),
        {"displayChart": {"chartMetadata": {}}},
    ]
    assert len(read(answer, partial=True).entries) == 1


def test_another_chart_of_songs_in_the_answer_is_left_alone() -> None:
    answer = public_answer([public_entry(1)])
    answer["chartEntryViewResponses"].append(public_chart([public_entry(1, "Other")], alias="REGIONAL_US_WEEKLY"))
    assert list(read(answer, partial=True).songs) == [spotify_id(("track", "Honeymoon"))]
    assert list(read(answer, partial=True, chart="regional-us-weekly").songs) == [spotify_id(("track", "Other"))]


def test_a_document_of_a_chart_that_its_answer_does_not_hold_is_refused_with_those_it_holds() -> None:
    with pytest.raises(InvalidDocument, match="holds no chart road-trip: it holds regional-global-weekly"):
        read(public_answer(public_entries()), chart="road-trip")


def test_one_chart_twice_in_an_answer_is_refused() -> None:
    answer = {"chartEntryViewResponses": [public_chart(public_entries())] * 2}
    with pytest.raises(InvalidDocument, match="holds the chart regional-global-weekly twice"):
        read(answer)


@pytest.mark.parametrize("number", [0, 2])
def test_a_document_of_another_number_of_answers_than_one_is_refused(number: int) -> None:
    raw = document([public_answer(public_entries())] * number, provider="public_charts", chart=CHART)
    with pytest.raises(InvalidDocument, match=f"holds {number} answers"):
        read_document(encode(raw), key=raw.key)


def test_each_chart_tells_its_own_date() -> None:
    raw = document([public_answer([], chart_date="2026-03-05")], provider="public_charts", chart=CHART)
    held = decode(encode(raw), key=raw.key, model=PublicChartsDocument)
    assert {one.chart: one.chart_date for one in held.answers[0].chart_entry_view_responses} == {
        "artist-global-weekly": date(2026, 2, 26),
        CHART: date(2026, 3, 5),
    }


@pytest.mark.parametrize(
    ("shown", "latest", "said"),
    [
        ("2026-03-05", "2026-03-12", "tells two dates \\(2026-03-05 and 2026-03-12\\)"),
        ("", None, "tells no date"),
        ("last Thursday", "", "is of 'last Thursday', which is no date"),
    ],
)
def test_a_chart_without_one_date_is_refused(shown: str | None, latest: str | None, said: str) -> None:
    chart = public_chart([])
    chart["displayChart"]["date"] = shown
    chart["displayChart"]["chartMetadata"]["dimensions"]["latestDate"] = latest
    answer = parse_public_answer(json.dumps({"chartEntryViewResponses": [chart]}).encode())
    with pytest.raises(InvalidDocument, match=said):
        _ = answer.of_songs[CHART].chart_date


@pytest.mark.parametrize(("shown", "latest"), [("2026-03-05", ""), (None, "2026-03-05")])
def test_one_of_the_two_dates_is_enough(shown: str | None, latest: str | None) -> None:
    chart = public_chart([])
    chart["displayChart"]["date"] = shown
    chart["displayChart"]["chartMetadata"]["dimensions"]["latestDate"] = latest
    answer = parse_public_answer(json.dumps({"chartEntryViewResponses": [chart]}).encode())
    assert answer.of_songs[CHART].chart_date == date(2026, 3, 5)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (b'{"chartEntryViewResponses": []}', True),
        (b'{"chartEntryViewResponses": null}', True),
        (b'{"items": []}', False),
        (b"[]", False),
        (b'{"chartEntryViewResponses": ', False),
        (b"\xff", False),
    ],
)
def test_an_answer_of_the_service_is_told_by_its_one_field(text: bytes, is_one: bool) -> None:
    assert is_public_answer(text) is is_one


# Positions


def test_positions_are_kept_as_given_in_whatever_order_they_come() -> None:
    reading = read(public_answer(list(reversed(public_entries()))))
    assert [row["position"] for row in rows_of(CHART_ENTRIES, reading)] == list(range(1, 51))
    assert (reading.depth, reading.gaps, reading.warnings) == (50, 0, [])


def test_a_place_without_an_entry_is_a_gap_that_is_named_and_never_closed() -> None:
    entries = public_entries()
    del entries[16]
    reading = read(public_answer(entries))
    assert [row["position"] for row in rows_of(CHART_ENTRIES, reading)][15:17] == [16, 18]
    assert (reading.depth, reading.gaps, reading.skipped_null) == (50, 1, 0)
    assert reading.warnings == ["gap: no song at position 17"]


@pytest.mark.parametrize("held", [None, {"trackUri": ""}, {"trackUri": None}])
def test_an_entry_without_a_song_is_a_gap_that_is_counted(held: dict[str, Any] | None) -> None:
    entries = public_entries()
    entries[16] |= {"trackMetadata": held and entries[16]["trackMetadata"] | held, "missingRequiredFields": True}
    reading = read(public_answer(entries))
    assert (reading.depth, reading.gaps, reading.skipped_null, len(reading.entries)) == (50, 1, 1, 49)
    assert reading.warnings == ["gap: no song at position 17"]


def test_a_chart_that_ends_early_is_refused_unless_it_is_said_to_be_a_part() -> None:
    with pytest.raises(PartialChart, match="ends at place 49 of the 50"):
        read(public_answer(public_entries(49)))
    assert read(public_answer(public_entries(49)), partial=True).depth == 49


def test_a_longer_chart_is_read_whole() -> None:
    assert read(public_answer(public_entries(200))).depth == 200


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "holds no entries"),
        ([public_entry(1), public_entry(1, "Other")], "position 1 is given twice"),
        ([public_entry(0)], "0 is no position"),
        ([public_entry(2**31)], "current[_R]"),
        ([metadata(public_entry(1), trackUri="")], "none of its 1 places holds a song"),
        ([metadata(public_entry(1), trackUri="spotify:track:short")], "position 1: 'short' is not the id of a song"),
        ([metadata(public_entry(1), trackUri="spotify:episode:" + "1" * 22)], "is no song's URI"),
        (
            [metadata(public_entry(1), artists=[{"name": "A", "spotifyUri": "spotify:artist:/../"}])],
            "/../' is not the id",
        ),
        ([metadata(public_entry(1), artists=[{"name": "A", "spotifyUri": "https://x"}])], "is no artist's URI"),
        ([public_entry(1, rankingMetric={"value": "many", "type": "STREAMS"})], "streams: 'many' is no whole number"),
        ([public_entry(1, rankingMetric={"value": str(2**63), "type": "STREAMS"})], "or too large"),
        ([public_entry(1, rankingMetric={"value": "٣", "type": "STREAMS"})], "is no whole number"),
        ([public_entry(1, peakRank="1")], "peakRank"),
        ([public_entry("1")], "currentRank"),  # type: ignore[arg-type]  # what a test of a type is about
        ([{}], "chartEntryData"),
    ],
)
def test_what_can_never_be_published_is_refused_with_its_place(entries: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InvalidDocument, match=said) as caught:
        read_entries(*entries)
    assert "\n" not in str(caught.value)


# Figures and texts


@pytest.mark.parametrize("unfilled", [-1, 0, None])
@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("previousRank", "official_previous_position"),
        ("peakRank", "official_peak_position"),
        ("appearancesOnChart", "official_periods_on_chart"),
    ],
)
def test_a_figure_that_is_not_filled_is_null(field: str, column: str, unfilled: int | None) -> None:
    assert only_entry(**{field: unfilled})[column] is None
    assert only_entry(**{field: 4})[column] == 4


@pytest.mark.parametrize(
    ("metric", "streams"),
    [
        ({"value": "7706254", "type": "STREAMS"}, 7_706_254),
        ({"value": 7706254, "type": "STREAMS"}, 7_706_254),
        ({"value": "7706254", "type": "LISTENERS"}, None),
        ({"value": "", "type": "STREAMS"}, None),
        ({"type": "STREAMS"}, None),
        (None, None),
    ],
)
def test_streams_are_told_only_by_a_metric_of_streams(metric: dict[str, Any] | None, streams: int | None) -> None:
    assert only_entry(rankingMetric=metric)["streams"] == streams


@pytest.mark.parametrize("value", ["0", "-5"])
def test_streams_that_are_not_above_0_are_null_with_a_warning(value: str) -> None:
    reading = read_entries(
        public_entry(1, rankingMetric={"value": value, "type": "STREAMS"}), public_entry(2, "Other", previousRank=3)
    )
    assert [row["streams"] for row in rows_of(CHART_ENTRIES, reading)] == [None, None]
    assert reading.warnings[1:] == ["no_streams: of 1 positions"]


def test_a_song_listed_twice_stands_at_both_places_with_a_warning() -> None:
    reading = read_entries(public_entry(1), public_entry(2))
    song_id = spotify_id(("track", "Honeymoon"))
    assert [row["song_id"] for row in rows_of(CHART_ENTRIES, reading)] == [song_id, song_id]
    assert (len(reading.songs), reading.warnings[1:]) == (1, [f"song_twice: {song_id} again at position 2"])


def test_an_artist_without_an_id_keeps_the_credit_and_its_place_in_it() -> None:
    known = {"name": "B", "spotifyUri": f"spotify:artist:{spotify_id('B')}"}
    reading = read_entries(metadata(public_entry(1), artists=[{"name": "A", "spotifyUri": ""}, known]))
    assert rows_of(SONGS, reading)[0]["artist_names"] == "A, B"
    assert [(row["artist_position"], row["artist_id"]) for row in rows_of(SONG_ARTISTS, reading)] == [
        (2, spotify_id("B"))
    ]
    assert reading.warnings[1:] == ["no_id: artist 'A' of the song at position 1"]


@pytest.mark.parametrize("fields", [{"trackName": ""}, {"artists": []}, {"artists": None}, {"trackName": None}])
def test_a_song_whose_title_or_credit_is_not_told_never_replaces_a_whole_one(fields: dict[str, Any]) -> None:
    (song,) = rows_of(SONGS, read_entries(metadata(public_entry(1), **fields)))
    assert song["detail"] == "incomplete"
    assert None in (song["name"], song["artist_names"])
