"""Asks all endpoints side by side for a minute, and further while what was seen is not enough to decide."""

from __future__ import annotations

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
        often: takes a line every ten seconds.
        more: what else was measured of an endpoint, by its number; asked at the end.
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
    interrupt: KeyboardInterrupt | None = field(default=None, init=False)
    """What cut it off: whoever called raises it, once what was measured is judged."""

    def measure(self) -> Probed:
        """All endpoints, at half the pace where the target limits our rate.

        Raises:
            ProbeError: we could not measure: the target goes on to limit our rate.
            RefusedError: the guard refuses the address.
        """
        rate = self.settings.rate(len(self.endpoints))
        found = self._measure(rate)
        if isinstance(found, counting.Limit):
            note = self._limits(found, rate)
            self.progress(f"latency: {note}; goes on at half of that in {found.wait_s:g} s")
            self.clock.sleep(found.wait_s)
            found = self._measure(rate / 2, note)
        if isinstance(found, counting.Limit):
            raise ProbeError(self._limits(found, rate / 2))
        return found

    def _limits(self, limit: counting.Limit, rate: float) -> str:
        at = f"{rate * len(self.endpoints):g} requests a second"
        return f"the target limits our rate (HTTP {limit.status}) at {at}"

    def _measure(self, rate: float, note: str = "") -> Probed | counting.Limit:
        """What was seen at a pace, or that the target limits it."""
        start, traffic, limit = self.clock.now(), self.traffic(rate), None
        try:
            limit = self._run(traffic)
        except KeyboardInterrupt as interrupt:
            self.interrupt = interrupt
        finally:
            cut_off = traffic.close()
        if limit:
            return limit
        details = {"pace": rate, "waited": traffic.waited} | ({"cut_off": cut_off} if cut_off else {})
        if traffic.waited:
            places = f"one of {self.settings.max_in_flight} places ([latency] max_in_flight)"
            note = note or f"{traffic.waited:,} requests waited for {places}, timed from when they were due"
        terms = counting.Terms(self.edges, self.settings.look / BLOCKS, note, details)
        requests, end = _in_order(traffic.done), self.clock.now()
        measured = self._counted(requests, terms)
        if not self.interrupt:
            measured = [[*seen, *self.more(number)] for number, seen in enumerate(measured)]
        return Probed(
            [[replace(each, start=start, end=end) for each in seen] for seen in measured],
            replace(counting.outage(requests, len(self.endpoints)), start=start, end=end),
            _starved(traffic),
            self.interrupt is not None,
        )

    def _run(self, traffic: OpenModel) -> counting.Limit | None:
        """Ask until it is enough, or the target limits our rate."""
        looks = [factor * BLOCKS for factor in (LOOKS if self.judge else LOOKS[:1])]
        said = 0.0
        for number in range(1, looks[-1] + 1):
            end = number * self.settings.look / BLOCKS
            traffic.run(end)
            if number in looks:
                traffic.drain()
            if limit := counting.rate_limit(traffic.done, end - counting.WINDOW_S):
                return limit
            if end >= said + _SAY_S:
                said = end
                self._say(traffic)
            if self.judge and self._enough(traffic, self.judge, look_ended=number in looks[:-1]):
                break
        return None

    def _enough(self, traffic: OpenModel, judge: Judge, *, look_ended: bool) -> bool:
        """Whether a critical limit is broken, or at the end of a look nothing is to be gained by another."""
        block_s = self.settings.look / BLOCKS
        complete = traffic.complete // block_s * block_s
        requests = [request for request in _in_order(traffic.done) if request.due < complete or look_ended]
        measured = self._counted(requests, counting.Terms(self.edges, block_s))
        outage = counting.outage(requests, len(self.endpoints))
        judged = judge([outage, *(each for seen in measured for each in seen)])
        starved = bool(_starved(traffic))
        failed = {each.severity for each in judged if each.outcome is Outcome.FAILED}
        undecided = [each for each in judged if each.outcome is Outcome.UNDECIDED]
        if (Severity.CRITICAL in failed and not starved) or not look_ended:
            return Severity.CRITICAL in failed and not starved
        critical = [each for each in undecided if each.severity is Severity.CRITICAL]
        if starved or not (critical or (undecided and not failed)):
            return True
        self.progress(f"latency: {(critical or undecided)[0].line('')}")
        return False

    def _counted(self, requests: Sequence[Request], terms: counting.Terms) -> list[list[Measurement]]:
        mine: dict[int, list[Request]] = {}
        for request in requests:
            mine.setdefault(request.endpoint, []).append(request)
        return [
            counting.measurements(endpoint, mine.get(number, []), terms)
            for number, endpoint in enumerate(self.endpoints)
        ]

    def _say(self, traffic: OpenModel) -> None:
        done = list(traffic.done)
        failed = sum(bool(request.result.error or request.result.body_error) for request in done)
        many = len(self.endpoints)
        asked = f"{len(done):,} requests to {many} endpoint{'s' if many > 1 else ''}"
        self.often(f"latency: {traffic.now():.0f} s, {asked}, {failed:,} failed")


def _in_order(done: Sequence[Request]) -> list[Request]:
    return sorted(done, key=lambda request: request.due)


def _starved(traffic: OpenModel) -> str:
    """Why its times say nothing about the target, "" when they do."""
    waited = traffic.held_up()
    if not waited > STARVED:
        return ""
    return (
        f"the probe was starved (it waited {100 * waited:.0f} % of the time for a processor, "
        f"{100 * STARVED:.0f} % is the most), so that its times say nothing about the target"
    )
