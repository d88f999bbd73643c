"""The master of several workers: who measures what, and how the evidence comes in while the run is on.

    rampgate-hello    worker -> master   it listens; repeated until it gets a run
    rampgate-prepare  master -> worker   which run this is, and which share of it is the worker's
    rampgate-ready    worker -> master   it could begin now
    rampgate-begin    master -> worker   when the ramp began
    rampgate-rows     worker -> master   a block of evidence, about once a second, requests or not
    rampgate-trouble  worker -> master   something broke on our side
    rampgate-note     worker -> master   something that a reader must know
    rampgate-end      both ways          end now; all is sent

Between two nodes Locust's messages keep their order: what is sent before the end arrives before it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent

from rampgate.load import cohorts

from . import keys, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from locust.runners import MasterRunner

    from rampgate.config.settings import Settings
    from rampgate.load.accounts import Account
    from rampgate.load.run import LoadRun

HELLO, PREPARE = "rampgate-hello", "rampgate-prepare"
READY, BEGIN = "rampgate-ready", "rampgate-begin"
ROWS, TROUBLE, END = "rampgate-rows", "rampgate-trouble", "rampgate-end"
NOTE = "rampgate-note"
READY_WITHIN_S = 30.0
CHECK_EVERY_S = 0.25
_GRACE_S = 10.0
_SAID_EVERY_S = 10.0


class Coordinator:
    """The workers of a run, as the master has them.

    Args:
        runner: the master.
        measured: the run that is on.
        options: those of the command line, for the workers.
    """

    def __init__(
        self,
        runner: MasterRunner,
        measured: Callable[[], LoadRun | None],
        options: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._runner = runner
        self._measured = measured
        self._options = options
        self._listening: set[str] = set()
        self._strangers: set[str] = set()
        self._reporting: set[str] = set()
        self._ready: set[str] = set()
        self._ended: set[str] = set()
        self._begun = False
        self._accounts: list[tuple[int, int]] = []
        self._sinks: dict[str, Callable[[bytes], None]] = {}
        self._of = 0
        for kind, listener in (
            (HELLO, self._hello),
            (READY, self._is_ready),
            (ROWS, self._rows),
            (TROUBLE, self._trouble),
            (NOTE, self._note),
            (END, self._end),
        ):
            runner.register_message(kind, self._proven(listener))
        runner.greenlet.spawn(self._watch)

    @property
    def present(self) -> list[str]:
        """The nodes of the workers that could take part."""
        clients = self._runner.clients
        there = (client.id for client in clients.ready + clients.running + clients.spawning)
        return [node for node in there if node not in self._strangers]

    def wait_for(self, workers: int, seconds: float, progress: Callable[[str], None]) -> str:
        """Wait until so many workers are ready, and say what is missing where they are not; "" of nothing.

        Args:
            workers: how many.
            seconds: how long to wait; 0 waits as long as it takes.
            progress: takes a line now and then.
        """
        begun, said = time.monotonic(), -_SAID_EVERY_S
        while (ready := len(self._runner.clients.ready)) < workers:
            waited, what = time.monotonic() - begun, f"{ready} of {workers} workers are ready"
            if seconds and waited >= seconds:
                return f"{what} after {seconds:g} s; accepted are more, started with --worker --master-host"
            if waited - said >= _SAID_EVERY_S:
                progress(what)
                said = waited
            gevent.sleep(CHECK_EVERY_S)
        return ""

    def prepare(self, run: LoadRun, accounts: Sequence[Account]) -> None:
        """Hand each worker the run, before Locust has it start a test.

        Locust connects a worker before its locustfile listens: what it is sent until then is lost. One that
        has just ended a run is not ready for the next at once.
        """
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            there = set(self.present)
            if there <= self._listening and self._ended <= there:
                break
            gevent.sleep(CHECK_EVERY_S / 10)
        self._refuse(run, set(self.present) - self._listening)
        self._sinks, self._reporting, self._ready, self._begun = {}, set(), set(), False
        self._ended = set()
        self._accounts, self._of = cohorts.marks(accounts), len(self.present)
        for share, node in enumerate(self.present):
            self._assign(run, node, share)

    def begin(self, run: LoadRun) -> None:
        """Begin the ramp, everywhere at once, when all workers are ready."""
        deadline = time.monotonic() + READY_WITHIN_S
        while self._reporting - self._ready and time.monotonic() < deadline:
            gevent.sleep(CHECK_EVERY_S / 10)
        if late := self._reporting - self._ready:
            run.trouble(
                f"{', '.join(sorted(map(self._name, late)))}: not ready within {READY_WITHIN_S:.0f} s"
            )
        run.start()
        self._begun = True
        for node in self._ready & self._reporting:
            self._runner.send_message(BEGIN, self._when(run), client_id=node)

    def hurry(self) -> None:
        """Let every worker end, and not wait for what is under way: somebody interrupts the run."""
        for node in sorted(self._reporting):
            self._runner.send_message(END, {"hurried": True}, client_id=node)

    def gather(self, run: LoadRun, seconds: float) -> None:
        """Let every worker end, and wait for what it still has to send; who does not is lost.

        Args:
            run: the run.
            seconds: how long requests in flight may take.
        """
        for node in sorted(self._reporting):
            self._runner.send_message(END, None, client_id=node)
        deadline = time.monotonic() + seconds + _GRACE_S
        try:
            while self._reporting and time.monotonic() < deadline:
                self._check(run)
                gevent.sleep(CHECK_EVERY_S)
        except (KeyboardInterrupt, gevent.GreenletExit):
            pass  # whoever interrupts twice does not want to wait; what is missing is lost
        for node in sorted(self._reporting):
            self._lose(run, node)

    def _assign(self, run: LoadRun, node: str, share: int) -> None:
        self._reporting.add(node)
        self._sinks[node] = run.sink(self._name(node))
        assignment = {
            "run": run.id,
            "share": [share, self._of],
            "options": dict(self._options()),
            "settings": shared_settings(run.settings),
            "ignored": typed.ignored(),
            "accounts": self._accounts,
        }
        self._runner.send_message(PREPARE, assignment, client_id=node)

    @staticmethod
    def _when(run: LoadRun) -> dict[str, Any]:
        """When the ramp began, on this machine's clock and as a time that has passed."""
        return {"elapsed": run.elapsed, "zero": time.monotonic() - run.elapsed, "boot": boot_id()}

    def _proven(self, listener: Callable[..., None]) -> Callable[..., None]:
        """Lets a listener hear what comes from who has our key, and nothing else."""

        def heard(msg: Any, **_: Any) -> None:
            if keys.proves(msg):
                listener(msg)

        return heard

    def _refuse(self, run: LoadRun, nodes: set[str]) -> None:
        """Leave out who has not proven that it may take part; users that Locust gives it are missing."""
        for node in sorted(nodes - self._strangers):
            self._strangers.add(node)
            run.trouble(
                f"{self._name(node)} does not prove that it may take part; accepted are workers of this "
                f"account and machine, or with the {keys.VARIABLE} of the master"
            )

    def _watch(self) -> None:
        while True:
            gevent.sleep(CHECK_EVERY_S)
            if (run := self._measured()) is not None:
                self._check(run)

    def _check(self, run: LoadRun) -> None:
        """Who has gone without having sent all is lost."""
        present = {
            client.id for client in self._runner.clients.all if client not in self._runner.clients.missing
        }
        for node in sorted(self._reporting - present):
            self._lose(run, node)

    def _lose(self, run: LoadRun, node: str) -> None:
        self._reporting.discard(node)
        run.lost(self._name(node))

    def _name(self, node: str) -> str:
        index = self._runner.get_worker_index(node)  # type: ignore[no-untyped-call]  # Locust's
        return f"worker{index + 1}"

    def _hello(self, msg: Any) -> None:
        run = self._measured()
        self._listening.add(msg.node_id)
        if run is not None and self._of and msg.node_id not in self._sinks:
            self._assign(run, msg.node_id, len(self._sinks))

    def _is_ready(self, msg: Any) -> None:
        if run := self._of_now(msg):
            self._ready.add(msg.node_id)
            if self._begun:
                self._runner.send_message(BEGIN, self._when(run), client_id=msg.node_id)

    def _rows(self, msg: Any) -> None:
        if self._of_now(msg) and (sink := self._sinks.get(msg.node_id)):
            sink(msg.data["block"])

    def _trouble(self, msg: Any) -> None:
        if run := self._of_now(msg):
            run.trouble(f"{self._name(msg.node_id)}: {msg.data['text']}")

    def _note(self, msg: Any) -> None:
        if run := self._of_now(msg):
            run.note(f"{self._name(msg.node_id)}: {msg.data['text']}")

    def _end(self, msg: Any) -> None:
        if self._of_now(msg):
            self._reporting.discard(msg.node_id)
            self._ended.add(msg.node_id)

    def _of_now(self, msg: Any) -> LoadRun | None:
        """The run that is on, if the message is about it."""
        run = self._measured()
        return run if run is not None and msg.data["run"] == run.id else None


def shared_settings(settings: Settings) -> dict[str, str]:
    """What master and workers must agree on, each as a digest that only they can make."""
    load = settings.load.model_dump(mode="json", exclude={"accounts"})
    endpoints = [endpoint.model_dump(mode="json") for endpoint in settings.endpoints if endpoint.load]
    shared = {**{f"load.{key}": value for key, value in load.items()}, "endpoints": endpoints}
    shared["target.api"] = settings.target.api
    return {key: keys.digest(value) for key, value in shared.items()}


def boot_id() -> str:
    """Which boot of which machine this is: those that share it share the monotonic clock."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
