from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.report_runs import Story

from rampgate.judging.verdict import decide, next_command
from rampgate.outcome import Decision
from rampgate.runs import journal

if TYPE_CHECKING:
    from pathlib import Path

A = "immediate/x::a"
SPREAD = "or with workers on more machines (docs/load.md)"
LOAD = ("load/plateau[one]", "load/whole run", "load/generator")


@pytest.mark.parametrize(
    ("ended", "stage", "typed", "says"),
    [
        (
            {"load/generator": ("undecided", "starved")},
            "load",
            [],
            f"rampgate load on a quieter machine, with --processes -1 (one per core), {SPREAD}",
        ),
        (
            {"load/generator": ("undecided", "starved")},
            "load",
            ["--processes=2"],
            f"rampgate load on a quieter machine, {SPREAD}",
        ),
        (
            {"load/generator": ("undecided", "starved")},
            "extended",
            [],
            "pytest -m extended on a quieter machine",
        ),
        (
            {"load/generator": ("undecided", "lost")},
            "load",
            [],
            "see in the lost worker's own output why it ended, then: rampgate load",
        ),
        (
            {"load/generator": ("undecided", "short")},
            "load",
            [],
            "more users under [load], then: rampgate load",
        ),
        (
            {"load/whole run": ("error", "nothing"), "load/generator": ("undecided", "nothing")},
            "load",
            [],
            "rampgate load --users 1 --duration 10s, where one user shows what keeps it from asking",
        ),
        ({"load/whole run": ("error", "")}, "load", [], "mend it, then: rampgate load"),
        (
            {"load/plateau[one]": ("undecided", "")},
            "load",
            [],
            "a longer plateau or more users under [load], then: rampgate load",
        ),
        ({"load/plateau[one]": ("failed", "")}, "load", [], "mend it, then: rampgate load"),
        (
            {"load/plateau[one]": ("failed", "")},
            "immediate",
            ["--demo-ready=x"],
            "mend it, then: rampgate demo",
        ),
    ],
)
def test_after_a_load_run_the_next_command_is_about_its_cause(
    tmp_path: Path, ended: dict[str, tuple[str, str]], stage: str, typed: list[str], says: str
) -> None:
    """What helps after a starved generator, a lost worker, silence or too few requests is not the same."""
    if stage != "load":
        before = Story(tmp_path, [A], stage=stage, invocation=["pytest", *typed])
        before.ended(A, "passed")
        before.end()
    story = Story(tmp_path, LOAD, stage="load", invocation=["locust", *typed])
    for check in LOAD:
        outcome, cause = ended.get(check, ("passed", ""))
        story.ended(check, outcome, cause=cause)
    story.end()
    verdict = decide(*journal.read(tmp_path))
    assert verdict.decision is Decision.HOLD
    assert next_command(verdict) == says


def test_after_an_interrupt_the_next_command_is_the_same_again(tmp_path: Path) -> None:
    """Whatever is undecided because somebody stopped the run is so for that reason."""
    story = Story(tmp_path, LOAD, stage="load", invocation=["locust"])
    for check in LOAD:
        story.ended(check, "undecided")
    story.end(2)
    assert next_command(decide(*journal.read(tmp_path))) == "rampgate load"


def test_a_load_run_that_fails_critically_is_followed_by_a_look_at_the_deployment(tmp_path: Path) -> None:
    """A dead target is first brought back, and then looked at without any load."""
    story = Story(tmp_path, LOAD, stage="load", invocation=["locust"])
    for check in LOAD:
        story.ended(check, "failed", severity="critical", cause="nothing")
    story.end()
    assert (
        next_command(decide(*journal.read(tmp_path))) == "roll the percentage back, then: pytest -m immediate"
    )
