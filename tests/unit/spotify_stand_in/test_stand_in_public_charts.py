"""The stand-in's public charts: the shape of the real answer, over the chart model."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
import requests

from local.spotify.faults import Fault, FaultKind
from local.spotify.model import chart
from local.spotify.server import SpotifyStandIn
from tests.payloads import PAYLOADS, requires_payloads

WEEKLY = "regional-global-weekly"
PLAYLIST = "37i9dQZEVXbNG2KDcFcKOF"


def get(stand_in: SpotifyStandIn) -> requests.Response:
    return requests.get(f"{stand_in.url}/public/v0/charts", timeout=5)


def charts(stand_in: SpotifyStandIn) -> dict[str, Any]:
    """The charts by what they are of."""
    answer = get(stand_in).json()["chartEntryViewResponses"]
    return {one["displayChart"]["chartMetadata"]["entityType"]: one for one in answer}


def shape(value: object) -> object:
    """Keys, their order, and the types of values; of a list the shape of its first item."""
    if isinstance(value, dict):
        return [(key, shape(held)) for key, held in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@requires_payloads
def test_an_unfilled_answer_has_the_shape_of_the_real_one(stand_in: SpotifyStandIn) -> None:
    real = json.loads((PAYLOADS / "public-charts-endpoint_2024-10-24.json").read_text("utf-8"))
    answers = [real["chartEntryViewResponses"], get(stand_in).json()["chartEntryViewResponses"]]
    for one in (one for answer in answers for one in answer):
        one["highlights"] = []  # sentences about real artists, with pictures
    assert [shape(one) for one in answers[1]] == [shape(one) for one in answers[0]]
    assert [len(one["entries"]) for one in answers[1]] == [50, 50, 50]


def test_the_chart_of_songs_is_the_one_that_the_weekly_playlist_holds(stand_in: SpotifyStandIn) -> None:
    songs = charts(stand_in)["TRACK"]
    assert songs["displayChart"]["date"] == "2026-11-19"
    assert [
        (entry["chartEntryData"]["currentRank"], entry["trackMetadata"]["trackUri"]) for entry in songs["entries"]
    ] == [(entry.position, f"spotify:track:{entry.song.id}") for entry in chart(WEEKLY, date(2026, 11, 19))]


def test_a_previous_rank_is_the_place_among_200_a_week_before(stand_in: SpotifyStandIn) -> None:
    before = {entry.song.id: entry.position for entry in chart(WEEKLY, date(2026, 11, 12), size=200)}
    statuses = set()
    for entry in charts(stand_in)["TRACK"]["entries"]:
        data = entry["chartEntryData"]
        assert data["previousRank"] == before.get(entry["trackMetadata"]["trackUri"].removeprefix("spotify:track:"), -1)
        statuses.add(data["entryStatus"])
    assert {"MOVED_UP", "MOVED_DOWN", "NO_CHANGE"} <= statuses


def test_a_filled_answer_tells_streams_peaks_periods_and_labels(stand_in: SpotifyStandIn) -> None:
    stand_in.set(public_filled=True)
    for told, entry in zip(charts(stand_in)["TRACK"]["entries"], chart(WEEKLY, date(2026, 11, 19)), strict=True):
        data = told["chartEntryData"]
        assert data["rankingMetric"] == {"value": str(entry.streams), "type": "STREAMS"}
        assert 1 <= data["peakRank"] <= entry.position
        assert 1 <= data["consecutiveAppearancesOnChart"] <= data["appearancesOnChart"] <= 4
        assert data["entryDate"] <= data["peakDate"] <= "2026-11-19"
        assert told["trackMetadata"]["labels"][0]["name"] == entry.song.album.label


def test_no_token_is_asked_for_and_none_is_minded(stand_in: SpotifyStandIn) -> None:
    assert get(stand_in).status_code == 200
    assert [(call.method, call.path, call.status) for call in stand_in.requests()] == [
        ("GET", "/public/v0/charts", 200)
    ]
    assert requests.post(f"{stand_in.url}/public/v0/charts", timeout=5).status_code == 405
    assert requests.get(f"{stand_in.url}/public/v0/other", timeout=5).status_code == 404


def test_it_can_leave_out_a_song_the_last_entries_all_entries_or_the_chart(stand_in: SpotifyStandIn) -> None:
    stand_in.fail(
        Fault(FaultKind.NULL_TRACK, index=3),
        Fault(FaultKind.SHORT_PAGE, count=5),
        Fault(FaultKind.EMPTY),
        Fault(FaultKind.MISSING_CHART),
    )
    assert charts(stand_in)["TRACK"]["entries"][2]["trackMetadata"] is None
    assert len(charts(stand_in)["TRACK"]["entries"]) == 45
    assert [one["entries"] for one in charts(stand_in).values()] == [[], [], []]
    assert list(charts(stand_in)) == ["ALBUM", "ARTIST"]
    assert list(charts(stand_in)) == ["TRACK", "ALBUM", "ARTIST"]


@pytest.mark.parametrize("today", [date(2026, 11, 22), date(2017, 1, 6)])
def test_its_charts_can_be_of_different_dates(stand_in: SpotifyStandIn, today: date) -> None:
    stand_in.set(today=today)
    same = charts(stand_in)
    assert len({one["displayChart"]["date"] for one in same.values()}) == 1
    stand_in.fail(Fault(FaultKind.DATES_DIFFER))
    differing = charts(stand_in)
    assert differing["TRACK"]["displayChart"] == same["TRACK"]["displayChart"]
    if today.year > 2017:  # the sample has no week before its first
        assert [one["displayChart"]["date"] for one in differing.values()] == ["2026-11-19", "2026-11-12", "2026-11-12"]


def test_a_fault_of_public_charts_alone_waits_for_them_and_one_of_pages_for_a_playlist(
    stand_in: SpotifyStandIn,
) -> None:
    stand_in.fail(Fault(FaultKind.MISSING_CHART), Fault(FaultKind.REPEATED_PAGE))
    requests.get(f"{stand_in.url}/v1/playlists/{PLAYLIST}/items", timeout=5)
    assert list(charts(stand_in)) == ["ALBUM", "ARTIST"]
    assert [call.fault for call in stand_in.requests()] == [None, "missing_chart"]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(FaultKind.RATE_LIMITED, retry_after=9), 429),
        (Fault(FaultKind.SERVER_ERROR), 503),
        (Fault(FaultKind.NOT_FOUND), 404),
    ],
)
def test_a_fault_without_a_path_meets_the_public_charts_too(
    stand_in: SpotifyStandIn, fault: Fault, status: int
) -> None:
    stand_in.fail(fault)
    assert get(stand_in).status_code == status
    assert get(stand_in).status_code == 200
