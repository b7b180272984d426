"""A Trino server on this machine: fetched by Maven, with a catalog of files, stopped when done."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "476"
_ARTIFACT = f"io.trino:trino-server:{VERSION}:tar.gz"
_OLDEST_JAVA = 24
_START_SECONDS = 240
_QUERY_SECONDS = 120

_CONFIG = """coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
"""
_NODE = """node.environment=test
node.id=one
node.data-dir={folder}/data
node.bind-ip=127.0.0.1
node.internal-address=127.0.0.1
"""
_JVM = """-server
-Xmx2G
-XX:+UseSerialGC
-Djdk.attach.allowAttachSelf=true
--add-modules=jdk.incubator.vector
"""
_HIVE = """connector.name=hive
hive.metastore=file
hive.metastore.catalog.dir=local:///metastore
fs.native-local.enabled=true
local.location={folder}/lake
"""


class CannotRun(Exception):
    """Trino cannot run here; the text says what it lacks."""


class TrinoError(Exception):
    """Trino refused or failed a statement: its error's name and message."""


@dataclass(frozen=True)
class Rows:
    """An answer: columns' names and types in Trino's words, and rows as its protocol writes them in JSON."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[Any]]


@dataclass(frozen=True)
class Trino:
    """A server that is up. `lake` is the folder that `local:///` means."""

    address: str
    lake: Path

    def run(self, sql: str, parameters: Sequence[str] = ()) -> Rows:
        """The answer to a statement, its `?` filled by SQL literals as Athena fills them. Raises TrinoError."""
        if parameters:
            text = "'" + sql.replace("'", "''") + "'"
            sql = f"EXECUTE IMMEDIATE {text} USING {', '.join(parameters)}"
        headers = {"X-Trino-User": "test", "X-Trino-Catalog": "hive", "X-Trino-Schema": "warehouse"}
        page = _json(urllib.request.Request(f"{self.address}/v1/statement", data=sql.encode(), headers=headers))
        columns: list[dict[str, Any]] = []
        rows: list[list[Any]] = []
        deadline = time.monotonic() + _QUERY_SECONDS
        while True:
            if "error" in page:
                raise TrinoError(f"{page['error']['errorName']}: {page['error']['message']}")
            columns = page.get("columns") or columns
            rows += page.get("data") or []
            if "nextUri" not in page:
                break
            if time.monotonic() > deadline:
                raise TrinoError(f"no answer within {_QUERY_SECONDS} s")
            page = _json(urllib.request.Request(page["nextUri"]))
        return Rows(tuple(c["name"] for c in columns), tuple(c["type"] for c in columns), rows)


@contextmanager
def serve(folder: Path) -> Iterator[Trino]:
    """A server whose configuration, data and lake lie in `folder`. Raises CannotRun."""
    java, home = find_java(), find_server()
    etc, lake = folder / "etc", folder / "lake"
    (etc / "catalog").mkdir(parents=True)
    lake.mkdir()
    port = _free_port()
    (etc / "config.properties").write_text(_CONFIG.format(port=port))
    (etc / "node.properties").write_text(_NODE.format(folder=folder))
    (etc / "jvm.config").write_text(_JVM)
    (etc / "catalog" / "hive.properties").write_text(_HIVE.format(folder=folder))
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(home / "bin" / "launcher"), "-etc-dir", str(etc), "-data-dir", str(folder / "data"), "run"],
            env={**os.environ, "PATH": f"{java}/bin:{os.environ['PATH']}", "JAVA_HOME": str(java)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Trino(_wait(process, f"http://127.0.0.1:{port}", folder / "server.log"), lake)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def find_java() -> Path:
    """The home of a Java that runs Trino: JAVA_HOME, else that of `java` on the path, else one of /usr/lib/jvm."""
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if (found := shutil.which("java")) is not None:
        candidates.append(Path(found).resolve().parent.parent)
    candidates += sorted(Path("/usr/lib/jvm").glob("*"), reverse=True)
    for home in candidates:
        release = home / "release"
        version = release.read_text().partition('JAVA_VERSION="')[2] if release.is_file() else ""
        major = version.partition(".")[0].partition('"')[0]
        if major.isdecimal() and int(major) >= _OLDEST_JAVA and (home / "bin" / "java").is_file():
            return home
    raise CannotRun(f"Trino {VERSION} needs Java {_OLDEST_JAVA} or later: install it, or set JAVA_HOME")


def find_server() -> Path:
    """The unpacked server: TRINO_HOME, else Maven's copy, unpacked once into .local/trino (0.8 GB)."""
    if os.environ.get("TRINO_HOME"):
        return Path(os.environ["TRINO_HOME"])
    parent = Path(__file__).resolve().parents[2] / ".local" / "trino"
    home = parent / f"trino-server-{VERSION}"
    if home.is_dir():
        return home
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotRun(
            f"Trino is fetched by Maven: install mvn, or set TRINO_HOME to an unpacked trino-server-{VERSION}"
        )
    print(f"fetching {_ARTIFACT} (0.8 GB, once)", flush=True)
    environment = {**os.environ, "JAVA_HOME": str(find_java())}
    for goal in (
        ["dependency:get", f"-Dartifact={_ARTIFACT}", "-Dtransitive=false"],
        ["dependency:copy", f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={parent}"],
    ):
        done = subprocess.run([maven, "-q", *goal], env=environment, check=False)
        if done.returncode:
            raise CannotRun(f"mvn {goal[0]} failed (exit code {done.returncode}), see above")
    archive = parent / f"trino-server-{VERSION}.tar.gz"
    unpacking = parent / "unpacking"
    shutil.rmtree(unpacking, ignore_errors=True)
    unpacking.mkdir()
    # Of its plugins only the one that reads Hive tables: a third of the bytes.
    wanted = [f"trino-server-{VERSION}/{part}" for part in ("bin", "lib", "plugin/hive")]
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(unpacking), *wanted], check=True)
    (unpacking / home.name).rename(home)
    archive.unlink()
    return home


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CannotRun(f"Trino ended as it started (exit code {process.returncode}):\n{_tail(log)}")
        try:
            if _json(urllib.request.Request(f"{address}/v1/info")).get("starting") is False:
                return address
        except (urllib.error.URLError, ConnectionError, TrinoError):
            pass
        time.sleep(0.5)
    raise CannotRun(f"Trino did not start within {_START_SECONDS} s:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])


def _json(request: urllib.request.Request) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(request, timeout=_QUERY_SECONDS) as response:
            held: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        raise TrinoError(f"HTTP {error.code}: {error.read().decode('utf-8', 'replace')[:500]}") from error
    return held


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
