from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import load_runs

from rampgate.config import policy
from rampgate.config.settings import Settings
from rampgate.evidence.chance import FALSE_FAIL_PER_RUN
from rampgate.load.abort_monitors import FRESH_S, GRACE_S, AbortMonitors, chains, monitored
from rampgate.load.plan import prepare
from rampgate.load.seconds import Second
from rampgate.model.always_valid import AlwaysValidTest
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.config.policy import Policy

N = 200
"""Requests of a second in these tests."""
WARNING, CRITICAL = "http_req_failed: rate<0.02", "critical: rate>0.05"
SLOW, SLOWER = "http_req_duration: p(95)<1000", "critical: p(95)>5000"


def rules(**thresholds: list[str]) -> Policy:
    """The rules of a load run; without thresholds the default ones."""
    told = {"load": {"thresholds": thresholds}} if thresholds else {}
    return policy.load_rules(Settings.model_validate(told))


def watches(*counts: int) -> AbortMonitors:
    """The default watches after seconds with so many failing, quick requests."""
    made = AbortMonitors(rules(), 2.5e-4)
    edges = [threshold.edge for threshold in monitored(rules()) if threshold.edge is not None]
    for number, failing in enumerate(counts):
        made.add(
            Second(number, N, failing, N, dict.fromkeys(edges, failing), 1, 1.0, None, None, None),
        )
    return made


def names(found: Policy) -> list[list[str]]:
    """The names of the thresholds of each chain."""
    return [[threshold.name for threshold in chain] for chain in chains(monitored(found))]


def test_thresholds_of_one_quantity_are_one_chain() -> None:
    """The four default limits are two tests: failures, and slow requests, from the tightest on."""
    assert names(rules()) == [[SLOW, SLOWER], [WARNING, CRITICAL]]


def test_thresholds_that_are_not_nested_are_tests_of_their_own() -> None:
    """A p99 of 2 s may be broken while a p95 of 1 s is kept, and the other way round; p99 of 6 s may too."""
    several = ["p(95)<1000", "p(99)<2000", "p(99)<500", "p(99)<6000"]
    found = names(rules(http_req_duration=several, http_req_failed=[]))
    of = "http_req_duration: p(99)<"
    assert found == [[f"{of}500", SLOW, SLOWER], [f"{of}2000", f"{of}6000"], [CRITICAL]]


@given(st.lists(st.one_of(st.integers(0, 60), st.integers(0, N)), max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_looser_limit_is_broken_only_where_the_tighter_is(counts: list[int]) -> None:
    """After any history: what is reported of the looser is within the tighter's, and fired means enough."""
    for tighter, looser in ((WARNING, CRITICAL), (SLOW, SLOWER)):
        tight, loose = (watches(*counts).of[name] for name in (tighter, looser))
        assert loose.log_evidence <= tight.log_evidence
        assert (loose.fired_at is not None) == (loose.log_evidence >= loose.threshold)
        if loose.fired_at is not None:
            assert tight.fired_at is not None
            assert tight.fired_at <= loose.fired_at


def test_without_the_tighter_one_the_looser_does_not_fire() -> None:
    """Evidence of its own is not enough; once the tighter has fired, it is."""
    tight = AlwaysValidTest(0.02, 0.01)
    loose, alone = AlwaysValidTest(0.05, 0.01, tighter=tight), AlwaysValidTest(0.05, 0.01)
    for second in range(10):
        loose.add(second, N, N)
        alone.add(second, N, N)
    assert alone.fired_at is not None
    assert (loose.fired_at, loose.log_evidence) == (None, 0.0)
    for second in range(10, 20):
        tight.add(second, N, N)
        loose.add(second, 0, N)
    assert tight.fired_at is not None
    assert loose.fired_at == tight.fired_at


def test_the_watches_of_a_run_are_chained() -> None:
    """Restless seconds use up the warning's stakes: the critical limit, sooner sure, waits for it."""
    restless = [9, 0, 0] * 60
    seen, alone = watches(*restless, *[N] * 10), AlwaysValidTest(0.05, 2.5e-4)
    for second, failing in enumerate([*restless, *[N] * 10]):
        alone.add(second, failing, N)
    warned, broken = seen.of[WARNING].fired_at, seen.of[CRITICAL].fired_at
    assert alone.fired_at is not None
    assert warned is not None
    assert alone.fired_at < warned == broken


def test_a_chain_fires_as_rarely_as_one_of_its_limits() -> None:
    """Over all paths of eight seconds: at 2 % anything fires, and at 5 % the looser, as rarely as alpha."""
    alpha = 0.2
    for chances, which in (({0: 0.6, 10: 0.4}, 0), ({0: 0.5, 20: 0.5}, 1)):
        assert sum(count * chance for count, chance in chances.items()) <= (0.02, 0.05)[which] * N + 1e-9
        fired = 0.0
        for path in itertools.product(chances, repeat=8):
            chain = [AlwaysValidTest(0.02, alpha)]
            chain.append(AlwaysValidTest(0.05, alpha, tighter=chain[0]))
            for second, failing in enumerate(path):
                for watch in chain:
                    watch.add(second, failing, N)
            wrong = chain if which == 0 else chain[1:]
            weight = math.prod(chances[failing] for failing in path)
            fired += weight * any(watch.fired_at is not None for watch in wrong)
        assert 0 < fired <= alpha


@pytest.mark.parametrize(("limit", "alpha"), [(0.06, 0.01), (0.05, 0.02)])
def test_a_tighter_watch_that_is_none_is_refused(limit: float, alpha: float) -> None:
    """Of a higher limit, or another alpha, the proof would not hold."""
    with pytest.raises(ValueError, match="tighter"):
        AlwaysValidTest(0.05, 0.01, tighter=AlwaysValidTest(limit, alpha))


def test_a_dead_target_is_told_from_a_bad_one() -> None:
    """All requests fail: the warning shows first, and the run goes on until the critical limit does."""
    seen = watches(*[1] * 100, *[N] * 10)
    warned, broken = seen.of[WARNING].fired_at, seen.of[CRITICAL].fired_at
    assert warned is not None
    assert broken is not None
    assert seen.stop in {(CRITICAL, broken), (SLOWER, broken)}
    assert warned < broken <= warned + GRACE_S


def test_a_spike_that_is_twice_the_critical_limit_is_given_its_time() -> None:
    """10 % in each second: the warning shows first, and the critical limit within the grace."""
    seen = watches(*[1] * 100, *[20] * 40)
    warned = seen.of[WARNING].fired_at
    assert warned is not None
    assert seen.stop is not None
    assert seen.stop[0].startswith("critical")
    assert warned < seen.stop[1] <= warned + GRACE_S


def test_a_spike_that_is_no_more_than_the_critical_limit_ends_the_run_at_once() -> None:
    """5 % has nothing to say against a limit of 5 %."""
    counts = [1] * 100 + [10] * 40
    at = watches(*counts).of[WARNING].fired_at
    assert at is not None
    assert watches(*counts[: at + 1]).stop == (WARNING, at)


def test_a_little_evidence_is_not_waited_for() -> None:
    """5.5 % gains against a limit of 5 %, but next to nothing by the time that the warning shows."""
    counts = [1] * 100 + [16] + [11] * 40
    at = watches(*counts).of[WARNING].fired_at
    assert at is not None
    seen = watches(*counts[: at + 1])
    assert seen.of[CRITICAL].log_evidence > 0
    assert seen.stop == (WARNING, at)


def test_a_spike_that_ends_within_the_grace_holds() -> None:
    """Exactly 5 % once the warning has shown: the critical limit gains nothing more, and the run holds."""
    warned = watches(*[1] * 100, *[20] * 40).of[WARNING].fired_at
    assert warned is not None
    counts = [1] * 100 + [20] * (warned - 99)
    assert watches(*counts, *[10] * (FRESH_S - 1)).stop is None
    assert watches(*counts, *[10] * FRESH_S).stop == (WARNING, warned)


def test_the_grace_ends() -> None:
    """6 % after the warning is a little more evidence each second, too little in ten: the run holds."""
    warned = watches(*[1] * 100, *[20] * 40).of[WARNING].fired_at
    assert warned is not None
    counts = [1] * 100 + [20] * (warned - 99)
    assert watches(*counts, *[12] * (GRACE_S - 1)).stop is None
    assert watches(*counts, *[12] * GRACE_S).stop == (WARNING, warned)


LOADS: list[dict[str, Any]] = [
    {},
    {"abort": "off"},
    {"abort": "report"},
    {"plateau": 600, "time_scale": 2},
    {"thresholds": {"http_req_duration": ["p(95)<1000", "p(99)<2000", "p(50)<100"]}},
    {"thresholds": {"http_req_failed": [{"expect": "rate<0.02", "abort": False}]}},
]


@pytest.mark.parametrize("told", LOADS)
def test_all_tests_together_keep_the_budget(tmp_path: Path, told: dict[str, Any]) -> None:
    """Cells and watches together fail a healthy run once in 1,000, whatever is configured."""
    setup = prepare(load_runs.settings(tmp_path, load=told), Redactor())
    cells, abort = setup.tests * setup.alpha_fail, setup.abort_tests * setup.alpha_abort
    assert cells + abort == pytest.approx(FALSE_FAIL_PER_RUN)
    assert abort == pytest.approx(0 if told.get("abort") == "off" else FALSE_FAIL_PER_RUN / 2)
    # What the watches really use, each chain once: rounded up, the threshold makes it less.
    watches = AbortMonitors(setup.policy, setup.alpha_abort)
    chances = [math.exp(-watches.of[chain[0].name].threshold) for chain in chains(monitored(setup.policy))]
    assert sum(chances) <= FALSE_FAIL_PER_RUN / 2 * len(chances) / max(1, setup.abort_tests)
