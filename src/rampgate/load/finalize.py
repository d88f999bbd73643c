"""The end of a load run: every slice, the abort and the generator into the journal, and judged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rampgate.evidence.run import Expect
from rampgate.load import bodies
from rampgate.load.abort_monitors import ABORT
from rampgate.load.accounts import NONE_FAILED, failed_accounts, renewals
from rampgate.load.counters import NO_ANSWER
from rampgate.load.generator import WINDOW_S
from rampgate.load.slices import SIGN_INS, SLICES, WHOLE_RUN, Slice
from rampgate.model.measurement import Measurement
from rampgate.outcome import Cause, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.evidence.run import Run
    from rampgate.judging.threshold import Threshold
    from rampgate.load.abort_monitors import AbortMonitors
    from rampgate.load.counters import Counters, Counts
    from rampgate.load.facts import Facts
    from rampgate.load.generator import Health
    from rampgate.load.seconds import Second
    from rampgate.model.ramp import Ramp

GENERATOR = "load/generator"
REHEARSAL = "rehearsal: no ramp-stage verdict"
NOTHING = "nothing was measured: no request was sent"
STOPPED = "the run was stopped early, before this was measured"
ABORT_LOOKS_BACK_S = 10.0
"""Seconds before an abort in which a starved generator discredits it."""


@dataclass
class Finalizer:
    """Writes what a run came to.

    Args:
        run: its journal and thresholds.
        ramp: that it followed.
        began: when, in seconds since the epoch.
        ran: for how many seconds.
        health: of the generating processes.
        endpoints: under load.
        facts: what the generating processes report beside their requests.
        stopped: it was ended early by an abort monitor.
    """

    run: Run
    ramp: Ramp
    began: float
    ran: float
    health: Health
    endpoints: Sequence[EndpointSettings]
    facts: Facts
    stopped: bool = False
    _starved: str = field(init=False)

    def __post_init__(self) -> None:
        self._starved = self.health.starved(*self._steady())

    def slices(self, counters: Counters, slices: Sequence[Slice], wrong: str) -> None:
        """Judge every slice.

        Args:
            counters: of all requests.
            slices: in the order of the plan.
            wrong: what went wrong on our side; it makes an error of the whole run.
        """
        for part in slices:
            counts = counters.of(part.takes)
            nothing = self._nothing(part, counts)
            why = wrong if nothing or part.check == WHOLE_RUN else ""
            self._slice(part, counts, counters.thresholds, "; ".join(filter(None, (why, nothing))))
        if any(part.check == SLICES for part in slices):
            missing = not counters.of(lambda *_: True).n
            outcome, why = (Outcome.ERROR, NOTHING) if missing else (Outcome.PASSED, "")
            self.run.journal.end_check(SLICES, outcome, why)

    def sign_ins(self, statuses: Mapping[str, int], max_renewals: float) -> None:
        """Judge the accounts: one that cannot sign in is a warning, more than 5 % of them are critical.

        Args:
            statuses: what came of all sign-ins.
            max_renewals: of a session, per minute; more are a warning.
        """
        starved, span = bool(self.health.starved(0.0, self.ran)), (self.began, self.began + self.ran)
        accounts = self.facts.accounts
        seen, severity = failed_accounts(accounts, span, starved=starved)
        measured = replace(seen, details={**seen.details, "sign_ins": dict(statuses)})
        Expect(self.run, SIGN_INS)(measured, that=NONE_FAILED, severity=severity)
        if accounts:
            renewed = renewals(accounts, self.facts.most_renewed, span)
            Expect(self.run, SIGN_INS)(renewed, that=f"session_renewals <= {max_renewals:g}")
        self.run.journal.end_check(SIGN_INS, None)

    def rehearsal(self) -> None:
        """Say that the ramp's stages are not judged."""
        self.run.journal.end_check(SLICES, Outcome.SKIPPED, REHEARSAL)

    def abort(self, monitors: AbortMonitors, *, report_only: bool) -> None:
        """Hold the evidence of each abort test against what is enough."""
        for threshold, test, measured in monitors.measured():
            when, unreliable = test.fired_at, ""
            if when is not None:
                unreliable = self._starved or self.health.starved(when - ABORT_LOOKS_BACK_S, when + 1)
            if report_only:
                text = "" if when is None else f"; second {when} would have stopped the run"
                Expect(self.run, ABORT).record(replace(measured, note=f"reported only{text}"))
                continue
            note = "" if when is None else f"{threshold.name} was broken; second {when} of the run showed it"
            Expect(self.run, ABORT, unreliable=unreliable)(
                replace(measured, note=note),
                that=f"abort_evidence < {test.threshold:g}",
                severity=threshold.severity,
            )
        self.run.journal.end_check(ABORT, Outcome.PASSED)

    def generator(self, seconds: Iterable[Second], off: Sequence[float]) -> None:
        """Record the stats of the generating processes; one that starved or was lost makes the run undecided.

        Args:
            seconds: of the run.
            off: by how many users the run was off its ramp, each time that they were counted.
        """
        begin, end = self._steady()
        there = [second for second in seconds if begin <= second.second < end]
        users = {"users_mean": _mean([second.users for second in there])}
        users |= {"users_ideal": _mean([second.ideal for second in there])}
        users |= {"users_off_mean": _mean(off), "users_off_most": round(max(off, default=0.0), 2)}
        for worker in self.health.over(begin, end):
            worst, note = self.health.worst(worker.process, begin, end), ""
            if worst is not None:
                note = f"in the worst {WINDOW_S:.0f} s, from second {worst[1]:.0f} on: {100 * worst[0]:.2g} %"
            measured = Measurement(
                "generator_wait",
                "%",
                n=1,
                value=None if worker.wait is None else round(100 * worker.wait, 2),
                labels={"process": worker.process},
                start=self.began + begin,
                end=self.began + end,
                note=note,
                details={
                    "wait_worst_percent": None if worst is None else round(100 * worst[0], 2),
                    "cpu_percent": None if worker.cpu is None else round(100 * worker.cpu, 2),
                    "iterations": worker.iterations,
                    "offered": worker.offered,
                    **users,
                },
            )
            Expect(self.run, GENERATOR).record(measured)
        troubles = self.health.troubles(begin, end)
        outcome = Outcome.UNDECIDED if troubles else Outcome.PASSED
        cause = self.health.cause(begin, end)
        self.run.journal.end_check(GENERATOR, outcome, "; ".join(troubles), cause=cause)

    def others(self, most: int, requests: int, failed: int) -> None:
        """Record what users of other classes did, for the reader: nothing of it is judged.

        Args:
            most: of them at once.
            requests: of theirs.
            failed: of these.
        """
        seen = Measurement(
            "other_requests",
            n=requests,
            value=float(requests),
            start=self.began,
            end=self.began + self.ran,
            note="of users of other classes: shown, and not judged",
            details={"failed": failed, "users_most": most},
        )
        Expect(self.run, GENERATOR).record(seen)

    def timeline(self, seconds: Sequence[Second]) -> None:
        """Write the run second by second, so that whoever draws it reads the journal alone."""
        columns = {name: [getattr(s, name) for s in seconds] for name in ("second", "n", "failures", "users")}
        rounded = {
            name: [_rounded(getattr(second, name)) for second in seconds]
            for name in ("ideal", "p50", "p95", "p99")
        }
        edges = seconds[0].exceedances if seconds else {}
        self.run.journal.write(
            "timeline",
            began=self.began,
            stages=[[end, stage.target] for end, stage in zip(self.ramp.ends, self.ramp.stages, strict=True)],
            columns=columns | rounded,
            above={repr(edge): [second.exceedances[edge] for second in seconds] for edge in edges},
        )

    def _slice(self, part: Slice, counts: Counts, thresholds: Sequence[Threshold], wrong: str) -> None:
        span = self._span(part)
        seconds = self.began + span[0], self.began + span[1]
        if self.stopped and not counts.n and part.check != WHOLE_RUN:
            if not part.advisory:
                self.run.journal.end_check(part.check, Outcome.SKIPPED, STOPPED)
            return
        unreliable = self._starved or self.health.starved(*span)
        failed = counts.failures(part.labels, seconds, starved=bool(unreliable))
        if NO_ANSWER in failed.details["statuses"] and (errors := self.facts.errors(part.endpoint)):
            failed = replace(failed, details={**failed.details, "errors": errors})
        if part.check == WHOLE_RUN:
            failed = replace(failed, details={**failed.details, "checks": counts.checked()})
        Expect(self.run, part.check, advisory=part.advisory)(failed)
        if part.endpoint is not None and self.endpoints[part.endpoint].body:
            wrong_ones = self.facts.bad_bodies(part.endpoint)
            seen = bodies.failures(counts, self.endpoints[part.endpoint], part.labels, seconds, wrong_ones)
            Expect(self.run, part.check, advisory=part.advisory)(seen)
        duration = counts.durations(thresholds, part.labels, seconds)
        Expect(self.run, part.check, advisory=part.advisory, unreliable=unreliable)(duration)
        if not part.advisory:
            outcome = Outcome.ERROR if wrong else None
            cause = Cause.NOTHING if part.check == WHOLE_RUN and wrong == NOTHING else None
            self.run.journal.end_check(part.check, outcome, wrong, span[1] - span[0], cause)

    def _nothing(self, part: Slice, counts: Counts) -> str:
        return "" if part.advisory or counts.timed else NOTHING

    def _span(self, part: Slice) -> tuple[float, float]:
        begin, end = (0.0, self.ran) if part.stage is None else self.ramp.bounds(part.stage)
        return min(begin, self.ran), min(end, self.ran)

    def _steady(self) -> tuple[float, float]:
        """The plateau as far as it ran; the whole run where it ended before."""
        plateau = self.ramp.plateau()
        begin, end = (0.0, self.ran) if plateau is None else self.ramp.bounds(plateau)
        return (begin, min(end, self.ran)) if begin < self.ran else (0.0, self.ran)


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
