"""The playlist provider against answers that only a script can give, through the real spotipy over loopback HTTP."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from lambdas.core.adapters.calls import ATTEMPTS
from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.playlist import PlaylistSource
from lambdas.core.adapters.spotify import SpotifyAddress, WebApi, consent_link
from lambdas.core.documents import RawDocument, decode, encode
from lambdas.core.errors import (
    AccessForbidden,
    AuthorizationExpired,
    ChartNotFound,
    ConfigurationError,
    CredentialsRejected,
    EmptyChart,
    InconsistentChart,
    MetadataOnly,
    RateLimited,
    SourceError,
    SourceUnavailable,
)
from lambdas.core.sources import Budget, PolledChart
from tests.documents import entry, page, track
from tests.polls import DAILY as CHART
from tests.polls import Clock

TOKEN = "/api/token"
NOW = datetime(2026, 3, 6, 9, 30, 12, 345678, tzinfo=UTC)
SECRET = "s3cret-of-the-app"
REFRESH = "refresh-me-please"
OWN = msgspec.structs.replace(
    CHART, chart="road-trip", playlist_id="1aB2cD3eF4gH5iJ6kL7mN8", dated_by="observation", date_offset_days=0
)


@dataclass(frozen=True)
class Reply:
    """One scripted answer; `body` goes out as JSON unless it is bytes.

    `promised` overstates its length; a silent one is held back until the server closes.
    """

    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int = 0
    silent: bool = False


@dataclass(frozen=True)
class Request:
    path: str
    offset: int
    authorization: str
    form: dict[str, str]


class ScriptedSpotify:
    """Answers the API with `replies` in order (the last one for ever), the token endpoint with `token_replies`."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.token_replies: list[Reply] = []
        self.requests: list[Request] = []
        self.closing = threading.Event()
        script = self

        class Handler(BaseHTTPRequestHandler):
            wbufsize = -1

            def do_GET(self) -> None:
                self._answer(script.replies, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: value for name, (value,) in parse_qs(body).items()}
                tokens = sum(request.path == TOKEN for request in script.requests) + 1
                fresh = [Reply({"access_token": f"bearer-{tokens}", "expires_in": 3600})]
                self._answer(script.token_replies or fresh, form)

            def _answer(self, replies: list[Reply], form: dict[str, str]) -> None:
                parts = urlsplit(self.path)
                offset = int(parse_qs(parts.query).get("offset", ["0"])[0])
                script.requests.append(Request(parts.path, offset, self.headers.get("Authorization", ""), form))
                reply = replies.pop(0) if len(replies) > 1 else replies[0]
                if reply.silent:
                    script.closing.wait()
                    return
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + reply.promised))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Keep test output quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def api_calls(self) -> list[Request]:
        return [request for request in self.requests if request.path != TOKEN]

    @property
    def token_calls(self) -> list[Request]:
        return [request for request in self.requests if request.path == TOKEN]


@pytest.fixture
def spotify() -> Iterator[ScriptedSpotify]:
    server = ScriptedSpotify()
    yield server
    server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock(left=100.0)


@dataclass
class Poller:
    spotify: ScriptedSpotify
    clock: Clock
    max_calls: int = 100
    refresh_token: str | None = None
    budget: Budget = field(init=False)

    def fetch(self, *replies: Reply, chart: PolledChart = CHART) -> RawDocument:
        if replies:
            self.spotify.replies = list(replies)
        self.budget = Budget(max_calls=self.max_calls, seconds_left=lambda: self.clock.left)
        source = PlaylistSource(
            Credentials(client_id="an-app", client_secret=SECRET, refresh_token=self.refresh_token),
            stage="dev",
            address=SpotifyAddress.at(self.spotify.url),
            sleep=self.clock.sleep,
            jitter=lambda: 1.0,
        )
        return source.fetch(chart, now=NOW, budget=self.budget)


@pytest.fixture
def poller(spotify: ScriptedSpotify, clock: Clock) -> Poller:
    return Poller(spotify, clock)


def entries(count: int, *, first: int = 1, **fields: Any) -> list[dict[str, Any]]:
    return [entry(track(f"Song {number}"), **fields) for number in range(first, first + count)]


def pages(total: int, size: int = 50) -> list[dict[str, Any]]:
    return [
        page(entries(min(size, total - offset), first=offset + 1), offset=offset, total=total, limit=size)
        for offset in range(0, total, size)
    ]


def error(status: int, message: str = "no", **fields: str) -> Reply:
    return Reply({"error": {"status": status, "message": message} | fields}, status=status)


def limited(**headers: str) -> Reply:
    return Reply(
        {"error": {"status": 429, "message": "API rate limit exceeded"}},
        status=429,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


ONE_PAGE = Reply(page(entries(3)))


# What a document holds


def test_all_pages_are_followed_by_offset_and_kept_verbatim_in_order(poller: Poller) -> None:
    sent = pages(120)

    document = poller.fetch(*map(Reply, sent))

    assert [json.loads(bytes(answer)) for answer in document.answers] == sent
    assert [call.offset for call in poller.spotify.api_calls] == [0, 50, 100]
    assert {call.path for call in poller.spotify.api_calls} == {f"/v1/playlists/{CHART.playlist_id}/items"}
    assert decode(encode(document), key=document.key, model=RawDocument) == document


def test_both_names_of_an_entrys_song_and_fields_nobody_reads_are_kept(poller: Poller) -> None:
    song = track("Ünïcode 🎶") | {"a field of next year": [1.5, None, {"x": 12345678901234567890}]}
    sent = page([entry(song, track=song), entry(None), entry(track(), era="track")], href="https://api.example/x")

    document = poller.fetch(Reply(sent))

    assert [json.loads(bytes(answer)) for answer in document.answers] == [sent]


def test_a_document_says_when_from_where_and_whose_it_is(poller: Poller) -> None:
    document = poller.fetch(ONE_PAGE)

    assert (document.chart, document.period, document.provider) == ("regional-global-daily", "daily", "playlist")
    assert document.observed_at == document.received_at == datetime(2026, 3, 6, 9, 30, 12, tzinfo=UTC)
    assert document.origin == f"{poller.spotify.url}/v1/playlists/{CHART.playlist_id}"
    assert not document.partial
    assert not document.withdrawal


def test_the_next_address_in_an_answer_is_never_called(poller: Poller, spotify: ScriptedSpotify) -> None:
    elsewhere = ScriptedSpotify()
    first, second = pages(60)
    try:
        poller.fetch(Reply(first | {"next": f"{elsewhere.url}/v1/steal?offset=50"}), Reply(second))
        assert elsewhere.requests == []
    finally:
        elsewhere.close()
    assert [call.offset for call in spotify.api_calls] == [0, 50]


def test_pages_that_spotify_makes_smaller_than_asked_for_are_followed(poller: Poller) -> None:
    document = poller.fetch(*map(Reply, pages(45, size=20)))

    assert [call.offset for call in poller.spotify.api_calls] == [0, 20, 40]
    assert len(document.answers) == 3


# Sets that do not make up one chart


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param([page(entries(49), total=50)], "49 entries come after 0 where 50 are due", id="short page"),
        pytest.param(
            [pages(120)[0], page(entries(20, first=51), offset=50, total=120)],
            "20 entries come after 50 where 50 are due",
            id="short page in the middle",
        ),
        pytest.param([page(entries(4), total=3)], "4 entries come after 0 where 3 are due", id="more than the total"),
        pytest.param(
            [pages(60)[0], page([], offset=50, total=60)],
            "0 entries come after 50 where 10 are due",
            id="no entries on the last page",
        ),
        pytest.param(
            [pages(120)[0], page([], offset=50, total=120, limit=0)],
            "0 entries come after 50 where 1 are due",
            id="a page size of nothing",
        ),
        pytest.param(
            [pages(60)[0], page(entries(11, first=51), offset=50, total=61)],
            "its length changed from 60 to 61",
            id="total that changes",
        ),
        pytest.param(
            [pages(100)[0], pages(100)[0] | {"offset": 50}],
            "two pages hold the same 50 entries",
            id="repeated page",
        ),
        pytest.param([pages(100)[0], pages(100)[0]], "asked for the entries after 50", id="offset ignored"),
        pytest.param([page(entries(3)) | {"total": None}], "total", id="no total"),
        pytest.param([page(entries(3)) | {"items": {"items": []}}], "items", id="items of another shape"),
        pytest.param([page(entries(3, added_at="yesterday"))], "added_at", id="added_at that is no time"),
        pytest.param([page([entry(track("half a \ud83d"))])], "surrogate", id="half a character"),
    ],
)
def test_a_set_of_pages_that_is_no_whole_chart_is_refused_without_a_second_try(
    poller: Poller, sent: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(InconsistentChart, match=said):
        poller.fetch(*map(Reply, sent))

    assert len(poller.spotify.api_calls) == len(sent)
    assert poller.clock.waits == []


@pytest.mark.parametrize("total", [0, 50])
def test_an_answer_of_no_entries_is_an_empty_chart_whatever_its_total_says(poller: Poller, total: int) -> None:
    with pytest.raises(EmptyChart, match="never published"):
        poller.fetch(Reply(page([], total=total)))


@pytest.mark.parametrize("container", [{}, {"items": None}, {"tracks": None}])
def test_a_playlist_without_its_entries_is_metadata_only_not_an_empty_chart(
    poller: Poller, container: dict[str, object]
) -> None:
    with pytest.raises(MetadataOnly, match="not the app user's own"):
        poller.fetch(Reply({"id": CHART.playlist_id, "type": "playlist", "name": "Top 50"} | container))


# Dates


def test_the_day_all_entries_were_added_tells_the_chart_date(poller: Poller) -> None:
    sent = page([*entries(2, added_at="2026-03-06T00:00:01Z"), entry(None, added_at=None)])

    assert poller.fetch(Reply(sent)).chart_date == date(2026, 3, 5)


@pytest.mark.parametrize(
    ("stamps", "said"),
    [
        (["2026-03-05T09:00:00Z", "2026-03-06T09:00:00Z"], "on 2 days \\(2026-03-05 to 2026-03-06\\)"),
        ([None, None], "no entry says when it was added"),
        (["1970-01-01T00:00:00Z"] * 2, "1970-01-01, which tells no chart date"),
    ],
)
def test_entries_that_tell_no_chart_date_are_refused_with_the_setting_to_change(
    poller: Poller, stamps: list[str | None], said: str
) -> None:
    with pytest.raises(InconsistentChart, match=said) as caught:
        poller.fetch(Reply(page([entry(track(str(number)), added_at=at) for number, at in enumerate(stamps)])))

    assert "dated_by" in str(caught.value)


def test_a_playlist_that_people_edit_is_dated_by_the_utc_day_of_the_poll(poller: Poller) -> None:
    sent = Reply(page([entry(track("a"), added_at="2019-01-01T00:00:00Z"), entry(track("b"), added_at=None)]))

    assert poller.fetch(sent, chart=OWN).chart_date == date(2026, 3, 6)
    assert poller.fetch(sent, chart=msgspec.structs.replace(OWN, date_offset_days=-2)).chart_date == date(2026, 3, 4)


# Walls


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("Active premium subscription required for the owner of the app.", "renew it"),
        ("User not registered in the Developer Dashboard", "User Management"),
        ("the user is not registered for this application", "User Management"),
        ("Insufficient client scope", "with `etl login --stage dev`, and grant the scope playlist-read-private"),
        ("Forbidden", "sign in as its owner with `etl login --stage dev`, use an app with Extended Quota, or `etl imp"),
    ],
)
def test_each_kind_of_403_names_its_own_remedy(poller: Poller, said: str, remedy: str) -> None:
    with pytest.raises(AccessForbidden) as caught:
        poller.fetch(error(403, said))

    assert said in str(caught.value)
    assert remedy in str(caught.value)
    assert len(poller.spotify.api_calls) == 1


def test_a_404_of_spotifys_own_playlist_tells_since_when_and_what_else_there_is(poller: Poller) -> None:
    with pytest.raises(ChartNotFound, match=r"2024-11-27.*etl import"):
        poller.fetch(error(404, "Resource not found"))


def test_a_404_of_another_playlist_asks_to_check_its_link_or_to_sign_in(poller: Poller) -> None:
    with pytest.raises(ChartNotFound, match=r"private, deleted or misspelt: check its link, or sign in .*etl login"):
        poller.fetch(error(404, "Resource not found"), chart=OWN)


def test_a_signed_in_user_is_not_sent_to_sign_in_for_a_playlist_of_another_but_told_what_else_there_is(
    poller: Poller,
) -> None:
    poller.refresh_token = REFRESH
    for answer, wall in ((error(403, "Forbidden"), AccessForbidden), (Reply({"id": "x"}), MetadataOnly)):
        with pytest.raises(wall, match=r"copy its songs into a playlist of that user, sign in as its owner") as caught:
            poller.fetch(answer, chart=OWN)
        assert "Extended Quota" in str(caught.value)
        assert "etl import" in str(caught.value)
    with pytest.raises(ChartNotFound, match=r"check its link, or `etl import`"):
        poller.fetch(error(404, "Resource not found"), chart=OWN)


def test_any_other_refusal_is_shown_with_what_spotify_said(poller: Poller) -> None:
    with pytest.raises(SourceError, match=r"400 \(Invalid base62 id\)"):
        poller.fetch(error(400, "Invalid base62 id"))


def test_a_redirect_is_refused_and_the_token_stays_here(poller: Poller) -> None:
    elsewhere = ScriptedSpotify()
    try:
        with pytest.raises(SourceError, match="302"):
            poller.fetch(Reply(b"", status=302, headers={"Location": f"{elsewhere.url}/v1/x"}))
        assert elsewhere.requests == []
    finally:
        elsewhere.close()


def test_a_refusal_in_many_lines_of_html_becomes_one_short_line(poller: Poller) -> None:
    with pytest.raises(AccessForbidden) as caught:
        poller.fetch(Reply(b"<html>\n" + b"<p>blocked by a proxy\n" * 100, status=403))

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


# Credentials


def test_an_expired_token_is_renewed_once_and_the_page_asked_for_again(poller: Poller) -> None:
    document = poller.fetch(error(401, "The access token expired"), ONE_PAGE)

    assert len(document.answers) == 1
    assert [call.authorization for call in poller.spotify.api_calls] == ["Bearer bearer-1", "Bearer bearer-2"]
    assert poller.clock.waits == []


def test_a_fresh_token_that_is_refused_too_means_the_credentials_are(poller: Poller) -> None:
    with pytest.raises(CredentialsRejected, match="etl credentials --stage dev"):
        poller.fetch(error(401, "Invalid access token"))

    assert len(poller.spotify.api_calls) == 2


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client"])
@pytest.mark.parametrize("refresh_token", [None, REFRESH], ids=["app", "user"])
def test_a_token_endpoint_that_rejects_the_app_is_asked_once(
    poller: Poller, status: int, code: str, refresh_token: str | None
) -> None:
    poller.refresh_token = refresh_token
    poller.spotify.token_replies = [Reply({"error": code, "error_description": "Invalid client secret"}, status=status)]

    with pytest.raises(CredentialsRejected, match=f"{code}: Invalid client secret.*etl credentials --stage dev") as got:
        poller.fetch()

    assert type(got.value) is CredentialsRejected
    assert len(poller.spotify.requests) == 1


# A user's credentials


def test_without_a_user_the_app_asks_by_itself_and_with_one_it_refreshes(poller: Poller) -> None:
    poller.fetch(ONE_PAGE)
    poller.refresh_token = REFRESH
    poller.fetch(ONE_PAGE)

    assert [call.form for call in poller.spotify.token_calls] == [
        {"grant_type": "client_credentials"},
        {"grant_type": "refresh_token", "refresh_token": REFRESH},
    ]
    # Base64 of id:secret: the app proves itself for its user too.
    assert {call.authorization for call in poller.spotify.token_calls} == {"Basic YW4tYXBwOnMzY3JldC1vZi10aGUtYXBw"}
    assert poller.budget.calls == 2


def test_one_access_token_of_a_user_serves_a_whole_run(poller: Poller) -> None:
    poller.refresh_token = REFRESH

    poller.fetch(*map(Reply, pages(120)))

    assert len(poller.spotify.token_calls) == 1
    assert {call.authorization for call in poller.spotify.api_calls} == {"Bearer bearer-1"}


def test_a_users_access_token_that_ran_out_is_renewed_once(poller: Poller) -> None:
    poller.refresh_token = REFRESH

    poller.fetch(error(401, "The access token expired"), ONE_PAGE)

    assert [call.authorization for call in poller.spotify.api_calls] == ["Bearer bearer-1", "Bearer bearer-2"]
    assert [call.form["refresh_token"] for call in poller.spotify.token_calls] == [REFRESH, REFRESH]
    assert poller.clock.waits == []


def test_a_user_whose_fresh_token_is_refused_too_is_told_of_both_remedies(poller: Poller) -> None:
    poller.refresh_token = REFRESH

    with pytest.raises(CredentialsRejected, match="`etl credentials --stage dev`, then `etl login --stage dev`"):
        poller.fetch(error(401, "Invalid access token"))

    assert len(poller.spotify.api_calls) == 2


@pytest.mark.parametrize("said", ["Refresh token expired", "Refresh token revoked"])
def test_a_sign_in_that_is_over_is_asked_for_once_and_has_one_remedy(poller: Poller, said: str) -> None:
    poller.refresh_token = REFRESH
    poller.spotify.token_replies = [Reply({"error": "invalid_grant", "error_description": said}, status=400)]

    with pytest.raises(AuthorizationExpired, match=f"invalid_grant: {said}") as caught:
        poller.fetch(ONE_PAGE)

    assert re.findall(r"`etl [^`]+`", str(caught.value)) == ["`etl login --stage dev`"]
    assert CHART.chart in str(caught.value)
    assert REFRESH not in str(caught.value)
    assert len(poller.spotify.requests) == 1
    assert poller.clock.waits == []


def test_a_new_refresh_token_is_used_in_this_run_and_the_old_one_by_the_next(
    poller: Poller, caplog: pytest.LogCaptureFixture
) -> None:
    poller.refresh_token = REFRESH
    rotated = {"access_token": "bearer-1", "expires_in": 3600, "refresh_token": "another-to-refresh"}
    poller.spotify.token_replies = [Reply(rotated), Reply({"access_token": "bearer-2", "expires_in": 3600})]

    poller.fetch(error(401, "The access token expired"), ONE_PAGE)
    poller.fetch(ONE_PAGE)

    used = [call.form["refresh_token"] for call in poller.spotify.token_calls]
    assert used == [REFRESH, "another-to-refresh", REFRESH]
    assert "nobody keeps" in caplog.text
    assert "another-to-refresh" not in caplog.text


def test_an_access_token_without_a_refresh_token_leaves_the_old_one_in_use(poller: Poller) -> None:
    poller.refresh_token = REFRESH
    poller.spotify.token_replies = [Reply({"access_token": "bearer-9", "expires_in": 3600, "refresh_token": None})]

    poller.fetch(error(401, "The access token expired"), ONE_PAGE)

    assert [call.form["refresh_token"] for call in poller.spotify.token_calls] == [REFRESH, REFRESH]


# A user's sign-in


CALLBACK = "http://127.0.0.1:8912/callback"


def sign_in(poller: Poller, *replies: Reply, code: str = "the-code") -> str:
    poller.spotify.token_replies = list(replies)
    poller.budget = Budget(max_calls=5, seconds_left=lambda: poller.clock.left)
    api = WebApi(
        Credentials(client_id="an-app", client_secret=SECRET, refresh_token=poller.refresh_token),
        poller.budget,
        stage="dev",
        address=SpotifyAddress.at(poller.spotify.url),
        then="run it again",
        sleep=poller.clock.sleep,
        jitter=lambda: 1.0,
    )
    return api.sign_in(code, redirect_uri=CALLBACK)


GIVEN = Reply({"access_token": "bearer-1", "expires_in": 3600, "refresh_token": REFRESH})


@pytest.mark.parametrize("before", [None, "of-the-last-sign-in"])
def test_a_code_is_exchanged_with_the_redirect_uri_it_was_given_for(poller: Poller, before: str | None) -> None:
    poller.refresh_token = before

    assert sign_in(poller, GIVEN) == REFRESH
    [call] = poller.spotify.requests
    assert call.form == {"grant_type": "authorization_code", "code": "the-code", "redirect_uri": CALLBACK}
    assert call.authorization == "Basic YW4tYXBwOnMzY3JldC1vZi10aGUtYXBw"


def test_an_exchange_meets_faults_that_pass_and_its_budget_like_any_call(poller: Poller) -> None:
    assert sign_in(poller, error(503), GIVEN) == REFRESH
    assert poller.clock.waits == [0.5]
    with pytest.raises(SourceUnavailable, match="the sign-in: no answer from Spotify: .*: run it again"):
        sign_in(poller, error(503))
    with pytest.raises(RateLimited, match="the sign-in: .*run it again"):
        sign_in(poller, limited(Retry_After="21600"))


def test_a_code_that_is_used_up_asks_to_sign_in_again_and_shows_nothing_of_it(poller: Poller) -> None:
    used = Reply({"error": "invalid_grant", "error_description": "Invalid authorization code"}, status=400)

    with pytest.raises(AuthorizationExpired, match="etl login --stage dev") as caught:
        sign_in(poller, used)

    assert "the-code" not in str(caught.value)
    assert len(poller.spotify.requests) == 1


def test_an_exchange_that_gives_no_refresh_token_is_no_sign_in(poller: Poller) -> None:
    with pytest.raises(SourceUnavailable, match="without a refresh token"):
        sign_in(poller, Reply({"access_token": "bearer-1", "expires_in": 3600}))


def test_the_page_of_consent_is_asked_for_the_scopes_and_the_state_and_no_secret() -> None:
    link = consent_link(Credentials(client_id="an-app", client_secret=SECRET), redirect_uri=CALLBACK, state="s+&=")

    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "accounts.spotify.com", "/authorize")
    assert parse_qs(parts.query) == {
        "response_type": ["code"],
        "client_id": ["an-app"],
        "redirect_uri": [CALLBACK],
        "scope": ["playlist-read-private playlist-read-collaborative"],
        "state": ["s+&="],
        "show_dialog": ["true"],
    }


# Secrets


@pytest.mark.parametrize("refresh_token", [None, REFRESH], ids=["app", "user"])
def test_no_token_or_secret_is_logged_even_with_the_root_logger_at_debug(
    poller: Poller, caplog: pytest.LogCaptureFixture, refresh_token: str | None
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("spotipy", "urllib3"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    poller.refresh_token = refresh_token

    poller.fetch(error(401, "expired"), error(503), ONE_PAGE)
    for name in ("spotipy", "urllib3"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    sign_in(poller, error(503), GIVEN, code="a-code-to-exchange")

    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "asking again" in logged
    # The Basic header of the token request is base64 of id:secret.
    for secret in ("bearer-", SECRET, REFRESH, "a-code-to-exchange", "YW4tYXBwO", "Authorization"):
        assert secret not in logged


def test_an_entry_in_netrc_does_not_replace_the_token(
    poller: Poller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    poller.fetch(ONE_PAGE)

    assert [call.authorization for call in poller.spotify.api_calls] == ["Bearer bearer-1"]


@pytest.mark.parametrize(
    "endpoint", ["http://api.example.com", "http://127.0.0.1.example.com", "ftp://x", "spotify", ""]
)
def test_an_endpoint_that_would_show_the_secret_to_a_network_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="SPOTIFY_ENDPOINT"):
        SpotifyAddress.at(endpoint)


def test_an_endpoint_holds_the_api_and_the_tokens() -> None:
    at = SpotifyAddress.at("https://spotify.example/")

    assert at == SpotifyAddress(
        api="https://spotify.example/v1/",
        token="https://spotify.example/api/token",
        authorize="https://spotify.example/authorize",
    )


# Rate limits


def test_a_retry_after_inside_the_budget_is_waited_for(poller: Poller) -> None:
    document = poller.fetch(limited(Retry_After="7"), ONE_PAGE)

    assert len(document.answers) == 1
    assert poller.clock.waits == [7.0]


def test_a_retry_after_of_six_hours_costs_no_wait_and_is_reported(poller: Poller) -> None:
    with pytest.raises(RateLimited, match="6 h 0 min") as caught:
        poller.fetch(limited(Retry_After="21600"))

    assert (caught.value.retry_after, caught.value.quota_exceeded) == (21_600.0, False)
    assert poller.clock.waits == []
    assert len(poller.spotify.api_calls) == 1


def test_an_absurd_retry_after_is_a_rate_limit_like_any_other(poller: Poller) -> None:
    with pytest.raises(RateLimited, match="Spotify asks to wait") as caught:
        poller.fetch(limited(Retry_After="9" * 400))

    assert caught.value.retry_after is not None
    assert 48 * 3600 < caught.value.retry_after < float("inf")


def test_a_used_up_quota_is_never_waited_for_since_calling_on_lengthens_it(poller: Poller) -> None:
    with pytest.raises(RateLimited, match="quota for a day") as caught:
        poller.fetch(
            Reply(
                {"error": {"status": 429, "message": "Too many requests", "reason": "QUOTA_EXCEEDED"}},
                status=429,
                headers={"Retry-After": "1"},
            )
        )

    assert (caught.value.retry_after, caught.value.quota_exceeded) == (1.0, True)
    assert poller.clock.waits == []


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "Fri, 06 Mar 2026 10:00:00 GMT"}, {"Retry_After": "-5"}])
def test_a_429_that_does_not_say_how_long_is_waited_for_by_the_window(poller: Poller, headers: dict[str, str]) -> None:
    poller.fetch(limited(**headers), ONE_PAGE)

    assert poller.clock.waits == [30.0]


def test_a_429_that_does_not_say_how_long_ends_a_run_shorter_than_the_window(poller: Poller) -> None:
    poller.clock.left = 20
    with pytest.raises(RateLimited) as caught:
        poller.fetch(limited())

    assert caught.value.retry_after is None
    assert poller.clock.waits == []


def test_a_limit_that_does_not_end_is_given_up_as_rate_limited(poller: Poller) -> None:
    with pytest.raises(RateLimited):
        poller.fetch(limited(Retry_After="1"))

    assert len(poller.spotify.api_calls) == ATTEMPTS


def test_the_token_endpoints_rate_limit_counts_like_the_apis(poller: Poller) -> None:
    poller.spotify.token_replies = [limited(Retry_After="3600")]

    with pytest.raises(RateLimited, match="1 h 0 min"):
        poller.fetch()


# Faults that pass, or do not


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(error(500), id="500"),
        pytest.param(error(502), id="502"),
        pytest.param(error(503), id="503"),
        pytest.param(error(408), id="408"),
        pytest.param(Reply(b"<html>Bad gateway</html>", status=502), id="502 in HTML"),
        pytest.param(Reply({"error": "bad gateway"}, status=502), id="502 whose error is a text"),
        pytest.param(Reply(["bad gateway"], status=502), id="502 in a list"),
        pytest.param(Reply(b"\xff\xfe", status=503), id="503 in no encoding"),
        pytest.param(Reply(b'{"items": [{"added'), id="malformed JSON"),
        pytest.param(Reply(b""), id="nothing"),
        pytest.param(Reply([]), id="a list"),
        pytest.param(Reply(page(entries(3)), promised=100), id="cut off"),
    ],
)
def test_a_passing_fault_is_asked_again_after_a_wait(poller: Poller, fault: Reply) -> None:
    document = poller.fetch(fault, fault, ONE_PAGE)

    assert len(document.answers) == 1
    assert poller.clock.waits == [0.5, 1.0]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Reply(b"", status=500), id="500"),
        pytest.param(Reply(b"{"), id="malformed JSON"),
        pytest.param(Reply({"token_type": "Bearer"}), id="no token"),
        pytest.param(Reply([]), id="a list"),
        pytest.param(Reply({"access_token": "bearer-0", "expires_in": 3600}, promised=9), id="cut off"),
    ],
)
def test_a_passing_fault_of_the_token_endpoint_is_asked_again_too(poller: Poller, fault: Reply) -> None:
    poller.spotify.token_replies = [fault, Reply({"access_token": "bearer-9", "expires_in": 3600})]

    poller.fetch(ONE_PAGE)

    assert [call.authorization for call in poller.spotify.api_calls] == ["Bearer bearer-9"]
    assert poller.clock.waits == [0.5]


def test_a_lasting_fault_is_given_up_after_growing_waits_with_the_last_cause(poller: Poller) -> None:
    with pytest.raises(SourceUnavailable, match=r"503 \(Service unavailable\), at each of 5 attempts"):
        poller.fetch(error(503, "Service unavailable"))

    assert poller.clock.waits == [0.5, 1.0, 2.0, 4.0]
    assert len(poller.spotify.api_calls) == ATTEMPTS


def test_a_server_error_that_says_how_long_is_left_alone_that_long(poller: Poller) -> None:
    poller.fetch(Reply(b"", status=503, headers={"Retry-After": "12"}), ONE_PAGE)

    assert poller.clock.waits == [12.0]


def test_a_server_that_is_not_there_is_named_as_a_failed_connection(poller: Poller) -> None:
    poller.spotify.close()

    with pytest.raises(SourceUnavailable, match="the connection failed"):
        poller.fetch()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("silent", ["token endpoint", "API"])
def test_a_silent_server_is_left_when_the_runs_time_is_up(poller: Poller, silent: str) -> None:
    poller.clock.left = 1.2
    if silent == "token endpoint":
        poller.spotify.token_replies = [Reply(b"", silent=True)]

    with pytest.raises(SourceUnavailable, match="did not answer in time"):
        poller.fetch(Reply(b"", silent=True))

    assert len(poller.spotify.api_calls) == (silent == "API")


# The budget


def test_every_call_is_counted_the_token_requests_too(poller: Poller) -> None:
    poller.fetch(*map(Reply, pages(120)))

    assert poller.budget.calls == len(poller.spotify.requests) == 4


def test_a_run_out_of_calls_stops_before_the_next_one_and_says_so(poller: Poller) -> None:
    poller.max_calls = 2
    with pytest.raises(SourceUnavailable, match="all 2 calls of this run are used up"):
        poller.fetch(*map(Reply, pages(120)))

    assert len(poller.spotify.requests) == 2


def test_a_run_out_of_calls_amid_retries_names_the_last_fault(poller: Poller) -> None:
    poller.max_calls = 3
    with pytest.raises(SourceUnavailable, match=r"all 3 calls .* it answers 503"):
        poller.fetch(error(503))


def test_a_run_out_of_time_makes_no_call_at_all(poller: Poller) -> None:
    poller.clock.left = 0.5
    with pytest.raises(SourceUnavailable, match="the time of this run is used up"):
        poller.fetch(ONE_PAGE)

    assert poller.spotify.requests == []


def test_no_wait_is_begun_that_the_runs_time_does_not_hold(poller: Poller) -> None:
    poller.clock.left = 3.0
    with pytest.raises(SourceUnavailable, match=r"it answers 503 .* no further attempt"):
        poller.fetch(error(503))

    assert poller.clock.waits == [0.5, 1.0]
    assert poller.clock.left > 0
