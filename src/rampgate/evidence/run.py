"""A run while it measures: its folder, its journal, and what checks expect of what they see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rampgate.evidence.chance import FALSE_PASS_PER_CHECK, of_own, own_alpha
from rampgate.evidence.once import once
from rampgate.evidence.repeated import added, decided, identity, repeated, timed
from rampgate.judging.judge import Judgement, judge
from rampgate.judging.results import follows
from rampgate.judging.threshold import Threshold, parse
from rampgate.model.measurement import Measurement
from rampgate.outcome import Outcome, Severity, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from rampgate.clock import Clock
    from rampgate.config.policy import Policy
    from rampgate.config.settings import Settings
    from rampgate.evidence.journal import Journal
    from rampgate.evidence.repeated import Sampler


class Probe(Protocol):
    """Looks once, and never judges."""

    def measure(self) -> Sequence[Measurement]:
        """What was seen."""


@dataclass
class Run:
    """One writing process's part in a run.

    Args:
        id: the run's id.
        folder: where its evidence lies.
        stage: the stage that is checked.
        settings: the settings in force.
        policy: the thresholds in force.
        journal: where this process writes.
        clock: gives the time.
        alpha_fail: the chance that one test may fail a healthy deployment.
        deadline: when the stage's time budget ends, on the clock's monotonic scale.
        progress: takes a line of progress, for whoever watches.
        often: the same, of lines that only somebody at a terminal wants.
        beside: takes what goes on beside the checks, from any thread; "": nothing any more.
        say: takes a line of progress, from any thread.
    """

    id: str
    folder: Path
    stage: str
    settings: Settings
    policy: Policy
    journal: Journal
    clock: Clock
    alpha_fail: float
    deadline: float
    progress: Callable[[str], None] = field(default=lambda _: None)
    often: Callable[[str], None] = field(default=lambda _: None)
    beside: Callable[[str], None] = field(default=lambda _: None)
    say: Callable[[str], None] = field(default=lambda _: None)

    @property
    def invocation(self) -> str:
        """The process whose header this part belongs to."""
        return self.journal.invocation or self.journal.process

    @property
    def left(self) -> float:
        """Seconds until the stage's time is used up: then a check is cut off wherever it is."""
        return max(0.0, self.deadline - self.clock.monotonic())

    @property
    def over_budget(self) -> bool:
        """Whether the stage's time is used up: what has not begun by then never runs."""
        return self.clock.monotonic() >= self.deadline

    def once(self, key: str, look: Callable[[], Measurement]) -> Measurement:
        """Look once per invocation, whichever process comes first; the others read what it saw.

        A later invocation that joins the run looks anew: what answered then need not answer now.

        Args:
            key: a name, unique in the run (``reachable-api``).
            look: called by the first process only, which journals what it returns.
        """

        def journalled() -> dict[str, Any]:
            began = self.clock.now()
            measurement = timed(look(), began, self.clock).to_json()
            self.journal.write("measurement", check="reachability", measurement=measurement)
            return measurement

        return Measurement.from_json(self.shared(key, journalled))

    def shared(self, key: str, make: Callable[[], Any]) -> Any:
        """What is made once per invocation, by whichever process comes first; the others wait for it.

        Args:
            key: a name, unique in the run.
            make: called by the first process only; what it returns must be plain JSON.

        Raises:
            EvidenceError: there is no room for it.
        """
        return once(self.folder / f"once-{key}-{self.invocation}.json", make, self.journal.clean)


class Expect:
    """What one check expects: measurements are journalled, and held against the thresholds in force.

    Args:
        run: the run.
        check: the check's id.
        advisory: that a judgement is undecided is only shown; that it failed counts.
        unreliable: why what is measured says nothing about the target; no judgement of it then decides.
        own: whether it is a user's, so that the plan has no chance set aside for each of its tests.
    """

    def __init__(
        self, run: Run, check: str, *, advisory: bool = False, unreliable: str = "", own: bool = False
    ) -> None:
        self.run = run
        self.check = check
        self.advisory = advisory
        self.unreliable = unreliable
        self._began = run.clock.now()
        self.judgements: list[Judgement] = []
        self.shown: list[Measurement] = []
        self.unlimited: list[Measurement] = []
        self._alphas: dict[tuple[str, ...], float] = {}
        self._own = own

    def __call__(
        self,
        *seen: Measurement | Probe,
        that: str | None = None,
        severity: Severity = Severity.WARNING,
        looks: int = 1,
    ) -> None:
        """Hold measurements, or what probes see now, against their thresholds.

        Args:
            seen: measurements, or probes to measure with.
            that: a threshold of this check's own instead of those of the policy.
            severity: of ``that``.
            looks: among how many looks at growing evidence the alphas are split.

        A measurement for which there is no threshold is kept and shown; where there is none for any, nothing
        was judged, which is an error.
        """
        for measurement in self._seen(seen):
            own = (
                [parse(that, severity=severity, name=that, metrics=self.run.policy.metrics)] if that else None
            )
            self._evaluate(measurement, own, looks)

    def confirmed(self, measure: Callable[[], Iterable[Measurement]]) -> list[Measurement]:
        """Measure once; what fails is measured twice more, 2 s apart: failed if each does, else shown.

        Args:
            measure: looks once, over connections of its own.

        Returns:
            What was judged.
        """
        found = repeated(measure, self._fails, self.run.clock)
        for measurement in found:
            self._evaluate(measurement, None, 1)
        return found

    def sequentially(self, probe: Sampler, sizes: Sequence[int]) -> None:
        """Look further while undecided: sizes are how many more observations each look adds.

        Args:
            probe: the sampler.
            sizes: of each look; the alphas are split among them.
        """
        split = len(sizes)
        total: dict[tuple[str, ...], Measurement] = {}
        try:
            for number, size in enumerate(sizes, 1):
                began = self.run.clock.now()
                total = added(total, (timed(seen, began, self.run.clock) for seen in probe.measure(size)))
                judged = [j for m in total.values() for j in self._judge(m, None, split)]
                bad = any(j.outcome is Outcome.FAILED and j.severity is Severity.CRITICAL for j in judged)
                if bad or number == len(sizes) or self.run.over_budget or decided(judged):
                    break
                for measurement in total.values():
                    self._journal(measurement)
                waiting = max(
                    judged, key=lambda j: (j.outcome is Outcome.FAILED, j.outcome is Outcome.UNDECIDED)
                )
                self.run.progress(f"{self.check}: {waiting.line(self.check)}")
        finally:  # cut off in a later look, it has what the looks before it came to
            for measurement in total.values():
                self._evaluate(measurement, None, split)

    def record(self, *seen: Measurement | Probe) -> None:
        """Keep measurements as evidence without judging them; a check may pass on what it only shows."""
        for measurement in self._seen(seen):
            self._journal(measurement, shown=True)
            self.shown.append(measurement)

    @property
    def outcome(self) -> Outcome:
        """The worst judgement. With none at all an error, unless all of it was recorded to be shown only."""
        undecided = Outcome.UNDECIDED if self.advisory else None
        found = worst(j.outcome for j in self.judgements if j.outcome is not undecided)
        return found or (Outcome.PASSED if self.shown and not self.unlimited else Outcome.ERROR)

    @property
    def sentences(self) -> list[str]:
        """What was not met, the worst first."""
        judged = self.judgements
        unmet = [j for j in judged if j.outcome is not Outcome.PASSED and not follows(j, judged)]
        unmet.sort(key=lambda j: (j.outcome is not self.outcome, j.severity is not Severity.CRITICAL))
        if not self.judgements and self.unlimited:
            named = ", ".join(dict.fromkeys(measurement.metric for measurement in self.unlimited))
            return [f"nothing was judged: no threshold is about {named}"]
        return [f"{j.outcome.value} ({j.severity.value}): {j.line(self.check)}" for j in unmet]

    def _seen(self, seen: Iterable[Measurement | Probe]) -> Iterable[Measurement]:
        for thing in seen:
            if isinstance(thing, Measurement):
                yield timed(thing, self._began, self.run.clock)
            elif callable(getattr(thing, "measure", None)):
                began = self.run.clock.now()
                for measurement in thing.measure():
                    yield timed(measurement, began, self.run.clock)
            else:
                found = type(thing).__name__
                raise TypeError(
                    f"expect: found {found}; accepted are measurements, and probes with a method measure()"
                )

    def _journal(self, measurement: Measurement, *, shown: bool = False) -> str:
        said = {"measurement": measurement.to_json()} | ({"shown": True} if shown else {})
        return self.run.journal.write("measurement", check=self.check, **said)

    def _judge(self, measurement: Measurement, own: list[Threshold] | None, looks: int) -> list[Judgement]:
        thresholds = own or self.run.policy.thresholds(measurement)
        return [
            judge(
                t,
                measurement,
                alpha_fail=self._alpha(t, measurement),
                alpha_pass=FALSE_PASS_PER_CHECK,
                looks=looks,
                unreliable=self.unreliable,
            )
            for t in thresholds
        ]

    def _fails(self, measurement: Measurement) -> bool:
        return any(each.outcome is Outcome.FAILED for each in self._judge(measurement, None, 1))

    def _alpha(self, threshold: Threshold, measurement: Measurement) -> float:
        """The same for the same test, however often it looks."""
        if not self._own:
            return self.run.alpha_fail
        key = (threshold.source, *identity(measurement))
        if key not in self._alphas:
            budget = of_own(self.run.settings.rollout, self.run.stage)
            self._alphas[key] = own_alpha(self.run.folder, self.run.invocation, budget)
        return self._alphas[key]

    def _evaluate(self, measurement: Measurement, own: list[Threshold] | None, looks: int) -> None:
        thresholds = own or self.run.policy.thresholds(measurement)
        # What goes into the journal is what is judged again later: judge what was written, not what was seen.
        written = Measurement.from_json(measurement.to_json())
        key = self._journal(measurement, shown=not thresholds)
        if not thresholds:
            self.shown.append(measurement)
            self.unlimited.append(measurement)
        for threshold, judgement in zip(thresholds, self._judge(written, own, looks), strict=True):
            self.judgements.append(judgement)
            self.run.journal.write(
                "judgement",
                check=self.check,
                measurement=key,
                threshold=threshold.to_json(),
                alpha_fail=self._alpha(threshold, written),
                alpha_pass=FALSE_PASS_PER_CHECK,
                looks=looks,
                outcome=judgement.outcome.value,
                sentence=judgement.sentence,
                **({"advisory": True} if self.advisory else {}),
                **({"unreliable": self.unreliable} if self.unreliable else {}),
            )
