"""The journal's measurements, each beside what was held against it."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.judging.judge import Judgement
    from rampgate.judging.results import Record, Verdict

JUDGED = "judged"
SHOWN = "shown, not judged"
EARLIER = "an earlier look, part of a later one"
_PICTURE = re.compile(r"visual/[A-Za-z0-9][A-Za-z0-9._-]*\.png")


class Seen(NamedTuple):
    """One measurement.

    Args:
        measurement: what was seen.
        judgements: what was held against it.
        role: JUDGED, SHOWN or EARLIER.
        bins: in ms, where the bars of its spread end; none: bars of one width.
    """

    measurement: Measurement
    judgements: tuple[Judgement, ...]
    role: str
    bins: tuple[float, ...] = ()


def gather(verdict: Verdict, records: Sequence[Record]) -> dict[str, list[Seen]]:
    """Check -> its measurements in the order of the journal; checks outside the plan come last."""
    held, bins = _held(verdict, records), _bins(verdict)
    planned = {result.check for result in verdict.checks}
    found: dict[str, list[Seen]] = {result.check: [] for result in verdict.checks}
    for record in records:
        if record["type"] != "measurement":
            continue
        judgements = held.get(f"{record['process']}:{record['sequence']}", [])
        check = str(record.get("check", ""))
        # What was seen once for all checks of the run belongs to no check of the plan.
        shown = record.get("shown") or check not in planned
        role = JUDGED if judgements else SHOWN if shown else EARLIER
        found.setdefault(check, []).append(Seen(_read(record), tuple(judgements), role, bins))
    return found


def _bins(verdict: Verdict) -> tuple[float, ...]:
    """In ms, where the bars of a spread end, as the policy files of the run had it."""
    found = verdict.headers[0].get("latency_buckets") if verdict.headers else None
    return tuple(each for each in found or () if isinstance(each, int | float) and each > 0)


def pictures(measurement: Measurement) -> list[tuple[str, str]]:
    """Name and file of each picture of a measurement that lies in the run's own folder for pictures."""
    kept = measurement.details.get("pictures")
    named = kept.items() if isinstance(kept, dict) else ()
    return [(str(name), str(file)) for name, file in named if _PICTURE.fullmatch(str(file))]


def _read(record: Record) -> Measurement:
    try:
        return Measurement.from_json(record["measurement"])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return Measurement("unreadable record", note=f"{type(error).__name__}: {error}")


def _held(verdict: Verdict, records: Sequence[Record]) -> dict[str, list[Judgement]]:
    """Measurement id -> judgements. A check's judgements are in the order of its judgement records."""
    held: dict[str, list[Judgement]] = defaultdict(list)
    for result in verdict.checks:
        mine = [r for r in records if r["type"] == "judgement" and r.get("check") == result.check]
        for record, judgement in zip(mine, result.judgements, strict=True):
            held[record.get("measurement", "")].append(judgement)
    return held
