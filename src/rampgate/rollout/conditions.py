"""What a step up needs, each with the sentence of what is missing."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.checks.frame.forms import counts_votes
from rampgate.errors import EvidenceError, ProbeError, RampgateError
from rampgate.evidence import releases
from rampgate.model import formats
from rampgate.model.statistics import two_sided
from rampgate.outcome import Decision
from rampgate.rollout import exposure
from rampgate.rollout.soak import observed, target_of
from rampgate.watch import state as watch_state
from rampgate.watch.release import latched
from rampgate.watch.rounds import Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import httpx

    from rampgate.config.settings import Settings
    from rampgate.rollout.records import Rollout

ALPHA = 1e-4
"""The chance that an exposure as planned is taken for another."""
_PER_CENT = 100.0


class Watched(NamedTuple):
    """What a watch remembers that a rollout asks for.

    Args:
        heartbeat: its last round, seconds since the epoch, 0 where there was none.
        critical: failures at the percentage in force, with ``what`` and ``run``, the oldest first.
        engine: where its comparisons stand.
    """

    heartbeat: float
    critical: list[dict[str, Any]]
    engine: dict[str, Any]


def seen_by_watch(settings: Settings, rollout: Rollout) -> Watched | None:
    """What the watch of this target has seen at the percentage in force, None where none has ever run.

    Raises:
        EvidenceError: what it remembers cannot be read.
    """
    path = watch_state.file_of(settings)
    if not path.exists():
        return None
    versions = (rollout.version,) if rollout.version else ()
    with watch_state.WatchState(path, new=False) as remembered:
        critical = latched(remembered, Position(rollout.percentage, versions))
        return Watched(remembered.get("heartbeat") or 0.0, critical, remembered.get("engine") or {})


class Unmet(NamedTuple):
    """A condition that does not hold.

    Args:
        sentence: what is missing.
        seconds: about how long until it may hold, None where that is not known.
    """

    sentence: str
    seconds: float | None = None


@dataclass(frozen=True)
class Conditions:
    """What a step up needs.

    Args:
        settings: in force.
        rollout: as it stands.
        now: seconds since the epoch.
        who: asks for the step.
        stopped: why nothing may rise, "" where that is not so.
        rehearsals: whether shortened runs count (a demo).
        api: makes a client of the API, with its admin token when asked.
        runs: what they stood on: by stage the id of its run, once they were asked.
        users: with the features (``users_on``) and in all, once they were asked for.
    """

    settings: Settings
    rollout: Rollout
    now: float
    who: str
    stopped: str
    rehearsals: bool
    api: Callable[[bool], httpx.Client]
    runs: dict[str, str] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)

    def unmet(self) -> list[Unmet]:
        """All that is missing; nothing where the percentage may rise."""
        asked = (self._stopped, self._frozen, self._approval, self._stages, self._watched, self._soaked)
        return [each for find_out in (*asked, self._exposed) for each in find_out()]

    def _stopped(self) -> Iterator[Unmet]:
        if self.stopped:
            yield Unmet(f"the line is stopped: {self.stopped}")

    def _frozen(self) -> Iterator[Unmet]:
        if freeze := self.settings.rollout.frozen(self.now):
            until = freeze.ends.isoformat(timespec="minutes")
            why = f" ({freeze.why})" if freeze.why else ""
            yield Unmet(f"nothing rises until {until}{why}", freeze.ends.timestamp() - self.now)

    def _approval(self) -> Iterator[Unmet]:
        same = _person(self.who) == _person(self.rollout.who)
        if self.settings.rollout.approval == "required" and same:
            yield Unmet(f"{self.who} has started this rollout: somebody else must approve a step up")

    def _stages(self) -> Iterator[Unmet]:
        if not (required := self.settings.rollout.require):
            return
        rollout = self.rollout
        judge = partial(releases.judge_current, self.settings.reports, required, self.now)
        try:
            verdict = judge(
                environment=self.settings.environment,
                max_age=math.inf,
                rehearsals=self.rehearsals,
                rollout=(rollout.version, rollout.percentage, rollout.changed),
                target=target_of(self.settings),
            )
        except RampgateError as error:
            yield Unmet(str(error))
            return
        for stage in verdict.stages:
            self.runs[stage.stage] = stage.run
            if stage.decision is not Decision.PROMOTE:
                yield Unmet(f"{stage.stage} is {stage.decision.value.upper()}: {stage.reason}")

    def _watched(self) -> Iterator[Unmet]:
        """The watch lives, is about this percentage, and has seen nothing critical at it."""
        try:
            watched = seen_by_watch(self.settings, self.rollout)
        except EvidenceError as error:
            yield Unmet(str(error))
            return
        if watched is None:
            yield Unmet("no watch has ever run; start one: rampgate watch")
            return
        age = self.now - watched.heartbeat
        if not 0 <= age <= self.settings.rollout.heartbeat:
            when = f"{formats.elapsed(age)} ago" if age >= 0 else "later than now: a clock was set back"
            yield Unmet(f"the last round of the watch was {when}; start one: rampgate watch")
        for each in watched.critical[:1]:
            yield Unmet(f"the watch has seen at this percentage: {each['what']} (run {each['run']})")
        yield from self._compared(watched.engine)

    def _compared(self, kept: Mapping[str, Any]) -> Iterator[Unmet]:
        """What the watch has found of users with the features beside those without, at this percentage."""
        if not kept or kept["position"][0] != self.rollout.percentage:
            return
        votes = {each.name for each in self.settings.table("metrics") if counts_votes(each)}
        for name, test in kept.get("cohorts", {}).get("tests", {}).items():
            rolls_back, _, holds, _ = test["decided"]
            if rolls_back or (holds and name in votes):
                yield Unmet(f"the watch has found that users with the features fail more: {name}")

    def _soaked(self) -> Iterator[Unmet]:
        needed = self.settings.rollout.soak_at(self.rollout.percentage)
        seen = observed(self.settings, self.rollout) if needed else 0.0
        if seen < needed:
            says = f"{formats.elapsed(seen)} of {formats.duration(needed)} were observed at"
            at = f"{formats.number(self.rollout.percentage)} %"
            yield Unmet(f"{says} {at}: about {formats.elapsed(needed - seen)} more", needed - seen)

    def _exposed(self) -> Iterator[Unmet]:
        """As many distinct users, or workspaces, have the features as the percentage says."""
        percentage, of = self.rollout.percentage, exposure.counted(self.settings.rollout)
        try:
            found = exposure.ask(self.settings.rollout, self.rollout.features, self.api)
        except ProbeError as error:
            yield Unmet(str(error))
            return
        if found is None:
            return
        on, users = found
        self.users.update(users_on=on, users=users)
        said = f"{on} of {users} {of} have the features, and {formats.number(percentage)} % should"
        if not users:
            yield Unmet(f"no {of} were seen lately: it is not known who has the features")
        elif (fits := two_sided(on, users, percentage / _PER_CENT)) < ALPHA:
            yield Unmet(f"{said} (by chance once in {1 / max(fits, 1e-12):,.0f} times)")


def _person(name: str) -> str:
    """A name, however it was typed: without case, blanks at its ends and compatible forms of its letters."""
    return unicodedata.normalize("NFKC", name).casefold().strip()
