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


@pytest.mark.parametrize(
    ("done", "left", "elapsed", "said"),
    [
        (0, 10, 5.0, ""),
        (5, 10, 0.2, ""),
        (10, 0, 5.0, ""),
        (550, 1_100, 5.0, ", 110 a second, 10.0 s left"),
        (2, 60, 6.0, ", 3 s each, 3 min 0 s left"),
    ],
)
def test_a_pace_is_told_once_there_is_one_and_while_something_is_left(
    done: int, left: int, elapsed: float, said: str
) -> None:
    assert output.pace(done, left, elapsed) == said


def test_a_count_says_how_far_how_fast_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.0, 2.0, 3.0])
    monkeypatch.setattr("cli.output.time.monotonic", lambda: next(now))
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "dumb")
    progress = output.Progress("import")
    shown = []
    for done, noun in ((0, "file"), (400, "file"), (3, "document")):
        progress.advance(done, 1_000, noun)
        shown.append(progress.state)
    assert shown == ["0 of 1,000 files", "400 of 1,000 files, 200 a second, 3.0 s left", "3 of 1,000 documents"]


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
