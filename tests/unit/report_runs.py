"""Runs told record by record, through the real journal, for the tests of the reports."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.unit.fakes import FakeClock

from rampgate.evidence.journal import Journal
from rampgate.judging.threshold import parse
from rampgate.model.measurement import Histogram, Measurement
from rampgate.model.redact import Redactor
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START = 1_790_000_000.0
P95 = parse("api_response_time_p95 < 500ms")
LOAD_EDGE = parse("p(95)<1000", metric="http_req_duration").edge or 0.0


class Story:
    """Writes one process's journal.

    Args:
        folder: the run's folder.
        plan: the required checks of the plan.
        optional: its other checks.
        stage: of the header.
        header: more of the header, or other than usual; ``start``: when it begins, seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path,
        plan: Sequence[str],
        *,
        optional: Sequence[str] = (),
        stage: str = "immediate",
        **header: Any,
    ) -> None:
        self.clock = FakeClock(header.pop("start", START))
        self.journal = Journal(folder, f"{stage}-1", Redactor(), self.clock)
        self.tests = 32
        self._write(
            "header",
            **{
                "run": "20260921T143320Z-0a1b",
                "stage": stage,
                "tool": {"rampgate": "0.1.0", "python": "3.11.7"},
                "platform": "Linux-6.1-x86_64",
                "invocation": ["pytest", "-m", stage],
                "target": {"name": "demo", "web": "http://127.0.0.1:3000", "api": "http://127.0.0.1:5000"},
                "release": {"environment": "production", "version": "1.4.0", "percentage": 25},
                "settings": {"login": {"email": "a@example.test", "password": "***"}},
                "chance": {
                    "false_fail_per_run": 1e-3,
                    "tests": self.tests,
                    "alpha_fail": 1e-3 / self.tests,
                    "alpha_pass": 1e-3,
                },
                "plan": [{"check": check, "required": check in plan} for check in (*plan, *optional)],
                "not_configured": [],
                **header,
            },
        )

    def _write(self, kind: str, **fields: Any) -> str:
        """One record, a quarter of a second after the last."""
        self.clock.time += 0.25
        return self.journal.write(kind, **fields)

    def judged(
        self,
        check: str,
        seen: Measurement,
        *thresholds: str,
        severity: Severity = Severity.WARNING,
        remarks: dict[str, Any] | None = None,
        **of: Any,
    ) -> None:
        """A measurement, held against thresholds."""
        key = self._write("measurement", check=check, measurement=seen.to_json())
        for source in thresholds:
            threshold = parse(source, metric=seen.metric, severity=severity, **of)
            self._write(
                "judgement",
                check=check,
                measurement=key,
                threshold=threshold.to_json(),
                alpha_fail=1e-3 / self.tests,
                alpha_pass=1e-3,
                looks=1,
                outcome="a remark",
                sentence="a remark",
                **(remarks or {}),
            )

    def shown(self, check: str, seen: Measurement) -> None:
        """A measurement that nothing is held against."""
        self._write("measurement", check=check, measurement=seen.to_json(), shown=True)

    def looked(self, check: str, seen: Measurement) -> None:
        """A look before the last one."""
        self._write("measurement", check=check, measurement=seen.to_json())

    def ended(
        self, check: str, outcome: str | None = "passed", message: str = "", seconds: float = 1.5, **more: Any
    ) -> None:
        """The check's own end."""
        self._write("check", check=check, outcome=outcome, message=message, seconds=seconds, **more)

    def event(self, text: str) -> None:
        """Something that a reader must know."""
        self._write("event", text=text)

    def end(self, status: int = 0) -> None:
        """The process came to its end."""
        self._write("end", status=status)
        self.journal.close()


def latency(
    endpoint: str = "patients", *, n: int = 200, slow: int = 0, seed: int = 1, **more: Any
) -> Measurement:
    """Response times around 12 ms, some of them beyond 500 ms."""
    rng = random.Random(seed)  # noqa: S311 - times, not secrets
    times = [rng.lognormvariate(2.4, 0.3) for _ in range(n - slow)]
    times += [rng.uniform(510, 900) for _ in range(slow)]
    edges = {edge: slow for edge in (P95.edge, 5000.0) if edge is not None}
    edges[5000.0] = 0
    fields: dict[str, Any] = {
        "n": n,
        "exceedances": edges,
        "histogram": Histogram.of(times),
        "labels": {"endpoint": endpoint},
        "start": START,
        "end": START + 2.5,
        "details": {
            "median_ms": round(sorted(times)[n // 2], 3),
            "worst_ms": round(max(times), 3),
            "cold_start": {"n": 20, "median_ms": 31.0, "worst_ms": 88.5},
        },
    }
    return Measurement("api_response_time", "ms", **{**fields, **more})


def errors(endpoint: str = "patients", *, n: int = 3_000, failures: int = 0, **more: Any) -> Measurement:
    """A count of failed requests."""
    fields: dict[str, Any] = {
        "n": n,
        "failures": failures,
        "labels": {"endpoint": endpoint},
        "start": START,
        "end": START + 2.5,
        "details": {
            "statuses": {"200": n - failures, **({"500": failures} if failures else {})},
            **({"errors": ["HTTP 500"]} if failures else {}),
        },
    }
    return Measurement("error_rate", **{**fields, **more})


def scores(*values: float, page: str = "signin") -> Measurement:
    """Lighthouse performance."""
    return Measurement(
        "lighthouse_performance_score",
        "score",
        n=len(values),
        values=tuple(values),
        labels={"page": page, "form_factor": "mobile"},
        start=START,
        end=START + 30,
        details={
            f"run {number}": {
                "score": value,
                "seconds": 9.5,
                "benchmarkIndex": 1500 + number,
                "finalDisplayedUrl": f"http://127.0.0.1:3000/{page}",
                "file": f"lighthouse/{page}-mobile-run-{number}.json",
            }
            for number, value in enumerate(values, 1)
        },
    )


UP = "immediate/reach::service_answers[web]"
FAST = "immediate/latency::endpoint_is_fast[patients]"
RIGHT = "immediate/latency::endpoint_answers[patients]"
LIGHT = "immediate/pages::page_is_light[signin]"
REDIS = "immediate/stores::redis_answers"
PLAN = (UP, FAST, RIGHT, LIGHT, REDIS)


def up(value: float = 1.0, **more: Any) -> Measurement:
    """Whether the web server answers its health address."""
    attempts = [
        {"at_s": 0.0, "status": None, "error": "ConnectError: refused", "ms": 0.4},
        {"at_s": 0.5, "status": 200, "error": "", "ms": 3.1},
    ]
    fields: dict[str, Any] = {
        "n": 2,
        "value": value,
        "labels": {"service": "web"},
        "details": {"attempts": attempts},
    }
    return Measurement("up", **{**fields, **more})


def promoted(folder: Path) -> Story:
    """A run in which everything passed."""
    story = Story(folder, PLAN)
    story.judged(UP, up(), "up == 1", severity=Severity.CRITICAL)
    story.shown(UP, Measurement("time_to_healthy", "s", n=2, value=0.53, labels={"service": "web"}))
    story.ended(UP)
    story.judged(FAST, latency(), P95.source)
    story.judged(FAST, latency(), "api_response_time_p95 > 5000ms", severity=Severity.CRITICAL, bad=True)
    story.ended(FAST)
    story.judged(RIGHT, errors(), "error_rate < 2%")
    story.ended(RIGHT)
    story.judged(LIGHT, scores(97, 96, 97), "lighthouse_performance_score >= 85")
    story.ended(LIGHT, seconds=31.0)
    story.shown(REDIS, Measurement("redis_up", value=1.0, n=1))
    story.ended(REDIS)
    story.end()
    return story


def mixed(folder: Path) -> Story:
    """A run with one check of every outcome, a note and something not configured."""
    plan = (*PLAN, "immediate/flags::flag_is_sticky", "immediate/version::one_version_answers")
    story = Story(folder, plan, not_configured=["mongodb"])
    story.judged(UP, up(), "up == 1", severity=Severity.CRITICAL)
    story.ended(UP)
    story.looked(FAST, latency(slow=8))
    story.judged(FAST, latency(n=2_000, slow=220), P95.source)
    story.ended(FAST, "failed", seconds=12.25)
    story.judged(RIGHT, errors(n=400, failures=7), "error_rate < 2%")
    story.judged(
        RIGHT, errors("notes", n=400, failures=60), "error_rate > 5%", severity=Severity.CRITICAL, bad=True
    )
    story.ended(RIGHT, "failed")
    story.ended(LIGHT, "error", "ProbeError: page signin (mobile, run 2): no performance score")
    story.ended(REDIS, "skipped", "skipped because the API does not answer")
    story.ended(plan[5], "passed")
    story.event("the time budget of 15 min ran out; the slowest was endpoint_is_fast[patients]")
    story.end(1)
    return story


STEADY = "load/steady"


def loaded(folder: Path) -> Story:
    """A run under load: two endpoints in two cohorts over the plateau, and one cell that is only shown."""
    story = Story(folder, [STEADY], stage="load")
    for number, endpoint in enumerate(("patients", "dashboard")):
        for cohort, slow in (("on", 60 * number), ("off", 0)):
            labels = {"endpoint": endpoint, "cohort": cohort}
            seen = errors(endpoint, n=3_000, failures=4 * number, labels=labels)
            story.judged(STEADY, replace(seen, metric="http_req_failed"), "rate<0.02", name="failures")
            times = latency(endpoint, n=3_000, slow=slow, seed=number, labels=labels)
            times = replace(times, metric="http_req_duration", exceedances={LOAD_EDGE: 0})
            story.judged(STEADY, times, "p(95)<1000")
    alone = {"endpoint": "patients", "cohort": "on", "ramp_stage": "2"}
    story.shown(STEADY, replace(latency(n=40, labels=alone), metric="http_req_duration"))
    story.ended(STEADY)
    story.end()
    return story


def versions(folder: Path) -> Story:
    """A run that found two versions answering, after a stretch of patience."""
    check = "immediate/version::one_version_answers"
    story = Story(folder, [check])
    seen = Measurement(
        "wrong_version",
        n=50,
        value=13.0,
        labels={"service": "api"},
        start=START,
        end=START + 1,
        note="13 of 50 answered as another version than 1.4.0: 1.3.9",
        details={
            "expected": "1.4.0",
            "versions": {"1.3.9": {"a1": 13}, "1.4.0": {"b1": 20, "b2": 17}},
            "unanswered": 0,
        },
    )
    story.judged(check, seen, "wrong_version == 0")
    story.ended(check, "failed")
    story.end(1)
    return story
