"""What a command on a rollout refuses before anything is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.actuators.frame import Change
from rampgate.config import in_force
from rampgate.errors import ConfigurationError
from rampgate.rollout.soak import target_of
from rampgate.rollout.transitions import OPEN, Status

if TYPE_CHECKING:
    from rampgate.rollout.asking import Asking
    from rampgate.rollout.records import Rollout
    from rampgate.rollout.session import Session


def refuse_overlap(session: Session, superseded: Rollout | None) -> None:
    """Refuse to move flags that another rollout moves, or to leave some behind.

    Raises:
        ConfigurationError: with the features.
    """
    features, file = set(session.settings.rollout.features), session.settings.file
    if superseded is not None and features != set(superseded.features):
        raise ConfigurationError(
            f"{file}: rollout.features: found {', '.join(sorted(features))}; accepted are those of the "
            f"rollout that is superseded ({', '.join(superseded.features)}), or roll it back first"
        )
    target = target_of(session.settings)
    for each in in_force.others(session.settings):
        same = each.get("target") == target and Status(each["status"]) in OPEN
        if same and (twice := sorted(features & set(each["features"]))):
            raise ConfigurationError(
                f"{file}: rollout.features: found {', '.join(twice)}, which the rollout of "
                f"{each['environment']} moves at the same target; accepted are others"
            )


def refuse_lowering(session: Session, reader: Asking) -> None:
    """Refuse a start whose first percentage takes features from users who have them.

    Raises:
        ConfigurationError: with how many have one.
        ProbeError: users could not be asked.
    """
    features, target = tuple(session.settings.rollout.features), session.settings.rollout.percentages[0]
    if found := reader.taken(Change(features, target, on=True)):
        raise ConfigurationError(
            f"rollout start: found {found}, whom {target:g} % would take it from; accepted are --at PERCENT, "
            "the step of the plan that they have, or rampgate rollout rollback --emergency before"
        )


def refuse_floor(session: Session, target: float, *, below_floor: bool) -> None:
    """Refuse a rollback to below what the data of a version can bear, once it was above that.

    Raises:
        ConfigurationError: with the floor.
    """
    rollout = session.state.current()
    version = (rollout.version if rollout else session.version) or ""
    floor = session.settings.rollout.floor.get(version, 0.0)
    highest = max(
        (each.target for each in session.state.steps() if rollout and each.rollout == rollout.id), default=100
    )
    if target < floor <= highest and not below_floor:
        raise ConfigurationError(
            f"{session.settings.file}: rollout.floor: {version} may not go below {floor:g} %: "
            "what was written with the features on cannot be read with them off; accepted is "
            "--below-floor, which loses it"
        )


def outside(session: Session, found: float, target: float | None = None) -> ConfigurationError:
    """The error of a percentage that the plan does not have, or not next."""
    plan = ", ".join(f"{each:g}" for each in session.settings.rollout.percentages)
    accepted = f"{target:g}, the next of the plan" if target is not None else f"a step of the plan: {plan}"
    return ConfigurationError(f"rollout: found {found:g} %; accepted is {accepted}")
