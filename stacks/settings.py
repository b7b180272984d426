"""How a dataclass becomes a configuration: every field is a setting that reads itself from JSON and explains itself."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

T = TypeVar("T")

Values: TypeAlias = Mapping[str, Any]
"""What the settings before this one came to, by name."""


class NotAllowedError(Exception):
    """A setting, by its path from the top, and what is wrong with it."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(f"{path}: {fault}")
        self.path = path
        self.fault = fault


@dataclass(frozen=True)
class Setting:
    """One key of the configuration: what it is for, what it allows, and its default in words."""

    name: str
    meaning: str
    allowed: str
    default: str
    parse: Callable[[object], object]
    fill: Callable[[Values], object]


def setting(
    meaning: str, *, allowed: str, parse: Callable[[object], T], fill: Callable[[Values], T], default: str
) -> T:
    """A dataclass field that reads itself.

    `parse` turns the JSON value into the field's, or raises ValueError; `fill` gives the default, which may depend on
    the settings before it. `allowed` and `default` say both in words.
    """
    kept = {"meaning": meaning, "allowed": allowed, "parse": parse, "fill": fill, "default": default}
    return cast(T, dataclasses.field(metadata=kept))


def settings_of(kind: type[object]) -> tuple[Setting, ...]:
    """All settings of a configuration class, in the order in which they are read."""
    assert dataclasses.is_dataclass(kind)
    return tuple(Setting(name=field.name, **field.metadata) for field in dataclasses.fields(kind) if field.metadata)


def read(kind: type[object], written: object, **given: object) -> dict[str, Any]:
    """The arguments of a configuration class: `given`, then each setting as written or by default.

    Raises NotAllowedError for the first setting that is unknown, missing or not allowed.
    """
    known = settings_of(kind)
    names = [key.name for key in known]
    if not isinstance(written, Mapping):
        raise NotAllowedError("", f"{_shown(written)} is not allowed: an object with keys among {', '.join(names)}")
    for name in written:
        if name not in names:
            raise NotAllowedError(str(name), f"there is no such key: the keys are {', '.join(names)}")
    values: dict[str, Any] = dict(given)
    for key in known:
        if key.name not in written:
            values[key.name] = key.fill(values)
            continue
        try:
            values[key.name] = key.parse(written[key.name])
        except ValueError:
            raise not_allowed(key.name, written[key.name], key.allowed) from None
    return values


def read_list(kind: Callable[..., T], written: object, *, path: str) -> tuple[T, ...]:
    """A list of configuration objects. Raises ValueError if it is no list, NotAllowedError for a bad item."""
    if not isinstance(written, list):
        raise ValueError
    items: list[T] = []
    for index, item in enumerate(written):
        at = f"{path}[{index}]"
        try:
            items.append(kind(**read(cast(type[object], kind), item)))
        except NotAllowedError as error:
            raise NotAllowedError(f"{at}.{error.path}" if error.path else at, error.fault) from error
    return tuple(items)


def not_allowed(path: str, value: object, allowed: str) -> NotAllowedError:
    """The error for a value that a setting does not allow."""
    return NotAllowedError(path, f"{_shown(value)} is not allowed: {allowed}")


def missing(path: str, allowed: str) -> NotAllowedError:
    """The error for a setting that has no default."""
    return NotAllowedError(path, f"it is missing: {allowed}")


def text(pattern: re.Pattern[str]) -> Callable[[object], str]:
    """Reads a string that matches the whole pattern."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError
        return value

    return parse


def text_or_null(pattern: re.Pattern[str]) -> Callable[[object], str | None]:
    """Reads null, or a string that matches the whole pattern."""
    return lambda value: None if value is None else text(pattern)(value)


def checked(check: Callable[[str], str], *, raises: type[Exception]) -> Callable[[object], str]:
    """Reads a string that `check` passes or makes canonical; `raises` is what it raises otherwise."""

    def parse(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError
        try:
            return check(value)
        except raises as error:
            raise ValueError from error

    return parse


def whole_number(least: int, most: int) -> Callable[[object], int]:
    """Reads a whole number between two bounds, both included."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError
        return value

    return parse


def one_of(*choices: T) -> Callable[[object], T]:
    """Reads one of a few values; true is not 1."""

    def parse(value: object) -> T:
        for choice in choices:
            if type(value) is type(choice) and value == choice:
                return choice
        raise ValueError

    return parse


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
