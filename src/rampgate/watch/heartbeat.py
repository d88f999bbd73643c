"""A file that Prometheus can collect through node_exporter's textfile collector: whether the watch lives."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from rampgate.evidence.verdicts import write_whole
from rampgate.watch import state
from rampgate.watch.prometheus_rules import HEARTBEAT

if TYPE_CHECKING:
    from rampgate.config.settings import Settings
    from rampgate.watch.engine import Engine

_HELP = {
    HEARTBEAT: "When the watch ended its newest round, seconds since the epoch.",
    "rampgate_watch_observed_seconds": "How long it has observed in this run.",
    "rampgate_watch_firing_rules": "How many rules fire.",
}


def write(settings: Settings, engine: Engine, now: float) -> None:
    """Write the file, beside the one in which the watch remembers; a full disk keeps the old one.

    Args:
        settings: name the environment and the target.
        engine: what the watch knows.
        now: seconds since the epoch.
    """
    firing = sum(rule.episode.open for rule in engine.rules.values())
    labels = ",".join(
        f'{name}="{_escaped(text)}"'
        for name, text in (("environment", settings.environment), ("target", settings.target.name or ""))
    )
    lines = [
        f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n{name}{{{labels}}} {value:.3f}\n"
        for name, value in zip(_HELP, (now, engine.observed, firing), strict=True)
    ]
    with suppress(OSError):
        write_whole(state.file_of(settings).with_suffix(".prom"), "".join(lines))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
