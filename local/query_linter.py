"""What may not stand in `queries/`: SQL that Trino and DuckDB read differently, or that Athena refuses.

`python -m local.query_linter` checks the files that ship and prints `file: line l:c: rule: what to write instead`. The
emulator answers most of this as Trino does, or refuses it (local/emulator/trino_*.py); a file that ships does without,
so that it means the same on both whoever translates it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp
from sqlglot.dialects import Athena
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.schema import MappingSchema

from lambdas.core.queries import Query, read_queries
from lambdas.core.schema import TABLES, YEAR_PARTITION
from lambdas.core.views import View, read_views
from local.emulator import trino_sql, trino_types
from local.emulator.trino_sql import QueryError

_DATABASE = "warehouse"
_PARTITIONED_BY_CHART = ("chart_entries", "snapshots")
_INTEGERS = exp.DataType.INTEGER_TYPES
_NOT_TEXT = frozenset(
    {*exp.DataType.NUMERIC_TYPES, *exp.DataType.TEMPORAL_TYPES, exp.DType.BOOLEAN, exp.DType.DATE, exp.DType.TIMESTAMP}
)
_LINE = re.compile(r"\bline (\d+):")
Columns = Mapping[str, Mapping[str, str]]
"""Table or view -> column -> type in Glue's words."""

# https://trino.io/docs/current/language/reserved.html and, for FIRST, LAST, CURRENT and FUNCTION,
# https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html
_RESERVED = frozenset(
    """
    alter and as auto between by case cast constraint create cross cube current current_catalog current_date
    current_path current_role current_schema current_time current_timestamp current_user deallocate delete describe
    distinct drop else end escape except execute exists extract false first for from full function group grouping
    having in inner insert intersect into is join json_array json_exists json_object json_query json_table json_value
    last left like listagg localtime localtimestamp natural normalize not null on or order outer prepare recursive
    right rollup select skip table then trim true uescape union unnest using values when where with
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Finding:
    """A line of a file that breaks a rule, and what to write instead."""

    file: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class _Asked:
    """A query read: its text with default parameters, its tree as written, and the tree with names and types."""

    query: Query
    sql: str
    tree: exp.Query
    typed: exp.Query | None


Check = Callable[[_Asked], Iterator[tuple[exp.Expr | None, str]]]
_RULES: dict[str, tuple[str, Check]] = {}


def _rule(name: str, reason: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        _RULES[name] = (reason, check)
        return check

    return register


def rules() -> dict[str, str]:
    """Every rule's name and reason. `not-athena` and `unknown-name` come from reading the query at all."""
    return {
        "not-athena": "Athena refuses it at submission, or for its types",
        "unknown-name": "no table, view or column of that name is in sight; Trino sees no alias of the same SELECT",
        **{name: reason for name, (reason, _) in _RULES.items()},
    }


def tables() -> dict[str, dict[str, str]]:
    """The columns of the warehouse's tables, in Glue's types."""
    return {
        table.name: {
            column.name: column.type.value for column in (*table.columns, *([YEAR_PARTITION] if table.by_year else []))
        }
        for table in TABLES
    }


def view_columns(views: Iterable[View]) -> dict[str, dict[str, str]]:
    """The columns that views declare, in Glue's types."""
    return {view.name: {column.name: column.type.value for column in view.columns} for view in views}


def lint_view(view: View, columns: Columns) -> list[Finding]:
    """What a view breaks: the rules of a question without parameters, but for its order, which a view has not."""
    names = tuple(column.name for column in view.columns)
    query = Query(view.name, view.name, view.meaning, parameters=(), columns=names, sql=view.sql)
    return [finding for finding in lint(query, columns) if finding.rule != "order"]


def lint(query: Query, columns: Columns) -> list[Finding]:
    """What a query breaks, in the order of the rules, by the lines of its SQL; nothing more once it cannot be read."""
    name = query.name
    findings: list[Finding] = []
    try:
        sql = trino_sql.bind(query.sql, [parameter.literal(parameter.default) for parameter in query.parameters])
        tree = trino_sql.parse_query(sql)
        known = {_DATABASE: {table: _types(of) for table, of in columns.items()}}
        trino_types.check(tree, known, _DATABASE)
    except QueryError as error:
        return [Finding(name, "not-athena", str(error))]
    typed: exp.Query | None = None
    try:
        typed = _typed(tree, columns)
    except SqlglotError as error:
        findings.append(Finding(name, "unknown-name", str(error).splitlines()[0]))
    asked = _Asked(query, sql, tree, typed)
    for rule, (_, check) in _RULES.items():
        for node, message in check(asked):
            place = trino_sql.position(node) if node is not None else ""
            findings.append(Finding(name, rule, f"{place}{message}"))
    return findings


def _types(columns: Mapping[str, str]) -> dict[str, exp.DataType]:
    return {name: exp.DataType.build(kind, dialect="hive") for name, kind in columns.items()}


def _typed(tree: exp.Query, columns: Columns) -> exp.Query:
    schema = MappingSchema({_DATABASE: {table: _types(of) for table, of in columns.items()}}, dialect=Athena)
    missing = [node for node in trino_sql.tables(tree) if node.name.lower() not in columns]
    if missing:
        raise SqlglotError(f"{trino_sql.position(missing[0])}there is no table {missing[0].name}")
    qualified = qualify(
        tree.copy(), schema=schema, db=_DATABASE, dialect=Athena, validate_qualify_columns=True,
        quote_identifiers=False, identify=False, isolate_tables=False, expand_alias_refs=False,
    )  # fmt: skip
    typed: exp.Query = annotate_types(qualified, schema=schema, dialect=Athena)
    return typed


# ---- what the two read differently


@_rule("integer-division", "2 / 3 is 0 in Trino and 0.67 in DuckDB: a share is cast, whole periods are of date_diff")
def _integer_division(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for node in _all(asked.typed, exp.Div):
        if not all(_kind(side) in _INTEGERS for side in (node.this, node.expression)):
            continue
        if node.this.find(exp.DateDiff) is None and not _is_made_integer(node):
            yield node, "cast a side to double for a share, or the quotient to bigint for a whole number"


def _is_made_integer(node: exp.Expr) -> bool:
    """Whether a quotient is cast to an integer, or stands where only one can be meant: date_add, sequence."""
    parent = node.parent
    while isinstance(parent, (exp.Expr)) and not isinstance(parent, (exp.Query, exp.Alias)):
        if isinstance(parent, exp.Cast) and parent.to.this in _INTEGERS:
            return True
        if isinstance(parent, (exp.DateAdd, exp.GenerateSeries, exp.GenerateDateArray)):
            return True
        parent = parent.parent
    return False


@_rule("date-unit", "Trino counts complete units, DuckDB boundaries; a difference in days is the same in both")
def _date_unit(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for node in _all(asked.tree, exp.DateDiff):
        unit = node.args.get("unit")
        if unit is None or str(unit.name).lower() != "day":
            yield node, "date_diff takes 'day' alone"


@_rule("date-cast", "DuckDB widens a date to a timestamp here; Trino keeps it a date")
def _date_cast(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for node in _all(asked.tree, exp.DateAdd, exp.DateTrunc, exp.TimestampTrunc):
        if not isinstance(node.parent, exp.Cast) or node.parent.to.this not in (exp.DType.DATE, exp.DType.TIMESTAMP):
            yield node, "write CAST(... AS date)"


@_rule("interval", "adding an interval to a date gives a timestamp in DuckDB, a date in Trino")
def _interval(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for node in _all(asked.tree, exp.Interval):
        yield node, "write CAST(date_add('day', n, d) AS date)"


@_rule("day-of-week", "Sunday is 0 in DuckDB and 7 in Trino")
def _day_of_week(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for node in _all(asked.tree, exp.Extract):
        if node.name.lower() in ("dow", "day_of_week", "dayofweek"):
            yield node, "write day_of_week(d): Monday is 1, Sunday 7"


_FORBIDDEN_CALLS = {
    "slice": "DuckDB takes an end where Trino takes a length: use row_number() and a filter",
    "format": "DuckDB's patterns are other ones: use ||, CAST and lpad",
    "typeof": "the names of types differ",
    "approx_percentile": "it is interpolated in other ways: use row_number()",
    "approx_distinct": "it is another approximation: use count(DISTINCT ...)",
    "approx_most_frequent": "it is another approximation",
    "numeric_histogram": "it is another approximation",
    "random": "it answers differently each time",
    "rand": "it answers differently each time",
    "shuffle": "it answers differently each time",
    "uuid": "it answers differently each time",
    "arbitrary": "which value it takes is left open: use min, max or max_by",
    "any_value": "which value it takes is left open: use min, max or max_by",
    "now": "an answer hangs on the data alone: use max(chart_date)",
    "current_date": "an answer hangs on the data alone, and its zone is the session's: use max(chart_date)",
    "current_timestamp": "an answer hangs on the data alone: use max(chart_date)",
    "localtimestamp": "an answer hangs on the data alone: use max(chart_date)",
    "map_agg": "a map's entries come in any order: use array_agg(... ORDER BY ...)",
    "histogram": "a map's entries come in any order: use GROUP BY and count(*)",
}


_CALLS = re.compile(
    rf"\b(?:(?:{'|'.join(_FORBIDDEN_CALLS)})(?=\s*\()|current_date\b|current_timestamp\b|localtimestamp\b)",
    re.IGNORECASE,
)


@_rule("call", "the function differs between the two engines, or from one call to the next")
def _calls(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for match in _CALLS.finditer(_without_text(asked.sql)):
        yield None, f"{_place(asked.sql, match.start())}{match[0].lower()}: {_FORBIDDEN_CALLS[match[0].lower()]}"


@_rule("array-order", "array_distinct and array_agg keep no order that both engines share")
def _array_order(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for node in _all(asked.tree, exp.ArrayDistinct, exp.ArrayAgg):
        outside = node.parent.parent if isinstance(node.parent, exp.Filter) else node.parent
        if isinstance(node.this, exp.Order) or isinstance(outside, exp.ArraySort):
            continue
        what = "array_distinct(...)" if isinstance(node, exp.ArrayDistinct) else "array_agg(...)"
        yield node, f"write array_sort({what}), or array_agg(... ORDER BY ...)"


@_rule("regexp-groups", "Trino's replacement names a group as $1, DuckDB's as \\1, and each takes the other as text")
def _regexp_groups(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for node in _all(asked.tree, exp.RegexpReplace):
        replacement = node.args.get("replacement")
        if replacement is not None and re.search(r"[$\\]", replacement.sql()):
            yield node, "use regexp_extract(text, pattern, group)"


@_rule("concat", "|| takes text alone in Trino; DuckDB casts whatever comes")
def _concat(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for node in _all(asked.typed, exp.DPipe):
        for side in (node.this, node.expression):
            if _kind(side) in _NOT_TEXT:
                yield side, "write CAST(... AS varchar)"


# ---- what Athena refuses, or what is left open


@_rule("bare-alias", "DuckDB refuses some words as an alias without AS, and a comma forgotten reads as one")
def _bare_alias(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for identifier in _all(asked.tree, exp.Identifier):
        owner = identifier.parent
        if not isinstance(owner, (exp.Alias, exp.TableAlias)) or identifier.arg_key not in ("alias", "this"):
            continue
        if isinstance(owner.parent, (exp.CTE, exp.Unnest)) or "start" not in identifier.meta:
            continue
        if not re.search(r"\bAS\s*$", asked.sql[: identifier.meta["start"]], re.IGNORECASE):
            yield identifier, f"write AS {identifier.name}"


@_rule("no-alias", "Athena names such a column _col0")
def _no_alias(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for select in _outer_selects(asked.tree):
        for item in select.expressions:
            if not isinstance(item, (exp.Alias, exp.Column, exp.Star)):
                yield item, "name it: ... AS name"


@_rule("select-star", "the answer changes with the tables")
def _select_star(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    outermost = asked.tree
    while isinstance(outermost, (exp.SetOperation, exp.Subquery)):
        outermost = outermost.this
    if isinstance(outermost, exp.Select) and outermost.is_star:
        yield outermost, "name the columns"


@_rule("limit-order", "which rows are left is anyone's guess")
def _limit_order(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for node in _all(asked.tree, exp.Query):
        if node.args.get("limit") is not None and node.args.get("order") is None:
            yield node, "LIMIT needs ORDER BY"


@_rule("order", "rows come in any order without")
def _order(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    if asked.tree.args.get("order") is None:
        yield None, "the question needs an ORDER BY at its end"


@_rule("ascii", "Glue's names are ASCII, and look-alikes are not seen")
def _ascii(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for identifier in _all(asked.tree, exp.Identifier):
        if not identifier.name.isascii():
            yield identifier, f"rename {identifier.name!r}"


@_rule("reserved", "Athena reserves the word; DuckDB, and our parser, take it")
def _reserved(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    for identifier in _all(asked.tree, exp.Identifier):
        if not identifier.args.get("quoted") and identifier.name.lower() in _RESERVED:
            yield identifier, f'quote it: "{identifier.name}"'


# ---- how a question of ours is written


@_rule("parameter", "a parameter is of the type it is cast to, and used once: `?` are filled in order")
def _parameter(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    bare = _without_text(asked.query.sql)
    for mark in re.finditer(r"\?", bare):
        if not re.search(r"\bCAST\(\s*$", bare[: mark.start()], re.IGNORECASE):
            yield None, f"{_place(asked.query.sql, mark.start())}write CAST(? AS type), in a first WITH asked AS (...)"


@_rule("columns", "the header tells what the answer holds")
def _columns(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    given = tuple(asked.tree.named_selects)
    if "*" not in given and given != asked.query.columns:
        yield None, f"the header says {', '.join(asked.query.columns)}; the SQL gives {', '.join(given)}"


@_rule("chart-filter", "one chart is asked about, and its objects alone need be read")
def _chart_filter(asked: _Asked) -> Iterator[tuple[exp.Expr | None, str]]:
    if asked.typed is None or not any(parameter.kind == "chart" for parameter in asked.query.parameters):
        return
    for scope in traverse_scope(asked.typed):
        for alias, source in scope.sources.items():
            if not isinstance(source, exp.Table) or source.name not in _PARTITIONED_BY_CHART:
                continue
            if not any(_is_chart_of(condition, alias) for condition in scope.expression.find_all(exp.EQ, exp.In)):
                yield source, f"{source.name} AS {alias} is read for all charts: filter on {alias}.chart"


def _is_chart_of(condition: exp.Expr, alias: str) -> bool:
    return any(column.name == "chart" and column.table == alias for column in condition.find_all(exp.Column))


# ---- helpers


def _all(tree: exp.Expr | None, *kinds: type[exp.Expr]) -> Iterator[exp.Expr]:
    if tree is not None:
        yield from tree.find_all(*kinds, bfs=False)


def _kind(node: exp.Expr) -> exp.DType | None:
    kind = node.type
    return kind.this if kind is not None else None


def _outer_selects(tree: exp.Query) -> Iterator[exp.Select]:
    """The SELECTs whose columns have names that matter: the outermost, and those of WITH."""
    for query in (tree, *(cte.this for cte in tree.find_all(exp.CTE))):
        first = query
        while isinstance(first, (exp.SetOperation, exp.Subquery)):
            first = first.this
        if isinstance(first, exp.Select):
            yield first


def _without_text(sql: str) -> str:
    """The SQL with strings, quoted names and comments blanked, every other character in its place."""
    return re.sub(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"", lambda match: re.sub(r"[^\n]", " ", match[0]), sql)


def _place(sql: str, offset: int) -> str:
    line = sql.count("\n", 0, offset) + 1
    return f"line {line}:{offset - sql.rfind(chr(10), 0, offset)}: "


def lint_files(folder: Path) -> list[Finding]:
    """What the queries of a folder and the views of its `views/` break, by the lines of their files.

    Raises ConfigurationError for a bad header.
    """
    views = read_views(folder / "views")
    columns = tables() | view_columns(views)
    read = [(folder / f"{query.name}.sql", query.sql, lint(query, columns)) for query in read_queries(folder)]
    read += [(folder / "views" / f"{view.name}.sql", view.sql, lint_view(view, columns)) for view in views]
    findings: list[Finding] = []
    for path, sql, found in read:
        text = path.read_text("utf-8")
        above = text[: text.index(sql)].count("\n")
        findings += [Finding(str(path), one.rule, _moved(one.message, above)) for one in found]
    return findings


def _moved(message: str, lines: int) -> str:
    return _LINE.sub(lambda match: f"line {int(match[1]) + lines}:", message, count=1)


def main(folders: Sequence[str]) -> int:
    """Check the queries and views of folders (queries/ if none is named); 1 if a rule is broken."""
    findings = [finding for folder in folders or ["queries"] for finding in lint_files(Path(folder))]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
