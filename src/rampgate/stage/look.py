"""Floor 6. From the settings to probes: what a check asks with ``look``."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import httpx

from rampgate.errors import UnreachableError
from rampgate.io.guard import Guard
from rampgate.io.http import client, get_here
from rampgate.judging.threshold import exceeds
from rampgate.model.measurement import Measurement
from rampgate.probes.flags import BulkForm, FlagProbe
from rampgate.probes.http import HealthProbe, PageProbe, SignInProbe, VersionProbe
from rampgate.probes.latency import BodyCheck, EndpointProbe
from rampgate.stage.flag_look import FlagLook

if TYPE_CHECKING:
    from rampgate.config.subjects import EndpointSettings, MetricSettings, PageSettings
    from rampgate.evidence.run import Run
    from rampgate.probes.auditor import Auditor
    from rampgate.probes.lighthouse import LighthouseProbe
    from rampgate.probes.metric import JsonMetricProbe
    from rampgate.probes.stores import MongoProbe, RedisProbe

REQUESTS = (200, 300, 500, 1000)
"""How many requests each look at an endpoint adds: 200, 500, 1,000, 2,000 in all."""
AUDITS = (3, 2, 2, 2)
"""How many audits each look at a page adds: 3, 5, 7, 9 in all."""


class Look:
    """Makes the probes of one process, and keeps what they share: a session, a browser.

    Args:
        run: the run that they belong to.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._settings = run.settings
        self._stack = ExitStack()
        self._session: tuple[str | None, httpx.Cookies] | None = None
        self._auditors: dict[bool, Auditor] = {}

    def close(self) -> None:
        """Stop what was started."""
        self._stack.close()

    def health(self, service: str) -> Measurement:
        """Whether a service answers; looked at once per run."""
        if self._settings.target.web == self._settings.target.api:
            service = "api"
        return self.run.once(f"reachable-{service}", lambda: self._health(service))

    def healthy_after(self, service: str) -> Measurement:
        """How long the first healthy answer took, as told by the same look."""
        seen = self.health(service)
        seconds = seen.details.get("healthy_after_s")
        return Measurement("time_to_healthy", "s", value=seconds, labels=seen.labels, note=seen.note)

    def version(self) -> VersionProbe:
        """Which version answers over fresh connections."""
        told = self._settings.version
        assert told  # noqa: S101  # the plan has this check only where it is configured
        service = "api" if self._settings.target.api else "web"
        self.need(service)
        return VersionProbe(
            partial(self.client, service, signed_in=False),
            told.path,
            told.value,
            told.instance,
            told.expected,
            told.connections,
            service,
            self.run.clock,
        )

    def sign_in(self) -> Measurement:
        """Whether the known-good account can sign in; this process keeps the session."""
        login = self._settings.login
        assert login  # noqa: S101  # the plan has this check only where it is configured
        self.need(self._login_service, *login.needs)
        with self.client(self._login_service, signed_in=False) as http:
            measurement, token = SignInProbe(
                http, login.path, login.body, login.token, self.run.clock
            ).sign_in()
            self._session = (token, http.cookies) if measurement.value else None
            cookies = (cookie.value for cookie in http.cookies.jar)
            self.run.journal.learn(*(secret for secret in (token, *cookies) if secret))
        return measurement

    def page(self, page: PageSettings) -> PageProbe:
        """Whether a page comes."""
        self.need("web")
        http = self.client("web", signed_in=page.sign_in)
        quote = self.run.journal.clean if self._settings.evidence.page_content == "full" else None
        self._stack.enter_context(http)
        return PageProbe(http, page.path, page.name, clock=self.run.clock, quote=quote)

    def endpoint(self, endpoint: EndpointSettings) -> EndpointProbe:
        """Latency, errors and bodies of an API endpoint."""
        self.need("api", *endpoint.needs)
        if endpoint.sign_in:
            self._signed_in()
        guard = Guard(self._settings.allowed_hosts)
        guard.check(self._base("api"))
        edges = {t.edge: partial(exceeds, t) for t in self.run.policy.of("api_response_time")}
        return EndpointProbe(
            partial(self.client, "api", signed_in=endpoint.sign_in, guard=guard),
            endpoint.method,
            endpoint.path,
            endpoint.name,
            {edge: above for edge, above in edges.items() if edge is not None},
            BodyCheck(endpoint.body, endpoint.minimum) if endpoint.body else None,
            timeout_s=self._settings.target.timeout,
            clock=self.run.clock,
        )

    def audit(self, page: PageSettings) -> LighthouseProbe:
        """Lighthouse on a page, in the very browser that signed in."""
        from rampgate.probes.lighthouse import AuditedPage, LighthouseProbe, keeping

        self.need("web")
        if page.sign_in:
            self._signed_in()
        url = self._base("web") + page.path
        audited = AuditedPage(page.name, url, page.form_factor, partial(self._plain_get, page))
        kept = keeping(self._settings.evidence.page_content, self.run.journal.clean)
        auditor = self._auditor(signed_in=page.sign_in and self._settings.login is not None)
        return LighthouseProbe(auditor, audited, self.run.folder, self.run.clock, kept=kept)

    @cached_property
    def flags(self) -> FlagLook:
        """What the flag service decides, for users that this process has just made up."""
        flags = self._settings.flags
        assert flags  # noqa: S101  # the plan has this check only where it is configured
        self.need("api")
        form = BulkForm(**flags.bulk.model_dump()) if flags.bulk else None
        factory = partial(self.client, "api", signed_in=False)
        probe = FlagProbe(factory, flags.path, flags.value, form, clock=self.run.clock)
        return FlagLook(flags, probe, self.run.clock, self.run.progress)

    def mongodb(self) -> MongoProbe:
        """The database: a ping, what it really is, a round trip where writing is allowed."""
        from rampgate.probes.stores import MongoProbe

        told = self._settings.mongodb
        assert told  # noqa: S101  # the plan has this check only where it is configured
        return MongoProbe(
            told.uri,
            told.database,
            allow_writes=self._may_write(told.uri),
            timeout_s=told.timeout,
            clock=self.run.clock,
        )

    def redis(self) -> RedisProbe:
        """The cache: a ping, what it really is, a round trip where writing is allowed, its hit rate."""
        from rampgate.probes.stores import RedisProbe

        told = self._settings.redis
        assert told  # noqa: S101  # the plan has this check only where it is configured
        return RedisProbe(
            told.url,
            allow_writes=self._may_write(told.url),
            timeout_s=told.timeout,
            clock=self.run.clock,
        )

    def metric(self, metric: MetricSettings) -> JsonMetricProbe:
        """One number that the deployment reports about itself."""
        from rampgate.probes.metric import JsonMetricProbe

        self.need("api")
        http = self.admin() if metric.admin else self.client("api", signed_in=True)
        self._stack.enter_context(http)
        return JsonMetricProbe(
            http, metric.path, metric.name, metric.value, metric.unit, clock=self.run.clock
        )

    def need(self, *dependencies: str) -> None:
        """Go on only if these answer.

        Raises:
            UnreachableError: one does not; its own check says why.
        """
        for name in dependencies:
            configured = {
                "web": self._settings.target.web,
                "api": self._settings.target.api,
                "mongodb": self._settings.mongodb,
                "redis": self._settings.redis,
            }[name]
            if configured and not self._answers(name):
                raise UnreachableError(f"skipped because {name} does not answer")

    def _answers(self, name: str) -> bool:
        if name in {"web", "api"}:
            return self.health(name).value == 1
        store = self.mongodb if name == "mongodb" else self.redis
        return self.run.once(f"reachable-{name}", lambda: _first(store().look(), f"{name}_up")).value == 1

    def _health(self, service: str) -> Measurement:
        address = self._base(service) + self._settings.target.health
        patience = self._settings.stage(self.run.stage).patience
        seen = HealthProbe(
            partial(self.client, service, signed_in=False),
            self._settings.target.health,
            service,
            self.run.clock,
            patience,
            lambda trouble: self.run.progress(f"{address}: {trouble}; waiting up to {patience:g} s"),
        ).look()
        up, healthy = _first(seen, "up"), _first(seen, "time_to_healthy")
        # One look, however many attempts it took: those are evidence, not observations.
        details = {**up.details, "healthy_after_s": healthy.value}
        return replace(up, n=1, note=up.note and f"{address} {up.note}", details=details)

    def client(self, service: str, *, signed_in: bool, guard: Guard | None = None) -> httpx.Client:
        """A client of a service, with this process's session when asked."""
        target = self._settings.target
        http = client(
            self._base(service),
            run_id=self.run.id,
            timeout_s=target.timeout,
            headers=target.headers,
            guard=guard,
        )
        if signed_in and self._settings.login:
            token, cookies = self._signed_in()
            http.cookies.update(cookies)
            if token:
                http.headers["Authorization"] = f"Bearer {token}"
        return http

    def admin(self, guard: Guard | None = None) -> httpx.Client:
        """A client of the API with the administrator's token, where there is one."""
        http = self.client("api", signed_in=False, guard=guard)
        if token := self._settings.target.admin_token:
            http.headers["Authorization"] = f"Bearer {token}"
        return http

    def _base(self, service: str) -> str:
        target = self._settings.target
        return (target.web if service == "web" else target.api) or target.api or target.web or ""

    @property
    def _login_service(self) -> str:
        return "api" if self._settings.target.api else "web"

    def _signed_in(self) -> tuple[str | None, httpx.Cookies]:
        """This process's session, signed in on first use."""
        if self._settings.login is None:
            return None, httpx.Cookies()
        if self._session is None:
            self.sign_in()
        if self._session is None:
            raise UnreachableError("skipped because sign-in was refused")
        return self._session

    def _auditor(self, *, signed_in: bool) -> Auditor:
        if signed_in not in self._auditors:
            from rampgate.io.browser import find_tools
            from rampgate.io.http import RUN_HEADER
            from rampgate.probes.auditor import BrowserAuditor
            from rampgate.stage.form import form_of

            auditor = BrowserAuditor(
                find_tools(os.environ),
                form_of(self._settings.login, self._base("web")) if signed_in else None,
                extra_headers={RUN_HEADER: self.run.id},
                secret_headers=self._settings.target.headers,
            )
            self._auditors[signed_in] = self._stack.enter_context(auditor)
        return self._auditors[signed_in]

    def _plain_get(self, page: PageSettings) -> int | None:
        try:
            with self.client("web", signed_in=page.sign_in) as http:
                return get_here(http, page.path).status
        except UnreachableError:
            return None

    def _may_write(self, address: str) -> bool:
        if not self._settings.allow_writes:
            return False
        Guard(self._settings.allowed_hosts).check(address)
        return True


def _first(seen: list[Measurement], metric: str) -> Measurement:
    return next(measurement for measurement in seen if measurement.metric == metric)
