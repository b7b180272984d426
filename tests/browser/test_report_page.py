"""The report as a browser shows it: nothing leaves the page, all is drawn, and it works by keyboard."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from typing import Any

import pytest
from playwright.sync_api import ElementHandle, FloatRect, Page, expect

from tests.browser.conftest import Open, Scheme
from tests.payloads import REPOSITORY
from tests.report_cases import CASES, history, report

AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (390, 768, 1280, 1600)


def _boxes(page: Page, selector: str) -> list[FloatRect]:
    boxes = [element.bounding_box() for element in page.query_selector_all(selector)]
    assert all(box is not None for box in boxes), f"some {selector} are not drawn"
    return [box for box in boxes if box is not None]


def _overlap(one: FloatRect, other: FloatRect) -> bool:
    # Half a pixel is rounding.
    beside = one["x"] + one["width"] <= other["x"] + 0.5 or other["x"] + other["width"] <= one["x"] + 0.5
    above = one["y"] + one["height"] <= other["y"] + 0.5 or other["y"] + other["height"] <= one["y"] + 0.5
    return not beside and not above


def _is_cut(label: ElementHandle) -> bool:
    return bool(label.evaluate("e => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1"))


def _overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def _axe(page: Page) -> list[str]:
    # Evaluated by the browser's debugger, which the page's policy does not concern.
    page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{item['id']}: {json.dumps([node['html'][:150] for node in item['nodes'][:3]])}"
        for item in found["violations"]
    ]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("case", CASES)
def test_a_page_is_drawn_whole_and_asks_for_nothing(open_report: Open, case: str, width: int) -> None:
    opened = open_report(case, width=width, scheme="light" if width > 400 else "dark")
    page = opened.page
    opened.keep(full=True)
    assert opened.faults == []
    assert _overflow(page) == 0
    newest = history(case).charts[max(history(case).charts)]
    labels = _boxes(page, ".ends .label")
    assert len(labels) == min(len(newest), 10)
    assert not [pair for pair in combinations(labels, 2) if _overlap(*pair)], "labels at the line ends overlap"
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in labels)
    dots = _boxes(page, ".bump .end")
    for dot, label in zip(dots, labels, strict=True):
        middle = label["y"] + label["height"] / 2
        assert abs(dot["y"] + dot["height"] / 2 - middle) < 6, "a label is not beside its line's end"
        assert dot["x"] < label["x"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", ["sample", "real", "weekly"])
def test_no_label_at_a_line_end_is_cut_nor_is_the_page_too_wide(open_report: Open, case: str, width: int) -> None:
    opened = open_report(case, width=width)
    opened.keep()
    labels = opened.page.query_selector_all(".ends .label, .ends .song, .ends .by")
    assert len(labels) == 30
    assert [label.inner_text() for label in labels if _is_cut(label)] == []
    assert _overflow(opened.page) == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_labels_of_the_time_axes_do_not_meet(open_report: Open, width: int) -> None:
    page = open_report("weekly", width=width).page
    for axis in (".bump .axis text", ".reigns .axis text"):
        boxes = _boxes(page, axis)
        assert len(boxes) > 1
        assert not [pair for pair in pairwise(boxes) if _overlap(*pair)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("case", ["sample", "real", "hostile-names", "one-day"])
def test_axe_finds_nothing(open_report: Open, case: str, width: int, scheme: Scheme) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core in node_modules: make setup")
    opened = open_report(case, width=width, scheme=scheme, still=True)
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert _axe(page) == []
    page.locator("#today .song").first.click()
    expect(page.locator("#card")).to_be_visible()
    opened.keep("card")
    assert _axe(page) == []


def test_axe_would_have_found_something(open_report: Open) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core in node_modules: make setup")
    page = open_report("one-day").page
    page.evaluate(
        "document.documentElement.removeAttribute('lang'); document.getElementById('q').removeAttribute('id')"
    )
    assert {text.split(":")[0] for text in _axe(page)} >= {"html-has-lang", "label"}


def test_every_block_is_drawn_with_data(open_report: Open) -> None:
    page = open_report("sample").page
    page.locator("footer details").first.evaluate("details => details.open = true")
    counts = {
        ".fact .value": 4,
        ".bump .line .way": 10,
        ".bump .gap": 1,
        "#today tbody tr": 50,
        "#today .spark svg:has(path[d^=M])": 50,
        ".ranked >> nth=0 >> tbody tr": 10,
        "#found tr": 10,
        ".squares path[d^=M]": None,
        ".reigns .bar": None,
        "#h-data ~ table tbody tr": 2,
    }
    for selector, count in counts.items():
        if count is None:
            assert page.locator(selector).count() > 3
        else:
            expect(page.locator(selector)).to_have_count(count)
    for section in page.query_selector_all("main > section"):
        box = section.bounding_box()
        assert box is not None
        assert box["height"] > 60


def test_the_search_works_by_keyboard(open_report: Open) -> None:
    opened = open_report("sample")
    page = opened.page
    wanted = page.locator("#today .song").nth(6).inner_text()
    page.locator("#q").focus()
    page.keyboard.type(wanted.upper())
    expect(page.locator("#found .song").first).to_contain_text(wanted)
    assert " of " in page.locator("#count").inner_text()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found .song").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#card h2")).to_contain_text(wanted)
    page.keyboard.press("Escape")
    expect(page.locator("#card")).to_be_hidden()
    expect(page.locator("#found .song").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#card h2")).to_contain_text(wanted)
    assert opened.faults == []


def test_the_search_forgives_accents_and_says_when_it_finds_nothing(open_report: Open) -> None:
    page = open_report("sample").page
    page.locator("#q").fill("cancion")
    assert page.locator("#found .song").count() > 0
    assert "Canción" in page.locator("#found").inner_text()
    page.locator("#q").fill("no such song")
    expect(page.locator("#found tr")).to_have_count(0)
    assert page.locator("#count").inner_text().startswith("0 of ")


def test_a_song_anywhere_opens_its_card_and_focus_returns(open_report: Open) -> None:
    opened = open_report("sample")
    page = opened.page
    for where in (".value .song", ".ends .song", "#today .song", ".reigns .song", "#h-longest >> xpath=../.. >> .song"):
        song = page.locator(where).first
        song.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#card")).to_be_visible()
        assert page.locator("#card .line path[d^=M]").count() > 0
        assert song.inner_text() in page.locator("#card h2").inner_text()
        page.keyboard.press("Escape")
        expect(page.locator("#card")).to_be_hidden()
        expect(song).to_be_focused()
    assert opened.faults == []


def test_the_card_tells_runs_and_gaps_apart_from_missing_dates(open_report: Open) -> None:
    page = open_report("sample").page
    song = page.locator("#today .song").first
    song.click()
    told = page.locator("#card tbody").inner_text()
    assert "on the chart still" in told
    page.keyboard.press("Escape")
    told_and_hatched = page.evaluate(
        "data.songs.map((_, n) => { byId('card').close(); openCard(n);"
        " return [byId('card').innerText, byId('card').querySelectorAll('rect.gap').length]; })"
    )
    assert any("no chart in your data for 5 days" in text for text, _ in told_and_hatched)
    assert all(("no chart in your data" in text) == (bands == 1) for text, bands in told_and_hatched)
    parted = int(page.evaluate("data.songs.findIndex(song => song[7].length > 3)"))
    page.evaluate("number => { byId('card').close(); openCard(number); }", parted)
    rows = page.locator("#card tbody tr").count()
    assert rows > 3
    drawn = page.locator("#card .line path").evaluate_all("paths => paths.map(path => path.getAttribute('d')).join('')")
    assert drawn.count("M") == rows


def test_pointing_at_a_song_brightens_its_line_alone(open_report: Open) -> None:
    opened = open_report("sample", still=True)
    page = opened.page
    page.locator(".ends li").nth(3).hover()
    opened.keep("hover")
    lit = page.locator(".bump .line.lit:not(:has(.end))")
    expect(lit).to_have_count(1)
    assert "c3" in (lit.get_attribute("class") or "")
    assert page.locator(".bump .line:not(.lit)").first.evaluate("e => Number(getComputedStyle(e).opacity)") < 0.5
    page.locator("h1").hover()
    expect(page.locator(".lit")).to_have_count(0)


def test_the_sentence_can_be_copied(open_report: Open) -> None:
    page = open_report("sample").page
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text("Copied")
    page.locator("#q").focus()
    page.keyboard.press("Control+V")
    assert page.locator("#q").input_value() == page.locator("#changed").inner_text()


@pytest.mark.parametrize(
    ("today", "told", "stale"),
    [
        ("2026-11-26T12:00:00Z", "today’s", False),
        ("2026-11-27T12:00:00Z", "yesterday’s", False),
        ("2026-12-06T12:00:00Z", "10 days old now, older than it should be", True),
    ],
)
def test_how_old_the_newest_chart_is_is_told_by_the_day_of_looking(
    open_report: Open, today: str, told: str, stale: bool
) -> None:
    page = open_report("sample").page
    page.clock.set_fixed_time(today)
    page.reload()
    expect(page.locator("#fresh")).to_have_text(f"Newest chart in your data: {told}")
    assert ("stale" in (page.locator("#fresh").get_attribute("class") or "")) is stale


def test_names_of_markup_are_text_and_nothing_in_them_runs(open_report: Open) -> None:
    for case in ("hostile-names", "hostile-names-one-day"):
        opened = open_report(case)
        page = opened.page
        page.evaluate("data.songs.forEach((_, number) => { byId('card').close(); openCard(number); })")
        assert page.evaluate("typeof hacked") == "undefined"
        assert page.locator("img, b, body script:not([type]) ~ *").count() == 0
        links = page.evaluate("[...document.querySelectorAll('a')].map(a => a.href)")
        assert links
        assert all(link.startswith("https://open.spotify.com/") for link in links)
        attributes = "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
        assert not [name for name in page.evaluate(attributes) if name.startswith("on")]
        assert opened.faults == []


def test_the_policy_lets_no_other_script_run(open_report: Open) -> None:
    opened = open_report("one-day")
    opened.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'hacked = 1'}))"
    )
    assert opened.page.evaluate("typeof hacked") == "undefined"
    assert "Content Security Policy" in opened.faults[0]


def test_all_of_a_long_chart_can_be_shown(open_report: Open) -> None:
    page = open_report("two-hundred").page
    assert page.locator("#today tbody tr:visible").count() == 50
    page.get_by_role("button", name="Show all 200").press("Enter")
    assert page.locator("#today tbody tr:visible").count() == 200
    expect(page.locator("#today tbody tr:nth-child(51) .song")).to_be_focused()


def test_older_dates_are_a_swipe_away_on_a_phone(open_report: Open) -> None:
    page = open_report("sample", width=390).page
    plot = page.locator("#plot")
    newest = _boxes(page, ".bump .end")[0]
    assert newest["x"] < 390
    before = page.locator(".bump .axis text").first.bounding_box()
    plot.focus()
    plot.evaluate("plot => plot.scrollBy(-2000, 0)")
    after = page.locator(".bump .axis text").first.bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] > before["x"]
    assert after["x"] >= 0


@pytest.mark.parametrize("case", ["sample", "two-hundred"])
def test_printed_it_has_the_charts_and_no_controls(open_report: Open, case: str) -> None:
    opened = open_report(case, scheme="dark", width=768)
    page = opened.page
    page.emulate_media(media="print", color_scheme="dark")
    opened.keep("print", full=True)
    assert page.locator("#copy, #find, summary, #more").filter(visible=True).count() == 0
    assert page.locator("#today tbody tr:visible").count() == len(history(case).charts[max(history(case).charts)])
    assert page.locator(".ends .label:visible").count() == 10
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert _overflow(page) == 0
    assert page.pdf().startswith(b"%PDF")


def test_without_scripts_everything_but_search_and_cards_is_there(open_report: Open) -> None:
    page = open_report("two-hundred", script=False).page
    assert page.locator("#today tbody tr:visible").count() == 200
    assert page.locator("#copy:visible, #find:visible").count() == 0
    assert page.locator(".ends .label:visible").count() == 10


def test_nothing_moves_for_those_who_want_less_motion(open_report: Open) -> None:
    duration = "getComputedStyle(document.querySelector('.bump .line')).transitionDuration"
    assert open_report("one-day", still=True).page.evaluate(duration) == "0s"
    assert open_report("one-day").page.evaluate(duration) != "0s"


def test_headings_and_landmarks_lead_through_the_page(open_report: Open) -> None:
    page = open_report("sample").page
    assert page.locator("h1").all_inner_texts() == ["Top songs, Global, daily"]
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("search").count() == 1
    headings = page.locator("main h2").all_inner_texts()
    assert headings[4:] == [
        "How today’s top 10 got here",
        "Today’s chart",
        "Number ones over time",
        "Artists",
        "Longest on the chart",
        "Find a song",
    ]
    assert len(report("sample").html) < 400_000
