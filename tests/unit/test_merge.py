"""Which of two rows of a dimension stays."""

from __future__ import annotations

import itertools

from lambdas.core import parquet
from lambdas.core.merge import take_better, upsert
from lambdas.core.rows import Group
from lambdas.core.schema import ARTISTS, SONG_ARTISTS


def artist_row(name: str, detail: str, observed_at: int) -> Group:
    return (("0" * 22, name, None, detail, observed_at),)


def held_after(*groups: Group) -> list[tuple[object, ...]]:
    """The rows that stay of one artist, given one group after the other."""
    batch = None
    for rows in groups:
        merged = upsert(ARTISTS, batch, {"0" * 22: rows})
        batch = batch if merged is None else merged
    assert batch is not None
    return list(parquet.rows_of(ARTISTS, batch))


def better_of(*groups: Group) -> Group:
    """The row that stays of one artist, of rows that are not held yet."""
    into: dict[str, Group] = {}
    for rows in groups:
        take_better(ARTISTS, into, {"0" * 22: rows})
    return into["0" * 22]


def test_more_detail_beats_newer_and_newer_beats_older_whatever_comes_first() -> None:
    rising = [
        artist_row("From an old file", "csv", 1),
        artist_row("From a new file", "csv", 9),
        artist_row("From the charts service", "public", 2),
        artist_row("From the Web API once", "api", 1),
        artist_row("From the Web API now", "api", 2),
    ]
    for groups in itertools.permutations(rising):
        assert held_after(*groups) == list(rising[-1])
    for lower, higher in itertools.pairwise(rising):
        assert better_of(lower, higher) == better_of(higher, lower) == higher


def test_rows_of_the_same_rank_are_decided_by_themselves_not_by_the_order() -> None:
    one, other = artist_row("A", "api", 1), artist_row("B", "api", 1)
    assert held_after(one, other) == held_after(other, one) == list(better_of(one, other))
    assert better_of(one, other) == better_of(other, one)


def test_nulls_can_be_told_apart_from_values_of_the_same_rank() -> None:
    one: Group = (("0" * 22, None, None, "api", 1),)
    assert held_after(one, artist_row("B", "api", 1)) == held_after(artist_row("B", "api", 1), one)


def test_the_artists_of_a_song_are_replaced_as_one_set() -> None:
    def credit(*artists: str, observed_at: int) -> Group:
        return tuple(("song", n, artist, "api", observed_at) for n, artist in enumerate(artists, 1))

    other: Group = (("another", 1, "X", "api", 1),)
    held = upsert(SONG_ARTISTS, None, {"song": credit("A", "B", "C", observed_at=1), "another": other})
    assert held is not None
    shrunk = upsert(SONG_ARTISTS, held, {"song": credit("C", observed_at=2)})
    assert shrunk is not None
    assert parquet.rows_of(SONG_ARTISTS, shrunk) == [*other, *credit("C", observed_at=2)]
    assert upsert(SONG_ARTISTS, shrunk, {"song": credit("A", "B", observed_at=1)}) is None
