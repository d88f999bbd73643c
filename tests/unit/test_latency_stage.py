"""What was measured of all endpoints together, judged by the check of whoever measured it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from tests.unit.test_run import records, started

from rampgate.checks.latency.probe import Probed
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError, UnreachableError
from rampgate.evidence.run import Expect
from rampgate.model.measurement import Measurement
from rampgate.outcome import Outcome, Severity
from rampgate.stage import latency, stage_session
from rampgate.stage.context import StageContext

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.evidence.run import Run

LEFT_OUT = "skipped because redis does not answer"


class Measured:
    """A probe of one endpoint, with what it came to."""

    def __init__(self, outage_s: float) -> None:
        self.interrupt: KeyboardInterrupt | None = None
        self.halved = "latency: the target limits our rate"
        failures = 600 if outage_s else 0
        errors = Measurement("error_rate", n=600, failures=failures, labels={"endpoint": "items"})
        self._probed = Probed([[errors]], Measurement("api_outage", "s", n=600, value=outage_s))

    def measure(self) -> Probed:
        """What it came to."""
        return self._probed


def run_of(folder: Path, monkeypatch: pytest.MonkeyPatch, outage_s: float) -> Run:
    """A run whose first endpoint needs a store that is down, and whose second was measured."""
    endpoints = [{"name": "cached", "path": "/cached"}, {"name": "items", "path": "/items"}]
    target = {"api": "http://127.0.0.1:9"}
    settings = Settings.model_validate({"target": target, "endpoints": endpoints})
    monkeypatch.setattr(latency, "_left_out", lambda _: [LEFT_OUT, ""])
    monkeypatch.setattr(latency, "_probe", lambda *_: nullcontext(Measured(outage_s)))
    return started(folder, settings=settings)


def test_an_outage_is_judged_by_whoever_measured_though_its_own_endpoint_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Skipped for the outage, the other endpoints judge nothing: somebody must."""
    run = run_of(tmp_path, monkeypatch, 60.0)
    cached, items = run.settings.endpoints
    expect = Expect(run, "immediate/latency::endpoint_answers_in_time[cached]")
    latency.expect_latency(StageContext(run), cached, expect)
    (outage,) = expect.judgements
    assert (outage.metric, outage.outcome, outage.severity) == (
        "api_outage",
        Outcome.FAILED,
        Severity.CRITICAL,
    )
    with pytest.raises(UnreachableError, match="api answered no request to any endpoint"):
        latency.expect_latency(StageContext(run), items, Expect(run, "items"))


def test_an_endpoint_that_was_left_out_is_skipped_though_its_check_measured_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the API was never silent is no pass of an endpoint that nobody asked."""
    run = run_of(tmp_path, monkeypatch, 0.0)
    cached, items = run.settings.endpoints
    with pytest.raises(UnreachableError, match=LEFT_OUT):
        latency.expect_latency(StageContext(run), cached, Expect(run, "cached"))
    with pytest.raises(UnreachableError, match=LEFT_OUT):
        latency.latency_before(StageContext(run), cached)
    expect = Expect(run, "items")
    latency.expect_latency(StageContext(run), items, expect)
    assert [each.metric for each in expect.judgements] == ["error_rate"] * len(expect.judgements)
    assert expect.judgements


def test_a_run_says_that_its_pace_was_halved_whatever_it_comes_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer requests than usual stand behind it, of a target that lets nobody ask for more."""
    run = run_of(tmp_path, monkeypatch, 0.0)
    latency.expect_latency(StageContext(run), run.settings.endpoints[1], Expect(run, "items"))
    assert [event["text"] for event in records(tmp_path, "event")] == ["latency: the target limits our rate"]


PAGE = '[[pages]]\nname = "home"\npath = "/"\n'
ENDPOINT = '[[endpoints]]\nname = "items"\npath = "/items"\n'
STORE = '[redis]\nurl = "redis://127.0.0.1:9"\n'


def prepared(folder: Path, stage: str, subject: str, latency: str) -> stage_session.StageSession:
    """A stage of a target with one subject."""
    file = folder / "rampgate.toml"
    target = '[target]\nweb = "http://127.0.0.1:9"\napi = "http://127.0.0.1:9"\n'
    file.write_text(f"{target}{subject}[latency]\n{latency}\n", encoding="utf-8")
    source = {"path": str(file), "overrides": {}, "from_environment": False}
    return stage_session.prepare(stage, source, [])


@pytest.mark.parametrize(
    ("stage", "subject", "rehearsal"),
    [
        ("immediate", PAGE, True),
        ("immediate", ENDPOINT, True),
        ("predeploy", ENDPOINT + "[baseline]\n", True),
        ("immediate", STORE, False),
    ],
)
def test_a_short_look_makes_a_rehearsal_of_whatever_is_asked_so(
    tmp_path: Path, stage: str, subject: str, rehearsal: bool
) -> None:
    """A page that fails some looks is asked for as long as endpoints are."""
    assert prepared(tmp_path, stage, subject, 'look = "59s"').setup.rehearsal is rehearsal
    assert not prepared(tmp_path, stage, subject, 'look = "60s"').setup.rehearsal


@pytest.mark.parametrize("subject", [PAGE, ENDPOINT])
def test_a_pace_that_cannot_decide_is_refused_for_whatever_is_asked_so(tmp_path: Path, subject: str) -> None:
    """For a page alone as for an endpoint alone."""
    with pytest.raises(ConfigurationError, match="300 requests in 300 s cannot decide error_rate < 2%"):
        prepared(tmp_path, "immediate", subject, "pace = 1")
    prepared(tmp_path, "immediate", STORE, "pace = 1")
