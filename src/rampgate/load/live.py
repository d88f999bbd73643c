"""A load run while it runs: its counts, and what they come to so far.

Nothing here decides anything. The run is judged once, at its end; until then each threshold is
compared with what was counted so far, and its outcome may still change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from rampgate.evidence.chance import FALSE_PASS_PER_CHECK
from rampgate.judging.judge import judge
from rampgate.judging.threshold import parse
from rampgate.load import bodies
from rampgate.load.accounts import NONE_FAILED, failed_accounts, renewals
from rampgate.load.counters import DURATION
from rampgate.load.seconds import Second
from rampgate.model import formats
from rampgate.model.text import clean
from rampgate.outcome import Outcome, Severity
from rampgate.report import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.evidence.session import Setup
    from rampgate.judging.judge import Judgement
    from rampgate.load.counters import Counters
    from rampgate.load.facts import Facts
    from rampgate.load.generator import Health, WorkerStats
    from rampgate.model.ramp import Ramp

EVERY = "all requests"
UNDECIDED = "undecided"
_NO_SECOND = Second(0, 0, 0, 0, {}, 0, 0.0, None, None, None)


class Evidence(Protocol):
    """What an abort test says: see ``rampgate.model.always_valid``."""

    threshold: float
    fired_at: int | None

    @property
    def log_wealth(self) -> float:
        """The log wealth now; at the threshold it is enough."""


class RunView(Protocol):
    """What is read of a load run."""

    id: str
    setup: Setup
    ramp: Ramp
    endpoints: tuple[EndpointSettings, ...]
    counters: Counters
    facts: Facts
    health: Health

    @property
    def elapsed(self) -> float:
        """Seconds since the ramp began."""

    @property
    def seconds(self) -> Sequence[Second]:
        """Those that are complete."""

    @property
    def evidence(self) -> Mapping[str, Evidence]:
        """Threshold text -> its abort test."""


class Stage(NamedTuple):
    """The stage of the ramp: its number from 1, of how many, what it does, seconds left of it."""

    number: int
    of: int
    name: str
    left: float


class LiveResult(NamedTuple):
    """One threshold, compared with what was counted so far.

    Args:
        about: an endpoint, or EVERY.
        over: what the counts are of: the whole run, or the plateau.
        judged: whether the verdict will rest on these counts.
        threshold: its text.
        severity: of a failure.
        value: what was measured.
        bound: the bound that decides.
        n: requests.
        outcome: so far.
        sentence: the comparison.
    """

    about: str
    over: str
    judged: bool
    threshold: str
    severity: str
    value: str
    bound: str
    n: int
    outcome: str
    sentence: str


class Abort(NamedTuple):
    """The evidence for ending the run early: 1 is enough."""

    threshold: str
    share: float
    fired: bool


@dataclass(frozen=True)
class Snapshot:
    """A load run at one moment. All texts are cleaned; no number is infinite."""

    run: str
    stage: Stage | None
    elapsed: float
    left: float
    ideal: float
    users: int
    rate: int
    requests: int
    failures: int
    p50: float | None
    p95: float | None
    p99: float | None
    thresholds: tuple[LiveResult, ...]
    aborts: tuple[Abort, ...]
    generators: tuple[WorkerStats, ...]
    verdict: str
    says: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        listed = {name: [each._asdict() for each in getattr(self, name)] for name in ("thresholds", "aborts")}
        generators = [{**each._asdict(), "starved": each.starved} for each in self.generators]
        stage = self.stage._asdict() if self.stage else None
        return {**vars(self), **listed, "generators": generators, "stage": stage}


def snapshot(run: RunView, breathe: Callable[[], None] = lambda: None) -> Snapshot:
    """The run now.

    Args:
        run: is read, and not touched.
        breathe: called between two judgements, so that requests in flight are not kept waiting.
    """
    elapsed, ramp = run.elapsed, run.ramp
    results = tuple(_results(run, elapsed, breathe))
    begun = _begun(ramp, elapsed)
    troubles = run.health.troubles(begun, elapsed)
    last = run.seconds[-1] if run.seconds else _NO_SECOND
    verdict, says = _so_far(results, troubles, _plateau(ramp) - elapsed)
    return Snapshot(
        run=clean(run.id, 100),
        stage=_stage(ramp, elapsed),
        elapsed=round(elapsed, 1),
        left=round(max(0.0, ramp.duration - elapsed), 1),
        ideal=round(ramp.users_at(elapsed), 1),
        users=last.users,
        rate=last.n,
        requests=sum(second.n for second in run.seconds),
        failures=sum(second.failures for second in run.seconds),
        p50=last.p50,
        p95=last.p95,
        p99=last.p99,
        thresholds=results,
        aborts=tuple(_abort(text, test) for text, test in run.evidence.items()),
        generators=tuple(_rounded(stats) for stats in run.health.over(begun, elapsed)),
        verdict=verdict,
        says=says,
    )


def _results(run: RunView, elapsed: float, breathe: Callable[[], None]) -> Iterator[LiveResult]:
    steady = _plateau(run.ramp) <= elapsed
    if run.facts.accounts:
        accounts, span = run.facts.accounts, (0.0, elapsed)
        seen, severity = failed_accounts(accounts, span, starved=False)
        renewed = renewals(accounts, run.facts.most_renewed, span)
        most = f"session_renewals <= {run.setup.settings.load.max_renewals:g}"
        for what, that, bad in ((seen, NONE_FAILED, severity), (renewed, most, Severity.WARNING)):
            judged_now = judge(parse(that, name=that, severity=bad), what, alpha_fail=run.setup.alpha_fail)
            yield result_of(judged_now, "sign-in", "whole run", judged=True)
    slices: list[tuple[int | None, str, str, bool]] = [(None, EVERY, "whole run", True)]
    over = "plateau" if steady else "before the plateau"
    slices += [
        (i, endpoint.name, over, steady and endpoint.required) for i, endpoint in enumerate(run.endpoints)
    ]
    for index, about, over, judged in slices:
        on_plateau = steady and index is not None
        begun = _begun(run.ramp, elapsed) if on_plateau else 0.0
        starved = run.health.starved(begun, elapsed)
        labels = {} if index is None else {"endpoint": about}
        counts, span = run.counters.endpoint(index, plateau=on_plateau), (begun, elapsed)
        durations = counts.durations(run.counters.thresholds, labels, span)
        checked = (
            []
            if index is None or not run.endpoints[index].body
            else [bodies.failures(counts, run.endpoints[index], labels, span, run.facts.bad_bodies(index))]
        )
        for timed in (counts.failures(labels, span), *checked, durations):
            for threshold in run.setup.policy.thresholds(timed):
                found = judge(
                    threshold,
                    timed,
                    alpha_fail=run.setup.alpha_fail,
                    alpha_pass=FALSE_PASS_PER_CHECK,
                    unreliable=starved if threshold.metric == DURATION else "",
                )
                yield result_of(found, about, over, judged=judged)
                breathe()


def result_of(judgement: Judgement, about: str, over: str, *, judged: bool) -> LiveResult:
    """A judgement for display.

    Args:
        judgement: of a threshold.
        about: an endpoint, a check, or EVERY.
        over: what the counts are of.
        judged: whether the verdict rests on it.
    """
    value = judgement.measured
    return LiveResult(
        about=clean(about, 200),
        over=over,
        judged=judged,
        threshold=sentences.limit(judgement),
        severity=judgement.severity.value,
        value="" if value is None else sentences.amount(judgement.metric, value, judgement.unit),
        bound=sentences.bound(judgement),
        n=judgement.n,
        outcome=judgement.outcome.value,
        sentence=clean(judgement.sentence),
    )


def _so_far(results: Iterable[LiveResult], troubles: Sequence[str], until: float) -> tuple[str, str]:
    """What the run would come to if it ended now, and why, in words."""
    judged = [each for each in results if each.judged]
    failed = [each for each in judged if each.outcome == Outcome.FAILED.value]
    open_ = [each for each in judged if each.outcome not in {Outcome.FAILED.value, Outcome.PASSED.value}]
    counts = f"{len(failed)} of {len(judged)} limits failed, {len(open_)} undecided"
    if any(each.severity == Severity.CRITICAL.value for each in failed):
        return "rollback", counts
    if failed:
        return "hold", counts
    if troubles:
        return UNDECIDED, clean("; ".join(troubles))
    if until > 0:
        wait = f": it begins in {formats.duration(until)}" if math.isfinite(until) else ""
        return UNDECIDED, f"the endpoints are judged over the plateau{wait}"
    return (UNDECIDED, counts) if open_ or not judged else ("promote", f"all {len(judged)} limits are met")


def _plateau(ramp: Ramp) -> float:
    """The second in which the plateau begins, infinite without one."""
    plateau = ramp.plateau()
    return math.inf if plateau is None else ramp.bounds(plateau)[0]


def _begun(ramp: Ramp, elapsed: float) -> float:
    """When that began which the verdict is going to rest on: the plateau, or until then the run."""
    return begun if (begun := _plateau(ramp)) < elapsed else 0.0


def _rounded(stats: WorkerStats) -> WorkerStats:
    wait, cpu = (None if share is None else round(share, 4) for share in (stats.wait, stats.cpu))
    return stats._replace(process=clean(stats.process, 100), wait=wait, cpu=cpu)


def _stage(ramp: Ramp, elapsed: float) -> Stage | None:
    index = ramp.stage_at(elapsed)
    if index is None:
        return None
    origin, target = ramp.origin(index), ramp.stages[index].target
    users = f"{formats.number(target)} users"
    name = users if origin == target else f"{formats.number(origin)} to {users}"
    return Stage(index + 1, len(ramp.stages), name, round(max(0.0, ramp.ends[index] - elapsed), 1))


def _abort(text: str, test: Evidence) -> Abort:
    share = test.log_wealth / test.threshold if test.threshold > 0 else 0.0
    return Abort(clean(text, 200), round(min(1.0, max(0.0, share)), 3), test.fired_at is not None)
