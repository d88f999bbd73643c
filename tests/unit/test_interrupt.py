"""Ctrl-C and the end of the time: what is left, and what is left behind."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from rampgate.io.http import ask, client
from rampgate.io.threads import LeftBehindError, each, go_on, leave_all
from rampgate.stage.interrupt import TimeUpError, time_limit

GUARD_S = 60.0


def test_threads_work_side_by_side_and_results_are_in_order() -> None:
    """As many as are asked for wait for each other, and what each came to stands in its place."""
    together = threading.Barrier(3)

    def work(number: int) -> int:
        together.wait(GUARD_S)
        return number * number

    assert list(each(work, range(6), 3)) == [0, 1, 4, 9, 16, 25]


def test_what_a_thread_raises_is_raised_where_its_result_is_due() -> None:
    """What came before it is kept, what had not begun never does."""
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 1:
            raise ValueError("no")
        return number

    results = each(work, range(100), 1)
    assert next(results) == 0
    with pytest.raises(ValueError, match="no"):
        next(results)
    assert len(begun) < 100


def _press(here: threading.Event, heard: threading.Event) -> None:
    """Ctrl-C until it is heard: one that comes just before the waiting begins does not end it."""
    here.wait(GUARD_S)
    while not heard.wait(0.1):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_a_thread_that_is_left_behind_sends_nothing_more() -> None:
    """The waiting ends at once; the thread goes on alone, to its next request."""
    here, heard, on, ended = (threading.Event() for _ in range(4))
    met: list[BaseException] = []

    def work(_: int) -> None:
        here.set()
        on.wait(GUARD_S)
        try:
            with client("http://127.0.0.1:9", run_id="x", timeout_s=1) as http:
                ask(http, "GET", "/")
        except BaseException as error:
            met.append(error)
            raise
        finally:
            ended.set()

    def interrupt(*_: object) -> None:
        if not heard.is_set():
            heard.set()
            leave_all()
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        results = each(work, [0], 1)
        threading.Thread(target=_press, args=(here, heard)).start()
        with pytest.raises(KeyboardInterrupt):
            next(results)
        assert not on.is_set()
    finally:
        signal.signal(signal.SIGINT, before)
    on.set()
    assert ended.wait(GUARD_S)
    assert isinstance(met[0], LeftBehindError)
    go_on()  # whoever is no such thread may


def test_the_end_of_the_time_is_known_from_ctrl_c() -> None:
    """It is, by whoever set it, though what was interrupted raised an interrupt of its own."""

    def judge() -> None:
        try:
            time.sleep(GUARD_S)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None

    with pytest.raises(TimeUpError), time_limit(0.01):
        judge()
    with pytest.raises(KeyboardInterrupt) as interrupted, time_limit(GUARD_S):
        raise KeyboardInterrupt
    assert not isinstance(interrupted.value, TimeUpError)


def test_what_is_done_in_time_is_not_interrupted() -> None:
    """Nothing rings afterwards, and whoever listened before listens again."""
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(GUARD_S):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
