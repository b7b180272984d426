"""The installed MiniStack is the one the launcher's patches were written for."""

from __future__ import annotations

import importlib

import pytest

from local.emulator import contract

ADVICE = (
    f"the launcher in local/emulator patches MiniStack {contract.PINNED}. Go back to that version, or adapt the "
    "patches and contract.py to the new one"
)


def test_the_pinned_version_is_installed() -> None:
    assert contract.installed_version() == contract.PINNED, ADVICE


def test_every_private_name_the_launcher_relies_on_has_its_known_shape() -> None:
    assert contract.broken() == [], ADVICE


def test_a_moved_name_and_a_changed_signature_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    athena = importlib.import_module("ministack.services.athena")
    monkeypatch.delattr(athena, "_execute_query")
    monkeypatch.setattr(athena, "_start_query_execution", lambda request, _context: request)
    gone, changed = contract.broken()[1], contract.broken()[0]
    assert "ministack.services.athena._execute_query is gone" in gone
    assert "ministack.services.athena._start_query_execution is (request, _context), was (data)" in changed
