"""Lambda workers run in an interpreter that holds only what AWS's Python runtime holds.

MiniStack would start them with its own interpreter, whose site-packages have everything a developer has, so a
dependency missing from a function's asset would go unnoticed until AWS.
"""

from __future__ import annotations

from pathlib import Path

from ministack.core import lambda_runtime  # type: ignore[import-untyped]


def install(interpreter: Path) -> None:
    """Start every Python function's worker with `interpreter`, whatever 3.x its Runtime property names."""
    original = lambda_runtime._detect_runtime_binary

    def detect(runtime: str) -> tuple[str, str]:
        binary, script = original(runtime)
        return (str(interpreter) if runtime.startswith("python") else binary), script

    lambda_runtime._detect_runtime_binary = detect
