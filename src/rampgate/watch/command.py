"""`rampgate watch`: rounds until the time is over, a rule decides, or somebody interrupts."""

from __future__ import annotations

import os
import signal
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.config import locate, watch_pages
from rampgate.config.loading import load
from rampgate.config.soak import FULL_S
from rampgate.config.watch_settings import ALERT, ROLLBACK
from rampgate.errors import ConfigurationError, EvidenceError, ExitCode
from rampgate.evidence.lock import watch_lock
from rampgate.evidence.session import invocation
from rampgate.io import logs
from rampgate.judging.standing import exit_code
from rampgate.report import table
from rampgate.stage.stage_session import demo_source
from rampgate.watch import state
from rampgate.watch.asked import Asked
from rampgate.watch.live import Display
from rampgate.watch.outbox import ROLLBACK as ROLLBACK_COMMAND
from rampgate.watch.session import Watch
from rampgate.watch.source import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import ExitStack

    from rampgate.config.settings import Settings
    from rampgate.model.redact import Redactor

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0


@dataclass(frozen=True)
class Options:
    """What was typed.

    Args:
        seconds: how long is to be observed.
        once: whether it is one round.
        on_critical: a command, ``alert`` for none, None for what the settings say.
        notes: what a reader must know from the beginning.
        origin: the options by which another command reads the same settings.
    """

    seconds: float
    once: bool = False
    on_critical: str | None = None
    notes: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()


def settings_of(
    given: Mapping[str, Any], stack: ExitStack, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, Redactor, Path, tuple[str, ...]]:
    """The settings of a watch, with the pages that its rules have it audit; see ``read``.

    Raises:
        ConfigurationError: every problem of the settings.
        ProbeError: the demo did not come up.
    """
    settings, redactor, base, notes = read(given, stack, environ)
    demo = bool(given["demo"] or given["demo_ready"])
    return watch_pages.audited(settings, base, by_path=demo), redactor, base, notes


def read(
    given: Mapping[str, Any], stack: ExitStack, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, Redactor, Path, tuple[str, ...]]:
    """The settings, what masks their secrets, the folder that they are relative to, and notes.

    Args:
        given: the options config, demo, demo_ready, stack and reports.
        stack: takes a demo down at the end.
        environ: where variables are looked up.

    Raises:
        ConfigurationError: every problem of the settings.
        ProbeError: the demo did not come up.
    """
    demos = ("--demo" if given["demo"] else None, "--demo-ready" if given["demo_ready"] else None)
    path = locate.settings_file("--config", given["config"], environ, *demos)
    source: dict[str, Any] = {"path": path and str(path), "overrides": {}, "from_environment": True}
    if any(demos):
        kind = f"watch-{given['stack']}" if given.get("stack") else "watch"
        source = demo_source(stack, given["demo_ready"], kind)
    overrides = {**source["overrides"], **({"reports": given["reports"]} if given["reports"] else {})}
    path = Path(source["path"]) if source["path"] else None
    settings, redactor = load(path, overrides=overrides, from_environment=source["from_environment"])
    logs.masked(redactor)
    base = path.parent if path else Path()
    return settings, redactor, base, tuple(source.get("notes", ()))


def origin_of(given: Mapping[str, Any], settings: Settings) -> tuple[str, ...]:
    """The options by which another command reads the same settings; a demo of our own has none.

    Args:
        given: the options demo_ready and config.
        settings: that were read.
    """
    if given["demo_ready"]:
        return ("--demo-ready", str(Path(given["demo_ready"]).resolve()))
    return () if given["demo"] else ("--config", str(Path(settings.file).resolve()))


def run(settings: Settings, redactor: Redactor, base: Path, options: Options) -> ExitCode:
    """Watch, and return the exit code of what it comes to.

    Raises:
        ConfigurationError: every problem of the rules.
        RefusedError: another watch of this target goes on.
        EvidenceError: nothing can be remembered or written.
    """
    reader = Reader(settings)
    words = command_of(settings, options.on_critical, options.origin)
    short = 0 < options.seconds < FULL_S
    asked = Asked(options.seconds, options.once, words, invocation(), options.notes, rehearsal=short)
    display = Display(redactor)
    with watch_lock(settings, state.file_of(settings)), interruptible(), closing(reader):
        try:
            with Watch(settings, redactor, base, reader.source, asked) as watch:
                return _watch(watch, display)
        except KeyboardInterrupt:
            display.line("interrupted before anything was observed")
            return ExitCode.HOLD


def _watch(watch: Watch, display: Display) -> ExitCode:
    """Rounds, and what they come to."""
    early = False
    try:
        display.begin(watch) if not watch.asked.once else None
        with display:
            rounds(watch, display)
    except KeyboardInterrupt:
        display.line("interrupted: what was observed is judged")
        early = True
    for number in (signal.SIGINT, signal.SIGTERM):  # from here on it comes to its end in any case
        signal.signal(number, signal.SIG_IGN)
    try:
        if watch.asked.once and not (watch.over or watch.rolls_back or early):
            watch.pause()
            display.line(f"{watch.left}; not judged yet")
            return ExitCode.HOLD
        verdict = watch.end(early=early)
    except EvidenceError as error:
        display.line(f"{error}; nothing was judged")
        watch.unjudged(error)
        return ExitCode.HOLD
    finally:
        say(watch, display)
    table.render(verdict, table.console(), folder=watch.run.folder)
    return exit_code(verdict)


def rounds(watch: Watch, display: Display) -> None:
    """Rounds, each as something is due, until the watch is over.

    Raises:
        KeyboardInterrupt: somebody interrupts.
    """
    once, said = watch.asked.once, ""
    while True:
        over = watch.over  # what takes long is waited for at the end
        try:
            display.show(watch, watch.round(wait=once or over))
            said = ""
        except EvidenceError as error:  # a full disk: this round does not count as observed
            display.line(str(error)) if str(error) != said else None
            said = str(error)
            watch.clock.sleep(min(watch.engine.longest_gap / 2, _LONGEST_PAUSE_S))
        say(watch, display)
        if once or over or watch.rolls_back:
            return
        if watch.is_of_another and not watch.asked.within:
            verdict = watch.end(early=True)
            display.line(f"{verdict.decision.name} of run {verdict.run}, for it was about another release")
            watch.renew()
            display.begin(watch)
            continue
        while not watch.over and (pause := watch.engine.next_due() - watch.clock.now()) > 0:
            watch.clock.sleep(min(pause, _LONGEST_PAUSE_S))
            if watch.jumps.seconds:
                break
        else:
            watch.clock.sleep(_SHORTEST_PAUSE_S)


def say(watch: Watch, display: Display) -> None:
    """Show what could not be delivered or written."""
    for trouble in watch.troubles:
        display.line(trouble)
    watch.troubles.clear()


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM ends a watch as Ctrl-C does."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def command_of(settings: Settings, typed: str | None, origin: Sequence[str] = ()) -> list[str]:
    """The command that runs when the watch rolls back; empty for none.

    Args:
        settings: have ``watch.on_critical``.
        typed: a command, ``rollback``, ``alert`` for none, None for what the settings say.
        origin: the options by which ``rampgate rollout`` reads the same settings.

    Raises:
        ConfigurationError: a rollback, and nothing says what changes the percentage.
    """
    given = list(settings.watch.on_critical) if typed is None else [typed]
    if given == [ROLLBACK]:
        rollout, reports = settings.rollout, str(settings.reports.resolve())
        if not (rollout.features and rollout.actuators):
            raise ConfigurationError(
                f"{settings.file}: watch.on_critical: found rollback; accepted is it beside "
                "rollout.features and rollout.actuators"
            )
        return [*ROLLBACK_COMMAND, "--by", "rampgate watch", "--reports", reports, *origin]
    if typed is None:
        return given
    return [] if typed == ALERT else ["sh", "-c", typed]
