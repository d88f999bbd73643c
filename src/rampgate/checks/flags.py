"""[flags]: whether each feature reaches exactly the users whom it should reach."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rampgate.checks.flag_service import arms
from rampgate.checks.flag_service.counts import LEAST_USERS
from rampgate.checks.flag_service.probe import RATE, FlagProbe
from rampgate.checks.flag_service.settings import FlagSettings
from rampgate.checks.flag_service.users import Asked, User, ever_decided, fresh_users, packed, unpacked
from rampgate.checks.frame.check import Check, Context, DefaultThreshold
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.model import formats
from rampgate.model.buckets import decide
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import Kind, Metric
from rampgate.model.statistics import fewest_of_share
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rampgate.checks.flag_service.counts import FlagCounts

KNOWN_USERS = 2_000
"""Users for equality, where the algorithm is known: no chance is involved."""
UNKNOWN_USERS = 20_000
"""Users for a share, where it is not: at most so many, as far as the time goes."""
SINGLE_USERS = 100
"""Users who are asked for one by one beside the bulk form."""
FORMER_USERS = 100
"""Of those who had a flag at the percentage before, so many are asked for whether they have it still."""
LONG_S = 5.0
"""A wait that is worth announcing."""
_PART = 1 / 2  # of the time: to ask for everybody once
_DECIDED = "decided"
"""In a measurement's details: the seed of its users, and which of them were on."""


def _labels(flags: FlagSettings | None) -> Mapping[str, Sequence[str]]:
    return {"flag": list(flags.expected) if flags else [], "form": ["single"]}


CHECK = Check(
    subject="flags",
    table="flags",
    settings=FlagSettings,
    parts={
        "flags_known": lambda flags: flags if flags.algorithm != "unknown" else None,
        "flags_unknown": lambda flags: flags if flags.algorithm == "unknown" else None,
        "flags_arms": lambda flags: flags if flags.has_arms and flags.parted else None,
        "flags_off": lambda flags: flags if 0 in flags.expected.values() else None,
        "flags_start": lambda flags: flags.start,
        "flags_scenarios": lambda flags: flags.scratch,
    },
    metrics=(
        Metric(
            "flag_mismatches",
            Kind.COUNT,
            "",
            "flag decisions that differ from the reference bucket",
            good="all {n} decisions are as expected: {note}",
            bad="{k} of {n} decisions are not as expected",
            least=LEAST_USERS,
        ),
        Metric(
            "flag_changed",
            Kind.COUNT,
            "",
            "flag decisions that changed when asked again",
            good="all {n} decisions were the same when asked again: {note}",
            bad="{k} of {n} decisions changed when asked again",
            least=LEAST_USERS,
        ),
        Metric(
            "flag_on_when_off",
            Kind.COUNT,
            "",
            "users who get a flag that must be off for everybody",
            good="off for all {n} users",
            bad="on for {k} of {n} users, though it must be off for everybody",
            least=LEAST_USERS,
        ),
        Metric(
            "flag_mixed_workspaces",
            Kind.COUNT,
            "",
            "workspaces in which some users have a flag and others have not",
            good="each of {n} workspaces is on one side",
            bad="{k} of {n} workspaces have users on both sides: {note}",
            least=LEAST_USERS,
        ),
        Metric(
            "flag_mixed_users",
            Kind.COUNT,
            "",
            "users who have a flag in one workspace and not in another",
            good="each of {n} users is on one side, in whatever workspace",
            bad="{k} of {n} users are on both sides, by the workspace: {note}",
            least=LEAST_USERS,
        ),
        Metric("flag_share", Kind.SHARE, "", "share of users for whom a flag is on"),
    ),
    thresholds=(
        DefaultThreshold("flag_on_when_off", "flag_on_when_off == 0", Severity.CRITICAL),
        DefaultThreshold("flag_equality", "flag_mismatches == 0"),
        DefaultThreshold("flag_sticky", "flag_changed == 0"),
        DefaultThreshold("flag_workspace_arms", "flag_mixed_workspaces == 0"),
        DefaultThreshold("flag_user_arms", "flag_mixed_users == 0"),
    ),
    labels=_labels,
)


def measure(flags: FlagSettings, context: Context, *metrics: str) -> Iterator[Measurement]:
    """What was measured of these metrics, for each flag; all of them are measured once in a run.

    Args:
        flags: where flags are read, and what they must be.
        context: what every check is given.
        metrics: ``flag_mismatches``, ``flag_share``, ``flag_changed``, ``flag_on_when_off``,
            ``flag_mixed_workspaces``, ``flag_mixed_users``, or ``flag_nesting_broken`` of flags whose
            percentage has risen since an earlier run. Where it is interrupted, all metrics come out: the
            checks of the others may never run.

    Raises:
        ProbeError: we could not measure; what was measured until then has come out before.
        UnreachableError: the API does not answer.
        KeyboardInterrupt: it was cut off; what was measured until then has come out before.
    """
    survey = _Survey(flags, context)
    found = context.once(
        "flags", lambda: {"measurements": [each.to_json() for each in survey.measure()], "cut": survey.cut}
    )
    for each in map(Measurement.from_json, found["measurements"]):
        if each.metric in metrics or (each.n and isinstance(survey.ended, KeyboardInterrupt)):
            yield each
    if survey.ended:
        raise survey.ended
    if found["cut"]:
        raise ProbeError(f"the flags were not asked for to the end: {found['cut']}")


def limit(flags: FlagSettings, found: Measurement) -> str | None:
    """The threshold that a measurement of a flag has of its own; None: those in force count."""
    if found.metric == "flag_share":
        return f"flag_share == {flags.expected[found.labels['flag']]:g}%"
    return "flag_nesting_broken == 0" if found.metric == "flag_nesting_broken" else None


def refuse_short(flags: FlagSettings, alpha: float) -> None:
    """Refuse a `duration` in which too few users can be asked to decide, whatever they get.

    Args:
        flags: what they must be, and how they are asked for.
        alpha: the chance of a false failure of a whole run, of which each flag has a part.

    Raises:
        ConfigurationError: the figure that is needed at least.
    """
    shares = flags.expected.values() if flags.algorithm == "unknown" else ()
    fewest = (fewest_of_share(share / 100, alpha) for share in shares)
    needed = max([LEAST_USERS, *(users for users in fewest if users <= UNKNOWN_USERS)])
    each = len(flags.expected) if flags.names_flag and not flags.bulk else 1
    size = flags.bulk.chunk if flags.bulk else 1
    least = arms.shortest(flags)
    part = _PART - arms.PART if least else _PART
    most = math.ceil(flags.duration * part * RATE) // each * size
    if flags.required and most < needed:
        accepted = math.ceil(math.ceil(needed / size) * each / RATE / part)
        raise ConfigurationError(
            f"rampgate.toml: flags.duration: in {flags.duration:g} s {most:,} users can be asked twice, "
            f"where {needed:,} are needed; accepted is at least {accepted} s"
        )
    if flags.required and flags.duration < least:
        raise ConfigurationError(
            f"rampgate.toml: flags.duration: {flags.duration:g} s are too short to see that each "
            f"{flags.unit} is on one side (rollout.unit); accepted is at least {least} s"
        )


@dataclass
class _Survey:
    """Asks for users that nobody could prepare for, all of them twice.

    Whatever changes while the check lasts is seen: all are asked for first, and then all of them again.
    """

    flags: FlagSettings
    context: Context
    ended: BaseException | None = None
    seed: int = field(default_factory=partial(random.SystemRandom().getrandbits, 64))
    users: list[User] = field(init=False)

    def measure(self) -> list[Measurement]:
        """Ask for all users, for some of them one by one as well, and for all of them again."""
        flags, context = self.flags, self.context
        clients = partial(context.client, "api", account="none", at=flags.url or "")
        clients().close()  # where the API does not answer, no thread asks
        clock, seconds = context.clock, flags.duration
        probe = FlagProbe(clients, flags, flags.bulk, clock=clock, ends=context.ends)
        names = list(flags.expected)
        self.users = fresh_users(KNOWN_USERS if self._known else UNKNOWN_USERS, self.seed)
        first = Asked(names, self.users)
        single = Asked(names, self.users[:SINGLE_USERS] if flags.bulk else ())
        repeated, former = first, list(_former(flags, context))
        grouped = arms.grouped(flags)
        self._announce(len(probe.requests(names)), len(single.users))
        begun = clock.monotonic()
        try:
            probe.fill(first, until=begun + seconds / 2)
            repeated = Asked(names, [self.users[at] for at in first.whole])
            for asked in former:
                probe.fill(asked, until=begun + seconds * 5 / 8)
            if flags.has_arms:
                probe.fill(grouped, until=begun + seconds * (_PART + arms.PART))
            probe.fill(single, until=begun + seconds * 3 / 4, one_by_one=True)
            probe.fill(repeated, until=begun + seconds)
            if not flags.has_arms:  # only shown: in the time that is left
                probe.fill(grouped, until=begun + seconds)
        except (Exception, KeyboardInterrupt) as ended:  # noqa: BLE001  # raised when what it has is judged
            self.ended = ended
        counts = probe.counts
        return [
            *self._counted(counts, first, single, repeated),
            *arms.counted(flags, counts, grouped),
            *(counts.nesting(a.flags[0], a.users, a.of(a.flags[0], range(len(a.users)))) for a in former),
        ]

    @property
    def cut(self) -> str:
        """Why not all were asked, for checks that ask nobody themselves."""
        return str(self.ended) or type(self.ended).__name__ if self.ended else ""

    @property
    def _known(self) -> bool:
        return self.flags.algorithm != "unknown"

    def _counted(
        self, counts: FlagCounts, first: Asked, single: Asked, repeated: Asked
    ) -> Iterator[Measurement]:
        """What the decisions come to, of the users whose flags were all asked."""
        asked = first.whole
        users = [self.users[at] for at in asked]
        twice = repeated.whole if repeated is not first else []
        both = [at for at in single.whole if at in set(asked)]
        for flag, percentage in self.flags.expected.items():
            got = first.of(flag, asked)
            second = repeated.of(flag, twice)
            if self._known:
                found = counts.mismatches(flag, users, got, [self._reference(flag, user) for user in users])
            else:
                found = counts.share(flag, got)
            on = [at for at, decision in zip(asked, got, strict=True) if decision]
            yield replace(found, details={**found.details, _DECIDED: packed(self.seed, on)})
            if single.users:
                some = [self.users[at] for at in both]
                one_by_one, in_bulk = single.of(flag, both), first.of(flag, both)
                yield counts.mismatches(flag, some, one_by_one, in_bulk, form="single")
            yield counts.changed(flag, [users[at] for at in twice], [got[at] for at in twice], second)
            if percentage == 0:
                ever = ever_decided(flag, first, single, repeated)
                yield counts.on_when_off(flag, list(ever), list(ever.values()))

    def _announce(self, requests: int, singles: int) -> None:
        """Say how long it may take, where that is long."""
        flags, bulk, users = self.flags, self.flags.bulk, len(self.users)
        once = -(-users // bulk.chunk) if bulk else users * requests
        seconds = min((2 * once + singles * requests) / RATE, flags.duration)
        if seconds > LONG_S:
            self.context.progress(
                f"flags: {len(flags.expected)} flags, at most {RATE:g} requests a second, every user asked "
                f"for twice: up to {formats.duration(seconds)}"
            )

    def _reference(self, flag: str, user: User) -> bool:
        percentage = self.flags.expected[flag]
        place = self.flags.place(flag, *user)
        return decide(percentage, percentage > 0, None, None, place, self.flags.semantics)


def _former(flags: FlagSettings, context: Context) -> Iterator[Asked]:
    """For each flag whose percentage has risen since an earlier run, users who had it then."""
    expected: dict[str, float] = dict(flags.expected)
    for run in context.earlier():
        then: Mapping[str, Any] = (run.settings.get("flags") or {}).get("expected", {})
        others = {flag for flag in expected if then.get(flag, expected[flag]) != expected[flag]}
        for measured in run.measurements() if others else ():
            flag = measured.get("labels", {}).get("flag")
            decided = measured.get("details", {}).get(_DECIDED)
            if flag in others and decided:
                others.discard(flag)
                risen = then[flag] < expected.pop(flag)
                if risen and (users := unpacked(decided, FORMER_USERS)):  # at 0 % nobody had it
                    yield Asked([flag], users)
