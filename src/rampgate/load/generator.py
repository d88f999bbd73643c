"""Floor 6. The health of whoever sends the load: a starved generator measures itself, not the target.

A process that is ready and has no processor waits in the kernel's run queue, and all that it times grows by
this waiting. The kernel counts it (/proc/<pid>/schedstat), and it separates a calm generator from a starved
one where the generator's own CPU does not.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import NamedTuple

STARVED = 0.10
"""Share of wall time in the run queue above which a generator is starved."""


class Use(NamedTuple):
    """What a process has used of its machine since it began.

    Args:
        wait_s: seconds ready to run and waiting for a processor; NaN where the system does not tell.
        cpu_s: seconds of processor time.
    """

    wait_s: float
    cpu_s: float


class Sample(NamedTuple):
    """How a generating process fared until one second of the ramp; all but the second are totals.

    Args:
        second: since the ramp began.
        wait_s: seconds in the run queue, NaN where the system does not tell.
        cpu_s: seconds of processor time.
        iterations: journeys that were begun.
        offered: journeys that were due, where a rate says so (an open model), else 0.
    """

    second: float
    wait_s: float
    cpu_s: float
    iterations: int = 0
    offered: int = 0


def own_use() -> Use:
    """What this process has used: the run-queue wait of its main thread, the processor time of all."""
    try:
        waited = int(Path(f"/proc/{os.getpid()}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        waited = math.nan
    return Use(waited, time.process_time())
