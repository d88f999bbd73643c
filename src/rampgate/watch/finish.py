"""The end of a watch: what became of each rule, as its journal says it."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

from rampgate.config.plan import Plan, Planned
from rampgate.evidence.run import Expect
from rampgate.judging.threshold import Aggregation, Polarity
from rampgate.model import formats
from rampgate.model.formats import moment
from rampgate.model.increments import added
from rampgate.model.measurement import Block, Measurement
from rampgate.outcome import Outcome, Severity
from rampgate.watch.cohorts import TESTS, compared_in
from rampgate.watch.cohorts import Finding as CohortFinding
from rampgate.watch.endings import Ending, decided_in, of_rule
from rampgate.watch.rules import is_test
from rampgate.watch.values import PER_CENT, Reading, measured, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.checks.frame.source import MetricSettings
    from rampgate.config.watch_policy import WatchPolicy
    from rampgate.evidence.run import Run
    from rampgate.model.metrics import Metric
    from rampgate.watch.cohorts import Comparison
    from rampgate.watch.engine import Engine
    from rampgate.watch.rules import RuleWatch

CHECK = "watch"
OBSERVED = f"{CHECK}/observed"
RELEASE = f"{CHECK}/release"
_ENOUGH = 0.9
"""Of the time that was asked for, so much must have been observed."""


_DECIDED = Ending(Outcome.SKIPPED, "not needed: a run before has decided", Severity.WARNING)


def check_of(name: str) -> str:
    """The check of a rule."""
    return f"{CHECK}/{name}"


def plan_of(entries: Mapping[str, MetricSettings], rules: WatchPolicy) -> Plan:
    """The checks of a watch: its rules, its comparisons of cohorts, and that enough was observed."""
    return Plan(
        (
            *(Planned(check_of(rule.name), entries[rule.threshold.metric].required) for rule in rules.rules),
            *(Planned(cohorts_of(each.name), required=False) for each in compared_in(entries, rules.metrics)),
            Planned(OBSERVED),
            Planned(RELEASE),
        ),
        (),
    )


def number_of_tests(entries: Mapping[str, MetricSettings], rules: WatchPolicy) -> int:
    """How many tests of chance a watch has."""
    counted = {name for name, entry in entries.items() if entry.counted}
    compared = compared_in(entries, rules.metrics)
    return TESTS * len(compared) + sum(
        is_test(rule, counted=rule.threshold.metric in counted) for rule in rules.rules
    )


def counts(engine: Engine, watched: RuleWatch, blocks: Sequence[Block]) -> Measurement:
    """Everything that was counted for the test of a rule, by rounds."""
    threshold = watched.rule.threshold
    metric, edge = threshold.metric, threshold.edge
    total = reduce(added, blocks, Block(0))
    beyond = {} if edge is None else {edge: sum(block.beyond(edge) for block in blocks)}
    only = [
        block._replace(exceedances={key: block.beyond(key) for key in beyond}) for block in blocks if block.n
    ]
    share = threshold.aggregation is Aggregation.VALUE
    return Measurement(
        metric,
        unit=engine.metrics[metric].metric.unit,
        value=measured(threshold, Reading(0.0, counted=total)) if share else None,
        n=total.n,
        failures=total.failures,
        exceedances=beyond,
        blocks=tuple(only),
        start=watched.counted_from,
        end=engine.metrics[metric].last or engine.at or 0.0,
    )


def worst_of(watched: RuleWatch, metric: Metric) -> Measurement | None:
    """The worst reading of a rule, to be shown, with the last beside it; None where there is none."""
    threshold, reading = watched.rule.threshold, watched.worst
    if reading is None:
        return None
    value, block, unit = measured(threshold, reading), reading.counted, metric.unit
    if threshold.quantile is not None and block and value is not None:
        value, unit = PER_CENT * value, "%"
    rate = threshold.aggregation is Aggregation.RATE and block
    return Measurement(
        metric.name,
        unit=unit,
        n=(block.n if block else reading.n) or 1,
        failures=block.failures if rate and block else None,
        value=None if rate else value,
        end=reading.at,
        note=f"the worst, at {moment(reading.at)}: {shown(threshold, reading)}; the last: {watched.value}",
    )


def _limit(watched: RuleWatch) -> str:
    """The threshold of a rule as what is good, without a duration."""
    good, _ = watched.rule.threshold.good()
    return str(replace(watched.rule.threshold, operator=good, polarity=Polarity.GOOD, duration_s=0.0))


def write(
    run: Run,
    engine: Engine,
    blocks: dict[str, list[Block]],
    asked: float,
    release: Ending,
    *,
    early: bool = False,
) -> None:
    """Write what became of every rule, and whether enough was observed.

    Args:
        run: of the watch.
        engine: everything that it knows.
        blocks: name of a rule -> what was counted for its test.
        asked: seconds that the watch was to last, 0 for no time.
        release: whether it was one release, and is not known to be bad.
        early: whether it was interrupted.
    """
    decided = decided_in(engine)
    known = (release.outcome, release.severity) == (Outcome.FAILED, Severity.CRITICAL)
    for name, watched in engine.rules.items():
        metric = engine.metrics[watched.rule.threshold.metric]
        if watched.test is not None and blocks[name]:
            seen = counts(engine, watched, blocks[name])
            Expect(run, check_of(name))(seen, that=_limit(watched), severity=watched.severity)
        elif worst := worst_of(watched, metric.metric):
            _show(run, check_of(name), worst)
        found, cause = of_rule(watched, metric, decided=metric.metric.name in decided, early=early)
        if known and found.outcome is Outcome.ERROR:
            found = _DECIDED
        _end(run, check_of(name), found, watched.kept_s, cause=cause)
    for name, comparison in engine.cohorts.items():
        _compared(run, name, comparison, engine.position.percentage)
    found = _enough(engine, asked)
    _end(run, OBSERVED, _DECIDED if known and engine.observed < _ENOUGH * asked else found, engine.observed)
    _end(run, RELEASE, release, engine.observed)


def _enough(engine: Engine, asked: float) -> Ending:
    """Whether as much was observed as was asked for, and little could not be read."""
    missing = _ENOUGH * asked - engine.observed
    says = f"{formats.elapsed(engine.observed)} of {formats.duration(asked)} were observed"
    says += f": {trouble}" if missing > 0 and (trouble := engine.position.trouble) else ""
    holds = engine.time.holds
    says += f"; {holds}" if holds else ""
    enough = Outcome.PASSED if missing <= 0 and not holds else Outcome.UNDECIDED
    return Ending(enough, says, Severity.WARNING)


def cohorts_of(name: str) -> str:
    """The check of the cohorts of a metric."""
    return check_of(f"cohorts/{name}")


def _compared(run: Run, name: str, comparison: Comparison, percentage: float | None) -> None:
    """What a comparison came to: that it is undecided, or not to be trusted, is only shown.

    That no user with the feature was counted at all, while some have it and others not, is no evidence.
    """
    result, totals = comparison.result, comparison.totals
    for cohort, n, failures in (("on", *totals[:2]), ("off", *totals[2:])):
        seen = Measurement(name, n=n, failures=failures, labels={"cohort": cohort})
        _show(run, cohorts_of(name), seen)
    severity = Severity.CRITICAL if result.may_roll_back else Severity.WARNING
    outcomes = {CohortFinding.HARMS: Outcome.FAILED, CohortFinding.HARMLESS: Outcome.PASSED}
    outcome = outcomes.get(result.finding, Outcome.SKIPPED)
    sentence = result.sentence
    if percentage is not None and 0 < percentage < PER_CENT and totals[2] and not totals[0]:
        outcome = Outcome.UNDECIDED
        sentence = f"nothing was counted of users with the feature, which {formats.number(percentage)} % have"
    _end(run, cohorts_of(name), Ending(outcome, sentence, severity), 0.0)


def _show(run: Run, check: str, seen: Measurement) -> None:
    run.journal.write("measurement", check=check, measurement=seen.to_json(), shown=True)


def _end(run: Run, check: str, found: Ending, seconds: float, cause: str = "") -> None:
    run.journal.write(
        "check",
        check=check,
        outcome=found.outcome.value if found.outcome else None,
        message=found.message,
        severity=found.severity.value,
        seconds=round(seconds, 3),
        **({"cause": cause} if cause else {}),
    )
