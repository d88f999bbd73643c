"""What every report says alike about a verdict, in cleaned text."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.config.rehearsal import said
from rampgate.judging.invocations import moment
from rampgate.model import formats, statistics
from rampgate.model.metrics import METRICS, Kind
from rampgate.model.text import clean
from rampgate.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.judging.judge import Judgement
    from rampgate.judging.results import CheckResult, Record, Verdict
    from rampgate.model.measurement import Measurement

NEVER_RAN = "never ran"
EVERYTHING_PASSED = "everything in the plan passed"
_P95 = 0.95
_OTHER_WORDS = {"http_req_failed": "error rate", "http_req_duration": "response time"}
_PERCENTILE = re.compile(r"(?:_p|p\()(\d+(?:\.\d+)?)")


class Place(NamedTuple):
    """A check's id in parts: ``immediate/latency::endpoint_is_fast[patients]``."""

    stage: str
    file: str
    name: str


def place(check: str) -> Place:
    """The parts of a check's id; what is missing is ""."""
    stage, slash, rest = check.partition("/")
    if not slash:
        stage, rest = "", check
    file, colons, name = rest.partition("::")
    return Place(stage, file, name) if colons else Place(stage, "", rest)


def short_names(checks: Sequence[CheckResult]) -> dict[str, str]:
    """Check id -> the shortest readable name that is still its own among these checks."""
    places = {result.check: place(result.check) for result in checks}
    stages = {where.stage for where in places.values()}
    names = Counter((where.stage, where.name) for where in places.values())
    short: dict[str, str] = {}
    for check, where in places.items():
        function, bracket, subject = where.name.partition("[")
        text = function.replace("_", " ") + (f" [{subject}" if bracket else "")
        if names[where.stage, where.name] > 1 and where.file:
            text = f"{where.file}: {text}"
        short[check] = clean(f"{where.stage}: {text}" if len(stages) > 1 and where.stage else text, 200)
    return short


def about(labels: dict[str, str], check: str) -> str:
    """The labels' values that the check's own name does not contain."""
    return clean(", ".join(value for value in labels.values() if value and value not in check), 200)


def stages(verdict: Verdict) -> list[str]:
    """What was checked, each once: ``predeploy``; a deploy with its steps: ``deploy, step backend``."""
    return list(dict.fromkeys(stage(header) for header in verdict.headers or [verdict.start]))


def stage(header: Record) -> str:
    """The stage of one header, with the steps that it names; of a load run what it was."""
    steps = header.get("steps", ())
    named = f", step{'s' if len(steps) > 1 else ''} {' and '.join(map(str, steps))}" if steps else ""
    what = [rehearsal(header)] if header.get("rehearsal") else []
    what += [header["profile"]] if header.get("profile") else []
    named += f" ({', '.join(what)})" if what else ""
    return clean(f"{header.get('stage', '')}{named}", 200)


def rehearsal(header: Record) -> str:
    """What a header says of a rehearsal: ``rehearsal: time scale 30``, or no more than that it was one."""
    scale = header.get("time_scale")
    return said(scale) if isinstance(scale, int | float) else "a rehearsal"


def subject(verdict: Verdict) -> str:
    """What the verdict is about: ``immediate and load: production 1.4.0 at 25 %``."""
    return ": ".join(filter(None, (" and ".join(stages(verdict)), release(verdict))))


def line(verdict: Verdict) -> str:
    """The subject, and from where and until when it was measured."""
    places = dict.fromkeys(header["vantage"] for header in verdict.headers if header.get("vantage"))
    measured = [f"from {' and '.join(places)}"] if places else []
    measured += [f"ended {moment(verdict.records[-1])}"] if verdict.records else []
    return clean(", ".join([subject(verdict), *measured]), 400)


def release(verdict: Verdict) -> str:
    """``production 1.4.0 at 25 %``."""
    return release_named(verdict.start.get("release", {}))


def release_named(named: Mapping[str, Any]) -> str:
    """Environment, version, percentage; what is not known is named: silence would look checked."""
    version, percentage = named.get("version"), named.get("percentage")
    at = "percentage unknown" if percentage is None else f"at {formats.number(percentage)} %"
    parts = [named.get("environment") or "environment unknown", version or "version unknown", at]
    return clean((" " if version and percentage is not None else ", ").join(parts), 300)


def reason(verdict: Verdict) -> str:
    """The weightiest reason, and how many more there are."""
    if not verdict.reasons:
        return EVERYTHING_PASSED
    more = len(verdict.reasons) - 1
    return clean(verdict.reasons[0], 600) + (f" (and {more} more)" if more else "")


def measured(judgement: Judgement) -> str:
    """What was measured, with the bound that decided: ``HTTP 503, 0.21 % (at most 0.43 %)``."""
    if judgement.measured is None:
        return "no value"
    bounded = f" ({side})" if (side := bound(judgement)) else ""
    what = "".join(f"{each}, " for each in judgement.failures) or quantile(judgement)
    return f"{what}{amount(judgement.metric, judgement.measured, judgement.unit)}{bounded}"


def short(judgement: Judgement) -> str:
    """What was measured, in a cell: of a metric that brings sentences, the beginning of its sentence."""
    if is_stated(judgement):
        return clean(judgement.sentence.partition(": ")[0], 80)
    return measured(judgement)


def is_stated(judgement: Judgement) -> bool:
    """Whether its metric brings sentences, so that its number says no more."""
    metric = METRICS.get(judgement.metric)
    return bool(metric and metric.good and judgement.measured is not None)


def bound(judgement: Judgement) -> str:
    """The bound that decided (``at most 0.43 %``), or both; "" where the sample gives none."""
    low, high = (
        "" if number is None else amount(judgement.metric, number, judgement.unit)
        for number in (judgement.low, judgement.high)
    )
    kind = kind_of(judgement.metric)
    if kind in {Kind.RATE, Kind.LATENCY} and judgement.outcome is not Outcome.UNDECIDED:
        number, side = (high, "at most") if judgement.outcome is Outcome.PASSED else (low, "at least")
        return f"{side} {number}" if number else ""
    return f"{low} to {high}" if low and high else ""


def quantile(judgement: Judgement) -> str:
    """``p95 ``, read from the threshold's own text, "" where it is about none."""
    found = _PERCENTILE.search(judgement.source) if kind_of(judgement.metric) is Kind.LATENCY else None
    return f"p{found[1]} " if found else ""


def amount(metric: str, value: float, unit: str) -> str:
    """A number as its metric is read: rates and shares in %, times with their unit, counts whole."""
    if kind_of(metric) in {Kind.RATE, Kind.SHARE}:
        return formats.percent(value)
    return f"{formats.number(value)} {'' if unit == 'score' else unit}".rstrip()


def words(metric: str) -> str:
    """A metric's name in words: ``error rate``."""
    return _OTHER_WORDS.get(metric, clean(metric.replace("_", " "), 100))


def kind_of(metric: str) -> Kind:
    """A metric that the settings declare is a single value."""
    return METRICS[metric].kind if metric in METRICS else Kind.VALUE


def limit(judgement: Judgement) -> str:
    """The threshold as written, after its metric where the text does not name it; marked where it is bad."""
    source = clean(judgement.source, 200)
    named = judgement.metric in source or judgement.metric.removeprefix("lighthouse_") in source
    text = source if named else f"{clean(judgement.metric, 100)}: {source}"
    return f"bad: {text}" if judgement.bad else text


def title(measurement: Measurement, check: str) -> str:
    """The metric in words, and what it is about: ``lighthouse performance score (mobile)``."""
    name, labels = words(measurement.metric), about(dict(measurement.labels), check)
    return f"{name} ({labels})" if labels else name


def shown(measurement: Measurement) -> str:
    """A measurement that nothing was held against: ``error rate 0 %``."""
    return f"{words(measurement.metric)} {shown_value(measurement)}"


def shown_value(measurement: Measurement) -> str:
    """The value of a measurement that nothing was held against."""
    if measurement.values:
        return " ".join(amount(measurement.metric, each, measurement.unit) for each in measurement.values)
    if measurement.value is not None:
        return amount(measurement.metric, measurement.value, measurement.unit)
    if measurement.exceedances and not measurement.histogram:
        return _at_most(measurement)
    if measurement.failures is not None and measurement.n:
        return formats.percent(measurement.failures / measurement.n)
    if (middle := measurement.histogram and measurement.histogram.quantile(0.5)) is not None:
        return f"median {formats.number(middle or 0.0)} {measurement.unit}".rstrip()
    return "no value"


def _at_most(measurement: Measurement) -> str:
    """The edge that a percentile of counts in buckets is not above: ``p95 at most 500 ms``."""
    metric = METRICS.get(measurement.metric)
    quantile = (metric and metric.percentile) or _P95
    allowed = (1 - quantile) * measurement.n * (1 + 1e-9)
    edges = [edge for edge, count in measurement.exceedances.items() if count <= allowed]
    if not measurement.n:
        return "no value"
    at = f"at most {formats.number(min(edges))} {measurement.unit}" if edges else "above every bucket"
    return f"p{formats.number(100 * quantile)} {at}".rstrip()


def outcome_of(result: CheckResult) -> str:
    """The outcome as a word."""
    return result.outcome.value if result.outcome else NEVER_RAN


def weighted(result: CheckResult) -> list[str]:
    """The outcome as a word, and of a failure its weight."""
    weight = ["critical" if result.critical else "warning"] if result.outcome is Outcome.FAILED else []
    return [outcome_of(result), *weight]


def remark(result: CheckResult) -> str:
    """The weight of a failure; ``not required`` of what for that reason holds nothing, or ""."""
    if result.outcome is Outcome.FAILED:
        return weighted(result)[1]
    return "" if result.required or result.outcome not in {None, Outcome.SKIPPED} else "not required"


def of_check(result: CheckResult) -> list[str]:
    """Why a check is not passed: its judgements that are not, critical ones first, and its own message."""
    found = [judged(judgement, result.check) for judgement, _ in result.behind]
    if message := own_message(result):
        found.insert(0, message)
    return found or [outcome_of(result)]


def judged(judgement: Judgement, check: str) -> str:
    """A judgement's sentence, after the labels that neither it nor the check's name contains."""
    sentence = clean(judgement.sentence)
    labels = about({k: v for k, v in judgement.labels.items() if v not in judgement.sentence}, check)
    return f"{labels}: {sentence}" if labels else sentence


def own_message(result: CheckResult) -> str:
    """What the check itself said, where no judgement has its outcome; before it that it is waived."""
    known = result.outcome is Outcome.PASSED or any(j.outcome is result.outcome for j in result.judgements)
    waived = result.waiver.sentence if result.waiver else ""
    return clean("; ".join(filter(None, (waived, "" if known else result.message))))


def other_reasons(verdict: Verdict) -> list[str]:
    """Why not promote, apart from the checks: no end, an empty plan, a demanded subject that is missing."""
    return [clean(finding.reason) for finding in verdict.findings if finding.cause is None]


def chance(verdict: Verdict) -> str:
    """How often this verdict may be wrong by chance, in one sentence; "" when no stage stated it."""
    stated = [header["chance"] for header in verdict.headers if header.get("chance")]
    if not stated or not verdict.checks:
        return ""
    per_run = sum(entry["false_fail_per_run"] for entry in stated)
    tests = sum(entry["tests"] + entry.get("abort_tests", 0) for entry in stated)
    worst_pass = max(entry["alpha_pass"] for entry in stated)
    says = (
        f"A healthy deployment is failed by chance at most {_once_in(per_run)} runs"
        f" ({tests:,} {'tests share' if tests != 1 else 'test has'} that);"
        f" a check passes a deployment that violates it at most {_once_in(worst_pass)} times"
    )
    kinds = {kind_of(j.metric) for result in verdict.checks for j in result.judgements}
    if Kind.SCORE in kinds:
        says += f"; Lighthouse scores apart, by a model: {_once_in(statistics.MODEL_ALPHA)}, see docs"
    return says + "."


def _once_in(chance: float) -> str:
    return f"once in {round(1 / chance):,}" if chance > 0 else "never in any number of"
