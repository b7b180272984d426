"""Structured logs: one JSON object a line, for CloudWatch Logs Insights, and never a secret in one."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final

import msgspec

from lambdas.core.errors import ConfigurationError

# At DEBUG spotipy logs the Authorization header and botocore the decrypted answer of SSM.
_TALKATIVE: Final = ("spotipy", "botocore", "boto3", "urllib3")
_OWN_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


class JsonFormatter(logging.Formatter):
    """A record as single-line JSON: timestamp (UTC), level, logger, message, then whatever `extra=` carried."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure_logs(level: str) -> None:
    """Make every log line of this process JSON, from `level` up.

    The handler that the Lambda runtime has put on the root logger is kept, for it frames the lines.
    Raises ConfigurationError for a level that is none of `LEVELS`.
    """
    if level not in LEVELS:
        raise ConfigurationError(f"LOG_LEVEL is {level!r}: use one of {', '.join(LEVELS)}")
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for handler in root.handlers:
        handler.setFormatter(JsonFormatter())
    root.setLevel(level)
    keep_secrets_out_of_logs()


def keep_secrets_out_of_logs() -> None:
    """Hold the libraries that log secrets at DEBUG to warnings, whatever the root logger's level is or becomes."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
