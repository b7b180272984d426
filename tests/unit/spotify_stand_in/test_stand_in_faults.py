"""Each fault as a client meets it, and the control endpoint that scripts them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import date

import pytest
import requests
import spotipy  # type: ignore[import-untyped]

from local.spotify.faults import OF_ITEMS, Fault, FaultKind, InvalidControl
from local.spotify.server import HOST, SpotifyStandIn
from tests.unit.spotify_stand_in.conftest import TODAY

DAILY = "37i9dQZEVXbMDoHDwVN2tF"


def control(stand_in: SpotifyStandIn, method: str, what: str, body: object = None) -> requests.Response:
    data = None if body is None else json.dumps(body)
    return requests.request(method, f"{stand_in.url}/_control/{what}", data=data, timeout=5)


@pytest.mark.parametrize(
    ("fault", "status", "retry_after", "reason"),
    [
        (Fault(FaultKind.RATE_LIMITED, retry_after=48_925), 429, "48925", None),
        (Fault(FaultKind.RATE_LIMITED), 429, None, None),
        (Fault(FaultKind.QUOTA_EXCEEDED, retry_after=7), 429, "7", "QUOTA_EXCEEDED"),
        (Fault(FaultKind.SERVER_ERROR), 503, None, None),
        (Fault(FaultKind.SERVER_ERROR, status=500, retry_after=2), 500, "2", None),
        (Fault(FaultKind.SERVER_ERROR, status=502), 502, None, None),
        (Fault(FaultKind.UNAUTHORIZED), 401, None, None),
        (Fault(FaultKind.FORBIDDEN), 403, None, None),
        (Fault(FaultKind.NOT_FOUND), 404, None, None),
    ],
    ids=str,
)
def test_an_error_answer_reaches_the_client_once(
    stand_in: SpotifyStandIn,
    client: spotipy.Spotify,
    fault: Fault,
    status: int,
    retry_after: str | None,
    reason: str | None,
) -> None:
    stand_in.fail(fault)
    with pytest.raises(spotipy.SpotifyException) as refused:
        client.playlist_items(DAILY)
    assert refused.value.http_status == status
    assert refused.value.headers.get("Retry-After") == retry_after
    assert refused.value.reason == reason
    assert len(client.playlist_items(DAILY)["items"]) == 50


def test_an_expired_token_is_told_in_spotifys_words(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    stand_in.fail(Fault(FaultKind.UNAUTHORIZED))
    with pytest.raises(spotipy.SpotifyException, match="The access token expired"):
        client.playlist_items(DAILY)


def test_a_slow_answer_comes_late_and_right(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    client.playlist_items(DAILY)
    stand_in.fail(Fault(FaultKind.SLOW, seconds=0.3))
    began = time.perf_counter()
    assert len(client.playlist_items(DAILY)["items"]) == 50
    assert time.perf_counter() - began >= 0.3


def test_a_client_that_waits_for_less_times_out_and_the_next_call_is_served(
    stand_in: SpotifyStandIn, client: spotipy.Spotify
) -> None:
    client.playlist_items(DAILY)
    stand_in.fail(Fault(FaultKind.SLOW, seconds=60))
    client.requests_timeout = 0.2
    with pytest.raises(requests.ReadTimeout):
        client.playlist_items(DAILY)
    client.requests_timeout = 5
    assert len(client.playlist_items(DAILY)["items"]) == 50


def end_of(threads: set[threading.Thread]) -> None:
    """Wait until none of the threads runs."""
    deadline = time.monotonic() + 10
    while any(thread.is_alive() for thread in threads):
        assert time.monotonic() < deadline, f"still running: {threads}"
        time.sleep(0.02)


def test_closing_ends_slow_answers_and_connections_kept_open() -> None:
    before = set(threading.enumerate())
    stand_in = SpotifyStandIn()
    kept = requests.Session()
    kept.trust_env = False
    kept.get(f"{stand_in.url}/_control/settings", timeout=5)
    stand_in.fail(Fault(FaultKind.SLOW, path="/api/token", seconds=60))
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{stand_in.url}/api/token", timeout=0.1)
    serving = set(threading.enumerate()) - before
    assert len(serving) == 3
    stand_in.close()
    end_of(serving)
    with pytest.raises(requests.ConnectionError):
        kept.get(f"{stand_in.url}/_control/settings", timeout=2)


def test_a_cut_off_answer_breaks_the_connection(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    stand_in.fail(Fault(FaultKind.CUT_OFF))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        client.playlist_items(DAILY)
    assert len(client.playlist_items(DAILY)["items"]) == 50


def test_malformed_json_is_a_200_that_does_not_parse(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    client.playlist_items(DAILY)
    stand_in.fail(Fault(FaultKind.MALFORMED_JSON))
    headers = {"Authorization": f"Bearer {client.auth_manager.get_access_token(as_dict=False)}"}
    answer = requests.get(f"{stand_in.url}/v1/playlists/{DAILY}/items", headers=headers, timeout=5)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)


def _no_container(client: spotipy.Spotify) -> None:
    playlist = client.playlist(DAILY)
    assert not {"items", "tracks"} & set(playlist)


def _forbidden_items(client: spotipy.Spotify) -> None:
    with pytest.raises(spotipy.SpotifyException, match="Forbidden"):
        client.playlist_items(DAILY)


def _empty(client: spotipy.Spotify) -> None:
    page = client.playlist_items(DAILY)
    assert (page["items"], page["total"], page["next"]) == ([], 0, None)


def _empty_object(client: spotipy.Spotify) -> None:
    assert client.playlist(DAILY)["items"]["items"] == []


def _short(client: spotipy.Spotify) -> None:
    page = client.playlist_items(DAILY)
    assert (len(page["items"]), page["total"]) == (47, 50)


def _total(client: spotipy.Spotify) -> None:
    page = client.playlist_items(DAILY)
    assert (len(page["items"]), page["total"]) == (50, 52)


def _null(client: spotipy.Spotify) -> None:
    items = client.playlist_items(DAILY)["items"]
    assert [place for place, entry in enumerate(items, 1) if entry["item"] is None] == [4]


def _local(client: spotipy.Spotify) -> None:
    items = client.playlist_items(DAILY)["items"]
    assert [place for place, entry in enumerate(items, 1) if entry["is_local"]] == [50]
    assert items[49]["item"]["id"] is None
    assert items[49]["item"]["uri"].startswith("spotify:local:")


def _episode(client: spotipy.Spotify) -> None:
    items = client.playlist_items(DAILY)["items"]
    assert items[0]["item"]["type"] == "episode"
    assert "album" not in items[0]["item"]
    assert {entry["item"]["type"] for entry in items[1:]} == {"track"}


@pytest.mark.parametrize(
    ("fault", "meet"),
    [
        (Fault(FaultKind.METADATA_ONLY), _no_container),
        (Fault(FaultKind.METADATA_ONLY), _forbidden_items),
        (Fault(FaultKind.EMPTY), _empty),
        (Fault(FaultKind.EMPTY), _empty_object),
        (Fault(FaultKind.SHORT_PAGE, count=3), _short),
        (Fault(FaultKind.WRONG_TOTAL, count=2), _total),
        (Fault(FaultKind.NULL_TRACK, index=4), _null),
        (Fault(FaultKind.LOCAL_FILE, index=50), _local),
        (Fault(FaultKind.EPISODE), _episode),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else value.__name__,
)
def test_a_fault_of_the_items_is_in_one_answer_and_gone_from_the_next(
    stand_in: SpotifyStandIn, client: spotipy.Spotify, fault: Fault, meet: Callable[[spotipy.Spotify], None]
) -> None:
    stand_in.fail(fault)
    meet(client)
    page = client.playlist_items(DAILY)
    assert (len(page["items"]), page["total"]) == (50, 50)
    assert all(entry["item"]["type"] == "track" for entry in page["items"])


def test_a_repeated_page_waits_for_a_second_page(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    stand_in.fail(Fault(FaultKind.REPEATED_PAGE))
    first = client.playlist_items(DAILY, limit=20)
    second = client.next(first)
    third = client.next(second)
    assert [entry["item"]["id"] for entry in second["items"]] == [entry["item"]["id"] for entry in first["items"]]
    assert second["offset"] == 20
    assert not {entry["item"]["id"] for entry in third["items"]} & {entry["item"]["id"] for entry in second["items"]}


def test_faults_meet_matching_requests_in_turn(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    stand_in.fail(
        Fault(FaultKind.SERVER_ERROR, times=2),
        Fault(FaultKind.NOT_FOUND, path="/v1/artists/"),
        Fault(FaultKind.FORBIDDEN),
    )
    statuses = []
    for _ in range(4):
        try:
            client.playlist_items(DAILY)
            statuses.append(200)
        except spotipy.SpotifyException as error:
            statuses.append(error.http_status)
    assert statuses == [503, 503, 403, 200]
    with pytest.raises(spotipy.SpotifyException) as refused:
        client.artist("0" * 22)
    assert refused.value.http_status == 404
    assert [call.fault for call in stand_in.requests("/v1/")] == [
        "server_error",
        "server_error",
        "forbidden",
        None,
        "not_found",
    ]


def test_a_lasting_fault_lasts_until_it_is_cleared(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    stand_in.fail(Fault(FaultKind.SERVER_ERROR, times=None))
    for _ in range(3):
        with pytest.raises(spotipy.SpotifyException):
            client.playlist_items(DAILY)
    stand_in.recover()
    assert len(client.playlist_items(DAILY)["items"]) == 50


def test_the_token_endpoint_fails_only_when_it_is_named(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    stand_in.fail(Fault(FaultKind.SERVER_ERROR, path="^/api/token"))
    with pytest.raises(Exception, match="Service Unavailable|503"):
        client.playlist_items(DAILY)
    assert [(call.path, call.status) for call in stand_in.requests()] == [("/api/token", 503)]


def test_the_log_tells_what_was_asked_and_holds_no_token(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    client.playlist_items(DAILY, limit=10, offset=5)
    calls = control(stand_in, "GET", "requests").json()
    assert [(call["method"], call["path"], call["status"]) for call in calls] == [
        ("POST", "/api/token", 200),
        ("GET", f"/v1/playlists/{DAILY}/items", 200),
    ]
    assert calls[1]["query"] == {"limit": "10", "offset": "5", "additional_types": "track,episode"}
    assert client.auth_manager.get_access_token(as_dict=False) not in json.dumps(calls)
    assert control(stand_in, "DELETE", "requests").json() == []
    assert stand_in.requests() == ()


# The control endpoint


def test_faults_are_scripted_over_http(stand_in: SpotifyStandIn, client: spotipy.Spotify) -> None:
    given = [{"kind": "rate_limited", "retry_after": 30, "times": 2}, {"kind": "slow", "seconds": 0.01, "times": None}]
    accepted = control(stand_in, "POST", "faults", given)
    assert accepted.status_code == 200
    assert [fault["kind"] for fault in accepted.json()] == ["rate_limited", "slow"]
    with pytest.raises(spotipy.SpotifyException):
        client.playlist_items(DAILY)
    assert control(stand_in, "GET", "faults").json()[0] == {
        "kind": "rate_limited", "path": "^/(v1|public)/", "times": 1, "retry_after": 30,
    }  # fmt: skip
    assert control(stand_in, "DELETE", "faults").json() == []
    assert len(client.playlist_items(DAILY)["items"]) == 50


def test_what_the_control_lists_it_takes_again(stand_in: SpotifyStandIn) -> None:
    examples = [
        Fault(kind, seconds=1.5 if kind is FaultKind.SLOW else None, times=None if kind in OF_ITEMS else 3)
        for kind in FaultKind
    ]
    stand_in.fail(*examples)
    listed = control(stand_in, "GET", "faults").json()
    stand_in.recover()
    assert control(stand_in, "POST", "faults", listed).json() == listed
    assert len(listed) == len(FaultKind)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([{"kind": "on_fire"}], "unknown fault 'on_fire': use one of rate_limited, quota_exceeded"),
        ([{}], "unknown fault None"),
        ([{"kind": ["slow"]}], "unknown fault"),
        (["slow"], "JSON object"),
        ({"kind": "slow"}, "list of faults"),
        ([{"kind": "slow"}], "needs 'seconds'"),
        ([{"kind": "slow", "seconds": "long"}], "seconds"),
        ([{"kind": "forbidden", "retry_after": 3}], "takes no 'retry_after'"),
        ([{"kind": "forbidden", "colour": "red"}], "takes no 'colour'"),
        ([{"kind": "server_error", "status": 404}], "500, 502, 503, 504"),
        ([{"kind": "empty", "times": 0}], "1 or more"),
        ([{"kind": "empty", "times": True}], "whole number"),
        ([{"kind": "empty", "path": "("}], "no regular expression"),
        ([{"kind": "rate_limited", "retry_after": -1}], "0 or more"),
        ([{"kind": "null_track", "index": 0}], "1 or more"),
        ([{"kind": "forbidden"}, {"kind": "on_fire"}], "unknown fault"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_and_nothing_is_scripted(
    stand_in: SpotifyStandIn, given: object, says: str
) -> None:
    refused = control(stand_in, "POST", "faults", given)
    assert refused.status_code == 400
    assert says in refused.json()["error"]
    assert control(stand_in, "GET", "faults").json() == []


def test_settings_change_one_by_one(stand_in: SpotifyStandIn) -> None:
    changed = control(stand_in, "PUT", "settings", {"era": "both", "today": "2020-02-29"}).json()
    assert changed == {"era": "both", "today": "2020-02-29", "chart_size": 50, "non_owner": False,
                       "public_filled": False}  # fmt: skip
    changed = control(stand_in, "PUT", "settings", {"chart_size": 200, "non_owner": True, "today": None}).json()
    assert changed == {"era": "both", "today": None, "chart_size": 200, "non_owner": True,
                       "public_filled": False}  # fmt: skip
    assert control(stand_in, "GET", "settings").json() == changed


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"era": "1999"}, "classic, both, 2026"),
        ({"era": 2026}, "classic, both, 2026"),
        ({"today": "soon"}, "2026-11-22"),
        ({"today": "2016-01-01"}, "2017-01-06"),
        ({"chart_size": 201}, "1 to 200"),
        ({"chart_size": "50"}, "whole number"),
        ({"chart_size": True}, "whole number"),
        ({"non_owner": 1}, "true or false"),
        ({"public_filled": "yes"}, "true or false"),
        ({"colour": "red"}, "unknown setting 'colour': use era, today, chart_size, non_owner, public_filled"),
        ([], "JSON object"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_and_changes_nothing(
    stand_in: SpotifyStandIn, given: object, says: str
) -> None:
    before = control(stand_in, "GET", "settings").json()
    refused = control(stand_in, "PUT", "settings", given)
    assert refused.status_code == 400
    assert says in refused.json()["error"]
    assert control(stand_in, "GET", "settings").json() == before


def test_a_body_that_is_not_json_is_refused(stand_in: SpotifyStandIn) -> None:
    refused = requests.post(f"{stand_in.url}/_control/faults", data="slow", timeout=5)
    assert refused.status_code == 400
    assert refused.json() == {"error": "the body is not JSON"}


def test_an_unknown_control_is_refused_with_those_there_are(stand_in: SpotifyStandIn) -> None:
    for method, what in (("GET", "nothing"), ("DELETE", "settings"), ("POST", "settings")):
        refused = control(stand_in, method, what)
        assert refused.status_code == 404
        assert "/_control/faults" in refused.json()["error"]


def test_the_playlists_served_are_listed(stand_in: SpotifyStandIn) -> None:
    listed = control(stand_in, "GET", "playlists").json()
    assert listed[DAILY] == "regional-global-daily"
    assert "regional-us-weekly" in listed.values()


def test_the_typed_interface_refuses_what_http_refuses(stand_in: SpotifyStandIn) -> None:
    with pytest.raises(InvalidControl, match="takes no 'seconds'"):
        Fault(FaultKind.EMPTY, seconds=1)
    with pytest.raises(InvalidControl, match="unknown setting"):
        stand_in.set(colour="red")
    stand_in.set(today=date(2020, 1, 1))
    assert control(stand_in, "GET", "settings").json()["today"] == "2020-01-01"
    stand_in.set(today=TODAY)


def test_a_client_that_hangs_up_leaves_no_traceback(
    stand_in: SpotifyStandIn, client: spotipy.Spotify, capfd: pytest.CaptureFixture[str]
) -> None:
    stand_in.set(era="both", chart_size=200)
    token = client.auth_manager.get_access_token(as_dict=False)
    stand_in.fail(Fault(FaultKind.SLOW, seconds=0.3))
    before = set(threading.enumerate())
    with socket.create_connection((HOST, stand_in.port)) as impatient:
        request = f"GET /v1/playlists/{DAILY} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\r\n"
        impatient.sendall(request.encode())
    deadline = time.monotonic() + 10
    while not stand_in.requests("/v1/"):
        assert time.monotonic() < deadline, "the request did not arrive"
        time.sleep(0.02)
    end_of(set(threading.enumerate()) - before)
    assert [call.fault for call in stand_in.requests("/v1/")] == ["slow"]
    assert capfd.readouterr().err == ""
