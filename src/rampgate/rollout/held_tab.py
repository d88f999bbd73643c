"""A tab that is open while a rollback is made: when it reads off by itself, or whether it ever does.

It is opened beside the rollback, by a thread which nothing waits for before the features are off.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rampgate.config import rollback
from rampgate.config.in_force import ROLLOUT
from rampgate.errors import RampgateError
from rampgate.model import formats
from rampgate.rollout.records import StepStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from playwright.async_api import Page

    from rampgate.checks.pages import PageSettings
    from rampgate.clock import Clock
    from rampgate.rollout.records import Step
    from rampgate.rollout.session import Session
    from rampgate.stage.rollback_tab import OpenTab

GRADUAL_WAITS_S = 15.0
"""So long a gradual rollback waits for the tab to be open; an emergency does not."""
_RELOADS_S = 45.0
"""For loading the page again, until it is given up."""
_LEFT_AFTER_S = 3.0
_DAY_S = 86_400.0


@dataclass
class HeldTab:
    """What is known of the tab; its thread writes it.

    Args:
        name: of its page.
        clock: gives the time.
        visit: opens an empty tab of a browser, and does this work in it.
    """

    name: str
    clock: Clock
    visit: Callable[[HeldTab], None]

    began: float = 0.0
    """When it was begun to open it, seconds since the epoch."""
    opened: float | None = None
    """When it was open and had read the features, seconds since the epoch."""
    had: bool = False
    """Whether any of them was on then."""
    off: float | None = None
    """When it read them off by itself, seconds since the epoch."""
    still: list[str] | None = None
    """Those that it read on once it was loaded again; None where it was not."""
    trouble: str = ""
    is_open: threading.Event = field(default_factory=threading.Event)
    """Set at the latest when it will not be open any more."""
    over: threading.Event = field(default_factory=threading.Event)
    """Set when it need not be held any longer."""
    ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Open it, beside whatever goes on."""
        self.began = self.clock.now()
        threading.Thread(target=self._run, name="open tab", daemon=True).start()

    def _run(self) -> None:
        try:
            self.visit(self)
        except RampgateError as error:
            self.trouble = str(error)
        except Exception as error:  # noqa: BLE001  # a browser that fails is no failure of a rollback
            self.trouble = type(error).__name__
        finally:
            self.is_open.set()
            self.ended.set()

    async def look(self, opened: OpenTab, tab: Page) -> None:
        """Open the page, hold it until it reads off or that is over, and then load it again.

        Args:
            opened: reads what the page is answered.
            tab: an empty one.
        """
        await opened.open(tab)
        self.had, self.opened = bool(opened.on), self.clock.now()
        self.is_open.set()
        if not self.had or self.over.is_set():
            return
        if await opened.until_off(tab, self.over.is_set):
            self.off = self.clock.now()
        else:
            await opened.load(tab)
            self.still = opened.on

    def was_open(self, seen: float) -> bool:
        """Whether it had the features before a change had been read back."""
        return self.had and self.opened is not None and self.opened <= seen

    def wait(self, seconds: float) -> None:
        """Wait until it has read off; after so long it is loaded again."""
        if not self.ended.wait(seconds):
            self.over.set()
            self.ended.wait(_RELOADS_S)

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
    held = HeldTab(page.name, session.clock, partial(_visit, session, page, features))
    held.begin()
    try:
        yield held
        held.over.set()
        held.ended.wait(_LEFT_AFTER_S)
    finally:
        held.over.set()


def report(session: Session, held: HeldTab | None, step: Step) -> None:
    """Say what the tab came to, keep it in the history of the step, and tell the team where it was open."""
    if held is None or step.status is not StepStatus.DONE:
        return
    seen = step.ended or session.clock.now()
    if held.was_open(seen):
        held.wait(session.settings.rollout.propagation)
    calls = [call["at"] for each in session.state.steps() for call in each.calls[:1]]
    found = held.found(calls, seen)
    session.say(found["sentence"])
    with session.state.transaction():
        session.state.note(replace(step, effect={**step.effect, "tab": found}))
    if held.was_open(seen):
        session.tell(
            f"rollback in {session.settings.environment}", found["sentence"], failed=bool(held.still)
        )


def _visit(session: Session, page: PageSettings, features: list[str], held: HeldTab) -> None:
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
        browser.visit(url, partial(held.look, opened), seconds=_DAY_S)
