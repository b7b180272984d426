"""Synthesized templates, and what tests ask of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias
from unittest import mock

import aws_cdk as cdk

import app
from lambdas.core.errors import ConfigurationError
from stacks import checks
from stacks.config import StageConfig, load_stages
from stacks.stage import PipelineStage

Template: TypeAlias = Mapping[str, Any]
Resource: TypeAlias = Mapping[str, Any]

PROJECT = Path(app.__file__).resolve().parent
PARTS = ("storage", "compute", "catalog", "monitoring")
PACKS = ("AwsSolutions", "Serverless")
STAND_IN = "http://127.0.0.1:9"
MISTAKE = "mistake"
AS_FOR_TESTS: dict[str, object] = {
    "aws:cdk:bundling-stacks": [],
    "aws:cdk:disable-asset-staging": True,
    "aws:cdk:enable-path-metadata": False,
    "aws:cdk:enable-asset-metadata": False,
}
_ASSET_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class Finding:
    """What a rule of cdk-nag found, and where. `acknowledged` is by which construct, and `reason` why."""

    rule: str
    path: str
    acknowledged: str | None = None
    reason: str | None = field(default=None, compare=False)


def read_findings(folder: Path) -> dict[str, list[Finding]]:
    """The report of an assembly, by the name of the plugin that made it, acknowledged findings included."""
    report = json.loads((folder / checks.REPORT).read_text("utf-8"))
    return {
        plugin["pluginName"]: [
            Finding(
                rule=violation["ruleName"],
                path=construct["constructPath"],
                acknowledged=violation.get("acknowledgedAt"),
                reason=violation.get("reason"),
            )
            for violation in (*plugin["violations"], *plugin.get("suppressedViolations", ()))
            for construct in violation["violatingConstructs"]
        ]
        for plugin in report["pluginReports"]
    }


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


def build(folder: Path, stages: Mapping[str, StageConfig]) -> cdk.App:
    """An app with stages, the CDK's flags of cdk.json, and without CDK's own validation, which takes five seconds."""
    made = cdk.App(
        context={**app.context(), "stages": ",".join(stages), "spotify_endpoint": STAND_IN, **AS_FOR_TESTS},
        outdir=str(folder),
        builtin_cloud_formation_validation=False,
        analytics_reporting=False,
    )
    app.build(made, stages)
    return made


def without_aws(outdir: Path, **context: object) -> dict[str, str]:
    """The environment in which the CDK CLI calls `app.py`, without AWS and with the ways to a network cut off."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", str(outdir)),
        "CDK_OUTDIR": str(outdir),
        "CDK_CONTEXT_JSON": json.dumps({**AS_FOR_TESTS, **context}),
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    }
    return environment | {name: os.environ[name] for name in ("JSII_NODE",) if name in os.environ}


def run_app_beside_a_mistake() -> None:
    """What `python3 app.py` does, were there one stack more, which CloudFormation would refuse."""

    def build_more(made: cdk.App, stages: Mapping[str, StageConfig]) -> list[PipelineStage]:
        cdk.CfnResource(cdk.Stack(made, MISTAKE), "Queue", type="AWS::SQS::Queue", properties={"VisibilityTimeout": -1})
        return build_all(made, stages)

    build_all = app.build
    with mock.patch.object(app, "build", build_more):
        app.main()


def synthesize(folder: Path, stages: Mapping[str, StageConfig] | None = None) -> Synthesis:
    """Synthesize stages, those of cdk.json by default, with the CDK's flags of cdk.json."""
    configured = stages if stages is not None else load_stages(PROJECT / "cdk.json")
    made = build(folder, configured)
    # What cdk-nag has found is for its own test to say.
    with contextlib.suppress(ConfigurationError):
        checks.synthesize(made)
    templates = {}
    for path in folder.glob("assembly-*/*.template.json"):
        stage = path.parent.name.removeprefix("assembly-")
        part = next(part for part in PARTS if path.name.startswith(stage + part))
        templates[stage, part] = json.loads(_ASSET_HASH.sub("<asset-hash>", path.read_text("utf-8")))
    return Synthesis(folder=folder, stages=configured, templates=templates)


@dataclass(frozen=True)
class Beside:
    """A process that runs beside the tests, on another core, over files in `folder`."""

    folder: Path
    _process: subprocess.Popen[str] = field(repr=False)
    _output: IO[str] = field(repr=False)

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None
    ) -> Iterator[Beside]:
        """Start a process in the project's folder. It ends with the context, if it has not by then."""
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
            )
            try:
                yield cls(folder=folder, _process=process, _output=output)
            finally:
                process.kill()
                process.wait()

    def wait(self) -> tuple[int, str]:
        """Its exit code, and what it said."""
        code = self._process.wait(timeout=300)
        self._output.seek(0)
        return code, self._output.read()


def resources(template: Template, kind: str) -> dict[str, Resource]:
    """The resources of one type, by logical id."""
    return {name: held for name, held in template["Resources"].items() if held["Type"] == kind}


def is_view(held: Resource) -> bool:
    """Whether a resource of the Glue catalog is a view: it holds no data, and lies nowhere."""
    table: Resource = held.get("Properties", {}).get("TableInput", {})
    return table.get("TableType") == "VIRTUAL_VIEW"


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
