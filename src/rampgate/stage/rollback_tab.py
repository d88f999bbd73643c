"""When a tab reads that features are off: by what its page asks the flag service, in a real browser."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from rampgate.config import rollback
from rampgate.errors import ProbeError
from rampgate.io.http import find, is_2xx
from rampgate.io.page_load import QUIET_MS
from rampgate.model import formats
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Page, Response

    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.checks.pages import PageSettings
    from rampgate.stage.context import StageContext

ASKS_WITHIN_S = 15.0
"""A page that has asked for no flag by then asks for none."""
_POLL_MS = 250
_MARGIN_S = 60.0
"""For opening the page twice."""


def reads_off(context: StageContext, page: PageSettings) -> list[Measurement]:
    """``tab_features_left`` and ``tab_off_time`` of a page, which stays open until it reads off.

    Raises:
        ProbeError: the page asks for none of the features, or cannot be opened.
        UnreachableError: the web server does not answer.
    """
    settings = context.run.settings
    if settings.flags is None:
        raise ProbeError("[flags] is not configured, so that nothing says what a tab asks for")
    within = settings.rollout.propagation
    opened = OpenTab(page.name, context.address(page), settings.flags, rollback.features(settings))
    return context.visit(page, lambda tab: opened.read(tab, within), seconds=within + _MARGIN_S)


class OpenTab:
    """A page that stays open, and what it was answered about the features.

    Args:
        name: of the page.
        url: its address.
        flags: how the flag service is asked.
        features: that must be off.
    """

    def __init__(self, name: str, url: str, flags: FlagSettings, features: list[str]) -> None:
        self._name, self._url, self._flags, self._features = name, url, flags, features
        self._paths = {flag: _pattern(flags.path, flag) for flag in features}
        self._answers: list[Response] = []
        self._now: dict[str, bool] = {}
        self._asked: dict[str, int] = {}

    async def read(self, tab: Page, within: float) -> list[Measurement]:
        """Open the page, wait until it reads off, and load it again where it does not.

        Args:
            tab: an empty one.
            within: seconds.
        """
        began = time.monotonic()
        await self.open(tab)
        off = await self.until_off(tab, lambda: time.monotonic() >= began + within)
        took = round(time.monotonic() - began, 3)
        if off:
            labels = {"page": self._name}
            time_off = Measurement("tab_off_time", "s", n=1, value=took, labels=labels)
            return [self._left(f"reads off: {', '.join(self._now)}"), time_off]
        kept, often = ", ".join(self.on), max(self._asked[flag] for flag in self.on)
        says = (
            f"reads {kept} on for {formats.duration(took)}, asked {often} times"
            if often > 1
            else f"asks once, and keeps {kept} until it is loaded again"
        )
        await self.load(tab)
        still = f"{', '.join(self.on)} on" if self.on else "off"
        return [self._left(f"{says}; then it reads {still}")]

    async def open(self, tab: Page) -> None:
        """As ``load``, in an empty tab."""
        tab.on("response", self._answered)
        await self.load(tab)

    async def until_off(self, tab: Page, over: Callable[[], bool]) -> bool:
        """Wait until it reads every feature as off; False where it does not before it is over.

        Args:
            tab: in which it is open.
            over: whether it has been waited for long enough.
        """
        while self.on and not over():
            await tab.wait_for_timeout(_POLL_MS)
            await self._hear()
        return not self.on

    @property
    def on(self) -> list[str]:
        """Features that it has read as on."""
        return [flag for flag, on in self._now.items() if on]

    def _left(self, says: str) -> Measurement:
        labels, details = {"page": self._name}, {"asked": dict(self._asked), "read": dict(self._now)}
        left = float(len(self.on))
        n = len(self._now)
        return Measurement("tab_features_left", n=n, value=left, labels=labels, note=says, details=details)

    def _answered(self, answer: Response) -> None:
        self._answers.append(answer)

    async def load(self, tab: Page) -> None:
        """Load the page, and wait until it was answered about a feature.

        Raises:
            ProbeError: it does not answer with 2xx, or asks for none of the features.
        """
        self._answers.clear()
        self._now, self._asked = {}, {}
        response = await tab.goto(self._url, wait_until="load")
        if response is not None and not is_2xx(response.status):
            raise ProbeError(f"page {self._name}: answered {response.status} in the browser")
        until = time.monotonic() + ASKS_WITHIN_S
        await tab.wait_for_timeout(QUIET_MS)
        await self._hear()
        while not self._now:
            if time.monotonic() > until:
                raise ProbeError(
                    f"rollout.tab: page {self._name} asked for none of {', '.join(self._features)}; accepted "
                    "is a page that asks the flag service itself"
                )
            await tab.wait_for_timeout(_POLL_MS)
            await self._hear()

    async def _hear(self) -> None:
        """Take what the page was answered since."""
        from playwright.async_api import Error

        answers, self._answers[:] = list(self._answers), []
        for answer in answers:
            path = urlsplit(answer.url).path
            about = [flag for flag in self._features if self._paths[flag].search(path)]
            bulk = self._flags.bulk is not None and path.endswith(self._flags.bulk.path.partition("?")[0])
            if not (about or bulk) or not is_2xx(answer.status):
                continue
            try:
                body = await answer.json()
            except (Error, ValueError):  # the page has left it behind, or it is none
                continue
            for flag in self._features if bulk else about:
                decided = self._decided(flag, body, bulk=bulk)
                if decided is not None:
                    self._now[flag] = decided
                    self._asked[flag] = self._asked.get(flag, 0) + 1

    def _decided(self, flag: str, body: Any, *, bulk: bool) -> bool | None:
        if not bulk or self._flags.bulk is None:
            return self._flags.decided(flag, body)[0]
        results = find(self._flags.bulk.results, body)
        first = results[0] if isinstance(results, list) and results else None
        return self._flags.decision(flag, first.get(flag))[0] if isinstance(first, dict) else None


def _pattern(path: str, flag: str) -> re.Pattern[str]:
    """The end of the paths by which a flag is asked for, for any user."""
    parts = re.split(r"(\{\w+\})", path.partition("?")[0])
    known = {"{flag}": re.escape(quote(flag, safe=""))}
    filled = (known.get(part, "[^/]*") if part.startswith("{") else re.escape(part) for part in parts)
    return re.compile("".join(filled) + "$")
