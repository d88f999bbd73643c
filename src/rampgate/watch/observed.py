"""How long a watch has observed, and what kept it from that. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.model import formats

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOST = 0.1
"""Of the time that somebody watched, so much may be without a reading."""
_RESTARTS = 2
"""More restarts of a deployment within one watch are a failure."""


@dataclass
class Observed:
    """The time of a watch.

    Args:
        seconds: observed.
        lost: seconds in which somebody watched, and something that is needed could not be read.
        why: something could not be read, the last time.
        restarts: of the deployment.
    """

    seconds: float = 0.0
    lost: float = 0.0
    why: str = ""
    restarts: int = 0

    def add(self, passed: float, blind: Mapping[str, str], *, waits: bool) -> float:
        """Count the time since the round before.

        Args:
            passed: seconds since then, which are short enough.
            blind: what could not be read -> why.
            waits: whether something has only begun to be read.

        Returns:
            How many of the seconds are observed.
        """
        if blind:
            self.lost += passed
            self.why = next(iter(blind.values()))
        elif not waits:
            self.seconds += passed
            return passed
        return 0.0

    @property
    def holds(self) -> str:
        """Why it is no reason to promote, whatever the rules say; "" where nothing is."""
        if self.restarts > _RESTARTS:
            return f"the deployment was restarted {self.restarts} times"
        if self.lost > _LOST * (self.seconds + self.lost):
            return f"in {formats.elapsed(self.lost)} more something was not read: {self.why}"
        return ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of what the next process needs."""
        return asdict(self)


@dataclass
class Instances:
    """Which instances answer, as far as the few connections of a round see them.

    Args:
        known: all that have answered since the last restart.
        strangers: those of the newest round, where none of them was known.
    """

    known: frozenset[str] = frozenset()
    strangers: frozenset[str] = field(default_factory=frozenset)

    def restarted(self, seen: frozenset[str]) -> bool:
        """Whether the deployment was restarted: twice in a row none of those that answer is known.

        Of a large fleet one round may see others than the round before by chance.
        """
        if not seen or not self.known or seen & self.known:
            self.known, self.strangers = self.known | seen, frozenset()
            return False
        if self.strangers & seen:
            self.known, self.strangers = seen | self.strangers, frozenset()
            return True
        self.known, self.strangers = self.known | self.strangers, seen
        return False
