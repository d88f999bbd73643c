"""Which answers under load have their body read and checked, and what is wrong with one.

All bodies would cost more than the requests. A sample is enough: drawn at random, about CHECKED of an
endpoint over the plateau, and all of them where it has fewer answers.
"""

from __future__ import annotations

import random
from collections import Counter
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
SHORTEST_VISIT_S = 0.1
"""What a visit is taken to last at least, before any was made."""
_SETTLED_S = 1.0
"""How long a chance stays as it is."""
TOO_LARGE = f"the body is larger than {MOST_BYTES // 1_000_000} MB"


class Sample:
    """Says of which answers the body is read; one for each generating process.

    Each is drawn with one chance that all users share, so that no period in time and no order of users
    decides. The chance follows the requests per user of the run so far.

    Args:
        ramp: of the run, with a plateau.
        visits: per second on the plateau, as far as it is known before; all processes together.
        of: among how many processes the sample is shared.
        seed: makes the draws repeatable.
    """

    def __init__(self, ramp: Ramp, visits: float, of: int = 1, seed: str = "") -> None:
        steady = ramp.plateau()
        begin, end = (0.0, ramp.duration) if steady is None else ramp.bounds(steady)
        self._ramp = ramp
        self._pace = CHECKED / (end - begin) / of
        self._random = random.Random(seed)  # noqa: S311  # a sample, no secret
        # What is known before counts as much as a second of the plateau.
        self._users = self._user_seconds = max(1.0, ramp.users_at(begin))
        self._asked: Counter[int] = Counter()
        self._known, self._visits = self._asked.copy(), visits / of
        self._at = 0.0

    def takes(self, endpoint: int, elapsed: float) -> bool:
        """Whether the next answer of this endpoint is read.

        Args:
            endpoint: its index.
            elapsed: seconds since the ramp began.
        """
        if not self._asked:
            self._at = elapsed
        elif elapsed >= self._at + _SETTLED_S:
            # Not at each request: users who come together have the same chance.
            self._users = max(1.0, self._ramp.users_at(elapsed))
            self._user_seconds += self._users * (elapsed - self._at)
            self._known, self._at = self._asked.copy(), elapsed
        self._asked[endpoint] += 1
        expected = (self._known[endpoint] + self._visits) / self._user_seconds * self._users
        return self._random.random() * expected < self._pace


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
        "sampled": f"{counts.bodies:,} of {counts.n:,} answers were read, drawn at random",
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
