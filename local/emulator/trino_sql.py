"""Trino SQL, as Athena takes it, read and checked. Knows nothing of the emulator nor of DuckDB.

`parse_query` refuses what Athena's grammar has not, though sqlglot or DuckDB would take it. Facts are from
https://trino.io/docs/current/sql.html and https://docs.aws.amazon.com/athena/latest/ug/select.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.dialects import Athena
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from local.emulator.trino_functions import FUNCTIONS, GRAMMAR


class QueryError(Exception):
    """Athena refuses or fails the query; `str(error)` is the reason, in Athena's words where they are known."""


class MalformedQuery(QueryError):
    """The text is not Trino SQL: Athena refuses it at submission (InvalidRequestException), nothing is run."""


_QUERY_WORDS = frozenset({"select", "with", "values", "table", "("})

# Operators and brackets DuckDB has and Trino has not, by their text.
_FOREIGN_TOKENS = frozenset(
    {"::", "//", "==", "<=>", "{", "}", "&", "|", "^", "~", "@", "**", ":=", "->>", "#>", "#", "$", "`", "<<", ">>"}
)

_FOREIGN_NODES: dict[type[exp.Expr], str] = {
    exp.Qualify: "QUALIFY",
    exp.ILike: "ILIKE",
    exp.Pivot: "PIVOT",
    exp.Slice: "slicing an array with [a:b]",
    exp.Summarize: "SUMMARIZE",
}


def statement_word(sql: str) -> str:
    """The first word of the statement, lower-case; `(` for a parenthesised query, empty for no statement."""
    bare = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL)
    match = re.match(r"\s*(\(|\w+|\S)", bare)
    return match[1].lower() if match else ""


def is_query(sql: str) -> bool:
    return statement_word(sql) in _QUERY_WORDS


def parse_query(sql: str) -> exp.Query:
    """The tree of one SELECT, WITH, VALUES or TABLE statement.

    Raises MalformedQuery with `line l:c: ...` where Trino's grammar has no such sentence, and QueryError for a
    function Athena has not.
    """
    tokens = _tokens(sql)
    _refuse_foreign_tokens(tokens)
    try:
        statements = [tree for tree in sqlglot.parse(sql, read=Athena) if tree is not None]
    except ParseError as error:
        raise _malformed(error) from error
    if len(statements) != 1:
        raise MalformedQuery(f"line 1:1: expected one statement, found {len(statements)}")
    tree = statements[0]
    if isinstance(tree, exp.Values):
        first = tree.expressions[0]
        width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
        names = [exp.to_identifier(f"_col{index}") for index in range(width)]
        tree.set("alias", exp.TableAlias(this=exp.to_identifier("_values"), columns=names))
        tree = exp.select("*").from_(tree)
    if not isinstance(tree, exp.Query):
        raise MalformedQuery(f"line 1:1: mismatched input {statement_word(sql)!r}. Expecting: 'SELECT', 'WITH'")
    _refuse_foreign_nodes(tree)
    _refuse_unknown_functions(tree, tokens)
    return tree


def bind(sql: str, parameters: Sequence[str]) -> str:
    """`sql` with its `?` replaced, in order, by the parameters (each a literal as EXECUTE ... USING takes it)."""
    marks = _parameters(sql)
    if len(marks) != len(parameters):
        raise QueryError(
            f"INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected {len(marks)} "
            f"but found {len(parameters)}"
        )
    for mark, value in reversed(list(zip(marks, parameters, strict=True))):
        try:
            sqlglot.parse_one(value, read=Athena)
        except ParseError as error:
            raise QueryError(
                f"INVALID_PARAMETER_USAGE: {value!r} is not a literal of SQL (quote a string: '...')"
            ) from error
        sql = f"{sql[: mark.start]} {value} {sql[mark.end + 1 :]}"
    return sql


def has_parameters(sql: str) -> bool:
    """Whether a `?` waits for a value (one in a string or a comment does not)."""
    return bool(_parameters(sql))


def execute_using(sql: str) -> tuple[str, list[str]] | None:
    """The prepared statement's name and its parameters if `sql` is EXECUTE name [USING a, b], else None."""
    match = re.fullmatch(r"\s*EXECUTE\s+(\w+)(?:\s+USING\s+(.*?))?\s*;?\s*", sql, re.IGNORECASE | re.DOTALL)
    if match is None:
        return None
    values: list[str] = []
    if match[2]:
        start = depth = 0
        tokens = _tokens(match[2])
        for token in tokens:
            depth += (token.text in "([") - (token.text in ")]") if len(token.text) == 1 else 0
            if token.token_type is TokenType.COMMA and depth == 0:
                values.append(match[2][start : token.start].strip())
                start = token.end + 1
        values.append(match[2][start:].strip())
    return match[1], values


def tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """The tables a query reads: every FROM and JOIN target that no WITH clause in scope has named."""
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            name = table.this.name if isinstance(table.this, exp.Expr) else str(table.this)
            raise QueryError(f"FUNCTION_NOT_FOUND: {position(table)}Table function '{name.lower()}' not registered")
        if table.args.get("db") or not _is_cte(table):
            yield table


def position(node: exp.Expr) -> str:
    """`line l:c: ` of the node's first word, or an empty string where the parser kept none."""
    places = [n.meta for n in node.walk() if "line" in n.meta]
    if not places:
        return ""
    first = min(places, key=lambda meta: meta["start"])
    return f"line {first['line']}:{first['col'] - (first['end'] - first['start'])}: "


def name_columns(tree: exp.Query) -> None:
    """Give unnamed expressions of the outermost SELECT the names Athena gives them: `_col0`, `_col1`, ..."""
    select = tree
    while isinstance(select, (exp.SetOperation, exp.Subquery)):
        select = select.this
    if not isinstance(select, exp.Select) or select.is_star:
        return
    for index, item in enumerate(select.expressions):
        if not isinstance(item, (exp.Alias, exp.Column, exp.Dot, exp.Star)):
            item.replace(exp.alias_(item.copy(), f"_col{index}"))


# ---- refusing what is not Trino


def _parameters(sql: str) -> list[Token]:
    return [token for token in _tokens(sql) if token.token_type is TokenType.PLACEHOLDER]


def _tokens(sql: str) -> list[Token]:
    try:
        tokens: list[Token] = Athena().tokenize(sql)
    except TokenError as error:
        raise MalformedQuery(f"line 1:1: {error}") from error
    return tokens


def _malformed(error: ParseError) -> MalformedQuery:
    first = error.errors[0] if error.errors else {}
    word = str(first.get("highlight") or "<EOF>")
    column = int(first.get("col") or 1) - len(word) + 1
    return MalformedQuery(f"line {first.get('line') or 1}:{max(column, 1)}: mismatched input {word!r}")


def _place(token: Token) -> str:
    return f"line {token.line}:{max(token.col - (token.end - token.start), 1)}"


def _refuse_foreign_tokens(tokens: Sequence[Token]) -> None:
    limit_seen_at: int | None = None
    depth = 0
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        word = token.text.lower()
        quoted = token.token_type in (TokenType.STRING, TokenType.IDENTIFIER)
        if not quoted and (word in _FOREIGN_TOKENS or token.token_type is TokenType.PARAMETER):
            raise MalformedQuery(f"{_place(token)}: mismatched input {token.text!r}")
        if token.token_type is TokenType.L_BRACKET and (
            before is None or before.token_type in (TokenType.COMMA, TokenType.L_PAREN, TokenType.SELECT, TokenType.EQ)
        ):
            raise MalformedQuery(f"{_place(token)}: mismatched input '['. Write ARRAY[...]")
        if token.token_type is TokenType.STRING and before and before.token_type in (TokenType.FROM, TokenType.JOIN):
            raise MalformedQuery(f"{_place(token)}: mismatched input {token.text!r}")
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if token.token_type is TokenType.LIMIT:
            limit_seen_at = depth
        elif token.token_type is TokenType.OFFSET and limit_seen_at == depth:
            # Trino's grammar has OFFSET before LIMIT.
            raise MalformedQuery(f"{_place(token)}: mismatched input 'OFFSET'. Write OFFSET n LIMIT m")
        elif token.token_type in (TokenType.SELECT, TokenType.UNION, TokenType.R_PAREN):
            limit_seen_at = None


def _refuse_foreign_nodes(tree: exp.Expr) -> None:
    def refuse(node: exp.Expr, what: str) -> None:
        raise MalformedQuery(f"{position(node) or 'line 1:1: '}mismatched input: {what} is not in Athena's SQL")

    for node in tree.walk():
        for kind, name in _FOREIGN_NODES.items():
            if isinstance(node, kind):
                refuse(node, name)
        if isinstance(node, exp.Star) and any(node.args.get(key) for key in ("except_", "replace", "rename")):
            refuse(node, "* EXCLUDE, REPLACE or RENAME")
        elif isinstance(node, exp.Group) and node.args.get("all"):
            refuse(node, "GROUP BY ALL")
        elif isinstance(node, exp.Distinct) and node.args.get("on"):
            refuse(node, "DISTINCT ON")
        elif isinstance(node, exp.Join) and (node.kind in ("SEMI", "ANTI") or node.method in ("ASOF", "POSITIONAL")):
            refuse(node, f"{node.method or node.kind} JOIN")
        elif isinstance(node, exp.Select) and (not node.expressions or node.args.get("sample")):
            refuse(node, "SELECT without columns" if not node.expressions else "USING SAMPLE")
        elif isinstance(node, exp.LimitOptions) and node.args.get("percent"):
            refuse(node, "LIMIT n%")
        elif isinstance(node, (exp.Placeholder, exp.Parameter)):
            raise QueryError(
                f"INVALID_PARAMETER_USAGE: {position(node) or 'line 1:1: '}Incorrect number of parameters: "
                "the query has a ? without a value"
            )
        elif isinstance(node, exp.DataType) and node.this == exp.DType.TEXT:
            raise QueryError(f"TYPE_NOT_FOUND: {position(node) or 'line 1:1: '}Unknown type: string (write varchar)")


def _refuse_unknown_functions(tree: exp.Expr, tokens: Sequence[Token]) -> None:
    aliases = {alias.name.lower() for alias in tree.find_all(exp.TableAlias) if alias.args.get("columns")}
    windows = {window.name.lower() for window in tree.find_all(exp.Window) if window.name}
    for token, following in pairwise(tokens):
        word = token.text.lower()
        if following.token_type is not TokenType.L_PAREN or not re.fullmatch(r"[a-z_]\w*", word):
            continue
        if token.token_type is TokenType.STRING or word in FUNCTIONS or word in GRAMMAR:
            continue
        if word not in aliases and word not in windows:
            raise QueryError(f"FUNCTION_NOT_FOUND: {_place(token)}: Function '{word}' not registered")


def _is_cte(table: exp.Table) -> bool:
    """Whether an enclosing WITH names this table. A plain CTE does not see itself or those after it."""
    name = table.name.lower()
    inside: exp.Expr = table
    parent = table.parent
    while parent is not None:
        if isinstance(parent, exp.With):
            for cte in parent.expressions:
                if cte is inside:
                    if parent.recursive and cte.alias_or_name.lower() == name:
                        return True
                    break
                if cte.alias_or_name.lower() == name:
                    return True
        elif (clause := parent.args.get("with_")) is not None and clause is not inside:  # noqa: SIM102
            if any(cte.alias_or_name.lower() == name for cte in clause.expressions):
                return True
        inside, parent = parent, parent.parent
    return False
