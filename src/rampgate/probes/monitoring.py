"""Whether the monitoring is healthy, and what Prometheus lacks of what is expected of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rampgate.errors import ConfigurationError
from rampgate.io.http import Answer, address_of, ask, find, unusable
from rampgate.io.prometheus import ERROR_CHARS, Prometheus, not_offered, sample
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

PATHS = {
    "prometheus": ("/-/ready", "/-/healthy", "/api/v1/query?query=vector(1)"),
    "alertmanager": ("/-/ready", "/-/healthy", "/api/v2/status"),
    "grafana": ("/api/health",),
}
"""Service -> where it answers for its health; the next path is asked where there is none."""
_PUSHED = "where what is measured is pushed, accepted is jobs = false"
_NAMED = 5
"""So many names are in the note; all are in the evidence."""


def monitor_up(client: httpx.Client, service: str, paths: Sequence[str]) -> Measurement:
    """``monitor_up`` of a monitoring service: 1 for a 2xx answer that is no page for people, else 0.

    Args:
        client: of its address.
        service: the label ``service``.
        paths: the first that is there decides.

    Raises:
        ProbeError: we could not measure.
    """
    for path in paths:
        answer = ask(client, "GET", path)
        if not not_offered(answer):
            break
    trouble = unusable(answer) or (_grafana(answer) if service == "grafana" else "")
    path = path.partition("?")[0]
    return Measurement(
        "monitor_up",
        n=1,
        value=0.0 if trouble else 1.0,
        labels={"service": service},
        note=trouble and f"{address_of(client)}{path}: {trouble}",
        details={"path": path, "status": answer.status, "ms": round(answer.ms, 1)},
    )


def _grafana(answer: Answer) -> str:
    """What Grafana says of its database, which it needs to show anything."""
    body = answer.json()
    state = find("database", body)
    if state == "ok":
        return ""
    return f"its database is {state!r}" if isinstance(body, dict) and state else "a body that is not its JSON"


@dataclass(frozen=True)
class PrometheusProbe:
    """Counts what Prometheus, or what speaks its API, lacks of what is expected.

    Args:
        client: of its address.
    """

    client: httpx.Client

    def jobs(self, expected: Sequence[str]) -> Measurement:
        """``jobs_down``: jobs with a target that does not answer, or without one; of those expected.

        A job is up when each of its targets was reached at its last scrape (``/api/v1/targets``) and its
        ``up`` series say so too (``/api/v1/query``). Where targets are not offered the series decide alone.

        Args:
            expected: names of jobs; empty: all that there are.

        Raises:
            ProbeError: Prometheus gives no answer that can be read.
        """
        prometheus, targets = Prometheus(self.client), None
        if prometheus.offers("/api/v1/targets"):
            targets = prometheus.objects("/api/v1/targets", {"state": "active"}, "activeTargets")
        series = prometheus.objects("/api/v1/query", {"query": "up"}, "result")
        known = [each.get("metric") for each in series]
        known = known if targets is None else [target.get("labels") for target in targets]
        jobs = list(expected) or sorted({_job(labels) for labels in known})
        down = {job: why for job in jobs if (why := _down(job, targets, series))}
        found = self._count("jobs_down", jobs, down)
        if targets is not None or found.note:
            return found
        without = "/api/v1/targets is not offered: their series up say so"
        return replace(found, note=without if jobs else f"no series up; {_PUSHED}")

    def rules(self, expected: Sequence[str]) -> Measurement:
        """``rules_missing``: expected alerting rules that are not loaded, or that cannot be evaluated.

        Raises:
            ProbeError: Prometheus gives no answer that can be read.
        """
        groups = Prometheus(self.client).objects("/api/v1/rules", {"type": "alert"}, "groups")
        loaded = [
            rule for group in groups for rule in group.get("rules", ()) if rule.get("type") == "alerting"
        ]
        missing = {}
        for name in expected:
            # Rules of several groups may share a name; each of them is expected to work.
            named = [rule for rule in loaded if str(rule.get("name")) == name]
            broken = [rule for rule in named if rule.get("health") == "err"]
            if not named:
                missing[name] = "not loaded"
            elif broken:
                missing[name] = f"cannot be evaluated: {broken[0].get('lastError', '')[:ERROR_CHARS]}"
        return self._count("rules_missing", expected, missing)

    def metrics(self, wanted: Mapping[str, str]) -> Measurement:
        """``metrics_missing``: metrics whose query gives no finite number now.

        Args:
            wanted: name -> PromQL.

        Raises:
            ConfigurationError: queries that are no PromQL, all at once.
            ProbeError: Prometheus gives no answer that can be read.
        """
        problems, missing = [], {}
        for name, query in wanted.items():
            try:
                why = _no_number(Prometheus(self.client).query(query))
            except ConfigurationError as error:
                problems.append(f"monitoring.metrics.{name}: found {query!r}; {error}")
                continue
            if why:
                missing[name] = why
        if problems:
            raise ConfigurationError(problems)
        return self._count("metrics_missing", list(wanted), missing)

    def _count(self, metric: str, expected: Sequence[str], bad: Mapping[str, str]) -> Measurement:
        """What is wrong of what was expected; with nothing expected there is no evidence."""
        reasons = [f"{name}: {why}" for name, why in list(bad.items())[:_NAMED]]
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        return Measurement(
            metric,
            n=len(expected),
            value=float(len(bad)) if expected else None,
            note="; ".join(reasons) + more,
            details={"expected": list(expected), "bad": dict(bad)},
        )


def _job(labels: Any) -> str:
    return str(labels.get("job", "")) if isinstance(labels, dict) else ""


def _down(job: str, targets: Sequence[Mapping[str, Any]] | None, series: Sequence[Mapping[str, Any]]) -> str:
    """Why a job is not up, "" when it is; targets are None where nobody can be asked for them."""
    its = [target for target in targets or () if _job(target.get("labels")) == job]
    if targets is not None and not its:
        return "no target"
    for target in its:
        if target.get("health") != "up":
            why = target.get("lastError") or f"health {target.get('health')}"
            return f"{target.get('scrapeUrl', '')}: {str(why)[:ERROR_CHARS]}"
    values = [sample(each.get("value")) for each in series if _job(each.get("metric")) == job]
    if not values:
        return "no series up"
    return "" if all(value == 1 for value in values) else "its series up is not 1"


def _no_number(data: Mapping[str, Any]) -> str:
    """Why the result of a query holds no finite number, "" when it holds one."""
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        samples = [sample(result)]
    elif kind == "vector" and isinstance(result, list):
        samples = [sample(each.get("value")) for each in result if isinstance(each, dict)]
    else:
        return f"its query gives a {kind}; accepted is a number for this moment"
    if any(math.isfinite(sample) for sample in samples):
        return ""
    return "no sample" if not samples else f"only {', '.join(sorted({str(s) for s in samples}))}"
