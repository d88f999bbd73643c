"""The browsers of a stage's checks, each started when a check first wants it."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from rampgate.errors import ProbeError
from rampgate.evidence.repeated import LOOKS
from rampgate.io.guard import Guard
from rampgate.io.http import RUN_HEADER
from rampgate.stage.login_session import signing_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager, ExitStack

    from rampgate.config.settings import Settings
    from rampgate.config.subjects import LoginSettings
    from rampgate.evidence.run import Run
    from rampgate.io.browser import SignedInBrowser, SignIn
    from rampgate.probes.auditor import Auditor

T = TypeVar("T", bound="AbstractContextManager[Any]")


class Browsers:
    """At most one browser and one auditor for signed-in pages, and one of each for the others.

    Args:
        run: the run that they belong to.
        stack: stops them.
    """

    def __init__(self, run: Run, stack: ExitStack) -> None:
        self._run = run
        self._stack = stack
        self._started: dict[tuple[Any, bool], Any] = {}
        self._failed: dict[tuple[Any, bool], list[ProbeError]] = {}

    def browser(self, *, signed_in: bool) -> SignedInBrowser:
        """The browser that visits pages; without [login] nobody signs in.

        Raises:
            ProbeError: there is no browser, or no form for it to sign in with.
        """
        from rampgate.io.browser import SignedInBrowser
        from rampgate.io.browser_tools import find_browser

        return self._start(SignedInBrowser, find_browser, signed_in=signed_in)

    def auditor(self, *, signed_in: bool) -> Auditor:
        """Lighthouse in such a browser.

        Raises:
            ProbeError: a program is missing, or there is no form to sign in with.
        """
        from rampgate.io.browser_tools import find_tools
        from rampgate.probes.auditor import BrowserAuditor

        return self._start(BrowserAuditor, find_tools, signed_in=signed_in)

    def _start(
        self, kind: Callable[..., T], find: Callable[[Mapping[str, str]], Any], *, signed_in: bool
    ) -> T:
        """One of this kind, made of the programs that are found, and started on first use; tried so often."""
        failed = self._failed.setdefault((kind, signed_in), [])
        if len(failed) >= LOOKS:
            raise failed[-1]
        if (kind, signed_in) not in self._started:
            run = self._run
            try:
                browser = started(
                    kind, find(os.environ), run.settings, run.id, run.journal.learn, signed_in=signed_in
                )
            except ProbeError as error:
                failed.append(error)
                raise
            self._started[kind, signed_in] = self._stack.push(browser)
        found: T = self._started[kind, signed_in]
        return found


def started(  # each is one decision of a browser's maker
    kind: Callable[..., T],
    program: Any,
    settings: Settings,
    run_id: str,
    learn: Callable[..., None],
    *,
    signed_in: bool,
) -> T:
    """A browser that goes only to allowed_hosts, started; whoever asks for one stops it.

    Args:
        kind: its class.
        program: that it is started with.
        settings: name the target, its headers and how to sign in; without [login] nobody does.
        run_id: sent with each request.
        learn: takes what carries its session, which nothing may repeat.
        signed_in: whether it signs in.

    Raises:
        ProbeError: it does not start, or cannot sign in.
        RefusedError: an address is not among allowed_hosts.
    """
    web = settings.target.base("web")
    form = _form(settings.login, web) if signed_in and settings.login else None
    browser: Any = kind(
        program,
        sign_in=form,
        extra_headers={RUN_HEADER: run_id},
        reach=(Guard(settings.allowed_hosts), [web, *filter(None, [settings.target.api])]),
        secret_headers=settings.target.headers,
    )
    browser.learn = learn
    with signing_in() if form else nullcontext():
        opened: T = browser.__enter__()
    return opened


def _form(login: LoginSettings, web: str) -> SignIn:
    """The form of [login.form], and the account that signs in with it."""
    from rampgate.io.browser import SignIn

    if login.form is None:
        raise ProbeError("login.form is not configured, so that the browser cannot sign in")
    form, below = login.form, urlsplit(web).path
    return SignIn(
        web + form.path,
        login.body[form.email_key],
        login.body[form.password_key],
        form.lands_on if form.lands_on.startswith(f"{below}/") else below + form.lands_on,
        form.email_selector,
        form.password_selector,
        form.submit,
    )
