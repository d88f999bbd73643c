"""What a journey is given: a page, an account, values, and steps to name what it does."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Page


def _kept_clock() -> Callable[[], float]:
    """The clock of now, for good: what a journey puts in its place later changes no time of ours."""
    clock = time.perf_counter
    return lambda: clock()  # noqa: PLW0108  # the function itself would be found, and replaced, in this module


_now = _kept_clock()


@dataclass(frozen=True)
class Account:
    """Who signs in.

    Args:
        email: the name of the account.
        password: its password; a secret, which nothing repeats.
    """

    email: str
    password: str = field(repr=False)


class Watcher(Protocol):
    """Follows a journey.

    Attributes:
        account_used: whether the journey has asked for its account.
    """

    account_used: bool

    def begun(self, name: str, *, still: bool) -> None:
        """A step begins."""

    def ended(self, name: str, ms: float, error: BaseException | None) -> None:
        """It has ended, or broke."""


class Journey:
    """One visit of a site; the function of a journey is called with it.

    Args:
        page: an empty tab of a fresh browser, signed in nowhere. Relative addresses lead to `[target]` web.
        web: the address of the site, without a slash at its end.
        values: of the settings.
        account: of the settings, else that of `[login]`; None: there is none.
        watcher: is told of each step.
    """

    def __init__(
        self, page: Page, web: str, values: Mapping[str, str], account: Account | None, watcher: Watcher
    ) -> None:
        self.page = page
        self.web = web
        self.values = values
        self._account = account
        self._watcher = watcher
        self._running = ""

    @property
    def account(self) -> Account:
        """Who signs in.

        Raises:
            ProbeError: the settings name none.
        """
        if self._account is None:
            raise ProbeError(
                "it asks for an account; accepted is account = {…} in [[journeys]], or a [login]"
            )
        self._watcher.account_used = True
        return self._account

    @contextmanager
    def step(self, name: str, *, still: bool = False) -> Iterator[None]:
        """A part of the journey: it is timed, and named where it breaks.

        Args:
            name: in a few words, ``sign in``.
            still: whether nothing may move while it lasts, right after a click either.

        Raises:
            ProbeError: it has no name, or begins within another step.
        """
        if not name or self._running:
            within = f"step {name!r} begins within step {self._running!r}"
            raise ProbeError(f"{within if name else 'a step has no name'}; accepted are names, one by one")
        self._running = name
        self._watcher.begun(name, still=still)
        broken: BaseException | None = None
        began = _now()
        try:
            yield
        except BaseException as error:
            broken = error
            raise
        finally:
            ms = (_now() - began) * 1000
            self._running = ""
            self._watcher.ended(name, ms, broken)
