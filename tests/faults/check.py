"""What must hold after every fault, whatever it was: nothing lost, nothing twice, a reason for what is not there.

`check_survival` is called for every test of this folder, by conftest.py, so that none can forget it. What it looks at
is plain data, and its own tests take something away from that, one kind of loss at a time (test_the_check_itself.py).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeAlias

from lambdas.core import documents
from lambdas.core.documents import RawDocument
from lambdas.core.keys import QUARANTINE_PREFIX, RAW_PREFIX, parse_raw_key, quarantine_key
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS, TABLES
from lambdas.core.warehouse import Warehouse, group_by_chart_year
from tests.documents import CHART, DAY, document, track
from tests.fakes import MemoryStore
from tests.tables import read_table

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""The moment at which all tests of faults take place."""

Place: TypeAlias = tuple[str, date, int, str]
"""A row of a chart: chart, chart date, position, song id."""


@dataclass
class Expected:
    """What a test has done, as it must be found again."""

    good: dict[str, RawDocument] = field(default_factory=dict)
    """Documents that the tables must tell, by the key they lie under."""
    bad: dict[str, str] = field(default_factory=dict)
    """Keys of what must be in quarantine, with words of the reason."""
    hopeless: dict[str, str] = field(default_factory=dict)
    """Bodies of messages that must end in the dead letters, with words of their cause in the log."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """What lies under a key that is not a good document's, or holds it in another form."""


@dataclass(frozen=True)
class Evidence:
    """What is found: the objects of both buckets, the bodies of messages, and the log."""

    raw: Mapping[str, bytes]
    tables: Mapping[str, bytes]
    waiting: int
    dead_letters: Sequence[str]
    log: Sequence[str]
    unexplained: Sequence[str]
    """Ids of messages that failed while the log told no cause."""


class Survivor(Protocol):
    """A pipeline that has met a fault."""

    expected: Expected

    def evidence(self) -> Evidence: ...

    def put(self, *held: RawDocument) -> list[str]: ...

    def tell(self, *keys: str) -> None: ...

    def deliver(self) -> None: ...


def check_survival(pipeline: Survivor, *, charts: Sequence[str] = (CHART, "the-next-chart")) -> None:
    """Let the messages that wait come once more, check, and see the next good documents through.

    These are of every chart and year that the test has touched, and of `charts`.
    """
    pipeline.deliver()
    check(pipeline.expected, pipeline.evidence())
    pipeline.tell(*pipeline.put(*_next_documents(pipeline.expected, charts)))
    pipeline.deliver()
    check(pipeline.expected, pipeline.evidence())


def check(expected: Expected, found: Evidence) -> None:
    """Nothing is lost, nothing is there twice, what is not in the tables has its reason on record."""
    _check_raw_zone(expected, found)
    _check_reasons(expected, found)
    _check_messages(expected, found)
    _check_tables(expected, found)


def _check_raw_zone(expected: Expected, found: Evidence) -> None:
    held = {key: body for key, body in found.raw.items() if not key.startswith(QUARANTINE_PREFIX)}
    for key, told in expected.good.items():
        assert key in held, f"lost from the raw zone: {key}"
        assert held[key] == expected.bodies.get(key, documents.encode(told)), f"changed in the raw zone: {key}"
    for key, body in expected.bodies.items():
        assert key in held, f"lost from the raw bucket: {key}"
        assert held[key] == body, f"changed in the raw bucket: {key}"
    documents_held = {key for key in held if key.startswith(RAW_PREFIX)}
    nobodys = documents_held - expected.good.keys() - expected.bodies.keys()
    assert not nobodys, f"written to the raw zone by nobody: {nobodys}"


def _check_reasons(expected: Expected, found: Evidence) -> None:
    records = {key: json.loads(body) for key, body in found.raw.items() if key.startswith(QUARANTINE_PREFIX)}
    assert records.keys() == {quarantine_key(key) for key in expected.bad}, (
        f"in quarantine are {sorted(records)}, where these belong: {sorted(expected.bad)}"
    )
    for key, words in expected.bad.items():
        record = records[quarantine_key(key)]
        assert record["key"] == key
        assert words in record["reason"], f"{key}: the reason on record is {record['reason']!r}, not {words!r}"
        assert "\n" not in record["reason"]
        assert record["code_version"]
        assert datetime.fromisoformat(record["quarantined_at"]).tzinfo is not None


def _check_messages(expected: Expected, found: Evidence) -> None:
    assert found.waiting == 0, f"{found.waiting} messages neither done nor in the dead letters"
    assert Counter(found.dead_letters) == Counter(list(expected.hopeless)), (
        f"in the dead letters lie {found.dead_letters}, where these belong: {list(expected.hopeless)}"
    )
    assert not found.unexplained, f"messages failed without a cause in the log: {found.unexplained}"
    for cause in expected.hopeless.values():
        assert any(cause in line for line in found.log), f"no cause in the log: {cause!r}"


def _check_tables(expected: Expected, found: Evidence) -> None:
    store = MemoryStore()
    store.objects = dict(found.tables)
    for table in TABLES:
        rows = read_table(store, table)
        keys = Counter(tuple(row[name] for name in table.key) for row in rows)
        twice = [key for key, number in keys.items() if number > 1]
        assert not twice, f"twice in {table.name}: {twice}"
    # Worked out here a second time, from the documents' own words.
    told = Counter(stated_places(expected.good))
    places: Counter[Place] = Counter(
        (row["chart"], row["chart_date"], row["position"], row["song_id"]) for row in read_table(store, CHART_ENTRIES)
    )
    assert not told - places, f"lost from chart_entries: {sorted(told - places)[:5]}"
    assert not places - told, f"in chart_entries, but in no document that counts: {sorted(places - told)[:5]}"
    on_record = {row["raw_key"] for row in read_table(store, SNAPSHOTS)}
    assert on_record == expected.good.keys(), f"snapshots do not tell of {on_record ^ expected.good.keys()}"
    # And to the last byte what one load of them all into an empty warehouse gives: dimensions as well.
    whole = tables_of(expected)
    differing = [key for key in whole.keys() | found.tables.keys() if whole.get(key) != found.tables.get(key)]
    assert not differing, f"not what one load of all documents gives: {sorted(differing)}"


def tables_of(expected: Expected) -> dict[str, bytes]:
    """The tables that one load of all the good documents at once gives."""
    raw, tables = MemoryStore(), MemoryStore()
    for key, told in expected.good.items():
        raw.put_new(key, expected.bodies.get(key, documents.encode(told)))
    warehouse = Warehouse(raw=raw, tables=tables, now=lambda: NOW)
    for (chart, year), dates in group_by_chart_year(map(parse_raw_key, expected.good)).items():
        warehouse.load(chart, year, dates)
    return tables.objects


def stated_places(good: Mapping[str, RawDocument]) -> list[Place]:
    """The places that the winning document of each day tells."""
    days: dict[tuple[str, date], list[tuple[str, RawDocument]]] = {}
    for key, told in good.items():
        days.setdefault((told.chart, told.chart_date), []).append((key[-24:], told))
    places: list[Place] = []
    for (chart, chart_date), rivals in days.items():
        assert all(told.provider != "operator" for _, told in rivals), "the check knows no withdrawals"
        _, best = max(rivals, key=lambda r: (not r[1].partial, r[1].provider == "charts_csv", r[1].observed_at, r[0]))
        places += [(chart, chart_date, position, song_id) for position, song_id in _places_told(best)]
    return places


def _places_told(told: RawDocument) -> list[tuple[int, str]]:
    places: list[tuple[int, str]] = []
    for answer in (json.loads(bytes(answer)) for answer in told.answers):
        if told.provider == "charts_csv":
            columns = {name: number for number, name in enumerate(answer["header"])}
            places += [(int(row[columns["rank"]]), row[columns["uri"]][-22:]) for row in answer["rows"]]
            continue
        entries: list[dict[str, Any]] = answer["items"]
        for position, entry in enumerate(entries, answer.get("offset", 0) + 1):
            song = entry.get("item") or entry.get("track")
            if song and song["id"] and song["type"] == "track" and not entry["is_local"]:
                places.append((position, song["id"]))
    return places


def _next_documents(expected: Expected, charts: Sequence[str]) -> list[RawDocument]:
    touched = {(told.chart, told.chart_date.year) for told in expected.good.values()}
    touched |= {(chart, DAY.year) for chart in charts}
    return [
        document(
            chart=chart,
            chart_date=date(year, 11, 17),
            observed_at=datetime(2026, 11, 18, 6, 0, tzinfo=UTC),
            songs=[track("The next song"), track()],
        )
        for chart, year in sorted(touched)
    ]
