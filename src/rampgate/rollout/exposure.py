"""How many distinct users have the features, as [rollout.exposure] says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.errors import ProbeError
from rampgate.io import http

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx

    from rampgate.config.rollout import RolloutSettings


class Exposure(NamedTuple):
    """Distinct users lately.

    Args:
        on: how many have the features.
        users: how many there were.
    """

    on: int
    users: int


def ask(
    plan: RolloutSettings, features: Sequence[str], api: Callable[[bool], httpx.Client]
) -> Exposure | None:
    """Ask the deployment; None where the settings do not say how.

    Args:
        plan: says where.
        features: for the first of which it is asked.
        api: makes a client of the API, with its admin token when asked.

    Raises:
        ProbeError: no answer, or one without two numbers of users.
    """
    where = plan.exposure
    if where is None:
        return None
    try:
        with api(where.admin) as client:
            answer = http.ask(client, "GET", where.path.replace("{flag}", features[0]))
    except ProbeError as error:
        raise ProbeError(f"rollout.exposure: {error}") from None
    found = [http.find(each, answer.json()) if answer.ok else None for each in (where.on, where.off)]
    counts = [count for count in found if type(count) is int and count >= 0]
    if len(counts) < len(found):
        what = f"found {found[0]!r} and {found[1]!r}" if answer.ok else answer.sentence
        raise ProbeError(
            f"rollout.exposure, {where.path}: {what}; accepted are two numbers of {counted(plan)}"
        )
    return Exposure(counts[0], sum(counts))


def counted(plan: RolloutSettings) -> str:
    """Of what a percentage is one: ``users``, ``workspaces``."""
    return "workspaces" if plan.unit == "workspace" else "users"
