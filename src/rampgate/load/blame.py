"""Floor 6. What breaks on our side, in words: it says nothing about the target."""

from __future__ import annotations

from rampgate.errors import ProbeError


def own_words(error: BaseException) -> str:
    """What went wrong on our side, for a reader."""
    if isinstance(error, ProbeError):
        return str(error)
    return f"the load test itself broke: {type(error).__name__}: {error}"
