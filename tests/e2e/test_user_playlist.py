"""A user's way to a playlist of their own: sign in, poll, see how long that lasts. The stage polls that playlist.

The command is run from a copy of the repository, whose cdk.json names the playlist.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from cli.stage import load_config
from lambdas.core.adapters.credentials import Credentials, read_credentials, write_credentials
from local.emulator import lifecycle
from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET
from local.spotify.model import chart
from local.spotify.playlists import OWN_PLAYLIST, chart_date_on
from tests.e2e.conftest import Etl
from tests.emf import emitted
from tests.payloads import REPOSITORY

if TYPE_CHECKING:
    from types_boto3_ssm.client import SSMClient

pytestmark = pytest.mark.e2e

CHART = "road-trip"
PARAMETER = load_config("local").credentials_parameter
_COPIED = (
    "app.py",
    "cdk.json",
    "cli",
    "lambdas",
    "local",
    "package-lock.json",
    "queries",
    "requirements.txt",
    "stacks",
)
_SECONDS = 60


@pytest.fixture(scope="module")
def etl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etl]:
    """A local stage that polls a playlist of the user's own, and nothing else."""
    copy = tmp_path_factory.mktemp("copy")
    for name in _COPIED:
        (shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy2)(REPOSITORY / name, copy / name)
    (copy / "node_modules").symlink_to(REPOSITORY / "node_modules")
    project = json.loads((copy / "cdk.json").read_text("utf-8"))
    project["context"]["stages"]["local"]["charts"] = [{"playlist": OWN_PLAYLIST.id, "chart": CHART}]
    (copy / "cdk.json").write_text(json.dumps(project), "utf-8")
    command = Etl(tmp_path_factory.mktemp("stage"), copy)
    try:
        command.succeed("up")
        yield command
    finally:
        command("down")


@dataclass(frozen=True)
class SignIn:
    """What a sign-in printed, the page that the browser ended on, and the code that brought it there."""

    printed: str
    page: str
    code: str


def sign_in(etl: Etl) -> SignIn:
    """`etl login --no-browser`, its link followed by the test."""
    with etl.begin("login", "--no-browser", "--port", "0", "--timeout", str(_SECONDS)) as command:
        assert command.stdout is not None
        link = command.stdout.readline().strip()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(link, timeout=_SECONDS) as answer:
            page, address = answer.read().decode(), answer.url
        out, err = command.communicate(timeout=_SECONDS)
    assert command.returncode == 0, err
    return SignIn(printed=out + err, page=page, code=parse_qs(urlsplit(address).query)["code"][0])


def ssm(etl: Etl) -> SSMClient:
    endpoint = lifecycle.running(etl.state)
    assert endpoint is not None
    client: SSMClient = endpoint.client("ssm")
    return client


def stored(etl: Etl) -> Credentials:
    return read_credentials(ssm(etl), PARAMETER, stage="local")


def user_line(etl: Etl) -> str:
    (line,) = [line for line in etl.succeed("status").splitlines() if line.startswith("Spotify user")]
    return line.removeprefix("Spotify user").strip()


def days_left_measured(etl: Etl) -> list[float]:
    """Every RefreshTokenDaysLeft that extract has printed."""
    endpoint = lifecycle.running(etl.state)
    assert endpoint is not None
    stack = endpoint.client("cloudformation").describe_stacks(StackName=load_config("local").stack_name("compute"))
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Stacks"][0]["Outputs"]}
    function = endpoint.client("lambda").get_function_configuration(FunctionName=outputs["ExtractFunctionName"])
    pages = endpoint.client("logs").get_paginator("filter_log_events")
    events = [
        event["message"]
        for page in pages.paginate(logGroupName=function["LoggingConfig"]["LogGroup"])
        for event in page["events"]
    ]
    return [one.value for one in emitted("\n".join(events)) if one.name == "RefreshTokenDaysLeft"]


def test_before_anybody_has_signed_in_a_poll_says_who_has_to(etl: Etl) -> None:
    assert "nobody is signed in" in user_line(etl)
    line = etl.fail("run", "--chart", CHART)
    assert "403" in line
    assert "login --stage local`" in line


def test_a_user_who_signs_in_is_known_to_the_stage_and_no_secret_is_shown(etl: Etl) -> None:
    done = sign_in(etl)

    kept = stored(etl)
    assert kept.refresh_token is not None
    assert "You are signed in" in done.page
    for secret in (done.code, kept.refresh_token, CLIENT_SECRET):
        assert secret not in done.printed + done.page
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert user_line(etl).startswith(f"signed in on {today}, 18")
    assert "days left" in user_line(etl)


def test_a_sign_in_that_is_over_is_one_line_with_its_remedy(etl: Etl) -> None:
    etl.control_spotify("POST", "faults", [{"kind": "invalid_grant", "times": None}])
    try:
        line = etl.fail("run", "--chart", CHART)
    finally:
        etl.control_spotify("DELETE", "faults")
    assert "invalid_grant: Refresh token expired" in line
    assert "login --stage local`" in line


def test_the_users_playlist_is_polled_and_loaded_and_the_days_left_are_measured(etl: Etl) -> None:
    printed = etl.succeed("run", "--chart", CHART)
    songs = chart(OWN_PLAYLIST.chart, chart_date_on(OWN_PLAYLIST.chart, datetime.now(UTC).date()))
    assert songs[0].song.name[:20] in printed
    held = etl.rows(f"SELECT position, song_id FROM chart_entries WHERE chart = '{CHART}' ORDER BY position")
    assert [(row["position"], row["song_id"]) for row in held] == [(entry.position, entry.song.id) for entry in songs]

    assert "held already" in etl.succeed("run", "--chart", CHART)

    measured = days_left_measured(etl)
    assert len(measured) == 3, "the poll that failed, the one that stored and the one of the held date"
    assert all(180 < days < 185 for days in measured)


def test_a_sign_in_of_long_ago_is_shown_as_expired_with_its_remedy(etl: Etl) -> None:
    kept = stored(etl)
    long_ago = datetime.now(UTC) - timedelta(days=200)
    write_credentials(ssm(etl), PARAMETER, msgspec.structs.replace(kept, authorized_at=long_ago))
    try:
        line = user_line(etl)
        assert line.startswith("EXPIRED on ")
        assert "login --stage local`" in line
    finally:
        write_credentials(ssm(etl), PARAMETER, kept)


def test_the_apps_new_secret_keeps_the_user_and_another_app_does_not(etl: Etl) -> None:
    user = stored(etl).refresh_token
    assert "stays signed in" in etl("credentials", stdin=f"{CLIENT_ID}\n{CLIENT_SECRET}\n").stdout
    assert stored(etl).refresh_token == user
    assert "nobody is signed in any more" in etl("credentials", stdin="another-app\nits-secret\n").stdout
    assert stored(etl).refresh_token is None
    assert "nobody is signed in" in user_line(etl)


def test_a_sign_in_that_nobody_answers_or_that_meets_a_taken_port_is_one_line(etl: Etl) -> None:
    etl("credentials", stdin=f"{CLIENT_ID}\n{CLIENT_SECRET}\n")
    assert "nobody came back" in etl.fail("login", "--no-browser", "--port", "0", "--timeout", "0.2")
    port = urlsplit(json.loads((etl.state / "spotify.json").read_text("utf-8"))["facts"]["url"]).port
    assert "another program listens there" in etl.fail("login", "--no-browser", "--port", port)
