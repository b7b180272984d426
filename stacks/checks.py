"""cdk-nag over every synthesis, and how a finding is acknowledged.

Two rule packs look at all resources as they are synthesized, and a finding ends the synthesis. What a rule asks for and
we do not do is acknowledged beside the resource it concerns, with the reason; `validation-report.json` in the assembly
lists these as suppressed. The rules: https://github.com/cdklabs/cdk-nag/blob/main/RULES.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks, ServerlessChecks
from constructs import IConstruct

from lambdas.core.errors import ConfigurationError

REPORT = "validation-report.json"
"""The file in the assembly's folder that lists what all validators found."""
_FAILED = "ValidationFailed: "


def add_checks(app: cdk.App) -> None:
    """Let cdk-nag's packs AwsSolutions and Serverless look at everything in the app when it is synthesized."""
    # Without a scope: it would only be for writing acknowledgements into templates, as metadata of every resource.
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(verbose=True), ServerlessChecks(verbose=True))


def synthesize(app: cdk.App) -> None:
    """Write the assembly. What CDK's validator or cdk-nag finds goes to stderr, and to the report in the assembly.

    Raises ConfigurationError if either has found something.
    """
    try:
        app.synth()
    except RuntimeError as error:  # what jsii makes of an error in CDK's own code
        if not str(error).startswith(_FAILED):
            raise
        raise ConfigurationError(
            f"the templates do not pass their checks: mend what is listed above and in {app.outdir}/{REPORT}, or "
            "acknowledge it beside the resource it concerns (stacks/checks.py)"
        ) from error


def acknowledge(scope: IConstruct, rule: str, *, reason: str) -> None:
    """Keep one rule quiet for a construct and what is in it.

    `rule` is the id as cdk-nag reports it, e.g. `AwsSolutions-S1`, or for a single finding of a rule that has several
    `AwsSolutions-IAM5[Resource::*]`.
    """
    pack = rule.partition("-")[0]
    cdk.Validations.of(scope).acknowledge(cdk.Acknowledgment(id=f"{pack}::{rule}", reason=reason))


def acknowledge_resource(role: IConstruct, arn: str, *, reason: str) -> None:
    """Say that a role's right to an ARN with a star in it is meant; a right to any other is still found."""
    reported = _flat(cdk.Stack.of(role).resolve(arn))
    acknowledge(role, f"AwsSolutions-IAM5[Resource::{reported}]", reason=reason)


def acknowledge_prefixes(role: IConstruct, *, bucket: s3.IBucket, prefixes: Iterable[str]) -> None:
    """Say that a role's rights to all objects under these prefixes of a bucket are meant.

    A right to any other object of the bucket, or to the whole of it, is still found.
    """
    arn, holder = bucket.bucket_arn, cdk.Stack.of(bucket)
    if holder is not cdk.Stack.of(role):
        # What the reference becomes in another stack; asking for it adds nothing that is not exported already.
        arn = holder.export_value(arn)
    for prefix in prefixes:
        acknowledge_resource(
            role,
            f"{arn}/{prefix}*",
            reason=f"The star stands for the objects under {prefix}, whose names are data: charts, dates and hashes",
        )


def _flat(value: Any) -> str:
    """A resolved ARN as cdk-nag writes it: `<LogicalId.Attribute>`, `<Parameter>`, an export by its name."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    match function:
        case "Fn::Join":
            return str(argument[0]).join(map(_flat, argument[1]))
        case "Fn::GetAtt":
            return f"<{'.'.join(argument)}>"
        case "Fn::ImportValue":
            return _flat(argument)
        case "Ref":
            return f"<{argument}>"
    raise ValueError(f"an ARN is not made by {function}")
