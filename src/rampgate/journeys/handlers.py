"""What a journey's own handlers raise: Playwright keeps it to itself, and the visit would pass."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_TAKE_HANDLERS = ("on", "once", "remove_listener", "route", "unroute")


def keep(raised: Callable[[Exception], object]) -> None:
    """From now on what a handler of a page, or of a context, raises in this process is known.

    Errors of Playwright's own, as of a page that was left meanwhile, are left to it.

    Args:
        raised: takes each exception, which is raised on.
    """
    from playwright.sync_api import BrowserContext, Error, Page

    @functools.cache  # the same for the same handler: by it Playwright finds what is to be removed
    def heard(handler: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(handler)
        def hear(*arguments: Any) -> object:
            try:
                return handler(*arguments)
            except Error:
                raise
            except Exception as error:
                raised(error)
                raise

        return hear

    def of(method: Callable[..., object]) -> Callable[..., object]:
        def take(self: object, *given: Any, **named: Any) -> object:
            what, *handlers = given
            handlers = [heard(each) if callable(each) else each for each in handlers]
            named = {name: heard(each) if callable(each) else each for name, each in named.items()}
            return method(self, what, *handlers, **named)

        return take

    for kind in (Page, BrowserContext):
        for name in _TAKE_HANDLERS:
            setattr(kind, name, of(getattr(kind, name)))
