"""What the benchmark reads: made-up charts of any day, and real playlists if they lie beside the repository."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from lambdas.core import documents
from lambdas.core.documents import FORMAT_VERSION, RawDocument, raw_answer
from lambdas.core.imports import read_import
from lambdas.core.store import StoredObject
from lambdas.core.warehouse import Warehouse
from local.spotify.model import chart
from local.spotify.payloads import Era, Page, Renderer
from tests.fakes import MemoryStore
from tests.payloads import PAYLOADS

CHART = "regional-global-daily"
NOW = datetime(2026, 4, 1, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
REAL_PLAYLISTS = ("tracks_top-songs-global_2023-10-27.json", "playlist_top50-global_2024-04-22.json")


@dataclass(frozen=True)
class Stored:
    """A chart of one day: the page as Spotify answers it, and the raw document that keeps it."""

    page: bytes
    document: RawDocument
    key: str
    body: bytes


class Bucket(MemoryStore):
    """A bucket whose ETags cost nothing here, as it is S3 that works them out."""

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:  # noqa: ARG002
        body = self.objects.get(key)
        return None if body is None else StoredObject(body=body, etag="")

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:  # noqa: ARG002
        self.objects[key] = body
        return True


def made_up(day: date, size: int) -> Stored:
    """A chart of the sample, observed in the morning after."""
    stamp = day + ONE_DAY
    renderer = Renderer(base="https://api.spotify.com", era=Era.CLASSIC, today=stamp)
    items = [
        renderer.entry(renderer.track(entry.song, in_playlist=True), stamp) for entry in chart(CHART, day, size=size)
    ]
    page = Page("https://api.spotify.com/v1/playlists/37i9dQZEVXbMDoHDwVN2tF/tracks", 0, size, size).around(items)
    body = json.dumps(page, ensure_ascii=False).encode()
    moment = datetime.combine(stamp, time(6), UTC)
    document = RawDocument(
        format_version=FORMAT_VERSION,
        chart=CHART,
        period="daily",
        chart_date=day,
        observed_at=moment,
        received_at=moment,
        provider="playlist",
        origin="benchmark",
        answers=(raw_answer(body),),
    )
    return Stored(body, document, document.key, documents.encode(document))


def real() -> dict[str, Stored]:
    """Playlists that Spotify kept as its charts, by the name of the file; none if the files are not there."""
    found = {}
    for name in REAL_PLAYLISTS:
        if (path := PAYLOADS / name).is_file():
            body = path.read_bytes()
            document = read_import(body, name=name, received_at=NOW).document
            found[name] = Stored(body, document, document.key, documents.encode(document))
    return found


def load(loaded: Sequence[Stored], raw: Bucket, held: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """Documents of one chart and year, which lie in `raw`, loaded in one go into tables that hold `held`."""
    tables = Bucket()
    tables.objects = dict(held or {})
    first = loaded[0].document
    Warehouse(raw=raw, tables=tables, now=lambda: NOW).load(
        first.chart, first.chart_date.year, [stored.document.chart_date for stored in loaded]
    )
    return tables.objects


def bucket_of(stored: Sequence[Stored]) -> Bucket:
    """A raw bucket with these documents."""
    raw = Bucket()
    raw.objects = {item.key: item.body for item in stored}
    return raw
