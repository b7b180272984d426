"""When a chart's report is made: once after each change of what it shows, and never an old one over a newer one.

A stored report carries what it was made from: the ETags of the chart's objects, which are other ones after a new day, a
correction, a withdrawal or a late backfill, and how many of its songs lack album and artists, which is another number
after an enrichment. Both are looked at before the questions are asked, so that a report may know more than it says it
does, never less: what changes meanwhile is seen by the event of that change. With them is which page it is, another one
after an upgrade. A report is written in the place of the one that was looked at before, or not at all: of two functions
that make a chart's report at once, the slower one begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal, Protocol, TypeAlias

from lambdas.core.errors import NothingToReport, WriteConflict
from lambdas.core.report import Ask, Report, make_report

MAX_ATTEMPTS: Final = 5

Outcome: TypeAlias = Literal["made", "current", "removed", "nothing"]
"""A report was made; the stored one shows all there is; the stored one was removed, for the chart has no date any more;
there is neither a date nor a report."""


@dataclass(frozen=True)
class Sources:
    """What a report was made from: a digest of the ETags of the chart's objects, its songs without album and artists,
    and a digest of the page itself, with its questions."""

    objects: str
    songs_waiting: int
    page: str


@dataclass(frozen=True)
class StoredReport:
    """A report that is kept. `size` is in bytes; `etag` is what a conditional write compares."""

    chart: str
    chart_date: date
    made_at: datetime
    sources: Sources
    etag: str
    size: int


class ReportStore(Protocol):
    """Where reports are kept, beside the tables that they are made from."""

    def objects(self) -> Mapping[str, str]:
        """By chart, a digest of the ETags of its objects in the tables."""
        ...

    def charts(self) -> Iterator[str]:
        """The charts that a report is kept of, in order."""
        ...

    def stored(self, chart: str) -> StoredReport | None:
        """What is known of the chart's report without reading it, or None if there is none."""
        ...

    def keep(
        self, report: Report, *, made_at: datetime, sources: Sources, instead_of: StoredReport | None
    ) -> StoredReport | None:
        """Keep a report; None, and nothing written, if the one that it is to replace is no longer the stored one."""
        ...

    def remove(self, chart: str) -> None:
        """Take the chart's report away, if there is one."""
        ...


@dataclass(frozen=True)
class Reporting:
    """The reports of one stage.

    `questions` of a chart give its report's `Ask`, for as long as the context is open; `songs_waiting` tells of how
    many songs of a chart no more is known than a chart file or the public charts tell. `page` is the digest of the page
    that is made. `now` is the clock, and replaced in tests.
    """

    store: ReportStore
    questions: Callable[[str], AbstractContextManager[Ask]]
    songs_waiting: Callable[[str], int]
    page: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def refresh(self, chart: str, *, listed: Mapping[str, str]) -> Outcome:
        """Bring the chart's report up to date. `listed` are the store's `objects` as of this run's beginning.

        Raises as `make`, but for a chart without a date, whose report is removed.
        """
        held = self.store.stored(chart)
        if held is not None and self._is_current(held, listed):
            return "current"
        return self._replace(chart, unless_current=True)[0]

    def make(self, chart: str) -> tuple[Report, StoredReport]:
        """Make the chart's report now, whatever is stored, and keep it.

        Raises NothingToReport for a chart that has no date in the tables, QueryFailed, or WriteConflict if others were
        faster time and again.
        """
        _, made = self._replace(chart, unless_current=False)
        if made is None:
            raise NothingToReport(f"{chart} has no date in the tables: `etl charts` shows what there is")
        return made

    def _is_current(self, held: StoredReport, objects: Mapping[str, str]) -> bool:
        if (held.sources.objects, held.sources.page) != (objects.get(held.chart, ""), self.page):
            return False
        # Songs are told more of by an enrichment alone, and there is nothing to tell where none waits.
        waiting = held.sources.songs_waiting
        return waiting == 0 or self.songs_waiting(held.chart) == waiting

    def _replace(self, chart: str, *, unless_current: bool) -> tuple[Outcome, tuple[Report, StoredReport] | None]:
        for _ in range(MAX_ATTEMPTS):
            held = self.store.stored(chart)
            objects = self.store.objects()
            if unless_current and held is not None and self._is_current(held, objects):
                return "current", None
            sources = Sources(objects.get(chart, ""), self.songs_waiting(chart), self.page)
            made_at = self.now()
            try:
                with self.questions(chart) as ask:
                    report = make_report(ask, chart=chart, made_at=made_at)
            except NothingToReport:
                if held is None:
                    return "nothing", None
                self.store.remove(chart)
                if self.store.objects().get(chart, "") == sources.objects:
                    return "removed", None
                continue  # A day has come meanwhile, whose report may be the one that was removed.
            kept = self.store.keep(report, made_at=made_at, sources=sources, instead_of=held)
            if kept is not None:
                return "made", (report, kept)
        raise WriteConflict(f"the report of {chart}: {MAX_ATTEMPTS} attempts lost to others that made it: try again")
