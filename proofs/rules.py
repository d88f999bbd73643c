"""``make prove-rules``: what the watch does, and what Prometheus says of the rules that are exported from it.

Each trigger, alert and limit of the policy files, with readings just under, at and just over its limit, for
shorter and longer than its duration, with a gap, and with samples that end. The watch is its own engine on a
clock of the proof; Prometheus is ``promtool test rules``, asked at every reading whether the alert fires.
Appends raw rows to rules.jsonl, goes on where it was left, and writes the table in docs/prometheus.md.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from proofs.commit import commit
from proofs.rows import complete, options, results
from tests.unit.prometheus_settings import METRICS, written

from rampgate.checks.frame.forms import edges, measured
from rampgate.config import watch_policy
from rampgate.config.loading import load
from rampgate.errors import ProbeError
from rampgate.evidence.chance import FALSE_FAIL_PER_RUN
from rampgate.model.increments import FAILED, TOTAL
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import factor
from rampgate.watch.engine import Engine
from rampgate.watch.prometheus_cases import AT, CLEAN, OVER, UNDER, Case, cases, is_bad, sizes, value_at
from rampgate.watch.prometheus_export import export
from rampgate.watch.prometheus_tests import counted, input_series
from rampgate.watch.rounds import Position

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.checks.frame.source import MetricSettings
    from rampgate.config.settings import Settings
    from rampgate.watch.prometheus_rules import Export

RESULTS = Path(__file__).parent / "results" / "rules.jsonl"
PAGE = Path(__file__).parents[1] / "docs" / "prometheus.md"
BEGIN, END = "<!-- proofs/rules.py begins -->", "<!-- proofs/rules.py ends -->"
PROVED = (
    *(f"src/rampgate/{room}" for room in ("watch", "judging", "model", "config")),
    "monitoring",
    "proofs/rules.py",
    "tests/unit/prometheus_settings.py",
)
AUDITED = "lighthouse_performance_score"
BEGAN = 1_800_000_000.0
FURTHER = {"1.1 times": 1.1, "1.6 times": 1.6, "twice": 2.0, "5 times": 5.0, "10 times": 10.0}
"""Of a rule that a test of counts judges: how many times the limit."""
SURE = 2.0
"""At so many times the limit its test must decide within the hour."""
LASTING = 120
"""Readings of these: an hour."""
_TIME = re.compile(r"time: (?P<time>\S+),")
_PART = re.compile(r"(\d+)([hms])")


@dataclass(frozen=True)
class World:
    """The settings of the proof, and what is exported from them."""

    settings: Settings
    policy: watch_policy.WatchPolicy
    exported: Export


@cache
def world(*, audited: bool = False) -> World:
    """Settings that read every metric of the policy files from Prometheus; if wanted, scores by audits."""
    read = f'source = "promql"\nvalue = "min({AUDITED})"'
    metrics = METRICS.replace(read, 'source = "probe"') if audited else METRICS
    with tempfile.TemporaryDirectory(prefix="rampgate-rules-") as folder:
        settings, _ = load(written(Path(folder), metrics), from_environment=False)
    policy = watch_policy.build(settings)
    return World(settings, policy, export(settings, policy))


@dataclass(frozen=True)
class Row:
    """One case, by a name of its own.

    Args:
        case: the readings.
        times: of further ones, how many times the limit; else 0.
        audited: whether the watch measures by itself, and Prometheus has nothing.
    """

    case: Case
    times: float = 0.0
    audited: bool = False

    @property
    def name(self) -> str:
        """Of its rule, and its own."""
        return f"{self.case.rule.rule.name}: {self.case.name}"


def rows() -> Iterator[Row]:
    """Every case; of rules that a test judges, further ones."""
    interval = world().exported.interval
    for rule in world().exported.rules:
        yield from map(Row, cases(rule, interval))
        if rule.entry.name == AUDITED:
            for level, where in ((UNDER, "just under"), (AT, "at"), (OVER, "just over")):
                yield Row(Case(rule, f"an audit {where} its limit", (level,), ()), audited=True)
        if rule.tested:
            for name, times in FURTHER.items():
                more = round(sizes(rule).bad * (times - 1))
                level = -more if rule.of_good else more
                if sizes(rule).bad + more <= sizes(rule).total:
                    yield Row(
                        Case(rule, f"{name} what its limit allows, an hour", (level,) * LASTING, ()), times
                    )


def watched(case: Case, *, audited: bool = False) -> dict[str, Any]:
    """What a watch does with a case: at which seconds its alert is open, and what it comes to."""
    here, at = world(audited=audited), 0

    def read(entry: MetricSettings) -> Sequence[Measurement]:
        if entry.name != case.rule.entry.name:
            raise ProbeError("is no part of this case")
        if at and case.steps[at - 1] is None:
            raise ProbeError("no sample")
        return _measurements(case, at, interval)

    policy = replace(here.policy, rules=(case.rule.rule,))
    counts = sum(rule.tested for rule in here.exported.rules)
    engine = Engine(here.settings, policy, read, FALSE_FAIL_PER_RUN / counts)
    rule, fires, states, tested = engine.rules[case.rule.rule.name], list[int](), list[str](), None
    interval = engine.schedules[case.rule.entry.name].interval
    for at in range(len(case.steps) + 1):
        engine.due = dict.fromkeys(engine.due, BEGAN + at * interval)
        engine.round(BEGAN + at * interval, Position())
        second = round(at * interval)
        fires += [second] if rule.episode.open else []
        states += [rule.episode.state.value]
        if tested is None and rule.test is not None and rule.test.fired_at is not None:
            tested = second
    return {"fires": fires, "states": states, "tested": tested, "rolls_back": bool(fires) and rule.decides}


def _measurements(case: Case, at: int, interval: float) -> list[Measurement]:
    """What the source would give at a step."""
    entry, when = case.rule.entry, BEGAN + at * interval
    if entry.value is None:
        counters: dict[str, dict[str, float]] = {}
        for kind, values in counted(case, world().exported.interval, world().exported.buckets).items():
            names = {"total": (TOTAL,), "count": (TOTAL,), "failed": (FAILED,)}
            for name in names.get(kind) or edges(entry, "buckets", kind):
                counters[name] = {"": values[at]}
        return measured(entry, {("", ""): counters}, when)
    level = case.steps[at - 1] if at else CLEAN
    value = value_at(case.rule, CLEAN if level is None else level)
    metric = world().policy.metrics[entry.name]
    details = {"responses": case.rule.rule.threshold.min_n} if entry.responses else {}
    return [
        Measurement(
            entry.name, n=1, value=value * (factor(metric, entry.unit) or 1.0), end=when, details=details
        )
    ]


def prometheus(row: Row, rules: Path) -> list[int]:
    """At which seconds promtool says that the alert fires."""
    case, interval = row.case, round(world().exported.interval)
    seconds = [at * interval for at in range(len(case.steps) + 1)]
    series = input_series(case, interval, world().exported.buckets)
    content = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{interval}s",
        "tests": [
            {
                "interval": f"{interval}s",
                "input_series": [
                    {"series": text, "values": " ".join(map(_sample, values))}
                    for text, values in series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": f"{at}s", "alertname": case.rule.rule.name, "exp_alerts": []}
                    for at in seconds
                ],
            }
        ],
    }
    tests = rules.with_name("asked.yml")
    tests.write_text(yaml.safe_dump(content, width=1_000_000), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", str(tests)], capture_output=True, text=True, check=False, timeout=120
    )
    said = done.stdout + done.stderr
    if done.returncode and "FAILED" not in said:
        raise AssertionError(f"promtool: {said}")
    return sorted({_seconds(found["time"]) for found in _TIME.finditer(said)})


def _sample(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.15g}"


def _seconds(text: str) -> int:
    return sum(int(count) * {"h": 3600, "m": 60, "s": 1}[unit] for count, unit in _PART.findall(text))


def run(row: Row, rules: Path) -> dict[str, Any]:
    """What both say of a case: a row.

    Without gaps both must fire at the same seconds, unless the watch judges the rule by a test: that must be
    silent up to the limit, and decide from twice the limit on. With gaps both do what they do. An audit that
    breaks its limit is confirmed at once.
    """
    case, watch = row.case, watched(row.case, audited=row.audited)
    alerts = [] if row.audited else prometheus(row, rules)
    agrees = watch["fires"] == alerts and not row.audited
    right = agrees or case.gaps
    if row.audited:
        right = bool(watch["fires"]) is is_bad(case.rule, case.steps[0] or 0)
    if case.rule.tested:
        over = row.times > 1 or any(is_bad(case.rule, step) for step in case.steps if step is not None)
        right = (watch["tested"] is not None) if row.times >= SURE else over or not watch["fires"]
    return {
        "place": case.rule.rule.place.value,
        "severity": case.rule.rule.threshold.severity.value,
        "tested": case.rule.tested,
        "gaps": case.gaps,
        "audited": row.audited,
        "watch": watch,
        "prometheus": alerts,
        "agrees": agrees,
        "right": right,
    }


def line(row: dict[str, Any]) -> str:
    """A row as text."""
    return f"{row['case']}: watch {fired(row['watch']['fires'])}, Prometheus {fired(row['prometheus'])}"


def fired(seconds: Sequence[int]) -> str:
    """When it fired."""
    return " to ".join(f"{each:,}" for each in dict.fromkeys((*seconds[:1], *seconds[-1:]))) or "silent"


def page(found: Sequence[dict[str, Any]]) -> str:
    """The table for people: the rows in which one of both fires."""
    lines = ["| rule | readings | watch | Prometheus | |", "|---|---|---|---|---|"]
    names, silent = {row.name: row.case for row in rows()}, 0
    for each in found:
        case, fires = names.get(each["case"]), each["watch"]["fires"]
        if case is None or not (fires or each["prometheus"]):
            silent += case is not None
            continue
        cells = (case.rule.rule.name, case.name, fired(fires), fired(each["prometheus"]), _remark(each))
        lines.append(f"| {' | '.join(cells)} |")
    head = (
        f"{len(found)} rows, a reading every 30 s; in which seconds since the first the alert fires. "
        f"In {silent} rows both are silent, and these are left out: at the limit, on the good side of it, or "
        "shorter than the duration.\n"
    )
    return "\n".join((head, *lines))


def _remark(row: dict[str, Any]) -> str:
    remark = "agree" if row["agrees"] else "a gap" if row["gaps"] else "a test of counts"
    if row["audited"]:
        remark = "audited every 6 h: confirmed by two more; not exported"
    elif row["tested"]:
        decided = row["watch"]["tested"]
        remark = f"the test decides after {decided} s" if decided else "the test does not decide"
    return remark + (", rolls back" if row["watch"]["rolls_back"] else "")


def main() -> int:
    """Run what is missing, write the table, and fail where a row is not right."""
    asked, at = options(__doc__), commit(*PROVED)
    if not shutil.which("promtool"):
        sys.stderr.write("promtool is not installed; on Debian: apt-get install prometheus\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="rampgate-rules-") as folder:
        rules = Path(folder) / "rules.yml"
        rules.write_text(yaml.safe_dump(world().exported.to_json(), width=1_000_000), encoding="utf-8")
        code = complete(asked, RESULTS, rows(), lambda row: run(row, rules), line, proved=PROVED)
    known = {row["case"]: row for row in results(RESULTS, at)}
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{page(list(known.values()))}\n{END}{after}", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
