from __future__ import annotations

import json
import multiprocessing
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import FakeClock

from rampgate.config import policy
from rampgate.config.settings import Settings
from rampgate.evidence import journal
from rampgate.evidence.journal import Journal
from rampgate.evidence.run import Expect, Run
from rampgate.judging import verdict
from rampgate.judging.threshold import parse
from rampgate.model.measurement import Measurement
from rampgate.model.redact import Redactor
from rampgate.outcome import Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Record = dict[str, Any]


def started(folder: Path, process: str = "main-1", *secrets: str, **more: Any) -> Run:
    """A run of the immediate stage with the thresholds that are in force without settings."""
    settings = more.pop("settings", Settings())
    clock = FakeClock()
    return Run(
        id="run-1",
        folder=folder,
        stage="immediate",
        settings=settings,
        policy=policy.build(settings),
        journal=Journal(folder, process, Redactor(secrets), clock, more.pop("invocation", "")),
        clock=clock,
        alpha_fail=1e-4,
        deadline=more.pop("deadline", 10_000.0),
        **more,
    )


def records(folder: Path, kind: str) -> list[Record]:
    """The records of one type."""
    return [record for record in journal.read(folder)[0] if record["type"] == kind]


class Endpoint:
    """A sampler whose share of failures is known; the clock moves a second with each look."""

    def __init__(self, clock: FakeClock, *rates: float) -> None:
        self.rates = list(rates)
        self.sizes: list[int] = []
        self._clock = clock

    def measure(self, n: int) -> Sequence[Measurement]:
        """Failures at the rate of this look."""
        self.sizes.append(n)
        self._clock.sleep(1)
        rate = self.rates.pop(0) if len(self.rates) > 1 else self.rates[0]
        return [Measurement("error_rate", n=n, failures=round(rate * n), labels={"endpoint": "items"})]


SIZES = (200, 300, 500, 1000)


def test_times_come_from_the_clock_of_the_run(tmp_path: Path) -> None:
    """A measurement that does not say when it was made has the time of its looks, else of its check."""
    run, clock = started(tmp_path), FakeClock()
    run.clock, begun = clock, clock.now()
    expect = Expect(run, "endpoints::one")
    run.clock.sleep(1)
    expect.sequentially(Endpoint(clock, 0.02), SIZES[:2])
    expect(Measurement("error_rate", n=100, failures=0))
    expect(Measurement("error_rate", n=100, failures=0, start=7.0, end=8.0))
    look = run.once("reachable-api", lambda: Measurement("up", value=1.0, n=1))
    times = [record["measurement"] for record in records(tmp_path, "measurement")]
    spans = [(found["start"] - begun, found["end"] - begun) for found in times]
    assert spans[-4:] == [(1, 3), (0, 3), (7 - begun, 8 - begun), (3, 3)]
    assert (look.start, look.end) == (begun + 3, begun + 3)


@pytest.mark.parametrize(
    ("rates", "looks", "outcome"),
    [
        ([0.0], 2, Outcome.PASSED),
        ([0.5], 1, Outcome.FAILED),
        ([0.01], 4, Outcome.UNDECIDED),
        ([0.035], 4, Outcome.FAILED),
        ([0.02, 0.5], 2, Outcome.FAILED),
    ],
)
def test_it_looks_on_while_undecided(
    tmp_path: Path, rates: list[float], looks: int, outcome: Outcome
) -> None:
    """It stops as soon as all is decided or a critical limit is broken, at the latest after the last look."""
    run = started(tmp_path)
    expect = Expect(run, "a")
    endpoint = Endpoint(run.clock, *rates)  # type: ignore[arg-type]  # it is the fake one
    expect.sequentially(endpoint, SIZES)
    assert endpoint.sizes == list(SIZES[:looks])
    assert expect.outcome is outcome


def test_the_alphas_are_split_over_the_looks_that_might_be(tmp_path: Path) -> None:
    """Looking four times does not make chance four times as dangerous; stopping early gives nothing back."""
    run = started(tmp_path)
    Expect(run, "a").sequentially(Endpoint(run.clock, 0.5), SIZES)  # type: ignore[arg-type]  # it is the fake one
    Expect(run, "b").sequentially(Endpoint(run.clock, 0.5), SIZES[:1])  # type: ignore[arg-type]  # as above
    told = {
        (r["check"], r["looks"], r["alpha_fail"], r["alpha_pass"]) for r in records(tmp_path, "judgement")
    }
    assert told == {("a", 4, 1e-4, 1e-3), ("b", 1, 1e-4, 1e-3)}


def test_past_the_time_budget_it_looks_no_further(tmp_path: Path) -> None:
    """What is undecided then stays undecided, and is judged on what there is."""
    run = started(tmp_path, deadline=1_000.5)
    expect = Expect(run, "a")
    endpoint = Endpoint(run.clock, 0.01)  # type: ignore[arg-type]  # it is the fake one
    expect.sequentially(endpoint, SIZES)
    assert endpoint.sizes == [200]
    assert expect.outcome is Outcome.UNDECIDED


def test_cut_off_in_a_later_look_it_judges_those_before(tmp_path: Path) -> None:
    """An interrupt goes on to whoever waits for it, and what was measured until then stands."""

    class CutOff(Endpoint):
        def measure(self, n: int) -> Sequence[Measurement]:
            if self.sizes:
                raise KeyboardInterrupt
            return super().measure(n)

    run = started(tmp_path)
    expect = Expect(run, "a")
    with pytest.raises(KeyboardInterrupt):
        expect.sequentially(CutOff(run.clock, 0.03), SIZES)  # type: ignore[arg-type]  # it is the fake one
    assert [judgement.n for judgement in expect.judgements] == [200, 200]


def test_it_says_what_it_waits_for(tmp_path: Path) -> None:
    """Whoever watches reads why there is another look."""
    said: list[str] = []
    run = started(tmp_path, progress=said.append)
    Expect(run, "the-check").sequentially(Endpoint(run.clock, 0.0), SIZES)  # type: ignore[arg-type]  # as above
    assert len(said) == 1
    assert said[0].startswith("the-check: items: undecided: 0 of 200 requests failed")


def test_every_look_is_evidence_and_only_the_last_is_judged(tmp_path: Path) -> None:
    """The journal tells how the sample grew; the sum of all looks is what counts."""
    run = started(tmp_path)
    Expect(run, "a").sequentially(Endpoint(run.clock, 0.0), SIZES)  # type: ignore[arg-type]  # it is the fake one
    assert [r["measurement"]["n"] for r in records(tmp_path, "measurement")] == [200, 500]
    last = records(tmp_path, "measurement")[-1]
    assert {r["measurement"] for r in records(tmp_path, "judgement")} == {f"main-1:{last['sequence']}"}


def test_a_sampler_that_sees_nothing_is_no_pass(tmp_path: Path) -> None:
    """A check that judged nothing has not checked."""

    class Blind:
        def measure(self, n: int) -> Sequence[Measurement]:
            """Nothing."""
            del n
            return []

    expect = Expect(started(tmp_path), "a")
    expect.sequentially(Blind(), SIZES)
    assert expect.outcome is Outcome.ERROR
    assert Expect(started(tmp_path, "main-2"), "b").outcome is Outcome.ERROR


def test_a_users_own_tests_share_what_is_kept_for_them(tmp_path: Path) -> None:
    """However many there are, in however many checks, their chances of a false failure sum to a tenth."""
    run = started(tmp_path)
    for number in range(30):
        expect = Expect(run, f"own-{number}", own=True)
        for limit in ("1%", "2%"):
            expect(Measurement("error_rate", n=1000, failures=0), that=f"error_rate < {limit}")
    spent = [record["alpha_fail"] for record in records(tmp_path, "judgement")]
    assert len(set(spent)) == len(spent) == 60
    assert 0.9e-4 < sum(spent) < 1e-4
    assert max(spent) == pytest.approx(5e-5)


def test_what_nothing_limits_is_no_pass(tmp_path: Path) -> None:
    """A check of measurements that no threshold is about has judged nothing: an error that names them."""
    expect = Expect(started(tmp_path), "a")
    expect(Measurement("time_to_healthy", "s", value=3.0))
    expect.record(Measurement("up", value=0.0, n=1))
    assert expect.outcome is Outcome.ERROR
    assert expect.sentences == ["nothing was judged: no threshold is about time_to_healthy"]
    expect(Measurement("up", value=1.0, n=1))
    assert [judgement.outcome for judgement in expect.judgements] == [Outcome.PASSED]


def test_what_is_only_recorded_may_pass_and_is_kept(tmp_path: Path) -> None:
    """A measurement that is recorded is evidence, marked as not judged."""
    expect = Expect(started(tmp_path), "a")
    expect.record(Measurement("time_to_healthy", "s", value=3.0))
    expect.record(Measurement("up", value=0.0, n=1))
    assert expect.outcome is Outcome.PASSED
    assert [r.get("shown") for r in records(tmp_path, "measurement")] == [True, True]
    assert records(tmp_path, "judgement") == []


def test_a_probe_is_looked_with(tmp_path: Path) -> None:
    """A check hands over a probe as it would a measurement."""

    class Pair:
        def measure(self) -> Sequence[Measurement]:
            """Two measurements."""
            return [Measurement("up", value=1.0, n=1), Measurement("redis_up", value=0.0, n=1)]

    expect = Expect(started(tmp_path), "a")
    expect(Pair())
    assert [(j.metric, j.outcome.value) for j in expect.judgements] == [
        ("up", "passed"),
        ("redis_up", "failed"),
    ]


def test_a_check_may_have_a_threshold_of_its_own(tmp_path: Path) -> None:
    """It stands in for those of the policy, with the severity that the check gives it."""
    expect = Expect(started(tmp_path), "a")
    expect(Measurement("up", value=1.0, n=1), that="up == 0", severity=Severity.CRITICAL)
    assert [(j.source, j.outcome.value, j.severity.value) for j in expect.judgements] == [
        ("up == 0", "failed", "critical")
    ]


def test_what_was_not_met_is_told_with_the_worst_first(tmp_path: Path) -> None:
    """The first line of a failed check is its weightiest."""
    expect = Expect(started(tmp_path), "a")
    expect(Measurement("redis_up", value=0.0, n=1), Measurement("mongodb_up", note="silent"))
    expect(Measurement("up", value=0.0, n=1), Measurement("page_up", value=1.0, n=1))
    assert [line.split(":")[0] for line in expect.sentences] == [
        "failed (critical)",
        "failed (warning)",
        "undecided (critical)",
    ]
    assert expect.outcome is Outcome.FAILED


def test_the_verdict_judges_as_the_check_did(tmp_path: Path) -> None:
    """Judged again from the journal, every outcome and sentence is the one that was shown."""
    run = started(tmp_path)
    expect = Expect(run, "a")
    expect.sequentially(Endpoint(run.clock, 0.01), SIZES)  # type: ignore[arg-type]  # it is the fake one
    expect(Measurement("up", value=float("nan"), n=1), Measurement("page_up", value=1.0, n=1))
    (result,) = verdict.decide(journal.read(tmp_path)[0]).checks
    assert [j.to_json() for j in result.judgements] == [j.to_json() for j in expect.judgements]


@pytest.mark.parametrize(
    "threshold",
    [
        parse("error_rate > 5%", bad=True, name="x", severity=Severity.CRITICAL),
        parse("p(95)<1000", metric="http_req_duration", name="k6"),
        parse("flag_share == 25%"),
    ],
)
def test_a_threshold_is_read_back_as_it_was(threshold: Any) -> None:
    """The journal carries the text, and the text is all there is."""
    told = json.loads(json.dumps(threshold.to_json()))
    back = parse(
        told["source"],
        metric=told["metric"],
        bad=told["bad"],
        name=told["name"],
        severity=Severity(told["severity"]),
    )
    assert back == threshold


def test_it_looks_once_whoever_asks(tmp_path: Path) -> None:
    """Two workers of one invocation share a look, its journal line and its answer."""
    looked: list[int] = []

    def look() -> Measurement:
        looked.append(1)
        return Measurement("up", n=1, value=0.0, start=1.0, end=2.0, details={"attempts": [1]})

    first = started(tmp_path, "gw0", invocation="main")
    second = started(tmp_path, "gw1", invocation="main")
    assert first.once("reachable-api", look) == second.once("reachable-api", look) == look()
    assert first.once("reachable-web", look).value == 0
    assert len(looked) == 3
    assert [r["check"] for r in records(tmp_path, "measurement")] == ["reachability", "reachability"]


def test_a_later_invocation_of_the_run_looks_anew(tmp_path: Path) -> None:
    """What answered before a deployment need not answer after it."""
    before, after = started(tmp_path, "main-1"), started(tmp_path, "main-2")
    assert before.once("reachable-api", lambda: Measurement("up", value=1.0)).value == 1
    assert after.once("reachable-api", lambda: Measurement("up", value=0.0)).value == 0


def test_a_look_that_failed_is_no_look(tmp_path: Path) -> None:
    """When the instrument broke, the next who asks looks again."""
    run = started(tmp_path)

    def broken() -> Measurement:
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        run.once("reachable-api", broken)
    assert run.once("reachable-api", lambda: Measurement("up", value=1.0)).value == 1


def test_what_workers_share_holds_no_secret(tmp_path: Path) -> None:
    """An answer that echoes a secret does not bring it onto the disk by this way either."""
    run = started(tmp_path, "main-1", "hunter22")
    run.once("reachable-api", lambda: Measurement("up", value=0.0, note="said hunter22"))
    assert "hunter22" not in "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())


def _look_once(folder: Path, name: str, asked: Any) -> None:
    def look() -> Measurement:
        with asked.get_lock():
            asked.value += 1
        return Measurement("up", n=1, value=1.0)

    started(folder, name, invocation="main").once("reachable-api", look)


def test_it_looks_once_in_several_processes(tmp_path: Path) -> None:
    """Workers that ask at the same time wait for the one that looks."""
    context = multiprocessing.get_context("spawn")
    asked = context.Value("i", 0)
    workers = [context.Process(target=_look_once, args=(tmp_path, f"gw{n}", asked)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert asked.value == 1
