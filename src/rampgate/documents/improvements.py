"""Before and after: how far each number has moved, whether beyond noise, and what was promised of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rampgate.documents import values
from rampgate.documents.facts import NOT_MEASURED
from rampgate.documents.sentences import capital
from rampgate.documents.values import P95
from rampgate.judging.judge import judge
from rampgate.model import formats
from rampgate.model.differences import ALPHA, Difference
from rampgate.outcome import Outcome
from rampgate.report.watch import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rampgate.documents.promises import Promise
    from rampgate.documents.runs import Run
    from rampgate.model.measurement import Measurement

_MOST = 40
_NOTHING = 0.05
"""Per cent of a change that is called none."""
_PER_CENT = 100.0
_UNSAID = "too few observations to tell"


@dataclass(frozen=True)
class Subject:
    """Something that is compared.

    Args:
        title: as a reader knows it.
        metrics: that say it, the first that was measured counts.
        where: labels that its measurements carry.
        quantile: of a latency.
        rises: whether more is better.
    """

    title: str
    metrics: tuple[str, ...]
    where: tuple[tuple[str, str], ...] = ()
    quantile: float = P95
    rises: bool = False


class Row(NamedTuple):
    """One number."""

    what: str
    before: str
    after: str
    change: str
    noise: str
    promise: str


class Side(NamedTuple):
    """What one run has measured of a subject."""

    run: Run
    seen: dict[tuple[tuple[str, str], ...], Measurement]


_SCORE = ("lighthouse_performance_score",)
SUBJECTS = (
    Subject("Lighthouse performance, desktop", _SCORE, (("form_factor", "desktop"),), rises=True),
    Subject("Lighthouse performance, mobile", _SCORE, (("form_factor", "mobile"),), rises=True),
    Subject("API response time p95", ("api_response_time",)),
    Subject("Bundle size", ("bundle_bytes",)),
    Subject("Bundle size, compressed", ("bundle_bytes_gzip",)),
    Subject("Largest contentful paint", ("web_vitals_lcp", "journey_lcp"), quantile=0.75),
    Subject("Layout shift at a theme switch", ("theme_layout_shift",)),
)


@dataclass
class Improvements:
    """Every row, and the runs that they are from.

    Args:
        before: runs that say what was before, the best first.
        after: runs that say what is now, the best first.
        promises: that were made.
        users: the error rate of users' requests as a watch has counted it, None where none has.
    """

    before: Sequence[Run]
    after: Sequence[Run]
    promises: Sequence[Promise]
    users: Measurement | None = None

    def __post_init__(self) -> None:
        self.runs: dict[str, Run] = {}

    def rows(self) -> list[Row]:
        """A row for each number; of a subject that was not measured one that says so."""
        known = {metric for subject in SUBJECTS for metric in subject.metrics}
        more = [
            Subject(
                capital(each.metric)
                + ("" if each.quantile in {None, P95} else f" p{formats.number(100 * each.quantile)}"),
                (each.metric,),
                quantile=each.quantile or P95,
                rises=_rises(each),
            )
            for each in self.promises
            if each.metric not in known or each.quantile not in {None, P95, 0.75}
        ]
        return [row for subject in (*SUBJECTS, *more) for row in self._of(subject)][:_MOST]

    @staticmethod
    def title(promise: Promise) -> str:
        """What a promise is about, where nothing is measured."""
        titles = (each.title.partition(",")[0] for each in SUBJECTS if promise.metric in each.metrics)
        return next(titles, capital(promise.metric))

    def measured_before(self, promise: Promise) -> list[tuple[str, str]]:
        """What a promise is about, and what was before, where that was measured."""
        subjects = [subject for subject in SUBJECTS if promise.metric in subject.metrics]
        found = []
        for subject in subjects or [Subject(capital(promise.metric), (promise.metric,))]:
            side = _side(self.before, promise.metric, subject.where)
            for labels, seen in sorted(side.seen.items()) if side else ():
                found.append(
                    (_title(subject, labels), values.shown(seen, promise.quantile or subject.quantile))
                )
        return found

    def _of(self, subject: Subject) -> Iterator[Row]:
        for metric in subject.metrics:
            sides = [_side(runs, metric, subject.where) for runs in (self.before, self.after)]
            if any(sides) or (self.users and self.users.metric == metric):
                yield from self._rows(subject, metric, *sides)
                return
        promised = "; ".join(
            f"{each.text}: {NOT_MEASURED}" for each in self._promised(subject, subject.metrics)
        )
        yield Row(subject.title, NOT_MEASURED, NOT_MEASURED, "", "", promised)

    def _rows(self, subject: Subject, metric: str, before: Side | None, after: Side | None) -> Iterator[Row]:
        was, now = before.seen if before else {}, dict(after.seen if after else {})
        if self.users is not None and self.users.metric == metric:
            now[tuple(self.users.labels.items())] = self.users
        for name, side in (("before", before), ("after", after)):
            if side:
                self.runs.setdefault(f"{side.run.name} {name}", side.run)
        for labels in sorted({*was, *now}):
            first, second = was.get(labels), now.get(labels)
            q = subject.quantile
            said = "; ".join(_kept(each, first, second, q) for each in self._promised(subject, [metric]))
            yield Row(
                _title(subject, labels),
                values.shown(first, q) if first else NOT_MEASURED,
                values.shown(second, q) if second else NOT_MEASURED,
                _change(first, second, q, rises=subject.rises) if first and second else "",
                values.difference(first, second, q).value if first and second else "",
                said,
            )

    def _promised(self, subject: Subject, metrics: Iterable[str]) -> list[Promise]:
        return [
            each
            for each in self.promises
            if each.metric in metrics and each.quantile in {None, subject.quantile}
        ]


def _side(runs: Sequence[Run], metric: str, where: Iterable[tuple[str, str]]) -> Side | None:
    """The first of the runs that has measured a metric, the last measurement of each labels."""
    wanted = set(where)
    for run in runs:
        found = {
            tuple(sorted((str(key), str(value)) for key, value in seen.labels.items())): seen
            for check, seen in run.measured
            if seen.metric == metric
            and values.point(seen, P95) is not None
            and wanted <= {*seen.labels.items()}
            and (not check.startswith(PREFIX) or metric.startswith("web_vitals_"))
        }
        if found:
            return Side(run, found)
    return None


def _title(subject: Subject, labels: tuple[tuple[str, str], ...]) -> str:
    about = ", ".join(value for name, value in labels if (name, value) not in subject.where)
    return f"{subject.title}: {about}" if about else subject.title


def _rises(promise: Promise) -> bool:
    """Whether more is better, as what was promised says it."""
    return promise.change > 0 or bool(promise.threshold and promise.threshold.good()[0] in {">", ">="})


def _change(before: Measurement, after: Measurement, q: float, *, rises: bool) -> str:
    """``31 % better``."""
    was, now = values.point(before, q), values.point(after, q)
    if was is None or now is None:
        return ""
    if now == was:
        return "no change"
    if not was or math.isinf(was) or math.isinf(now):
        return "better" if (now > was) is rises else "worse"
    percent = _PER_CENT * (now - was) / abs(was)
    if abs(percent) < _NOTHING:
        return "no change"
    return f"{formats.number(abs(percent))} % {'better' if (percent > 0) is rises else 'worse'}"


def _kept(promise: Promise, before: Measurement | None, after: Measurement | None, q: float) -> str:
    """``below 400 ms: met``."""
    return f"{promise.text}: {_whether(promise, before, after, promise.quantile or q)}"


def _whether(promise: Promise, before: Measurement | None, after: Measurement | None, q: float) -> str:
    if after is None or (promise.change and before is None):
        return NOT_MEASURED
    if promise.threshold is not None:
        outcome = values.within(promise.threshold, after)
        if outcome is None:
            outcome = judge(promise.threshold, after, alpha_fail=ALPHA).outcome
        return {Outcome.PASSED: "met", Outcome.FAILED: "not met"}.get(outcome, _UNSAID)
    was, now = (None if each is None else values.point(each, q) for each in (before, after))
    if was is None or now is None or before is None:
        return NOT_MEASURED
    if not promise.reached(was, now):
        return "not met"
    moved = values.difference(before, after, q)
    return (
        "met"
        if moved is Difference.BEYOND
        else f"reached, but {moved.value if moved is Difference.WITHIN else _UNSAID}"
    )
