"""The same documents, in any order, any number of times, in any batches, from any writers: the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core import documents
from lambdas.core.documents import RawDocument
from lambdas.core.keys import parse_raw_key
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS, SONGS
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.documents import album, artist, csv_answer, csv_row, document, track
from tests.fakes import MemoryStore
from tests.tables import read_table

NOW = datetime(2026, 4, 1, tzinfo=UTC)
DATES = (date(2024, 2, 29), date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
MOMENTS = tuple(datetime(2026, 1, 2, tzinfo=UTC) + timedelta(hours=6 * n) for n in range(3))

songs = st.builds(
    lambda name, popularity, credit, release: track(
        name,
        popularity=popularity,
        artists=[artist(who) for who in credit],
        album=album(f"Album of {name}", release_date=release),
    ),
    name=st.sampled_from(["One", "Two", "Three", "Four"]),
    popularity=st.sampled_from([None, 1, 99]),
    credit=st.lists(st.sampled_from(["A", "B", "Ñandú"]), min_size=1, max_size=3, unique=True),
    release=st.sampled_from(["2019", "2019-05", "2019-05-03", "0000"]),
)
kinds = st.sampled_from(["whole", "whole", "partial"])
charts = st.sampled_from(["regional-global-daily", "road-trip"])
playlists = st.builds(
    lambda chart, chart_date, observed_at, kind, held: document(
        chart=chart,
        chart_date=chart_date,
        observed_at=observed_at,
        partial=kind == "partial",
        songs=held,
    ),
    chart=charts,
    chart_date=st.sampled_from(DATES),
    observed_at=st.sampled_from(MOMENTS),
    kind=kinds,
    held=st.lists(songs, min_size=1, max_size=4),
)
rows = st.builds(
    lambda position, name, text, credit, streams: csv_row(
        position, name, track_name=text or name, artist_names=credit, streams=streams
    ),
    position=st.integers(1, 9),
    name=st.sampled_from(["One", "Two", "Three", "Four"]),
    text=st.sampled_from(["", "", "Se\xf1al", "\ufffd"]),
    credit=st.sampled_from(["A", "Rafi, The Maker", "\xd1and\xfa", ""]),
    streams=st.integers(0, 3),
)
files = st.builds(
    lambda chart, chart_date, observed_at, kind, encoding, held: document(
        [csv_answer(held, encoding=encoding)],
        chart=chart,
        chart_date=chart_date,
        observed_at=observed_at,
        provider="charts_csv",
        partial=kind == "partial",
    ),
    chart=charts,
    chart_date=st.sampled_from(DATES),
    observed_at=st.sampled_from(MOMENTS),
    kind=kinds,
    encoding=st.sampled_from(["utf-8", "cp1252"]),
    held=st.lists(rows, min_size=1, max_size=4, unique_by=lambda row: row["rank"]),
)
operators_words = st.builds(
    lambda chart, chart_date, observed_at, withdrawal: document(
        chart=chart, chart_date=chart_date, observed_at=observed_at, provider="operator", withdrawal=withdrawal
    ),
    chart=charts,
    chart_date=st.sampled_from(DATES),
    observed_at=st.sampled_from(MOMENTS),
    withdrawal=st.booleans(),
)
raw_documents = playlists | playlists | files | files | operators_words
some_documents = st.lists(raw_documents, min_size=1, max_size=8)


class Killed(BaseException):
    """A process that is gone: nothing after it runs."""


def killed_after(writes: int) -> Callable[[str], None]:
    """Lets so many writes through, and dies before the next."""
    left = iter(range(writes))

    def before_write(_: str) -> None:
        if next(left, None) is None:
            raise Killed

    return before_write


def load(raw: MemoryStore, tables: MemoryStore, batch: list[RawDocument]) -> None:
    warehouse = Warehouse(raw=raw, tables=tables, now=lambda: NOW, sleep=lambda _: None)
    for (chart, year), dates in group_by_chart_year(parse_raw_key(item.key) for item in batch).items():
        warehouse.load(chart, year, dates)


def put(raw: MemoryStore, batch: list[RawDocument]) -> None:
    for item in batch:
        raw.put_new(item.key, documents.encode(item))


def at_once(held: list[RawDocument]) -> dict[str, bytes]:
    """The tables of documents that are all there before one load."""
    raw, tables = MemoryStore(), MemoryStore()
    put(raw, held)
    load(raw, tables, held)
    return tables.objects


@settings(max_examples=80, deadline=None)
@given(held=some_documents, data=st.data())
def test_any_order_repetition_and_batching_gives_the_same_bytes(held: list[RawDocument], data: st.DataObject) -> None:
    arrivals = data.draw(st.permutations(held + data.draw(st.lists(st.sampled_from(held), max_size=4))))
    raw, tables = MemoryStore(), MemoryStore()
    while arrivals:
        size = data.draw(st.integers(1, len(arrivals)))
        batch, arrivals = arrivals[:size], arrivals[size:]
        put(raw, batch)
        load(raw, tables, batch)
    assert tables.objects == at_once(held)


@settings(max_examples=50, deadline=None)
@given(held=some_documents, data=st.data())
def test_writers_that_cut_in_before_any_read_or_write_lose_nothing(
    held: list[RawDocument], data: st.DataObject
) -> None:
    """Before each read and write of one writer, others may put and load documents of their own."""
    raw, tables = MemoryStore(), MemoryStore()
    waiting = list(held)
    cut_in: Callable[[], bool] = lambda: data.draw(st.booleans())  # noqa: E731

    def another_writer(_: str) -> None:
        if waiting and cut_in():
            put(raw, [mine := waiting.pop()])
            load(raw, tables, [mine])

    tables.before_write = tables.before_read = another_writer
    while waiting:
        put(raw, [mine := waiting.pop()])
        load(raw, tables, [mine])
    assert tables.objects == at_once(held)


@settings(max_examples=25, deadline=None)
@given(held=some_documents)
def test_a_crash_after_any_write_is_mended_by_the_next_delivery(held: list[RawDocument]) -> None:
    whole = at_once(held)
    for survived in range(len(whole) + 1):
        raw, tables = MemoryStore(), MemoryStore()
        put(raw, held)
        tables.before_write = killed_after(survived)
        try:
            load(raw, tables, held)
        except Killed:
            tables.before_write = str
            load(raw, tables, held)
        assert tables.objects == whole


def songs_told(item: RawDocument) -> list[tuple[str, str]]:
    """Each song of a document, and how much is told of it. Of a song listed twice in a file, the upper row counts."""
    told: dict[str, str] = {}
    for answer in map(json.loads, map(bytes, item.answers)):
        if item.provider == "operator":
            continue
        if item.provider == "playlist":
            told |= dict.fromkeys((entry["item"]["id"] for entry in answer["items"]), "api")
            continue
        lossy = answer["encoding"] != "utf-8"
        for row in sorted(answer["rows"], key=lambda row: int(row[0])):
            good = [text and "\ufffd" not in text and (text.isascii() or not lossy) for text in row[2:4]]
            told.setdefault(row[1].removeprefix("spotify:track:"), "csv" if all(good) else "incomplete")
    return list(told.items())


@settings(max_examples=80, deadline=None)
@given(held=some_documents)
def test_the_tables_say_what_the_winners_say(held: list[RawDocument]) -> None:
    """Worked out here a second time, plainly: a day has one winner, and all documents are on record."""
    raw, tables = MemoryStore(), MemoryStore()
    put(raw, held)
    load(raw, tables, held)
    unique = {item.key: item for item in held}
    days: dict[tuple[str, date], list[RawDocument]] = {}
    for item in unique.values():
        days.setdefault((item.chart, item.chart_date), []).append(item)
    published = set()
    for (chart, chart_date), rivals in days.items():
        words = sorted((r for r in rivals if r.provider == "operator"), key=lambda r: (r.observed_at, r.key[-24:]))
        charts_told = [r for r in rivals if r.provider != "operator"]
        if charts_told and not (words and words[-1].withdrawal):
            best = sorted(
                charts_told, key=lambda r: (not r.partial, r.provider == "charts_csv", r.observed_at, r.key[-24:])
            )[-1]
            published.add((chart, chart_date, best.observed_at, best.provider))
    entries = read_table(tables, CHART_ENTRIES)
    assert {(row["chart"], row["chart_date"], row["observed_at"], row["provider"]) for row in entries} == published
    assert len(entries) == len({(row["chart"], row["chart_date"], row["position"]) for row in entries})
    assert {row["raw_key"] for row in read_table(tables, SNAPSHOTS)} == set(unique)
    known = {row["song_id"]: row for row in read_table(tables, SONGS)}
    details: dict[str, set[str]] = {}
    for item in unique.values():
        for song_id, detail in songs_told(item):
            details.setdefault(song_id, set()).add(detail)
    assert {song_id: row["detail"] for song_id, row in known.items()} == {
        song_id: max(told, key=["incomplete", "csv", "api"].index) for song_id, told in details.items()
    }
    assert {row["song_id"] for row in entries} <= set(known)
    credits: dict[str, list[int]] = {}
    for row in read_table(tables, SONG_ARTISTS):
        credits.setdefault(row["song_id"], []).append(row["artist_position"])
    assert set(credits) == {song_id for song_id, row in known.items() if row["detail"] == "api"}
    for positions in credits.values():
        assert positions == list(range(1, len(positions) + 1))
