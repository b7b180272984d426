"""`etl login` as a user has it: a browser that follows the link to the stand-in and back, or goes astray."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import boto3
import pytest
from moto import mock_aws

from cli import login, main
from cli.callback import Callback, NoCallback, PortTaken, page
from cli.command_name import as_typed
from cli.stage import Stage, load_config
from lambdas.core.adapters.credentials import Credentials, read_credentials, write_credentials
from lambdas.core.adapters.spotify import SpotifyAddress
from lambdas.core.errors import AuthorizationExpired, CredentialsMissing, PipelineError, RateLimited
from local.spotify.accounts import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from local.spotify.faults import Fault, FaultKind
from local.spotify.server import SpotifyStandIn

_NO_BROWSER = "import sys, webbrowser; webbrowser.register_standard_browsers(); webbrowser._tryorder.clear()"
APP = Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def visit(address: str) -> tuple[int, str, str]:
    """Status, text and final address of a page, redirects followed."""
    try:
        with OPENER.open(address, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.url
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.url


@dataclass
class Browser:
    """Follows what it is given to open, in a thread as a browser is a process; `astray` changes where it goes."""

    astray: Callable[[str], str] = str
    opened: list[str] = field(default_factory=list)
    seen: list[tuple[int, str, str]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def open(self, link: str, _: Mapping[str, str]) -> bool:
        self.opened.append(link)
        thread = threading.Thread(target=lambda: self.seen.append(visit(self.astray(link))))
        thread.start()
        self.threads.append(thread)
        return True

    def page(self) -> tuple[int, str]:
        """Status and words of the page that it ended on."""
        for thread in self.threads:
            thread.join(10)
        [(status, text, _)] = self.seen
        return status, unescape(re.sub(r"<[^>]+>", " ", text.partition("<body>")[2]))


def straight_back(**query: str) -> Callable[[str], str]:
    """A browser that never sees Spotify, but comes back at once with a query of its own."""

    def back(link: str) -> str:
        asked = {name: value for name, (value,) in parse_qs(urlsplit(link).query).items()}
        given = {name: asked["state"] if value == "THE STATE" else value for name, value in query.items()}
        return f"{asked['redirect_uri']}?{urlencode(given)}"

    return back


@dataclass
class Desk:
    """A user at stage dev, whose Spotify is the stand-in."""

    spotify: SpotifyStandIn
    browser: Browser
    stage: Stage

    def login(self, *, port: int = 0, browser: bool = True, timeout: float = 10.0) -> int:
        arguments = argparse.Namespace(stage="dev", port=port, browser=browser, timeout=timeout)
        return login.login_command(arguments)

    def stored(self) -> Credentials:
        return read_credentials(self.stage.ssm, self.stage.config.credentials_parameter, stage="dev")


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    browser = Browser()
    monkeypatch.setattr(login, "in_browser", browser.open)
    with SpotifyStandIn() as spotify, mock_aws():
        monkeypatch.setattr(login, "SPOTIFY", SpotifyAddress.at(spotify.url))
        stage = Stage(load_config("dev"))
        stage.__dict__["ssm"] = boto3.client("ssm")
        monkeypatch.setattr(login, "open_stage", lambda _: stage)
        write_credentials(stage.ssm, stage.config.credentials_parameter, APP)
        yield Desk(spotify, browser, stage)


def test_a_user_who_consents_is_signed_in_and_the_page_and_the_terminal_say_so(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.login() == 0

    stored = desk.stored()
    assert (stored.client_id, stored.client_secret) == (CLIENT_ID, CLIENT_SECRET)
    assert stored.refresh_token is not None
    assert stored.refresh_token.startswith(REFRESH_TOKEN)
    assert stored.authorized_at is not None
    assert timedelta() <= datetime.now(UTC) - stored.authorized_at < timedelta(minutes=1)
    status, words = desk.browser.page()
    assert (status, "You are signed in" in words) == (200, True)
    assert "the user is signed in" in capsys.readouterr().out


def test_what_has_to_be_registered_is_said_before_the_link_and_is_what_spotify_is_asked_for(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def opened(link: str, environment: Mapping[str, str]) -> bool:
        said.append(capsys.readouterr().err)
        return desk.browser.open(link, environment)

    monkeypatch.setattr(login, "in_browser", opened)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    assert desk.login(port=port) == 0

    [link] = desk.browser.opened
    assert f"http://127.0.0.1:{port}/callback\n" in said[0]
    assert "developer.spotify.com/dashboard" in said[0]
    assert parse_qs(urlsplit(link).query)["redirect_uri"] == [f"http://127.0.0.1:{port}/callback"]
    assert link in capsys.readouterr().out.splitlines()


def test_with_any_free_port_the_redirect_uri_to_register_has_none(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.login(port=0) == 0
    assert "  http://127.0.0.1/callback\n" in capsys.readouterr().err


def test_every_sign_in_has_a_state_of_its_own(desk: Desk) -> None:
    desk.login()
    desk.login()
    states = [parse_qs(urlsplit(link).query)["state"][0] for link in desk.browser.opened]
    assert len(set(states)) == 2
    assert all(len(state) >= 43 for state in states)


def test_signing_in_again_replaces_the_token(desk: Desk) -> None:
    desk.login()
    first = desk.stored().refresh_token
    desk.login()
    assert desk.stored().refresh_token != first


# What goes wrong


def failing(desk: Desk, error: type[PipelineError], *, timeout: float = 10.0) -> str:
    """The one line of a sign-in that must fail and change nothing; also what the page says."""
    before = desk.stored()
    with pytest.raises(error) as caught:
        desk.login(timeout=timeout)
    line = str(caught.value)
    assert "\n" not in line
    assert "`etl login --stage dev`" in line
    assert desk.stored() == before
    return line


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"code": "stolen", "state": "of-another"}, "its state differs"),
        ({"code": "stolen"}, "its state differs"),
        ({"code": "stolen", "state": "é"}, "its state differs"),
        ({}, "its state differs"),
        ({"error": "access_denied", "state": "of-another"}, "its state differs"),
        ({"state": "THE STATE"}, "without a code"),
        ({"state": "THE STATE", "code": ""}, "without a code"),
        ({"state": "THE STATE", "error": "access_denied"}, "did not consent"),
        ({"state": "THE STATE", "error": "server_error"}, r"\(server_error\)"),
        ({"state": "THE STATE", "error": "\x1b[2J<script>"}, r"\(\\x1b\[2J<script>\)"),
    ],
)
def test_a_browser_that_comes_back_with_something_else_is_one_line_on_the_terminal_and_on_the_page(
    desk: Desk, query: dict[str, str], said: str
) -> None:
    desk.browser.astray = straight_back(**query)

    line = failing(desk, login.SignInFailed)

    assert re.search(said, line)
    assert "stolen" not in line
    assert desk.spotify.requests("/api/token") == (), "no code of unknown origin may be exchanged"
    status, words = desk.browser.page()
    assert (status, as_typed(line) in words) == (400, True)
    assert "<script>" not in desk.browser.seen[0][1]


def test_a_parameter_that_is_given_twice_counts_as_not_given(desk: Desk) -> None:
    twice = straight_back(state="THE STATE", code="one")
    desk.browser.astray = lambda link: f"{twice(link)}&code=two"
    assert "without a code" in failing(desk, login.SignInFailed)


def test_a_user_who_refuses_on_spotifys_page_is_told_how_to_be_asked_again(desk: Desk) -> None:
    desk.spotify.fail(Fault(FaultKind.ACCESS_DENIED))
    assert "did not consent" in failing(desk, login.SignInFailed)


def test_nobody_coming_back_is_told_with_the_redirect_uri_that_may_be_missing(desk: Desk) -> None:
    desk.browser.astray = lambda link: link.replace("redirect_uri=http", "redirect_uri=ftp")
    line = failing(desk, NoCallback, timeout=0.3)
    assert re.search(r"within 0.3 s: .* add http://127.0.0.1:\d+/callback to those of your app", line)


def test_a_port_that_is_taken_is_told_with_another_way(desk: Desk) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            desk.login(port=port)
    assert f"127.0.0.1:{port}: another program listens there" in str(caught.value)
    assert "with another --port" in str(caught.value)
    assert desk.browser.opened == []


def test_a_code_that_spotify_does_not_take_is_told_and_nothing_is_stored(desk: Desk) -> None:
    desk.spotify.fail(Fault(FaultKind.INVALID_GRANT))
    assert "invalid_grant" in failing(desk, AuthorizationExpired)
    assert desk.browser.page()[0] == 400


def test_spotify_limiting_the_exchange_is_told_and_nothing_is_stored(desk: Desk) -> None:
    desk.spotify.fail(Fault(FaultKind.RATE_LIMITED, path="^/api/token", retry_after=21_600))
    assert "6 h 0 min" in failing(desk, RateLimited)


def test_a_parameter_that_may_not_be_written_is_told_on_the_page_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PipelineError("writing is denied")

    monkeypatch.setattr(login, "write_credentials", denied)
    with pytest.raises(PipelineError, match="writing is denied"):
        desk.login()
    assert "writing is denied" in desk.browser.page()[1]


def test_a_defect_is_not_hidden_and_the_browser_is_not_left_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(login, "write_credentials", broken)
    with pytest.raises(ZeroDivisionError):
        desk.login()
    status, words = desk.browser.page()
    assert (status, "Its terminal says why" in words) == (400, True)


def test_without_the_apps_credentials_no_browser_is_opened(desk: Desk) -> None:
    desk.stage.ssm.delete_parameter(Name=desk.stage.config.credentials_parameter)
    with pytest.raises(CredentialsMissing, match="etl credentials --stage dev"):
        desk.login()
    assert desk.browser.opened == []


def test_ctrl_c_is_one_line_and_leaves_what_was_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Callback, "wait", interrupted)
    desk.browser.astray = lambda link: f"{link}&response_type=none"
    assert desk.login() == 130
    assert "no sign-in was stored: `" in capsys.readouterr().err
    assert desk.stored() == APP


# The browser


def test_no_browser_is_opened_if_none_is_wanted_and_the_link_is_printed(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NoCallback):
        desk.login(browser=False, timeout=0.1)
    assert desk.browser.opened == []
    assert capsys.readouterr().out.startswith(f"{desk.spotify.url}/authorize?")


def test_where_no_browser_can_be_opened_the_link_is_to_be_opened_by_hand(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(login, "in_browser", lambda *_: False)
    with pytest.raises(NoCallback):
        desk.login(timeout=0.1)
    assert "Open this link in a browser" in capsys.readouterr().err


def browser_script(folder: Path, *lines: str) -> dict[str, str]:
    """An environment whose browser is a script, which is given the link."""
    script = folder / "browser"
    script.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    script.chmod(0o755)
    return {"BROWSER": f"{script} %s", "PATH": os.environ["PATH"], "TERM": "xterm", "DISPLAY": ":7"}


def test_the_browser_is_the_users_and_is_given_the_link_and_no_terminal_to_write_to(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = tmp_path / "seen"
    environment = browser_script(tmp_path, f'echo "$1 $DISPLAY [$TERM]" > {seen}', "echo noise", "echo noise >&2")

    assert login.in_browser("https://accounts.example/authorize?a=1&b=2", environment)

    assert seen.read_text() == "https://accounts.example/authorize?a=1&b=2 :7 []\n"
    assert capfd.readouterr() == ("", "")


def test_where_python_finds_no_browser_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a machine without any; on others a browser that fails is followed by the next.
    monkeypatch.setattr(login, "_OPEN", login._OPEN.replace("import sys, webbrowser", _NO_BROWSER))
    assert not login.in_browser("https://accounts.example/", os.environ)


@pytest.mark.timeout(20)
def test_a_browser_that_stays_open_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_BROWSER_SECONDS", 0.5)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert login.in_browser("https://accounts.example/", browser_script(tmp_path, f"read _ < {pipe}"))
    with open(pipe, "w"):
        """The browser is closed."""


def test_the_browser_gets_the_environment_of_before_the_local_stage_put_in_its_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":7")
    opened_in: list[Mapping[str, str]] = []

    def stage_that_takes_the_environment(_: str) -> Stage:
        monkeypatch.delenv("DISPLAY")
        return desk.stage

    def opened(link: str, environment: Mapping[str, str]) -> bool:
        opened_in.append(environment)
        return desk.browser.open(link, environment)

    monkeypatch.setattr(login, "open_stage", stage_that_takes_the_environment)
    monkeypatch.setattr(login, "in_browser", opened)
    assert desk.login() == 0
    assert opened_in[0]["DISPLAY"] == ":7"


# Secrets


def test_no_code_token_or_secret_is_printed_or_logged_at_any_level(
    desk: Desk, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("spotipy", "urllib3", "botocore", "boto3"):
        logging.getLogger(name).setLevel(logging.NOTSET)

    assert desk.login() == 0

    code = parse_qs(urlsplit(desk.browser.seen[0][2]).query)["code"][0]
    token = desk.stored().refresh_token
    assert token is not None
    shown = capfd.readouterr()
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    for secret in (code, token, CLIENT_SECRET):
        assert secret not in shown.out + shown.err + logged + desk.browser.seen[0][1]


# The loopback address


def test_only_loopback_is_listened_on_and_nothing_after_the_sign_in() -> None:
    with Callback(0) as callback:
        parts = urlsplit(callback.redirect_uri)
        assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/callback")
        assert callback._server.socket.getsockname()[0] == "127.0.0.1"
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", parts.port))


def test_other_addresses_do_not_end_the_wait_and_a_second_browser_is_told_it_is_late() -> None:
    with Callback(0) as callback:
        base = callback.redirect_uri.removesuffix("/callback")
        assert visit(f"{base}/favicon.ico")[0] == 404
        assert visit(f"{base}/callback/x?code=1")[0] == 404
        seen: list[tuple[int, str, str]] = []
        first = threading.Thread(target=lambda: seen.append(visit(f"{callback.redirect_uri}?code=1")))
        first.start()
        assert callback.wait(10) == {"code": "1"}
        assert visit(f"{callback.redirect_uri}?code=2")[0] == 409
        callback.answer("Done", "", good=True)
        first.join(10)
        assert [status for status, *_ in seen] == [200]


@pytest.mark.timeout(20)
def test_connections_that_a_browser_opens_and_leaves_unused_hold_nothing_up() -> None:
    with Callback(0) as callback, socket.socket() as idle:
        idle.connect(("127.0.0.1", urlsplit(callback.redirect_uri).port))
        seen: list[int] = []
        thread = threading.Thread(target=lambda: seen.append(visit(f"{callback.redirect_uri}?code=1")[0]))
        thread.start()
        callback.wait(10)
        callback.answer("Done", "", good=True)
        thread.join(5)
        assert seen == [200]


def test_a_browser_that_hangs_up_before_its_page_is_no_fault(capfd: pytest.CaptureFixture[str]) -> None:
    with Callback(0) as callback:
        with socket.socket() as gone:
            gone.connect(("127.0.0.1", urlsplit(callback.redirect_uri).port))
            gone.sendall(b"GET /callback?code=secret HTTP/1.1\r\nHost: x\r\n\r\n")
            callback.wait(10)
        callback.answer("Done", "x" * 10_000_000, good=True)
    assert capfd.readouterr() == ("", "")


def test_the_page_takes_no_text_for_html_and_loads_nothing() -> None:
    text = page("<b>", '"><script src=x>&', good=False)
    assert "<script" not in text
    assert "&lt;b&gt;" in text
    assert not re.search(r"src=|href=|url\(|@import", text.replace("src=x", ""))


# The words of the command


@pytest.mark.parametrize("words", [["--port", "70000"], ["--port", "-1"], ["--port", "x"], ["--timeout", "0"]])
def test_a_port_or_a_patience_that_cannot_be_is_wrong_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.parse(["login", *words])
    assert stopped.value.code == 2
    assert words[1] in capsys.readouterr().err


def test_the_port_is_fixed_so_that_it_can_be_registered() -> None:
    parsed: Any = main.parse(["login"])
    assert (parsed.port, parsed.browser, parsed.timeout) == (8912, True, 300)
    assert json.dumps(main.parse(["login", "--no-browser"]).browser) == "false"
