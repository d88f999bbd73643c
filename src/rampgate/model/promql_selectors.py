"""Selectors of PromQL: which series each means, and samples that have the sums that are wanted. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_NAME = "__name__"
_LABEL, _METRIC = re.compile("[a-zA-Z_][a-zA-Z0-9_]*"), re.compile("[a-zA-Z_:][a-zA-Z0-9_:]*")
_KEEP_ONE = {"sum", "max", "min", "avg"}
"""Aggregations that leave a single series as it is."""


@dataclass(frozen=True, slots=True)
class Selector:
    """What selects series.

    Args:
        matchers: label, operator and text of each; the series' name is the label ``__name__``.
    """

    matchers: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, node: Any) -> Self:
        """The selector of a node of a parsed expression, without its offset."""
        named = ((_NAME, "=", node.name),) if node.name else ()
        rest = ((m.name, _OPERATORS[str(m.op).rpartition(".")[2]], m.value) for m in node.matchers.matchers)
        return cls((*named, *rest))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The selector that an expression is."""
        import promql_parser

        return cls.of(promql_parser.parse(text))

    def __str__(self) -> str:
        name, *rest = self.matchers
        if name[:2] != (_NAME, "="):
            name, rest = ("", "", ""), list(self.matchers)
        inside = ",".join(f"{label}{operator}{json.dumps(text)}" for label, operator, text in rest)
        return name[2] + (f"{{{inside}}}" if inside else "")

    @property
    def is_classic(self) -> bool:
        """Whether its names are of the kind that needs no quotes, which every Prometheus understands."""
        names = all(_LABEL.fullmatch(label) for label, _, _ in self.matchers)
        exact = (text for label, operator, text in self.matchers if (label, operator) == (_NAME, "="))
        return names and all(map(_METRIC.fullmatch, exact))

    def where(self, label: str, operator: str, text: str) -> Selector:
        """The same with one more matcher."""
        return Selector((*self.matchers, (label, operator, text)))

    def matches(self, series: Mapping[str, str]) -> bool:
        """Whether it selects a series, which is its labels."""
        return all(_holds(operator, text, series.get(label, "")) for label, operator, text in self.matchers)

    def example(self) -> dict[str, str] | None:
        """A series that it selects, None where none is found; of what it says, no more than it needs."""
        found: dict[str, str] = {}
        for label, operator, text in self.matchers:
            if operator == "=":
                found[label] = text
            elif not _holds(operator, text, found.get(label, "")):
                found[label] = _example(text) if operator == "=~" else "other"
        return found if _NAME in found and self.matches(found) else None

    def labels(self) -> dict[str, str]:
        """What ``absent_over_time`` says of it: its labels that have one value."""
        names = [label for label, _, _ in self.matchers]
        return {
            label: text
            for label, operator, text in self.matchers
            if operator == "=" and label != _NAME and names.count(label) == 1
        }


def selectors(expression: str) -> list[Selector]:
    """Each selector of an expression once, in order."""
    import promql_parser

    found: dict[Selector, None] = {}

    def visit(node: Any) -> None:
        inner = getattr(node, "vector_selector", node)
        if isinstance(inner, promql_parser.VectorSelector):
            found[Selector.of(inner)] = None

    promql_parser.walk(promql_parser.parse(expression), visit)
    return list(found)


def is_scalar(expression: str) -> bool:
    """Whether it gives a number that is no series, which PromQL compares in another way."""
    import promql_parser

    try:
        promql_parser.parse(f"({expression}\n) > 0")  # it may end with a comment
    except ValueError:
        return True
    return False


def plain(expression: str) -> tuple[Selector, bool] | None:
    """The selector whose one series an expression gives as it is, and whether its labels stay.

    Args:
        expression: None comes back of one that calculates.
    """
    import promql_parser

    node, labels = promql_parser.parse(expression), True
    while not isinstance(node, promql_parser.VectorSelector):
        if isinstance(node, promql_parser.AggregateExpr):
            if str(node.op) not in _KEEP_ONE or node.modifier is not None:
                return None
            labels = False
        elif not isinstance(node, promql_parser.ParenExpr):
            return None
        node = node.expr
    return (Selector.of(node), labels) if node.offset is None and node.at is None else None


def series_text(series: Mapping[str, str]) -> str:
    """A series as it is written: its name, and its labels in braces."""
    labels = ",".join(f"{label}={json.dumps(text)}" for label, text in series.items() if label != _NAME)
    return f"{series[_NAME]}{{{labels}}}" if labels else series[_NAME]


def labels_of(series: Mapping[str, str]) -> dict[str, str]:
    """The labels of a series without its name."""
    return {label: text for label, text in series.items() if label != _NAME}


def samples(wanted: Sequence[tuple[Selector, Sequence[float]]]) -> dict[str, list[float]] | None:
    """A series for each selector, so that what each selects has the wanted sums.

    Args:
        wanted: a selector, and what its series are to add up to, moment by moment.

    Returns:
        Series as text -> its values; None where no such series are found.
    """
    examples = [selector.example() for selector, _ in wanted]
    series = [example for example in examples if example is not None]
    if len(series) < len(wanted):
        return None
    chosen = [[selector.matches(each) for each in series] for selector, _ in wanted]
    values: dict[int, list[float]] = {}
    for row in sorted(range(len(wanted)), key=lambda row: sum(chosen[row])):
        others = [column for column, is_one in enumerate(chosen[row]) if is_one and column != row]
        if any(column not in values for column in others):
            return None
        values[row] = [
            value - sum(values[column][at] for column in others) for at, value in enumerate(wanted[row][1])
        ]
    texts = [series_text(each) for each in series]
    negative = len(wanted) > 1 and any(value < 0 for found in values.values() for value in found)
    if negative or len({*texts}) < len(texts):
        return None
    return {text: values[row] for row, text in enumerate(texts)}


def _holds(operator: str, text: str, found: str) -> bool:
    if operator in {"=", "!="}:
        return (found == text) is (operator == "=")
    try:
        return (re.fullmatch(text, found) is not None) is (operator == "=~")
    except re.error:
        return False


def _example(pattern: str) -> str:
    """A text that a simple pattern matches; of another one it is not, which whoever asks sees."""
    first = pattern.strip("()").split("|")[0]
    return re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)\.", "0", re.sub(r"(?<!\\)\.[*+]", "0", first)))
