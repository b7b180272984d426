"""The same documents and cached answers, in any order, any number of times, in any batches, from any writers: the
same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core import documents
from lambdas.core.cached_answers import CachedAnswer, gone
from lambdas.core.documents import RawDocument
from lambdas.core.events import Message, encode_event
from lambdas.core.schema import ALBUMS, ARTISTS, CHART_ENTRIES, SNAPSHOTS, SONG_ARTISTS, SONGS
from lambdas.core.warehouse import Warehouse
from lambdas.transform.handler import process
from tests.cases import cases
from tests.documents import (
    album,
    artist,
    cached_song,
    csv_answer,
    csv_row,
    document,
    public_answer,
    public_entry,
    spotify_id,
    track,
)
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
# One object holds the answer about a song, so of two about one song the raw zone holds one.
answers = st.builds(
    lambda song, asked, now: cached_song(song, song_id=spotify_id(("track", asked)), now=now),
    song=songs,
    asked=st.sampled_from(["One", "Two", "Three", "Five"]),
    now=st.sampled_from(MOMENTS),
) | st.builds(
    lambda asked, now: gone(spotify_id(("track", asked)), before=None, now=now),
    asked=st.sampled_from(["One", "Two", "Three", "Five"]),
    now=st.sampled_from(MOMENTS),
)
public_entries = st.builds(
    lambda position, name, credit, previous: credited(public_entry(position, name, previousRank=previous), credit),
    position=st.integers(1, 9),
    name=st.sampled_from(["One", "Two", "Three", "Four"]),
    credit=st.lists(st.sampled_from(["A", "B", "Ñandú"]), min_size=1, max_size=3, unique=True),
    previous=st.integers(-1, 3),
)


def credited(one: dict[str, Any], names: list[str]) -> dict[str, Any]:
    one["trackMetadata"]["artists"] = [
        {"name": name, "spotifyUri": f"spotify:artist:{artist(name)['id']}", "externalUrl": ""} for name in names
    ]
    return one


# A whole public chart reaches its last place, so each has a song there.
public_charts = st.builds(
    lambda chart, chart_date, observed_at, kind, held, last: document(
        [public_answer([*held, public_entry(50, last)], alias=chart.upper().replace("-", "_"))],
        chart=chart,
        chart_date=chart_date,
        observed_at=observed_at,
        provider="public_charts",
        partial=kind == "partial",
    ),
    chart=charts,
    chart_date=st.sampled_from(DATES),
    observed_at=st.sampled_from(MOMENTS),
    kind=kinds,
    held=st.lists(public_entries, max_size=3, unique_by=lambda one: one["chartEntryData"]["currentRank"]),
    last=st.sampled_from(["One", "Five"]),
)
raw_documents = playlists | playlists | files | files | public_charts | operators_words
some_documents = st.builds(
    lambda charts, cached: [*charts, *cached],
    charts=st.lists(raw_documents, min_size=1, max_size=8),
    cached=st.lists(answers, max_size=3, unique_by=lambda answer: answer.song_id),
)
Held: TypeAlias = RawDocument | CachedAnswer


class Killed(BaseException):
    """A process that is gone: nothing after it runs."""


def killed_after(writes: int) -> Callable[[str], None]:
    """Lets so many writes through, and dies before the next."""
    left = iter(range(writes))

    def before_write(_: str) -> None:
        if next(left, None) is None:
            raise Killed

    return before_write


def charts_in(batch: Sequence[Held]) -> list[RawDocument]:
    return [item for item in batch if isinstance(item, RawDocument)]


def answers_in(batch: Sequence[Held]) -> list[CachedAnswer]:
    return [item for item in batch if isinstance(item, CachedAnswer)]


def load(raw: MemoryStore, tables: MemoryStore, batch: Sequence[Held]) -> None:
    """What the transform function does with the events of these objects, all in one batch."""
    warehouse = Warehouse(raw=raw, tables=tables, now=lambda: NOW, sleep=lambda _: None)
    messages: list[Message] = [
        {"messageId": item.key, "body": encode_event(bucket="raw", key=item.key)} for item in batch
    ]
    assert process(messages, warehouse).failed == []


def put(raw: MemoryStore, batch: Sequence[Held]) -> None:
    for item in batch:
        raw.put_new(item.key, documents.encode(item))


def at_once(held: list[Held]) -> dict[str, bytes]:
    """The tables of documents that are all there before one load."""
    raw, tables = MemoryStore(), MemoryStore()
    put(raw, held)
    load(raw, tables, held)
    return tables.objects


@settings(max_examples=cases(80), deadline=None)
@given(held=some_documents, data=st.data())
def test_any_order_repetition_and_batching_gives_the_same_bytes(held: list[Held], data: st.DataObject) -> None:
    arrivals = data.draw(st.permutations(held + data.draw(st.lists(st.sampled_from(held), max_size=4))))
    raw, tables = MemoryStore(), MemoryStore()
    while arrivals:
        size = data.draw(st.integers(1, len(arrivals)))
        batch, arrivals = arrivals[:size], arrivals[size:]
        put(raw, batch)
        load(raw, tables, batch)
    assert tables.objects == at_once(held)


@settings(max_examples=cases(50), deadline=None)
@given(held=some_documents, data=st.data())
def test_writers_that_cut_in_before_any_read_or_write_lose_nothing(held: list[Held], data: st.DataObject) -> None:
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


@settings(max_examples=cases(25), deadline=None)
@given(held=some_documents)
def test_a_crash_after_any_write_is_mended_by_the_next_delivery(held: list[Held]) -> None:
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
        if item.provider == "public_charts":
            for one in answer["chartEntryViewResponses"][1]["entries"]:
                told[one["trackMetadata"]["trackUri"].removeprefix("spotify:track:")] = "public"
            continue
        lossy = answer["encoding"] != "utf-8"
        for row in sorted(answer["rows"], key=lambda row: int(row[0])):
            good = [text and "\ufffd" not in text and (text.isascii() or not lossy) for text in row[2:4]]
            told.setdefault(row[1].removeprefix("spotify:track:"), "csv" if all(good) else "incomplete")
    return list(told.items())


@settings(max_examples=cases(80), deadline=None)
@given(held=some_documents)
def test_the_tables_say_what_the_winners_say(held: list[Held]) -> None:
    """Worked out here a second time, plainly: a day has one winner, and all documents are on record."""
    raw, tables = MemoryStore(), MemoryStore()
    put(raw, held)
    load(raw, tables, held)
    unique = {item.key: item for item in charts_in(held)}
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
    for answer in answers_in(held):
        if not answer.gone:
            details.setdefault(answer.song_id, set()).add("api")
    assert {song_id: row["detail"] for song_id, row in known.items()} == {
        song_id: max(told, key=["incomplete", "csv", "public", "api"].index) for song_id, told in details.items()
    }
    assert {row["song_id"] for row in entries} <= set(known)
    credits: dict[str, list[int]] = {}
    for row in read_table(tables, SONG_ARTISTS):
        credits.setdefault(row["song_id"], []).append(row["artist_position"])
    assert set(credits) == {song_id for song_id, row in known.items() if row["detail"] in ("public", "api")}
    for positions in credits.values():
        assert positions == list(range(1, len(positions) + 1))


@settings(max_examples=80, deadline=None)
@given(held=some_documents, data=st.data())
def test_no_chart_file_however_new_erases_what_the_api_told(held: list[Held], data: st.DataObject) -> None:
    cached = [answer for answer in answers_in(held) if not answer.gone]
    newer = [item for item in charts_in(held) if item.provider == "charts_csv"]
    raw, tables = MemoryStore(), MemoryStore()
    put(raw, cached)
    load(raw, tables, cached)
    before = {table: read_table(tables, table) for table in (SONGS, ALBUMS, ARTISTS, SONG_ARTISTS)}
    put(raw, newer)
    load(raw, tables, data.draw(st.permutations(newer)))
    told = {row["song_id"]: row for row in before[SONGS]}
    assert {row["song_id"]: row for row in read_table(tables, SONGS) if row["song_id"] in told} == told
    for table in (ALBUMS, ARTISTS, SONG_ARTISTS):
        assert read_table(tables, table) == before[table]


@settings(max_examples=80, deadline=None)
@given(
    held=some_documents,
    again=st.lists(answers, min_size=1, max_size=3, unique_by=lambda answer: answer.song_id),
    data=st.data(),
)
def test_songs_and_credits_are_a_function_of_the_answers_there_are_now_whenever_older_ones_were_loaded(
    held: list[Held], again: list[CachedAnswer], data: st.DataObject
) -> None:
    """An answer is written over when it is refreshed. Whether the one before was ever loaded leaves its mark on albums
    and artists only: those that it named, and that nobody names any more, stay."""
    raw, tables = MemoryStore(), MemoryStore()
    put(raw, held)
    if data.draw(st.booleans()):
        load(raw, tables, held)
    first = {answer.song_id: answer for answer in answers_in(held)}
    for later in again:
        moment = MOMENTS[-1] + timedelta(days=40)
        before = first.get(later.song_id)
        fresh = msgspec.structs.replace(later, observed_at=moment, answered_at=moment)
        if later.gone:
            fresh = gone(later.song_id, before=before, now=moment)
        raw.objects[fresh.key] = documents.encode(fresh)
    everything = [*held, *again]
    load(raw, tables, data.draw(st.permutations(everything)))
    rebuilt = MemoryStore()
    load(raw, rebuilt, everything)
    for table in (CHART_ENTRIES, SNAPSHOTS, SONGS, SONG_ARTISTS):
        assert read_table(tables, table) == read_table(rebuilt, table)
    for table, key in ((ALBUMS, "album_id"), (ARTISTS, "artist_id")):
        assert {row[key] for row in read_table(rebuilt, table)} <= {row[key] for row in read_table(tables, table)}
