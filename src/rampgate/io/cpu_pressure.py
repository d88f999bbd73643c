"""How long work on this machine waited for a processor, as the kernel counts it."""

from __future__ import annotations

import math
import re
from pathlib import Path

STARVED = 0.1
"""What waited for a processor for more than this share of the time is starved: an audit, a load generator."""
_TOTAL = re.compile(r"^some .*total=(\d+)", re.MULTILINE)


def cpu_wait_s(source: Path = Path("/proc/pressure/cpu")) -> float | None:
    """Seconds since boot in which some task was ready and had no processor, None where it is not counted.

    Linux's pressure stall information; see the kernel's documentation, accounting/psi.
    """
    try:
        match = _TOTAL.search(source.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return int(match[1]) / 1e6 if match else None


def own_wait_s() -> float:
    """Seconds that this process's main thread waited in the run queue, NaN where it is not counted."""
    try:
        return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return math.nan
