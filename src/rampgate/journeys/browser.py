"""The browser of one visit: it stays on its site, and reports what pages ask for, write and measure."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

from rampgate.errors import ProbeError
from rampgate.io.browser_tab import TabRules
from rampgate.io.http import site_of
from rampgate.io.page_load import place_of
from rampgate.journeys import api_requests, contexts, handlers, vitals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.sync_api import (
        BrowserContext,
        ConsoleMessage,
        Dialog,
        Download,
        Error,
        Page,
        Request,
        Response,
    )

    from rampgate.journeys.spec import Spec

STEP_MS = 10_000
"""How long one action of a journey may take."""
_KEPT = 200
_TEXT = 20_000
"""Longer than what is kept, which is cut where secrets are known."""
_SERVER_ERROR, _CLIENT_ERROR = 500, 400
_GIVEN_UP = "net::ERR_ABORTED"
_LOADING = "Failed to load resource"
"""How Chromium begins what it writes to the console of a request that failed, which is counted as one."""


class Report(Protocol):
    """Takes events of a visit."""

    def __call__(self, event: str, **fields: Any) -> None:
        """One event."""


class VisitBrowser:
    """Chromium with a context, and those that the journey makes. A context manager.

    Args:
        spec: of the visit.
        report: takes what happens.

    Attributes:
        page: the tab of the journey.
        requests: how many were sent to the site itself.
        entries: what pages measured of themselves.
        in_the_way: dialogs that nobody answered.
        crashed: whether a page crashed.
        raised: what handlers of the journey raised.
    """

    def __init__(self, spec: Spec, report: Report) -> None:
        self._spec = spec
        self._report = report
        self._own = {site_of(url) for url in spec.own}
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._stack = contextlib.ExitStack()
        self._contexts: list[BrowserContext] = []
        self.requests = 0
        self.entries: list[Mapping[str, Any]] = []
        self.in_the_way: list[str] = []
        self.crashed = False
        self.raised: list[Exception] = []

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            ProbeError: it does not start.
        """
        from playwright.sync_api import Error, sync_playwright

        spec = self._spec
        try:
            playwright = self._stack.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(
                executable_path=spec.chromium, args=list(spec.switches), env={**os.environ, **spec.environ}
            )
            contexts.keep(spec, self)
            api_requests.keep(spec, self)
            self.context = self._browser.new_context()
            self.page = self.context.new_page()
            handlers.keep(self.raised.append)
        except Error as error:
            raise ProbeError(f"the browser does not start: {error.message.splitlines()[0]}") from None
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it; trouble with that says nothing about the visit."""
        with contextlib.suppress(Exception):
            self._browser.close()
        with contextlib.suppress(Exception):
            self._stack.close()

    @property
    def up(self) -> bool:
        """Whether it still answers."""
        return not self.crashed and self._browser.is_connected()

    def settle(self) -> None:
        """Let what was just changed be drawn, and take what was measured of it."""
        for page in self._pages():
            with contextlib.suppress(Exception):  # it is being left, or gone
                page.evaluate(vitals.SETTLE)

    def stop(self) -> None:
        """Let no page wait for an answer any more: until one comes, it would answer nothing itself."""
        for page in self._pages():
            with contextlib.suppress(Exception):  # it is gone
                page.context.new_cdp_session(page).send("Page.stopLoading")

    def session(self) -> list[str]:
        """Values of cookies and storage, which may carry a session."""
        values: list[str] = []
        for context in self._contexts:
            with contextlib.suppress(Exception):  # it is gone
                values += [str(cookie.get("value", "")) for cookie in context.cookies()]
        for page in self._pages():
            with contextlib.suppress(Exception):  # a page may have no storage
                values += page.evaluate(
                    "[...Object.values({...localStorage}), ...Object.values({...sessionStorage})]"
                )
        return values

    def _measured(self, entry: Mapping[str, Any]) -> None:
        self.entries.append(entry)

    def _pages(self) -> list[Page]:
        return [page for context in self._contexts for page in context.pages]

    def begun(self, context: BrowserContext) -> None:
        """Listen to what happens in a new context."""
        self._contexts.append(context)
        context.set_default_timeout(STEP_MS)
        context.expose_function(vitals.BINDING, self._measured)
        context.add_init_script(vitals.INIT_SCRIPT)
        context.on("dialog", self._dialog)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._write(str(error.error)))
        context.on("request", lambda request: self.asked(request.method, request.url))
        context.on("response", self._response)
        context.on("requestfailed", self._request_failed)

    def popup(self, page: Page) -> None:
        """A tab was opened, which the journey did not open."""
        self._report("note", text=f"a popup was opened: {place_of(page.url, self._spec.web) or 'empty'}")
        self.keep(page)

    def keep(self, page: Page) -> None:
        """A tab stays on the site; a popup does so from the moment in which we hear of it."""
        page.on("crash", self._crash)
        page.on("download", self._download)
        with contextlib.suppress(_error()):  # it is closed already
            session = page.context.new_cdp_session(page)
            tree = session.send("Page.getFrameTree")
            rules = TabRules(
                site_of(self._spec.web), self._spec.headers, str(tree["frameTree"]["frame"]["id"])
            )

            def paused(event: dict[str, Any]) -> None:
                with contextlib.suppress(_error()):  # the tab has been closed, and the request with it
                    session.send(*rules.answer(event))

            session.on("Fetch.requestPaused", paused)
            session.send("Fetch.enable", {"patterns": rules.patterns})
            session.on("Network.responseReceivedExtraInfo", self._cookies_set)
            session.send("Network.enable")

    def _cookies_set(self, event: dict[str, Any]) -> None:
        """Each cookie may carry a session, also one that is replaced before its step ends."""
        names = {name.lower(): value for name, value in event["headers"].items()}
        cookies = [line.partition(";")[0] for line in names.get("set-cookie", "").splitlines()]
        if cookies:
            self._report("session", values=[cookie.partition("=")[2].strip() for cookie in cookies])

    def _crash(self, _: Page) -> None:
        self.crashed = True

    def _dialog(self, dialog: Dialog) -> None:
        """Where the journey itself answers dialogs of the page, this one is its own."""
        # Playwright's own interface does not say who listens; without it each dialog is in the way.
        page: Any = getattr(dialog.page, "_impl_obj", None)
        if page is not None and page.listeners("dialog"):
            return
        with contextlib.suppress(_error()):
            dialog.dismiss()
        text = f': "{" ".join(dialog.message.split())[:_TEXT]}"' if self._spec.page_content == "full" else ""
        self.in_the_way.append(f"a dialog stood in the way ({dialog.type}){text}")
        self._report("note", text=self.in_the_way[-1])

    def _download(self, download: Download) -> None:
        self._report("note", text=f"a download was cancelled: {download.suggested_filename[:_TEXT]}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_LOADING):
            self._write(message.text)

    def _write(self, text: str) -> None:
        if len(self._lines) < _KEPT:
            self._lines.append(text)
            self._report("console", text=" ".join(text.split())[:_TEXT])

    def _place(self, method: str, url: str) -> str:
        """Method and path of a request to the site itself, "" of any other."""
        return f"{method} {urlsplit(url).path[:_TEXT]}" if site_of(url) in self._own else ""

    def asked(self, method: str, url: str) -> None:
        """Count a request, where it is one to the site itself."""
        if place := self._place(method, url):
            self.requests += 1
            self._report("asked", place=place)

    def answered(self, method: str, url: str, status: int) -> None:
        """The same of one that was answered, where that says HTTP 5xx."""
        place = self._place(method, url)
        if place and status >= _SERVER_ERROR:
            self._report("request_failed", place=place, why=f"HTTP {status}")

    def _response(self, response: Response) -> None:
        """Of the document of a tab HTTP 4xx is a failure, too."""
        request, status = response.request, response.status
        self.answered(request.method, response.url, status)
        place = self._place(request.method, response.url)
        if place and _CLIENT_ERROR <= status < _SERVER_ERROR and _of_a_tab(request):
            self._report("request_failed", place=place, why=f"HTTP {status}")

    def _request_failed(self, request: Request) -> None:
        place, why = self._place(request.method, request.url), request.failure or "failed"
        if place and why != _GIVEN_UP:  # the page itself did not want it any more
            self._report("request_failed", place=place, why=f"no answer ({why[:_TEXT]})")


def _of_a_tab(request: Request) -> bool:
    """Whether it is for the document of a tab, and of no frame within it."""
    return request.is_navigation_request() and request.frame.parent_frame is None


def _error() -> type[Error]:
    from playwright.sync_api import Error

    return Error
