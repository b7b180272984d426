"""Every quality gate by its name: what it holds up, what goes on record, and that everything else is published."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import msgspec
import pytest

from lambdas.core import documents
from lambdas.core.documents import RawDocument
from lambdas.core.errors import InvalidDocument
from lambdas.core.gates import HARD, SOFT, STRAY, Gate
from lambdas.core.imports import read_import
from lambdas.core.keys import quarantine_key
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS
from lambdas.core.warehouse import Warehouse
from lambdas.transform.handler import process
from tests.documents import (
    DAY,
    OBSERVED,
    album,
    artist,
    csv_answer,
    csv_row,
    document,
    entry,
    page,
    spotify_id,
    track,
)
from tests.fakes import MemoryStore
from tests.tables import read_table

NOW = datetime(2026, 4, 1, tzinfo=UTC)
GATES = {gate.name: gate for gate in (*HARD, *SOFT)}
TOP_50 = [track(f"Song {n}") for n in range(1, 51)]

Stored: TypeAlias = tuple[str, bytes]
"""A key and what lies under it."""


def stored(raw: RawDocument) -> Stored:
    return raw.key, documents.encode(raw)


def altered(**fields: object) -> Stored:
    """A document whose header says something else than its key."""
    raw = document()
    content = json.loads(gzip.decompress(documents.encode(raw))) | fields
    return raw.key, gzip.compress(json.dumps(content).encode())


def rows(*given: dict[str, str], **more: Any) -> RawDocument:
    return document([csv_answer(given, **more)], provider="charts_csv")


def broken_row() -> RawDocument:
    answer = csv_answer([csv_row(1), csv_row(2)])
    answer["rows"][1].append("one too many")
    return document([answer], provider="charts_csv")


def at(position: int) -> dict[str, Any]:
    """A lone entry at a position."""
    return page([entry(track())], offset=position - 1, total=None)


REFUSED: dict[str, list[Callable[[], Stored]]] = {
    "stray": [lambda: ("raw/holiday photo.jpg", b"held")],
    "unreadable": [
        lambda: (document().key, documents.encode(document())[:-20]),
        lambda: (document().key, documents.encode(document())[:-4]),
        lambda: (document().key, documents.encode(document()) + b"more"),
        lambda: (document().key, b"no gzip"),
        lambda: (document().key, gzip.compress(b"{")),
        lambda: altered(format_version=0),
        lambda: altered(chart_date="2026-02-30"),
        lambda: stored(document(songs=[track(popularity=2**31)])),
    ],
    "newer_format": [
        lambda: altered(format_version=99),
        lambda: altered(format_version=99, market="global"),
    ],
    "contradictory": [
        lambda: altered(chart="road-trip"),
        lambda: altered(chart_date="2026-03-06"),
        lambda: altered(provider="charts_csv"),
        lambda: altered(observed_at="2026-03-06T06:00:01Z"),
        lambda: altered(withdrawal=True),
    ],
    "date_impossible": [
        lambda: stored(document(chart_date=date(2007, 12, 31))),
        lambda: stored(document(chart_date=date(2028, 1, 1))),
        lambda: stored(document(observed_at=datetime(2028, 1, 1, tzinfo=UTC))),
        lambda: altered(observed_at="2026-03-06T06:00:00"),
        lambda: altered(received_at="2026-03-06T06:00:00"),
    ],
    "not_a_chart": [
        lambda: stored(document([{"type": "playlist", "id": spotify_id("x")}])),
        lambda: stored(document([{"type": "album", "items": []}])),
        lambda: stored(
            document([{"header": ["artist", "rank"], "rows": [], "encoding": "utf-8"}], provider="charts_csv")
        ),
        lambda: stored(document([], provider="charts_csv")),
    ],
    "empty": [
        lambda: stored(document([page([])])),
        lambda: stored(document(songs=[None, None])),
        lambda: stored(document(songs=[track(type="episode")])),
        lambda: stored(document([csv_answer([csv_row(1)]) | {"rows": []}], provider="charts_csv")),
    ],
    "incomplete": [
        lambda: stored(document([page([entry(track())], total=50)])),
        lambda: stored(document([page([entry(track("A"))], total=3), page([entry(track("C"))], total=3, offset=2)])),
    ],
    "row_broken": [lambda: stored(broken_row())],
    "position_impossible": [
        lambda: stored(document([at(2**31)], partial=True)),
        lambda: stored(rows(csv_row(0))),
        lambda: stored(rows(csv_row(1) | {"rank": "1.5"})),
        lambda: stored(rows(csv_row(2**31))),
    ],
    "position_twice": [
        lambda: stored(document([page([entry(track("A"))]), page([entry(track("B"))])])),
        lambda: stored(rows(csv_row(1, "A"), csv_row(1, "B"))),
    ],
    "id_malformed": [
        lambda: stored(document(songs=[track(id="short")])),
        lambda: stored(document(songs=[track(id="'; DROP TABLE songs;--")])),
        lambda: stored(document(songs=[track(album=album(id="a" * 23))])),
        lambda: stored(document(songs=[track(artists=[artist() | {"id": "é" * 22}])])),
        lambda: stored(rows(csv_row(1, uri="spotify:track:short"))),
        lambda: stored(rows(csv_row(1, uri="spotify:album:" + "a" * 22))),
    ],
    "figure_impossible": [
        lambda: stored(rows(csv_row(1, streams="1e6"))),
        lambda: stored(rows(csv_row(1, peak_rank=2**31))),
        lambda: stored(rows(csv_row(1, streams=2**63))),
    ],
}

WARNED: dict[str, list[tuple[RawDocument, str]]] = {
    "size_differs": [
        (document(songs=TOP_50[:-1]), "reaches place 49, where 50 is usual"),
        (document(songs=[*TOP_50, track("One more")]), "reaches place 51, where 50 is usual"),
        (rows(*(csv_row(n, f"Song {n}") for n in range(1, 151))), "reaches place 150, where 200 is usual"),
    ],
    "weekday_differs": [
        (
            document(songs=TOP_50, chart="regional-us-weekly", chart_date=date(2026, 3, 6)),
            "2026-03-06 is a Friday, not a Thursday",
        ),
    ],
    "partial": [
        (document([page([entry(track())], offset=100, total=101)], partial=True), "down to place 101"),
    ],
    "gap": [
        (document(songs=[track("A"), None, track("C")], chart="road-trip"), "no song at position 2"),
        (document(songs=[track("A"), track(type="episode")], chart="road-trip"), "no song at position 2"),
        (document(songs=[*[None] * 9, track("A")], chart="road-trip"), "no song at position 1, 2, 3, 4, 5 ..."),
        (rows(csv_row(1, "A"), csv_row(3, "C")), "no row for position 2"),
    ],
    "song_twice": [
        (document(songs=[track("A"), track("A")], chart="road-trip"), "again at position 2"),
        (rows(csv_row(1, "A"), csv_row(2, "A")), "again at position 2"),
    ],
    "no_id": [
        (document(songs=[track("A"), track(id=None)], chart="road-trip"), "the song at position 2"),
        (
            document(songs=[track(artists=[artist("A"), artist("B") | {"id": None}])], chart="road-trip"),
            "artist 'B' of the song at position 1",
        ),
    ],
    "no_streams": [(rows(csv_row(1, streams=-1)), "1 positions tell none above 0")],
    "no_release_date": [
        (document(songs=[track(album=album(release_date="0000"))], chart="road-trip"), "'0000' of album"),
    ],
    "text_damaged": [(rows(csv_row(1, track_name="Se�orita")), "1 texts are left out")],
}


class Zone:
    """A raw zone and its tables."""

    def __init__(self) -> None:
        self.raw, self.tables = MemoryStore(), MemoryStore()
        self.warehouse = Warehouse(raw=self.raw, tables=self.tables, code_version="test", now=lambda: NOW)

    def load(self, *given: Stored) -> None:
        """Store them all and handle their events, as the transform does."""
        self.raw.objects |= dict(given)
        events = [
            {"messageId": key, "body": json.dumps({"detail": {"bucket": {"name": "raw"}, "object": {"key": key}}})}
            for key, _ in given
        ]
        processed = process(events, self.warehouse)  # type: ignore[arg-type]
        assert processed.failed == []

    def warnings(self) -> dict[str, str | None]:
        return {row["raw_key"]: row["warnings"] for row in read_table(self.tables, SNAPSHOTS)}


def cases(of: dict[str, list[Any]]) -> list[Any]:
    return [pytest.param(GATES[name], case, id=f"{name}-{n}") for name in of for n, case in enumerate(of[name], 1)]


def test_every_gate_has_a_name_of_its_own_and_a_case_here() -> None:
    assert len(GATES) == len(HARD) + len(SOFT)
    assert list(REFUSED) == [gate.name for gate in HARD]
    assert list(WARNED) == [gate.name for gate in SOFT]


@pytest.mark.parametrize(("gate", "bad"), cases(REFUSED))
def test_a_hard_gate_puts_the_document_on_record_by_its_name_and_the_rest_of_the_day_is_published(
    gate: Gate, bad: Callable[[], Stored]
) -> None:
    zone, refused = Zone(), bad()
    good = document(songs=TOP_50, observed_at=OBSERVED - timedelta(hours=6))
    zone.load(refused, stored(good))

    record = msgspec.json.decode(zone.raw.objects[quarantine_key(refused[0])])
    assert record["key"] == refused[0]
    assert record["reason"].startswith(f"{gate.name}: ")
    assert zone.raw.objects[refused[0]] == refused[1], "the document itself is kept as it is"
    assert zone.warnings() == {good.key: None}
    assert len(read_table(zone.tables, CHART_ENTRIES)) == 50


@pytest.mark.parametrize(("gate", "case"), cases(WARNED))
def test_a_soft_gate_publishes_the_document_with_a_warning_by_its_name(
    gate: Gate, case: tuple[RawDocument, str]
) -> None:
    odd, words = case
    zone = Zone()
    zone.load(stored(odd))
    warned = dict(warning.split(": ", 1) for warning in (zone.warnings()[odd.key] or "").split("; ") if warning)
    assert words in warned[gate.name]
    assert read_table(zone.tables, CHART_ENTRIES)
    assert not list(zone.raw.keys("quarantine/"))


def test_a_document_as_spotify_gives_it_passes_every_gate_in_silence() -> None:
    weekly = {"chart": "regional-global-weekly", "chart_date": date(2026, 3, 5)}
    zone = Zone()
    file = [csv_row(n, f"Song {n}") for n in range(1, 201)]
    zone.load(
        stored(document(songs=TOP_50)),
        stored(document(songs=TOP_50, **weekly)),  # type: ignore[arg-type]
        stored(document([csv_answer(file)], provider="charts_csv")),
    )
    assert list(zone.warnings().values()) == [None] * 3
    assert not list(zone.raw.keys("quarantine/"))


def test_nobody_knows_the_usual_size_or_weekday_of_a_chart_of_ones_own() -> None:
    zone = Zone()
    zone.load(stored(document(songs=TOP_50[:7], chart="road-trip-weekly", chart_date=date(2026, 3, 6))))
    assert list(zone.warnings().values()) == [None]


def test_a_partial_chart_is_not_also_of_an_odd_size() -> None:
    zone = Zone()
    zone.load(stored(document([page([entry(song) for song in TOP_50[:7]], total=50)], partial=True)))
    assert list(zone.warnings().values()) == ["partial: 7 entries of a longer playlist, down to place 7"]


def test_a_document_that_lost_its_day_keeps_its_row_with_its_own_warnings() -> None:
    odd = document(songs=[track("A"), track("A")], observed_at=OBSERVED - timedelta(hours=1))
    better = document(songs=TOP_50)
    zone = Zone()
    zone.load(stored(odd), stored(better))
    assert zone.warnings()[better.key] is None
    assert "song_twice: " in (zone.warnings()[odd.key] or "")


def test_what_a_gate_says_of_a_document_does_not_depend_on_what_else_is_held() -> None:
    odd = document(songs=TOP_50[:30])
    alone, among_others = Zone(), Zone()
    alone.load(stored(odd))
    among_others.load(
        *(stored(document(songs=TOP_50[:n], chart_date=DAY - timedelta(days=n))) for n in range(28, 33)),
        stored(document(songs=TOP_50, observed_at=OBSERVED + timedelta(hours=1))),
        stored(odd),
    )
    assert alone.warnings()[odd.key] == among_others.warnings()[odd.key]


def test_a_warning_stays_short_however_often_its_gate_was_passed() -> None:
    zone = Zone()
    zone.load(stored(document(songs=[track("The Same")] * 5000, chart="road-trip")))
    (warning,) = zone.warnings().values()
    assert warning is not None
    assert warning.endswith(" again at position 6 ...")
    assert len(warning) < 300


def test_the_operators_reason_stands_before_the_gates_words() -> None:
    zone = Zone()
    zone.load(stored(document(withdrawal=True)))
    assert list(zone.warnings().values()) == ["a mistake"]


def test_a_document_observed_after_the_years_of_the_tables_cannot_stay_the_newest_for_ever() -> None:
    zone = Zone()
    zone.load(stored(document(songs=TOP_50, observed_at=datetime(9999, 12, 31, tzinfo=UTC))), stored(document()))
    assert len(read_table(zone.tables, CHART_ENTRIES)) == 1


def test_a_file_of_entries_added_in_a_year_to_come_is_refused_before_it_is_stored() -> None:
    body = json.dumps(page([entry(track(), added_at="2099-01-01T00:00:00Z")])).encode()
    with pytest.raises(InvalidDocument, match="added on 2099-01-01, which is yet to come: mend its added_at") as caught:
        read_import(body, name="a.json", received_at=NOW, chart="road-trip", chart_date=DAY)
    assert caught.value.gate is GATES["date_impossible"]


def test_a_refusal_names_its_gate_for_the_record_and_speaks_plainly_to_people() -> None:
    error = InvalidDocument("position 3 is given twice", gate=GATES["position_twice"])
    assert (str(error), error.reason) == ("position 3 is given twice", "position_twice: position 3 is given twice")
    assert error.gate is not STRAY


def _paths(value: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where every field of an answer is."""
    found: list[tuple[str | int, ...]] = []
    if isinstance(value, dict):
        for name, held in value.items():
            found += [(*here, name), *_paths(held, (*here, name))]
    elif isinstance(value, list):
        for number, held in enumerate(value):
            found += _paths(held, (*here, number))
    return found


def _without(answer: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(answer))
    held: Any = changed
    for step in path[:-1]:
        held = held[step]
    del held[path[-1]]
    return changed


_ANSWER = page([entry(track("A")), entry(track("B", artists=[artist("B"), artist("C")]))])
_NEEDED: list[tuple[str | int, ...]] = [("items",)]
"""Without these it is no chart, or nothing tells its places."""


@pytest.mark.parametrize("path", _paths(_ANSWER), ids=lambda path: ".".join(map(str, path)))
def test_a_field_that_spotify_no_longer_sends_is_null_and_holds_up_nothing(path: tuple[str | int, ...]) -> None:
    zone = Zone()
    given = document([_without(_ANSWER, path)])
    zone.load(stored(given))
    assert bool(list(zone.raw.keys("quarantine/"))) == (path in _NEEDED)
    if path not in _NEEDED:
        assert len(read_table(zone.tables, SNAPSHOTS)) == 1
        assert read_table(zone.tables, CHART_ENTRIES)
