"""A threshold: one line of text with a grammar, parsed and checked before anything is measured.

    threshold   = subject operator limit [ "for" duration ]
    subject     = metric [ "_p" percentile ]          the metric stands in the text: error_rate > 5%
                | aggregation                         the metric is given apart:     p(95)<1000
    aggregation = "rate" | "p(" percentile ")" | "value" | "count" | "share" | "median"
    operator    = "<" | "<=" | ">" | ">=" | "==" | "!="
    limit       = number [ "ms" | "s" | "%" ]
    duration    = part { part }                       a part is a number with h, m, s or ms
    percentile  = number                              above 0 and below 100

A latency without a unit is in milliseconds. A rate or share without "%" is a fraction of 0 to 1.
The place of a threshold decides its polarity: under triggers and alerts it says what is *bad*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from rampgate.judging.grammar import EXAMPLE, OF_KIND, TEXT, Aggregation, limit, plain, subject, unknown
from rampgate.model.metrics import METRICS, Kind, Metric
from rampgate.model.ramp import parse_duration
from rampgate.model.statistics import FEWEST_SCORES
from rampgate.outcome import Severity

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping
    from typing import Unpack

    from rampgate.judging.grammar import Subject

__all__ = [
    "MIN_SHARE",
    "Aggregation",
    "Attributes",
    "Polarity",
    "Threshold",
    "exceeds",
    "parse",
    "validate",
]

MIN_SHARE = 200
"""Users behind a share, when its algorithm is not known: fewer say too little to pass."""

_LEAST = {Kind.SHARE: MIN_SHARE, Kind.SCORE: FEWEST_SCORES}
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class Polarity(StrEnum):
    """Does the text say what is good, or what is bad?"""

    GOOD = "good"
    BAD = "bad"


_GOOD_OPERATORS = {
    Kind.RATE: {"<", "<="},
    Kind.LATENCY: {"<", "<="},
    Kind.COUNT: {"<", "<=", "=="},
    Kind.SHARE: {"=="},
    Kind.SCORE: {">", ">="},
    Kind.VALUE: set(_NEGATED),
}
_WHY = {
    Kind.RATE: "it counts failures, so that low is good, and no sample can prove an exact rate",
    Kind.LATENCY: "it measures waiting, so that low is good, and no sample can prove an exact time",
    Kind.COUNT: "it counts what is wrong, so that low is good",
    Kind.SHARE: "a share is compared with its percentage, for equality",
    Kind.SCORE: "a high score is good",
    Kind.VALUE: "",
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit for one metric.

    Args:
        source: the text as written.
        metric: the canonical name of the metric.
        aggregation: what is compared.
        operator: as written.
        limit: in the canonical unit: a fraction for rates and shares, ms for latencies, else the metric's.
        unit: that unit: "" or ms, s, %.
        quantile: of a latency: 0.95 for p95.
        polarity: does the text say what is good, or what is bad?
        name: what people call it, or "".
        severity: of a failure.
        abort: may it end a run early?
        duration_s: of "for 2m", else 0; kept for whoever watches over time.
        min_n: observations below which it cannot pass.
    """

    source: str
    metric: str
    aggregation: Aggregation
    operator: str
    limit: float
    unit: str = ""
    quantile: float | None = None
    polarity: Polarity = Polarity.GOOD
    name: str = ""
    severity: Severity = Severity.WARNING
    abort: bool = False
    duration_s: float = 0.0
    min_n: int = 0

    @property
    def bad(self) -> bool:
        """Does the text say what is bad?"""
        return self.polarity is Polarity.BAD

    def good(self) -> tuple[str, float]:
        """Operator and limit of the good side: a bad one negated."""
        return (_NEGATED[self.operator] if self.bad else self.operator), self.limit

    def broken(self) -> tuple[str, float]:
        """Operator and limit of the bad side: a good one negated."""
        return (self.operator if self.bad else _NEGATED[self.operator]), self.limit

    @property
    def allowed(self) -> float:
        """The fraction of observations that may fail (a rate) or lie above the edge (a quantile).

        Of a value, that may go wrong where it is a share of what goes well, in per cent.
        """
        if self.aggregation is Aggregation.VALUE:
            return float(1 - Decimal(repr(self.limit)) / 100)
        return self.limit if self.quantile is None else float(1 - Decimal(repr(self.quantile)))

    @property
    def edge(self) -> float | None:
        """The key in ``Measurement.exceedances``, where the threshold is about a quantile.

        One rule counts them all: an observation lies above the edge when ``value > edge``. Where a value
        equal to the limit is good, the edge is the limit; where it is not (p95 < 1000), the edge is the
        greatest number below the limit, so that the value 1000 counts, and ``<`` and ``<=`` at the same
        limit have keys of their own.
        """
        if self.quantile is None:
            return None
        operator, limit = self.good()
        return math.nextafter(limit, -math.inf) if operator == "<" else limit

    def to_json(self) -> dict[str, object]:
        """The threshold as a judgement record carries it; parse() reads it back."""
        names = ("source", "metric", "name", "bad", "min_n")
        return {**{name: getattr(self, name) for name in names}, "severity": self.severity.value}

    def __str__(self) -> str:
        subject = self.metric
        if self.quantile is not None:
            subject += f"_p{plain(Decimal(repr(self.quantile)) * 100)}"
        tail = f" for {self.duration_s:g}s" if self.duration_s else ""
        return f"{subject} {self.operator} {self.limit_text}{tail}"

    @property
    def limit_text(self) -> str:
        """The limit with its unit, as the grammar reads it: ``5%``, ``1000ms``, ``85``."""
        number = Decimal(repr(self.limit))
        if self.aggregation in {Aggregation.RATE, Aggregation.SHARE}:
            return f"{plain(number * 100)}%"
        return f"{plain(number)}{self.unit}"


class Attributes(TypedDict, total=False):
    """What a threshold may be given beside its text."""

    name: str
    severity: Severity
    abort: bool
    min_n: int


def exceeds(threshold: Threshold, value: float) -> bool:
    """Does this one observation lie above the threshold's edge? A request without an answer is ``inf``."""
    return threshold.edge is not None and value > threshold.edge


def parse(
    text: str,
    *,
    metric: str | None = None,
    bad: bool = False,
    metrics: Mapping[str, Metric] = METRICS,
    **attributes: Unpack[Attributes],
) -> Threshold:
    """Read one threshold; what comes back is valid.

    Args:
        text: see the grammar above.
        metric: where the text begins with an aggregation (k6), the metric that it is about.
        bad: the text says what is bad.
        metrics: the metrics by name.
        attributes: name, severity, abort, min_n.

    Raises:
        ValueError: what was found and what is accepted.
    """
    match = TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"found {text!r}; accepted is 'metric operator limit', the limit in ms, s, % or bare, {EXAMPLE}"
        )
    try:
        about = subject(match["subject"], metric, metrics)
        threshold = _read(text, match, about, Polarity.BAD if bad else Polarity.GOOD, attributes)
    except ValueError as error:
        raise ValueError(f"found {text!r}: {error}") from error
    if problems := validate(threshold, metrics):
        raise ValueError(f"found {text!r}: {'; '.join(problems)}")
    return threshold


def _read(
    text: str, match: re.Match[str], about: Subject, polarity: Polarity, attributes: Attributes
) -> Threshold:
    """The threshold as its text has it, not yet held against its metric's kind."""
    return Threshold(
        source=text,
        metric=about.metric.name,
        aggregation=about.aggregation,
        operator=match["operator"],
        limit=limit(match["number"], match["unit"] or "", about.metric),
        unit=about.metric.unit,
        quantile=about.quantile,
        polarity=polarity,
        name=attributes.get("name", ""),
        severity=attributes.get("severity", Severity.WARNING),
        abort=attributes.get("abort", False),
        duration_s=parse_duration(match["duration"]) if match["duration"] else 0.0,
        min_n=attributes.get("min_n", about.metric.least or _LEAST.get(about.metric.kind, 0)),
    )


def validate(threshold: Threshold, metrics: Mapping[str, Metric] = METRICS) -> list[str]:
    """What this threshold asks of its metric that the metric's kind does not allow; empty when it fits."""
    if threshold.metric not in metrics:
        return [unknown(threshold.metric, metrics)]
    kind = metrics[threshold.metric].kind
    return [
        problem
        for problem in (
            _aggregation_problem(threshold, kind),
            _operator_problem(threshold, kind),
            _limit_problem(threshold, kind),
        )
        if problem
    ]


def _aggregation_problem(threshold: Threshold, kind: Kind) -> str:
    name, wanted = threshold.metric, OF_KIND[kind]
    if threshold.aggregation is not wanted:
        accepted = f"{name}_p95 or p(95)" if wanted is Aggregation.QUANTILE else wanted.value
        return f"{name} is a {kind} and has no {threshold.aggregation}; accepted is {accepted}"
    if wanted is Aggregation.QUANTILE and not (threshold.quantile and threshold.quantile < 1):
        return "a percentile lies above 0 and below 100"
    return ""


def _operator_problem(threshold: Threshold, kind: Kind) -> str:
    operator, _ = threshold.good()
    if operator in _GOOD_OPERATORS[kind]:
        return ""
    place = "triggers and alerts (what is bad)" if threshold.bad else "what is good"
    accepted = sorted(_NEGATED[good] if threshold.bad else good for good in _GOOD_OPERATORS[kind])
    return f"{threshold.metric} under {place}: accepted is {' or '.join(accepted)}; {_WHY[kind]}"


def _limit_problem(threshold: Threshold, kind: Kind) -> str:
    limit = threshold.limit
    if not math.isfinite(limit):
        return "the limit is not finite"
    if kind is Kind.RATE and not 0 < limit < 1:
        return "a rate is compared with more than 0% and less than 100%; no sample proves either"
    if kind is Kind.SHARE and not 0 <= limit <= 1:
        return "a share lies between 0% and 100%"
    if (kind is Kind.LATENCY and limit <= 0) or (kind is Kind.COUNT and limit < 0):
        return f"a {kind} cannot be below {threshold.limit_text}"
    if kind is Kind.SCORE and not 0 <= limit <= 100:  # noqa: PLR2004 - scores end at 100
        return "a score lies between 0 and 100"
    return ""
