"""Running load runs, made of blocks and without a generator, for the tests of whoever watches them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rampgate.config.settings import Settings
from rampgate.load.counters import DURATION, Counters, Counts
from rampgate.load.facts import Facts
from rampgate.load.generator import Health, Sample
from rampgate.load.plan import endpoints_of, prepare
from rampgate.load.seconds import Second, second_of
from rampgate.load.table import SIGN_IN, Row, Table
from rampgate.model.ramp import Ramp
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.evidence.session import Setup

ENDPOINTS = ("patients", "dashboard")
RAMP = Ramp.parse("10s:20,60s:20,10s:0")


@dataclass
class Watch:
    """An abort's evidence that the test sets."""

    log_wealth: float = 0.0
    threshold: float = 9.21
    fired_at: int | None = None


@dataclass
class Running:
    """A load run that stands still at one moment."""

    setup: Setup
    endpoints: tuple[EndpointSettings, ...]
    ramp: Ramp
    counters: Counters
    health: Health
    id: str = "20260921T143320Z-0a1b"
    elapsed: float = 0.0
    seconds: list[Second] = field(default_factory=list)
    evidence: dict[str, Watch] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)

    def run(
        self, until: int, *, n: int = 40, ms: float = 20.0, status: int = 200, wait: float = 0.01
    ) -> None:
        """Go on to this second, with n requests a second to each endpoint; wait is the run-queue's share."""
        for second in range(len(self.seconds), until):
            rows = [
                Row(second + place / n, endpoint, 0, status, ms * (1 + place / n), 0.3)
                for place in range(n)
                for endpoint in range(len(self.endpoints))
            ]
            rows += [Row(second + 0.5, SIGN_IN, 0, 200, 90.0, 0.3)] if second == 0 else []
            table = Table.of(rows)
            counts, ideal = Counts(), self.ramp.users_at(second + 1)
            counts.add(table, [1000.0])
            self.seconds.append(second_of(second, counts, [1000.0], round(ideal), ideal))
            sample = Sample(second + 1.0, wait * (second + 1), 0.04 * (second + 1), 10 * (second + 1))
            self.health.add("load-1", sample)
            self.counters.add(table)
        self.elapsed = float(until)


def running(folder: Path, *, endpoints: tuple[str, ...] = ENDPOINTS, ramp: Ramp = RAMP) -> Running:
    """A run at its first moment."""
    settings = Settings.model_validate(
        {
            "reports": str(folder / "reports"),
            "target": {"api": "http://127.0.0.1:9"},
            "endpoints": [{"name": name, "path": "/", "load": True} for name in endpoints],
        }
    )
    setup = prepare(settings, Redactor())
    counters = Counters(setup.policy.of(DURATION), ramp, settings.target.timeout)
    return Running(setup, endpoints_of(settings), ramp, counters, Health())


NOTHING = math.nan
"""A run-queue wait that the system does not tell."""
