"""What people see: tables that fit, and nothing that steers their terminal."""

from __future__ import annotations

import io

import pytest

from cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_control_characters_in_a_name_are_shown_and_do_not_steer_the_terminal() -> None:
    assert output.printable("a\x1b[31mred\nnext\u202e") == "a\\x1b[31mred\\nnext\\u202e"
    assert output.printable("👩\u200d🎤 日本 é") == "👩\u200d🎤 日本 é"


def test_the_widest_columns_are_cut_to_the_terminal_and_numbers_never() -> None:
    lines = output.table(
        ["n", "song", "artist"],
        [["1234567", "a long title of a song", "someone"], ["1", "日本日本日本日本日本", "x"]],
        right=[True, False, False],
        width=30,
    )
    assert lines == [
        "      n  song          artist",
        "-------  ------------  -------",
        "1234567  a long titl…  someone",
        "      1  日本日本日 …  x",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert output.table(["a", "bb"], []) == ["a  bb", "-  --"]


def test_progress_is_silent_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with output.Progress("work") as progress:
        progress.update("1 of 2")
    assert stream.getvalue() == ""


def test_a_step_is_one_line_with_its_seconds_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with output.step("deploy the stacks"):
        pass
    assert stream.getvalue() == f"  {'deploy the stacks':<44}      0.0 s\n"


def test_a_step_that_fails_is_not_reported_as_done(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with pytest.raises(ZeroDivisionError), output.step("deploy the stacks"):
        raise ZeroDivisionError
    assert stream.getvalue() == ""


def test_bold_needs_a_terminal_and_no_color_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.bold("x", Terminal()) == "\x1b[1mx\x1b[0m"
    assert output.bold("x", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.bold("x", Terminal()) == "x"


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 rows"), (1, "1 row"), (1234, "1,234 rows")], ids=["none", "one", "many"]
)
def test_counts_read_as_english(number: int, text: str) -> None:
    assert output.count(number, "row") == text


def test_durations_are_for_people() -> None:
    assert [output.seconds(value) for value in (0.04, 59.94, 125)] == ["0.0 s", "59.9 s", "2 min 5 s"]
