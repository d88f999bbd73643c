"""A worker: it generates load as the master asks, and sends the master all that it measures."""

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
from rampgate.load.run import INTERRUPTED_STOP_TIMEOUT_S
from rampgate.load.times import Recorder

from . import journey, keys, typed, work
from .coordinator import BEGIN, END, HELLO, NOTE, PREPARE, READY, ROWS, TROUBLE, boot_id, shared_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from locust.runners import WorkerRunner

    from rampgate.config.settings import Settings

HELLO_EVERY_S = 0.5
"""How often a worker reports that it listens, until it gets a run."""


class Worker:
    """One worker: it generates load, and sends the master all that it measures.

    Args:
        runner: the worker.
        settings_of: makes the settings of the load, given the command line's options, and checks them.
    """

    def __init__(self, runner: WorkerRunner, settings_of: Callable[[Mapping[str, Any]], Settings]) -> None:
        self._runner = runner
        self._settings_of = settings_of
        self._assignment: dict[str, Any] = {}
        # Asked to start a user, Locust makes a whole parser for each option: a quarter of a second of CPU.
        argument_parser.default_args_dict = functools.cache(argument_parser.default_args_dict)
        runner.register_message(PREPARE, self._on_prepare)
        runner.register_message(BEGIN, self._on_begin)
        runner.register_message(END, self._on_end, concurrent=True)
        runner.greenlet.spawn(self._hello)

    def begin(self) -> None:
        """Locust starts a test: get ready for the run that the master has handed out.

        Raises:
            StopTest: this worker cannot take part, which the master gets to know.
        """
        assignment = self._assignment
        if not assignment:
            raise StopTest("the master has sent no run; is it started with the same locustfile?")
        try:
            settings = self._settings_of(assignment["options"])
            accounts = cohorts.marked(settings, assignment["accounts"])
        except RampgateError as error:
            self._runner.environment.process_exit_code = error.exit_code
            self.trouble(str(error))
            self._send(END, {})
            gevent.spawn(self._runner.quit)
            raise StopTest(str(error)) from None
        mine = shared_settings(settings)
        for key, value in assignment["settings"].items():
            if mine[key] != value:
                self.trouble(f"its settings differ from the master's in {key}")
        if typed.ignored() not in {"", assignment["ignored"]}:
            self._send(NOTE, {"text": typed.ignored()})
        recorder = Recorder(self._send_block, SystemClock())
        headers = headers_of(settings, assignment["run"])
        index, of = assignment["share"]
        work.now = work.Work(settings, headers, recorder, self.trouble, (index, of))
        journey.begin(work.now, accounts)
        self._send(READY, {})

    def end(self) -> None:
        """All users have gone: send what is left, once."""
        ending, work.now = work.now, None
        if ending is not None:
            ending.end()
            journey.end()
            self._send(END, {})
            # Locust's worker sleeps this long before it listens again; nothing is in flight any more.
            self._runner.environment.stop_timeout = 0.0

    def trouble(self, text: str) -> None:
        """Something broke on our side."""
        self._send(TROUBLE, {"text": text})

    def _hello(self) -> None:
        """Report that this worker listens, until the master, which may not listen yet, sends a run."""
        while not self._assignment:
            self._send(HELLO, {})
            gevent.sleep(HELLO_EVERY_S)

    def _on_prepare(self, msg: Any, **_: Any) -> None:
        self._assignment = msg.data

    def _on_begin(self, msg: Any, **_: Any) -> None:
        """The ramp has begun: exactly then on the master's machine, later by the message's way on another."""
        begun = msg.data
        here = begun["boot"] and begun["boot"] == boot_id()
        if work.now is not None:
            work.now.recorder.begin(begun["zero"] if here else time.monotonic() - begun["elapsed"])

    def _on_end(self, msg: Any, **_: Any) -> None:
        if msg.data and work.now is not None:
            work.now.hurried = True
            self._runner.environment.stop_timeout = INTERRUPTED_STOP_TIMEOUT_S
        if self._runner.state not in {STATE_CLEANUP, STATE_STOPPED}:
            self._runner.stop()

    def _send_block(self, block: bytes) -> None:
        self._send(ROWS, {"block": block})

    def _send(self, kind: str, data: dict[str, Any]) -> None:
        sent = {"run": self._assignment.get("run"), **data}
        sent[keys.PROOF] = keys.proof(kind, self._runner.client_id, sent)
        self._runner.send_message(kind, sent)
