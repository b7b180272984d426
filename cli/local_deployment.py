"""What is deployed to the emulator, and deploying it with the real CDK command line."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from cli import cdk
from cli.command_name import REPOSITORY
from cli.local_state import state_dir
from cli.output import step
from cli.stage import LOCAL, PARTS, Stage

if TYPE_CHECKING:
    from local.emulator.lifecycle import Endpoint

_SHAPING_FILES = ("app.py", "cdk.json", "package-lock.json", "requirements.txt")
_SHAPING_FOLDERS = ("stacks", "lambdas", "queries")
"""Everything that the templates and the functions' assets are made from."""

_SYNTH_SECONDS = 300
_BOOTSTRAP_SECONDS = 180
_DEPLOY_SECONDS = 420
_SETTLE_SECONDS = 60
_SETTLE_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Deployment:
    """What is deployed to the running emulator. Kept in the emulator's own folder, which goes when it goes."""

    fingerprint: str
    spotify: str

    @staticmethod
    def _file() -> Path:
        return state_dir() / "emulator" / "deployment.json"

    @classmethod
    def read(cls) -> Deployment | None:
        """The last deployment that was completed, or None."""
        try:
            return cls(**json.loads(cls._file().read_text("utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self) -> None:
        """Keep it."""
        draft = self._file().with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)), "utf-8")
        draft.replace(self._file())

    @classmethod
    def forget(cls) -> None:
        """From now on, until `write`, nothing is known to be deployed whole."""
        cls._file().unlink(missing_ok=True)


def fingerprint(repository: Path = REPOSITORY) -> str:
    """A digest of everything that shapes the templates and the functions, and of the Python that bundles them."""
    digest = hashlib.sha256(f"{sys.implementation.cache_tag} {sys.prefix}".encode())
    files = [repository / name for name in _SHAPING_FILES]
    for folder in _SHAPING_FOLDERS:
        files += sorted((repository / folder).rglob("*"))
    for file in files:
        if not file.is_file() or "__pycache__" in file.parts:
            continue
        content = file.read_bytes()
        digest.update(f"\n{file.relative_to(repository)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def deploy(endpoint: Endpoint, wanted: Deployment, *, bootstrap: bool) -> None:
    """Synthesize and deploy the stacks to the emulator. Raises CdkFailed."""
    log = state_dir() / "cdk.log"
    log.write_bytes(b"")
    assembly = str(state_dir() / "cdk.out")
    env = endpoint.environment() | {"CI": "true"}
    # The templates' own validation takes seconds; the tests make it, and AWS stages have it on.
    synth = ["synth", "--quiet", "--no-validation", "--output", assembly]
    synth += ["-c", f"stages={LOCAL}", "-c", f"spotify_endpoint={wanted.spotify}"]
    with cdk.started(synth, env=env, cwd=REPOSITORY, log=log, deadline_seconds=_SYNTH_SECONDS) as synthesis:
        if bootstrap:
            # Beside the synthesis, which it does not need: away from cdk.json it starts no app.
            _run(
                ["bootstrap", f"aws://{endpoint.account}/{endpoint.region}"],
                label="bootstrap CDK (cdk bootstrap)",
                env=env,
                cwd=state_dir(),
                log=state_dir() / "cdk-bootstrap.log",
                deadline_seconds=_BOOTSTRAP_SECONDS,
            )
        with step("synthesize and bundle the stacks (cdk synth)"):
            synthesis.finish()
    _run(
        ["deploy", f"{LOCAL}/**", "--app", assembly, "--require-approval", "never", "--progress", "events"],
        label="deploy the stacks (cdk deploy)",
        env=env,
        cwd=REPOSITORY,
        log=log,
        deadline_seconds=_DEPLOY_SECONDS,
    )


def _run(
    arguments: Sequence[str], *, label: str, env: Mapping[str, str], cwd: Path, log: Path, deadline_seconds: float
) -> None:
    with (
        step(label),
        cdk.started(arguments, env=env, cwd=cwd, log=log, deadline_seconds=deadline_seconds) as command,
    ):
        command.finish()


def settled(stage: Stage) -> bool:
    """Wait until no stack of a deployment that was broken off is still being worked on; False if that does not end."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    names = ["CDKToolkit", *(stage.config.stack_name(part) for part in PARTS)]
    while any(_is_in_progress(stage, name) for name in names):
        if time.monotonic() > deadline:
            return False
        time.sleep(_SETTLE_PAUSE_SECONDS)
    return True


def _is_in_progress(stage: Stage, stack: str) -> bool:
    try:
        status = stage.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return False
    except BotoCoreError:
        return True
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
