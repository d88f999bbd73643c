"""A watch over numbers that a test says, by a clock that a test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.fakes import FakeClock

from rampgate.config.loading import load
from rampgate.errors import ProbeError
from rampgate.model.increments import COUNTERS
from rampgate.model.measurement import Measurement
from rampgate.watch.asked import Asked, Source
from rampgate.watch.rounds import Position
from rampgate.watch.session import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.watch.rounds import Round

SETTINGS = """
environment = "test"
percentage = 25
[target]
api = "http://127.0.0.1:9"
[watch]
runbook = "https://runbooks.test/errors"
owner = "team-a"
[watch.thresholds]
warns = "reported < 2%"
decides = { expect = "reported > 50%", bad = true, severity = "critical" }
[[metrics]]
name = "reported"
path = "/rate"
value = "rate"
unit = "%"
"""
COUNTED = """
[[metrics]]
name = "error_rate"
path = "/counters"
total = "total"
failed = "failed"
"""


class SplitClock(FakeClock):
    """A clock that can be set, while the other one only goes on."""

    set_by = 0.0

    def monotonic(self) -> float:
        """What is not set with it."""
        return self.time - self.set_by


class World:
    """What a watch reads: a value in per cent, counters, a position; None: it cannot be read.

    Args:
        folder: for settings and reports.
        settings: of the watch.
    """

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self.folder, self.clock = folder, SplitClock(1_800_000_000.0)
        self.value: float | None = 0.5
        self.counters = {"total": 0.0, "failed": 0.0}
        self.position, self.measuring, self.reads = Position(25.0, ("1",)), "", 0
        self.defect: Exception | None = None
        self.responses: int | None = None
        self.use(settings)

    def use(self, text: str) -> None:
        """Take other settings."""
        path = self.folder / "rampgate.toml"
        path.write_text(f'reports = "{self.folder / "reports"}"\n{text}', encoding="utf-8")
        self.settings, self.redactor = load(path, from_environment=False)

    def watch(self, seconds: float = 300.0, **asked: Any) -> Watch:
        """A watch, or the next process of one."""
        source = Source(
            self.read,
            lambda: self.position,
            lambda entry: entry.puts_load and bool(self.measuring),
            lambda: self.measuring,
        )
        return Watch(
            self.settings, self.redactor, self.folder, source, Asked(seconds, **asked), clock=self.clock
        )

    def read(self, entry: Any) -> list[Measurement]:
        """One reading."""
        self.reads += 1
        if self.defect:
            raise self.defect
        if self.value is None:
            raise ProbeError("metric reported, /rate: found HTTP 503; accepted is a number")
        if entry.counted:
            counters = {kind: {"": count} for kind, count in self.counters.items()}
            return [Measurement(entry.name, n=0, details={COUNTERS: counters})]
        details = {"responses": self.responses} if self.responses else {}
        return [Measurement(entry.name, value=self.value, details=details)]

    def rounds(self, watch: Watch, values: list[float | None], every: float = 30.0) -> list[Round]:
        """A round for each value, so many seconds apart."""
        found = []
        for value in values:
            self.value = value
            found.append(watch.round())
            self.clock.sleep(every)
        return found


def states(watch: Watch) -> dict[str, str]:
    """Name of each rule -> where it stands."""
    return {name: rule.episode.state.value for name, rule in watch.engine.rules.items()}
