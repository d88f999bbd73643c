"""The verdict: a pure function of a run's journal. The same journal gives the same verdict.

    ROLLBACK  any critical judgement or check failed
    HOLD      anything else failed, error, undecided; required but skipped; planned and never ran; no end;
              a start that was refused; more than one target or release
    PROMOTE   everything in the plan passed

An override and waivers stand beside it and change nothing of it: judging/standing.py says what counts when.

Stages that have nothing to roll back (predeploy, rollback), and the load run of such a stage, know only
PROMOTE and HOLD.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rampgate.judging import overrides
from rampgate.judging.causes import findings
from rampgate.judging.guides import guide
from rampgate.judging.invocations import STARTS, Invocation, mixed, moment, newest
from rampgate.judging.next_steps import next_command
from rampgate.judging.results import CheckResult, Finding, Record, Verdict, result_of
from rampgate.model import digits
from rampgate.model.metrics import registry
from rampgate.outcome import Decision, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


SCHEMA = 2
_NO_ROLLBACK = {"predeploy", "rollback"}
_LOAD = "load"
_TESTS_FAILED = 1
_BAD_EXITS = {2: "interrupted", 3: "an internal error", 4: "a usage error", 5: "no test executed"}
_EMPTY = "the plan is empty: nothing is configured that this stage could check"
_NO_TEST = f": {_BAD_EXITS[5]}"


def decide(records: Sequence[Record], dropped: Iterable[str] = ()) -> Verdict:
    """Judge a run by its journal alone.

    Args:
        records: what journal.read returned, in order.
        dropped: its remarks on torn lines.
    """
    records, override, void = overrides.apart(records)
    mixture = mixed(records)
    records, superseded = newest(records)
    headers = [record for record in records if record["type"] == "header"]
    metrics = registry(metric for h in headers for metric in h.get("settings", {}).get("metrics", ()))
    plan = _plan(records)
    made = (result_of(check, records, metrics, required=needed) for check, needed in plan.items())
    results, remarks = _waived(made, headers)
    stages = tuple(dict.fromkeys(r["stage"] for r in records if r["type"] in STARTS))
    complete, why_not = _complete(headers, records)
    not_configured = _not_configured(headers)
    why_not += [why for each in superseded for why in _not_repeated(each, plan)]
    beside = [*mixture, *why_not], headers, not_configured  # what is no check's
    found = _findings(results, *beside) or _unexplained(records)
    return Verdict(
        decision=_decision(results, found, stages),
        findings=tuple(found),
        checks=results,
        stages=stages,
        complete=complete and not any(r.outcome is None for r in results),
        headers=tuple(headers),
        notes=(
            *dropped,
            *void,
            *remarks,
            *map(_superseded, superseded),
            *(record["text"] for record in records if record["type"] == "event"),
        ),
        not_configured=tuple(not_configured),
        records=tuple(records),
        override=override,
        waived_until=_until(results) if _only_waived(results, records, *beside) else 0.0,
    )


def _decision(results: Sequence[CheckResult], found: Sequence[Finding], stages: Sequence[str]) -> Decision:
    # The load run of a stage is a part of it; by itself it may roll back.
    own = [stage for stage in stages if stage != _LOAD] or stages
    if any(result.critical for result in results) and any(stage not in _NO_ROLLBACK for stage in own):
        return Decision.ROLLBACK
    return Decision.HOLD if found else Decision.PROMOTE


def _plan(records: Sequence[Record]) -> dict[str, bool]:
    """Check id -> required, in the order of the plan."""
    plan: dict[str, bool] = {}
    for record in records:
        if record["type"] in {"header", "plan"}:
            for entry in record.get("plan", ()):
                plan[entry["check"]] = plan.get(entry["check"], False) or entry.get("required", True)
    # What ran outside any plan counts too: evidence against the deployment is never thrown away.
    for record in records:
        if record["type"] in {"check", "judgement"}:
            plan.setdefault(record["check"], True)
    return plan


def _complete(headers: Sequence[Record], records: Sequence[Record]) -> tuple[bool, list[str]]:
    ends = {record["process"]: record for record in records if record["type"] == "end"}
    why = [f"{r['stage']}: was not started: {r['text']}" for r in records if r["type"] == "refused"]
    if not headers and not why:
        why.append("no header: what should have been checked is not known")
    for header in headers:
        end = ends.get(header["process"])
        if end is None:
            why.append(f"{header['stage']}: the run did not come to its end")
        elif (status := end.get("status", 3)) not in {0, _TESTS_FAILED}:
            why.append(f"{header['stage']}: {_BAD_EXITS.get(status, f'ended with status {status}')}")
    cut = {r["cut_short"]: f"{r['cut_short']}: {r['text']}" for r in reversed(records) if "cut_short" in r}
    why += [*cut.values(), *_gaps(records)]
    return not why, why


def _waived(
    made: Iterable[CheckResult], headers: Sequence[Record]
) -> tuple[tuple[CheckResult, ...], list[str]]:
    """The results, with their waivers, and what is to be said of waivers that count for nothing."""
    known = overrides.waivers(headers)
    began = max((header["time"] for header in headers), default=0.0)
    results, remarks = [], []
    for result in made:
        waiver = known.get(result.check)
        if waiver and waiver.expires <= began:
            remarks.append(
                f"{result.check}: its waiver has expired, and counts for nothing: {waiver.sentence}"
            )
        elif waiver and result.critical:
            remarks.append(
                f"{result.check}: failed critically, for which no waiver counts: {waiver.sentence}"
            )
        elif waiver and result.outcome is not Outcome.PASSED:
            result = replace(result, waiver=waiver)  # noqa: PLW2901
        results.append(result)
    return tuple(results), remarks


def _until(results: Sequence[CheckResult]) -> float:
    return min(result.waiver.expires for result in results if result.waiver)


def _only_waived(results: Sequence[CheckResult], records: Sequence[Record], *beside: Any) -> bool:
    """Whether nothing but waived checks keeps the deployment from promotion, with evidence beside them."""
    waived = [result for result in results if result.waiver]
    others = [result for result in results if not result.waiver]
    bad = sum(result.outcome in {Outcome.FAILED, Outcome.ERROR, Outcome.UNDECIDED} for result in waived)
    ends = [each for each in records if each["type"] == "end" and each.get("status") == _TESTS_FAILED]
    failed = sum(each.get("failed", math.inf) for each in ends)
    passed = any(result.outcome is Outcome.PASSED and result.judgements for result in others)
    # A failure that no waived check explains is no waived check's.
    return bool(waived) and passed and failed <= bad and not _findings(others, *beside)


def _unexplained(records: Sequence[Record]) -> list[Finding]:
    """A failure that the runner counted and no check explains: one outside the plan, or before any check."""
    failed = any(r["type"] == "end" and r.get("status") == _TESTS_FAILED for r in records)
    return [Finding("the run ended with a failure that no check explains")] if failed else []


def _superseded(invocation: Invocation) -> str:
    """What an older invocation of a stage came to."""
    older = decide(invocation.records)
    why = f": {older.reasons[0]}" if older.reasons else ""
    came_to = f"{older.decision.value.upper()}{why}"
    return f"{invocation.stage} ran before, at {moment(invocation.start)}: {came_to}; the newest decides"


def _not_repeated(invocation: Invocation, plan: Mapping[str, bool]) -> list[str]:
    """What an older invocation of a stage did not pass, and the newest does not check."""
    return [
        f"{result.check}: {result.outcome or 'never ran'} before, and the newest run is without it"
        for result in decide(invocation.records).checks
        if result.check not in plan and result.required and result.outcome is not Outcome.PASSED
    ]


def _gaps(records: Sequence[Record]) -> list[str]:
    """Each process counts its records from 1; a number that is missing is evidence that somebody lost."""
    counted: dict[str, list[int]] = {}
    for record in records:
        counted.setdefault(record["process"], []).append(record["sequence"])
    return [
        f"the journal of {process} is not whole: {max(numbers) - len(numbers)} of its records are missing"
        for process, numbers in sorted(counted.items())
        if sorted(numbers) != list(range(1, len(numbers) + 1))
    ]


def _not_configured(headers: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(subject for header in headers for subject in header.get("not_configured", ())))


def _findings(
    results: Sequence[CheckResult],
    why_incomplete: Sequence[str],
    headers: Sequence[Record],
    not_configured: Sequence[str],
) -> list[Finding]:
    """Why not promote, the weightiest first; none means promote."""
    holding = [
        result
        for result in results
        if result.outcome is not Outcome.PASSED
        and (result.required or result.outcome not in {None, Outcome.SKIPPED})
    ]
    if not results:  # of an empty plan no test can be executed: that is no reason of its own
        why_incomplete = [why for why in why_incomplete if not why.endswith(_NO_TEST)]
    demanded = {subject for header in headers for subject in header.get("require", ())}
    missing = [f"{s}: required, and not configured" for s in sorted(demanded & set(not_configured))]
    empty = [] if results or not headers else [_EMPTY]
    return [*map(Finding, empty), *findings(holding, why_incomplete), *map(Finding, missing)]


def to_json(verdict: Verdict) -> dict[str, Any]:
    """The content of verdict.json: no time of judging, floats to 6 significant digits, null for no number."""
    found = {
        "schema": SCHEMA,
        "rampgate": verdict.start.get("tool", {}).get("rampgate", ""),
        "run": verdict.run,
        "stages": list(verdict.stages),
        "verdict": verdict.decision.value,
        "exit_code": int(verdict.decision.exit_code),
        "reason": verdict.reasons[0] if verdict.reasons else "everything in the plan passed",
        "reasons": list(verdict.reasons),
        "consequences": {
            f.reason: [r.check for r in f.consequences] for f in verdict.findings if f.consequences
        },
        "next": next_command(verdict),
        **guide(verdict).named,
        "complete": verdict.complete,
        "release": verdict.start.get("release", {}),
        "target": verdict.start.get("target", {}),
        "chance": [
            {"stage": header["stage"], **header["chance"]}
            for header in verdict.headers
            if header.get("chance")
        ],
        "checks": [_check_json(result) for result in verdict.checks],
        "never_ran": list(verdict.never_ran),
        "not_configured": list(verdict.not_configured),
        "notes": list(verdict.notes),
        **_overruled(verdict),
    }
    return dict(digits.short(found))


def _overruled(verdict: Verdict) -> dict[str, Any]:
    """What stands beside the verdict, where anything does; when it counts is for whoever asks to judge."""
    waivers = [f"{r.check}: {r.waiver.sentence}" for r in verdict.checks if r.waiver]
    return {
        **({"override": verdict.override.to_json()} if verdict.override else {}),
        **({"waivers": waivers} if waivers else {}),
        **({"waived_until": moment({"time": verdict.waived_until})} if verdict.waived_until else {}),
    }


def _check_json(result: CheckResult) -> dict[str, Any]:
    return {
        "check": result.check,
        "outcome": result.outcome.value if result.outcome else "never ran",
        "critical": result.critical,
        "severity": result.severity.value,
        "required": result.required,
        "message": result.message,
        "reason": "" if result.outcome is Outcome.PASSED else result.reason,
        "seconds": result.seconds,
        "judgements": [judgement.to_json() for judgement in result.judgements],
        "shown": [
            {"metric": m.metric, "value": m.value, "unit": m.unit, "labels": dict(m.labels), "note": m.note}
            for m in result.shown
        ],
    }


def dumps(verdict: Verdict, **more: Any) -> str:
    """verdict.json, byte for byte the same for the same journal; more: fields beside it, or in its place."""
    return json.dumps({**to_json(verdict), **more}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
