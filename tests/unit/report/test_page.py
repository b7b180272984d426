"""The page as bytes: what it asks, what it holds, whose content it shows, and that nothing in it injects."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.errors import NothingToReport
from lambdas.core.report import QUERIES, Report, make_report, page, page_digest
from lambdas.core.samples import ISRC_PREFIX
from tests.answers import History, Song, daily
from tests.report_cases import CASES, HOSTILE, MADE_AT, NEWEST, history, report, sample

CHART = "regional-global-daily"


class _Elements(HTMLParser):
    """Every element of a page with its attributes, and the text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def _html(made: Report) -> str:
    return made.html.decode("utf-8")


def _text(made: Report) -> str:
    return re.sub(r"\s+", " ", "".join(_Elements(_html(made)).texts))


def _data(made: Report) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', _html(made), re.DOTALL)
    assert found
    return json.loads(found[1])


def _made(asked: History, made_at: datetime = MADE_AT) -> Report:
    return make_report(asked, chart=asked.chart, made_at=made_at)


def test_a_chart_without_a_date_has_nothing_to_report() -> None:
    with pytest.raises(NothingToReport, match="'road-trip' has no published date yet"):
        make_report(History({}), chart="road-trip", made_at=MADE_AT)


def test_every_query_is_asked_once_with_the_chart() -> None:
    asked = History({NEWEST: (Song("A"),)}, chart="road-trip")
    made = _made(asked)
    assert (made.chart, made.chart_date) == ("road-trip", NEWEST)
    assert sorted(name for name, _ in asked.asked) == sorted(QUERIES)
    assert all(given == {"chart": "road-trip"} for name, given in asked.asked if name != "table_sizes")


def test_the_foot_names_every_query_and_how_to_ask_it() -> None:
    text = _text(report("sample"))
    for name in QUERIES:
        assert f"etl query {name}" in text
    assert f"etl report --chart {CHART} --open" in text


@pytest.mark.parametrize("case", CASES)
def test_the_same_answers_and_moment_give_the_same_bytes(case: str) -> None:
    again = CASES[case]()
    turned = History(dict(reversed(list(again.charts.items()))), chart=again.chart, names_artists=again.names_artists)
    assert _made(turned).html == report(case).html


def test_another_moment_gives_another_page() -> None:
    asked = history("one-day")
    assert _made(asked, MADE_AT + timedelta(days=1)).html != report("one-day").html


def test_two_years_of_fifty_songs_stay_under_400_kilobytes() -> None:
    made = _made(sample(730))
    assert len(made.html) < 400_000
    assert len(_data(made)["songs"]) > 700


@pytest.mark.parametrize("case", CASES)
def test_nothing_in_the_page_is_fetched_or_handled_inline(case: str) -> None:
    page = _Elements(_html(report(case)))
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert tag not in ("img", "iframe", "object", "embed", "form", "base", "audio", "video", "image", "use")
        assert "src" not in attributes
        assert "style" not in attributes
        if tag == "link":
            assert attributes == {"rel": "icon", "href": "data:,"}
    assert "@import" not in _html(report(case))
    assert not re.search(r"url\((?!#)", _html(report(case)))


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else() -> None:
    html = _html(report("sample"))
    policy = next(
        unescape(attributes["content"] or "")
        for attributes in _Elements(html).of("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    style, script = re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", html, re.DOTALL)

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src {digest(style)}",
        f"script-src {digest(script)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_hostile_names_are_shown_as_they_are_and_make_no_elements() -> None:
    made = report("hostile-names-one-day")
    page = _Elements(_html(made))
    assert len(page.of("script")) == 2
    assert page.of("b") == []
    text = "".join(page.texts)
    for song in HOSTILE[:8]:
        assert song.name.split(" (feat")[0].strip() in text
    names = {row[0] for row in _data(made)["songs"]}
    assert {song.name.strip() for song in HOSTILE if song.name.strip()} <= names
    assert _html(made).count("</script>") == 2
    block = re.search(r'id="data">(.*)</script>\n<script>', _html(made))
    assert block
    assert not set("<>&") & set(block[1])


def test_only_addresses_on_spotify_become_links() -> None:
    made = report("hostile-names-one-day")
    links = {attributes["href"] for attributes in _Elements(_html(made)).of("a")} | {
        row[3] for row in _data(made)["songs"]
    }
    assert {link for link in links if link} >= {"https://open.spotify.com/", "https://open.spotify.com/track/0"}
    assert all(link is None or link.startswith("https://open.spotify.com/") for link in links)


def test_a_nameless_song_still_has_a_name_to_click() -> None:
    assert "Name unknown" in _text(report("hostile-names-one-day"))
    assert "Artist unknown" in _text(report("hostile-names-one-day"))


def _mixed(*isrcs: str | None) -> Report:
    return _made(History({NEWEST: [Song(f"Song {n}", isrc=isrc) for n, isrc in enumerate(isrcs)]}))


def test_made_up_songs_are_said_to_be_made_up_and_are_neither_linked_nor_credited_to_spotify() -> None:
    made = _mixed(f"{ISRC_PREFIX}2600001", None)
    assert "Made-up data." in _text(made)
    assert "Chart and songs from" not in _text(made)
    assert _Elements(_html(made)).of("a") == []
    assert [row[3] for row in _data(made)["songs"]] == [None, None]


@pytest.mark.parametrize("isrc", ["USABC2600001", None])
def test_real_songs_are_credited_to_spotify_and_linked(isrc: str | None) -> None:
    made = _mixed(isrc)
    assert "Made-up data." not in _text(made)
    assert "Chart and songs from Spotify" in _text(made)
    assert [row[3] for row in _data(made)["songs"]] == ["https://open.spotify.com/track/0"]


def test_a_mixed_chart_says_both_and_links_what_is_known_to_be_real() -> None:
    made = _mixed(f"{ISRC_PREFIX}2600001", "USABC2600001", None)
    assert "Some of these artists and songs are invented" in _text(made)
    assert "Chart and songs from Spotify" in _text(made)
    assert {row[0]: row[3] is not None for row in _data(made)["songs"]} == {
        "Song 0": False,
        "Song 1": True,
        "Song 2": False,
    }


@pytest.mark.parametrize("isrc", ["USABC2600001", None])
def test_a_real_song_of_an_earlier_date_is_not_called_made_up(isrc: str | None) -> None:
    earlier, newest = Song("Real", isrc=isrc), Song("Made up", isrc=f"{ISRC_PREFIX}2600001")
    made = _text(_made(History({NEWEST - timedelta(days=1): [earlier], NEWEST: [newest]})))
    assert "Some of these artists and songs are invented" in made
    assert "Nothing of Spotify’s is shown for them." in made
    assert "Chart and songs from Spotify" not in made


def test_made_up_songs_of_an_earlier_date_are_said_to_be_made_up_on_a_real_chart() -> None:
    earlier, newest = Song("Made up", isrc=f"{ISRC_PREFIX}2600001"), Song("Real", isrc="USABC2600001")
    made = _made(History({NEWEST - timedelta(days=1): [earlier], NEWEST: [newest]}))
    assert "Some of these artists and songs are invented" in _text(made)
    assert "Chart and songs from Spotify" in _text(made)
    assert {row[0]: row[3] is not None for row in _data(made)["songs"]} == {"Made up": False, "Real": True}


def test_the_sample_model_uses_the_prefix() -> None:
    assert all(song.isrc and song.isrc.startswith(ISRC_PREFIX) for song in sample(1).charts[NEWEST])


def test_how_old_the_newest_date_is_is_told_from_when_the_page_was_made() -> None:
    one = History({date(2026, 3, 2): (Song("A"),)})
    assert "1 day old when this page was made" in _text(_made(one, datetime(2026, 3, 3, 1, tzinfo=UTC)))
    stale = _text(_made(one, datetime(2026, 3, 12, 1, tzinfo=UTC)))
    assert "10 days old when this page was made: older than it should be" in stale
    assert "Today’s" not in stale
    assert "How the newest top 1 got here" in stale


def test_streams_have_a_column_only_where_some_are_known_and_an_unknown_one_is_said() -> None:
    without = _html(_made(History({NEWEST: (Song("A"), Song("B"))})))
    assert "Streams</th>" not in without
    some = _html(_made(History({NEWEST: (Song("A", streams=1234567), Song("B"))})))
    assert "1,234,567" in some
    assert (
        '<td class="n streams"><span class="none" aria-hidden="true">–</span><span class="unseen">unknown</span>'
        in some
    )


def test_a_songs_card_has_its_runs_by_the_calendar_of_all_dates() -> None:
    a, b = Song("A"), Song("B")
    data = _data(_made(History(daily(date(2026, 3, 2), (a, b), (b, a), (b,), None, (a, b)))))
    assert data["dates"] == ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06"]
    assert data["missing"] == [3]
    runs = {row[0]: row[7] for row in data["songs"]}
    assert runs == {"A": [[0, 1, 2], [4, 1]], "B": [[0, 2, 1, 1], [4, 2]]}


def test_missing_dates_are_listed_and_hatched() -> None:
    made = report("week-missing")
    assert "missing in between: 19–25 Nov 2026" in _text(made)
    assert 'class="gap"' in _html(made)
    assert "no date is missing in between" in _text(report("one-day"))


def test_every_line_of_the_bump_chart_is_in_its_table() -> None:
    a, b = Song("A"), Song("B")
    html = _html(_made(History(daily(date(2026, 3, 2), (a, b), None, (b, a)))))
    table = re.search(r"Places of the newest top 2.*?<tbody>(.*?)</tbody>", html, re.DOTALL)
    assert table
    rows = re.findall(r"<tr>(.*?)</tr>", table[1])
    assert [re.sub(r"<[^>]+>", " ", row).split() for row in rows] == [
        ["4", "Mar", "2026", "1", "2"],
        ["3", "Mar", "2026", "no", "chart", "in", "your", "data"],
        ["2", "Mar", "2026", "2", "1"],
    ]


def test_an_official_figure_longer_than_ours_does_not_lead_out_of_its_meter() -> None:
    class Official(History):
        def longest_on_chart(self) -> list[dict[str, str | None]]:
            rows = super().longest_on_chart()
            return [row | {"official_periods_on_chart": "90" if row["song"] == "B" else None} for row in rows[::-1]]

    asked = Official(daily(date(2026, 3, 2), (Song("A"), Song("B")), (Song("A"),)))
    html = _html(_made(asked))
    assert "As Spotify says" in html
    widths = [float(width) for width in re.findall(r'class="bar" width="([\d.]+)%"', html)]
    assert max(widths) == 100.0


def test_a_song_that_the_history_does_not_know_is_drawn_at_its_place_and_opens_no_card() -> None:
    class Forgetful(History):
        def every_song(self) -> list[dict[str, str | None]]:
            return [row for row in super().every_song() if row["song"] != "B"]

    html = _html(_made(Forgetful(daily(NEWEST - timedelta(days=1), (Song("A"), Song("B")), (Song("A"), Song("B"))))))
    assert '<g class="line c1" data-song=""><path class="reach" d="M1000 150h0"/>' in html
    assert '<span class="song"><bdi>B</bdi></span>' in html
    assert html.count('<path class="dot" d="M1000 100h0"/></svg></td>') == 1


@pytest.mark.parametrize("asked", QUERIES)
def test_pages_are_told_apart_by_what_they_ask(asked: str) -> None:
    questions = dict.fromkeys(QUERIES, "SELECT 1")
    assert page_digest(questions) == page_digest(dict(reversed(questions.items())) | {"another": "SELECT 2"})
    assert page_digest(questions) != page_digest(questions | {asked: "SELECT 2"})


@pytest.mark.parametrize("file", ["words.py", "templates/page.css", "templates/page.html.j2", "templates/page.js"])
def test_pages_are_told_apart_by_what_draws_them(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = dict.fromkeys(QUERIES, "SELECT 1")
    folder = shutil.copytree(Path(page.__file__).parent, tmp_path / "report")
    monkeypatch.setattr(page, "__file__", str(folder / "page.py"))
    before = page_digest(questions)
    with (folder / file).open("a") as more:
        more.write("\n")
    assert page_digest(questions) != before


def test_a_weekly_chart_speaks_of_weeks() -> None:
    text = _text(report("weekly"))
    assert "This week’s chart" in text
    assert "Last 52 weeks" in text
    assert " days" not in text.partition("when this page was made")[2]


def test_one_date_says_that_lines_begin_with_the_next() -> None:
    assert "One date is in your data so far" in _text(report("one-day"))


def test_where_artists_are_not_known_the_table_is_by_credit() -> None:
    text = _text(report("credits-only"))
    assert "By whole credit" in text
    assert "Credit with most songs" in text


def test_albums_that_are_not_known_are_said_to_be() -> None:
    assert "or the charts name no albums" in _text(report("no-albums"))


def test_a_song_that_changed_its_id_or_is_listed_twice_is_drawn_once_a_date() -> None:
    twice = replace(Song("A"), album="Another")
    made = _made(History(daily(date(2026, 3, 2), (Song("A"), twice), (twice, Song("A")))))
    assert [row[7] for row in _data(made)["songs"]] == [[[0, 1, 1]]]
