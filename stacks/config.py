"""The stages, as `cdk.json` names them: frozen, typed and checked before anything is built from them.

This module knows no CDK, so that the command can read the configuration without starting it. Every setting says, in one
place, its default and what it allows (`settings_of(StageConfig)` lists them). A bad value is one line:

    cdk.json: stage 'dev', charts[0].timezone: "Mars" is not allowed: a time zone of the IANA database, e.g. ...
"""

# ruff: noqa: RUF009 - `setting` is `dataclasses.field` with more to say

from __future__ import annotations

import json
import re
import zoneinfo
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from lambdas.core.charts import (
    PERIODS,
    PUBLIC_CHARTS,
    Dating,
    Period,
    SpotifyChart,
    parse_chart,
    parse_playlist_id,
    period_of,
    spotify_chart_named,
    spotify_chart_of,
)
from lambdas.core.enrichment import LEAST_CALLS, MAX_CALLS
from lambdas.core.errors import ConfigurationError, InvalidChart
from lambdas.core.sources import POLLED_PROVIDERS, PolledChart, PolledProvider
from stacks.settings import (
    NotAllowedError,
    Values,
    checked,
    missing,
    not_allowed,
    one_of,
    read,
    read_list,
    setting,
    text,
    text_or_null,
    whole_number,
)

Removal: TypeAlias = Literal["destroy", "retain"]

PROTECTED_STAGES = ("prod",)
"""Stages that keep their data whatever `cdk.json` says: to give one up takes a change of code, which is reviewed."""
MAX_STAGE_NAME_LENGTH = 20
# Part of a Glue database's name, which Athena reads unquoted only if it holds no hyphen.
_STAGE_NAME = re.compile(rf"[a-z][a-z0-9]{{0,{MAX_STAGE_NAME_LENGTH - 1}}}")
_ACCOUNT = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_PARAMETER = re.compile(r"(?:/[A-Za-z0-9_.-]+){1,15}")
_RATE = re.compile(r"rate\(([1-9]\d{0,3}) (minute|minutes|hour|hours|day|days)\)")
_CRON = re.compile(r"cron\(([^()]+)\)")
_CRON_FIELD = re.compile(r"[0-9A-Z*/,?#-]+")
# Minutes, hours, day of month, month, day of week, year.
_CRON_NUMBERS = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199))
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PROVIDERS_ALLOWED = (
    f"a list of {' and '.join(map(repr, POLLED_PROVIDERS))}, of one or both, each once, in the order they are tried"
)
_PLAYLIST_ALLOWED = "a playlist's 22-character id, its spotify:playlist: URI or its link"

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 400, 731)
"""Of those that CloudWatch Logs knows."""
# Spotify usually publishes a daily chart before 10 PM UTC the next day, and a weekly one after its Thursday, at no hour
# that is told: https://support.spotify.com/td-en/artists/article/understanding-spotify-charts/. So the newest daily
# chart there is is at most 24 + 22 hours old, to which 2 are added; the newest weekly one, if that is published as
# early, 168 + 22 hours, to which 26 are added.
FRESHNESS_HOURS: Mapping[Period, int] = {"daily": 48, "weekly": 9 * 24}
"""Hours after the end of its date at which a chart is out of date, unless its configuration says otherwise."""
NONCURRENT_DAYS = 30
"""How long an overwritten or deleted object can be brought back, in days."""


def _schedule(value: object) -> str:
    """An expression of EventBridge Scheduler that comes again.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
    """
    if isinstance(value, str) and (rate := _RATE.fullmatch(value)):
        if (rate[1] == "1") == rate[2].endswith("s"):
            raise ValueError
        return value
    return _cron(value)


def _cron(value: object) -> str:
    """A cron expression as EventBridge and Glue have it: six fields, and `?` for exactly one of the two days."""
    cron = _CRON.fullmatch(value) if isinstance(value, str) else None
    fields = cron[1].split(" ") if cron else []
    if len(fields) != 6 or not all(map(_CRON_FIELD.fullmatch, fields)) or (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError
    for field, (least, most) in zip(fields, _CRON_NUMBERS, strict=True):
        # Lists and ranges in parts; a step's or a week's number counts something else.
        for number in (re.split("[/#]", part)[0] for part in re.split("[,-]", field)):
            if number.isdigit() and not least <= int(number) <= most:
                raise ValueError
    return str(value)


def _schedule_or_null(value: object) -> str | None:
    return None if value is None else _schedule(value)


def _cron_or_null(value: object) -> str | None:
    return None if value is None else _cron(value)


def _timezone(value: object) -> str:
    # A machine without a time zone database, such as a slim container, cannot tell: CloudFormation will.
    known = zoneinfo.available_timezones()
    if not isinstance(value, str) or not value or (known and value not in known):
        raise ValueError
    return value


def _providers(value: object) -> tuple[PolledProvider, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError
    providers = tuple(map(one_of(*POLLED_PROVIDERS), value))
    if len(set(providers)) < len(providers):
        raise ValueError
    return providers


def _required_playlist(values: Values) -> str | None:
    if "playlist" not in values["providers"]:
        return None
    raise missing("playlist", _PLAYLIST_ALLOWED)


def _spotify_chart(values: Values) -> SpotifyChart | None:
    """The chart of Spotify's that the playlist is; without a playlist, the one of the chart's name."""
    playlist: str | None = values["playlist"]
    return spotify_chart_named(values["chart"]) if playlist is None else spotify_chart_of(playlist)


def _default_chart(values: Values) -> str:
    if values["playlist"] is None:
        return PUBLIC_CHARTS[0]
    known = spotify_chart_of(values["playlist"])
    if known is None:
        raise missing("chart", "the playlist is none of Spotify's own charts, so give it a name, e.g. 'road-trip'")
    return known.chart


def _default_period(values: Values) -> Period:
    return period_of(values["chart"])


def _default_freshness(values: Values) -> int:
    period: Period = values["period"]
    return FRESHNESS_HOURS[period]


def _default_dating(values: Values) -> Dating:
    return "added_at" if _spotify_chart(values) else "observation"


def _default_offset(values: Values) -> int:
    known = _spotify_chart(values)
    return known.date_offset_days if known else 0


@dataclass(frozen=True, kw_only=True)
class ChartConfig:
    """A chart that a stage polls."""

    providers: tuple[PolledProvider, ...] = setting(
        "Where the chart comes from: the providers in the order in which they are tried, until one serves it. "
        "'playlist' is Spotify's Web API. 'public_charts' is the undocumented service behind the front page of "
        f"charts.spotify.com, which asks for no login and serves {' and '.join(PUBLIC_CHARTS)} alone, 50 places: read "
        "docs/sources.md first.",
        allowed=_PROVIDERS_ALLOWED,
        parse=_providers,
        fill=lambda _: ("playlist",),
        default="['playlist']",
    )
    playlist: str | None = setting(
        "The playlist that holds the chart; the stage's credentials must be able to read it. Kept as its id.",
        allowed=f"{_PLAYLIST_ALLOWED}; only with the provider 'playlist'",
        parse=checked(parse_playlist_id, raises=InvalidChart),
        fill=_required_playlist,
        default="none: it is required with the provider 'playlist'",
    )
    chart: str = setting(
        "The chart's name in keys, tables and commands.",
        allowed="lower-case letters, digits and single hyphens, at most 64 characters, e.g. 'regional-global-daily'",
        parse=checked(parse_chart, raises=InvalidChart),
        fill=_default_chart,
        default="Spotify's alias, for a playlist that is one of Spotify's charts; with the provider 'public_charts' "
        "alone, the chart that it serves",
    )
    period: Period = setting(
        "How often the chart is made anew.",
        allowed="'daily' or 'weekly'",
        parse=one_of(*PERIODS),
        fill=_default_period,
        default="'weekly' if the chart's name ends in '-weekly', else 'daily'",
    )
    dated_by: Dating = setting(
        "What tells a playlist's chart date: the day all entries are stamped with, or the UTC day of the poll. The "
        "public charts tell their own.",
        allowed="'added_at' or 'observation'",
        parse=one_of("added_at", "observation"),
        fill=_default_dating,
        default="'added_at' for Spotify's charts, 'observation' for other playlists",
    )
    date_offset_days: int = setting(
        "Days added to that day to get the chart date, the last day counted.",
        allowed="a whole number from -31 to 31",
        parse=whole_number(-31, 31),
        fill=_default_offset,
        default="-1 for Spotify's charts, which are stamped the day after, else 0",
    )
    schedule: str = setting(
        "When the chart is polled. Several times a day: a poll does nothing once the date is held.",
        allowed="a schedule that comes again, 'cron(minutes hours day-of-month month day-of-week year)' with a '?' for "
        "exactly one of the two days, or 'rate(N minutes|hours|days)'",
        parse=_schedule,
        fill=lambda _: "cron(0 6,12,18 * * ? *)",
        default="'cron(0 6,12,18 * * ? *)': at 6, 12 and 18 o'clock",
    )
    timezone: str = setting(
        "The time zone of the schedule.",
        allowed="a time zone of the IANA database, e.g. 'UTC' or 'Europe/Stockholm'",
        parse=_timezone,
        fill=lambda _: "UTC",
        default="'UTC'",
    )
    freshness_hours: int = setting(
        "Hours since the end of the newest chart date held, after which the chart counts as out of date: an alarm says "
        "so when no poll of the past day found it fresher. So poll at least once a day, weekly charts too.",
        allowed="a whole number from 1 to 2400",
        parse=whole_number(1, 2400),
        fill=_default_freshness,
        default=f"{FRESHNESS_HOURS['daily']} for a daily chart, {FRESHNESS_HOURS['weekly']} for a weekly one",
    )

    @property
    def polled(self) -> PolledChart:
        """What the chart's schedule sends to the extract function."""
        return PolledChart(
            chart=self.chart,
            period=self.period,
            providers=self.providers,
            playlist_id=self.playlist,
            dated_by=self.dated_by,
            date_offset_days=self.date_offset_days,
        )


def _charts(value: object) -> tuple[ChartConfig, ...]:
    charts = read_list(ChartConfig, value, path="charts")
    for index, chart in enumerate(charts):
        if chart.chart in {earlier.chart for earlier in charts[:index]}:
            raise not_allowed(f"charts[{index}].chart", chart.chart, "each chart is polled once")
        if "public_charts" in chart.providers and chart.chart not in PUBLIC_CHARTS:
            raise not_allowed(
                f"charts[{index}].providers",
                chart.providers,
                f"'public_charts' serves {' and '.join(PUBLIC_CHARTS)} alone, and this chart is {chart.chart}",
            )
        if "playlist" not in chart.providers and chart.playlist is not None:
            raise not_allowed(
                f"charts[{index}].playlist", chart.playlist, "'playlist' is none of the chart's providers: name both"
            )
    return charts


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """One stage: a whole pipeline with its own data, apart from every other stage's."""

    stage: str
    emulated: bool = setting(
        "Whether the stage is deployed to the embedded emulator: its functions are bundled for this machine instead of "
        "for Lambda, and only such a stage can be pointed at the Spotify stand-in.",
        allowed="true or false",
        parse=one_of(True, False),
        fill=lambda _: False,
        default="false",
    )
    account: str | None = setting(
        "The AWS account to deploy to.",
        allowed="12 digits in quotes, or null for the account of the credentials that deploy",
        parse=text_or_null(_ACCOUNT),
        fill=lambda _: None,
        default="null: the account of the credentials that deploy",
    )
    region: str | None = setting(
        "The AWS region to deploy to.",
        allowed="a region such as 'eu-west-1', or null for the region of the credentials that deploy",
        parse=text_or_null(_REGION),
        fill=lambda _: None,
        default="null: the region of the credentials that deploy",
    )
    charts: tuple[ChartConfig, ...] = setting(
        "The charts that are polled. Charts that you only import need no entry.",
        allowed="a list of charts, each an object",
        parse=_charts,
        fill=lambda _: (),
        default="[]: no chart is polled",
    )
    alarm_email: str | None = setting(
        "Where alarms are mailed to. AWS asks that address for its consent by mail; nothing is sent before.",
        allowed="an e-mail address, or null for no mail",
        parse=text_or_null(_EMAIL),
        fill=lambda _: None,
        default="null: alarms are shown in CloudWatch and mailed to nobody",
    )
    credentials_parameter: str = setting(
        "Name of the SSM SecureString that holds the Spotify credentials; `etl credentials` writes it.",
        allowed="a parameter's full name, e.g. '/spotify-etl/dev/spotify'",
        parse=text(_PARAMETER),
        fill=lambda values: f"/spotify-etl/{values['stage']}/spotify",
        default="'/spotify-etl/<stage>/spotify'",
    )
    removal: Removal = setting(
        "What happens to data and logs when the stage is destroyed. 'retain' keeps them, and protects the stacks "
        "against deletion.",
        allowed=f"'destroy' or 'retain'; for the stage {' or '.join(PROTECTED_STAGES)} only 'retain'",
        parse=one_of("destroy", "retain"),
        fill=lambda _: "retain",
        default="'retain'",
    )
    spotify_retention_days: int = setting(
        "Days after which what came from Spotify's services is gone for good, from the raw zone and the quarantine, "
        "old versions included; and a report that was not made anew since. Files you brought stay.",
        allowed=f"a whole number from {NONCURRENT_DAYS + 1} to 3650",
        parse=whole_number(NONCURRENT_DAYS + 1, 3650),
        fill=lambda _: 400,
        default="400",
    )
    song_refresh_days: int = setting(
        "Days after which Spotify is asked again about a song that stands on the newest date of a chart.",
        allowed="a whole number from 1 to 365",
        parse=whole_number(1, 365),
        fill=lambda _: 30,
        default="30",
    )
    enrichment_calls_per_run: int = setting(
        "Calls to Spotify that one `etl enrich`, or one scheduled enrichment, may make: one for each song, and one for "
        "each token. An app in Development Mode met its quota after some 1,100 in 24 hours.",
        allowed=f"a whole number from {LEAST_CALLS} to {MAX_CALLS}",
        parse=whole_number(LEAST_CALLS, MAX_CALLS),
        fill=lambda _: 300,
        default="300",
    )
    enrichment_schedule: str | None = setting(
        "When songs that chart files brought are completed by themselves, in UTC, e.g. 'cron(30 3 * * ? *)'. Needs "
        "Spotify credentials.",
        allowed="'cron(minutes hours day-of-month month day-of-week year)' with a '?' for exactly one of the two days, "
        "or 'rate(N minutes|hours|days)', or null for only by `etl enrich`",
        parse=_schedule_or_null,
        fill=lambda _: None,
        default="null: only by `etl enrich`",
    )
    report: bool = setting(
        "Whether a chart's report is made by itself after each new day. `etl report` makes it in any case.",
        allowed="true or false",
        parse=one_of(True, False),
        fill=lambda _: True,
        default="true",
    )
    report_window_seconds: int = setting(
        "Seconds for which a report waits for more days of its chart, so that a backfill makes few reports and not one "
        "for each of its steps.",
        allowed="a whole number from 1 to 300",
        parse=whole_number(1, 300),
        fill=lambda _: 60,
        default="60",
    )
    result_retention_days: int = setting(
        "Days for which Athena's results are kept.",
        allowed="a whole number from 1 to 400",
        parse=whole_number(1, 400),
        fill=lambda _: 30,
        default="30",
    )
    log_retention_days: int = setting(
        "Days for which the functions' logs are kept.",
        allowed=f"one of {', '.join(map(str, LOG_RETENTION_DAYS))}",
        parse=one_of(*LOG_RETENTION_DAYS),
        fill=lambda _: 30,
        default="30",
    )
    crawler_schedule: str | None = setting(
        "When the Glue crawler runs, in UTC. Queries need no crawl: it registers partitions for engines other than "
        "Athena, and bills ten minutes ($0.07 or more) each time.",
        # Glue knows no rates: https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html
        allowed="'cron(minutes hours day-of-month month day-of-week year)' with a '?' for exactly one of the two days, "
        "or null for only when somebody starts it",
        parse=_cron_or_null,
        fill=lambda _: None,
        default="null: only when somebody starts it",
    )
    athena_scan_cutoff_bytes: int = setting(
        "Bytes after which Athena stops a query. Athena bills what it scans.",
        allowed="a whole number from 10000000, Athena's least, to 7696581394432",
        parse=whole_number(10_000_000, 7 * 2**40),
        fill=lambda _: 10 * 2**30,
        default="10737418240: 10 GiB, about 5 cents",
    )
    batch_window_seconds: int = setting(
        "Seconds for which the transform gathers new documents into one batch.",
        # SQS batches of more than ten messages need a window:
        # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        allowed="a whole number from 1 to 300",
        parse=whole_number(1, 300),
        fill=lambda _: 5,
        default="5",
    )
    transform_concurrency: int = setting(
        "Batches that the transform works on at the same time. More is faster for a backfill of many charts; all of "
        "them write the same dimensions, so it does not scale without end.",
        # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html#events-sqs-max-concurrency
        allowed="a whole number from 2 to 1000",
        parse=whole_number(2, 1000),
        fill=lambda _: 2,
        default="2",
    )

    @property
    def polled_charts(self) -> tuple[PolledChart, ...]:
        """The charts that are polled, each as its schedule sends it to the extract function."""
        return tuple(chart.polled for chart in self.charts)

    @property
    def database_name(self) -> str:
        """The Glue database."""
        return f"spotify_{self.stage}"

    @property
    def workgroup_name(self) -> str:
        """The Athena workgroup."""
        return f"spotify-{self.stage}"

    def stack_name(self, part: str) -> str:
        """CloudFormation's name of one of the stage's stacks: storage, compute, catalog or monitoring."""
        return f"spotify-etl-{self.stage}-{part}"


def load_stages(source: Path | Mapping[str, object]) -> dict[str, StageConfig]:
    """The stages in a `cdk.json` (its path, or what `context.stages` holds), by name, in the file's order.

    Raises ConfigurationError, one line that names the stage, the key, the value and what is allowed.
    """
    file = source.name if isinstance(source, Path) else "stages"
    written = _written_stages(source) if isinstance(source, Path) else source
    if not isinstance(written, Mapping) or not written:
        raise ConfigurationError(f'{file}: context.stages must be an object with at least one stage: {{"dev": {{}}}}')
    return {name: _stage(file, name, keys) for name, keys in written.items()}


def select_stage(stages: Mapping[str, StageConfig], name: str) -> StageConfig:
    """The stage called `name`. Raises ConfigurationError with the names there are."""
    try:
        return stages[name]
    except KeyError:
        raise ConfigurationError(f"there is no stage {name!r}: use one of {', '.join(stages)}") from None


def _written_stages(path: Path) -> object:
    try:
        settings = json.loads(path.read_text("utf-8"), object_pairs_hook=_once_each)
        return settings.get("context", {}).get("stages")
    except FileNotFoundError:
        raise ConfigurationError(f"there is no {path}: run this from the project's folder") from None
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise ConfigurationError(f"{path.name} is not a JSON object of settings: {error}") from error


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON, whose keys must be told apart: the last of two would win without a word."""
    twice = [key for key, number in Counter(key for key, _ in pairs).items() if number > 1]
    if twice:
        raise ConfigurationError(f"cdk.json: {twice[0]!r} stands twice in one object: keep one of them")
    return dict(pairs)


def _stage(file: str, name: str, written: object) -> StageConfig:
    if not _STAGE_NAME.fullmatch(name):
        raise ConfigurationError(
            f"{file}: {name!r} cannot name a stage: use lower-case letters and digits, a letter first, at most "
            f"{MAX_STAGE_NAME_LENGTH} characters"
        )
    try:
        config = StageConfig(**read(StageConfig, written, stage=name))
        if config.removal == "destroy" and name in PROTECTED_STAGES:
            raise not_allowed(
                "removal", "destroy", f"'retain', while PROTECTED_STAGES in stacks/config.py holds {name!r}"
            )
        return config
    except NotAllowedError as error:
        where = f", {error.path}" if error.path else ""
        raise ConfigurationError(f"{file}: stage {name!r}{where}: {error.fault}") from None
