"""What the tests of a watch share: an engine whose metrics say what a test wants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.config import watch_policy
from rampgate.config.settings import Settings
from rampgate.errors import ProbeError
from rampgate.model.measurement import Measurement
from rampgate.watch.engine import Engine
from rampgate.watch.rounds import Position

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.checks.frame.source import MetricSettings
    from rampgate.watch.rounds import Round
