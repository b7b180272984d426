"""Who may ask: consent, codes and tokens, as accounts.spotify.com gives them.

https://developer.spotify.com/documentation/web-api/tutorials/code-flow. Differences from Spotify: the user consents
without being asked, to every redirect URI that an app may register, and an app has not to name its scopes.
"""

from __future__ import annotations

import binascii
import re
import secrets
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from local.spotify.errors import OAuthRefusal, Refusal
from local.spotify.payloads import Json

# What the stand-in accepts. They are in the source because they are no secrets: they open nothing but the stand-in.
CLIENT_ID = "local-client"
CLIENT_SECRET = "local-secret"
REFRESH_TOKEN = "local-refresh-token"
"""Good without a sign-in. One that a sign-in gives begins with it, and is known by that: it outlives the process."""

TOKEN_SECONDS = 3600
CODE_SECONDS = 600
_REFRESH_TOKEN = re.compile(f"{REFRESH_TOKEN}(-[0-9a-f]{{32}})?")
_SCOPE = "playlist-read-private playlist-read-collaborative"


@dataclass(frozen=True)
class _Code:
    expires: float
    redirect_uri: str


@dataclass(frozen=True)
class _Token:
    expires: float
    as_user: bool


class Accounts:
    """The codes and access tokens that were given out. Safe between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, _Token] = {}
        self._codes: dict[str, _Code] = {}

    def consent(self, query: Mapping[str, str], *, denied: bool) -> str:
        """Where the page of consent sends the browser: back with a code, or with the user's refusal.

        Raises OAuthRefusal, which stays on the page: nobody is sent to an address that is not the app's.
        """
        redirect_uri = query.get("redirect_uri", "")
        if query.get("client_id") != CLIENT_ID:
            raise OAuthRefusal("INVALID_CLIENT", "Invalid client")
        if not _can_be_registered(redirect_uri):
            raise OAuthRefusal("INVALID_CLIENT", "Insecure redirect URI")
        if query.get("response_type") != "code":
            raise OAuthRefusal("invalid_request", "response_type must be code")
        answer = {"error": "access_denied"} if denied else {"code": self._new_code(redirect_uri)}
        if "state" in query:
            answer["state"] = query["state"]
        return f"{redirect_uri}?{urlencode(answer)}"

    def _new_code(self, redirect_uri: str) -> str:
        code = secrets.token_urlsafe(32)
        with self._lock:
            self._codes[code] = _Code(self._clock() + CODE_SECONDS, redirect_uri)
        return code

    def token(self, form: Mapping[str, str], *, authorization: str, expired: bool) -> Json:
        """The answer to a token request; `expired` is what has become of the user's refresh token, or code.

        Raises OAuthRefusal.
        """
        if _basic_credentials(authorization, form) != (CLIENT_ID, CLIENT_SECRET):
            raise OAuthRefusal("invalid_client", "Invalid client secret")
        grant = form.get("grant_type")
        answer: Json = {
            "access_token": secrets.token_urlsafe(32),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
        }
        if grant == "refresh_token":
            if expired:
                raise OAuthRefusal("invalid_grant", "Refresh token expired")
            if not _REFRESH_TOKEN.fullmatch(form.get("refresh_token", "")):
                raise OAuthRefusal("invalid_grant", "Invalid refresh token")
            # As since 2026, no new refresh token comes back: the old one is kept.
            answer["scope"] = _SCOPE
        elif grant == "authorization_code":
            self._redeem(form, expired=expired)
            answer |= {"scope": _SCOPE, "refresh_token": f"{REFRESH_TOKEN}-{secrets.token_hex(16)}"}
        elif grant != "client_credentials":
            raise OAuthRefusal("unsupported_grant_type", "grant_type parameter is missing")
        with self._lock:
            given = _Token(self._clock() + TOKEN_SECONDS, as_user=grant != "client_credentials")
            self._tokens[str(answer["access_token"])] = given
        return answer

    def _redeem(self, form: Mapping[str, str], *, expired: bool) -> None:
        """Use up a code. Raises OAuthRefusal if it was used, has run out, or was given for another redirect URI."""
        with self._lock:
            code = self._codes.pop(form.get("code", ""), None)
        if expired or code is None or code.expires <= self._clock():
            raise OAuthRefusal("invalid_grant", "Invalid authorization code")
        if code.redirect_uri != form.get("redirect_uri"):
            raise OAuthRefusal("invalid_grant", "Invalid redirect URI")

    def is_user(self, authorization: str) -> bool:
        """Whether a request is made as the user, or as the app alone. Raises Refusal without a good access token."""
        if not authorization:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "No token provided")
        scheme, _, name = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Refusal(HTTPStatus.BAD_REQUEST, "Only valid bearer authentication supported")
        with self._lock:
            token = self._tokens.get(name)
        if token is None:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "Invalid access token")
        if token.expires <= self._clock():
            raise Refusal(HTTPStatus.UNAUTHORIZED, "The access token expired")
        return token.as_user


def _can_be_registered(redirect_uri: str) -> bool:
    """Whether an app may have it: https, or http on a loopback address that is not written `localhost`.

    https://developer.spotify.com/documentation/web-api/concepts/redirect_uri
    """
    try:
        parts = urlsplit(redirect_uri)
    except ValueError:
        return False
    if not redirect_uri.isascii() or not redirect_uri.isprintable():
        return False
    return (parts.scheme == "https" and bool(parts.hostname)) or (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1")
    )


def _basic_credentials(header: str, form: Mapping[str, str]) -> tuple[str, str] | None:
    """The client's id and secret, from the Basic header or, as OAuth 2 allows, from the form."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            identity, _, secret = b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return identity, secret
    if "client_id" in form and "client_secret" in form:
        return form["client_id"], form["client_secret"]
    return None
