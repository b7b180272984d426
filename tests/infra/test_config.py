"""What a person writes into cdk.json, right and wrong."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from docs import configuration
from lambdas.core.errors import ConfigurationError
from lambdas.core.sources import PolledChart
from lambdas.extract.poll import decode_event
from stacks import config
from stacks.config import (
    LOG_RETENTION_DAYS,
    PROTECTED_STAGES,
    ChartConfig,
    StageConfig,
    load_stages,
    select_stage,
)
from stacks.settings import settings_of
from tests.infra.templates import PROJECT

OTHER_PLAYLIST = "1AAAAAAAAAAAAAAAAAAAAA"
TOP_50 = "37i9dQZEVXbMDoHDwVN2tF"
TOP_WEEKLY = "37i9dQZEVXbNG2KDcFcKOF"
OF_MY_OWN = {"playlist": OTHER_PLAYLIST, "chart": "road-trip"}


def test_a_stage_with_no_keys_takes_every_default() -> None:
    assert load_stages({"dev": {}})["dev"] == StageConfig(
        stage="dev",
        emulated=False,
        account=None,
        region=None,
        charts=(),
        alarm_email=None,
        credentials_parameter="/spotify-etl/dev/spotify",
        removal="retain",
        spotify_retention_days=400,
        song_refresh_days=30,
        enrichment_calls_per_run=300,
        enrichment_schedule=None,
        report=True,
        report_window_seconds=60,
        result_retention_days=30,
        log_retention_days=30,
        crawler_schedule=None,
        athena_scan_cutoff_bytes=10 * 2**30,
        batch_window_seconds=5,
        transform_concurrency=2,
    )


@pytest.mark.parametrize(
    "playlist", [TOP_50, f"spotify:playlist:{TOP_50}", f"https://open.spotify.com/playlist/{TOP_50}?si=1"]
)
def test_a_playlist_that_is_a_spotify_chart_needs_nothing_else_however_it_is_given(playlist: str) -> None:
    (chart,) = load_stages({"dev": {"charts": [{"playlist": playlist}]}})["dev"].polled_charts
    assert chart == PolledChart(
        chart="regional-global-daily",
        period="daily",
        providers=("playlist",),
        playlist_id=TOP_50,
        dated_by="added_at",
        date_offset_days=-1,
    )


def test_the_weekly_spotify_chart_is_known_as_weekly() -> None:
    (chart,) = load_stages({"dev": {"charts": [{"playlist": "37i9dQZEVXbNG2KDcFcKOF"}]}})["dev"].polled_charts
    assert (chart.chart, chart.period) == ("regional-global-weekly", "weekly")


def test_the_public_charts_are_opted_into_and_need_no_playlist() -> None:
    (chart,) = load_stages({"dev": {"charts": [{"providers": ["public_charts"]}]}})["dev"].polled_charts
    assert chart == PolledChart(
        chart="regional-global-weekly",
        period="weekly",
        providers=("public_charts",),
        playlist_id=None,
        dated_by="added_at",
        date_offset_days=-1,
    )


def test_a_chart_may_name_both_providers_in_the_order_they_are_tried() -> None:
    written = {"playlist": TOP_WEEKLY, "providers": ["public_charts", "playlist"]}
    (chart,) = load_stages({"dev": {"charts": [written]}})["dev"].polled_charts
    assert (chart.providers, chart.playlist_id) == (("public_charts", "playlist"), TOP_WEEKLY)


def test_what_a_chart_polls_is_what_the_extract_function_takes() -> None:
    charts = [{"playlist": TOP_WEEKLY, "providers": ["playlist", "public_charts"]}, {"playlist": TOP_50}, OF_MY_OWN]
    for chart in load_stages({"dev": {"charts": charts}})["dev"].polled_charts:
        assert decode_event(msgspec.json.decode(msgspec.json.encode(chart))) == chart


def test_a_playlist_of_ones_own_is_dated_by_the_day_of_the_poll() -> None:
    (chart,) = load_stages({"dev": {"charts": [OF_MY_OWN]}})["dev"].polled_charts
    assert (chart.chart, chart.dated_by, chart.date_offset_days) == ("road-trip", "observation", 0)


def test_two_charts_of_one_stage_are_both_polled_with_their_own_schedules() -> None:
    stage = load_stages(
        {
            "dev": {
                "charts": [
                    {"playlist": TOP_50, "timezone": "Europe/Stockholm"},
                    {**OF_MY_OWN, "schedule": "rate(1 day)"},
                ]
            }
        }
    )["dev"]
    assert [(chart.chart, chart.schedule, chart.timezone) for chart in stage.charts] == [
        ("regional-global-daily", "cron(0 6,12,18 * * ? *)", "Europe/Stockholm"),
        ("road-trip", "rate(1 day)", "UTC"),
    ]


def test_a_chart_is_out_of_date_by_its_period_unless_it_says_when() -> None:
    charts = [
        OF_MY_OWN,
        {**OF_MY_OWN, "chart": "road-trip-weekly"},
        {**OF_MY_OWN, "chart": "slow-daily", "period": "weekly"},
        {**OF_MY_OWN, "chart": "of-its-own", "freshness_hours": 100},
    ]
    stage = load_stages({"dev": {"charts": charts}})["dev"]
    assert [chart.freshness_hours for chart in stage.charts] == [48, 216, 216, 100]


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown key": (
        {"dev": {"acount": "1"}},
        "stage 'dev', acount: there is no such key",
        "the keys are emulated, account",
    ),
    "not an object": ({"dev": []}, "stage 'dev': [] is not allowed", "an object"),
    "emulated": ({"dev": {"emulated": 1}}, "stage 'dev', emulated: 1 is not", "true or false"),
    "account as a number": ({"dev": {"account": 123456789012}}, "stage 'dev', account: 123456789012 is", "in quotes"),
    "region": ({"dev": {"region": "Ireland"}}, "stage 'dev', region: \"Ireland\" is", "such as 'eu-west-1'"),
    "charts": ({"dev": {"charts": {}}}, "stage 'dev', charts: {} is", "a list of charts"),
    "chart": (
        {"dev": {"charts": ["x"]}},
        "stage 'dev', charts[0]: \"x\" is",
        "an object with keys among providers, playlist",
    ),
    "chart key": ({"dev": {"charts": [{"id": 1}]}}, "stage 'dev', charts[0].id: there is no such key", "playlist"),
    "no playlist": ({"dev": {"charts": [{}]}}, "stage 'dev', charts[0].playlist: it is missing", "22-character"),
    "playlist": ({"dev": {"charts": [{"playlist": "x"}]}}, "stage 'dev', charts[0].playlist: \"x\" is", "22-character"),
    "nameless": (
        {"dev": {"charts": [{"playlist": OTHER_PLAYLIST}]}},
        "stage 'dev', charts[0].chart: it is missing",
        "give it a name",
    ),
    "chart name": (
        {"dev": {"charts": [{**OF_MY_OWN, "chart": "Road Trip"}]}},
        "stage 'dev', charts[0].chart: \"Road Trip\" is",
        "lower-case",
    ),
    "same chart twice": (
        {"dev": {"charts": [OF_MY_OWN, OF_MY_OWN]}},
        "stage 'dev', charts[1].chart: \"road-trip\" is",
        "each chart is polled once",
    ),
    "period": ({"dev": {"charts": [{**OF_MY_OWN, "period": "monthly"}]}}, 'charts[0].period: "monthly" is', "'weekly'"),
    "a provider alone": (
        {"dev": {"charts": [{**OF_MY_OWN, "providers": "playlist"}]}},
        'charts[0].providers: "playlist" is',
        "a list of 'playlist' and 'public_charts'",
    ),
    "provider": (
        {"dev": {"charts": [{**OF_MY_OWN, "providers": ["charts_csv"]}]}},
        'charts[0].providers: ["charts_csv"] is',
        "'playlist' and 'public_charts'",
    ),
    "no provider": ({"dev": {"charts": [{**OF_MY_OWN, "providers": []}]}}, "charts[0].providers: [] is", "one or both"),
    "a provider twice": (
        {"dev": {"charts": [{**OF_MY_OWN, "providers": ["playlist", "playlist"]}]}},
        'charts[0].providers: ["playlist", "playlist"] is',
        "each once",
    ),
    "public charts of a chart they do not serve": (
        {"dev": {"charts": [{**OF_MY_OWN, "providers": ["playlist", "public_charts"]}]}},
        'charts[0].providers: ["playlist", "public_charts"] is',
        "'public_charts' serves regional-global-weekly alone, and this chart is road-trip",
    ),
    "a playlist without its provider": (
        {"dev": {"charts": [{"playlist": TOP_WEEKLY, "providers": ["public_charts"]}]}},
        f'charts[0].playlist: "{TOP_WEEKLY}" is',
        "'playlist' is none of the chart's providers",
    ),
    "a provider without its playlist": (
        {"dev": {"charts": [{"providers": ["public_charts", "playlist"]}]}},
        "charts[0].playlist: it is missing",
        "22-character",
    ),
    "schedule": ({"dev": {"charts": [{**OF_MY_OWN, "schedule": "daily"}]}}, '[0].schedule: "daily" is', "'cron("),
    "dated_by": ({"dev": {"charts": [{**OF_MY_OWN, "dated_by": "me"}]}}, 'charts[0].dated_by: "me" is', "'added_at'"),
    "offset": (
        {"dev": {"charts": [{**OF_MY_OWN, "date_offset_days": -32}]}},
        "charts[0].date_offset_days: -32 is",
        "from -31 to 31",
    ),
    "zone": (
        {"dev": {"charts": [{**OF_MY_OWN, "timezone": "Mars/Olympus"}]}},
        'charts[0].timezone: "Mars/Olympus" is',
        "IANA",
    ),
    "freshness": ({"dev": {"charts": [{**OF_MY_OWN, "freshness_hours": 0}]}}, "freshness_hours: 0 is", "from 1 to"),
    "email": ({"dev": {"alarm_email": "ops"}}, "stage 'dev', alarm_email: \"ops\" is", "an e-mail address"),
    "parameter": ({"dev": {"credentials_parameter": "spotify"}}, 'credentials_parameter: "spotify" is', "full name"),
    "removal": ({"dev": {"removal": "keep"}}, 'removal: "keep" is', "'destroy' or 'retain'"),
    "spotify days": ({"dev": {"spotify_retention_days": 30}}, "spotify_retention_days: 30 is", "from 31 to 3650"),
    "refresh days": ({"dev": {"song_refresh_days": 0}}, "song_refresh_days: 0 is", "from 1 to 365"),
    "calls": ({"dev": {"enrichment_calls_per_run": 1}}, "enrichment_calls_per_run: 1 is", "from 2 to 10000"),
    "enrichments": ({"dev": {"enrichment_schedule": "nightly"}}, 'enrichment_schedule: "nightly" is', "'rate("),
    "report": ({"dev": {"report": "daily"}}, 'report: "daily" is', "true or false"),
    "report window": ({"dev": {"report_window_seconds": 0}}, "report_window_seconds: 0 is", "from 1 to 300"),
    "result days": ({"dev": {"result_retention_days": "7"}}, 'result_retention_days: "7" is', "from 1 to 400"),
    "log days": ({"dev": {"log_retention_days": 10}}, "log_retention_days: 10 is", "one of 1, 3, 5"),
    "a bool as a number": ({"dev": {"log_retention_days": True}}, "log_retention_days: true is", "one of 1, 3, 5"),
    "crawler": ({"dev": {"crawler_schedule": "rate(1 day)"}}, 'crawler_schedule: "rate(1 day)" is', "'cron(minutes"),
    "cutoff": ({"dev": {"athena_scan_cutoff_bytes": 1}}, "athena_scan_cutoff_bytes: 1 is", "from 10000000"),
    "window": ({"dev": {"batch_window_seconds": 0}}, "batch_window_seconds: 0 is", "from 1 to 300"),
    "concurrency": ({"dev": {"transform_concurrency": 1}}, "transform_concurrency: 1 is", "from 2 to 1000"),
}


@pytest.mark.parametrize(("stages", "fault", "allowed"), BAD.values(), ids=BAD)
def test_a_bad_value_is_one_line_with_the_stage_the_key_the_value_and_what_is_allowed(
    stages: dict[str, Any], fault: str, allowed: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_stages(stages)
    line = str(raised.value)
    assert "\n" not in line
    assert line.startswith("stages: stage 'dev'")
    assert fault in line
    assert allowed in line.partition(fault)[2]


def test_every_key_has_a_bad_value_in_the_list_above() -> None:
    tried = " ".join(fault for _, fault, _ in BAD.values())
    for kind in (StageConfig, ChartConfig):
        for key in settings_of(kind):
            assert f"{key.name}: " in tried, key.name


@pytest.mark.parametrize(
    "schedule",
    [
        "at(2026-01-01T00:00:00)",
        "every day",
        "rate(0 days)",
        "rate(1 days)",
        "rate(2 day)",
        "cron(0 6 * * *)",
        "cron(0 6 * * * *)",
        "cron(0 6 ? * ? *)",
        "cron(0 6 * * ? *) ",
        "cron(0; 6 * * ? *)",
        "cron(60 6 * * ? *)",
        "cron(0 6,24 * * ? *)",
        "cron(0 6-24/2 * * ? *)",
        "cron(0 6 32 * ? *)",
        "cron(0 6 * 13 ? *)",
        "cron(0 6 ? * 8 *)",
        "cron(0 6 * * ? 1969)",
        5,
    ],
)
def test_a_schedule_that_would_not_come_again_or_be_accepted_is_refused(schedule: object) -> None:
    with pytest.raises(ConfigurationError, match=r"charts\[0\]\.schedule: .* is not allowed: .*'cron\("):
        load_stages({"dev": {"charts": [{**OF_MY_OWN, "schedule": schedule}]}})


@pytest.mark.parametrize(
    "schedule", ["cron(0/90 6,18 * * ? *)", "cron(15 10 ? * 6L 2026-2030)", "cron(0 8 ? * MON#1 *)", "rate(2 days)"]
)
def test_a_schedule_that_comes_again_is_taken_as_it_is(schedule: str) -> None:
    (chart,) = load_stages({"dev": {"charts": [{**OF_MY_OWN, "schedule": schedule}]}})["dev"].charts
    assert chart.schedule == schedule


@pytest.mark.parametrize("schedule", ["rate(1 day)", "at(2026-01-01T00:00:00)", "cron(0 6 * * * *)", "", 0, False])
def test_a_schedule_that_glue_does_not_know_is_refused(schedule: object) -> None:
    with pytest.raises(ConfigurationError, match=r"stage 'dev', crawler_schedule: .* is not allowed: 'cron\("):
        load_stages({"dev": {"crawler_schedule": schedule}})


def test_a_crawler_may_be_scheduled_or_left_alone() -> None:
    stages = load_stages({"dev": {"crawler_schedule": "cron(0 4 ? * MON *)"}, "test": {"crawler_schedule": None}})
    assert [stage.crawler_schedule for stage in stages.values()] == ["cron(0 4 ? * MON *)", None]


def test_account_and_region_may_be_left_to_the_credentials_or_fixed() -> None:
    fixed = {"account": "123456789012", "region": "us-gov-west-1"}
    stages = load_stages({"dev": {"account": None, "region": None}, "test": fixed})
    assert [(stage.account, stage.region) for stage in stages.values()] == [
        (None, None),
        ("123456789012", "us-gov-west-1"),
    ]


@pytest.mark.parametrize("name", PROTECTED_STAGES)
def test_a_protected_stage_cannot_be_given_up_in_the_file_alone(name: str) -> None:
    assert load_stages({name: {}})[name].removal == "retain"
    with pytest.raises(ConfigurationError) as raised:
        load_stages({name: {"removal": "destroy"}})
    assert str(raised.value) == (
        f"stages: stage '{name}', removal: \"destroy\" is not allowed: 'retain', while PROTECTED_STAGES in "
        f"stacks/config.py holds '{name}'"
    )


def test_both_locks_must_be_open_for_a_stage_to_be_destroyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "PROTECTED_STAGES", ())
    assert load_stages({"prod": {}})["prod"].removal == "retain"
    assert load_stages({"prod": {"removal": "destroy"}})["prod"].removal == "destroy"


@pytest.mark.parametrize("name", ["Dev", "my-dev", "1st", "", "a" * 21, "dev_1"])
def test_a_stage_name_that_could_not_be_part_of_a_database_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a stage"):
        load_stages({name: {}})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", "at least one stage"),
        ('{"context": {"stages": {}}}', "at least one"),
    ],
)
def test_a_file_without_stages_is_refused_by_name(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "cdk.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=rf"cdk\.json.*{complaint}"):
        load_stages(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no .*cdk\.json"):
        load_stages(tmp_path / "cdk.json")


def test_an_unknown_stage_is_answered_with_the_ones_there_are() -> None:
    with pytest.raises(ConfigurationError, match="there is no stage 'live': use one of dev, prod"):
        select_stage(load_stages({"dev": {}, "prod": {}}), "live")


def test_the_stages_we_ship_poll_nothing_on_aws_and_keep_production_data() -> None:
    stages = load_stages(PROJECT / "cdk.json")
    assert {name: len(stage.polled_charts) for name, stage in stages.items()} == {
        "local": 2,
        "dev": 0,
        "staging": 0,
        "prod": 0,
    }
    assert stages["prod"].removal == "retain"
    assert [name for name, stage in stages.items() if stage.emulated] == ["local"]


def test_the_page_about_configuration_is_what_the_code_says() -> None:
    assert configuration.PAGE.read_text("utf-8") == configuration.render(), "run `make docs`"


def test_no_key_is_undocumented() -> None:
    page = configuration.PAGE.read_text("utf-8")
    for kind in (StageConfig, ChartConfig):
        settings = settings_of(kind)
        # Every field is a setting, or given by the stage's own name: none slips in beside them.
        assert {field.name for field in dataclasses.fields(kind)} - {key.name for key in settings} <= {"stage"}
        for key in settings:
            (row,) = [line for line in page.splitlines() if line.startswith(f"| `{key.name}` | ")]
            assert row.replace("\\|", "").count(" | ") == 3, row


def test_the_examples_on_the_page_are_allowed() -> None:
    (example,) = re.findall(r"```json\n(.+?)```", configuration.PAGE.read_text("utf-8"), re.DOTALL)
    stage = load_stages(json.loads(f"{{{example}}}"))["dev"]
    assert [chart.chart for chart in stage.charts] == ["regional-global-daily", "regional-global-weekly", "road-trip"]
    with pytest.raises(ConfigurationError) as raised:
        load_stages({"dev": {"emulated": "yes"}})
    assert f"error: {raised.value}".replace("stages:", "cdk.json:") in configuration.PAGE.read_text("utf-8")


def test_every_setting_says_what_it_means_and_what_it_allows() -> None:
    for kind in (StageConfig, ChartConfig):
        for key in settings_of(kind):
            assert key.meaning.endswith("."), key.name
            assert key.allowed, key.name
            assert key.default, key.name


def test_log_retention_offers_only_what_the_stacks_can_translate() -> None:
    from stacks.stage import _LOG_RETENTION

    assert tuple(_LOG_RETENTION) == LOG_RETENTION_DAYS


def test_reading_the_configuration_does_not_start_cdk() -> None:
    script = "import sys, stacks.config; sys.exit('aws_cdk' in sys.modules or 'jsii' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT, timeout=60, check=False).returncode == 0


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cdk.json"
    file.write_text('{"context": {"stages": {"dev": {}, "dev": {"removal": "destroy"}}}}', "utf-8")
    with pytest.raises(ConfigurationError, match="'dev' stands twice in one object"):
        load_stages(file)
