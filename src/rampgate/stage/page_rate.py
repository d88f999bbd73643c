"""A page in a stage: looked at once, and asked further where that fails some of the time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rampgate.checks import pages
from rampgate.checks.endpoints import LOOKS, EndpointSettings
from rampgate.checks.latency.asking import Connections, limited
from rampgate.checks.latency.open_model import OpenModel, Result
from rampgate.checks.latency.probe import LatencyProbe
from rampgate.io.http import ask
from rampgate.outcome import Outcome
from rampgate.stage.latency import judged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rampgate.checks.pages import PageSettings
    from rampgate.evidence.run import Expect
    from rampgate.judging.judge import Judgement
    from rampgate.model.measurement import Measurement
    from rampgate.stage.context import StageContext


def expect_page(context: StageContext, page: PageSettings, expect: Expect) -> None:
    """Judge a page; where it came in some looks and not in others, by how often it does not come, too.

    What was wrong in some looks, and that rate does not show, is a failure.

    A healthy page fails a look once in a hundred times at most, so that these further tests of chance use a
    hundredth of what one of the plan does.

    Args:
        context: of this process.
        page: one of [[pages]].
        expect: of the check.

    Raises:
        UnreachableError: the web server does not answer.
        ProbeError: we could not measure.
        RefusedError: it is not among allowed_hosts.
        KeyboardInterrupt: it was interrupted; what was measured until then is judged.
    """
    given = context.context()
    found = expect.confirmed(lambda: pages.measure(page, given))
    failed = {each.metric for each in expect.judgements if each.outcome is Outcome.FAILED}
    expect(*pages.unsteady(page, [seen for seen in found if seen.metric not in failed]))
    if not any(seen.metric == "page_up" and seen.value and "looks" in seen.details for seen in found):
        return
    context.run.progress(f"page {page.name}: some looks failed; asked for its error rate")
    connections = Connections(partial(context.client, "web", signed_in=page.sign_in))
    try:
        probe = _probe(context, page, connections)
        probed = probe.measure()
    finally:
        connections.close()
    expect.unreliable = probed.unreliable
    errors = probed.measurements[0][0]
    expect(replace(errors, labels={"page": page.name}), looks=len(LOOKS))
    if probe.interrupt:
        raise probe.interrupt


def _probe(context: StageContext, page: PageSettings, connections: Connections) -> LatencyProbe:
    """The probe of the API, of this page alone, and of its errors alone."""
    run, settings = context.run, context.run.settings
    timeout_s, most = settings.target.timeout, settings.latency.max_in_flight
    sending = [partial(_send, page, connections)]

    def judging(seen: Iterable[Measurement]) -> list[Judgement]:
        return judged(context, [each for each in seen if each.metric == "error_rate"])

    return LatencyProbe(
        [EndpointSettings(name=page.name, path=page.path)],
        settings.latency,
        lambda rate: OpenModel(sending, rate, most, timeout_s, run.clock),
        [],
        run.clock,
        judging,
        run.progress,
        run.often,
        connections=lambda: connections.opened,
    )


def _send(page: PageSettings, connections: Connections) -> Result:
    with connections.one() as client:
        answer = ask(client, "GET", page.path)
    return Result(answer.outcome, answer.ms, pages.lacks(page, answer), limited=limited(answer))
