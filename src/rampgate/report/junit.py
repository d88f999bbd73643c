"""The verdict as JUnit XML, in the structure that Jenkins' xUnit plugin publishes (junit-10.xsd)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from rampgate.judging.guides import guide
from rampgate.judging.next_steps import next_command
from rampgate.model.text import clean
from rampgate.outcome import Decision, Outcome
from rampgate.report import overruled, sentences

if TYPE_CHECKING:
    from rampgate.judging.results import CheckResult, Verdict

_MESSAGE = 1_000
_TEXT = 20_000
"""Characters of why one test case is not green; report.html and the journal have all of it."""
_BAD = ("failure", "error")


def dumps(verdict: Verdict) -> str:
    """junit.xml: the same verdict gives the same bytes, for no time of writing is in it.

    A run that may not be promoted never looks green: what holds it apart from its checks (no end, an empty
    plan, a required check that was skipped) is a test case of its own, ``verdict``. One cause is one failure
    or error; what followed from it is skipped, with the cause.
    """
    name = f"rampgate {' '.join(sentences.stages(verdict))}".strip()
    suite = ET.Element("testsuite", {"name": name, **_when_and_where(verdict)})
    _properties(suite, verdict)
    causes = {result.check: found.reason for found in verdict.findings for result in found.consequences}
    cases = [_case(suite, result, causes.get(result.check, "")) for result in verdict.checks]
    if verdict.decision is not Decision.PROMOTE:
        apart = sentences.other_reasons(verdict)
        red = any(case.find(tag) is not None for case in cases for tag in _BAD)
        if apart or not red:
            _verdict_case(suite, verdict, apart or [clean(why) for why in verdict.reasons])
    ET.SubElement(
        suite, "system-out"
    ).text = f"{verdict.decision.name} {sentences.line(verdict)}\nreport: {_report(verdict)}"
    root = ET.Element("testsuites", name="rampgate")
    root.append(suite)
    for element in (root, suite):
        _count(element, suite)
        element.set("time", f"{_wall(verdict):.3f}")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _when_and_where(verdict: Verdict) -> dict[str, str]:
    """When it began, in UTC and without a zone, as JUnit's own schema wants it; on which machine."""
    began = [time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(each["time"])) for each in verdict.records[:1]]
    vantage = clean(verdict.start.get("vantage"), 300)
    return {**({"timestamp": began[0]} if began else {}), **({"hostname": vantage} if vantage else {})}


def _wall(verdict: Verdict) -> float:
    """Seconds from the first record to the last; checks that ran side by side are not counted twice."""
    times = [float(record["time"]) for record in verdict.records]
    return max(times) - min(times) if times else 0.0


def _report(verdict: Verdict) -> str:
    """Where report.html was written, as the settings name it; beside this file in any case."""
    reports = verdict.start.get("settings", {}).get("reports")
    return clean("/".join(filter(None, (reports, verdict.run if reports else "", "report.html"))), _MESSAGE)


def _properties(suite: ET.Element, verdict: Verdict) -> None:
    release = verdict.start.get("release", {})
    stated = {
        "run": verdict.run,
        "verdict": verdict.decision.value,
        "reason": sentences.reason(verdict),
        "overruled": "; ".join(overruled.lines(verdict)),
        "next": next_command(verdict),
        "report": _report(verdict),
        **guide(verdict).named,
        **{key: release.get(key) for key in ("environment", "version", "percentage")},
    }
    properties = ET.SubElement(suite, "properties")
    for name, value in stated.items():
        if value not in (None, ""):
            ET.SubElement(properties, "property", name=name, value=clean(value, _MESSAGE))


def _case(suite: ET.Element, result: CheckResult, cause: str) -> ET.Element:
    where = sentences.place(result.check)
    case = ET.SubElement(
        suite,
        "testcase",
        classname=clean(".".join(part for part in (where.stage, where.file) if part), 300) or "rampgate",
        name=clean(where.name, 300) or "check",
        time=f"{result.seconds:.3f}",
    )
    found = sentences.of_check(result)
    if cause:
        outcome = sentences.outcome_of(result)
        _add(case, "skipped", outcome, [f"{outcome} for the same cause: {clean(cause)}", *found])
    elif result.outcome is Outcome.FAILED:
        severity = "critical" if result.critical else "warning"
        _add(case, "failure", severity, found)
    elif result.outcome is Outcome.SKIPPED or (result.outcome is None and not result.required):
        _add(case, "skipped", sentences.outcome_of(result), found)
    elif result.outcome is not Outcome.PASSED:
        _add(case, "error", sentences.outcome_of(result), found)
    return case


def _verdict_case(suite: ET.Element, verdict: Verdict, reasons: list[str]) -> None:
    stage = verdict.stages[0] if verdict.stages else "rampgate"
    case = ET.SubElement(suite, "testcase", classname=clean(stage, 300), name="verdict", time="0.000")
    _add(case, "error", verdict.decision.value, reasons or ["no reason was stated"])


def _add(case: ET.Element, tag: str, kind: str, sentences: list[str]) -> None:
    element = ET.SubElement(case, tag, type=kind, message=sentences[0][:_MESSAGE])
    text = "\n".join(sentences)
    element.text = text if len(text) <= _TEXT else f"{text[:_TEXT]} … (cut; report.html has more)"


def _count(element: ET.Element, suite: ET.Element) -> None:
    cases = suite.findall("testcase")
    counts = {"failures": "failure", "errors": "error"}
    if element is suite:
        counts["skipped"] = "skipped"
    element.set("tests", str(len(cases)))
    for attribute, tag in counts.items():
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
