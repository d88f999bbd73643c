"""What a rollout is expected to bring, as [rollout.promises] says it, and whether it was kept.

promise  = metric "=" ( limit | change )
limit    = the operator and the number of a threshold:  api_response_time_p95 = "< 400ms"
change   = ( "+" | "-" ) number "%"                     performance_score = "+30%", beside what was before
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rampgate.config.policy import known_metrics
from rampgate.documents.sentences import wanted
from rampgate.errors import ConfigurationError
from rampgate.judging.grammar import subject
from rampgate.judging.threshold import parse
from rampgate.model import formats
from rampgate.model.metrics import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.config.settings import Settings
    from rampgate.judging.threshold import Threshold
    from rampgate.model.metrics import Metric

_CHANGE = re.compile(r"\s*([+-]\d+(?:\.\d+)?)\s*%\s*")
_PER_CENT = 100.0
_ACCEPTED = "accepted are a limit, such as '< 400ms', and a change from before, such as '-30%'"
_NO_CHANGE = {Kind.SHARE, Kind.COUNT}


@dataclass(frozen=True)
class Promise:
    """One line of [rollout.promises].

    Args:
        metric: the canonical name of the metric.
        kind: how that is counted.
        text: as a reader sees it: ``below 400 ms``, ``30 % less than before``.
        quantile: of a latency: 0.95 for p95.
        threshold: of a limit, None of a change.
        change: from what was before, as a fraction; 0 of a limit.
    """

    metric: str
    kind: Kind
    text: str
    quantile: float | None = None
    threshold: Threshold | None = None
    change: float = 0.0

    def wanted(self, before: float) -> float:
        """What a change comes to, of what was before."""
        return before * (1 + self.change)

    def reached(self, before: float, after: float) -> bool:
        """Whether a value is as far from the one before as a change asks, or farther."""
        wanted = self.wanted(before)
        return after >= wanted if self.change > 0 else after <= wanted


def read(settings: Settings) -> list[Promise]:
    """The promises of the settings, in their order.

    Raises:
        ConfigurationError: every one that is none.
    """
    metrics, problems, found = known_metrics(settings), [], []
    for key, text in settings.rollout.promises.items():
        try:
            found.append(_promise(key, text, metrics))
        except ValueError as error:
            problems.append(f"{settings.file}: rollout.promises.{key}: {error}; {_ACCEPTED}")
    if problems:
        raise ConfigurationError(problems)
    return found


def _promise(key: str, text: str, metrics: Mapping[str, Metric]) -> Promise:
    if match := _CHANGE.fullmatch(text):
        about, change = subject(key, None, metrics), float(match[1]) / _PER_CENT
        if about.metric.kind in _NO_CHANGE or not change or change <= -1:
            raise ValueError(f"found {text!r}, which no {about.metric.kind} can be measured by")
        more = "more" if change > 0 else "less"
        says = f"{formats.percent(abs(change))} {more} than before"
        return Promise(about.metric.name, about.metric.kind, says, about.quantile, change=change)
    limit = parse(f"{key} {text}", metrics=metrics)
    return Promise(limit.metric, metrics[limit.metric].kind, wanted(limit), limit.quantile, limit)
