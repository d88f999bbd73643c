"""Keeps a tab of a browser on its own site: no redirect leads it away, no secret goes elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rampgate.errors import ProbeError
from rampgate.io.http import site_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.async_api import CDPSession, Page


async def keep(page: Page, url: str, secrets: Mapping[str, str]) -> None:
    """From now on the tab itself goes nowhere but to the site of this address; its frames go where they will.

    What would lead it to another site fails there with ERR_BLOCKED_BY_CLIENT, before anything is sent.

    Args:
        page: the tab.
        url: an address on the only site that it may go to.
        secrets: headers that are added to requests to that site and to no other.
    """
    session = await page.context.new_cdp_session(page)
    tree = await session.send("Page.getFrameTree")
    rules = TabRules(site_of(url), secrets, str(tree["frameTree"]["frame"]["id"]))
    session.on("Fetch.requestPaused", _TabGuard(session, rules).paused)
    await session.send("Fetch.enable", {"patterns": rules.patterns})


async def arrive(page: Page, path: str) -> None:
    """Wait until the tab, sent off by a form, is on the path.

    Raises:
        ProbeError: it is on another one when the time is over.
    """
    from playwright.async_api import TimeoutError as PlaywrightTimeoutError

    try:
        await page.wait_for_url(lambda url: urlsplit(url).path == path)
    except PlaywrightTimeoutError:
        stayed = urlsplit(page.url).path
        raise ProbeError(f"after the sign-in form the browser is on {stayed}, not on {path}") from None


@dataclass(frozen=True, slots=True)
class TabRules:
    """What becomes of a request of a tab that the browser holds back.

    Args:
        site: the only one that the tab may go to.
        secrets: headers that are added to requests to that site and to no other.
        frame: the id of the tab's own frame.
    """

    site: str
    secrets: Mapping[str, str]
    frame: str

    @property
    def patterns(self) -> list[dict[str, str]]:
        """What is held back: only what may have to be stopped or changed; the rest is measured as it is."""
        patterns = [{"urlPattern": "*", "resourceType": "Document"}]
        return patterns + ([{"urlPattern": f"{self.site}/*"}] if self.secrets else [])

    def answer(self, event: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The command of the DevTools protocol that lets a request go on, or fails it, and its parameters."""
        request, parameters = event["request"], {"requestId": event["requestId"]}
        own = site_of(request["url"]) == self.site
        of_the_tab = event["resourceType"] == "Document" and event["frameId"] == self.frame
        if of_the_tab and not own:
            return "Fetch.failRequest", {**parameters, "errorReason": "BlockedByClient"}
        if own and self.secrets:
            headers = {name.lower(): value for name, value in request["headers"].items()}
            both = headers | {name.lower(): value for name, value in self.secrets.items()}
            parameters["headers"] = [{"name": name, "value": value} for name, value in both.items()]
        return "Fetch.continueRequest", parameters


class _TabGuard:
    """Answers for each request that the browser holds back."""

    def __init__(self, session: CDPSession, rules: TabRules) -> None:
        self._session = session
        self._rules = rules
        self._answers: set[asyncio.Task[None]] = set()

    def paused(self, event: dict[str, Any]) -> None:
        """A request waits; the answer is on its way when this returns."""
        task = asyncio.get_running_loop().create_task(self._answer(event))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, event: dict[str, Any]) -> None:
        from playwright.async_api import Error

        with contextlib.suppress(Error):  # the tab has been closed meanwhile, and the request with it
            await self._session.send(*self._rules.answer(event))
