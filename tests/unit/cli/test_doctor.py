"""`etl doctor` over a stage in an emulated account, with the Spotify stand-in before it: every line, and every call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
import requests
from botocore.exceptions import NoCredentialsError
from moto import mock_aws

from cli import doctor
from cli.diagnosis import REQUIRED_OUTPUTS, Finding
from cli.doctor import MAX_CALLS, Examination
from cli.spotify_checks import SpotifyChecks
from cli.stage import PARTS, Part, Stage, load_config
from lambdas.core.adapters import public_charts as public_adapter
from lambdas.core.adapters import spotify as adapter
from lambdas.core.adapters.calls import Refused
from lambdas.core.adapters.credentials import Credentials, write_credentials
from lambdas.core.adapters.public_charts import address_at
from lambdas.core.adapters.s3 import S3Store
from lambdas.core.adapters.spotify import SpotifyAddress, WebApi
from lambdas.core.documents import encode
from lambdas.core.errors import RateLimited
from lambdas.core.keys import state_key
from lambdas.core.limits import RateLimitMemory
from lambdas.core.sources import Budget
from local.spotify.api import CLIENT_ID, CLIENT_SECRET
from local.spotify.faults import Fault, FaultKind
from local.spotify.server import SpotifyStandIn
from tests.documents import document
from tests.fakes import MemoryStore

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from stacks.config import StageConfig

DAILY, WEEKLY = "regional-global-daily", "regional-global-weekly"
BUCKET = "raw"
SIX_HOURS = 21_600
PLAYLISTS = "^/v1/playlists/"


@dataclass
class Patient:
    """A stage on AWS as an account without network has it, and Spotify's stand-in."""

    config: StageConfig
    spotify: SpotifyStandIn
    outputs: dict[Part, dict[str, str] | None]

    def stage(self, _: str) -> Stage:
        """In place of `open_stage`: with stacks, which moto has not."""
        stage = Stage(self.config)
        stage._found_stacks.update(self.outputs)
        return stage

    def examine(self, *, offline: bool = False) -> dict[str, Finding]:
        """What a new examination finds, by check."""
        with doctor._heard() as heard:
            examination = Examination(self.config, heard)
            examination.run(offline=offline)
        found = {finding.check: finding for finding in examination.findings}
        assert len(found) == len(examination.findings)
        assert not [finding for finding in found.values() if "\n" in str(finding)]
        return found

    @property
    def s3(self) -> S3Client:
        client: S3Client = boto3.client("s3")
        return client

    @property
    def memory(self) -> RateLimitMemory:
        return RateLimitMemory(S3Store(self.s3, BUCKET), "web_api")

    def hold_both_charts(self) -> None:
        for chart in (DAILY, WEEKLY):
            held = document(chart=chart, chart_date=datetime.now(UTC).date() - timedelta(days=1))
            self.s3.put_object(Bucket=BUCKET, Key=held.key, Body=encode(held))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with SpotifyStandIn() as spotify, mock_aws():
        monkeypatch.setattr(adapter, "SPOTIFY", SpotifyAddress.at(spotify.url))
        config = replace(load_config("dev"), region="us-east-1", charts=load_config("local").charts)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        sqs = boto3.client("sqs")
        outputs: dict[Part, dict[str, str] | None] = {
            part: dict.fromkeys(REQUIRED_OUTPUTS[part], "x") for part in PARTS
        }
        outputs["storage"] = dict.fromkeys(REQUIRED_OUTPUTS["storage"], BUCKET)
        outputs["compute"] = {
            name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in REQUIRED_OUTPUTS["compute"]
        }
        credentials = Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        write_credentials(boto3.client("ssm"), config.credentials_parameter, credentials)
        patient = Patient(config, spotify, outputs)
        monkeypatch.setattr(doctor, "open_stage", patient.stage)
        yield patient


def marks(found: dict[str, Finding]) -> dict[str, str]:
    return {check: finding.mark for check, finding in found.items()}


def test_of_a_healthy_stage_every_check_is_ok_and_the_calls_made_are_counted(patient: Patient) -> None:
    patient.hold_both_charts()
    found = patient.examine()

    assert set(marks(found).values()) == {"ok"}, found
    assert len(found) == 17
    assert {f"dead letters of {name}" for name in ("extract", "enrich", "transform", "import_chart", "report")} <= set(
        found
    )
    assert "us-east-1 answers arn:aws:" in found["AWS"].text
    assert found[f"chart {DAILY}"].text.startswith("readable: 50 positions of ")
    made = len(patient.spotify.requests())
    assert patient.memory.state().calls_of_past_day(now=datetime.now(UTC)) == made == 6
    assert f"{made} of them just now" in found["rate limit of Spotify's Web API"].text


def test_an_examination_stores_nothing_but_what_is_remembered_of_limits(patient: Patient) -> None:
    patient.examine()

    held = patient.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [entry["Key"] for entry in held] == [state_key("web_api")]


def test_the_command_prints_each_line_and_its_exit_code_tells_whether_one_failed(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from argparse import Namespace

    monkeypatch.setattr(doctor, "load_config", lambda _: patient.config)
    assert doctor.doctor_command(Namespace(stage="dev", offline=False)) == 0
    healthy = capsys.readouterr().out.splitlines()
    patient.spotify.fail(Fault(FaultKind.FORBIDDEN, path=PLAYLISTS))
    assert doctor.doctor_command(Namespace(stage="dev", offline=False)) == 1

    assert len(healthy) == 18
    assert healthy[-1] == "2 warnings of 17 checks"
    ill = capsys.readouterr().out.splitlines()
    [failed] = [line for line in ill if line.startswith("FAILED")]
    assert failed.startswith(f"FAILED   chart {DAILY}: AccessForbidden: Spotify forbids it: 403")
    assert ill[-1] == "1 FAILED and 2 warnings of 17 checks"


# Nothing there


def test_where_aws_cannot_be_reached_it_says_so_and_asks_nothing_else(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_: str) -> Stage:
        raise NoCredentialsError

    monkeypatch.setattr(doctor, "open_stage", unreachable)
    found = patient.examine()

    assert marks(found) == {"AWS": "FAILED", "everything else": "skipped"}
    assert "aws sso login" in found["AWS"].text


def test_where_nothing_is_deployed_it_says_what_to_do_first_and_calls_nobody(patient: Patient) -> None:
    patient.outputs = dict.fromkeys(PARTS)
    found = patient.examine()

    assert marks(found) == {
        "AWS": "ok",
        "stacks": "FAILED",
        "credentials": "ok",
        "sign-in": "ok",
        "Spotify": "skipped",
    }
    assert "begin with `etl deploy --stage dev`" in found["stacks"].text
    assert patient.spotify.requests() == ()


def test_without_credentials_the_other_checks_go_on(patient: Patient) -> None:
    boto3.client("ssm").delete_parameter(Name=patient.config.credentials_parameter)
    found = patient.examine()

    assert found["credentials"].mark == "FAILED"
    assert "`etl credentials --stage dev`" in found["credentials"].text
    assert found["Spotify"].mark == "skipped"
    assert found["quarantine"].mark == "ok"
    assert patient.spotify.requests() == ()


def test_without_credentials_public_charts_are_looked_at_all_the_same(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_adapter, "PUBLIC_CHARTS_ADDRESS", address_at(patient.spotify.url))
    boto3.client("ssm").delete_parameter(Name=patient.config.credentials_parameter)
    charts = tuple(
        replace(chart, providers=("public_charts", "playlist"))
        for chart in patient.config.charts
        if chart.chart == WEEKLY
    )
    patient.config = replace(patient.config, charts=charts)
    found = patient.examine()

    assert found[f"chart {WEEKLY} from public_charts"].mark == "ok"
    skipped = found[f"chart {WEEKLY} from playlist"]
    assert (skipped.mark, skipped.text) == ("skipped", "credentials have to be stored first")
    assert "quota mode" not in found
    assert len(patient.spotify.requests()) == 1


def test_a_stage_that_polls_nothing_needs_no_credentials(patient: Patient) -> None:
    boto3.client("ssm").delete_parameter(Name=patient.config.credentials_parameter)
    patient.config = replace(patient.config, charts=())
    found = patient.examine()

    assert "FAILED" not in marks(found).values()
    assert found["credentials"].mark == "skipped"


# Spotify's walls


def test_credentials_that_spotify_rejects_cost_one_call_and_the_charts_are_not_tried(patient: Patient) -> None:
    rejected = Credentials(client_id=CLIENT_ID, client_secret="of-another-time")
    write_credentials(boto3.client("ssm"), patient.config.credentials_parameter, rejected)
    found = patient.examine()

    assert found["Spotify"].mark == "FAILED"
    assert found["Spotify"].text.startswith("CredentialsRejected: Spotify rejects the credentials: 400")
    assert (found[f"chart {DAILY}"].mark, found[f"chart {WEEKLY}"].mark) == ("skipped", "skipped")
    assert len(patient.spotify.requests()) == 1
    assert "of-another-time" not in repr(found)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (FaultKind.FORBIDDEN, "AccessForbidden: Spotify forbids it: 403"),
        (FaultKind.NOT_FOUND, "ChartNotFound: Spotify knows no such playlist for this app: 404"),
        (FaultKind.EMPTY, "EmptyChart: Spotify answers with no entries at all"),
        (FaultKind.SHORT_PAGE, "InconsistentChart: 49 entries come after 0 where 50 are due"),
    ],
)
def test_a_chart_that_cannot_be_read_names_the_wall_and_the_other_chart_is_read(
    patient: Patient, kind: FaultKind, said: str
) -> None:
    patient.spotify.fail(Fault(kind, path=PLAYLISTS))
    found = patient.examine()

    daily = found[f"chart {DAILY}"]
    assert (daily.mark, daily.text[: len(said)]) == ("FAILED", said)
    assert found[f"chart {WEEKLY}"].mark == "ok"


def test_other_peoples_playlists_are_a_wall_with_its_remedy(patient: Patient) -> None:
    patient.spotify.set(non_owner=True)
    daily = patient.examine()[f"chart {DAILY}"]

    assert daily.mark == "FAILED"
    assert "an app in Development Mode reads only playlists" in daily.text
    assert "`etl import`" in daily.text


@pytest.mark.parametrize(("era", "mode"), [("2026", "Development Mode"), ("both", "Extended Quota")])
def test_the_quota_mode_is_told_by_what_the_charts_hold(patient: Patient, era: str, mode: str) -> None:
    patient.spotify.set(era=era)

    assert patient.examine()["quota mode"].text.startswith(f"{mode}, as far as can be told")


# Rate limits


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMITED, FaultKind.QUOTA_EXCEEDED])
def test_a_limit_that_the_doctor_meets_is_remembered_and_ends_its_calls(patient: Patient, kind: FaultKind) -> None:
    patient.spotify.fail(Fault(kind, retry_after=SIX_HOURS))
    found = patient.examine()

    assert found["Spotify"].mark == "warning"
    assert "6 h 0 min, until " in found["Spotify"].text
    assert (found[f"chart {DAILY}"].mark, found[f"chart {WEEKLY}"].mark) == ("skipped", "skipped")
    assert found["quota mode"].mark == "skipped"
    limit = found["rate limit of Spotify's Web API"]
    assert limit.mark == "warning"
    assert "(6 h 0 min from now)" in limit.text
    assert len(patient.spotify.requests()) == 2
    assert "FAILED" not in marks(found).values()


def test_while_a_remembered_limit_holds_the_doctor_calls_nobody_and_tells_the_time_left(patient: Patient) -> None:
    limit = RateLimited("x", retry_after=SIX_HOURS, quota_exceeded=True)
    patient.memory.remember(limit, now=datetime.now(UTC) - timedelta(hours=1))
    found = patient.examine()

    assert patient.spotify.requests() == ()
    assert [check for check, mark in marks(found).items() if mark == "skipped"] == [
        "Spotify",
        f"chart {DAILY}",
        f"chart {WEEKLY}",
        "quota mode",
    ]
    told = found["rate limit of Spotify's Web API"]
    assert told.mark == "warning"
    assert "h 59 min from now" in told.text or "5 h 0 min from now" in told.text
    assert "quota for a day" in told.text


def test_offline_no_call_is_made_and_what_is_remembered_is_told(patient: Patient) -> None:
    patient.memory.count(17, now=datetime.now(UTC))
    found = patient.examine(offline=True)

    assert patient.spotify.requests() == ()
    assert (found["Spotify"].mark, found["Spotify"].text) == ("skipped", "no call is made, by --offline")
    assert "17 calls in the past 24 hours (" in found["rate limit of Spotify's Web API"].text


def test_a_stage_of_many_charts_spends_no_more_calls_than_one_examination_may(patient: Patient) -> None:
    [daily, _] = patient.config.charts
    charts = [replace(daily, chart=f"chart-{number}") for number in range(MAX_CALLS)]
    patient.config = replace(patient.config, charts=tuple(charts))
    found = patient.examine(offline=False)

    assert len(patient.spotify.requests()) == MAX_CALLS
    assert found["chart chart-0"].mark == "ok"
    last = found[f"chart chart-{MAX_CALLS - 1}"]
    assert (last.mark, last.text[:13]) == ("skipped", "not asked for")
    assert "FAILED" not in marks(found).values()


def test_a_memory_that_cannot_be_read_is_a_warning_and_calls_are_made(patient: Patient) -> None:
    patient.s3.put_object(Bucket=BUCKET, Key=state_key("web_api"), Body=b"damaged")
    found = patient.examine()

    warning = found["the memory of rate limits is not readable"]
    assert warning.mark == "warning"
    assert warning.text.startswith("state/web_api.json: ")
    assert found["Spotify"].mark == "ok"


# A check that breaks


def test_a_check_that_breaks_is_a_line_with_its_reason_and_the_others_go_on(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of a\nnew kind")

    monkeypatch.setattr(doctor, "newest_held", broken)
    assert patient.outputs["compute"] is not None
    patient.outputs["compute"]["TransformDeadLettersUrl"] = "https://sqs.us-east-1.amazonaws.com/123456789012/gone"
    found = patient.examine()

    assert found[f"newest date of {DAILY}"].mark == "FAILED"
    assert "a defect of this command (ZeroDivisionError: of a new kind)" in found[f"newest date of {DAILY}"].text
    assert found["dead letters of transform"].mark == "FAILED"
    assert found["dead letters of transform"].text.startswith("AWS: GetQueueAttributes: ")
    assert found["dead letters of extract"].mark == "ok"
    assert found["quarantine"].mark == "ok"


def test_a_memory_that_cannot_be_written_is_a_warning_without_a_traceback(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class ReadOnly(MemoryStore):
        def put_new(self, key: str, body: bytes) -> bool:
            raise PermissionError(f"{key} may not be written ({len(body)} bytes)")

    store = ReadOnly()
    monkeypatch.setattr(Stage, "raw_store", lambda _: store)
    found = patient.examine()

    warning = found["calls could not be counted"]
    assert (warning.mark, "state/web_api.json may not be written" in warning.text) == ("warning", True)
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err


# What an app is told that may not even ask about a song


def _refusal(status: int, message: str) -> Refused:
    response = requests.Response()
    response.status_code = status
    response._content = f'{{"error":{{"status":{status},"message":"{message}"}}}}'.encode()
    return Refused(response, at_token=False)


@pytest.mark.parametrize(
    ("status", "message", "mark", "said"),
    [
        (403, "Active premium subscription required for the owner of the app", "FAILED", "Premium subscription"),
        (403, "User not registered in the Developer Dashboard", "FAILED", "under User Management"),
        (403, "Forbidden", "FAILED", "see at https://developer.spotify.com/dashboard"),
        (404, "Resource not found", "ok", "it takes the credentials"),
    ],
)
def test_an_app_that_may_not_ask_about_a_song_is_told_apart_from_a_song_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, status: int, message: str, mark: str, said: str
) -> None:
    def refused(*_: object, **__: object) -> dict[str, object]:
        raise _refusal(status, message)

    monkeypatch.setattr(WebApi, "song", refused)
    asked = checks(MemoryStore())
    assert asked.api is not None
    finding = asked.accepted(asked.api)

    assert finding.mark == mark
    assert said in finding.text


@pytest.mark.parametrize(
    ("answer", "mode"), [({"popularity": 60}, "Extended Quota"), ({"id": "x"}, "Development Mode")]
)
def test_a_song_alone_tells_the_quota_mode_where_no_chart_can_be_read(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, object], mode: str
) -> None:
    monkeypatch.setattr(WebApi, "song", lambda *_, **__: answer)
    asked = checks(MemoryStore())

    assert asked.api is not None
    assert asked.accepted(asked.api).mark == "ok"
    assert asked.quota_mode().text.startswith(mode)


def checks(store: MemoryStore) -> SpotifyChecks:
    budget = Budget(max_calls=5, seconds_left=lambda: 30.0)
    credentials = Credentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    return SpotifyChecks(
        api=WebApi(credentials, budget, stage="dev"),
        openers={},
        memory_of=lambda service: RateLimitMemory(store, service),
        budget=budget,
    )
