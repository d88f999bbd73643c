"""The web vitals of real visits, as a deployment that collects them reports them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError
from rampgate.io.http import ask
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    import httpx

VITALS = {"LCP": "ms", "CLS": "", "INP": "ms", "FCP": "ms", "TTFB": "ms"}
"""Name -> unit. Each is reported as its 75th percentile, by which web.dev judges a page."""


@dataclass(frozen=True)
class VitalsProbe:
    """Reads ``{"count": visits, "LCP": {"p75": ms or null}, ...}``.

    Args:
        client: asks the deployment.
        path: where it reports them.
    """

    client: httpx.Client
    path: str

    def measure(self) -> list[Measurement]:
        """A measurement for each vital that a browser has sent; none without visits.

        Raises:
            ProbeError: there is no such answer.
        """
        answer = ask(self.client, "GET", self.path)
        if not answer.ok:
            raise ProbeError(f"{self.path}: {answer.trouble}; accepted is a 2xx answer")
        body = answer.json()
        visits = body.get("count") if isinstance(body, dict) else None
        if not isinstance(visits, int) or isinstance(visits, bool):
            raise ProbeError(f'{self.path}: accepted is {{"count": n, "LCP": {{"p75": n or null}}, …}}')
        percentiles = {name: self._percentile(body, name) for name in VITALS}
        return [
            Measurement(f"web_vitals_{name.lower()}", VITALS[name], n=visits, value=value)
            for name, value in percentiles.items()
            if value is not None and visits > 0
        ]

    def _percentile(self, body: dict[str, Any], name: str) -> float | None:
        vital = body.get(name)
        value = vital.get("p75") if isinstance(vital, dict) else vital
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ProbeError(f"{self.path}: found {value!r} at {name}.p75; accepted is a number or null")
        return float(value)
