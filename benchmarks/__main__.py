"""Runs the benchmarks: all of them one after another, or those named.

make bench
make bench ONLY="transform growth"
python -m benchmarks backfill
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from typing import Final

BENCHMARKS: Final = ("transform", "growth", "backfill", "contention", "rebuild", "cold_start", "query", "report")


def main() -> None:
    """Run them, each under its heading. One that fails ends the run with its error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which, of {', '.join(BENCHMARKS)} (default: all)")
    names = parser.parse_args().names or BENCHMARKS
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        began = time.monotonic()
        print(f"## {name}\n", flush=True)
        import_module(f"benchmarks.{name}").main([])
        print(f"\n({name} took {time.monotonic() - began:.0f} s)\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
