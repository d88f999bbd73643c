"""Floor 6. What the checks of a deployment's steps ask, of the API and in a browser."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from rampgate.errors import ProbeError, UnreachableError
from rampgate.io.guard import Guard
from rampgate.io.http import ask, find
from rampgate.probes.backend_step import BackendProbe, JobForm, PagingForm
from rampgate.probes.page_step import ListForm, PageStep
from rampgate.probes.visit_step import Counted, seen, series_of

if TYPE_CHECKING:
    import httpx

    from rampgate.config.steps import (
        CacheSettings,
        JobSettings,
        ListSettings,
        MonitoringStepSettings,
        PagingSettings,
        QuerySettings,
        StepSettings,
        ThemeSettings,
    )
    from rampgate.config.subjects import PageSettings
    from rampgate.evidence.run import Run
    from rampgate.model.measurement import Measurement
    from rampgate.stage.browsing import Browsing
    from rampgate.stage.look import Look
    from rampgate.stage.monitoring_look import MonitoringLook

LIST_S = 120.0
"""Seconds for reading a list to its end."""


class StepLook:
    """Makes the probes of [deploy].

    Args:
        run: the run that they belong to.
        look: makes the clients of the deployment.
        browsing: visits its pages.
    """

    def __init__(self, run: Run, look: Look, browsing: Browsing) -> None:
        self._run = run
        self._look = look
        self._browsing = browsing

    def flags(self, step: StepSettings) -> Measurement:
        """Flags that are off for the account of [login], which must have them.

        Raises:
            ProbeError: no [flags] or [login] are configured, so that nothing can be read back.
        """
        flags = self._run.settings.flags
        if flags is None:
            raise ProbeError("[flags] is not configured, so that no flag can be read back")
        user, workspace = self._account
        places = {"{user}": user, "{workspace}": workspace}
        with self._signed_in() as http:
            return BackendProbe(http, self._run.clock).flags(flags.path, flags.value, places, step.flags)

    def visit(self, told: MonitoringStepSettings, monitoring: MonitoringLook | None) -> list[Measurement]:
        """A browser's visit to a page, in the metrics of the deployment and in Prometheus.

        Raises:
            ProbeError: there is nothing to look for, or it cannot be read.
        """
        page = self._browsing.page_named(told.page or "")
        step = PageStep(page.name, self._browsing.address(page))
        make = partial(self._browsing.visit, page, step.visit)
        found = []
        if told.series:
            with self._look.client("api", signed_in=False) as http:
                read = partial(series_of, http, told.metrics, told.series)
                counted = Counted(told.metrics, told.series, read)
                found.append(seen(counted, make, told.within, self._run.clock))
        if told.promql and monitoring:
            counted = Counted("Prometheus", told.promql, partial(monitoring.number, told.promql))
            found.append(seen(counted, make, told.within, self._run.clock))
        if not found:
            raise ProbeError("deploy.monitoring: names neither a series nor a promql that a visit raises")
        return found

    def cache(self, told: CacheSettings) -> Measurement:
        """Repeated requests that were not answered from the cache."""
        with self._signed_in() as http:
            return BackendProbe(http, self._run.clock).cache(told.path, told.requests, told.header, told.hit)

    def query(self, told: QuerySettings) -> Measurement:
        """Whether a query is answered from an index."""
        self._look.need("api", "mongodb")
        with self._look.admin() as http:
            places = (told.stage, told.examined, told.returned)
            return BackendProbe(http, self._run.clock).query(told.name, told.path, places)

    def paging(self, told: PagingSettings) -> list[Measurement]:
        """Items that paging leaves out or returns twice."""
        with self._signed_in() as http:
            probe = BackendProbe(http, self._run.clock)
            total = probe.total(told.total, told.total_value) if told.total else None
            form = PagingForm(told.path, told.items, told.cursor, told.parameter, told.pages)
            return probe.paging(form, total)

    def job(self, told: JobSettings) -> list[Measurement]:
        """Work that is queued and done; a write, so that it needs leave.

        Raises:
            ProbeError: writing is not allowed.
            RefusedError: the API is not among allowed_hosts.
        """
        if not self._run.settings.allow_writes:
            raise ProbeError("deploy.advanced.jobs queues work; accepted is allow_writes = true")
        form = JobForm(told.id, told.state_path, told.state, told.done, told.within)
        with self._signed_in(Guard(self._run.settings.allowed_hosts)) as http:
            return BackendProbe(http, self._run.clock).job(told.path, told.body, form)

    def theme(self, told: ThemeSettings) -> list[Measurement]:
        """Whether the theme switches, and what moves when it does."""
        page, step = self._page(told.page)
        return self._browsing.visit(page, partial(step.theme, button=told.button))

    def console(self, page: PageSettings) -> Measurement:
        """Errors that a page writes to the console."""
        return self._browsing.visit(page, PageStep(page.name, self._browsing.address(page)).console)

    def offline(self, name: str) -> list[Measurement]:
        """Whether a service worker controls a page, and serves it without a network."""
        page, step = self._page(name)
        return self._browsing.visit(page, step.offline)

    def list(self, told: ListSettings) -> list[Measurement]:
        """How many rows of a list are in the page at once, while it is read to its end."""
        page, step = self._page(told.page)
        form = ListForm(told.row, told.most, told.last, told.more)
        return self._browsing.visit(page, partial(step.read_list, form=form), seconds=LIST_S)

    def _page(self, name: str) -> tuple[PageSettings, PageStep]:
        page = self._browsing.page_named(name)
        return page, PageStep(page.name, self._browsing.address(page))

    def _signed_in(self, guard: Guard | None = None) -> httpx.Client:
        self._look.need("api")
        return self._look.client("api", signed_in=True, guard=guard)

    @cached_property
    def _account(self) -> tuple[str, str]:
        """The ids of the user and the workspace of [login], as a sign-in tells them."""
        login = self._run.settings.login
        if login is None:
            raise ProbeError("[login] is not configured, so that there is no account to read flags for")
        self._look.need("api")
        with self._look.client("api", signed_in=False) as http:
            answer = ask(http, "POST", login.path, body=dict(login.body))
        if not answer.ok:
            raise UnreachableError(f"skipped because sign-in answered {answer.trouble}")
        user, workspace = (find(place, answer.json()) for place in (login.user, login.workspace))
        if not isinstance(user, str | int):
            raise ProbeError(f"login.user: the answer to the sign-in has nothing at {login.user!r}")
        return str(user), "" if workspace is None else str(workspace)
