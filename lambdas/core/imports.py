"""Files people bring: payloads that other projects saved from the Web API, made into raw documents.

A file holds a page of playlist entries, a playlist object, a playlist object wrapped in a list, or a bare list of
entries. Nothing here looks at the clock: the same file imported next year gives the same key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import PurePath

import msgspec

from lambdas.core.charts import (
    FIRST_YEAR,
    SpotifyChart,
    end_of,
    is_plausible,
    last_year,
    parse_chart,
    period_of,
    spotify_chart_of,
)
from lambdas.core.documents import FORMAT_VERSION, UNREADABLE_JSON, RawDocument, raw_answer, second, unpack
from lambdas.core.errors import InvalidDocument, NotAChart, PartialChart, UndatedChart, UnnamedChart
from lambdas.core.playlist import Reading, read_playlist
from lambdas.core.web_api import Entry, Page, read_answer

_GZIP = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
# The names charts.spotify.com gives to its downloads: https://charts.spotify.com, "Download CSV".
_OFFICIAL_NAME = re.compile(r"(?P<chart>regional-[a-z]{2,6}-(?:daily|weekly))-(?P<date>\d{4}-\d{2}-\d{2})\b")


@dataclass(frozen=True)
class Import:
    """A file made into a document, and what the document holds."""

    document: RawDocument
    reading: Reading


def read_import(
    body: bytes,
    *,
    name: str,
    received_at: datetime,
    chart: str | None = None,
    chart_date: date | None = None,
    partial: bool = False,
) -> Import:
    """The raw document that a file gives. `name` is the file's own, which may tell chart and date.

    `chart` and `chart_date` say what the file does not; `partial` lets one page of a longer playlist in. Raises
    InvalidDocument or a subclass (NotAChart, PartialChart, UnnamedChart, UndatedChart), InvalidChart for a bad name;
    each message says what is wrong and, where the user can mend it, how.
    """
    answer = _one_answer(_text(body, name))
    read = read_answer(answer)
    page = read.page
    if not page.items:
        raise InvalidDocument("holds no entries: an empty chart is never imported")
    known = spotify_chart_of(read.playlist_id) if read.playlist_id else None
    official = _OFFICIAL_NAME.search(PurePath(name).name)
    chart = _chart(chart, official, known, read.playlist_id)
    chart_date = chart_date or _date(official, known, page.items)
    if not is_plausible(chart_date, today=received_at.date()):
        raise UndatedChart(
            f"chart date {chart_date} lies outside {FIRST_YEAR} to {last_year(received_at.date())}: say which day it is"
        )
    added = [entry.added_at for entry in page.items if entry.added_at is not None]
    document = RawDocument(
        format_version=FORMAT_VERSION,
        chart=chart,
        period=period_of(chart),
        chart_date=chart_date,
        observed_at=second(max(added)) if added else end_of(chart_date),
        received_at=second(received_at),
        provider="playlist",
        partial=_is_partial(page, allowed=partial),
        origin=f"file {PurePath(name).name}",
        answers=(raw_answer(answer),),
    )
    return Import(document=document, reading=read_playlist(document, [page]))


def _text(body: bytes, name: str) -> bytes:
    if body.startswith(_GZIP):
        body = unpack(body, name=name)
    body = body.removeprefix(_UTF8_BOM).strip()
    if not body:
        raise InvalidDocument("is empty")
    if not body.startswith((b"{", b"[")):
        kind = PurePath(name).suffix.lower()
        if kind == ".csv":
            raise NotAChart("is a CSV file: only the Web API's JSON answers can be imported")
        raise NotAChart("is not JSON: only the Web API's playlist answers can be imported")
    return body


def _one_answer(text: bytes) -> bytes:
    """The answer in a file; one playlist wrapped in a list is taken out of it."""
    if not text.startswith(b"["):
        return text
    try:
        members = msgspec.json.decode(text, type=list[msgspec.Raw])
    except UNREADABLE_JSON as error:
        raise InvalidDocument(f"not JSON: {error}") from error
    playlists = [member for member in members[:2] if _is_playlist(bytes(member))]
    if not playlists:
        return text
    if len(members) > 1:
        raise InvalidDocument(f"holds a list of {len(members)} playlists: import one playlist a file")
    return bytes(playlists[0])


class _Kind(msgspec.Struct):
    type: object = None


def _is_playlist(member: bytes) -> bool:
    try:
        return msgspec.json.decode(member, type=_Kind).type == "playlist"
    except UNREADABLE_JSON:
        return False


def _chart(
    given: str | None, official: re.Match[str] | None, known: SpotifyChart | None, playlist_id: str | None
) -> str:
    if given is not None:
        return parse_chart(given)
    if official and known and official["chart"] != known.chart:
        raise UnnamedChart(
            f"its name says {official['chart']}, but its playlist is {known.chart}: say which it is with --chart"
        )
    if official:
        return official["chart"]
    if known:
        return known.chart
    what = (
        f"is of playlist {playlist_id}, which is none of Spotify's charts" if playlist_id else "does not say its chart"
    )
    raise UnnamedChart(f"{what}: name the chart with --chart, e.g. --chart road-trip")


def _date(official: re.Match[str] | None, known: SpotifyChart | None, entries: Sequence[Entry]) -> date:
    if official:
        try:
            return date.fromisoformat(official["date"])
        except ValueError as error:
            raise UndatedChart(f"its name has a date that is none: {official['date']}") from error
    added = sorted({entry.added_at.date() for entry in entries if entry.added_at is not None})
    if len(added) == 1 and added[0].year >= FIRST_YEAR:
        return added[0] + timedelta(days=known.date_offset_days if known else 0)
    if len(added) > 1:
        said = f"were added on {len(added)} different days ({added[0]} to {added[-1]})"
    else:
        said = f"were added on {added[0]}, before there was Spotify" if added else "carry no date"
    raise UndatedChart(f"its entries {said}: say which day it is of with --chart-date YYYY-MM-DD")


def _is_partial(page: Page, *, allowed: bool) -> bool:
    if page.offset == 0 and page.length == len(page.items):
        return False
    if not allowed:
        last = page.offset + len(page.items)
        raise PartialChart(
            f"holds entries {page.offset + 1} to {last} of a playlist of {page.length}: "
            "give --partial to import what is there"
        )
    return True
