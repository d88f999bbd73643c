"""How old an answer is: by its own headers, and by what it says."""

from __future__ import annotations

import secrets
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from rampgate.model import formats

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SKEW_S = 30.0
"""So far the target's clock may be behind ours before its ``Date`` counts as old."""


def age_of(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds since an answer was made, as its headers say; None where they do not.

    That is what ``Age`` says, or the time since ``Date`` beyond ``SKEW_S``: whichever is more (RFC 9111,
    section 4.2.3).

    Args:
        headers: of the answer, names in lower case.
        now: seconds since the epoch, by our clock.
    """
    known = [age for age in (_age(headers.get("age")), _since(headers.get("date"), now)) if age is not None]
    return max(known, default=None)


def too_old(headers: Mapping[str, str], now: float, fresh: float) -> str:
    """What is wrong with the age of an answer, "" when it is fresh or its age is not known.

    Args:
        headers: of the answer, names in lower case.
        now: seconds since the epoch.
        fresh: seconds that it may be old.
    """
    age = age_of(headers, now)
    if age is None or age <= fresh:
        return ""
    return f"is {formats.duration(age)} old, older than its fresh of {formats.duration(fresh)}"


def past_caches(path: str) -> str:
    """The path with a query that no cache knows an answer to."""
    return f"{path}{'&' if '?' in path else '?'}rampgate={secrets.token_hex(8)}"


def unchanged(values: Collection[object]) -> bool:
    """Whether what must change stood still: more than one was read, and all are the same."""
    return len(values) > 1 and len({repr(value) for value in values}) == 1


def _age(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdecimal() else None


def _since(date: str | None, now: float) -> float | None:
    if not date:
        return None
    try:
        return max(0.0, now - parsedate_to_datetime(date).timestamp() - SKEW_S)
    except (ValueError, OverflowError):
        return None
