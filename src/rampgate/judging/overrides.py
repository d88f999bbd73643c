"""What overrules a verdict until some time: an override of a run, and waivers of its checks. Pure.

    override  of `rampgate override`, a record in the run's journal: another verdict, for the evidence that
              the journal holds in that moment, and for no other
    waiver    of [[waivers]], in a header's settings: a check that is known to be bad holds nothing

Neither changes what was measured, and what that comes to.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rampgate.model.formats import moment
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.judging.invocations import Record

KIND = "override"
LONGEST_S = 30 * 86_400.0
"""An override holds no longer: what is known for longer is a waiver, or a threshold."""


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody's verdict in place of the measured one.

    Args:
        verdict: that counts instead.
        by: whose it is.
        reason: why.
        at: when it was made, seconds since the epoch.
        expires: as at; from then on it counts for nothing.
    """

    verdict: Decision
    by: str
    reason: str
    at: float
    expires: float

    @property
    def named(self) -> str:
        """``the override to PROMOTE by ada``."""
        return f"the override to {self.verdict.name} by {self.by}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        who = {"verdict": self.verdict.value, "by": self.by, "reason": self.reason}
        return {**who, "at": moment(self.at), "expires": moment(self.expires)}


@dataclass(frozen=True, slots=True)
class Waiver:
    """A check that is known to be bad.

    Args:
        by: who says so.
        reason: why.
        expires: from then on it counts for nothing, seconds since the epoch.
    """

    by: str
    reason: str
    expires: float

    @property
    def sentence(self) -> str:
        """``waived until 2026-12-15 09:00:00 UTC by ada: why``."""
        return f"waived until {moment(self.expires)} by {self.by}: {self.reason}"


def apart(records: Sequence[Record]) -> tuple[list[Record], Override | None, list[str]]:
    """The evidence of a run, the override that is for it, and what is to be said of one that is not.

    The newest decides, so that none comes back once another has expired.
    """
    evidence = [record for record in records if record["type"] != KIND]
    newest = next((record for record in reversed(records) if record["type"] == KIND), None)
    if newest is None:
        return evidence, None, []
    override = _read(newest)
    if override is None:
        return evidence, None, ["an override that cannot be read is void"]
    before = any(record["time"] > override.at for record in evidence)
    if before or newest.get("evidence") != digest(evidence):
        return evidence, None, [f"{override.named} was for other evidence than this, and is void"]
    return evidence, override, []


def digest(evidence: Sequence[Record]) -> str:
    """What tells the evidence of a run from any other, and from itself with more of it."""
    return hashlib.sha256(json.dumps(evidence, sort_keys=True).encode()).hexdigest()


def _read(record: Record) -> Override | None:
    try:
        verdict, by, reason = Decision(record["verdict"]), str(record["by"]), str(record["reason"])
        made = Override(verdict, by, reason, float(record["time"]), float(record["expires"]))
    except (KeyError, TypeError, ValueError):
        return None
    return made if 0 < made.expires - made.at <= LONGEST_S and by.strip() and reason.strip() else None


def waivers(headers: Sequence[Record]) -> dict[str, Waiver]:
    """Check -> its waiver, where all of these headers have one; of several the one that expires first."""
    found = [dict(_waivers(header)) for header in headers]
    return {
        check: min((each[check] for each in found), key=lambda waiver: waiver.expires)
        for check in (found[0] if found else ())
        if all(check in each for each in found)
    }


def _waivers(header: Record) -> Iterator[tuple[str, Waiver]]:
    for each in header.get("settings", {}).get("waivers", ()):
        with suppress(KeyError, TypeError, ValueError):  # what was masked in it is no date
            expires = datetime.fromisoformat(each["expires"]).timestamp()
            yield each["check"], Waiver(each["by"], each["reason"], expires)
