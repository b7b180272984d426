"""`etl credentials`: what becomes of the user who is signed in, and what `etl status` says of both."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from cli import credentials, overview
from cli.diagnosis import sign_in_in_words
from cli.stage import Stage, load_config
from lambdas.core.adapters.credentials import Credentials, read_credentials, write_credentials

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIGNED_IN = Credentials(
    client_id="an-app", client_secret="s3cret-of-the-app", refresh_token="refresh-me", authorized_at=NOW
)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        stage = Stage(load_config("dev"))
        stage.__dict__["ssm"] = boto3.client("ssm")
        stage._found_stacks["storage"] = None  # nothing is deployed that could remember a rate limit
        monkeypatch.setattr(credentials, "open_stage", lambda _: stage)
        yield stage


def hold(stage: Stage, held: Credentials) -> None:
    write_credentials(stage.ssm, stage.config.credentials_parameter, held)


def held(stage: Stage) -> Credentials:
    return read_credentials(stage.ssm, stage.config.credentials_parameter, stage="dev")


def enter(monkeypatch: pytest.MonkeyPatch, client_id: str, client_secret: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{client_id}\n{client_secret}\n"))
    assert credentials.credentials_command(argparse.Namespace(stage="dev")) == 0


class Denying:
    """SSM for a caller who may do anything but have the value decrypted."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> Any:  # noqa: N803 - AWS's names
        if WithDecryption:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetParameter")
        return self._client.get_parameter(Name=Name, WithDecryption=False)


def test_a_new_secret_of_the_same_app_keeps_its_user_signed_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(stage, SIGNED_IN)

    enter(monkeypatch, "an-app", "rotated")

    assert held(stage) == Credentials(
        client_id="an-app", client_secret="rotated", refresh_token="refresh-me", authorized_at=NOW
    )
    assert "stays signed in" in capsys.readouterr().out


def test_another_app_drops_the_user_and_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(stage, SIGNED_IN)

    enter(monkeypatch, "another-app", "s3cret-of-the-app")

    assert held(stage) == Credentials(client_id="another-app", client_secret="s3cret-of-the-app")
    printed = capsys.readouterr().out
    assert "nobody is signed in any more" in printed
    assert "login --stage dev`" in printed
    assert "refresh-me" not in printed


@pytest.mark.parametrize("before", [None, Credentials(client_id="an-app", client_secret="old"), "junk"])
def test_where_nobody_was_signed_in_nothing_is_said_of_it(
    stage: Stage,
    before: Credentials | str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if isinstance(before, Credentials):
        hold(stage, before)
    elif before is not None:
        stage.ssm.put_parameter(Name=stage.config.credentials_parameter, Value=before, Type="SecureString")

    enter(monkeypatch, "an-app", "new")

    assert held(stage) == Credentials(client_id="an-app", client_secret="new")
    assert "signed in" not in capsys.readouterr().out


def test_what_may_not_be_read_is_replaced_and_the_user_is_not_lost_silently(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(stage, SIGNED_IN)
    real = stage.ssm
    stage.__dict__["ssm"] = Denying(real)

    enter(monkeypatch, "an-app", "new")

    assert "could not be read" in capsys.readouterr().out
    stage.__dict__["ssm"] = real
    assert held(stage).client_secret == "new"


# What the status says


def lines(stage: Stage) -> dict[str, str]:
    return dict([("Spotify credentials", overview._credentials(stage)), *overview._sign_in(stage)])


def test_the_status_counts_the_days_of_a_sign_in_and_shows_nothing_of_its_value(stage: Stage) -> None:
    hold(stage, Credentials(client_id="an-app", client_secret="s3cret", refresh_token="refresh-me",
                            authorized_at=datetime.now(UTC) - timedelta(hours=1)))  # fmt: skip

    told = lines(stage)

    assert " days left" in told["Spotify user"]
    for secret in ("an-app", "s3cret", "refresh-me"):
        assert secret not in repr(told)


def test_the_status_of_an_app_without_a_user_names_the_command_that_signs_one_in(stage: Stage) -> None:
    hold(stage, Credentials(client_id="an-app", client_secret="s3cret"))
    assert "nobody is signed in: `etl login --stage dev`" in lines(stage)["Spotify user"]


def test_whoever_may_not_decrypt_sees_that_there_are_credentials_and_no_more(stage: Stage) -> None:
    hold(stage, SIGNED_IN)
    stage.__dict__["ssm"] = Denying(stage.ssm)
    assert lines(stage).keys() == {"Spotify credentials"}
    assert lines(stage)["Spotify credentials"].startswith("set on ")


def test_without_credentials_nothing_is_said_of_a_user(stage: Stage) -> None:
    assert lines(stage) == {"Spotify credentials": "not set, and not needed: no chart is polled from a playlist"}


@pytest.mark.parametrize(
    ("authorized_at", "words"),
    [
        (NOW, "signed in on 2026-11-22, 181 days left, until 2027-05-22"),
        (NOW - timedelta(days=166), "signed in on 2026-06-09, 17 days left, until 2026-12-09"),
        (datetime(2026, 6, 6, 11, tzinfo=UTC),
         "signed in on 2026-06-06, 14 days left, until 2026-12-06: `etl login --stage dev` begins anew"),
        (datetime(2026, 5, 22, 13, tzinfo=UTC),
         "signed in on 2026-05-22, 1 day left, until 2026-11-22: `etl login --stage dev` begins anew"),
        (datetime(2026, 5, 22, 12, tzinfo=UTC),
         "EXPIRED on 2026-11-22 (signed in on 2026-05-22): `etl login --stage dev`"),
        (datetime(2025, 5, 22, 12),  # noqa: DTZ001 - as somebody may have written it by hand
         "EXPIRED on 2025-11-22 (signed in on 2025-05-22): `etl login --stage dev`"),
        (None, "signed in, it is not known when; it lasts six months from then: `etl login --stage dev` begins anew"),
    ],
)  # fmt: skip
def test_a_sign_in_is_told_in_days_and_with_its_remedy_once_it_matters(
    authorized_at: datetime | None, words: str
) -> None:
    assert sign_in_in_words(authorized_at, stage="dev", now=NOW) == words
