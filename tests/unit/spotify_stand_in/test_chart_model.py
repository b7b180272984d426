"""The sample's chart: always the same bytes, and a life as charts lead it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from local.spotify import catalogue
from local.spotify.model import Entry, NoSuchChart, chart, popularity_of
from local.spotify.music import Song

DAILY = "regional-global-daily"
WEEKLY = "regional-global-weekly"
ROOT = Path(__file__).resolve().parents[3]

# The digest of `fingerprint()`. It may change only with the sample itself: then every stored sample chart changes too.
PINNED = "5425c98bc1badf4f282f9292d6da215e2879f1eb83ae5d13f507fd6d258727bb"


def fingerprint() -> str:
    """A digest over every field of charts of all kinds, on days far apart."""
    digest = hashlib.sha256()
    for name, on in (
        (DAILY, date(2017, 1, 1)),
        (DAILY, date(2024, 12, 24)),
        ("regional-mx-daily", date(2031, 7, 4)),
        (WEEKLY, date(2026, 11, 19)),
        (DAILY, date(2099, 12, 31)),
    ):
        for entry in chart(name, on, size=200):
            digest.update(repr((name, on, entry.position, entry.streams, _everything(entry))).encode())
    return digest.hexdigest()


def _everything(entry: Entry) -> tuple[object, ...]:
    song, album = entry.song, entry.song.album
    return (
        *(song.id, song.name, song.isrc, song.duration_ms, song.explicit, song.track_number),
        *((artist.id, artist.name, artist.genres, artist.stature) for artist in (*song.artists, *album.artists)),
        *(album.id, album.name, album.album_type, album.release_date, album.release_date_precision),
        *(album.total_tracks, album.label, album.upc),
    )


@pytest.fixture(scope="module")
def year() -> list[tuple[date, tuple[Entry, ...]]]:
    """The daily global charts of 2025."""
    return [(day, chart(DAILY, day)) for day in (date(2025, 1, 1) + timedelta(days=n) for n in range(365))]


def test_the_sample_is_the_one_that_was_pinned() -> None:
    assert fingerprint() == PINNED


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_another_process_with_another_hash_seed_makes_the_same_sample(hash_seed: str) -> None:
    asked = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert asked.stdout.strip() == PINNED


def test_days_asked_for_in_another_order_are_the_same() -> None:
    days = [date(2023, 3, 1) + timedelta(days=n) for n in range(6)]
    forwards = [[_everything(entry) for entry in chart(DAILY, day)] for day in days]
    catalogue.releases.cache_clear()
    backwards = [[_everything(entry) for entry in chart(DAILY, day)] for day in reversed(days)]
    assert forwards == backwards[::-1]


def test_another_seed_is_another_world() -> None:
    ours = {artist.name for entry in chart(DAILY, date(2025, 5, 5)) for artist in entry.song.artists}
    ids = {entry.song.id for entry in chart(DAILY, date(2025, 5, 5))}
    others = chart(DAILY, date(2025, 5, 5), seed="elsewhere")
    assert ids.isdisjoint(entry.song.id for entry in others)
    assert ours != {artist.name for entry in others for artist in entry.song.artists}


@pytest.mark.parametrize("name", [DAILY, WEEKLY, "regional-us-daily", "regional-jp-weekly"])
@pytest.mark.parametrize("size", [1, 50, 200])
def test_a_chart_is_full_without_gaps_and_holds_each_song_once(name: str, size: int) -> None:
    for thursday in (date(2017, 1, 5), date(2020, 2, 27), date(2026, 11, 19), date(2099, 12, 31)):
        entries = chart(name, thursday, size=size)
        assert [entry.position for entry in entries] == list(range(1, size + 1))
        assert len({entry.song.id for entry in entries}) == size
        streams = [entry.streams for entry in entries]
        assert streams == sorted(streams, reverse=True)
        assert streams[-1] > 0


def test_songs_enter_climb_fall_leave_and_come_back(year: list[tuple[date, tuple[Entry, ...]]]) -> None:
    positions: dict[str, list[int | None]] = defaultdict(lambda: [None] * len(year))
    for number, (_, entries) in enumerate(year):
        for entry in entries:
            positions[entry.song.id][number] = entry.position
    entered = climbed = fell = left = returned = 0
    for life in positions.values():
        seen = False
        for before, after in pairwise(life):
            if before is not None and after is not None:
                climbed += after < before
                fell += after > before
            elif before is not None:
                left += 1
            elif after is not None:
                returned += seen
                entered += not seen
            seen = seen or before is not None
    assert 150 < entered < 900
    assert left > entered
    assert returned > 100
    assert climbed > 2_000
    assert fell > climbed
    days = sorted(sum(position is not None for position in life) for life in positions.values())
    assert 7 <= days[len(days) // 2] <= 60
    assert days[-1] > 200


def test_no_song_and_no_artist_owns_a_year(year: list[tuple[date, tuple[Entry, ...]]]) -> None:
    artists = Counter(artist.name for _, entries in year for entry in entries for artist in entry.song.artists)
    leaders = Counter(entries[0].song.id for _, entries in year)
    assert artists.most_common(1)[0][1] / (50 * len(year)) < 0.12
    assert len(artists) > 100
    assert 10 <= len(leaders) <= 80
    assert leaders.most_common(1)[0][1] < 70


@pytest.mark.parametrize("in_year", [2017, 2019, 2023, 2032, 2035, 2098])
def test_no_artist_holds_an_eighth_of_any_year(in_year: int) -> None:
    days = [date(in_year, 1, 1) + timedelta(days=n) for n in range(0, 365, 9)]
    held = Counter(artist.name for day in days for entry in chart(DAILY, day) for artist in entry.song.artists)
    assert held.most_common(1)[0][1] / (50 * len(days)) < 0.12


def test_an_album_enters_with_several_songs_on_its_release_day(year: list[tuple[date, tuple[Entry, ...]]]) -> None:
    drops = {}
    for day, entries in year:
        for album, songs in Counter(entry.song.album for entry in entries).items():
            if album.release_date == day.isoformat() and songs >= 5:
                drops[album.name] = day
    assert len(drops) >= 3
    assert {day.weekday() for day in drops.values()} == {4}


def test_collaborations_name_every_artist_in_credit_and_title(year: list[tuple[date, tuple[Entry, ...]]]) -> None:
    songs = {entry.song.id: entry.song for _, entries in year for entry in entries}
    together = [song for song in songs.values() if len(song.artists) > 1]
    assert 0.15 < len(together) / len(songs) < 0.6
    assert any(len(song.artists) == 3 for song in together)
    for song in together:
        assert len(set(song.artists)) == len(song.artists)
        assert all(guest.name in song.name for guest in song.artists[1:])


def test_winter_songs_return_each_december_and_are_gone_in_spring() -> None:
    def winter(day: date) -> set[str]:
        return {entry.song.id for entry in chart(DAILY, day) if entry.song.life.shape == "winter"}

    eves = [winter(date(in_year, 12, 24)) for in_year in (2018, 2024, 2025)]
    assert all(len(eve) >= 15 for eve in eves)
    assert len(eves[0] & eves[1] & eves[2]) >= 10
    assert chart(DAILY, date(2025, 12, 24))[0].song.life.shape == "winter"
    assert winter(date(2025, 4, 10)) == set()


def test_one_recording_charts_under_two_ids(year: list[tuple[date, tuple[Entry, ...]]]) -> None:
    # By id, not by object: another test that asked for a chart of this year may have left objects of its own.
    by_isrc: dict[str, dict[str, Song]] = defaultdict(dict)
    for _, entries in year:
        for entry in entries:
            by_isrc[entry.song.isrc][entry.song.id] = entry.song
    twins = [songs.values() for songs in by_isrc.values() if len(songs) > 1]
    assert len(twins) >= 3
    for songs in twins:
        assert len({song.name for song in songs}) == 1
        assert len({song.album.id for song in songs}) == len(songs)
        assert {song.album.album_type for song in songs} == {"single", "album"}


def test_the_data_holds_what_naive_readers_trip_over() -> None:
    entries = [entry for month in range(1, 13) for entry in chart(DAILY, date(2025, month, 12), size=200)]
    artists = {artist.name for entry in entries for artist in entry.song.artists}
    assert any("," in name for name in artists)
    assert any('"' in name for name in artists)
    assert any(not name.isascii() for name in artists)
    assert any(not entry.song.name.isascii() for entry in entries)
    assert {entry.song.album.release_date_precision for entry in entries} == {"day", "month", "year"}
    precise = sum(entry.song.album.release_date_precision == "day" for entry in entries)
    assert precise / len(entries) > 0.8
    assert any(entry.song.album.artists[0] not in entry.song.artists for entry in entries)
    assert {entry.song.album.album_type for entry in entries} == {"album", "single", "compilation"}
    for entry in entries:
        length = {"year": 4, "month": 7, "day": 10}[entry.song.album.release_date_precision]
        assert len(entry.song.album.release_date) == length


def test_no_song_charts_before_its_release(year: list[tuple[date, tuple[Entry, ...]]]) -> None:
    for day, entries in year:
        assert all(entry.song.album.release_date <= day.isoformat() for entry in entries)


def test_artists_have_names_of_their_own() -> None:
    names = [catalogue.artist("top-songs-sample-1", index).name for index in range(catalogue.ARTISTS)]
    assert [name for name, given in Counter(names).items() if given > 1] == []


def test_a_country_chart_is_related_to_the_worlds_but_not_the_same() -> None:
    day = date(2025, 9, 17)
    world = [entry.song.id for entry in chart(DAILY, day)]
    for region in ("us", "de", "mx"):
        country = [entry.song.id for entry in chart(f"regional-{region}-daily", day)]
        shared = set(world) & set(country)
        assert 10 <= len(shared) <= 45
        assert country[:10] != world[:10]


def test_a_country_prefers_songs_in_its_own_language() -> None:
    def spanish(region: str) -> int:
        entries = chart(f"regional-{region}-daily", date(2025, 9, 17))
        return sum(entry.song.artists[0].tongue == "es" for entry in entries)

    assert spanish("mx") > spanish("gb") + 3


def test_a_weekly_chart_adds_up_its_seven_days() -> None:
    thursday = date(2025, 6, 12)
    total: Counter[str] = Counter()
    for back in range(7):
        for entry in chart(DAILY, thursday - timedelta(days=back), size=200):
            total[entry.song.id] += entry.streams
    week = chart(WEEKLY, thursday)
    assert [entry.song.id for entry in week] == [song for song, _ in total.most_common(50)]
    assert [entry.streams for entry in week] == [streams for _, streams in total.most_common(50)]


@pytest.mark.parametrize(
    ("name", "day", "size", "says"),
    [
        ("viral-global-daily", date(2025, 1, 1), 50, "viral-global-daily"),
        ("regional-global-monthly", date(2025, 1, 1), 50, "daily or weekly"),
        (DAILY, date(2016, 12, 31), 50, "from 2017-01-01 to 2099-12-31"),
        (DAILY, date(2100, 1, 1), 50, "from 2017-01-01 to 2099-12-31"),
        (DAILY, date(2025, 1, 1), 0, "1 to 200"),
        (DAILY, date(2025, 1, 1), 201, "1 to 200"),
        (WEEKLY, date(2025, 1, 1), 50, "Thursday"),
    ],
)
def test_a_chart_that_does_not_exist_is_refused_with_what_does(name: str, day: date, size: int, says: str) -> None:
    with pytest.raises(NoSuchChart, match=says):
        chart(name, day, size=size)


def test_every_id_leads_back_to_its_own_object() -> None:
    seed = "top-songs-sample-1"
    for entry in chart(DAILY, date(2025, 12, 20), size=200):
        song = entry.song
        assert len(song.id) == 22
        assert catalogue.find_song(seed, song.id) is song
        release = catalogue.find_release(seed, song.album.id)
        assert release is not None
        assert release.album is song.album
        assert release.songs[song.track_number - 1] is song
        assert len(release.songs) == song.album.total_tracks
        for artist in (*song.artists, *song.album.artists):
            assert catalogue.find_artist(seed, artist.id) is artist
        assert catalogue.find_song(seed, song.album.id) is None
        assert catalogue.find_release(seed, song.id) is None
        assert catalogue.find_artist(seed, song.id) is None


def test_an_id_that_was_never_given_leads_nowhere() -> None:
    for unknown in ("0" * 22, "4cOdK2wGLETKBW3PvgPWqT", "z" * 22, "short", "é" * 22):
        assert catalogue.find_song("top-songs-sample-1", unknown) is None
        assert catalogue.find_artist("top-songs-sample-1", unknown) is None
        assert catalogue.find_release("top-songs-sample-1", unknown) is None


def test_popularity_stays_in_spotifys_range_and_follows_the_chart() -> None:
    day = date(2025, 5, 5)
    found = [popularity_of(entry.song, day) for entry in chart(DAILY, day, size=200)]
    assert all(0 <= popularity <= 100 for popularity in found)
    assert sum(found[:20]) / 20 > sum(found[-20:]) / 20 + 5


def test_a_day_takes_milliseconds_once_warm() -> None:
    chart(DAILY, date(2027, 1, 1))
    began = time.process_time()
    for number in range(1, 31):
        chart(DAILY, date(2027, 1, 1) + timedelta(days=number), size=200)
    # Measured at 3.5 ms a day; the bound allows for a slow machine, not for releases made anew each day.
    assert (time.process_time() - began) / 30 < 0.03


if __name__ == "__main__":
    print(fingerprint())
