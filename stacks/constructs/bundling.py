"""Lambda assets without Docker: the function's own files, the core, and its locked dependencies, installed by uv.

An asset's hash is that of its sources, its lock file and its target, never of installed bytes: the same on every
machine, and another only for the functions that a change touches.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from lambdas.core.errors import ConfigurationError

PACKAGE = "lambdas"
SHARED = "core"
_FORMAT = b"1"
"""Part of every hash: raised when the way of bundling changes what comes out of it."""
_NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "tests", "requirements.in", "requirements.txt")
_UV_SECONDS = 300


@dataclass(frozen=True)
class BundleTarget:
    """What an asset is installed for.

    `uv_arguments` make uv choose its wheels instead of this machine's; `name` tells targets apart.
    """

    name: str
    uv_arguments: tuple[str, ...]


AWS_TARGET = BundleTarget(
    # Lambda's Python 3.14 runs on Amazon Linux 2023, which has glibc 2.34; wheels are built for 2.28 at most.
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
    name="aarch64-manylinux_2_28-cp314",
    uv_arguments=("--python-platform", "aarch64-manylinux_2_28", "--python-version", "3.14"),
)


def host_target() -> BundleTarget:
    """This machine and this Python: what the emulator runs functions with."""
    return BundleTarget(
        name=f"{sys.platform}-{platform.machine()}-cp{sys.version_info.major}{sys.version_info.minor}",
        uv_arguments=(),
    )


@dataclass(frozen=True)
class FunctionBundle:
    """The asset of one function.

    `project` is the folder that holds `lambdas/`, `function` the package in it. `ships` are further folders of the
    project whose files the function reads. Installed dependencies are kept under `cache`, so that they are installed
    once for any lock file and target.
    """

    project: Path
    function: str
    target: BundleTarget
    cache: Path
    ships: tuple[str, ...] = ()

    @property
    def requirements(self) -> Path:
        """The function's lock file: every dependency pinned, with hashes."""
        return self.project / PACKAGE / self.function / "requirements.txt"

    def sources(self) -> Iterator[Path]:
        """The project's own files in the asset, in order."""
        package = self.project / PACKAGE
        yield package / "__init__.py"
        for folder in (package / SHARED, package / self.function, *(self.project / name for name in self.ships)):
            for path in sorted(folder.rglob("*")):
                inside = path.relative_to(folder.parent)
                if path.is_file() and not any(_NOT_SHIPPED("", [part]) for part in inside.parts):
                    yield path

    def asset_hash(self) -> str:
        """SHA-256 over names and contents of all that the asset is made from."""
        digest = hashlib.sha256(_FORMAT + self.target.name.encode())
        for path in (*self.sources(), self.requirements):
            content = path.read_bytes()
            digest.update(f"\0{path.relative_to(self.project).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()

    def install_dependencies(self) -> Path:
        """The folder of installed dependencies, from the cache or fresh.

        Raises ConfigurationError if uv is missing or cannot install what the lock file says.
        """
        key = hashlib.sha256(_FORMAT + self.target.name.encode() + b"\0" + self.requirements.read_bytes()).hexdigest()
        installed = self.cache / key
        if installed.is_dir():
            return installed
        self.cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{self.function}-", dir=self.cache))
        try:
            self._install(fresh)
            try:
                # At once or not at all: another synth may be looking.
                fresh.rename(installed)
            except OSError:
                if not installed.is_dir():
                    raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return installed

    def write(self, destination: Path) -> None:
        """Put the whole asset into a folder. Raises ConfigurationError as `install_dependencies` does."""
        shutil.copytree(self.install_dependencies(), destination, dirs_exist_ok=True)
        for path in self.sources():
            copied = destination / path.relative_to(self.project)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)

    def code(self, *, bundling_required: bool) -> lambda_.Code:
        """The asset as CDK takes it.

        With `bundling_required` its dependencies are installed now, so that a failure is one line here and not a stack
        trace out of CDK's own callback. Raises ConfigurationError as `install_dependencies` does.
        """
        if bundling_required:
            self.install_dependencies()
        return lambda_.Code.from_asset(
            str(self.project / PACKAGE),
            asset_hash=self.asset_hash(),
            asset_hash_type=AssetHashType.CUSTOM,
            bundling=BundlingOptions(
                # Never pulled: `_LocalBundling` does the work, or raises.
                image=DockerImage.from_registry("none"),
                local=_LocalBundling(self),
            ),
        )

    def _install(self, folder: Path) -> None:
        command = [
            *(find_uv(), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder)),
            *("--requirements", str(self.requirements), "--require-hashes", "--no-deps", "--only-binary", ":all:"),
            # Bytecode is Python's own, per version: the runtime's is not ours. Links would tie the asset to uv's cache.
            *("--no-compile-bytecode", "--link-mode", "copy"),
            *self.target.uv_arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_UV_SECONDS, check=False)
        if done.returncode:
            reason = " ".join(done.stderr.split()) or f"uv ended with {done.returncode}"
            raise ConfigurationError(
                f"the dependencies of the {self.function} function cannot be installed for {self.target.name}: {reason}"
            )
        for left_over in (folder / ".lock", folder / "bin"):
            if left_over.is_dir():
                shutil.rmtree(left_over)
            else:
                left_over.unlink(missing_ok=True)
        folder.chmod(0o755)


@jsii.implements(ILocalBundling)
class _LocalBundling:
    """CDK's hook: called once for an asset that is not in the assembly yet."""

    def __init__(self, bundle: FunctionBundle) -> None:
        self._bundle = bundle

    def try_bundle(self, output_dir: str, options: Any = None, **_: Any) -> bool:  # noqa: ARG002 - CDK's signature
        """Write the asset. Never answers False, which would make CDK try Docker."""
        self._bundle.write(Path(output_dir))
        return True


def find_uv() -> str:
    """The uv that was installed with this Python, or else the one on PATH. Raises ConfigurationError without either."""
    beside = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise ConfigurationError(
            f"uv, which installs the functions' dependencies, is neither beside {sys.executable} nor on PATH: "
            "run `make setup`"
        )
    return found
