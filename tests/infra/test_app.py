"""The app as the CDK CLI runs it."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
import pytest

import app
from lambdas.core.errors import ConfigurationError
from stacks.config import load_stages
from tests.infra.templates import (
    AS_FOR_TESTS,
    MISTAKE,
    PACKS,
    PARTS,
    PROJECT,
    Beside,
    Synthesis,
    read_findings,
)


def test_a_mistake_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "context", lambda: {**AS_FOR_TESTS, "stages": "dev,live"})
    with pytest.raises(SystemExit) as ended:
        app.main()
    # Python prints it, and ends with 1.
    assert ended.value.code == "error: there is no stage 'live': use one of local, dev, staging, prod"


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


def test_cfn_lint_finds_nothing(synthesis: Synthesis, linted: Beside) -> None:
    code, said = linted.wait()
    assert code == 0, said
    assert len(synthesis.files) == len(PARTS) * len(synthesis.stages)


def test_all_stages_synthesize_without_aws_and_a_network_and_cdks_own_validation_has_nothing_against_them(
    validated: Beside,
) -> None:
    code, said = validated.wait()
    # Nobody would hear of a validation that does not run, or only warns: hence one stack that it must refuse.
    assert code == 1, said
    # CDK's own lines come from a process of its own, and on a busy machine the last of them after ours.
    assert "\nerror: the templates do not pass their checks: " in said
    assert "Traceback" not in said
    refused = {
        finding.path
        for plugin, findings in read_findings(validated.folder).items()
        if plugin not in PACKS
        for finding in findings
    }
    assert refused == {f"{MISTAKE}/Queue"}
    stages = load_stages(PROJECT / "cdk.json")
    for stage in stages:
        manifest = json.loads((validated.folder / f"assembly-{stage}" / "manifest.json").read_text())
        # What CDK would have to ask AWS for.
        assert "missing" not in manifest
    assert len(list(validated.folder.glob("assembly-*/*.template.json"))) == len(PARTS) * len(stages)
