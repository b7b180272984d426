"""The questions asked of real charts: answers worked out from the files by plain Python.

Three days of the Top 50 Global as playlists, three weeks of the global chart and two days of Pakistan's as official
files, all in one warehouse. The second working-out shares no code with the product.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from lambdas.core.imports import read_import
from tests.contract.test_real_chart_files import above_0, rows_in
from tests.payloads import PAYLOADS, requires_payloads
from tests.queries.asking import QUERIES, answer_of, catalog_of, load, picked
from tests.unit.glue_catalog import FolderCatalog

pytestmark = requires_payloads

DAILY, WEEKLY, PAKISTAN = "regional-global-daily", "regional-global-weekly", "regional-pk-daily"
CHARTS = (DAILY, WEEKLY, PAKISTAN)
PLAYLISTS = {date(2024, month, day): f"playlist_top50-global_2024-{month:02}-{day:02}.json" for month, day in
             ((4, 22), (5, 2), (5, 11))}  # fmt: skip
FILES = {
    WEEKLY: (date(2022, 12, 29), date(2023, 6, 15), date(2023, 6, 22)),
    PAKISTAN: (date(2025, 12, 1), date(2025, 12, 2)),
}


@dataclass(frozen=True)
class Place:
    """One song at one place of one chart on one date."""

    chart: str
    day: date
    position: int
    song: str
    streams: int | None = None
    previous: int | None = None
    peak: int | None = None
    periods: int | None = None


@dataclass(frozen=True)
class Song:
    name: str
    artists: str
    url: str
    recording: str
    isrc: str | None = None
    album: str | None = None


def playlist_entries(stamped: date) -> list[dict[str, Any]]:
    (playlist,) = json.loads((PAYLOADS / PLAYLISTS[stamped]).read_text("utf-8"))
    items: list[dict[str, Any]] = playlist["tracks"]["items"]
    return items


def file_name(chart: str, day: date) -> str:
    return f"{chart}-{day}.csv"


@cache
def world() -> tuple[list[Place], dict[str, Song]]:
    """Every place in the files, and every song: what a playlist tells of it comes before what a chart file does."""
    places, songs = [], {}
    for chart, days in FILES.items():
        for day in days:
            for row in rows_in(file_name(chart, day)):
                song = row["uri"].split(":")[-1]
                url = f"https://open.spotify.com/track/{song}"
                songs[song] = Song(row["track_name"], row["artist_names"], url, song)
                figures = [above_0(row[name]) for name in ("previous_rank", "peak_rank", "periods")]
                places.append(Place(chart, day, int(row["rank"]), song, int(row["streams"]), *figures))
    for stamped in sorted(PLAYLISTS):
        for index, held in enumerate(playlist_entries(stamped)):
            track = held["track"]
            songs[track["id"]] = Song(
                track["name"],
                ", ".join(artist["name"] for artist in track["artists"]),
                track["external_urls"]["spotify"],
                track["external_ids"]["isrc"].upper(),
                track["external_ids"]["isrc"],
                track["album"]["name"],
            )
            places.append(Place(DAILY, stamped - timedelta(days=1), index + 1, track["id"]))
    return places, songs


def step(chart: str) -> timedelta:
    return timedelta(days=7 if chart == WEEKLY else 1)


def days_of(chart: str) -> list[date]:
    return sorted({place.day for place in world()[0] if place.chart == chart})


def on(chart: str, day: date) -> list[Place]:
    return sorted(
        (held for held in world()[0] if (held.chart, held.day) == (chart, day)), key=lambda held: held.position
    )


def song_of(place: Place) -> Song:
    return world()[1][place.song]


def recording(place: Place) -> str:
    return song_of(place).recording


@cache
def trails(chart: str) -> dict[str, list[Place]]:
    """Every recording's places by date; no recording is on one of these charts twice at once."""
    found: dict[str, list[Place]] = {}
    for day in days_of(chart):
        for place in on(chart, day):
            found.setdefault(recording(place), []).append(place)
    assert all(len({place.day for place in trail}) == len(trail) for trail in found.values())
    return found


def best(trail: list[Place]) -> int:
    return min(min(place.position, place.peak or place.position) for place in trail)


def periods(trail: list[Place]) -> int:
    """Spotify's own count, which the files tell of every song; else ours."""
    return trail[-1].periods or len(trail)


def movement(place: Place) -> str | None:
    """By Spotify's own figures; none of the playlists' days comes after another."""
    if place.previous is not None:
        climbed = place.previous - place.position
        return f"{climbed:+d}" if climbed else "="
    return None if place.periods is None else "new" if place.periods == 1 else "back"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> FolderCatalog:
    names = [*PLAYLISTS.values(), *(file_name(chart, day) for chart, days in FILES.items() for day in days)]
    received = datetime(2026, 3, 1, tzinfo=UTC)
    documents = [
        read_import((PAYLOADS / name).read_bytes(), name=name, received_at=received).document for name in names
    ]
    return catalog_of(tmp_path_factory.mktemp("real"), load(documents))


@pytest.mark.parametrize("chart", CHARTS)
def test_todays_chart_is_the_newest_file_with_its_movement(catalog: FolderCatalog, chart: str) -> None:
    newest = days_of(chart)[-1]
    expected = [
        (
            place.position,
            movement(place),
            place.previous,
            song_of(place).name,
            song_of(place).artists,
            song_of(place).album,
            best(trails(chart)[recording(place)]),
            periods(trails(chart)[recording(place)]),
            place.streams,
            recording(place),
            place.song,
            song_of(place).url,
            song_of(place).isrc,
            newest,
        )
        for place in on(chart, newest)
    ]
    assert answer_of(catalog, QUERIES["todays_chart"], chart=chart) == expected
    top = [(row[0], row[1], *row[3:6], newest) for row in expected[:10]]
    assert answer_of(catalog, QUERIES["todays_top_10"], chart=chart) == top


def test_spotifys_previous_places_are_those_of_the_file_of_the_period_before() -> None:
    """What the movement rests on, where both files are there."""
    for chart in (WEEKLY, PAKISTAN):
        before, newest = days_of(chart)[-2:]
        held = {place.song: place.position for place in on(chart, before)}
        told = {place.song: place.previous for place in on(chart, newest) if place.previous is not None}
        assert held.keys() & told.keys()
        assert {song: held[song] for song in told if song in held} == {
            song: told[song] for song in told if song in held
        }


def expected_number_ones(chart: str) -> Iterator[tuple[Any, ...]]:
    runs: list[list[Place]] = []
    for day in days_of(chart):
        top = on(chart, day)[0]
        if runs and recording(runs[-1][-1]) == recording(top) and runs[-1][-1].day + step(chart) == day:
            runs[-1].append(top)
        else:
            runs.append([top])
    for run in reversed(runs):
        song = song_of(run[-1])
        yield song.name, song.artists, run[0].day, run[-1].day, len(run), song.recording


@pytest.mark.parametrize("chart", CHARTS)
def test_number_ones_are_the_first_lines_of_the_files(catalog: FolderCatalog, chart: str) -> None:
    assert answer_of(catalog, QUERIES["number_ones"], chart=chart) == list(expected_number_ones(chart))


@pytest.mark.parametrize("chart", CHARTS)
def test_every_song_of_the_files_is_there_with_all_its_places(catalog: FolderCatalog, chart: str) -> None:
    expected = []
    for trail in trails(chart).values():
        song, streams = song_of(trail[-1]), [place.streams for place in trail if place.streams is not None]
        runs = 1 + sum(later.day - earlier.day > step(chart) for earlier, later in itertools.pairwise(trail))
        expected.append(
            (
                song.recording,
                song.name,
                song.artists,
                song.album,
                song.url,
                song.isrc,
                trail[0].day,
                trail[-1].day,
                best(trail),
                periods(trail),
                runs,
                sum(streams) if streams else None,
                " ".join(f"{place.day}:{place.position}" for place in trail),
            )
        )
    expected.sort(key=lambda row: (-row[7].toordinal(), row[8], row[0]))
    assert answer_of(catalog, QUERIES["every_song"], chart=chart) == expected


@pytest.mark.parametrize("chart", CHARTS)
def test_the_calendar_counts_who_came_and_left(catalog: FolderCatalog, chart: str) -> None:
    held = days_of(chart)
    expected: list[tuple[Any, ...]] = []
    day = held[0]
    while day <= held[-1]:
        if day not in held:
            expected.append((day, False, *[None] * 6))
        else:
            moves = [movement(place) for place in on(chart, day)]
            came = (None, None) if None in moves else (moves.count("new"), moves.count("back"))
            before = {recording(place) for place in on(chart, day - step(chart))}
            left = len(before - {recording(place) for place in on(chart, day)}) if before else None
            provider = "playlist" if chart == DAILY else "charts_csv"
            expected.append((day, True, len(moves), len(moves), provider, *came, left))
        day += step(chart)
    calendar = QUERIES["chart_calendar"]
    rows = answer_of(catalog, calendar, chart=chart)
    assert picked(calendar, rows, *calendar.columns[:-1]) == expected
    assert {row[-1] for row in rows} == {None}


def expected_moves(chart: str, earlier: date, later: date, *, told: bool) -> list[tuple[Any, ...]]:
    before = {recording(place): place.position for place in on(chart, earlier)}
    moves = []
    for place in on(chart, later):
        since = place.previous if told else before.get(recording(place))
        if since is not None and since != place.position:
            song = song_of(place)
            moves.append(
                (song.name, song.artists, since, place.position, since - place.position, song.recording, earlier, later)
            )
    climbs = sorted((row for row in moves if row[4] > 0), key=lambda row: (-row[4], row[3]))[:10]
    falls = sorted((row for row in moves if row[4] < 0), key=lambda row: (row[4], row[3]))[:10]
    return sorted(climbs + falls, key=lambda row: (-row[4], row[3]))


@pytest.mark.parametrize("chart", [WEEKLY, PAKISTAN])
def test_the_biggest_moves_since_the_period_before_are_spotifys_own(catalog: FolderCatalog, chart: str) -> None:
    newest = days_of(chart)[-1]
    expected = expected_moves(chart, newest - step(chart), newest, told=True)
    assert len(expected) == 20
    assert answer_of(catalog, QUERIES["biggest_moves"], chart=chart) == expected


@pytest.mark.parametrize(
    ("chart", "earlier", "later"),
    [
        (DAILY, date(2024, 4, 21), date(2024, 5, 1)),
        (DAILY, date(2024, 5, 1), date(2024, 5, 10)),
        (WEEKLY, date(2022, 12, 29), date(2023, 6, 22)),
    ],
)
def test_the_biggest_moves_between_two_dates(catalog: FolderCatalog, chart: str, earlier: date, later: date) -> None:
    expected = expected_moves(chart, earlier, later, told=False)
    assert expected
    moves = QUERIES["biggest_moves"]
    assert answer_of(catalog, moves, chart=chart, from_date=str(earlier), to_date=str(later)) == expected


@pytest.mark.parametrize("chart", CHARTS)
def test_what_is_new_and_what_returned_is_as_spotify_says(catalog: FolderCatalog, chart: str) -> None:
    for day in days_of(chart):
        expected = []
        for place in on(chart, day):
            trail = [held for held in trails(chart)[recording(place)] if held.day <= day]
            seen = trail[-2].day if len(trail) > 1 else None
            if (kind := movement(place)) in ("new", "back"):
                song = song_of(place)
                expected.append((song.name, song.artists, place.position, kind, trail[0].day, seen, day))
        assert answer_of(catalog, QUERIES["new_and_returning"], chart=chart, to_date=str(day)) == expected
        assert bool(expected) == (chart != DAILY)


@pytest.mark.parametrize("chart", CHARTS)
def test_the_longest_on_the_chart(catalog: FolderCatalog, chart: str) -> None:
    rows = []
    for trail in trails(chart).values():
        song, official = song_of(trail[-1]), max((place.periods or 0 for place in trail), default=0) or None
        row = (song.name, song.artists, len(trail), official, best(trail), trail[0].day, trail[-1].day, song.recording)
        rows.append((-max(len(trail), official or 0), best(trail), song.name, song.recording, row))
    expected = [row[-1] for row in sorted(rows)[:20]]
    assert answer_of(catalog, QUERIES["longest_on_chart"], chart=chart) == expected


@pytest.mark.parametrize("chart", CHARTS)
def test_a_songs_trajectory_and_runs(catalog: FolderCatalog, chart: str) -> None:
    held = days_of(chart)
    first, newest = ({recording(place): place for place in on(chart, day)} for day in (held[0], held[-1]))
    stayed = next(found for found in newest if found in first)
    left = next(found for found in first if found not in newest)
    came = next(found for found in newest if found not in first)
    for wanted in (stayed, left, came):
        trail = {place.day: place for place in trails(chart)[wanted]}
        song, runs, expected = song_of(trails(chart)[wanted][-1]), list[list[Place]](), []
        day = min(trail)
        while day <= held[-1]:
            place = trail.get(day)
            if place is not None:
                if not runs or runs[-1][-1].day + step(chart) != day:
                    runs.append([])
                runs[-1].append(place)
            status = "on chart" if place else "off chart" if day in held else "missing date"
            run = len(runs) if place else None
            expected.append((day, place and place.position, status, run, song.name, song.artists))
            day += step(chart)
        assert answer_of(catalog, QUERIES["song_trajectory"], chart=chart, song=wanted) == expected
        gaps = [None, *((b[0].day - a[-1].day) // step(chart) - 1 for a, b in itertools.pairwise(runs))]
        assert answer_of(catalog, QUERIES["song_runs"], chart=chart, song=wanted) == [
            (run[0].day, run[-1].day, len(run), min(place.position for place in run), gap)
            for run, gap in zip(runs, gaps, strict=True)
        ]


def test_the_datas_health_and_what_is_missing(catalog: FolderCatalog) -> None:
    expected = []
    for chart in CHARTS:
        held = days_of(chart)
        missing: list[tuple[Any, ...]] = []
        for earlier, later in itertools.pairwise(held):
            if later - earlier > step(chart):
                stretch = (earlier + step(chart), later - step(chart))
                missing.insert(0, (*stretch, (stretch[1] - stretch[0]) // step(chart) + 1))
        assert answer_of(catalog, QUERIES["missing_dates"], chart=chart) == missing
        depth = 50 if chart == DAILY else 200
        provider = "playlist" if chart == DAILY else "charts_csv"
        period = "weekly" if chart == WEEKLY else "daily"
        found = (held[0], held[-1], len(held), sum(row[2] for row in missing), provider, depth, depth)
        expected.append((chart, period, *found, *[0] * 8))
    assert answer_of(catalog, QUERIES["data_health"], chart="all") == expected


def test_the_tables_have_a_row_for_everything_in_the_files(catalog: FolderCatalog) -> None:
    places, songs = world()
    tracks = [held["track"] for stamped in PLAYLISTS for held in playlist_entries(stamped)]
    credits = {(track["id"], place) for track in tracks for place, _ in enumerate(track["artists"])}
    assert answer_of(catalog, QUERIES["table_sizes"]) == [
        ("albums", len({track["album"]["id"] for track in tracks})),
        ("artists", len({artist["id"] for track in tracks for artist in track["artists"]})),
        ("chart_entries", len(places)),
        ("snapshots", len(PLAYLISTS) + sum(map(len, FILES.values()))),
        ("song_artists", len(credits)),
        ("songs", len(songs)),
    ]
