"""`etl report`: a chart's page, made now through Athena, kept in the warehouse and beside you, and shared by a link."""

from __future__ import annotations

import argparse
import difflib
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.formats import records
from cli.output import count, note, say, step
from cli.querying import named_queries
from cli.stage import LOCAL, Stage, open_stage
from lambdas.core.adapters.reports import S3Reports, reporting
from lambdas.core.errors import ConfigurationError
from lambdas.core.keys import REPORT_PREFIX, report_key
from lambdas.core.report import QUERIES

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_LINK_LIFE: Final = timedelta(days=1)
_CHARTS = """
SELECT chart, CAST(max(chart_date) AS varchar) AS newest_date
FROM snapshots
WHERE verdict IN ('published', 'partial')
GROUP BY chart
ORDER BY newest_date DESC, chart
"""
_SHOWN_CHARTS = 10


def report_command(arguments: argparse.Namespace) -> int:
    """Run `etl report`."""
    if arguments.expires is not None and not arguments.share:
        raise ConfigurationError("--expires goes with --share: it says how long the link is to last")
    stage = open_stage(arguments.stage)
    chart = chosen_chart(_charts(stage), arguments.chart, stage=stage.name)
    bucket = stage.output("storage", "WarehouseBucketName")
    with step(f"ask about {chart}") as progress:
        answered: list[str] = []

        def tell(name: str) -> None:
            answered.append(name)
            progress.update(f"{len(set(answered))} of {count(len(QUERIES), 'question')} answered")

        reports = reporting(stage.athena, stage.s3, bucket=bucket, queries=named_queries().values(), answered=tell)
        report, kept = reports.make(chart)
    path = arguments.output or default_path(chart, stage=stage.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(report.html)
    say(f"{path} ({kept.size / 1000:,.0f} kB): {chart} of {report.chart_date}")
    say(f"also kept as s3://{bucket}/{report_key(chart)}, which only this account reads")
    if arguments.share:
        _share(stage, bucket, chart, arguments.expires or _LINK_LIFE)
    if arguments.open and not webbrowser.open(path.resolve().as_uri()):
        note(f"etl: no browser could be opened: open {path} yourself")
    return 0


def default_path(chart: str, *, stage: str) -> Path:
    """Where a report lies on this machine unless somebody says otherwise, as short as it can be typed from here."""
    from cli.local_state import state_dir

    folder = state_dir() / "report"
    path = (folder if stage == LOCAL else folder / stage) / f"{chart}.html"
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _charts(stage: Stage) -> dict[str, str]:
    """The newest date of each chart, newest first."""
    return {str(row["chart"]): str(row["newest_date"]) for row in records(stage.athena.query(_CHARTS))}


def chosen_chart(newest: Mapping[str, str], asked: str | None, *, stage: str) -> str:
    """The chart that is asked for, else the only one, or the only one of the newest date.

    `newest` has each chart's newest date, newest first. Raises ConfigurationError that says which to choose from.
    """
    if not newest:
        raise ConfigurationError(
            f"stage {stage} holds no chart yet: import one with `etl import PATH --stage {stage}`, then report it"
        )
    if asked is not None:
        if asked not in newest:
            near = difflib.get_close_matches(asked, newest, n=3, cutoff=0.5)
            meant = f"did you mean {' or '.join(near)}? " if near else ""
            raise ConfigurationError(f"stage {stage} holds no chart {asked!r}: {meant}{_choice(newest)}")
        return asked
    first, *others = newest
    if any(newest[other] == newest[first] for other in others):
        raise ConfigurationError(f"say which chart, with --chart: {_choice(newest)}")
    return first


def _choice(newest: Mapping[str, str]) -> str:
    shown = [f"{chart} ({day})" for chart, day in list(newest.items())[:_SHOWN_CHARTS]]
    more = f" and {len(newest) - len(shown)} more (`etl charts`)" if len(newest) > len(shown) else ""
    return f"there {'is' if len(newest) == 1 else 'are'} {', '.join(shown)}{more}"


# --- a link to it


@dataclass(frozen=True)
class LinkLife:
    """How long a link really works: until `ends`, or None where that cannot be told; `why` says what ends it."""

    ends: datetime | None
    why: str


def link_life(credentials: Credentials | None, wanted: timedelta, *, now: datetime) -> LinkLife:
    """The real life of a presigned link: what was asked for, or that of the credentials that sign it, if shorter.

    By https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html a link ends with the credentials
    that it was signed with. Those of an IAM user do not end by themselves; a role's do, at a time that the SDK knows if
    it fetched them itself, and that nobody tells it if they came as environment variables or from a file.
    """
    asked = now + wanted
    if credentials is None or not credentials.token:
        return LinkLife(asked, "as asked for; earlier if its key is deleted or loses its rights")
    ends = getattr(credentials, "_expiry_time", None)
    if not isinstance(ends, datetime):
        return LinkLife(
            None,
            f"with the temporary credentials that signed it, which do not say when they end: at the latest on "
            f"{_moment(asked)}, as asked for",
        )
    ends = ends.astimezone(UTC)
    if ends < asked:
        return LinkLife(ends, f"with the temporary credentials that signed it, before the {_moment(asked)} asked for")
    return LinkLife(asked, "as asked for; earlier if the role that signed it loses its rights")


def _share(stage: Stage, bucket: str, chart: str, wanted: timedelta) -> None:
    # Looked at before the link is signed: if they are renewed in between, the link lasts longer than is said.
    life = link_life(stage.credentials(), wanted, now=datetime.now(UTC))
    say()
    say(stage.link_to(bucket, report_key(chart), lasting=wanted))
    for line in sharing_notes(life, emulated=stage.config.emulated):
        say(line)


def sharing_notes(life: LinkLife, *, emulated: bool) -> Sequence[str]:
    """What whoever passes a link on is to know."""
    ends = f"on {_moment(life.ends)}, {life.why}" if life.ends else life.why
    lines = [
        f"The link ends {ends}.",
        "Whoever has the link can read the report until then, and what is made in its place: nothing takes it back "
        "but taking away the rights of who signed it.",
        "Spotify's terms (https://developer.spotify.com/terms) apply to what it shows, also to whom you show it.",
    ]
    if emulated:
        lines.append("It works on this machine alone, and only while the local stage is up.")
    return lines


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def newest_reports(stage: Stage) -> list[tuple[str, str]]:
    """For `etl status`: a line for each chart that a report is kept of, or how many there are if they are many."""
    reports = S3Reports(stage.s3, stage.output("storage", "WarehouseBucketName"))
    charts = list(reports.charts())
    if not charts:
        after = "one is made after each new date of a chart, or" if stage.config.report else "one is made"
        return [("report", f"none yet: {after} by `etl report --stage {stage.name}`")]
    if len(charts) > _SHOWN_CHARTS:
        return [("reports", f"of {count(len(charts), 'chart')}, under {REPORT_PREFIX} of the warehouse's bucket")]
    return [
        (f"report of {held.chart}", f"of {held.chart_date}, made {_moment(held.made_at)}, {held.size / 1000:,.0f} kB")
        for held in map(reports.stored, charts)
        if held is not None
    ]
