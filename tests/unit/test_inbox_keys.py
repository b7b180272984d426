"""Keys of dropped files, and of the records of what cannot be used."""

from __future__ import annotations

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.errors import InvalidKey
from lambdas.core.keys import (
    MAX_KEY_BYTES,
    QUARANTINE_PREFIX,
    InboxKey,
    parse_inbox_key,
    parse_raw_key,
    quarantine_key,
)

SAID = InboxKey(name="top50.json", chart="road-trip", chart_date=date(2024, 5, 11), partial=True)
ANY_KEY = st.text(st.characters(exclude_categories=["Cs"]), max_size=1024).filter(
    lambda key: len(key.encode()) <= MAX_KEY_BYTES
)


@pytest.mark.parametrize(
    "key",
    [
        "inbox/chart=road-trip/date=2024-05-11/partial=true/top50.json",
        "inbox/partial=true/date=2024-05-11/chart=road-trip/top50.json",
        "inbox/from anna/date=2024-05-11/chart=road-trip/page 2+3/partial=true/top50.json",
        "inbox/chart=road-trip/date=2024-05-11/partial=true/again/chart=road-trip/top50.json",
    ],
)
def test_folders_say_in_any_order_what_the_commands_options_say(key: str) -> None:
    assert parse_inbox_key(key) == SAID


@pytest.mark.parametrize(
    "key",
    [
        "inbox/file",
        "inbox/date/chart/file",
        "inbox/my chart=x/file",
        "inbox/Chart=x/file",
        "inbox//file",
        "inbox/=/file",
    ],
)
def test_a_folder_of_any_other_name_is_just_a_folder(key: str) -> None:
    assert parse_inbox_key(key) == InboxKey(name="file")


def test_the_files_own_name_is_no_folder() -> None:
    assert parse_inbox_key("inbox/chart=road-trip") == InboxKey(name="chart=road-trip")


def test_partial_can_be_denied() -> None:
    assert parse_inbox_key("inbox/partial=false/x.json").partial is False


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("inbox/chart=BAD NAME/x.csv", "its folder chart=BAD NAME: 'BAD NAME' cannot name a chart: use lower-case"),
        ("inbox/chart=/x.csv", "'' cannot name a chart"),
        ("inbox/chart=a\n/x.csv", "cannot name a chart"),
        ("inbox/date=2024-13-01/x.csv", "its folder date=2024-13-01 is no date"),
        ("inbox/date=2024-02-30/x.csv", "write it as date=2024-05-11"),
        ("inbox/date=20240511/x.csv", "not of the form YYYY-MM-DD"),
        ("inbox/date=2024-W19-6/x.csv", "not of the form YYYY-MM-DD"),
        ("inbox/date=٢٠٢٤-٠٥-١١/x.csv", "not of the form YYYY-MM-DD"),
        ("inbox/date=latest/x.csv", "not of the form YYYY-MM-DD"),
        ("inbox/partial=yes/x.csv", "partial=yes is neither partial=true nor partial=false"),
        ("inbox/chart=a/chart=b/x.csv", "its folders say both chart=a and chart=b: keep one"),
        ("raw/chart=a/x.csv", "is not the key of a file in the inbox"),
        ("inbox", "is not the key of a file in the inbox"),
    ],
)
def test_a_folder_that_says_what_cannot_be_is_refused_with_the_reason(key: str, said: str) -> None:
    with pytest.raises(InvalidKey) as raised:
        parse_inbox_key(key)
    assert said in str(raised.value)


@given(ANY_KEY)
def test_any_key_is_read_or_refused_and_never_anything_else(key: str) -> None:
    with contextlib.suppress(InvalidKey):
        assert parse_inbox_key(f"inbox/{key}").name == key.rsplit("/", 1)[-1]


# Where the reason is kept


def test_a_record_lies_under_the_key_of_its_object() -> None:
    assert quarantine_key("inbox/a b+ü.csv") == "quarantine/inbox/a b+ü.csv.json"


@given(ANY_KEY)
def test_a_record_of_any_key_has_a_key_that_s3_takes_and_nothing_reads(key: str) -> None:
    record = quarantine_key(key)
    assert len(record.encode()) <= MAX_KEY_BYTES
    assert record.startswith(QUARANTINE_PREFIX)
    assert record.endswith(".json")
    for parse in (parse_inbox_key, parse_raw_key):
        with pytest.raises(InvalidKey):
            parse(record)


@pytest.mark.parametrize("letter", ["x", "ü", "🎵"])
def test_keys_that_are_too_long_for_a_record_have_one_each(letter: str) -> None:
    long = letter * (1010 // len(letter.encode()))
    keys = [f"{long}{number}" for number in range(3)]
    assert len({quarantine_key(key) for key in keys}) == 3
    assert all(len(key.encode()) <= MAX_KEY_BYTES for key in keys)
    assert quarantine_key(keys[0]) == quarantine_key(keys[0])
    assert {quarantine_key(key)[:200] for key in keys} == {f"quarantine/{long}"[:200]}
