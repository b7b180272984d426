"""What Trino says in other words than DuckDB, or in the same words with another meaning, rewritten.

Every rewrite has a unit test giving Trino's documented answer (tests/unit/test_trino_to_duckdb.py); sources are the
pages under https://trino.io/docs/current/functions.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from local.emulator.trino_sql import QueryError, position


def to_duckdb(tree: exp.Expr) -> str:
    """The query in DuckDB's SQL, for a session that has `trino_functions.MACROS` and integer_division."""
    tree = tree.copy()
    for node in reversed(list(tree.walk())):  # children first, so that a rewrite sees its operands rewritten
        rewrite = _REWRITES.get(type(node))
        if rewrite is not None and (replacement := rewrite(node)) is not node:
            node.replace(replacement)
    return tree.sql(dialect="duckdb")


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _unit(node: exp.Expr) -> str:
    unit = node.args.get("unit")
    return str(unit.name).lower() if isinstance(unit, exp.Expr) else "day"


_INTERVAL_OF = {
    "millisecond": "to_milliseconds", "second": "to_seconds", "minute": "to_minutes", "hour": "to_hours",
    "day": "to_days", "week": "to_weeks", "month": "to_months", "quarter": "to_quarters", "year": "to_years",
}  # fmt: skip


def _date_add(node: exp.DateAdd) -> exp.Expr:
    unit = _unit(node)
    if unit not in _INTERVAL_OF:
        raise QueryError(f"INVALID_FUNCTION_ARGUMENT: '{unit}' is not a valid Timestamp field")
    amount = node.expression
    if isinstance(amount, exp.Interval):
        amount = amount.this
    number = exp.cast(amount, "INT") if unit not in ("hour", "minute", "millisecond") else exp.cast(amount, "BIGINT")
    return _call("trino_plus", node.this, _call(_INTERVAL_OF[unit], number))


def _date_diff(node: exp.DateDiff) -> exp.Expr:
    # Trino counts complete units, as DuckDB's date_sub does; DuckDB's date_diff counts boundaries.
    return _call("date_sub", exp.Literal.string(_unit(node)), node.expression, node.this)


def _date_trunc(node: exp.DateTrunc | exp.TimestampTrunc) -> exp.Expr:
    return _call("trino_date_trunc", exp.Literal.string(_unit(node)), node.this)


def _is_interval(node: exp.Expr) -> bool:
    if isinstance(node, (exp.Paren, exp.Neg)):
        return _is_interval(node.this)
    if isinstance(node, exp.Mul):
        return _is_interval(node.this) or _is_interval(node.expression)
    return isinstance(node, exp.Interval)


def _add(node: exp.Add | exp.Sub) -> exp.Expr:
    left, right = node.this, node.expression
    if _is_interval(right):
        return _call("trino_plus", left, exp.Neg(this=exp.paren(right)) if isinstance(node, exp.Sub) else right)
    if _is_interval(left) and isinstance(node, exp.Add):
        return _call("trino_plus", right, left)
    return node


def _extract(node: exp.Extract) -> exp.Expr:
    part = node.this.name.upper()
    trino = {"DAYOFWEEK": "ISODOW", "DAY_OF_WEEK": "ISODOW", "DOW": "ISODOW", "DAY_OF_YEAR": "DOY", "DAYOFYEAR": "DOY",
             "YEAR_OF_WEEK": "ISOYEAR", "YOW": "ISOYEAR", "DAY_OF_MONTH": "DAY"}  # fmt: skip
    return exp.Extract(this=exp.var(trino.get(part, part)), expression=node.expression)


def _regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    replacement = node.args.get("replacement")
    if isinstance(replacement, exp.Literal) and replacement.is_string:
        text = replacement.name
        if re.search(r"\$\{", text):
            raise QueryError("NOT_SUPPORTED: named groups in regexp_replace: the local stage takes numbers only ($1)")
        text = re.sub(r"\\(.)|\$(\d)", lambda m: rf"\{m[2]}" if m[2] else m[1].replace("\\", r"\\"), text)
        node.set("replacement", exp.Literal.string(text))
    elif isinstance(replacement, exp.Lambda):
        raise QueryError("NOT_SUPPORTED: regexp_replace with a function is not run by the local stage")
    return node


def _at_time_zone(node: exp.AtTimeZone) -> exp.Expr:
    # Trino's value keeps the zone, and shows it; DuckDB's is a timestamp without one.
    raise QueryError(f"NOT_SUPPORTED: {position(node)}AT TIME ZONE and at_timezone are not run by the local stage")


def _cardinality(node: exp.ArraySize) -> exp.Expr:
    argument = node.this.unnest() if isinstance(node.this, exp.Paren) else node.this
    maps = (exp.Map, exp.VarMap, exp.MapFromEntries, exp.MapCat, exp.ToMap)
    named = isinstance(argument, exp.Anonymous) and argument.name.lower() in {"map_agg", "histogram", "trino_map_agg"}
    if isinstance(argument, maps) or named or argument.meta.get("trino_map"):
        return exp.cast(_call("cardinality", node.this), "BIGINT")
    return node


_FORMAT = re.compile(r"%(?:(\d+)\$)?([-,0+]*)(\d*)(?:\.(\d+))?([a-zA-Z%])")


def _format(node: exp.Format) -> exp.Expr:
    """Java's Formatter pattern as DuckDB's {fmt} pattern, for the conversions s, d, f, x and %%."""
    pattern = node.this
    if not isinstance(pattern, exp.Literal):
        raise QueryError("NOT_SUPPORTED: format() with a pattern that is not a literal is not run by the local stage")
    arguments = list(node.expressions)
    used: list[exp.Expr] = []

    def conversion(match: re.Match[str]) -> str:
        _, flags, width, digits, kind = match.groups()
        if kind == "%":
            return "%"
        if match[1] or kind not in "sdfx" or len(used) >= len(arguments):
            raise QueryError(f"NOT_SUPPORTED: format() conversion {match[0]!r} is not run by the local stage")
        value = arguments[len(used)]
        if kind == "s":
            value = exp.cast(value, "VARCHAR")
        elif kind == "f":
            value = exp.cast(exp.Round(this=value, decimals=exp.Literal.number(int(digits or 6))), "DOUBLE")
        used.append(value)
        align = "<" if "-" in flags else (">" if width and "0" not in flags else "")
        sign = "+" if "+" in flags else ""
        zero = "0" if "0" in flags else ""
        comma = "," if "," in flags else ""
        places = f".{digits or 6}f" if kind == "f" else {"s": "", "d": "", "x": "x"}[kind]
        spec = f"{align}{sign}{zero}{width}{comma}{places}"
        return "{:" + spec + "}" if spec else "{}"

    text = pattern.name.replace("{", "{{").replace("}", "}}")
    return _call("format", exp.Literal.string(_FORMAT.sub(conversion, text)), *used)


def _sequence(node: exp.GenerateSeries | exp.GenerateDateArray) -> exp.Expr:
    step = node.args.get("step")
    ends = (node.args["start"], node.args["end"])
    return _call("trino_sequence_by", *ends, step) if step is not None else _call("trino_sequence", *ends)


def _anonymous(node: exp.Anonymous) -> exp.Expr:
    name = node.name.lower()
    if name == "at_timezone":
        return _at_time_zone(exp.AtTimeZone(this=node))
    if name == "every":
        return _call("bool_and", *node.expressions)
    if name == "slice" and len(node.expressions) == 3:
        return _call("trino_slice", *node.expressions)
    if name == "map_agg":
        return _call("trino_map_agg", *node.expressions)
    return node


def _cast_to_integer(node: exp.Cast) -> exp.Expr:
    # Trino rounds half up; DuckDB rounds a DOUBLE half to even.
    if node.this.meta.get("trino_type") == "double" and node.to.this in exp.DataType.INTEGER_TYPES:
        node.set("this", exp.Round(this=node.this))
    return node


def _decimal_quotient(node: exp.Expr) -> exp.Expr:
    # DuckDB divides decimals as doubles; Trino's quotient keeps the greater of the two scales.
    decimal = node.meta.get("trino_decimal")
    if decimal is None:
        return node
    precision, scale = decimal
    rounded = exp.Round(this=node.copy(), decimals=exp.Literal.number(scale))
    return exp.cast(rounded, exp.DataType.build(f"DECIMAL({precision}, {scale})"))


_REWRITES: dict[type[exp.Expr], Callable[..., exp.Expr]] = {
    exp.DateAdd: _date_add,
    exp.DateDiff: _date_diff,
    exp.DateTrunc: _date_trunc,
    exp.TimestampTrunc: _date_trunc,
    exp.Add: _add,
    exp.Sub: _add,
    exp.AtTimeZone: _at_time_zone,
    exp.Extract: _extract,
    exp.RegexpReplace: _regexp_replace,
    exp.ArraySize: _cardinality,
    exp.Format: _format,
    exp.GenerateSeries: _sequence,
    exp.GenerateDateArray: _sequence,
    exp.ArrayDistinct: lambda node: _call("trino_array_distinct", node.this),
    exp.ArraySlice: lambda node: _call("trino_slice", node.this, node.args["start"], node.args["end"]),
    exp.SplitPart: lambda node: _call("trino_split_part", node.this, node.args["delimiter"], node.args["part_index"]),
    exp.Substring: lambda node: _call(
        "trino_substr", *(node.args[part] for part in ("this", "start", "length") if node.args.get(part) is not None)
    ),
    exp.Typeof: lambda node: _call("trino_typeof", node.this),
    exp.Anonymous: _anonymous,
    exp.Cast: _cast_to_integer,
    exp.Div: _decimal_quotient,
    exp.Avg: _decimal_quotient,
}  # fmt: skip
