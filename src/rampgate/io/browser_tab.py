"""Keeps a tab of a browser on its own site: no redirect leads it away, no secret goes elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
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
    guard = _TabGuard(session, site_of(url), secrets, str(tree["frameTree"]["frame"]["id"]))
    session.on("Fetch.requestPaused", guard.paused)
    # Only what may have to be stopped or changed waits for us: the rest is measured as it is.
    patterns = [{"urlPattern": "*", "resourceType": "Document"}]
    patterns += [{"urlPattern": f"{guard.site}/*"}] if secrets else []
    await session.send("Fetch.enable", {"patterns": patterns})


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


class _TabGuard:
    """Answers for each request that the browser holds back."""

    def __init__(self, session: CDPSession, site: str, secrets: Mapping[str, str], frame: str) -> None:
        self.site = site
        self._session = session
        self._secrets = {name.lower(): value for name, value in secrets.items()}
        self._frame = frame
        self._answers: set[asyncio.Task[None]] = set()

    def paused(self, event: dict[str, Any]) -> None:
        """A request waits; the answer is on its way when this returns."""
        task = asyncio.get_running_loop().create_task(self._answer(event))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, event: dict[str, Any]) -> None:
        from playwright.async_api import Error

        request, parameters = event["request"], {"requestId": event["requestId"]}
        own = site_of(request["url"]) == self.site
        of_the_tab = event["resourceType"] == "Document" and event["frameId"] == self._frame
        with contextlib.suppress(Error):  # the tab has been closed meanwhile, and the request with it
            if of_the_tab and not own:
                await self._session.send(
                    "Fetch.failRequest", {**parameters, "errorReason": "BlockedByClient"}
                )
                return
            if own and self._secrets:
                headers = {name.lower(): value for name, value in request["headers"].items()}
                both = (headers | self._secrets).items()
                parameters["headers"] = [{"name": name, "value": value} for name, value in both]
            await self._session.send("Fetch.continueRequest", parameters)
