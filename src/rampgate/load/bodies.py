"""Which answers under load have their body read and checked, and what is wrong with one.

All bodies would cost more than the requests. A sample is enough: taken evenly over each stage of the ramp,
about CHECKED of an endpoint over the plateau, and all of them where it has fewer answers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from math import inf
from typing import TYPE_CHECKING, Any

from rampgate.checks.latency.asking import body_failure
from rampgate.config.policy import BODY
from rampgate.model.json_body import parsed
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.load.counters import Counts
    from rampgate.model.ramp import Ramp

CHECKED = 1000
"""Bodies of an endpoint that are checked over the plateau, where there are so many."""
MOST_BYTES = 10_000_000
"""A larger body, unpacked, is not read to its end."""
TOO_LARGE = f"the body is larger than {MOST_BYTES // 1_000_000} MB"


class Sample:
    """Says of which answers the body is read; one for each generating process.

    Args:
        ramp: of the run, with a plateau.
        of: among how many processes the sample is shared.
    """

    def __init__(self, ramp: Ramp, of: int = 1) -> None:
        steady = ramp.plateau()
        begin, end = (0.0, ramp.duration) if steady is None else ramp.bounds(steady)
        self._pace = CHECKED / (end - begin) / of
        self._ends = ramp.ends
        self._since = self._until = 0.0
        self._taken: Counter[int] = Counter()

    def takes(self, endpoint: int, elapsed: float) -> bool:
        """Whether the next answer of this endpoint is read.

        Args:
            endpoint: its index.
            elapsed: seconds since the ramp began.
        """
        if elapsed >= self._until:
            stage = bisect_right(self._ends, elapsed)
            self._since = self._ends[stage - 1] if stage else 0.0
            self._until = self._ends[stage] if stage < len(self._ends) else inf
            self._taken.clear()
        if self._taken[endpoint] >= self._pace * (elapsed - self._since) + 1:
            return False
        self._taken[endpoint] += 1
        return True


def wrong(endpoint: EndpointSettings, body: bytes) -> str:
    """What is wrong with the body of a 2xx answer, "" when nothing is."""
    data, trouble = parsed(body)
    return trouble or body_failure(endpoint, data)


def failures(
    counts: Counts,
    endpoint: EndpointSettings,
    labels: Mapping[str, str],
    span: tuple[float, float],
    examples: Sequence[str] = (),
) -> Measurement:
    """``body_failure_rate`` of the answers of an endpoint whose body was read.

    Args:
        counts: of its requests.
        endpoint: says what a good body holds.
        labels: what the requests have in common.
        span: seconds since the epoch, from and to.
        examples: what was wrong with bodies of this endpoint, for a reader.
    """
    details: dict[str, Any] = {
        "check": f"{endpoint.body} >= {endpoint.minimum:g}",
        "sampled": f"{counts.bodies:,} of {counts.n:,} answers were read, evenly",
    }
    bad = examples if counts.bad_bodies else ()
    return Measurement(
        BODY,
        n=counts.bodies,
        failures=counts.bad_bodies,
        labels=dict(labels),
        start=span[0],
        end=span[1],
        note=bad[0] if bad else "",
        details=details | ({"failed": list(bad)} if bad else {}),
    )
