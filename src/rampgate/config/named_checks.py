"""Whether checks that settings name by their ids exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.config.plan import STAGES
from rampgate.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rampgate.config.settings import Settings

_PLACES = (*STAGES, "load", "watch")
_OWN = ".py::"
"""In the id of a check of a user's own, which is known once it is collected."""


def refuse_unknown(settings: Settings, stage: str, known: Iterable[str]) -> None:
    """Refuse what is said of checks that there are not, of this stage or of none.

    Args:
        settings: name checks.
        stage: whose checks are known.
        known: their ids.

    Raises:
        ConfigurationError: every one that is none.
    """
    checks = sorted(known)
    problems = []
    for key, name, whole in _named(settings):
        place = name.partition("/")[0]
        fits = [each for each in checks if (each == name if whole else each.startswith(name))]
        if _OWN in name or (place in _PLACES and place != stage) or fits:
            continue
        accepted = ", ".join(checks) if place == stage else f"ids that begin with {', '.join(_PLACES)}"
        problems.append(f"{settings.file}: {key}: found {name!r}; accepted are {accepted}")
    if problems:
        raise ConfigurationError(problems)


def _named(settings: Settings) -> Iterable[tuple[str, str, bool]]:
    """Where a check is named, how, and whether it is a whole id."""
    yield from ((f"waivers[{n}].check", each.check, True) for n, each in enumerate(settings.waivers, 1))
    yield from (("checks", name, False) for name in settings.checks)
