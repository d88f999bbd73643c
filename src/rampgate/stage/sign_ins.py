"""How many sign-ins a stage makes, for what says so before the first one: many at once lock an account."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from rampgate.config import plan
from rampgate.load.accounts import sign_ins_due

if TYPE_CHECKING:
    from rampgate.config.settings import Settings

_ASK = {
    "login",
    "metric",
    "backend_cache",
    "backend_paging",
    "advanced_jobs",
    "rollback_enrolled",
    "rollback_data",
}
"""Subjects of checks that ask with the session; others do where they say ``sign_in``."""
_READ_IDS = {"monitoring_flags", "backend_flags", "advanced_flags", "frontend_flags", "rollback_account"}
"""Those whose check signs in for the ids in the answer."""
_AUDITS = {"audit", "baseline_audit"}
_VISITS = {
    "page",
    "visual",
    "baseline_vitals",
    "bundle",
    "monitoring_visit",
    "frontend_theme",
    "frontend_bundle",
    "frontend_console",
    "advanced_service_worker",
    "advanced_list",
    "rollback_tab",
}
"""Those whose check may open a page in a browser."""


def announcement(settings: Settings, planned: plan.Plan, processes: int) -> str:
    """How many sign-ins the checks of a plan make at most, and with how many accounts; "" where none.

    A process signs in once for its requests, and once more for each of its two browsers.

    Args:
        settings: of the run.
        planned: the stage's plan.
        processes: that share the checks out.
    """
    due, subjects = 0, planned.subjects
    if settings.login:
        configured = plan.subjects(settings)
        things = chain.from_iterable(configured[subject].values() for subject in subjects & configured.keys())
        asks = subjects & (_ASK | _READ_IDS) or any(getattr(thing, "sign_in", False) for thing in things)
        of_pages = [page for page in settings.pages if page.sign_in and settings.login.form]
        browsers = bool(of_pages and subjects & _VISITS), bool(of_pages and subjects & _AUDITS)
        due = processes * (bool(asks) + sum(browsers)) + len(subjects & _READ_IDS)
    load = "; the load says its own" if "load" in subjects else ""
    return sign_ins_due(f"up to {due}", 1) + load if due else ""
