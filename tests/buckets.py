"""A stage's two buckets, with a transform that works while the command waits, as the real one does."""

from __future__ import annotations

from cli.waiting import Waiting
from lambdas.core.keys import parse_raw_key
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.fakes import MemoryStore


class TransformedBuckets:
    """The raw bucket and the warehouse; `transforms` says whether anything loads what is in the raw zone."""

    def __init__(self, *, transforms: bool = True) -> None:
        self.raw = MemoryStore()
        self.tables = MemoryStore()
        self.now = 0.0
        self.transforms = transforms

    @property
    def waiting(self) -> Waiting:
        """Waits on a clock of its own, which takes no time."""
        return Waiting(raw=self.raw, tables=self.tables, patience_seconds=30, clock=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.transforms:
            self.load()

    def load(self) -> None:
        """Load every day of the raw zone."""
        keys = [parse_raw_key(key) for key in self.raw.objects if key.startswith("raw/")]
        for (chart, year), dates in group_by_chart_year(keys).items():
            Warehouse(raw=self.raw, tables=self.tables).load(chart, year, dates)
