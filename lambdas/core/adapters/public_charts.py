"""The `public_charts` provider: the service behind the front page of charts.spotify.com, which asks for no login.

It is undocumented: it may change or vanish, and no terms of its own are known beside Spotify's general ones. It takes
no token, so none is ever sent. It serves three weekly charts of the world; the one of songs is read.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
import requests

from lambdas.core.adapters.calls import Patience, Refused, Session, base_address
from lambdas.core.charts import is_plausible
from lambdas.core.documents import FORMAT_VERSION, UNREADABLE_JSON, RawDocument, raw_answer, second
from lambdas.core.errors import (
    AccessForbidden,
    ChartNotFound,
    EmptyChart,
    InconsistentChart,
    InvalidDocument,
    SourceError,
)
from lambdas.core.public_charts import PublicAnswer, parse_public_answer, read_public_charts
from lambdas.core.sources import Budget, PolledChart

_PATH: Final = "/public/v0/charts"
PUBLIC_CHARTS_ADDRESS: Final = f"https://charts-spotify-com-service.spotify.com{_PATH}"
_INSTEAD: Final = (
    "take `public_charts` out of the chart's providers, or `etl import` the CSV file that charts.spotify.com gives to "
    "download"
)


def address_at(endpoint: str) -> str:
    """The service at another address, as the stand-in has it. Raises ConfigurationError for one that cannot be."""
    return f"{base_address(endpoint)}{_PATH}"


class PublicChartsSource:
    """`ChartSource` over the public charts service.

    `sleep` and `jitter` (0 to 1) are given by tests.
    """

    def __init__(
        self,
        *,
        address: str = PUBLIC_CHARTS_ADDRESS,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._address = address
        self._sleep = sleep
        self._jitter = jitter

    def fetch(self, chart: PolledChart, *, now: datetime, budget: Budget) -> RawDocument:
        """The service's whole answer, verbatim, as a document of the chart in it, dated as the chart itself says.

        Raises, each with its remedy: ChartNotFound (the chart is not in the answer, or the service is gone),
        EmptyChart, InconsistentChart (no chart can be read from the answer), AccessForbidden, RateLimited,
        SourceUnavailable.
        """
        what = f"{chart.chart} (public charts service)"
        text = self._ask(what, budget)
        answer = _answer(text, what)
        try:
            held = answer.of_songs.get(chart.chart)
            if held is None:
                raise _not_there(chart, answer, what)
            if not msgspec.json.decode(held.entries):
                raise EmptyChart(
                    f"{what}: Spotify answers with no entries at all, and an empty chart is never published: the next "
                    f"poll asks again; if it stays so, {_INSTEAD}"
                )
            chart_date = held.chart_date
            document = RawDocument(
                format_version=FORMAT_VERSION,
                chart=chart.chart,
                period=chart.period,
                chart_date=chart_date,
                observed_at=second(now),
                received_at=second(now),
                provider="public_charts",
                origin=self._address,
                answers=(raw_answer(text),),
            )
            # What the transform could not use is refused now: kept, it would hold the date.
            read_public_charts(document, answer.of_songs)
        except InvalidDocument as error:
            raise _inconsistent(what, str(error)) from error
        today = now.astimezone(UTC).date()
        if chart_date > today or not is_plausible(chart_date, today=today):
            raise _inconsistent(what, f"is of {chart_date}, which cannot be")
        return document

    def _ask(self, what: str, budget: Budget) -> bytes:
        """The JSON text that the service answers."""
        patience = Patience(budget, sleep=self._sleep, jitter=self._jitter)
        with Session(budget) as session:
            session.headers["Accept"] = "application/json"
            try:
                return patience.ask(lambda: _json(session.get(self._address)), what)
            except Refused as refusal:
                raise _wall(refusal, what) from None


def _json(response: requests.Response) -> bytes | None:
    """The answer's text if it is JSON, else None."""
    try:
        msgspec.json.decode(response.content)
    except UNREADABLE_JSON:
        return None
    return response.content


def _answer(text: bytes, what: str) -> PublicAnswer:
    try:
        answer = parse_public_answer(text)
    except InvalidDocument as error:
        raise _inconsistent(what, str(error)) from error
    if not answer.chart_entry_view_responses:
        raise EmptyChart(
            f"{what}: Spotify answers with no charts at all, and an empty chart is never published: the next poll asks "
            f"again; if it stays so, {_INSTEAD}"
        )
    return answer


def _not_there(chart: PolledChart, answer: PublicAnswer, what: str) -> ChartNotFound:
    there = ", ".join(one.chart for one in answer.chart_entry_view_responses)
    return ChartNotFound(f"{what}: the answer does not hold {chart.chart} but {there}: {_INSTEAD}")


def _inconsistent(what: str, fault: str) -> InconsistentChart:
    return InconsistentChart(f"{what}: {fault}: the next poll asks again; if it stays so, {_INSTEAD}")


def _wall(refusal: Refused, what: str) -> SourceError:
    """The error that a lasting refusal is, with what to do about it."""
    if refusal.status in (401, 403):
        return AccessForbidden(f"{what}: Spotify forbids it without a login: {refusal}: {_INSTEAD}")
    if refusal.status in (404, 410):
        return ChartNotFound(f"{what}: the service is not there any more: {refusal}: {_INSTEAD}")
    return SourceError(
        f"{what}: Spotify answers {refusal}, which no retry mends: check that nothing between here and Spotify answers "
        f"in its place, or {_INSTEAD}"
    )
