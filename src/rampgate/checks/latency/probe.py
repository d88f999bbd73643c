"""Asks all endpoints side by side for a minute, and further while what was seen is not enough to decide."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rampgate.checks.endpoints import BLOCKS, LOOKS
from rampgate.checks.latency import counting
from rampgate.errors import ProbeError
from rampgate.io.cpu_pressure import STARVED
from rampgate.model.measurement import Measurement
from rampgate.outcome import Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rampgate.checks.endpoints import EndpointSettings, LatencySettings
    from rampgate.checks.latency.open_model import OpenModel, Request
    from rampgate.clock import Clock
    from rampgate.judging.judge import Judgement

    Judge = Callable[[Iterable[Measurement]], Sequence[Judgement]]

_SAY_S = 10.0


@dataclass(frozen=True)
class Probed:
    """What was measured.

    Args:
        measurements: of each endpoint, ``error_rate``, ``api_response_time``, perhaps ``body_failure_rate``.
        outage: ``api_outage``, of all endpoints together.
        unreliable: why it says nothing about the target, "" when it does.
        interrupted: whether it was cut off before its end.
    """

    measurements: Sequence[Sequence[Measurement]]
    outage: Measurement
    unreliable: str = ""
    interrupted: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for other processes."""
        return {
            "measurements": [[each.to_json() for each in seen] for seen in self.measurements],
            "outage": self.outage.to_json(),
            "unreliable": self.unreliable,
            "interrupted": self.interrupted,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Probed:
        """Read back what to_json wrote."""
        return cls(
            [[*map(Measurement.from_json, seen)] for seen in data["measurements"]],
            Measurement.from_json(data["outage"]),
            data["unreliable"],
            data["interrupted"],
        )


@dataclass
class _Phase:
    """Requests at one pace: the block of time that it begins with, what was cut off, and what ended it."""

    traffic: OpenModel
    begun: float
    cut_off: int = 0
    limit: counting.Limit | None = None

    def requests(self) -> list[Request]:
        """In the order in which they were due, where our rate is limited without those refused for it."""
        done = [request._replace(due=self.begun + request.due) for request in self.traffic.done]
        if self.limit:
            answered = {request.endpoint for request in done if not request.result.error}
            done = [each for each in done if not counting.refused(each, answered)]
        return sorted(done, key=lambda request: request.due)


@dataclass
class LatencyProbe:
    """Measures endpoints once.

    Args:
        endpoints: are asked side by side.
        settings: [latency].
        traffic: begins requests at so many a second to each endpoint, from now on.
        edges: milliseconds above which times are counted.
        clock: gives the time.
        judge: judges measurements, so that a look that is not enough is extended; None: it is not.
        progress: takes a line about each extension.
        often: takes how far it is, every ten seconds.
        more: what else was measured of an endpoint, by its number; asked at the end.
        connections: how many it has opened.
    """

    endpoints: Sequence[EndpointSettings]
    settings: LatencySettings
    traffic: Callable[[float], OpenModel]
    edges: Sequence[float]
    clock: Clock
    judge: Judge | None = None
    progress: Callable[[str], None] = field(default=lambda _: None)
    often: Callable[[str], None] = field(default=lambda _: None)
    more: Callable[[int], Iterable[Measurement]] = field(default=lambda _: ())
    connections: Callable[[], int] = field(default=lambda: 0)
    interrupt: KeyboardInterrupt | None = field(default=None, init=False)
    """What cut it off: whoever called raises it, once what was measured is judged."""
    halved: str = field(default="", init=False)
    """Why the pace was halved, "" where it was not."""
    _phases: list[_Phase] = field(default_factory=list, init=False)
    _looks: int = field(default=0, init=False)

    def measure(self) -> Probed:
        """All endpoints, at half the pace from when the target limits our rate.

        Raises:
            ProbeError: we could not measure, or the target goes on to limit our rate; and nothing critical
                failed until then.
            RefusedError: the guard refuses the address.
        """
        start, rate, note = self.clock.now(), self.settings.rate(len(self.endpoints)), ""
        more: list[list[Measurement]] = [[] for _ in self.endpoints]
        try:
            if limit := self._run(rate):
                note = self._limits(limit, rate)
                self.progress(f"latency: {note}; goes on at half of that in {limit.wait_s:g} s")
                self.halved = f"latency: {note}, and was asked at half of that"
                self.clock.sleep(limit.wait_s)
                rate /= 2
                if limit := self._run(rate):
                    raise ProbeError(self._limits(limit, rate))  # noqa: TRY301  # as any other
            more = [[*self.more(number)] for number in range(len(self.endpoints))]
        except KeyboardInterrupt as interrupt:
            self.interrupt = interrupt
        except ProbeError as error:
            if not self._critical(math.inf):
                raise
            self.progress(f"latency: {error}")
        requests, end = self._requests(), self.clock.now()
        measured = [*zip(self._counted(requests, self._terms(rate, note)), more, strict=True)]
        return Probed(
            [[replace(each, start=start, end=end) for each in (*seen, *others)] for seen, others in measured],
            replace(counting.outage(requests), start=start, end=end),
            self._starved(),
            self.interrupt is not None,
        )

    def _limits(self, limit: counting.Limit, rate: float) -> str:
        at = f"{rate * len(self.endpoints):g} requests a second"
        return f"the target limits our rate (HTTP {limit.status}) at {at}"

    def _terms(self, rate: float, note: str) -> counting.Terms:
        waited = sum(phase.traffic.waited for phase in self._phases)
        cut_off = sum(phase.cut_off for phase in self._phases)
        details = {"pace": rate, "waited": waited, "connections": self.connections()} | (
            {"cut_off": cut_off} if cut_off else {}
        )
        if waited:
            places = f"one of {self.settings.max_in_flight} places ([latency] max_in_flight)"
            note = note or f"{waited:,} requests waited for {places}, timed from when they were due"
        return counting.Terms(self.edges, self._block_s, note, details)

    @property
    def _block_s(self) -> float:
        return self.settings.look / BLOCKS

    def _requests(self, until: float = math.inf) -> list[Request]:
        """Those that were due before a moment and have ended, of all phases as if no time lay between."""
        return [each for phase in self._phases for each in phase.requests() if each.due < until]

    def _run(self, rate: float) -> counting.Limit | None:
        """Ask until it is enough, or the target limits our rate."""
        before = max((request.due for request in self._requests()), default=-1.0)
        phase = _Phase(self.traffic(rate), (before // self._block_s + 1) * self._block_s)
        self._phases.append(phase)
        try:
            return self._ask(phase)
        finally:
            phase.cut_off = phase.traffic.close()

    def _ask(self, phase: _Phase) -> counting.Limit | None:
        traffic, said = phase.traffic, 0.0
        # No more looks in all than the chance of a false pass is split over.
        looks = [
            factor * BLOCKS for factor in (LOOKS[: len(LOOKS) - self._looks] if self.judge else LOOKS[:1])
        ]
        for number in range(1, looks[-1] + 1):
            end = number * self._block_s
            traffic.run(end)
            if number in looks:
                traffic.drain(end)
            phase.limit = phase.limit or counting.rate_limit(traffic.done, end - counting.WINDOW_S)
            if end >= said + _SAY_S:
                said = end
                self._say(traffic, min(look for look in looks if look >= number) * self._block_s)
            if self._critical(phase.begun + traffic.complete // self._block_s * self._block_s):
                return None
            if phase.limit and (number in looks or not self._goes_on()):
                return phase.limit
            if number in looks and self._enough(phase, end, last=number == looks[-1]):
                return None
        return None

    def _goes_on(self) -> bool:
        """Whether, limited once more, it asks on to the look's end: what else failed may yet be critical."""
        failed = any(each.result.error or each.result.body_error for each in self._requests())
        return failed and len(self._phases) > 1

    def _enough(self, phase: _Phase, end: float, *, last: bool) -> bool:
        """Whether nothing is to be gained by another look, nor by what was asked while this one ended."""
        self._looks += 1
        undecided = "" if last else self._undecided(phase.begun + end)
        if not undecided:
            phase.traffic.finish()
            undecided = "" if last else self._undecided(math.inf)
        if undecided:
            self.progress(f"latency: {undecided}")
        return not undecided

    def _undecided(self, until: float) -> str:
        """What another look may decide, "" where nothing is to be gained by one."""
        judged = self._judged(until)
        failed = {each.severity for each in judged if each.outcome is Outcome.FAILED}
        undecided = [each for each in judged if each.outcome is Outcome.UNDECIDED]
        critical = [each for each in undecided if each.severity is Severity.CRITICAL]
        if Severity.CRITICAL in failed or self._starved() or not (critical or (undecided and not failed)):
            return ""
        return (critical or undecided)[0].line("")

    def _critical(self, until: float) -> bool:
        """Whether a critical limit is broken."""
        failed = {each.severity for each in self._judged(until) if each.outcome is Outcome.FAILED}
        return Severity.CRITICAL in failed and not self._starved()

    def _judged(self, until: float) -> Sequence[Judgement]:
        if not self.judge:
            return ()
        requests = self._requests(until)
        measured = self._counted(requests, counting.Terms(self.edges, self._block_s))
        return self.judge([counting.outage(requests), *(each for seen in measured for each in seen)])

    def _starved(self) -> str:
        """Why its times say nothing about the target, "" when they do."""
        waited = max((phase.traffic.held_up() for phase in self._phases), default=0.0)
        if not waited > STARVED:
            return ""
        return (
            f"the probe was starved (it waited {100 * waited:.0f} % of the time for a processor, "
            f"{100 * STARVED:.0f} % is the most), so that its times say nothing about the target"
        )

    def _counted(self, requests: Sequence[Request], terms: counting.Terms) -> list[list[Measurement]]:
        mine: dict[int, list[Request]] = {}
        for request in requests:
            mine.setdefault(request.endpoint, []).append(request)
        return [
            counting.measurements(endpoint, mine.get(number, []), terms)
            for number, endpoint in enumerate(self.endpoints)
        ]

    def _say(self, traffic: OpenModel, until: float) -> None:
        done = list(traffic.done)
        failed = sum(bool(request.result.error or request.result.body_error) for request in done)
        many = len(self.endpoints)
        asked = f"{len(done):,} requests to {many} endpoint{'s' if many > 1 else ''}"
        self.often(f"latency: {traffic.now():.0f} of {until:g} s, {asked}, {failed:,} failed")
