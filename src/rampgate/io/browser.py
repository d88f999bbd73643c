"""A browser of our own, signed in once, whose tabs stay on the site that they are sent to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from rampgate.errors import ProbeError
from rampgate.io.browser_network import switches
from rampgate.io.browser_tab import arrive, keep
from rampgate.io.guard import Guard
from rampgate.model.redact import session_secrets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from playwright.async_api import Browser, BrowserContext, Page, Playwright

T = TypeVar("T")
STEP_S = 15.0
"""Seconds for one step in a tab: opening it, going to a page, filling a field."""
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class SignIn:
    """How to sign in with the deployment's own form.

    Args:
        url: the address of the page with the form.
        email: the account.
        password: its password; never in a command line, a message or a file.
        expected_path: the path on which the browser lands afterwards.
        email_selector: CSS selector of the field for the account.
        password_selector: CSS selector of the field for the password.
        submit_selector: CSS selector of the button.
        step_s: seconds for each step: opening the page, filling a field, landing on the path.
    """

    url: str
    email: str
    password: str = field(repr=False)
    expected_path: str = "/"
    email_selector: str = "input[name=email]"
    password_selector: str = "input[name=password]"  # noqa: S105 - a selector, not a password
    submit_selector: str = "button[type=submit]"
    step_s: float = 15.0


class SignedInBrowser:
    """One browser, signed in once when asked. A context manager.

    It is driven on an event loop in a thread of its own: the caller's thread keeps its asyncio, and the
    driver is served while something else runs. Any program on this machine can reach the browser's debugging
    port (on the loopback address only) while it runs.

    Args:
        chromium: the program, and the environment that it needs.
        sign_in: the form to fill first, None for public pages.
        extra_headers: sent with every request of the browser, to whomever.
        secret_headers: sent to the site of the form or of the page that is visited, and to no other.
        reach: where it may connect to, and addresses that it is going to need; None: this machine.

    Attributes:
        learn: takes what carries a session of the browser, which nothing may repeat.
    """

    def __init__(
        self,
        chromium: tuple[Path, Mapping[str, str]],
        sign_in: SignIn | None = None,
        extra_headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, str] | None = None,
        reach: tuple[Guard, Sequence[str]] | None = None,
    ) -> None:
        self._reach = reach or (Guard(), ())
        self.learn: Callable[..., None] = lambda *_: None
        self._closed: socket.socket | None = None
        self._chromium = chromium
        self._sign_in = sign_in
        self._headers = dict(extra_headers or {})
        self._secrets = dict(secret_headers or {})
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._port = 0
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._context: BrowserContext | None = None

    def __enter__(self) -> Self:
        """Start the browser and sign in.

        Raises:
            RefusedError: an address that it is going to need is not allowed.
            ProbeError: the browser does not start, or the form does not lead to the expected path.
        """
        # What the browser's processes share are files, which it leaves when it is killed.
        self._folder = tempfile.TemporaryDirectory(prefix="rampgate-", ignore_cleanup_errors=True)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="browser", daemon=True)
        self._thread.start()
        try:
            self._run(self._start(), _START_S, "starting the browser")
            if self._sign_in:
                self._run(self._fill_form(self._sign_in), _START_S, "signing in with the browser")
        except BaseException:
            with contextlib.suppress(ProbeError):
                self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the browser; trouble with that says nothing about what was measured."""
        with contextlib.suppress(ProbeError):
            self.close()

    def visit(
        self,
        url: str,
        work: Callable[[Page], Awaitable[T]],
        *,
        seconds: float = 60.0,
        viewport: tuple[int, int] = (1280, 800),
    ) -> T:
        """Do something in a tab of its own, which stays on the site of this address and is closed afterwards.

        The tab is empty: whoever works in it goes to the page, and may listen before.

        Args:
            url: the address that the work is about.
            work: what to do, on the browser's event loop.
            seconds: for all of it.
            viewport: width and height of the page in CSS pixels.

        Returns:
            What the work returned.

        Raises:
            ProbeError: the browser failed, or the time was over.
        """
        return self._run(self._visit(url, work, viewport), seconds, f"visiting {url.partition('?')[0]}")

    async def _visit(self, url: str, work: Callable[[Page], Awaitable[T]], viewport: tuple[int, int]) -> T:
        page = await self._new_page(url)
        try:
            await page.set_viewport_size({"width": viewport[0], "height": viewport[1]})
            return await work(page)
        finally:
            await self._learn_session()
            with contextlib.suppress(Exception):  # the browser is gone; what the work met is raised
                await asyncio.wait_for(page.close(), STEP_S)

    def close(self) -> None:
        """Stop the browser and its thread; twice does no harm."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        try:
            self._run(self._stop(), STEP_S, "stopping the browser")
        finally:
            self._loop = self._thread = None
            loop.call_soon_threadsafe(loop.stop)
            thread.join(STEP_S)
            if not thread.is_alive():
                loop.close()
            if self._closed:
                self._closed.close()
            if self._folder:
                self._folder.cleanup()

    def _run(self, work: Coroutine[Any, Any, T], seconds: float, doing: str) -> T:
        if self._loop is None:
            work.close()
            raise ProbeError(f"{doing} failed: the browser is not running")
        from playwright.async_api import Error

        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise ProbeError(f"{doing} took longer than {seconds:g} s") from None
        except Error as error:
            # From None, and the first line alone: what follows is a log that quotes what was typed.
            raise ProbeError(f"{doing} failed: {error.message.splitlines()[0]}") from None

    async def _start(self) -> None:
        from playwright.async_api import async_playwright

        temporary = {"TMPDIR": self._folder.name} if self._folder else {}
        self._port = _free_port()
        self._playwright = await async_playwright().start()
        self._browser = await self._playwright.chromium.launch(
            executable_path=self._chromium[0],
            args=[f"--remote-debugging-port={self._port}", *self._switches()],
            env={**os.environ, **self._chromium[1], **temporary},
        )
        # Lighthouse sets the size of the screen; a second opinion of ours would compete with it.
        self._context = await self._browser.new_context(no_viewport=True, extra_http_headers=self._headers)
        self._context.set_default_timeout(STEP_S * 1000)

    def _switches(self) -> list[str]:
        self._closed = socket.socket()
        self._closed.bind(("127.0.0.1", 0))  # and nobody listens: what is sent there is refused
        return switches(*self._reach, "{}:{}".format(*self._closed.getsockname()))

    async def _fill_form(self, sign_in: SignIn) -> None:
        page = await self._new_page(sign_in.url)
        page.set_default_timeout(sign_in.step_s * 1000)
        await page.goto(sign_in.url)
        await page.fill(sign_in.email_selector, sign_in.email)
        await page.fill(sign_in.password_selector, sign_in.password)
        await page.click(sign_in.submit_selector)
        await arrive(page, sign_in.expected_path)
        with contextlib.suppress(Exception):  # a page may have no storage
            self.learn(*session_secrets((), await page.evaluate("Object.values({...sessionStorage})")))
        await self._learn_session()
        await page.close()

    async def _learn_session(self) -> None:
        """Keep what the site has put into cookies and storage from being repeated."""
        if self._context is None:
            return
        with contextlib.suppress(Exception):  # the browser is gone; what the work met is raised
            state = await asyncio.wait_for(self._context.storage_state(), STEP_S)
            cookies = [cookie["value"] for cookie in state.get("cookies", ())]
            stored = (item["value"] for site in state.get("origins", ()) for item in site["localStorage"])
            self.learn(*session_secrets(cookies, stored))

    async def _new_page(self, url: str) -> Page:
        """A tab that stays on the site of this address."""
        if self._context is None:
            raise ProbeError("the browser is not running")
        page = await self._context.new_page()
        await keep(page, url, self._secrets)
        return page

    async def _stop(self) -> None:
        browser, playwright = self._browser, self._playwright
        self._browser = self._playwright = self._context = None
        try:
            if browser:
                await asyncio.wait_for(browser.close(), STEP_S / 2)
        finally:
            # The driver kills on its way out what did not close by itself.
            if playwright:
                await playwright.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
