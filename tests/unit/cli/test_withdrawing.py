"""`etl withdraw`: a day taken out of the tables by the operator's word, and brought back."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cli.withdrawing import NothingHeld, look_at, run_withdraw
from lambdas.core.documents import encode
from lambdas.core.schema import CHART_ENTRIES, SNAPSHOTS
from tests.buckets import TransformedBuckets
from tests.documents import CHART, DAY, document
from tests.tables import read_table


class Buckets(TransformedBuckets):
    """Buckets that hold two documents of one day, in the tables."""

    def __init__(self, *, transforms: bool = True) -> None:
        super().__init__(transforms=transforms)
        for held in (document(), document(provider="playlist", partial=True)):
            self.raw.objects[held.key] = encode(held)
        self.load()

    def withdraw(self, *dates: date, undo: bool = False, reason: str | None = None) -> int:
        return run_withdraw(
            CHART, dates or [DAY], withdrawal=not undo, reason=reason, waiting=self.waiting, stage="local"
        )

    @property
    def entries(self) -> int:
        return len(read_table(self.tables, CHART_ENTRIES))


def test_a_withdrawn_day_leaves_the_tables_with_its_reason_and_undo_brings_it_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    buckets = Buckets()
    before = dict(buckets.raw.objects)
    assert buckets.withdraw(reason="another country") == 0
    out = capsys.readouterr().out
    assert f"{CHART}  {DAY}  withdrawn: shows no chart; 2 documents kept in the raw bucket" in out
    assert "--undo brings it back" in out
    assert buckets.entries == 0
    assert "another country" in [row["warnings"] for row in read_table(buckets.tables, SNAPSHOTS)]
    assert before.items() <= buckets.raw.objects.items()
    assert buckets.withdraw(undo=True) == 0
    assert "the withdrawal is lifted" in capsys.readouterr().out
    assert buckets.entries == 1


def test_a_day_withdrawn_lifted_and_withdrawn_within_one_second_is_withdrawn() -> None:
    buckets = Buckets()
    for undo in (False, True, False):
        buckets.withdraw(undo=undo)
    assert buckets.entries == 0
    assert look_at(CHART, DAY, buckets.raw).withdrawn


def test_saying_it_again_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    assert buckets.withdraw(undo=True) == 0
    assert "is not withdrawn: nothing to lift" in capsys.readouterr().out
    buckets.withdraw()
    held = dict(buckets.raw.objects)
    assert buckets.withdraw() == 0
    assert "is withdrawn already" in capsys.readouterr().out
    assert buckets.raw.objects == held


def test_a_day_of_which_nothing_is_held_is_refused_before_any_word_is_written() -> None:
    buckets = Buckets()
    held = dict(buckets.raw.objects)
    with pytest.raises(NothingHeld, match="nothing is held of .* on 2026-03-06: `etl charts`"):
        buckets.withdraw(DAY, DAY + timedelta(days=1))
    assert buckets.raw.objects == held


def test_a_word_that_the_tables_do_not_show_in_time_ends_with_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    buckets.transforms = False
    assert buckets.withdraw() == 1
    assert "the word is in the raw bucket and will be loaded" in capsys.readouterr().out
