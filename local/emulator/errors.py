"""Errors of the local stage's background processes."""

from __future__ import annotations

from lambdas.core.errors import PipelineError


class EmulatorError(PipelineError):
    """The emulator (or the Spotify stand-in beside it) cannot be started, reached or stopped.

    The message is one line and ends with the remedy. `details` holds what a person may want to read next,
    such as the last lines of the log; it is not part of the message.
    """

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details
