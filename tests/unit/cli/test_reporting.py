"""`etl report`: which chart, where to, and how long a link to it really lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.credentials import Credentials, RefreshableCredentials

from cli.main import parse
from cli.reporting import LinkLife, chosen_chart, default_path, link_life, sharing_notes
from lambdas.core.errors import ConfigurationError

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def of_a_role(ends: datetime) -> Credentials:
    """A role's credentials as the SDK fetches them itself."""
    return RefreshableCredentials("id", "secret", "token", ends, dict, "assume-role", time_fetcher=lambda: NOW)


def test_a_users_own_key_signs_for_as_long_as_is_asked() -> None:
    life = link_life(Credentials("id", "secret"), 7 * DAY, now=NOW)
    assert life == LinkLife(NOW + 7 * DAY, "as asked for; earlier if its key is deleted or loses its rights")


def test_a_link_ends_with_the_role_that_signed_it_whatever_is_asked() -> None:
    ends = NOW + timedelta(hours=1)
    life = link_life(of_a_role(ends), 7 * DAY, now=NOW)
    assert life.ends == ends
    (line, *_) = sharing_notes(life, emulated=False)
    assert line == (
        "The link ends on 2026-03-08 13:00 UTC, with the temporary credentials that signed it, before the 2026-03-15 "
        "12:00 UTC asked for."
    )


def test_a_link_that_is_shorter_than_its_role_ends_as_asked() -> None:
    assert link_life(of_a_role(NOW + timedelta(hours=12)), timedelta(hours=1), now=NOW).ends == NOW + timedelta(hours=1)


def test_of_temporary_credentials_that_do_not_tell_their_end_the_link_says_so() -> None:
    life = link_life(Credentials("id", "secret", "token"), DAY, now=NOW)
    assert life.ends is None
    (line, *_) = sharing_notes(life, emulated=False)
    assert "which do not say when they end: at the latest on 2026-03-09 12:00 UTC" in line


def test_whoever_shares_is_told_who_reads_it_whose_terms_apply_and_where_it_works() -> None:
    life = link_life(None, DAY, now=NOW)
    aws, local = (" ".join(sharing_notes(life, emulated=emulated)) for emulated in (False, True))
    for told in (aws, local):
        assert "Whoever has the link can read the report" in told
        assert "https://developer.spotify.com/terms" in told
    assert "on this machine alone, and only while the local stage is up" in local
    assert "this machine" not in aws


@pytest.mark.parametrize(
    ("text", "life"), [("90m", timedelta(minutes=90)), ("12h", timedelta(hours=12)), ("7d", 7 * DAY)]
)
def test_a_links_life_is_given_in_minutes_hours_or_days(text: str, life: timedelta) -> None:
    assert parse(["report", "--share", "--expires", text]).expires == life


@pytest.mark.parametrize("text", ["8d", "169h", "0h", "1", "d", "-1d", "1w", "", "١d", "1.5h"])
def test_a_link_that_s3_would_not_sign_is_wrong_usage(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["report", "--share", f"--expires={text}"])
    assert "is not a time such as 90m, 12h or 7d" in capsys.readouterr().err


def test_without_a_name_the_chart_is_the_only_one_of_the_newest_date() -> None:
    assert chosen_chart({"a": "2026-03-07"}, None, stage="dev") == "a"
    assert chosen_chart({"b": "2026-03-07", "a-weekly": "2026-03-05"}, None, stage="dev") == "b"
    assert chosen_chart({"b": "2026-03-07", "a": "2026-03-05"}, "a", stage="dev") == "a"


@pytest.mark.parametrize(
    ("newest", "asked", "said"),
    [
        ({}, None, "stage dev holds no chart yet: import one with `etl import PATH --stage dev`, then report it"),
        (
            {"a": "2026-03-07", "b": "2026-03-07", "c": "2026-03-05"},
            None,
            "say which chart, with --chart: there are a (2026-03-07), b (2026-03-07), c (2026-03-05)",
        ),
        (
            {"regional-us-daily": "2026-03-07"},
            "us-daily",
            "holds no chart 'us-daily': did you mean regional-us-daily? there is regional-us-daily (2026-03-07)",
        ),
        (
            {f"chart-{n}": "2026-03-07" for n in range(148)},
            None,
            "chart-9 (2026-03-07) and 138 more (`etl charts`)",
        ),
    ],
)
def test_where_it_cannot_be_told_which_chart_is_meant_the_choice_is_named(
    newest: dict[str, str], asked: str | None, said: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        chosen_chart(newest, asked, stage="dev")
    assert str(raised.value).endswith(said)


def test_reports_of_two_stages_do_not_overwrite_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_STATE_DIR", str(tmp_path / ".local"))
    monkeypatch.chdir(tmp_path)
    assert default_path("road-trip", stage="local") == Path(".local/report/road-trip.html")
    assert default_path("road-trip", stage="dev") == Path(".local/report/dev/road-trip.html")
    monkeypatch.chdir(tmp_path / "..")
    elsewhere = default_path("road-trip", stage="local")
    assert elsewhere.resolve() == tmp_path / ".local/report/road-trip.html"
