"""The workflows run commands that exist, with no more rights than they need; the template diff says what changed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from cli.main import parse
from stacks.config import load_stages
from tests.payloads import REPOSITORY

WORKFLOWS = {
    path.stem: yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)
    for path in sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
}
TEXTS = {name: (REPOSITORY / ".github" / "workflows" / f"{name}.yml").read_text("utf-8") for name in WORKFLOWS}
JOBS = {f"{name}.{job}": held for name, workflow in WORKFLOWS.items() for job, held in workflow["jobs"].items()}
STEPS = [(name, step) for name, job in JOBS.items() for step in job.get("steps", ())]
RUNS = sorted({(name, line.strip()) for name, step in STEPS for line in step.get("run", "").splitlines()})
PAGE = (REPOSITORY / "docs" / "deployment.md").read_text("utf-8")
_DEPLOYS = {"contents": "read", "id-token": "write"}
_OUTSIDE = {"cat", "echo", "gh", "google-chrome", "openssl", "printf", "python3", "{", "end=", "#"}


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("template_diff", REPOSITORY / ".github/scripts/template_diff.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()


@pytest.mark.parametrize(("job", "line"), RUNS)
def test_every_line_runs_something_that_exists(job: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    if not words:
        return
    if words[0] == "make":
        target = words[-1]
        assert re.search(rf"^{target}: ", (REPOSITORY / "Makefile").read_text("utf-8"), re.M), target
    elif words[0] == ".venv/bin/etl":
        for stage in _deployed_stages():
            parsed = parse([word.replace("$STAGE", stage) for word in words[1:]])
            assert parsed.stage == stage
            assert parsed.cdk_arguments == ["--require-approval", "never"]
    elif words[0].startswith("head/"):
        assert os.access(REPOSITORY / words[0].removeprefix("head/"), os.X_OK), words[0]
    else:
        assert any(words[0].startswith(known) for known in _OUTSIDE), words[0]
    for word in words[1:]:
        if word.startswith("head/"):
            assert (REPOSITORY / word.removeprefix("head/")).exists(), word


def _deployed_stages() -> list[str]:
    return [job["with"]["stage"] for job in JOBS.values() if "with" in job]


def test_dev_is_deployed_after_the_tests_and_the_others_each_after_the_one_before() -> None:
    assert _deployed_stages() == ["dev", "staging", "prod"]
    assert {stage for stage, held in load_stages(REPOSITORY / "cdk.json").items() if not held.emulated} == {
        *_deployed_stages()
    }
    jobs = WORKFLOWS["deploy"]["jobs"]
    assert [jobs[job].get("needs") for job in jobs] == [None, "test", "dev", "staging"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert WORKFLOWS["deploy"]["on"] == {"push": {"branches": ["main"]}}
    deploy = WORKFLOWS["deploy-stage"]["jobs"]["deploy"]
    assert deploy["environment"] == "${{ inputs.stage }}"
    assert deploy["concurrency"] == {"group": "deploy-${{ inputs.stage }}", "cancel-in-progress": "false"}


def test_nothing_is_deployed_before_somebody_says_so() -> None:
    # The others wait for it, so they are skipped with it.
    assert WORKFLOWS["deploy"]["jobs"]["dev"]["if"] == "vars.DEPLOY_TO_AWS == 'true'"


def test_each_job_has_the_rights_that_it_needs_and_no_more() -> None:
    rights = {name: job.get("permissions", WORKFLOWS[name.split(".")[0]]["permissions"]) for name, job in JOBS.items()}
    assert rights == {
        "test.test": {"contents": "read"},
        "template-diff.diff": {"contents": "read"},
        "template-diff.comment": {"pull-requests": "write"},
        "deploy.test": {"contents": "read"},
        "deploy.dev": _DEPLOYS,
        "deploy.staging": _DEPLOYS,
        "deploy.prod": _DEPLOYS,
        "deploy-stage.deploy": _DEPLOYS,
    }


def test_the_job_that_may_write_to_a_pull_request_checks_nothing_out() -> None:
    assert [set(step) & {"uses"} for step in JOBS["template-diff.comment"]["steps"]] == [set()]
    assert not any("pull_request_target" in text for text in TEXTS.values())


def test_no_secret_is_stored_and_credentials_are_had_by_oidc_after_everything_is_installed() -> None:
    assert not any(re.search(r"\bsecrets\b|aws-(secret-)?access-key", text, re.I) for text in TEXTS.values())
    steps = JOBS["deploy-stage.deploy"]["steps"]
    used = [step.get("uses", step.get("run", "")).split("@")[0] for step in steps]
    assert used.index("aws-actions/configure-aws-credentials") == used.index("make setup") + 1 == len(steps) - 2
    (given,) = [step["with"] for step in steps if "configure-aws-credentials" in step.get("uses", "")]
    assert given["role-to-assume"] == "${{ vars.AWS_ROLE_ARN }}"
    assert given["aws-region"] == "${{ vars.AWS_REGION }}"


def test_actions_are_pinned_to_a_commit_each_to_the_same_one_everywhere() -> None:
    used = set(re.findall(r"uses: ([^.\s][^@\s]+)@(\S+)( # v\d+\.\d+\.\d+)?$", "\n".join(TEXTS.values()), re.M))
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) and version for _, commit, version in used), used
    assert len({action for action, _, _ in used}) == len(used) == 5


def test_no_run_line_holds_an_expression_that_others_could_fill() -> None:
    assert not [line for _, line in RUNS if "${{" in line]


def test_a_checkout_leaves_no_token_behind() -> None:
    checkouts = [step["with"] for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == 4
    assert all(given["persist-credentials"] == "false" for given in checkouts)


def test_tests_run_on_the_oldest_python_and_on_that_of_the_functions() -> None:
    compute = json.loads((REPOSITORY / "tests" / "infra" / "snapshots" / "prod-compute.json").read_text("utf-8"))
    runtimes = {held["Properties"].get("Runtime") for held in compute["Resources"].values() if "Properties" in held}
    (oldest,) = re.findall(r'requires-python = ">=(\S+)"', (REPOSITORY / "pyproject.toml").read_text("utf-8"))
    assert JOBS["test.test"]["strategy"]["matrix"]["python"] == [
        oldest,
        *(str(runtime).removeprefix("python") for runtime in runtimes - {None}),
    ]


def test_the_page_names_what_the_workflows_ask_for() -> None:
    asked = {name for text in TEXTS.values() for name in re.findall(r"vars\.(\w+)", text)}
    assert asked == {"AWS_ROLE_ARN", "AWS_REGION", "DEPLOY_TO_AWS"}
    assert all(f"`{name}`" in PAGE for name in asked)
    for stage in _deployed_stages():
        assert f"`{stage}`" in PAGE


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^\s*\.venv/bin/etl (.+)$", PAGE, re.M))))
def test_every_command_of_the_page_parses(command: str) -> None:
    assert parse(shlex.split(command)).stage in _deployed_stages()


def test_the_pages_role_may_only_assume_the_roles_of_the_bootstrap() -> None:
    template = _role_template()
    read = yaml.load(re.sub(r"!(Sub|Ref|If|Equals|GetAtt|Not) ", "", template), Loader=yaml.BaseLoader)
    role = read["Resources"]["DeployRole"]["Properties"]
    (statement,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert [re.findall(r":role/cdk-hnb659fds-([a-z-]+)-\$", resource) for resource in statement["Resource"]] == [
        ["deploy-role"],
        ["file-publishing-role"],
    ]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    condition = trust["Condition"]["StringEquals"]
    assert condition["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert condition["token.actions.githubusercontent.com:sub"] == "repo:${Repository}:environment:${Stage}"


def test_the_pages_role_passes_cfn_lint(tmp_path: Path) -> None:
    path = tmp_path / "github-role.yaml"
    path.write_text(_role_template(), "utf-8")
    linter = str(Path(sys.executable).with_name("cfn-lint"))
    ran = subprocess.run([linter, "--", path], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _role_template() -> str:
    (template,) = re.findall(r"^```yaml\n(AWSTemplateFormatVersion.+?)^```", PAGE, re.M | re.S)
    return str(template)


# --- .github/scripts/template_diff.py ---------------------------------------------------------------------------------


def assembly(folder: Path, **stacks: dict[str, Any]) -> Path:
    """A cloud assembly, one stage deep, as `cdk synth` writes it."""
    stage = folder / "assembly-dev"
    stage.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"artifacts": {"assembly-dev": {"type": "cdk:cloud-assembly"}}}')
    artifacts = {}
    for name, resources in stacks.items():
        (stage / f"dev{name}1234ABCD.template.json").write_text(json.dumps({"Resources": resources}))
        properties = {"templateFile": f"dev{name}1234ABCD.template.json", "stackName": f"spotify-etl-dev-{name}"}
        artifacts[f"dev{name}1234ABCD"] = {"type": "aws:cloudformation:stack", "properties": properties}
    (stage / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def resource(kind: str, **properties: object) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def diff(tmp_path: Path, base: dict[str, Any], head: dict[str, Any]) -> str:
    """The comment on one stack that changes."""
    sides = (assembly(tmp_path / side, storage=held) for side, held in (("base", base), ("head", head)))
    comment: str = SCRIPT.render(*map(SCRIPT.read_templates, sides))
    return comment


def test_what_is_added_taken_away_and_changed_is_listed_and_shown(tmp_path: Path) -> None:
    comment = diff(
        tmp_path,
        {"Old": resource("AWS::S3::Bucket"), "Queue": resource("AWS::SQS::Queue", DelaySeconds=1)},
        {"New": resource("AWS::SNS::Topic"), "Queue": resource("AWS::SQS::Queue", DelaySeconds=2)},
    )
    assert "- `spotify-etl-dev-storage`: adds AWS::SNS::Topic `New`\n" in comment
    assert "- `spotify-etl-dev-storage`: **takes away** AWS::S3::Bucket `Old` — look at the **data**\n" in comment
    assert "- `spotify-etl-dev-storage`: changes AWS::SQS::Queue `Queue`\n" in comment
    assert '\n-    "DelaySeconds": 1\n+    "DelaySeconds": 2\n' in comment


def test_a_change_of_permissions_is_marked(tmp_path: Path) -> None:
    comment = diff(tmp_path, {"P": resource("AWS::IAM::Policy", A=1)}, {"P": resource("AWS::IAM::Policy", A=2)})
    assert "changes AWS::IAM::Policy `P` — look at the **permissions**" in comment


def test_another_hash_of_an_asset_is_no_change(tmp_path: Path) -> None:
    was, now = ({"F": resource("AWS::Lambda::Function", Key=f"{digit * 64}.zip")} for digit in "ab")
    assert diff(tmp_path, was, now) == "### Templates\n\nNo template changes, of 1 stacks.\n"


def test_a_stack_that_is_gone_or_new_is_shown_whole(tmp_path: Path) -> None:
    base = SCRIPT.read_templates(assembly(tmp_path / "base", storage={"B": resource("AWS::S3::Bucket")}))
    head = SCRIPT.read_templates(assembly(tmp_path / "head", catalog={"D": resource("AWS::Glue::Database")}))
    comment = SCRIPT.render(base, head)
    assert "`spotify-etl-dev-storage`: **takes away** AWS::S3::Bucket `B`" in comment
    assert "`spotify-etl-dev-catalog`: adds AWS::Glue::Database `D`" in comment


def test_a_diff_too_long_for_a_comment_says_how_much_is_left_out(tmp_path: Path) -> None:
    head = {f"Queue{number}": resource("AWS::SQS::Queue", DelaySeconds=number) for number in range(3000)}
    comment = diff(tmp_path, {}, head)
    assert 50_000 < len(comment) < 65_536
    assert len(re.findall(r"^\.\.\. and [\d]+ lines more", comment, re.M)) == 2
    assert comment.endswith("\n```\n\n</details>\n")


def test_backticks_in_a_template_do_not_end_the_block(tmp_path: Path) -> None:
    comment = diff(tmp_path, {}, {"T": resource("AWS::SNS::Topic", DisplayName="````")})
    assert "\n```````diff\n" in comment


def test_folders_without_stacks_are_refused_in_one_line(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, REPOSITORY / ".github/scripts/template_diff.py", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "holds no stack: run `cdk synth" in ran.stderr
