"""What the checks of a deployment's steps measure, of the API and in a browser."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rampgate.checks.flag_service.users import User
from rampgate.errors import ProbeError, UnreachableError
from rampgate.io.http import find
from rampgate.probes.backend_step import BackendProbe
from rampgate.probes.page_step import PageStep
from rampgate.probes.sign_in import post
from rampgate.probes.visit_step import Counted, series_of, visit_counted
from rampgate.stage import monitoring
from rampgate.stage.login_session import signing_in

if TYPE_CHECKING:
    import httpx

    from rampgate.checks.pages import PageSettings
    from rampgate.config import steps
    from rampgate.model.measurement import Measurement
    from rampgate.stage.context import StageContext

LIST_S = 120.0
"""Seconds for reading a list to its end."""


def flags(context: StageContext, step: steps.StepSettings) -> Measurement:
    """Flags that are off for the account of [login], which must have them.

    Raises:
        ProbeError: no [flags] or [login] are configured, so that nothing can be read back.
    """
    settings = context.run.settings.flags
    if settings is None:
        raise ProbeError("[flags] is not configured, so that no flag can be read back")
    account = User(*account_of(context))
    with context.elsewhere(settings.url) if settings.url else _signed_in(context) as http:
        return BackendProbe(http, context.run.clock).flags(settings, account, step.flags)


def visit(context: StageContext, step: steps.MonitoringStepSettings) -> list[Measurement]:
    """A browser's visit to a page, in the metrics of the deployment and in Prometheus.

    Raises:
        ProbeError: there is nothing to look for, or it cannot be read.
    """
    page, page_step = _page(context, step.page or "")
    make = partial(context.visit, page, page_step.visit)
    prometheus = context.run.settings.monitoring
    found = []
    if step.series:
        with context.client("api", signed_in=False) as http:
            read = partial(series_of, http, step.metrics, step.series)
            counted = Counted(step.metrics, step.series, read)
            found.append(visit_counted(counted, make, step.within, context.run.clock))
    if step.promql and prometheus:
        counted = Counted(
            "Prometheus", step.promql, partial(monitoring.number, context, prometheus, step.promql)
        )
        found.append(visit_counted(counted, make, step.within, context.run.clock))
    if not found:
        raise ProbeError("deploy.monitoring: names neither a series nor a promql that a visit raises")
    return found


def cache(context: StageContext, settings: steps.CacheSettings) -> Measurement:
    """Repeated requests that were not answered from the cache."""
    with _signed_in(context) as http:
        return BackendProbe(http, context.run.clock).cache(settings)


def query(context: StageContext, settings: steps.QuerySettings) -> Measurement:
    """Whether a query is answered from an index."""
    context.need("api", "mongodb")
    with context.admin() as http:
        return BackendProbe(http, context.run.clock).query(settings)


def paging(context: StageContext, settings: steps.PagingSettings) -> list[Measurement]:
    """Items that paging leaves out or returns twice."""
    with _signed_in(context) as http:
        return BackendProbe(http, context.run.clock).paging(settings)


def job(context: StageContext, settings: steps.JobSettings) -> list[Measurement]:
    """Work that is queued and done; a write, so that it needs leave.

    Raises:
        ProbeError: writing is not allowed.
        RefusedError: the API is not among allowed_hosts.
    """
    if not context.run.settings.allow_writes:
        raise ProbeError("deploy.advanced.jobs queues work; accepted is allow_writes = true")
    with _signed_in(context) as http:
        return BackendProbe(http, context.run.clock).job(settings)


def theme(context: StageContext, settings: steps.ThemeSettings) -> list[Measurement]:
    """Whether the theme switches, and what moves when it does."""
    page, step = _page(context, settings.page)
    return context.visit(page, partial(step.theme, button=settings.button))


def console(context: StageContext, page: PageSettings) -> Measurement:
    """Errors that a page writes to the console."""
    return context.visit(page, PageStep(page.name, context.address(page)).console)


def offline(context: StageContext, settings: steps.AdvancedStepSettings) -> list[Measurement]:
    """Whether a service worker controls a page, and serves it without a network."""
    page, step = _page(context, settings.service_worker or "")
    return context.visit(page, step.offline)


def long_list(context: StageContext, settings: steps.ListSettings) -> list[Measurement]:
    """How many rows of a list are in the page at once, while it is read to its end."""
    page, step = _page(context, settings.page)
    return context.visit(page, partial(step.read_list, form=settings), seconds=LIST_S)


def _page(context: StageContext, name: str) -> tuple[PageSettings, PageStep]:
    page = context.page_named(name)
    return page, PageStep(page.name, context.address(page))


def _signed_in(context: StageContext) -> httpx.Client:
    context.need("api")
    return context.client("api", signed_in=True)


def account_of(context: StageContext) -> tuple[str, str]:
    """The ids of the user and the workspace of [login], from the answer to a sign-in."""
    login = context.run.settings.login
    if login is None:
        raise ProbeError("[login] is not configured, so that there is no account to read flags for")
    context.need("api")
    body = None
    if login.encoding != "form":
        with signing_in(), context.client(login.service or "api", signed_in=False) as http:
            answer = post(http, login)
        if not answer.ok and not login.cookie:
            raise UnreachableError(f"skipped because sign-in answered {answer.trouble}")
        body = answer.json()
    user, workspace = (find(place, body) for place in (login.user, login.workspace))
    if not isinstance(user, str | int):
        raise ProbeError(f"login.user: the answer to the sign-in has nothing at {login.user!r}")
    return str(user), "" if workspace is None else str(workspace)
