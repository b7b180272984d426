"""Names of charts and playlists, and the headers of the queries."""

from __future__ import annotations

from datetime import date

import pytest

from lambdas.core.charts import is_plausible, parse_chart, parse_playlist_id, period_of, spotify_chart_of
from lambdas.core.errors import ConfigurationError, InvalidChart
from lambdas.core.queries import Parameter, parse_query, read_queries
from tests.payloads import REPOSITORY


@pytest.mark.parametrize("name", ["regional-global-daily", "regional-us-weekly", "road-trip", "top50", "a"])
def test_aliases_and_slugs_name_charts(name: str) -> None:
    assert parse_chart(name) == name


@pytest.mark.parametrize(
    "name", ["", "Road Trip", "a--b", "-a", "a-", "a/b", "a=b", "a.b", "a+b", "ñ", "x" * 65, "a\n"]
)
def test_what_would_need_escaping_in_a_key_names_no_chart(name: str) -> None:
    with pytest.raises(InvalidChart, match="cannot name a chart"):
        parse_chart(name)


@pytest.mark.parametrize(
    "text",
    [
        "37i9dQZEVXbMDoHDwVN2tF",
        "spotify:playlist:37i9dQZEVXbMDoHDwVN2tF",
        "https://open.spotify.com/playlist/37i9dQZEVXbMDoHDwVN2tF?si=0123456789abcdef",
        "https://api.spotify.com/v1/playlists/37i9dQZEVXbMDoHDwVN2tF/items?offset=50",
    ],
)
def test_a_playlist_is_told_by_id_uri_or_link(text: str) -> None:
    assert parse_playlist_id(text) == "37i9dQZEVXbMDoHDwVN2tF"
    known = spotify_chart_of(parse_playlist_id(text))
    assert known is not None
    assert (known.chart, known.date_offset_days) == ("regional-global-daily", -1)


@pytest.mark.parametrize("text", ["", "37i9", "https://open.spotify.com/track/37i9dQZEVXbMDoHDwVN2tF", "x" * 23])
def test_what_is_no_playlist_is_refused(text: str) -> None:
    with pytest.raises(InvalidChart, match="is not a playlist"):
        parse_playlist_id(text)


def test_the_period_is_told_by_the_alias() -> None:
    assert [period_of(name) for name in ("regional-us-weekly", "regional-us-daily", "mine")] == [
        "weekly",
        "daily",
        "daily",
    ]


def test_plausible_dates_reach_from_spotifys_first_year_to_the_next() -> None:
    today = date(2026, 11, 22)
    assert [is_plausible(date(year, 1, 1), today=today) for year in (2007, 2008, 2027, 2028)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_query_is_read_with_its_header() -> None:
    query = parse_query(
        "top",
        "-- title: Top\n-- question: What leads?\n-- parameters: chart = mine, limit = 10\n-- columns: a, b\n--\n"
        "-- Why.\nSELECT 1;\n",
    )
    assert (query.title, query.question, query.columns) == ("Top", "What leads?", ("a", "b"))
    assert query.parameters == (Parameter("chart", "mine"), Parameter("limit", "10"))
    assert (query.notes, query.bare_sql) == ("Why.", "SELECT 1")
    assert query.sql == "--\n-- Why.\nSELECT 1"


@pytest.mark.parametrize(
    ("parameter", "kind", "value", "literal"),
    [
        (Parameter("limit", "10"), "number", "-2.5", "-2.5"),
        (Parameter("chart", "regional-global-daily"), "chart", "road-trip", "'road-trip'"),
        (Parameter("other_chart", "regional-us-daily"), "chart", "road-trip", "'road-trip'"),
        (Parameter("to_date", "newest"), "date", "newest", "'newest'"),
        (Parameter("to_date", "newest"), "date", "2026-02-28", "'2026-02-28'"),
        (Parameter("date", "2026-01-01"), "date", "2024-02-29", "'2024-02-29'"),
        (Parameter("song", "number-one"), "text", "Don't", "'Don''t'"),
    ],
)
def test_a_parameter_is_typed_by_its_name_and_default(
    parameter: Parameter, kind: str, value: str, literal: str
) -> None:
    assert (parameter.kind, parameter.literal(value)) == (kind, literal)


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        (Parameter("limit", "10"), "ten", "^parameter limit is a number such as 10, not 'ten'$"),
        (Parameter("limit", "10"), "1; DROP", "is a number"),
        (Parameter("limit", "10"), "", "is a number"),
        (Parameter("chart", "mine"), "Top 50", "^parameter chart: 'Top 50' cannot name a chart"),
        (
            Parameter("to_date", "newest"),
            "2026-02-30",
            "^parameter to_date is a date such as 2026-11-21, or newest, not",
        ),
        (Parameter("to_date", "newest"), "latest", "or newest, not 'latest'$"),
        (Parameter("to_date", "newest"), "20260228", "is a date"),
        (Parameter("date", "2026-01-01"), "newest", "^parameter date is a date such as 2026-11-21, not 'newest'$"),
    ],
)
def test_a_value_of_another_kind_is_refused_before_anything_is_asked(
    parameter: Parameter, value: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parameter.literal(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1", "top.sql: its header has no '-- title:' line"),
        ("-- title: T\n-- question: Q\nSELECT 1", "no '-- columns:' line"),
        (
            "-- title: T\n-- question: Q\n-- columns: a\n-- parameters: chart\nSELECT 1",
            "parameter 'chart' needs a default",
        ),
        (
            "-- title: T\n-- question: Q\n-- columns: a\n-- parameters: chart = Top 50\nSELECT ?",
            "top.sql: a default does not fit: parameter chart",
        ),
        (f"-- title: T\n-- question: {'Q' * 1025}\n-- columns: a\nSELECT 1", "its question is of 1025, and Athena"),
    ],
)
def test_a_query_with_a_bad_header_is_refused_by_its_file(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_query("top", text)


def test_every_query_that_ships_has_as_many_placeholders_as_parameters() -> None:
    queries = read_queries(REPOSITORY / "queries")
    assert queries
    for query in queries:
        assert query.sql.count("?") == len(query.parameters), query.name
