"""One situation: how it is made, and what it must come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proofs.blame_target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SETTINGS = """
environment = "staging"
{allowed}
[target]
api = "{api}"
timeout = "3s"
{target}
[version]
expected = "1.0.0"
connections = 5
[[endpoints]]
name = "items"
path = "{path}"
body = "items"
load = true
{endpoint}
[latency]
look = "{look}"
pace = {pace}
max_rate = 190
[thresholds]
error_rate_warning = "error_rate < 5%"
api_p95_suite = "api_response_time_p95 < 2000ms"
api_p95_script = "api_response_time_p95 < 2500ms"
[stages.immediate]
patience = "0s"
[load]
users = {users}
ramp_up = "1s"
plateau = "{plateau}"
ramp_down = "1s"
pause = {pause}
{more}
"""
USUAL: Mapping[str, object] = {
    "allowed": "",
    "target": "",
    "path": "/api/items",
    "endpoint": "",
    "look": "1s",
    "pace": 190,
    "users": 5,
    "plateau": "8s",
    "pause": 0.05,
    "more": "",
}
GATE = ("pytest", "-m", "immediate", "-p", "no:cacheprovider")
LOAD = ("rampgate", "load")
PROMOTE, HOLD, ROLLBACK, INTERRUPTED, REFUSED = 0, 10, 20, 2, 4


@dataclass(frozen=True)
class Case:
    """One situation.

    Args:
        name: of it.
        code: the exit code that it must come to.
        words: what the first line must say.
        next: what the next step must begin with.
        target: how the service behaves; None: nobody answers.
        fills: places of SETTINGS.
        command: that is run.
        before: what it is run by.
        environ: beside the machine's.
        files: of the project, by their names.
        reverse: whether it is the fault of the target, which nothing excuses.
    """

    name: str
    code: int
    words: str = ""
    next: str = ""
    target: Callable[[], Target] | None = Target
    fills: Mapping[str, object] = field(default_factory=dict)
    command: tuple[str, ...] = GATE
    before: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    reverse: bool = False
