"""``python -P -m rampgate.journeys``: makes one visit, as standard input says, and reports it."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError
from rampgate.journeys import vitals
from rampgate.journeys.browser import VisitBrowser
from rampgate.journeys.journey import Account, Journey
from rampgate.journeys.kept import Keeper
from rampgate.journeys.reasons import Reason, reason
from rampgate.journeys.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Callable

_QUIET_MS = 500
"""How long a page may go on after the last step."""
_KEEPING_S = 30.0
_UNREAD = "its page did not answer any more; why the visit ended is left out, for it may quote its session"
_CLOCKS = ("time", "monotonic", "perf_counter", "sleep")


class Reporter:
    """Writes events to a descriptor of its own: what the journey prints goes elsewhere.

    Only the process that makes the visit writes; one that the journey forks is none.

    Args:
        mark: with which each line begins.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._process = os.getpid()
        self._file = os.dup(1)
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._over = False

    @property
    def own(self) -> bool:
        """Whether this is the process that makes the visit."""
        return os.getpid() == self._process

    def __call__(self, event: str, **fields: Any) -> None:
        """Write one event."""
        if not self.own:
            return
        with self._lock:
            if not self._over:
                line = json.dumps({"event": event, **fields})
                os.write(self._file, f"{self._mark}{line}\n".encode())

    def end(self, why: Reason, step: str) -> None:
        """Write the last one."""
        self("end", outcome=why.outcome, why=why.why, place=why.place, step=step)
        with self._lock:
            self._over = True


class Watcher:
    """Follows the steps of a journey."""

    def __init__(self, report: Reporter, browser: VisitBrowser, keeper: Keeper) -> None:
        self._report, self._browser, self._keeper = report, browser, keeper
        self._counted = 0
        self.account_used = False
        self.running = ""
        self.steps = 0
        self.session_read = False
        self.broken: tuple[str, BaseException] | None = None

    def begun(self, name: str, *, still: bool) -> None:
        """A step begins."""
        self.running = name
        self.steps += 1
        self._report("step", name=name, still=still)

    def ended(self, name: str, ms: float, error: BaseException | None) -> None:
        """It has ended; whatever broke it counts, though the journey goes on without it.

        In a process that the journey forked it is none: an answer of the browser that this one reads is lost
        to the visit, which waits for it without an end.
        """
        if not self._report.own:
            return
        if error is not None and self.broken is None:
            self.broken = (name, error)
        self._report("stepped", name=name, ms=round(ms, 1), ok=error is None)
        if error is None:
            self._browser.settle()
        else:
            self._browser.stop()
        self.running = ""
        self.shifts()
        self._report("session", values=self._browser.session())
        self._keeper.trace(signed_in=self.account_used)

    def shifts(self) -> None:
        """What has moved since the last time is the last step's."""
        entries, self._counted = self._browser.entries[self._counted :], len(self._browser.entries)
        if self.steps:
            self._report("shifted", by=round(vitals.shifts(entries), 4))


def main() -> None:
    """Make the visit, and end, whatever the journey has left behind."""
    data = json.loads(sys.stdin.buffer.read())
    spec = Spec.from_json(data)
    report = Reporter(spec.mark)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    clocks = {name: getattr(time, name) for name in _CLOCKS}
    try:
        _visit(spec, report, clocks)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is told
        report.end(reason(error, spec.file, browser_up=True), "")
    os._exit(0)


def _visit(spec: Spec, report: Reporter, clocks: dict[str, Any]) -> None:
    function = _function(spec)
    account = Account(spec.email, spec.password) if spec.email or spec.password else None
    with VisitBrowser(spec, report) as browser:
        keeper = Keeper(spec, browser, report)
        watcher = Watcher(report, browser, keeper)
        journey = Journey(browser.page, spec.web, spec.values, account, watcher)
        timer = _end_after(spec.timeout_s, lambda: _hanging(report, watcher, spec.timeout_s))
        try:
            returned = _called(function, journey)
            why = _judged(returned, watcher, browser, clocks)
        except BaseException as error:  # noqa: BLE001  # sys.exit among them
            why = reason(error, spec.file, browser_up=browser.up)
        timer.cancel()
        step = watcher.running
        if watcher.broken:
            step, broke = watcher.broken
            why = reason(broke, spec.file, browser_up=browser.up)
        why = _of_handlers(why, browser, spec)
        if browser.in_the_way and why.outcome != "error":
            more = f"; {why.why}" if why.why else ""
            why = Reason("failed", f"{browser.in_the_way[0]}{more}", why.place)
        _end_after(_KEEPING_S, lambda: report.end(_without_session(why, watcher), step))
        _keep(report, browser, watcher, keeper, passed=why.outcome == "passed")
        why = _of_handlers(why, browser, spec) if why.outcome == "passed" else why
        if not browser.up:
            why = reason(ProbeError(""), spec.file, browser_up=False)
        report.end(why, step)


def _of_handlers(why: Reason, browser: VisitBrowser, spec: Spec) -> Reason:
    """What a handler raised is why a visit ended as it did, whatever came of it."""
    return reason(browser.raised[0], spec.file, browser_up=browser.up) if browser.raised else why


def _without_session(why: Reason, watcher: Watcher) -> Reason:
    """A reason as it may be kept: what the journey says is, once it is known what its session carries."""
    return why if watcher.session_read else why._replace(why=_UNREAD)


def _called(function: Callable[[Journey], object], journey: Journey) -> object:
    """What the journey returns; a process that it forked ends here, for the browser is not its own."""
    process = os.getpid()
    try:
        return function(journey)
    finally:
        if os.getpid() != process:
            os._exit(0)


def _keep(report: Reporter, browser: VisitBrowser, watcher: Watcher, keeper: Keeper, *, passed: bool) -> None:
    """What the visit measured, and what is kept of one that did not pass."""
    if passed:
        with suppress(Exception):  # a journey may close its page
            browser.page.wait_for_timeout(_QUIET_MS)
        browser.settle()
        watcher.shifts()
    else:
        browser.stop()
    report("session", values=browser.session(), last=browser.up)
    watcher.session_read = True
    if not passed:
        keeper.picture()
    keeper.end(passed=passed)
    report("vitals", documents=vitals.documents(browser.entries))


def _judged(returned: object, watcher: Watcher, browser: VisitBrowser, clocks: dict[str, Any]) -> Reason:
    """Whether a function that has returned did something that can be judged."""
    if returned is not None:
        kind = type(returned).__name__
        return Reason("error", f"the journey returned a {kind}, and may have done nothing; accepted is None")
    if replaced := [name for name, clock in clocks.items() if getattr(time, name) is not clock]:
        return Reason("error", f"the journey replaced time.{replaced[0]}: its times would be wrong")
    if not watcher.steps:
        return Reason("error", "the journey has made no step, so that nothing was judged")
    if not browser.requests:
        return Reason("error", "the journey asked the site for nothing, so that nothing was judged")
    return Reason("passed", "")


def _hanging(report: Reporter, watcher: Watcher, seconds: float) -> None:
    where = f"step {watcher.running!r}" if watcher.running else "the journey"
    why = f"{where} had not ended when the {seconds:g} s of the visit were over"
    report.end(Reason("failed", why), watcher.running)


def _end_after(seconds: float, last_words: Callable[[], None]) -> threading.Timer:
    """End this process, wherever it hangs, unless the timer is cancelled before."""

    def end() -> None:
        last_words()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def _function(spec: Spec) -> Callable[[Journey], object]:
    """The journey, of the user's own file.

    Raises:
        ProbeError: the file cannot be imported, or has no such function any more.
    """
    path = Path(spec.file)
    sys.path.append(str(path.parent))
    module_spec = importlib.util.spec_from_file_location(f"rampgate_journey_{path.stem}", path)
    if module_spec is None or module_spec.loader is None:
        raise ProbeError(f"{path.name}: is no Python file")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    try:
        module_spec.loader.exec_module(module)
        function: Callable[[Journey], object] = getattr(module, spec.function)
    except (Exception, SystemExit) as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ProbeError(f"{path.name}: cannot be imported: {why}") from error
    return function


if __name__ == "__main__":
    main()
