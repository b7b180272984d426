"""What `etl doctor` makes of what it finds: the mark of each line, what it names, and the remedy in it."""

from __future__ import annotations

import ast
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from cli import diagnosis
from cli.diagnosis import REQUIRED_OUTPUTS, Finding, Mark
from cli.stage import PARTS, Part
from lambdas.core.adapters.credentials import Credentials
from lambdas.core.errors import AccessForbidden, CredentialsMissing, RateLimited, SourceError
from lambdas.core.limits import LimitState, StillRateLimited
from tests.payloads import REPOSITORY

NOW = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
NAMES: dict[Part, str] = {part: f"spotify-etl-dev-{part}" for part in PARTS}
WHOLE = {part: dict.fromkeys(REQUIRED_OUTPUTS[part], "x") for part in PARTS}
DEPLOY = diagnosis.deploy_remedy("dev", emulated=False)


def told(finding: Finding, mark: Mark, *words: str) -> None:
    """The finding has that mark, and its one line holds all the words."""
    line = str(finding)
    assert finding.mark == mark, line
    assert line.startswith(mark)
    assert "\n" not in line
    for word in words:
        assert word in line, line


# Stacks


def test_all_stacks_with_their_outputs_are_well() -> None:
    told(diagnosis.stacks_finding(WHOLE, NAMES, DEPLOY), "ok", "4 stacks", *NAMES.values())


def test_where_nothing_is_deployed_it_is_said_what_to_do_first() -> None:
    told(diagnosis.stacks_finding(dict.fromkeys(PARTS), NAMES, DEPLOY), "FAILED", "`etl deploy --stage dev`")
    assert diagnosis.deploy_remedy("local", emulated=True) == "`etl up`"


def test_a_missing_stack_is_named() -> None:
    finding = diagnosis.stacks_finding(WHOLE | {"catalog": None}, NAMES, DEPLOY)
    told(finding, "FAILED", "not deployed: spotify-etl-dev-catalog: `etl deploy")
    assert "compute" not in finding.text


@pytest.mark.parametrize(("part", "name"), [(part, name) for part in PARTS for name in sorted(REQUIRED_OUTPUTS[part])])
def test_a_stack_without_an_output_of_this_version_is_of_another(part: Part, name: str) -> None:
    outputs = WHOLE | {part: {other: "x" for other in WHOLE[part] if other != name}}
    told(
        diagnosis.stacks_finding(outputs, NAMES, DEPLOY), "FAILED", "another version", f"{NAMES[part]} (without {name})"
    )


def test_the_outputs_that_are_required_are_put_out_and_hold_all_that_the_command_asks_for() -> None:
    for part, names in REQUIRED_OUTPUTS.items():
        snapshot = REPOSITORY / "tests" / "infra" / "snapshots" / f"prod-{part}.json"
        assert names <= json.loads(snapshot.read_text("utf-8"))["Outputs"].keys()
    asked = set()
    for source in (REPOSITORY / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "output":
                words = [word.value for word in node.args if isinstance(word, ast.Constant)]
                asked |= {(words[0], words[1])} if len(words) == 2 else set()
    assert len(asked) >= 4
    assert asked <= {(part, name) for part, names in REQUIRED_OUTPUTS.items() for name in names}


# Credentials, and who is signed in


def test_missing_credentials_are_a_fault_only_where_a_chart_is_polled() -> None:
    error = CredentialsMissing("no Spotify credentials are stored in the parameter /x: run `etl credentials`")
    told(diagnosis.missing_credentials_finding(error, polled=True), "FAILED", str(error))
    told(diagnosis.missing_credentials_finding(error, polled=False), "skipped", "none are needed", str(error))


def signed_in(authorized_at: datetime | None, *, refresh_token: str | None = "token") -> Finding:
    credentials = Credentials(
        client_id="id", client_secret="secret", refresh_token=refresh_token, authorized_at=authorized_at
    )
    finding = diagnosis.sign_in_finding(credentials, stage="dev", now=NOW)
    assert "token" not in finding.text
    assert "secret" not in finding.text
    return finding


def test_an_apps_own_credentials_do_not_expire() -> None:
    told(signed_in(None, refresh_token=None), "ok", "do not expire")


@pytest.mark.parametrize(
    ("days_ago", "mark", "words"),
    [
        (0, "ok", "184 days left, until 2026-09-06"),
        (150, "ok", "until 2026-04-07"),
        (166, "ok", "15 days left"),
        (167, "warning", "14 days left, until 2026-03-20: `etl login --stage dev`"),
        (200, "FAILED", "EXPIRED on 2026-02-18 (signed in on 2025-08-18): `etl login --stage dev`"),
    ],
)
def test_a_users_sign_in_is_warned_of_two_weeks_before_it_ends(days_ago: int, mark: Mark, words: str) -> None:
    told(signed_in(NOW - timedelta(days=days_ago)), mark, words)


def test_a_sign_in_of_unknown_age_is_no_certainty() -> None:
    told(signed_in(None), "warning", "it is not known when", "`etl login --stage dev`")


# Walls


def test_a_wall_is_named_with_its_kind_as_the_runbook_has_it_and_its_remedy() -> None:
    error = AccessForbidden("c (playlist p): Spotify forbids it: 403 (Forbidden): use another app")
    finding = diagnosis.call_finding("chart c", error, what="c (playlist p)")
    told(finding, "FAILED", "chart c: AccessForbidden: Spotify forbids it: 403 (Forbidden): use another app")


@pytest.mark.parametrize(
    ("error", "mark", "words"),
    [
        (RateLimited("c: too many calls (429)", retry_after=9.0, quota_exceeded=False), "warning", "too many calls"),
        (StillRateLimited("not before", retry_after=9.0, quota_exceeded=False), "skipped", "no call is made"),
    ],
)
def test_a_rate_limit_is_no_fault_of_the_stage(error: SourceError, mark: Mark, words: str) -> None:
    told(diagnosis.call_finding("chart c", error, what="c"), mark, words)


@pytest.mark.parametrize(
    ("answers", "mark", "words"),
    [
        ([False, False], "ok", "Development Mode, as far as can be told"),
        ([False, True], "ok", "Extended Quota, as far as can be told"),
        ([], "skipped", "cannot be told"),
    ],
)
def test_the_quota_mode_is_told_by_the_popularity_in_answers_and_never_as_certain(
    answers: list[bool], mark: Mark, words: str
) -> None:
    told(diagnosis.quota_mode_finding(answers), mark, words, "cannot be told")


# Rate limits


def state(**fields: object) -> LimitState:
    return LimitState(format_version=1, **fields)  # type: ignore[arg-type]


def test_where_nothing_is_remembered_the_calls_of_a_day_are_told() -> None:
    held = state(calls={NOW - timedelta(hours=2): 40})
    told(
        diagnosis.limit_finding("web_api", held, own_calls=6, now=NOW),
        "ok",
        "rate limit of Spotify's Web API: nothing holds calls back; 40 calls in the past 24 hours, 6 of them just now",
    )
    assert "just now" not in diagnosis.limit_finding("web_api", held, own_calls=None, now=NOW).text


def test_a_block_is_a_warning_with_the_time_left_and_when_it_was_met() -> None:
    held = state(until=NOW + timedelta(hours=6), recorded_at=NOW - timedelta(minutes=1), quota_exceeded=True)
    told(
        diagnosis.limit_finding("web_api", held, own_calls=0, now=NOW),
        "warning",
        "not asked before 2026-03-06 15:30:00 UTC (6 h 0 min from now): the app's quota for a day is used up (429), "
        "met on 2026-03-06 09:29:00 UTC",
        "0 calls in the past 24 hours",
    )


def test_a_block_that_is_over_holds_nothing_back() -> None:
    held = state(until=NOW - timedelta(seconds=1), recorded_at=NOW - timedelta(hours=1))
    told(
        diagnosis.limit_finding("public_charts", held, own_calls=None, now=NOW), "ok", "public charts service: nothing"
    )


# Data


@pytest.mark.parametrize(
    ("newest", "mark", "words"),
    [
        (None, "warning", "nothing is held yet: `etl run --chart c --stage dev`"),
        (date(2026, 3, 5), "ok", "2026-03-05, which ended 10 h ago; up to 48 h count as fresh"),
        (date(2026, 3, 4), "ok", "34 h ago"),
        (date(2026, 3, 3), "FAILED", "58 h ago; up to 48 h count as fresh: `etl run --chart c --stage dev`"),
        (date(2018, 11, 18), "FAILED", "2018-11-18, which ended 2,664 days ago; up to 48 h count as fresh"),
    ],
)
def test_the_newest_date_is_measured_against_the_hours_that_count_as_fresh(
    newest: date | None, mark: Mark, words: str
) -> None:
    told(diagnosis.freshness_finding("c", newest, freshness_hours=48, stage="dev", now=NOW), mark, words)


@pytest.mark.parametrize(
    ("function", "letters", "mark"),
    [("transform", 0, "ok"), ("extract", 0, "ok"), ("transform", 1, "FAILED"), ("extract", 1, "warning")],
)
def test_dead_letters_come_with_the_command_that_shows_them(function: str, letters: int, mark: Mark) -> None:
    finding = diagnosis.dead_letters_finding(function, letters, stage="dev")
    told(finding, mark, f"dead letters of {function}")
    if letters:
        told(
            finding,
            mark,
            f"`etl redrive {function} --stage dev --dry-run` says what they are and why",
            f"`etl redrive {function} --stage dev` puts them back",
        )


def test_what_is_in_quarantine_comes_with_the_command_that_lists_it() -> None:
    told(diagnosis.quarantine_finding(0, stage="dev"), "ok", "empty")
    finding = diagnosis.quarantine_finding(2, stage="dev")
    told(finding, "warning", "2 objects", "`etl quarantine list --stage dev`")
    told(finding, "warning", "`etl quarantine retry --all --stage dev`")


@pytest.mark.parametrize(
    ("marks", "line"),
    [
        (["ok", "ok"], "nothing is wrong: 2 checks"),
        (["ok", "skipped"], "nothing is wrong: 1 check (1 skipped)"),
        (["ok", "warning", "skipped"], "1 warning of 3 checks (1 skipped)"),
        (["FAILED", "FAILED", "warning", "warning"], "2 FAILED and 2 warnings of 4 checks"),
    ],
)
def test_the_last_line_counts_the_marks(marks: list[Mark], line: str) -> None:
    assert diagnosis.summary([Finding(mark, "check", "text") for mark in marks]) == line
