"""Floor 3. What Prometheus knows: which jobs it reaches, which rules it has loaded, what it can give."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from rampgate.clock import Clock, SystemClock
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.http import ask
from rampgate.model.measurement import Measurement
from rampgate.probes.monitoring import found_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHOWN = 5
"""So many names are in the sentence; all are in the evidence."""
_ERROR_CHARS = 160


@dataclass(frozen=True)
class PrometheusProbe:
    """Asks the HTTP API of Prometheus, or of what speaks it.

    Args:
        client: of its address.
        clock: for start and end.
    """

    client: httpx.Client
    clock: Clock = field(default_factory=SystemClock)

    def jobs(self, expected: Sequence[str]) -> Measurement:
        """``jobs_down``: jobs with a target that does not answer, or without one; of those expected.

        A job is up when each of its targets was reached at its last scrape (``/api/v1/targets``) and its
        ``up`` series say so too (``/api/v1/query``).

        Args:
            expected: names of jobs; empty: all that there are.

        Raises:
            ProbeError: Prometheus gives no answer that can be read.
        """
        start = self.clock.now()
        targets = self._data("/api/v1/targets", {"state": "active"}, "activeTargets")
        series = self._data("/api/v1/query", {"query": "up"}, "result")
        jobs = list(expected) or sorted({_job(target.get("labels")) for target in targets})
        down = {job: why for job in jobs if (why := _down(job, targets, series))}
        return self._count("jobs_down", jobs, down, start)

    def rules(self, expected: Sequence[str]) -> Measurement:
        """``rules_missing``: expected alerting rules that are not loaded, or that cannot be evaluated.

        Raises:
            ProbeError: Prometheus gives no answer that can be read.
        """
        start = self.clock.now()
        groups = self._data("/api/v1/rules", {"type": "alert"}, "groups")
        loaded = {
            str(rule.get("name")): rule
            for group in groups
            for rule in group.get("rules", ())
            if rule.get("type") == "alerting"
        }
        missing = {}
        for name in expected:
            if name not in loaded:
                missing[name] = "not loaded"
            elif loaded[name].get("health") == "err":
                missing[name] = f"cannot be evaluated: {loaded[name].get('lastError', '')[:_ERROR_CHARS]}"
        return self._count("rules_missing", expected, missing, start)

    def metrics(self, wanted: Mapping[str, str]) -> Measurement:
        """``metrics_missing``: metrics whose query gives no finite number now.

        Args:
            wanted: name -> PromQL.

        Raises:
            ConfigurationError: queries that are no PromQL, all at once.
            ProbeError: Prometheus gives no answer that can be read.
        """
        start = self.clock.now()
        problems, missing = [], {}
        for name, query in wanted.items():
            try:
                why = _no_number(self._ask("/api/v1/query", {"query": query}))
            except ConfigurationError as error:
                problems.append(f"monitoring.metrics.{name}: found {query!r}; {error}")
                continue
            if why:
                missing[name] = why
        if problems:
            raise ConfigurationError(problems)
        return self._count("metrics_missing", list(wanted), missing, start)

    def number(self, query: str) -> float | None:
        """The sum of what a query gives now; None when it gives nothing.

        Raises:
            ConfigurationError: it is no PromQL.
            ProbeError: Prometheus gives no answer that can be read.
        """
        data = self._ask("/api/v1/query", {"query": query})
        result = data.get("result")
        if data.get("resultType") == "scalar":
            return _sample(result)
        samples = [_sample(each.get("value")) for each in result or () if isinstance(each, dict)]
        return sum(samples) if samples and all(map(math.isfinite, samples)) else None

    def _count(
        self, metric: str, expected: Sequence[str], bad: Mapping[str, str], start: float
    ) -> Measurement:
        """What is wrong of what was expected; with nothing expected there is no evidence."""
        reasons = [f"{name}: {why}" for name, why in list(bad.items())[:_SHOWN]]
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        return Measurement(
            metric,
            n=len(expected),
            value=float(len(bad)) if expected else None,
            start=start,
            end=self.clock.now(),
            note="; ".join(reasons) + more,
            details={"expected": list(expected), "bad": dict(bad)},
        )

    def _data(self, path: str, parameters: Mapping[str, str], key: str) -> list[dict[str, Any]]:
        """The list of objects under a key of an answer's data."""
        found = self._ask(path, parameters).get(key)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise _refused(path, f"no list of {key}")
        return found

    def _ask(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The data of a successful answer.

        Raises:
            ConfigurationError: Prometheus does not understand the query; what it says of it.
            ProbeError: anything else.
        """
        answer = ask(self.client, "GET", f"{path}?{httpx.QueryParams(dict(parameters))}")
        body = answer.json()
        error = body.get("error") if isinstance(body, dict) else None
        if answer.status == httpx.codes.BAD_REQUEST and error:
            raise ConfigurationError(f"Prometheus says: {str(error)[:_ERROR_CHARS]}")
        if not answer.ok or not isinstance(body, dict):
            said = f" ({str(error)[:_ERROR_CHARS]})" if error else ""
            raise _refused(path, (found_in(answer) or "a body that is not JSON") + said)
        data = body.get("data")
        if body.get("status") != "success" or not isinstance(data, dict):
            raise _refused(path, f"status {body.get('status')!r}")
        return data


def _refused(path: str, found: str) -> ProbeError:
    return ProbeError(f"Prometheus, {path}: found {found}; accepted is its JSON with status success")


def _job(labels: Any) -> str:
    return str(labels.get("job", "")) if isinstance(labels, dict) else ""


def _down(job: str, targets: Sequence[Mapping[str, Any]], series: Sequence[Mapping[str, Any]]) -> str:
    """Why a job is not up, "" when it is."""
    its = [target for target in targets if _job(target.get("labels")) == job]
    if not its:
        return "no target"
    for target in its:
        if target.get("health") != "up":
            why = target.get("lastError") or f"health {target.get('health')}"
            return f"{target.get('scrapeUrl', '')}: {str(why)[:_ERROR_CHARS]}"
    values = [_sample(each.get("value")) for each in series if _job(each.get("metric")) == job]
    if not values:
        return "no series up"
    return "" if all(value == 1 for value in values) else "its series up is not 1"


def _sample(pair: Any) -> float:
    """The number of a sample [time, "text"], NaN where it is none."""
    try:
        return float(pair[1])
    except (TypeError, ValueError, LookupError):
        return math.nan


def _no_number(data: Mapping[str, Any]) -> str:
    """Why the result of a query holds no finite number, "" when it holds one."""
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        samples = [_sample(result)]
    elif kind == "vector" and isinstance(result, list):
        samples = [_sample(each.get("value")) for each in result if isinstance(each, dict)]
    else:
        return f"its query gives a {kind}; accepted is a number for this moment"
    if any(math.isfinite(sample) for sample in samples):
        return ""
    return "no sample" if not samples else f"only {', '.join(sorted({str(s) for s in samples}))}"
