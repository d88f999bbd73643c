"""The web vitals of real visits, as a deployment that collects them reports them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError
from rampgate.io.http import ask
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    import httpx

VITALS = {"LCP": "ms", "CLS": "", "INP": "ms", "FCP": "ms", "TTFB": "ms"}
"""Name -> unit. Each is reported as its 75th percentile, by which web.dev judges a page."""


def web_vitals(client: httpx.Client, path: str) -> list[Measurement]:
    """A measurement for each vital that a browser has sent; none without visits.

    Args:
        client: asks the deployment.
        path: where it reports ``{"count": visits, "LCP": {"p75": ms or null}, ...}``.

    Raises:
        ProbeError: there is no such answer.
    """
    answer = ask(client, "GET", path)
    if not answer.ok:
        raise ProbeError(f"{path}: {answer.trouble}; accepted is a 2xx answer")
    body = answer.json()
    visits = body.get("count") if isinstance(body, dict) else None
    if not isinstance(visits, int) or isinstance(visits, bool):
        raise ProbeError(f'{path}: accepted is {{"count": n, "LCP": {{"p75": n or null}}, …}}')
    percentiles = {name: _percentile(path, body, name) for name in VITALS}
    return [
        Measurement(f"web_vitals_{name.lower()}", VITALS[name], n=visits, value=value)
        for name, value in percentiles.items()
        if value is not None and visits > 0
    ]


def _percentile(path: str, body: dict[str, Any], name: str) -> float | None:
    vital = body.get(name)
    value = vital.get("p75") if isinstance(vital, dict) else vital
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ProbeError(f"{path}: found {value!r} at {name}.p75; accepted is a number or null")
    return float(value)
