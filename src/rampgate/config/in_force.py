"""The percentage that a rollout has brought into force: it wins over what rampgate.toml says."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rampgate.errors import EvidenceError
from rampgate.io.database import looked_up
from rampgate.io.guard import addresses_of

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.config.settings import FixedSettings, Settings

ROLLOUT = "rollout"


def state_file(settings: FixedSettings, folder: str) -> Path:
    """The file in which a watch, or a rollout, of this target and environment remembers.

    Args:
        settings: name them, and the reports.
        folder: below the reports: ``watch`` or ``rollout``.
    """
    parts = urlsplit(settings.target.api or settings.target.web or "")
    host = (parts.hostname or "").rstrip(".")
    if any(address.is_loopback for address in addresses_of(host)):
        host = "localhost"  # however it is spelt
    port = parts.port or (443 if parts.scheme == "https" else 80)
    place = f"{settings.environment} {host}:{port}{parts.path.rstrip('/')}"
    digest = hashlib.sha256(place.encode()).hexdigest()[:12]
    return settings.reports / folder / f"{digest}.sqlite"


def applied(settings: Settings) -> Settings:
    """The settings with the percentage of the newest rollout, which its flags are expected to have, too.

    Args:
        settings: as they were read; without a rollout they stay so.

    Raises:
        EvidenceError: what the rollout remembers cannot be read.
    """
    found = newest(settings)
    if found is None:
        return settings
    percentage, features = found
    changed: dict[str, Any] = {"percentage": percentage}
    if settings.flags:
        expected = {**settings.flags.expected, **dict.fromkeys(features, percentage)}
        changed["flags"] = settings.flags.model_copy(update={"expected": expected})
    return settings.model_copy(update=changed)


def newest(settings: FixedSettings) -> tuple[float, tuple[str, ...]] | None:
    """Percentage and features of the newest rollout, None where there is none.

    Raises:
        EvidenceError: what it remembers cannot be read.
    """
    if not (settings.reports / ROLLOUT).is_dir():  # before a name is looked up for nothing
        return None
    path = state_file(settings, ROLLOUT)
    if not path.is_file():
        return None
    rollout = _newest(path)
    return (float(rollout["percentage"]), tuple(rollout["features"])) if rollout else None


def others(settings: FixedSettings) -> list[dict[str, Any]]:
    """The newest rollout of each other environment and target in the same reports.

    Raises:
        EvidenceError: what one remembers cannot be read.
    """
    mine = state_file(settings, ROLLOUT)
    paths = sorted(path for path in mine.parent.glob("*.sqlite") if path.name != mine.name)
    return [each for path in paths if (each := _newest(path))]


def of_reports(reports: Path, environment: str) -> tuple[float, float] | None:
    """Percentage in force in an environment, and when it changed; None where no rollout, or several, say so.

    Args:
        reports: the folder of runs.
        environment: of the rollout.

    Raises:
        EvidenceError: what a rollout remembers cannot be read.
    """
    mine = [each for each in rollouts_of(reports) if each.get("environment") == environment]
    return (float(mine[0]["percentage"]), float(mine[0]["changed"])) if len(mine) == 1 else None


def rollouts_of(reports: Path) -> list[dict[str, Any]]:
    """The newest rollout of each environment and target.

    Args:
        reports: the folder of runs.

    Raises:
        EvidenceError: what one remembers cannot be read.
    """
    return [each for path in sorted((reports / ROLLOUT).glob("*.sqlite")) if (each := _newest(path))]


def _newest(path: Path) -> dict[str, Any] | None:
    found = looked_up(path, "SELECT body FROM rollouts ORDER BY id DESC LIMIT 1")
    try:
        rollout: dict[str, Any] | None = json.loads(found[0][0]) if found else None
        if rollout is not None:
            float(rollout["percentage"]), float(rollout["changed"]), tuple(rollout["features"])
    except (ValueError, KeyError, TypeError) as error:
        raise EvidenceError(f"{path}: cannot be read: {error}") from None
    return rollout
