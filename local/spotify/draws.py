"""Chance without a random generator: every draw is a BLAKE2 digest of the seed and of what is drawn.

The same seed gives the same bytes on every Python, machine and hash seed: only integer arithmetic and the IEEE 754
operations that are correctly rounded (+ - * / and sqrt) are used, never the platform's exp, pow or log.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from hashlib import blake2b
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Part: TypeAlias = str | int

_BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE = {character: value for value, character in enumerate(_BASE62)}
_HALF = (1 << 64) - 1
_ROUNDS = 4


class Kind(IntEnum):
    """What an id names."""

    ARTIST = 1
    ALBUM = 2
    SONG = 3
    PLAYLIST = 4


def number(seed: str, *parts: Part) -> int:
    """A 128-bit number."""
    text = "\x1f".join([seed, *map(str, parts)])
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big")


def uniform(seed: str, *parts: Part) -> float:
    """A number in [0, 1)."""
    return (number(seed, *parts) >> 75) / (1 << 53)


def normal(seed: str, *parts: Part) -> float:
    """A number of mean 0 and variance 1, close to normal: the sum of four uniforms."""
    drawn = number(seed, *parts)
    total = sum(drawn >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96))
    return (total / (1 << 32) - 2.0) * math.sqrt(3.0)


def whole(low: int, high: int, seed: str, *parts: Part) -> int:
    """An integer from `low` to `high`, both included."""
    return low + int(uniform(seed, *parts) * (high - low + 1))


def pick(options: Sequence[T], seed: str, *parts: Part) -> T:
    """One of `options`, all equally likely."""
    return options[int(uniform(seed, *parts) * len(options))]


def exponential(x: float) -> float:
    """e to the power of x for small x, by (1 + x/1024)^1024: close enough here, and the same everywhere."""
    result = 1.0 + x / 1024
    for _ in range(10):
        result *= result
    return result


def spotify_id(seed: str, kind: Kind, first: int, second: int = 0, third: int = 0) -> str:
    """An id as Spotify's look: a 128-bit number as 22 characters of base 62.

    It is the place of the thing named (three numbers below 65,536), scrambled by a Feistel network, so that
    `place_of` finds any id's artist, album or song again without an index.
    """
    left, right = 0, kind << 48 | first << 32 | second << 16 | third
    for turn in range(_ROUNDS):
        left, right = right, left ^ (number(seed, "id", turn, right) & _HALF)
    rest, characters = left << 64 | right, ""
    for _ in range(22):
        rest, value = divmod(rest, 62)
        characters = _BASE62[value] + characters
    return characters


def place_of(seed: str, kind: Kind, text: str) -> tuple[int, int, int] | None:
    """The three numbers that `spotify_id` was given, or None if it never gave this id for this kind."""
    if len(text) != 22 or not all(character in _VALUE for character in text):
        return None
    value = 0
    for character in text:
        value = value * 62 + _VALUE[character]
    left, right = value >> 64, value & _HALF
    for turn in reversed(range(_ROUNDS)):
        left, right = right ^ (number(seed, "id", turn, left) & _HALF), left
    if left != 0 or right >> 48 != kind:
        return None
    return right >> 32 & 0xFFFF, right >> 16 & 0xFFFF, right & 0xFFFF
