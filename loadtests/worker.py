"""A worker: it generates load as the master tells it, and tells the master all that it measures."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import gevent
from locust import argument_parser
from locust.exception import StopTest
from locust.runners import STATE_CLEANUP, STATE_STOPPED

from rampgate.clock import SystemClock
from rampgate.errors import RampgateError
from rampgate.load import cohorts
from rampgate.load.plan import headers_of
from rampgate.load.times import Recorder

from . import journey, work
from .coordinator import BEGIN, END, HELLO, PREPARE, READY, ROWS, TROUBLE, boot_id, meant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from locust.runners import WorkerRunner

    from rampgate.config.settings import Settings

HELLO_EVERY_S = 0.5
"""How often a worker says that it listens, until it is told of a run."""


class Worker:
    """One worker: it generates load, and tells the master all that it measures.

    Args:
        runner: the worker.
        settings_of: makes the settings of the load, given the command line's word, and checks them.
    """

    def __init__(self, runner: WorkerRunner, settings_of: Callable[[Mapping[str, Any]], Settings]) -> None:
        self._runner = runner
        self._settings_of = settings_of
        self._told: dict[str, Any] = {}
        # Told to start a user, Locust makes a whole parser for each option: a quarter of a second of CPU.
        argument_parser.default_args_dict = functools.cache(argument_parser.default_args_dict)
        runner.register_message(PREPARE, self._told_to_prepare)
        runner.register_message(BEGIN, self._told_to_begin)
        runner.register_message(END, self._told_to_end, concurrent=True)
        runner.greenlet.spawn(self._hello)

    def begin(self) -> None:
        """Locust says that a test starts: get ready for the run that the master has told of.

        Raises:
            StopTest: this worker cannot take part, which the master is told.
        """
        told = self._told
        if not told:
            raise StopTest("the master has told of no run; is it started with the same locustfile?")
        try:
            settings = self._settings_of(told["options"])
            accounts = cohorts.marked(settings, told["accounts"])
        except RampgateError as error:
            self._runner.environment.process_exit_code = error.exit_code
            self.trouble(str(error))
            self._send(END, {})
            gevent.spawn(self._runner.quit)
            raise StopTest(str(error)) from None
        for key, there in told["meant"].items():
            if meant(settings)[key] != there:
                self.trouble(f"its settings differ from the master's in {key}")
        recorder = Recorder(self._tell, SystemClock())
        headers = headers_of(settings, told["run"])
        index, of = told["share"]
        work.now = work.Work(settings, headers, recorder, self.trouble, (index, of))
        journey.begin(work.now, accounts)
        self._send(READY, {})

    def end(self) -> None:
        """All users have gone: tell what is left, once."""
        doing, work.now = work.now, None
        if doing is not None:
            doing.end()
            journey.end()
            self._send(END, {})
            # Locust's worker sleeps this long before it listens again; nothing is in flight any more.
            self._runner.environment.stop_timeout = 0.0

    def trouble(self, text: str) -> None:
        """Something broke on our side."""
        self._send(TROUBLE, {"text": text})

    def _hello(self) -> None:
        """Say that this worker listens, until the master, which may not listen yet, tells of a run."""
        while not self._told:
            self._send(HELLO, {})
            gevent.sleep(HELLO_EVERY_S)

    def _told_to_prepare(self, msg: Any, **_: Any) -> None:
        self._told = msg.data

    def _told_to_begin(self, msg: Any, **_: Any) -> None:
        """The ramp has begun: exactly then on the master's machine, later by the message's way on another."""
        told = msg.data
        here = told["boot"] and told["boot"] == boot_id()
        if work.now is not None:
            work.now.recorder.begin(told["zero"] if here else time.monotonic() - told["elapsed"])

    def _told_to_end(self, **_: Any) -> None:
        if self._runner.state not in {STATE_CLEANUP, STATE_STOPPED}:
            self._runner.stop()

    def _tell(self, block: bytes) -> None:
        self._send(ROWS, {"block": block})

    def _send(self, kind: str, data: dict[str, Any]) -> None:
        self._runner.send_message(kind, {"run": self._told.get("run"), **data})
