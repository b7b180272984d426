"""The playlists that hold the sample's charts, and the answers of their endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

from lambdas.core.charts import SPOTIFY_CHARTS
from local.spotify.draws import Kind, spotify_id
from local.spotify.errors import Refusal
from local.spotify.faults import Fault, FaultKind
from local.spotify.model import SEED, THURSDAY, chart, parse_name
from local.spotify.odd_items import episode, local_file
from local.spotify.payloads import Json, Page, Playlist, Renderer
from local.spotify.settings import Settings

_REGIONS = {
    "global": "Global", "ar": "Argentina", "au": "Australia", "br": "Brazil", "ca": "Canada", "de": "Germany",
    "es": "Spain", "fr": "France", "gb": "UK", "in": "India", "it": "Italy", "jp": "Japan", "mx": "Mexico",
    "pk": "Pakistan", "se": "Sweden", "us": "USA",
}  # fmt: skip
# The largest page and the default one: OpenAPI's QueryLimit for /items; /tracks took 100 (Spotify's reference of 2023).
_LIMITS = {"items": (50, 20), "tracks": (100, 100)}


def _playlists() -> dict[str, Playlist]:
    known = {spotify_chart.chart: spotify_chart.playlist_id for spotify_chart in SPOTIFY_CHARTS}
    found = {}
    for number, (region, country) in enumerate(_REGIONS.items()):
        for second, period in enumerate(("daily", "weekly")):
            name = f"regional-{region}-{period}"
            # Spotify's own ids where the project knows them, else made up.
            identity = known.get(name) or spotify_id(SEED, Kind.PLAYLIST, number, second)
            title = f"Top 50 - {country}" if period == "daily" else f"Top Songs - {country}"
            found[identity] = Playlist(
                identity, name, title, f"Your {period} update of the most played tracks right now - {country}."
            )
    return found


OWN_PLAYLIST = Playlist(
    spotify_id(SEED, Kind.PLAYLIST, len(_REGIONS), 0),
    "regional-se-daily",
    "Road Trip",
    "What we sang on the way north.",
    by_user=True,
)
"""A private playlist of the user who signs in: what a Development Mode app can read since February 2026."""
PLAYLISTS: Mapping[str, Playlist] = {**_playlists(), OWN_PLAYLIST.id: OWN_PLAYLIST}
"""The playlists served, by id: a daily and a weekly chart of each region, and the user's own."""


def chart_date_on(name: str, today: date) -> date:
    """The chart date that a chart's playlist shows on a day: it is stamped with the day after.

    A daily chart's is yesterday; a weekly chart's is the last Thursday before today.
    """
    if parse_name(name)[1] == "daily":
        return today - timedelta(days=1)
    return today - timedelta(days=(today.weekday() - THURSDAY - 1) % 7 + 1)


def playlist_answer(
    renderer: Renderer,
    settings: Settings,
    playlist: Playlist,
    endpoint: str | None,
    query: Mapping[str, str],
    fault: Fault | None,
    *,
    as_user: bool = False,
) -> Json:
    """The answer of GET /playlists/{id}, or of its endpoint `items` or `tracks`, to the user or to the app alone.

    Raises Refusal.
    """
    chart_date = chart_date_on(playlist.chart, renderer.today)
    metadata_only = (
        settings.non_owner
        or (playlist.by_user and not as_user)
        or (fault is not None and fault.kind is FaultKind.METADATA_ONLY)
    )
    if endpoint is not None:
        largest, default = _LIMITS[endpoint]
        limit, offset = _whole(query, "limit", default), _whole(query, "offset", 0)
        if not 1 <= limit <= largest:
            raise Refusal(HTTPStatus.BAD_REQUEST, "Invalid limit")
        if offset < 0:
            raise Refusal(HTTPStatus.BAD_REQUEST, "Invalid offset")
        if metadata_only:
            raise Refusal(HTTPStatus.FORBIDDEN, "Forbidden")
        return _page(renderer, settings, playlist, endpoint, chart_date, offset, limit, query, fault)
    pages = {}
    if not metadata_only:
        for container in settings.era.containers:
            # A page no larger than the endpoint behind its `next` takes.
            limit = _LIMITS[container][0]
            pages[container] = _page(renderer, settings, playlist, container, chart_date, 0, limit, query, fault)
    return renderer.playlist(playlist, pages, chart_date)


def _page(
    renderer: Renderer,
    settings: Settings,
    playlist: Playlist,
    endpoint: str,
    chart_date: date,
    offset: int,
    limit: int,
    query: Mapping[str, str],
    fault: Fault | None,
) -> Json:
    entries = chart(playlist.chart, chart_date, size=settings.chart_size, seed=renderer.seed)
    kind = fault.kind if fault else None
    if kind is FaultKind.EMPTY:
        entries = ()
    total = len(entries)
    first = max(0, offset - limit) if kind is FaultKind.REPEATED_PAGE else offset
    added_on = chart_date + timedelta(days=1)
    items = [
        renderer.entry(renderer.track(entry.song, in_playlist=True), added_on)
        for entry in entries[first : first + limit]
    ]
    if fault is not None:
        if kind is FaultKind.WRONG_TOTAL:
            total += fault.count or 1
        elif kind is FaultKind.SHORT_PAGE:
            items = items[: max(0, len(items) - (fault.count or 1))]
        place = (fault.index or 1) - 1
        if place < len(items):
            if kind is FaultKind.NULL_TRACK:
                items[place] = renderer.entry(None, added_on)
            elif kind is FaultKind.LOCAL_FILE:
                items[place] = renderer.entry(local_file(renderer), added_on, is_local=True)
            elif kind is FaultKind.EPISODE:
                items[place] = renderer.entry(episode(renderer), added_on)
    kept = {key: query[key] for key in ("market", "additional_types") if key in query}
    address = f"{renderer.base}/v1/playlists/{playlist.id}/{endpoint}"
    return Page(address, offset, limit, total, f"&{urlencode(kept)}" if kept else "").around(items)


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"Invalid {name}") from None
