"""A function's environment variables, read once into a typed model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from lambdas.core.errors import ConfigurationError

T = TypeVar("T")


def read_environment(model: type[T], environment: Mapping[str, str]) -> T:
    """The variables as `model` (a msgspec struct) names them.

    Raises ConfigurationError naming the variable that is missing or wrong.
    """
    try:
        return msgspec.convert(dict(environment), model, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"the function's environment variables are not usable: {error}") from error
