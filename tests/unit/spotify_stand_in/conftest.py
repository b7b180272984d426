"""A stand-in on a fixed day, and clients to speak to it with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
import requests
import spotipy  # type: ignore[import-untyped]
from spotipy.cache_handler import MemoryCacheHandler  # type: ignore[import-untyped]
from spotipy.oauth2 import SpotifyClientCredentials  # type: ignore[import-untyped]

from local.spotify.api import CLIENT_ID, CLIENT_SECRET
from local.spotify.server import SpotifyStandIn
from local.spotify.settings import Settings

TODAY = date(2026, 11, 22)  # a Sunday


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine's must not come between a test and its stand-in."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def stand_in() -> Iterator[SpotifyStandIn]:
    with SpotifyStandIn(settings=Settings(today=TODAY)) as running:
        yield running


@pytest.fixture
def client(stand_in: SpotifyStandIn) -> spotipy.Spotify:
    """spotipy as the product uses it: its own session, so that nothing is retried behind the test's back."""
    session = requests.Session()
    session.trust_env = False
    auth = SpotifyClientCredentials(
        CLIENT_ID, CLIENT_SECRET, requests_session=session, requests_timeout=5, cache_handler=MemoryCacheHandler()
    )
    auth.OAUTH_TOKEN_URL = f"{stand_in.url}/api/token"
    client = spotipy.Spotify(auth_manager=auth, requests_session=session, requests_timeout=5)
    client.prefix = f"{stand_in.url}/v1/"
    return client
