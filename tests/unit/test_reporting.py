"""When a report is made, over a store in memory in which other writers can be let in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import pytest

from lambdas.core import reporting
from lambdas.core.errors import NothingToReport, WriteConflict
from lambdas.core.report import Ask, Report
from lambdas.core.reporting import MAX_ATTEMPTS, Outcome, Reporting, Sources, StoredReport

CHART, OTHER = "road-trip", "camping"
NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


@dataclass
class Stage:
    """The days of charts, as text that a report shows, and the reports. `meanwhile` is called as a report is made."""

    days: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    kept: dict[str, tuple[StoredReport, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    meanwhile: Callable[[], object] = str
    page: str = "of today"
    versions: int = 0

    # ---- the store

    def objects(self) -> Mapping[str, str]:
        return {chart: f"etag of {shown}" for chart, shown in self.days.items()}

    def charts(self) -> Iterator[str]:
        return iter(sorted(self.kept))

    def stored(self, chart: str) -> StoredReport | None:
        return self.kept[chart][0] if chart in self.kept else None

    def keep(
        self, report: Report, *, made_at: datetime, sources: Sources, instead_of: StoredReport | None
    ) -> StoredReport | None:
        held = self.stored(report.chart)
        if (held and held.etag) != (instead_of and instead_of.etag):
            return None
        self.versions += 1
        kept = StoredReport(report.chart, report.chart_date, made_at, sources, f"v{self.versions}", len(report.html))
        self.kept[report.chart] = kept, report.html.decode()
        return kept

    def remove(self, chart: str) -> None:
        self.kept.pop(chart, None)

    # ---- the questions

    def make_report(self, ask: Ask, *, chart: str, made_at: datetime) -> Report:
        assert (ask("question", {}), made_at) == ([], NOW)
        self.asked.append(chart)
        shown = self.days.get(chart)
        self.meanwhile()
        if shown is None:
            raise NothingToReport(chart)
        return Report(chart, date(2026, 3, 7), f"{shown}, {self.waiting.get(chart, 0)} waiting".encode())

    # ---- the case

    @property
    def reports(self) -> Reporting:
        return Reporting(
            self,
            questions=_ask,
            songs_waiting=lambda chart: self.waiting.get(chart, 0),
            page=self.page,
            now=lambda: NOW,
        )

    def refresh(self, chart: str = CHART) -> Outcome:
        return self.reports.refresh(chart, listed=self.objects())

    def shown(self, chart: str = CHART) -> str | None:
        return self.kept[chart][1].partition(",")[0] if chart in self.kept else None


def _ask(_: str) -> AbstractContextManager[Ask]:
    return nullcontext(lambda *_: [])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage with one chart and no report."""
    made = Stage(days={CHART: "Friday"})
    monkeypatch.setattr(reporting, "make_report", made.make_report)
    return made


def test_a_report_is_made_once_after_a_change_however_often_the_change_is_told(stage: Stage) -> None:
    assert [stage.refresh(), stage.refresh(), stage.refresh()] == ["made", "current", "current"]
    assert stage.asked == [CHART]
    assert stage.kept[CHART][0] == StoredReport(
        chart=CHART,
        chart_date=date(2026, 3, 7),
        made_at=NOW,
        sources=Sources("etag of Friday", 0, "of today"),
        etag="v1",
        size=len(b"Friday, 0 waiting"),
    )


@pytest.mark.parametrize("change", ["Saturday", "Friday, corrected", "Thursday, as Friday was withdrawn", "and 2016"])
def test_any_change_of_a_charts_days_makes_a_new_report(stage: Stage, change: str) -> None:
    stage.refresh()
    stage.days[CHART] = change
    assert (stage.refresh(), stage.shown()) == ("made", change.partition(",")[0])


def test_a_page_that_is_made_otherwise_since_an_upgrade_is_made_anew_at_the_next_event_and_once(stage: Stage) -> None:
    stage.refresh()
    stage.page = "of tomorrow"
    assert (stage.refresh(), stage.refresh()) == ("made", "current")


def test_another_charts_change_makes_none(stage: Stage) -> None:
    stage.refresh()
    stage.days[OTHER] = "Friday"
    assert (stage.refresh(), stage.refresh(OTHER), stage.refresh()) == ("current", "made", "current")


def test_songs_that_were_completed_since_make_a_new_report_and_none_is_counted_where_none_waits(stage: Stage) -> None:
    stage.waiting[CHART] = 3
    assert (stage.refresh(), stage.refresh()) == ("made", "current")
    stage.waiting[CHART] = 1
    assert (stage.refresh(), stage.refresh()) == ("made", "current")
    stage.waiting[CHART] = 0
    assert stage.refresh() == "made"
    counting = replace(stage.reports, songs_waiting=lambda _: pytest.fail("asked in vain"))
    assert counting.refresh(CHART, listed=stage.objects()) == "current"


def test_a_change_while_a_report_is_made_is_seen_by_its_own_event(stage: Stage) -> None:
    stage.meanwhile = lambda: stage.days.update({CHART: "Saturday"})
    assert (stage.refresh(), stage.shown()) == ("made", "Friday")
    stage.meanwhile = str
    assert (stage.refresh(), stage.shown()) == ("made", "Saturday")


def test_of_two_that_make_a_report_at_once_the_slower_never_replaces_the_newer(stage: Stage) -> None:
    def a_faster_one() -> None:
        stage.meanwhile = str
        stage.days[CHART] = "Saturday"
        assert stage.refresh() == "made"

    stage.meanwhile = a_faster_one
    assert (stage.refresh(), stage.shown()) == ("current", "Saturday")
    assert stage.versions == 1


def test_a_listing_of_before_somebody_elses_report_makes_none_anew(stage: Stage) -> None:
    listed = stage.objects()
    stage.days[CHART] = "Saturday"
    stage.refresh()
    assert stage.reports.refresh(CHART, listed=listed) == "current"
    assert stage.versions == 1


def test_a_chart_all_of_whose_days_were_withdrawn_has_no_report_any_more(stage: Stage) -> None:
    stage.refresh()
    del stage.days[CHART]
    assert (stage.refresh(), stage.shown()) == ("removed", None)
    assert stage.refresh() == "nothing"


def test_a_day_that_comes_as_the_report_is_removed_has_one(stage: Stage) -> None:
    stage.refresh()
    del stage.days[CHART]

    def a_day_comes() -> None:
        stage.meanwhile = str
        stage.days[CHART] = "Saturday"

    stage.meanwhile = a_day_comes
    assert (stage.refresh(), stage.shown()) == ("made", "Saturday")


def test_a_report_that_is_asked_for_is_made_whatever_is_stored(stage: Stage) -> None:
    stage.refresh()
    report, kept = stage.reports.make(CHART)
    assert report.html == b"Friday, 0 waiting"
    assert (kept.etag, stage.asked) == ("v2", [CHART, CHART])


def test_a_report_that_is_asked_for_of_a_chart_without_a_date_is_one_line(stage: Stage) -> None:
    with pytest.raises(NothingToReport, match="camping has no date in the tables: `etl charts` shows what there is"):
        stage.reports.make(OTHER)


def test_whoever_loses_time_and_again_leaves_it_to_another_time(stage: Stage) -> None:
    def a_faster_one() -> None:
        stage.versions += 1
        held = StoredReport(CHART, date(2026, 3, 7), NOW, Sources("of another", 0, "of today"), f"v{stage.versions}", 1)
        stage.kept[CHART] = held, "another's"

    stage.meanwhile = a_faster_one
    with pytest.raises(WriteConflict, match=f"the report of {CHART}: {MAX_ATTEMPTS} attempts lost"):
        stage.refresh()
    assert len(stage.asked) == MAX_ATTEMPTS
