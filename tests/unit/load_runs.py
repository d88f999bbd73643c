"""Load runs over a clock that the test moves, whose generating processes the test plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.fakes import FakeClock

from rampgate.config.settings import Settings
from rampgate.evidence import journal
from rampgate.judging import results, verdict
from rampgate.load import run as load
from rampgate.load.generator import CpuStats
from rampgate.load.plan import prepare
from rampgate.load.table import NO_COHORT
from rampgate.load.times import Recorder
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rampgate.load.generator import Sample
    from rampgate.outcome import Outcome

ZERO = 1_000.0
FLAGS = {"path": "/f/{flag}?u={user}", "algorithm": "md5-mod100", "expected": {"new": 25}}
ACCOUNTS: Mapping[str, Any] = {
    "login": {"path": "/login", "body": {"email": "a@example.test", "password": "x"}},
    "flags": FLAGS,
    "percentage": 25,
}


SIGNED_IN = {"1": ("", 0)}


def settings(folder: Path, load: Mapping[str, Any] | None = None, **told: Any) -> Settings:
    """Two endpoints under load; up in 10 s, steady for 30 s, down in 5 s, unless told otherwise."""
    return Settings.model_validate(
        {
            "reports": str(folder / "reports"),
            "target": {"api": f"http://127.0.0.1:9/{folder.name}"},
            "endpoints": [{"name": name, "path": f"/{name}", "load": True} for name in ("one", "two")],
            "load": {"users": 2, "ramp_up": 10, "plateau": 30, "ramp_down": 5, **(load or {})},
            **told,
        }
    )


class Process:
    """A generating process: its recorder, and what it uses of its machine."""

    def __init__(self, run: load.LoadRun, name: str, clock: FakeClock, began: float) -> None:
        self.wait = self.cpu = 0.0
        self.recorder = Recorder(run.sink(name), clock, lambda: CpuStats(self.wait, self.cpu))
        self.recorder.begin(began)


class Running:
    """A load run that the test moves on second by second."""

    def __init__(self, told: Settings, accounts: Mapping[str, tuple[str, int]] = SIGNED_IN) -> None:
        self._accounts = accounts if told.login else {}
        self.clock, self.began = FakeClock(ZERO), ZERO
        self.setup = prepare(told, Redactor())
        self.run = load.LoadRun(self.setup, clock=self.clock, environ={})
        self.processes: dict[str, Process] = {}

    def join(self, name: str) -> Process:
        """A generating process takes part from now on."""
        self.processes[name] = Process(self.run, name, self.clock, self.began)
        for number, fact in self._accounts.items():
            self.processes[name].recorder.fact("accounts", number, fact)
        return self.processes[name]

    def go_on(
        self,
        until: float,
        *,
        n: int = 20,
        ms: float = 20.0,
        failing: int = 0,
        status: int = 500,
        cohorts: tuple[int, ...] = (NO_COHORT,),
        wait: float = 0.0,
    ) -> None:
        """Move on to this second of the ramp.

        Args:
            until: the second.
            n: requests a second of each process to each endpoint for each cohort.
            ms: what each takes.
            failing: so many of the n fail.
            status: of those that fail.
            cohorts: of the accounts.
            wait: share of the time that each process waits for a processor.
        """
        if not self.processes:
            self.join("worker1")
        while self.run.elapsed < until and not self.run.ending:
            self.run.count_users(2)
            for process in self.processes.values():
                for number in range(n):
                    code = status if number < failing else 200
                    begun = self.clock.time + number / n
                    for endpoint in (0, 1):
                        for cohort in cohorts:
                            process.recorder.add(endpoint, cohort, begun, ms, 0.0, code)
                process.wait += wait
                process.cpu += 0.05
                process.recorder.iterations += n
            self.clock.time += 1
            for process in self.processes.values():
                process.recorder.flush()

    def end(self) -> results.Verdict:
        """Finish, and judge the journal as a reader of it would."""
        for process in self.processes.values():
            process.recorder.flush()
        self.run.check_over()
        self.folder = self.run.finish()
        self.records, dropped = journal.read(self.folder)
        return verdict.decide(self.records, dropped)

    def health(self, name: str) -> list[Sample]:
        """What a process has told of itself."""
        return self.run.health._samples[name]


def outcomes(decided: results.Verdict) -> dict[str, Outcome | None]:
    """Check -> outcome."""
    return {result.check.removeprefix("load/"): result.outcome for result in decided.checks}
