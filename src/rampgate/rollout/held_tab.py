"""A tab that is open while a rollback is made: when it reads off by itself, or whether it ever does.

A process of its own opens it beside the rollback, at the lowest priority; nothing waits for it before the
features are off.
"""

from __future__ import annotations

import multiprocessing
import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rampgate.config import rollback
from rampgate.config.in_force import ROLLOUT
from rampgate.errors import RampgateError
from rampgate.model import formats
from rampgate.rollout.records import StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from playwright.async_api import Page

    from rampgate.checks.pages import PageSettings
    from rampgate.rollout.records import Step
    from rampgate.rollout.session import Session
    from rampgate.stage.rollback_tab import OpenTab

GRADUAL_WAITS_S = 15.0
"""So long a gradual rollback waits for the tab to be open; an emergency does not."""
_RELOADS_S = 45.0
"""For loading the page again, until it is given up."""
_LEFT_AFTER_S = 3.0
_DAY_S = 86_400.0
_LOWEST = 19


@dataclass
class HeldTab:
    """What is known of the tab, as its process says it.

    Args:
        name: of its page.
        began: when it was begun to open it, seconds since the epoch.
        process: whose connection this is.
    """

    name: str
    began: float
    process: Connection

    opened: float | None = None
    """When it was open and had read the features, seconds since the epoch."""
    had: bool = False
    """Whether any of them was on then."""
    off: float | None = None
    """When it read them off by itself, seconds since the epoch."""
    still: list[str] | None = None
    """Those that it read on once it was loaded again; None where it was not."""
    trouble: str = ""
    ended: bool = False
    """Whether nothing more is heard of it."""

    def hear(self, seconds: float) -> bool:
        """Take what its process says next; False where it says nothing for so long."""
        try:
            if self.ended or not self.process.poll(seconds):
                return self.ended
            for name, value in self.process.recv().items():
                setattr(self, name, value)
        except (EOFError, OSError):
            self.ended = True
        return True

    def wait_open(self, seconds: float) -> None:
        """Wait until it is open, or will not be; no longer than that."""
        while self.opened is None and not self.ended and self.hear(seconds):
            pass

    def was_open(self, seen: float) -> bool:
        """Whether it had the features before a change had been read back."""
        return self.had and self.opened is not None and self.opened <= seen

    def wait(self, seconds: float) -> None:
        """Wait until it has read off; after so long it is loaded again."""
        while not self.ended and self.hear(seconds):
            pass
        if not self.ended:
            with suppress(OSError):
                self.process.send("over")
            while not self.ended and self.hear(_RELOADS_S):
                pass

    def found(self, called: Iterable[float], seen: float) -> dict[str, Any]:
        """What it came to, as history keeps it: ``sentence``, and ``off_s`` where it read off by itself.

        Args:
            called: when the actuators were called for each change, seconds since the epoch.
            seen: when the last change had been read back.
        """
        before = [at for at in called if self.began <= at <= (self.off or seen)]
        tab = f"a tab with page {self.name}"
        if not self.was_open(seen) or not before:
            why = f" ({self.trouble})" if self.trouble else ""
            return {"sentence": f"{tab} was not open before the change{why}: not looked at"}
        if self.off is not None:
            took = round(self.off - max(before), 3)
            after = formats.duration(took)
            return {"sentence": f"{tab} that was open read off after {after} by itself", "off_s": took}
        if self.still:
            kept = ", ".join(self.still)
            return {"sentence": f"{tab} that was open reads {kept} on, also once it was loaded again"}
        if self.still is None:
            why = self.trouble or "it was not loaded again in time"
            return {"sentence": f"{tab} that was open kept the features, and then: {why}"}
        return {"sentence": f"{tab} that was open kept the features until it was loaded again"}


@contextmanager
def held_tab(session: Session) -> Iterator[HeldTab | None]:
    """The page of `rollout.tab`, opened beside the rollback; None where there is none."""
    settings = session.settings
    page = next((each for each in settings.pages if each.name == settings.rollout.tab), None)
    if page is None or settings.flags is None:
        yield None
        return
    current = session.state.current()
    features = list(current.features) if current else rollback.features(settings)
    began = session.clock.now()
    try:
        process, connection = _begin(session, page, features)
    except OSError as error:  # no process, no file left: a rollback goes on without
        session.say(f"page {page.name} cannot be held open: {error.strerror}")
        yield None
        return
    try:
        with connection:
            yield HeldTab(page.name, began, connection)
    finally:
        if process is not None:
            process.join(_LEFT_AFTER_S)
            process.kill()


def report(session: Session, held: HeldTab | None, step: Step) -> None:
    """Say what the tab came to, keep it in the history of the step, and tell the team where it was open."""
    if held is None or step.status is not StepStatus.DONE:
        return
    seen = step.ended or session.clock.now()
    held.wait_open(0.0)
    if held.was_open(seen):
        held.wait(session.settings.rollout.propagation)
    calls = [call["at"] for each in session.state.steps() for call in each.calls[:1]]
    found = held.found(calls, seen)
    session.say(found["sentence"])
    with session.state.transaction():
        session.state.note(replace(step, effect={**step.effect, "tab": found}))
    if held.was_open(seen):
        session.notify(
            f"rollback in {session.settings.environment}", found["sentence"], failed=bool(held.still)
        )


def _begin(
    session: Session, page: PageSettings, features: list[str]
) -> tuple[BaseProcess | None, Connection]:
    """A process that opens the page, and the connection to it; when that closes, it ends."""
    forks = multiprocessing.get_context("fork")
    ours, theirs = forks.Pipe()
    process = forks.Process(target=_hold, args=(session, page, features, ours, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _hold(
    session: Session, page: PageSettings, features: list[str], ours: Connection, theirs: Connection
) -> None:
    """Hold the page open, and say what becomes of it, in a process of its own."""
    os.nice(_LOWEST)
    ours.close()
    with theirs, suppress(KeyboardInterrupt, OSError):
        try:
            _visit(session, page, features, theirs)
        except RampgateError as error:
            theirs.send({"trouble": session.redactor.text(str(error))})
        except Exception as error:  # noqa: BLE001  # a browser that fails is no failure of a rollback
            theirs.send({"trouble": type(error).__name__})


def _visit(session: Session, page: PageSettings, features: list[str], making: Connection) -> None:
    """Do the work of a tab in a browser of its own, signed in where the page is for those.

    Raises:
        ProbeError: there is no browser, or it failed.
        RefusedError: an address is not among allowed_hosts.
    """
    from rampgate.io.browser import SignedInBrowser
    from rampgate.io.browser_tools import find_browser
    from rampgate.stage.browsers import started
    from rampgate.stage.rollback_tab import OpenTab

    settings, learn = session.settings, partial(session.redactor.learn, session=True)
    if settings.flags is None:
        return
    url = settings.target.base("web") + page.path
    opened = OpenTab(page.name, url, settings.flags, features)
    program, signed_in = find_browser(os.environ), page.sign_in
    with ExitStack() as stack:
        browser = stack.push(started(SignedInBrowser, program, settings, ROLLOUT, learn, signed_in=signed_in))
        browser.visit(url, partial(_look, session, opened, making), seconds=_DAY_S)


async def _look(session: Session, opened: OpenTab, making: Connection, tab: Page) -> None:
    """Open the page, hold it until it reads off or that is over, and then load it again."""
    await opened.open(tab)
    making.send({"had": bool(opened.on), "opened": session.clock.now()})
    if not opened.on:
        return
    if await opened.until_off(tab, making.poll):
        making.send({"off": session.clock.now()})
        return
    try:
        making.recv()
    except EOFError:  # whoever made it has ended
        return
    await opened.load(tab)
    making.send({"still": opened.on})
