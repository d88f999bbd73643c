"""The journeys of a stage: visited in turn by one process for all of them, judged by the check of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.checks.visits import measured as measure
from rampgate.errors import ProbeError, RampgateError, UnreachableError
from rampgate.evidence.repeated import BETWEEN_S, LOOKS
from rampgate.evidence.run import Expect
from rampgate.io.cpu_pressure import STARVED, cpu_wait_s
from rampgate.journeys.record import Visit
from rampgate.outcome import Outcome
from rampgate.stage.journey_visit import FOLDER, visit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rampgate.checks.journeys import JourneySettings
    from rampgate.stage.context import StageContext

VISITS = 3
"""Rounds of visits that there are at least."""
_WAITING_S = 1.0
_STEP_TIMES = ("journey_step_time", "journey_lcp", "journey_inp")


def _at_once() -> bool:
    """There is no watch beside which journeys go on."""
    return True


def expect_journey(
    journey: JourneySettings, context: StageContext, expect: Expect, over: Callable[[], bool] = _at_once
) -> None:
    """Judge a journey by its visits, which whoever comes first makes for all journeys.

    Args:
        journey: one of [[journeys]].
        context: of this process.
        expect: of the check.
        over: whether what journeys go on beside is over: a watch. There are ``VISITS`` rounds at least.

    Raises:
        UnreachableError: the web server does not answer.
        ProbeError: some visits could not be made, or nothing can be said of them.
        KeyboardInterrupt: it was interrupted; what was visited until then is judged.
    """
    visiting = _Visiting(context, over)
    found = context.run.shared("journeys", visiting.all)
    _judge(journey, _Found.of(found, journey.name), context, expect)
    if visiting.interrupt:  # their own checks never run
        for other in context.run.settings.journeys:
            if other.name != journey.name:
                check = f"{expect.check.removesuffix(f'[{journey.name}]')}[{other.name}]"
                _judge(other, _Found.of(found, other.name), context, Expect(context.run, check))
        raise visiting.interrupt
    mine = _Found.of(found, journey.name)
    if mine.skipped:
        raise UnreachableError(mine.skipped)
    if mine.trouble and expect.outcome is not Outcome.FAILED:
        raise ProbeError(mine.trouble)
    if found["interrupted"]:
        raise ProbeError("the journeys were not visited to their end")


class _Found(NamedTuple):
    """What was found of one journey.

    Args:
        rounds: its visits, those of one round together.
        trouble: why nothing can be said of a round, "" where something can be of each.
        skipped: why it was not visited.
        unreliable: why its times say nothing about the site.
    """

    rounds: Sequence[Sequence[Visit]]
    trouble: str
    skipped: str
    unreliable: str

    @classmethod
    def of(cls, found: Mapping[str, Any], name: str) -> _Found:
        """What the visiting process shared, of one journey."""
        rounds = [[Visit.from_json(each) for each in visits] for visits in found["rounds"][name]]
        lost = [why for each in rounds if (why := _lost(each))]
        trouble = found["trouble"].get(name) or "".join(lost[-1:])
        return cls(rounds, trouble, found["skipped"], found["unreliable"])


def _judge(journey: JourneySettings, found: _Found, context: StageContext, expect: Expect) -> None:
    """Hold what the visits of one journey measured against its limits."""
    said = [[each for each in visits if each.outcome != "error"] for visits in found.rounds]
    said = [visits for visits in said if visits]
    if not said:
        return
    visits = [each for one in said for each in one]
    policy = context.run.policy
    edges = {
        metric: [rule.edge for rule in policy.of(metric) if rule.edge is not None] for metric in _STEP_TIMES
    }
    works = measure.works(journey, said, f"{FOLDER}/{journey.name}")
    expect(works)
    for each in measure.judged(journey, visits, edges):
        if _shown(journey, each.metric) or not policy.thresholds(each):
            expect.record(each)
        else:
            expect(each)
    vitals = measure.vitals(journey, visits, edges)
    expect(*(each for each in vitals if each.metric not in edges))
    expect.advisory, expect.unreliable = True, found.unreliable
    expect(*(each for each in vitals if each.metric in edges))


def _shown(journey: JourneySettings, metric: str) -> bool:
    """Whether the settings of the journey allow what the metric counts."""
    allowed = {"journey_requests_failed": journey.requests, "journey_console_errors": journey.console_errors}
    return allowed.get(metric) == "allow"


class _Visiting:
    """Visits all journeys, once in an invocation."""

    def __init__(self, context: StageContext, over: Callable[[], bool]) -> None:
        self._context = context
        self._run = context.run
        self._over = over
        self._rounds: dict[str, list[list[Visit]]] = {each.name: [] for each in self._run.settings.journeys}
        self._trouble: dict[str, str] = {}
        self._skipped = ""
        self._made: dict[str, int] = {}
        self.interrupt: KeyboardInterrupt | None = None

    def all(self) -> dict[str, Any]:
        """What was found, as plain JSON."""
        began, waited = self._run.clock.monotonic(), cpu_wait_s()
        try:
            self._rounds_of_visits()
        except UnreachableError as error:
            self._skipped = str(error)
        except KeyboardInterrupt as interrupt:
            self.interrupt = interrupt
        return {
            "rounds": {
                name: [[each.to_json() for each in visits] for visits in rounds]
                for name, rounds in self._rounds.items()
            },
            "trouble": self._trouble,
            "skipped": self._skipped,
            "interrupted": self.interrupt is not None,
            "unreliable": _starved(waited, self._run.clock.monotonic() - began),
        }

    def _rounds_of_visits(self) -> None:
        """One journey after the other, each when its time has come, until the watch is over."""
        clock, due = self._run.clock, dict.fromkeys(self._rounds, 0.0)
        journeys = {each.name: each for each in self._run.settings.journeys}
        while True:
            over = self._over()
            open_ = [
                name
                for name, rounds in self._rounds.items()
                if name not in self._trouble and not (over and (len(rounds) >= VISITS or _failed(rounds)))
            ]
            if not open_:
                return
            name = min(open_, key=lambda each: due[each])
            wait = due[name] - clock.monotonic()
            if wait > 0 and not over:
                self._run.often(f"journeys: {sum(self._made.values())} visits; {name} again in {wait:.0f} s")
                clock.sleep(min(wait, _WAITING_S))
                continue
            due[name] = clock.monotonic() + journeys[name].every
            self._round(journeys[name])

    def _round(self, journey: JourneySettings) -> None:
        """A visit; one that does not pass is made again, with a browser of its own."""
        rounds, visits = self._rounds[journey.name], list[Visit]()
        looks = 1 if _failed(rounds) else LOOKS  # it is known to fail: from now on how often is counted
        rounds.append(visits)
        while not visits or (visits[-1].outcome != "passed" and len(visits) < looks):
            if visits:
                self._run.clock.sleep(BETWEEN_S)
            number = self._made[journey.name] = self._made.get(journey.name, 0) + 1
            self._run.often(f"journeys: {journey.name}, visit {number}, after {sum(self._made.values()) - 1}")
            try:
                made = visit(self._context, journey, number)
            except UnreachableError:
                raise
            except RampgateError as error:
                self._trouble[journey.name] = str(error)
                return
            visits.append(made)
            self._run.progress(self._line(journey, number, made))
        if len(rounds) == 1 and (lost := _lost(visits)):
            self._trouble[journey.name] = lost

    def _line(self, journey: JourneySettings, number: int, made: Visit) -> str:
        seconds = f"{made.end - made.start:.0f} s"
        why = f": {measure.where(made)}" if made.why else ""
        return f"journey {journey.name}, visit {number}: {made.outcome} in {seconds}{why}"


def _failed(rounds: Sequence[Sequence[Visit]]) -> bool:
    """Whether a round was no chance: none of its visits passed, and the last has failed."""
    return any(visits and visits[-1].outcome == "failed" and not _passed(visits) for visits in rounds)


def _passed(visits: Sequence[Visit]) -> bool:
    return any(visit.outcome == "passed" for visit in visits)


def _lost(visits: Sequence[Visit]) -> str:
    """Why nothing can be said of a round, "" where something can be."""
    return measure.where(visits[-1]) if visits and all(each.outcome == "error" for each in visits) else ""


def _starved(waited: float | None, seconds: float) -> str:
    """Why times say nothing about the site, "" where they do."""
    now = cpu_wait_s()
    if waited is None or now is None or seconds <= 0:
        return ""
    share = (now - waited) / seconds
    if share <= STARVED:
        return ""
    return f"this machine was starved: work waited for a processor {100 * share:.0f} % of the time"
