"""Reading ahead: the objects that were asked for, in whatever order they come, and never too many at once."""

from __future__ import annotations

import threading

import pytest

from lambdas.core.errors import InvalidDocument
from lambdas.core.read_ahead import ReadAhead
from lambdas.core.store import StoredObject
from tests.fakes import MemoryStore

KEYS = [f"key {number}" for number in range(20)]


class SlowStore(MemoryStore):
    """Answers a read only when `together` of them have been asked at once."""

    def __init__(self, together: int) -> None:
        super().__init__()
        self.objects = {key: key.encode() for key in KEYS}
        self.barrier = threading.Barrier(together, timeout=20)
        self.asked: list[str] = []

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject | None:
        self.asked.append(key)
        self.barrier.wait()
        return super().get(key, max_bytes=max_bytes)


def body(held: StoredObject | None) -> bytes | None:
    return None if held is None else held.body


def test_so_many_objects_are_fetched_at_once_and_each_once() -> None:
    store = SlowStore(together=4)
    with ReadAhead(store, at_once=4, max_bytes=100) as ahead:
        ahead.expect(KEYS)
        assert [body(ahead.get(key)) for key in KEYS] == [key.encode() for key in KEYS]
    assert sorted(store.asked) == sorted(KEYS)


def test_what_was_not_expected_or_is_gone_is_read_all_the_same() -> None:
    store = MemoryStore()
    store.objects = {"a": b"1", "b": b"2"}
    with ReadAhead(store, at_once=4, max_bytes=100) as ahead:
        ahead.expect(["a", "gone"])
        assert [body(ahead.get(key)) for key in ("b", "a", "gone")] == [b"2", b"1", None]
        ahead.expect(["a"])
        assert body(ahead.get("b")) == b"2"
        store.objects["a"] = b"3"
        ahead.expect([])
        assert body(ahead.get("a")) == b"3"


def test_an_object_over_the_cap_is_an_error_where_it_is_asked_for() -> None:
    store = MemoryStore()
    store.objects = {"small": b"1", "large": b"1" * 101}
    with ReadAhead(store, at_once=4, max_bytes=100) as ahead:
        ahead.expect(["large", "small"])
        assert body(ahead.get("small")) == b"1"
        with pytest.raises(InvalidDocument, match="large"):
            ahead.get("large", max_bytes=100)


@pytest.mark.parametrize("keeps_records", [True, False])
def test_records_are_kept_only_where_that_is_wanted(keeps_records: bool) -> None:
    store = MemoryStore()
    store.objects = {"a": b"1"}
    held = store.get("a")
    assert held is not None
    with ReadAhead(store, at_once=1, max_bytes=100, keeps_records=keeps_records) as ahead:
        assert ahead.put_new("b", b"2") is keeps_records
        assert ahead.replace("a", b"3", etag=held.etag) is keeps_records
    assert store.objects == ({"a": b"3", "b": b"2"} if keeps_records else {"a": b"1"})
