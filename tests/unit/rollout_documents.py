"""A rollout that was made up: its state, its runs, and a session of a command on it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.unit.fakes import FakeClock
from tests.unit.report_runs import START, Story, errors, latency, scores

from rampgate.config.loading import load
from rampgate.documents import command
from rampgate.documents.command import Options
from rampgate.model.measurement import Histogram, Measurement
from rampgate.rollout.records import Rollout, Step, StepStatus
from rampgate.rollout.session import Session
from rampgate.rollout.transitions import Command, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rampgate.errors import ExitCode

HOUR = 3_600.0
BEGIN = START + HOUR
WEB, API = "http://127.0.0.1:3000", "http://127.0.0.1:5000"
SETTINGS = """
environment = "production"
[target]
name = "demo"
web = "http://127.0.0.1:3000"
api = "http://127.0.0.1:5000"
[version]
expected = "1.4.0"
[flags]
path = "/flags/{flag}?user={user}"
value = "on"
expected = { checkout = 0 }
[rollout]
features = ["checkout"]
percentages = [0, 25, 100]
"""
FAST = "immediate/latency::endpoint_is_fast[patients]"


@dataclass
class MadeUp:
    """One rollout.

    Args:
        folder: for settings and reports.
        more: lines behind those of the settings.
        first: a line before them.
        steps: that were made.
    """

    folder: Path
    more: str = ""
    first: str = ""
    steps: list[Step] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=lambda: FakeClock(BEGIN + 100 * HOUR))

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A command's session."""
        path = self.folder / "rampgate.toml"
        path.write_text(
            f'reports = "{self.folder}/reports"\n{self.first}{SETTINGS}{self.more}', encoding="utf-8"
        )
        settings, redactor = load(path, from_environment=False)
        with Session(settings, redactor, self.folder, "ada", self.said.append, clock=self.clock) as session:
            yield session

    def stands(self, status: Status, percentage: float, *, version: str = "1.4.0", **more: Any) -> None:
        """Write the rollout and its steps."""
        changed = self.steps[-1].ended or BEGIN
        fields: dict[str, Any] = {"features": ("checkout",), "environment": "production", **more}
        with self.session() as session, session.state.transaction():
            rollout = Rollout(
                version=version,
                status=status,
                percentage=percentage,
                changed=changed,
                who="ada",
                at=BEGIN,
                since=changed,
                target=f"{WEB} {API}",
                **fields,
            )
            rollout = session.state.write(rollout)
            for step in self.steps:
                session.state.note(step)

    def step(self, made: Command | str, source: float, target: float, hours: float, **more: Any) -> None:
        """A step that many hours after the beginning."""
        at = BEGIN + hours * HOUR
        fields: dict[str, Any] = {
            "who": "ada",
            "why": "as planned",
            "status": StepStatus.DONE,
            "ended": at + 5,
        }
        fields |= {"effect": {"ok": True, "sentence": "100 users read it"}, **more}
        self.steps.append(Step(1, str(made), source, target, token=1, at=at, **fields))

    def rises(self) -> None:
        """Up to everybody."""
        self.step(Command.START, 0, 0, 0)
        self.step(Command.ADVANCE, 0, 25, 1)
        self.step(Command.ADVANCE, 25, 100, 25)

    def run(
        self,
        stage: str,
        percentage: float,
        hours: float,
        *seen: Measurement,
        failed: bool = False,
        **more: Any,
    ) -> Path:
        """A run of a stage that many hours after the beginning of the rollout."""
        folder = self.folder / "reports" / f"{stage}-{hours:g}"
        folder.mkdir(parents=True)
        release = {"environment": "production", "version": "1.4.0", "percentage": percentage}
        written = Story(folder, [FAST], stage=stage, start=BEGIN + hours * HOUR, release=release, **more)
        for each in seen:
            written.shown(FAST, each)
        written.ended(FAST, "failed" if failed else "passed", "too slow by far" if failed else "")
        written.end(1 if failed else 0)
        return folder

    def make(self, name: str, **options: Any) -> ExitCode:
        """Make a document."""
        with self.session() as session:
            return command.make(session, name, Options(**{"out": self.folder / name, **options}))

    def text(self, name: str, form: str = "md") -> str:
        """What was made."""
        return (self.folder / f"{name}.{form}").read_text(encoding="utf-8")


def before() -> list[Measurement]:
    """What a predeploy run measures."""
    return [latency(n=400, seed=1), scores(60, 61, 62), errors(), _bundle(200_000)]


def after() -> list[Measurement]:
    """The same with the features: faster, smaller."""
    quick = replace(latency(n=400), histogram=Histogram.of([2.0] * 400))
    return [quick, scores(90, 91, 92), errors(), _bundle(150_000)]


def _bundle(size: float) -> Measurement:
    return Measurement("bundle_bytes", "", n=3, value=size, labels={"bundle": "app"})
