"""A function of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.checks import acknowledge
from stacks.constructs.bundling import BundleTarget, FunctionBundle

PROJECT = Path(__file__).resolve().parents[2]
"""The folder that holds `lambdas/`, and `.local/`, where installed dependencies are kept."""


class PipelineFunction(Construct):
    """A Lambda function with a role, a log group and an asset of its own.

    The role may write the function's logs, and do what `grants` say: nothing else, and nothing is added behind the
    scenes. `package` is the function's folder under `lambdas/`, whose `handler.handler` is called; `ships` are further
    folders of the project that its asset holds. To `environment` is added CODE_VERSION, the asset's hash: what the
    function leaves behind can say which code it was.

    `on_failure` takes the events of asynchronous invocations that failed; they are not tried again, for every caller of
    these functions calls again by itself. Default: none, for a function that is never called asynchronously.

    Attributes: `function`, `role`, `log_group`, `timeout`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: str,
        description: str,
        environment: Mapping[str, str],
        grants: Sequence[iam.PolicyStatement],
        timeout: Duration,
        memory_mib: int,
        log_retention: logs.RetentionDays,
        removal: RemovalPolicy,
        target: BundleTarget,
        on_failure: sqs.IQueue | None = None,
        ships: tuple[str, ...] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        self.timeout = timeout
        self.log_group: logs.ILogGroup = logs.LogGroup(self, "Logs", retention=log_retention, removal_policy=removal)
        self.role: iam.IRole = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What the {package} function may do",
        )
        for grant in (
            iam.PolicyStatement(
                sid="WriteLogs",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                # Ends in ':*', the log streams of this group.
                resources=[self.log_group.log_group_arn],
            ),
            *grants,
        ):
            self.role.add_to_principal_policy(grant)
        bundle = FunctionBundle(
            project=PROJECT, function=package, target=target, cache=PROJECT / ".local" / "bundles", ships=ships
        )
        self.function: lambda_.IFunction = lambda_.Function(
            self,
            "Function",
            description=description,
            # Also where `target` is another machine: the emulator looks at neither.
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            handler=f"lambdas.{package}.handler.handler",
            code=bundle.code(bundling_required=Stack.of(self).bundling_required),
            role=self.role,
            log_group=self.log_group,
            environment={**environment, "CODE_VERSION": bundle.asset_hash()},
            timeout=timeout,
            memory_size=memory_mib,
        )
        acknowledge(
            self.function,
            "Serverless-LambdaDLQ",
            reason="An on-failure destination keeps an event with its error, a dead-letter target the event alone; a "
            "function without a destination is never called asynchronously",
        )
        acknowledge(
            self.function,
            "Serverless-LambdaTracing",
            reason="A trace ends at the bucket between the functions, and X-Ray needs rights to all resources. What "
            "joins the work of both is in their logs: chart, date and key",
        )
        if on_failure is not None:
            self._send_failures_to(on_failure)

    def _send_failures_to(self, queue: sqs.IQueue) -> None:
        """By hand, because CDK's SqsDestination also grants what Lambda does not need."""
        self.role.add_to_principal_policy(
            iam.PolicyStatement(sid="KeepFailures", actions=["sqs:SendMessage"], resources=[queue.queue_arn])
        )
        lambda_.CfnEventInvokeConfig(
            self,
            "AsyncInvocations",
            function_name=self.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=0,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=queue.queue_arn)
            ),
        )
