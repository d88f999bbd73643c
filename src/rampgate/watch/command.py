"""`rampgate watch`: rounds until the time is over, a rule decides, or somebody interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.config import locate, watch_pages
from rampgate.config.loading import load
from rampgate.errors import ConfigurationError, EvidenceError, ExitCode
from rampgate.evidence.lock import watch_lock
from rampgate.evidence.session import invocation
from rampgate.io import logs
from rampgate.report import table
from rampgate.stage.stage_session import demo_source
from rampgate.watch.live import Display
from rampgate.watch.session import Asked, Watch
from rampgate.watch.source import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import ExitStack

    from rampgate.config.settings import Settings
    from rampgate.judging.results import Verdict
    from rampgate.model.redact import Redactor

_LONGEST_PAUSE_S = 5.0
_COMMAND_S = 300.0


@dataclass(frozen=True)
class Options:
    """What was typed.

    Args:
        seconds: how long is to be observed.
        once: whether it is one round.
        on_critical: a command, ``alert`` for none, None for what the settings say.
        notes: what a reader must know from the beginning.
    """

    seconds: float
    once: bool = False
    on_critical: str | None = None
    notes: tuple[str, ...] = ()


def settings_of(
    given: Mapping[str, Any], stack: ExitStack, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, Redactor, Path, tuple[str, ...]]:
    """The settings of a watch, what masks their secrets, the folder that they are relative to, and notes.

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
    settings = watch_pages.audited(settings, base, by_path=any(demos))
    return settings, redactor, base, tuple(source.get("notes", ()))


def run(settings: Settings, redactor: Redactor, base: Path, options: Options) -> ExitCode:
    """Watch, and return the exit code of what it comes to.

    Raises:
        ConfigurationError: every problem of the rules.
        RefusedError: another watch of this target goes on.
        EvidenceError: nothing can be remembered or written.
    """
    reader = Reader(settings)
    asked = Asked(options.seconds, invocation(), options.notes, channels=_channels(settings))
    display = Display(redactor)
    with watch_lock(settings, "watch"), Watch(settings, redactor, base, reader.source, asked) as watch:
        reader.begin(watch.run)
        try:
            with _interruptible(), display:
                _rounds(watch, display, once=options.once)
        except KeyboardInterrupt:
            display.line("interrupted: what was observed is judged")
            return _end(watch, options, early=True)
        finally:
            reader.close()
        if options.once and not (watch.over or watch.rolls_back):
            display.line(f"{watch.left}; not judged yet")
            return ExitCode.HOLD
        return _end(watch, options, early=False)


def _rounds(watch: Watch, display: Display, *, once: bool) -> None:
    """Rounds, each as something is due, until the watch is over."""
    begun = watch.clock.monotonic()
    while True:
        try:
            display.show(watch, watch.round())
        except EvidenceError as error:  # a full disk: this round does not count as observed
            display.line(str(error))
        for trouble in watch.troubles:
            display.line(trouble)
        watch.troubles.clear()
        lasted = watch.clock.monotonic() - begun
        if once or watch.rolls_back or (watch.asked.seconds and lasted >= watch.asked.seconds):
            return
        pause = watch.engine.next_due() - watch.clock.now()
        watch.clock.sleep(min(max(pause, 0.05), _LONGEST_PAUSE_S))


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends a watch as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(watch: Watch, options: Options, *, early: bool) -> ExitCode:
    for number in (signal.SIGINT, signal.SIGTERM):  # what was observed is judged in any case
        signal.signal(number, signal.SIG_IGN)
    verdict = watch.end(early=early)
    table.render(verdict, table.console(), folder=watch.run.folder)
    if watch.rolls_back:
        _on_critical(watch, options, verdict)
    return verdict.decision.exit_code


def _on_critical(watch: Watch, options: Options, verdict: Verdict) -> None:
    """Run the command that was asked for, once; what it comes to changes no verdict."""
    typed = options.on_critical
    command = (
        list(watch.settings.watch.on_critical)
        if typed is None
        else []
        if typed == "alert"
        else ["sh", "-c", typed]
    )
    if not command:
        return
    reason = verdict.reasons[0] if verdict.reasons else ""
    with suppress(OSError, subprocess.TimeoutExpired):
        environment = {**os.environ, "RAMPGATE_RUN": verdict.run, "RAMPGATE_REASON": reason}
        code = subprocess.run(command, env=environment, timeout=_COMMAND_S, check=False).returncode
        sys.stderr.write(f"rampgate: on_critical ended with exit code {code}\n")
        return
    sys.stderr.write("rampgate: on_critical could not be run, or took too long\n")


def _channels(settings: Settings) -> tuple[tuple[str, str, float], ...]:
    """Name, address and time of each channel that is told.

    Raises:
        ConfigurationError: a name that no channel has.
    """
    known = {channel.name: channel for channel in settings.table("alerts")}
    names = list(known) if settings.watch.alerts is None else settings.watch.alerts
    if wrong := [name for name in names if name not in known]:
        accepted = ", ".join(known) or "none, for there are no [[alerts]]"
        raise ConfigurationError(
            f"{settings.file}: watch.alerts: found {wrong[0]!r}; accepted are {accepted}"
        )
    return tuple((name, known[name].url.get_secret_value(), known[name].timeout) for name in names)
