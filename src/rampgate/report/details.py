"""Any JSON as something to read: tables where entries are alike, pairs and lists where not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rampgate.model import formats

MOST = 40
"""Entries of one table or list that are shown; the rest is counted."""
_WIDEST = 8
_FEWEST_ROWS = 2
_DEEPEST = 4


class Node(NamedTuple):
    """Several values.

    Args:
        kind: ``listing``: one below the other; ``pairs``: with names; ``pairs flat``: all scalars, side by
            side; ``grid``: a name and a row of cells each.
        items: the values, as far as they are shown.
        left: how many are not.
        head: of a grid: the names of its columns.
    """

    kind: str
    items: tuple[Any, ...]
    left: int
    head: tuple[str, ...] = ()


def node(data: Any, depth: int = 0) -> Node | str:
    """How to show the data; a scalar as it is."""
    if depth > _DEEPEST and isinstance(data, Mapping | list | tuple):
        return json.dumps(data, ensure_ascii=False, default=str)
    if isinstance(data, Mapping):
        entries = [(str(key), value) for key, value in data.items()]
        named = [(name.replace("_", " "), node(value, depth + 1)) for name, value in entries]
        flat = all(isinstance(value, str) for _, value in named[:MOST])
        return _grid(entries) or _node("pairs flat" if flat else "pairs", named)
    if isinstance(data, list | tuple):
        numbered = [(str(number), value) for number, value in enumerate(data, 1)]
        return _grid(numbered) or _node("listing", [node(value, depth + 1) for value in data])
    return scalar(data)


def scalar(value: Any) -> str:
    """A scalar as text: numbers short, nothing as a dash."""
    if value is None or value == "":
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return formats.number(value) if isinstance(value, float) else str(value)


def _node(kind: str, items: Sequence[Any], head: tuple[str, ...] = ()) -> Node:
    return Node(kind, tuple(items[:MOST]), max(0, len(items) - MOST), head)


def _grid(entries: Sequence[tuple[str, Any]]) -> Node | None:
    """A table, where every entry is a mapping of scalars and they have most fields in common."""
    fields: dict[str, None] = {}
    for _, value in entries:
        if not isinstance(value, Mapping) or any(
            isinstance(v, Mapping | list | tuple) for v in value.values()
        ):
            return None
        fields |= dict.fromkeys(map(str, value))
    if len(entries) < _FEWEST_ROWS or not 0 < len(fields) <= _WIDEST:
        return None
    rows = [(name, tuple(scalar(value.get(field)) for field in fields)) for name, value in entries]
    return _node("grid", rows, tuple(field.replace("_", " ") for field in fields))
