"""Where a watch reads: the sources of metrics, the percentage, the version, and who measures beside it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from rampgate.checks import metrics
from rampgate.checks.running_version.settings import UNKNOWN
from rampgate.checks.version import measure_few
from rampgate.config import in_force
from rampgate.errors import ProbeError
from rampgate.evidence import lock
from rampgate.evidence.once import BROWSER, alone
from rampgate.io.http import ask, find
from rampgate.stage.context import StageContext
from rampgate.watch.asked import Source
from rampgate.watch.readers import trouble_of
from rampgate.watch.rounds import Position

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from rampgate.checks.frame.check import Context
    from rampgate.checks.frame.source import MetricSettings
    from rampgate.config.settings import Settings
    from rampgate.evidence.run import Run
    from rampgate.model.measurement import Measurement

_MOST = 100.0
_LOAD = "the load of this stage"


class Reader:
    """Reads for a watch, over connections and a session of its own.

    Args:
        settings: name the target and [watch].
        within: whether the watch belongs to a stage, which holds the target's lock all the time.
    """

    def __init__(self, settings: Settings, *, within: bool = False) -> None:
        self._settings, self._within = settings, within
        self._stage: StageContext | None = None

    def begin(self, run: Run) -> None:
        """From now on requests carry this run's id."""
        self.close()
        self._stage = StageContext(run, skips=False)

    @property
    def source(self) -> Source:
        """What a watch is made with."""
        return Source(self.read, self.position, self.puts_off, self.measuring, self.begin)

    def read(self, entry: MetricSettings) -> Sequence[Measurement]:
        """Read the metric of an entry.

        Raises:
            RampgateError: there is none; one line says why.
        """
        context = self._context()
        with self._turn(entry):
            return metrics.measure(entry, context, self._settings.watch.max_age)

    def _turn(self, entry: MetricSettings) -> AbstractContextManager[None]:
        """Within a stage, an audit waits until no journey has a browser, and the other way round."""
        browsing = self._within and entry.puts_load
        return alone(self._stage.run.folder / BROWSER) if browsing and self._stage else nullcontext()

    def position(self) -> Position:
        """Percentage and version, as far as they can be read now."""
        troubles: list[str] = []
        percentage, versions, instances = self._settings.percentage, set[str](), set[str]()
        try:
            percentage = self._percentage()
        except Exception as error:  # noqa: BLE001  # as of a metric: a reading that is missing
            percentage = None
            troubles.append(trouble_of("watch.percentage", error))
        try:
            versions, instances = self._versions()
        except Exception as error:  # noqa: BLE001
            troubles.append(trouble_of("the version", error))
        return Position(percentage, tuple(sorted(versions)), frozenset(instances), "; ".join(troubles))

    def puts_off(self, entry: MetricSettings) -> bool:
        """Whether an entry is not read now: audits of our own never run beside a run that measures."""
        return entry.puts_load and bool(self.measuring())

    def measuring(self) -> str:
        """Who measures the target now, "" where nobody does; within a stage its load run alone counts."""
        found = lock.measured_by(self._settings, within=self._within)
        return _LOAD if found and self._within else found

    def close(self) -> None:
        """Stop what was started."""
        if self._stage:
            self._stage.close()
            self._stage = None

    def _context(self) -> Context:
        if self._stage is None:
            raise ProbeError("the watch has not begun")
        return self._stage.context()

    def _percentage(self) -> float | None:
        where = self._settings.watch.percentage
        if where is None:
            rollout = in_force.newest(self._settings)
            return rollout[0] if rollout else self._settings.percentage
        with self._context().client("api", account="admin" if where.admin else "user") as http:
            answer = ask(http, "GET", where.path)
        found = find(where.value, answer.json()) if answer.ok else None
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= _MOST:
            what = answer.trouble if not answer.ok else f"{found!r} at {where.value!r}"
            raise ProbeError(
                f"watch.percentage, {where.path}: found {what}; accepted is a number of 0 to 100"
            )
        return float(found)

    def _versions(self) -> tuple[set[str], set[str]]:
        version = self._settings.version
        if version is None:
            return set(), set()
        account: Literal["user", "none"] = "user" if version.sign_in else "none"
        service = "api" if self._settings.target.api else "web"
        clients = partial(self._context().client, service, account=account, at=version.url or "")
        found, _ = measure_few(version, clients, {})
        versions = set(found.details["versions"])
        instances = {name for each in found.details["instances"].values() for name in each}
        return versions - {UNKNOWN}, instances - {UNKNOWN}
