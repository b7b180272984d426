"""When the emulator hands a batch over: as Lambda does, when it is full or its window is over."""

from __future__ import annotations

import pytest

from local.emulator.batches import is_due


@pytest.mark.parametrize(
    ("waits", "due"),
    [
        ([], False),
        ([0.1, 0.2], False),
        ([0.1, 5.0], True),
        ([0.0] * 99, False),
        ([0.0] * 100, True),
        ([-3.0] * 100, False),
        ([-3.0, 6.0], True),
    ],
)
def test_a_batch_is_handed_over_when_it_is_full_or_its_first_message_has_waited_for_the_window(
    waits: list[float], due: bool
) -> None:
    assert is_due(waits, batch_size=100, window=5) is due


def test_without_a_window_whatever_is_there_is_handed_over() -> None:
    assert is_due([0.0], batch_size=1, window=0)
    assert not is_due([-0.1], batch_size=1, window=0)
