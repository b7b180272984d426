"""The subcommands of `etl`: names, help, arguments, and where each one lives. Importing this costs next to nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

_PATIENCE_SECONDS = 120.0
_LOGIN_PORT = 8912
_LOGIN_SECONDS = 300.0


@dataclass(frozen=True)
class Command:
    """A subcommand. `entry` is `module:function`, imported when it runs; `examples` are commands that work."""

    name: str
    group: str
    summary: str
    description: str
    examples: tuple[str, ...]
    entry: str = ""
    add_arguments: Callable[[argparse.ArgumentParser], object] | None = None
    takes_cdk_arguments: bool = False
    subcommands: tuple[Command, ...] = ()
    """Of a command that is no more than their common name."""


GROUPS = {
    "use": "Use the warehouse",
    "set up": "Set a stage up and take it down",
}


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of a chart, in no time zone
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write it as 2024-05-11") from None


def _positive_seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        type=_positive_seconds,
        default=_PATIENCE_SECONDS,
        metavar="SECONDS",
        help="give up waiting for the tables when nothing has arrived for so long (default: %(default)g)",
    )


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--chart", metavar="CHART", help="poll this chart only (default: all that the stage polls)")
    _add_timeout(parser)


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="a file, or a folder whose *.json and *.csv files are taken, also gzipped (.gz), subfolders included",
    )
    parser.add_argument(
        "--chart",
        metavar="CHART",
        help="which chart the files are of, whatever they say; of several, one whose name says otherwise is refused",
    )
    parser.add_argument(
        "--chart-date",
        type=_day,
        metavar="YYYY-MM-DD",
        help="the last day counted, whatever a file says; of several, as for --chart",
    )
    parser.add_argument(
        "--partial", action="store_true", help="take a file that holds only some pages of a longer playlist"
    )
    parser.add_argument("--dry-run", action="store_true", help="write nothing, say what would be done")
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="a line for each file, however many there are (else, of more than 40, only for those to look at)",
    )
    _add_timeout(parser)


def _withdraw_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chart", metavar="CHART", help="the chart's name, as `etl charts` shows it")
    parser.add_argument("dates", nargs="+", type=_day, metavar="YYYY-MM-DD", help="a chart date: the last day counted")
    parser.add_argument("--reason", metavar="TEXT", help="why, kept in the table snapshots")
    parser.add_argument("--undo", action="store_true", help="lift a withdrawal: the day is what its documents say")
    _add_timeout(parser)


def _calls(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if not 2 <= number <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of calls from 2 (one is for the token) to 100000")
    return number


def _enrich_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-calls",
        type=_calls,
        metavar="N",
        help="make at most N calls to Spotify (default: what the stage's configuration says)",
    )
    parser.add_argument("--dry-run", action="store_true", help="ask nothing, say what would be asked")
    _add_timeout(parser)


def _rebuild_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--chart", metavar="CHART", help="this chart only (default: all charts)")
    parser.add_argument("--from", dest="first", type=_day, metavar="YYYY-MM-DD", help="from this chart date on")
    parser.add_argument("--to", dest="last", type=_day, metavar="YYYY-MM-DD", help="up to this chart date, included")
    parser.add_argument("--dry-run", action="store_true", help="replace nothing, say what would be")


def _quarantine_list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--chart", metavar="CHART", help="objects whose key names this chart only")
    parser.add_argument("--prefix", default="", metavar="PREFIX", help="objects whose key begins so only, as inbox/")
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="table for people, json with all that is on record"
    )


def _quarantine_show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the object's key, as the list shows it, or its record's")


def _quarantine_retry_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("keys", nargs="*", metavar="KEY", help="the objects' keys, as the list shows them")
    parser.add_argument("--all", action="store_true", help="everything that is in quarantine")
    _add_timeout(parser)


def _redrive_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "queue",
        nargs="?",
        choices=("extract", "import_chart", "transform", "enrich", "report"),
        metavar="QUEUE",
        help="the dead letters of extract, import_chart, transform, enrich or report only (default: of all)",
    )
    parser.add_argument("--dry-run", action="store_true", help="move nothing, say what lies there and why")


_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _link_life(text: str) -> timedelta:
    number, unit = text[:-1], _UNITS.get(text[-1:])
    life = timedelta(**{unit: int(number)}) if unit and number.isascii() and number.isdecimal() else timedelta()
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
    if not timedelta() < life <= timedelta(days=7):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time such as 90m, 12h or 7d, which is the longest S3 takes"
        )
    return life


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--chart", metavar="CHART", help="which chart (default: the one with the newest date)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write it here (default: .local/report/CHART.html)")
    parser.add_argument("--open", action="store_true", help="open it in your browser")
    parser.add_argument(
        "--share", action="store_true", help="print a link by which anyone reads it, and when the link really ends"
    )
    parser.add_argument(
        "--expires",
        type=_link_life,
        metavar="TIME",
        help="how long the link is to last, e.g. 12h, at most 7d (default: 1d); it ends earlier if the credentials "
        "that sign it do",
    )


def _query_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "statement",
        nargs="?",
        metavar="NAME|SQL",
        help="a named query, SQL in quotes, @FILE to read SQL from a file, or - to read it from standard input",
    )
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a named query's parameter; may be given several times",
    )
    parser.add_argument(
        "--format",
        choices=("table", "json", "csv"),
        default="table",
        help="table for people, json with typed values, csv by RFC 4180 (default: %(default)s)",
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="list the named queries and their parameters; with a NAME, show what it asks, its columns and its SQL",
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use 1024 to 65535, or 0 for any that is free")
    return int(text)


def _login_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=_port,
        default=_LOGIN_PORT,
        metavar="N",
        help="the redirect URI is http://127.0.0.1:N/callback (default: %(default)s); 0 takes any free port, for an "
        "app that has the redirect URI http://127.0.0.1/callback",
    )
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="open no browser, only print the link"
    )
    parser.add_argument(
        "--timeout",
        type=_positive_seconds,
        default=_LOGIN_SECONDS,
        metavar="SECONDS",
        help="give up when nobody has come back from Spotify's page for so long (default: %(default)g)",
    )


def _deploy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bootstrap",
        action="store_true",
        help="prepare the account and region for CDK first (cdk bootstrap): needed once in each",
    )


def _doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--offline", action="store_true", help="make no call to Spotify")


COMMANDS: tuple[Command, ...] = (
    Command(
        name="run",
        group="use",
        summary="fetch the charts now, wait until they can be queried, show the top 10",
        description="Invoke the extract function for each chart that the stage polls, as its schedule would, wait "
        "until the day is in the tables, and print it. A day that is held already is not fetched again.",
        examples=("etl run", "etl run --chart regional-global-daily"),
        entry="cli.running:run_command",
        add_arguments=_run_arguments,
    ),
    Command(
        name="import",
        group="use",
        summary="load official chart CSVs and answers saved from Spotify",
        description="Load the CSV files of charts.spotify.com, those of the former spotifycharts.com, and answers that "
        "were saved as JSON: pages of a playlist's entries, playlist objects, lists of entries, and whole answers of "
        "the public charts service. Each file becomes a raw document; the pipeline loads it, and this command waits. A "
        "CSV under the name that Spotify gave it needs nothing else; one named 'latest' needs --chart-date. The same "
        "file imported again changes nothing. A refused file writes nothing and keeps no other out; where it lacks "
        "its chart or its day alone, the command that takes it is printed. Exit code 1 if any file was refused.",
        examples=(
            "etl import regional-global-daily-2025-12-01.csv",
            "etl import regional-us-weekly-latest.csv --chart-date 2020-02-13",
            "etl import exports/",
            "etl import top50.json --chart road-trip --chart-date 2024-05-11",
            "etl import page2.json --chart road-trip --chart-date 2024-05-11 --partial --dry-run",
        ),
        entry="cli.importing:import_command",
        add_arguments=_import_arguments,
    ),
    Command(
        name="enrich",
        group="use",
        summary="complete songs that came from chart files: albums and artists from Spotify's Web API",
        description="Ask Spotify's Web API about songs of which no more than a chart file's text is known, one call a "
        "song, newest charts first, and wait until albums and artists are in the tables. What Spotify answers is kept: "
        "no song is asked about twice, and what was broken off goes on with the next run. A run makes as many calls as "
        "enrichment_calls_per_run of the stage allows. Needs credentials.",
        examples=("etl enrich --dry-run", "etl enrich", "etl enrich --max-calls 100 --stage dev"),
        entry="cli.enriching:enrich_command",
        add_arguments=_enrich_arguments,
    ),
    Command(
        name="report",
        group="use",
        summary="make a page of a chart: one HTML file, to look at and to share",
        description="Ask the questions of the report through Athena now, make one HTML file of the answers, write it "
        "beside you and keep it in the warehouse's bucket, which only this account reads. A stage also makes it by "
        "itself, after each new date of a chart (`report` in cdk.json). --share prints a link for people without an "
        "account of yours. It ends with the credentials that sign it: a role's within hours, whatever is asked for.",
        examples=(
            "etl report --open",
            "etl report --chart regional-global-daily --output chart.html",
            "etl report --share --expires 12h --stage dev",
        ),
        entry="cli.reporting:report_command",
        add_arguments=_report_arguments,
    ),
    Command(
        name="query",
        group="use",
        summary="ask the warehouse in SQL, or by the name of a question",
        description="Ask through Athena. NAME is one of the questions in queries/ (--list shows them); anything else "
        "is Athena SQL over chart_entries, snapshots, songs, albums, artists and song_artists, and the views "
        "chart_with_names, held_dates and latest_songs.",
        examples=(
            "etl query --list",
            "etl query --list todays_top_10",
            "etl query todays_top_10 --param chart=regional-global-daily",
            "etl query 'SELECT name, artist_names FROM songs ORDER BY name LIMIT 5' --format csv",
            "etl query @question.sql --format json",
        ),
        entry="cli.querying:query_command",
        add_arguments=_query_arguments,
    ),
    Command(
        name="withdraw",
        group="use",
        summary="take a chart date out of the tables, or bring it back",
        description="Say of chart dates that they hold no chart, whatever their documents say, now or later: for a "
        "file imported under a wrong name, or a chart that Spotify itself took back. The documents stay, and --undo "
        "lifts the withdrawal. Exit code 1 if the tables do not show it in time.",
        examples=(
            'etl withdraw regional-global-daily 2025-12-01 --reason "a file of another country"',
            "etl withdraw regional-global-daily 2025-12-01 --undo",
        ),
        entry="cli.withdrawing:withdraw_command",
        add_arguments=_withdraw_arguments,
    ),
    Command(
        name="rebuild",
        group="use",
        summary="make the tables anew from the raw documents, and replace what differs",
        description="Read all raw documents again, without asking Spotify, make the tables from them beside those that "
        "are queried, check them, and replace the objects that differ, one by one. Loads may go on meanwhile, and lose "
        "nothing. Days whose documents have expired stay as they are. Stopped, or run again, it does what is left. "
        "With --chart, --from or --to rows of songs, albums and artists are made better, never taken back. Exit code 1 "
        "if a damaged object could not be made anew, for want of documents.",
        examples=(
            "etl rebuild --dry-run",
            "etl rebuild",
            "etl rebuild --chart regional-global-daily --from 2025-01-01 --to 2025-12-31",
        ),
        entry="cli.rebuilding:rebuild_command",
        add_arguments=_rebuild_arguments,
    ),
    Command(
        name="quarantine",
        group="use",
        summary="see what could not be used, and why; send it through the pipeline once more",
        description="Objects of the raw bucket that cannot be used, each with a record of why. The objects stay where "
        "they are.",
        examples=("etl quarantine list", "etl quarantine retry --all"),
        subcommands=(
            Command(
                name="list",
                group="use",
                summary="what is in quarantine, newest first",
                description="List what is in quarantine, newest first: when and by which code version it was found "
                "bad, its chart and date where its key tells them, the quality gate it did not pass, and whether it "
                "is settled meanwhile: in the tables, gone, or usable by this version.",
                examples=(
                    "etl quarantine list",
                    "etl quarantine list --chart regional-global-daily",
                    "etl quarantine list --prefix inbox/ --format json",
                ),
                entry="cli.quarantining:list_command",
                add_arguments=_quarantine_list_arguments,
            ),
            Command(
                name="show",
                group="use",
                summary="why one object cannot be used, and what to do",
                description="Show one record whole: the object and its version, the reason, the place in the document, "
                "which code found it when, and what one can do.",
                examples=("etl quarantine show inbox/road-trip.csv",),
                entry="cli.quarantining:show_command",
                add_arguments=_quarantine_show_arguments,
            ),
            Command(
                name="retry",
                group="use",
                summary="send objects through the pipeline once more",
                description="Tell the functions of the objects again, wait, and say what came of each. The record of "
                "an object that is in the tables, or gone, is taken away; all others stay, with the reason of now. "
                "Retrying again changes nothing else. Exit code 1 if anything is in quarantine still.",
                examples=("etl quarantine retry inbox/road-trip.csv", "etl quarantine retry --all --stage dev"),
                entry="cli.quarantining:retry_command",
                add_arguments=_quarantine_retry_arguments,
            ),
        ),
    ),
    Command(
        name="redrive",
        group="use",
        summary="put dead letters back to work: what functions failed at, once the cause is mended",
        description="Show what lies in the dead letters, with the cause as far as it is known, and put it back: events "
        "of documents and files into their queue, polls and enrichments by calling their function again. A letter is "
        "deleted only after that, so nothing is lost if this is stopped; what comes twice changes nothing. What is no "
        "event stays. Exit code 1 if any letter is left.",
        examples=("etl redrive --dry-run", "etl redrive transform", "etl redrive --stage dev"),
        entry="cli.redriving:redrive_command",
        add_arguments=_redrive_arguments,
    ),
    Command(
        name="charts",
        group="use",
        summary="list the charts: period, provider, newest date, missing dates",
        description="List the charts that the stage holds or polls, with the dates that are missing between the first "
        "and the newest.",
        examples=("etl charts", "etl charts --stage dev"),
        entry="cli.overview:charts_command",
    ),
    Command(
        name="status",
        group="use",
        summary="show the stage: stacks, rows, queues, dead letters, quarantine, credentials",
        description="Show whether the stage is deployed, how many rows each table holds, what waits in the queues and "
        "what ended in the dead letters or in quarantine. Credentials are never shown.",
        examples=("etl status", "etl status --stage dev"),
        entry="cli.overview:status_command",
    ),
    Command(
        name="doctor",
        group="use",
        summary="check everything from AWS to Spotify, and say what to do about what is wrong",
        description="Check whether AWS can be reached and the stacks are deployed, whether Spotify accepts the "
        "credentials, whether each polled chart can be read and is up to date, whether Spotify limits the rate, and "
        "whether anything lies in dead letters or quarantine: one line each, with the remedy. It stores nothing but "
        "the number of its calls to Spotify: two, and those of one poll of each chart. None is made before the time "
        "that Spotify asked to wait for. Exit code 1 if any check FAILED.",
        examples=("etl doctor", "etl doctor --stage dev", "etl doctor --stage dev --offline"),
        entry="cli.doctor:doctor_command",
        add_arguments=_doctor_arguments,
    ),
    Command(
        name="up",
        group="set up",
        summary="start the local stage: emulated AWS, a Spotify stand-in, the stacks deployed",
        description="Start everything on this machine, without an AWS account, Docker or a Spotify app: the Spotify "
        "stand-in, the AWS emulator, and the stacks, deployed by the real CDK command line. Run it again at any time: "
        "it does only what is missing, and deploys again if the code has changed. Logs are in .local/ (or the folder "
        "that $ETL_STATE_DIR names).",
        examples=("etl up",),
        entry="cli.local_stage:up_command",
    ),
    Command(
        name="down",
        group="set up",
        summary="stop the local stage and forget its data",
        description="Stop the emulator and the Spotify stand-in. The local warehouse goes with them.",
        examples=("etl down",),
        entry="cli.local_stage:down_command",
    ),
    Command(
        name="deploy",
        group="set up",
        summary="deploy a stage to AWS (cdk deploy)",
        description="Deploy a stage's stacks with the CDK command line, which asks before it widens permissions. What "
        "follows -- is passed on to it.",
        examples=(
            "etl deploy --stage dev --bootstrap",
            "etl deploy --stage dev",
            "etl deploy --stage dev -- --require-approval never",
        ),
        entry="cli.aws_stage:deploy_command",
        add_arguments=_deploy_arguments,
        takes_cdk_arguments=True,
    ),
    Command(
        name="destroy",
        group="set up",
        summary="destroy a stage on AWS, its data included",
        description="Empty the stage's buckets, all versions, and destroy its stacks. Asks for the stage's name first. "
        "prod, and stages that keep their data by configuration, are refused.",
        examples=("etl destroy --stage dev",),
        entry="cli.aws_stage:destroy_command",
        takes_cdk_arguments=True,
    ),
    Command(
        name="credentials",
        group="set up",
        summary="store the Spotify app's client id and secret, encrypted",
        description="Ask for the client id and secret of your Spotify app, without showing them, and keep them in the "
        "stage's SSM SecureString. Two lines on standard input do as well. A user who is signed in stays signed in if "
        "it is the same app.",
        examples=("etl credentials --stage dev",),
        entry="cli.credentials:credentials_command",
    ),
    Command(
        name="login",
        group="set up",
        summary="sign a Spotify user in, so that playlists of their own can be polled",
        description="Send your browser to Spotify's page of consent, and keep the refresh token that comes of it in "
        "the stage's SSM SecureString, beside the app's credentials, which `etl credentials` has to have stored. The "
        "app needs the redirect URI http://127.0.0.1:8912/callback in the Spotify dashboard. A sign-in lasts six "
        "months: `etl status` counts the days. Where the browser is on another machine than this command, let that "
        "one's port lead here first: ssh -L 8912:127.0.0.1:8912 THIS-MACHINE.",
        examples=("etl login --stage dev", "etl login --stage dev --no-browser --port 9000"),
        entry="cli.login:login_command",
        add_arguments=_login_arguments,
    ),
)
