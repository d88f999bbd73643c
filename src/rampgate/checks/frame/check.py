"""What rampgate knows of a check, all of it from the check's one file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from rampgate.clock import Clock, SystemClock
from rampgate.errors import ProbeError
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import httpx

    from rampgate.checks.frame.table import Table
    from rampgate.model.measurement import Measurement
    from rampgate.model.metrics import Metric

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DefaultThreshold:
    """A threshold that is in force when the settings say nothing.

    Args:
        name: by which settings change it.
        text: as in [thresholds].
        severity: of a failure.
        bad: whether the text says what is bad.
    """

    name: str
    text: str
    severity: Severity = Severity.WARNING
    bad: bool = False


class OpenClient(Protocol):
    """Opens a client of the target; whoever asks for one closes it."""

    def __call__(
        self, service: str, *, account: Literal["user", "admin", "none"] = "user", at: str = ""
    ) -> httpx.Client:
        """A client of a service.

        Args:
            service: ``web`` or ``api``.
            account: the session of [login], the token of the administrator, or neither.
            at: the address of another service, which gets no account and nothing else of the target's.

        Raises:
            UnreachableError: the service does not answer.
        """


class Visit(Protocol):
    """Opens a page of the web server in a browser."""

    def __call__(self, path: str, work: Callable[[Any, str], Awaitable[T]], *, signed_in: bool) -> T:
        """Do something in a tab of its own.

        Args:
            path: of the page.
            work: what to do, with an empty tab and the page's address.
            signed_in: whether the browser has the session of [login].

        Raises:
            ProbeError: there is no browser, or it failed.
            UnreachableError: the web server does not answer.
        """


class EarlierRun(NamedTuple):
    """What an earlier run was about and measured.

    Args:
        settings: its settings as its journal has them, plain JSON.
        measurements: reads them from its journal, plain JSON, in the order in which they were made.
    """

    settings: Mapping[str, Any]
    measurements: Callable[[], Iterable[Mapping[str, Any]]]


def _no_store(name: str) -> AbstractContextManager[Any]:
    raise ProbeError(f"[{name}] is not configured")


def _no_probe(metric: str, subject: str) -> Sequence[Measurement]:
    raise ProbeError(f"{metric} of {subject or 'the target'} is not measured here")


@dataclass(frozen=True)
class Context:
    """What a check is given beside its settings, and all of it.

    Args:
        run_id: names the run in requests and messages.
        environment: whose deployment is checked.
        client: opens a client of the target.
        visit: opens a page in a browser.
        clock: gives the time, and waits.
        progress: shows a line to whoever watches.
        quoted: takes secrets out of page content that may be kept; None: none may.
        service: what is asked where a check is about the target as a whole: the API, else the web server.
        ends: when the stage's time is up, on the clock's monotonic scale.
        once: makes what is to be made once in a run, by whichever process comes first; plain JSON.
        earlier: the runs of this stage on the same target, the newest first.
        prometheus: the address of [monitoring] prometheus, "" where there is none, and its headers, secrets.
        store: opens a client of [mongodb] or [redis]; raises StoreError where it does not answer.
        probe: measures one of our own metrics of one subject: ``up`` of ``api``, a score of a page.
    """

    run_id: str
    environment: str
    client: OpenClient
    visit: Visit
    clock: Clock = field(default_factory=SystemClock)
    progress: Callable[[str], None] = field(default=lambda _: None)
    quoted: Callable[[str], str] | None = None
    service: str = "api"
    ends: float = math.inf
    once: Callable[[str, Callable[[], Any]], Any] = field(default=lambda _, make: make())
    earlier: Callable[[], Iterable[EarlierRun]] = field(default=lambda: ())
    prometheus: tuple[str, Mapping[str, str]] = ("", MappingProxyType({}))
    store: Callable[[Literal["mongodb", "redis"]], AbstractContextManager[Any]] = field(default=_no_store)
    probe: Callable[[str, str], Sequence[Measurement]] = field(default=_no_probe)


def no_labels(_: Any) -> Mapping[str, Sequence[str]]:
    """Of a check whose measurements carry none."""
    return {}


def no_metrics(_: Any) -> Iterable[Metric]:
    """Of a check whose settings declare none."""
    return ()


def no_problems(*_: Any) -> Iterable[str]:
    """Of a check whose settings name no file that must be there."""
    return ()


@dataclass(frozen=True)
class Check:
    """A check: a module of checks/ defines it as ``CHECK``, beside its ``measure(settings, context)``.

    Args:
        subject: the fixture by which a function in validation/ asks for its settings; its place in the plan.
        table: its table in rampgate.toml, and its name for ``require``.
        settings: that table; of a check of which there may be several, the table of one, with a name.
        several: whether it is ``[[table]]``, with one check for each.
        parts: further subjects of the same table -> what of its settings they are about, if anything.
        of_target: whether it asks the target, so that there is none where [target] has no address.
        metrics: what it measures.
        thresholds: in force when the settings say nothing.
        labels: its settings -> label -> values that its measurements can carry, for ``where``.
        declares: its settings -> further metrics, which thresholds may name.
        problems: its settings, and the folder of rampgate.toml -> what is wrong with files that they name.
        extra: the optional dependency that it needs, "" for none.
        modules: of that extra, which must be importable.
        with_tables: further tables of rampgate.toml, by name, which say how it measures.
    """

    subject: str
    table: str
    settings: Any
    several: bool = False
    parts: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    of_target: bool = False
    metrics: tuple[Metric, ...] = ()
    thresholds: tuple[DefaultThreshold, ...] = ()
    labels: Callable[[Any], Mapping[str, Sequence[str]]] = no_labels
    declares: Callable[[Any], Iterable[Metric]] = no_metrics
    problems: Callable[[Any, Path], Iterable[str]] = no_problems
    extra: str = ""
    modules: tuple[str, ...] = ()
    with_tables: Mapping[str, type[Table]] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, tuple[Any, Any]]:
        """Table -> type and default of its field in the settings, as pydantic's create_model takes them."""
        own: tuple[Any, Any] = (self.settings | None, None)
        own = (list[self.settings], []) if self.several else own  # type: ignore[name-defined]  # made at run time
        return {self.table: own, **{name: (table, table()) for name, table in self.with_tables.items()}}

    def subjects(self, configured: Any) -> dict[str, Any]:
        """Id -> settings of each check; the id of a check that exists once is "".

        Args:
            configured: what rampgate.toml says in its table.
        """
        if self.several:
            return {entry.name: entry for entry in configured}
        return {"": configured} if configured else {}

    def parted(self, configured: Any) -> dict[str, dict[str, Any]]:
        """Each subject -> id -> settings; nothing for those that are not configured.

        Args:
            configured: what rampgate.toml says in its table.
        """
        parts = {name: part(configured) if configured else None for name, part in self.parts.items()}
        return {
            self.subject: self.subjects(configured) if configured else {},
            **{name: {"": thing} if thing else {} for name, thing in parts.items()},
        }
