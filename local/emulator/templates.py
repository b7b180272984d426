"""CloudFormation types that MiniStack refuses, taught to it.

A type the emulator's own API can carry is made for real; the rest is accepted and nothing is made, which `NO_OP` lists
and the start log says. AWS makes all of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from ministack.services import athena, cloudwatch  # type: ignore[import-untyped]
from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

Properties = Mapping[str, Any]
_log = logging.getLogger(__name__)

# Types accepted without effect, and what is therefore not seen on the local stage.
NO_OP = {
    "AWS::Budgets::Budget": "no budget is watched: the local stage costs nothing",
    "AWS::CloudTrail::Trail": "no call is recorded",
    "AWS::CloudWatch::AnomalyDetector": "no band is learned from a metric",
    "AWS::Logs::QueryDefinition": "no saved query appears in Logs Insights, which the emulator has not",
}


def install() -> list[str]:
    """Register the missing types; returns the ones accepted without effect, one line each."""
    handlers = provisioners._RESOURCE_HANDLERS
    handlers.setdefault(
        "AWS::Athena::NamedQuery",
        # No update handler: every property of a named query is replaced on AWS, by create, then delete of the old one.
        {"create": _create_named_query, "delete": lambda pid, _: athena._delete_named_query({"NamedQueryId": pid})},
    )
    handlers.setdefault(
        "AWS::CloudWatch::CompositeAlarm",
        {
            "create": _put_composite_alarm,
            "update": lambda pid, _old, new, stack, logical_id: _put_composite_alarm(logical_id or pid, new, stack),
            "update_with_logical_id": True,
            "delete": _delete_composite_alarm,
        },
    )
    taken = [kind for kind in NO_OP if kind not in handlers]
    for kind in taken:
        handlers[kind] = {"create": _accept, "delete": lambda _pid, _properties: None}
    return [f"{kind} is accepted without effect: {NO_OP[kind]}" for kind in taken]


def _create_named_query(logical_id: str, properties: Properties, stack: str) -> tuple[str, dict[str, str]]:
    for required in ("Database", "QueryString"):
        if not properties.get(required):
            raise ValueError(f"Property validation failure: [The property {{/{required}}} is required]")
    request = {
        key: properties[key] for key in ("Database", "QueryString", "Description", "WorkGroup") if key in properties
    }
    request["Name"] = properties.get("Name") or provisioners._physical_name(stack, logical_id)
    group = request.get("WorkGroup", "primary")
    if group != "primary" and group not in athena._workgroups:
        raise ValueError(f"WorkGroup is not found: {group}")
    _, _, body = athena._create_named_query(request)
    query_id = str(json.loads(body)["NamedQueryId"])
    return query_id, {"NamedQueryId": query_id}


def _put_composite_alarm(logical_id: str, properties: Properties, stack: str) -> tuple[str, dict[str, str]]:
    name = str(properties.get("AlarmName") or provisioners._physical_name(stack, logical_id, max_len=255))
    request = {"ActionsEnabled": True, **properties, "AlarmName": name}
    request["ActionsEnabled"] = str(request["ActionsEnabled"]).lower() == "true"
    _raise_refusal(cloudwatch._put_composite_alarm({}, request, False, True))
    return name, {"Arn": str(cloudwatch._composite_alarms[name]["AlarmArn"])}


def _delete_composite_alarm(physical_id: str, _: Properties) -> None:
    if physical_id in cloudwatch._composite_alarms:
        _raise_refusal(cloudwatch._delete_alarms({}, {"AlarmNames": [physical_id]}, False, True))


def _raise_refusal(response: tuple[int, Mapping[str, str], bytes | str]) -> None:
    status, _, body = response
    if status >= 300:
        raise ValueError(json.loads(body).get("message") or f"CloudWatch answered {status}")


def _accept(logical_id: str, _: Properties, stack: str) -> tuple[str, dict[str, str]]:
    name = str(provisioners._physical_name(stack, logical_id))
    _log.warning("%s is accepted without effect", name)
    return name, {}
