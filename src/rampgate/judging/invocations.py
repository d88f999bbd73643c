"""The invocations of one run: of a stage that ran twice the newest decides, and all are about one release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.model import formats

if TYPE_CHECKING:
    from collections.abc import Sequence

Record = dict[str, Any]
STARTS = ("header", "refused")
"""What an invocation begins with: the header of one that measures, or the record of one that may not."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What one invocation of a run wrote, with all its processes.

    Args:
        start: its header, or the record of its refusal.
        records: all of its records, in order.
    """

    start: Record
    records: tuple[Record, ...]

    @property
    def stage(self) -> str:
        """The stage, with the steps that it names."""
        within = [self.start["within"]] if self.start.get("within") else []
        return " ".join([*within, self.start["stage"], *self.start.get("steps", ())])


def invocations(records: Sequence[Record]) -> list[Invocation]:
    """The invocations of a run, in the order in which they began.

    Args:
        records: the whole journal, in order. A worker's records name the process that began its invocation;
            in a journal of the version before, they belong to whichever began last before them.
    """
    found = sorted((record for record in records if record["type"] in STARTS), key=began)
    starts = {record["process"]: record for record in found}
    owners: dict[str, str] = {name: name for name in starts}
    last = next(iter(starts), "")
    mine: dict[str, list[Record]] = {name: [] for name in starts}
    for record in records:
        if record["type"] in STARTS:
            last = record["process"]
        owner = owners.setdefault(record["process"], record.get("started_by") or last)
        mine.setdefault(owner, []).append(record)
    return [Invocation(starts[name], tuple(kept)) for name, kept in mine.items() if name in starts]


def began(start: Record) -> float:
    """When it began, for the order; of one that found a start of a later time: behind that one."""
    return float(start.get("not_before") or start["time"])


def newest(records: Sequence[Record]) -> tuple[list[Record], list[Invocation]]:
    """The records that count, in order, and the invocations that a newer one of the same stage supersedes."""
    found = invocations(records)
    deciding = {each.stage: each for each in found}
    superseded = [each for each in found if deciding[each.stage] is not each]
    out = {id(record) for each in superseded for record in each.records}
    return [record for record in records if id(record) not in out], superseded


def mixed(records: Sequence[Record]) -> list[str]:
    """Why these invocations are not about one thing, in a sentence; nothing when they are."""
    headers = [record for record in records if record["type"] == "header"]
    subjects = list(dict.fromkeys(map(about, headers)))
    if len(subjects) < 2:  # noqa: PLR2004 - one is what it should be
        return []
    return [f"the run mixes {' and '.join(subjects)}: its parts are not about one deployment"]


def about(header: Record) -> str:
    """What an invocation is about: the target, the environment, the version, the percentage."""
    release = header.get("release", {})
    version, percentage = release.get("version"), release.get("percentage")
    at = "no percentage" if percentage is None else f"{percentage:g} %"
    environment = release.get("environment") or "no environment"
    return f"{environment}, {version or 'no version'}, {at} at {addresses(header) or 'no address'}"


def addresses(header: Record) -> str:
    """Where the target of an invocation answers."""
    target = header.get("target", {})
    return " ".join(dict.fromkeys(filter(None, (target.get("web"), target.get("api")))))


def moment(record: Record) -> str:
    """When a record was written, in UTC."""
    return formats.moment(record["time"])
