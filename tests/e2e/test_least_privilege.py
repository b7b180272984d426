"""Least privilege, proven: the pipeline works under its own roles, and every grant of them is needed.

The stage is deployed once with IAM enforcement on. The list of mutations is made from the policies that are deployed:
a grant that no scenario proves, and that the emulator is not known to leave unenforced, fails the suite.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from lambdas.core.cached_answers import gone
from lambdas.core.documents import encode
from lambdas.core.keys import (
    CACHED_SONGS_PREFIX,
    INBOX_PREFIX,
    INBOX_QUARANTINE_PREFIX,
    QUARANTINE_PREFIX,
    RAW_PREFIX,
    REPORT_PREFIX,
    RESULTS_PREFIX,
    STATE_PREFIX,
    chart_prefix,
    chart_year_key,
    quarantine_key,
    report_key,
    state_key,
    table_prefix,
)
from lambdas.core.schema import SNAPSHOTS, TABLES
from local.emulator import lifecycle
from local.spotify.model import chart
from tests.documents import cached_song, csv_answer, csv_file, csv_row, document, track
from tests.e2e.conftest import Etl
from tests.e2e.secure_stage import Grant, SecureStage, eventually

pytestmark = pytest.mark.e2e

DAILY, WEEKLY = "regional-global-daily", "regional-global-weekly"
GOOD = document(chart="road-trip")
GOOD_KEY = GOOD.key
SONGS = [entry.song for entry in chart("regional-us-daily", date(2025, 3, 1))[:3]]
FILE = document(
    [csv_answer([csv_row(n, uri=f"spotify:track:{song.id}", track_name=song.name) for n, song in enumerate(SONGS, 1)])],
    chart="of-a-file",
    provider="charts_csv",
)
BAD_KEY = "raw/chart=road-trip/date=2026-03-07/20260308T060000Z-playlist-0123456789abcdef.json.gz"
DROPPED = "dropped"
FILE_KEY = f"{INBOX_PREFIX}chart={DROPPED}/date=2026-03-07/a file+1.csv"
DROPPED_FILE = csv_file([csv_row(1), csv_row(2, "b")]).encode()
BAD_FILE_KEY = f"{INBOX_PREFIX}chart=BAD NAME/a file+1.csv"


@pytest.fixture(scope="module")
def etl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etl]:
    """The command over a stage of its own, whose emulator enforces IAM and speaks TLS."""
    command = Etl(tmp_path_factory.mktemp("secure"))
    try:
        lifecycle.start(command.state, secure=True)
        command.succeed("up")
        yield command
    finally:
        command("down")


@pytest.fixture(scope="module")
def stage(etl: Etl) -> SecureStage:
    """The stage with the weekly chart, and a good and a bad document and file, gone through its pipeline."""
    endpoint = lifecycle.running(etl.state)
    assert endpoint is not None
    assert endpoint.url.startswith("https://")
    stage = SecureStage(endpoint)
    polled = stage.invoke("Extract", stage.schedule_input(WEEKLY))
    assert polled.payload.get("outcome") == "stored", polled.told
    assert stage.store("RawBucket").put_new(GOOD_KEY, encode(GOOD))
    assert stage.store("RawBucket").put_new(BAD_KEY, b"not gzip")
    assert stage.store("RawBucket").put_new(FILE_KEY, DROPPED_FILE)
    assert stage.store("RawBucket").put_new(BAD_FILE_KEY, DROPPED_FILE)
    eventually(lambda: len(stage.keys("WarehouseBucket", "snapshots/")) == 3, what="all documents are in the tables")
    eventually(lambda: len(stage.keys("RawBucket", QUARANTINE_PREFIX)) == 2, what="what is bad is in quarantine")
    return stage


# ---- the pipeline under its own roles


def test_a_poll_by_its_schedules_input_reaches_athena_under_the_functions_own_roles(
    etl: Etl, stage: SecureStage
) -> None:
    polled = stage.invoke("Extract", stage.schedule_input(DAILY))
    assert polled.payload.get("outcome") == "stored", polled.told
    eventually(
        lambda: any(key.endswith(f"/{DAILY}.parquet") for key in stage.keys("WarehouseBucket", "snapshots/")),
        what="the chart is in the tables",
    )
    rows = etl.rows(
        f"""
        SELECT e.position, s.name AS song FROM chart_entries AS e JOIN songs AS s ON s.song_id = e.song_id
        WHERE e.chart = '{DAILY}' ORDER BY e.position
        """
    )
    shown = chart(DAILY, datetime.fromisoformat(polled.payload["chart_date"]).date())
    assert [(row["position"], row["song"]) for row in rows] == [(entry.position, entry.song.name) for entry in shown]


def test_a_second_poll_finds_the_date_held_and_stores_nothing(stage: SecureStage) -> None:
    before = stage.keys("RawBucket", RAW_PREFIX)
    assert stage.invoke("Extract", stage.schedule_input(WEEKLY)).payload["outcome"] == "held"
    assert stage.keys("RawBucket", RAW_PREFIX) == before


def test_a_bad_document_is_in_quarantine_with_its_reason_and_the_good_one_beside_it_in_the_tables(
    stage: SecureStage,
) -> None:
    assert quarantine_key(BAD_KEY) in stage.keys("RawBucket", QUARANTINE_PREFIX)
    record = stage.store("RawBucket").get(quarantine_key(BAD_KEY))
    assert record is not None
    assert "not gzip" in json.loads(record.body)["reason"]
    assert "snapshots/year=2026/road-trip.parquet" in stage.keys("WarehouseBucket", "snapshots/")


def test_a_dropped_file_is_in_the_tables_and_a_bad_one_beside_it_in_quarantine_with_its_reason(
    stage: SecureStage,
) -> None:
    assert f"snapshots/year=2026/{DROPPED}.parquet" in stage.keys("WarehouseBucket", "snapshots/")
    assert {FILE_KEY, BAD_FILE_KEY} == set(stage.keys("RawBucket", INBOX_PREFIX))
    record = stage.store("RawBucket").get(quarantine_key(BAD_FILE_KEY))
    assert record is not None
    assert "'BAD NAME' cannot name a chart" in json.loads(record.body)["reason"]


def test_a_file_that_is_gone_when_its_event_comes_is_done(stage: SecureStage) -> None:
    told = stage.tell("ImportChart", f"{INBOX_PREFIX}gone.csv")
    assert told.payload == {"batchItemFailures": []}, told.told


def test_of_a_batch_the_message_that_failed_comes_again_alone_and_lies_in_the_dead_letters_after_five_receives(
    stage: SecureStage,
) -> None:
    good = document(chart="by-queue")
    queue, dead_letters = stage.physical("TransformQueue"), stage.physical("TransformQueueDeadLettersQueue")
    hidden = stage.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    stage.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    try:
        stage.sqs.send_message(QueueUrl=queue, MessageBody="no event")
        assert stage.store("RawBucket").put_new(good.key, encode(good))
        waiting = eventually(
            lambda: stage.sqs.receive_message(
                QueueUrl=dead_letters, MessageSystemAttributeNames=["ApproximateReceiveCount"], VisibilityTimeout=0
            ).get("Messages"),
            what="the message that is no event lies in the dead letters",
        )
    finally:
        stage.sqs.set_queue_attributes(QueueUrl=queue, Attributes=hidden)
    assert [message["Body"] for message in waiting] == ["no event"]
    assert "snapshots/year=2026/by-queue.parquet" in stage.keys("WarehouseBucket", "snapshots/")
    stage.sqs.purge_queue(QueueUrl=dead_letters)


def test_no_queue_lets_in_anyone_but_the_rule_that_fills_it(stage: SecureStage) -> None:
    """What a role does not have to be granted: the policies of the queues themselves, which EventBridge needs."""
    events = stage.endpoint.client("events")
    documents, files, days = (
        events.describe_rule(Name=stage.physical(name))["Arn"]
        for name in ("RawDocumentCreated", "FileDropped", "ChartChanged")
    )
    let_in: dict[str, list[tuple[str, str]]] = {}
    for name, (kind, _) in stage.resources.items():
        if kind != "AWS::SQS::Queue":
            continue
        held = stage.sqs.get_queue_attributes(QueueUrl=stage.physical(name), AttributeNames=["Policy"])["Attributes"]
        let_in[name] = [
            (statement["Principal"]["Service"], statement["Condition"]["ArnEquals"]["aws:SourceArn"])
            for statement in json.loads(held["Policy"])["Statement"]
            if statement["Effect"] == "Allow"
        ]
    assert let_in == {
        "ExtractDeadLettersQueue": [],
        "EnrichDeadLettersQueue": [],
        "TransformQueue": [("events.amazonaws.com", documents)],
        "TransformQueueDeadLettersQueue": [("events.amazonaws.com", documents)],
        "ImportChartQueue": [("events.amazonaws.com", files)],
        "ImportChartQueueDeadLettersQueue": [("events.amazonaws.com", files)],
        "ReportQueue": [("events.amazonaws.com", days)],
        "ReportQueueDeadLettersQueue": [("events.amazonaws.com", days)],
    }


# ---- every grant is needed


@dataclass(frozen=True)
class Scenario:
    """What a function does under its role. `run` tells what went wrong, in the function's words; empty if nothing."""

    name: str
    run: Callable[[SecureStage], str]


def _poll_what_is_not_held(stage: SecureStage) -> str:
    stage.empty("RawBucket", chart_prefix(DAILY))
    polled = stage.invoke("Extract", stage.schedule_input(DAILY))
    return polled.told if polled.raised or polled.payload["outcome"] != "stored" else ""


def _poll_what_is_held(stage: SecureStage) -> str:
    polled = stage.invoke("Extract", stage.schedule_input(WEEKLY))
    return polled.told if polled.raised or polled.payload["outcome"] != "held" else ""


def _count_calls_from_nothing(stage: SecureStage) -> str:
    stage.empty("RawBucket", STATE_PREFIX)
    stage.empty("RawBucket", chart_prefix(DAILY))
    polled = stage.invoke("Extract", stage.schedule_input(DAILY))
    return "" if stage.keys("RawBucket", STATE_PREFIX) == [state_key("web_api")] else polled.told


def _load_into_empty_tables(stage: SecureStage) -> str:
    _empty_tables(stage)
    loaded = stage.tell("Transform", GOOD_KEY)
    if loaded.raised or loaded.payload["batchItemFailures"]:
        return loaded.told
    held = [key for key in stage.keys("WarehouseBucket") if not key.startswith(REPORT_PREFIX)]
    assert len(held) == len(TABLES), loaded.told
    return ""


def _empty_tables(stage: SecureStage) -> None:
    for table in TABLES:
        stage.empty("WarehouseBucket", table_prefix(table))


def _report(stage: SecureStage) -> str:
    """The first report of a chart, and of another one, all of whose days are gone, none any more."""
    loaded = _load_into_empty_tables(stage)
    assert not loaded, loaded
    stage.empty("WarehouseBucket", REPORT_PREFIX)
    assert stage.store("WarehouseBucket").put_new(report_key("gone"), b"of a chart that was withdrawn")
    for chart_, left in ((GOOD.chart, ["gone", GOOD.chart]), ("gone", [GOOD.chart])):
        key = chart_year_key(SNAPSHOTS, chart_, GOOD.chart_date.year)
        told = stage.tell("Report", key, bucket="WarehouseBucket")
        if told.raised or told.payload["batchItemFailures"]:
            return told.told
        assert stage.keys("WarehouseBucket", REPORT_PREFIX) == [report_key(chart) for chart in left], told.told
    return ""


def _quarantine_a_document_that_has_another_record(stage: SecureStage) -> str:
    raw, record = stage.store("RawBucket"), quarantine_key(BAD_KEY)
    stage.empty("RawBucket", QUARANTINE_PREFIX)
    raw.put_new(record, b"the reason of before")
    done = stage.tell("Transform", BAD_KEY)
    if done.raised or done.payload["batchItemFailures"]:
        return done.told
    held = raw.get(record)
    assert held is not None
    assert "not gzip" in held.body.decode(), done.told
    return ""


def _import_a_file(stage: SecureStage) -> str:
    stage.empty("RawBucket", chart_prefix(DROPPED))
    done = stage.tell("ImportChart", FILE_KEY)
    if done.raised or done.payload["batchItemFailures"]:
        return done.told
    assert len(stage.keys("RawBucket", chart_prefix(DROPPED))) == 1, done.told
    return ""


def _quarantine_a_file_that_is_bad_for_another_reason(stage: SecureStage) -> str:
    raw, record = stage.store("RawBucket"), quarantine_key(BAD_FILE_KEY)
    stage.empty("RawBucket", INBOX_QUARANTINE_PREFIX)
    raw.put_new(record, b"the reason of before")
    done = stage.tell("ImportChart", BAD_FILE_KEY)
    if done.raised or done.payload["batchItemFailures"]:
        return done.told
    held = raw.get(record)
    assert held is not None
    assert "BAD NAME" in held.body.decode(), done.told
    return ""


def _load_an_answer(stage: SecureStage) -> str:
    answer = cached_song(track("Of an answer"))
    stage.store("RawBucket").put_new(answer.key, encode(answer))
    loaded = stage.tell("Transform", answer.key)
    return loaded.told if loaded.raised or loaded.payload["batchItemFailures"] else ""


def _enrich(stage: SecureStage) -> str:
    """One song was gone long ago, and is asked about again; the others never were."""
    stage.empty("WarehouseBucket")
    stage.empty("RawBucket", CACHED_SONGS_PREFIX)
    old = gone(SONGS[0].id, before=None, now=datetime(2020, 1, 1, tzinfo=UTC))
    for key, item in ((FILE.key, FILE), (old.key, old)):
        stage.store("RawBucket").put_new(key, encode(item))
    assert stage.tell("Transform", FILE.key).payload == {"batchItemFailures": []}
    done = stage.invoke("Enrich", {})
    # What only cannot be counted is no reason to fail.
    if done.raised or done.payload["outcome"] != "finished" or "could not be counted" in done.log:
        return done.told
    assert sorted(done.payload["answered"]) == sorted(song.id for song in SONGS), done.told
    return ""


POLL_WHAT_IS_NOT_HELD = Scenario("poll a chart that is not held", _poll_what_is_not_held)
POLL_WHAT_IS_HELD = Scenario("poll a chart that is held", _poll_what_is_held)
COUNT_CALLS_FROM_NOTHING = Scenario("count the calls of a poll, the first", _count_calls_from_nothing)
LOAD_INTO_EMPTY_TABLES = Scenario("load a document into empty tables", _load_into_empty_tables)
LOAD_AN_ANSWER = Scenario("load an answer about a song", _load_an_answer)
ENRICH = Scenario("ask about the songs of a chart file", _enrich)
QUARANTINE = Scenario("quarantine a bad document anew", _quarantine_a_document_that_has_another_record)
REPORT = Scenario("make a chart's report, and remove another's", _report)
IMPORT_A_FILE = Scenario("import a dropped file", _import_a_file)
QUARANTINE_A_FILE = Scenario("quarantine a dropped file anew", _quarantine_a_file_that_is_bad_for_another_reason)

PROOFS: dict[str, Scenario] = {
    "Extract: s3:PutObject on RawBucket/raw/*": POLL_WHAT_IS_NOT_HELD,
    "Extract: s3:ListBucket on RawBucket": POLL_WHAT_IS_NOT_HELD,
    "Extract: ssm:GetParameter on parameter/spotify-etl/local/spotify": POLL_WHAT_IS_NOT_HELD,
    "Extract: s3:GetObject on RawBucket/raw/*": POLL_WHAT_IS_HELD,
    "Extract: s3:GetObject on RawBucket/state/*": POLL_WHAT_IS_NOT_HELD,
    "Extract: s3:PutObject on RawBucket/state/*": COUNT_CALLS_FROM_NOTHING,
    "Transform: s3:ListBucket on RawBucket": LOAD_INTO_EMPTY_TABLES,
    "Transform: s3:GetObject on RawBucket/raw/*": LOAD_INTO_EMPTY_TABLES,
    "Transform: s3:GetObject on RawBucket/cache/tracks/*": LOAD_AN_ANSWER,
    "Transform: s3:PutObject on RawBucket/quarantine/*": QUARANTINE,
    "Transform: s3:GetObject on RawBucket/quarantine/*": QUARANTINE,
    "ImportChart: s3:GetObject on RawBucket/inbox/*": IMPORT_A_FILE,
    "ImportChart: s3:PutObject on RawBucket/raw/*": IMPORT_A_FILE,
    "ImportChart: s3:PutObject on RawBucket/quarantine/inbox/*": QUARANTINE_A_FILE,
    "ImportChart: s3:GetObject on RawBucket/quarantine/inbox/*": QUARANTINE_A_FILE,
    "Enrich: s3:GetObject on RawBucket/cache/tracks/*": ENRICH,
    "Enrich: s3:PutObject on RawBucket/cache/tracks/*": ENRICH,
    "Enrich: s3:GetObject on RawBucket/state/*": ENRICH,
    "Enrich: s3:PutObject on RawBucket/state/*": ENRICH,
    "Enrich: s3:ListBucket on RawBucket": ENRICH,
    "Enrich: s3:GetObject on WarehouseBucket/songs/*": ENRICH,
    "Enrich: s3:GetObject on WarehouseBucket/chart_entries/*": ENRICH,
    "Enrich: s3:ListBucket on WarehouseBucket": ENRICH,
    "Enrich: ssm:GetParameter on parameter/spotify-etl/local/spotify": ENRICH,
    "Report: athena:StartQueryExecution on workgroup/spotify-local": REPORT,
    "Report: athena:GetQueryExecution on workgroup/spotify-local": REPORT,
    "Report: athena:GetQueryResults on workgroup/spotify-local": REPORT,
    "Report: s3:ListBucket on WarehouseBucket": REPORT,
    "Report: s3:GetObject on WarehouseBucket/report/*": REPORT,
    "Report: s3:PutObject on WarehouseBucket/report/*": REPORT,
    "Report: s3:DeleteObject on WarehouseBucket/report/*": REPORT,
} | {
    f"Transform: {action} on WarehouseBucket/{table_prefix(table)}*": LOAD_INTO_EMPTY_TABLES
    for table in TABLES
    for action in ("s3:GetObject", "s3:PutObject")
}
"""The scenario that cannot do without a grant."""


@dataclass(frozen=True)
class Unenforced:
    """Grants that AWS asks for and the emulator does not: why, and the test that holds them on the template."""

    role: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    reason: str
    asserted_by: str

    def grants(self) -> set[str]:
        return {f"{self.role}: {action} on {resource}" for action in self.actions for resource in self.resources}


_WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
_OWN_LOGS = "the emulator writes a function's log by itself, not as its role"
_CONSUME = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
_OWN_POLLER = "the emulator's event source polls by itself, not as the function's role"
_MISSING_KEYS = "the emulator answers 404 for a missing key to whoever may get it, where S3 answers 403 without this"
_BEHIND_ATHENA = "the emulator's Athena looks up tables, reads them and writes results by itself, not as who asks"
_EXTRACT_TEST = (
    "tests/infra/test_permissions.py::test_extract_may_only_add_and_read_raw_documents_and_read_its_own_parameter"
)
_TRANSFORM_TEST = (
    "tests/infra/test_permissions.py::test_transform_may_only_read_raw_documents_and_write_tables_and_quarantine"
)
_IMPORT_TEST = (
    "tests/infra/test_permissions.py::"
    "test_import_chart_may_only_read_dropped_files_and_add_raw_documents_and_records_of_files"
)
_ENRICH_TEST = (
    "tests/infra/test_permissions.py::"
    "test_enrich_may_only_read_songs_and_charts_keep_answers_and_limits_and_read_its_own_parameter"
)
_REPORT_TEST = (
    "tests/infra/test_permissions.py::test_report_may_only_ask_through_its_stages_workgroup_and_write_reports"
)
_SCHEDULER_TEST = (
    "tests/infra/test_permissions.py::"
    "test_schedules_may_only_call_extract_and_only_schedules_of_the_stage_may_use_their_role"
)
_CRAWLER_TEST = "tests/infra/test_snapshots.py::test_the_template_is_the_one_that_was_reviewed"
_STUB = "the emulator's crawler is a stub that reads and writes nothing"

UNENFORCED = (
    Unenforced("Extract", _WRITE_LOGS, ("log-group:ExtractLogs:*",), _OWN_LOGS, _EXTRACT_TEST),
    Unenforced(
        "Extract",
        ("s3:PutObjectTagging",),
        ("RawBucket/raw/*",),
        "the emulator checks a PutObject that carries tags for s3:PutObject alone",
        _EXTRACT_TEST,
    ),
    Unenforced(
        "Extract",
        ("sqs:SendMessage",),
        ("ExtractDeadLettersQueue",),
        "the emulator delivers to an on-failure destination by itself, not as the function's role",
        _EXTRACT_TEST,
    ),
    Unenforced("Enrich", _WRITE_LOGS, ("log-group:EnrichLogs:*",), _OWN_LOGS, _ENRICH_TEST),
    Unenforced(
        "Enrich",
        ("s3:PutObjectTagging",),
        ("RawBucket/cache/tracks/*",),
        "the emulator checks a PutObject that carries tags for s3:PutObject alone",
        _ENRICH_TEST,
    ),
    Unenforced(
        "Enrich",
        ("sqs:SendMessage",),
        ("EnrichDeadLettersQueue",),
        "the emulator delivers to an on-failure destination by itself, not as the function's role",
        _ENRICH_TEST,
    ),
    Unenforced("Transform", _WRITE_LOGS, ("log-group:TransformLogs:*",), _OWN_LOGS, _TRANSFORM_TEST),
    Unenforced("Transform", ("s3:ListBucket",), ("WarehouseBucket",), _MISSING_KEYS, _TRANSFORM_TEST),
    Unenforced("Transform", _CONSUME, ("TransformQueue",), _OWN_POLLER, _TRANSFORM_TEST),
    Unenforced("ImportChart", _WRITE_LOGS, ("log-group:ImportChartLogs:*",), _OWN_LOGS, _IMPORT_TEST),
    Unenforced("ImportChart", ("s3:ListBucket",), ("RawBucket",), _MISSING_KEYS, _IMPORT_TEST),
    Unenforced("ImportChart", _CONSUME, ("ImportChartQueue",), _OWN_POLLER, _IMPORT_TEST),
    Unenforced("Report", _WRITE_LOGS, ("log-group:ReportLogs:*",), _OWN_LOGS, _REPORT_TEST),
    Unenforced("Report", _CONSUME, ("ReportQueue",), _OWN_POLLER, _REPORT_TEST),
    Unenforced(
        "Report",
        ("athena:StopQueryExecution",),
        ("workgroup/spotify-local",),
        "nothing has to be stopped where every question is answered",
        _REPORT_TEST,
    ),
    Unenforced(
        "Report",
        ("glue:GetDatabase",),
        ("catalog", "database/default", "database/spotify_local"),
        _BEHIND_ATHENA,
        _REPORT_TEST,
    ),
    Unenforced(
        "Report",
        ("glue:GetPartitions", "glue:GetTable"),
        ("catalog", "database/spotify_local", *(f"table/spotify_local/{table.name}" for table in TABLES)),
        _BEHIND_ATHENA,
        _REPORT_TEST,
    ),
    Unenforced(
        "Report",
        ("s3:GetObject",),
        tuple(f"WarehouseBucket/{table_prefix(table)}*" for table in TABLES),
        _BEHIND_ATHENA,
        _REPORT_TEST,
    ),
    Unenforced("Report", ("s3:GetBucketLocation",), ("WarehouseBucket", "ResultsBucket"), _BEHIND_ATHENA, _REPORT_TEST),
    Unenforced(
        "Report",
        ("s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"),
        (f"ResultsBucket/{RESULTS_PREFIX}*",),
        _BEHIND_ATHENA,
        _REPORT_TEST,
    ),
    Unenforced(
        "Report",
        ("s3:ListBucket", "s3:ListBucketMultipartUploads"),
        ("ResultsBucket",),
        _BEHIND_ATHENA,
        _REPORT_TEST,
    ),
    Unenforced(
        "Scheduler",
        ("lambda:InvokeFunction",),
        ("function:ExtractFunction",),
        "the emulator's scheduler calls its target by itself",
        _SCHEDULER_TEST,
    ),
    Unenforced(
        "Scheduler",
        ("sqs:SendMessage",),
        ("ExtractDeadLettersQueue",),
        "the emulator's scheduler knows no dead letters",
        _SCHEDULER_TEST,
    ),
    Unenforced(
        "Crawler",
        (
            "glue:BatchCreatePartition",
            "glue:BatchGetPartition",
            "glue:BatchUpdatePartition",
            "glue:CreatePartition",
            "glue:GetDatabase",
            "glue:GetPartition",
            "glue:GetPartitions",
            "glue:GetTable",
            "glue:GetTables",
            "glue:UpdatePartition",
        ),
        ("catalog", "database/spotify_local", *(f"table/spotify_local/{table.name}" for table in TABLES)),
        _STUB,
        _CRAWLER_TEST,
    ),
    Unenforced(
        "Crawler",
        ("s3:GetObject",),
        tuple(f"WarehouseBucket/{table_prefix(table)}*" for table in TABLES),
        _STUB,
        _CRAWLER_TEST,
    ),
    Unenforced("Crawler", ("s3:GetBucketLocation", "s3:ListBucket"), ("WarehouseBucket",), _STUB, _CRAWLER_TEST),
    Unenforced(
        "Crawler",
        ("logs:CreateLogGroup", *_WRITE_LOGS),
        ("log-group:/aws-glue/crawlers", "log-group:/aws-glue/crawlers:*"),
        _STUB,
        _CRAWLER_TEST,
    ),
)
ALL_UNENFORCED = {grant for held in UNENFORCED for grant in held.grants()}


def test_every_grant_that_is_deployed_is_proven_by_a_scenario_or_known_to_be_unenforced(stage: SecureStage) -> None:
    deployed = {str(grant) for grant in stage.grants}
    unproven = sorted(deployed - PROOFS.keys() - ALL_UNENFORCED)
    assert not unproven, f"no scenario proves these grants: {unproven}"
    gone = sorted((PROOFS.keys() | ALL_UNENFORCED) - deployed)
    assert not gone, f"these are proven, or listed as unenforced, but no longer deployed: {gone}"
    assert not PROOFS.keys() & ALL_UNENFORCED
    assert len(deployed) == len(stage.grants), "one grant is deployed twice"


def test_every_grant_that_is_taken_away_or_narrowed_is_missed_by_its_function(
    stage: SecureStage, capsys: pytest.CaptureFixture[str]
) -> None:
    enforced = [grant for grant in stage.grants if str(grant) in PROOFS]
    scenarios = {scenario.name: scenario for scenario in PROOFS.values()}.values()
    mutations, survived = 0, []
    with stage.without_poller():
        for scenario in scenarios:
            assert scenario.run(stage) == "", f"{scenario.name}: fails with all that is granted"
        for grant in enforced:
            others = [held for held in stage.grants if held.role == grant.role and held != grant]
            for instead in (None, *grant.elsewhere()):
                mutations += 1
                with stage.only(grant.role, others if instead is None else [*others, instead]):
                    told = PROOFS[str(grant)].run(stage)
                if not _is_denial_of(grant, told):
                    mutated = "removed" if instead is None else f"narrowed to {instead.statement()}"
                    survived.append(f"{grant} {mutated}: {PROOFS[str(grant)].name}: {told or 'done all the same'}")
        for scenario in scenarios:
            assert scenario.run(stage) == "", f"{scenario.name}: fails though all is granted again"
    with capsys.disabled():
        print(
            f"\nIAM: {len(stage.grants)} grants, {len(enforced)} of them enforced by the emulator; "
            f"{mutations} mutations, {mutations - len(survived)} caught"
        )
    assert not survived, "\n".join(survived)
    assert mutations > 2 * len(enforced)


def _is_denial_of(grant: Grant, told: str) -> bool:
    return "denied" in told.lower() and grant.action in told


def test_what_is_listed_as_unenforced_is_not_missed_when_taken_away(stage: SecureStage) -> None:
    """If one of these fails, the emulator has begun to enforce a grant: give it a scenario in PROOFS."""
    by_schedule, by_queue = document(chart="by-schedule"), document(chart="without-rights")
    dropped = f"{INBOX_PREFIX}chart=dropped-without-rights/date=2026-03-07/file.csv"
    stage.empty("WarehouseBucket")
    stage.empty("RawBucket", chart_prefix(DAILY))
    crawler = stage.endpoint.client("glue")
    with (
        stage.only("Scheduler", []),
        stage.only("Crawler", []),
        stage.only("Extract", _proven(stage, "Extract")),
        stage.only("Transform", _proven(stage, "Transform")),
        stage.only("ImportChart", _proven(stage, "ImportChart")),
        stage.only("Enrich", _proven(stage, "Enrich")),
        stage.only("Report", _proven(stage, "Report")),
    ):
        began = datetime.now(UTC)
        function = stage.functions.get_function_configuration(FunctionName=stage.physical("ExtractFunction"))
        stage.scheduler.create_schedule(
            Name="without-rights",
            ScheduleExpression=f"at({began + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": function["FunctionArn"],
                "RoleArn": stage.iam.get_role(RoleName=stage.roles["Scheduler"])["Role"]["Arn"],
                "Input": json.dumps(stage.schedule_input(DAILY) | {"chart": by_schedule.chart}),
            },
        )
        crawler.start_crawler(Name=stage.physical("Crawler"))

        polled = stage.invoke("Extract", stage.schedule_input(DAILY))
        assert polled.payload.get("outcome") == "stored", polled.told
        tags = stage.s3.get_object_tagging(Bucket=stage.physical("RawBucket"), Key=polled.payload["raw_key"])
        assert tags["TagSet"] == [{"Key": "retention", "Value": "spotify"}]
        stage.functions.invoke(
            FunctionName=function["FunctionArn"], InvocationType="Event", Payload=json.dumps({"chart": "no chart"})
        )
        failure = eventually(
            lambda: stage.sqs.receive_message(QueueUrl=stage.physical("ExtractDeadLettersQueue")).get("Messages"),
            what="a poll that failed lies in the dead letters",
        )
        assert json.loads(failure[0]["Body"])["requestPayload"] == {"chart": "no chart"}

        assert stage.store("RawBucket").put_new(by_queue.key, encode(by_queue))
        assert stage.store("RawBucket").put_new(dropped, DROPPED_FILE)
        eventually(
            lambda: (
                {"snapshots/year=2026/without-rights.parquet", "snapshots/year=2026/dropped-without-rights.parquet"}
                <= set(stage.keys("WarehouseBucket", "snapshots/"))
            ),
            what="a document and a file come through the queues into empty tables",
        )
        eventually(
            lambda: (
                {report_key("without-rights"), report_key("dropped-without-rights")}
                <= set(stage.keys("WarehouseBucket", REPORT_PREFIX))
            ),
            what="both charts have a report",
            seconds=180,
        )
        gone = stage.tell("ImportChart", f"{INBOX_PREFIX}gone.csv")
        assert gone.payload == {"batchItemFailures": []}, gone.told
        with stage.without_poller():
            assert ENRICH.run(stage) == ""
        for key in stage.keys("RawBucket", CACHED_SONGS_PREFIX):
            tags = stage.s3.get_object_tagging(Bucket=stage.physical("RawBucket"), Key=key)
            assert tags["TagSet"] == [{"Key": "retention", "Value": "spotify"}], key
        stage.functions.invoke(
            FunctionName=stage.physical("EnrichFunction"), InvocationType="Event", Payload=json.dumps({"calls": 1})
        )
        failure = eventually(
            lambda: stage.sqs.receive_message(QueueUrl=stage.physical("EnrichDeadLettersQueue")).get("Messages"),
            what="an enrichment that failed lies in the dead letters",
        )
        assert json.loads(failure[0]["Body"])["requestPayload"] == {"calls": 1}

        for name in ("ExtractLogs", "TransformLogs", "ImportChartLogs", "EnrichLogs", "ReportLogs"):
            assert _logged_since(stage, name, began), name
        eventually(
            lambda: crawler.get_crawler(Name=stage.physical("Crawler"))["Crawler"]["State"] == "READY",
            what="the crawler has ended",
        )
        crawl = crawler.get_crawler(Name=stage.physical("Crawler"))["Crawler"]["LastCrawl"]
        assert crawl["Status"] == "SUCCEEDED"
        eventually(
            lambda: stage.keys("RawBucket", chart_prefix(by_schedule.chart)), what="the schedule has polled its chart"
        )


def _proven(stage: SecureStage, role: str) -> list[Grant]:
    """What a role is granted that the emulator enforces."""
    return [grant for grant in stage.grants if grant.role == role and str(grant) in PROOFS]


def _logged_since(stage: SecureStage, log_group: str, moment: datetime) -> bool:
    logs = stage.endpoint.client("logs")
    found = logs.filter_log_events(
        logGroupName=stage.physical(log_group), startTime=int(moment.timestamp() * 1000), filterPattern="timestamp"
    )
    return bool(found["events"])
