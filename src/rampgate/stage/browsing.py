"""Floor 6. The browser of a stage's checks, started when a check first wants it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page

    from rampgate.config.subjects import PageSettings
    from rampgate.evidence.run import Run
    from rampgate.probes.signed_browser import SignedInBrowser
    from rampgate.stage.look import Look

T = TypeVar("T")


class Browsing:
    """Visits pages of the deployment, signed in where the settings say so.

    Args:
        run: the run that the visits belong to.
        look: knows whether the web server answers.
    """

    def __init__(self, run: Run, look: Look) -> None:
        self._run = run
        self._look = look
        self._stack = ExitStack()
        self._browsers: dict[bool, SignedInBrowser] = {}

    def close(self) -> None:
        """Stop what was started."""
        self._stack.close()

    def address(self, page: PageSettings) -> str:
        """Where a page is."""
        target = self._run.settings.target
        return f"{target.web or target.api or ''}{page.path}"

    def page_named(self, name: str) -> PageSettings:
        """One of [[pages]]; the settings have made sure that it exists."""
        return next(page for page in self._run.settings.pages if page.name == name)

    def visit(
        self,
        page: PageSettings,
        work: Callable[[Page], Awaitable[T]],
        *,
        seconds: float = 60.0,
        viewport: tuple[int, int] = (1280, 800),
    ) -> T:
        """Do something in an empty tab that stays on the page's site.

        Args:
            page: where the work goes.
            work: see SignedInBrowser.visit.
            seconds: for all of it.
            viewport: width and height of the page in CSS pixels.

        Raises:
            ProbeError: no browser, or it failed.
            UnreachableError: the web server does not answer.
        """
        self._look.need("web")
        browser = self._browser(signed_in=page.sign_in and self._run.settings.login is not None)
        return browser.visit(self.address(page), work, seconds=seconds, viewport=viewport)

    def _browser(self, *, signed_in: bool) -> SignedInBrowser:
        if signed_in not in self._browsers:
            from rampgate.io.browser import find_browser
            from rampgate.io.http import RUN_HEADER
            from rampgate.probes.signed_browser import SignedInBrowser
            from rampgate.stage.form import form_of

            target = self._run.settings.target
            browser = SignedInBrowser(
                find_browser(os.environ),
                form_of(self._run.settings.login, target.web or target.api or "") if signed_in else None,
                extra_headers={RUN_HEADER: self._run.id},
                secret_headers=target.headers,
            )
            self._browsers[signed_in] = self._stack.enter_context(browser)
        return self._browsers[signed_in]
