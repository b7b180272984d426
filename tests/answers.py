"""The report's queries answered in plain Python over charts made by hand: rows of text, as Athena gives them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from lambdas.core.charts import period_of, step

Row = dict[str, str | None]


@dataclass(frozen=True)
class Song:
    """A song on a chart; its recording is told apart by `name` and `artists` unless `recording` says otherwise."""

    name: str
    artists: tuple[str, ...] = ("Ivo Calder",)
    album: str | None = "Paper Undertow"
    isrc: str | None = "QZABC2600001"
    streams: int | None = None
    url: str | None = "https://open.spotify.com/track/0"
    recording: str | None = None

    @property
    def recording_id(self) -> str:
        return self.recording or f"{self.name}|{', '.join(self.artists)}"


@dataclass(frozen=True)
class History:
    """Charts by date, songs in order of place. Called as an `Ask`; `asked` keeps what was asked."""

    charts: Mapping[date, Sequence[Song]]
    chart: str = "regional-global-daily"
    names_artists: bool = True
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __call__(self, query: str, parameters: Mapping[str, str]) -> Sequence[Mapping[str, str | None]]:
        self.asked.append((query, dict(parameters)))
        rows: list[Row] = getattr(self, query)() if self.charts else []
        return rows

    @property
    def dates(self) -> list[date]:
        """Every date from the first to the newest, missing ones too."""
        first, last, by = min(self.charts), max(self.charts), step(period_of(self.chart))
        return [first + by * n for n in range((last - first) // by + 1)]

    def places(self) -> dict[str, dict[date, int]]:
        found: dict[str, dict[date, int]] = defaultdict(dict)
        for day in sorted(self.charts):
            for position, song in enumerate(self.charts[day], 1):
                found[song.recording_id].setdefault(day, position)
        return found

    def latest(self) -> dict[str, Song]:
        return {song.recording_id: song for day in sorted(self.charts) for song in self.charts[day]}

    def _moves(self, day: date) -> Iterator[tuple[int, Song, str | None, int | None]]:
        before = self.charts.get(day - step(period_of(self.chart)))
        ranked = {song.recording_id: n for n, song in reversed(list(enumerate(before or (), 1)))}
        earlier = {song.recording_id for when in self.charts if when < day for song in self.charts[when]}
        for position, song in enumerate(self.charts[day], 1):
            was = ranked.get(song.recording_id)
            if before is None:
                yield position, song, None, None
            elif was is None:
                yield position, song, "back" if song.recording_id in earlier else "new", None
            else:
                yield position, song, "=" if was == position else f"{was - position:+}", was

    def todays_chart(self) -> list[Row]:
        newest, places = max(self.charts), self.places()
        return [
            {
                "position": str(position), "movement": move, "previous_position": _text(was), "song": song.name,
                "artists": ", ".join(song.artists), "album": song.album,
                "best_position": str(min(places[song.recording_id].values())),
                "periods_on_chart": str(len(places[song.recording_id])), "streams": _text(song.streams),
                "recording_id": song.recording_id, "song_id": song.name, "url": song.url, "isrc": song.isrc,
                "chart_date": newest.isoformat(),
            }
            for position, song, move, was in self._moves(newest)
        ]  # fmt: skip

    def number_ones(self) -> list[Row]:
        rows: list[Row] = []
        run: list[date] = []
        for day in self.dates:
            if day not in self.charts or not self.charts[day]:
                run = []
                continue
            song = self.charts[day][0]
            if run and self.charts[run[-1]][0].recording_id == song.recording_id:
                run.append(day)
                rows.pop()
            else:
                run = [day]
            rows.append(
                {
                    "song": song.name, "artists": ", ".join(song.artists), "first_date": run[0].isoformat(),
                    "last_date": day.isoformat(), "periods_in_a_row": str(len(run)), "recording_id": song.recording_id,
                }
            )  # fmt: skip
        return rows[::-1]

    def every_song(self) -> list[Row]:
        latest = self.latest()
        streams: Counter[str] = Counter()
        for _, charted in sorted(self.charts.items()):
            for song in charted:
                streams[song.recording_id] += song.streams or 0
        return [
            {
                "recording_id": key, "song": latest[key].name, "artists": ", ".join(latest[key].artists),
                "album": latest[key].album, "url": latest[key].url, "isrc": latest[key].isrc,
                "first_date": min(places).isoformat(), "last_date": max(places).isoformat(),
                "best_position": str(min(places.values())), "periods_on_chart": str(len(places)), "runs": "1",
                "total_streams": _text(streams[key] or None),
                "positions": " ".join(f"{day}:{place}" for day, place in places.items()),
            }
            for key, places in self.places().items()
        ]  # fmt: skip

    def chart_calendar(self) -> list[Row]:
        rows: list[Row] = []
        before: set[str] | None = None
        for day in self.dates:
            charted = self.charts.get(day)
            row: Row = dict.fromkeys(
                ("entries", "depth", "provider", "new_entries", "re_entries", "left", "warnings")
            ) | {"chart_date": day.isoformat(), "held": "false" if charted is None else "true"}
            if charted is not None:
                row |= {"entries": str(len(charted)), "depth": str(len(charted)), "provider": "charts_csv"}
                moves = Counter(move for _, _, move, _ in self._moves(day))
                here = {song.recording_id for song in charted}
                if before is not None:
                    row |= {
                        "new_entries": str(moves["new"]),
                        "re_entries": str(moves["back"]),
                        "left": str(len(before - here)),
                    }
            before = None if charted is None else {song.recording_id for song in charted}
            rows.append(row)
        return rows

    def longest_on_chart(self) -> list[Row]:
        latest = self.latest()
        longest = sorted(self.places().items(), key=lambda item: (-len(item[1]), min(item[1].values()), item[0]))
        return [
            {
                "song": latest[key].name, "artists": ", ".join(latest[key].artists),
                "periods_on_chart": str(len(places)),
                "official_periods_on_chart": None, "best_position": str(min(places.values())),
                "first_date": min(places).isoformat(), "last_date": max(places).isoformat(), "recording_id": key,
            }
            for key, places in longest[:20]
        ]  # fmt: skip

    def _credited(self, song: Song) -> tuple[str, ...]:
        return song.artists if self.names_artists else (", ".join(song.artists),)

    def artists_on_chart(self) -> list[Row]:
        appearances: Counter[str] = Counter()
        songs: dict[str, set[str]] = defaultdict(set)
        best: dict[str, int] = {}
        for _, charted in sorted(self.charts.items()):
            for position, song in enumerate(charted, 1):
                for name in self._credited(song):
                    appearances[name] += 1
                    songs[name].add(song.recording_id)
                    best[name] = min(position, best.get(name, position))
        ranked = sorted(appearances, key=lambda name: (-appearances[name], name))
        places = sum(map(len, self.charts.values()))
        return [
            {
                "artist": name, "appearances": str(appearances[name]), "songs": str(len(songs[name])),
                "best_position": str(best[name]), "share": str(appearances[name] / places),
                "identified": str(self.names_artists).lower(),
            }
            for name in ranked[:20]
        ]  # fmt: skip

    def todays_artists(self) -> list[Row]:
        newest = max(self.charts)
        songs: Counter[str] = Counter()
        best: dict[str, int] = {}
        for position, song in enumerate(self.charts[newest], 1):
            for name in self._credited(song):
                songs[name] += 1
                best.setdefault(name, position)
        return [
            {
                "artist": name, "songs": str(count), "best_position": str(best[name]),
                "chart_date": newest.isoformat(),
            }
            for name, count in songs.most_common()
        ]  # fmt: skip

    def albums_at_once(self) -> list[Row]:
        most: dict[str, tuple[int, date, Song]] = {}
        for day, charted in sorted(self.charts.items()):
            for name, count in Counter(song.album for song in charted if song.album).items():
                if count > most.get(name, (0,))[0]:
                    most[name] = (count, day, next(song for song in charted if song.album == name))
        ranked = sorted(most, key=lambda name: (-most[name][0], name))
        return [
            {
                "album": name, "artists": most[name][2].artists[0], "songs": str(most[name][0]),
                "chart_date": most[name][1].isoformat(), "album_id": name,
            }
            for name in ranked[:20]
        ]  # fmt: skip

    def table_sizes(self) -> list[Row]:
        entries = sum(map(len, self.charts.values()))
        return [
            {"table_name": "chart_entries", "rows": str(entries)},
            {"table_name": "songs", "rows": str(len(self.latest()))},
        ]


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def daily(first: date, *charts: Sequence[Song] | None) -> dict[date, Sequence[Song]]:
    """Charts of days in a row from `first` on; None for a day that is missing."""
    return {first + timedelta(days=n): chart for n, chart in enumerate(charts) if chart is not None}
