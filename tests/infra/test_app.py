"""The app as the CDK CLI runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest

import app
from lambdas.core.errors import ConfigurationError
from stacks.config import load_stages
from tests.infra.templates import AS_FOR_TESTS, PROJECT, Synthesis


def _run_app(outdir: Path, **context: object) -> subprocess.CompletedProcess[str]:
    """`python3 app.py` as the CLI calls it, in an environment without AWS, and with the ways to a network cut off."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", str(outdir)),
        "CDK_OUTDIR": str(outdir),
        "CDK_CONTEXT_JSON": json.dumps({**AS_FOR_TESTS, **context}),
        "CDK_VALIDATION": "false",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    }
    if "JSII_NODE" in os.environ:
        environment["JSII_NODE"] = os.environ["JSII_NODE"]
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_all_stages_synthesize_without_aws_without_credentials_and_without_a_network(tmp_path: Path) -> None:
    done = _run_app(tmp_path)
    assert done.returncode == 0, done.stderr
    stages = load_stages(PROJECT / "cdk.json")
    for stage in stages:
        manifest = json.loads((tmp_path / f"assembly-{stage}" / "manifest.json").read_text())
        # What CDK would have to ask AWS for.
        assert "missing" not in manifest
    assert len(list(tmp_path.glob("assembly-*/*.template.json"))) == 3 * len(stages)


def test_a_mistake_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    done = _run_app(tmp_path, stages="dev,live")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1:] == ["error: there is no stage 'live': use one of local, dev, staging, prod"]
    assert "Traceback" not in done.stderr


def test_stages_can_be_picked() -> None:
    stages = load_stages({"dev": {}, "prod": {}})
    picked = app.build(cdk.App(context={"stages": " prod", **AS_FOR_TESTS}, analytics_reporting=False), stages)
    assert [stage.node.id for stage in picked] == ["prod"]


@pytest.mark.parametrize("endpoint", ["127.0.0.1:80", "ftp://127.0.0.1", "http://", 80])
def test_a_stand_in_needs_an_address(endpoint: object) -> None:
    with pytest.raises(ConfigurationError, match="spotify_endpoint: .* is not an address"):
        app.build(cdk.App(context={"spotify_endpoint": endpoint}, analytics_reporting=False), load_stages({"dev": {}}))


def test_account_and_region_may_be_fixed(tmp_path: Path) -> None:
    config = load_stages({"dev": {"account": "123456789012", "region": "eu-north-1"}})
    (stage,) = app.build(cdk.App(context=AS_FOR_TESTS, outdir=str(tmp_path), analytics_reporting=False), config)
    assert (stage.compute.account, stage.compute.region) == ("123456789012", "eu-north-1")


def test_the_cdk_flags_are_all_set_so_that_no_upgrade_changes_a_template_unseen() -> None:
    context = app.context()
    flags = {name: value for name, value in context.items() if name.startswith("@aws-cdk")}
    # Two differ from what CDK recommends. Weak references are resolved by CloudFormation at deploy time, where strong
    # ones stop a stack from taking away what another uses; additional metadata is for CDK's own telemetry.
    assert flags.pop("@aws-cdk/core:defaultCrossStackReferences") == "strong"
    assert flags.pop("@aws-cdk/core:enableAdditionalMetadataCollection") is False
    assert flags.pop("@aws-cdk/core:target-partitions") == ["aws", "aws-cn"]
    assert len(flags) > 75
    assert set(flags.values()) == {True}


def test_cfn_lint_finds_nothing(synthesis: Synthesis) -> None:
    done = subprocess.run(
        # W3005: CDK writes DependsOn where a reference already says so.
        [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", "W3005", "--", *map(str, synthesis.files)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(synthesis.files) == 3 * len(synthesis.stages)
