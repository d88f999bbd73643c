"""The plan of a rollout as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rampgate.evidence.chance import FALSE_HOLD_PER_ROLLOUT, FALSE_ROLLBACK_PER_ROLLOUT
from rampgate.judging.guides import Guide
from rampgate.rollout.ledger import totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.config.rollout import FreezeSettings
    from rampgate.rollout.detect import Traffic
    from rampgate.rollout.ledger import Chance


class Seen(NamedTuple):
    """What the soak of a stage can see with a chance of ``SURE``.

    Args:
        smallest: harm, in background errors, None where it sees none.
        ask_s: seconds that the harm of [rollout] harm needs, infinite where it is never seen.
        twice_s: the same of twice the background errors.
    """

    smallest: float | None
    ask_s: float
    twice_s: float


@dataclass(frozen=True)
class Stage:
    """One percentage of the plan.

    Args:
        phase: internal, beta or general.
        percentage: 0 to 100.
        soak: observed seconds that it needs.
        begins: the earliest time, seconds since the epoch; None where it is over.
        ends: the earliest time at which its soak is over; None where it is over.
        freezes: that its beginning waits for.
        seen: None where nothing can be compared: everybody has the features or none has, there is no soak, or
            the traffic is not known.
    """

    phase: str
    percentage: float
    soak: float
    begins: float | None
    ends: float | None
    freezes: tuple[FreezeSettings, ...] = ()
    seen: Seen | None = None

    @property
    def too_short(self) -> bool:
        """Whether the soak does not surely see the harm that it should."""
        return self.seen is not None and self.seen.ask_s > self.soak


@dataclass(frozen=True)
class Plan:
    """What ``rampgate rollout plan`` prints.

    Args:
        stages: in their order.
        ends: the earliest time at which the last percentage is in force, seconds since the epoch.
        chances: what may fail a healthy rollout.
        traffic: that the soaks are judged by, None where it is not known.
        source: where the traffic is known from, or why it is not.
        harm: in background errors, that each soak should see.
        refused: what makes the plan one that is refused, for the settings ask for what it cannot do.
        guide: what to do when it holds or rolls back, and who does it.
    """

    stages: Sequence[Stage]
    ends: float
    chances: Sequence[Chance]
    traffic: Traffic | None
    source: str
    harm: float
    refused: Sequence[str] = ()
    guide: Guide = field(default_factory=Guide)

    @property
    def promised(self) -> list[tuple[str, float, float]]:
        """What may hold, and what may roll back: its name, the sum of the chances, and what is promised."""
        hold, rollback = totals(self.chances)
        return [
            ("held by a failure", hold, FALSE_HOLD_PER_ROLLOUT),
            ("rolled back", rollback, FALSE_ROLLBACK_PER_ROLLOUT),
        ]
