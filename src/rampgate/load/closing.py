"""Floor 6. The end of a load run: every cell, the watches and the generator into the journal, and judged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rampgate.evidence.run import Expect
from rampgate.load.cells import CELLS, DURATION, WHOLE_RUN, Cell, measure
from rampgate.load.folded import Key, Pair, with_folds
from rampgate.load.generator import WINDOW_S
from rampgate.load.table import SIGN_IN
from rampgate.load.watches import ABORT
from rampgate.model.measurement import Measurement
from rampgate.outcome import Cause, Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rampgate.evidence.run import Run
    from rampgate.load.generator import Health
    from rampgate.load.seconds import Second
    from rampgate.load.table import Table
    from rampgate.load.watches import Watches
    from rampgate.model.ramp import Ramp

GENERATOR = "load/generator"
REHEARSAL = "rehearsal: no ramp-stage verdict"
NOTHING = "nothing was measured: no request was sent"
STOPPED = "the run was stopped early, before this was measured"
ABORT_LOOKS_BACK_S = 10.0
"""Seconds before an abort in which a starved generator discredits it."""
_CHECK_MS = 1000.0
_NEARLY = 0.9


@dataclass
class Closing:
    """Writes what a run came to.

    Args:
        run: its journal and thresholds.
        ramp: that it followed.
        began: when, in seconds since the epoch.
        ran: for how many seconds.
        health: how the generating processes fared.
        stopped: it was ended early by a watch.
        folds: requests that were not kept one by one.
    """

    run: Run
    ramp: Ramp
    began: float
    ran: float
    health: Health
    stopped: bool = False
    folds: dict[Key, Pair] = field(default_factory=dict)
    _starved: str = field(init=False)

    def __post_init__(self) -> None:
        self._starved = self.health.starved(*self._steady())

    def cells(self, table: Table, cells: Sequence[Cell], wrong: str) -> None:
        """Judge every cell.

        Args:
            table: all requests.
            cells: in the order of the plan.
            wrong: what went wrong on our side; it makes an error of the whole run.
        """
        stages = table.stages(self.ramp)
        for cell in cells:
            mine = cell.of(table, stages)
            whole = wrong if cell.check == WHOLE_RUN else ""
            self._cell(cell, mine, "; ".join(text for text in (whole, self._nothing(cell, mine)) if text))
        if any(cell.check == CELLS for cell in cells):
            missing = not len(table)
            self._end(CELLS, Outcome.ERROR if missing else Outcome.PASSED, NOTHING if missing else "")

    def rehearsal(self) -> None:
        """Say that the ramp's stages are not judged."""
        self._end(CELLS, Outcome.SKIPPED, REHEARSAL)

    def abort(self, watches: Watches, *, trial: bool) -> None:
        """Hold the evidence of each watch against what is enough."""
        for threshold, watch, seen in watches.measured():
            when, untrusted = watch.fired_at, ""
            if when is not None:
                untrusted = self._starved or self.health.starved(when - ABORT_LOOKS_BACK_S, when + 1)
            if trial:
                text = "" if when is None else f"; second {when} would have stopped the run"
                Expect(self.run, ABORT).record(replace(seen, note=f"trial{text}"))
                continue
            note = "" if when is None else f"{threshold.name} was broken; second {when} of the run showed it"
            Expect(self.run, ABORT, unreliable=untrusted)(
                replace(seen, note=note),
                that=f"abort_evidence < {watch.threshold:g}",
                severity=threshold.severity,
            )
        self._end(ABORT, Outcome.PASSED)

    def generator(self, seconds: Iterable[Second], off: Sequence[float]) -> None:
        """Show how the generating processes fared; one that starved or was lost makes the run undecided.

        Args:
            seconds: of the run.
            off: by how many users the run was off its ramp, each time that they were counted.
        """
        begin, end = self._steady()
        there = [second for second in seconds if begin <= second.second < end]
        users = {
            "users_mean": _mean([second.users for second in there]),
            "users_ideal": _mean([second.ideal for second in there]),
            "users_off_mean": _mean(off),
            "users_off_most": round(max(off, default=0.0), 2),
        }
        for fared in self.health.over(begin, end):
            worst, note = self.health.worst(fared.process, begin, end), ""
            if worst is not None:
                note = f"in the worst {WINDOW_S:.0f} s, from second {worst[1]:.0f} on: {100 * worst[0]:.2g} %"
            seen = Measurement(
                "generator_wait",
                "%",
                n=1,
                value=None if fared.wait is None else round(100 * fared.wait, 2),
                labels={"process": fared.process},
                start=self.began + begin,
                end=self.began + end,
                note=note,
                details={
                    "wait_worst_percent": None if worst is None else round(100 * worst[0], 2),
                    "cpu_percent": None if fared.cpu is None else round(100 * fared.cpu, 2),
                    "iterations": fared.iterations,
                    "offered": fared.offered,
                    **users,
                },
            )
            Expect(self.run, GENERATOR).record(seen)
        troubles = self.health.troubles(begin, end)
        cause = self.health.cause(begin, end)
        outcome = Outcome.UNDECIDED if troubles else Outcome.PASSED
        self._end(GENERATOR, outcome, "; ".join(troubles), cause=cause)

    @property
    def waited(self) -> float:
        """The largest share of the plateau that a generating process waited for a processor."""
        return self.health.waited(*self._steady())[1]

    def timeline(self, seconds: Sequence[Second]) -> None:
        """Write the run second by second, so that whoever draws it reads the journal alone."""
        columns = {name: [getattr(s, name) for s in seconds] for name in ("second", "n", "failures", "users")}
        shown = {
            name: [_rounded(getattr(second, name)) for second in seconds]
            for name in ("ideal", "p50", "p95", "p99")
        }
        edges = seconds[0].exceedances if seconds else {}
        self.run.journal.write(
            "timeline",
            began=self.began,
            stages=[[end, stage.target] for end, stage in zip(self.ramp.ends, self.ramp.stages, strict=True)],
            columns=columns | shown,
            above={repr(edge): [second.exceedances[edge] for second in seconds] for edge in edges},
        )

    def _cell(self, cell: Cell, table: Table, wrong: str) -> None:
        span = self._span(cell)
        seconds = self.began + span[0], self.began + span[1]
        if self.stopped and not len(table) and cell.check != WHOLE_RUN:
            if not cell.lenient:
                self._end(cell.check, Outcome.SKIPPED, STOPPED)
            return
        untrusted = self._starved or self.health.starved(*span)
        thresholds = self.run.policy.of(DURATION)
        failed, duration = measure(table, thresholds, labels=cell.labels, span=seconds)
        if untrusted and not self.folds:
            failed = _clear(table, cell, seconds, self.run.settings.target.timeout)
        if cell.check == WHOLE_RUN and not self.folds:
            failed = replace(failed, details={**failed.details, "checks": checks(table)})
        failed, duration = with_folds((failed, duration), cell, self.folds)
        # Folded failures are not told apart: with a starved generator any may be a time-out.
        doubtful = untrusted if self.folds else ""
        Expect(self.run, cell.check, advisory=cell.lenient, unreliable=doubtful)(failed)
        Expect(self.run, cell.check, advisory=cell.lenient, unreliable=untrusted)(duration)
        if not cell.lenient:
            outcome = Outcome.ERROR if wrong else None
            cause = Cause.NOTHING if cell.check == WHOLE_RUN and self._nothing(cell, table) else None
            self._end(cell.check, outcome, wrong, span[1] - span[0], cause)

    def _nothing(self, cell: Cell, table: Table) -> str:
        return "" if cell.lenient or (table.endpoint != SIGN_IN).any() else NOTHING

    def _span(self, cell: Cell) -> tuple[float, float]:
        begin, end = (0.0, self.ran) if cell.stage is None else self.ramp.bounds(cell.stage)
        return min(begin, self.ran), min(end, self.ran)

    def _steady(self) -> tuple[float, float]:
        """The plateau as far as it ran; the whole run where it ended before."""
        plateau = self.ramp.plateau()
        begin, end = (0.0, self.ran) if plateau is None else self.ramp.bounds(plateau)
        return (begin, min(end, self.ran)) if begin < self.ran else (0.0, self.ran)

    def _end(
        self,
        check: str,
        outcome: Outcome | None,
        message: str = "",
        seconds: float = 0.0,
        cause: Cause | None = None,
    ) -> None:
        self.run.journal.write(
            "check",
            check=check,
            outcome=outcome.value if outcome else None,
            message=message,
            severity=Severity.WARNING.value,
            seconds=seconds,
            **({"cause": cause.value} if cause else {}),
        )


def _clear(table: Table, cell: Cell, seconds: tuple[float, float], timeout_s: float) -> Measurement:
    """The failures that a starved generator cannot have made: a wrong status, a refusal, a cut connection."""
    timed_out = (table.status == 0) & (table.connect_ms + table.duration_ms >= _NEARLY * timeout_s * 1000)
    failed, _ = measure(table.where(~timed_out), (), labels=cell.labels, span=seconds)
    count = int(timed_out.sum())
    note = f"{count:,} requests that timed out are left out, for the generator was starved" if count else ""
    return replace(failed, note=note)


def checks(table: Table) -> dict[str, dict[str, int]]:
    """The journey's two checks, counted as k6 counts checks; sign-ins are not checked."""
    asked = table.where(table.endpoint != SIGN_IN)
    passed = {
        "status is 200": asked.status == 200,  # noqa: PLR2004  # as its name says
        "response time < 1000ms": (asked.status > 0) & (asked.duration_ms < _CHECK_MS),
    }
    counted = {name: int(mask.sum()) for name, mask in passed.items()}
    return {name: {"passed": count, "failed": len(asked) - count} for name, count in counted.items()}


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
