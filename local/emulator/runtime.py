"""The virtual environment Lambda workers run in: what AWS's Python runtime carries, and nothing else.

AWS lists boto3 and what it needs (https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html); the exact set is
locked, with hashes, in local/lambda-runtime.txt.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from local.emulator.errors import EmulatorError

LOCK = Path(__file__).resolve().parent.parent / "lambda-runtime.txt"


def ensure(folder: Path, *, on_progress: Callable[[str], None]) -> Path:
    """The environment's interpreter, made anew when the lock or the Python that makes it has changed.

    Takes about two seconds from uv's cache. Raises EmulatorError when the packages cannot be installed.
    """
    interpreter = folder / "bin" / "python"
    fingerprint = folder / "fingerprint"
    wanted = _fingerprint()
    if interpreter.exists() and fingerprint.exists() and fingerprint.read_text() == wanted:
        return interpreter
    on_progress(f"making the Lambda runtime's environment ({len(_pins())} packages, about 16 MB)")
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--quiet", "--no-project", "--python", sys.executable, str(folder))
    _uv(
        "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:",
        "--python", str(interpreter), "--requirement", str(LOCK),
    )  # fmt: skip
    fingerprint.write_text(wanted)
    return interpreter


def _pins() -> list[str]:
    return [line for line in LOCK.read_text().splitlines() if "==" in line]


def _fingerprint() -> str:
    text = f"{platform.python_implementation()} {platform.python_version()} {os.path.realpath(sys.executable)}\n"
    return hashlib.sha256(text.encode() + LOCK.read_bytes()).hexdigest()


def _uv(*arguments: str) -> None:
    beside = Path(sys.executable).parent / "uv"
    program = str(beside) if beside.exists() else shutil.which("uv")
    if program is None:
        raise EmulatorError("uv is not installed beside this Python: run `make setup`")
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EmulatorError(
            f"the Lambda runtime's environment cannot be made (uv {arguments[0]} failed): check the connection to your "
            "package registry and try again",
            details=done.stderr.strip(),
        )
