"""Where the local stage keeps its state, and how a command comes to talk to its emulator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cli.aws_errors import LOCAL_STAGE_DOWN
from cli.command_name import REPOSITORY
from lambdas.core.errors import PipelineError
from local.emulator import lifecycle

if TYPE_CHECKING:
    from local.emulator.lifecycle import Endpoint

STATE_VARIABLE = "ETL_STATE_DIR"


class LocalStageDown(PipelineError):
    """The emulator of the local stage does not run."""


def state_dir() -> Path:
    """Where the local stage keeps logs and records: `.local/` of the repository, or $ETL_STATE_DIR."""
    return Path(os.environ.get(STATE_VARIABLE) or REPOSITORY / ".local").resolve()


def use_running_emulator() -> Endpoint:
    """Make this process see the emulator, and nothing of the user's AWS configuration. Raises LocalStageDown."""
    endpoint = lifecycle.running(state_dir())
    if endpoint is None:
        raise LocalStageDown(LOCAL_STAGE_DOWN)
    use(endpoint)
    return endpoint


def use(endpoint: Endpoint) -> None:
    """Make this process see that emulator alone.

    boto3 reads more from the environment than arguments can undo (profiles above all), so it gets another one.
    """
    environment = endpoint.environment()
    os.environ.clear()
    os.environ.update(environment)
