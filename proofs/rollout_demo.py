"""``make rollout-demo``: a rollout from 0 to 100 % on the reference deployment, and one that breaks at 25 %.

Compressed: seconds of soak, a short look of the immediate stage without audits, a short ramp; all else is as
it is. At each percentage: checks, load, and a watch that runs all the time; the next one only by
``rampgate rollout advance``. In the second rollout requests of users with the features begin to fail at 25 %:
whoever sees that first rolls back, the watch by ``--on-critical``, checks and load by their exit code.
The rollout is announced before and reported on after. Exits with 0 where both went as they should; every
command's output is kept beside the reports.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from proofs.cases import ROOT, switch
from proofs.mutations import deployment
from proofs.rollout_timeline import LAST, STAGES, USERS, Timeline, rise

from rampgate.errors import ExitCode
from rampgate.io.process import Process
from rampgate.io.process import run as run_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BREAKS_AT = 25.0
TIMELINES = {"healthy": None, "broken": BREAKS_AT}
FAULT = {"errors": {"share": 0.2, "cohort": "on"}}
_ADVANCE_S, _TOLD_S, _COMMAND_S = 120.0, 20.0, 300.0
_POLL_S = 1.0
_METRICS = ("reported_error_rate", "error_rate", "api_response_time", "failed_user_minutes")
_READ = (*_METRICS, "database_connection_failures")
_ENDPOINTS = ("overview", "patients")
_UNREAD = ("performance_score < 50", "performance_score < 70", "user_feedback_score < 3.0")
_FLAGS = ("virtualization", "cursorPagination", "apiCaching")
_CONTACTS = [
    {"role": "Deployment lead", "name": "Ada", "contact": "ada@pharmapilot.test"},
    {"role": "On call", "name": "Bo", "contact": "on-call@pharmapilot.test"},
    {"role": "Escalation", "name": "Cleo", "contact": "cleo@pharmapilot.test"},
]


class Deployment:
    """The reference deployment, and the commands of rampgate on it.

    Args:
        ready: the content of its ready file.
        path: of that file.
        reports: of this timeline.
    """

    def __init__(self, ready: dict[str, Any], path: Path, reports: Path) -> None:
        self.ready, self.path, self.reports = ready, path, reports
        self._watch: Process | None = None
        self._until = 0.0

    def measure(self, stage: str) -> int:
        """As World."""
        checks = ["pytest", "-m", "immediate", f"--demo-ready={self.path}"]
        return self._run(checks if stage == "immediate" else ["rampgate", "load"])

    def rollout(self, *words: str) -> int:
        """As World."""
        code = self._run(["rampgate", "rollout", *words, f"--demo-ready={self.path}", "--by=rollout-demo"])
        if words[0] != "advance" or code != ExitCode.HOLD:
            self._until = 0.0
        return code

    def where(self) -> tuple[str, float]:
        """As World."""
        from rampgate.rollout.state import RolloutState

        (file,) = (self.reports / "rollout").glob("*.sqlite")
        with RolloutState(file, new=False) as state:
            found = state.current()
        return (found.status.value, found.percentage) if found else ("", 0.0)

    def break_it(self) -> None:
        """As World."""
        switch("api", **FAULT)(self.ready)

    def watched(self) -> bool:
        """As World."""
        return self._watch is not None and not self._watch.wait_for(0.0)

    def off_for(self) -> int:
        """As World."""
        with httpx.Client(base_url=self.ready["api"], trust_env=False) as api:
            return sum(not any(_reads(api, flag, n) for flag in _FLAGS) for n in range(1, USERS + 1))

    def told(self) -> bool:
        """As World."""
        found = httpx.get(f"{self.ready['inbox']}/messages", trust_env=False).json()["messages"]
        return any("off for everybody" in each["text"] for each in found)

    def wait(self) -> bool:
        """As World."""
        self._until = self._until or time.monotonic() + _ADVANCE_S
        time.sleep(_POLL_S)
        return time.monotonic() < self._until

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch for as long as the context lasts."""
        back = ["rampgate", "rollout", "rollback", "--emergency", f"--demo-ready={self.path}", "--by=watch"]
        command = shlex.join([sys.executable, "-P", "-m", *back, "--reason=the watch says ROLLBACK"])
        words = ["watch", "--for=1h", f"--demo-ready={self.path}", f"--on-critical={command}"]
        with (self.reports / "watch.log").open("ab") as log:
            started = [sys.executable, "-P", "-m", "rampgate", *words]
            self._watch = Process(started, _environ(self.path), self.reports, output=log, patience_s=60.0)
        try:
            yield
        finally:
            self._watch.interrupt()
            self._watch.wait_for(60.0)
            self._watch.end()

    def _run(self, words: list[str]) -> int:
        command = [sys.executable, "-P", "-m", *words]
        before = Path.cwd()
        os.chdir(self.reports)
        try:
            done = run_process(command, timeout_s=_COMMAND_S, env=_environ(self.path))
        except subprocess.TimeoutExpired:
            return ExitCode.INTERNAL
        finally:
            os.chdir(before)
        with (self.reports / "commands.log").open("a", encoding="utf-8") as log:
            log.write(f"$ {shlex.join(words)}\n{done.stdout}{done.stderr}\nexit code {done.returncode}\n\n")
        return done.returncode


def _environ(ready: Path) -> dict[str, str]:
    """Ours, without settings of whoever calls, but with the deployment for the load run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")}
    return {**kept, "RAMPGATE_DEMO_READY": str(ready)}


def _reads(api: httpx.Client, flag: str, number: int) -> bool:
    who = {"userId": f"user-{number:04d}", "workspaceId": f"workspace-{number:04d}"}
    answer = api.get(f"/api/feature-flags/{flag}", params=who).raise_for_status()
    return bool(answer.json()["enabled"])


def compressed(reports: Path) -> dict[str, Any]:
    """The settings of a demo, by their dotted names: what takes minutes takes seconds.

    Args:
        reports: the folder of its runs.
    """
    given = tomllib.loads((ROOT / "rampgate.toml").read_text(encoding="utf-8"))
    flags = {**dict.fromkeys(_FLAGS, 0), "performanceMonitoring": LAST}
    return {
        "reports": str(reports),
        "policy": ["monitoring/rollback-triggers.yml"],
        "pages": [{**page, "lighthouse": False} for page in given["pages"]],
        "endpoints": [{**each, "load": True} for each in given["endpoints"] if each["name"] in _ENDPOINTS],
        "metrics": [each for each in given["metrics"] if each["name"] in _READ],
        "flags.expected": flags,
        "flags.duration": "14s",
        "latency.look": "20s",
        "latency.pace": 25,
        "load.ramp_up": "2s",
        "load.plateau": "12s",
        "load.ramp_down": "1s",
        "load.pause": "0.5s",
        "load.accounts.pattern": "user-{n:04d}@pharmapilot.test",
        "load.accounts.count": 200,
        "rollout.soak": dict.fromkeys(("5", "15", "25", "50", "75"), "20s"),
        "rollout.require": list(STAGES),
        "rollout.promises": {"api_response_time_p95": "< 400ms", "error_rate": "< 2%"},
        "rollout.contacts": _CONTACTS,
        "watch.interval": "2s",
        "watch.thresholds": {},
        "watch.ignore": [f"trigger: {each}" for each in _UNREAD],
    }


def timeline(name: str, folder: Path, breaks_at: float | None) -> bool:
    """Bring a deployment up, and roll out on it; whether that went as it should.

    Args:
        name: of the timeline.
        folder: for its reports.
        breaks_at: as ``rise``.
    """
    reports = folder / name
    reports.mkdir(parents=True)
    line = Timeline(name)
    with ExitStack() as stack:
        private = stack.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-rollout-demo-"))
        words = ("--scene", "start", "--visits", "20")
        ready, path = stack.enter_context(deployment("rollout", words, Path(private)))
        given = {**ready, "settings": compressed(reports)}
        path.write_text(json.dumps(given), encoding="utf-8")
        line.note("the reference deployment is up")
        world = Deployment(given, path, reports)
        right = not world.rollout("announce", f"--out={reports / 'announce.md'}")
        with world.watching():
            right = rise(world, line, breaks_at) and right
        right = not world.rollout("report", f"--out={reports / 'report.md'}") and right
        history = run_process(
            [sys.executable, "-P", "-m", "rampgate", "rollout", "history", f"--demo-ready={path}"],
            timeout_s=_COMMAND_S,
            env=_environ(path),
        ).stdout
    (reports / "history.txt").write_text(history, encoding="utf-8")
    events = [{"seconds": seconds, "what": what} for seconds, what in line.events]
    (reports / "timeline.json").write_text(json.dumps(events, indent=2), encoding="utf-8")
    line.note("as it should" if right else "NOT as it should")
    return right


def main(names: Sequence[str] = ()) -> int:
    """Both timelines, or those that are named: ``healthy``, ``broken``."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing is left running
    folder = (Path("reports") / "rollout-demo" / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())).resolve()
    chosen = {name: breaks_at for name, breaks_at in TIMELINES.items() if name in names or not names}
    right = [timeline(name, folder, breaks_at) for name, breaks_at in chosen.items()]
    for name in chosen:
        print(f"{name}: {folder / name}: announce.html, report.html, history.txt, commands.log, each run")
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
