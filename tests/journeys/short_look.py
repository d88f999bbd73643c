"""A pytest plugin (``-p tests.journeys.short_look``) that asks endpoints for ten seconds in place of sixty.

A service that is down is waited for five seconds in place of thirty.

Journeys that are about something else than latency use it: what they run is a rehearsal. It takes the machine
of the tests for a calm one, as ``tests.calm_probe`` does, and asks the flag service of the demo as fast as it
answers, as often as always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests import calm_probe

from rampgate.checks.endpoints import LatencySettings
from rampgate.checks.flag_service import probe
from rampgate.stage import stage_session

if TYPE_CHECKING:
    from rampgate.config.settings import Settings
    from rampgate.model.redact import Redactor

__all__ = ["calm_probe"]

_STAGES = ("predeploy", "immediate")
_load = vars(stage_session)["load"]


def load(*arguments: Any, **named: Any) -> tuple[Settings, Redactor]:
    """The settings, with a short look at the pace that decides as much."""
    settings, redactor = _load(*arguments, **named)
    short = LatencySettings(look=10, pace=45, max_rate=45.0 * max(1, len(settings.endpoints)))
    impatient = {name: settings.stage(name).model_copy(update={"patience": 5.0}) for name in _STAGES}
    return settings.model_copy(update={"latency": short, "stages": impatient}), redactor


vars(stage_session)["load"] = load
vars(probe)["RATE"] = 1000.0
