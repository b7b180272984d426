#!/usr/bin/env python3
"""`template_diff.py BASE HEAD`: what changed between two cloud assemblies, as Markdown for a comment.

Needs the standard library alone. Hashes of assets are masked: that a function's code changed is seen in the diff of the
code. First what was added, taken away and changed, then the lines. What takes data away or changes permissions is
marked, for that is what a reviewer must not miss.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

LIMIT: Final = 60_000
"""Characters of the comment; GitHub takes 65,536."""
_HASH = re.compile(r"[0-9a-f]{64}")
_MASK = "<asset-hash>"
_PERMISSIONS = re.compile(r"Policy$|^AWS::IAM::|^AWS::Lambda::Permission$")
_STATEFUL = ("AWS::S3::Bucket", "AWS::Glue::Database", "AWS::SQS::Queue", "AWS::Logs::LogGroup")

Templates = Mapping[str, Mapping[str, Any]]


def read_templates(folder: Path) -> dict[str, dict[str, Any]]:
    """The templates of an assembly and those nested in it, by the stack's name, with the hashes of assets masked."""
    found = {}
    for path in folder.rglob("manifest.json"):
        for artifact in json.loads(path.read_text("utf-8")).get("artifacts", {}).values():
            if artifact["type"] == "aws:cloudformation:stack":
                text = (path.parent / artifact["properties"]["templateFile"]).read_text("utf-8")
                found[artifact["properties"]["stackName"]] = json.loads(_HASH.sub(_MASK, text))
    return found


def render(base: Templates, head: Templates) -> str:
    """The comment."""
    summary: list[str] = []
    lines: list[str] = []
    for stack in sorted({*base, *head}):
        was, now = base.get(stack, {}), head.get(stack, {})
        if was == now:
            continue
        summary += [f"- `{stack}`: {change}" for change in _changes(was, now)]
        lines += difflib.unified_diff(_lines(was), _lines(now), f"base/{stack}", f"pull request/{stack}", "", "", 3, "")
    if not lines:
        return f"### Templates\n\nNo template changes, of {len(head)} stacks.\n"
    return _within_limit(summary, lines)


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    before, after = was.get("Resources", {}), now.get("Resources", {})
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        kind = (new or old)["Type"]
        what = "adds" if old is None else "**takes away**" if new is None else "changes"
        replaced = old is not None and new is not None and old["Type"] != new["Type"]
        marks = []
        if _PERMISSIONS.search(kind):
            marks.append("permissions")
        if kind in _STATEFUL and (new is None or replaced):
            marks.append("data")
        yield f"{what} {kind} `{name}`" + (f" — look at the **{' and '.join(marks)}**" if marks else "")
    for section in sorted({*was, *now} - {"Resources"}):
        if was.get(section) != now.get(section):
            yield f"changes the section {section}"


def _lines(template: Mapping[str, Any]) -> list[str]:
    return json.dumps(template, indent=1, sort_keys=True, ensure_ascii=False).splitlines() if template else []


def _within_limit(summary: list[str], lines: list[str]) -> str:
    # A fence longer than any run of backticks within it.
    fence = "`" * (3 + max(map(len, re.findall("`+", "\n".join(lines))), default=0))
    shown = _first(summary, LIMIT // 2)
    parts = ["### Templates", "", *shown, "", "<details><summary>Lines</summary>", "", f"{fence}diff"]
    room = LIMIT - sum(len(part) + 1 for part in parts) - 200
    parts += [*_first(lines, room), fence, "", "</details>", ""]
    return "\n".join(parts)


def _first(lines: list[str], room: int) -> list[str]:
    """As many lines as there is room for, and how many there are more."""
    for count, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return [*lines[:count], f"... and {len(lines) - count} lines more: synthesize both sides to see them"]
    return lines


def main(arguments: list[str]) -> int:
    """Print the comment; 2 and one line if a folder holds no templates."""
    if len(arguments) != 2:
        print("usage: template_diff.py BASE HEAD, two folders that `cdk synth --output` wrote", file=sys.stderr)
        return 2
    sides = []
    for folder in map(Path, arguments):
        templates = read_templates(folder)
        if not templates:
            print(f"{folder}: holds no stack: run `cdk synth --output {folder}` first", file=sys.stderr)
            return 2
        sides.append(templates)
    print(render(*sides), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
