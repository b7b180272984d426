"""The local stage as a user has it: the `etl` command in a process of its own, with a state folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.core.keys import REPORT_PREFIX
from local.emulator import lifecycle
from tests.payloads import REPOSITORY

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_SECONDS = 300


@dataclass(frozen=True)
class Etl:
    """The command over one state folder, of this repository or of a copy."""

    state: Path
    repository: Path = REPOSITORY

    def __call__(self, *arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `etl` with these arguments, as a user would from another folder; a traceback is never right."""
        done = subprocess.run(
            self._words(arguments),
            cwd=self.state,
            env=self._environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done

    def begin(self, *arguments: object) -> subprocess.Popen[str]:
        """Start `etl` with these arguments, for a test that answers it."""
        return subprocess.Popen(
            self._words(arguments),
            cwd=self.state,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def _words(arguments: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-P", "-m", "cli", *map(str, arguments)]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.repository), "ETL_STATE_DIR": str(self.state)}

    def succeed(self, *arguments: object) -> str:
        """The standard output of a command that must succeed."""
        done = self(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fail(self, *arguments: object) -> str:
        """The one line on standard error of a command that must fail with exit code 1."""
        done = self(*arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith("etl: ")]
        assert len(lines) == 1, done.stderr
        return lines[0]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What `etl query SQL --format json` prints."""
        answer: list[dict[str, Any]] = json.loads(self.succeed("query", sql, "--format", "json"))
        return answer

    @property
    def s3(self) -> S3Client:
        """A client of the stage's emulator."""
        endpoint = lifecycle.running(self.state)
        assert endpoint is not None
        client: S3Client = endpoint.client("s3")
        return client

    def bucket(self, kind: str) -> str:
        """The name of the stage's bucket whose name holds `kind`: raw or warehouse."""
        (name,) = [
            bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"] if f"storage-{kind}" in bucket["Name"]
        ]
        return name

    def objects(self, kind: str) -> dict[str, bytes]:
        """Every object of a bucket, but for reports: they are made in their own time."""
        s3, bucket = self.s3, self.bucket(kind)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        keys = [key for key in keys if not key.startswith(REPORT_PREFIX)]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def invoke(self, function: str, event: object) -> Any:
        """What a function of the stage (Extract, Transform) answers to an event; it must not fail."""
        endpoint = lifecycle.running(self.state)
        assert endpoint is not None
        (stack,) = endpoint.client("cloudformation").describe_stacks(StackName="spotify-etl-local-compute")["Stacks"]
        (name,) = [out["OutputValue"] for out in stack["Outputs"] if out["OutputKey"] == f"{function}FunctionName"]
        answer = endpoint.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def control_spotify(self, method: str, path: str, body: object = None) -> Any:
        """Ask something of the Spotify stand-in's control endpoint."""
        record = json.loads((self.state / "spotify.json").read_text("utf-8"))
        request = urllib.request.Request(
            f"{record['facts']['url']}/_control/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextmanager
def local_stage(state: Path) -> Iterator[Etl]:
    """A local stage, deployed, in a folder of its own."""
    command = Etl(state)
    try:
        command.succeed("up")
        yield command
    finally:
        command("down")


@pytest.fixture(scope="session")
def etl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etl]:
    """The local stage, deployed once for the session."""
    with local_stage(tmp_path_factory.mktemp("stage")) as command:
        yield command
