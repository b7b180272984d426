"""Events that come twice, late, out of order, or that are none; objects that are not what their event told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from urllib3 import HTTPResponse

from lambdas.core import documents
from lambdas.core.documents import MAX_STORED_BYTES, RawDocument
from lambdas.core.events import encode_event
from lambdas.core.keys import QUARANTINE_PREFIX, RAW_PREFIX, day_prefix, quarantine_key
from lambdas.core.schema import TABLES
from lambdas.core.sources import Budget, PolledChart
from lambdas.extract.poll import poll
from local.emulator.lifecycle import Endpoint
from tests.documents import CHART, DAY, OBSERVED, document, track
from tests.faults.pipeline import RECEIVES, Bucket, Pipeline
from tests.faults.processes import Environment, Invocation
from tests.faults.unreliable_s3 import Request, unreliable
from tests.polls import DAILY

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

BAD = f"{day_prefix(CHART, DAY)}20260306T060000Z-playlist-0123456789abcdef.json.gz"
"""A key that a document could have."""


def days(number: int, *, chart: str = CHART, first: date = DAY) -> list[RawDocument]:
    """Documents of so many days, each of three songs, two of which are on the next day's chart too."""
    return [
        document(
            chart=chart,
            chart_date=first + timedelta(days=day),
            observed_at=OBSERVED + timedelta(days=day),
            songs=[track(f"Song {day + place}", popularity=50 + day) for place in range(3)],
        )
        for day in range(number)
    ]


# ---- schedules


class Source:
    """A source of charts that answers with one document, and lets something happen before it does."""

    def __init__(self, told: RawDocument, *, meanwhile: Callable[[], object] = str) -> None:
        self.told = told
        self.meanwhile = meanwhile

    def fetch(self, chart: PolledChart, *, now: datetime, budget: Budget) -> RawDocument:  # noqa: ARG002
        self.meanwhile()
        return self.told


def polled(pipeline: Pipeline, source: Source) -> str:
    """What a scheduled poll comes to; what it has stored is told of, as S3 does."""
    budget = Budget(max_calls=10, seconds_left=lambda: 60.0)
    result = poll(DAILY, store=pipeline.raw, open_source=lambda _: source, now=OBSERVED, budget=budget)
    if result.outcome == "stored":
        assert result.raw_key is not None
        pipeline.expected.good[result.raw_key] = source.told
        pipeline.tell(result.raw_key)
    return result.outcome


def test_a_schedule_that_fires_twice_polls_once(pipeline: Pipeline) -> None:
    told = document(chart_date=OBSERVED.date() - timedelta(days=1))
    assert [polled(pipeline, Source(told)) for _ in range(2)] == ["stored", "held"]
    assert pipeline.queue.waiting() == 1


@pytest.mark.parametrize("later", [timedelta(0), timedelta(seconds=1)], ids=["in the same second", "a second later"])
def test_two_polls_at_once_store_the_chart_once(pipeline: Pipeline, later: timedelta) -> None:
    """The second runs from end to end while the first waits for Spotify."""
    told = document(chart_date=OBSERVED.date() - timedelta(days=1))
    told_later = document(chart_date=told.chart_date, observed_at=OBSERVED + later)
    outcomes: list[str] = []
    first = Source(told, meanwhile=lambda: outcomes.append(polled(pipeline, Source(told_later))))
    outcomes.append(polled(pipeline, first))
    assert outcomes == ["stored", "held"]
    assert len(pipeline.expected.good) == 1


# ---- events


@pytest.mark.parametrize("when", ["in one batch", "in the next batch", "long after"])
def test_an_event_that_comes_twice_changes_no_byte(pipeline: Pipeline, warehouse_bucket: Bucket, when: str) -> None:
    keys = pipeline.put(*days(2))
    pipeline.tell(*keys, *(keys if when == "in one batch" else ()))
    pipeline.deliver()
    if when == "long after":
        pipeline.tell(*pipeline.put(*days(1, chart="road-trip")))
        pipeline.deliver()
    if when != "in one batch":
        pipeline.tell(*keys)
        pipeline.deliver()
    assert len(warehouse_bucket.versions(f"chart_entries/year=2026/{CHART}.parquet")) == 1


def test_events_out_of_order_give_what_the_documents_say(pipeline: Pipeline) -> None:
    told = days(4)
    corrected = document(chart_date=DAY, observed_at=OBSERVED + timedelta(hours=9), songs=[track("Song 1")])
    for key in reversed(pipeline.put(*told, corrected)):
        pipeline.tell(key)
        pipeline.deliver()


def test_one_bad_document_in_a_batch_holds_up_no_other(pipeline: Pipeline) -> None:
    good = pipeline.put(*days(3), *days(1, chart="road-trip"))
    pipeline.tell(*good[:2], pipeline.put_bad(BAD, b"no gzip at all", "not gzip"), *good[2:])
    assert pipeline.deliver_once()
    assert pipeline.queue.waiting() == 0


def test_s3s_test_event_ends_in_the_dead_letters_and_holds_up_no_document(pipeline: Pipeline) -> None:
    """What S3 sends to a queue itself when notifications are turned on: through EventBridge it never does."""
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "raw", "RequestId": "5582815E1AEA5ADF"}
    pipeline.send_hopeless(json.dumps(event), "a message is no S3 event")
    pipeline.tell(*pipeline.put(*days(1)))
    assert pipeline.deliver_once()
    assert pipeline.queue.waiting() == 1


@pytest.mark.parametrize("body", ["", " ", "no event", "{", "[]", "null", '{"detail": {}}', "[" * 10_000])
def test_a_poisonous_message_is_received_five_times_and_then_lies_in_the_dead_letters(
    pipeline: Pipeline, body: str
) -> None:
    body = body or '""'  # SQS takes no empty message
    pipeline.send_hopeless(body, "a message is no S3 event")
    pipeline.deliver()
    assert pipeline.receives == RECEIVES


@pytest.mark.parametrize(
    "name",
    [
        "holiday photo.jpg",
        "a+b.json.gz",
        "Señal 東京.json",
        "100%2B.json",
        "it's; DROP TABLE songs;--",
        "a//b",
        "&<>",
    ],
)
def test_an_object_of_any_name_is_put_on_record_under_its_own_name(pipeline: Pipeline, name: str) -> None:
    pipeline.tell(pipeline.put_bad(f"{RAW_PREFIX}{name}", b"other people's", "is not the key of a raw document"))


def test_a_key_that_was_escaped_on_its_way_is_on_record_and_the_true_key_loads(pipeline: Pipeline) -> None:
    """S3's own notifications escape keys, EventBridge does not: what is sent by hand may be either."""
    (key,) = pipeline.put(*days(1))
    escaped = key.replace("=", "%3D")
    pipeline.expected.bad[escaped] = "is not the key of a raw document"
    pipeline.tell(escaped, key)


def test_a_key_so_long_that_no_record_fits_beside_it_ends_in_the_dead_letters(
    pipeline: Pipeline, emulator: Endpoint, raw_bucket: Bucket, warehouse_bucket: Bucket
) -> None:
    """A key has at most 1,024 bytes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html."""
    key = RAW_PREFIX + "x" * (1024 - len(RAW_PREFIX))
    pipeline.raw.put_new(key, b"other people's")
    pipeline.expected.bodies[key] = b"other people's"
    pipeline.send_hopeless(encode_event(bucket="raw", key=key), "KeyTooLongError")
    with unreliable(emulator) as s3:
        # The emulator takes keys of any length.
        s3.plan = lambda request: "400 KeyTooLongError" if QUARANTINE_PREFIX in request.path else None
        pipeline.raw = raw_bucket.at(s3.endpoint)
        pipeline.deliver()
    pipeline.raw = raw_bucket.store


def test_nothing_that_the_transform_writes_calls_the_transform(
    pipeline: Pipeline, emulator: Endpoint, raw_bucket: Bucket, warehouse_bucket: Bucket
) -> None:
    """The rule that calls it looks at raw/ of the raw bucket alone (tests/infra/test_pipeline.py)."""
    pipeline.tell(*pipeline.put(*days(2)), pipeline.put_bad(BAD, b"", "cut off"))
    pipeline.tell(pipeline.put_bad(f"{RAW_PREFIX}photo.jpg", b"", "is not the key of a raw document"))
    with unreliable(emulator) as s3:
        where = Environment(s3.endpoint, raw_bucket.name, warehouse_bucket.name)
        assert pipeline.deliver_once(by=lambda batch: Invocation(where, batch).failed())
    written = {request.path for request in s3.requests if request.method not in ("GET", "HEAD")}
    allowed = [f"/{raw_bucket.name}/{QUARANTINE_PREFIX}"]
    allowed += [f"/{warehouse_bucket.name}/{table.name}/" for table in TABLES]
    assert len(written) == len(TABLES) + 2
    assert [path for path in written if not path.startswith(tuple(allowed))] == []


# ---- objects


def test_an_object_over_the_cap_is_quarantined_unread(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 tells the length before it sends the content, and the connection is closed there."""
    read: list[int] = []
    whole = HTTPResponse.read

    def counted(answer: HTTPResponse, *args: Any, **given: Any) -> bytes:
        content: bytes = whole(answer, *args, **given)
        read.append(len(content))
        return content

    monkeypatch.setattr(HTTPResponse, "read", counted)
    large = bytes(MAX_STORED_BYTES + 1)
    pipeline.tell(*pipeline.put(*days(1)), pipeline.put_bad(BAD, large, f"{len(large):,} bytes, over the"))
    pipeline.deliver()
    assert read
    assert max(read) < len(large)
    monkeypatch.undo()


def test_the_event_of_a_document_that_is_gone_is_done_and_its_neighbours_load(
    pipeline: Pipeline, raw_bucket: Bucket
) -> None:
    gone, *rest = pipeline.put(*days(3))
    raw_bucket.delete(gone)
    del pipeline.expected.good[gone]
    pipeline.tell(gone, *rest)
    assert pipeline.deliver_once()
    assert pipeline.queue.waiting() == 0


def test_a_document_deleted_between_its_listing_and_its_reading_is_as_one_that_is_gone(
    pipeline: Pipeline, emulator: Endpoint, raw_bucket: Bucket, warehouse_bucket: Bucket
) -> None:
    gone, *rest = pipeline.put(*days(3))
    del pipeline.expected.good[gone]
    pipeline.tell(gone, *rest)

    def delete_when_asked_for(request: Request) -> None:
        if request.method == "GET" and request.path.endswith(gone[-24:]):
            raw_bucket.delete(gone)

    with unreliable(emulator) as s3:
        s3.plan = delete_when_asked_for
        where = Environment(s3.endpoint, raw_bucket.name, warehouse_bucket.name)
        assert pipeline.deliver_once(by=lambda batch: Invocation(where, batch).failed())
    assert gone not in list(pipeline.raw.keys(RAW_PREFIX))


def test_a_loaded_day_whose_document_is_deleted_stays_when_its_event_comes_again(
    pipeline: Pipeline, raw_bucket: Bucket, warehouse_bucket: Bucket
) -> None:
    (key,) = pipeline.put(*days(1))
    pipeline.tell(key)
    pipeline.deliver()
    raw_bucket.delete(key)
    pipeline.tell(key)
    pipeline.deliver()
    # The check looks for all documents of its tables in the raw zone: the owner takes it back from its versions.
    raw_bucket.overwrite(key, raw_bucket.versions(key)[0])
    assert len(warehouse_bucket.versions(f"chart_entries/year=2026/{CHART}.parquet")) == 1


def test_a_document_overwritten_with_rubbish_before_it_is_read_is_in_quarantine_and_its_first_version_is_kept(
    pipeline: Pipeline, raw_bucket: Bucket
) -> None:
    first, *rest = pipeline.put(*days(2))
    written = documents.encode(pipeline.expected.good.pop(first))
    raw_bucket.overwrite(first, b"rubbish")
    pipeline.expected.bad[first] = "not gzip"
    pipeline.expected.bodies[first] = b"rubbish"
    pipeline.tell(first, *rest)
    pipeline.deliver()
    assert raw_bucket.versions(first) == [b"rubbish", written]


def test_a_document_overwritten_in_another_form_before_it_is_read_is_loaded_as_it_is_now(
    pipeline: Pipeline, raw_bucket: Bucket
) -> None:
    """Saved again by a tool of its owner's: the same document, other bytes."""
    told = days(1)[0]
    (key,) = pipeline.put(told)
    saved_again = documents.encode(told)[:4] + b"\xff\xff\xff\x7f" + documents.encode(told)[8:]  # gzip's time stamp
    raw_bucket.overwrite(key, saved_again)
    pipeline.expected.bodies[key] = saved_again
    pipeline.tell(key, key)


def test_events_of_all_versions_of_an_object_replayed_in_any_order_tell_the_version_that_is_there(
    pipeline: Pipeline, raw_bucket: Bucket, warehouse_bucket: Bucket
) -> None:
    keys = pipeline.put(*days(2))
    for key in keys:
        now = raw_bucket.versions(key)[0]
        raw_bucket.overwrite(key, b"a version between")
        raw_bucket.overwrite(key, now)
    pipeline.tell(*keys * 3, *reversed(keys))
    pipeline.deliver()
    assert len(warehouse_bucket.versions(f"snapshots/year=2026/{CHART}.parquet")) == 1


def test_a_warehouse_object_set_back_to_an_earlier_version_is_whole_again_once_events_are_replayed(
    pipeline: Pipeline, warehouse_bucket: Bucket
) -> None:
    keys = pipeline.put(*days(3))
    for key in keys:
        pipeline.tell(key)
        pipeline.deliver()
    for table in ("chart_entries/year=2026/" + CHART, "snapshots/year=2026/" + CHART, "songs/songs"):
        warehouse_bucket.restore(f"{table}.parquet")
    pipeline.tell(*keys)


@contextmanager
def pages_of(s3: S3Client, keys: int) -> Iterator[None]:
    """Have listings come in pages of so many keys, where S3 makes them of a thousand."""

    def ask_for_fewer(params: dict[str, object], **_: object) -> None:
        params["MaxKeys"] = keys

    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", ask_for_fewer)
    try:
        yield
    finally:
        s3.meta.events.unregister("provide-client-params.s3.ListObjectsV2", ask_for_fewer)


def test_a_bucket_full_of_other_peoples_files_holds_up_nothing(pipeline: Pipeline, raw_bucket: Bucket) -> None:
    """Several pages of a listing, beside the documents and above them, from before there was a stage."""
    day = day_prefix(CHART, DAY)
    others = [f"{day}{number:02}.csv" for number in range(50)]
    others += ["index.html", f"{RAW_PREFIX}notes.txt", f"{RAW_PREFIX}chart={CHART}/total.json", f"{day}nested/{BAD}"]
    for key in others:
        raw_bucket.overwrite(key, b"other people's")
    pipeline.expected.bodies |= dict.fromkeys(others, b"other people's")
    pipeline.tell(*pipeline.put(*days(3)))
    with pages_of(raw_bucket.s3, 10):
        pipeline.deliver()
    assert not list(pipeline.raw.keys(quarantine_key("")))
