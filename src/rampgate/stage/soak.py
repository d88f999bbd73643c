"""The watch of a stage: a process of its own, begun with the stage, which writes into the same run."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rampgate.config import soak, watch_pages, watch_policy
from rampgate.errors import ConfigurationError
from rampgate.evidence import journal, session
from rampgate.evidence.verdicts import write_whole
from rampgate.io.process import Process

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from rampgate.config.plan import Plan, Planned
    from rampgate.config.settings import Settings
    from rampgate.evidence.run import Run

STAGE = "watch"
LOG, STATE = "watch.log", "watch.json"
"""In the run's folder: every line that the watch writes; what is known of its process."""
_LOAD = "load"
_TIMED = re.compile(r"rampgate: [\d-]+ [\d:]+ UTC (?P<what>.+)")
"""A line about a round of the watch."""
_ENDS_WITHIN_S, _KILLED_WITHIN_S = 20.0, 5.0
"""How long the watch may take to judge what it has, once it is interrupted."""
SILENT_S, _LISTENED_S = 300.0, 5.0
"""A watch that has written nothing for so long hangs; how often that is looked at."""


class Soak:
    """The process of a stage's watch, in the process that began the stage.

    Args:
        run: that it writes into.
        source: how it loads the same settings.
        seconds: that it is to observe.
    """

    def __init__(self, run: Run, source: dict[str, Any], seconds: float) -> None:
        self._run = run
        self._state: dict[str, Any] = {"before": headers(run.folder), "seconds": seconds}
        given = {key: value for key, value in source.items() if key != "notes"}
        environ = {
            **os.environ,
            session.RUN_VARIABLE: run.id,
            session.WITHIN_VARIABLE: run.stage,
            session.SOURCE_VARIABLE: json.dumps(given),
        }
        command = [sys.executable, "-P", "-m", "rampgate.watch.within", f"{seconds:g}"]
        self._process = Process(command, environ, patience_s=_ENDS_WITHIN_S)
        self._interrupted = self._heard = False
        self._log = run.folder / LOG
        self._log.touch(mode=0o600)
        self._write()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def interrupt(self) -> None:
        """Have it judge what it has, unless it has ended, or does so already."""
        if self._thread.is_alive() and not self._interrupted:
            self._interrupted = True
            self._process.interrupt()

    def stop(self) -> None:
        """End it: it judges what it has, or is killed. A second call does nothing."""
        try:
            self.interrupt()
            self._thread.join(_ENDS_WITHIN_S)
        finally:
            if self._thread.is_alive():
                self._process.kill()
                self._thread.join(_KILLED_WITHIN_S)

    def _follow(self) -> None:
        """Keep what it says until it ends, or hangs and is ended, and then how it ended."""
        silent = 0.0  # counted, not timed: what holds this process, too, is no silence
        while silent < SILENT_S and not self._process.wait_for(_LISTENED_S, self._hear):
            silent = 0.0 if self._heard else silent + _LISTENED_S
            self._heard = False
        if silent >= SILENT_S:
            self._state["silent"] = silent
        self._state["code"] = self._process.end(self._hear)
        self._write()
        self._run.beside("")

    def _hear(self, line: str) -> None:
        """Keep and show a line. Where that fails the watch goes on: its evidence is in its journal."""
        self._heard = self._heard or bool(line)
        if line in {"", session.ALIVE}:
            return
        with suppress(Exception):
            text = str(self._run.journal.clean(line))
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"{text}\n")
            pass_on(text, self._run)

    def _write(self) -> None:
        with suppress(OSError):  # whoever waits for it is then cut off
            write_whole(self._run.folder / STATE, json.dumps(self._state))


def pass_on(line: str, run: Run) -> None:
    """Show how far the watch is in place of what it said before, and what happens as a line of its own.

    Args:
        line: that the watch has written.
        run: of the process that has the terminal.
    """
    if not (said := _TIMED.match(line)):
        return
    if " observed" in said["what"]:
        run.beside(f"watch: {said['what'].partition(': ')[2]}")
    else:
        run.say(f"watch: {said['what']}")


def headers(folder: Path) -> list[str]:
    """The processes whose headers are those of a watch in this run."""
    records = journal.read(folder)[0]
    return [r["process"] for r in records if r["type"] == "header" and r["stage"] == STAGE]


def waits(subject: str) -> bool:
    """Whether a check of this subject waits for the watch."""
    return subject.startswith("soak_")


def planned(plan: Plan) -> list[Planned]:
    """The checks of a plan that wait for the watch."""
    return [each for each in plan.checks if waits(each.subject)]


def asked(setup: session.Setup, nodeids: Collection[str]) -> float:
    """How long the watch of the stage is to observe in seconds; 0 where none of its checks is to run.

    Args:
        setup: of the stage.
        nodeids: of the tests that are going to run.
    """
    if not any(_node(setup, each) in nodeids for each in planned(setup.plan)):
        return 0.0
    loads = [each for each in setup.plan.checks if each.subject == _LOAD]
    return soak.seconds(setup.settings, loaded=any(_node(setup, each) in nodeids for each in loads))


def _node(setup: session.Setup, check: Planned) -> str:
    """A check of the gate's that is one of a kind, as pytest names it."""
    return f"validation/{setup.stage}/{check.file.name}::{check.function}"


def refuse_impossible(settings: Settings, base: Path, *, loaded: bool, by_path: bool) -> None:
    """Refuse a watch that could not begin, or that does not fit into the stage's time.

    Args:
        settings: in force.
        base: the folder that policy files are relative to.
        loaded: whether the stage makes its own load.
        by_path: whether pages to audit are found by their paths alone, as in a demo.

    Raises:
        ConfigurationError: every problem.
    """
    watch_pages.audited(settings, base, by_path=by_path)
    rules = watch_policy.build(settings, base).rules
    if problems := soak.without_a_rule(settings, {rule.threshold.metric for rule in rules}):
        raise ConfigurationError(problems)
    seconds, budget = soak.seconds(settings, loaded=loaded), settings.stage("extended").budget
    if seconds >= budget:
        own = " and load.extended.duration" if loaded else ""
        raise ConfigurationError(
            f"{settings.file}: soak.duration{own}: found {seconds:g} s; accepted is less than "
            f"stages.extended.budget, {budget:g} s"
        )
