from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import send_json, serving
from tests.unit.load_runs import Running, outcomes, settings

from rampgate.load import version
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path


class Service:
    """Says which version it is, over HTTP."""

    def __init__(self) -> None:
        self.versions = ["1.0.0"]
        self.asked = 0
        self.good_of_ten = 10

    @contextmanager
    def up(self) -> Iterator[str]:
        """Its address; several versions answer in turn."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            self.asked += 1
            status = 200 if self.asked % 10 < self.good_of_ten else 503
            send_json(handler, status, {"version": self.versions[self.asked % len(self.versions)]})

        with serving(answer) as address:
            yield address


@pytest.fixture
def service() -> Service:
    """One that is as it should be."""
    return Service()


def begun(folder: Path, address: str, **configured: Any) -> Running:
    """A load run that follows its ramp."""
    running = Running(settings(folder, target={"api": address}, version=configured))
    running.run.start()
    running.run.peak_users = 2
    return running


def test_a_load_run_asks_which_version_answers_at_its_start_and_at_its_end(
    tmp_path: Path, service: Service
) -> None:
    """The expected one both times: promoted, and ten connections each time."""
    with service.up() as address:
        running = begun(tmp_path, address, expected="1.0.0")
        assert service.asked == 10
        running.go_on(46)
        decided = running.end()
    assert decided.decision is Decision.PROMOTE
    assert service.asked == 20
    (check,) = (result for result in decided.checks if result.check == version.CHECK)
    assert [judgement.labels["when"] for judgement in check.judgements] == [version.START] * 2 + [
        version.END
    ] * 2


@pytest.mark.parametrize("when", ["start", "end", "mix"])
@pytest.mark.parametrize("expected", ["1.0.0", None])
def test_a_load_on_another_version_than_the_expected_holds(
    tmp_path: Path, service: Service, when: str, expected: str | None
) -> None:
    """Another at the start, from somewhere on, or a mix; without an expected one the first is expected."""
    with service.up() as address:
        service.versions = ["0.9.0"] if when == "start" else ["1.0.0"]
        running = begun(tmp_path, address, expected=expected)
        service.versions = {"start": ["1.0.0"], "end": ["0.9.0"], "mix": ["1.0.0", "0.9.0"]}[when]
        running.go_on(46)
        decided = running.end()
    assert decided.decision is Decision.HOLD
    assert outcomes(decided)["version"] == "failed"
    assert " answers came from another version: " in decided.reasons[0]


def test_a_load_before_a_deploy_expects_the_version_that_runs(tmp_path: Path, service: Service) -> None:
    """What is expected is not deployed yet: that the old one answers is right, and a change is not."""
    with service.up() as address:
        running = begun(tmp_path, address, expected="2.0.0")
        old = version.RunningVersion(running.run._run, "predeploy")
        old.ask(version.START)
        old.ask(version.END)
        service.versions = ["2.0.0"]
        old.ask("a moment later")
        running.go_on(46)
        decided = running.end()
    (check,) = (result for result in decided.checks if result.check == version.CHECK)
    judgements = [judgement for judgement in check.judgements[2:] if judgement.metric == "wrong_version"]
    held = {judgement.labels["when"]: str(judgement.outcome) for judgement in judgements[:3]}
    assert held == {version.START: "passed", version.END: "passed", "a moment later": "failed"}


@pytest.mark.parametrize(("good", "outcome"), [(1, "failed"), (8, "passed")])
def test_connections_that_are_surely_lost_hold(
    tmp_path: Path, service: Service, good: int, outcome: str
) -> None:
    """HTTP 503 to most of the ten connections: the one that answered right proves nothing."""
    with service.up() as address:
        service.good_of_ten = good
        running = begun(tmp_path, address, expected="1.0.0")
        running.go_on(46)
        decided = running.end()
    assert outcomes(decided)["version"] == outcome
    assert decided.decision is (Decision.PROMOTE if outcome == "passed" else Decision.HOLD)


def test_a_version_that_gives_no_answer_holds_and_keeps_no_run_from_its_end(tmp_path: Path) -> None:
    """Nothing was measured, which is no pass."""
    running = begun(tmp_path, "http://127.0.0.1:9", expected="1.0.0")
    running.go_on(46)
    decided = running.end()
    assert outcomes(decided)["version"] == "undecided"
    assert decided.decision is Decision.HOLD


def test_without_a_version_table_no_load_run_asks(tmp_path: Path, service: Service) -> None:
    """What is not configured is not checked."""
    with service.up() as address:
        running = Running(settings(tmp_path, target={"api": address}))
        running.go_on(46)
        decided = running.end()
    assert service.asked == 0
    assert "version" not in outcomes(decided)


def test_a_version_at_another_server_is_asked_there_and_told_no_secret_of_the_target(
    tmp_path: Path, service: Service
) -> None:
    """Its own header goes there, and the target is not asked for what it does not know."""
    sent: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        sent.append(str(handler.headers))
        send_json(handler, 200, {"version": "1.0.0"})

    with service.up() as address, serving(answer) as elsewhere:
        configured = {"expected": "1.0.0", "url": elsewhere, "headers": {"X-Key": "canary-of-the-version"}}
        target = {"api": address, "headers": {"X-Secret": "canary-of-the-target"}}
        running = Running(settings(tmp_path, target=target, version=configured))
        running.run.start()
        running.run.peak_users = 2
        running.go_on(46)
        decided = running.end()
    assert outcomes(decided)["version"] == "passed"
    assert service.asked == 0
    assert len(sent) == 20
    assert all("canary-of-the-version" in headers for headers in sent)
    assert not any("canary-of-the-target" in headers for headers in sent)


def test_a_version_outside_the_allowed_hosts_holds(tmp_path: Path, service: Service) -> None:
    """It is not asked, and that is no pass."""
    with service.up() as address:
        running = begun(tmp_path, address, expected="1.0.0", url="http://192.0.2.7")
        running.go_on(46)
        decided = running.end()
    assert decided.decision is Decision.HOLD
    assert outcomes(decided)["version"] == "error"
    assert "192.0.2.7, which is not allowed" in " ".join(decided.reasons)
