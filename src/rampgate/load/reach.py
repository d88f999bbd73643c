"""Whether a load run can come to a promotion at all: how many requests it can send, and how many it takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rampgate.config.policy import BODY
from rampgate.evidence.chance import FALSE_PASS_PER_CHECK
from rampgate.load import profile
from rampgate.load.abort_monitors import CHANCY
from rampgate.model import formats, statistics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.config.load_settings import LoadSettings
    from rampgate.config.policy import Policy


class Plateau(NamedTuple):
    """What is going to be judged: so many seconds of so many users."""

    seconds: float
    users: float


def plateau_of(load: LoadSettings) -> Plateau:
    """The plateau that [load] describes; without one it takes no time.

    Raises:
        ConfigurationError: it describes no load.
    """
    ramp = profile.of(load).ramp
    steady = ramp.plateau()
    if steady is None:
        return Plateau(0.0, 0.0)
    begin, end = ramp.bounds(steady)
    return Plateau(end - begin, ramp.stages[steady].target)


def too_short(load: LoadSettings, endpoints: Iterable[EndpointSettings], rules: Policy) -> str:
    """Why no endpoint of this load can pass, however good the target is; "" where it can.

    Args:
        load: what is going to run.
        endpoints: under load.
        rules: in force.
    """
    seconds, users = plateau_of(load)
    if load.rate is not None and load.executor == profile.ARRIVALS:
        visits, many, of = load.rate * seconds, load.rate, "visits a second"
    elif load.pause > 0:
        visits, many = users * (seconds / load.pause + 1), users
        of = f"users who pause {formats.number(load.pause)} s"
    else:
        return ""
    for endpoint in endpoints:
        most, (needed, limit) = math.floor(visits * endpoint.weight), _needed(endpoint, rules)
        if endpoint.required and most < needed:
            times = needed / max(most, 1)
            return (
                f"this run cannot promote: {formats.number(many)} {of} send {endpoint.name} at most {most:,} "
                f"requests in {formats.duration(seconds)} of plateau, and {limit} takes {needed:,} without a "
                f"failure: {formats.duration(seconds * times)} of it, or {math.ceil(many * times):,} {of}"
            )
    return ""


def _needed(endpoint: EndpointSettings, rules: Policy) -> tuple[int, str]:
    """The most requests that a limit takes to be met without a failure, and the limit."""
    found = [(0, "")]
    for rule in rules.rules:
        threshold = rule.threshold
        chancy = rules.metrics[threshold.metric].kind in CHANCY and not rule.where
        if chancy and (endpoint.body or threshold.metric != BODY):
            least = statistics.needed(0, 0, threshold.allowed, FALSE_PASS_PER_CHECK, FALSE_PASS_PER_CHECK)
            found.append((max(least or 0, threshold.min_n), threshold.source))
    return max(found)


def shortened(load: LoadSettings, meant: LoadSettings) -> str:
    """What of a load that the command line asks for is less than [load] means, "" when nothing is."""
    asked, due = plateau_of(load), plateau_of(meant)
    fewer = asked.users < due.users and load.rate is None
    if asked.seconds >= due.seconds and not fewer:
        return ""
    return (
        f"rehearsal: a plateau of {formats.number(asked.users)} users for {formats.duration(asked.seconds)}, "
        f"where [load] means {formats.number(due.users)} for {formats.duration(due.seconds)}"
    )
