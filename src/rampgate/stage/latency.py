"""The latency of endpoints in a stage: measured once for all of them, judged by the check of each."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.checks.endpoints import LOOKS, undecidable
from rampgate.checks.latency.asking import Connections, body_failure, send
from rampgate.checks.latency.open_model import OpenModel
from rampgate.checks.latency.probe import LatencyProbe, Probed
from rampgate.checks.latency.quality import OF_ANSWERS, Quality
from rampgate.errors import ConfigurationError, ProbeError, UnreachableError
from rampgate.evidence.chance import FALSE_PASS_PER_CHECK
from rampgate.evidence.run import Expect
from rampgate.judging.judge import judge
from rampgate.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.checks.latency.probe import Judge
    from rampgate.config.policy import Policy
    from rampgate.config.settings import Settings
    from rampgate.judging.judge import Judgement
    from rampgate.judging.threshold import Threshold
    from rampgate.model.measurement import Measurement
    from rampgate.stage.context import StageContext

_METRICS = ("error_rate", "api_response_time", "body_failure_rate")


def asks_so(subjects: Collection[str]) -> bool:
    """Whether anything of a plan is asked as [latency] says: endpoints, and a page that fails some looks."""
    return not {"endpoint", "baseline_endpoint", "page"}.isdisjoint(subjects)


def refuse_undecidable(settings: Settings, policy: Policy, subjects: Collection[str]) -> None:
    """Refuse a pace at which the longest look could not decide.

    Args:
        settings: the pace, and how many endpoints are asked at once; pages are asked one by one.
        policy: the limits.
        subjects: of the plan.

    Raises:
        ConfigurationError: the figure that is needed.
    """
    endpoints = len(settings.endpoints) if "endpoint" in subjects else int("page" in subjects)
    metrics = _METRICS if "endpoint" in subjects else _METRICS[:1]
    rules = [threshold for metric in metrics for threshold in policy.of(metric)]
    if why := undecidable(settings.latency, endpoints, rules, FALSE_PASS_PER_CHECK):
        raise ConfigurationError(f"rampgate.toml: {why}")


class _Found(NamedTuple):
    """What was found of one endpoint.

    Args:
        probed: what was measured of all of them.
        mine: what was measured of this one, nothing where it was left out.
        others: what was measured of the other endpoints, by their names.
        left_out: why it was, "" where it was not.
        here: whether this process measured it, and judges what is about all endpoints.
        down: whether no endpoint answered.
        interrupt: what cut it off, None where nothing did here.
    """

    probed: Probed
    mine: Sequence[Measurement]
    others: Mapping[str, Sequence[Measurement]]
    left_out: str
    here: bool
    down: bool
    interrupt: KeyboardInterrupt | None

    def end(self) -> None:
        """Go on only where it was measured to its end.

        Raises:
            KeyboardInterrupt: it was interrupted, or the stage's time was up.
            ProbeError: so it was in another process.
        """
        if self.interrupt:
            raise self.interrupt
        if self.probed.interrupted:
            raise ProbeError("latency was not measured to its end")


def expect_latency(context: StageContext, endpoint: EndpointSettings, expect: Expect) -> None:
    """Judge an endpoint by what the probe of all endpoints measured.

    Args:
        context: of this process.
        endpoint: one of [[endpoints]].
        expect: of the check.

    Raises:
        UnreachableError: what it depends on does not answer, or no endpoint does.
        ProbeError: it could not be measured, or not to its end.
        KeyboardInterrupt: it was interrupted; what was measured until then is judged.
    """
    found = _measured(context, endpoint, judged=True)
    if not found.here and (found.left_out or found.down):
        expect.record(*found.mine)
        raise UnreachableError(found.left_out or "skipped because api answered no request to any endpoint")
    _judge_endpoint(expect, found.mine, found.probed.unreliable)
    if found.here:
        expect(found.probed.outage)
    if found.interrupt:  # their own checks never run
        for name, seen in found.others.items():
            check = f"{expect.check.removesuffix(f'[{endpoint.name}]')}[{name}]"
            _judge_endpoint(Expect(context.run, check), seen, found.probed.unreliable)
    found.end()
    if found.left_out and expect.outcome is not Outcome.FAILED:
        raise UnreachableError(found.left_out)


def _judge_endpoint(expect: Expect, seen: Sequence[Measurement], unreliable: str) -> None:
    """What answers say does not depend on how long they took to come."""
    expect(*(each for each in seen if each.metric in OF_ANSWERS))
    expect.unreliable = unreliable
    expect(*(each for each in seen if each.metric not in OF_ANSWERS), looks=len(LOOKS))


def latency_before(context: StageContext, endpoint: EndpointSettings) -> Sequence[Measurement]:
    """What one look of the probe of all endpoints measured of this one, without a judgement.

    Raises:
        UnreachableError: what it depends on does not answer.
        ProbeError: it could not be measured, or not to its end.
        KeyboardInterrupt: it was interrupted.
    """
    found = _measured(context, endpoint, judged=False)
    if found.left_out:
        raise UnreachableError(found.left_out)
    found.end()
    if found.probed.unreliable:
        raise ProbeError(found.probed.unreliable)
    return found.mine


def _measured(context: StageContext, endpoint: EndpointSettings, *, judged: bool) -> _Found:
    """What the probe measured, in whichever process of this invocation came first.

    Raises:
        UnreachableError: nothing was, and this endpoint would have been left out of it.
        ProbeError: we could not measure.
    """
    measuring = _Measuring(context, judged=judged)
    context.guard.check(context.base("api"))
    found = context.run.shared("latency", measuring.measure)
    endpoints = context.run.settings.endpoints
    left_out = found["left_out"][endpoints.index(endpoint)]
    if "probed" not in found:
        raise UnreachableError(left_out) if left_out else ProbeError(found["error"])
    probed = Probed.from_json(found["probed"])
    asked = [each.name for each, why in zip(endpoints, found["left_out"], strict=True) if not why]
    seen = dict(zip(asked, probed.measurements, strict=True))
    mine = seen.pop(endpoint.name, ())
    return _Found(probed, mine, seen, left_out, measuring.here, found["down"], measuring.interrupt)


class _Measuring:
    """Measures all endpoints, once in an invocation."""

    def __init__(self, context: StageContext, *, judged: bool) -> None:
        self.here = False
        self.interrupt: KeyboardInterrupt | None = None
        self._context = context
        self._judged = judged

    def measure(self) -> dict[str, Any]:
        """What was found, as plain JSON."""
        self.here = True
        left_out = _left_out(self._context)
        endpoints = self._context.run.settings.endpoints
        asked = [endpoint for endpoint, why in zip(endpoints, left_out, strict=True) if not why]
        found: dict[str, Any] = {"left_out": left_out, "error": "", "down": False}
        if not asked:
            return found
        judging = partial(judged, self._context)
        with _probe(self._context, asked, judging if self._judged else None) as probe:
            try:
                probed = probe.measure()
            except ProbeError as error:
                return found | {"error": str(error)}
            finally:
                if probe.halved:
                    self._context.run.journal.write("event", text=probe.halved)
        self.interrupt = probe.interrupt
        down = any(each.outcome is Outcome.FAILED for each in judging([probed.outage]))
        return found | {"down": down and not probed.unreliable, "probed": probed.to_json()}


def _left_out(context: StageContext) -> list[str]:
    """Of each endpoint why it cannot be asked, "" where it can."""

    def why_not(endpoint: EndpointSettings) -> str:
        try:
            context.need("api", *endpoint.depends_on)
            if endpoint.sign_in:
                context.signed_in()
        except UnreachableError as error:
            return str(error)
        return ""

    return [why_not(endpoint) for endpoint in context.run.settings.endpoints]


@contextmanager
def _probe(
    context: StageContext, asked: Sequence[EndpointSettings], judging: Judge | None
) -> Iterator[LatencyProbe]:
    """A probe of these endpoints, and the connections that it has."""
    run, settings = context.run, context.run.settings
    connections = {
        signed_in: Connections(partial(context.client, "api", signed_in=signed_in))
        for signed_in in (False, True)
    }
    timeout_s, most = settings.target.timeout, settings.latency.max_in_flight
    quality = [Quality(each, run.clock, partial(body_failure, each)) for each in asked]
    sending = [
        partial(send, each, connections[each.sign_in], timeout_s, of)
        for each, of in zip(asked, quality, strict=True)
    ]

    def more(number: int) -> list[Measurement]:
        with connections[asked[number].sign_in].one() as http:
            return quality[number].measurements(http)

    edges = [threshold.edge for threshold in run.policy.of("api_response_time")]
    probe = LatencyProbe(
        asked,
        settings.latency,
        lambda rate: OpenModel(sending, rate, most, timeout_s, run.clock),
        [edge for edge in edges if edge is not None],
        run.clock,
        judging,
        run.progress,
        run.often,
        more,
        lambda: sum(each.opened for each in connections.values()),
    )
    try:
        yield probe
    finally:
        for each in connections.values():
            each.close()


def judged(context: StageContext, seen: Iterable[Measurement]) -> list[Judgement]:
    """What the measurements of a look come to."""

    def held_against(threshold: Threshold, measurement: Measurement) -> Judgement:
        return judge(
            threshold,
            measurement,
            alpha_fail=context.run.alpha_fail,
            alpha_pass=FALSE_PASS_PER_CHECK,
            looks=len(LOOKS),
        )

    return [
        held_against(threshold, each) for each in seen for threshold in context.run.policy.thresholds(each)
    ]
