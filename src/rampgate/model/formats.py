"""Numbers as a tired person reads them."""

from __future__ import annotations

import math
import signal
import time

_MINUTE, _HOUR = 60, 3600


def number(value: float) -> str:
    """Three significant digits, thousands apart, no exponent for what people count: ``6,000``, ``0.21``."""
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-4 <= abs(value) < 1e12:  # noqa: PLR2004 - beyond these, digits are hard to read
        magnitude = math.floor(math.log10(abs(value))) if value else 0
        text = f"{value:,.{max(0, 2 - magnitude)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.3g}"


def percent(fraction: float) -> str:
    """A fraction as a percentage: ``0.21 %``."""
    return f"{number(100 * fraction)} %"


def confidence(alpha: float) -> str:
    """1 - alpha as a percentage, with the digits that alpha has: ``99.9 %``, ``99.975 %``."""
    decimals = max(0, 1 - math.floor(math.log10(100 * alpha)))
    text = f"{100 * (1 - alpha):.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def about(count: int) -> str:
    """A count to two digits, rounded up: a forecast, not a promise."""
    step = 10 ** max(0, len(str(count)) - 2)
    return f"{-(-count // step) * step:,}"


def ending(code: int) -> str:
    """How a process ended, by its exit code: ``ended by SIGTERM``, ``ended with exit code 3``."""
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def moment(at: float) -> str:
    """Seconds since the epoch as date and time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def elapsed(seconds: float) -> str:
    """Seconds that have passed, rounded down: ``5 s``, ``1 min 11 s``, ``2 h 5 min``."""
    whole = int(seconds)
    units = ((whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    return (
        " ".join(f"{count} {unit}" for count, unit in units[: 2 if whole >= _HOUR else 3] if count) or "0 s"
    )


def duration(seconds: float) -> str:
    """Seconds in the unit that fits, rounded up: ``5 s``, ``3 min``, ``2.5 h``."""
    if seconds < _MINUTE:
        return f"{max(1, math.ceil(seconds))} s"
    if seconds < _HOUR:
        return f"{math.ceil(seconds / _MINUTE)} min"
    return f"{number(math.ceil(10 * seconds / _HOUR) / 10)} h"
