"""The journal of the version before, read in today's names.

A row of RENAMES is all that a rename needs: what kind of name it is, the former name, today's.

    key      a field of a record
    check    of a plan, and of what is recorded of it
    metric   of a measurement, and of a threshold
    label    of a measurement
    setting  a key in the settings of a header, however deep
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rampgate.judging.invocations import STARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = 2
"""Of the journals that this version writes."""
PREVIOUS = 1
"""The one schema before it, which is still read."""
RENAMES = (
    ("key", "lenient", "advisory"),
    ("key", "untrusted", "unreliable"),
    ("setting", "needs", "depends_on"),
    ("check", "load/cells", "load/slices"),
)


def unreadable(records: Sequence[dict[str, Any]], files: Sequence[str]) -> str:
    """Why this version does not judge these records, "" when it does.

    Args:
        records: of one run.
        files: the names of the files in its folder.
    """
    found = {record.get("schema") for record in records if record["type"] in STARTS}
    if unknown := found - {SCHEMA, PREVIOUS}:
        named = ", ".join(sorted(map(str, unknown)))
        accepted = f"accepted are {PREVIOUS} and {SCHEMA}; judge it with the rampgate that wrote it"
        return f"found a journal of schema {named}; {accepted}"
    folded = sorted(name for name in files if name.endswith("-folded.jsonl"))
    if PREVIOUS in found and folded:
        return f"{', '.join(folded)}: folded requests, which are no longer judged; repeat the load run"
    return ""


def renamed(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records in today's names, the same list where they have them already."""
    if not any(r["type"] == "header" and r.get("schema") == PREVIOUS for r in records):
        return list(records)
    names = {kind: {old: new for of, old, new in RENAMES if of == kind} for kind, _, _ in RENAMES}
    return [_record(record, names) for record in records]


def _record(record: dict[str, Any], names: dict[str, dict[str, str]]) -> dict[str, Any]:
    record = _keys(record, names.get("key", {}))
    if "check" in record:
        record = _check(record, names.get("check", {}))
    if "plan" in record:
        record["plan"] = [_check(planned, names.get("check", {})) for planned in record["plan"]]
    if isinstance(seen := record.get("measurement"), dict):
        labels = _keys(seen.get("labels", {}), names.get("label", {}))
        metric = names.get("metric", {}).get(seen.get("metric", ""), seen.get("metric"))
        record["measurement"] = {**seen, "metric": metric, **({"labels": labels} if labels else {})}
    if isinstance(threshold := record.get("threshold"), dict):
        metrics = names.get("metric", {})
        record["threshold"] = {key: _worded(value, metrics) for key, value in threshold.items()}
    if "settings" in record:
        record["settings"] = _deep(record["settings"], names.get("setting", {}))
    return record


def _check(data: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {**data, "check": names.get(data["check"], data["check"])}


def _keys(data: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in data.items()}


def _worded(value: Any, names: dict[str, str]) -> Any:
    """A text with every former name in it replaced."""
    if isinstance(value, str):
        for old, new in names.items():
            value = re.sub(rf"\b{re.escape(old)}(?=\b|_p\d)", new, value)
    return value


def _deep(data: Any, names: dict[str, str]) -> Any:
    if isinstance(data, dict):
        return {names.get(key, key): _deep(value, names) for key, value in data.items()}
    return [_deep(value, names) for value in data] if isinstance(data, list) else data
