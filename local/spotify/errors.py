"""The error answers of the API."""

from __future__ import annotations


class Refusal(Exception):
    """An answer other than 200, in Spotify's form; `retry_after` (seconds) goes into the header."""

    def __init__(self, status: int, message: str, *, reason: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, object] = {
            "error": {"status": status, "message": message, **({"reason": reason} if reason else {})}
        }
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


class OAuthRefusal(Refusal):
    """A refusal of consent or of a token, in the form that OAuth 2 has for it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(400, description)
        self.body = {"error": error, "error_description": description}
