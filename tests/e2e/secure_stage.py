"""The local stage with IAM enforcement on, its roles read as single grants, and those grants changed for a while."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from lambdas.core.adapters.s3 import S3Store
from local.emulator.lifecycle import Endpoint
from tests.infra.templates import as_list

T = TypeVar("T")
STACKS = "spotify-etl-local-"
_EVENT = Path(__file__).parents[1] / "events" / "s3_object_created.json"
_HASH_OF_LOGICAL_ID = re.compile(r"[0-9A-F]{8}$")


@dataclass(frozen=True)
class Grant:
    """One action on one resource under one condition, which a role is allowed.

    `role` is whose it is (Extract, Transform ...), `name` the resource as the templates call it, without hashes:
    `RawBucket/raw/*`. `condition` is JSON, empty for none.
    """

    role: str
    action: str
    resource: str
    name: str
    condition: str

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.name}"

    def statement(self) -> dict[str, Any]:
        """An IAM statement that allows this and nothing else."""
        condition = {"Condition": json.loads(self.condition)} if self.condition else {}
        return {"Effect": "Allow", "Action": self.action, "Resource": self.resource, **condition}

    def elsewhere(self) -> Iterator[Grant]:
        """The same grant for other objects, another resource, or under a condition that no request meets."""
        if self.resource.endswith("/*"):
            yield replace(self, resource=self.resource.removesuffix("*") + "elsewhere/*")
        else:
            yield replace(self, resource=f"{self.resource}-elsewhere")
        if self.condition:
            yield replace(self, condition=json.dumps(_elsewhere(json.loads(self.condition))))


def _elsewhere(condition: Any) -> Any:
    if isinstance(condition, dict):
        return {key: _elsewhere(value) for key, value in condition.items()}
    return [_elsewhere(value) for value in condition] if isinstance(condition, list) else f"elsewhere/{condition}"


@dataclass(frozen=True)
class Invocation:
    """What a function answered: its payload, whether it raised, and the log of this invocation."""

    payload: Any
    raised: bool
    log: str

    @property
    def told(self) -> str:
        """Everything that a person who looks for the fault would read."""
        return f"{json.dumps(self.payload)}\n{self.log}"


@dataclass(frozen=True)
class SecureStage:
    """The deployed stage, seen as the account's root, whom IAM allows everything."""

    endpoint: Endpoint

    @cached_property
    def iam(self) -> Any:
        return self.endpoint.client("iam")

    @cached_property
    def s3(self) -> Any:
        return self.endpoint.client("s3")

    @cached_property
    def sqs(self) -> Any:
        return self.endpoint.client("sqs")

    @cached_property
    def functions(self) -> Any:
        return self.endpoint.client("lambda")

    @cached_property
    def scheduler(self) -> Any:
        return self.endpoint.client("scheduler")

    # ---- what is deployed

    @cached_property
    def resources(self) -> dict[str, tuple[str, str]]:
        """(type, physical id) of every resource of the stage's stacks, by logical id without its hash."""
        stacks = self.endpoint.client("cloudformation")
        found: dict[str, tuple[str, str]] = {}
        for page in stacks.get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                if stack["StackName"].startswith(STACKS):
                    for resource in stacks.describe_stack_resources(StackName=stack["StackName"])["StackResources"]:
                        name = _HASH_OF_LOGICAL_ID.sub("", resource["LogicalResourceId"])
                        assert name not in found, f"two resources of the stage are called {name}"
                        found[name] = (resource["ResourceType"], resource["PhysicalResourceId"])
        return found

    def physical(self, logical_id: str) -> str:
        """The physical id of a resource."""
        return self.resources[logical_id][1]

    def store(self, bucket: str) -> S3Store:
        """The bucket of that logical id."""
        return S3Store(self.s3, self.physical(bucket))

    def schedule_input(self, chart: str) -> dict[str, Any]:
        """What the chart's schedule sends to the extract function."""
        (group,) = [identifier for kind, identifier in self.resources.values() if kind.endswith("::ScheduleGroup")]
        schedule = self.scheduler.get_schedule(Name=chart, GroupName=group)
        sent: dict[str, Any] = json.loads(schedule["Target"]["Input"])
        return sent

    # ---- roles

    @cached_property
    def roles(self) -> dict[str, str]:
        """The names of all roles of the stage, by whose they are."""
        return {
            name.removesuffix("Role"): identifier
            for name, (kind, identifier) in self.resources.items()
            if kind == "AWS::IAM::Role"
        }

    @cached_property
    def grants(self) -> tuple[Grant, ...]:
        """Everything that any role of the stage is allowed, read from IAM."""
        return tuple(grant for role in sorted(self.roles) for grant in self._grants_of(role))

    def _grants_of(self, role: str) -> Iterator[Grant]:
        name = self.roles[role]
        attached = self.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        assert attached == [], f"the {role} role has managed policies, whose grants are not looked at: {attached}"
        for document in self._policies(name).values():
            for statement in document["Statement"]:
                assert statement["Effect"] == "Allow", f"{role}: {statement}"
                assert {"Action", "Resource"} <= statement.keys(), f"{role}: {statement}"
                condition = json.dumps(statement["Condition"], sort_keys=True) if "Condition" in statement else ""
                for action in as_list(statement["Action"]):
                    for resource in as_list(statement["Resource"]):
                        yield Grant(role, action, resource, self._name_of(resource), condition)

    def _policies(self, role_name: str) -> dict[str, Any]:
        names = self.iam.list_role_policies(RoleName=role_name)["PolicyNames"]
        return {name: self.iam.get_role_policy(RoleName=role_name, PolicyName=name)["PolicyDocument"] for name in names}

    def _name_of(self, arn: str) -> str:
        """An ARN's resource, generated names in it replaced by the logical ids they were generated for."""
        name = arn.split(":", 5)[-1]
        # A queue's physical id is its URL, whose last part is in its ARN.
        generated = {
            physical.rsplit("/", 1)[-1] if "://" in physical else physical: logical
            for logical, (_, physical) in self.resources.items()
            if STACKS in physical
        }
        for physical in sorted(generated, key=len, reverse=True):
            name = name.replace(physical, generated[physical])
        return name

    @contextmanager
    def only(self, role: str, grants: Iterable[Grant]) -> Iterator[None]:
        """For a while the role is allowed these grants and nothing else; then again exactly what was deployed."""
        name = self.roles[role]
        deployed = self._policies(name)
        statements = [grant.statement() for grant in grants]
        first, *others = deployed
        try:
            for policy in others:
                self.iam.delete_role_policy(RoleName=name, PolicyName=policy)
            if statements:
                document = {"Version": "2012-10-17", "Statement": statements}
                self.iam.put_role_policy(RoleName=name, PolicyName=first, PolicyDocument=json.dumps(document))
            else:
                self.iam.delete_role_policy(RoleName=name, PolicyName=first)
            yield
        finally:
            for policy, document in deployed.items():
                self.iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))

    # ---- what is done with it

    def invoke(self, function: str, payload: object) -> Invocation:
        """Call a function (Extract, Transform, ImportChart) and wait for its answer."""
        answer = self.functions.invoke(
            FunctionName=self.physical(f"{function}Function"), Payload=json.dumps(payload), LogType="Tail"
        )
        return Invocation(
            payload=json.loads(answer["Payload"].read()),
            raised="FunctionError" in answer,
            log=base64.b64decode(answer.get("LogResult", "")).decode(),
        )

    def tell(self, function: str, key: str, *, bucket: str = "RawBucket") -> Invocation:
        """Hand a function (Transform, ImportChart, Report) the event of an object, as its queue would."""
        event = json.loads(_EVENT.read_text("utf-8"))
        event["detail"]["bucket"]["name"] = self.physical(bucket)
        event["detail"]["object"]["key"] = key
        return self.invoke(function, {"Records": [{"messageId": "only", "body": json.dumps(event)}]})

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys in the bucket of that logical id."""
        return list(self.store(bucket).keys(prefix))

    def empty(self, bucket: str, prefix: str = "") -> None:
        """Delete the objects under a prefix."""
        for key in self.keys(bucket, prefix):
            self.s3.delete_object(Bucket=self.physical(bucket), Key=key)

    @contextmanager
    def without_poller(self) -> Iterator[None]:
        """For a while nothing takes messages from the queues, so that only the test calls their functions."""
        identifiers = [self.physical(name) for name in ("TransformBatches", "ImportChartBatches", "ReportBatches")]
        for identifier in identifiers:
            self.functions.update_event_source_mapping(UUID=identifier, Enabled=False)
        try:
            yield
        finally:
            for identifier in identifiers:
                self.functions.update_event_source_mapping(UUID=identifier, Enabled=True)


def eventually(look: Callable[[], T], *, what: str, seconds: float = 60) -> T:
    """What `look` finds, as soon as it is something; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
    return found
