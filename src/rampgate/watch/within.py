"""The watch inside a stage: ``python -m rampgate.watch.within SECONDS``, a process of the stage's run."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.config import rehearsal, soak, watch_pages
from rampgate.config.loading import load
from rampgate.errors import EvidenceError, ExitCode, RampgateError
from rampgate.evidence import session
from rampgate.io import logs
from rampgate.model.redact import Redactor
from rampgate.watch.asked import Asked
from rampgate.watch.command import interruptible, rounds, say
from rampgate.watch.live import Display
from rampgate.watch.session import LATEST, LATEST_ROUNDS, Watch
from rampgate.watch.source import Reader
from rampgate.watch.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.judging.results import Verdict
    from rampgate.watch.rounds import Round

_FILE = "watch.sqlite"
_LINE_EVERY_S = 10.0
"""The stage shows the last line; its own log gets one a minute."""
_ALIVE_EVERY_S = 20.0
_LATE_S = 900.0
"""How much longer than it may observe a watch may take: audits are waited for at its end."""


class WatchWithin(Watch):
    """A watch that keeps what it has read over its whole time, and writes it at its end."""

    totals: Totals

    def round(self, *, wait: bool = False) -> Round:
        """One round; see ``Watch.round``."""
        found = super().round(wait=wait)
        self.totals.take(self.engine, found, measuring=bool(self.source.measuring()))
        return found

    def end(self, *, early: bool = False) -> Verdict:
        """Judge what was observed; see ``Watch.end``."""
        read = [each.to_json() for each in self.totals.measurements(self.engine)]
        unread = {name: each.trouble for name, each in self.engine.metrics.items() if each.trouble}
        self.run.journal.write("observed", measurements=read, unread=unread)
        return super().end(early=early)


def main(arguments: list[str], environ: Mapping[str, str] = os.environ) -> int:
    """Watch for so many seconds; returns the exit code of what the run comes to so far."""
    display = Display(Redactor())
    try:
        return _main(float(arguments[0]), environ)
    except KeyboardInterrupt:
        display.line("interrupted before anything was observed")
        return int(ExitCode.HOLD)
    except RampgateError as error:
        display.line(str(error))
        return int(error.exit_code)


def _main(seconds: float, environ: Mapping[str, str]) -> int:
    source = json.loads(environ[session.SOURCE_VARIABLE])
    path = Path(source["path"]) if source["path"] else None
    scale = source.get("time_scale", 1.0)
    own = source["from_environment"]
    settings, redactor = load(path, overrides=source["overrides"], from_environment=own, environ=environ)
    logs.masked(redactor)
    base = path.parent if path else Path()
    settings = watch_pages.audited(rehearsal.scaled(settings, scale), base, by_path=not own)
    settings = rehearsal.with_one_audit(settings, scale)
    within, run_id = environ[session.WITHIN_VARIABLE], session.name_run(environ)
    asked = Asked(
        seconds,
        invocation=session.invocation(),
        rehearsal=soak.is_short(settings),
        time_scale=scale,
        within=within,
        file=settings.reports.resolve() / run_id / _FILE,
    )
    reader = Reader(settings, within=True)
    display = Display(redactor, _LINE_EVERY_S)
    with (
        interruptible(),
        closing(reader),
        WatchWithin(settings, redactor, base, reader.source, asked) as watch,
    ):
        watch.totals = Totals(tuple(page.name for page in settings.pages if page.lighthouse))
        longest = LATEST * seconds + LATEST_ROUNDS * watch.engine.longest_interval + _LATE_S
        threading.Thread(target=_pulse, args=(longest,), daemon=True).start()
        return _watch(watch, display)


def _pulse(longest_s: float) -> None:
    """Say that this process goes on, as long as it may: the stage ends one that says nothing."""
    began = time.monotonic()
    while time.monotonic() - began < longest_s:
        os.write(1, f"{session.ALIVE}\n".encode())
        time.sleep(_ALIVE_EVERY_S)


def _watch(watch: WatchWithin, display: Display) -> int:
    early = False
    try:
        with display:
            rounds(watch, display)
    except KeyboardInterrupt:
        early = True
    for number in (signal.SIGINT, signal.SIGTERM):  # from here on it comes to its end in any case
        signal.signal(number, signal.SIG_IGN)
    try:
        return int(watch.end(early=early).decision.exit_code)
    except EvidenceError as error:
        display.line(f"{error}; nothing was judged")
        return int(ExitCode.HOLD)
    finally:
        say(watch, display)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
