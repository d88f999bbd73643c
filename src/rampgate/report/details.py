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


class Text(NamedTuple):
    """A scalar."""

    text: str
    kind: str = "text"


class Pairs(NamedTuple):
    """Names with values."""

    items: tuple[tuple[str, Any], ...]
    left: int
    kind: str = "pairs"

    @property
    def flat(self) -> bool:
        """Whether all values are scalars, which stand side by side."""
        return all(isinstance(value, Text) for _, value in self.items)


class Listing(NamedTuple):
    """Values one below the other."""

    items: tuple[Any, ...]
    left: int
    kind: str = "listing"


class Grid(NamedTuple):
    """Entries with the same few scalar fields: a row each, begun by its name."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    left: int
    kind: str = "grid"


Node = Text | Pairs | Listing | Grid


def node(data: Any, depth: int = 0) -> Node:
    """How to show the data."""
    if depth > _DEEPEST and isinstance(data, Mapping | list | tuple):
        return Text(json.dumps(data, ensure_ascii=False, default=str))
    if isinstance(data, Mapping):
        return _grid([(str(k), v) for k, v in data.items()]) or _pairs(data, depth)
    if isinstance(data, list | tuple):
        numbered = [(str(number), value) for number, value in enumerate(data, 1)]
        return _grid(numbered) or _listing(data, depth)
    return Text(scalar(data))


def scalar(value: Any) -> str:
    """A scalar as text: numbers short, nothing as a dash."""
    if value is None or value == "":
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return formats.number(value) if isinstance(value, float) else str(value)


def _pairs(data: Mapping[Any, Any], depth: int) -> Pairs:
    items = [(str(key).replace("_", " "), node(value, depth + 1)) for key, value in data.items()]
    return Pairs(tuple(items[:MOST]), max(0, len(items) - MOST))


def _listing(data: Sequence[Any], depth: int) -> Listing:
    return Listing(tuple(node(value, depth + 1) for value in data[:MOST]), max(0, len(data) - MOST))


def _grid(entries: Sequence[tuple[str, Any]]) -> Grid | None:
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
    rows = tuple(
        (name, tuple(scalar(value.get(field)) for field in fields)) for name, value in entries[:MOST]
    )
    return Grid(tuple(field.replace("_", " ") for field in fields), rows, max(0, len(entries) - MOST))
