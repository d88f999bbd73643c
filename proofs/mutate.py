"""Mutations of a module as data: one small change of its source each, at a place that the tests should know.

What says nothing about behaviour is left alone: docstrings, annotations, decorators, asserts for the type
checker, imports under TYPE_CHECKING, and f-strings, of which Python 3.11 does not know the places.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FLIPS: Mapping[type[ast.AST], Any] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
_SKIPPED = (ast.JoinedStr, ast.Assert)


@dataclass(frozen=True)
class Mutation:
    """One change of a source.

    Args:
        line: where it begins, from 1.
        start: its first byte in the source.
        end: the byte after its last.
        kind: what is changed.
        before: the source of what is replaced.
        after: what replaces it.
    """

    line: int
    start: int
    end: int
    kind: str
    before: str
    after: str

    def apply(self, source: bytes) -> bytes:
        """The source with the change."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutations(source: bytes) -> list[Mutation]:
    """Every mutation of a source, in the order of its places."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = []
    for node in _behaviour(ast.parse(source)):
        for kind, after in _changed(node):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
            found.append(Mutation(node.lineno, start, end, kind, source[start:end].decode(), after))
    return sorted(found, key=lambda each: (each.start, each.end, each.kind, each.after))


def _behaviour(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """The expressions and statements below a node that say what the program does."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list"}:
            continue
        for inner in value if isinstance(value, list) else [value]:
            if not isinstance(inner, ast.AST) or isinstance(inner, _SKIPPED) or _is_typing(inner):
                continue
            if isinstance(inner, ast.expr | ast.stmt):
                yield inner
            yield from _behaviour(inner)


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _changed(node: ast.expr | ast.stmt) -> Iterator[tuple[str, str]]:
    """The changes of one node: kind, and the new source."""
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            operators = [*node.ops]
            operators[number] = _FLIPS[type(operator)]()
            yield "comparison", f"({ast.unparse(ast.Compare(node.left, operators, node.comparators))})"
    elif isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in _FLIPS:
        fields = {**dict(ast.iter_fields(node)), "op": _FLIPS[type(node.op)]()}
        kind = "and, or" if isinstance(node, ast.BoolOp) else "arithmetic"
        yield kind, f"({ast.unparse(type(node)(**fields))})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "boolean", repr(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "number", repr(node.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not", f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield "return", "return None"
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "call", "pass"
