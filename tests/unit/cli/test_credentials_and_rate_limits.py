"""`etl credentials`: what becomes of the rate limit that the app before has met."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws

from cli import credentials as module
from cli.credentials import credentials_command
from cli.stage import Stage, load_config
from lambdas.core.adapters.credentials import read_credentials
from lambdas.core.errors import RateLimited
from lambdas.core.limits import RateLimitMemory
from tests.fakes import MemoryStore

CONFIG = load_config("dev")


@dataclass
class Desk:
    """A stage whose raw bucket is in memory, and what is typed at it."""

    monkeypatch: pytest.MonkeyPatch
    store: MemoryStore
    deployed: bool = True

    def stage(self, _: str) -> Stage:
        stage = Stage(CONFIG)
        stage._found_stacks["storage"] = {"RawBucketName": "raw"} if self.deployed else None
        return stage

    def give(self, client_id: str) -> None:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(f"{client_id}\nsecret\n"))
        assert credentials_command(Namespace(stage="dev")) == 0
        kept = read_credentials(boto3.client("ssm"), CONFIG.credentials_parameter, stage="dev")
        assert (kept.client_id, kept.client_secret) == (client_id, "secret")

    def block(self) -> None:
        limit = RateLimited("x", retry_after=3600, quota_exceeded=True)
        RateLimitMemory(self.store, "web_api").remember(limit, now=datetime.now(UTC))

    @property
    def is_blocked(self) -> bool:
        return RateLimitMemory(self.store, "web_api").state().seconds_left(now=datetime.now(UTC)) > 0


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        desk = Desk(monkeypatch, MemoryStore())
        monkeypatch.setattr(module, "open_stage", desk.stage)
        monkeypatch.setattr(Stage, "raw_store", lambda _: desk.store)
        yield desk


def test_the_same_app_with_a_new_secret_stays_blocked(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.give("one")
    desk.block()
    desk.give("one")

    assert desk.is_blocked
    assert "forgotten" not in capsys.readouterr().out


def test_another_app_is_not_blocked_by_what_the_former_one_met(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.give("one")
    desk.block()
    desk.give("two")

    assert not desk.is_blocked
    assert "the rate limit that the former app met is forgotten" in capsys.readouterr().out


def test_where_the_former_app_cannot_be_told_its_block_is_lifted_too(desk: Desk) -> None:
    boto3.client("ssm").put_parameter(Name=CONFIG.credentials_parameter, Value="damaged", Type="SecureString")
    desk.block()
    desk.give("one")

    assert not desk.is_blocked


def test_another_app_where_nothing_is_remembered_is_said_nothing_about(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.give("one")
    desk.give("two")

    assert desk.store.writes == []
    assert "forgotten" not in capsys.readouterr().out


def test_credentials_can_be_given_before_anything_is_deployed(desk: Desk) -> None:
    desk.deployed = False
    desk.block()
    desk.give("one")

    assert desk.is_blocked, "the bucket of a stage that is not deployed was written to"
