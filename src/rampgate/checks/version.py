"""[version]: which version answers, and which instances of it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from rampgate.checks.frame.check import Check, Context, DefaultThreshold
from rampgate.checks.running_version.settings import UNKNOWN, VersionSettings
from rampgate.clock import Clock, SystemClock
from rampgate.errors import ProbeError
from rampgate.io.http import ask
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import Kind, Metric
from rampgate.model.statistics import rarest_seen, surely_above

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rampgate.io.http import ClientFactory

_LOST_IN_A_ROW = 3
"""After that many connections without an answer, and none with one, the rest is not tried."""
_MORE_WHEN_LOST = 200
"""Connections that are tried beside, where one is lost, or an instance is missing."""
_MOST_LOST = 0.02
"""The share of connections that may be lost."""
_CHANCE = 6e-5
"""Of being sure of more where no more are lost: 4 of 10, 16 of 250, 46 of 1,200."""
_MOST_LIMITED = 60
"""So often a second is waited where the target limits our rate."""
_FEW = 10
"""Connections of a load run, which asks twice."""


def _labels(_: Any) -> Mapping[str, Sequence[str]]:
    return {"service": ["web", "api"]}


CHECK = Check(
    subject="version",
    table="version",
    settings=VersionSettings,
    of_target=True,
    metrics=(
        Metric(
            "wrong_version",
            Kind.COUNT,
            "",
            "connections answered by another version than the expected",
            good="all {n} answers came from {versions}: {note}",
            bad="{k} of {n} answers came from another version",
        ),
        Metric(
            "version_lost",
            Kind.COUNT,
            "",
            "connections to ask for the version that gave no 2xx answer, where they are surely more than 2 %",
            good="{note}",
            bad="{k} of {n} connections gave no 2xx answer: surely more than 2 %",
        ),
        Metric(
            "instances_missing",
            Kind.COUNT,
            "",
            "instances of those that must answer that did not",
            good="all {n} instances answered: {note}",
            bad="{k} of {n} instances did not answer",
        ),
    ),
    thresholds=(
        DefaultThreshold("version", "wrong_version == 0"),
        DefaultThreshold("version_lost", "version_lost == 0"),
        DefaultThreshold("instances", "instances_missing == 0"),
    ),
    labels=_labels,
)


@dataclass
class _Answers:
    """What came of the connections.

    Args:
        named: version -> instance -> answers.
        statuses: how each request ended -> how often.
        lost: how many of them were no 2xx answer.
        surely: whether those are more than may be lost.
    """

    named: dict[str, Counter[str]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    surely: bool = False

    @property
    def heard(self) -> bool:
        """Whether any answer came, of whatever status."""
        return any(outcome.isdigit() for outcome in self.statuses)

    @property
    def asked(self) -> int:
        """How many connections count: a limit of our rate is no answer, and none that is lost."""
        return self.statuses.total() - self.statuses["429"]

    @property
    def instances(self) -> Counter[str]:
        """Instance -> answers, those that name none as UNKNOWN."""
        return sum(self.named.values(), Counter())

    def missing(self, version: VersionSettings) -> int:
        """How many of the instances that must answer did not; those without a name are none."""
        return max(0, (version.instances or 0) - len(self.instances.keys() - {UNKNOWN}))


def measure(version: VersionSettings, context: Context) -> list[Measurement]:
    """``wrong_version``, ``version_lost``, and ``instances_missing`` where it is said how many there are.

    Wrong are answers of another version, and those that name none where others do. Without an expected
    version the one that most answers name stands for it, so that a mix is found. Without any answer there is
    no value.

    Args:
        version: where it stands, and what is expected.
        context: what every check is given.

    Raises:
        ProbeError: we could not measure, or no answer names a version.
        UnreachableError: the service does not answer.
    """
    clients = partial(
        context.client,
        context.service,
        account="user" if version.sign_in else "none",
        at=version.url or "",
    )
    answers = _ask_all(version, clients, _MORE_WHEN_LOST, context.clock)
    return [
        Measurement(metric, labels={"service": context.service}, **found)
        for metric, found in _counted(version, answers)
    ]


def measure_few(
    version: VersionSettings, clients: ClientFactory, labels: Mapping[str, str]
) -> list[Measurement]:
    """``wrong_version`` and ``version_lost`` of 10 fresh connections; those that are lost bring no more.

    Args:
        version: where it stands, and what is expected.
        clients: makes a client for each connection.
        labels: of the measurement.

    Raises:
        ProbeError: we could not measure, or no answer names a version.
    """
    few = version.model_copy(update={"connections": min(_FEW, version.connections), "instances": None})
    counted = _counted(few, _ask_all(few, clients, 0, SystemClock()))
    return [Measurement(metric, labels=dict(labels), **found) for metric, found in counted]


def _counted(version: VersionSettings, answers: _Answers) -> Iterator[tuple[str, dict[str, Any]]]:
    if answers.named.keys() == {UNKNOWN}:
        raise ProbeError(f"{version.unnamed}; {_ended(version, answers)}")
    versions = {name: count.total() for name, count in sorted(answers.named.items())}
    answered = sum(versions.values())
    most = max(versions, key=versions.__getitem__, default=UNKNOWN)
    right = version.expected if version.expected is not None else most if most != UNKNOWN else None
    wrong = answered - versions.get(right, 0) if right is not None else answered
    yield (
        "wrong_version",
        {
            "n": answered,
            "value": float(wrong) if answered else None,
            "note": _note(version, versions, wrong),
            "details": {
                "path": version.path,
                "expected": version.expected,
                "versions": versions,
                "instances": {name: dict(count) for name, count in sorted(answers.named.items())},
                "statuses": dict(answers.statuses),
            },
        },
    )
    yield (
        "version_lost",
        {
            "n": answers.asked if answers.heard else 0,
            "value": float(answers.lost if answers.surely else 0) if answers.heard else None,
            "note": _outcomes(version, answers),
            "details": {"path": version.path, "statuses": dict(answers.statuses)},
        },
    )
    if version.instances:
        yield "instances_missing", _missing(version, version.instances, answers)


def _note(version: VersionSettings, versions: Mapping[str, int], wrong: int) -> str:
    """Who answered, where that is not as expected; else what so many answers can show."""
    answered = sum(versions.values())
    if not answered:
        return f"{version.path}: no answer that names a version"
    if wrong:
        counted = ", ".join(f"{count} from {name}" for name, count in versions.items())
        return f"{counted} (expected {version.expected or 'version not configured'})"
    share = math.ceil(100 * rarest_seen(answered))
    unchecked = "" if version.expected else ", and no version is expected"
    return f"so many show an instance with {share} % of the traffic, at 99.9 %{unchecked}"


def _outcomes(version: VersionSettings, answers: _Answers) -> str:
    """How the requests ended, where some were lost."""
    ended = _ended(version, answers) if answers.lost else ""
    if answers.surely or not answers.heard:
        return ended
    return f"{answers.lost} of {answers.asked} connections to ask for it were lost: {ended}".rstrip(": ")


def _ended(version: VersionSettings, answers: _Answers) -> str:
    """How the requests ended, the most frequent first: ``/health: 401 16 times``."""
    counted = (f"{outcome} {times} times" for outcome, times in answers.statuses.most_common())
    return f"{version.path}: {', '.join(counted)}"


def _missing(version: VersionSettings, instances: int, answers: _Answers) -> dict[str, Any]:
    """Which instances answered, and how many did not."""
    missing, counted = answers.missing(version), answers.instances
    unnamed = counted.pop(UNKNOWN, 0)
    seen = ", ".join(sorted(counted)) or "none"
    note = f"{len(counted)} answered: {seen}" if missing else seen
    return {
        "n": instances if answers.named else 0,
        "value": float(missing) if answers.named else None,
        "note": note + (f"; {unnamed} answers named no instance" if unnamed else ""),
        "details": {"instances": dict(counted), "unnamed": unnamed},
    }


def _ask_all(version: VersionSettings, clients: ClientFactory, more: int, clock: Clock) -> _Answers:
    """Where a connection is lost, or an instance is missing, more are asked.

    Until enough are lost to be sure of more than 2 %, or all instances have answered.

    Raises:
        ProbeError: we could not measure, or the target limits our rate to less than one in a second.
    """
    answers = _Answers()
    while answers.asked < version.connections + (more if answers.lost or answers.missing(version) else 0):
        with clients() as client:
            answer = ask(client, "GET", version.path, headers=version.headers)
        answers.statuses[answer.outcome] += 1
        if answer.status == httpx.codes.TOO_MANY_REQUESTS:
            if answers.statuses["429"] > _MOST_LIMITED:
                raise ProbeError(f"{version.path}: the target limits our rate (HTTP 429) to less than 1/s")
            clock.sleep(1)
            continue
        if not answer.ok:
            answers.lost += 1
            answers.surely = answers.lost >= surely_above(version.connections + more, _MOST_LOST, _CHANCE)
            if answers.surely or (not answers.heard and answers.lost == _LOST_IN_A_ROW):
                break
            continue
        named, instance = version.read(answer)
        answers.named.setdefault(named, Counter())[instance] += 1
    return answers
