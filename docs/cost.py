"""Writes docs/cost.md from docs/cost_model.py: `make docs`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from docs import cost_model as model
from docs.cost_model import ALL_CHARTS, IDLE, ONE_CHART, PRICES, SCENARIOS, Price, Scenario

PAGE = Path(__file__).with_name("cost.md")

_HEAD = f"""# What it costs

<!-- Written by `make docs` from docs/cost_model.py and the templates in tests/infra/snapshots. -->

Worked out, not billed: nobody has run this on AWS yet. Prices are us-east-1's list prices, stated on {model.STATED}
from AWS's price pages as known, not fetched: look before you rely on one. Without tax. A month has {model.DAYS} days.
*Free* is what AWS gives every account each month for good, once and not once a stage; what it gives new accounts is
left out.
"""

_USE = f"""## What is done with it

- **{IDLE.title}**: a stage as it ships, which polls nothing and is asked nothing.
- **{ONE_CHART.title}**: a daily chart of {ONE_CHART.songs_a_chart} songs, and {ONE_CHART.queries_a_day} queries a day.
- **{ALL_CHARTS.title}**: the daily and the weekly chart of {ALL_CHARTS.daily} regions, {ALL_CHARTS.songs_a_chart} songs
each, which are {ALL_CHARTS.documents:,.0f} documents a month, and {ALL_CHARTS.queries_a_day} queries a day, each over
all tables of the year.

Each chart is polled {model.POLLS_A_DAY} times a day, as by default; for each date Spotify is asked once in vain. It is
after a year: {model.RETENTION_DAYS} days of raw documents are held, and {model.OLD_VERSION_DAYS} days of old versions
of tables and reports. Each document makes a report of its chart.
"""

_MODEL = f"""## What it rests on

**From the templates**: alarms, metrics on the dashboard, queues that Lambda polls, crawls, and the functions' memory.
What polls add is read from the stage `{model.POLLED}`, the rest from `{model.UNPOLLED}`.

**From the code**, counted by `tests/unit/test_cost.py`: a poll that stores a document makes {model.STORING_POLL.all}
requests to S3, one of a held date {model.HELD_POLL.all}; the load of a document reads {model.LOAD.reads} objects, lists
once and writes {model.LOAD.writes}; a report makes {model.REPORT.all} requests and asks {model.REPORT_QUERIES}
questions. A poll that asks Spotify makes a call for the token and one for every
{model.SPOTIFY_PAGE} songs.

**Measured** on one core of a 2.2 GHz Xeon: a cold start takes {model.COLD_CPU_SECONDS} s of CPU, importing spotipy
{model.SPOTIPY_CPU_SECONDS} s more; loading a document {ONE_CHART.load_cpu_seconds * 1000:.0f} ms where one chart's year
is held, {ALL_CHARTS.load_cpu_seconds * 1000:.0f} ms beside 40,000 songs. A raw document has
{ONE_CHART.document_bytes // 1000} kB for {ONE_CHART.songs_a_chart} songs and {ALL_CHARTS.document_bytes // 1000} kB for
{ALL_CHARTS.songs_a_chart}.

**Assumed**: {model.S3_SECONDS * 1000:.0f} ms for a request to S3 and {model.SPOTIFY_SECONDS} s for a call to Spotify,
one after the other; a cold start for every poll and every batch; {model.REPORT_SECONDS} s for which a report waits for
Athena; {model.MAILS_A_MONTH} mails; that CloudWatch bills a metric of ours for the hours in which it is sent. For all
charts: 40,000 songs a year, {ALL_CHARTS.documents_a_batch} documents in a batch, and every other write of a dimension
made twice, as two batches work at once.

**Nothing to pay for**: the Glue catalog below a million objects, the SSM parameter, IAM, CloudFormation, and traffic
between Lambda and S3 in one region; there is no VPC, NAT gateway or KMS key. CDK's bucket of assets, which all CDK apps
of an account share, is left out.
"""


def render() -> str:
    """The page."""
    sections = [
        _filled(_HEAD),
        _totals(),
        _largest(),
        _by_service(),
        _filled(_sensitivity()),
        _filled(_USE),
        _deployed(),
        _amounts(),
        _filled(_MODEL),
        _prices(),
    ]
    return "\n".join(sections)


def _totals() -> str:
    rows = [
        [title, *(_dollars(model.total(scenario, free_tier=free)) for scenario in SCENARIOS)]
        for title, free in (("at list prices", False), ("less what is free", True))
    ]
    return _table(["a month, one stage", *(scenario.title for scenario in SCENARIOS)], rows)


def _by_service() -> str:
    services = list(dict.fromkeys(price.service for price in PRICES))
    found = [
        (
            model.costs(model.quantities(scenario), free_tier=False),
            model.costs(model.quantities(scenario), free_tier=True),
        )
        for scenario in SCENARIOS
    ]
    rows = [[service, *(_dollars(_sum(costs, service)) for pair in found for costs in pair)] for service in services]
    heads = [head for scenario in SCENARIOS for head in (f"{scenario.title}: list", "less free")]
    return "## By service\n\n" + _table(["service", *heads], rows)


def _sum(costs: dict[Price, float], service: str) -> float:
    return sum(dollars for price, dollars in costs.items() if price.service == service)


def _largest() -> str:
    lines = ["## The three largest items", ""]
    for scenario in SCENARIOS:
        items = [f"{price.service} {price.item} {_dollars(dollars)}" for price, dollars in model.largest(scenario)]
        lines.append(f"- **{scenario.title}**: {', '.join(items)}.")
    return "\n".join(lines) + "\n"


def _sensitivity() -> str:
    def listed(scenario: Scenario) -> float:
        return model.total(scenario, free_tier=False)

    def metrics(scenario: Scenario) -> float:
        return model.costs(model.quantities(scenario), free_tier=False)[model.METRICS_SENT]

    hourly = replace(ALL_CHARTS, polls_a_day=model.HOURS_A_DAY)
    one_more = replace(ALL_CHARTS, daily=ALL_CHARTS.daily + 1)
    held = model.deployed(ALL_CHARTS.charts)
    whole_months = model.METRICS_SENT.cost(held.metrics_by_poll + held.metrics_by_load, free_tier=False)
    crawl = model.CRAWLS.cost(model.DAYS * model.CRAWL_DPU_HOURS, free_tier=False)
    idle = model.IDLE_POLLER_REQUESTS
    queues = 3 * held.lambda_polled_queues
    three = model.SQS_REQUESTS.cost(queues * idle, free_tier=True)
    pollers = model.SQS_REQUESTS.cost(idle, free_tier=False)

    def reported(scenario: Scenario) -> float:
        return sum(model.costs(model.report_quantities(scenario), free_tier=False).values())

    ten_times = replace(ALL_CHARTS, queries_a_day=10 * ALL_CHARTS.queries_a_day)
    return f"""## What moves it

- The bill is for watching, not for data: each polled chart more adds {_dollars(listed(one_more) - listed(ALL_CHARTS))},
of which its alarm is {_dollars(model.ALARMS.dollars)}.
- Polling all charts every hour instead of {model.POLLS_A_DAY} times a day: {_dollars(listed(hourly))} instead of
{_dollars(listed(ALL_CHARTS))}, of which metrics are {_dollars(metrics(hourly))}. Were metrics billed for whole months,
they would cost {_dollars(whole_months)} at any number of polls.
- Ten times the queries over all charts: {_dollars(listed(ten_times))}. A query of one chart bills Athena's least,
{model.ATHENA_LEAST_BYTES // 10**6} MB: ${model.SCANS.cost(model.ATHENA_LEAST_BYTES / 10**12, free_tier=False):.5f}.
- A report after each new date asks {model.REPORT_QUERIES} questions: {_dollars(reported(ONE_CHART))} a month for one
chart, {_dollars(reported(ALL_CHARTS))} for all, whose tables each question is taken to read whole. A stage with
`"report": false` pays neither that nor {_dollars(pollers)} for its queue's pollers.
- A crawl every day (`crawler_schedule`) adds {_dollars(crawl)} or more; queries need none.
- Three stages in one account: Lambda's pollers of {queues} idle queues make {queues * idle / 10**6:.2f} million
requests, of which one million is free: {_dollars(three)}. A fourth dashboard costs
{_dollars(model.SMALL_DASHBOARDS.dollars)}, and so does any of more than {model.FREE_DASHBOARD_METRICS} metrics.
"""


def _deployed() -> str:
    found = [model.deployed(scenario.charts) for scenario in SCENARIOS]
    rows = [
        ["polled charts, each with a schedule", *(str(held.charts) for held in found)],
        ["alarms", *(str(held.alarms) for held in found)],
        ["metrics of our own, by dimension", *(str(held.metrics_by_poll + held.metrics_by_load) for held in found)],
        ["metrics on the dashboard", *(str(held.dashboard_metrics) for held in found)],
        ["queues that Lambda polls", *(str(held.lambda_polled_queues) for held in found)],
        ["crawls a day", *(str(held.crawls_a_day) for held in found)],
        [
            "GiB of extract, transform and report",
            *(f"{held.extract_gib:g}, {held.transform_gib:g}, {held.report_gib:g}" for held in found),
        ],
    ]
    return "## What is deployed\n\n" + _table(["", *(scenario.title for scenario in SCENARIOS)], rows)


def _amounts() -> str:
    found = [model.quantities(scenario) for scenario in SCENARIOS]
    rows = [
        [f"{price.service}: {price.item}", price.unit, *(_amount(amounts.get(price, 0)) for amounts in found)]
        for price in PRICES
    ]
    return "## What a month takes\n\n" + _table(["", "unit", *(scenario.title for scenario in SCENARIOS)], rows)


def _prices() -> str:
    rows = [
        [
            f"{price.service}: {price.item}",
            f"${price.dollars:g} for {price.per:,} {price.unit}{'s' if price.per > 1 else ''}",
            f"{price.free:,.0f}" if price.free else "0",
            f"[{price.page}]({price.source})",
        ]
        for price in PRICES
    ]
    return f"## Prices, stated {model.STATED}\n\n" + _table(["", "price", "free a month", "source"], rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _filled(text: str) -> str:
    """The text with its paragraphs and items filled anew, as they hold figures of any length."""
    blocks = re.split(r"\n(?=- )|(\n{2,})", text.strip())
    lines = []
    for block in blocks:
        if block is None or not block.strip():
            lines.append("\n\n" if block else "\n")
        else:
            indent = "  " if block.startswith("- ") else ""
            whole = block if block.startswith("<!--") else " ".join(block.split())
            lines.append(
                textwrap.fill(whole, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
            )
    return "".join(lines) + "\n"


def _dollars(amount: float) -> str:
    if amount == 0:
        return "0"
    return "under $0.01" if amount < 0.005 else f"${amount:,.2f}"


def _amount(quantity: float) -> str:
    if quantity == 0:
        return "0"
    return f"{quantity:,.0f}" if quantity >= 100 else f"{quantity:.3g}"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
