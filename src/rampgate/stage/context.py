"""From the settings to probes: what a check is given to measure with, as ``stage_context``."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, TypeVar

import httpx

from rampgate.checks.frame.check import Context
from rampgate.errors import UnreachableError
from rampgate.evidence import earlier
from rampgate.evidence.repeated import LOOKS, repeated
from rampgate.io.body import Limits
from rampgate.io.guard import Guard
from rampgate.io.http import client, get_here
from rampgate.io.kept import SENT_AGAIN
from rampgate.model.measurement import Measurement
from rampgate.probes.http import HealthProbe
from rampgate.probes.sign_in import secrets_of, sign_in
from rampgate.stage.browsers import Browsers
from rampgate.stage.login_session import LoginSession, Signed, signing_in
from rampgate.stage.sources import Doors, handed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page

    from rampgate.checks.pages import PageSettings
    from rampgate.config import subjects
    from rampgate.evidence.run import Run
    from rampgate.probes.lighthouse import LighthouseProbe
    from rampgate.probes.stores import MongoProbe, RedisProbe

T = TypeVar("T")


class StageContext:
    """Makes the clients and probes of one process, and keeps what they share: a session, a browser.

    Args:
        run: the run that they belong to.
        skips: whether what depends on a service, or a sign-in, that failed is skipped from then on.
    """

    def __init__(self, run: Run, *, skips: bool = True) -> None:
        self.run = run
        self._skips = skips
        self._settings = run.settings
        self._stack = ExitStack()
        login = run.settings.login
        signs_in_at = run.settings.target.base(login.service) + login.path if login else ""
        self._session = LoginSession(lambda: login and self.sign_in(login), self._repeat, signs_in_at)
        self._refused = 0
        self._retried: list[None] = []
        self._browsers = Browsers(run, self._stack)

    def close(self) -> None:
        """Stop what was started, and say what was put right on the way."""
        self._stack.close()
        renewed = f"the session of [login] ran out {self._session.renewed} times, and was renewed"
        retried = f"{len(self._retried):,} {SENT_AGAIN}"
        for text in [renewed] * (self._session.renewed > 0) + [retried] * bool(self._retried):
            self.run.journal.write("event", text=text)

    @cached_property
    def guard(self) -> Guard:
        """What lets everything go to allowed_hosts only."""
        return Guard(self._settings.allowed_hosts)

    def health(self, service: str) -> Measurement:
        """Whether a service, ``web`` or ``api``, answers; measured once per run."""
        if self._settings.target.web == self._settings.target.api:
            service = "api"
        return self.run.once(f"reachable-{service}", lambda: self._health(service))

    def healthy_after(self, service: str) -> Measurement:
        """Seconds until the first healthy answer, of the same measurement."""
        up = self.health(service)
        value = up.details.get("healthy_after_s")
        return Measurement("time_to_healthy", "s", value=value, labels=up.labels, note=up.note)

    def sign_in(self, login: subjects.LoginSettings) -> Measurement:
        """Whether the known-good account can sign in; this process keeps the session."""
        service = login.service or self._main_service
        self.need(service, *login.depends_on)
        with signing_in(), self.client(service, signed_in=False) as http:
            measurement, token = sign_in(http, login)
            if measurement.value:
                self._session.opened(token, http.cookies)
            else:
                self._refused += 1
            self.run.journal.learn(*secrets_of(login, token, http.cookies))
        return measurement

    def audit(self, page: PageSettings) -> LighthouseProbe:
        """Lighthouse on a page, in the very browser that signed in."""
        from rampgate.probes.lighthouse import AuditedPage, LighthouseProbe, keeping

        self.need("web")
        if page.sign_in:
            self.signed_in()
        audited = AuditedPage(page.name, self.address(page), page.form_factor, partial(self._plain_get, page))
        kept = keeping(self._settings.evidence.page_content, self.run.journal.clean)
        auditor = self._browsers.auditor(signed_in=page.sign_in)
        return LighthouseProbe(auditor, audited, self.run.folder, self.run.clock, kept=kept)

    def address(self, page: PageSettings) -> str:
        """Where a page is."""
        return self.base("web") + page.path

    def page_named(self, name: str) -> PageSettings:
        """One of [[pages]]; the settings have made sure that it exists."""
        return next(page for page in self._settings.pages if page.name == name)

    def visit(
        self,
        page: PageSettings,
        work: Callable[[Page], Awaitable[T]],
        *,
        seconds: float = 60.0,
        viewport: tuple[int, int] = (1280, 800),
    ) -> T:
        """Do something in an empty tab of a browser that stays on the page's site.

        Args:
            page: where the work goes.
            work: see SignedInBrowser.visit.
            seconds: for all of it.
            viewport: width and height of the page in CSS pixels.

        Raises:
            ProbeError: no browser, or it failed.
            UnreachableError: the web server does not answer.
        """
        self.need("web")
        browser = self._browsers.browser(signed_in=page.sign_in)
        return browser.visit(self.address(page), work, seconds=seconds, viewport=viewport)

    def _visit(self, path: str, work: Callable[[Page, str], Awaitable[T]], *, signed_in: bool) -> T:
        self.need("web")
        url = self.base("web") + path
        return self._browsers.browser(signed_in=signed_in).visit(url, lambda tab: work(tab, url))

    def mongodb(self, mongodb: subjects.MongoSettings) -> MongoProbe:
        """The database: a ping, what it really is, a round trip where writing is allowed."""
        from rampgate.probes.stores import MongoProbe

        return MongoProbe(mongodb, self._settings.allow_writes, self.guard)

    def redis(self, redis: subjects.RedisSettings) -> RedisProbe:
        """The cache: a ping, what it really is, a round trip where writing is allowed, its hit rate."""
        from rampgate.probes.stores import RedisProbe

        return RedisProbe(redis, self._settings.allow_writes, self.guard)

    def context(self) -> Context:
        """What the measure function of a check is given beside its settings."""
        run = self.run
        quoted = run.journal.clean if self._settings.evidence.page_content == "full" else None
        return Context(
            run.id,
            self._settings.environment,
            self._open,
            self._visit,
            run.clock,
            run.progress,
            quoted,
            self._main_service,
            run.deadline,
            run.shared,
            partial(earlier.runs, run),
            *handed(self._settings, self.guard, Doors(self.client, self.audit)),
        )

    def _open(
        self, service: str, *, account: Literal["user", "admin", "none"] = "user", at: str = ""
    ) -> httpx.Client:
        if at:
            return self.elsewhere(at)
        self.need(service)
        return self.admin() if account == "admin" else self.client(service, signed_in=account == "user")

    def need(self, *dependencies: str) -> None:
        """Go on only if these answer.

        Raises:
            UnreachableError: one does not; its own check says why.
        """
        for name in dependencies:
            if self._skips and not self._answers(name):
                raise UnreachableError(f"skipped because {name} does not answer")

    def _answers(self, name: str) -> bool:
        """Whether a dependency answers, measured once per run; one that is not configured is none."""
        settings = self._settings
        if name in {"web", "api"}:
            configured = settings.target.web if name == "web" else settings.target.api
            return not configured or self.health(name).value == 1
        store: MongoProbe | RedisProbe
        if name == "mongodb" and settings.mongodb:
            store = self.mongodb(settings.mongodb)
        elif name == "redis" and settings.redis:
            store = self.redis(settings.redis)
        else:
            return True
        return self.run.once(f"reachable-{name}", lambda: self._repeated(store.measure)).value == 1

    def _repeated(self, measure: Callable[[], list[Measurement]]) -> Measurement:
        """The first measurement of a check that looks once."""
        return repeated(measure, lambda seen: seen.value == 0, self.run.clock)[0]

    def _health(self, service: str) -> Measurement:
        path, patience = self._settings.target.health, self._settings.stage(self.run.stage).patience
        waiting = f"; waiting up to {patience:g} s"
        up, healthy = HealthProbe(
            partial(self.client, service, signed_in=False),
            path,
            service,
            self.run.clock,
            patience,
            lambda found: self.run.progress(f"{self.base(service)}{path} {found}{waiting}"),
        ).measure()
        # One observation, however many attempts it took: those are evidence.
        return replace(up, n=1, details={**up.details, "healthy_after_s": healthy.value})

    def client(self, service: str, *, signed_in: bool) -> httpx.Client:
        """A client of a service, with this process's session when asked.

        Args:
            service: ``web`` or ``api``.
            signed_in: whether it carries the session of [login].
        """
        target = self._settings.target
        http = client(
            self.base(service),
            run_id=self.run.id,
            timeout_s=target.timeout,
            headers=target.headers,
            guard=self.guard,
            limits=Limits(target.max_body, target.max_headers),
            unread=partial(self._retried.append, None),
        )
        if signed_in and self._settings.login:
            self.signed_in()
            http.auth = Signed(http, self._session)
        return http

    def elsewhere(self, address: str) -> httpx.Client:
        """A client of another service, in allowed_hosts: it is sent nothing that is the target's."""
        target = self._settings.target
        limits = Limits(target.max_body, target.max_headers)
        return client(address, run_id=self.run.id, timeout_s=target.timeout, guard=self.guard, limits=limits)

    def _repeat(self, request: httpx.Request) -> httpx.Response | None:
        """The answer to a request once more, None where there is none."""
        with self.client(self._main_service, signed_in=False) as http:
            try:
                return http.send(request, auth=None)
            except httpx.RequestError:
                return None

    def admin(self) -> httpx.Client:
        """A client of the API with the administrator's token, where there is one."""
        http = self.client("api", signed_in=False)
        if token := self._settings.target.admin_token:
            http.headers["Authorization"] = f"Bearer {token}"
        return http

    def base(self, service: str) -> str:
        """The base address of a service, "" when none is configured."""
        return self._settings.target.base(service)

    @property
    def _main_service(self) -> str:
        return "api" if self._settings.target.api else "web"

    def signed_in(self) -> None:
        """Have this process signed in, on first use.

        Raises:
            UnreachableError: sign-in was refused, or what it needs does not answer.
        """
        login = self._settings.login
        if login and not self._session.generation and (self._refused < LOOKS or not self._skips):
            self._repeated(lambda: [self.sign_in(login)])
        if login and not self._session.generation:
            raise UnreachableError("skipped because sign-in was refused")

    def _plain_get(self, page: PageSettings) -> int | None:
        try:
            with self.client("web", signed_in=page.sign_in) as http:
                return get_here(http, page.path).status
        except UnreachableError:
            return None
