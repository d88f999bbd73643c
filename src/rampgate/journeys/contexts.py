"""Contexts of a visit, the journey's own among them: one more user, by the same rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from rampgate.io.http import RUN_HEADER

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from rampgate.journeys.spec import Spec


class Rules(Protocol):
    """What holds for contexts and their tabs."""

    def begun(self, context: BrowserContext) -> None:
        """A context was made."""

    def keep(self, page: Page) -> None:
        """A tab was opened, and has gone nowhere yet."""

    def popup(self, page: Page) -> None:
        """A page has opened a tab."""


def keep(spec: Spec, rules: Rules) -> None:
    """From now on each context of this process, and each tab in it, follows the rules from its beginning.

    Args:
        spec: of the visit.
        rules: take contexts and tabs.
    """
    from playwright.sync_api import Browser, BrowserContext

    make, open_ = Browser.new_context, BrowserContext.new_page
    opening: list[list[Page]] = []

    def new_context(browser: Browser, **options: Any) -> BrowserContext:
        headers = {**(options.get("extra_http_headers") or {}), RUN_HEADER: spec.run_id}
        ours = {"extra_http_headers": headers, "accept_downloads": False}
        context = make(browser, **{"base_url": spec.web, **options, **ours})
        rules.begun(context)
        context.on("page", lambda page: opening[-1].append(page) if opening else rules.popup(page))
        return context

    def new_page(context: BrowserContext) -> Page:
        opened: list[Page] = []
        opening.append(opened)
        try:
            page = open_(context)
        finally:
            opening.remove(opened)
        rules.keep(page)
        for other in opened:
            if other is not page:
                rules.popup(other)
        return page

    Browser.new_context, BrowserContext.new_page = new_context, new_page  # type: ignore[method-assign,assignment]
    Browser.new_page = lambda browser, **options: new_context(browser, **options).new_page()  # type: ignore[method-assign]
