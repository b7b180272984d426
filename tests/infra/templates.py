"""Synthesized templates, and what tests ask of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import aws_cdk as cdk

import app
from stacks.config import StageConfig, load_stages

Template: TypeAlias = Mapping[str, Any]
Resource: TypeAlias = Mapping[str, Any]

PROJECT = Path(app.__file__).resolve().parent
PARTS = ("storage", "compute", "catalog")
STAND_IN = "http://127.0.0.1:9"
AS_FOR_TESTS: dict[str, object] = {
    "aws:cdk:bundling-stacks": [],
    "aws:cdk:disable-asset-staging": True,
    "aws:cdk:enable-path-metadata": False,
    "aws:cdk:enable-asset-metadata": False,
}
_ASSET_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Synthesis:
    """The assembly's folder, the stages' configuration, and templates by (stage, part)."""

    folder: Path
    stages: Mapping[str, StageConfig]
    templates: Mapping[tuple[str, str], Template] = field(repr=False)

    def of(self, part: str) -> Iterator[tuple[StageConfig, Template]]:
        """One part of every stage."""
        for name, config in self.stages.items():
            yield config, self.templates[name, part]

    @property
    def files(self) -> list[Path]:
        """All template files."""
        return sorted(self.folder.glob("assembly-*/*.template.json"))


def synthesize(folder: Path, stages: Mapping[str, StageConfig] | None = None) -> Synthesis:
    """Synthesize stages, those of cdk.json by default, with the CDK's flags of cdk.json."""
    configured = stages if stages is not None else load_stages(PROJECT / "cdk.json")
    made = cdk.App(
        context={**app.context(), "stages": ",".join(configured), "spotify_endpoint": STAND_IN, **AS_FOR_TESTS},
        outdir=str(folder),
        builtin_cloud_formation_validation=False,
        analytics_reporting=False,
    )
    app.build(made, configured)
    made.synth()
    templates = {}
    for path in folder.glob("assembly-*/*.template.json"):
        stage = path.parent.name.removeprefix("assembly-")
        part = next(part for part in PARTS if path.name.startswith(stage + part))
        templates[stage, part] = json.loads(_ASSET_HASH.sub("<asset-hash>", path.read_text("utf-8")))
    return Synthesis(folder=folder, stages=configured, templates=templates)


def resources(template: Template, kind: str) -> dict[str, Resource]:
    """The resources of one type, by logical id."""
    return {name: held for name, held in template["Resources"].items() if held["Type"] == kind}


def one(template: Template, kind: str, name_has: str = "") -> Resource:
    """The only resource of a type whose logical id holds `name_has`: its properties."""
    (found,) = [held for name, held in resources(template, kind).items() if name_has in name]
    properties: Resource = found["Properties"]
    return properties


def as_list(value: object) -> list[Any]:
    """IAM's and CloudFormation's habit of writing a list of one as the item."""
    return value if isinstance(value, list) else [value]


def text_of(value: Any) -> str:
    """A property as text: joins are joined, and references stand as `{name}`, exports by their last part."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return str(argument[0]).join(text_of(part) for part in argument[1])
    if function == "Fn::GetAtt":
        return "{" + ".".join(argument) + "}"
    if function == "Fn::ImportValue":
        return "{" + str(argument).partition(":")[2] + "}"
    return "{" + str(argument) + "}"


def statements(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every statement of every policy in a template, trust policies aside, with the logical id that holds it."""
    for name, resource in template["Resources"].items():
        if document := resource.get("Properties", {}).get("PolicyDocument"):
            for statement in document["Statement"]:
                yield name, statement
        assert "Policies" not in resource.get("Properties", {}), f"{name}: inline policies are not looked at here"


def grants(template: Template, role: str) -> list[Mapping[str, Any]]:
    """What the role whose logical id starts with `role` is allowed."""
    return [statement for name, statement in statements(template) if name.startswith(role)]
