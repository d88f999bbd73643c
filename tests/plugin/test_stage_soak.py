"""The watch inside the extended stage: a process of the run, which three checks wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.plugin.soaking import records, reporting, soaked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugin.soaking import Reporting

CHECKS = {
    "extended/performance::performance_stays",
    "extended/error_rate::error_rate_stays",
    "extended/feedback::feedback_stays",
}


@pytest.fixture
def reported() -> Iterator[Reporting]:
    """A healthy deployment that a test may break."""
    with reporting() as deployment:
        yield deployment


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_one_watch_is_part_of_the_stage(
    tmp_path: Path, reported: Reporting, workers: tuple[str, ...]
) -> None:
    """Begun once, under xdist too; its rules are checks of the run, and three checks show what it read."""
    project = soaked(tmp_path, reported.url)
    ran = project.run("-m", "extended", *workers)
    assert ran.code == 0, ran.told
    assert ran.verdict["stages"] == ["extended", "watch"]
    assert {check for check in ran.outcomes if check.startswith("extended/")} == CHECKS
    assert {"watch/few_errors", "watch/still_fast", "watch/observed"} <= set(ran.outcomes)
    assert set(ran.outcomes.values()) == {"passed"}
    (header,) = (each for each in records(project.latest, "header") if each["stage"] == "watch")
    assert header["within"] == "extended"
    shown = {c["check"]: {s["metric"] for s in c["shown"]} for c in ran.verdict["checks"]}
    assert [shown[check] for check in sorted(CHECKS)] == [
        {"error_rate"},
        {"user_feedback_score"},
        {"web_vitals_lcp"},
    ]
