"""Dropped into the inbox, every real file gives just what `etl import` gives, or is refused for the same reason."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from cli.importing import Choices, import_files
from lambdas.core.documents import RawDocument, decode
from lambdas.core.inbox import Inbox
from lambdas.core.keys import INBOX_PREFIX, QUARANTINE_PREFIX, RAW_PREFIX, quarantine_key
from tests.contract.test_real_chart_files import FILES, TOLD
from tests.contract.test_real_payloads import CHARTS
from tests.fakes import MemoryStore
from tests.payloads import PAYLOADS, requires_payloads

pytestmark = requires_payloads

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REAL = sorted(path.name for path in PAYLOADS.glob("*") if path.is_file())
SAID = {
    "": Choices(),
    "chart=road-trip/": Choices(chart="road-trip"),
    "date=2024-05-11/chart=road-trip/partial=true/": Choices("road-trip", date(2024, 5, 11), partial=True),
}
"""What folders say, and the options of the command that say the same."""


def at_the_desk(path: Path, choices: Choices) -> tuple[MemoryStore, str | None]:
    """The raw bucket after `etl import`, and why the file is refused."""
    store = MemoryStore()
    (outcome,) = import_files([path], choices, raw=store, received_at=NOW)
    return store, outcome.refused


def dropped(path: Path, folders: str) -> tuple[MemoryStore, str | None]:
    """The raw bucket after the file was dropped, and why it is in quarantine."""
    store, key = MemoryStore(), f"{INBOX_PREFIX}{folders}{path.name}"
    store.objects[key] = path.read_bytes()
    Inbox(store, now=lambda: NOW).take(key)
    if not list(store.keys(QUARANTINE_PREFIX)):
        return store, None
    return store, json.loads(store.objects[quarantine_key(key)])["reason"]


def content(store: MemoryStore) -> list[RawDocument]:
    """The raw documents, but for how they came here."""
    held = [decode(store.objects[key], key=key, model=RawDocument) for key in store.keys(RAW_PREFIX)]
    return [msgspec.structs.replace(document, origin="") for document in held]


@pytest.mark.parametrize("folders", SAID)
@pytest.mark.parametrize("name", REAL)
def test_a_real_file_gives_the_same_raw_document_or_the_same_refusal_whichever_way_it_comes(
    name: str, folders: str
) -> None:
    desk, refused = at_the_desk(PAYLOADS / name, SAID[folders])
    cloud, quarantined = dropped(PAYLOADS / name, folders)

    assert list(cloud.keys(RAW_PREFIX)) == list(desk.keys(RAW_PREFIX))
    assert content(cloud) == content(desk)
    assert (quarantined is None) == (refused is None) == bool(content(desk))
    if quarantined and refused:
        assert quarantined.partition(": ")[2].startswith(refused)  # after the gate's name


def test_most_of_the_real_files_are_charts_that_can_be_dropped() -> None:
    """Else the test above would say nothing."""
    loaded = {folders: [name for name in REAL if content(dropped(PAYLOADS / name, folders)[0])] for folders in SAID}
    assert set(TOLD) <= set(loaded[""])
    *_, all_said = loaded.values()
    assert {*FILES, *CHARTS} <= set(all_said)
    assert len(REAL) - len(all_said) >= 5
