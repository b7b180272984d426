#!/usr/bin/env python3
"""The CDK app: one stage for each that `cdk.json` names, or for those that `-c stages=dev,prod` picks.

`-c spotify_endpoint=http://127.0.0.1:8080` points the emulated stages at a stand-in for Spotify. Synthesis needs no AWS
account, no credentials, no Docker, and no network once the functions' dependencies are cached.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk

from lambdas.core.errors import ConfigurationError
from lambdas.core.queries import read_queries
from lambdas.core.views import read_views
from stacks.checks import add_checks, synthesize
from stacks.config import StageConfig, load_stages, select_stage
from stacks.stage import PipelineStage

PROJECT = Path(__file__).resolve().parent
_ENDPOINT = re.compile(r"https?://[^/\s]+/?")


def build(app: cdk.App, stages: Mapping[str, StageConfig]) -> list[PipelineStage]:
    """Add the stages that are picked to the app, and the checks that watch over them.

    Raises ConfigurationError for a bad query, view or `-c` value.
    """
    # What `-c stages=` gives hides what the file holds under that name, which is why `main` reads the file itself.
    picked = app.node.try_get_context("stages")
    names = [name.strip() for name in picked.split(",")] if isinstance(picked, str) else list(stages)
    endpoint = app.node.try_get_context("spotify_endpoint")
    if endpoint is not None and not (isinstance(endpoint, str) and _ENDPOINT.fullmatch(endpoint)):
        raise ConfigurationError(f"spotify_endpoint: {endpoint!r} is not an address: give http://127.0.0.1:<port>")
    configs = [select_stage(stages, name) for name in names]
    queries, views = read_queries(PROJECT / "queries"), read_views(PROJECT / "queries" / "views")
    add_checks(app)
    return [PipelineStage(app, config, queries=queries, views=views, spotify_endpoint=endpoint) for config in configs]


def context() -> dict[str, object]:
    """The context in `cdk.json`: the CDK CLI passes it, and so do we, for `python3 app.py` alone."""
    held: dict[str, object] = json.loads((PROJECT / "cdk.json").read_text("utf-8")).get("context", {})
    return held


def main() -> None:
    """Synthesize. A mistake in the configuration is one line and exit code 1, as is a template that fails a check."""
    try:
        stages = load_stages(PROJECT / "cdk.json")
        app = cdk.App(context=context())
        build(app, stages)
        synthesize(app)
    except ConfigurationError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
