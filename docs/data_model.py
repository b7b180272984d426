"""Writes docs/data-model.md from lambdas/core/schema.py, queries/views/ and lambdas/core/gates.py: `make docs`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lambdas.core.charts import FIRST_YEAR, YEARS_AHEAD
from lambdas.core.gates import HARD, SOFT, Gate
from lambdas.core.keys import dimension_key, year_prefix
from lambdas.core.schema import SCHEMA_VERSION, TABLES, YEAR_PARTITION, Column, Table
from lambdas.core.views import View, read_views

PAGE = Path(__file__).with_name("data-model.md")

_HEAD = f"""# Data model

<!-- Written by `make docs` from lambdas/core/schema.py, queries/views/ and lambdas/core/gates.py. -->

Six tables, schema version {SCHEMA_VERSION}. Ids are Spotify's; timestamps are UTC; every column but those of the key
may be null. `chart_entries` and `snapshots` are partitioned by `year` (a string, projected from {FIRST_YEAR} to
{YEARS_AHEAD} year ahead: a query that names it reads less). Which document a day's entries come from, and how a
dimension's rows are replaced: [decision 1](adr/0001-tables-are-a-function-of-the-raw-zone.md). How the tables change:
[schema changes](schema-changes.md).

```mermaid
erDiagram
    songs ||--o{{ chart_entries : "song_id"
    albums |o--o{{ songs : "album_id"
    songs ||--o{{ song_artists : "song_id"
    artists ||--o{{ song_artists : "artist_id"
    snapshots ||--o{{ chart_entries : "chart, chart_date"
```
"""


_VIEWS = """## Views

Questions over the tables that are asked again and again, as `queries/views/` has them. They are in the catalog beside
the tables, and are asked like one: `SELECT * FROM latest_songs WHERE chart = 'regional-global-daily'`. A view holds no
rows: who reads it must be allowed its entry in the catalog (`glue:GetTable`), and all that its tables need.
"""

_GATES = """## Quality gates

What a document has to pass before anything of it is published. A gate looks at the document alone, so that what it
says does not depend on what else is held ([decision 10](adr/0010-quality-gates.md)).

Hard gates refuse the document: it stays where it is, and a record under `quarantine/<its key>.json` in the raw bucket
gives the reason, which begins with the gate's name. Everything else of the day goes on.

{hard}

Soft gates let it through, with a warning in `snapshots.warnings`, whether it wins its day or not:

{soft}

```sql
SELECT chart, chart_date, verdict, warnings FROM snapshots WHERE warnings LIKE '%size_differs: %'
```
"""


def render() -> str:
    """The page."""
    gates = _GATES.format(hard=_gates(HARD), soft=_gates(SOFT))
    views = map(_view, read_views(PAGE.parents[1] / "queries" / "views"))
    return "\n".join([_HEAD, *map(_section, TABLES), _VIEWS, *views, gates])


def _section(table: Table) -> str:
    objects = f"{year_prefix(table, 'YYYY')}<chart>.parquet" if table.by_year else dimension_key(table)
    lines = [
        f"## {table.name}",
        "",
        f"{table.meaning} Key: {', '.join(f'`{name}`' for name in table.key)}. Objects: `{objects}`.",
        "",
        *_columns([*table.columns, YEAR_PARTITION] if table.by_year else table.columns),
    ]
    return "\n".join(lines) + "\n"


def _view(view: View) -> str:
    return "\n".join([f"### {view.name}", "", view.meaning, "", *_columns(view.columns)]) + "\n"


def _columns(columns: Sequence[Column]) -> list[str]:
    rows = [f"| `{column.name}` | {column.type.value} | {column.meaning} |" for column in columns]
    return ["| column | type | meaning |", "|---|---|---|", *rows]


def _gates(gates: Sequence[Gate]) -> str:
    rows = [f"| `{gate.name}` | {gate.meaning} |" for gate in gates]
    return "\n".join(["| gate | what it holds up |", "|---|---|", *rows])


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
