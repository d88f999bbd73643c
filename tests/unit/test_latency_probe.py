"""The probe of endpoints in virtual time: requests at full length to a target that a function describes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import FakeClock

from rampgate.checks.endpoints import EndpointSettings, LatencySettings, undecidable
from rampgate.checks.latency.counting import Terms, measurements, outage
from rampgate.checks.latency.open_model import NOT_WAITED, OpenModel, Request, Result
from rampgate.checks.latency.probe import LatencyProbe, Probed
from rampgate.config import policy
from rampgate.config.settings import Settings
from rampgate.errors import ProbeError
from rampgate.judging.judge import Judgement, judge
from rampgate.outcome import Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rampgate.model.measurement import Measurement

    Target = Callable[[int, float], Result]
    """What an endpoint answers to a request of this second."""

NAMES = ("orders", "patients")
ENDPOINTS = [EndpointSettings(name=name, path=f"/{name}", body="items") for name in NAMES]
POLICY = policy.build(Settings(endpoints=ENDPOINTS))
EDGES = [edge for threshold in POLICY.of("api_response_time") if (edge := threshold.edge) is not None]
GOOD, BAD = Result("200", 20.0), Result("503", 3.0, "HTTP 503")
LIMITED = Result("429", 3.0, "HTTP 429", limited=0.0)
UNAVAILABLE = Result("503", 3.0, "HTTP 503", limited=0.0)
NEVER = Result("time-out", 0.0)
"""What gets no answer: it fails when its time is up."""


class Simulated(OpenModel):
    """An open model whose requests end at once, or never, in virtual time."""

    def __init__(self, target: Target, rate: float, clock: FakeClock) -> None:
        super().__init__([lambda: GOOD] * len(ENDPOINTS), rate, 10, 10.0, clock)
        self._target = target
        self._virtual = clock
        self.starved = 0.0

    def run(self, until: float) -> None:
        """Answer whatever is due before that moment."""
        while self._next < until:
            key = next(self._keys)
            endpoint = key % len(ENDPOINTS)
            if (result := self._target(endpoint, self._next)) is NEVER:
                self._open[key] = endpoint, self._next
            else:
                self.done.append(Request(endpoint, self._next, result))
            self._next = round(self._next + 1 / (self.rate * len(ENDPOINTS)), 6)
        self._virtual.time = self._began + until
        self._check()

    def held_up(self) -> float:
        """What the test says."""
        return self.starved


class Probing:
    """One probing of a target.

    Args:
        target: what answers.
        judged: whether more is asked while it is undecided.
        starved: the share of the time that the probe was held up.
        waited: how many requests had to wait for a free place.
        more: what else was measured of an endpoint.
        clock: in place of one that only moves on.
    """

    def __init__(
        self,
        target: Target,
        *,
        judged: bool = True,
        starved: float = 0.0,
        waited: int = 0,
        more: Callable[[int], Iterable[Measurement]] = lambda _: (),
        clock: FakeClock | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.paces: list[float] = []
        self.said: list[str] = []

        def traffic(rate: float) -> Simulated:
            self.paces.append(rate)
            made = Simulated(target, rate, self.clock)
            made.starved, made.waited = starved, waited
            return made

        self._probe = LatencyProbe(
            ENDPOINTS,
            LatencySettings(),
            traffic,
            EDGES,
            self.clock,
            judging if judged else None,
            often=self.said.append,
            more=more,
        )
        began = self.clock.time
        self.probed = self._probe.measure()
        self.halved = self._probe.halved
        self.seconds = self.clock.time - began

    @property
    def judged(self) -> dict[tuple[str, str], Outcome]:
        """(endpoint, threshold) -> what it comes to."""
        seen = [self.probed.outage, *(each for found in self.probed.measurements for each in found)]
        return {(j.labels.get("endpoint", ""), j.name): j.outcome for j in judging(seen)}

    @property
    def outcomes(self) -> set[Outcome]:
        """Of all limits of all endpoints."""
        return set(self.judged.values())


def judging(seen: Iterable[Measurement]) -> Sequence[Judgement]:
    """By the thresholds that are in force without settings."""
    return [
        judge(threshold, each, alpha_fail=1e-3 / 20, looks=4)
        for each in seen
        for threshold in POLICY.thresholds(each)
    ]


def steady(_endpoint: int, _at: float) -> Result:
    """A good answer in 20 ms."""
    return GOOD


def pausing(phase: float) -> Target:
    """No answer for 2 s in every 20: whoever comes then waits until it is over."""

    def target(_endpoint: int, at: float) -> Result:
        into = (at + phase) % 20
        return Result("200", 20.0 + max(0.0, 2.0 - into) * 1000)

    return target


def bursts(phase: float) -> Target:
    """Errors of 8 %, all within 1.6 s of every 20."""
    return lambda _endpoint, at: BAD if (at + phase) % 20 < 1.6 else GOOD


@pytest.mark.parametrize("phase", [0, 7, 18.5])
@pytest.mark.parametrize("kind", [pausing, bursts])
def test_trouble_that_comes_and_goes_does_not_pass(kind: Callable[[float], Target], phase: float) -> None:
    """Pauses of 2 s in every 20, and errors of 8 % in bursts, whenever the look begins."""
    asked = Probing(kind(phase))
    assert asked.outcomes & {Outcome.FAILED, Outcome.UNDECIDED}


def test_a_sound_service_is_promoted_after_one_look() -> None:
    """Where nothing fails a minute is enough: 600 requests to each, of which the first 20 are not timed."""
    asked = Probing(steady)
    assert (asked.outcomes, asked.seconds) == ({Outcome.PASSED}, 60)
    errors, times, bodies = asked.probed.measurements[0]
    assert (errors.n, times.n, bodies.n) == (600, 580, 600)
    assert (errors.end - errors.start, errors.details["pace"]) == (60, 10)


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_service_is_promoted_within_five_minutes(seed: int) -> None:
    """Errors of a quarter of the limit, and 2 % slow, independently of each other."""
    chance = random.Random(seed)  # noqa: S311  # a test is no secret
    slow = Result("200", 700.0)
    asked = Probing(lambda *_: BAD if chance.random() < 0.005 else slow if chance.random() < 0.02 else GOOD)
    assert asked.outcomes == {Outcome.PASSED}
    assert asked.seconds in {60, 120, 180, 300}


def test_an_undecided_service_is_asked_for_five_minutes() -> None:
    """Errors at the limit of a warning decide nothing, however long it is looked at: 300 s are the most."""
    asked = Probing(lambda _endpoint, at: BAD if round(at * 10) % 55 == 0 else GOOD)
    assert asked.seconds == 300
    assert asked.judged["orders", "error_rate_warning"] is Outcome.UNDECIDED
    assert asked.judged["orders", "error_rate_critical"] is Outcome.PASSED


def test_a_critical_failure_ends_it_at_once() -> None:
    """A third of the requests to one endpoint fails: nobody waits for the end of the minute."""
    asked = Probing(lambda endpoint, at: BAD if endpoint and round(at * 20) % 3 == 0 else GOOD)
    assert asked.seconds < 60
    assert asked.judged["patients", "error_rate_critical"] is Outcome.FAILED
    assert Outcome.FAILED not in {
        asked.judged["orders", name] for _, name in asked.judged if name != "api_outage"
    }


def test_ten_seconds_without_any_answer_are_an_outage() -> None:
    """Every request to every endpoint failed: critical, and found as soon as that."""
    asked = Probing(lambda _endpoint, at: BAD if at >= 21 else GOOD)
    assert asked.judged["", "api_outage"] is Outcome.FAILED
    assert asked.seconds == 35
    (judged,) = judging([asked.probed.outage])
    assert judged.sentence == "every request to every endpoint failed for 14 s: HTTP 503"


def test_a_service_that_never_answers_is_known_after_ten_seconds() -> None:
    """No longer is needed, where it has been down from the beginning."""
    asked = Probing(lambda *_: BAD)
    assert (asked.seconds, asked.probed.outage.value) == (10, 10)


def test_one_endpoint_that_is_down_is_no_outage() -> None:
    """The others answer: it is that endpoint's error rate that fails."""
    asked = Probing(lambda endpoint, _at: BAD if endpoint else GOOD)
    assert asked.judged["", "api_outage"] is Outcome.PASSED
    assert asked.judged["patients", "error_rate_critical"] is Outcome.FAILED


def test_a_bunch_of_failures_is_no_outage() -> None:
    """At a low pace 20 requests in a row, which Healthy allows, take longer than 10 s."""
    asked = [Request(0, float(second), BAD if 30 <= second < 50 else GOOD) for second in range(60)]
    assert outage(asked).value == 0
    assert outage([Request(0, each.due, BAD) for each in asked]).value == 60


def test_answers_that_are_swapped_midway_are_seen_in_the_bodies() -> None:
    """Both endpoints are asked all the time, so that what one answers for the other shows in either."""
    swapped = Result("200", 20.0, body_error="items is missing")
    asked = Probing(lambda _endpoint, at: swapped if at >= 30 else GOOD)
    assert {asked.judged[name, "body_failures"] for name in NAMES} == {Outcome.FAILED}


def test_a_limit_of_our_rate_halves_it_once() -> None:
    """It goes on at half the pace, where the target answers, says so, and keeps what it has."""
    begun: list[float] = []

    def target(_endpoint: int, at: float) -> Result:
        begun.extend([at] if at == 0 else [])
        return LIMITED if len(begun) == 1 and at > 3 else GOOD

    asked = Probing(target)
    assert asked.paces == [10, 5]
    assert asked.clock.slept == [10]
    assert asked.outcomes == {Outcome.PASSED}
    errors, *_ = asked.probed.measurements[0]
    assert errors.note == "the target limits our rate (HTTP 429) at 20 requests a second"
    assert (errors.details["pace"], errors.n, len(errors.blocks)) == (5, 31 + 600, 1 + 24)
    assert asked.halved == f"latency: {errors.note}, and was asked at half of that"


class Once:
    """Answers one request at /orders, the first after a moment, with 429, and else what the target does."""

    def __init__(self, after: float, target: Target) -> None:
        self._after, self._target = after, target
        self._refused = False

    def __call__(self, endpoint: int, at: float) -> Result:
        """One request."""
        if endpoint == 0 and at >= self._after and not self._refused:
            self._refused = True
            return LIMITED
        return self._target(endpoint, at)


def until(end: float, share: int) -> Target:
    """Until then every so many-th request to /patients fails; once it has recovered it is sound."""
    ended: list[float] = []

    def target(endpoint: int, at: float) -> Result:
        ended.extend([at] if at >= end else [])
        return BAD if endpoint and not ended and round(at * 10) % share == 0 else GOOD

    return target


@pytest.mark.parametrize(("end", "share"), [(54, 7), (54, 12), (4.5, 1)])
def test_a_limit_of_our_rate_drops_nothing_that_was_measured(end: float, share: int) -> None:
    """What failed before it has failed, though all is well at half the pace."""
    asked = Probing(Once(end, until(end, share)))
    assert asked.outcomes & {Outcome.FAILED, Outcome.UNDECIDED}


@pytest.mark.parametrize("limited", [LIMITED, UNAVAILABLE])
@pytest.mark.parametrize("bad", [BAD, UNAVAILABLE])
@pytest.mark.parametrize("every", [10, 40])
def test_what_fails_is_critical_though_the_target_limits_our_rate(
    every: int, bad: Result, limited: Result
) -> None:
    """One endpoint answers nothing but errors, another refuses requests for our rate: the errors count."""
    asked = Probing(
        lambda endpoint, at: bad if endpoint else limited if round(at * 10) % every == 0 else GOOD
    )
    assert asked.judged["patients", "error_rate_critical"] is Outcome.FAILED
    assert asked.judged["orders", "error_rate_critical"] is not Outcome.FAILED


def test_trouble_of_ours_drops_no_critical_failure() -> None:
    """What was measured until then is judged; where nothing critical failed we could not measure."""

    def broken(_number: int) -> Iterable[Measurement]:
        raise ProbeError("no more sockets")

    asked = Probing(lambda endpoint, _at: BAD if endpoint else GOOD, more=broken)
    assert asked.judged["patients", "error_rate_critical"] is Outcome.FAILED
    with pytest.raises(ProbeError, match="no more sockets"):
        Probing(steady, more=broken)


def test_what_gets_no_answer_while_a_look_ends_counts() -> None:
    """Requests go on while the last ones of a look have no answer yet: an outage then is one."""
    asked = Probing(lambda _endpoint, at: NEVER if 59 <= at < 70 else GOOD)
    assert asked.judged["", "api_outage"] is Outcome.FAILED
    assert asked.probed.outage.value == pytest.approx(11, abs=0.1)


def test_an_outage_lasts_as_long_however_many_endpoints_there_are() -> None:
    """Of 40 endpoints at 50 requests a second too, of which each is asked 13 times in 10 s."""
    asked = [Request(number % 40, number / 50, BAD if number >= 2490 else GOOD) for number in range(3000)]
    assert outage(asked).value == pytest.approx(10.2)


@pytest.mark.parametrize("limited", [LIMITED, UNAVAILABLE])
def test_a_limit_that_goes_on_is_an_error_and_names_the_pace(limited: Result) -> None:
    """It is not the target's failure that we ask too often."""
    with pytest.raises(ProbeError) as raised:
        Probing(lambda _endpoint, at: limited if round(at * 10) % 10 == 1 else GOOD)
    status = limited.outcome
    assert str(raised.value) == f"the target limits our rate (HTTP {status}) at 10 requests a second"


def test_nothing_but_429_is_an_error() -> None:
    """It says that we ask too often, and nothing else."""
    with pytest.raises(ProbeError, match="limits our rate"):
        Probing(lambda *_: LIMITED)


def test_nothing_but_503_is_an_outage_whatever_it_says_of_later() -> None:
    """With Retry-After too: where nothing is answered, it is down."""
    asked = Probing(lambda *_: UNAVAILABLE)
    assert asked.judged["", "api_outage"] is Outcome.FAILED
    assert asked.paces == [10]


def test_a_starved_probe_blames_nobody() -> None:
    """It says that it was starved, and neither stops early for a failure nor goes on."""
    asked = Probing(lambda *_: BAD, starved=0.23)
    assert asked.seconds == 60
    assert asked.probed.unreliable == (
        "the probe was starved (it waited 23 % of the time for a processor, 10 % is the most), "
        "so that its times say nothing about the target"
    )


def test_an_interrupt_keeps_what_was_measured() -> None:
    """Ctrl-C ends it at once."""

    def target(_endpoint: int, at: float) -> Result:
        if at > 12:
            raise KeyboardInterrupt
        return GOOD

    asked = Probing(target)
    assert asked.probed.interrupted
    assert asked.probed.measurements[0][0].n == pytest.approx(120, abs=1)


class Interrupting(FakeClock):
    """A clock that is interrupted in a long wait."""

    def sleep(self, seconds: float) -> None:
        """Ctrl-C."""
        if seconds >= 1:
            raise KeyboardInterrupt
        super().sleep(seconds)


def interrupted(_number: int) -> Iterable[Measurement]:
    """Ctrl-C while more is asked."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("more", [{"more": interrupted}, {"clock": Interrupting()}])
def test_an_interrupt_outside_a_look_keeps_what_was_measured(more: dict[str, Any]) -> None:
    """While it waits for the limit of our rate to pass, and while it asks past caches."""
    asked = Probing(Once(4.9, until(4.9, 1)), **more)
    assert asked.probed.interrupted
    errors, *_ = asked.probed.measurements[1]
    assert errors.failures == 49


def test_a_baseline_is_one_look() -> None:
    """Nothing is judged, so that nothing is looked at longer."""
    assert Probing(bursts(0), judged=False).seconds == 60


def test_whoever_watches_reads_a_line_every_ten_seconds() -> None:
    """How long it has asked, how often, and how many failed."""
    said = Probing(lambda endpoint, at: BAD if at < 1 and endpoint else GOOD).said
    assert said[0] == "latency: 10 of 60 s, 200 requests to 2 endpoints, 10 failed"
    assert len(said) >= 6


def test_other_processes_read_what_was_measured() -> None:
    """Written down and read back it is the same."""
    probed = Probing(bursts(0)).probed
    again = Probed.from_json(probed.to_json())
    assert judging(again.measurements[0]) == judging(probed.measurements[0])
    assert (again.outage, again.unreliable, again.interrupted) == (probed.outage, "", False)


def counted(
    *results: Result, endpoint: EndpointSettings = ENDPOINTS[0], edges: Sequence[float] = (500.0, 1000.0)
) -> list[Measurement]:
    """What one endpoint's requests come to, ten a second."""
    requests = [Request(0, number / 10, result) for number, result in enumerate(results)]
    return measurements(endpoint, requests, Terms(edges, 5.0))


def test_times_and_errors_are_counted_exactly() -> None:
    """The first 20 requests count among errors and bodies only; a time at the limit is not above it."""
    errors, times, bodies = counted(*[GOOD] * 190, *[Result("200", ms) for ms in (500.0, 500.1, 2000.0)])
    assert (errors.n, errors.failures, bodies.n, bodies.failures) == (193, 0, 193, 0)
    assert (times.n, times.exceedances) == (173, {500.0: 2, 1000.0: 1})
    assert times.histogram is not None
    assert sum(times.histogram.counts.values()) == 173
    assert (times.details["median_ms"], times.details["worst_ms"]) == (20.0, 2000.0)
    assert times.details["cold_start"] == {"n": 20, "median_ms": 20.0, "worst_ms": 20.0}
    assert {each.labels["endpoint"] for each in (errors, times, bodies)} == {"orders"}


def test_blocks_of_five_seconds_hold_all_that_is_counted() -> None:
    """By when requests were due, the last one not full."""
    errors, times, bodies = counted(*[GOOD] * 60, *[BAD] * 10, *[Result("200", 600.0, "", "empty")] * 50)
    assert [tuple(block) for block in errors.blocks] == [(50, 0, {}), (50, 10, {}), (20, 0, {})]
    assert [block.exceedances for block in times.blocks] == [
        {500.0: 0, 1000.0: 0},
        {500.0: 40, 1000.0: 10},
        {500.0: 20, 1000.0: 0},
    ]
    assert [block.n for block in times.blocks] == [30, 50, 20]
    assert [(block.n, block.failures) for block in bodies.blocks] == [(50, 0), (40, 30), (20, 20)]


def test_a_fast_failure_lies_above_every_edge() -> None:
    """An error in 3 ms is no fast answer: it fails, and exceeds every limit."""
    errors, times, bodies = counted(*[BAD] * 60)
    assert errors.failures == errors.n == 60
    assert times.exceedances == {500.0: 40, 1000.0: 40}
    assert times.histogram is not None
    assert not times.histogram.counts
    assert errors.details == {"path": "/orders", "statuses": {"503": 60}, "errors": ["HTTP 503"]}
    assert (bodies.n, bodies.failures) == (0, 0)


def test_what_was_not_waited_for_is_slow_and_no_error() -> None:
    """It lies above every edge, and is told apart from what failed."""
    results = [*[GOOD] * 60, *[Result(NOT_WAITED, 100.0)] * 40, *[BAD] * 10]
    errors, times, bodies = counted(*results, edges=EDGES)
    assert (errors.n, errors.failures, bodies.n) == (70, 10, 60)
    assert (times.n, set(times.exceedances.values())) == (90, {50})
    (judged, *_) = [each for each in judging([times]) if each.name == "api_p95_suite"]
    assert (
        "/orders answered HTTP 503 to 10 of 90 requests (expected 2xx), 40 more took 500 ms"
        in judged.sentence
    )


def test_a_failure_in_the_cold_start_counts_as_an_error() -> None:
    """A cold start excuses slowness, not errors."""
    errors, times, _ = counted(*[BAD] * 3, *[Result("200", 900.0)] * 17, *[GOOD] * 20)
    assert (errors.n, errors.failures) == (40, 3)
    assert times.exceedances == {500.0: 0, 1000.0: 0}


def test_bodies_are_counted_among_good_answers_only() -> None:
    """A 500 has no body to check; an empty 200 has."""
    empty = Result("200", 20.0, "", "items is 0, below 1")
    errors, _, bodies = counted(*[BAD, empty, GOOD, GOOD] * 20)
    assert (errors.failures, bodies.n, bodies.failures) == (20, 60, 20)
    assert bodies.details == {"check": "items >= 1", "failed": ["items is 0, below 1"]}
    without = EndpointSettings(name="orders", path="/orders")
    assert [each.metric for each in counted(GOOD, endpoint=without)] == ["error_rate", "api_response_time"]


@pytest.mark.parametrize(
    ("endpoints", "more", "accepted"),
    [
        (1, {}, ""),
        (30, {}, ""),
        (40, {}, "max_rate = 57.6"),
        (1, {"pace": 1}, "pace = 1.44"),
        (1, {"look": "2s"}, "pace = 43.1"),
        (60, {"look": "2s"}, "pace = 43.1 and max_rate = 2586"),
    ],
)
def test_a_pace_that_cannot_decide_is_refused_with_the_figure(
    endpoints: int, more: dict[str, object], accepted: str
) -> None:
    """Without any failure the longest look must be enough for the tightest limit."""
    settings = LatencySettings.model_validate(more)
    said = undecidable(settings, endpoints, POLICY.of("error_rate"), 1e-3)
    assert bool(said) is bool(accepted)
    assert accepted in said


def test_severities_are_those_of_the_rules() -> None:
    """An outage rolls back; what is slow or wrong on occasion holds."""
    found = {rule.threshold.name: rule.threshold.severity for rule in POLICY.rules}
    assert found["api_outage"] is found["error_rate_critical"] is Severity.CRITICAL
    assert found["error_rate_warning"] is found["api_p95_suite"] is Severity.WARNING


def test_times_of_requests_that_waited_say_so() -> None:
    """Each answer may have come in 2 s: what queued for a free place is named, with the setting."""
    slow = Probing(lambda _, __: Result("200", 7000.0), waited=300)
    times = slow.probed.measurements[0][1]
    said = judge(POLICY.of("api_response_time")[0], times, alpha_fail=5e-5, looks=4).sentence
    assert said.endswith(
        "300 requests waited for one of 10 places ([latency] max_in_flight), timed from when they were due"
    )
