"""What a figure was measured on, and how much memory a process took."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path


def machine(*distributions: str) -> str:
    """One line: the processor, the Python, and the versions of what the benchmark rests on."""
    cpus = Path("/proc/cpuinfo")
    names = [line.partition(": ")[2] for line in cpus.read_text("utf-8").splitlines() if line.startswith("model name")]
    processor = f"{len(names)} cores of {names[0]}" if names else platform.processor() or platform.machine()
    versions = [f"{name} {version(name)}" for name in distributions]
    return ", ".join(
        [processor, f"{platform.system()} {platform.machine()}", f"Python {platform.python_version()}", *versions]
    )


def most_resident() -> float:
    """The most memory this process ever had resident, in MiB (VmHWM of Linux: ru_maxrss counts the parent's)."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (kibibytes,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kibibytes) / 1024
