"""Files people bring: official chart files and answers that other projects saved from Spotify, as raw documents.

A file is the CSV of an official chart, or JSON that holds a page of playlist entries, a playlist object, a playlist
object wrapped in a list, a bare list of entries, or an answer of the public charts service: its content says which,
never its name. Nothing here looks at the clock: the same file imported next year gives the same key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import PurePath

import msgspec

from lambdas.core.charts import (
    FIRST_YEAR,
    Period,
    SpotifyChart,
    end_of,
    is_plausible,
    last_year,
    parse_chart,
    period_of,
    spotify_chart_of,
)
from lambdas.core.charts_csv import CsvTable, parse_csv, read_charts_csv
from lambdas.core.documents import (
    FORMAT_VERSION,
    MAX_STORED_BYTES,
    MAX_UNPACKED_BYTES,
    UNREADABLE_JSON,
    RawDocument,
    encode,
    raw_answer,
    second,
    unpack,
)
from lambdas.core.errors import (
    InvalidDocument,
    NotAChart,
    PartialChart,
    UndatedChart,
    UnnamedChart,
    UnnamedUndatedChart,
)
from lambdas.core.gates import DATE_IMPOSSIBLE, EMPTY
from lambdas.core.playlist import read_playlist
from lambdas.core.public_charts import PublicChart, is_public_answer, parse_public_answer, read_public_charts
from lambdas.core.reading import Reading
from lambdas.core.web_api import Entry, Page, read_answer

MAX_FILE_BYTES = MAX_UNPACKED_BYTES
"""A file over this size is not read. Of a gzipped one the limit is `MAX_STORED_BYTES`, and this one once unpacked."""
_GZIP = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
# The names that Spotify gives to its downloads: regional-us-daily-2025-12-01.csv from https://charts.spotify.com, and
# from spotifycharts.com also regional-us-daily-latest.csv and, with the Fridays that begin and follow the week,
# regional-us-weekly-2019-01-04--2019-01-11.csv. People put words before and after.
_OFFICIAL_NAME = re.compile(
    r"(?<![a-z0-9])(?P<chart>regional-[a-z]{2,6}-(?:daily|weekly))(?![a-z0-9])"
    r"(?:-(?P<first>\d{4}-\d{2}-\d{2})(?:--(?P<following>\d{4}-\d{2}-\d{2}))?(?!\d|--\d))?"
)


@dataclass(frozen=True)
class Import:
    """A file made into a document, and what the document holds."""

    document: RawDocument
    reading: Reading

    def encode(self) -> bytes:
        """The document's bytes in the raw bucket. Raises InvalidDocument if they are more than is read from there."""
        body = encode(self.document)
        if len(body) > MAX_STORED_BYTES:
            raise InvalidDocument(f"{len(body):,} bytes as a raw document, over the {MAX_STORED_BYTES:,} that are read")
        return body


@dataclass(frozen=True)
class _OfficialName:
    """What a file's name tells of its chart."""

    chart: str
    first: str | None
    following: str | None
    """The day after the last one counted, in names of two dates."""

    @property
    def chart_date(self) -> date | None:
        """The last day counted. Raises UndatedChart for what looks like a date and is none."""
        if self.first is None:
            return None
        try:
            first = date.fromisoformat(self.first)
            following = date.fromisoformat(self.following) if self.following else first + timedelta(days=1)
        except (ValueError, OverflowError) as error:
            told = f"{self.first} {self.following or ''}".strip()
            raise UndatedChart(f"its name has a date that is none: {told}") from error
        if following <= first:
            raise UndatedChart(f"its name ends before it begins: {self.first} to {self.following}")
        return following - timedelta(days=1)


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

    `chart` and `chart_date` win over what the file says; of an answer that holds several charts, `chart` chooses.
    `partial` lets one page of a longer playlist in, or the beginning of a public chart. Raises InvalidDocument or a
    subclass (NotAChart, PartialChart; UnnamedChart where `chart` would help, UndatedChart where `chart_date` would, or
    both), InvalidChart for a bad name; each message says what is wrong and, where the user can mend it, how.
    """
    text = _text(body, name)
    official = _official_name(name)
    moment = second(received_at)
    if not text.startswith((b"{", b"[")):
        return _read_csv(text, name, official, chart=chart, chart_date=chart_date, received_at=moment)
    if is_public_answer(text):
        return _read_public(text, name, chart=chart, chart_date=chart_date, partial=partial, received_at=moment)
    answer = _one_answer(_utf8(text))
    read = read_answer(answer)
    page = read.page
    if not page.items:
        raise InvalidDocument("holds no entries: an empty chart is never imported", gate=EMPTY)
    known = spotify_chart_of(read.playlist_id) if read.playlist_id else None
    if official and not official.first:
        official = None  # people call all kinds of playlists so; only the whole name of a download is Spotify's
    chart, chart_date = _both(
        lambda: _chart(chart, official, known, read.playlist_id),
        lambda: _plausible(chart_date or _date(official, known, page.items), moment),
    )
    added = [entry.added_at for entry in page.items if entry.added_at is not None]
    observed_at = _observed(max(added)) if added else end_of(chart_date)
    if observed_at.year > last_year(moment.date()):
        raise InvalidDocument(
            f"an entry was added on {observed_at.date()}, which is yet to come: mend its added_at", gate=DATE_IMPOSSIBLE
        )
    document = RawDocument(
        format_version=FORMAT_VERSION,
        chart=chart,
        period=period_of(chart),
        chart_date=chart_date,
        observed_at=observed_at,
        received_at=moment,
        provider="playlist",
        partial=_is_partial(page, allowed=partial),
        origin=_origin(name),
        answers=(raw_answer(answer),),
    )
    return Import(document=document, reading=read_playlist(document, [page]))


def _read_csv(
    text: bytes,
    name: str,
    official: _OfficialName | None,
    *,
    chart: str | None,
    chart_date: date | None,
    received_at: datetime,
) -> Import:
    """An official file, which is always of a whole chart."""
    table = parse_csv(text)
    chart, chart_date = _both(
        lambda: _chart(chart, official, None, None, example="regional-us-daily"),
        lambda: _plausible(chart_date or _date_in_name(official), received_at),
    )
    document = RawDocument(
        format_version=FORMAT_VERSION,
        chart=chart,
        period=_period(chart, table),
        chart_date=chart_date,
        observed_at=end_of(chart_date),
        received_at=received_at,
        provider="charts_csv",
        origin=_origin(name),
        answers=(raw_answer(table),),
    )
    return Import(document=document, reading=read_charts_csv(document, table))


def _read_public(
    text: bytes,
    name: str,
    *,
    chart: str | None,
    chart_date: date | None,
    partial: bool,
    received_at: datetime,
) -> Import:
    """An answer of the public charts service, of which one chart of songs is read."""
    charts = parse_public_answer(text).of_songs
    chosen = _public_chart(charts, chart)
    if chart_date is None:
        try:
            chart_date = chosen.chart_date
        except InvalidDocument as error:
            raise UndatedChart(f"{error}: say which day it is of with --chart-date YYYY-MM-DD") from error
    chart_date = _plausible(chart_date, received_at)
    document = RawDocument(
        format_version=FORMAT_VERSION,
        chart=chosen.chart,
        period=period_of(chosen.chart),
        chart_date=chart_date,
        observed_at=end_of(chart_date),
        received_at=received_at,
        provider="public_charts",
        origin=_origin(name),
        answers=(raw_answer(text),),
    )
    try:
        return Import(document=document, reading=read_public_charts(document, charts))
    except PartialChart as error:
        if not partial:
            raise PartialChart(f"{error}: give --partial to import what is there") from error
    document = msgspec.structs.replace(document, partial=True)
    return Import(document=document, reading=read_public_charts(document, charts))


def _public_chart(charts: Mapping[str, PublicChart], given: str | None) -> PublicChart:
    """The chart of songs in an answer that is meant: its only one, or the one of the name given."""
    what = "holds an answer of the public charts service"
    if not charts:
        raise NotAChart(f"{what} without a chart of songs")
    if given is None:
        if len(charts) > 1:
            raise UnnamedChart(f"{what} with several charts of songs: choose one with --chart: {', '.join(charts)}")
        return next(iter(charts.values()))
    if parse_chart(given) not in charts:
        raise UnnamedChart(f"{what} with {' and '.join(charts)}, not with {given}: leave --chart out, or name that one")
    return charts[given]


def told_by_name(name: str) -> tuple[str, date] | None:
    """Chart and chart date as the whole name of an official download tells them; None for any other name."""
    official = _official_name(name)
    try:
        chart_date = official.chart_date if official else None
    except UndatedChart:
        return None
    return None if official is None or chart_date is None else (official.chart, chart_date)


def _both(chart: Callable[[], str], chart_date: Callable[[], date]) -> tuple[str, date]:
    """Chart and chart date; where neither is told, one error says so of both, so that nobody has to come twice."""
    try:
        named = chart()
    except UnnamedChart as unnamed:
        try:
            chart_date()
        except UndatedChart as undated:
            raise UnnamedUndatedChart(f"{unnamed}; and {undated}") from undated
        raise
    return named, chart_date()


def _date_in_name(official: _OfficialName | None) -> date:
    if official is None or (told := official.chart_date) is None:
        raise UndatedChart("nothing says which day it is of: give the last day counted with --chart-date YYYY-MM-DD")
    return told


def _official_name(name: str) -> _OfficialName | None:
    found = _OFFICIAL_NAME.search(PurePath(name).name)
    return _OfficialName(**found.groupdict()) if found else None


def _origin(name: str) -> str:
    return f"file {PurePath(name).name}"


def _period(chart: str, table: CsvTable) -> Period:
    """What the file counts in; for files that do not say, what the chart's name says."""
    told = table.period
    if told and chart.endswith(("-daily", "-weekly")) and told != period_of(chart):
        counted = "weeks" if told == "weekly" else "days"
        raise InvalidDocument(f"counts {counted}, so it is not {chart}: say which chart it is with --chart")
    return told or period_of(chart)


def _plausible(chart_date: date, received_at: datetime) -> date:
    today = received_at.date()
    if not is_plausible(chart_date, today=today):
        raise UndatedChart(
            f"chart date {chart_date} lies outside {FIRST_YEAR} to {last_year(today)}: say which day it is of"
        )
    return chart_date


def _text(body: bytes, name: str) -> bytes:
    if body.startswith(_GZIP):
        body = unpack(body, name=name)
    if body.startswith(_UTF16_BOMS):
        raise InvalidDocument("is UTF-16 text, as spreadsheets save it by the name of Unicode: save it as UTF-8")
    body = body.removeprefix(_UTF8_BOM).strip()
    if not body:
        raise InvalidDocument("is empty")
    return body


def _utf8(text: bytes) -> bytes:
    """JSON as it is. Raises InvalidDocument for another encoding, also in fields that nobody here reads.

    A raw document holds answers verbatim, and is to be JSON for whoever reads it.
    """
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"not JSON: {error}: save it as UTF-8") from error
    return text


def _observed(added: datetime) -> datetime:
    try:
        return second(added)
    except OverflowError as error:
        raise InvalidDocument(f"an entry was added at {added}, which is no moment in UTC") from error


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
    given: str | None,
    official: _OfficialName | None,
    known: SpotifyChart | None,
    playlist_id: str | None,
    *,
    example: str = "road-trip",
) -> str:
    if given is not None:
        return parse_chart(given)
    if official and known and official.chart != known.chart:
        raise UnnamedChart(
            f"its name says {official.chart}, but its playlist is {known.chart}: say which it is with --chart"
        )
    if official:
        return official.chart
    if known:
        return known.chart
    what = (
        f"is of playlist {playlist_id}, which is none of Spotify's charts" if playlist_id else "does not say its chart"
    )
    raise UnnamedChart(f"{what}: name the chart with --chart, e.g. --chart {example}")


def _date(official: _OfficialName | None, known: SpotifyChart | None, entries: Sequence[Entry]) -> date:
    if official and (told := official.chart_date):
        return told
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
