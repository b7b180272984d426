"""The `playlist` provider: a chart that is a playlist, read through Spotify's Web API.

Who may read which playlist, since 2024-11-27 and February 2026:
https://developer.spotify.com/blog/2024-11-27-changes-to-the-web-api and
https://developer.spotify.com/documentation/web-api/tutorials/february-2026-migration-guide
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from lambdas.core.adapters.calls import Refused
from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.spotify import SPOTIFY, SpotifyAddress, WebApi
from lambdas.core.charts import is_plausible
from lambdas.core.documents import FORMAT_VERSION, RawDocument, raw_answer, second
from lambdas.core.errors import (
    AccessForbidden,
    ChartNotFound,
    EmptyChart,
    InconsistentChart,
    MetadataOnly,
    SourceError,
)
from lambdas.core.sources import Budget, PolledChart

PAGE_SIZE: Final = 50
"""The most entries that `/items` gives at once (https://developer.spotify.com/documentation/web-api/reference/get-playlists-items)."""
_IMPORT: Final = "`etl import` the CSV file that charts.spotify.com gives to download"


class _Entry(msgspec.Struct):
    added_at: datetime | None = None


class _Page(msgspec.Struct):
    """What is checked of a page; the entries themselves are read when the document is transformed."""

    items: list[_Entry | None]
    total: int
    offset: int
    limit: int = PAGE_SIZE


class PlaylistSource:
    """`ChartSource` over one playlist, read as the user who has signed in, or as the app if nobody has.

    Pages are asked for by offset; the `next` address in an answer is never called.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        stage: str,
        address: SpotifyAddress = SPOTIFY,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._credentials = credentials
        self._stage = stage
        self._address = address
        self._sleep = sleep
        self._jitter = jitter

    def fetch(self, chart: PolledChart, *, now: datetime, budget: Budget) -> RawDocument:
        """The playlist as it is now, all pages, verbatim; dated as `chart.dated_by` says.

        Raises, each with its remedy: CredentialsRejected (AuthorizationExpired if the user has to sign in again),
        AccessForbidden, ChartNotFound, MetadataOnly, EmptyChart, InconsistentChart (also where the entries' dates give
        no chart date), RateLimited, SourceUnavailable.
        """
        api = WebApi(
            self._credentials,
            budget,
            stage=self._stage,
            address=self._address,
            sleep=self._sleep,
            jitter=self._jitter,
        )
        what = f"{chart.chart} (playlist {chart.playlist})"
        answers, entries = self._pages(api, chart, what)
        chart_date = _chart_date(chart, entries, now=now, what=what)
        return RawDocument(
            format_version=FORMAT_VERSION,
            chart=chart.chart,
            period=chart.period,
            chart_date=chart_date,
            observed_at=second(now),
            received_at=second(now),
            provider="playlist",
            origin=f"{self._address.api}playlists/{chart.playlist}",
            answers=answers,
        )

    def _pages(self, api: WebApi, chart: PolledChart, what: str) -> tuple[tuple[msgspec.Raw, ...], list[_Entry | None]]:
        answers: list[dict[str, object]] = []
        entries: list[_Entry | None] = []
        total: int | None = None
        while total is None or len(entries) < total:
            try:
                answer = api.playlist_page(chart.playlist, limit=PAGE_SIZE, offset=len(entries), what=what)
            except Refused as refusal:
                raise self._wall(refusal, chart, what) from None
            page = self._read(answer, what)
            if fault := _fault(page, held=len(entries), total=total):
                raise InconsistentChart(f"{what}: {fault}: the next poll reads it again")
            if answers and answer["items"] == answers[-1]["items"]:
                raise InconsistentChart(
                    f"{what}: two pages hold the same {len(page.items)} entries: the next poll reads it again"
                )
            total = page.total
            entries += page.items
            answers.append(answer)
        return tuple(_verbatim(answer, what) for answer in answers), entries

    def _read(self, answer: dict[str, object], what: str) -> _Page:
        """What is checked of an answer. Raises MetadataOnly, EmptyChart, or InconsistentChart for a wrong type."""
        if answer.get("items") is None:
            raise MetadataOnly(
                f"{what}: Spotify answers without the playlist's entries, as it does for playlists that are not the "
                f"app user's own: {self._not_ones_own}"
            )
        try:
            page = msgspec.convert(answer, _Page)
        except msgspec.ValidationError as error:
            raise InconsistentChart(f"{what}: not as Spotify answers: {error}: the next poll reads it again") from error
        if page.offset == 0 and not page.items:
            raise EmptyChart(
                f"{what}: Spotify answers with no entries at all, and an empty chart is never published: check that "
                "the playlist holds songs, or wait for the next poll"
            )
        return page

    def _wall(self, refusal: Refused, chart: PolledChart, what: str) -> SourceError:
        """The error that a lasting refusal is, with what to do about it."""
        if refusal.status == 403:
            remedy = self._forbidden_remedy(refusal.message.lower())
            return AccessForbidden(f"{what}: Spotify forbids it: {refusal}: {remedy}")
        if refusal.status == 404:
            if chart.playlist.startswith("37i9"):
                why = (
                    "it is one of Spotify's own, closed since 2024-11-27 to apps that had no extended access then: "
                    f"poll another playlist, or {_IMPORT}"
                )
            else:
                whose = "" if self._is_user else f", or sign in as its owner with {self._login}"
                why = f"it is private, deleted or misspelt: check its link{whose}, or {_IMPORT}"
            return ChartNotFound(f"{what}: Spotify knows no such playlist for this app: {refusal}: {why}")
        return SourceError(
            f"{what}: Spotify answers {refusal}, which no retry mends: check the playlist's id, and that nothing "
            "between here and Spotify answers in its place"
        )

    def _forbidden_remedy(self, message: str) -> str:
        if "premium" in message:
            return "the owner of the app needs an active Premium subscription, or Spotify stops the app: renew it"
        if "regist" in message:
            return "add the user to the app at https://developer.spotify.com/dashboard, under User Management"
        if "scope" in message:
            return f"the user has to sign in again, with {self._login}, and grant the scope playlist-read-private"
        return (
            "since February 2026 an app in Development Mode reads only playlists that its signed-in user owns or "
            f"collaborates on: {self._not_ones_own}"
        )

    @property
    def _is_user(self) -> bool:
        return bool(self._credentials.refresh_token)

    @property
    def _login(self) -> str:
        return f"`etl login --stage {self._stage}`"

    @property
    def _not_ones_own(self) -> str:
        """What to do about a playlist that is not the user's own; without a user, none is."""
        if self._is_user:
            return (
                "the user who is signed in does neither with this one: copy its songs into a playlist of that user, "
                f"sign in as its owner with {self._login}, use an app with Extended Quota, or {_IMPORT}"
            )
        return f"sign in as its owner with {self._login}, use an app with Extended Quota, or {_IMPORT}"


def _fault(page: _Page, *, held: int, total: int | None) -> str | None:
    """Why a page does not go on where the `held` entries before it end; None if it does."""
    if total is not None and page.total != total:
        return f"its length changed from {total} to {page.total} entries between two pages, so it was edited meanwhile"
    if page.offset != held:
        return f"asked for the entries after {held}, Spotify sends those after {page.offset}"
    due = min(PAGE_SIZE, max(page.limit, 1), page.total - held)
    if len(page.items) != due:
        return f"{len(page.items)} entries come after {held} where {due} are due, of a playlist of {page.total}"
    return None


def _verbatim(answer: dict[str, object], what: str) -> msgspec.Raw:
    try:
        return raw_answer(answer)
    except UnicodeEncodeError as error:
        raise InconsistentChart(
            f"{what}: holds half a character (a lone surrogate), which is no text: the next poll reads it again"
        ) from error


def _chart_date(chart: PolledChart, entries: list[_Entry | None], *, now: datetime, what: str) -> date:
    """The last day that the chart counts. Raises InconsistentChart if the entries' dates do not tell one."""
    offset = timedelta(days=chart.date_offset_days)
    if chart.dated_by == "observation":
        return now.astimezone(UTC).date() + offset
    stamped = sorted({_day(entry.added_at) for entry in entries if entry is not None and entry.added_at is not None})
    instead = 'set `dated_by` to "observation" for a playlist that people edit'
    if not stamped:
        raise InconsistentChart(f"{what}: no entry says when it was added, so nothing tells the chart date: {instead}")
    if len(stamped) > 1:
        raise InconsistentChart(
            f"{what}: its entries were added on {len(stamped)} days ({stamped[0]} to {stamped[-1]}), so they do not "
            f"tell the chart date: {instead}"
        )
    if not is_plausible(stamped[0], today=now.astimezone(UTC).date()):
        raise InconsistentChart(f"{what}: its entries were added on {stamped[0]}, which tells no chart date: {instead}")
    return stamped[0] + offset


def _day(moment: datetime) -> date:
    """The UTC day of a moment; Spotify writes UTC."""
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).date()
