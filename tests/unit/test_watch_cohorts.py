from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import FakeClock

from rampgate.config import watch_policy
from rampgate.config.loading import load
from rampgate.model.increments import COUNTERS
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision
from rampgate.watch.asked import Asked, Source
from rampgate.watch.cohorts import Finding
from rampgate.watch.engine import Engine
from rampgate.watch.finish import OBSERVED, RELEASE, cohorts_of, number_of_tests, plan_of
from rampgate.watch.rounds import Position
from rampgate.watch.session import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict
    from rampgate.watch.rounds import Round

SETTINGS = """
environment = "test"
[target]
api = "http://127.0.0.1:9"
[watch.thresholds]
errors = "error_rate < 2%"
[[metrics]]
name = "error_rate"
path = "/metrics.json"
each = "endpoints"
total = "requests"
failed = "failures"
cohort = "cohort"
endpoint = "endpoint"
votes = true
"""
AT_5 = Position(5.0, ("1.0",))


class Deployment:
    """A deployment whose counters rise a little at each reading, more of them failing with the feature.

    Args:
        folder: for its settings.
        on_failed: how many of 60 requests with the feature fail between two readings.
    """

    def __init__(self, folder: Path, on_failed: int = 0, settings: str = SETTINGS) -> None:
        (folder / "rampgate.toml").write_text(settings, encoding="utf-8")
        self.settings, self.redactor = load(folder / "rampgate.toml")
        self.policy = watch_policy.build(self.settings, folder)
        self.on_failed, self.reads = on_failed, 0
        self.engine = self.new_engine()

    def new_engine(self) -> Engine:
        """An engine that knows nothing yet."""
        return Engine(self.settings, self.policy, self.read, 2e-4)

    def read(self, _: object) -> list[Measurement]:
        """One reading."""
        self.reads += 1
        rises = {"on": (60, self.on_failed), "next": (240, 1), "later": (900, 4)}
        return [
            Measurement(
                "error_rate",
                labels={"cohort": cohort, "endpoint": "/patients"},
                details={
                    COUNTERS: {
                        "total": {"a": float(self.reads * n)},
                        "failed": {"a": float(self.reads * failed)},
                    }
                },
            )
            for cohort, (n, failed) in rises.items()
        ]

    def rounds(self, many: int, position: Position = AT_5, *, measuring: bool = False) -> list[Round]:
        """So many rounds, half a minute apart."""
        start = self.engine.at or 0.0
        return [
            self.engine.round(start + 30.0 * number, position, measuring=measuring)
            for number in range(1, many + 1)
        ]


def test_a_watch_finds_what_the_aggregate_hides(tmp_path: Path) -> None:
    """Errors of 10 % with the feature, 1 % in all, break no limit of all, and roll back by the cohorts."""
    deployment = Deployment(tmp_path, on_failed=6)
    found = deployment.rounds(240)
    said = [each.compared["error_rate"] for each in found if each.compared]
    assert [result.may_roll_back for result in said] == [False, True]
    assert deployment.engine.rolls_back()
    assert not any(rule.fired for rule in deployment.engine.rules.values())


def test_a_watch_goes_on_with_its_comparison(tmp_path: Path) -> None:
    """What a killed watch had compared is there in the next process."""
    deployment = Deployment(tmp_path, on_failed=6)
    deployment.rounds(20)
    before = deployment.engine
    deployment.engine = deployment.new_engine()
    deployment.engine.resume(before.to_json(), lambda _: [])
    assert deployment.engine.cohorts["error_rate"].result == before.cohorts["error_rate"].result
    assert deployment.engine.cohorts["error_rate"].totals.on == 19 * 60


def test_own_load_is_no_evidence(tmp_path: Path) -> None:
    """While we measure, and the source counts our requests with the others, nothing is compared."""
    deployment = Deployment(tmp_path, on_failed=60)
    deployment.rounds(100, measuring=True)
    assert deployment.engine.cohorts["error_rate"].totals.on == 0


def test_own_load_that_is_counted_apart_keeps_nothing_away(tmp_path: Path) -> None:
    """Where the source leaves our requests out, the comparison goes on while we measure."""
    deployment = Deployment(tmp_path, settings=f'{SETTINGS}own_traffic = "apart"\n')
    deployment.rounds(10, measuring=True)
    assert deployment.engine.cohorts["error_rate"].totals.on == 9 * 60


def test_a_higher_percentage_is_compared_anew(tmp_path: Path) -> None:
    """After a step no request of the step before is in the comparison."""
    deployment = Deployment(tmp_path, on_failed=6)
    deployment.rounds(30)
    assert deployment.engine.cohorts["error_rate"].result.finding is Finding.HARMS
    deployment.rounds(1, Position(25.0, ("1.0",)))
    assert deployment.engine.cohorts["error_rate"].totals.on == 0


def test_cohorts_are_in_the_plan_where_the_source_names_them(tmp_path: Path) -> None:
    """A rate by cohort adds a check that is not required, and two tests of chance."""
    deployment = Deployment(tmp_path)
    entries = deployment.engine.entries
    planned = {each.check: each.required for each in plan_of(entries, deployment.policy).checks}
    assert planned == {"watch/errors": True, cohorts_of("error_rate"): False, OBSERVED: True, RELEASE: True}
    assert number_of_tests(entries, deployment.policy) == 3


def test_a_release_that_was_rolled_back_for_harm_stays_so_in_the_next_watch(tmp_path: Path) -> None:
    """What a watch before has shown still rolls back, and is nothing new, also after a kill."""
    deployment = Deployment(tmp_path, on_failed=6)
    deployment.rounds(240)
    assert deployment.engine.rolls_back(anew=True)
    following = deployment.new_engine()
    following.cohorts.carry_over(json.loads(json.dumps(deployment.engine.to_json()))["cohorts"])
    killed = deployment.new_engine()
    killed.resume(json.loads(json.dumps(following.to_json())), lambda _: [])
    for engine in (following, killed):
        assert engine.rolls_back()
        assert not engine.rolls_back(anew=True)


def test_a_jump_of_the_clock_is_no_time_of_a_block(tmp_path: Path) -> None:
    """An hour by which the clock is set makes no block complete."""
    deployment = Deployment(tmp_path, on_failed=6)
    deployment.rounds(10)
    before = deployment.engine.cohorts["error_rate"].to_json()["tests"][0]["seconds"]
    deployment.engine.jumped(3600.0, 3900.0)
    deployment.engine.at = 3900.0
    deployment.rounds(3)
    assert deployment.engine.cohorts["error_rate"].to_json()["tests"][0]["seconds"] - before <= 60.0


def watched(deployment: Deployment, folder: Path, rounds: int) -> Verdict:
    """What a watch of so many rounds, half a minute apart, comes to."""
    clock = FakeClock()
    source = Source(deployment.read, lambda: AT_5)
    settings = deployment.settings.model_copy(update={"reports": folder / "reports"})
    with Watch(settings, deployment.redactor, folder, source, Asked(0), clock) as watch:
        while rounds and not watch.rolls_back:
            watch.round()
            clock.sleep(30.0)
            rounds -= 1
        return watch.end()


@pytest.mark.parametrize(
    ("on_failed", "rounds", "decision"),
    [(0, 20, Decision.PROMOTE), (6, 20, Decision.HOLD), (6, 240, Decision.ROLLBACK)],
)
def test_harm_is_in_the_verdict_and_undecided_is_not(
    tmp_path: Path, on_failed: int, rounds: int, decision: Decision
) -> None:
    """Undecided cohorts change no verdict, their split holds, and paired betting rolls back."""
    verdict = watched(Deployment(tmp_path, on_failed), tmp_path, rounds)
    result = next(each for each in verdict.checks if each.check == cohorts_of("error_rate"))
    assert verdict.decision is decision
    assert "votes failed" in result.message
    assert [seen.labels["cohort"] for seen in result.shown] == ["on", "off"]
