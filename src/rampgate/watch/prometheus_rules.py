"""The alerting rules of Prometheus that the rules of a watch are exported as. Pure.

Prometheus judges the value of the window alone: the test that a watch judges a trigger on counts by, the
comparison of cohorts, and what a change of percentage does to a window have no counterpart there. A sample
that is missing begins its ``for`` anew, so that a rule of its own says that there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.judging.grammar import Aggregation
from rampgate.model import formats
from rampgate.model.promql_selectors import Selector, is_scalar
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from rampgate.checks.sources.promql import PromQLQuery
    from rampgate.config.watch_policy import WatchRule
    from rampgate.judging.episodes import Timing

HEARTBEAT = "rampgate_watch_heartbeat_seconds"
"""The metric of the newest round of a watch, seconds since the epoch."""
DEAD_MAN = "rampgate watch: no heartbeat"
_TESTED = "rampgate watch judges this by a test of the counts; here the value of the window decides"


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """One rule of a watch, as Prometheus is to judge it.

    Args:
        rule: of the watch.
        entry: reads its metric.
        timing: of its episodes.
        interval: seconds between two evaluations.
        window: seconds over which counters make a value.
        operator: of its limit, said as what is bad.
        limit: in the unit of the source, as text.
        edge: of a histogram, the label ``le`` of the bucket that ends at the limit; "" of none.
        tested: whether the watch judges it by its test, and not by the window's value.
    """

    rule: WatchRule
    entry: PromQLQuery
    timing: Timing
    interval: float
    window: float
    operator: str
    limit: str
    edge: str = ""
    tested: bool = False

    @property
    def expr(self) -> str:
        """What is bad, in PromQL."""
        return f"{self._value()} {self.operator} {self.limit}{self._enough()}"

    def _value(self) -> str:
        entry = self.entry
        if entry.value is not None:
            text = f"({entry.value}\n)" if "#" in entry.value else f"({entry.value})"
            return f"vector{text}" if is_scalar(entry.value) else text
        if entry.count is not None:
            return self._increase(entry.count)
        total = self._increase(entry.total or "")
        if entry.buckets is not None:
            beyond = f"({total} - {self._increase(str(self.bucket))})"
            return f"{beyond} / {total}"
        share = f"({self._increase(entry.failed or '')} or vector(0)) / {total}"
        return f"100 * (1 - {share})" if self.of_good else share

    @property
    def of_good(self) -> bool:
        """Whether its value is what goes well, in per cent, made of counters of what does not."""
        return self.entry.failed is not None and self.rule.threshold.aggregation is Aggregation.VALUE

    def _increase(self, selector: str) -> str:
        return f"sum(increase({selector}[{span(self.window)}]))"

    def _enough(self) -> str:
        least = self.rule.threshold.min_n
        return f" and on() ({self.entry.responses}) >= {least}" if self.entry.responses and least else ""

    @property
    def bucket(self) -> Selector:
        """Selects the bucket that ends at the limit."""
        operator = "=~" if "|" in self.edge else "="
        return Selector.parse(self.entry.buckets or "").where("le", operator, self.edge)

    @property
    def labels(self) -> dict[str, str]:
        """That the rule adds."""
        return {"severity": self.rule.threshold.severity.value}

    @property
    def annotations(self) -> dict[str, str]:
        """For whoever is alerted."""
        threshold = self.rule.threshold
        lasting = f" for {formats.duration(self.timing.duration)}" if self.timing.duration else ""
        text = str(threshold).partition(" for ")[0]
        said = {
            "summary": f"{text}{lasting}" if threshold.bad else f"not {text}",
            "description": _TESTED if self.tested else "",
            "runbook_url": self.rule.runbook,
            "owner": self.rule.owner,
        }
        return {name: text for name, text in said.items() if text}

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file of rules."""
        timing = {"for": self.timing.duration, "keep_firing_for": self.timing.recovery}
        return {
            "alert": self.rule.name,
            "expr": self.expr,
            **{key: span(seconds) for key, seconds in timing.items() if seconds},
            "labels": self.labels,
            "annotations": {name: _literal(text) for name, text in self.annotations.items()},
        }


@dataclass(frozen=True, slots=True)
class Companion:
    """The rule about the missing samples of a metric.

    Args:
        metric: its name.
        selectors: of the series that must be there.
        max_age: seconds after which a sample is none any more.
    """

    metric: str
    selectors: tuple[Selector, ...]
    max_age: float

    @property
    def name(self) -> str:
        """Of the alert."""
        return f"{self.metric}: no reading"

    @property
    def annotations(self) -> dict[str, str]:
        """For whoever is alerted."""
        return {"summary": f"no sample of {self.metric} for {formats.duration(self.max_age)}"}

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file of rules."""
        absent = (f"absent_over_time({each}[{span(self.max_age)}])" for each in self.selectors)
        return {
            "alert": self.name,
            "expr": " or ".join(absent),
            "labels": {"severity": Severity.WARNING.value},
            "annotations": self.annotations,
        }


@dataclass(frozen=True)
class Export:
    """What Prometheus is to judge.

    Args:
        rules: of the watch.
        companions: by metric.
        left_out: names of the rules that it cannot judge, and why.
        interval: of a watch, seconds.
        dead_after: seconds without a heartbeat after which a watch counts as dead.
        buckets: the edges of latencies, ms.
    """

    rules: tuple[AlertingRule, ...]
    companions: dict[str, Companion]
    left_out: tuple[tuple[str, str], ...]
    interval: float
    dead_after: float
    buckets: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """A file of rules: a group for each metric, and one for the watch."""
        groups = [
            {
                "name": f"rampgate: {metric}",
                "interval": span(next(each.interval for each in self._of(metric))),
                "rules": [*(each.to_json() for each in self._of(metric)), companion.to_json()],
            }
            for metric, companion in self.companions.items()
        ]
        watch = {"name": "rampgate: watch", "interval": span(self.interval), "rules": [self._dead_man()]}
        return {"groups": [*groups, watch]}

    def _of(self, metric: str) -> list[AlertingRule]:
        return [each for each in self.rules if each.entry.name == metric]

    def _dead_man(self) -> dict[str, Any]:
        limit = self.dead_after
        return {
            "alert": DEAD_MAN,
            "expr": f"time() - {HEARTBEAT} > {limit:g} or absent_over_time({HEARTBEAT}[{span(limit)}])",
            "labels": {"severity": Severity.WARNING.value},
            "annotations": self.dead_man_annotations,
        }

    @property
    def dead_man_annotations(self) -> dict[str, str]:
        """For whoever is alerted."""
        lasting = formats.duration(self.dead_after)
        return {"summary": f"no round of rampgate watch for {lasting}: nobody watches the rollout"}


def _literal(text: str) -> str:
    """A text that Prometheus takes for a template, and is to leave as it is."""
    return text.replace("{{", '{{ "{{" }}')


def span(seconds: float) -> str:
    """Seconds as Prometheus writes them."""
    return f"{seconds:.0f}s" if seconds == round(seconds) else f"{seconds * 1000:.0f}ms"
