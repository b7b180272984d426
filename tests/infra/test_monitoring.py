"""What is watched, how, and who is told what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.adapters.credentials import Credentials
from lambdas.core.adapters.metrics import EmfMetrics
from lambdas.core.metrics import NAMESPACE
from lambdas.core.sources import PolledChart
from lambdas.enrich import handler as enrich
from lambdas.enrich.run import EnrichResult
from lambdas.extract import handler as extract
from lambdas.extract.poll import PollResult
from lambdas.transform.handler import Processed
from stacks.config import StageConfig, load_stages
from stacks.constructs.alarm import RUNBOOK, anchor
from stacks.log_queries import LOG_QUERIES
from tests.emf import Emitted, emitted
from tests.infra.templates import PROJECT, Resource, Synthesis, Template, one, resources, synthesize, text_of

HEADINGS = re.findall(r"^### (.+)$", (PROJECT / RUNBOOK).read_text("utf-8").partition("## Without an alarm")[0], re.M)
MOMENT, HOUR, DAY = 300, 3600, 86400
# By what follows `spotify-etl-<stage>-` in the alarm's name: metric, statistic, period in seconds, periods, threshold.
LOAD_ALARMS = {
    "not-loaded": ("AWS/SQS ApproximateNumberOfMessagesVisible", "Maximum", MOMENT, 1, ">= 1"),
    "waiting": ("AWS/SQS ApproximateAgeOfOldestMessage", "Maximum", MOMENT, 1, "> 1800"),
    "quarantined": ("SpotifyEtl QuarantinedDocuments", "Sum", HOUR, 1, ">= 1"),
    "transform-errors": ("AWS/Lambda Errors", "Sum", MOMENT, 1, ">= 1"),
    "not-imported": ("AWS/SQS ApproximateNumberOfMessagesVisible", "Maximum", MOMENT, 1, ">= 1"),
    "import-chart-errors": ("AWS/Lambda Errors", "Sum", MOMENT, 1, ">= 1"),
    "not-reported": ("AWS/SQS ApproximateNumberOfMessagesVisible", "Maximum", MOMENT, 1, ">= 1"),
    "report-errors": ("AWS/Lambda Errors", "Sum", MOMENT, 1, ">= 1"),
    "transform-throttled": ("AWS/Lambda Throttles", "Sum", MOMENT, 3, ">= 1"),
    "transform-slow": ("AWS/Lambda Duration", "Maximum", MOMENT, 1, "> 96000"),
}
POLL_ALARMS = {
    "out-of-date-regional-global-daily": ("SpotifyEtl ChartAgeHours", "Minimum", HOUR, 25, "> 48"),
    "out-of-date-regional-global-weekly": ("SpotifyEtl ChartAgeHours", "Minimum", HOUR, 25, "> 216"),
    "poll-failed": ("AWS/SQS ApproximateNumberOfMessagesVisible", "Maximum", MOMENT, 1, ">= 1"),
    "rate-limited": ("SpotifyEtl RateLimited", "Sum", DAY, 1, ">= 1"),
    "sign-in-ends": ("SpotifyEtl RefreshTokenDaysLeft", "Maximum", DAY, 1, "<= 14"),
}
# Of a stage whose enrichments no person starts; the rate limit is also that of a stage that polls.
ENRICHMENT_ALARMS = {
    "enrichment-failed": ("AWS/SQS ApproximateNumberOfMessagesVisible", "Maximum", MOMENT, 1, ">= 1"),
    "rate-limited": POLL_ALARMS["rate-limited"],
}
# What lasts until it is mended; the rest are events, over as soon as they have happened.
TELL_RECOVERY = {name for name in POLL_ALARMS if name.startswith("out-of-date")} | {
    "poll-failed",
    "sign-in-ends",
    "not-loaded",
    "not-imported",
    "not-reported",
    "waiting",
}
_COMPARISONS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanOrEqualToThreshold": "<=",
}


def alarms_of(config: StageConfig, template: Template) -> dict[str, Resource]:
    """The alarms of a stage by the ends of their names."""
    prefix = f"spotify-etl-{config.stage}-"
    held = [alarm["Properties"] for alarm in resources(template, "AWS::CloudWatch::Alarm").values()]
    assert all(alarm["AlarmName"].startswith(prefix) for alarm in held)
    return {alarm["AlarmName"].removeprefix(prefix): alarm for alarm in held}


def dimensions(alarm: Resource) -> dict[str, str]:
    return {dimension["Name"]: text_of(dimension["Value"]) for dimension in alarm["Dimensions"]}


# Alarms


def test_a_stage_has_the_alarms_that_were_thought_over_and_those_on_polls_only_if_it_polls(
    synthesis: Synthesis,
) -> None:
    for config, template in synthesis.of("monitoring"):
        found = {
            name: (
                f"{alarm['Namespace']} {alarm['MetricName']}",
                alarm["Statistic"],
                alarm["Period"],
                alarm["EvaluationPeriods"],
                f"{_COMPARISONS[alarm['ComparisonOperator']]} {alarm['Threshold']:.0f}",
            )
            for name, alarm in alarms_of(config, template).items()
        }
        assert found == (LOAD_ALARMS | POLL_ALARMS if config.charts else LOAD_ALARMS)
    assert {bool(config.charts) for config, _ in synthesis.of("monitoring")} == {True, False}


@pytest.fixture(scope="module")
def enriching(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The monitoring of a stage that polls nothing and whose enrichments are scheduled."""
    stages = load_stages({"dev": {"enrichment_schedule": "rate(1 day)"}})
    return synthesize(tmp_path_factory.mktemp("enriching"), stages).templates["dev", "monitoring"]


def test_a_stage_whose_enrichments_are_scheduled_has_the_alarms_on_them(enriching: Template) -> None:
    alarms = alarms_of(load_stages({"dev": {}})["dev"], enriching)
    assert set(alarms) == LOAD_ALARMS.keys() | ENRICHMENT_ALARMS.keys()
    failed = alarms["enrichment-failed"]
    assert re.search(r"Output(?:FnGetAtt|Ref)EnrichDeadLettersQueue", dimensions(failed)["QueueName"])
    assert failed["OKActions"] == failed["AlarmActions"]
    # With the dead letters on the dashboard, where the failures are.
    (failures,) = [widget for widget in widgets(enriching) if widget["properties"]["title"] == "Failures"]
    assert "dead letters of enrich" in json.dumps(failures)


def test_an_alarm_goes_off_only_if_every_period_breaches(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("monitoring"):
        for alarm in alarms_of(config, template).values():
            assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]


def test_only_the_age_of_a_chart_alarms_by_its_absence(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("monitoring"):
        for name, alarm in alarms_of(config, template).items():
            fresh = name.startswith("out-of-date")
            assert alarm["TreatMissingData"] == ("breaching" if fresh else "notBreaching")


def test_each_polled_chart_has_a_freshness_alarm_by_its_own_configuration(tmp_path: Path) -> None:
    charts = [
        {"playlist": "1AAAAAAAAAAAAAAAAAAAAA", "chart": "road-trip", "freshness_hours": 30},
        {"playlist": "1AAAAAAAAAAAAAAAAAAAAB", "chart": "camping-weekly"},
    ]
    made = synthesize(tmp_path, load_stages({"dev": {"charts": charts}}))
    alarms = alarms_of(made.stages["dev"], made.templates["dev", "monitoring"])
    fresh = {
        dimensions(alarm)["chart"]: alarm["Threshold"]
        for alarm in alarms.values()
        if alarm["MetricName"] == "ChartAgeHours"
    }
    assert fresh == {"road-trip": 30, "camping-weekly": 216}


def test_freshness_looks_back_far_enough_to_see_a_chart_that_is_polled_once_a_day(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("monitoring"):
        for alarm in alarms_of(config, template).values():
            if alarm["MetricName"] == "ChartAgeHours":
                seconds = alarm["Period"] * alarm["EvaluationPeriods"]
                # CloudWatch takes at most a week: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
                assert DAY < seconds <= 7 * DAY


def test_an_alarm_watches_the_queue_or_function_that_it_names(synthesis: Synthesis) -> None:
    watched = {
        "poll-failed": ("QueueName", "ExtractDeadLettersQueue"),
        "not-loaded": ("QueueName", "TransformQueueDeadLettersQueue"),
        "waiting": ("QueueName", "TransformQueue0"),
        "transform-errors": ("FunctionName", "TransformFunction"),
        "not-imported": ("QueueName", "ImportChartQueueDeadLettersQueue"),
        "import-chart-errors": ("FunctionName", "ImportChartFunction"),
        "not-reported": ("QueueName", "ReportQueueDeadLettersQueue"),
        "report-errors": ("FunctionName", "ReportFunction"),
        "transform-throttled": ("FunctionName", "TransformFunction"),
        "transform-slow": ("FunctionName", "TransformFunction"),
    }
    for config, template in synthesis.of("monitoring"):
        for name, alarm in alarms_of(config, template).items():
            if not alarm["Namespace"].startswith("AWS/"):
                continue
            ((dimension, value),) = dimensions(alarm).items()
            expected_dimension, resource = watched[name]
            assert dimension == expected_dimension
            assert re.search(rf"Output(?:FnGetAtt|Ref){resource}", value), (name, value)


def test_thresholds_follow_the_functions_timeout_and_the_queues_patience(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("monitoring"):
        alarms = alarms_of(config, template)
        compute = synthesis.templates[config.stage, "compute"]
        timeout = one(compute, "AWS::Lambda::Function", "Transform")["Timeout"]
        (queue,) = [q for n, q in resources(compute, "AWS::SQS::Queue").items() if n.startswith("TransformQueue0")]
        assert 0.5 * timeout < alarms["transform-slow"]["Threshold"] / 1000 < timeout
        # What failed twice and then succeeds is not worth a mail.
        assert alarms["waiting"]["Threshold"] > 2 * queue["Properties"]["VisibilityTimeout"]


def test_every_alarm_tells_the_topic_and_a_state_that_lasts_tells_when_it_is_over(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("monitoring"):
        (topic,) = resources(template, "AWS::SNS::Topic")
        for name, alarm in alarms_of(config, template).items():
            assert alarm["AlarmActions"] == [{"Ref": topic}]
            assert alarm.get("OKActions", []) == ([{"Ref": topic}] if name in TELL_RECOVERY else [])
            assert alarm.get("ActionsEnabled", True) is True


def test_the_bill_is_known(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("monitoring"):
        charts = len(config.charts)
        # Ten alarms of an account are free, and three dashboards: https://aws.amazon.com/cloudwatch/pricing/.
        assert len(alarms_of(config, template)) == 10 + (3 + charts if charts else 0)
        assert len(resources(template, "AWS::CloudWatch::Dashboard")) == 1
        kinds = {resource["Type"] for resource in template["Resources"].values()}
        assert not kinds & {"AWS::CloudWatch::CompositeAlarm", "AWS::KMS::Key", "AWS::CloudWatch::AnomalyDetector"}


# The runbook


def test_every_alarm_says_what_it_means_and_names_the_heading_that_says_what_to_do(
    synthesis: Synthesis, enriching: Template
) -> None:
    anchors = {anchor(heading) for heading in HEADINGS}
    used = set()
    for template in (*(template for _, template in synthesis.of("monitoring")), enriching):
        for alarm in (held["Properties"] for held in resources(template, "AWS::CloudWatch::Alarm").values()):
            found = re.fullmatch(rf"(.{{30,}}\.) What to do: {RUNBOOK}#(\S+)", alarm["AlarmDescription"])
            assert found, alarm["AlarmDescription"]
            assert found[2] in anchors
            used.add(found[2])
    assert used == anchors, "a heading under Alarms that no alarm leads to"


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_heading_says_what_it_means_what_to_look_at_and_what_to_do(heading: str) -> None:
    text = (PROJECT / RUNBOOK).read_text("utf-8").partition(f"### {heading}\n")[2].partition("\n##")[0]
    places = [text.find(f"**{part}**") for part in ("What it means.", "What to look at.", "What to do.")]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("heading", "expected"),
    [("A poll failed", "a-poll-failed"), ("Spotify's 429: wait!", "spotifys-429-wait"), ("a-b c", "a-b-c")],
)
def test_an_anchor_is_the_one_that_github_makes(heading: str, expected: str) -> None:
    assert anchor(heading) == expected


# Metrics


@pytest.fixture
def what_functions_emit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> set[Emitted]:
    """What the functions of the local stage emit, extract for both of its charts."""
    environment = {"STAGE": "local", "RAW_BUCKET": "raw", "SPOTIFY_CREDENTIALS_PARAMETER": "/x"}
    for name, value in (environment | {"AWS_DEFAULT_REGION": "us-east-1"}).items():
        monkeypatch.setenv(name, value)

    def poll(chart: PolledChart, **_: object) -> PollResult:
        return PollResult(chart=chart.chart, outcome="rate_limited", message="", calls=0)

    monkeypatch.setattr(extract, "poll", poll)
    monkeypatch.setattr(extract, "newest_held", lambda *_, **__: datetime.now(UTC).date())
    user = Credentials(client_id="x", client_secret="x", refresh_token="x", authorized_at=datetime.now(UTC))
    monkeypatch.setattr(extract, "read_credentials", lambda *_, **__: user)
    for event in sorted((PROJECT / "tests" / "events").glob("schedule_*ly_chart.json")):
        extract.handler(json.loads(event.read_text("utf-8")), None)  # type: ignore[arg-type]
    EmfMetrics("local").emit(Processed().metrics)
    monkeypatch.setattr(enrich, "Enrichment", _FinishedEnrichment)
    for name in ("SONG_REFRESH_DAYS", "ENRICHMENT_CALLS_PER_RUN"):
        monkeypatch.setenv(name, "30")
    monkeypatch.setenv("WAREHOUSE_BUCKET", "warehouse")
    enrich.handler({}, None)  # type: ignore[arg-type]
    return set(emitted(capsys.readouterr().out))


class _FinishedEnrichment:
    """An enrichment with nothing to do."""

    songs_waiting = 0

    def __init__(self, **_: object) -> None:
        pass

    def run(self, **_: object) -> EnrichResult:
        return EnrichResult(outcome="finished", message="", started_at=datetime.now(UTC), calls=0)


def test_what_is_watched_is_what_the_functions_emit_name_for_name_and_dimension_for_dimension(
    synthesis: Synthesis, what_functions_emit: set[Emitted]
) -> None:
    emitted_metrics = {(one.namespace, one.name, one.dimensions) for one in what_functions_emit}
    template = synthesis.templates["local", "monitoring"]
    alarmed = {
        (alarm["Namespace"], alarm["MetricName"], tuple(sorted(dimensions(alarm).items())))
        for alarm in alarms_of(synthesis.stages["local"], template).values()
        if alarm["Namespace"] == NAMESPACE
    }
    assert len(alarmed) == 5
    assert alarmed < emitted_metrics
    assert set(shown_metrics(template)) == emitted_metrics


def shown_metrics(template: Template) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """The project's own metrics on the dashboard."""
    for widget in widgets(template):
        for metric in widget["properties"].get("metrics", []):
            namespace, name, *pairs = [part for part in metric if isinstance(part, str)]
            if namespace == NAMESPACE:
                yield namespace, name, tuple(sorted(zip(pairs[::2], pairs[1::2], strict=True)))


# The dashboard


def widgets(template: Template) -> list[Mapping[str, Any]]:
    body = text_of(one(template, "AWS::CloudWatch::Dashboard")["DashboardBody"])
    shown: list[Mapping[str, Any]] = json.loads(body)["widgets"]
    return shown


def test_the_dashboard_begins_with_freshness_and_the_alarms_and_then_what_came_in(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("monitoring"):
        shown = sorted(widgets(template), key=lambda widget: (widget["y"], widget["x"]))
        titles = [widget["properties"]["title"] for widget in shown]
        if config.charts:
            ages, alarms, *_ = shown
            assert ages["properties"]["view"] == "singleValue"
            labels = [metric[-1]["label"] for metric in ages["properties"]["metrics"]]
            assert labels == [f"{c.chart}, out of date above {c.freshness_hours}" for c in config.charts]
        else:
            alarms = shown[0]
            assert not [title for title in titles if "chart date" in title]
        assert len(alarms["properties"]["alarms"]) == len(resources(template, "AWS::CloudWatch::Alarm"))
        after = titles[titles.index("Alarms") + 1 :]
        assert [title.split()[0] for title in after[:4]] == ["Loaded", "Raw", "Failures", "Raw"]
        # Few enough to take in at a glance.
        assert len(shown) <= 8
        assert one(template, "AWS::CloudWatch::Dashboard")["DashboardName"] == f"spotify-etl-{config.stage}"


def test_no_widget_lies_over_another(synthesis: Synthesis) -> None:
    for _, template in synthesis.of("monitoring"):
        cells = [
            (widget["x"] + x, widget["y"] + y)
            for widget in widgets(template)
            for x in range(widget["width"])
            for y in range(widget["height"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24


# The topic


def test_only_the_stages_own_alarms_may_publish_and_only_over_tls(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("monitoring"):
        (topic,) = resources(template, "AWS::SNS::Topic")
        policy = one(template, "AWS::SNS::TopicPolicy")
        assert policy["Topics"] == [{"Ref": topic}]
        (allowed,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
        assert (allowed["Action"], allowed["Principal"]) == ("sns:Publish", {"Service": "cloudwatch.amazonaws.com"})
        assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        source = text_of(allowed["Condition"]["ArnLike"]["aws:SourceArn"])
        own = "arn:{AWS::Partition}:cloudwatch:{AWS::Region}:{AWS::AccountId}:alarm:"
        assert source == f"{own}spotify-etl-{config.stage}-*"
        (denied,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert (denied["Action"], denied["Principal"]) == ("sns:Publish", "*")
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_an_address_is_mailed_to_and_without_one_nobody_is(synthesis: Synthesis, tmp_path: Path) -> None:
    for _, template in synthesis.of("monitoring"):
        assert not resources(template, "AWS::SNS::Subscription")
    made = synthesize(tmp_path, load_stages({"dev": {"alarm_email": "ops@example.com"}}))
    subscription = one(made.templates["dev", "monitoring"], "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
    assert "Alarms" in text_of(subscription["TopicArn"])


# Saved log queries


def test_every_saved_query_lies_in_the_stages_folder_and_asks_the_logs_of_its_functions(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("monitoring"):
        saved = {
            held["Properties"]["Name"]: held["Properties"]
            for held in resources(template, "AWS::Logs::QueryDefinition").values()
        }
        assert set(saved) == {f"spotify-etl-{config.stage}/{query.name}" for query in LOG_QUERIES}
        for query in LOG_QUERIES:
            held = saved[f"spotify-etl-{config.stage}/{query.name}"]
            assert held["QueryString"] == query.text
            groups = [text_of(group) for group in held["LogGroupNames"]]
            assert len(groups) == len(query.functions)
            for function, group in zip(query.functions, groups, strict=True):
                assert f"{function.title().replace('_', '')}Logs" in group


def test_the_dashboard_of_a_stage_of_very_many_charts_shows_all_alarms_a_hundred_at_a_time(tmp_path: Path) -> None:
    charts = [{"playlist": f"{n:022}", "chart": f"chart-{n}"} for n in range(1, 96)]
    made = synthesize(tmp_path, load_stages({"dev": {"charts": charts}}))
    template = made.templates["dev", "monitoring"]
    shown = [len(widget["properties"].get("alarms", [])) for widget in widgets(template)]
    assert max(shown) <= 100
    assert sum(shown) == len(resources(template, "AWS::CloudWatch::Alarm")) == 108
