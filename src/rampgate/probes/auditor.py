"""Floor 3. The auditor: a browser that may be signed in, and Lighthouse run on a tab of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from rampgate.errors import ProbeError
from rampgate.probes.browser import run_bounded
from rampgate.probes.tab import arrive, keep

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from types import TracebackType

    from playwright.async_api import Browser, BrowserContext, Page, Playwright

    from rampgate.probes.browser import Tools

T = TypeVar("T")
_SCRIPT = Path(__file__).with_name("audit.mjs")
_START_S = 60.0
_STEP_S = 15.0


class AuditTimeoutError(ProbeError):
    """Our own time-out ended the audit: the page may hang, or this machine may be too slow."""


class Auditor(Protocol):
    """Audits one page once."""

    def audit(self, url: str, form_factor: str, out: Path) -> Mapping[str, Any]:
        """Lighthouse's result for the page, complete, also written as JSON to ``out``.

        Args:
            url: the address of the page.
            form_factor: ``mobile`` or ``desktop``.
            out: the file to write.

        Raises:
            AuditTimeoutError: the audit did not end in time.
            ProbeError: there is no result.
        """


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


class BrowserAuditor:
    """Audits pages in one browser, signed in once when asked. A context manager.

    The browser is driven on an event loop in a thread of its own: the caller's thread keeps its asyncio,
    and the driver is served while an audit runs. Any program on this machine can reach the browser's
    debugging port (on the loopback address only) while it runs.

    Args:
        tools: the programs.
        sign_in: the form to fill before the first audit, None for public pages.
        timeout_s: seconds for one audit.
        extra_headers: sent with every request of the browser, to whomever.
        secret_headers: sent to the site of the form or of the page that is audited, and to no other.
    """

    def __init__(
        self,
        tools: Tools,
        sign_in: SignIn | None = None,
        timeout_s: float = 90.0,
        extra_headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, str] | None = None,
    ) -> None:
        self._tools = tools
        self._sign_in = sign_in
        self._timeout_s = timeout_s
        self._headers = dict(extra_headers or {})
        self._secrets = dict(secret_headers or {})
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._port = 0
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._context: BrowserContext | None = None

    def __enter__(self) -> Self:
        """Start the browser and sign in.

        Raises:
            ProbeError: the browser does not start, or the form does not lead to the expected path.
        """
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

    def audit(self, url: str, form_factor: str, out: Path) -> Mapping[str, Any]:
        """See Auditor."""
        page, tab = self._run(self._open(url), 2 * _STEP_S, "opening a tab")
        try:
            self._audit_tab(tab, url, form_factor, out)
        finally:
            # A tab that cannot be closed must not hide what the audit said; the next tab will tell.
            with contextlib.suppress(ProbeError):
                self._run(page.close(), _STEP_S, "closing a tab")
        return read_result(out)

    def close(self) -> None:
        """Stop the browser and its thread; twice does no harm."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        try:
            self._run(self._stop(), _STEP_S, "stopping the browser")
        finally:
            self._loop = self._thread = None
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_STEP_S)
            if not thread.is_alive():
                loop.close()

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

        self._port = _free_port()
        self._playwright = await async_playwright().start()
        self._browser = await self._playwright.chromium.launch(
            executable_path=self._tools.chromium,
            args=[f"--remote-debugging-port={self._port}"],
            env={**os.environ, **self._tools.env},
        )
        # Lighthouse sets the size of the screen; a second opinion of ours would compete with it.
        self._context = await self._browser.new_context(no_viewport=True, extra_http_headers=self._headers)
        self._context.set_default_timeout(_STEP_S * 1000)

    async def _fill_form(self, sign_in: SignIn) -> None:
        page = await self._new_page(sign_in.url)
        page.set_default_timeout(sign_in.step_s * 1000)
        await page.goto(sign_in.url)
        await page.fill(sign_in.email_selector, sign_in.email)
        await page.fill(sign_in.password_selector, sign_in.password)
        await page.click(sign_in.submit_selector)
        await arrive(page, sign_in.expected_path)
        await page.close()

    async def _open(self, url: str) -> tuple[Page, str]:
        """A tab, and the address by which Lighthouse finds it.

        The tab is on the page's own site already: from an empty one Chromium changes to another process as
        it goes there, and now and then the new one begins before it is traced (NO_NAVSTART). A page that
        does not come is Lighthouse's to judge, from an empty tab.
        """
        from playwright.async_api import Error

        mark = f"#rampgate-{secrets.token_hex(8)}"
        for address in (url.partition("#")[0] + mark, f"about:blank{mark}"):
            page = await self._new_page(url)
            with contextlib.suppress(Error):
                await page.goto(address, wait_until="commit")
            if page.url == address:
                return page, address
            await page.close()
        raise ProbeError("opening a tab failed: it does not go where it is sent")

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
                await asyncio.wait_for(browser.close(), _STEP_S / 2)
        finally:
            # The driver kills on its way out what did not close by itself.
            if playwright:
                await playwright.stop()

    def _audit_tab(self, tab: str, url: str, form_factor: str, out: Path) -> None:
        task = {
            "lighthouse": str(self._tools.lighthouse),
            "port": self._port,
            "tab": tab,
            "url": url,
            "formFactor": form_factor,
            "waitForFcpMs": round(min(15.0, self._timeout_s / 4) * 1000),
            "waitForLoadMs": round(min(30.0, self._timeout_s / 2) * 1000),
            "headers": self._headers,
            "out": str(out),
        }
        try:
            done = run_bounded(
                [str(self._tools.node), str(_SCRIPT)],
                timeout_s=self._timeout_s,
                env=os.environ,
                text=json.dumps(task),
            )
        except subprocess.TimeoutExpired:
            raise AuditTimeoutError(f"Lighthouse did not end within {self._timeout_s:g} s") from None
        except OSError as error:
            raise ProbeError(f"node does not start: {error.strerror}") from None
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise ProbeError(f"Lighthouse gave no result: {lines[-1]}")


def read_result(out: Path) -> Mapping[str, Any]:
    """Lighthouse's result from the file.

    Raises:
        ProbeError: there is no file, no JSON in it, or no object.
    """
    try:
        result = json.loads(out.read_bytes())
    except OSError:
        raise ProbeError("Lighthouse wrote no result file") from None
    except ValueError:
        raise ProbeError("Lighthouse's result file is no JSON") from None
    if not isinstance(result, dict):
        raise ProbeError("Lighthouse's result file holds no object")
    return result


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
