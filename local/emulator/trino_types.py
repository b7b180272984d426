"""What Trino's types forbid or decide, worked out before DuckDB (which coerces much more) sees the query.

Trino does not compare a date or a number with a string (`chart_date = '2026-11-21'` fails on AWS, as does
`year = 2026` on a string partition), and divides decimals at a fixed scale
(https://trino.io/docs/current/functions/decimal.html). Types come from sqlglot's inference over the Glue columns; an
expression it cannot type is let through, so that a check here never refuses what Athena would run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sqlglot import exp
from sqlglot.dialects import Athena
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from local.emulator.trino_sql import QueryError, position

Columns = Mapping[str, exp.DataType]
_log = logging.getLogger(__name__)

_T = exp.DType
_FAMILIES: dict[str, frozenset[exp.DType]] = {
    "varchar": frozenset({_T.VARCHAR, _T.CHAR, _T.TEXT, _T.NCHAR, _T.NVARCHAR}),
    "number": frozenset(
        {_T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT, _T.FLOAT, _T.DOUBLE, _T.DECIMAL, _T.BIGDECIMAL, _T.INT128}
    ),
    "date": frozenset({_T.DATE, _T.TIMESTAMP, _T.TIMESTAMPTZ, _T.TIMESTAMPLTZ, _T.TIMESTAMPNTZ, _T.DATETIME}),
    "boolean": frozenset({_T.BOOLEAN}),
}
_NAMES = {_T.INT: "integer", _T.TEXT: "varchar", _T.FLOAT: "real", _T.TIMESTAMP: "timestamp(3)"}
_INTEGER_DIGITS = {_T.TINYINT: 3, _T.SMALLINT: 5, _T.INT: 10, _T.BIGINT: 19}
_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


def check(tree: exp.Query, tables: Mapping[str, Mapping[str, Columns]], database: str) -> None:
    """Refuse comparisons Trino has no operator for, and mark nodes of `tree` whose meaning hangs on a type.

    `tables` is database -> table -> column -> type, for every table the query reads. Marks are left in the nodes'
    `meta` for `trino_sql.to_duckdb`: `trino_decimal` (precision, scale), `trino_type`, `trino_map`.
    Raises QueryError (TYPE_MISMATCH).
    """
    originals = list(tree.walk())
    for number, node in enumerate(originals):
        node.meta["trino_node"] = number
    typed = tree.copy()
    for literal in list(typed.find_all(exp.Literal)):
        if not literal.is_string and "." in literal.name and "e" not in literal.name.lower():
            whole, _, fraction = literal.name.partition(".")
            digits = max(len(whole.lstrip("0")) + len(fraction), 1)
            cast = exp.cast(literal.copy(), exp.DataType.build(f"DECIMAL({digits}, {len(fraction)})"))
            cast.meta.update(literal.meta)
            literal.replace(cast)
    try:
        schema = MappingSchema(
            {db: {name: dict(columns) for name, columns in named.items()} for db, named in tables.items()},
            dialect=Athena,
        )
        typed = qualify(
            typed, schema=schema, db=database, dialect=Athena, validate_qualify_columns=False, expand_stars=False,
            quote_identifiers=False, identify=False, isolate_tables=False, expand_alias_refs=False,
        )  # fmt: skip
        typed = annotate_types(typed, schema=schema, dialect=Athena)
    except SqlglotError as error:
        _log.info("types of the query are not known, it runs unchecked: %s", str(error).splitlines()[0])
        return
    for node in typed.walk():
        _check_comparison(node)
        if isinstance(node, exp.Sub) and family(node.this.type) == family(node.expression.type) == "date":
            raise QueryError(
                f"NOT_SUPPORTED: {position(node)}Athena gives an interval for a difference of dates; use date_diff"
            )
        if "trino_node" not in node.meta:
            continue
        mark = originals[node.meta["trino_node"]].meta
        if isinstance(node, (exp.Div, exp.Avg)) and (decimal := _decimal(node)) is not None and decimal[1] is not None:
            mark["trino_decimal"] = decimal
        if node.type is not None and node.type.this in (_T.DOUBLE, _T.FLOAT):
            mark["trino_type"] = "double"
        if node.type is not None and node.type.this == _T.MAP:
            mark["trino_map"] = True


def family(kind: exp.DataType | None) -> str | None:
    """`varchar`, `number`, `date` (timestamps too) or `boolean`; None for a type that is unknown or none of them."""
    if kind is None:
        return None
    return next((name for name, members in _FAMILIES.items() if kind.this in members), None)


def _check_comparison(node: exp.Expr) -> None:
    if (sign := _COMPARISONS.get(type(node))) is not None:
        _compare(node, node.this, node.expression, sign)
    elif isinstance(node, exp.Between):
        _compare(node, node.this, node.args["low"], "BETWEEN")
        _compare(node, node.this, node.args["high"], "BETWEEN")
    elif isinstance(node, exp.In):
        for item in node.expressions:
            _compare(node, node.this, item, "IN")


def _compare(node: exp.Expr, left: exp.Expr, right: exp.Expr, sign: str) -> None:
    if isinstance(left, exp.Null) or isinstance(right, exp.Null):
        return
    first, second = family(left.type), family(right.type)
    if first is not None and second is not None and first != second:
        raise QueryError(f"TYPE_MISMATCH: {position(node)}Cannot apply operator: {_name(left)} {sign} {_name(right)}")


def _name(node: exp.Expr) -> str:
    kind = node.type
    if isinstance(node, exp.Literal) and node.is_string:
        return f"varchar({len(node.name)})"
    if kind is None:
        return "unknown"
    return _NAMES.get(kind.this, kind.sql(dialect="trino").lower())


def _decimal(node: exp.Expr) -> tuple[int, int] | None:
    """(precision, scale) of an expression Trino types as a decimal; None for any other or unknown type."""
    kind = node.type
    if isinstance(node, (exp.Paren, exp.Neg, exp.Abs, exp.Max, exp.Min, exp.Avg, exp.AnyValue)):
        return _decimal(node.this)
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return _declared(node.to)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)):
        left, right = _operand(node.this), _operand(node.expression)
        if left is None or right is None or (not _decimal(node.this) and not _decimal(node.expression)):
            return None
        (p1, s1), (p2, s2) = left, right
        if isinstance(node, exp.Mul):
            return min(38, p1 + p2), s1 + s2
        if isinstance(node, exp.Div):
            return min(38, p1 + s2 + max(s2 - s1, 0)), max(s1, s2)
        if isinstance(node, exp.Mod):
            return min(p2 - s2, p1 - s1) + max(s1, s2), max(s1, s2)
        return min(38, max(p1 - s1, p2 - s2) + max(s1, s2) + 1), max(s1, s2)
    if isinstance(node, exp.Sum):
        inner = _decimal(node.this)
        return (38, inner[1]) if inner else None
    if isinstance(node, (exp.Coalesce, exp.Nullif, exp.Round)):
        return _decimal(node.this)
    return _declared(kind) if kind is not None else None


def _operand(node: exp.Expr) -> tuple[int, int] | None:
    decimal = _decimal(node)
    if decimal is not None:
        return decimal
    digits = _INTEGER_DIGITS.get(node.type.this) if node.type is not None else None
    if digits is None and isinstance(node, (exp.Sum, exp.Count)):
        digits = 19
    return (digits, 0) if digits is not None else None


def _declared(kind: exp.DataType) -> tuple[int, int] | None:
    if kind.this != _T.DECIMAL:
        return None
    sizes = [int(size.name) for size in kind.expressions]
    if not sizes:
        return None
    return sizes[0], sizes[1] if len(sizes) > 1 else 0
