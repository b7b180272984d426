"""What the questions answer of real payloads is what a plain reading of the same files gives.

The plain reading uses json, csv and dictionaries, and shares no code with the product. There are three days of a
playlist of 50: under their own dates, and, for what needs neighbours, dated as three days that follow one another.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lambdas.core import documents
from lambdas.core.imports import read_import
from lambdas.core.keys import parse_raw_key
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.contract.test_real_chart_files import GIVEN, PLACES, TOLD, Files, above_0, rows_in
from tests.contract.test_real_payloads import NOW, entries_in
from tests.payloads import PAYLOADS, requires_payloads
from tests.queries.asking import CHART, QUERIES, WEEKLY, answer_of, catalog_of, picked
from tests.unit.glue_catalog import FolderCatalog

pytestmark = requires_payloads

PLAYLISTS = {
    date(2024, 4, 21): "playlist_top50-global_2024-04-22.json",
    date(2024, 5, 1): "playlist_top50-global_2024-05-02.json",
    date(2024, 5, 10): "playlist_top50-global_2024-05-11.json",
}
OLDEST = min(PLAYLISTS)
RUNNING = dict(zip((date(2024, 5, 8) + timedelta(days=n) for n in range(3)), PLAYLISTS.values(), strict=True))
FILES = {
    WEEKLY: [f"regional-global-weekly-{day}.csv" for day in ("2022-12-29", "2023-06-15", "2023-06-22")],
    "regional-pk-daily": [f"regional-pk-daily-2025-12-0{day}.csv" for day in (1, 2)],
}


class Place(NamedTuple):
    """A place of a chart, read plainly."""

    day: date
    position: int
    song: dict[str, Any]

    @property
    def recording(self) -> str:
        return str(self.song["external_ids"]["isrc"]).upper()


def places_of(playlists: dict[date, str]) -> list[Place]:
    return [
        Place(day, position, entry["track"])
        for day, name in sorted(playlists.items())
        for position, entry in enumerate(entries_in(PAYLOADS / name)[1], 1)
    ]


def bring_playlists(zone: Files, playlists: dict[date, str], chart: str) -> None:
    keys = []
    for day, name in playlists.items():
        body = (PAYLOADS / name).read_bytes()
        document = read_import(body, name=name, received_at=NOW, chart=chart, chart_date=day).document
        zone.raw.put_new(document.key, documents.encode(document))
        keys.append(parse_raw_key(document.key))
    warehouse = Warehouse(raw=zone.raw, tables=zone.tables, now=lambda: NOW)
    for (held, year), dates in group_by_chart_year(keys).items():
        warehouse.load(held, year, dates)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> FolderCatalog:
    """The warehouse of all these files."""
    zone = Files()
    bring_playlists(zone, PLAYLISTS, CHART)
    bring_playlists(zone, RUNNING, "three-days")
    bring_playlists(zone, {max(PLAYLISTS): PLAYLISTS[OLDEST]}, "weeks-ago")
    zone.bring(*(name for names in FILES.values() for name in names))
    folder: Path = tmp_path_factory.mktemp("real")
    return catalog_of(folder, zone.tables)


# ---- the playlist's three days


def test_artists_of_three_real_days(catalog: FolderCatalog) -> None:
    found: dict[tuple[str, str], list[Place]] = defaultdict(list)
    places = places_of(PLAYLISTS)
    for place in places:
        for who in {(artist["name"], artist["id"]) for artist in place.song["artists"]}:
            found[who].append(place)
    expected = sorted(
        (-len(of), min(place.position for place in of), name, len({place.recording for place in of}))
        for (name, _), of in found.items()
    )[:20]
    assert answer_of(catalog, QUERIES["artists_on_chart"]) == [
        (name, -minus, songs, best, -minus / len(places), True) for minus, best, name, songs in expected
    ]


def test_artists_of_the_newest_real_day(catalog: FolderCatalog) -> None:
    newest = max(PLAYLISTS)
    found: dict[str, list[Place]] = defaultdict(list)
    for place in places_of({newest: PLAYLISTS[newest]}):
        for artist in place.song["artists"]:
            found[artist["name"]].append(place)
    expected = sorted(
        (-len({place.recording for place in of}), min(place.position for place in of), name)
        for name, of in found.items()
    )
    assert answer_of(catalog, QUERIES["todays_artists"]) == [
        (name, -minus, best, newest) for minus, best, name in expected
    ]


def test_albums_of_three_real_days(catalog: FolderCatalog) -> None:
    at_once: dict[str, dict[date, set[str]]] = defaultdict(lambda: defaultdict(set))
    names = {}
    for place in places_of(PLAYLISTS):
        album = place.song["album"]
        names[album["id"]] = album["name"]
        at_once[album["id"]][place.day].add(place.recording)
    records = []
    for album_id, days in at_once.items():
        songs = max(len(recordings) for recordings in days.values())
        records.append((-songs, min(day for day in days if len(days[day]) == songs), album_id))
    expected = [(names[album_id], -minus, day, album_id) for minus, day, album_id in sorted(records)[:20]]
    answered = answer_of(catalog, QUERIES["albums_at_once"])
    told = picked(QUERIES["albums_at_once"], answered, "album", "songs", "chart_date", "album_id")
    assert sorted(told, key=str) == sorted(expected, key=str)
    assert [row[1] for row in told] == [row[1] for row in expected]
    by_album = {row[4]: row[1] for row in answered}
    for album_id, artists in by_album.items():
        day = next(row[2] for row in expected if row[3] == album_id)
        credits = [
            [artist["name"] for artist in place.song["artists"]]
            for place in places_of({day: PLAYLISTS[day]})
            if place.song["album"]["id"] == album_id
        ]
        shared = [name for name in credits[0] if all(name in credit for credit in credits)]
        assert artists == (", ".join(shared) or "Various artists")


def test_collaborations_of_three_real_days(catalog: FolderCatalog) -> None:
    pairs: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for place in places_of(PLAYLISTS):
        for pair in combinations(sorted({artist["name"] for artist in place.song["artists"]}), 2):
            pairs[pair].append(place)
    expected = sorted(
        (-len({place.recording for place in of}), -len(of), min(place.position for place in of), *pair)
        for pair, of in pairs.items()
    )[:20]
    assert expected
    assert answer_of(catalog, QUERIES["collaborations"]) == [
        (one, other, -songs, -places, best) for songs, places, best, one, other in expected
    ]


def test_the_history_of_each_real_artist(catalog: FolderCatalog) -> None:
    places = places_of(PLAYLISTS)
    query = QUERIES["artist_history"]
    names = sorted(
        {artist["name"] for place in places if place.day == max(PLAYLISTS) for artist in place.song["artists"]}
    )
    for name in names[:8]:
        of: dict[str, list[Place]] = defaultdict(list)
        for place in places:
            if name in [artist["name"] for artist in place.song["artists"]]:
                of[place.recording].append(place)
        expected = sorted(
            (held[0].day, held[-1].day, len(held), min(place.position for place in held), recording)
            for recording, held in of.items()
        )
        rows = answer_of(catalog, query, artist=name.upper())
        columns = ("first_date", "last_date", "periods_on_chart", "best_position", "recording_id")
        assert sorted(picked(query, rows, *columns)) == expected


def test_what_changes_over_three_real_days_that_follow_one_another(catalog: FolderCatalog) -> None:
    on: dict[date, dict[str, int]] = {day: {} for day in RUNNING}
    for place in places_of(RUNNING):
        on[place.day].setdefault(place.recording, place.position)
    days = sorted(on)
    turnover = []
    for before, now in pairwise(days):
        stayed, entered, left = on[now].keys() & on[before], on[now].keys() - on[before], on[before].keys() - on[now]
        turnover.append((now, before, 50, len(stayed), len(entered), len(left), len(entered) / len(on[now])))
    assert answer_of(catalog, QUERIES["turnover"], chart="three-days") == turnover

    came = on[days[1]].keys() - on[days[0]]
    still = came & on[days[2]].keys()
    assert came
    assert answer_of(catalog, QUERIES["survival"], chart="three-days") == [
        (1, len(came), len(still), len(still) / len(came), 50)
    ]

    debuts = dict.fromkeys(came, days[1])
    debuts |= dict.fromkeys(on[days[2]].keys() - on[days[1]].keys() - on[days[0]].keys(), days[2])
    peaks, releases = [], []
    songs = {place.recording: place.song for place in places_of(RUNNING)}
    for recording, debut in debuts.items():
        best = min(positions[recording] for positions in on.values() if recording in positions)
        peak = next(day for day in days if on[day].get(recording) == best)
        name = songs[recording]["name"]
        peaks.append((name, debut, on[debut][recording], best, peak, (peak - debut).days))
        release = songs[recording]["album"]["release_date"]
        assert songs[recording]["album"]["release_date_precision"] == "day"
        if date.fromisoformat(release) <= debut:
            releases.append((name, date.fromisoformat(release), debut, (debut - date.fromisoformat(release)).days))
    rows = answer_of(catalog, QUERIES["days_to_peak"], chart="three-days")
    assert sorted((row[0], *row[2:]) for row in rows) == sorted(peaks)
    rows = answer_of(catalog, QUERIES["release_to_debut"], chart="three-days")
    assert releases
    assert sorted((row[0], *row[2:]) for row in rows) == sorted(releases)


def test_two_real_days_beside_each_other_as_two_charts(catalog: FolderCatalog) -> None:
    newest = max(PLAYLISTS)
    here, there = (
        {place.recording: place for place in places_of({newest: PLAYLISTS[day]})} for day in (newest, OLDEST)
    )
    expected = []
    for recording in here.keys() | there.keys():
        one, other = here.get(recording), there.get(recording)
        position, other_position = one and one.position, other and other.position
        name = (one or there[recording]).song["name"]
        difference = other_position - position if position and other_position else None
        expected.append((name, position, other_position, difference, newest))
    expected.sort(key=lambda row: (row[1] or 99, row[2] or 99))
    assert 50 < len(expected) < 100
    rows = answer_of(catalog, QUERIES["charts_compared"], other_chart="weeks-ago")
    assert [(row[0], *row[2:]) for row in rows] == expected


# ---- official files


def plain(chart: str) -> dict[date, list[dict[str, str]]]:
    """A chart's files by date."""
    return {TOLD[name][1]: rows_in(name) for name in FILES[chart]}


@pytest.mark.parametrize("chart", FILES)
def test_streams_of_real_files_missing_dates_between(catalog: FolderCatalog, chart: str) -> None:
    files = plain(chart)
    step = timedelta(days=7 if chart == WEEKLY else 1)
    day, expected = min(files), []
    while day <= max(files):
        if day in files:
            streams = [int(row["streams"]) for row in files[day]]
            shares = [sum(streams[:top]) / sum(streams) for top in (1, 10, 50)]
            expected.append((day, sum(streams), *shares, 200))
        else:
            expected.append((day, None, None, None, None, None))
        day += step
    assert answer_of(catalog, QUERIES["streams_by_date"], chart=chart) == expected


@pytest.mark.parametrize("chart", FILES)
def test_turnover_of_real_files(catalog: FolderCatalog, chart: str) -> None:
    *_, (before, old), (now, new) = plain(chart).items()
    here, there = ({row["uri"] for row in rows} for rows in (new, old))
    expected = (now, before, 200, len(here & there), len(here - there), len(there - here), len(here - there) / 200)
    assert answer_of(catalog, QUERIES["turnover"], chart=chart) == [expected]


@pytest.mark.parametrize("chart", FILES)
def test_labels_of_real_files(catalog: FolderCatalog, chart: str) -> None:
    rows = [row for held in plain(chart).values() for row in held]
    by_label: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_label[row["source"]].append(row)
    expected = sorted(
        (-len(of), min(int(row["rank"]) for row in of), label, len({row["uri"] for row in of}))
        for label, of in by_label.items()
    )[:20]
    answered = answer_of(catalog, QUERIES["labels"], chart=chart)
    assert [(row[0], row[1], row[3], row[4]) for row in answered] == [
        (label, -minus, best, -minus / len(rows)) for minus, best, label, _ in expected
    ]


def test_credits_of_real_files_are_counted_whole(catalog: FolderCatalog) -> None:
    rows = [row for held in plain("regional-pk-daily").values() for row in held]
    by_credit: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_credit[row["artist_names"]].append(row)
    answered = answer_of(catalog, QUERIES["artists_on_chart"], chart="regional-pk-daily")
    whole = [row for row in answered if not row[5]]
    assert any(", " in row[0] for row in whole)
    for credit, appearances, songs, best, share, _ in whole:
        of = by_credit[credit]
        assert (appearances, best, share) == (len(of), min(int(row["rank"]) for row in of), len(of) / len(rows))
        assert songs == len({row["uri"] for row in of})


@pytest.mark.parametrize("chart", FILES)
def test_debuts_and_peaks_of_real_files_are_those_that_spotify_tells(catalog: FolderCatalog, chart: str) -> None:
    files, periods_in = plain(chart), 7 if chart == WEEKLY else 1
    held: dict[str, dict[date, dict[str, str]]] = defaultdict(dict)
    for day, rows in sorted(files.items()):
        for row in rows:
            held[row["uri"]][day] = row
    expected = []
    for of in held.values():
        debut = min(of)
        if int(of[debut]["periods"]) != 1:
            continue
        places = {day: int(row["rank"]) for day, row in of.items()}
        best = min([*places.values(), *(above_0(row["peak_rank"]) or 200 for row in of.values())])
        peak = next((day for day in sorted(places) if places[day] == best), None)
        taken = None if peak is None else (peak - debut).days // periods_in
        expected.append((of[max(of)]["track_name"], debut, places[debut], best, peak, taken))
    answered = answer_of(catalog, QUERIES["days_to_peak"], chart=chart)
    assert sorted((row[0], *row[2:]) for row in answered) == sorted(expected)
    # Of the eight songs that came onto Pakistan's chart from one day to the next, Spotify tells of none that it is new.
    assert len({row[2] for row in answered}) == (3 if chart == WEEKLY else 0)


def test_real_songs_across_charts(tmp_path: Path) -> None:
    names = [name for name in GIVEN if "2018" not in name] + [name for name in TOLD if "us-weekly" in name]
    zone = Files()
    zone.bring(*names)
    by_song: dict[str, list[tuple[str, date, date, int, int, int]]] = defaultdict(list)
    for name in names:
        chart, day = PLACES[name]
        for row in rows_in(name):
            place = int(row["rank"])
            by_song[row["uri"].split("/")[-1]].append((chart, day, day, 1, place, place))
    widespread = sorted(song for song, charts in by_song.items() if len(charts) == 3)
    assert len(widespread) > 5
    held, query = catalog_of(tmp_path, zone.tables), QUERIES["song_across_charts"]
    for song in widespread[:5]:
        answered = answer_of(held, query, song=song)
        assert sorted((row[0], *row[2:7]) for row in answered) == sorted(by_song[song])
