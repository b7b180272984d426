"""Every private name of MiniStack the launcher relies on, in one place.

MiniStack is young and its internals move between releases; the pin in requirements.txt keeps them still. `broken()` is
run at every start and by tests/contract/test_ministack_contract.py, so that a new release fails with the name that
moved and not with a query that quietly runs untranslated.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from importlib.metadata import version

PINNED = "1.5.33"


@dataclass(frozen=True)
class Name:
    """`module.attribute`, and the signature of a function or the type of a value."""

    module: str
    attribute: str
    shape: str
    used_for: str


NAMES = (
    Name("ministack.app", "main", "()", "running the server in this process"),
    Name("ministack.app", "app", "(scope, receive, send)", "telling this server from another at its port"),
    Name("ministack.app", "_port_is_bindable", "(host: str, port: int) -> bool", "keeping TLS off port 443"),
    Name(
        "ministack.core.lambda_runtime",
        "_detect_runtime_binary",
        "(runtime: str) -> tuple[str, str]",
        "the interpreter of a Lambda worker",
    ),
    Name(
        "ministack.core.iam_actions",
        "extract_resource_arn",
        "(service: str, method: str, path: str, headers: dict, body: bytes, query_params: dict, region: str, "
        "account_id: str) -> str",
        "the workgroup that a right to a query's answer is for",
    ),
    Name(
        "ministack.services.athena", "_start_query_execution", "(data)", "parameters, prepared statements, work groups"
    ),
    Name(
        "ministack.services.athena",
        "_execute_query",
        "(query_id, query, database, ddl, catalog=None)",
        "running a query",
    ),
    Name("ministack.services.athena", "_executions", "AccountRegionScopedDict", "a query's state and result"),
    Name("ministack.services.athena", "_workgroups", "AccountRegionScopedDict", "enforced settings"),
    Name("ministack.services.athena", "_prepared_statements", "AccountRegionScopedDict", "EXECUTE"),
    Name("ministack.services.athena", "_named_queries", "AccountRegionScopedDict", "AWS::Athena::NamedQuery"),
    Name("ministack.services.athena", "_create_named_query", "(data)", "AWS::Athena::NamedQuery"),
    Name("ministack.services.athena", "_delete_named_query", "(data)", "AWS::Athena::NamedQuery"),
    Name(
        "ministack.services.athena",
        "error_response_json",
        "(code: str, message: str, status: int = 400, extra: dict | None = None, *, message_key: str = 'message', "
        "content_type: str = 'application/x-amz-json-1.0') -> tuple",
        "refusals",
    ),
    Name("ministack.services.glue", "_databases", "AccountRegionScopedDict", "the catalog of a query"),
    Name("ministack.services.glue", "_tables", "AccountRegionScopedDict", "the catalog of a query"),
    Name("ministack.services.glue", "_partitions", "AccountRegionScopedDict", "the catalog of a query"),
    Name("ministack.services.s3", "_buckets", "AccountScopedDict", "the objects of a table"),
    Name(
        "ministack.services.s3",
        "_get_object_data",
        "(bucket_name: str, key: str, version_id: str | None = None) -> bytes | None",
        "the objects of a table",
    ),
    Name(
        "ministack.services.s3",
        "_put_object",
        "(bucket_name: str, key: str, body: bytes, headers: dict)",
        "writing a query's result",
    ),
    Name("ministack.services.lambda_svc", "_iter_all_esms", "()", "the window of an event source"),
    Name("ministack.services.sqs", "_queues_lock", "lock", "batches of an event source"),
    Name("ministack.services.sqs", "_queues", "AccountRegionScopedDict", "batches of an event source"),
    Name(
        "ministack.services.sqs",
        "_receive_messages_for_esm",
        "(queue_url: str, max_number: int) -> list[dict]",
        "batches of an event source",
    ),
    Name(
        "ministack.services.cloudwatch",
        "_composite_alarms",
        "AccountRegionScopedDict",
        "AWS::CloudWatch::CompositeAlarm",
    ),
    Name(
        "ministack.services.cloudwatch",
        "_put_composite_alarm",
        "(params, cbor_data, is_cbor, is_json=False)",
        "AWS::CloudWatch::CompositeAlarm",
    ),
    Name(
        "ministack.services.cloudwatch",
        "_delete_alarms",
        "(params, cbor_data, is_cbor, is_json=False)",
        "AWS::CloudWatch::CompositeAlarm",
    ),
    Name("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS", "dict", "missing resource types"),
    Name(
        "ministack.services.cloudformation.provisioners",
        "_physical_name",
        "(stack_name: str, logical_id: str, *, lowercase: bool = False, max_len: int = 128, "
        "seeded: bool = True) -> str",
        "missing resource types",
    ),
)


def installed_version() -> str:
    return version("ministack")


def broken() -> list[str]:
    """One line for every name that has gone or changed its shape; empty when all is as expected."""
    lines: list[str] = []
    for name in NAMES:
        where = f"{name.module}.{name.attribute}"
        try:
            value: object = getattr(importlib.import_module(name.module), name.attribute)
        except (ImportError, AttributeError) as error:
            lines.append(f"{where} is gone ({error}), used for {name.used_for}")
            continue
        found = _shape(value)
        if found != name.shape:
            lines.append(f"{where} is {found}, was {name.shape}, used for {name.used_for}")
    return lines


def _shape(value: object) -> str:
    if callable(value) and not isinstance(value, type):
        return str(inspect.signature(value))
    return type(value).__name__
