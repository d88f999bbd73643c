"""What the rollback stage is about: the features that must be off, and what must still be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rampgate.config.settings import Settings

_EVERYBODY = 100.0

TABLES = {
    "rollback_flags": "flags",
    "rollback_account": "login",
    "rollback_enrolled": "rollout.enrolled",
    "rollback_tab": "rollout.tab",
    "rollback_data": "rollout.data",
}
"""Subject -> what of rampgate.toml configures it."""


def features(settings: Settings) -> list[str]:
    """Flags that a rollback takes back: of [rollout], else all of [flags] that are not for everybody."""
    expected = settings.flags.expected if settings.flags else {}
    return settings.rollout.features or [flag for flag, share in expected.items() if share < _EVERYBODY]


def subjects(settings: Settings) -> dict[str, dict[str, Any]]:
    """The subjects of the rollback stage alone: fixture name -> id -> what is configured."""
    off, rollout = features(settings), settings.rollout
    flags = (
        settings.flags.model_copy(update={"expected": dict.fromkeys(off, 0.0)}) if settings.flags else None
    )
    found = {
        "rollback_flags": flags if off else None,
        "rollback_account": flags if off and settings.login else None,
        "rollback_enrolled": rollout.enrolled,
        "rollback_tab": next((page for page in settings.pages if page.name == rollout.tab), None),
        "rollback_data": rollout.data,
    }
    return {subject: {"": thing} if thing else {} for subject, thing in found.items()}
