"""What a cold start costs: CPU of a new interpreter up to each function's first event, and the largest imports.

    make bench ONLY=cold_start

Functions are found by their handlers, so one that is added is measured. Each is started as Lambda does: its module is
imported, and the clients of AWS that it makes are made. pandas with the same S3 client is measured beside them, round
by round. CPU is the child's, user and system, less that of an interpreter that does nothing. What a package's imports
take is what `python -X importtime` tells of all its modules (wall time, the least of three runs).
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import machine

REPOSITORY = Path(__file__).parents[1]
_MODULE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)")
_LARGEST = 5
_IMPORT_RUNS = 3
_CLIENT = "boto3 and its S3 client alone"
_S3 = "import boto3; boto3.client('s3', region_name='us-east-1')"
_SSM = "boto3.client('ssm', region_name='us-east-1')"


def functions() -> list[str]:
    """The names of all functions."""
    return sorted(handler.parent.name for handler in (REPOSITORY / "lambdas").glob("*/handler.py"))


def statement_of(function: str) -> str:
    """What a function runs before its first event: its imports, an S3 client, and SSM's where it asks that."""
    text = (REPOSITORY / "lambdas" / function / "handler.py").read_text("utf-8")
    ssm = f"; {_SSM}" if '"ssm"' in text else ""
    return f"import lambdas.{function}.handler; {_S3}{ssm}"


def start(statement: str, *options: str) -> tuple[float, str]:
    """CPU milliseconds of a new interpreter that runs a statement, and what it said on standard error."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *options, "-c", statement], check=True, capture_output=True, text=True, cwd=REPOSITORY
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000, done.stderr


def packages(importtime: str) -> dict[str, float]:
    """Milliseconds that the modules of each package took to import, by what `-X importtime` printed."""
    found: dict[str, float] = {}
    for own, _, _, module in _MODULE.findall(importtime):
        package = module.partition(".")[0]
        found[package] = found.get(package, 0) + int(own) / 1000
    return found


def import_times(statement: str) -> dict[str, float]:
    """Milliseconds that each package's modules take to import."""
    runs = [packages(start(statement, "-X", "importtime")[1]) for _ in range(_IMPORT_RUNS)]
    return {package: min(run.get(package, 0.0) for run in runs) for package in runs[0]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="new interpreters of each kind (default: 9)")
    options = parser.parse_args(arguments)
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    statements = {
        "bare": "pass",
        _CLIENT: _S3,
        **{function: statement_of(function) for function in functions()},
        "pandas and the S3 client": f"import pandas; {_S3}",
    }
    for statement in statements.values():
        start(statement)
    rounds = [{name: start(statement)[0] for name, statement in statements.items()} for _ in range(options.rounds)]
    bare = statistics.median(each["bare"] for each in rounds)
    print(machine("boto3", "msgspec", "arro3-core", "spotipy", "pandas"))
    spent_on = f"CPU ms, less the bare interpreter's {bare:.0f}"
    print(f"\n| up to its first event | {spent_on} | of that not boto3's | largest imports, ms |")
    print("|---|---|---|---|")
    client = statistics.median(each[_CLIENT] - each["bare"] for each in rounds)
    for name, statement in statements.items():
        if name == "bare":
            continue
        spent = statistics.median(each[name] - each["bare"] for each in rounds)
        largest = sorted(import_times(statement).items(), key=lambda item: -item[1])
        told = ", ".join(f"{package} {taken:.0f}" for package, taken in largest[:_LARGEST])
        print(f"| {name} | {spent:.0f} | {spent - client:.0f} | {told} |", flush=True)


if __name__ == "__main__":
    main()
