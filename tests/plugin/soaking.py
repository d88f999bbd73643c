"""A deployment that reports about itself, and a project whose extended stage watches it for seconds."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.plugin.deployment import Deployment, Project
from tests.unit.fakes import serving

from rampgate.evidence import journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORTED = "/reported"
SETTINGS = """
environment = "test"
percentage = 25
[target]
api = "{api}"
timeout = "5s"
[watch]
interval = "2s"
window = "4s"
failures_window = "4s"
[watch.thresholds]
few_errors = "error_rate < 50%"
still_fast = "web_vitals_lcp <= 3000ms"
content = "user_feedback_score >= 3"
broken = {{ expect = "broken > 0.5", bad = true, severity = "critical" }}
[soak]
duration = "{duration}"
[[metrics]]
name = "error_rate"
path = "/reported"
total = "total"
failed = "failed"
[[metrics]]
name = "web_vitals_lcp"
path = "/reported"
value = "lcp"
watch_only = true
[[metrics]]
name = "user_feedback_score"
path = "/reported"
value = "score"
responses = "responses"
watch_only = true
[[metrics]]
name = "broken"
path = "/reported"
value = "broken"
watch_only = true
"""


class Reporting(Deployment):
    """A deployment that counts 100 requests more each time it is asked; what it says may be gone."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, Any] = {"total": 0, "failed": 0, "lcp": 1200, "score": 4.5, "responses": 100}
        self.said |= {"broken": 0}
        self.gone = False

    def answer(self, path: str, told: str) -> tuple[int, Any]:
        """Status and body."""
        if path != REPORTED:
            return super().answer(path, told)
        self.said["total"] += 100
        return (503, {}) if self.gone else (200, self.said)


@contextmanager
def reporting() -> Iterator[Reporting]:
    """A deployment on a free loopback port."""
    deployment = Reporting()
    with serving(deployment) as deployment.url:
        try:
            yield deployment
        finally:
            deployment.go_on.set()


def soaked(folder: Path, url: str, duration: str = "6s", more: str = "") -> Project:
    """A project that watches it."""
    return Project(folder, SETTINGS.format(api=url, duration=duration) + more)


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The records of a kind of the run in a folder."""
    return [record for record in journal.read(folder)[0] if record["type"] == kind]


def state(folder: Path) -> dict[str, Any]:
    """What is known of the process of the watch."""
    said: dict[str, Any] = json.loads((folder / "watch.json").read_text(encoding="utf-8"))
    return said
