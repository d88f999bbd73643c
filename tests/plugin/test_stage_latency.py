"""API latency in a stage: several endpoints, one look at all of them, one finding a cause."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import ITEMS, SETTINGS, Deployment, Project

if TYPE_CHECKING:
    from pathlib import Path

MORE = """
[[endpoints]]
name = "again"
path = "/api/again"
body = "@"
sign_in = false
"""
AGAIN = ITEMS.replace("[items]", "[again]")
STARVED = """
from rampgate.checks.latency.open_model import OpenModel

OpenModel.held_up = lambda _: 0.23
"""


@pytest.fixture
def two(tmp_path: Path, deployment: Deployment) -> Project:
    """A project with two endpoints."""
    settings = SETTINGS.format(api=deployment.url).replace("max_rate = 190", "max_rate = 380")
    return Project(tmp_path, settings + MORE)


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_all_endpoints_are_asked_once_and_in_turn(
    two: Project, deployment: Deployment, workers: list[str]
) -> None:
    """Whichever process comes first asks for all; each check judges its own endpoint."""
    ran = two.run("-m", "immediate", *workers)
    assert ran.code == 0, ran.told
    assert "PROMOTE  immediate (a rehearsal): " in ran.told
    assert (ran.outcomes[ITEMS], ran.outcomes[AGAIN]) == ("passed", "passed")
    asked = [path.rpartition("/")[2] for path in deployment.asked if path.startswith("/api/")]
    assert asked.count("items") == pytest.approx(asked.count("again"), abs=1)
    quarter = asked[: len(asked) // 4]  # a connection may take its time to be made
    assert quarter.count("items") == pytest.approx(len(quarter) / 2, rel=0.5)
    measured = {(metric, n) for check, metric, *_, n in _numbers(ran.verdict) if check in {ITEMS, AGAIN}}
    assert {n for metric, n in measured if metric == "error_rate"} <= set(range(180, 1000))


def _numbers(verdict: dict[str, object]) -> list[tuple[str, str, int]]:
    checks: list[dict[str, object]] = verdict["checks"]  # type: ignore[assignment]  # JSON
    return [
        (str(check["check"]), each["metric"], each["n"])
        for check in checks
        for each in check["judgements"]  # type: ignore[attr-defined]  # JSON
    ]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_starved_probe_holds_once(two: Project, workers: list[str]) -> None:
    """One cause, whatever the number of endpoints, with what to do; nothing is said of the target."""
    two.write("conftest.py", STARVED)
    ran = two.run("-m", "immediate", *workers)
    assert ran.code == 10, ran.told
    (reason,) = ran.verdict["reasons"]
    assert "undecided: the probe was starved (it waited 23 % of the time for a processor" in reason
    assert ran.verdict["next"].endswith(" on a quieter machine")


def test_a_pace_that_cannot_decide_is_refused_before_anything_is_asked(
    two: Project, deployment: Deployment
) -> None:
    """With the figure that is needed."""
    settings = (two.folder / "rampgate.toml").read_text(encoding="utf-8")
    two.write("rampgate.toml", settings.replace("pace = 190", "pace = 2"))
    ran = two.run_here("-m", "immediate")
    assert ran.code == 4
    assert "cannot decide error_rate > 5%, which needs 182; accepted is at least pace = 36.4" in ran.told
    assert deployment.asked == []


def test_what_was_measured_before_an_interrupt_is_judged(two: Project, deployment: Deployment) -> None:
    """Ctrl-C while one endpoint does not answer: each is judged by what it answered until then."""
    settings = (two.folder / "rampgate.toml").read_text(encoding="utf-8")
    two.write("rampgate.toml", re.sub(r'look = "1s"', 'look = "20s"', settings))
    with two.started("-m", "immediate") as process:
        while deployment.asked.count("/api/items") < 60:
            assert process.poll() is None
        deployment.go_on.clear()
        assert deployment.stalled.wait(60)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    numbers = _numbers(two.verdict)
    for name in (ITEMS, AGAIN):
        judged = [n for check, metric, n in numbers if check == name and metric == "error_rate"]
        assert judged, name
        assert min(judged) >= 30
