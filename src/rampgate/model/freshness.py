"""How old an answer is: by its own headers, and by what it says."""

from __future__ import annotations

import re
import secrets
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from rampgate.model import formats

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SKEW_S = 30.0
"""So far the target's clock may be behind ours before its ``Date`` counts as old."""
_AGES = re.compile(r"\s*[0-9]{1,15}(\.[0-9]*)?\s*(,\s*[0-9]{1,15}(\.[0-9]*)?\s*)*")
_QUOTED = 40


def dated(headers: Mapping[str, str]) -> bool:
    """Whether an answer says how old it is, readable or not; names of headers in lower case."""
    return "age" in headers or "date" in headers


def age_of(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds since an answer was made, as its headers say; None where they do not.

    That is what ``Age`` says, the most of several, or the time since ``Date`` beyond ``SKEW_S``: whichever is
    more (RFC 9111, section 4.2.3).

    Args:
        headers: of the answer, names in lower case.
        now: seconds since the epoch, by our clock.

    Raises:
        ValueError: what is sent cannot be read.
    """
    known = [_age(headers["age"])] if "age" in headers else []
    known += [_since(headers["date"], now)] if "date" in headers else []
    return max(known, default=None)


def too_old(headers: Mapping[str, str], now: float, fresh: float) -> str:
    """What is wrong with the age of an answer, "" when it is fresh or says nothing of its age.

    Args:
        headers: of the answer, names in lower case.
        now: seconds since the epoch.
        fresh: seconds that it may be old.
    """
    try:
        age = age_of(headers, now)
    except ValueError as error:
        return str(error)
    if age is None or age <= fresh:
        return ""
    by_date = "age" not in headers
    doubt = ", by its Date: or the clock of this machine is wrong" if by_date else ""
    return f"is {formats.duration(age)} old, older than its fresh of {formats.duration(fresh)}{doubt}"


def past_caches(path: str) -> str:
    """The path with a query that no cache knows an answer to."""
    return f"{path}{'&' if '?' in path else '?'}rampgate={secrets.token_hex(8)}"


def unchanged(values: Collection[object]) -> bool:
    """Whether what must change stood still: more than one was read, and all are the same."""
    return len(values) > 1 and len({repr(value) for value in values}) == 1


def _age(text: str) -> float:
    """The most that a list of numbers says: each cache on the way may have sent one."""
    if not _AGES.fullmatch(text):
        raise ValueError(_unreadable("Age", text))
    return max(map(float, text.split(",")))


def _since(text: str, now: float) -> float:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        raise ValueError(_unreadable("Date", text)) from None
    # The oldest of its three forms names no zone: a Date is always GMT.
    return max(0.0, now - (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - SKEW_S)


def _unreadable(name: str, text: str) -> str:
    return f"sends the {name} {text[:_QUOTED]!r}, which cannot be read"
