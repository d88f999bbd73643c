"""Numbers as JSON that somebody keeps has them: short, and no number that JSON does not know."""

from __future__ import annotations

import math
from typing import Any


def short(data: Any) -> Any:
    """Plain JSON, its floats with 6 significant digits, null for those that are not finite."""
    if isinstance(data, dict):
        return {key: short(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [short(value) for value in data]
    if isinstance(data, float):
        return float(f"{data:.6g}") if math.isfinite(data) else None
    return data
