"""Writes docs/data-model.md from the tables in lambdas/core/schema.py: `make docs`."""

from __future__ import annotations

from pathlib import Path

from lambdas.core.charts import FIRST_YEAR, YEARS_AHEAD
from lambdas.core.keys import dimension_key, year_prefix
from lambdas.core.schema import SCHEMA_VERSION, TABLES, YEAR_PARTITION, Table

PAGE = Path(__file__).with_name("data-model.md")

_HEAD = f"""# Data model

<!-- Written by `make docs` from lambdas/core/schema.py. -->

Six tables, schema version {SCHEMA_VERSION}. Ids are Spotify's; timestamps are UTC; every column but those of the key
may be null. `chart_entries` and `snapshots` are partitioned by `year` (a string, projected from {FIRST_YEAR} to
{YEARS_AHEAD} year ahead: a query that names it reads less). Which document a day's entries come from, and how a
dimension's rows are replaced: [decision 1](adr/0001-tables-are-a-function-of-the-raw-zone.md).

```mermaid
erDiagram
    songs ||--o{{ chart_entries : "song_id"
    albums |o--o{{ songs : "album_id"
    songs ||--o{{ song_artists : "song_id"
    artists ||--o{{ song_artists : "artist_id"
    snapshots ||--o{{ chart_entries : "chart, chart_date"
```
"""


def render() -> str:
    """The page."""
    return "\n".join([_HEAD, *map(_section, TABLES)])


def _section(table: Table) -> str:
    objects = f"{year_prefix(table, 'YYYY')}<chart>.parquet" if table.by_year else dimension_key(table)
    lines = [
        f"## {table.name}",
        "",
        f"{table.meaning} Key: {', '.join(f'`{name}`' for name in table.key)}. Objects: `{objects}`.",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
    ]
    columns = [*table.columns, YEAR_PARTITION] if table.by_year else table.columns
    lines += [f"| `{column.name}` | {column.type.value} | {column.meaning} |" for column in columns]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
