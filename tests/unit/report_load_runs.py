"""A load run of sixteen minutes, told record by record, for the tests of the report's load section."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from tests.unit.report_runs import START, Story

from rampgate.judging.threshold import parse
from rampgate.model.measurement import Histogram, Measurement
from rampgate.model.ramp import DEFAULT_RAMP, Ramp
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENDPOINTS = ("me", "overview", "patients", "clinical-notes")
WHOLE = "load/whole run"
PLATEAUS = tuple(f"load/plateau[{name}]" for name in ENDPOINTS)
COHORTS = ("load/cohort[on]", "load/cohort[off]")
PLAN = (*PLATEAUS, *COHORTS, WHOLE, "load/abort", "load/generator")
P95 = parse("p(95)<1000", metric="http_req_duration")
WORST = parse("p(95)>5000", metric="http_req_duration", bad=True)


def columns(ramp: Ramp = DEFAULT_RAMP, *, bad: Sequence[int] = ()) -> dict[str, list[Any]]:
    """Per-second columns of a healthy run along the ramp; a tenth fails in the bad seconds."""
    rng = random.Random(7)  # noqa: S311  # times, not secrets
    rows: dict[str, list[Any]] = {
        name: [] for name in ("n", "failures", "users", "ideal", "p50", "p95", "p99")
    }
    for second in range(math.ceil(ramp.duration)):
        ideal = ramp.users_at(second + 0.5)
        users = max(0, round(ideal + rng.uniform(-0.6, 0.4)))
        n = int(users * 3.9 + rng.uniform(-4, 4)) if users else 0
        n = max(0, n)
        slow = 6.0 if second in bad else 1.0
        middle = (12 + users / 12) * rng.uniform(0.93, 1.07)
        rows["n"].append(n)
        rows["failures"].append(round(0.1 * n) if second in bad else int(rng.random() < 0.04 and n > 0))
        rows["users"].append(users)
        rows["ideal"].append(round(ideal, 2))
        for name, factor in (("p50", 1.0), ("p95", 3.1), ("p99", 5.5)):
            value = middle * factor * rng.uniform(0.85, 1.2) * slow
            rows[name].append(round(value, 1) if n else None)
    return rows


def timeline(story: Story, ramp: Ramp = DEFAULT_RAMP, **of: Any) -> None:
    """The record of the run's seconds."""
    stages = [[end, stage.target] for end, stage in zip(ramp.ends, ramp.stages, strict=True)]
    story.journal.write("timeline", columns=columns(ramp, **of), stages=stages)


def failed(labels: dict[str, str], *, n: int = 9_000, failures: int = 12) -> Measurement:
    """Failures of these requests."""
    return Measurement(
        "http_req_failed",
        n=n,
        failures=failures,
        labels=labels,
        start=START,
        end=START + 300,
        details={
            "statuses": {"200": n - failures, "503": failures},
            "checks": {
                "status is 200": {"passed": n - failures, "failed": failures},
                "response time < 1000ms": {"passed": n - 20, "failed": 20},
            },
        },
    )


def duration(labels: dict[str, str], *, n: int = 9_000, slow: int = 20, middle: float = 18.0) -> Measurement:
    """Response times of these requests, some of them beyond a second."""
    rng = random.Random(str(labels))  # noqa: S311  # times, not secrets
    times = [rng.lognormvariate(math.log(middle), 0.5) for _ in range(n - slow)]
    times += [rng.uniform(1_050, 1_900) for _ in range(slow)]
    edges = {edge: count for edge, count in ((P95.edge, slow), (WORST.edge, 0)) if edge is not None}
    return Measurement(
        "http_req_duration",
        "ms",
        n=n,
        exceedances=edges,
        histogram=Histogram.of(times),
        labels=labels,
        start=START,
        end=START + 300,
        details={
            "median_ms": round(sorted(times)[n // 2], 3),
            "worst_ms": round(max(times), 3),
            "connects": 100,
            "connect_median_ms": 0.412,
        },
    )


def judged(story: Story, check: str, labels: dict[str, str], **of: Any) -> None:
    """Failures and times, held against the four thresholds of a load run."""
    counted = failed(labels, n=of.get("n", 9_000))
    for text, severity, bad in (
        ("rate<0.02", Severity.WARNING, False),
        ("rate>0.05", Severity.CRITICAL, True),
    ):
        story.judged(check, counted, text, severity=severity, bad=bad)
    timed = duration(labels, **of)
    story.judged(check, timed, P95.source)
    story.judged(check, timed, WORST.source, severity=Severity.CRITICAL, bad=True)


def sixteen_minutes(folder: Path, *, slow: str = "patients", bad: Sequence[int] = range(560, 575)) -> Story:
    """The whole profile in two cohorts; one endpoint is slow, and for some seconds a tenth fails."""
    story = Story(folder, PLAN, stage="load")
    for index, (name, check) in enumerate(zip(ENDPOINTS, PLATEAUS, strict=True)):
        of = {"slow": 700} if name == slow else {}
        judged(story, check, {"endpoint": name, "ramp_stage": "4: 100 users"}, middle=14.0 + 6 * index, **of)
        story.ended(check, "failed" if of else "passed")
    for check in COHORTS:
        judged(story, check, {"cohort": check[12:-1], "ramp_stage": "4: 100 users"}, n=18_000)
        story.ended(check)
    judged(story, WHOLE, {"ramp_stage": "whole run"}, n=40_000)
    story.ended(WHOLE)
    for stage, n in (("1: 0 to 10 users", 140), ("4: 100 users", 4_500)):
        for name in ENDPOINTS:
            for cohort in ("on", "off"):
                labels = {"endpoint": name, "cohort": cohort, "ramp_stage": stage}
                judged(story, "load/slices", labels, n=n, slow=350 * (name == slow and n > 1_000))
    story.judged(
        "load/abort",
        Measurement("abort_evidence", n=960, value=2.5, labels={"threshold": "rate<0.02"}),
        "abort_evidence < 10.38",
    )
    story.ended("load/abort")
    fares = {"cpu_percent": 4.1, "iterations": 53_000, "users_mean": 99.97, "users_ideal": 100.0}
    seen = Measurement("generator_wait", "%", n=1, value=0.7, labels={"process": "load-4711"}, details=fares)
    story.shown("load/generator", seen)
    story.ended("load/generator")
    timeline(story, bad=bad)
    story.end()
    return story
