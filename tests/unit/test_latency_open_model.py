from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import FakeClock

from rampgate.checks.latency.open_model import NOT_WAITED, OpenModel, Result
from rampgate.errors import ProbeError
from rampgate.io import cpu_pressure

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = Result("200", 5.0)


@pytest.fixture(autouse=True)
def _processor_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine of the tests is."""
    monkeypatch.setattr(cpu_pressure, "own_wait_s", lambda: 0.0)


class Target:
    """Answers nothing until it is let go on; knows how many requests it has at once."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.asked = self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self) -> Result:
        """One request."""
        with self._lock:
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
        self.go_on.wait(60)
        with self._lock:
            self.now -= 1
        return GOOD


class Jumps(FakeClock):
    """A clock that jumps ahead once, as for a process that was stopped."""

    def __init__(self, after: float, by: float) -> None:
        super().__init__(0.0)
        self._after, self._by = after, by

    def sleep(self, seconds: float) -> None:
        """Move on, and once much further."""
        super().sleep(seconds)
        if self.time > self._after:
            self.time, self._by = self.time + self._by, 0.0


def model(ask: Callable[[], Result], clock: FakeClock, endpoints: int = 1, **more: float) -> OpenModel:
    """An open model of 10 requests a second to each endpoint."""
    return OpenModel([ask] * endpoints, 10.0, int(more.get("most", 10)), more.get("timeout_s", 10.0), clock)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other threads do."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_requests_begin_at_a_steady_pace_and_in_turn() -> None:
    """Ten a second to each endpoint, interleaved, whatever the answers take."""
    asked = model(lambda: GOOD, FakeClock(), endpoints=2)
    asked.run(1.0)
    until(lambda: len(asked.done) == 20)
    asked.close()
    assert sorted(request.due for request in asked.done) == pytest.approx([i / 20 for i in range(20)])
    assert {request.endpoint for request in asked.done if round(request.due * 20) % 2} == {1}
    assert {request.result for request in asked.done} == {GOOD}


def test_a_slow_target_has_no_more_requests_at_once_than_are_allowed() -> None:
    """Those that wait for a place are timed from when they were due; the others by their answer."""
    target, clock = Target(), FakeClock()
    asked = model(target, clock)
    asked.run(3.0)
    until(lambda: target.now == 10)
    target.go_on.set()
    until(lambda: len(asked.done) == 30)
    asked.close()
    assert target.most == 10
    took = {round(request.due, 1): request.result.ms for request in asked.done}
    assert took == pytest.approx({i / 10: 5.0 if i < 10 else 5.0 + 3000 - 100 * i for i in range(30)})
    assert asked.waited == 20


def test_what_waits_for_its_place_too_long_has_failed() -> None:
    """After the time-out it is a failure, whether it was ever sent or not, and it is counted once."""
    target, clock = Target(), FakeClock()
    asked = model(target, clock, most=2, timeout_s=1.0)
    asked.run(4.0)
    assert {request.result.outcome for request in asked.done} == {"time-out"}
    late = len(asked.done)
    assert late == pytest.approx(25, abs=2)
    assert asked.complete == pytest.approx(2.5, abs=0.2)
    target.go_on.set()
    until(lambda: target.now == 0 and not asked._open)
    asked.close()
    assert len(asked.done) == 40
    assert target.asked == 40 - late + 2


def test_what_waits_while_others_are_answered_is_slow_and_has_not_failed() -> None:
    """A target that is too slow for the pace answers: what it never gets to see is no failure of its."""
    gate, clock = threading.Semaphore(1), FakeClock()

    def ask() -> Result:
        assert gate.acquire(timeout=60)
        return GOOD

    asked = model(ask, clock, most=1, timeout_s=1.0)
    asked.run(0.05)
    until(lambda: len(asked.done) == 1)
    asked.run(1.0)
    gate.release()
    until(lambda: len(asked.done) == 2)
    asked.run(2.0)
    outcomes = {round(request.due, 1): request.result.outcome for request in asked.done}
    gate.release(100)
    until(lambda: not asked._open)
    asked.close()
    assert {outcomes[due] for due in (0.2, 0.3, 0.4)} == {NOT_WAITED}
    assert [request.result.error for request in asked.done if request.result.error] == []


def test_a_held_up_probe_does_not_make_up_for_it_in_a_rush() -> None:
    """A process that was stopped for a second goes on at its pace, and knows that it was held up."""
    asked = model(lambda: GOOD, Jumps(1.0, by=2.0))
    asked.run(5.0)
    until(lambda: len(asked.done) == 31)
    asked.close()
    due = sorted(request.due for request in asked.done)
    apart = [later - earlier for earlier, later in pairwise(due)]
    assert min(apart) == pytest.approx(0.1)
    assert asked.held_up() == pytest.approx(2 / 5, abs=0.02)


def test_what_goes_wrong_in_a_thread_ends_it() -> None:
    """That we could not measure is no evidence about the target."""

    def broken() -> Result:
        raise ProbeError("no more sockets")

    asked = model(broken, FakeClock())
    with pytest.raises(ProbeError, match="no more sockets"):
        asked.run(10_000.0)


def test_it_waits_for_nothing_once_it_is_closed() -> None:
    """A target that does not answer holds nobody up; what it has not answered is not counted."""
    target = Target()
    asked = model(target, FakeClock())
    asked.run(0.5)
    assert asked.close() == 5
    target.go_on.set()
    until(lambda: target.asked == 5 and target.now == 0)
    assert asked.done == []


def test_it_waits_for_what_has_begun() -> None:
    """At the end every request has ended, so that none is left out for being slow."""
    asked = OpenModel([lambda: GOOD], 10.0, 10, 1e9, FakeClock())
    asked.run(1.0)
    asked.finish()
    asked.close()
    assert len(asked.done) == 10
    assert asked.complete >= 1.0


def test_it_goes_on_while_it_waits_for_what_was_due() -> None:
    """Whoever comes while the last answers of a look are due is served as badly: that is measured too."""
    target = Target()
    asked = model(target, FakeClock())
    asked.run(1.0)
    asked.drain(1.0)
    assert {round(request.due, 1) for request in asked.done} == {i / 10 for i in range(10)}
    assert asked.close() == pytest.approx(105, abs=2)
    target.go_on.set()
    until(lambda: target.now == 0)
