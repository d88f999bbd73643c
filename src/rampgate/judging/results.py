"""How one check ended, by the journal: its judgements made again, its own end, its weight."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.judging.judge import Judgement, judge
from rampgate.judging.threshold import parse
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision, Outcome, Severity, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rampgate.judging.overrides import Override, Waiver
    from rampgate.model.metrics import Metric

Record = dict[str, Any]


@dataclass(frozen=True)
class CheckResult:
    """How one check of the plan ended.

    Args:
        check: its id.
        outcome: the worst of its judgements and of its own end; None when it never ran to its end.
        severity: the weight of a failure of its own; judgements carry theirs.
        required: whether skipping it, or not running it, holds.
        message: why it ended so, apart from its judgements.
        seconds: how long it took in all.
        judgements: what was held against thresholds.
        shown: what was measured and not judged.
        own: the worst way in which it ended by itself, None when it left that to its judgements.
        cause: what kept it from a pass, in one word that advice is known for; "" mostly.
        waiver: what waives it, where it is neither passed nor failed critically; None mostly.
    """

    check: str
    outcome: Outcome | None
    severity: Severity
    required: bool
    message: str
    seconds: float
    judgements: tuple[Judgement, ...]
    shown: tuple[Measurement, ...]
    own: Outcome | None = None
    cause: str = ""
    waiver: Waiver | None = None

    @property
    def critical(self) -> bool:
        """Whether it failed in a way that rolls back."""
        if any(j.outcome is Outcome.FAILED and j.severity is Severity.CRITICAL for j in self.judgements):
            return True
        return self.own is Outcome.FAILED and self.severity is Severity.CRITICAL

    @property
    def reason(self) -> str:
        """The sentence behind a result that is not passed."""
        outcome = self.outcome or (Outcome.FAILED if self.critical else None)
        first = next((j for j, _ in self.behind if j.outcome is outcome), None)
        if first is None:
            return f"{self.check}: {self.message or self.outcome or 'never ran'}"
        line = first.line(self.check)
        return line if first.named else f"{self.check}: {line}"

    @property
    def behind(self) -> list[tuple[Judgement, int]]:
        """What is behind the outcome of a check that is not passed, the weightiest first.

        Of several limits of one measurement the weightiest stands for all, with the count of the others; what
        follows from requests that failed, slow or uncounted for that alone, stands for nothing.
        """
        kept: dict[tuple[object, ...], list[Judgement]] = {}
        for judgement in self._unmet():
            key = judgement.metric, *sorted(judgement.labels.items()), judgement.outcome
            kept.setdefault(key, []).append(judgement)
        found = [
            (min(alike, key=lambda j: (_weight(j), -_far(j))), len(alike) - 1) for alike in kept.values()
        ]
        return sorted(found, key=lambda each: _weight(each[0]))

    @property
    def following(self) -> list[Judgement]:
        """What was not met for the reason alone that requests failed: their times, the bodies they lack."""
        return [judgement for judgement in self.judgements if follows(judgement, self.judgements)]

    def _unmet(self) -> list[Judgement]:
        # Of a check that passed, an advisory judgement may be undecided.
        met = {Outcome.PASSED, Outcome.UNDECIDED if self.outcome is Outcome.PASSED else None}
        return [j for j in self.judgements if j.outcome not in met and not follows(j, self.judgements)]


def follows(judgement: Judgement, others: Iterable[Judgement]) -> bool:
    """Whether it was not met for the reason alone that requests failed, which one of the others says."""
    unmet = judgement.only_failed or (judgement.outcome is Outcome.UNDECIDED and not judgement.n)
    return unmet and judgement.outcome is not Outcome.PASSED and any(j.failures for j in others)


def _weight(judgement: Judgement) -> tuple[bool, float]:
    """Failed before undecided; then critical before warning, and of what is undecided the largest need."""
    if judgement.outcome is Outcome.UNDECIDED:
        return True, -math.inf if judgement.needed is None else -judgement.needed
    return judgement.outcome is not Outcome.FAILED, judgement.severity is not Severity.CRITICAL


def _far(judgement: Judgement) -> float:
    return abs(judgement.limit - (judgement.measured or 0.0))


class Finding(NamedTuple):
    """One cause that keeps a deployment from being promoted.

    Args:
        reason: in a sentence.
        cause: the check that found it, None where it is none of a check's (a run without an end).
        consequences: checks that came to no pass for the same cause.
    """

    reason: str
    cause: CheckResult | None = None
    consequences: tuple[CheckResult, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Promote, hold or roll back, and everything behind it.

    Args:
        decision: what may happen to the deployment.
        findings: why not promote, one a cause, the weightiest first.
        checks: how each check of the plan ended, in the order of the plan.
        stages: that were checked.
        complete: whether everything in the plan ran to its end.
        headers: of the processes that count.
        notes: what a reader must know.
        not_configured: what the settings do not name, and what therefore was not checked.
        records: the journal that was judged, in order.
        override: what stands in place of the decision until it expires, None mostly.
        waived_until: until when nothing but waived checks keeps it from a promotion, in seconds since the
            epoch; 0: something else does, or nothing.
    """

    decision: Decision
    findings: tuple[Finding, ...]
    checks: tuple[CheckResult, ...]
    stages: tuple[str, ...]
    complete: bool
    headers: tuple[Record, ...]
    notes: tuple[str, ...] = ()
    not_configured: tuple[str, ...] = ()
    records: tuple[Record, ...] = field(default=(), repr=False, compare=False)
    override: Override | None = None
    waived_until: float = 0.0

    @property
    def start(self) -> Record:
        """What names release and target: the last header, or the record of a start that was refused."""
        refused = [record for record in self.records if record["type"] == "refused"]
        return next(reversed([*refused, *self.headers]), {})

    @property
    def run(self) -> str:
        """The run's id."""
        return str(self.start.get("run", ""))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not promote, the weightiest first."""
        return tuple(finding.reason for finding in self.findings)

    @property
    def never_ran(self) -> tuple[str, ...]:
        """Planned checks that did not run to their end."""
        return tuple(result.check for result in self.checks if result.outcome is None)


def result_of(
    check: str, records: Sequence[Record], metrics: Mapping[str, Metric], *, required: bool
) -> CheckResult:
    """How a check ended, by the journal.

    Args:
        check: its id.
        records: the whole journal, in order.
        metrics: what its thresholds may name.
        required: as the plan says.
    """
    mine = [record for record in records if record.get("check") == check]
    seen = {f"{r['process']}:{r['sequence']}": r for r in mine if r["type"] == "measurement"}
    held = [record for record in mine if record["type"] == "judgement"]
    judgements = tuple(_judged(record, seen, metrics) for record in held)
    judged = {record["measurement"] for record in held}
    ends = [record for record in mine if record["type"] == "check"]
    own = [Outcome(end["outcome"]) for end in ends if end.get("outcome")]
    counting = [j.outcome for j, record in zip(judgements, held, strict=True) if _counts(j, record)]
    return CheckResult(
        check=check,
        outcome=worst([*own, *counting]) if ends else _cut_short(judgements),
        severity=_heaviest(end.get("severity", Severity.WARNING) for end in ends),
        required=required,
        message=next((end["message"] for end in ends if end.get("message")), "" if ends else _why_not(mine)),
        seconds=sum(end.get("seconds", 0.0) for end in ends),
        judgements=judgements,
        shown=tuple(
            Measurement.from_json(record["measurement"])
            for key, record in seen.items()
            if key not in judged and record.get("shown")
        ),
        own=worst(own),
        cause=next((end["cause"] for end in ends if end.get("cause")), ""),
    )


def _why_not(records: Sequence[Record]) -> str:
    """Why a check did not come to its end: what was said of it, where anything was recorded."""
    return next((each["text"] for each in records if "text" in each), "cut short" if records else "")


def _counts(judgement: Judgement, record: Record) -> bool:
    """An advisory judgement may fail; that it is undecided is only shown."""
    return not (record.get("advisory") and judgement.outcome is Outcome.UNDECIDED)


def _heaviest(severities: Iterable[str]) -> Severity:
    return Severity.CRITICAL if Severity.CRITICAL in set(severities) else Severity.WARNING


def _cut_short(judgements: Sequence[Judgement]) -> Outcome | None:
    """A check that never came to its end has no outcome, but a failure that it saw still counts."""
    return Outcome.FAILED if any(j.outcome is Outcome.FAILED for j in judgements) else None


def _judged(record: Record, seen: Mapping[str, Record], metrics: Mapping[str, Metric]) -> Judgement:
    """Judge again what was judged. A record that cannot be judged is an error, never nothing."""
    written = record.get("threshold", {})
    try:
        threshold = parse(
            written["source"],
            metric=written["metric"],
            bad=written["bad"],
            name=written["name"],
            severity=Severity(written["severity"]),
            min_n=written["min_n"],
            metrics=metrics,
        )
        return judge(
            threshold,
            Measurement.from_json(seen[record["measurement"]]["measurement"]),
            alpha_fail=record["alpha_fail"],
            alpha_pass=record["alpha_pass"],
            looks=record["looks"],
            unreliable=record.get("unreliable", ""),
        )
    except (KeyError, ValueError) as error:
        return Judgement(
            Outcome.ERROR,
            written.get("name", ""),
            written.get("source", ""),
            Severity.WARNING,
            written.get("metric", ""),
            sentence=f"error: the journal's record cannot be judged: {type(error).__name__}: {error}",
        )
