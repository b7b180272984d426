"""Files people bring: names, dates, wrappers, and what is refused."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from lambdas.core.errors import (
    InvalidChart,
    InvalidDocument,
    NotAChart,
    PartialChart,
    PipelineError,
    UndatedChart,
    UnnamedChart,
    UnnamedUndatedChart,
)
from lambdas.core.imports import Import, read_import, told_by_name
from tests.documents import csv_file, csv_row, entry, page, public_answer, public_chart, public_entries, track

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
TOP_50 = "37i9dQZEVXbMDoHDwVN2tF"
OWN = "0" * 22


def brought(payload: Any, name: str = "file.json", **given: Any) -> Import:
    body = payload if isinstance(payload, bytes) else json.dumps(payload, indent=2).encode()
    return read_import(body, name=name, received_at=NOW, **given)


def of_playlist(playlist: str, *entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    address = f"https://api.spotify.com/v1/playlists/{playlist}/tracks?offset=0&limit=100"
    return page(entries or [entry(track())], href=address, **fields)


@pytest.mark.parametrize(
    "payload",
    [
        of_playlist(TOP_50),
        {"type": "playlist", "id": TOP_50, "tracks": page([entry(track(), era="track")])},
        {"type": "playlist", "id": TOP_50, "items": page([entry(track())])},
        [{"type": "playlist", "id": TOP_50, "items": page([entry(track())])}],
    ],
    ids=["page", "playlist of before 2026", "playlist of 2026", "playlist in a list"],
)
def test_each_shape_of_spotifys_own_chart_tells_its_chart_and_date(payload: Any) -> None:
    document = brought(payload).document
    assert (document.chart, document.period, document.chart_date) == (
        "regional-global-daily",
        "daily",
        date(2026, 3, 5),
    )
    assert document.observed_at == datetime(2026, 3, 6, tzinfo=UTC)


def test_a_bare_list_of_entries_needs_a_name_only() -> None:
    document = brought([entry(track())], chart="road-trip").document
    assert (document.chart, document.chart_date) == ("road-trip", date(2026, 3, 6))


def test_what_is_given_beats_what_the_file_says() -> None:
    document = brought(of_playlist(TOP_50), chart="mine", chart_date=date(2020, 2, 29)).document
    assert (document.chart, document.chart_date) == ("mine", date(2020, 2, 29))


def test_a_chart_was_observed_when_its_newest_entry_was_added() -> None:
    entries = [entry(track(str(n)), added_at=f"2026-0{n}-06T00:00:00Z") for n in (2, 3, 1)]
    document = brought(page(entries), chart="mine", chart_date=date(2026, 3, 9)).document
    assert document.observed_at == datetime(2026, 3, 6, tzinfo=UTC)


def test_a_file_named_as_spotify_names_its_downloads_tells_chart_and_date() -> None:
    document = brought(of_playlist(OWN), name="folder/regional-us-weekly-2026-03-05.json").document
    assert (document.chart, document.period, document.chart_date) == ("regional-us-weekly", "weekly", date(2026, 3, 5))


def test_a_date_in_any_other_file_name_is_not_taken_for_the_chart_date() -> None:
    document = brought(of_playlist(OWN), name="export-2001-01-01.json", chart="mine").document
    assert document.chart_date == date(2026, 3, 6)


def test_entries_without_dates_are_observed_at_the_end_of_the_date_given() -> None:
    document = brought(
        of_playlist(OWN, entry(track(), added_at=None)), chart="mine", chart_date=date(2026, 1, 1)
    ).document
    assert document.observed_at == datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC)


def test_the_clock_plays_no_part_in_the_key() -> None:
    body = json.dumps(of_playlist(TOP_50)).encode()
    later = read_import(body, name="other.json", received_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert brought(body).document.key == later.document.key


@pytest.mark.parametrize("pack", [lambda body: body, gzip.compress, lambda body: b"\xef\xbb\xbf" + body + b"\n"])
def test_gzip_and_a_byte_order_mark_change_nothing(pack: Any) -> None:
    body = json.dumps(of_playlist(TOP_50)).encode()
    assert brought(pack(body)).document.key == brought(body).document.key


@pytest.mark.parametrize(
    ("payload", "given", "error", "said"),
    [
        (b"", {}, InvalidDocument, "is empty"),
        ("rank,uri".encode("utf-16"), {}, InvalidDocument, "is UTF-16 text, as spreadsheets save it"),
        ("{}".encode("utf-16"), {}, InvalidDocument, "save it as UTF-8"),
        (b"rank,uri\n1,spotify:track:x\n", {}, NotAChart, "begins with 'rank,uri', not with 'rank,uri,artist_names"),
        (b'{"items": [', {}, InvalidDocument, "not JSON"),
        (b"[" * 100_000, {}, InvalidDocument, "not JSON"),
        (b'{"a":' * 100_000, {}, InvalidDocument, "not JSON"),
        ('{"items": [{"track": {"name": "Señorita"}}]}'.encode("latin-1"), {}, InvalidDocument, "not JSON"),
        (gzip.compress(b"{}", mtime=0)[:-4], {}, InvalidDocument, "cut off"),
        (page([]), {}, InvalidDocument, "no entries"),
        ([], {}, InvalidDocument, "no entries"),
        ([{"type": "playlist"}, {"type": "playlist"}], {}, InvalidDocument, "list of 2 playlists: import one"),
        (of_playlist(OWN), {}, UnnamedChart, f"{OWN}, which is none of Spotify's charts: name the chart with --chart"),
        ([entry(track())], {}, UnnamedChart, "does not say its chart: name the chart with --chart"),
        (of_playlist(OWN), {"chart": "Road Trip"}, InvalidChart, "'Road Trip' cannot name a chart"),
        (
            page([entry(track("1")), entry(track("2"), added_at="2026-03-07T00:00:00Z")]),
            {"chart": "mine"},
            UndatedChart,
            "added on 2 different days .2026-03-06 to 2026-03-07.: say which day it is of with --chart-date",
        ),
        (page([entry(track(), added_at=None)]), {"chart": "mine"}, UndatedChart, "carry no date.*--chart-date"),
        (of_playlist(TOP_50), {"chart_date": date(1999, 1, 1)}, UndatedChart, "outside 2008 to 2027"),
        (of_playlist(TOP_50, entry(track(), added_at="0001-01-01T00:00:00Z")), {}, UndatedChart, "added on 0001-01-01"),
        (of_playlist(TOP_50, entry(track(), added_at="2026-03-06T00:00:00")), {}, InvalidDocument, "added_at"),
        (of_playlist(TOP_50, entry(track(popularity=2**40))), {}, InvalidDocument, "popularity"),
        (of_playlist(TOP_50, offset=-5), {}, InvalidDocument, "offset"),
        (gzip.compress(b"{}", mtime=0) * 2, {}, InvalidDocument, "more after the end"),
        (of_playlist(TOP_50, total=210), {}, PartialChart, "entries 1 to 1 of a playlist of 210: give --partial"),
        (of_playlist(TOP_50, entry(None)), {}, InvalidDocument, "none of its 1 places holds a song"),
        (of_playlist(TOP_50, entry(track(id="x"))), {}, InvalidDocument, "is not the id of a song"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_line_with_the_remedy(
    payload: Any, given: dict[str, Any], error: type[PipelineError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        brought(payload, **given)
    assert "\n" not in str(caught.value)


def test_partial_lets_a_page_in_and_leaves_a_whole_playlist_whole() -> None:
    assert brought(of_playlist(TOP_50, total=210), partial=True).document.partial
    assert not brought(of_playlist(TOP_50), partial=True).document.partial


def test_a_file_whose_name_and_playlist_disagree_is_refused_until_someone_says_which() -> None:
    name = "regional-us-daily-2026-03-05.json"
    with pytest.raises(UnnamedChart, match="name says regional-us-daily, but its playlist is regional-global-daily"):
        brought(of_playlist(TOP_50), name=name)
    assert brought(of_playlist(TOP_50), name=name, chart="regional-us-daily").document.chart == "regional-us-daily"


def test_an_official_name_with_an_impossible_date_is_refused() -> None:
    with pytest.raises(UndatedChart, match="2026-02-30"):
        brought(of_playlist(OWN), name="regional-us-daily-2026-02-30.json")


def brought_csv(name: str, *rows: dict[str, str], **given: Any) -> Import:
    return read_import(csv_file(rows or [csv_row(1)]).encode(), name=name, received_at=NOW, **given)


OLD = f"Position,Track Name,Artist,Streams,URL\n1,A,B,3,https://open.spotify.com/track/{OWN}\n".encode()


@pytest.mark.parametrize(
    ("name", "chart", "period", "chart_date"),
    [
        ("regional-pk-daily-2025-12-01.csv", "regional-pk-daily", "daily", date(2025, 12, 1)),
        ("regional-global-weekly-2023-06-15.csv", "regional-global-weekly", "weekly", date(2023, 6, 15)),
        ("a/b/regional-global-weekly-2023-06-15 (1).csv", "regional-global-weekly", "weekly", date(2023, 6, 15)),
        ("old_regional-us-daily-2020-02-29.csv.gz", "regional-us-daily", "daily", date(2020, 2, 29)),
        ("regional-us-weekly-2019-01-04--2019-01-11.csv", "regional-us-weekly", "weekly", date(2019, 1, 10)),
        ("regional-us-weekly-2018-12-28--2019-01-04.txt", "regional-us-weekly", "weekly", date(2019, 1, 3)),
    ],
)
def test_an_official_file_is_told_by_its_content_and_dated_by_its_name(
    name: str, chart: str, period: str, chart_date: date
) -> None:
    document = read_import(OLD, name=name, received_at=NOW).document
    assert (document.chart, document.period, document.chart_date) == (chart, period, chart_date)
    assert (document.provider, document.partial) == ("charts_csv", False)
    assert document.observed_at == datetime(chart_date.year, chart_date.month, chart_date.day, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    ["regional-global-daily-latest.csv", "old_regional-global-daily_2018-11_note.csv", "regional-global-daily.csv"],
)
def test_an_official_name_without_a_whole_date_tells_its_chart_and_needs_a_date(name: str) -> None:
    with pytest.raises(UndatedChart, match="nothing says which day it is of: .*--chart-date YYYY-MM-DD"):
        read_import(OLD, name=name, received_at=NOW)
    document = read_import(OLD, name=name, received_at=NOW, chart_date=date(2018, 11, 18)).document
    assert (document.chart, document.chart_date) == ("regional-global-daily", date(2018, 11, 18))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("regional-us-weekly-2019-02-30.csv", "a date that is none: 2019-02-30"),
        ("regional-us-weekly-2019-01-04--2019-02-30.csv", "a date that is none: 2019-01-04 2019-02-30"),
        ("regional-us-weekly-2019-01-11--2019-01-04.csv", "ends before it begins: 2019-01-11 to 2019-01-04"),
        ("regional-us-weekly-9999-12-31.csv", "9999-12-31"),
        ("regional-us-weekly-2019-01-04--2019-01-111.csv", "nothing says which day"),
    ],
)
def test_an_official_files_impossible_date_is_refused_until_it_is_given(name: str, said: str) -> None:
    with pytest.raises(UndatedChart, match=said):
        read_import(OLD, name=name, received_at=NOW)
    given = read_import(OLD, name=name, received_at=NOW, chart_date=date(2019, 1, 10))
    assert given.document.chart_date == date(2019, 1, 10)


def test_a_csv_that_does_not_name_its_chart_is_refused_until_it_is_given() -> None:
    with pytest.raises(UnnamedChart, match="does not say its chart: name the chart with --chart"):
        brought_csv("download.csv", chart_date=date(2025, 12, 1))
    document = brought_csv("download.csv", chart="mine", chart_date=date(2025, 12, 1)).document
    assert (document.chart, document.period) == ("mine", "daily")


def test_what_tells_neither_chart_nor_day_is_told_so_at_once() -> None:
    with pytest.raises(
        UnnamedUndatedChart, match=r"does not say its chart: .*--chart.*; and nothing says .*--chart-date"
    ):
        brought_csv("download.csv")
    with pytest.raises(UnnamedUndatedChart, match=r"none of Spotify's charts: .*--chart.*carry no date.*--chart-date"):
        brought(of_playlist(OWN, entry(track(), added_at=None)))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("regional-pk-daily-2025-12-01.csv", ("regional-pk-daily", date(2025, 12, 1))),
        ("old_regional-us-weekly-2019-01-04--2019-01-11.csv", ("regional-us-weekly", date(2019, 1, 10))),
        ("regional-us-weekly-2019-02-30.csv", None),
        ("regional-global-daily-latest.csv", None),
        ("download.csv", None),
    ],
)
def test_a_downloads_whole_name_tells_chart_and_day(name: str, told: tuple[str, date] | None) -> None:
    assert told_by_name(name) == told


def test_what_is_given_beats_what_a_csvs_name_says() -> None:
    given = brought_csv("regional-pk-daily-2025-12-01.csv", chart="mine", chart_date=date(2025, 12, 2)).document
    assert (given.chart, given.chart_date) == ("mine", date(2025, 12, 2))


def test_a_chart_of_ones_own_naming_has_the_period_its_file_counts_in() -> None:
    weekly = csv_row(1, weeks_on_chart=4)
    assert brought_csv("x.csv", weekly, chart="mine", chart_date=date(2025, 12, 4)).document.period == "weekly"


@pytest.mark.parametrize("chart", [None, "regional-us-daily"])
def test_a_weekly_file_is_never_taken_for_a_daily_chart(chart: str | None) -> None:
    with pytest.raises(InvalidDocument, match="counts weeks, so it is not regional-us-daily: .*--chart"):
        brought_csv("regional-us-daily-2025-12-01.csv", csv_row(1, weeks_on_chart=4), chart=chart)


@pytest.mark.parametrize(
    "pack", [gzip.compress, lambda body: b"\xef\xbb\xbf" + body, lambda body: body.replace(b"\n", b"\r\n")]
)
def test_the_same_rows_packed_or_ended_otherwise_are_the_same_document_whenever_they_come(pack: Any) -> None:
    rows = csv_file([csv_row(1, "Señal"), csv_row(2, "B")]).encode()
    name = "regional-pk-daily-2025-12-01.csv"
    later = read_import(pack(rows), name=f"copy of {name}", received_at=datetime(2027, 5, 1, tzinfo=UTC))
    assert later.document.key == read_import(rows, name=name, received_at=NOW).document.key


def test_a_playlist_saved_under_half_an_official_name_is_not_taken_for_that_chart() -> None:
    with pytest.raises(UnnamedChart):
        brought(of_playlist(OWN), name="regional-us-daily.json")


# Answers of the public charts service


def test_a_saved_answer_of_the_public_charts_tells_its_chart_and_date_whatever_its_name_says() -> None:
    answer = public_answer(public_entries())
    read = brought(answer, name="regional-us-daily-2020-01-01.json")
    document = read.document
    assert (document.chart, document.period, document.chart_date) == (
        "regional-global-weekly",
        "weekly",
        date(2026, 3, 5),
    )
    assert (document.provider, document.partial) == ("public_charts", False)
    assert document.observed_at == datetime(2026, 3, 5, 23, 59, 59, tzinfo=UTC)
    assert document.origin == "file regional-us-daily-2020-01-01.json"
    assert [json.loads(bytes(held)) for held in document.answers] == [answer]
    assert len(read.reading.entries) == 50


def test_a_day_that_is_given_beats_what_the_public_charts_say() -> None:
    given = date(2026, 2, 26)
    assert brought(public_answer(public_entries()), chart_date=given).document.chart_date == given
    assert brought(public_answer(public_entries(), chart_date=""), chart_date=given).document.chart_date == given


def test_of_several_public_charts_of_songs_one_is_chosen_by_its_name() -> None:
    answer = public_answer(public_entries())
    answer["chartEntryViewResponses"].append(
        public_chart(public_entries(), alias="REGIONAL_US_WEEKLY", chart_date="2026-02-26")
    )
    with pytest.raises(UnnamedChart, match="choose one with --chart: regional-global-weekly, regional-us-weekly"):
        brought(answer)
    chosen = brought(answer, chart="regional-us-weekly").document
    assert (chosen.chart, chosen.chart_date) == ("regional-us-weekly", date(2026, 2, 26))


def test_the_beginning_of_a_public_chart_goes_in_only_as_a_part() -> None:
    answer = public_answer(public_entries(10))
    with pytest.raises(PartialChart, match="ends at place 10 of the 50 that the service gives: give --partial"):
        brought(answer)
    assert brought(answer, partial=True).document.partial
    assert not brought(public_answer(public_entries()), partial=True).document.partial


@pytest.mark.parametrize(
    ("answer", "given", "error", "said"),
    [
        ({"chartEntryViewResponses": []}, {}, NotAChart, "public charts service without a chart of songs"),
        ({"chartEntryViewResponses": None}, {}, InvalidDocument, "not as the public charts service answers"),
        (
            public_answer(public_entries()),
            {"chart": "road-trip"},
            UnnamedChart,
            "with regional-global-weekly, not with road-trip: leave --chart out",
        ),
        (public_answer(public_entries()), {"chart": "Road Trip"}, InvalidChart, "cannot name a chart"),
        (public_answer([]), {}, InvalidDocument, "holds no entries: an empty chart is never published"),
        (public_answer([{}]), {}, InvalidDocument, "missing required field `chartEntryData`"),
        (public_answer(public_entries(), chart_date=""), {}, UndatedChart, "tells no date: .*--chart-date"),
        (public_answer(public_entries(), chart_date="soon"), {}, UndatedChart, "'soon', which is no date: .*--chart"),
        (public_answer(public_entries(), chart_date="1999-12-30"), {}, UndatedChart, "lies outside 2008 to 2027"),
    ],
)
def test_a_public_answer_that_cannot_be_used_is_refused_with_why(
    answer: Any, given: dict[str, Any], error: type[PipelineError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        brought(answer, **given)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
