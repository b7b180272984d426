"""Calls to a service under the memory of its rate limit: none while it is blocked, new limits kept, all counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from lambdas.core.documents import RawDocument
from lambdas.core.errors import RateLimited
from lambdas.core.limits import RateLimitMemory
from lambdas.core.sources import Budget, ChartSource, PolledChart


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


@contextmanager
def within_limit(memory: RateLimitMemory, budget: Budget, *, clock: Callable[[], datetime] = utc_now) -> Iterator[None]:
    """What is done inside may call the service, and spends `budget`.

    Raises StillRateLimited instead of beginning while a remembered limit holds. `clock` is asked when it matters, for a
    wait counts from the answer that asked for it, which may come minutes after the run began.
    """
    memory.check(now=clock())
    before = budget.calls
    try:
        yield
    except RateLimited as limit:
        memory.remember(limit, now=clock())
        raise
    finally:
        memory.count(budget.calls - before, now=clock())


class LimitedSource:
    """`ChartSource` over one that is opened only if its service may be called: neither credentials nor code before."""

    def __init__(
        self,
        open_source: Callable[[], ChartSource],
        memory: RateLimitMemory,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._open_source = open_source
        self._memory = memory
        self._clock = clock

    def fetch(self, chart: PolledChart, *, now: datetime, budget: Budget) -> RawDocument:
        """What the source gives. Raises what it raises, and RateLimited, without a call, while a limit holds."""
        with within_limit(self._memory, budget, clock=self._clock):
            return self._open_source().fetch(chart, now=now, budget=budget)
