"""What a stage has measured beside what the newest predeploy run has measured of the same."""

from __future__ import annotations

from typing import Any

import pytest

from rampgate.config.settings import Settings
from rampgate.evidence.baseline import Baseline
from rampgate.evidence.before import BEFORE, beside
from rampgate.model.measurement import Histogram, Measurement

SETTINGS = Settings.model_validate({"endpoints": [{"name": "patients", "path": "/api/patients?limit=20"}]})
PATIENTS = {"endpoint": "patients"}
LATER = {"endpoint": "/api/patients"}


def compared(before: list[Measurement], after: Measurement) -> dict[str, Any] | None:
    """What stands beside it."""
    (found,) = beside([after], Baseline("run-1", 1.0, tuple(before)), SETTINGS)
    said: dict[str, Any] | None = found.details.get(BEFORE)
    return said


def times(*ms: float) -> Measurement:
    """Times of an endpoint before."""
    return Measurement("api_response_time", "ms", n=len(ms), histogram=Histogram.of(ms), labels=PATIENTS)


@pytest.mark.parametrize(("failures", "difference"), [(6, "within noise"), (90, "beyond noise")])
def test_a_rate_is_compared_endpoint_by_endpoint(failures: int, difference: str) -> None:
    """An endpoint is found by its path, without the query that the gate asks with."""
    before = Measurement("error_rate", n=1000, failures=5, labels=PATIENTS)
    found = compared([before], Measurement("error_rate", n=1000, failures=failures, labels=LATER))
    assert found is not None
    assert (found["difference"], found["value"], found["run"]) == (difference, 0.005, "run-1")


def test_another_mix_of_requests_is_not_compared() -> None:
    """All requests of users are no sample of what the gate asked before."""
    before = Measurement("error_rate", n=1000, failures=5, labels=PATIENTS)
    found = compared([before], Measurement("error_rate", n=1000, failures=500))
    assert found is not None
    assert found["difference"] == "cannot be said"


@pytest.mark.parametrize(("slow", "difference"), [(70, "within noise"), (300, "beyond noise")])
def test_times_are_compared_by_how_many_are_slow(slow: int, difference: str) -> None:
    """At the edge of a bucket that is nearest to the p95 before."""
    before = times(*[20.0] * 940, *[120.0] * 60)
    after = Measurement(
        "api_response_time", "ms", n=1000, exceedances={10.0: 999, 100.0: slow, 5000.0: 0}, labels=LATER
    )
    found = compared([before], after)
    assert found is not None
    assert found["difference"] == difference
    assert "over 100 ms" in found["why"]


@pytest.mark.parametrize(
    ("pages", "difference"), [(["start", "list"], "beyond noise"), (["start"], "cannot be said")]
)
def test_scores_of_other_pages_are_not_compared(pages: list[str], difference: str) -> None:
    """Of several pages the worst, where they are the same ones."""
    before = [
        Measurement("lighthouse_performance_score", values=values, labels={"page": page})
        for page, values in (("start", (99.0, 98.0, 97.0)), ("list", (90.0, 91.0, 92.0)))
    ]
    after = Measurement(
        "lighthouse_performance_score", value=60.0, values=(60.0, 61.0), details={"pages": pages}
    )
    found = compared(before, after)
    assert found is not None
    assert (found["difference"], found["value"]) == (difference, 91.0)


def test_a_value_without_counts_is_shown_and_not_compared() -> None:
    """One number says nothing of its noise; what was not measured before is not named."""
    before = Measurement("web_vitals_lcp", "ms", n=40, value=900.0)
    found = compared([before], Measurement("web_vitals_lcp", "ms", value=1500.0, note="read 3 times"))
    assert found is not None
    assert (found["value"], found["difference"]) == (900.0, "cannot be said")
    assert compared([before], Measurement("web_vitals_cls", value=0.1)) is None
    assert beside([before], None, SETTINGS) == [before]
